//! Chat rooms.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anser_domain::control::AppSettingsChange;
use anser_domain::control::mute::Kind;
use anser_domain::room::attribute::AttributeChange;
use anser_domain::{AppId, Code, MessageId, Platform, Reject, RoomId, Timestamp};
use anser_engine::room::{
    Happening, JoinRoom, LeftReason, List, Moderation, NewRoom, NoticeKind, RoomItem, RoomSent,
    RoomUpdate, SendRoomMessage, Telling,
};
use anser_engine::{Engine, EventBody};
use anser_store::Store;

use crate::world::{Device, engine, hub, node, node_at, sign_in, until, user};

pub(crate) fn room(name: &str) -> RoomId {
    RoomId::new(name).unwrap()
}

pub(crate) fn message(text: &str) -> SendRoomMessage {
    SendRoomMessage {
        client_message_id: text.into(),
        content_type: "text".into(),
        body: text.as_bytes().to_vec().into(),
        low: false,
    }
}

pub(crate) async fn hall(engine: &Engine, app: AppId) -> RoomId {
    let hall = room("hall");
    let created = engine.create_room(app, &hall, NewRoom::default()).await;
    created.unwrap();
    hall
}

pub(crate) async fn join(
    device: &Device,
    app: AppId,
    to: &RoomId,
) -> Result<anser_engine::room::Entered, Reject> {
    let newest = JoinRoom {
        newest: 50,
        known: None,
    };
    let engine = &device.engine;
    engine
        .join_room(device.id, app, &device.user, to, newest)
        .await
}

pub(crate) async fn say(
    device: &Device,
    app: AppId,
    to: &RoomId,
    text: &str,
) -> Result<RoomSent, Reject> {
    let engine = &device.engine;
    engine
        .send_to_room(app, Some(&device.user), to, message(text))
        .await
}

/// The texts among some items, with their sequences.
pub(crate) fn texts(items: &[RoomItem]) -> Vec<(u64, String)> {
    let text = |item: &RoomItem| match &item.what {
        Happening::Message(it) => Some((item.seq, String::from_utf8(it.body.to_vec()).unwrap())),
        _ => None,
    };
    items.iter().filter_map(text).collect()
}

/// All that a device was told of rooms.
pub(crate) fn items(device: &Device) -> Vec<RoomItem> {
    let events = device.told.events.lock();
    let pushes = events.iter().filter_map(|event| match &event.body {
        EventBody::Room(push) => Some(push.items.clone()),
        _ => None,
    });
    pushes.flatten().collect()
}

pub(crate) fn heard(device: &Device) -> Vec<String> {
    texts(&items(device))
        .into_iter()
        .map(|(_, text)| text)
        .collect()
}

pub(crate) fn farewells(device: &Device) -> Vec<(RoomId, LeftReason, Timestamp)> {
    let events = device.told.events.lock();
    let left = events.iter().filter_map(|event| match &event.body {
        EventBody::RoomLeft(it) => Some((it.room.clone(), it.reason, it.until)),
        _ => None,
    });
    left.collect()
}

fn code<T>(result: Result<T, Reject>) -> Option<Code> {
    result.err().map(|reject| reject.code)
}

fn set(key: &str, value: &str, leaves: bool) -> AttributeChange {
    AttributeChange {
        key: key.into(),
        value: Some(value.into()),
        leaves,
    }
}

pub(crate) async fn configure(engine: &Engine, app: AppId, change: AppSettingsChange) {
    engine.change_app_settings(app, &change).await.unwrap();
}

#[tokio::test]
async fn who_is_in_a_room_hears_everything_in_order_and_who_comes_gets_the_newest() {
    let (engine, app) = engine().await;
    let hall = hall(&engine, app).await;
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    assert_eq!(
        code(say(&alice, app, &hall, "early").await),
        Some(Code::NotInRoom)
    );
    assert_eq!(
        code(join(&alice, app, &room("none")).await),
        Some(Code::RoomNotFound)
    );
    let entered = join(&alice, app, &hall).await.unwrap();
    assert_eq!(
        (entered.seq, entered.items.len(), entered.room.member_count),
        (0, 0, 1)
    );
    for n in 1..=3 {
        assert_eq!(
            say(&alice, app, &hall, &n.to_string()).await.unwrap().seq,
            n
        );
    }
    let entered = join(&bob, app, &hall).await.unwrap();
    assert_eq!(entered.seq, 3);
    let newest = [
        (1, "1".to_owned()),
        (2, "2".to_owned()),
        (3, "3".to_owned()),
    ];
    assert_eq!(texts(&entered.items), newest);
    engine
        .send_to_room(app, None, &hall, message("4"))
        .await
        .unwrap();
    until("both hear it", async || {
        heard(&alice).len() == 4 && !heard(&bob).is_empty()
    })
    .await;
    assert_eq!(heard(&alice), ["1", "2", "3", "4"]);
    assert_eq!(heard(&bob).last().unwrap(), "4");
    let again = say(&alice, app, &hall, "1").await.unwrap();
    assert_eq!(again.seq, 1, "sent twice, there once");
}

#[tokio::test]
async fn joining_another_room_leaves_the_first_unless_the_app_allows_more() {
    let (engine, app) = engine().await;
    let (one, two, three) = (room("1"), room("2"), room("3"));
    for id in [&one, &two, &three] {
        engine
            .create_room(app, id, NewRoom::default())
            .await
            .unwrap();
    }
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    join(&alice, app, &one).await.unwrap();
    join(&alice, app, &two).await.unwrap();
    assert_eq!(
        farewells(&alice),
        [(one.clone(), LeftReason::JoinedAnother, Timestamp(0))]
    );
    until("alice has left", async || {
        engine
            .are_in_room(app, &one, &[user("alice")])
            .await
            .unwrap()
            == [false]
    })
    .await;
    let change = AppSettingsChange {
        rooms_of_session: Some(Some(2)),
        ..AppSettingsChange::default()
    };
    configure(&engine, app, change).await;
    join(&alice, app, &three).await.unwrap();
    assert_eq!(farewells(&alice).len(), 1);
    engine.leave_room(alice.id, app, &alice.user, &two).await;
    until("alice has left the second", async || {
        engine
            .are_in_room(app, &two, &[user("alice")])
            .await
            .unwrap()
            == [false]
    })
    .await;
    assert_eq!(
        engine
            .are_in_room(app, &three, &[user("alice")])
            .await
            .unwrap(),
        [true]
    );
}

#[tokio::test]
async fn who_leaves_and_joins_again_at_once_is_in() {
    let (engine, app) = engine().await;
    let hall = hall(&engine, app).await;
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    join(&alice, app, &hall).await.unwrap();
    engine.leave_room(alice.id, app, &alice.user, &hall).await;
    join(&alice, app, &hall).await.unwrap();
    // Whatever leaving has left to do is done by now.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    say(&alice, app, &hall, "here").await.unwrap();
    until("alice hears it", async || heard(&alice) == ["here"]).await;
}

#[tokio::test]
async fn whoever_joins_creates_the_room_if_the_app_lets_them() {
    let (engine, app) = engine().await;
    let change = AppSettingsChange {
        room_created_by_joining: Some(Some(true)),
        ..AppSettingsChange::default()
    };
    configure(&engine, app, change).await;
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    let hall = room("hall");
    join(&alice, app, &hall).await.unwrap();
    engine
        .change_room_attributes(
            app,
            &alice.user,
            &hall,
            &[set("topic", "geese", false)],
            false,
        )
        .await
        .unwrap();
    assert_eq!(engine.room(app, None, &hall).await.unwrap().member_count, 1);
    let taken = engine.create_room(app, &hall, NewRoom::default()).await;
    assert_eq!(code(taken), Some(Code::AlreadyExists));
}

#[tokio::test]
async fn above_the_quota_the_low_go_first_and_the_sender_is_told_only_by_the_number() {
    let (engine, app) = engine().await;
    let hall = hall(&engine, app).await;
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    join(&alice, app, &hall).await.unwrap();
    engine
        .set_room_types(app, Some(&["like".to_owned()]), None)
        .await
        .unwrap();
    let (mut taken, mut dropped) = (0, 0);
    for n in 0..400 {
        let like = SendRoomMessage {
            content_type: "like".into(),
            ..message(&format!("like {n}"))
        };
        let sent = engine
            .send_to_room(app, Some(&alice.user), &hall, like)
            .await;
        let sent = sent.unwrap();
        assert_eq!(sent.dropped, sent.seq == 0);
        taken += u64::from(!sent.dropped);
        dropped += u64::from(sent.dropped);
    }
    assert!(dropped > 0 && taken >= 20, "{taken} and {dropped}");
    let high = say(&alice, app, &hall, "high").await.unwrap();
    assert!(!high.dropped, "likes leave room for what matters");
}

#[tokio::test]
async fn moderators_put_out_mute_and_recall_and_nobody_else_does() {
    let (engine, app) = engine().await;
    let hall = room("hall");
    let new = NewRoom {
        moderators: vec![user("mod")],
        ..NewRoom::default()
    };
    engine.create_room(app, &hall, new).await.unwrap();
    let moderator = sign_in(&engine, app, "mod", Platform::Web).await;
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    for device in [&moderator, &alice, &bob] {
        join(device, app, &hall).await.unwrap();
    }
    let act = async |by: &Device, what: Moderation| {
        let telling = Telling {
            notify: true,
            extra: "rules".into(),
        };
        let by = Some(&by.user);
        engine.moderate_room(app, by, &hall, &what, &telling).await
    };
    let mute = || Moderation::List(List::Muted, vec![user("alice")], 60);
    assert_eq!(code(act(&bob, mute()).await), Some(Code::NotAllowed));
    act(&moderator, mute()).await.unwrap();
    assert_eq!(code(say(&alice, app, &hall, "a").await), Some(Code::Muted));
    act(
        &moderator,
        Moderation::List(List::Muted, vec![user("alice")], 0),
    )
    .await
    .unwrap();
    let said = say(&alice, app, &hall, "a").await.unwrap();
    let recall = async |by: &Device, id: MessageId| {
        engine.recall_in_room(app, Some(&by.user), &hall, id).await
    };
    assert_eq!(
        code(recall(&bob, said.message_id).await),
        Some(Code::NotAllowed)
    );
    recall(&moderator, said.message_id).await.unwrap();
    recall(&alice, said.message_id).await.unwrap();
    act(&moderator, Moderation::MuteAll(true)).await.unwrap();
    assert_eq!(code(say(&bob, app, &hall, "b").await), Some(Code::Muted));
    say(&moderator, app, &hall, "quiet").await.unwrap();
    act(&moderator, Moderation::Remove(vec![user("alice")], 600))
        .await
        .unwrap();
    until("alice is out", async || !farewells(&alice).is_empty()).await;
    let (_, reason, kept_out) = farewells(&alice)[0].clone();
    assert!(reason == LeftReason::Removed && kept_out > Timestamp(0));
    assert_eq!(code(join(&alice, app, &hall).await), Some(Code::Banned));
    let own = act(
        &moderator,
        Moderation::List(List::Moderators, vec![user("bob")], 1),
    )
    .await;
    assert_eq!(
        code(own),
        Some(Code::NotAllowed),
        "the backend says who moderates"
    );
    until("bob has heard it all", async || {
        let kinds = items(&bob).into_iter().filter_map(|item| match item.what {
            Happening::Notice(notice) => Some(notice.kind),
            _ => None,
        });
        let kinds: Vec<NoticeKind> = kinds.collect();
        let wanted = [
            NoticeKind::Muted,
            NoticeKind::Unmuted,
            NoticeKind::AllMuted,
            NoticeKind::Banned,
        ];
        kinds == wanted
    })
    .await;
    let recalls = items(&bob).into_iter();
    let recalls = recalls.filter(|item| matches!(item.what, Happening::Recall { .. }));
    assert_eq!(
        recalls.count(),
        1,
        "a recall that was made is not made again"
    );
    let entered = join(&bob, app, &hall).await.unwrap();
    let first = &entered.items[0];
    assert!(matches!(&first.what, Happening::Message(it) if it.recalled && it.body.is_empty()));
}

#[tokio::test]
async fn an_app_mutes_its_rooms_and_their_users() {
    let (engine, app) = engine().await;
    let hall = hall(&engine, app).await;
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    join(&alice, app, &hall).await.unwrap();
    let for_ever = Timestamp(u64::MAX);
    engine
        .mute_everywhere(app, Kind::Room, &[user("alice")], for_ever)
        .await
        .unwrap();
    assert_eq!(
        code(say(&alice, app, &hall, "a").await),
        Some(Code::MutedEverywhere)
    );
    engine
        .mute_everywhere(app, Kind::Room, &[user("alice")], Timestamp(0))
        .await
        .unwrap();
    say(&alice, app, &hall, "a").await.unwrap();
    engine.mute_kind(app, Kind::Room, for_ever).await.unwrap();
    assert_eq!(
        code(say(&alice, app, &hall, "b").await),
        Some(Code::MutedEverywhere)
    );
    engine
        .send_to_room(app, None, &hall, message("c"))
        .await
        .unwrap();
}

#[tokio::test]
async fn attributes_are_their_owners_and_go_with_them() {
    let (engine, app) = engine().await;
    let hall = hall(&engine, app).await;
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    let change = async |by: &Device, change: AttributeChange, force: bool| {
        engine
            .change_room_attributes(app, &by.user, &hall, &[change], force)
            .await
    };
    assert_eq!(
        code(change(&alice, set("seat", "a", true), false).await),
        Some(Code::NotInRoom)
    );
    join(&alice, app, &hall).await.unwrap();
    join(&bob, app, &hall).await.unwrap();
    change(&alice, set("seat", "alice", true), false)
        .await
        .unwrap();
    let taken = change(&bob, set("seat", "bob", true), false).await;
    assert_eq!(code(taken), Some(Code::RoomAttributeTaken));
    engine
        .put_room_attributes(app, None, &hall, &[set("topic", "geese", false)])
        .await
        .unwrap();
    let all = async || engine.room_attributes(app, &hall, &[], "").await.unwrap().0;
    let keys = async || {
        let all = all().await.attributes.into_iter();
        all.map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(keys().await, ["seat", "topic"]);
    engine.leave_room(alice.id, app, &alice.user, &hall).await;
    until("the seat is free", async || keys().await == ["topic"]).await;
    until("bob has heard it", async || {
        let versions = items(&bob).into_iter().filter_map(|item| match item.what {
            Happening::Attributes(it) => Some((it.set.len(), it.deleted.clone())),
            _ => None,
        });
        let wanted = [(1, vec![]), (1, vec![]), (0, vec!["seat".to_owned()])];
        versions.collect::<Vec<_>>() == wanted
    })
    .await;
}

#[tokio::test]
async fn a_seat_whose_owner_does_not_come_back_after_a_restart_is_free() {
    let (store, ahead) = (Store::memory(), Arc::new(AtomicU64::new(0)));
    let engine = node_at(&hub(), 1, &store, &ahead).await;
    let app = engine
        .create_app(Some("app"), "", false)
        .await
        .unwrap()
        .info
        .id;
    let hall = hall(&engine, app).await;
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    join(&alice, app, &hall).await.unwrap();
    let seats = [set("seat", "alice", true), set("topic", "geese", false)];
    let changed = engine
        .change_room_attributes(app, &alice.user, &hall, &seats, false)
        .await;
    changed.unwrap();
    engine.stop().await;
    let engine = node_at(&hub(), 2, &store, &ahead).await;
    let keys = async || {
        let all = engine.room_attributes(app, &hall, &[], "").await.unwrap().0;
        all.attributes
            .into_iter()
            .map(|(key, _)| key)
            .collect::<Vec<_>>()
    };
    assert_eq!(keys().await, ["seat", "topic"], "alice may come back");
    ahead.fetch_add(31_000, Ordering::Relaxed);
    until("the seat is free", async || keys().await == ["topic"]).await;
}

#[tokio::test]
async fn who_is_away_comes_back_to_what_was_missed_or_has_left() {
    let (store, ahead) = (Store::memory(), Arc::new(AtomicU64::new(0)));
    let engine = node_at(&hub(), 1, &store, &ahead).await;
    let app = engine
        .create_app(Some("app"), "", false)
        .await
        .unwrap()
        .info
        .id;
    let hall = hall(&engine, app).await;
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    let entered = join(&alice, app, &hall).await.unwrap();
    join(&bob, app, &hall).await.unwrap();
    let is_in =
        async |name: &str| engine.are_in_room(app, &hall, &[user(name)]).await.unwrap() == [true];
    engine.close_session(alice.id);
    for n in 1..=5 {
        say(&bob, app, &hall, &n.to_string()).await.unwrap();
    }
    assert!(is_in("alice").await, "away, and still a member");
    let back = sign_in(&engine, app, "alice", Platform::Web).await;
    let known = JoinRoom {
        newest: 0,
        known: Some((entered.epoch, entered.seq + 2)),
    };
    let again = engine
        .join_room(back.id, app, &back.user, &hall, known)
        .await
        .unwrap();
    let missed: Vec<u64> = texts(&again.items).iter().map(|(seq, _)| *seq).collect();
    assert!(missed == [3, 4, 5] && !again.lost, "{missed:?}");
    engine.close_session(back.id);
    until("the owner has heard of it", async || {
        ahead.fetch_add(31_000, Ordering::Relaxed);
        !is_in("alice").await
    })
    .await;
    assert!(is_in("bob").await);
}

#[tokio::test]
async fn a_room_in_which_nothing_happens_is_destroyed_unless_it_is_kept() {
    let (store, ahead) = (Store::memory(), Arc::new(AtomicU64::new(0)));
    let engine = node_at(&hub(), 1, &store, &ahead).await;
    let app = engine
        .create_app(Some("app"), "", false)
        .await
        .unwrap()
        .info
        .id;
    let (gone, kept) = (hall(&engine, app).await, room("kept"));
    let new = NewRoom {
        settings: RoomUpdate {
            kept_alive: Some(true),
            ..RoomUpdate::default()
        },
        ..NewRoom::default()
    };
    engine.create_room(app, &kept, new).await.unwrap();
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    join(&alice, app, &gone).await.unwrap();
    engine.destroy_room(app, &gone).await.unwrap();
    until("alice is told", async || {
        farewells(&alice) == [(gone.clone(), LeftReason::Destroyed, Timestamp(0))]
    })
    .await;
    assert_eq!(
        code(engine.room(app, None, &gone).await),
        Some(Code::RoomNotFound)
    );
    hall(&engine, app).await;
    assert!(
        engine.room(app, None, &gone).await.is_ok(),
        "there is one again"
    );
    engine.stop().await;
    ahead.fetch_add(2 * 3_600_000, Ordering::Relaxed);
    let engine = node_at(&hub(), 2, &store, &ahead).await;
    until("it is over", async || {
        engine.room(app, None, &gone).await.is_err()
    })
    .await;
    assert!(engine.room(app, None, &kept).await.is_ok());
}

#[tokio::test]
async fn what_is_decided_outlives_a_restart_and_bans_outlive_the_room() {
    let store = Store::memory();
    let engine = node(&hub(), 1, &store).await;
    let app = engine
        .create_app(Some("app"), "", false)
        .await
        .unwrap()
        .info
        .id;
    let hall = room("hall");
    let new = NewRoom {
        settings: RoomUpdate {
            name: Some("Hall".into()),
            muted: Some(true),
            ..RoomUpdate::default()
        },
        moderators: vec![user("mod")],
        attributes: vec![set("topic", "geese", false)],
        attributes_owner: Some(user("host")),
    };
    engine.create_room(app, &hall, new).await.unwrap();
    let ban = Moderation::List(List::Banned, vec![user("eve")], 600);
    engine
        .moderate_room(app, None, &hall, &ban, &Telling::default())
        .await
        .unwrap();
    engine.stop().await;
    let engine = node(&hub(), 2, &store).await;
    let view = engine.room(app, None, &hall).await.unwrap();
    assert!(view.settings.name == "Hall" && view.settings.muted);
    assert_eq!(view.moderators, [user("mod")]);
    let (all, _) = engine.room_attributes(app, &hall, &[], "").await.unwrap();
    assert_eq!(all.version, view.attributes_version);
    assert!(all.attributes[0].1.owner == Some(user("host")));
    let eve = sign_in(&engine, app, "eve", Platform::Web).await;
    assert_eq!(code(join(&eve, app, &hall).await), Some(Code::Banned));
    engine.destroy_room(app, &hall).await.unwrap();
    engine
        .create_room(app, &hall, NewRoom::default())
        .await
        .unwrap();
    assert_eq!(code(join(&eve, app, &hall).await), Some(Code::Banned));
    let again = engine.room(app, None, &hall).await.unwrap();
    assert!(!again.settings.muted && again.moderators.is_empty());
    assert!(again.attributes_version > view.attributes_version);
    let (bans, _) = engine
        .room_list(app, &hall, List::Banned, "", 0)
        .await
        .unwrap();
    assert_eq!(bans[0].0, user("eve"));
}

#[tokio::test]
async fn rooms_that_keep_messages_have_them_also_after_a_restart() {
    let store = Store::memory();
    let engine = node(&hub(), 1, &store).await;
    let app = engine
        .create_app(Some("app"), "", false)
        .await
        .unwrap()
        .info
        .id;
    let hall = room("hall");
    let new = NewRoom {
        settings: RoomUpdate {
            history_days: Some(60),
            ..RoomUpdate::default()
        },
        ..NewRoom::default()
    };
    engine.create_room(app, &hall, new).await.unwrap();
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    join(&alice, app, &hall).await.unwrap();
    let mut ids = Vec::new();
    for n in 1..=4 {
        ids.push(
            say(&alice, app, &hall, &n.to_string())
                .await
                .unwrap()
                .message_id,
        );
    }
    engine
        .recall_in_room(app, Some(&alice.user), &hall, ids[3])
        .await
        .unwrap();
    let page = async |engine: &Engine, from, forward, limit| {
        let page = engine
            .room_messages(app, None, &hall, from, forward, limit)
            .await
            .unwrap();
        let texts = page.messages.into_iter();
        let texts = texts.map(|it| String::from_utf8(it.body.to_vec()).unwrap());
        (texts.collect::<Vec<_>>(), page.more)
    };
    until("all is written", async || {
        page(&engine, None, true, 9).await.0 == ["1", "2", "3", ""]
    })
    .await;
    let stranger = engine
        .room_messages(app, Some(&user("eve")), &hall, None, true, 1)
        .await;
    assert_eq!(code(stranger), Some(Code::NotInRoom));
    engine.stop().await;
    let engine = node(&hub(), 2, &store).await;
    assert_eq!(
        page(&engine, None, false, 2).await,
        (vec![String::new(), "3".to_owned()], true)
    );
    assert_eq!(
        page(&engine, Some(ids[1]), false, 9).await,
        (vec!["1".to_owned()], false)
    );
    engine
        .recall_in_room(app, None, &hall, ids[0])
        .await
        .unwrap();
    until("it is taken back", async || {
        page(&engine, None, true, 1).await.0 == [""]
    })
    .await;
}

#[tokio::test]
async fn members_are_paged_in_the_order_of_joining() {
    let (engine, app) = engine().await;
    let hall = hall(&engine, app).await;
    for n in 0..7 {
        let device = sign_in(&engine, app, &format!("u{n}"), Platform::Web).await;
        join(&device, app, &hall).await.unwrap();
    }
    for newest_first in [false, true] {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = engine
                .room_members(app, &hall, newest_first, &cursor, 3)
                .await
                .unwrap();
            assert_eq!(page.member_count, 7);
            names.extend(page.members.into_iter().map(|(user, _)| user.to_string()));
            cursor = page.cursor;
            if cursor.is_empty() {
                break;
            }
        }
        let mut wanted: Vec<String> = (0..7).map(|n| format!("u{n}")).collect();
        if newest_first {
            wanted.reverse();
        }
        assert_eq!(names, wanted);
    }
    let odd = engine.room_members(app, &hall, false, "nonsense", 3).await;
    assert_eq!(code(odd), Some(Code::InvalidRequest));
}
