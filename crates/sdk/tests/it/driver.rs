//! The client on real sockets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anser_proto::client as wire;
use anser_sdk::core::{ConnectionState, Event};
use anser_sdk::driver::{CertificateDer, TokenError};
use anser_sdk::{Client, Events};
use rcgen::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::peer::{Door, Kind, Peer};
use crate::script::{error, response};
use crate::server::Server;

pub(crate) fn model() -> Arc<Mutex<Server>> {
    Arc::new(Mutex::new(Server::new(100)))
}

fn write(server: &Arc<Mutex<Server>>, conversation: &str, id: &str) -> Item {
    let mut server = server.lock().unwrap();
    let (message, _) = server.append(conversation, "you", id, text(id), 1);
    Item::Message(wire::MessagePush {
        prev: message.seq - 1,
        message: Some(message),
    })
}

pub(crate) fn text(text: &str) -> wire::Content {
    wire::Content {
        r#type: "text".to_owned(),
        body: text.as_bytes().to_vec().into(),
    }
}

fn connect(door: &Door) -> (Client, Events) {
    let client = Client::builder(door.url(), "token".to_owned());
    client.device_id("device").connect().unwrap()
}

/// The sequence of the next message.
async fn next_seq(events: &mut Events) -> u64 {
    loop {
        if let Event::Message(message) = events.next().await.unwrap() {
            return message.seq;
        }
    }
}

async fn accept(door: &Door) -> Peer {
    door.accept().await.unwrap()
}

fn tls() -> (TlsAcceptor, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), cert.der().clone())
}

#[tokio::test]
async fn messages_go_both_ways_over_every_transport() {
    for kind in [Kind::WebSocket, Kind::Tcp] {
        for secure in [false, true] {
            let (acceptor, certificate) = tls();
            let door = Door::open(kind, secure.then_some(acceptor)).await;
            let builder = Client::builder(door.url(), "token".to_owned());
            let (client, mut events) = builder.root_certificate(certificate).connect().unwrap();
            let server = model();
            let serving = tokio::spawn({
                let server = Arc::clone(&server);
                async move {
                    let mut peer = accept(&door).await;
                    let sent = |c: &Command| matches!(c, Command::SendMessage(_));
                    peer.serve(&server, sent).await;
                    let push = write(&server, "g/a", "2");
                    peer.tell(vec![push]).await;
                    peer.serve(&server, |_| false).await;
                }
            });
            let sent = client.send_text("g/a", "hello").await.unwrap();
            assert_eq!(sent.seq, 1);
            assert_eq!(next_seq(&mut events).await, 1);
            assert_eq!(next_seq(&mut events).await, 2);
            assert_eq!(events.saved_state().followed["g/a"], 2);
            let page = client.history_before("g/a", 0, 10).await.unwrap();
            assert_eq!(page.messages.len(), 2);
            drop(client);
            serving.await.unwrap();
            while events.next().await.is_some() {}
        }
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (acceptor, _) = tls();
    let (_, other) = tls();
    let door = Door::open(Kind::WebSocket, Some(acceptor)).await;
    let builder = Client::builder(door.url(), "token".to_owned());
    let (client, _events) = builder.root_certificate(other).connect().unwrap();
    assert!(door.accept().await.is_err());
    let mut state = client.state();
    let waiting = |state: &ConnectionState| matches!(state, ConnectionState::Waiting { .. });
    state.wait_for(waiting).await.unwrap();
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_the_send_with_it() {
    let door = Door::open(Kind::WebSocket, None).await;
    let (client, mut events) = connect(&door);
    let server = model();
    let sending = tokio::spawn({
        let client = client.clone();
        async move { client.send_text("g/a", "x").await }
    });
    let mut peer = accept(&door).await;
    let is_send = |command: &Command| matches!(command, Command::SendMessage(_));
    // The first one takes the send in and dies before it answers.
    'dying: loop {
        for request in peer.receive().await.unwrap() {
            let command = request.command.unwrap();
            let last = is_send(&command);
            let answer = server.lock().unwrap().answer("me", command, 1);
            if last {
                break 'dying;
            }
            peer.tell(vec![response(request.id, answer)]).await;
        }
    }
    drop(peer);
    let mut peer = accept(&door).await;
    let serving = tokio::spawn({
        let server = Arc::clone(&server);
        async move { peer.serve(&server, |_| false).await }
    });
    assert_eq!(sending.await.unwrap().unwrap().seq, 1);
    assert_eq!(next_seq(&mut events).await, 1);
    assert_eq!(server.lock().unwrap().head("g/a"), 1, "stored once");
    drop(client);
    serving.await.unwrap();
}

#[tokio::test]
async fn the_other_address_is_tried_when_the_first_is_dead() {
    let dead = Door::open(Kind::Tcp, None).await;
    let url = dead.url();
    drop(dead);
    let door = Door::open(Kind::Tcp, None).await;
    let builder = Client::builder(url, "token".to_owned());
    let (client, _events) = builder.address(door.url()).connect().unwrap();
    let mut peer = accept(&door).await;
    let server = model();
    let serving = tokio::spawn(async move { peer.serve(&server, |_| false).await });
    let online = |state: &ConnectionState| matches!(state, ConnectionState::Online { .. });
    client.state().wait_for(online).await.unwrap();
    drop(client);
    serving.await.unwrap();
}

#[tokio::test]
async fn a_refused_token_is_asked_for_again() {
    let door = Door::open(Kind::WebSocket, None).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let tokens = {
        let asked = Arc::clone(&asked);
        move || {
            let n = asked.fetch_add(1, Ordering::SeqCst);
            async move {
                match n {
                    0 => Err(TokenError::Later("backend is restarting".to_owned())),
                    n => Ok(format!("token {n}")),
                }
            }
        }
    };
    let (client, _events) = Client::builder(door.url(), tokens).connect().unwrap();
    let mut tokens = Vec::new();
    for code in [2_001, 4_001] {
        let mut peer = accept(&door).await;
        let hello = peer.receive().await.unwrap().remove(0);
        let Some(Command::Hello(command)) = hello.command else {
            panic!("no hello");
        };
        tokens.push(command.token);
        let refusal = response(hello.id, Answer::Error(error(code)));
        peer.tell(vec![refusal]).await;
        assert!(peer.receive().await.is_none(), "it closes");
    }
    assert_eq!(tokens, ["token 1", "token 2"]);
    let over = |state: &ConnectionState| matches!(state, ConnectionState::Stopped(_));
    client.state().wait_for(over).await.unwrap();
    let refused = client.send_text("g/a", "x").await.unwrap_err();
    assert_eq!(refused.code, 510);
}

#[tokio::test]
async fn an_application_that_does_not_listen_delays_events_and_loses_none() {
    const MESSAGES: u64 = 3_000;
    let door = Door::open(Kind::Tcp, None).await;
    let (client, mut events) = connect(&door);
    let server = model();
    let mut peer = accept(&door).await;
    peer.serve(&server, |command| matches!(command, Command::Sync(_)))
        .await;
    for n in 0..MESSAGES {
        let push = write(&server, "g/a", &n.to_string());
        peer.tell(vec![push]).await;
    }
    let serving = tokio::spawn({
        let server = Arc::clone(&server);
        async move { peer.serve(&server, |_| false).await }
    });
    // Nobody reads events, yet requests are answered.
    let sent = client.send_text("g/a", "mine").await.unwrap();
    assert_eq!(sent.seq, MESSAGES + 1);
    for seq in 1..=MESSAGES + 1 {
        assert_eq!(next_seq(&mut events).await, seq);
    }
    drop(client);
    serving.await.unwrap();
}

#[tokio::test]
async fn without_anybody_to_listen_it_still_works() {
    let door = Door::open(Kind::Tcp, None).await;
    let (client, events) = connect(&door);
    drop(events);
    let server = model();
    let mut peer = accept(&door).await;
    let serving = tokio::spawn({
        let server = Arc::clone(&server);
        async move {
            peer.serve(&server, |command| matches!(command, Command::Sync(_)))
                .await;
            for n in 0..2_000 {
                let push = write(&server, "g/a", &n.to_string());
                peer.tell(vec![push]).await;
            }
            peer.serve(&server, |_| false).await;
        }
    });
    client.send_text("g/a", "x").await.unwrap();
    client.logout().await.unwrap();
    serving.await.unwrap();
    let idle = |state: &ConnectionState| *state == ConnectionState::Idle;
    client.state().wait_for(idle).await.unwrap();
}

#[tokio::test]
async fn a_saved_position_goes_on_where_it_ended() {
    let door = Door::open(Kind::WebSocket, None).await;
    let server = model();
    let (client, mut events) = connect(&door);
    let mut peer = accept(&door).await;
    peer.serve(&server, |command| matches!(command, Command::Sync(_)))
        .await;
    let push = write(&server, "g/a", "1");
    peer.tell(vec![push]).await;
    assert_eq!(next_seq(&mut events).await, 1);
    let saved = events.saved_state().clone();
    drop(client);
    while events.next().await.is_some() {}

    for n in 2..=250 {
        write(&server, "g/a", &n.to_string());
    }
    let builder = Client::builder(door.url(), "token".to_owned());
    let (client, mut events) = builder.saved_state(saved).connect().unwrap();
    let mut peer = accept(&door).await;
    let serving = tokio::spawn(async move { peer.serve(&server, |_| false).await });
    for seq in 2..=250 {
        assert_eq!(next_seq(&mut events).await, seq);
    }
    drop(client);
    serving.await.unwrap();
}

#[tokio::test]
async fn what_can_not_be_right_is_said_at_once() {
    let refused = |url: &str, device: &str| {
        let builder = Client::builder(url, "token".to_owned());
        let error = builder.device_id(device).connect().unwrap_err();
        assert_eq!(error.code, 3_000);
        error.message.into_owned()
    };
    assert!(refused("http://localhost", "d").contains("ws://"));
    assert!(refused("tcp://localhost", "d").contains("port"));
    assert!(refused("ws://localhost", "a\nb").contains("device id"));
}
