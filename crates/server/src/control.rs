//! The door for the other subcommands: the server API over a Unix socket in the data directory.
//!
//! So `anser token alice` needs neither address nor certificate, and finds the server that owns
//! this data directory and no other. Whoever comes through it still shows the admin token.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};

use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::UnixListener;

/// What only this door has: the address that clients connect to, as `{"ws": …}`.
pub(crate) const ADDRESS_PATH: &str = "/control/address";

/// The socket's file; gone when this is dropped.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Listens at `path` until `end`. The caller owns the data directory, so what is there is what a
/// killed server left behind.
pub(crate) fn serve<E: Future<Output = ()> + Send + 'static>(
    path: &Path,
    router: Router,
    ws: String,
    end: E,
) -> io::Result<impl Future<Output = ()> + use<E>> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let router = router.route(ADDRESS_PATH, get(async move || Json(json!({ "ws": ws }))));
    let listener = UnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    Ok(async move {
        if let Err(error) = axum::serve(listener, router)
            .with_graceful_shutdown(end)
            .await
        {
            tracing::error!(%error, "the control socket failed");
        }
        drop(file);
    })
}
