//! The network of a device, which can be cut: connections go through here to the server.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(super) struct Line {
    /// Where clients connect.
    pub(super) url: String,
    up: watch::Sender<bool>,
    listening: JoinHandle<()>,
}

impl Line {
    /// A line to the server at this address of its WebSocket endpoint.
    pub(super) async fn lay(websocket: &str) -> Result<Self, String> {
        let wrong = |why: std::io::Error| why.to_string();
        let rest = websocket.strip_prefix("ws://").ok_or("not ws://")?;
        let (host, path) = rest.split_once('/').ok_or("no path")?;
        let server: SocketAddr = host.parse().map_err(|why| format!("{host}: {why}"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let (up, is_up) = watch::channel(true);
        let listening = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *is_up.borrow() {
                    tokio::spawn(carry(near, server, is_up.clone()));
                }
            }
        });
        Ok(Self {
            url: format!("ws://{address}/{path}"),
            up,
            listening,
        })
    }

    pub(super) fn set(&self, up: bool) {
        self.up.send_replace(up);
    }
}

/// Until one side ends, or the line is cut.
async fn carry(mut near: TcpStream, server: SocketAddr, mut up: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect(server).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = up.wait_for(|up| !up) => {}
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.listening.abort();
        self.set(false);
    }
}
