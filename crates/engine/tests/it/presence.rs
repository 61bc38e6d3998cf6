//! Presence: who is told what of whom.

use anser_domain::control::AppSettingsChange;
use anser_domain::{AppId, Code, Platform};
use anser_engine::presence::Presence;
use anser_engine::{Engine, EventBody};
use anser_store::Store;

use crate::world::{Device, engine, hub, node, sign_in, until, user};

async fn switch_on(engine: &Engine, app: AppId) {
    let on = AppSettingsChange {
        presence: Some(Some(true)),
        ..AppSettingsChange::default()
    };
    engine.change_app_settings(app, &on).await.unwrap();
}

/// What the device was told of presence, in its order.
fn told(device: &Device) -> Vec<Presence> {
    let events = device.told.events.lock();
    let told = events.iter().filter_map(|event| match &event.body {
        EventBody::Presence(told) => Some((**told).clone()),
        _ => None,
    });
    told.collect()
}

fn online(told: &Presence) -> Vec<(Platform, bool)> {
    let mut devices: Vec<_> = told
        .devices
        .iter()
        .map(|it| (it.platform, it.online))
        .collect();
    devices.sort_unstable();
    devices
}

#[tokio::test]
async fn who_subscribes_is_told_of_devices_and_status() {
    let (engine, app) = engine().await;
    let (alice, bob) = (user("alice"), user("bob"));
    let off = engine.presences(app, std::slice::from_ref(&bob)).await;
    assert_eq!(off.unwrap_err().code, Code::NotAllowed);
    let early = sign_in(&engine, app, "carl", Platform::Ios).await;
    switch_on(&engine, app).await;
    until("who was there before shows up", async || {
        let told = engine.presences(app, &[user("carl")]).await.unwrap();
        told[0].is_online()
    })
    .await;
    drop(early);

    let watcher = sign_in(&engine, app, "alice", Platform::Web).await;
    let stranger = sign_in(&engine, app, "dora", Platform::Web).await;
    let now = engine
        .subscribe_presence(app, &alice, std::slice::from_ref(&bob), 60)
        .await;
    let now = now.unwrap();
    assert_eq!((now.len(), now[0].is_online()), (1, false));
    assert_eq!(now[0].last_seen().0, 0);
    let watched = engine.presence_subscriptions(app, &alice).await.unwrap();
    assert_eq!((watched.len(), &*watched[0].user), (1, "bob"));

    let phone = sign_in(&engine, app, "bob", Platform::Ios).await;
    let last = |wanted: Vec<(Platform, bool)>| {
        let told = told(&watcher);
        told.last()
            .is_some_and(|told| &*told.user == "bob" && online(told) == wanted)
    };
    until("the phone is told", async || {
        last(vec![(Platform::Ios, true)])
    })
    .await;
    let desk = sign_in(&engine, app, "bob", Platform::Desktop).await;
    let both = || vec![(Platform::Ios, true), (Platform::Desktop, true)];
    until("and the desktop", async || last(both())).await;
    engine
        .set_presence_status(app, &bob, "at lunch", 60)
        .await
        .unwrap();
    let status = told(&watcher).pop().unwrap();
    assert_eq!((&*status.status, online(&status)), ("at lunch", both()));
    engine.close_session(phone.id);
    let left = vec![(Platform::Ios, false), (Platform::Desktop, true)];
    until("that the phone went", async || last(left.clone())).await;
    engine.close_session(desk.id);
    until("that all went", async || {
        told(&watcher)
            .last()
            .is_some_and(|told| !told.is_online() && told.last_seen().0 > 0)
    })
    .await;
    let asked = engine
        .presences(app, std::slice::from_ref(&bob))
        .await
        .unwrap();
    assert_eq!(Some(&asked[0]), told(&watcher).last());
    assert!(told(&stranger).is_empty());

    let count = told(&watcher).len();
    engine
        .subscribe_presence(app, &alice, std::slice::from_ref(&bob), 0)
        .await
        .unwrap();
    engine
        .subscribe_presence(app, &user("dora"), std::slice::from_ref(&bob), 60)
        .await
        .unwrap();
    engine.set_presence_status(app, &bob, "", 0).await.unwrap();
    assert_eq!((told(&stranger).len(), told(&watcher).len()), (1, count));
    let watched = engine.presence_subscriptions(app, &alice).await.unwrap();
    assert!(watched.is_empty());
}

#[tokio::test]
async fn a_home_that_goes_leaves_nobody_offline() {
    let (hub, store) = (hub(), Store::memory());
    let one = node(&hub, 1, &store).await;
    let two = node(&hub, 2, &store).await;
    let app = one.create_app(None, "", false).await.unwrap().info.id;
    switch_on(&one, app).await;
    let names: Vec<String> = (0..8).map(|n| format!("u{n}")).collect();
    let users: Vec<_> = names.iter().map(|name| user(name)).collect();
    let watcher = sign_in(&one, app, "watcher", Platform::Web).await;
    let watching = user("watcher");
    until("the node knows that it is on", async || {
        let subscribed = one.subscribe_presence(app, &watching, &users, 60);
        subscribed.await.is_ok()
    })
    .await;
    let mut phones = Vec::new();
    for name in &names {
        phones.push(sign_in(&one, app, name, Platform::Ios).await);
    }
    let is_told = |platform: Platform| {
        let told = told(&watcher);
        names.iter().all(|name| {
            let of = told.iter().rfind(|told| &*told.user == name.as_str());
            of.is_some_and(|told| online(told).contains(&(platform, true)))
        })
    };
    until("all are online, whichever node is their home", async || {
        is_told(Platform::Ios)
    })
    .await;
    two.stop().await;
    let mut desks = Vec::new();
    for name in &names {
        until("the node takes over", async || {
            let sessions = one.sessions(app, &user(name)).await;
            sessions.is_ok_and(|sessions| !sessions.is_empty())
        })
        .await;
        desks.push(sign_in(&one, app, name, Platform::Desktop).await);
    }
    until("what comes after is told", async || {
        is_told(Platform::Desktop)
    })
    .await;
    let away = told(&watcher).iter().any(|told| {
        let phone = online(told).contains(&(Platform::Ios, true));
        !told.is_online() || !phone
    });
    assert!(!away, "nobody seemed to go");
}

#[tokio::test]
async fn who_was_connected_when_the_server_died_is_away_after_a_restart() {
    let store = Store::memory();
    let first = node(&hub(), 1, &store).await;
    let app = first.create_app(None, "", false).await.unwrap().info.id;
    switch_on(&first, app).await;
    let phone = sign_in(&first, app, "bob", Platform::Ios).await;
    let is_online = async |engine: &Engine| {
        let told = engine.presences(app, &[user("bob")]).await.unwrap();
        told[0].is_online()
    };
    until("bob is online", async || is_online(&first).await).await;
    // Nothing of it tells the second one.
    let second = node(&hub(), 1, &store).await;
    until("bob is not", async || !is_online(&second).await).await;
    drop((first, phone));
}

#[tokio::test]
async fn subscriptions_and_status_have_limits() {
    let (engine, app) = engine().await;
    switch_on(&engine, app).await;
    let alice = user("alice");
    let many = |from: usize, n: usize| -> Vec<_> {
        (from..from + n).map(|n| user(&format!("u{n}"))).collect()
    };
    let subscribe = async |users: &[_], seconds| {
        let subscribed = engine.subscribe_presence(app, &alice, users, seconds).await;
        subscribed.map(drop).map_err(|reject| reject.code)
    };
    let invalid = Err(Code::InvalidRequest);
    assert_eq!(subscribe(&many(0, 101), 60).await, invalid);
    assert_eq!(subscribe(&[], 60).await, invalid);
    assert_eq!(subscribe(&many(0, 1), 2_592_001).await, invalid);
    for hundred in 0..10 {
        subscribe(&many(hundred * 100, 100), 60).await.unwrap();
    }
    assert_eq!(subscribe(&many(1_000, 1), 60).await, invalid);
    subscribe(&many(0, 1), 0).await.unwrap();
    subscribe(&many(1_000, 1), 60).await.unwrap();
    let status = "x".repeat(257);
    let refused = engine.set_presence_status(app, &alice, &status, 1).await;
    assert_eq!(refused.unwrap_err().code, Code::InvalidRequest);
}
