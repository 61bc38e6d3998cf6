//! The handle of a running gateway: its sockets, and its end.

#![expect(
    clippy::disallowed_methods,
    reason = "the adapter that owns sockets also owns its tasks and timers"
)]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anser_domain::Code;
use axum::Router;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::accept;
use super::admission::Admission;
use super::registry::Registry;
use crate::connection::Clock;
use crate::door::Door;
use crate::limits::Limits;
use crate::session::Context;

/// Connections that the kernel keeps for us until they are accepted. The kernel lowers it to
/// `net.core.somaxconn`.
const BACKLOG: u32 = 4_096;
/// How often the end of the last connections is looked for.
const DRAIN_LOOK_MS: u64 = 20;
/// Connections told to go in one turn.
const DRAIN_CHUNK_MS: u64 = 20;

/// Which addresses to listen on.
#[derive(Clone, Default)]
pub struct Listen {
    /// For WebSocket, the API, and whatever else the routes have. Port 0 takes a free one.
    pub http: Vec<SocketAddr>,
    /// For length-prefixed frames.
    pub tcp: Vec<SocketAddr>,
    /// TLS on all of them.
    pub tls: Option<Arc<ServerConfig>>,
}

/// What a gateway is made of.
pub struct Parts {
    /// What sessions need.
    pub context: Context,
    /// What answers HTTP requests that are no WebSocket handshake. Every request carries an
    /// [`axum::extract::ConnectInfo`] of the peer's [`SocketAddr`].
    pub router: Router,
    /// Other protocols, in the order in which they are asked.
    pub doors: Vec<Arc<dyn Door>>,
    /// Where.
    pub listen: Listen,
    /// How much.
    pub limits: Limits,
}

/// What every connection needs to be made.
pub(super) struct Shared {
    pub(super) context: Arc<Context>,
    pub(super) router: Router,
    pub(super) doors: Vec<Arc<dyn Door>>,
    /// All of theirs.
    pub(super) protocols: Vec<&'static str>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: Limits,
    pub(super) admission: Arc<Admission>,
    pub(super) registry: Arc<Registry>,
    pub(super) clock: Clock,
    /// True once the gateway drains.
    pub(super) draining: watch::Receiver<bool>,
}

/// A running gateway. Dropping the handle stops nothing; [`Gateway::drain`] does.
pub struct Gateway {
    shared: Arc<Shared>,
    drain: watch::Sender<bool>,
    http: Vec<SocketAddr>,
    tcp: Vec<SocketAddr>,
}

impl Gateway {
    /// Binds all sockets, then accepts on them. Needs a tokio runtime with IO and time.
    pub fn start(parts: Parts) -> io::Result<Self> {
        let (drain, draining) = watch::channel(false);
        let Parts {
            context,
            router,
            doors,
            listen,
            limits,
        } = parts;
        let protocols = doors.iter().flat_map(|door| door.protocols());
        let bind_all = |addresses: &[SocketAddr]| -> io::Result<Vec<TcpListener>> {
            addresses.iter().map(|address| bind(*address)).collect()
        };
        let (http, tcp) = (bind_all(&listen.http)?, bind_all(&listen.tcp)?);
        let addresses = |listeners: &[TcpListener]| -> io::Result<Vec<SocketAddr>> {
            listeners.iter().map(TcpListener::local_addr).collect()
        };
        let gateway = Self {
            shared: Arc::new(Shared {
                context: Arc::new(context),
                router,
                protocols: protocols.copied().collect(),
                doors,
                tls: listen.tls.map(TlsAcceptor::from),
                admission: Admission::new(&limits),
                limits,
                registry: Arc::default(),
                clock: Clock::start(),
                draining,
            }),
            drain,
            http: addresses(&http)?,
            tcp: addresses(&tcp)?,
        };
        for listener in http {
            tokio::spawn(accept::run(
                listener,
                gateway.shared.clone(),
                accept::Port::Http,
            ));
        }
        for listener in tcp {
            tokio::spawn(accept::run(
                listener,
                gateway.shared.clone(),
                accept::Port::Tcp,
            ));
        }
        Ok(gateway)
    }

    /// The addresses of [`Listen::http`] as bound.
    #[must_use]
    pub fn http_addresses(&self) -> &[SocketAddr] {
        &self.http
    }

    /// The addresses of [`Listen::tcp`] as bound.
    #[must_use]
    pub fn tcp_addresses(&self) -> &[SocketAddr] {
        &self.tcp
    }

    /// How many connections are open, of all kinds.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.shared.admission.open()
    }

    /// Accepts nothing more, tells all connections to go, and returns once they have, or after
    /// `limit`, when those left are cut off. True: all went by themselves.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.drain.send_replace(true);
        let polite = async {
            self.tell_all().await;
            while self.open_connections() > 0 {
                tokio::time::sleep(Duration::from_millis(DRAIN_LOOK_MS)).await;
            }
        };
        let gone = tokio::time::timeout(limit, polite).await.is_ok();
        let (left, _) = self.shared.registry.some(0, usize::MAX);
        for connection in left {
            connection.cut();
        }
        gone
    }

    async fn tell_all(&self) {
        let per_second = self.shared.limits.drain_per_second.max(1) as u64;
        let chunk =
            usize::try_from((per_second * DRAIN_CHUNK_MS).div_ceil(1_000)).unwrap_or(usize::MAX);
        let mut from = 0;
        loop {
            let (some, next) = self.shared.registry.some(from, chunk);
            if some.is_empty() {
                return;
            }
            for connection in &some {
                connection.close(Code::ShuttingDown.into());
            }
            from = next;
            tokio::time::sleep(Duration::from_millis(DRAIN_CHUNK_MS)).await;
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restarted server gets its port back while old connections are still in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address).map_err(|error| {
        io::Error::new(error.kind(), format!("can't listen on {address}: {error}"))
    })?;
    socket.listen(BACKLOG)
}
