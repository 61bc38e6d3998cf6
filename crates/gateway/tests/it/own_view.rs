//! What a user does with a conversation for themself, over real sockets.

use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::server::{Client, Server, text};

const PLACE: &str = "p/alice/bob";

fn conversation(answer: Answer) -> wire::Conversation {
    match answer {
        Answer::Conversation(it) => *it,
        other => panic!("{other:?}"),
    }
}

/// The next push of a row.
async fn row(client: &mut Client) -> wire::Conversation {
    match client
        .find(|item| matches!(item, Item::Conversation(_)))
        .await
    {
        Item::Conversation(push) => push.conversation.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_answered_and_pushed_to_the_other_devices() {
    let server = Server::plain().await;
    let mut phone = server.web("bob").await;
    let mut desk = server.native("bob").await;
    let mut alice = server.web("alice").await;
    alice.call(text(PLACE, "1", "hello")).await;
    for device in [&mut phone, &mut desk] {
        assert_eq!(row(device).await.unread, 1);
    }
    let update = wire::UpdateConversation {
        conversation: PLACE.into(),
        pinned: Some(true),
        muted: Some(wire::Mute::ExceptMentions.into()),
        marks: Some(wire::ConversationMarks {
            marks: vec!["work".into()],
        }),
        draft: Some("dear".into()),
        hidden: None,
    };
    let answer = conversation(phone.call(Command::UpdateConversation(update)).await);
    assert!(answer.pinned && answer.muted() == wire::Mute::ExceptMentions);
    assert_eq!((&*answer.draft, answer.marks.len()), ("dear", 1));
    assert_eq!(row(&mut desk).await, answer);

    let bad = wire::UpdateConversation {
        conversation: PLACE.into(),
        draft: Some("x".repeat(4_097)),
        ..Default::default()
    };
    match phone.call(Command::UpdateConversation(bad)).await {
        Answer::Error(error) => assert_eq!(error.name, "INVALID_REQUEST"),
        other => panic!("{other:?}"),
    }

    alice.call(text(PLACE, "2", "again")).await;
    let delete = wire::DeleteMessages {
        conversation: PLACE.into(),
        seqs: vec![1],
    };
    let expected = wire::DeletedPage {
        conversation: PLACE.into(),
        seqs: vec![1],
        deleted_version: 1,
        more: false,
    };
    match phone.call(Command::DeleteMessages(delete)).await {
        Answer::Deleted(page) => assert_eq!(page, expected),
        other => panic!("{other:?}"),
    }
    match desk.find(|item| matches!(item, Item::Deleted(_))).await {
        Item::Deleted(push) => assert_eq!((push.seqs, push.deleted_previous), (vec![1], 0)),
        other => panic!("{other:?}"),
    }
    let pull = wire::PullDeleted {
        conversation: PLACE.into(),
        ..Default::default()
    };
    match desk.call(Command::PullDeleted(pull)).await {
        Answer::Deleted(page) => assert_eq!(page, expected),
        other => panic!("{other:?}"),
    }
    let touched = row(&mut desk).await;
    assert_eq!((touched.unread, touched.deleted_version), (1, 1));

    let clear = wire::ClearHistory {
        conversation: PLACE.into(),
        up_to_seq: 0,
    };
    let cleared = conversation(phone.call(Command::ClearHistory(clear)).await);
    assert_eq!((cleared.first_seq, cleared.unread), (3, 0));
    assert_eq!(row(&mut desk).await, cleared);

    let delete = wire::DeleteConversation {
        conversation: PLACE.into(),
        with_history: false,
    };
    let done = phone.call(Command::DeleteConversation(delete)).await;
    assert!(matches!(done, Answer::Done(_)), "{done:?}");
    let hidden = row(&mut desk).await;
    assert!(hidden.hidden && !hidden.pinned);
    let list = wire::ListConversations::default();
    match phone.call(Command::ListConversations(list)).await {
        Answer::Conversations(page) => assert!(page.conversations.is_empty()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sender_hears_of_delivery_and_reading_and_asks_who_has_read() {
    let server = Server::plain().await;
    let mut alice = server.web("alice").await;
    let mut bob = server.native("bob").await;
    for id in ["1", "2"] {
        alice.call(text(PLACE, id, "hello")).await;
    }
    let delivered = wire::MarkDelivered {
        conversation: PLACE.into(),
        seq: 2,
    };
    let done = bob.call(Command::MarkDelivered(delivered)).await;
    assert!(matches!(done, Answer::Done(_)), "{done:?}");
    let read = wire::MarkRead {
        conversation: PLACE.into(),
        seq: 1,
    };
    bob.call(Command::MarkRead(read)).await;
    for expected in [(2, 0), (2, 1)] {
        match alice.find(|item| matches!(item, Item::Receipt(_))).await {
            Item::Receipt(push) => {
                let it = &push.receipts[0];
                assert_eq!((it.user.as_str(), push.receipts.len()), ("bob", 1));
                assert_eq!((it.delivered_seq, it.read_seq), expected);
            }
            other => panic!("{other:?}"),
        }
    }
    let get = wire::GetReceipts {
        conversation: PLACE.into(),
        ..Default::default()
    };
    match alice.call(Command::GetReceipts(get)).await {
        Answer::Receipts(page) => {
            assert!(!page.more && page.version > 0);
            assert_eq!(page.receipts[0].read_seq, 1);
        }
        other => panic!("{other:?}"),
    }
    for (seq, count) in [(1, 1), (2, 0)] {
        let list = wire::ListReaders {
            conversation: PLACE.into(),
            seq,
            ..Default::default()
        };
        match alice.call(Command::ListReaders(list)).await {
            Answer::Readers(page) => assert_eq!((page.count, page.of), (count, 1)),
            other => panic!("{other:?}"),
        }
    }
}
