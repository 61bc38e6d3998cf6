//! Conversations that clients create, over real sockets.

use std::time::Duration;

use anser_proto::client as wire;
use wire::change_conversation::Change;
use wire::request::Command;
use wire::response::Result as Answer;

use crate::server::{Client, Server, text};

fn created(answer: Answer) -> wire::CreatedConversation {
    match answer {
        Answer::CreatedConversation(it) => *it,
        other => panic!("{other:?}"),
    }
}

fn refused(answer: Answer) -> String {
    match answer {
        Answer::Error(error) => error.name,
        other => panic!("{other:?}"),
    }
}

fn create(members: &[&str], unique: bool) -> Command {
    Command::CreateConversation(wire::CreateConversation {
        name: "Geese".into(),
        members: members.iter().map(|name| (*name).into()).collect(),
        attributes: r#"{"game":{"round":1}}"#.into(),
        unique,
        ..Default::default()
    })
}

async fn change(client: &mut Client, id: &str, change: Change) -> Answer {
    let it = wire::ChangeConversation {
        conversation: id.into(),
        change: Some(change),
    };
    client.call(Command::ChangeConversation(it)).await
}

fn users(users: &[&str]) -> wire::ConversationUsers {
    wire::ConversationUsers {
        users: users.iter().map(|name| (*name).into()).collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_create_and_change_conversations() {
    let server = Server::plain().await;
    let mut alice = server.web("alice").await;
    let mut bob = server.native("bob").await;
    let made = created(alice.call(create(&["bob"], true)).await);
    assert!(made.conversation.starts_with("c/") && made.unique && !made.reused);
    assert_eq!((&*made.owner, made.member_count), ("alice", 2));
    let found = created(bob.call(create(&["alice"], true)).await);
    assert_eq!(
        (&found.conversation, found.reused),
        (&made.conversation, true)
    );
    let id = made.conversation;

    let update = wire::UpdateCreatedConversation {
        name: Some("Ducks".into()),
        set_attributes: [("game.round".into(), "2".into())].into(),
        unset_attributes: vec!["nothing".into()],
        ..Default::default()
    };
    let updated = created(change(&mut bob, &id, Change::Update(update)).await);
    assert_eq!(updated.attributes, r#"{"game":{"round":2}}"#);
    assert!(updated.updated_time >= updated.created_time && updated.name == "Ducks");
    let bad = wire::UpdateCreatedConversation {
        set_attributes: [("a".into(), "{".into())].into(),
        ..Default::default()
    };
    let bad = change(&mut bob, &id, Change::Update(bad)).await;
    assert_eq!(refused(bad), "INVALID_REQUEST");
    let sent = bob.call(text(&id, "1", "honk")).await;
    assert!(matches!(sent, Answer::SendMessage(_)), "{sent:?}");

    let invited = change(&mut bob, &id, Change::Invite(users(&["carol"]))).await;
    assert_eq!(created(invited).member_count, 3);
    let manager = || {
        Change::SetRole(wire::SetConversationRole {
            users: vec!["bob".into()],
            role: wire::GroupRole::Admin.into(),
        })
    };
    assert_eq!(
        refused(change(&mut bob, &id, manager()).await),
        "NOT_ALLOWED"
    );
    assert_eq!(
        created(change(&mut alice, &id, manager()).await).managers,
        ["bob"]
    );
    let for_a_minute = || wire::ConversationUsersFor {
        users: vec!["carol".into()],
        seconds: 60,
    };
    created(change(&mut bob, &id, Change::Mute(for_a_minute())).await);
    let list = Command::ListConversationMembers(wire::ListConversationMembers {
        conversation: id.clone(),
        muted: true,
        ..Default::default()
    });
    let Answer::GroupMembers(page) = bob.call(list).await else {
        panic!("no page")
    };
    assert_eq!(page.members.len(), 1);
    created(change(&mut bob, &id, Change::Block(for_a_minute())).await);
    let list = Command::ListConversationBlocks(wire::ListConversationBlocks {
        conversation: id.clone(),
        ..Default::default()
    });
    let Answer::GroupUsers(page) = bob.call(list).await else {
        panic!("no page")
    };
    assert_eq!(page.users[0].user_id, "carol");
    let again = change(&mut bob, &id, Change::Invite(users(&["carol"]))).await;
    assert_eq!(refused(again), "BANNED");

    let left = change(&mut alice, &id, Change::Leave(wire::ConversationLeave {})).await;
    assert!(matches!(left, Answer::Done(_)), "{left:?}");
    let get = || {
        Command::GetCreatedConversation(wire::GetCreatedConversation {
            conversation: id.clone(),
        })
    };
    assert_eq!(refused(alice.call(get()).await), "NOT_A_MEMBER");
    assert_eq!(created(bob.call(get()).await).member_count, 1);
    let group = Command::GetCreatedConversation(wire::GetCreatedConversation {
        conversation: "g/geese".into(),
    });
    assert_eq!(refused(bob.call(group).await), "INVALID_REQUEST");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_find_conversations_that_they_are_in() {
    let server = Server::plain().await;
    let mut alice = server.web("alice").await;
    created(alice.call(create(&["bob"], false)).await);
    let mut bob = server.native("bob").await;
    let query = |filter: &str| {
        Command::QueryConversations(wire::QueryConversations {
            filter: filter.into(),
            sort: vec!["-created_time".into()],
            ..Default::default()
        })
    };
    let round = r#"{"field":"attributes.game.round","op":"lt","value":5}"#;
    loop {
        let Answer::ConversationsFound(found) = bob.call(query(round)).await else {
            panic!("nothing found")
        };
        assert!(found.complete);
        if found.matched == 1 {
            assert_eq!(found.conversations[0].name, "Geese");
            break;
        }
    }
    let Answer::ConversationsFound(found) = server.web("carol").await.call(query("")).await else {
        panic!("nothing found")
    };
    assert_eq!((found.matched, found.complete), (0, true));
    let bad = bob.call(query(r#"{"field":"secrets","value":1}"#)).await;
    assert_eq!(refused(bad), "INVALID_REQUEST");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_create_conversations_for_a_time() {
    let server = Server::plain().await;
    let mut alice = server.web("alice").await;
    let mut bob = server.native("bob").await;
    let temporary = |temporary, unique, seconds| {
        Command::CreateConversation(wire::CreateConversation {
            members: vec!["bob".into()],
            temporary,
            unique,
            seconds,
            ..Default::default()
        })
    };
    let day = created(alice.call(temporary(true, false, 0)).await);
    let life = day.end_time - day.created_time;
    assert!((86_000_000..=86_400_000).contains(&life), "{life}");
    for (is, unique, seconds) in [(true, true, 60), (true, false, 86_401), (false, false, 60)] {
        let refusal = alice.call(temporary(is, unique, seconds)).await;
        assert_eq!(refused(refusal), "INVALID_REQUEST");
    }
    assert!(day.conversation.starts_with("t/") && day.attributes.is_empty());
    let id = day.conversation;
    let sent = bob.call(text(&id, "1", "honk")).await;
    assert!(matches!(sent, Answer::SendMessage(_)), "{sent:?}");
    let members = users(&["carol"]);
    let changed = created(change(&mut bob, &id, Change::Invite(members)).await);
    assert_eq!((changed.member_count, changed.end_time), (3, day.end_time));
    let list = Command::ListConversations(wire::ListConversations::default());
    let listed = loop {
        let Answer::Conversations(page) = alice.call(list.clone()).await else {
            panic!("no list");
        };
        // The list follows in a moment.
        if let Some(it) = page.conversations.into_iter().find(|it| it.id == id) {
            break it;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(listed.end_time, day.end_time);

    let id = created(alice.call(temporary(true, false, 1)).await).conversation;
    let get = wire::GetCreatedConversation {
        conversation: id.clone(),
    };
    let refusal = loop {
        match bob.call(Command::GetCreatedConversation(get.clone())).await {
            Answer::CreatedConversation(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            other => break refused(other),
        }
    };
    assert_eq!(refusal, "CONVERSATION_OVER");
    let sent = bob.call(text(&id, "2", "honk")).await;
    assert_eq!(refused(sent), "CONVERSATION_OVER");
    let Answer::Conversations(page) = alice.call(list).await else {
        panic!("no list");
    };
    assert!(page.conversations.iter().all(|it| it.id != id));
}
