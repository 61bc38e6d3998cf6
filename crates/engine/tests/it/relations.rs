//! Block lists and allow lists.

use anser_domain::control::AppSettingsChange;
use anser_domain::relation::List;
use anser_domain::{AppId, Code, ConversationId, Platform};
use anser_engine::group::By;
use anser_engine::message::Change;
use anser_engine::relation::{RelationChange, RelationNews};
use anser_engine::{Engine, EventBody};
use anser_store::Store;

use crate::world::{Device, engine, hub, message, node, send, send_message, sign_in, until, user};

fn chat() -> ConversationId {
    ConversationId::private(&user("alice"), &user("bob"))
}

async fn change(engine: &Engine, app: AppId, of: &str, list: List, add: &[&str], remove: &[&str]) {
    let wanted = RelationChange {
        list,
        add: add.iter().map(|name| user(name)).collect(),
        remove: remove.iter().map(|name| user(name)).collect(),
        allow_only: None,
    };
    engine
        .change_relations(app, &user(of), &wanted)
        .await
        .unwrap();
}

async fn only(engine: &Engine, app: AppId, of: &str, allow_only: bool) {
    let wanted = RelationChange {
        list: List::Allowed,
        add: vec![],
        remove: vec![],
        allow_only: Some(allow_only),
    };
    engine
        .change_relations(app, &user(of), &wanted)
        .await
        .unwrap();
}

async fn say(engine: &Engine, app: AppId, from: &str, id: &str) -> Result<u64, Code> {
    let sent = send(engine, app, from, &chat(), id).await;
    sent.map(|sent| sent.seq).map_err(|reject| reject.code)
}

async fn type_to(engine: &Engine, app: AppId, from: &str) -> Result<(), Code> {
    let mut typing = message(app, from, &chat(), "typing");
    typing.options.transient = true;
    let sent = send_message(engine, typing).await;
    sent.map(drop).map_err(|reject| reject.code)
}

fn news(device: &Device) -> Vec<RelationNews> {
    let events = device.told.events.lock();
    let news = events.iter().filter_map(|event| match &event.body {
        EventBody::Relations(news) => Some((**news).clone()),
        _ => None,
    });
    news.collect()
}

#[tokio::test]
async fn a_block_holds_from_the_first_message_on_and_for_everything() {
    let (engine, app) = engine().await;
    // The actor knows that there is nothing yet.
    type_to(&engine, app, "bob").await.unwrap();
    change(&engine, app, "alice", List::Blocked, &["bob"], &[]).await;
    assert_eq!(type_to(&engine, app, "bob").await, Err(Code::Blocked));
    assert_eq!(say(&engine, app, "bob", "m1").await, Err(Code::Blocked));
    assert_eq!(say(&engine, app, "alice", "m2").await, Ok(1));
    assert_eq!(say(&engine, app, "bob", "m3").await, Err(Code::Blocked));
    let react = Change::React {
        reaction: "+1".into(),
        remove: false,
    };
    let by = By::User(user("bob"));
    let refused = engine.change_message(app, by, &chat(), 1, react).await;
    assert_eq!(refused.unwrap_err().code, Code::Blocked);
    change(&engine, app, "alice", List::Blocked, &[], &["bob"]).await;
    assert_eq!(say(&engine, app, "bob", "m4").await, Ok(2));
    type_to(&engine, app, "bob").await.unwrap();
    change(&engine, app, "alice", List::Blocked, &["bob"], &[]).await;
    assert_eq!(say(&engine, app, "bob", "m5").await, Err(Code::Blocked));
    assert_eq!(type_to(&engine, app, "bob").await, Err(Code::Blocked));
    let own = ConversationId::private(&user("alice"), &user("alice"));
    send(&engine, app, "alice", &own, "note").await.unwrap();
}

#[tokio::test]
async fn a_block_made_on_one_node_holds_for_the_next_send_on_every_other() {
    let (hub, store) = (hub(), Store::memory());
    let mut nodes = Vec::new();
    for id in 1..=3 {
        nodes.push(node(&hub, id, &store).await);
    }
    let app = nodes[0].create_app(None, "", false).await.unwrap().info.id;
    for round in 0..6 {
        let at = |n: usize| &nodes[(round + n) % 3];
        for n in 0..3 {
            say(at(n), app, "bob", &format!("{round}-{n}"))
                .await
                .unwrap();
        }
        change(at(0), app, "alice", List::Blocked, &["bob"], &[]).await;
        for n in 0..3 {
            let refused = say(at(n), app, "bob", &format!("{round}-{n} refused")).await;
            assert_eq!(refused, Err(Code::Blocked));
        }
        change(at(1), app, "alice", List::Blocked, &[], &["bob"]).await;
    }
}

#[tokio::test]
async fn only_those_on_the_allow_list_write_if_the_user_wants_it_so() {
    let (engine, app) = engine().await;
    say(&engine, app, "bob", "m0").await.unwrap();
    change(&engine, app, "alice", List::Allowed, &["carl"], &[]).await;
    say(&engine, app, "bob", "m1").await.unwrap();
    only(&engine, app, "alice", true).await;
    let mut n = 0;
    until("strangers are refused", async || {
        n += 1;
        let said = say(&engine, app, "bob", &format!("stranger {n}")).await;
        said == Err(Code::NotOnAllowList)
    })
    .await;
    let carl = ConversationId::private(&user("alice"), &user("carl"));
    send(&engine, app, "carl", &carl, "c").await.unwrap();
    let dora = ConversationId::private(&user("alice"), &user("dora"));
    let refused = send(&engine, app, "dora", &dora, "d").await.unwrap_err();
    assert_eq!(refused.code, Code::NotOnAllowList);
    say(&engine, app, "alice", "to whom she likes")
        .await
        .unwrap();
    change(&engine, app, "alice", List::Allowed, &["bob"], &["carl"]).await;
    say(&engine, app, "bob", "m2").await.unwrap();
    let refused = send(&engine, app, "carl", &carl, "c2").await.unwrap_err();
    assert_eq!(refused.code, Code::NotOnAllowList);
    only(&engine, app, "alice", false).await;
    until("all may write again", async || {
        send(&engine, app, "carl", &carl, "c3").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_message_may_be_swallowed_instead() {
    let (engine, app) = engine().await;
    let swallow = AppSettingsChange {
        swallow_blocked: Some(Some(true)),
        ..AppSettingsChange::default()
    };
    engine.change_app_settings(app, &swallow).await.unwrap();
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    assert_eq!(say(&engine, app, "bob", "m1").await, Ok(1));
    change(&engine, app, "alice", List::Blocked, &["bob"], &[]).await;
    assert_eq!(say(&engine, app, "bob", "m2").await, Ok(0));
    type_to(&engine, app, "bob").await.unwrap();
    assert_eq!(say(&engine, app, "alice", "m3").await, Ok(2));
    assert_eq!(alice.history(&chat()).await, Ok(vec![1, 2]));
    let seqs: Vec<u64> = alice.messages().iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, [1, 2], "nothing of it arrived");
}

#[tokio::test]
async fn lists_are_paged_bounded_and_told_to_all_devices() {
    let (engine, app) = engine().await;
    let phone = sign_in(&engine, app, "alice", Platform::Ios).await;
    let desk = sign_in(&engine, app, "alice", Platform::Desktop).await;
    let other = sign_in(&engine, app, "bob", Platform::Web).await;
    change(&engine, app, "alice", List::Blocked, &["bob", "carl"], &[]).await;
    change(&engine, app, "alice", List::Blocked, &["bob"], &[]).await;
    change(&engine, app, "alice", List::Blocked, &["dora"], &["bob"]).await;
    for device in [&phone, &desk] {
        let told = news(device);
        assert_eq!(told.len(), 2, "what changes nothing is not told");
        assert_eq!((told[0].previous, told[0].version), (0, 1));
        assert_eq!((told[1].previous, told[1].version), (1, 2));
        let names = |users: &[std::sync::Arc<str>]| users.join(",");
        assert_eq!(names(&told[0].added), "bob,carl");
        assert_eq!(
            (&*names(&told[1].added), &*names(&told[1].removed)),
            ("dora", "bob")
        );
    }
    assert!(news(&other).is_empty());
    let alice = user("alice");
    let page = async |cursor: &str, limit| {
        let page = engine.relations(app, &alice, List::Blocked, cursor, limit);
        page.await.unwrap()
    };
    let first = page("", 1).await;
    assert_eq!(
        (&first.users[..], &*first.cursor),
        (&[user("carl")][..], "carl")
    );
    assert_eq!((first.version, first.allow_only), (2, false));
    let second = page(&first.cursor, 1).await;
    assert_eq!(
        (&second.users[..], &*second.cursor),
        (&[user("dora")][..], "")
    );
    let none = engine
        .relations(app, &user("alice"), List::Allowed, "", 0)
        .await;
    assert!(none.unwrap().users.is_empty());

    let refused = async |add: Vec<_>, remove: Vec<_>| {
        let wanted = RelationChange {
            list: List::Blocked,
            add,
            remove,
            allow_only: None,
        };
        let changed = engine.change_relations(app, &user("alice"), &wanted).await;
        changed.is_err_and(|reject| reject.code == Code::InvalidRequest)
    };
    assert!(refused(vec![user("alice")], vec![]).await, "oneself");
    assert!(refused(vec![user("x")], vec![user("x")]).await, "twice");
    let many = |from: usize, n: usize| (from..from + n).map(|n| user(&format!("u{n}")));
    assert!(
        refused(many(0, 101).collect(), vec![]).await,
        "too many at once"
    );
    for hundred in 0..9 {
        assert!(!refused(many(hundred * 100, 100).collect(), vec![]).await);
    }
    assert!(
        refused(many(900, 99).collect(), vec![]).await,
        "more than 1,000"
    );
    assert!(!refused(many(900, 98).collect(), vec![]).await);
}
