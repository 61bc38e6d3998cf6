//! A server on a real socket of the loopback: the model behind WebSocket or TCP.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anser_proto::client as wire;
use anser_proto::frame;
use bytes::{Bytes, BytesMut};
use futures::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::script::response;
use crate::server::Server;

pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    WebSocket,
    Tcp,
}

/// Where clients come in.
pub(crate) struct Door {
    listener: TcpListener,
    kind: Kind,
    tls: Option<TlsAcceptor>,
}

impl Door {
    pub(crate) async fn open(kind: Kind, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            listener,
            kind,
            tls,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        let port = self.address().port();
        let scheme = match (self.kind, self.tls.is_some()) {
            (Kind::WebSocket, false) => "ws",
            (Kind::WebSocket, true) => "wss",
            (Kind::Tcp, false) => "tcp",
            (Kind::Tcp, true) => "tcps",
        };
        format!("{scheme}://localhost:{port}")
    }

    pub(crate) async fn stream(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    pub(crate) async fn accept(&self) -> io::Result<Peer> {
        let stream = self.stream().await;
        let socket: Box<dyn Socket> = match &self.tls {
            Some(tls) => Box::new(tls.accept(stream).await?),
            None => Box::new(stream),
        };
        Ok(match self.kind {
            Kind::Tcp => Peer::Tcp(socket, BytesMut::new()),
            Kind::WebSocket => {
                let socket = tokio_tungstenite::accept_hdr_async(socket, upgrade).await;
                Peer::WebSocket(Box::new(socket.map_err(io::Error::other)?))
            }
        })
    }
}

#[expect(clippy::result_large_err, reason = "the library's signature")]
fn upgrade(
    request: &Request,
    mut response: Response,
) -> Result<Response, tokio_tungstenite::tungstenite::handshake::server::ErrorResponse> {
    assert_eq!(request.uri().path(), "/v1/connect");
    let asked = request.headers().get("sec-websocket-protocol").cloned();
    assert_eq!(asked.as_ref().unwrap(), "anser.v1");
    let headers = response.headers_mut();
    headers.insert("sec-websocket-protocol", asked.unwrap());
    Ok(response)
}

/// One client.
pub(crate) enum Peer {
    WebSocket(Box<WebSocketStream<Box<dyn Socket>>>),
    Tcp(Box<dyn Socket>, BytesMut),
}

impl Peer {
    /// The next frame; `None` when the client has gone.
    pub(crate) async fn receive(&mut self) -> Option<Vec<wire::Request>> {
        let frame: Bytes = match self {
            Self::WebSocket(socket) => loop {
                match socket.next().await?.ok()? {
                    Message::Binary(frame) => break frame,
                    Message::Close(_) => return None,
                    _ => {}
                }
            },
            Self::Tcp(socket, buf) => loop {
                if let Some(frame) = frame::decode(buf, 1 << 20).unwrap() {
                    break frame;
                }
                if socket.read_buf(buf).await.ok()? == 0 {
                    return None;
                }
            },
        };
        Some(wire::ClientFrame::decode(frame).unwrap().requests)
    }

    /// Sends items in one frame. A client that has gone misses them.
    pub(crate) async fn tell(&mut self, items: Vec<Item>) {
        let items = items.into_iter();
        let frame = wire::ServerFrame {
            items: items
                .map(|item| wire::ServerItem { item: Some(item) })
                .collect(),
        };
        let bytes = frame.encode_to_vec();
        match self {
            Self::WebSocket(socket) => drop(socket.send(Message::Binary(bytes.into())).await),
            Self::Tcp(socket, _) => {
                let mut buf = BytesMut::new();
                frame::encode(&bytes, &mut buf);
                let _ = socket.write_all(&buf).await;
            }
        }
    }

    /// Answers every request as the model does, until the client goes or `until` says so.
    pub(crate) async fn serve(
        &mut self,
        server: &Arc<Mutex<Server>>,
        mut until: impl FnMut(&Command) -> bool,
    ) {
        while let Some(requests) = self.receive().await {
            let mut answers = Vec::new();
            let mut over = false;
            for request in requests {
                let command = request.command.unwrap();
                over |= until(&command);
                let answer: Answer = server.lock().unwrap().answer("me", command, 1);
                answers.push(response(request.id, answer));
            }
            self.tell(answers).await;
            if over {
                return;
            }
        }
    }
}
