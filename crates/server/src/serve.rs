//! `anser serve`: from an empty directory to a listening server, and back.
//!
//! Going down, in this order: no new connections; requests under way are answered and clients told
//! to come back; the engine finishes what it took; the store writes out what makes the next start
//! quick. A second signal ends the process at once, which loses nothing that was acknowledged.

use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anser_gateway::listener::CONNECT_PATH;
use anser_store::StoreError;
use futures::FutureExt as _;
use futures::channel::oneshot;
use futures::future::{Either, select};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::banner::{Facts, Language, banner};
use crate::config::Config;
use crate::data_dir::{DataDir, DataDirError};
use crate::tls::{Certificate, TlsError};
use crate::wire::{self, DEFAULT_APP, DEMO_APP, WireError, Wired};
use crate::{control, demo, logging};

/// Exit status after a second signal, as a shell reports SIGINT.
const CUT_SHORT: i32 = 130;

/// Why the server did not start or did not stop well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("cannot take signals: {0}")]
    Signals(#[source] io::Error),
    #[error("the store did not close well: {0}")]
    Close(#[source] StoreError),
}

/// Runs the server until a signal ends it.
pub(crate) async fn serve(config: &Config, ready_json: bool) -> Result<ExitCode, ServeError> {
    logging::start(&config.log);
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let dir = DataDir::new(&config.data);
    dir.create()?;
    let certificate = match config.tls.cert.as_os_str().is_empty() {
        true => None,
        false => Some(Certificate::open(&config.tls)?),
    };
    let tls = certificate.as_ref().map(Certificate::server_config);
    let wired = wire::wire(config, &dir, tls.transpose()?).await?;
    let addresses = Addresses::of(&wired, certificate.is_some());
    let (end_control, control_ends) = oneshot::channel::<()>();
    let control = control::serve(
        &dir.socket(),
        wired.router.clone(),
        addresses.ws.clone(),
        control_ends.map(|_| ()),
    );
    let control = match control {
        Ok(control) => Some(Handle::current().spawn(control)),
        Err(error) => {
            let socket = dir.socket();
            tracing::warn!(%error, socket = %socket.display(), "other subcommands can't reach this server");
            None
        }
    };
    announce(config, &wired, &addresses, ready_json);

    while let Asked::Reload = signals.next().await {
        reload(certificate.as_deref());
    }
    tracing::info!("stopping");
    drop(end_control);
    let stopping = pin!(stop(config, wired, control));
    match select(stopping, pin!(signals.stop())).await {
        Either::Left((stopped, _)) => stopped.map(|()| ExitCode::SUCCESS),
        // Not by returning: that would wait for what the first signal waits for.
        Either::Right(((), _)) => std::process::exit(CUT_SHORT),
    }
}

async fn stop(
    config: &Config,
    wired: Wired,
    control: Option<JoinHandle<()>>,
) -> Result<(), ServeError> {
    let limit = Duration::from_secs(config.connections.drain_seconds);
    if !wired.gateway.drain(limit).await {
        tracing::warn!("clients that did not go in time were cut off");
    }
    if let Some(control) = control {
        // It ends by itself; if it panicked, that is logged already.
        let _ = control.await;
    }
    wired.engine.stop().await;
    wired.store.close().await.map_err(ServeError::Close)?;
    tracing::info!("stopped");
    Ok(())
}

fn reload(certificate: Option<&Certificate>) {
    match certificate.map(Certificate::reload) {
        None => tracing::info!("SIGHUP: there is no certificate to read again"),
        Some(Ok(())) => tracing::info!("SIGHUP: the certificate was read again"),
        Some(Err(error)) => tracing::error!(%error, "SIGHUP: the old certificate stays in use"),
    }
}

/// Where the server listens, ports that were chosen for it included.
struct Addresses {
    url: String,
    ws: String,
    tcp: Option<String>,
}

impl Addresses {
    fn of(wired: &Wired, tls: bool) -> Self {
        let address = wired.gateway.http_addresses().first();
        let address = address.map(ToString::to_string).unwrap_or_default();
        let (http, ws) = match tls {
            true => ("https", "wss"),
            false => ("http", "ws"),
        };
        let tcp = wired.gateway.tcp_addresses().first();
        Self {
            url: format!("{http}://{address}"),
            ws: format!("{ws}://{address}{CONNECT_PATH}"),
            tcp: tcp.map(ToString::to_string),
        }
    }
}

/// Says that the server listens, to people or to a program.
#[expect(clippy::print_stdout, reason = "what `serve` has to say is its output")]
fn announce(config: &Config, wired: &Wired, addresses: &Addresses, ready_json: bool) {
    let Addresses { url, ws, tcp } = addresses;
    let tcp = tcp.as_deref();
    tracing::info!(%url, tcp, data = %config.data.display(), "listening");
    if ready_json {
        let ready = json!({
            "url": url,
            "ws": ws,
            "tcp": tcp,
            "app_key": DEFAULT_APP,
            "api_secret": wired.api_secret,
            "demo_url": format!("{url}/demo/"),
            "demo_app_key": DEMO_APP,
            "admin_token": wired.admin_token,
        });
        println!("{ready}");
    } else {
        let program = std::env::args().next();
        let facts = Facts {
            url,
            ws,
            tcp,
            data: &config.data,
            app_key: DEFAULT_APP,
            api_secret: wired.api_secret.as_deref(),
            demo_built: demo::built(),
            program: program.as_deref().unwrap_or("anser"),
        };
        let language = Language::of_environment();
        println!("{}", banner(language, &facts));
    }
}

/// What the process is asked to do from outside.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

enum Asked {
    Stop,
    Reload,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        let mut terminate = pin!(self.terminate.recv());
        let mut interrupt = pin!(self.interrupt.recv());
        let stop = select(&mut terminate, &mut interrupt);
        match select(stop, pin!(self.hang_up.recv())).await {
            Either::Left(_) => Asked::Stop,
            Either::Right(_) => Asked::Reload,
        }
    }

    async fn stop(&mut self) {
        while let Asked::Reload = self.next().await {}
    }
}
