//! Messages that change after they were sent, over real sockets.

use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::server::{Client, Server, text};

const PLACE: &str = "p/alice/bob";

fn state(answer: Answer) -> wire::MessageState {
    match answer {
        Answer::MessageChanged(changed) => changed.state.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn refusal(answer: Answer) -> String {
    match answer {
        Answer::Error(error) => error.name,
        other => panic!("{other:?}"),
    }
}

/// The next push of a change.
async fn change(client: &mut Client) -> wire::ChangePush {
    match client.find(|item| matches!(item, Item::Change(_))).await {
        Item::Change(push) => push,
        other => panic!("{other:?}"),
    }
}

fn edit(body: &'static str, mention: Option<wire::Mention>) -> Command {
    Command::EditMessage(wire::EditMessage {
        conversation: PLACE.into(),
        seq: 1,
        content: Some(wire::Content {
            r#type: "text".into(),
            body: body.into(),
        }),
        mention,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_answered_pushed_and_found_again() {
    let server = Server::plain().await;
    let mut alice = server.web("alice").await;
    let mut bob = server.native("bob").await;
    alice.call(text(PLACE, "1", "helo")).await;
    let mention = wire::Mention {
        all: false,
        users: vec!["bob".into()],
        overrides_mute: true,
    };
    let edited = state(alice.call(edit("hello", Some(mention.clone()))).await);
    assert_eq!(edited.edit.unwrap().count, 1);
    let push = change(&mut bob).await;
    let message = push.message.unwrap();
    assert_eq!(push.previous_rev, 0);
    assert_eq!(message.content.unwrap().body, "hello");
    assert_eq!(message.mention, Some(mention));

    let put = Command::UpdateExpansion(wire::UpdateExpansion {
        conversation: PLACE.into(),
        seq: 1,
        put: [("k".to_owned(), "v".to_owned())].into(),
        remove: vec![],
    });
    assert_eq!(state(bob.call(put).await).expansion[0].user, "bob");
    let react = Command::React(wire::React {
        conversation: PLACE.into(),
        seq: 1,
        reaction: "雁".into(),
        remove: false,
    });
    let reacted = state(bob.call(react).await);
    assert_eq!(reacted.reactions[0].users, ["bob"]);
    assert_eq!(reacted.rev, 3);

    let recall = Command::RecallMessage(wire::RecallMessage {
        conversation: PLACE.into(),
        seq: 1,
    });
    assert_eq!(refusal(bob.call(recall.clone()).await), "NOT_ALLOWED");
    let recalled = state(alice.call(recall).await);
    assert_eq!(recalled.recall.as_ref().unwrap().operator, "alice");
    assert!(recalled.reactions.is_empty() && recalled.expansion.is_empty());
    assert_eq!(
        refusal(alice.call(edit("again", None)).await),
        "MESSAGE_RECALLED"
    );
    let get = Command::GetMessages(wire::GetMessages {
        conversation: PLACE.into(),
        seqs: vec![1, 9],
    });
    let Answer::MessageList(list) = bob.call(get).await else {
        panic!("no list");
    };
    assert_eq!(list.messages.len(), 1);
    assert_eq!(list.messages[0].state.as_ref(), Some(&recalled));
    let pull = Command::PullChanges(wire::PullChanges {
        conversation: PLACE.into(),
        from_rev: 0,
        limit: 0,
    });
    let Answer::Changes(page) = bob.call(pull).await else {
        panic!("no page");
    };
    assert_eq!((page.rev, page.more), (4, false));
    assert_eq!(page.messages, list.messages);
}
