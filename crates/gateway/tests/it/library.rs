//! Our codec against a library: its client talks to our server, and its server reads the same
//! streams as our decoder.

use std::io::{self, Cursor, Read, Write};
use std::sync::Arc;
use std::task::{Context, Poll};

use anser_gateway::connection::{Clock, Connection, Decoder, Direct, PlainSocket};
use anser_gateway::metrics::Metrics;
use anser_gateway::native::Framing;
use anser_gateway::session::{Frame, Handler, Outbox};
use anser_gateway::websocket::{Opcode, handshake, put_header};
use bytes::{Bytes, BytesMut};
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame as LibraryFrame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use crate::random::{Random, for_seeds, pieces};
use crate::wire::{Said, close, decode, masked};

/// Says everything back.
struct Echo(Arc<Outbox<Direct>>);

impl Handler for Echo {
    fn on_frame(&mut self, frame: Frame<'_>, _: u64) {
        let (opcode, payload) = match frame {
            Frame::Binary(bytes) => (Opcode::Binary, bytes),
            Frame::Text(text) => (Opcode::Text, text.as_bytes()),
        };
        let mut bytes = BytesMut::new();
        put_header(opcode, payload.len(), &mut bytes);
        bytes.extend_from_slice(payload);
        self.0.reply(bytes.freeze());
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>, _: u64) -> Poll<()> {
        self.0.poll_ready(cx)
    }

    fn on_sign_of_life(&mut self, _: u64) {}

    fn deadline(&self) -> u64 {
        60_000
    }

    fn on_deadline(&mut self, now: u64) -> u64 {
        now + 60_000
    }

    fn takes_text(&self) -> bool {
        true
    }

    fn is_authenticated(&self) -> bool {
        true
    }

    fn frame_bytes_max(&self) -> usize {
        1 << 20
    }
}

/// Accepts one connection and echoes on it.
async fn echo_once(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    let (response, rest) = loop {
        stream.read_buf(&mut head).await.unwrap();
        match handshake::decide(&head, "/echo", "echo") {
            handshake::Decision::Upgrade { response, head_len } => {
                break (response, head.split_off(head_len));
            }
            handshake::Decision::Incomplete => {}
            other => panic!("{other:?}"),
        }
    };
    stream.write_all(&response).await.unwrap();
    let (socket, wire) = PlainSocket::new(stream);
    let dialect = Framing::WebSocket.dialect();
    let outbox = Outbox::new(wire, dialect, 1 << 16, Arc::new(Metrics::default()));
    let echo = Echo(outbox.clone());
    let clock = Clock::start();
    Connection::new(socket, outbox, echo, Decoder::websocket(), (), clock)
        .received(rest)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_librarys_client_gets_back_what_it_said() {
    for seed in 0..20 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/echo", listener.local_addr().unwrap());
        let server = tokio::spawn(echo_once(listener));
        let (stream, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let (mut sink, mut source) = stream.split();

        let mut random = Random::new(seed);
        let mut expected = Vec::new();
        let mut sending = Vec::new();
        for _ in 0..30 {
            let len = random.pick(&[0, 1, 100, 125, 126, 1_000, 65_535, 65_536, 200_000]);
            let message = match random.below(4) {
                0 => Message::Text("鸿".repeat(len / 3).into()),
                1 => Message::Ping(random.bytes(len.min(125)).into()),
                2 => {
                    let bytes = random.bytes(len);
                    let (a, b) = bytes.split_at(random.below(len + 1));
                    let part = |bytes: &[u8], data, fin| {
                        let bytes = Bytes::copy_from_slice(bytes);
                        Message::Frame(LibraryFrame::message(bytes, OpCode::Data(data), fin))
                    };
                    sending.push(part(a, Data::Binary, false));
                    sending.push(part(b, Data::Continue, true));
                    expected.push(Message::Binary(bytes.into()));
                    continue;
                }
                _ => Message::Binary(random.bytes(len).into()),
            };
            expected.push(match &message {
                Message::Ping(payload) => Message::Pong(payload.clone()),
                other => other.clone(),
            });
            sending.push(message);
        }
        let farewell = CloseFrame {
            code: 1000.into(),
            reason: "done".into(),
        };
        let writing = tokio::spawn(async move {
            for message in sending {
                sink.send(message).await.unwrap();
            }
            sink.send(Message::Close(Some(farewell))).await.unwrap();
        });
        for expected in expected {
            assert_eq!(
                source.next().await.unwrap().unwrap(),
                expected,
                "seed {seed}"
            );
        }
        let Some(Ok(Message::Close(Some(reply)))) = source.next().await else {
            panic!("no close")
        };
        assert_eq!(u16::from(reply.code), 1000);
        assert!(source.next().await.is_none(), "and then the end");
        writing.await.unwrap();
        drop(source);
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_librarys_client_refuses_nothing_of_our_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(echo_once(listener));
    let stream = TcpStream::connect(address).await.unwrap();
    let request = {
        use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
        let mut request = format!("ws://{address}/echo")
            .into_client_request()
            .unwrap();
        let offer = "other, echo".parse().unwrap();
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", offer);
        request
    };
    let (stream, response) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "echo");
    drop(stream);
    server.await.unwrap();
}

/// A stream that the library's server reads; what it writes is not looked at.
struct Tape(Cursor<Vec<u8>>);

impl Read for Tape {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match Read::read(&mut self.0, into) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            other => other,
        }
    }
}

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const MAX: usize = 2_000;

/// What the library's server makes of a stream, and whether it refused it.
fn library(stream: &[u8]) -> (Vec<Said>, Option<Error>) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX))
        .max_frame_size(Some(MAX));
    let tape = Tape(Cursor::new(stream.to_vec()));
    let mut socket = WebSocket::from_raw_socket(tape, Role::Server, Some(config));
    let mut said = Vec::new();
    loop {
        said.push(match socket.read() {
            Ok(Message::Text(text)) => Said::Text(text.to_string()),
            Ok(Message::Binary(bytes)) => Said::Binary(bytes.to_vec()),
            Ok(Message::Ping(bytes)) => Said::Ping(bytes.to_vec()),
            Ok(Message::Pong(bytes)) => Said::Pong(bytes.to_vec()),
            Ok(Message::Close(close)) => {
                let (code, reason) = match close {
                    Some(close) => (Some(close.code.into()), close.reason.to_string()),
                    None => (None, String::new()),
                };
                said.push(Said::Close(code, reason));
                return (said, None);
            }
            Ok(Message::Frame(_)) => unreachable!("only when writing"),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (said, None);
            }
            Err(error) => return (said, Some(error)),
        });
    }
}

/// A random stream of whole frames, most of them good.
fn stream(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(12) {
        let len = random.pick(&[0, 1, 5, 125, 126, 127, 900, 1_999, 2_000, 2_001]);
        let first = if random.one_in(8) {
            random.byte()
        } else {
            random.pick(&[0x81, 0x82, 0x01, 0x02, 0x00, 0x00, 0x80, 0x80, 0x89, 0x8a])
        };
        if first & 0x0f == 8 {
            let code = random.pick(&[1000, 1001, 1004, 1005, 1006, 1011, 2999, 3000, 4999, 5000]);
            bytes.extend(close(code, "reason"));
            continue;
        }
        let mut payload = if random.one_in(6) {
            random.bytes(len)
        } else {
            b"plain ASCII ".iter().copied().cycle().take(len).collect()
        };
        if first & 0x08 != 0 && !random.one_in(10) {
            payload.truncate(125);
        }
        let mask = random.next().to_be_bytes();
        bytes.extend(masked(
            first,
            &payload,
            [mask[0], mask[1], mask[2], mask[3]],
        ));
    }
    bytes
}

#[test]
fn a_librarys_server_reads_the_same_streams_the_same_way() {
    let (mut good, mut bad) = (0, 0);
    let counts = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    for_seeds(3_000, |seed| {
        let mut random = Random::new(seed);
        let stream = stream(&mut random);
        let (said, violation) = decode(&pieces(&mut random, &stream), MAX);
        let (mut expected, refused) = library(&stream);
        // The library turns a close with a bad code into one of its own.
        let invalid_code = Said::Close(Some(1002), "Protocol violation".into());
        let refused_close = expected.last() == Some(&invalid_code);
        if refused_close {
            expected.pop();
        }
        if matches!(refused, Some(Error::Utf8(_))) {
            // It looks at every fragment of a text; we look at the whole, if it comes to that.
            assert!(said.starts_with(&expected), "{said:?}\n{expected:?}");
            return;
        }
        assert_eq!(said, expected, "{violation:?} {refused:?}");
        let rejected = refused.is_some() || refused_close;
        assert_eq!(violation.is_some(), rejected, "{violation:?} {refused:?}");
        let count = if rejected { &counts.1 } else { &counts.0 };
        count.set(count.get() + 1);
    });
    good += counts.0.get();
    bad += counts.1.get();
    if std::env::var("ANSER_FUZZ_SEED").is_err() {
        assert!(
            good > 100 && bad > 100,
            "the streams are of both kinds: {good} {bad}"
        );
    }
}

#[test]
fn control_opcodes_are_the_librarys() {
    for (opcode, theirs) in [
        (Opcode::Ping, Control::Ping),
        (Opcode::Pong, Control::Pong),
        (Opcode::Close, Control::Close),
    ] {
        assert_eq!(opcode as u8, u8::from(OpCode::Control(theirs)));
    }
}
