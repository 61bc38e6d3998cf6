//! What apps decide for their users.

use std::sync::Arc;

use anser_domain::control::AppSettingsChange;
use anser_domain::control::ban::FOR_GOOD;
use anser_domain::control::mute::Kind;
use anser_domain::{AppId, Code, ConversationId, DeviceId, GroupId, Platform, Timestamp};
use anser_engine::Engine;
use anser_engine::control::MuteList;
use anser_engine::group::By;
use anser_engine::message::Change;
use anser_store::Store;

use anser_engine::session::NewSession;

use crate::world::{Told, engine, hub, message, node, send, send_message, sign_in, until, user};

fn alice_and_bob() -> ConversationId {
    ConversationId::private(&user("alice"), &user("bob"))
}

async fn set(engine: &Engine, app: AppId, change: AppSettingsChange) {
    engine.change_app_settings(app, &change).await.unwrap();
}

async fn change(engine: &Engine, app: AppId, seq: u64, change: Change) -> Result<(), Code> {
    let (by, chat) = (By::User(user("alice")), alice_and_bob());
    let changed = engine.change_message(app, by, &chat, seq, change).await;
    changed.map(drop).map_err(|reject| reject.code)
}

fn edit(text: &str) -> Change {
    Change::Edit {
        content_type: "text".into(),
        body: text.to_owned().into(),
        mention: None,
    }
}

#[tokio::test]
async fn an_app_sets_how_long_messages_are_and_how_long_they_can_be_changed() {
    let (engine, app) = engine().await;
    let chat = alice_and_bob();
    let long = |id: &str, len: usize| {
        let mut long = message(app, "alice", &chat, id);
        long.body = "x".repeat(len).into();
        long
    };
    send_message(&engine, long("1", 100)).await.unwrap();
    change(&engine, app, 1, edit(&"y".repeat(90)))
        .await
        .unwrap();
    let shorter = AppSettingsChange {
        content_bytes_max: Some(Some(64)),
        ..AppSettingsChange::default()
    };
    set(&engine, app, shorter).await;
    let refused = send_message(&engine, long("2", 61)).await.unwrap_err();
    assert_eq!(refused.code, Code::ContentTooLarge);
    let edited = change(&engine, app, 1, edit(&"z".repeat(61))).await;
    assert_eq!(edited, Err(Code::ContentTooLarge));
    send_message(&engine, long("2", 60)).await.unwrap();

    let never = AppSettingsChange {
        recall_seconds: Some(Some(0)),
        edit_seconds: Some(Some(0)),
        content_bytes_max: Some(Some(131_072)),
        ..AppSettingsChange::default()
    };
    set(&engine, app, never).await;
    send_message(&engine, long("3", 100_000)).await.unwrap();
    let edited = change(&engine, app, 2, edit("z")).await;
    assert_eq!(edited, Err(Code::NotAllowed));
    let first = send_message(&engine, long("4", 1)).await.unwrap();
    let mut n = 0;
    until("the time of zero seconds is over", async || {
        n += 1;
        let next = send_message(&engine, long(&format!("next {n}"), 1)).await;
        next.unwrap().time > first.time
    })
    .await;
    let recalled = change(&engine, app, 2, Change::Recall).await;
    assert_eq!(recalled, Err(Code::TooLate));
    let operators = AppSettingsChange {
        recall_seconds: Some(None),
        edit_seconds: Some(None),
        content_bytes_max: Some(None),
        ..AppSettingsChange::default()
    };
    set(&engine, app, operators).await;
    change(&engine, app, 2, edit("w")).await.unwrap();
    change(&engine, app, 2, Change::Recall).await.unwrap();
    let refused = send_message(&engine, long("last", 3_072))
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::ContentTooLarge);
}

#[tokio::test]
async fn an_app_sets_how_large_its_groups_are() {
    let (engine, app) = engine().await;
    let small = AppSettingsChange {
        group_members_max: Some(Some(3)),
        ..AppSettingsChange::default()
    };
    set(&engine, app, small).await;
    let names = ["a", "b", "c", "d"].map(user);
    let id = || Some(GroupId::new("g").unwrap());
    let make = async |members| {
        let made = engine.create_group(app, By::Server, id(), "", &names[0], members);
        made.await.map(drop).map_err(|reject| reject.code)
    };
    assert_eq!(make(&names[..]).await, Err(Code::GroupFull));
    make(&names[..3]).await.unwrap();
    let group = GroupId::new("g").unwrap();
    let add = || engine.add_members(app, By::Server, &group, &names[3..]);
    assert_eq!(add().await.unwrap_err().code, Code::GroupFull);
    let larger = AppSettingsChange {
        group_members_max: Some(Some(4)),
        ..AppSettingsChange::default()
    };
    set(&engine, app, larger).await;
    assert_eq!(add().await.unwrap().member_count, 4);
}

#[tokio::test]
async fn what_an_app_sets_holds_on_all_nodes_and_after_a_restart() {
    let (hub, store) = (hub(), Store::memory());
    let (one, two) = (node(&hub, 1, &store).await, node(&hub, 2, &store).await);
    let app = one.create_app(None, "", false).await.unwrap().info.id;
    let other = one.create_app(None, "", false).await.unwrap().info.id;
    let short = AppSettingsChange {
        content_bytes_max: Some(Some(4)),
        ..AppSettingsChange::default()
    };
    set(&one, app, short).await;
    let chat = alice_and_bob();
    let refused = async |engine: &Engine, app| {
        let sent = send(engine, app, "alice", &chat, "a long text").await;
        sent.is_err_and(|reject| reject.code == Code::ContentTooLarge)
    };
    assert!(refused(&one, app).await);
    until("the other node has heard of it", async || {
        refused(&two, app).await
    })
    .await;
    assert!(!refused(&two, other).await, "apps do not share");
    assert_eq!(
        two.stored_app_settings(app)
            .await
            .unwrap()
            .content_bytes_max,
        Some(4)
    );
    let later = node(&hub, 3, &store).await;
    assert!(refused(&later, app).await);
}

async fn sign_in_again(engine: &Engine, app: AppId, name: &str) -> Result<(), Code> {
    let new = NewSession {
        app,
        user: user(name),
        device: DeviceId::new("another").unwrap(),
        platform: Platform::Desktop,
        client: "test".into(),
        attempt: 0,
    };
    let opened = engine.open_session(new, Arc::new(Told::default())).await;
    opened.map(drop).map_err(|reject| reject.code)
}

#[tokio::test]
async fn a_banned_user_is_signed_out_everywhere_and_stays_out() {
    let (hub, store) = (hub(), Store::memory());
    let (one, two) = (node(&hub, 1, &store).await, node(&hub, 2, &store).await);
    let app = one.create_app(None, "", false).await.unwrap().info.id;
    until("both nodes are there", async || {
        two.apps().await.unwrap().len() == 1
    })
    .await;
    let (alice, bob) = (user("alice"), user("bob"));
    let token = one.mint_token(app, &alice, 60).await.unwrap().token;
    let phone = sign_in(&one, app, "alice", Platform::Ios).await;
    let desk = sign_in(&two, app, "alice", Platform::Desktop).await;
    let other = sign_in(&two, app, "bob", Platform::Web).await;
    let past = one.ban_user(app, &alice, Timestamp(1)).await;
    assert_eq!(past.unwrap_err().code, Code::InvalidRequest);
    assert!(one.user_bans(app, "", 0).await.unwrap().bans.is_empty());

    let ban = one.ban_user(app, &alice, FOR_GOOD).await.unwrap();
    for device in [&phone, &desk] {
        until("every session is told", async || {
            let closed = device.told.closed.lock();
            closed
                .as_ref()
                .is_some_and(|it| it.code == Code::UserBanned)
        })
        .await;
    }
    assert!(other.told.closed.lock().is_none());
    for node in [&one, &two] {
        let refused = node.verify_token(&token).await.unwrap_err();
        assert_eq!(refused.code, Code::UserBanned);
        let refused = sign_in_again(node, app, "alice").await;
        assert_eq!(refused, Err(Code::UserBanned));
        assert_eq!(
            node.user_bans(app, "", 0).await.unwrap().bans,
            std::slice::from_ref(&ban)
        );
    }
    two.ban_user(app, &bob, two.until(60)).await.unwrap();
    let page = one.user_bans(app, "", 1).await.unwrap();
    assert_eq!((page.bans.len(), &*page.cursor), (1, "alice"));
    let page = one.user_bans(app, &page.cursor, 1).await.unwrap();
    assert_eq!((&page.bans[0].user, &*page.cursor), (&bob, ""));
    two.unban_user(app, &alice).await.unwrap();
    two.unban_user(app, &user("nobody")).await.unwrap();
    one.verify_token(&token).await.unwrap();
    sign_in_again(&one, app, "alice").await.unwrap();
    assert_eq!(one.user_bans(app, "", 0).await.unwrap().bans.len(), 1);
}

#[tokio::test]
async fn a_ban_is_over_when_its_time_is() {
    let (engine, app) = engine().await;
    let soon = Timestamp(engine.until(1).0 - 900);
    engine.ban_user(app, &user("alice"), soon).await.unwrap();
    until("the ban is over", async || {
        sign_in_again(&engine, app, "alice").await.is_ok()
    })
    .await;
    assert!(engine.user_bans(app, "", 0).await.unwrap().bans.is_empty());
}

#[tokio::test]
async fn app_wide_mutes_hold_on_all_nodes_for_messages_typing_and_changes() {
    let (hub, store) = (hub(), Store::memory());
    let (one, two) = (node(&hub, 1, &store).await, node(&hub, 2, &store).await);
    let app = one.create_app(None, "", false).await.unwrap().info.id;
    let names = ["alice", "bob", "carl"].map(user);
    let id = Some(GroupId::new("g").unwrap());
    one.create_group(app, By::Server, id, "", &names[0], &names)
        .await
        .unwrap();
    let group = ConversationId::Group(GroupId::new("g").unwrap());
    let chat = alice_and_bob();
    let code = async |engine: &Engine, from: &str, to: &ConversationId, id: &str| {
        send(engine, app, from, to, id)
            .await
            .map(drop)
            .map_err(|r| r.code)
    };
    for engine in [&one, &two] {
        code(engine, "alice", &chat, "m0").await.unwrap();
        code(engine, "alice", &group, "m0").await.unwrap();
    }
    let muted = Err(Code::MutedEverywhere);
    one.mute_everywhere(app, Kind::Group, &names[..1], one.until(60))
        .await
        .unwrap();
    for engine in [&one, &two] {
        until("the mute holds, whoever owns the group", async || {
            code(engine, "alice", &group, "m1").await == muted
        })
        .await;
        code(engine, "bob", &group, "m2").await.unwrap();
        code(engine, "alice", &chat, "m3").await.unwrap();
    }
    let mut typing = message(app, "alice", &group, "t");
    typing.options.transient = true;
    let refused = send_message(&one, typing).await.unwrap_err();
    assert_eq!(refused.code, Code::MutedEverywhere);
    assert!((1..=60_000).contains(&refused.retry_after_ms));
    let by = || By::User(user("alice"));
    let react = Change::React {
        reaction: "+1".into(),
        remove: false,
    };
    let refused = one.change_message(app, by(), &group, 2, react).await;
    assert_eq!(refused.unwrap_err().code, Code::MutedEverywhere);

    one.mute_everywhere(app, Kind::Group, &names[..1], Timestamp(0))
        .await
        .unwrap();
    one.exempt_everywhere(app, Kind::Private, &names[..1], true)
        .await
        .unwrap();
    two.mute_kind(app, Kind::Private, two.until(60))
        .await
        .unwrap();
    for engine in [&one, &two] {
        until("the kind is muted", async || {
            code(engine, "bob", &chat, "m4").await == muted
        })
        .await;
        until("but not for the exempt", async || {
            code(engine, "alice", &chat, "m5").await.is_ok()
                && code(engine, "alice", &group, "m6").await.is_ok()
        })
        .await;
    }
    let page = two.mutes(app, Kind::Private, MuteList::Exempt, "", 0).await;
    let page = page.unwrap();
    assert_eq!(page.users, [(user("alice"), Timestamp(0))]);
    assert!(page.all_until > Timestamp(0));
    let page = two.mutes(app, Kind::Group, MuteList::Muted, "", 0).await;
    assert_eq!(page.unwrap(), Default::default());
    one.mute_kind(app, Kind::Private, Timestamp(0))
        .await
        .unwrap();
    until("all may write again", async || {
        code(&two, "bob", &chat, "m7").await.is_ok()
    })
    .await;
}
