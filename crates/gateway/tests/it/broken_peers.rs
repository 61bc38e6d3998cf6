//! Peers that are broken, slow, hostile or gone: a clear error or a clean close, and no trace.

use std::net::SocketAddr;
use std::time::Duration;

use anser_gateway::limits::{Limits, SessionSettings};
use anser_proto::client as wire;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::server::{Client, Server, hello, items, requests, text};
use crate::wire::{close, frame};

const HANDSHAKE: &str = "GET /v1/connect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Sends bytes and reads until the server ends the connection.
async fn say(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_all(&mut stream).await
}

async fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    // A reset is as good an end as any.
    let _ = tokio::time::timeout(Duration::from_secs(30), reading)
        .await
        .expect("the server ends the connection");
    answer
}

/// Sends frames after a good handshake: the ClosePush's code and the close frame's.
async fn say_frames(server: &Server, frames: &[u8]) -> (Option<u32>, Option<u16>) {
    let all = [HANDSHAKE.as_bytes(), frames].concat();
    let answer = say(server.http(), &all).await;
    let head = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    let (mut push, mut code) = (None, None);
    let mut rest = &answer[head..];
    while let [first, second, tail @ ..] = rest {
        let (len, tail) = match second {
            126 => (
                usize::from(u16::from_be_bytes([tail[0], tail[1]])),
                &tail[2..],
            ),
            len => (usize::from(*len), tail),
        };
        let (payload, tail) = tail.split_at(len);
        if *first == 0x88 {
            code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        } else if *first == 0x82 {
            for item in items(payload) {
                if let Item::Close(close) = item {
                    push = Some(close.error.unwrap().code);
                }
            }
        }
        rest = tail;
    }
    (push, code)
}

/// Everything that was opened is closed, and the server still serves.
async fn is_well(server: &Server) {
    let mut alice = server.web("alice").await;
    let pong = alice.call(Command::Ping(wire::Ping {})).await;
    assert!(matches!(pong, Answer::Pong(_)));
    drop(alice);
    while server.gateway.open_connections() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.figure("anser_gateway_connections"), 0);
    assert_eq!(server.figure("anser_gateway_sessions"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_handshakes_get_an_http_error() {
    let server = Server::plain().await;
    let get = "GET /v1/connect HTTP/1.1\r\nHost: x\r\n\r\n";
    let old = HANDSHAKE.replace("Version: 13", "Version: 8");
    let no_key = HANDSHAKE.replace("Key: dGhlIHNhbXBsZSBub25jZQ==", "Key: no");
    let huge = HANDSHAKE.replace(
        "Host: x",
        &format!("Host: x\r\nCookie: {}", "c".repeat(9_000)),
    );
    for (head, status) in [(get, 426), (&old, 426), (&no_key, 400), (&huge, 431)] {
        let answer = String::from_utf8(say(server.http(), head.as_bytes()).await).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    let rubbish = say(
        server.http(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    )
    .await;
    assert!(!rubbish.starts_with(b"HTTP/1.1 101"), "{rubbish:?}");
    is_well(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_frames_get_the_close_code_of_the_rfc() {
    let server = Server::plain().await;
    let not_proto = frame(0x82, b"\xff\xff\xff");
    let too_large = vec![0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0];
    let before_hello = frame(0x82, &requests(vec![(1, Command::Ping(wire::Ping {}))]));
    for (frames, push, code) in [
        (frame(0x81, b"hello"), Some(3000), 1003),
        (frame(0x81, b"\xff"), Some(3000), 1007),
        (vec![0x82, 1, 0], Some(3000), 1002),
        (frame(0xc2, b"x"), Some(3000), 1002),
        (frame(0x80, b"x"), Some(3000), 1002),
        (too_large, Some(3004), 1009),
        (frame(0x82, &[0; 8_193]), Some(3004), 1009),
        (not_proto, Some(3000), 1008),
        (before_hello, Some(3002), 1008),
        (frame(0x82, b""), Some(3002), 1008),
        (close(1000, "bye"), None, 1000),
        (close(4321, ""), None, 4321),
        ([frame(0x89, b"ping"), close(1001, "")].concat(), None, 1001),
    ] {
        let got = say_frames(&server, &frames).await;
        assert_eq!(got, (push, Some(code)), "{frames:?}");
    }
    is_well(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_tcp_frames_are_answered_and_closed() {
    let server = Server::plain().await;
    for (bytes, code) in [
        (&[0xff, 0xff, 0xff, 0xff][..], 3004),
        (&[0, 0, 0x20, 1], 3004),
        (&[0, 0, 0, 2, 0xff, 0xff], 3000),
        (&[0, 0, 0, 0], 3002),
        (b"GET / HTTP/1.1\r\n\r\n", 3004),
    ] {
        let answer = say(server.tcp(), bytes).await;
        let items = items(&answer[4..]);
        let [Item::Close(close)] = &items[..] else {
            panic!("{items:?}")
        };
        assert_eq!(close.error.as_ref().unwrap().code, code, "{bytes:?}");
    }
    is_well(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_none_is_answered() {
    let server = Server::plain().await;
    let long = "x".repeat(5_000);
    let good = server.token("alice").await;
    let forged = format!("{}AAAA", &good[..good.len() - 4]);
    for token in ["", "a.b.c", &long, &forged] {
        let mut client = Client::web(server.http()).await;
        let Answer::Error(error) = client.call(hello(token.into())).await else {
            panic!("taken: {token}")
        };
        assert_eq!(error.code, 2000, "{error:?}");
        assert_eq!(client.end().await, (Some(2000), Some(1008)));
    }
    assert_eq!(server.figure("anser_gateway_login_failures_total"), 4);
    is_well(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_too_long_is_closed() {
    let limits = Limits {
        handshake_time: Duration::from_millis(50),
        http_idle_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let settings = SessionSettings {
        hello_ms: 50,
        ..SessionSettings::default()
    };
    let server = Server::start(limits, settings).await;
    let slow = say(server.http(), &HANDSHAKE.as_bytes()[..40]).await;
    assert!(slow.starts_with(b"HTTP/1.1 408 "), "{slow:?}");
    let silent = say(server.http(), b"").await;
    assert!(silent.starts_with(b"HTTP/1.1 408 "), "{silent:?}");
    // HTTP proper: a head that never ends.
    say(server.http(), b"POST /echo HTTP/1.1\r\nHost: x\r\n").await;
    let (push, code) = say_frames(&server, b"").await;
    assert_eq!((push, code), (Some(3002), Some(1008)));
    // Pings of the transport do not buy time for Hello.
    let (push, _) = say_frames(&server, &frame(0x89, b"still here")).await;
    assert_eq!(push, Some(3002));
    let answer = say(server.tcp(), &[0, 0, 0, 9]).await;
    assert!(matches!(&items(&answer[4..])[..], [Item::Close(_)]));
    while server.gateway.open_connections() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_bounded_and_told_so() {
    let limits = Limits {
        strangers_per_address_max: 3,
        ..Limits::default()
    };
    let server = Server::start(limits, SessionSettings::default()).await;
    let mut signed_in = Vec::new();
    for n in 0..5 {
        signed_in.push(server.native(&format!("u{n}")).await);
    }
    let mut strangers = Vec::new();
    for _ in 0..3 {
        strangers.push(TcpStream::connect(server.tcp()).await.unwrap());
    }
    while server.gateway.open_connections() < 8 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = say(server.tcp(), b"").await;
    let [Item::Close(close)] = &items(&refused[4..])[..] else {
        panic!("{refused:?}")
    };
    assert_eq!(close.error.as_ref().unwrap().code, 1008);
    let refused = say(server.http(), b"").await;
    assert!(refused.starts_with(b"HTTP/1.1 503 "), "{refused:?}");
    assert_eq!(server.figure("anser_gateway_refused_total"), 2);
    drop((strangers, signed_in));
    while server.gateway.open_connections() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    is_well(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_loses_pushes_is_told_and_costs_little() {
    let settings = SessionSettings {
        outbox_bytes_max: 20_000,
        send_rate: None,
        ..SessionSettings::default()
    };
    let server = Server::start(Limits::default(), settings).await;
    let mut alice = server.native("alice").await;
    let mut bob = server.native("bob").await;
    let body = "x".repeat(3_000);
    let mut n = 0;
    // Bob reads nothing. More than any socket buffer holds.
    while server.figure("anser_gateway_slow_sessions_total") == 0 {
        let commands = (0..16).map(|i| text("p/alice/bob", &format!("{n}-{i}"), &body));
        for id in alice.send(commands.collect()).await {
            assert!(matches!(alice.answer(id).await, Answer::SendMessage(_)));
        }
        n += 1;
        assert!(n < 2_000, "never slow");
    }
    let head = n * 16;
    // Now bob reads: a dense beginning, one check, and what is live again.
    let mut seen = 0;
    loop {
        let is_push = |item: &Item| matches!(item, Item::Message(_) | Item::Check(_));
        match bob.find(is_push).await {
            Item::Message(push) => {
                seen += 1;
                assert_eq!(push.message.unwrap().seq, seen);
            }
            _ => break,
        }
    }
    assert!(seen < head);
    let sent = alice.call(text("p/alice/bob", "last", "live")).await;
    assert!(matches!(sent, Answer::SendMessage(_)));
    let push = bob.message().await;
    assert_eq!((push.message.unwrap().seq, push.prev), (head + 1, head));
    // What he missed can be pulled.
    while seen < head {
        let pull = Command::PullMessages(wire::PullMessages {
            conversation: "p/alice/bob".into(),
            from_seq: seen,
            ..Default::default()
        });
        let Answer::Messages(page) = bob.call(pull).await else {
            panic!("no page")
        };
        for message in page.messages {
            seen += 1;
            assert_eq!(message.seq, seen);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_asks_and_never_reads_is_not_read_either() {
    let settings = SessionSettings {
        outbox_bytes_max: 10_000,
        ..SessionSettings::default()
    };
    let server = Server::start(Limits::default(), settings).await;
    let mut stream = TcpStream::connect(server.tcp()).await.unwrap();
    let mut send = Vec::new();
    let token = server.token("greedy").await;
    let mut put = |payload: &[u8]| {
        send.extend(anser_proto::frame::header(payload.len()));
        send.extend(payload);
    };
    put(&requests(vec![(1, hello(token))]));
    let list = || Command::ListConversations(wire::ListConversations::default());
    let pings = requests((1..=64).map(|id| (id, list())).collect());
    for _ in 0..40_000 {
        put(&pings);
    }
    // Far more than the socket buffers: the server must stop taking it.
    let all = tokio::time::timeout(Duration::from_millis(500), stream.write_all(&send)).await;
    let taken = server.figure("anser_gateway_bytes_in_total");
    assert!(all.is_err() || taken < send.len() as u64);
    // And goes on once its answers are read.
    let (mut reader, mut writer) = stream.into_split();
    let draining = tokio::spawn(async move {
        let mut buffer = vec![0; 1 << 16];
        while reader.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
    });
    let before = server.figure("anser_gateway_requests_total");
    while server.figure("anser_gateway_requests_total") < before + 64 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    writer.shutdown().await.unwrap();
    drop(writer);
    draining.await.unwrap();
    is_well(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_vanish_leave_nothing() {
    let server = Server::plain().await;
    for step in 0..30 {
        let mut stream = TcpStream::connect(server.http()).await.unwrap();
        let token = server.token("ghost").await;
        let hello = frame(0x82, &requests(vec![(1, hello(token))]));
        let all = [HANDSHAKE.as_bytes(), &hello].concat();
        // Gone at every stage, from the middle of the handshake to the middle of Hello.
        let end = all.len() * step / 29;
        stream.write_all(&all[..end]).await.unwrap();
        if step % 2 == 0 {
            let mut some = [0; 1];
            let read = stream.read(&mut some);
            let _ = tokio::time::timeout(Duration::from_millis(2), read).await;
        }
    }
    is_well(&server).await;
    let user = anser_domain::UserId::new("ghost").unwrap();
    let app = server.context.engine.app("app").await.unwrap().id;
    let sessions = server.context.engine.sessions(app, &user).await.unwrap();
    assert_eq!(sessions, []);
}
