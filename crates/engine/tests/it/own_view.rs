//! What a user does with a conversation for themself reaches all of the user's devices.

use anser_domain::settings::{Mute, SettingsChange};
use anser_domain::{AppId, Code, ConversationId, Platform};
use anser_engine::sync::{SyncRequest, SyncResult};
use anser_engine::{Engine, EventBody};

use crate::world::{engine, message, send, send_message, sign_in, until, user};

fn with(other: &str) -> ConversationId {
    ConversationId::private(&user("me"), &user(other))
}

async fn listed(engine: &Engine, app: AppId, other: &str) {
    until("it is listed", async || {
        let me = user("me");
        engine.conversation(app, &me, &with(other)).await.is_ok()
    })
    .await;
}

/// One message of each of these, listed.
async fn chats(others: &[&str]) -> (Engine, AppId) {
    let (engine, app) = engine().await;
    for other in others {
        send(&engine, app, other, &with(other), "1").await.unwrap();
        listed(&engine, app, other).await;
    }
    (engine, app)
}

/// What a device gets that was away since then.
async fn since(engine: &Engine, app: AppId, first: &SyncResult) -> SyncResult {
    let request = SyncRequest {
        epoch: first.epoch,
        feed_version: first.feed_version,
        // So late that only the feed brings anything.
        synced: anser_domain::Timestamp(first.synced.0 + 3_600_000),
        ..Default::default()
    };
    engine.sync(app, &user("me"), request).await.unwrap()
}

async fn names(engine: &Engine, app: AppId) -> Vec<String> {
    let page = engine.conversations(app, &user("me"), "", 100).await;
    let rows = page.unwrap().conversations;
    rows.iter().map(|row| row.id.to_string()).collect()
}

#[tokio::test]
async fn a_device_that_was_away_learns_what_was_read_although_no_message_came() {
    let (engine, app) = chats(&["ann"]).await;
    let me = user("me");
    let first = engine.sync(app, &me, SyncRequest::default()).await.unwrap();
    assert_eq!(first.conversations[0].unread, 1);
    engine.mark_read(app, &me, &with("ann"), 1).await.unwrap();
    until("the feed has it", async || {
        let missed = since(&engine, app, &first).await.conversations;
        missed
            .first()
            .is_some_and(|row| (row.unread, row.read_seq) == (0, 1))
    })
    .await;
}

#[tokio::test]
async fn what_was_read_with_a_send_reaches_devices_that_are_away_too() {
    let (engine, app) = chats(&["ann"]).await;
    let me = user("me");
    let first = engine.sync(app, &me, SyncRequest::default()).await.unwrap();
    for n in 0..20 {
        let mut answer = message(app, "me", &with("ann"), &format!("a{n}"));
        answer.read_up_to = n + 1;
        send_message(&engine, answer).await.unwrap();
    }
    until("the feed has it", async || {
        let missed = since(&engine, app, &first).await.conversations;
        missed
            .first()
            .is_some_and(|row| (row.unread, row.read_seq) == (0, 20))
    })
    .await;
}

#[tokio::test]
async fn reading_much_in_a_moment_moves_the_feed_a_few_times() {
    let (engine, app) = chats(&["ann"]).await;
    let device = sign_in(&engine, app, "me", Platform::Web).await;
    for n in 2..=60 {
        send(&engine, app, "ann", &with("ann"), &n.to_string())
            .await
            .unwrap();
        engine
            .mark_read(app, &device.user, &with("ann"), n)
            .await
            .unwrap();
    }
    let rows = || {
        let events = device.told.events.lock();
        let reads = events.iter().filter_map(|event| match &event.body {
            EventBody::Conversation { view, .. } => Some(view.read_seq),
            _ => None,
        });
        reads.collect::<Vec<_>>()
    };
    until("the last is told", async || rows().last() == Some(&60)).await;
    assert!(rows().len() < 30, "{:?}", rows());
}

#[tokio::test]
async fn settings_reach_devices_that_are_there_and_those_that_were_away() {
    let (engine, app) = chats(&["ann"]).await;
    let device = sign_in(&engine, app, "me", Platform::Web).await;
    let first = engine
        .sync(app, &device.user, SyncRequest::default())
        .await
        .unwrap();
    let change = SettingsChange {
        pinned: Some(true),
        muted: Some(Mute::ExceptMentions),
        marks: Some(vec!["work".into()]),
        draft: Some("dear ann".into()),
        hidden: None,
    };
    let view = engine
        .update_conversation(app, &device.user, &with("ann"), &change)
        .await
        .unwrap();
    assert_eq!(view.settings.draft, "dear ann");
    let missed = since(&engine, app, &first).await;
    assert_eq!(missed.conversations, std::slice::from_ref(&view));
    until("it is pushed", async || {
        let events = device.told.events.lock();
        events.iter().any(|event| {
            matches!(&event.body, EventBody::Conversation { view: told, feed_version, .. }
                if **told == view && *feed_version == missed.feed_version)
        })
    })
    .await;
    // The same again changes nothing, and what is not in the list has no settings.
    engine
        .update_conversation(app, &device.user, &with("ann"), &change)
        .await
        .unwrap();
    let after = engine.feed_version(app, &device.user).await.unwrap();
    assert_eq!(after, missed.feed_version);
    let refused = engine
        .update_conversation(app, &device.user, &with("nobody"), &change)
        .await;
    assert_eq!(refused.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn pinned_conversations_come_first_in_every_page() {
    let others: Vec<String> = (0..9).map(|n| format!("u{n}")).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let (engine, app) = chats(&others).await;
    let me = user("me");
    let pin = SettingsChange {
        pinned: Some(true),
        ..Default::default()
    };
    for other in ["u1", "u4", "u6"] {
        engine
            .update_conversation(app, &me, &with(other), &pin)
            .await
            .unwrap();
    }
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = engine.conversations(app, &me, &cursor, 2).await.unwrap();
        listed.extend(page.conversations);
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    let key = |row: &anser_engine::conversation::ConversationView| {
        (!row.settings.pinned, std::cmp::Reverse(row.last_time))
    };
    assert!(listed.is_sorted_by_key(key));
    let pinned = listed.iter().filter(|row| row.settings.pinned).count();
    assert_eq!((pinned, listed.len()), (3, 9));
}

#[tokio::test]
async fn a_hidden_conversation_comes_back_with_the_next_message() {
    let (engine, app) = chats(&["ann", "ben"]).await;
    let me = user("me");
    let first = engine.sync(app, &me, SyncRequest::default()).await.unwrap();
    let hide = SettingsChange {
        hidden: Some(true),
        ..Default::default()
    };
    let view = engine
        .update_conversation(app, &me, &with("ann"), &hide)
        .await
        .unwrap();
    assert!(view.is_hidden());
    assert_eq!(names(&engine, app).await, ["p/ben/me"]);
    let missed = since(&engine, app, &first).await.conversations;
    assert!(
        missed.len() == 1 && missed[0].is_hidden(),
        "devices hear it"
    );
    let new = engine.sync(app, &me, SyncRequest::default()).await.unwrap();
    let hidden: Vec<bool> = new.conversations.iter().map(|it| it.is_hidden()).collect();
    assert_eq!(hidden.iter().filter(|hidden| **hidden).count(), 1);
    assert_eq!(hidden.len(), 2, "a new device knows what it does not show");
    send(&engine, app, "ann", &with("ann"), "2").await.unwrap();
    assert_eq!(names(&engine, app).await, ["p/ann/me", "p/ben/me"]);
}

#[tokio::test]
async fn deleting_a_conversation_with_its_history_is_for_oneself_only() {
    let (engine, app) = chats(&["ann"]).await;
    let me = sign_in(&engine, app, "me", Platform::Web).await;
    let ann = sign_in(&engine, app, "ann", Platform::Web).await;
    engine
        .delete_conversation(app, &me.user, &with("ann"), true)
        .await
        .unwrap();
    assert!(names(&engine, app).await.is_empty());
    assert_eq!(me.unread(&with("ann")).await, 0);
    assert!(me.history(&with("ann")).await.unwrap().is_empty());
    assert_eq!(ann.history(&with("ann")).await.unwrap(), [1]);
    send(&engine, app, "ann", &with("ann"), "2").await.unwrap();
    assert_eq!(names(&engine, app).await, ["p/ann/me"]);
    assert_eq!(me.history(&with("ann")).await.unwrap(), [2]);
    assert_eq!(me.unread(&with("ann")).await, 1);
}

#[tokio::test]
async fn clearing_history_moves_where_it_begins_and_lowers_unread() {
    let (engine, app) = chats(&["ann"]).await;
    for n in 2..=5 {
        send(&engine, app, "ann", &with("ann"), &n.to_string())
            .await
            .unwrap();
    }
    let me = sign_in(&engine, app, "me", Platform::Web).await;
    let cleared = engine
        .clear_history(app, &me.user, &with("ann"), 3)
        .await
        .unwrap();
    assert_eq!((cleared.first_seq, cleared.unread), (4, 2));
    assert_eq!(me.history(&with("ann")).await.unwrap(), [4, 5]);
    let back = engine
        .clear_history(app, &me.user, &with("ann"), 1)
        .await
        .unwrap();
    assert_eq!(back.first_seq, 4, "it never moves back");
    let all = engine
        .clear_history(app, &me.user, &with("ann"), 0)
        .await
        .unwrap();
    assert_eq!((all.first_seq, all.unread, all.newest), (6, 0, None));
    send(&engine, app, "me", &with("ann"), "6").await.unwrap();
    assert_eq!(me.history(&with("ann")).await.unwrap(), [6]);
}

#[tokio::test]
async fn what_i_delete_is_gone_for_me_on_all_devices_and_counts_no_more() {
    let (engine, app) = chats(&["ann"]).await;
    for n in 2..=6 {
        let from = if n == 4 { "me" } else { "ann" };
        send(&engine, app, from, &with("ann"), &n.to_string())
            .await
            .unwrap();
    }
    let me = sign_in(&engine, app, "me", Platform::Web).await;
    let ann = sign_in(&engine, app, "ann", Platform::Web).await;
    let first = engine
        .sync(app, &me.user, SyncRequest::default())
        .await
        .unwrap();
    assert_eq!(me.unread(&with("ann")).await, 5);
    // 4 is my own, 9 does not exist, 6 is named twice.
    let deleted = engine
        .delete_messages(app, &me.user, &with("ann"), &[6, 2, 4, 9, 6])
        .await
        .unwrap();
    assert_eq!((&deleted.seqs[..], deleted.version), (&[2, 4, 6][..], 3));
    assert_eq!(me.history(&with("ann")).await.unwrap(), [1, 3, 5]);
    assert_eq!(ann.history(&with("ann")).await.unwrap(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(me.unread(&with("ann")).await, 3);
    let row = engine
        .conversation(app, &me.user, &with("ann"))
        .await
        .unwrap();
    assert_eq!(row.newest.unwrap().seq, 5);
    until("the other device hears it", async || {
        let events = me.told.events.lock();
        events
            .iter()
            .any(|event| matches!(&event.body, EventBody::Deleted(told) if told.seqs == [2, 4, 6]))
    })
    .await;
    until("one that was away learns of it", async || {
        let missed = since(&engine, app, &first).await.conversations;
        missed.first().is_some_and(|row| row.deleted_version == 3)
    })
    .await;
    let again = engine
        .delete_messages(app, &me.user, &with("ann"), &[2, 3])
        .await
        .unwrap();
    assert_eq!((&again.seqs[..], again.version), (&[3][..], 4));
    let pull = async |from, limit| {
        let ann = with("ann");
        let page = engine.deleted(app, &me.user, &ann, from, limit).await;
        let page = page.unwrap();
        (page.seqs, page.version, page.more)
    };
    assert_eq!(pull(0, 0).await, (vec![2, 4, 6, 3], 4, false));
    assert_eq!(pull(1, 2).await, (vec![4, 6], 3, true));
    assert_eq!(pull(4, 2).await, (vec![], 4, false));
    let read = engine.mark_read(app, &me.user, &with("ann"), 4).await;
    assert_eq!(read.unwrap().unread, 1);
    let outsider = engine
        .delete_messages(app, &user("eve"), &with("ann"), &[1])
        .await;
    assert_eq!(outsider.unwrap_err().code, Code::NotAMember);
}

#[tokio::test]
async fn pages_go_on_behind_what_was_deleted() {
    let (engine, app) = chats(&["ann"]).await;
    for n in 2..=60 {
        send(&engine, app, "ann", &with("ann"), &n.to_string())
            .await
            .unwrap();
    }
    let me = user("me");
    let gone: Vec<u64> = (5..=40).chain(51..=60).collect();
    engine
        .delete_messages(app, &me, &with("ann"), &gone)
        .await
        .unwrap();
    let page = async |from_seq, descending| {
        let request = anser_engine::message::PageRequest {
            from_seq,
            descending,
            limit: 6,
        };
        let page = engine.pull(app, Some(&me), &with("ann"), request).await;
        let page = page.unwrap();
        let seqs: Vec<u64> = page.messages.iter().map(|message| message.seq).collect();
        (seqs, page.more)
    };
    assert_eq!(page(0, false).await, (vec![1, 2, 3, 4, 41, 42], true));
    assert_eq!(page(0, true).await, (vec![50, 49, 48, 47, 46, 45], true));
    assert_eq!(page(48, false).await, (vec![49, 50], false));
    let row = engine.conversation(app, &me, &with("ann")).await.unwrap();
    assert_eq!((row.newest.unwrap().seq, row.unread), (50, 14));
}

#[tokio::test]
async fn what_was_taken_back_counts_no_more_and_mentions_are_listed() {
    let (engine, app) = chats(&["ann"]).await;
    let me = sign_in(&engine, app, "me", Platform::Web).await;
    for n in 2..=4 {
        let mut mention = message(app, "ann", &with("ann"), &n.to_string());
        mention.options.mention = Some(anser_domain::message::Mention {
            all: n == 3,
            users: if n == 3 { vec![] } else { vec![user("me")] },
            overrides_mute: false,
        });
        send_message(&engine, mention).await.unwrap();
    }
    let counts = async || {
        let row = engine.conversation(app, &me.user, &with("ann")).await;
        let row = row.unwrap();
        (row.unread, row.unread_mentions)
    };
    let mentions = async || {
        let listed = engine.mentions(app, &me.user, &with("ann")).await.unwrap();
        listed.iter().map(|message| message.seq).collect::<Vec<_>>()
    };
    assert_eq!(counts().await, (4, 3));
    assert_eq!(mentions().await, [2, 3, 4]);
    let recall = anser_engine::message::Change::Recall;
    engine
        .change_message(
            app,
            anser_engine::group::By::Server,
            &with("ann"),
            3,
            recall,
        )
        .await
        .unwrap();
    assert_eq!(counts().await, (3, 2));
    // Taken back and deleted: once.
    engine
        .delete_messages(app, &me.user, &with("ann"), &[3, 4])
        .await
        .unwrap();
    assert_eq!(counts().await, (2, 1));
    assert_eq!(mentions().await, [2]);
    let read = engine.mark_read(app, &me.user, &with("ann"), 2).await;
    let read = read.unwrap();
    assert_eq!((read.unread, read.unread_mentions), (0, 0));
}

#[tokio::test]
async fn a_new_device_starts_with_fifty_that_it_shows_whatever_is_hidden() {
    let others: Vec<String> = (0..60).map(|number| format!("u{number:02}")).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let (engine, app) = chats(&others).await;
    let me = user("me");
    for other in &others[40..] {
        let hide = SettingsChange {
            hidden: Some(true),
            ..Default::default()
        };
        let other = with(other);
        let hidden = engine.update_conversation(app, &me, &other, &hide).await;
        assert!(hidden.unwrap().is_hidden());
    }
    let new = engine.sync(app, &me, SyncRequest::default()).await.unwrap();
    let shown = new.conversations.iter().filter(|it| !it.is_hidden());
    assert_eq!((shown.count(), new.conversations.len()), (40, 60));
}
