//! What is sent when a connection is lost, and what is never stored, over real sockets.

use anser_domain::{Code, Reject};
use anser_engine::SessionSink as _;
use anser_gateway::limits::SessionSettings;
use anser_gateway::native::Framing;
use anser_gateway::session::{Outbox, Session};
use anser_proto::client as wire;
use std::sync::Arc;
use wire::request::Command;
use wire::response::Result as Answer;

use crate::pipe::Pipe;
use crate::server::{Server, context, hello, requests, text, token};

const PLACE: &str = "p/alice/bob";

fn message(id: &str) -> wire::SendMessage {
    match text(PLACE, id, id) {
        Command::SendMessage(send) => send,
        other => panic!("{other:?}"),
    }
}

fn will(id: &str) -> Command {
    Command::SetWill(wire::SetWill {
        message: Some(message(id)),
    })
}

fn is_done(answer: &Answer) -> bool {
    matches!(answer, Answer::Done(_))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_leaves_its_last_will_and_a_logout_none() {
    let server = Server::plain().await;
    let mut bob = server.native("bob").await;
    let mut alice = server.web("alice").await;
    assert!(is_done(&alice.call(will("first")).await));
    assert!(is_done(&alice.call(will("second")).await));
    let bad = wire::SetWill {
        message: Some(wire::SendMessage {
            content: None,
            ..message("bad")
        }),
    };
    let refused = alice.call(Command::SetWill(bad)).await;
    assert!(matches!(refused, Answer::Error(_)), "{refused:?}");
    drop(alice);
    let last = bob.message().await.message.unwrap();
    assert_eq!(
        (&*last.sender, &*last.client_message_id),
        ("alice", "second")
    );

    let mut alice = server.web("alice").await;
    assert!(is_done(&alice.call(will("taken back")).await));
    let none = Command::SetWill(wire::SetWill { message: None });
    assert!(is_done(&alice.call(none).await));
    drop(alice);
    let mut alice = server.web("alice").await;
    assert!(is_done(&alice.call(will("third")).await));
    assert!(is_done(&alice.call(Command::Logout(wire::Logout {})).await));
    drop(alice);
    let mut alice = server.web("alice").await;
    alice.call(text(PLACE, "after", "after")).await;
    let next = bob.message().await.message.unwrap();
    assert_eq!(next.client_message_id, "after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transient_message_is_pushed_and_not_kept() {
    let server = Server::plain().await;
    let mut bob = server.native("bob").await;
    let mut alice = server.web("alice").await;
    let typing = wire::SendMessage {
        transient: true,
        ..message("typing")
    };
    let Answer::SendMessage(sent) = alice.call(Command::SendMessage(typing)).await else {
        panic!("no result");
    };
    assert_eq!((sent.seq, sent.prev), (0, 0));
    let push = bob.message().await;
    let got = push.message.unwrap();
    assert_eq!((got.seq, push.prev, &*got.sender), (0, 0, "alice"));
    alice.call(text(PLACE, "kept", "kept")).await;
    assert_eq!(bob.message().await.message.unwrap().seq, 1);
}

/// Sets a will on a session of its own, ends it as told, and says how many messages there are.
async fn messages_after(end: impl FnOnce(&Outbox<Pipe>)) -> u64 {
    let (context, app) = context(SessionSettings::default()).await;
    let token = token(&context, app, "alice").await;
    let engine = context.engine.clone();
    let pipe = Pipe::endless();
    let (dialect, metrics) = (Framing::Length.dialect(), context.metrics.clone());
    let outbox = Outbox::new(pipe, dialect, 10_000, metrics);
    let mut session = Session::new(Arc::new(context), outbox.clone(), Framing::Length, 0);
    let frame = requests(vec![(1, hello(token))]);
    session.on_frame(&frame, 0).await;
    session
        .on_frame(&requests(vec![(2, will("will"))]), 0)
        .await;
    end(&outbox);
    drop(session);
    let alice = anser_domain::UserId::new("alice").unwrap();
    let bob = anser_domain::UserId::new("bob").unwrap();
    let chat = anser_domain::ConversationId::private(&alice, &bob);
    // A send of one's own, behind which the will would have been taken.
    let (reply, result) = futures::channel::oneshot::channel();
    engine.send(
        anser_engine::message::SendMessage {
            app,
            sender: bob,
            conversation: chat,
            client_message_id: "next".into(),
            content_type: "text".into(),
            body: "next".into(),
            first_try: anser_domain::Timestamp(0),
            read_up_to: 0,
            session: None,
            options: anser_engine::message::SendOptions::default(),
        },
        anser_engine::Reply::Call(reply),
    );
    result.await.unwrap().unwrap().seq
}

#[tokio::test]
async fn a_session_that_the_server_ended_leaves_no_will() {
    let lost = messages_after(|_| ()).await;
    assert_eq!(lost, 2, "the will came first");
    let replaced = messages_after(|outbox| outbox.close(Reject::from(Code::Replaced))).await;
    assert_eq!(replaced, 1);
}
