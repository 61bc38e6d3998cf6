//! The composition: which implementation stands behind which seam.

use std::io;
use std::sync::Arc;

use anser_bus::{Hub, NodeId, Perfect};
use anser_compat::leancloud::rest::Files;
use anser_compat::leancloud::routes::Reach;
use anser_compat::leancloud::{self, LeanCloud};
use anser_domain::control::AppSettingsChange;
use anser_domain::login::LoginPolicy;
use anser_domain::media::MediaLimits;
use anser_domain::{Code, Reject};
use anser_engine::app::AppInfo;
use anser_engine::tables::CATALOG;
use anser_engine::{Engine, Env};
use anser_gateway::door::Door;
use anser_gateway::limits::{Limits, SendRate, SessionSettings};
use anser_gateway::listener::{self, Gateway, Listen};
use anser_gateway::metrics::Metrics;
use anser_gateway::rest::{self, MediaSettings};
use anser_gateway::session::Context;
use anser_media::{Media, MediaError, PictureLimits};
use anser_store::{EmbeddedOptions, Store, StoreError};
use axum::Router;
use rustls::ServerConfig;
use tokio::runtime::Handle;

use crate::config::Config;
use crate::data_dir::{DataDir, DataDirError};
use crate::demo::{self, Demo};
use crate::world::Machine;

/// The app that a new installation has.
pub(crate) const DEFAULT_APP: &str = "default";
/// The demo's app.
pub(crate) const DEMO_APP: &str = "demo";

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("the store cannot be opened: {0}")]
    Store(#[from] StoreError),
    #[error("the engine did not start: {0}")]
    Engine(#[from] Reject),
    #[error("the folder of uploaded files cannot be used: {0}")]
    Media(#[from] MediaError),
    #[error("{0}")]
    Gateway(#[from] io::Error),
}

/// A running server.
pub(crate) struct Wired {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    pub(crate) gateway: Gateway,
    /// What is served over HTTP.
    pub(crate) router: Router,
    pub(crate) admin_token: String,
    /// Of the default app, if it was made just now.
    pub(crate) api_secret: Option<String>,
}

/// Puts the server together.
pub(crate) async fn wire(
    config: &Config,
    dir: &DataDir,
    tls: Option<Arc<ServerConfig>>,
) -> Result<Wired, WireError> {
    let env = Env::new(Machine::new(Handle::current()));
    let installation_key = dir.installation_key()?;
    let admin_token = match config.admin_token.reveal() {
        "" => dir.admin_token()?,
        token => token.to_owned(),
    };
    let store = Store::embedded(
        &EmbeddedOptions {
            cache_bytes: config.store.cache_bytes,
            free_space_min: config.store.free_space_min,
            ..EmbeddedOptions::new(dir.store())
        },
        CATALOG,
    )?;
    let spawn = env.clone();
    let bus = Hub::new(move |task| spawn.spawn(task), Perfect).join(NodeId(env.random_u64()));
    let engine = Engine::start(anser_engine::Parts {
        env: env.clone(),
        store: store.clone(),
        bus,
        settings: anser_engine::Settings {
            content_bytes_max: config.messages.content_bytes_max,
            recall_seconds: config.messages.recall_seconds,
            edit_seconds: config.messages.edit_seconds,
            retention_days: config.messages.retention_days,
            media_retention_days: config.media.retention_days,
            first_window: config.messages.first_window,
            login_policy: LoginPolicy::from_name(&config.messages.login_policy).unwrap_or_default(),
            installation_key,
        },
    })
    .await?;

    let (_, api_secret) = app(&engine, DEFAULT_APP, "Default", false).await?;
    let (demo_app, new_demo) = app(&engine, DEMO_APP, "Demo", true).await?;
    if new_demo.is_some() {
        // The page shows who is there.
        let on = AppSettingsChange {
            presence: Some(Some(true)),
            ..AppSettingsChange::default()
        };
        engine.change_app_settings(demo_app.id, &on).await?;
    }
    let demo = demo::router(Demo {
        engine: engine.clone(),
        app: demo_app.id,
        app_key: demo_app.key,
        everybody: config.demo,
    });
    let media = files(config, dir, &env)?;
    let kept = Files::new(media.clone(), media_settings(config).limits, tls.is_some());
    let leancloud = LeanCloud::new(engine.clone(), env.clone()).with_files(kept);
    let reach = Reach { tls: tls.is_some() };
    let others = demo.merge(leancloud::routes::router(leancloud.clone(), reach));
    let doors: Vec<Arc<dyn Door>> = vec![Arc::new(leancloud)];
    let metrics = Arc::<Metrics>::default();
    let router = rest::router(
        rest::Parts {
            engine: engine.clone(),
            env: env.clone(),
            files: media,
            settings: rest_settings(config),
            doors: doors.clone(),
            admin_token: admin_token.clone(),
            metrics: vec![engine_metrics(&engine), gateway_metrics(&metrics)],
        },
        others,
    );
    let gateway = Gateway::start(listener::Parts {
        context: Context {
            engine: engine.clone(),
            env,
            settings: Arc::new(session_settings(config)),
            metrics,
        },
        router: router.clone(),
        doors,
        listen: Listen {
            http: config.listen.parse().into_iter().collect(),
            tcp: config.tcp_listen.parse().into_iter().collect(),
            tls,
        },
        limits: limits(config),
    })?;
    Ok(Wired {
        store,
        engine,
        gateway,
        router,
        admin_token,
        api_secret,
    })
}

/// Opens the folder of uploaded files.
fn files(config: &Config, dir: &DataDir, env: &Env) -> Result<Media, MediaError> {
    let media = &config.media;
    let env = env.clone();
    Media::open(&anser_media::Options {
        dir: match media.dir.as_os_str().is_empty() {
            true => dir.media(),
            false => media.dir.clone(),
        },
        free_space_min: config.store.free_space_min,
        threads: media.threads,
        pictures: PictureLimits {
            pixels_max: media.pixels_max,
            ..PictureLimits::default()
        },
        clock: Arc::new(move || env.now().0),
    })
}

fn media_settings(config: &Config) -> MediaSettings {
    let media = &config.media;
    MediaSettings {
        limits: MediaLimits {
            bytes_max: media.bytes_max,
            user_bytes_per_day: media.user_bytes_per_day,
            user_uploads_per_day: media.user_uploads_per_day,
            unfinished_ms: media.unfinished_hours * 3_600 * 1_000,
        },
        request_bytes_max: media.request_bytes_max,
        user_parallel: media.user_parallel,
        parallel: media.parallel,
        url_seconds: media.url_seconds,
    }
}

fn rest_settings(config: &Config) -> rest::Settings {
    rest::Settings {
        body_bytes_max: config.api.body_bytes_max,
        timeout_ms: config.api.timeout_seconds * 1_000,
        user_messages_per_minute: config.api.user_messages_per_minute,
        group_messages_per_second: config.api.group_messages_per_second,
        room_messages_per_second: config.api.room_messages_per_second,
        media: media_settings(config),
    }
}

fn session_settings(config: &Config) -> SessionSettings {
    let messages = &config.messages;
    SessionSettings {
        content_bytes_max: messages.content_bytes_max,
        send_rate: (messages.client_messages_per_second > 0).then_some(SendRate {
            per_second: messages.client_messages_per_second,
            burst: messages.client_messages_burst,
        }),
        ..SessionSettings::default()
    }
}

fn limits(config: &Config) -> Limits {
    let connections = &config.connections;
    Limits {
        connections_max: connections.max,
        strangers_max: connections.unauthenticated_max,
        strangers_per_address_max: connections.unauthenticated_per_address_max,
        ..Limits::default()
    }
}

fn gateway_metrics(metrics: &Arc<Metrics>) -> rest::MetricsWriter {
    let metrics = Arc::clone(metrics);
    Box::new(move |out| metrics.render(out))
}

fn engine_metrics(engine: &Engine) -> rest::MetricsWriter {
    let engine = engine.clone();
    Box::new(move |out| out.push_str(&engine.metrics().render()))
}

/// The app of this key, made if it is not there, and then with its first API secret.
async fn app(
    engine: &Engine,
    key: &str,
    name: &str,
    demo: bool,
) -> Result<(AppInfo, Option<String>), Reject> {
    match engine.app(key).await {
        Ok(app) => Ok((app, None)),
        Err(reject) if reject.code == Code::NotFound => {
            let new = engine.create_app(Some(key), name, demo).await?;
            Ok((new.info, Some(new.api_secret.secret)))
        }
        Err(reject) => Err(reject),
    }
}
