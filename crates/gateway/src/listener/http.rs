//! Everything on the HTTP port that is no WebSocket handshake of ours.

#![expect(
    clippy::disallowed_methods,
    reason = "the adapter that owns sockets also owns its timers"
)]

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::admission::Place;
use super::gateway::Shared;
use super::replay::Replay;
use crate::metrics::Metrics;

/// Counts an HTTP connection as long as it lasts.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: Arc<Shared>) -> Self {
        Metrics::enter(&shared.context.metrics.http_connections);
        Self(shared)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        Metrics::leave(&self.0.context.metrics.http_connections);
    }
}

/// Serves the routes on a connection that has already sent `head`, until it ends, or, when the
/// gateway drains, until the request in progress is answered.
pub(super) async fn serve<S>(
    stream: S,
    head: Vec<u8>,
    peer: SocketAddr,
    place: Place,
    shared: Arc<Shared>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let counted = Counted::new(shared.clone());
    let routes = TowerToHyperService::new(shared.router.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.limits.http_idle_time)
        .serve_connection(TokioIo::new(Replay::new(head, stream)), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut draining = shared.draining.clone();
    // Errors are the peer's: broken requests, resets. hyper has answered what can be answered.
    let drains = tokio::select! {
        biased;
        _ = connection.as_mut() => false,
        _ = draining.wait_for(|draining| *draining) => true,
    };
    if drains {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(shared.limits.linger_time, connection).await;
    }
    drop((place, counted));
}
