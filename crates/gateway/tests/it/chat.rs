//! People talking over real sockets, on both transports, plain and TLS.

use std::time::Duration;

use anser_gateway::limits::{Limits, SessionSettings};
use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::server::{Client, Server, text};

fn sent(answer: Answer) -> wire::SendMessageResult {
    match answer {
        Answer::SendMessage(sent) => sent,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_reaches_the_other_on_whichever_transport() {
    let server = Server::plain().await;
    let mut alice = server.web("alice").await;
    let mut bob = server.native("bob").await;
    for (n, body) in ["hello", "are you there?"].iter().enumerate() {
        let id = format!("a{n}");
        let sent = sent(alice.call(text("p/alice/bob", &id, body)).await);
        let push = bob.message().await;
        let message = push.message.unwrap();
        assert_eq!((message.seq, push.prev), (sent.seq, sent.seq - 1));
        assert_eq!(message.message_id, sent.message_id);
        assert_eq!(message.content.unwrap().body, body.as_bytes());
    }
    let back = sent(bob.call(text("p/alice/bob", "b1", "yes")).await);
    assert_eq!(back.seq, 3);
    assert_eq!(alice.message().await.message.unwrap().sender, "bob");
    let unknown = alice.call(text("p/bob/carol", "x", "psst")).await;
    assert!(matches!(unknown, Answer::Error(_)), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sends_in_one_frame_are_answered_each_and_stand_in_order() {
    let server = Server::start(
        Limits::default(),
        SessionSettings {
            send_rate: None,
            ..SessionSettings::default()
        },
    )
    .await;
    let mut alice = server.web("alice").await;
    let mut bob = server.web("bob").await;
    let mut seq = 0;
    for round in 0..8 {
        let commands = (0..64).map(|n| text("p/alice/bob", &format!("{round}-{n}"), "x"));
        let ids = alice.send(commands.collect()).await;
        for id in ids {
            seq += 1;
            assert_eq!(sent(alice.answer(id).await).seq, seq);
        }
    }
    for expected in 1..=seq {
        let push = bob.message().await;
        assert_eq!(push.message.unwrap().seq, expected);
    }
    assert_eq!(server.figure("anser_gateway_events_dropped_total"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_talks_and_its_history_is_there() {
    let server = Server::plain().await;
    let mut owner = server.web("owner").await;
    let mut members = Vec::new();
    for n in 0..10 {
        members.push(if n % 2 == 0 {
            server.web(&format!("m{n}")).await
        } else {
            server.native(&format!("m{n}")).await
        });
    }
    let create = Command::CreateGroup(wire::CreateGroup {
        group_id: "team".into(),
        name: "Team".into(),
        members: (0..10).map(|n| format!("m{n}")).collect(),
    });
    let Answer::Group(group) = owner.call(create).await else {
        panic!("no group")
    };
    assert_eq!(group.member_count, 11);
    let sent = sent(owner.call(text("g/team", "1", "welcome")).await);
    for member in &mut members {
        let is_it = |item: &Item| match item {
            Item::Message(push) => push.message.as_ref().unwrap().seq == sent.seq,
            _ => false,
        };
        member.find(is_it).await;
    }
    let pull = Command::PullMessages(wire::PullMessages {
        conversation: "g/team".into(),
        descending: true,
        limit: 1,
        ..Default::default()
    });
    let Answer::Messages(page) = members[3].call(pull).await else {
        panic!("no page")
    };
    assert_eq!(page.messages[0].message_id, sent.message_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_phone_replaces_the_first() {
    let server = Server::plain().await;
    let phone = |device: &str, token| {
        Command::Hello(wire::Hello {
            version_min: 1,
            version_max: 1,
            token,
            device_id: device.into(),
            platform: wire::Platform::Ios.into(),
            ..Default::default()
        })
    };
    let mut first = Client::web(server.http()).await;
    let welcome = first.call(phone("one", server.token("u").await)).await;
    assert!(matches!(welcome, Answer::Welcome(_)));
    let mut second = Client::native(server.tcp()).await;
    let welcome = second.call(phone("two", server.token("u").await)).await;
    assert!(matches!(welcome, Answer::Welcome(_)));
    assert_eq!(first.end().await, (Some(4000), Some(1008)));
    let pong = second.call(Command::Ping(wire::Ping {})).await;
    assert!(matches!(pong, Answer::Pong(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_is_served_on_the_same_port() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = Server::plain().await;
    let mut stream = tokio::net::TcpStream::connect(server.http()).await.unwrap();
    let own = stream.local_addr().unwrap().to_string();
    let post = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345";
    // Two requests on one connection, the first cut in the middle of its head.
    let (start, rest) = post.split_at(3);
    stream.write_all(start.as_bytes()).await.unwrap();
    tokio::task::yield_now().await;
    stream.write_all(rest.as_bytes()).await.unwrap();
    let get = "GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(get.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("\r\n\r\n12345HTTP/1.1 200 OK\r\n"),
        "{answer}"
    );
    assert!(answer.ends_with(&own), "{answer}");
    let _web = server.web("alice").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_server_says_so_finishes_and_accepts_nobody() {
    let server = Server::plain().await;
    let mut clients = Vec::new();
    for n in 0..20 {
        clients.push(server.web(&format!("u{n}")).await);
        clients.push(server.native(&format!("v{n}")).await);
    }
    let http = server.http();
    let (gone, ()) = tokio::join!(server.gateway.drain(Duration::from_secs(20)), async {
        for (n, client) in clients.iter_mut().enumerate() {
            let close = (n % 2 == 0).then_some(1001);
            assert_eq!(client.end().await, (Some(1006), close));
        }
        drop(clients);
    });
    assert!(gone, "all went by themselves");
    assert_eq!(server.gateway.open_connections(), 0);
    assert_eq!(server.figure("anser_gateway_sessions"), 0);
    assert!(tokio::net::TcpStream::connect(http).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_go_is_cut_off() {
    let limits = Limits {
        linger_time: Duration::from_secs(600),
        ..Limits::default()
    };
    let server = Server::start(limits, SessionSettings::default()).await;
    let mut stubborn = server.native("stubborn").await;
    assert!(!server.gateway.drain(Duration::from_millis(200)).await);
    assert_eq!(stubborn.end().await, (Some(1006), None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_over_the_engine_closes_the_connection() {
    let server = Server::plain().await;
    let mut alice = server.web("alice").await;
    let user = anser_domain::UserId::new("alice").unwrap();
    let app = server.context.engine.app("app").await.unwrap().id;
    let ended = server
        .context
        .engine
        .sign_out(app, &user, None)
        .await
        .unwrap();
    assert_eq!(ended, 1);
    assert_eq!(alice.end().await, (Some(4001), Some(1008)));
}
