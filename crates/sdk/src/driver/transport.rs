//! Frames over sockets: WebSocket or TCP, with TLS or without.
//!
//! A connection is a task of its own that opens the socket, then reads and writes side by side,
//! so that a server that reads slowly is still heard. It ends when its queue of frames is closed
//! (then it writes what is queued and says goodbye), when the socket ends, or when it is aborted.

use std::io;
use std::time::Duration;

use anser_proto::frame;
use bytes::{Bytes, BytesMut};
use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::address::{Address, Transport};
use crate::core::ConnectionId;
use crate::limits::SERVER_FRAME_BYTES_MAX;

/// The WebSocket subprotocol of this version of the wire.
const SUBPROTOCOL: &str = "anser.v1";
/// For the last frames and the goodbye of a connection that is closed.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a connection reports.
#[derive(Debug)]
pub(super) enum Arrival {
    Connected,
    Frame(Bytes),
    Ended,
}

/// Where it reports to. Bounded, so that a busy client slows the socket down.
pub(super) type Arrivals = mpsc::Sender<(ConnectionId, Arrival)>;

/// What bytes come and go through.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

/// Opens a connection and serves it to its end.
pub(super) async fn run(
    id: ConnectionId,
    address: Address,
    tls: Option<TlsConnector>,
    frames: mpsc::Receiver<Bytes>,
    arrivals: Arrivals,
) {
    // Why it ended tells the application nothing it could act on.
    let _ended = serve(id, &address, tls, frames, &arrivals).await;
    let _ = arrivals.send((id, Arrival::Ended)).await;
}

async fn serve(
    id: ConnectionId,
    address: &Address,
    tls: Option<TlsConnector>,
    frames: mpsc::Receiver<Bytes>,
    arrivals: &Arrivals,
) -> io::Result<()> {
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
    // A frame is written whole: waiting for more would only delay it.
    stream.set_nodelay(true)?;
    let socket: Box<dyn Socket> = match tls.filter(|_| address.tls) {
        Some(tls) => {
            let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
            Box::new(tls.connect(name, stream).await?)
        }
        None => Box::new(stream),
    };
    match address.transport {
        Transport::WebSocket => web_socket(id, &address.url, socket, frames, arrivals).await,
        Transport::Tcp => tcp(id, socket, frames, arrivals).await,
    }
}

/// Waits for the first of both; when the writer is done, the connection is.
async fn both(
    read: impl Future<Output = io::Result<()>>,
    write: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    tokio::select! {
        ended = read => ended,
        ended = write => ended,
    }
}

async fn report(arrivals: &Arrivals, id: ConnectionId, arrival: Arrival) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::ConnectionAborted);
    arrivals.send((id, arrival)).await.map_err(gone)
}

async fn web_socket(
    id: ConnectionId,
    url: &str,
    socket: Box<dyn Socket>,
    frames: mpsc::Receiver<Bytes>,
    arrivals: &Arrivals,
) -> io::Result<()> {
    let mut request = url.into_client_request().map_err(io::Error::other)?;
    let subprotocol = http::HeaderValue::from_static(SUBPROTOCOL);
    request
        .headers_mut()
        .insert(http::header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    let config = WebSocketConfig::default()
        .max_message_size(Some(SERVER_FRAME_BYTES_MAX))
        .max_frame_size(Some(SERVER_FRAME_BYTES_MAX));
    let (socket, _) = tokio_tungstenite::client_async_with_config(request, socket, Some(config))
        .await
        .map_err(io::Error::other)?;
    report(arrivals, id, Arrival::Connected).await?;
    let (sink, stream) = socket.split();
    both(
        read_messages(id, stream, arrivals),
        write_messages(sink, frames),
    )
    .await
}

async fn read_messages(
    id: ConnectionId,
    mut stream: impl Stream<Item = Result<Message, WsError>> + Unpin,
    arrivals: &Arrivals,
) -> io::Result<()> {
    while let Some(message) = stream.next().await {
        match message.map_err(io::Error::other)? {
            Message::Binary(frame) => report(arrivals, id, Arrival::Frame(frame)).await?,
            Message::Text(_) | Message::Close(_) => break,
            // The library answers pings by itself.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
    Ok(())
}

async fn write_messages(
    mut sink: impl Sink<Message, Error = WsError> + Unpin,
    mut frames: mpsc::Receiver<Bytes>,
) -> io::Result<()> {
    while let Some(frame) = frames.recv().await {
        let message = Message::Binary(frame);
        sink.feed(message).await.map_err(io::Error::other)?;
        // What was queued meanwhile goes out in the same write.
        if frames.is_empty() {
            sink.flush().await.map_err(io::Error::other)?;
        }
    }
    let _ = tokio::time::timeout(GOODBYE, sink.close()).await;
    Ok(())
}

async fn tcp(
    id: ConnectionId,
    socket: Box<dyn Socket>,
    frames: mpsc::Receiver<Bytes>,
    arrivals: &Arrivals,
) -> io::Result<()> {
    report(arrivals, id, Arrival::Connected).await?;
    let (reader, writer) = tokio::io::split(socket);
    both(
        read_frames(id, reader, arrivals),
        write_frames(writer, frames),
    )
    .await
}

async fn read_frames(
    id: ConnectionId,
    mut reader: impl AsyncRead + Unpin,
    arrivals: &Arrivals,
) -> io::Result<()> {
    let mut buf = BytesMut::new();
    loop {
        let frame = frame::decode(&mut buf, SERVER_FRAME_BYTES_MAX)
            .map_err(|large| io::Error::other(format!("a frame of {} bytes", large.len)))?;
        match frame {
            Some(frame) => report(arrivals, id, Arrival::Frame(frame)).await?,
            None if reader.read_buf(&mut buf).await? == 0 => return Ok(()),
            None => {}
        }
    }
}

async fn write_frames(
    mut writer: impl AsyncWrite + Unpin,
    mut frames: mpsc::Receiver<Bytes>,
) -> io::Result<()> {
    let mut buf = BytesMut::new();
    while let Some(frame) = frames.recv().await {
        frame::encode(&frame, &mut buf);
        if frames.is_empty() {
            writer.write_all_buf(&mut buf).await?;
            writer.flush().await?;
        }
    }
    let _ = tokio::time::timeout(GOODBYE, writer.shutdown()).await;
    Ok(())
}
