//! Block lists, bans and presence, over real sockets.

use anser_domain::UserId;
use anser_domain::control::AppSettingsChange;
use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::server::{Client, Server, hello, text};

const PLACE: &str = "p/alice/bob";

#[track_caller]
fn refusal(answer: Answer) -> wire::Error {
    match answer {
        Answer::Error(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_is_told_to_all_devices_and_holds() {
    let server = Server::plain().await;
    let mut phone = server.web("alice").await;
    let mut desk = server.native("alice").await;
    let mut bob = server.web("bob").await;
    let update = |add: &[&str], remove: &[&str]| {
        Command::UpdateRelations(wire::UpdateRelations {
            list: wire::RelationList::Blocked.into(),
            add: add.iter().map(ToString::to_string).collect(),
            remove: remove.iter().map(ToString::to_string).collect(),
            allow_only: None,
        })
    };
    let done = phone.call(update(&["bob"], &[])).await;
    assert_eq!(done, Answer::Done(wire::Done {}));
    let refused = refusal(bob.call(text(PLACE, "1", "hello")).await);
    assert_eq!((&*refused.name, refused.code), ("BLOCKED", 3040));
    for device in [&mut phone, &mut desk] {
        match device.find(|item| matches!(item, Item::Relation(_))).await {
            Item::Relation(push) => {
                assert_eq!(
                    (push.list(), push.version),
                    (wire::RelationList::Blocked, 1)
                );
                assert_eq!(push.added, ["bob"]);
            }
            other => panic!("{other:?}"),
        }
    }
    let list = Command::ListRelations(wire::ListRelations {
        list: wire::RelationList::Blocked.into(),
        ..Default::default()
    });
    match desk.call(list).await {
        Answer::Relations(page) => assert_eq!((page.users, page.version), (vec!["bob".into()], 1)),
        other => panic!("{other:?}"),
    }
    desk.call(update(&[], &["bob"])).await;
    match bob.call(text(PLACE, "2", "hello")).await {
        Answer::SendMessage(sent) => assert_eq!(sent.seq, 1),
        other => panic!("{other:?}"),
    }
    let nothing = Command::UpdateRelations(wire::UpdateRelations::default());
    assert_eq!(refusal(phone.call(nothing).await).code, 3000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_banned_is_told_so_and_kept_out() {
    let server = Server::plain().await;
    let token = server.token("alice").await;
    let mut alice = Client::web(server.http()).await;
    let app = {
        alice.sign_in(token.clone()).await;
        let engine = &server.context.engine;
        engine.verify_token(&token).await.unwrap().app
    };
    let engine = &server.context.engine;
    let user = UserId::new("alice").unwrap();
    engine.ban_user(app, &user, engine.until(60)).await.unwrap();
    assert_eq!(alice.end().await.0, Some(4003));
    let mut again = Client::web(server.http()).await;
    let refused = refusal(again.call(hello(token.clone())).await);
    assert_eq!((&*refused.name, refused.code), ("USER_BANNED", 4003));
    assert!((1..=60_000).contains(&refused.retry_after_ms));
    engine.unban_user(app, &user).await.unwrap();
    Client::web(server.http()).await.sign_in(token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_is_subscribed_to_and_pushed() {
    let server = Server::plain().await;
    let engine = &server.context.engine;
    let token = server.token("alice").await;
    let app = engine.verify_token(&token).await.unwrap().app;
    let mut alice = server.web("alice").await;
    let subscribe = || {
        Command::SubscribePresence(wire::SubscribePresence {
            users: vec!["bob".into()],
            seconds: 60,
        })
    };
    assert_eq!(&*refusal(alice.call(subscribe()).await).name, "NOT_ALLOWED");
    let on = AppSettingsChange {
        presence: Some(Some(true)),
        ..AppSettingsChange::default()
    };
    engine.change_app_settings(app, &on).await.unwrap();
    match alice.call(subscribe()).await {
        Answer::Presences(list) => assert!(!list.presences[0].online),
        other => panic!("{other:?}"),
    }
    let mut bob = server.native("bob").await;
    let about_bob = |item: &Item| matches!(item, Item::Presence(it) if it.user == "bob");
    match alice.find(about_bob).await {
        Item::Presence(told) => {
            assert!(told.online);
            assert_eq!(told.devices[0].device_id, "device");
            assert_eq!(told.devices[0].platform(), wire::Platform::Web);
        }
        other => panic!("{other:?}"),
    }
    let set = Command::SetPresenceStatus(wire::SetPresenceStatus {
        status: "at lunch".into(),
        seconds: 60,
    });
    assert_eq!(bob.call(set).await, Answer::Done(wire::Done {}));
    match alice.find(about_bob).await {
        Item::Presence(told) => assert_eq!(told.status, "at lunch"),
        other => panic!("{other:?}"),
    }
    let get = Command::GetPresence(wire::GetPresence {
        users: vec!["bob".into()],
    });
    match alice.call(get).await {
        Answer::Presences(list) => assert_eq!(list.presences[0].status, "at lunch"),
        other => panic!("{other:?}"),
    }
    let list = Command::ListPresenceSubscriptions(wire::ListPresenceSubscriptions {});
    match alice.call(list).await {
        Answer::PresenceSubscriptions(list) => assert_eq!(list.subscriptions[0].user, "bob"),
        other => panic!("{other:?}"),
    }
}
