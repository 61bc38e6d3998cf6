//! Chat rooms, over real sockets.

use anser_domain::control::AppSettingsChange;
use anser_domain::{RoomId, UserId};
use anser_engine::room::{List, Moderation, NewRoom, RoomUpdate, Telling};
use anser_proto::client as wire;
use wire::moderate_room::Action;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::room_item::Item as What;
use wire::server_item::Item;

use crate::server::{Client, Server};

fn hall() -> RoomId {
    RoomId::new("hall").unwrap()
}

/// A server with a room.
async fn server(new: NewRoom) -> Server {
    let server = Server::plain().await;
    let engine = &server.context.engine;
    engine.create_room(server.app, &hall(), new).await.unwrap();
    server
}

fn join() -> Command {
    Command::JoinRoom(wire::JoinRoom {
        room: "hall".into(),
        newest: 50,
        ..Default::default()
    })
}

async fn enter(client: &mut Client) -> wire::RoomJoined {
    match client.call(join()).await {
        Answer::RoomJoined(joined) => joined,
        other => panic!("{other:?}"),
    }
}

fn say(id: &str, text: &str) -> Command {
    Command::SendRoomMessage(wire::SendRoomMessage {
        room: "hall".into(),
        client_message_id: id.into(),
        content: Some(wire::Content {
            r#type: "text".into(),
            body: text.to_owned().into(),
        }),
        ..Default::default()
    })
}

fn refused(answer: Answer) -> String {
    match answer {
        Answer::Error(error) => error.name,
        other => panic!("{other:?}"),
    }
}

/// The next thing of this sort that happens in the room.
async fn hears<T>(client: &mut Client, wanted: impl Fn(&What) -> Option<T>) -> T {
    loop {
        let push = client.find(|item| matches!(item, Item::Room(_))).await;
        let Item::Room(push) = push else {
            unreachable!()
        };
        let found = push.items.iter().filter_map(|item| item.item.as_ref());
        if let Some(found) = found.filter_map(&wanted).next() {
            return found;
        }
    }
}

async fn hears_message(client: &mut Client) -> wire::RoomMessage {
    hears(client, |what| match what {
        What::Message(message) => Some(message.clone()),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_hear_each_other_and_those_who_come_hear_what_was() {
    let server = server(NewRoom::default()).await;
    let (mut alice, mut bob) = (server.web("alice").await, server.native("bob").await);
    assert_eq!(refused(alice.call(say("1", "?")).await), "NOT_IN_ROOM");
    let joined = enter(&mut alice).await;
    assert_eq!(joined.room.unwrap().member_count, 1);
    assert!(joined.items.is_empty() && !joined.lost && joined.epoch > 0);
    enter(&mut bob).await;
    let Answer::RoomMessageSent(sent) = alice.call(say("1", "hello")).await else {
        panic!("not sent")
    };
    assert!(sent.seq > 0 && !sent.dropped);
    for client in [&mut alice, &mut bob] {
        let heard = hears_message(client).await;
        assert_eq!(heard.message_id, sent.message_id);
        assert_eq!((&*heard.sender, &*heard.client_message_id), ("alice", "1"));
        assert_eq!(heard.content.unwrap().body, "hello");
        assert_eq!(heard.priority, i32::from(wire::RoomPriority::High));
    }
    let mut carol = server.web("carol").await;
    let joined = enter(&mut carol).await;
    let was = joined.items.into_iter().find_map(|item| match item.item {
        Some(What::Message(message)) => Some(message.message_id),
        _ => None,
    });
    assert_eq!(was, Some(sent.message_id.clone()));
    let page = Command::ListRoomMembers(wire::ListRoomMembers {
        room: "hall".into(),
        newest_first: true,
        ..Default::default()
    });
    let Answer::RoomMembers(page) = alice.call(page).await else {
        panic!("no members")
    };
    let users: Vec<_> = page.members.iter().map(|it| &*it.user).collect();
    assert_eq!(
        (users, page.member_count),
        (vec!["carol", "bob", "alice"], 3)
    );

    let recall = Command::RecallRoomMessage(wire::RecallRoomMessage {
        room: "hall".into(),
        message_id: sent.message_id.clone(),
    });
    assert_eq!(refused(bob.call(recall.clone()).await), "NOT_ALLOWED");
    assert!(matches!(alice.call(recall).await, Answer::Done(_)));
    let recalled = hears(&mut bob, |what| match what {
        What::Recall(recall) => Some(recall.message_id.clone()),
        _ => None,
    });
    assert_eq!(recalled.await, sent.message_id);
    let leave = Command::LeaveRoom(wire::LeaveRoom {
        room: "hall".into(),
    });
    assert!(matches!(bob.call(leave).await, Answer::Done(_)));
    assert_eq!(refused(bob.call(say("1", "?")).await), "NOT_IN_ROOM");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_is_said_to_those_who_ask() {
    let server = server(NewRoom::default()).await;
    let held = RoomUpdate {
        held: Some(true),
        ..RoomUpdate::default()
    };
    let few = AppSettingsChange {
        room_window_messages: Some(Some(1)),
        room_window_reserved: Some(Some(1)),
        ..AppSettingsChange::default()
    };
    let engine = &server.context.engine;
    engine.change_app_settings(server.app, &few).await.unwrap();
    let mut alice = server.native("alice").await;
    enter(&mut alice).await;
    let like = |id: &str, tell_dropped| {
        let Command::SendRoomMessage(mut send) = say(id, "like") else {
            unreachable!()
        };
        send.set_priority(wire::RoomPriority::Low);
        send.tell_dropped = tell_dropped;
        Command::SendRoomMessage(send)
    };
    for (id, tell) in [("1", true), ("2", false)] {
        let Answer::RoomMessageSent(sent) = alice.call(like(id, tell)).await else {
            panic!("refused")
        };
        assert_eq!(
            (sent.seq, sent.dropped),
            (0, tell),
            "nothing is left for class low"
        );
    }
    let held = engine.change_room(server.app, &hall(), &held).await;
    held.unwrap();
    let Answer::RoomMessageSent(sent) = alice.call(say("3", "hello")).await else {
        panic!("refused")
    };
    assert_eq!((sent.seq, sent.dropped), (0, false), "held, not dropped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_are_seats() {
    let server = server(NewRoom::default()).await;
    let (mut alice, mut bob) = (server.web("alice").await, server.native("bob").await);
    enter(&mut alice).await;
    enter(&mut bob).await;
    let sit = |value: Option<&str>, force| {
        Command::SetRoomAttributes(wire::SetRoomAttributes {
            room: "hall".into(),
            changes: vec![wire::RoomAttributeChange {
                key: "seat1".into(),
                value: value.map(ToOwned::to_owned),
                leaves: true,
            }],
            force,
        })
    };
    let Answer::RoomAttributes(now) = alice.call(sit(Some("alice"), false)).await else {
        panic!("not set")
    };
    assert_eq!(&*now.attributes[0].owner, "alice");
    assert!(now.version > 0);
    let changed = hears(&mut bob, |what| match what {
        What::Attributes(changed) => Some(changed.clone()),
        _ => None,
    });
    let changed = changed.await;
    assert_eq!(
        (changed.version, &*changed.operator),
        (now.version, "alice")
    );
    assert_eq!(changed.set[0].value, "alice");
    let taken = bob.call(sit(Some("bob"), false)).await;
    assert_eq!(refused(taken), "ROOM_ATTRIBUTE_TAKEN");
    let Answer::RoomAttributes(then) = bob.call(sit(Some("bob"), true)).await else {
        panic!("not taken")
    };
    assert_eq!(&*then.attributes[0].owner, "bob");
    assert!(then.version > now.version);
    let get = Command::GetRoomAttributes(wire::GetRoomAttributes {
        room: "hall".into(),
        ..Default::default()
    });
    let Answer::RoomAttributes(all) = alice.call(get).await else {
        panic!("no attributes")
    };
    assert_eq!(all, then);
    // Leaving frees the seat.
    let leave = Command::LeaveRoom(wire::LeaveRoom {
        room: "hall".into(),
    });
    bob.call(leave).await;
    let freed = hears(&mut alice, |what| match what {
        What::Attributes(changed) => Some(changed.deleted.clone()).filter(|it| !it.is_empty()),
        _ => None,
    });
    assert_eq!(freed.await, ["seat1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moderator_mutes_and_removes_and_everybody_is_told() {
    let moderator = UserId::new("moderator").unwrap();
    let new = NewRoom {
        moderators: vec![moderator],
        ..NewRoom::default()
    };
    let server = server(new).await;
    let mut moderator = server.web("moderator").await;
    let (mut alice, mut bob) = (server.web("alice").await, server.native("bob").await);
    for client in [&mut moderator, &mut alice, &mut bob] {
        enter(client).await;
    }
    let moderate = |action| {
        Command::ModerateRoom(wire::ModerateRoom {
            room: "hall".into(),
            action: Some(action),
            notify: true,
            extra: "be kind".into(),
        })
    };
    let alone = |seconds| wire::RoomSentence {
        users: vec!["bob".into()],
        seconds,
    };
    let refusal = refused(alice.call(moderate(Action::Mute(alone(60)))).await);
    assert_eq!(refusal, "NOT_ALLOWED");
    let muted = moderator.call(moderate(Action::Mute(alone(60)))).await;
    assert!(matches!(muted, Answer::Done(_)), "{muted:?}");
    let notice = hears(&mut alice, |what| match what {
        What::Notice(notice) => Some(notice.clone()),
        _ => None,
    });
    let notice = notice.await;
    assert_eq!(notice.kind(), wire::room_notice::Kind::Muted);
    assert_eq!(
        (&*notice.operator, &*notice.extra),
        ("moderator", "be kind")
    );
    assert_eq!(notice.users, ["bob"]);
    assert_eq!(refused(bob.call(say("1", "?")).await), "MUTED");
    let Answer::Room(room) = bob
        .call(Command::GetRoom(wire::GetRoom {
            room: "hall".into(),
        }))
        .await
    else {
        panic!("no room")
    };
    assert_eq!(
        (room.muted_until, &*room.moderators),
        (notice.until, &["moderator".to_owned()][..])
    );
    let unmute = Action::Unmute(wire::RoomUsers {
        users: vec!["bob".into()],
    });
    moderator.call(moderate(unmute)).await;
    let spoken = bob.call(say("1", "sorry")).await;
    assert!(matches!(spoken, Answer::RoomMessageSent(_)), "{spoken:?}");
    moderator.call(moderate(Action::Remove(alone(60)))).await;
    let left = bob.find(|item| matches!(item, Item::RoomLeft(_))).await;
    let Item::RoomLeft(left) = left else {
        unreachable!()
    };
    assert_eq!(left.reason(), wire::room_left_push::Reason::Removed);
    assert!(left.until > 0 && left.extra == "be kind");
    assert_eq!(refused(bob.call(join()).await), "BANNED");
    moderator.call(moderate(Action::MuteAll(true))).await;
    assert_eq!(refused(alice.call(say("2", "?")).await), "MUTED");
    let lift = Moderation::List(List::Banned, vec![UserId::new("bob").unwrap()], 0);
    let engine = &server.context.engine;
    let (hall, telling) = (hall(), Telling::default());
    let lifted = engine.moderate_room(server.app, None, &hall, &lift, &telling);
    lifted.await.unwrap();
    enter(&mut bob).await;
    engine.destroy_room(server.app, &hall).await.unwrap();
    for client in [&mut moderator, &mut alice, &mut bob] {
        let left = client.find(|item| matches!(item, Item::RoomLeft(_))).await;
        let Item::RoomLeft(left) = left else {
            unreachable!()
        };
        assert_eq!(left.reason(), wire::room_left_push::Reason::Destroyed);
    }
    assert_eq!(refused(alice.call(join()).await), "ROOM_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_room_keeps_is_read_in_pages() {
    let settings = RoomUpdate {
        history_days: Some(30),
        ..RoomUpdate::default()
    };
    let server = server(NewRoom {
        settings,
        ..NewRoom::default()
    })
    .await;
    let mut alice = server.native("alice").await;
    let mut bob = server.native("bob").await;
    assert!(enter(&mut alice).await.room.unwrap().history);
    for n in 1..=3 {
        let sent = alice.call(say(&n.to_string(), &n.to_string())).await;
        assert!(matches!(sent, Answer::RoomMessageSent(_)), "{sent:?}");
    }
    let pull = |from: String, forward, limit| {
        Command::PullRoomMessages(wire::PullRoomMessages {
            room: "hall".into(),
            from_message_id: from,
            forward,
            limit,
        })
    };
    assert_eq!(
        refused(bob.call(pull(String::new(), true, 2)).await),
        "NOT_IN_ROOM"
    );
    let bodies = |page: &wire::RoomMessagePage| -> Vec<bytes::Bytes> {
        let contents = page.messages.iter().filter_map(|it| it.content.as_ref());
        contents.map(|content| content.body.clone()).collect()
    };
    // They are kept behind their delivery.
    let first = loop {
        let Answer::RoomMessages(page) = alice.call(pull(String::new(), true, 2)).await else {
            panic!("no page")
        };
        if page.more {
            break page;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(bodies(&first), ["1", "2"]);
    let last = first.messages[1].message_id.clone();
    let Answer::RoomMessages(rest) = alice.call(pull(last, true, 0)).await else {
        panic!("no page")
    };
    assert_eq!((bodies(&rest), rest.more), (vec!["3".into()], false));
    let Answer::RoomMessages(newest) = alice.call(pull(String::new(), false, 1)).await else {
        panic!("no page")
    };
    assert_eq!((bodies(&newest), newest.more), (vec!["3".into()], true));
    let odd = alice.call(pull("x".into(), true, 0)).await;
    assert_eq!(refused(odd), "INVALID_REQUEST");
}
