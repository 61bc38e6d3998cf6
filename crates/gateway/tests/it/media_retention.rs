//! Files that an app has kept for long enough are removed: bytes, thumbnail and row.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anser_bus::{Hub, NodeId, Perfect};
use anser_domain::control::AppSettingsChange;
use anser_domain::login::LoginPolicy;
use anser_domain::{AppId, Timestamp};
use anser_engine::{Engine, Env, World};
use anser_gateway::rest;
use anser_media::{Media, Options, PictureLimits};
use anser_store::Store;
use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const DAY_MS: u64 = 86_400_000;
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// The waits of walks through all files: before the first, between two, between two steps.
const WALKS_MS: [u64; 3] = [600_000, 6 * 3_600_000, 100];

/// A clock that can be moved on, and perhaps a world in which one walk follows the other at once.
struct Ahead {
    ahead: Arc<AtomicU64>,
    walks: bool,
    random: AtomicU64,
}

impl World for Ahead {
    fn now(&self) -> Timestamp {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let now = u64::try_from(now.as_millis()).unwrap();
        Timestamp(now + self.ahead.load(Ordering::Relaxed))
    }

    fn random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let next = self
                .random
                .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            *byte = next.wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be_bytes()[0];
        }
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        let ms = if self.walks && WALKS_MS.contains(&ms) {
            5
        } else {
            ms
        };
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}

/// The server API of one node.
struct Api {
    address: std::net::SocketAddr,
    authorization: String,
    engine: Engine,
    app: AppId,
    ahead: Arc<AtomicU64>,
}

impl Api {
    async fn start(dir: &Path) -> Self {
        let ahead = Arc::<AtomicU64>::default();
        let env = |walks| {
            Env::new(Ahead {
                ahead: ahead.clone(),
                walks,
                random: AtomicU64::new(walks.into()),
            })
        };
        let hub = Hub::new(|task| drop(tokio::spawn(task)), Perfect);
        let engine = Engine::start(anser_engine::Parts {
            env: env(false),
            store: Store::memory(),
            bus: hub.join(NodeId(1)),
            settings: anser_engine::Settings {
                content_bytes_max: 3_072,
                recall_seconds: 120,
                edit_seconds: 86_400,
                retention_days: 180,
                media_retention_days: 30,
                first_window: 50,
                login_policy: LoginPolicy::OnePerPlatform,
                installation_key: [7; 32],
            },
        });
        let engine = engine.await.unwrap();
        let new = engine.create_app(Some("app"), "", false).await.unwrap();
        let files = Media::open(&Options {
            dir: dir.to_owned(),
            free_space_min: 0,
            threads: 1,
            pictures: PictureLimits::default(),
            clock: Arc::new(|| 0),
        });
        let router = rest::router(
            rest::Parts {
                doors: Vec::new(),
                engine: engine.clone(),
                env: env(true),
                files: files.unwrap(),
                settings: rest::Settings::default(),
                admin_token: "admin".into(),
                metrics: Vec::new(),
            },
            Router::new(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let pair = format!("app:{}", new.api_secret.secret);
        Self {
            address,
            authorization: format!("Basic {}", BASE64.encode(pair)),
            engine,
            app: new.info.id,
            ahead,
        }
    }

    /// Status and body.
    async fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: anser\r\nconnection: close\r\nauthorization: {}\r\ncontent-length: {}\r\n\r\n",
            self.authorization,
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer[9..12].parse().unwrap();
        (status, answer)
    }

    async fn upload(&self) -> String {
        let picture = BASE64.decode(PNG).unwrap();
        let (status, answer) = self.ask("POST", "/v1/media?name=a.png", &picture).await;
        assert_eq!(status, 201, "{answer}");
        let at = answer.find("\"media\":\"").unwrap() + 9;
        answer[at..at + 32].to_owned()
    }

    async fn status(&self, media: &str, variant: &str) -> u16 {
        let path = format!("/v1/media/{media}/{variant}");
        self.ask("GET", &path, b"").await.0
    }
}

/// Files below a folder, whose path has this in it.
fn files_about(dir: &Path, id: &str) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => count += files_about(&path, id),
            false => count += usize::from(path.to_string_lossy().contains(id)),
        }
    }
    count
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..2_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_when_their_app_has_kept_them_for_long_enough() {
    let dir = tempfile::tempdir().unwrap();
    let api = Api::start(dir.path()).await;
    let old = api.upload().await;
    assert_eq!(api.status(&old, "content").await, 200);
    assert_eq!(api.status(&old, "thumbnail").await, 200);
    assert!(files_about(dir.path(), &old) >= 2);
    api.ahead.fetch_add(20 * DAY_MS, Ordering::Relaxed);
    let new = api.upload().await;
    api.ahead.fetch_add(10 * DAY_MS, Ordering::Relaxed);
    until("the old one goes", async || {
        api.status(&old, "content").await == 404 && files_about(dir.path(), &old) == 0
    })
    .await;
    assert_eq!(api.status(&old, "thumbnail").await, 404);
    let (_, answer) = api.ask("GET", &format!("/v1/media/{old}"), b"").await;
    assert!(answer.contains("\"NOT_FOUND\""), "{answer}");
    assert_eq!(api.status(&new, "content").await, 200);

    // The app keeps files for good, then for a day.
    let keep = |days| AppSettingsChange {
        media_retention_days: Some(Some(days)),
        ..AppSettingsChange::default()
    };
    let set = api.engine.change_app_settings(api.app, &keep(0)).await;
    assert_eq!(set.unwrap().media_retention_days, Some(0));
    api.ahead.fetch_add(100 * DAY_MS, Ordering::Relaxed);
    let newest = api.upload().await;
    let set = api.engine.change_app_settings(api.app, &keep(1)).await;
    assert_eq!(set.unwrap().media_retention_days, Some(1));
    until("the other one goes", async || {
        api.status(&new, "content").await == 404
    })
    .await;
    assert_eq!(api.status(&newest, "content").await, 200);
}
