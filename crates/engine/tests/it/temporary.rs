//! Temporary conversations: like created ones, until their time is over; then nothing is left.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anser_domain::query::{Filter, Sorting};
use anser_domain::settings::SettingsChange;
use anser_domain::{AppId, Code, ConversationId, Platform, Reject, Timestamp};
use anser_engine::created::{NewConversation, Query};
use anser_engine::group::{By, GroupChange, Members};
use anser_engine::message::{Change, PageRequest};
use anser_engine::sync::SyncRequest;
use anser_engine::tables::{CATALOG, ENDED, MESSAGE, SENT};
use anser_engine::{Engine, EventBody};
use anser_store::{Key, Outcome, SHARD_COUNT, Scan, Shard, Store, Unit};
use bytes::Bytes;

use crate::created::{by, new};
use crate::world::{Device, hub, message, node_at, send, send_message, sign_in, until, user};

/// From the end until the rows go, and a little more.
const GRACE_MS: u64 = 61_000;

async fn create(engine: &Engine, app: AppId, members: &[&str], seconds: u32) -> ConversationId {
    let new = NewConversation {
        attributes: Default::default(),
        temporary_seconds: Some(seconds),
        ..new("alice", members)
    };
    let made = engine.create_conversation(app, by("alice"), new).await;
    let conversation = made.unwrap().conversation.conversation();
    assert!(matches!(conversation, ConversationId::Temporary(_)));
    conversation
}

/// All rows that name the conversation, in keys or values, but for what is remembered of its end.
async fn rows_about(store: &Store, id: &ConversationId) -> Vec<Key> {
    let name = id.to_string().into_bytes();
    let names = |bytes: &Bytes| bytes.windows(name.len()).any(|part| part == name);
    let mut found = Vec::new();
    for (space, _) in CATALOG.iter().filter(|(space, _)| *space != ENDED) {
        for shard in (0..SHARD_COUNT).map(Shard) {
            let all = Scan::range(*space, shard, Bound::Unbounded, Bound::Unbounded);
            let page = store.scan(all.limit(1_000)).await.unwrap();
            let rows = page.rows.into_iter();
            let about = rows.filter(|(key, value)| names(key) || names(value));
            found.extend(about.map(|(key, _)| Key::new(*space, shard, key)));
        }
    }
    found
}

fn code<T>(result: Result<T, Reject>) -> Option<Code> {
    result.err().map(|reject| reject.code)
}

/// What every way in answers.
async fn answers(engine: &Engine, app: AppId, id: &ConversationId) -> Vec<Option<Code>> {
    let bob = user("bob");
    let page = PageRequest {
        from_seq: 0,
        descending: true,
        limit: 10,
    };
    let mut transient = message(app, "bob", id, "transient");
    transient.options.transient = true;
    let pin = SettingsChange {
        pinned: Some(true),
        ..SettingsChange::default()
    };
    let by_bob = || By::User(user("bob"));
    vec![
        code(send(engine, app, "bob", id, "late").await),
        code(send_message(engine, transient).await),
        code(engine.pull(app, Some(&bob), id, page).await),
        code(engine.pull(app, None, id, page).await),
        code(engine.mark_read(app, &bob, id, 2).await),
        code(engine.mark_delivered(app, &bob, id, 2).await),
        code(engine.receipts(app, &bob, id, 0, 0).await),
        code(engine.readers(app, None, id, 2, "", 0).await),
        code(engine.acknowledge(app, &bob, id, &[2]).await),
        code(engine.delete_messages(app, &bob, id, &[2]).await),
        code(engine.deleted(app, &bob, id, 0, 0).await),
        code(engine.mentions(app, &bob, id).await),
        code(engine.messages(app, Some(&bob), id, &[2]).await),
        code(engine.pull_changes(app, Some(&bob), id, 0, 0).await),
        code(engine.pull_changes(app, None, id, 0, 0).await),
        code(engine.former_contents(app, id, 2, 0, 0).await),
        code(
            engine
                .change_message(app, By::Server, id, 2, Change::Recall)
                .await,
        ),
        code(engine.conversation(app, &bob, id).await),
        code(engine.update_conversation(app, &bob, id, &pin).await),
        code(engine.clear_history(app, &bob, id, 0).await),
        code(engine.created(app, by_bob(), id).await),
        code(engine.created(app, By::Server, id).await),
        code(
            engine
                .created_members(app, by_bob(), id, Members::All, "", 0)
                .await,
        ),
        code(engine.created_blocks(app, By::Server, id, "", 0).await),
        code(
            engine
                .change_created(app, by_bob(), id, GroupChange::Add(vec![user("erin")]))
                .await,
        ),
        code(engine.delete_conversation(app, &bob, id, false).await),
    ]
}

fn check_over(answers: &[Option<Code>]) {
    for (at, answer) in answers.iter().enumerate() {
        assert_eq!(*answer, Some(Code::ConversationOver), "way in {at}");
    }
}

async fn names(device: &Device) -> Vec<String> {
    let page = device.engine.conversations(device.app, &device.user, "", 0);
    let listed = page.await.unwrap().conversations;
    listed.iter().map(|view| view.id.to_string()).collect()
}

#[tokio::test]
async fn it_is_used_like_any_other_and_leaves_nothing() {
    let (store, ahead) = (Store::memory(), Arc::<AtomicU64>::default());
    let engine = node_at(&hub(), 1, &store, &ahead).await;
    let app = engine.create_app(None, "", false).await.unwrap().info.id;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    let id = create(&engine, app, &["bob", "carol", "dave"], 60).await;
    until("it is in bob's list", async || {
        names(&bob).await == [id.to_string()]
    })
    .await;
    let mut said = message(app, "alice", &id, "hello");
    said.options.receipt_wanted = true;
    assert_eq!(send_message(&engine, said).await.unwrap().seq, 2);
    assert_eq!(bob.unread(&id).await, 1);
    engine.mark_read(app, &bob.user, &id, 2).await.unwrap();
    engine.acknowledge(app, &bob.user, &id, &[2]).await.unwrap();
    send(&engine, app, "bob", &id, "oops").await.unwrap();
    engine
        .change_message(app, by("bob"), &id, 3, Change::Recall)
        .await
        .unwrap();
    engine
        .delete_messages(app, &bob.user, &id, &[2])
        .await
        .unwrap();
    let gone = GroupChange::Remove(vec![user("carol")]);
    engine
        .change_created(app, by("alice"), &id, gone)
        .await
        .unwrap();
    let many: Vec<_> = (0..50).map(|n| user(&format!("u{n}"))).collect();
    let many = engine.change_created(app, by("alice"), &id, GroupChange::Add(many));
    assert_eq!(code(many.await), Some(Code::GroupFull));
    let all = Query {
        of: Some(bob.user.clone()),
        filter: Filter::parse(&anser_domain::attributes::Json::Object(Default::default())).unwrap(),
        sorting: Sorting::parse(&[]).unwrap(),
        skip: 0,
        limit: 0,
    };
    assert_eq!(
        engine.query_conversations(app, all).await.unwrap().matched,
        0
    );

    // Bob's other device has synced, and is away from here on.
    let synced = engine.sync(app, &bob.user, SyncRequest::default()).await;
    let synced = synced.unwrap();
    assert_eq!(synced.conversations.len(), 1);

    ahead.fetch_add(60_000, Ordering::Relaxed);
    check_over(&answers(&engine, app, &id).await);
    assert!(names(&bob).await.is_empty());
    assert!(!rows_about(&store, &id).await.is_empty(), "rows are there");

    ahead.fetch_add(GRACE_MS, Ordering::Relaxed);
    until("nothing is left", async || {
        rows_about(&store, &id).await.is_empty()
    })
    .await;
    check_over(&answers(&engine, app, &id).await);
    let told = |event: &Arc<anser_engine::Event>| match &event.body {
        EventBody::Conversation { view, .. } => {
            *view.id == *id.to_string() && !view.member && view.is_hidden()
        }
        _ => false,
    };
    until("connected devices are told", async || {
        bob.told.events.lock().iter().any(told)
    })
    .await;
    let request = SyncRequest {
        epoch: synced.epoch,
        feed_version: synced.feed_version,
        synced: synced.synced,
        ..SyncRequest::default()
    };
    let missed = engine.sync(app, &bob.user, request).await.unwrap();
    assert!(!missed.reset);
    let [view] = &missed.conversations[..] else {
        panic!("{:?}", missed.conversations);
    };
    assert!(*view.id == *id.to_string() && !view.member && view.is_hidden());
    let again = SyncRequest {
        epoch: missed.epoch,
        feed_version: missed.feed_version,
        synced: missed.synced,
        ..SyncRequest::default()
    };
    let again = engine.sync(app, &bob.user, again).await.unwrap();
    assert!(again.conversations.is_empty(), "it is told once");
}

#[tokio::test]
async fn the_same_members_get_the_same_one_until_it_is_over() {
    let ahead = Arc::<AtomicU64>::default();
    let engine = crate::world::node_at(&crate::world::hub(), 1, &Store::memory(), &ahead).await;
    let app = engine.create_app(Some("app"), "", false).await.unwrap();
    let app = app.info.id;
    let create = async |members: &[&str]| {
        let new = NewConversation {
            temporary_seconds: Some(60),
            unique: true,
            ..new("alice", members)
        };
        let created = engine.create_conversation(app, by("alice"), new).await;
        let created = created.unwrap();
        (created.conversation.conversation(), created.reused)
    };
    let (first, reused) = create(&["bob"]).await;
    assert!(!reused);
    assert_eq!(create(&["bob"]).await, (first.clone(), true));
    assert_ne!(create(&["bob", "carol"]).await.0, first);
    ahead.fetch_add(61_000, Ordering::Relaxed);
    let (second, reused) = create(&["bob"]).await;
    assert!(!reused && second != first);
}

#[tokio::test]
async fn what_is_no_temporary_conversation_is_refused() {
    let (engine, app) = crate::world::engine().await;
    let refused = async |seconds| {
        let new = NewConversation {
            temporary_seconds: Some(seconds),
            ..new("alice", &["bob"])
        };
        code(engine.create_conversation(app, by("alice"), new).await)
    };
    assert_eq!(refused(0).await, Some(Code::InvalidRequest));
    assert_eq!(refused(86_401).await, Some(Code::InvalidRequest));
    let named = NewConversation {
        id: Some(anser_domain::GroupId::new("chosen").unwrap()),
        temporary_seconds: Some(60),
        ..new("alice", &["bob"])
    };
    let named = engine.create_conversation(app, by("alice"), named).await;
    assert_eq!(code(named), Some(Code::InvalidRequest));
    let members: Vec<String> = (0..50).map(|n| format!("u{n}")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let new = NewConversation {
        temporary_seconds: Some(60),
        ..new("alice", &members)
    };
    let full = engine.create_conversation(app, by("alice"), new).await;
    assert_eq!(code(full), Some(Code::GroupFull));
    // An id that somebody makes up is over, or is not there.
    let made_up = |time, seconds| {
        let made = anser_domain::MessageId::new(Timestamp(time), [1; 10]);
        ConversationId::Temporary(anser_domain::temporary::id(made, seconds))
    };
    let old = engine.created(app, By::Server, &made_up(1, 60)).await;
    assert_eq!(code(old), Some(Code::ConversationOver));
    let future = made_up(1 << 47, 60);
    let sent = send(&engine, app, "alice", &future, "x").await;
    assert_eq!(code(sent), Some(Code::NotFound));
}

#[tokio::test]
async fn on_every_node_it_ends_at_the_same_moment() {
    let (hub, store) = (hub(), Store::memory());
    let ahead = Arc::<AtomicU64>::default();
    let mut nodes = Vec::new();
    for id in 1..=3 {
        nodes.push(node_at(&hub, id, &store, &ahead).await);
    }
    let app = nodes[0].create_app(None, "", false).await.unwrap().info.id;
    let id = create(&nodes[0], app, &["bob"], 60).await;
    for (n, node) in nodes.iter().enumerate() {
        send(node, app, "bob", &id, &n.to_string()).await.unwrap();
    }
    ahead.fetch_add(60_000, Ordering::Relaxed);
    for node in &nodes {
        check_over(&answers(node, app, &id).await);
    }
}

#[tokio::test]
async fn a_removal_that_was_cut_short_goes_on() {
    let (store, ahead) = (Store::memory(), Arc::<AtomicU64>::default());
    let engine = node_at(&hub(), 1, &store, &ahead).await;
    let app = engine.create_app(None, "", false).await.unwrap().info.id;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    let id = create(&engine, app, &["bob", "carol"], 60).await;
    let other = create(&engine, app, &["bob"], 86_400).await;
    for n in 0..3 {
        send(&engine, app, "alice", &id, &n.to_string())
            .await
            .unwrap();
    }
    until("both are in bob's list", async || {
        names(&bob).await.len() == 2
    })
    .await;
    engine.stop().await;
    drop(engine);
    // As if a node had died on the way: some rows are gone, the outbox row is there.
    for key in rows_about(&store, &id).await {
        if key.space == SENT || key.space == MESSAGE {
            let unit = Unit::new().delete(key);
            assert_eq!(store.commit(vec![unit]).await, [Outcome::Committed]);
        }
    }
    ahead.fetch_add(60_000 + GRACE_MS, Ordering::Relaxed);
    let engine = node_at(&hub(), 2, &store, &ahead).await;
    until("what was left is gone, with the outbox row", async || {
        rows_about(&store, &id).await.is_empty()
    })
    .await;
    let page = PageRequest {
        from_seq: 0,
        descending: true,
        limit: 10,
    };
    let page = engine.pull(app, Some(&user("bob")), &other, page).await;
    assert_eq!(page.unwrap().messages.len(), 1, "others are left alone");
}
