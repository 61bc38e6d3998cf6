//! Conversations of the app's backend: subscribed to, or for everyone.

use std::sync::Arc;
use std::time::Duration;

use anser_domain::{AppId, Code, ConversationId, GroupId, Platform};
use anser_engine::group::By;
use anser_engine::message::{Change, PageRequest, SendResult};
use anser_engine::sync::{SyncRequest, SyncResult};
use anser_engine::system::{NewSystem, SystemUpdate};
use anser_engine::{Engine, EventBody};
use anser_store::Store;

use crate::world::{Device, engine, hub, message, node, send_message, sign_in, until, user};

fn id(name: &str) -> GroupId {
    GroupId::new(name).unwrap()
}

fn news() -> ConversationId {
    ConversationId::System(id("news"))
}

async fn create(engine: &Engine, app: AppId, name: &str, everyone: bool) -> Result<(), Code> {
    let new = NewSystem {
        id: Some(id(name)),
        name: name.to_uppercase(),
        everyone,
        ..NewSystem::default()
    };
    let made = engine.create_system(app, new).await;
    made.map(drop).map_err(|reject| reject.code)
}

async fn subscribe(engine: &Engine, app: AppId, users: &[&str]) {
    let users: Vec<_> = users.iter().map(|name| user(name)).collect();
    engine
        .subscribe(app, &id("news"), &users, true)
        .await
        .unwrap();
    for one in &users {
        until("the list has it", async || {
            engine
                .conversation(app, one, &news())
                .await
                .is_ok_and(|view| view.member)
        })
        .await;
    }
}

/// The backend speaks.
async fn say(
    engine: &Engine,
    app: AppId,
    text: &str,
    targets: &[&str],
) -> Result<SendResult, Code> {
    let mut message = message(app, "desk", &news(), text);
    message.options.by_server = true;
    message.options.targets = targets.iter().map(|name| user(name)).collect();
    send_message(engine, message).await.map_err(|it| it.code)
}

/// A user writes.
async fn write(engine: &Engine, app: AppId, from: &str, text: &str) -> Result<SendResult, Code> {
    let sent = send_message(engine, message(app, from, &news(), text)).await;
    sent.map_err(|reject| reject.code)
}

async fn sync(device: &Device) -> SyncResult {
    let request = SyncRequest {
        session: Some(device.id),
        ..SyncRequest::default()
    };
    let synced = device.engine.sync(device.app, &device.user, request).await;
    synced.unwrap()
}

/// A device that is connected and in step.
async fn online(engine: &Engine, app: AppId, name: &str) -> Device {
    let device = sign_in(engine, app, name, Platform::Web).await;
    sync(&device).await;
    device
}

/// Sequence and `prev` of what the device was pushed.
fn pushed(device: &Device) -> Vec<(u64, u64)> {
    let push = |event: &Arc<anser_engine::Event>| match &event.body {
        EventBody::Message { message, prev } => Some((message.seq, *prev)),
        _ => None,
    };
    let events = device.told.events.lock();
    events.iter().filter_map(push).collect()
}

fn changes(device: &Device) -> usize {
    let events = device.told.events.lock();
    let changes = events.iter();
    changes
        .filter(|event| matches!(event.body, EventBody::Change { .. }))
        .count()
}

#[tokio::test]
async fn subscribers_get_what_is_sent_from_then_on() {
    let (engine, app) = engine().await;
    create(&engine, app, "news", false).await.unwrap();
    assert_eq!(
        create(&engine, app, "news", false).await,
        Err(Code::AlreadyExists)
    );
    let alice = online(&engine, app, "alice").await;
    subscribe(&engine, app, &["alice"]).await;
    let first = say(&engine, app, "one", &[]).await.unwrap();
    assert_eq!(
        first,
        say(&engine, app, "one", &[]).await.unwrap(),
        "a retry"
    );
    subscribe(&engine, app, &["bob"]).await;
    say(&engine, app, "two", &[]).await.unwrap();
    until(
        "who was connected when subscribed is pushed to",
        async || pushed(&alice) == [(1, 0), (2, 1)],
    )
    .await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    let missed = sync(&bob).await;
    assert_eq!(missed.conversations.len(), 1);
    let view = &missed.conversations[0];
    assert_eq!((view.unread, view.first_seq, view.head_seq), (1, 2, 2));
    assert_eq!(
        (&*view.name, view.newest.as_ref().unwrap().seq),
        ("NEWS", 2)
    );
    assert_eq!(bob.history(&news()).await, Ok(vec![2]));
    assert_eq!(alice.history(&news()).await, Ok(vec![1, 2]));
    assert_eq!(alice.unread(&news()).await, 2);
    let read = engine
        .mark_read(app, &alice.user, &news(), 1)
        .await
        .unwrap();
    assert_eq!((read.read_seq, read.unread), (1, 1));
    let carol = sign_in(&engine, app, "carol", Platform::Web).await;
    assert_eq!(carol.history(&news()).await, Err(Code::NotAMember));
    assert_eq!(
        write(&engine, app, "carol", "hi").await,
        Err(Code::NotAMember)
    );

    // Who goes hears no more; who comes back begins anew.
    let gone = [user("alice")];
    engine
        .subscribe(app, &id("news"), &gone, false)
        .await
        .unwrap();
    until("the list says so", async || {
        !engine
            .conversation(app, &alice.user, &news())
            .await
            .unwrap()
            .member
    })
    .await;
    say(&engine, app, "three", &[]).await.unwrap();
    until("bob has it", async || pushed(&bob) == [(3, 2)]).await;
    assert_eq!(pushed(&alice).len(), 2);
    assert_eq!(alice.history(&news()).await, Err(Code::NotAMember));
    let page = engine.subscribers(app, &id("news"), "", 0).await.unwrap();
    assert_eq!(page.subscribers.len(), 1);
    subscribe(&engine, app, &["alice"]).await;
    assert_eq!(alice.history(&news()).await, Ok(vec![]));
}

#[tokio::test]
async fn everyone_sees_what_was_sent_since_they_came() {
    let (engine, app) = engine().await;
    let alice = online(&engine, app, "alice").await;
    create(&engine, app, "news", true).await.unwrap();
    let subscribed = engine
        .subscribe(app, &id("news"), &[user("alice")], true)
        .await;
    assert_eq!(subscribed.unwrap_err().code, Code::EveryoneSubscribed);
    say(&engine, app, "one", &[]).await.unwrap();
    say(&engine, app, "two", &[]).await.unwrap();
    until("all sessions of the app hear it", async || {
        pushed(&alice) == [(1, 0), (2, 1)]
    })
    .await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let dora = online(&engine, app, "dora").await;
    assert_eq!(dora.history(&news()).await, Ok(vec![]));
    say(&engine, app, "three", &[]).await.unwrap();
    assert_eq!(dora.history(&news()).await, Ok(vec![3]));
    assert_eq!(dora.unread(&news()).await, 1);
    let listed = sync(&alice).await.conversations;
    assert_eq!(
        (listed.len(), listed[0].unread, listed[0].first_seq),
        (1, 3, 1)
    );
    until("who came later too", async || pushed(&dora) == [(3, 2)]).await;
    // What a user sets for themself holds.
    engine
        .delete_conversation(app, &dora.user, &news(), true)
        .await
        .unwrap();
    assert!(sync(&dora).await.conversations[0].is_hidden());
    say(&engine, app, "four", &[]).await.unwrap();
    assert_eq!(dora.history(&news()).await, Ok(vec![4]));
    assert_eq!(sync(&dora).await.conversations[0].unread, 1);
}

#[tokio::test]
async fn an_app_has_few_for_everyone_and_a_dismissed_one_makes_room() {
    let (engine, app) = engine().await;
    for n in 0..8 {
        create(&engine, app, &format!("n{n}"), true).await.unwrap();
    }
    let ninth = create(&engine, app, "n8", true).await;
    assert_eq!(ninth, Err(Code::TooManyForEveryone));
    assert_eq!(create(&engine, app, "other", false).await, Ok(()));
    let erin = online(&engine, app, "erin").await;
    assert_eq!(sync(&erin).await.conversations.len(), 8);
    let before = sync(&erin).await;
    engine.dismiss_system(app, &id("n3")).await.unwrap();
    let again = engine.dismiss_system(app, &id("n3")).await;
    assert_eq!(again.unwrap_err().code, Code::GroupDismissed);
    assert_eq!(create(&engine, app, "n8", true).await, Ok(()));
    let since = SyncRequest {
        epoch: before.epoch,
        feed_version: before.feed_version,
        synced: before.synced,
        ..SyncRequest::default()
    };
    let missed = engine.sync(app, &erin.user, since).await.unwrap();
    let dismissed = missed.conversations.iter().find(|it| &*it.id == "s/n3");
    assert!(!dismissed.unwrap().member, "a device that has it drops it");
    let listed = engine.systems(app, "", 100).await.unwrap();
    assert_eq!(listed.conversations.len(), 9);
    let page = engine.systems(app, "", 4).await.unwrap();
    let rest = engine.systems(app, &page.cursor, 100).await.unwrap();
    assert_eq!(page.conversations.len() + rest.conversations.len(), 9);
}

#[tokio::test]
async fn some_are_named_and_a_user_is_heard_by_the_backend_alone() {
    let (engine, app) = engine().await;
    create(&engine, app, "news", false).await.unwrap();
    subscribe(&engine, app, &["alice", "bob"]).await;
    let alice = online(&engine, app, "alice").await;
    let bob = online(&engine, app, "bob").await;
    say(&engine, app, "1", &[]).await.unwrap();
    say(&engine, app, "2", &["alice"]).await.unwrap();
    let own = write(&engine, app, "alice", "3").await.unwrap();
    assert_eq!((own.seq, own.prev), (3, 2));
    write(&engine, app, "bob", "4").await.unwrap();
    say(&engine, app, "5", &[]).await.unwrap();
    assert_eq!(
        say(&engine, app, "x", &["carol"]).await,
        Err(Code::InvalidRequest),
        "who is not subscribed can't be named"
    );
    let mut rude = message(app, "alice", &news(), "y");
    rude.options.targets = vec![user("bob")];
    let refused = send_message(&engine, rude).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidRequest);
    until("alice has hers, in a chain", async || {
        let mut all = pushed(&alice);
        all.sort_unstable();
        all == [(1, 0), (2, 1), (3, 2), (5, 3)]
    })
    .await;
    until("and bob his", async || {
        let mut all = pushed(&bob);
        all.sort_unstable();
        all == [(1, 0), (4, 1), (5, 4)]
    })
    .await;
    assert_eq!(alice.history(&news()).await, Ok(vec![1, 2, 3, 5]));
    assert_eq!(bob.history(&news()).await, Ok(vec![1, 4, 5]));
    assert_eq!(
        (alice.unread(&news()).await, bob.unread(&news()).await),
        (3, 2)
    );
    let read = engine
        .mark_read(app, &alice.user, &news(), 1)
        .await
        .unwrap();
    assert_eq!(read.unread, 2);
    let all = PageRequest {
        from_seq: 0,
        descending: false,
        limit: 100,
    };
    let page = engine.pull(app, None, &news(), all).await.unwrap();
    assert_eq!(page.messages.len(), 5, "the server API sees all");
    // What is written to others neither moves the list nor brings back what was deleted.
    engine
        .delete_conversation(app, &bob.user, &news(), false)
        .await
        .unwrap();
    write(&engine, app, "alice", "6").await.unwrap();
    assert!(sync(&bob).await.conversations[0].is_hidden());
    let seen = &sync(&alice).await.conversations[0];
    assert_eq!((seen.head_seq, seen.newest.as_ref().unwrap().seq), (6, 6));
    let listed = engine.conversation(app, &bob.user, &news()).await.unwrap();
    assert_eq!(listed.head_seq, 5);
}

#[tokio::test]
async fn a_page_costs_no_more_however_much_is_written_to_others() {
    let (engine, app) = engine().await;
    create(&engine, app, "news", true).await.unwrap();
    let alice = online(&engine, app, "alice").await;
    let _other = online(&engine, app, "bob").await;
    say(&engine, app, "first", &[]).await.unwrap();
    for n in 0..1_200 {
        write(&engine, app, "bob", &n.to_string()).await.unwrap();
    }
    write(&engine, app, "alice", "mine").await.unwrap();
    assert_eq!(alice.history(&news()).await, Ok(vec![1, 1_202]));
    let view = engine
        .conversation(app, &alice.user, &news())
        .await
        .unwrap();
    assert_eq!((view.unread, view.newest.unwrap().seq), (1, 1_202));
    let below = PageRequest {
        from_seq: 0,
        descending: true,
        limit: 1,
    };
    let page = engine
        .pull(app, Some(&alice.user), &news(), below)
        .await
        .unwrap();
    assert_eq!(
        (page.messages[0].seq, page.more, page.next_seq),
        (1_202, true, 1_202)
    );
    let below = PageRequest {
        from_seq: page.next_seq,
        ..below
    };
    let page = engine
        .pull(app, Some(&alice.user), &news(), below)
        .await
        .unwrap();
    assert_eq!((page.messages[0].seq, page.more), (1, false));
}

#[tokio::test]
async fn messages_are_changed_by_the_backend_and_by_who_wrote_them() {
    let (engine, app) = engine().await;
    create(&engine, app, "news", false).await.unwrap();
    subscribe(&engine, app, &["alice", "bob"]).await;
    let alice = online(&engine, app, "alice").await;
    let bob = online(&engine, app, "bob").await;
    say(&engine, app, "1", &[]).await.unwrap();
    write(&engine, app, "alice", "2").await.unwrap();
    let edit = Change::Edit {
        content_type: "text".into(),
        body: "one".into(),
        mention: None,
    };
    let change = async |by: By, seq, change: Change| {
        let changed = engine.change_message(app, by, &news(), seq, change).await;
        changed.map(drop).map_err(|reject| reject.code)
    };
    change(By::Server, 1, edit.clone()).await.unwrap();
    until("all are told", async || {
        changes(&alice) == 1 && changes(&bob) == 1
    })
    .await;
    let by = |name| By::User(user(name));
    assert_eq!(change(by("alice"), 1, edit).await, Err(Code::NotInSystem));
    assert_eq!(
        change(by("bob"), 2, Change::Recall).await,
        Err(Code::NotFound)
    );
    change(by("alice"), 2, Change::Recall).await.unwrap();
    until("the writer's devices are told", async || {
        changes(&alice) == 2
    })
    .await;
    change(By::Server, 1, Change::Recall).await.unwrap();
    until("all are told again", async || changes(&bob) == 2).await;
    assert_eq!(bob.unread(&news()).await, 0);
    let missed = engine
        .pull_changes(app, Some(&bob.user), &news(), 0, 0)
        .await;
    assert_eq!(missed.unwrap().messages.len(), 1);
}

#[tokio::test]
async fn a_retry_gets_the_first_result_whoever_has_gone_meanwhile() {
    let (engine, app) = engine().await;
    create(&engine, app, "news", false).await.unwrap();
    subscribe(&engine, app, &["alice"]).await;
    let said = say(&engine, app, "1", &["alice"]).await.unwrap();
    let written = write(&engine, app, "alice", "2").await.unwrap();
    let alice = [user("alice")];
    let gone = engine.subscribe(app, &id("news"), &alice, false).await;
    gone.unwrap();
    assert_eq!(say(&engine, app, "1", &["alice"]).await, Ok(said));
    assert_eq!(write(&engine, app, "alice", "2").await, Ok(written));
    let new = [
        say(&engine, app, "3", &["alice"]).await,
        write(&engine, app, "alice", "4").await,
    ];
    assert_eq!(new, [Err(Code::InvalidRequest), Err(Code::NotAMember)]);
}

#[tokio::test]
async fn nothing_shows_one_subscriber_to_another() {
    let (engine, app) = engine().await;
    create(&engine, app, "news", false).await.unwrap();
    subscribe(&engine, app, &["alice"]).await;
    say(&engine, app, "1", &[]).await.unwrap();
    let alice = user("alice");
    let refused = [
        engine.mark_delivered(app, &alice, &news(), 1).await.err(),
        engine.acknowledge(app, &alice, &news(), &[1]).await.err(),
        engine.receipts(app, &alice, &news(), 0, 0).await.err(),
        engine.readers(app, None, &news(), 1, "", 0).await.err(),
    ];
    for reject in refused {
        assert_eq!(reject.unwrap().code, Code::NotInSystem);
    }
    let mut asks = message(app, "alice", &news(), "2");
    asks.options.receipt_wanted = true;
    let refused = send_message(&engine, asks).await.unwrap_err();
    assert_eq!(refused.code, Code::NotInSystem);
}

#[tokio::test]
async fn who_is_online_hears_what_is_not_stored() {
    let (engine, app) = engine().await;
    create(&engine, app, "news", false).await.unwrap();
    subscribe(&engine, app, &["alice"]).await;
    let alice = online(&engine, app, "alice").await;
    let bob = online(&engine, app, "bob").await;
    let mut now = message(app, "desk", &news(), "now");
    (now.options.by_server, now.options.transient) = (true, true);
    let sent = send_message(&engine, now).await.unwrap();
    assert_eq!(sent.seq, 0);
    until("alice hears it", async || pushed(&alice) == [(0, 0)]).await;
    assert_eq!(alice.history(&news()).await, Ok(vec![]));
    let mut user_says = message(app, "bob", &news(), "hey");
    user_says.options.transient = true;
    let refused = send_message(&engine, user_says).await.unwrap_err();
    assert_eq!(refused.code, Code::NotAMember);
    assert!(pushed(&bob).is_empty());
}

#[tokio::test]
async fn one_message_reaches_the_sessions_of_all_nodes() {
    let (hub, store) = (hub(), Store::memory());
    let mut nodes = Vec::new();
    for id in 1..=3 {
        nodes.push(node(&hub, id, &store).await);
    }
    let app = nodes[0].create_app(None, "", false).await.unwrap().info.id;
    create(&nodes[1], app, "news", false).await.unwrap();
    let names: Vec<String> = (0..9).map(|n| format!("u{n}")).collect();
    let mut devices = Vec::new();
    for (n, name) in names.iter().enumerate() {
        devices.push(online(&nodes[n % 3], app, name).await);
    }
    // Those who are connected already, from another node than theirs.
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    subscribe(&nodes[2], app, &all).await;
    for device in &devices {
        until("the device knows", async || {
            let events = device.told.events.lock();
            events.iter().any(
                |event| matches!(&event.body, EventBody::Conversation { view, .. } if view.member),
            )
        })
        .await;
    }
    for n in 1..=6_usize {
        say(&nodes[n % 3], app, &n.to_string(), &[]).await.unwrap();
    }
    say(&nodes[0], app, "7", &["u3"]).await.unwrap();
    say(&nodes[1], app, "8", &[]).await.unwrap();
    for (n, device) in devices.iter().enumerate() {
        until("all are told of all", async || {
            let mut all = pushed(device);
            all.sort_unstable();
            all.dedup_by_key(|push| push.0);
            let seqs: Vec<u64> = all.iter().map(|push| push.0).collect();
            match n {
                3 => seqs == [1, 2, 3, 4, 5, 6, 7, 8],
                _ => seqs == [1, 2, 3, 4, 5, 6, 8],
            }
        })
        .await;
    }
    assert_eq!(pushed(&devices[0]).last(), Some(&(8, 6)));
    assert_eq!(devices[4].unread(&news()).await, 7);
    assert_eq!(devices[3].unread(&news()).await, 8);
}

#[tokio::test]
async fn apps_do_not_see_one_another() {
    let (engine, app) = engine().await;
    let other = engine
        .create_app(Some("other"), "", false)
        .await
        .unwrap()
        .info
        .id;
    create(&engine, app, "news", true).await.unwrap();
    let alice = online(&engine, app, "alice").await;
    let stranger = online(&engine, other, "alice").await;
    say(&engine, app, "1", &[]).await.unwrap();
    until("alice hears it", async || pushed(&alice) == [(1, 0)]).await;
    assert!(pushed(&stranger).is_empty());
    assert!(sync(&stranger).await.conversations.is_empty());
    assert_eq!(stranger.history(&news()).await, Err(Code::NotFound));
    assert_eq!(
        engine.system(other, &id("news")).await.unwrap_err().code,
        Code::NotFound
    );
    assert!(
        engine
            .systems(other, "", 0)
            .await
            .unwrap()
            .conversations
            .is_empty()
    );
    assert_eq!(create(&engine, other, "news", false).await, Ok(()));
}

#[tokio::test]
async fn what_is_told_of_it_changes() {
    let (engine, app) = engine().await;
    create(&engine, app, "news", true).await.unwrap();
    let alice = online(&engine, app, "alice").await;
    let before = sync(&alice).await;
    let update = SystemUpdate {
        name: Some("Daily".into()),
        portrait: Some("https://example.com/a.png".into()),
        ..SystemUpdate::default()
    };
    let updated = engine
        .update_system(app, &id("news"), update)
        .await
        .unwrap();
    assert_eq!((&*updated.name, updated.everyone), ("Daily", true));
    assert_eq!(engine.system(app, &id("news")).await.unwrap(), updated);
    let since = SyncRequest {
        epoch: before.epoch,
        feed_version: before.feed_version,
        synced: before.synced,
        ..SyncRequest::default()
    };
    let missed = engine.sync(app, &alice.user, since).await.unwrap();
    assert_eq!(missed.conversations[0].name, "Daily");
    say(&engine, app, "1", &[]).await.unwrap();
    assert_eq!(
        alice.unread(&news()).await,
        1,
        "who appends knows the new head"
    );
    let none = engine
        .update_system(app, &id("none"), SystemUpdate::default())
        .await;
    assert_eq!(none.unwrap_err().code, Code::NotFound);
}
