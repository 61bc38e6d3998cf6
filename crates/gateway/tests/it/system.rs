//! Conversations of the app's backend, over real sockets.

use anser_domain::GroupId;
use anser_engine::system::NewSystem;
use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::server::{Server, text};

fn refused(answer: Answer) -> String {
    match answer {
        Answer::Error(error) => error.name,
        other => panic!("{other:?}"),
    }
}

fn subscribe(conversation: &str) -> Command {
    Command::Subscribe(wire::Subscribe {
        conversation: conversation.into(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_subscribes_writes_and_goes() {
    let server = Server::plain().await;
    for (id, everyone) in [("news", false), ("all", true)] {
        let new = NewSystem {
            id: Some(GroupId::new(id).unwrap()),
            name: "News".into(),
            everyone,
            ..NewSystem::default()
        };
        let made = server.context.engine.create_system(server.app, new).await;
        made.unwrap();
    }
    let mut alice = server.native("alice").await;
    let synced = alice.call(Command::Sync(wire::Sync::default())).await;
    let Answer::Sync(synced) = synced else {
        panic!("{synced:?}")
    };
    assert_eq!(synced.conversations[0].id, "s/all");
    let Answer::SystemConversation(it) = alice.call(subscribe("s/news")).await else {
        panic!("not subscribed")
    };
    assert_eq!(
        (&*it.conversation, &*it.name, it.everyone),
        ("s/news", "News", false)
    );
    assert_eq!(it.attributes, "", "there are none");
    let told = alice.find(|item| {
        matches!(item, Item::Conversation(push)
            if push.conversation.as_ref().is_some_and(|it| it.id == "s/news" && it.member))
    });
    told.await;
    let mut other = server.web("alice").await;
    let sent = alice.call(text("s/news", "1", "hello")).await;
    assert!(matches!(sent, Answer::SendMessage(_)), "{sent:?}");
    let push = other.message().await;
    assert_eq!(push.message.unwrap().targets, ["alice"]);

    assert_eq!(
        refused(alice.call(subscribe("s/all")).await),
        "EVERYONE_SUBSCRIBED"
    );
    assert_eq!(refused(alice.call(subscribe("s/none")).await), "NOT_FOUND");
    assert_eq!(
        refused(alice.call(subscribe("g/news")).await),
        "INVALID_REQUEST"
    );
    let delivered = Command::MarkDelivered(wire::MarkDelivered {
        conversation: "s/news".into(),
        seq: 1,
    });
    let refusal = refused(alice.call(delivered).await);
    assert_eq!(refusal, "NOT_IN_SYSTEM_CONVERSATIONS");

    let mut bob = server.web("bob").await;
    let get = Command::GetSystemConversation(wire::GetSystemConversation {
        conversation: "s/news".into(),
    });
    assert!(matches!(bob.call(get).await, Answer::SystemConversation(_)));
    let sent = bob.call(text("s/news", "1", "hello")).await;
    assert_eq!(refused(sent), "NOT_A_MEMBER");
    let gone = Command::Unsubscribe(wire::Unsubscribe {
        conversation: "s/news".into(),
    });
    assert!(matches!(alice.call(gone).await, Answer::Done(_)));
    let sent = alice.call(text("s/news", "2", "hello")).await;
    assert_eq!(refused(sent), "NOT_A_MEMBER");
}
