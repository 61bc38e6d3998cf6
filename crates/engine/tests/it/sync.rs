//! A device that was away gets what it missed.

use anser_domain::{ConversationId, Platform};
use anser_engine::sync::SyncRequest;

use crate::world::{engine, send, sign_in, until, user};

fn with(other: &str) -> ConversationId {
    ConversationId::private(&user("me"), &user(other))
}

#[tokio::test]
async fn a_device_that_was_away_gets_all_of_it_in_one_round_trip() {
    let (engine, app) = engine().await;
    send(&engine, app, "ann", &with("ann"), "1").await.unwrap();
    let me = user("me");
    until("the list has it", async || {
        engine.conversation(app, &me, &with("ann")).await.is_ok()
    })
    .await;
    let first = engine.sync(app, &me, SyncRequest::default()).await.unwrap();
    assert!(!first.reset && first.cursor.is_empty());
    assert_eq!(first.conversations.len(), 1);
    assert_eq!(first.conversations[0].unread, 1);

    // Away: more in the one that is known, and a new one.
    for n in 2..=4 {
        send(&engine, app, "ann", &with("ann"), &n.to_string())
            .await
            .unwrap();
    }
    send(&engine, app, "ben", &with("ben"), "1").await.unwrap();
    until("the list has it", async || {
        engine.conversation(app, &me, &with("ben")).await.is_ok()
    })
    .await;
    let request = SyncRequest {
        epoch: first.epoch,
        feed_version: first.feed_version,
        synced: first.synced,
        open: vec![(with("ann"), 1)],
        cursor: String::new(),
        session: None,
    };
    let second = engine.sync(app, &me, request.clone()).await.unwrap();
    let names: Vec<&str> = second.conversations.iter().map(|one| &*one.id).collect();
    assert!(names.contains(&"p/ann/me") && names.contains(&"p/ben/me"));
    assert_eq!(second.pages.len(), 1);
    let seqs: Vec<u64> = second.pages[0].messages.iter().map(|m| m.seq).collect();
    assert_eq!(seqs, [2, 3, 4]);
    assert!(second.feed_version > first.feed_version);

    let other_data = SyncRequest {
        epoch: first.epoch + 1,
        ..request
    };
    let reset = engine.sync(app, &me, other_data).await.unwrap();
    assert!(reset.reset);
    assert_eq!(reset.conversations.len(), 2);
}

#[tokio::test]
async fn a_long_list_comes_in_pages_without_holes_or_repetitions() {
    let (engine, app) = engine().await;
    let me = user("me");
    let mut expected: Vec<String> = Vec::new();
    for n in 0..130 {
        send(
            &engine,
            app,
            &format!("u{n:03}"),
            &with(&format!("u{n:03}")),
            "hi",
        )
        .await
        .unwrap();
        expected.push(with(&format!("u{n:03}")).to_string());
    }
    until("all are listed", async || {
        engine.conversation(app, &me, &with("u129")).await.is_ok()
            && engine
                .sync(
                    app,
                    &me,
                    SyncRequest {
                        epoch: 1,
                        ..Default::default()
                    },
                )
                .await
                .unwrap()
                .conversations
                .len()
                == 50
    })
    .await;
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = engine.conversations(app, &me, &cursor, 40).await.unwrap();
        listed.extend(page.conversations);
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert!(listed.is_sorted_by(|a, b| a.last_time >= b.last_time));
    let mut names: Vec<String> = listed.iter().map(|one| one.id.to_string()).collect();
    names.sort();
    expected.sort();
    assert_eq!(names, expected);

    let epoch = engine
        .sync(app, &me, SyncRequest::default())
        .await
        .unwrap()
        .epoch;
    let mut request = SyncRequest {
        epoch,
        feed_version: 1,
        ..Default::default()
    };
    let mut synced = Vec::new();
    loop {
        let page = engine.sync(app, &me, request.clone()).await.unwrap();
        assert!(!page.reset);
        synced.extend(page.conversations.iter().map(|one| one.id.to_string()));
        request.cursor = page.cursor;
        if request.cursor.is_empty() {
            break;
        }
    }
    synced.sort();
    assert_eq!(synced, expected);
}

#[tokio::test]
async fn the_feed_version_moves_with_each_change_of_the_list() {
    let (engine, app) = engine().await;
    let device = sign_in(&engine, app, "me", Platform::Web).await;
    let before = engine.feed_version(app, &device.user).await.unwrap();
    send(&engine, app, "ann", &with("ann"), "1").await.unwrap();
    until("it moved", async || {
        engine.feed_version(app, &device.user).await.unwrap() > before
    })
    .await;
    let moved = engine.feed_version(app, &device.user).await.unwrap();
    until("it was pushed", async || {
        device.told.events.lock().iter().any(|event| {
            matches!(&event.body, anser_engine::EventBody::Conversation { view, feed_version, feed_previous }
                if *view.id == *"p/ann/me" && *feed_version == moved && *feed_previous == before)
        })
    })
    .await;
    send(&engine, app, "ann", &with("ann"), "2").await.unwrap();
    assert_eq!(
        engine.feed_version(app, &device.user).await.unwrap(),
        moved,
        "messages do not move it"
    );
}
