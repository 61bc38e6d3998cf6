//! What is too old is removed with everything that hangs on it, and unread stays exact.

use anser_domain::control::AppSettingsChange;
use anser_domain::{ConversationId, GroupId};
use anser_engine::group::By;
use anser_engine::message::{Change, PageRequest};
use anser_engine::system::NewSystem;
use anser_engine::tables::{
    CATALOG, FOR_ALL, HEAD, MEMBER, MESSAGE, POSITION, SENT, TARGETED, UNCOUNTED,
};
use anser_proto::stored;
use anser_store::{Outcome, SHARD_COUNT, Scan, Shard, Space, Store, Unit};
use bytes::Bytes;
use prost::Message as _;
use std::ops::Bound;

use crate::world::{hub, message, node, send_message, sign_in, until, user};

fn group() -> ConversationId {
    ConversationId::Group(GroupId::new("g").unwrap())
}

async fn rows(store: &Store, space: Space) -> Vec<(Shard, Bytes, Bytes)> {
    let mut found = Vec::new();
    for shard in (0..SHARD_COUNT).map(Shard) {
        let all = Scan::range(space, shard, Bound::Unbounded, Bound::Unbounded);
        let page = store.scan(all.limit(1_000)).await.unwrap();
        found.extend(
            page.rows
                .into_iter()
                .map(|(key, value)| (shard, key, value)),
        );
    }
    found
}

/// As if everything up to this sequence had been said a year ago.
async fn grow_old(store: &Store, up_to: u64) {
    const YEAR_MS: u64 = 365 * 86_400_000;
    for (shard, key, value) in rows(store, MESSAGE).await {
        let mut row = stored::Message::decode(value).unwrap();
        let seq = u64::from_be_bytes(*key.last_chunk::<8>().unwrap());
        if seq <= up_to {
            row.time -= YEAR_MS;
            let key = anser_store::Key::new(MESSAGE, shard, key);
            let unit = Unit::new().put(key, row.encode_to_vec());
            assert_eq!(store.commit(vec![unit]).await, [Outcome::Committed]);
        }
    }
}

#[tokio::test]
async fn old_messages_go_with_all_their_rows_and_unread_counts_what_is_left() {
    let store = Store::memory();
    let engine = node(&hub(), 1, &store).await;
    let app = engine.create_app(None, "", false).await.unwrap().info.id;
    let (alice, bob) = (user("alice"), user("bob"));
    let id = Some(GroupId::new("g").unwrap());
    let members = [alice.clone(), bob.clone()];
    engine
        .create_group(app, By::Server, id, "", &user("owner"), &members)
        .await
        .unwrap();
    let say = async |from: &str, id: &str, targets: &[&str]| {
        let mut message = message(app, from, &group(), id);
        message.options.targets = targets.iter().map(|name| user(name)).collect();
        message.options.receipt_wanted = true;
        message.options.mention = Some(anser_domain::message::Mention {
            all: true,
            ..Default::default()
        });
        send_message(&engine, message).await.unwrap().seq
    };
    // 1 is the notice; 2 to 7 grow old, 8 to 11 stay.
    for n in 2..=11 {
        let (from, targets) = match n % 3 {
            0 => ("bob", &[][..]),
            1 => ("alice", &["bob"][..]),
            _ => ("alice", &[][..]),
        };
        assert_eq!(say(from, &format!("m{n}"), targets).await, n);
    }
    let change = async |seq, change| {
        engine
            .change_message(app, By::Server, &group(), seq, change)
            .await
            .unwrap();
    };
    change(2, Change::Recall).await;
    change(
        3,
        Change::Edit {
            content_type: "text".into(),
            body: Bytes::from_static(b"x"),
            mention: None,
        },
    )
    .await;
    engine.acknowledge(app, &bob, &group(), &[5]).await.unwrap();
    engine
        .delete_messages(app, &bob, &group(), &[5])
        .await
        .unwrap();
    let device = sign_in(&engine, app, "bob", anser_domain::Platform::Web).await;
    // 4, 5 (deleted), 7, 8, 10, 11 are by alice; 2 was taken back.
    let before = device.unread(&group()).await;
    grow_old(&store, 7).await;
    engine.remove_expired().await.unwrap();

    assert_eq!(device.history(&group()).await.unwrap(), [8, 9, 10, 11]);
    assert_eq!(device.unread(&group()).await, 3, "of {before} before");
    let view = engine.conversation(app, &bob, &group()).await.unwrap();
    assert_eq!((view.first_seq, view.unread_mentions), (8, 3));
    let read = engine.mark_read(app, &bob, &group(), 3).await.unwrap();
    assert_eq!(read.unread, 3, "what is gone can still be read");
    let read = engine.mark_read(app, &bob, &group(), 8).await.unwrap();
    assert_eq!(read.unread, 2);
    let gone = engine
        .messages(app, None, &group(), &[2, 3, 8])
        .await
        .unwrap();
    assert_eq!(gone.iter().map(|one| one.seq).collect::<Vec<_>>(), [8]);

    for (space, _) in CATALOG {
        for (_, key, _) in rows(&store, *space).await {
            let number = key.last_chunk::<8>().map(|it| u64::from_be_bytes(*it));
            let old = number.is_some_and(|number| number < 8);
            match *space {
                // One total of each user stays, to count from.
                UNCOUNTED | TARGETED => {}
                SENT => assert!(!key.ends_with(b"m7"), "{key:?}"),
                HEAD | MEMBER | POSITION => {}
                space => assert!(!old || !key.starts_with(&app.0.to_be_bytes()), "{space:?}"),
            }
        }
    }
    let totals = rows(&store, UNCOUNTED).await.len() + rows(&store, TARGETED).await.len();
    // After the beginning: 8 and 11 by alice, 9 by bob, 10 to bob; before it one total each of
    // alice, of bob, and of what was targeted at bob.
    assert_eq!(totals, 4 + 3);

    // Nothing is left to do, and what comes continues.
    engine.remove_expired().await.unwrap();
    assert_eq!(say("alice", "m12", &[]).await, 12);
    assert_eq!(device.unread(&group()).await, 3);
}

#[tokio::test]
async fn what_a_system_conversation_said_long_ago_goes_with_its_indexes() {
    let store = Store::memory();
    let engine = node(&hub(), 1, &store).await;
    let app = engine.create_app(None, "", false).await.unwrap().info.id;
    let id = GroupId::new("news").unwrap();
    let news = ConversationId::System(id.clone());
    let new = NewSystem {
        id: Some(id.clone()),
        ..NewSystem::default()
    };
    engine.create_system(app, new).await.unwrap();
    let (alice, bob) = (user("alice"), user("bob"));
    let both = [alice.clone(), bob.clone()];
    engine.subscribe(app, &id, &both, true).await.unwrap();
    for one in &both {
        until("the list has it", async || {
            engine.conversation(app, one, &news).await.is_ok()
        })
        .await;
    }
    // 1, 4 and 7 for all; 2, 5 and 8 for alice; 3, 6 and 9 for bob.
    for n in 1..=9 {
        let mut message = message(app, "desk", &news, &n.to_string());
        message.options.by_server = true;
        message.options.targets = match n % 3 {
            1 => vec![],
            2 => vec![alice.clone()],
            _ => vec![bob.clone()],
        };
        send_message(&engine, message).await.unwrap();
    }
    let seqs = async |space| -> Vec<u64> {
        let rows = rows(&store, space).await.into_iter();
        let seqs = rows.map(|(_, key, _)| u64::from_be_bytes(*key.last_chunk::<8>().unwrap()));
        seqs.collect()
    };
    assert_eq!(seqs(FOR_ALL).await, [1, 4, 7]);
    grow_old(&store, 5).await;
    engine.remove_expired().await.unwrap();
    assert_eq!(seqs(FOR_ALL).await, [7]);
    let alice = sign_in(&engine, app, "alice", anser_domain::Platform::Web).await;
    let bob = sign_in(&engine, app, "bob", anser_domain::Platform::Web).await;
    assert_eq!(alice.history(&news).await, Ok(vec![7, 8]));
    assert_eq!(bob.history(&news).await, Ok(vec![6, 7, 9]));
    let unread = (alice.unread(&news).await, bob.unread(&news).await);
    assert_eq!(unread, (2, 3));
    // Nothing is left for anybody, and what comes continues.
    grow_old(&store, 9).await;
    engine.remove_expired().await.unwrap();
    assert!(seqs(FOR_ALL).await.is_empty());
    assert_eq!(
        (alice.unread(&news).await, alice.history(&news).await),
        (0, Ok(vec![]))
    );
    let mut last = message(app, "desk", &news, "10");
    last.options.by_server = true;
    send_message(&engine, last).await.unwrap();
    assert_eq!(seqs(FOR_ALL).await, [10]);
    assert_eq!(
        (bob.unread(&news).await, bob.history(&news).await),
        (1, Ok(vec![10]))
    );
}

#[tokio::test]
async fn a_conversation_of_which_nothing_is_left_goes_on() {
    let store = Store::memory();
    let engine = node(&hub(), 1, &store).await;
    let app = engine.create_app(None, "", false).await.unwrap().info.id;
    let place = ConversationId::private(&user("alice"), &user("bob"));
    for id in ["1", "2", "3"] {
        send_message(&engine, message(app, "alice", &place, id))
            .await
            .unwrap();
    }
    grow_old(&store, 3).await;
    engine.remove_expired().await.unwrap();
    let page = PageRequest {
        from_seq: 0,
        limit: 10,
        descending: true,
    };
    let page = engine.pull(app, None, &place, page).await.unwrap();
    assert!(page.messages.is_empty() && !page.more);
    assert_eq!((page.first_seq, page.head_seq), (4, 3));
    let bob = sign_in(&engine, app, "bob", anser_domain::Platform::Web).await;
    assert_eq!(bob.unread(&place).await, 0);
    send_message(&engine, message(app, "alice", &place, "4"))
        .await
        .unwrap();
    assert_eq!(bob.unread(&place).await, 1);
    assert_eq!(bob.history(&place).await.unwrap(), [4]);
}

#[tokio::test]
async fn an_app_decides_how_long_each_kind_is_kept() {
    let store = Store::memory();
    let engine = node(&hub(), 1, &store).await;
    let app = engine.create_app(None, "", false).await.unwrap().info.id;
    let keep_long = AppSettingsChange {
        private_retention_days: Some(Some(1_000)),
        ..Default::default()
    };
    engine.change_app_settings(app, &keep_long).await.unwrap();
    let id = Some(GroupId::new("g").unwrap());
    engine
        .create_group(app, By::Server, id, "", &user("alice"), &[])
        .await
        .unwrap();
    let place = ConversationId::private(&user("alice"), &user("bob"));
    for place in [&place, &group()] {
        send_message(&engine, message(app, "alice", place, "1"))
            .await
            .unwrap();
    }
    grow_old(&store, 9).await;
    engine.remove_expired().await.unwrap();
    let left = async |place: &ConversationId| {
        let page = PageRequest {
            from_seq: 0,
            limit: 10,
            descending: true,
        };
        let page = engine.pull(app, None, place, page).await.unwrap();
        page.messages.len()
    };
    assert_eq!((left(&place).await, left(&group()).await), (1, 0));
}
