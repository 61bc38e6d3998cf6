//! Messages that only some of a group may see.

use std::sync::Arc;

use anser_domain::{AppId, Code, ConversationId, GroupId, Platform, Reject, UserId};
use anser_engine::group::By;
use anser_engine::message::{Change, PageRequest, SendResult};
use anser_engine::{Engine, EventBody, Reply};
use anser_store::Store;
use futures::channel::oneshot;

use crate::world::{Device, engine, hub, message, node, sign_in, until, user};

fn geese() -> ConversationId {
    ConversationId::Group(GroupId::new("geese").unwrap())
}

async fn group(engine: &Engine, app: AppId) -> ConversationId {
    let id = GroupId::new("geese").unwrap();
    let members = [user("bob"), user("carol")];
    engine
        .create_group(app, By::Server, Some(id), "", &user("alice"), &members)
        .await
        .unwrap();
    geese()
}

async fn send_to(
    engine: &Engine,
    app: AppId,
    from: &str,
    id: &str,
    targets: &[&str],
) -> Result<SendResult, Reject> {
    let mut message = message(app, from, &geese(), id);
    message.options.targets = targets.iter().map(|name| user(name)).collect();
    let (reply, result) = oneshot::channel();
    engine.send(message, Reply::Call(reply));
    result.await.unwrap()
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

async fn page(engine: &Engine, app: AppId, who: &UserId, page: PageRequest) -> Vec<u64> {
    let page = engine.pull(app, Some(who), &geese(), page).await.unwrap();
    page.messages.iter().map(|message| message.seq).collect()
}

#[tokio::test]
async fn others_neither_see_it_nor_find_a_gap() {
    let (engine, app) = engine().await;
    group(&engine, app).await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    let carol = sign_in(&engine, app, "carol", Platform::Web).await;
    send_to(&engine, app, "alice", "2", &[]).await.unwrap();
    send_to(&engine, app, "alice", "3", &["bob"]).await.unwrap();
    send_to(&engine, app, "alice", "4", &["carol", "bob"])
        .await
        .unwrap();
    send_to(&engine, app, "bob", "5", &["alice"]).await.unwrap();
    let last = send_to(&engine, app, "carol", "6", &[]).await.unwrap();
    assert_eq!((last.seq, last.prev), (6, 4));
    let again = send_to(&engine, app, "carol", "6", &[]).await.unwrap();
    assert_eq!(again, last, "a retry is told the same");
    until("bob has all of his", async || {
        pushed(&bob) == [(2, 1), (3, 2), (4, 3), (5, 4), (6, 5)]
    })
    .await;
    until("carol has all of hers", async || {
        pushed(&carol) == [(2, 1), (4, 2), (6, 4)]
    })
    .await;
    // Who was away reads the same.
    assert_eq!(carol.history(&geese()).await.unwrap(), [1, 2, 4, 6]);
    assert_eq!(bob.history(&geese()).await.unwrap(), [1, 2, 3, 4, 5, 6]);
    let hidden = engine
        .messages(app, Some(&carol.user), &geese(), &[3, 4, 5])
        .await
        .unwrap();
    assert_eq!(hidden.len(), 1);
    let all = engine
        .messages(app, None, &geese(), &[3, 4, 5])
        .await
        .unwrap();
    assert_eq!(all.len(), 3, "the server API sees everything");
}

#[tokio::test]
async fn pages_are_full_and_a_list_shows_the_newest_one_may_see() {
    let (engine, app) = engine().await;
    group(&engine, app).await;
    let carol = user("carol");
    for n in 0..40 {
        let targets: &[&str] = if n % 4 == 0 { &[] } else { &["bob"] };
        send_to(&engine, app, "alice", &n.to_string(), targets)
            .await
            .unwrap();
    }
    let ask = |from_seq, descending, limit| PageRequest {
        from_seq,
        descending,
        limit,
    };
    assert_eq!(
        page(&engine, app, &carol, ask(0, false, 5)).await,
        [1, 2, 6, 10, 14]
    );
    assert_eq!(
        page(&engine, app, &carol, ask(0, true, 3)).await,
        [38, 34, 30]
    );
    assert!(
        page(&engine, app, &carol, ask(38, false, 3))
            .await
            .is_empty()
    );
    let seen = engine
        .pull(app, Some(&carol), &geese(), ask(0, false, 5))
        .await
        .unwrap();
    assert!(seen.more);
    assert_eq!(seen.next_seq, 14);
    until("carol's list has it", async || {
        engine.conversation(app, &carol, &geese()).await.is_ok()
    })
    .await;
    let view = engine.conversation(app, &carol, &geese()).await.unwrap();
    assert_eq!((view.head_seq, view.newest.unwrap().seq), (41, 38));
}

#[tokio::test]
async fn a_page_that_finds_nothing_for_long_says_where_to_go_on() {
    let (engine, app) = engine().await;
    group(&engine, app).await;
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    let sends = (0..1_100).map(|n| {
        send_to(
            &engine,
            app,
            "alice",
            Box::leak(n.to_string().into_boxed_str()),
            &["bob"],
        )
    });
    for result in futures::future::join_all(sends).await {
        result.unwrap();
    }
    drop(alice);
    let carol = user("carol");
    let ask = |from_seq| PageRequest {
        from_seq,
        descending: false,
        limit: 100,
    };
    let first = engine
        .pull(app, Some(&carol), &geese(), ask(1))
        .await
        .unwrap();
    assert!(first.messages.is_empty() && first.more);
    let rest = engine
        .pull(app, Some(&carol), &geese(), ask(first.next_seq))
        .await
        .unwrap();
    assert!(rest.messages.is_empty() && !rest.more);
    let view = engine.conversation(app, &carol, &geese()).await.unwrap();
    assert_eq!(view.newest.unwrap().seq, 1);
}

#[tokio::test]
async fn another_node_goes_on_where_the_first_left() {
    let (store, hub) = (Store::memory(), hub());
    let one = node(&hub, 1, &store).await;
    let app = one
        .create_app(Some("app"), "", false)
        .await
        .unwrap()
        .info
        .id;
    group(&one, app).await;
    send_to(&one, app, "alice", "2", &["bob"]).await.unwrap();
    send_to(&one, app, "alice", "3", &["carol"]).await.unwrap();
    one.stop().await;
    drop(one);
    let two = node(&hub, 2, &store).await;
    let bob = sign_in(&two, app, "bob", Platform::Web).await;
    let carol = sign_in(&two, app, "carol", Platform::Web).await;
    let mine = send_to(&two, app, "alice", "4", &[]).await.unwrap();
    assert_eq!(mine.prev, 3);
    until("both follow what they saw", async || {
        pushed(&bob) == [(4, 2)] && pushed(&carol) == [(4, 3)]
    })
    .await;
}

#[tokio::test]
async fn targets_are_members_and_changes_reach_them_alone() {
    let (engine, app) = engine().await;
    group(&engine, app).await;
    let refused = send_to(&engine, app, "alice", "x", &["bob", "eve"]).await;
    assert_eq!(refused.unwrap_err().code, Code::InvalidRequest);
    send_to(&engine, app, "alice", "2", &["bob"]).await.unwrap();
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    let carol = sign_in(&engine, app, "carol", Platform::Web).await;
    let react = Change::React {
        reaction: "x".into(),
        remove: false,
    };
    let by_carol = engine
        .change_message(app, By::User(user("carol")), &geese(), 2, react.clone())
        .await;
    assert_eq!(by_carol.unwrap_err().code, Code::NotFound);
    engine
        .change_message(app, By::User(user("bob")), &geese(), 2, react)
        .await
        .unwrap();
    let changes = |device: &Device| {
        let events = device.told.events.lock();
        let is_change =
            |event: &&Arc<anser_engine::Event>| matches!(event.body, EventBody::Change { .. });
        events.iter().filter(is_change).count()
    };
    until("bob hears of it", async || changes(&bob) == 1).await;
    assert_eq!(changes(&carol), 0);
    let pulled = engine
        .pull_changes(app, Some(&carol.user), &geese(), 0, 0)
        .await
        .unwrap();
    assert_eq!((pulled.messages.len(), pulled.rev), (0, 1));
}

#[tokio::test]
async fn an_edit_takes_back_a_mention_of_all_those_it_was_for() {
    let (engine, app) = engine().await;
    let chat = group(&engine, app).await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    let mut wanted = message(app, "alice", &chat, "2");
    wanted.options.targets = vec![user("bob")];
    wanted.options.mention = Some(anser_domain::message::Mention {
        all: true,
        users: Vec::new(),
        overrides_mute: false,
    });
    let (reply, result) = oneshot::channel();
    engine.send(wanted, Reply::Call(reply));
    result.await.unwrap().unwrap();
    let mentions = async || {
        let view = engine.conversation(app, &bob.user, &chat).await;
        view.map_or(0, |view| view.unread_mentions)
    };
    until("bob is mentioned", async || mentions().await == 1).await;
    let edit = Change::Edit {
        content_type: "text".into(),
        body: "never mind".into(),
        mention: None,
    };
    let alice = By::User(user("alice"));
    engine
        .change_message(app, alice, &chat, 2, edit)
        .await
        .unwrap();
    assert_eq!(mentions().await, 0);
}
