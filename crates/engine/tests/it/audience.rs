//! System conversations for a tag: subscriptions follow the users' tags.

use std::time::Duration;

use anser_domain::{AppId, Code, ConversationId, GroupId, Platform, Tag};
use anser_engine::Engine;
use anser_engine::system::NewSystem;
use anser_engine::user::Profile;
use anser_store::Store;

use crate::world::{Device, engine, hub, message, node, send_message, sign_in, until, user};

fn vips() -> ConversationId {
    ConversationId::System(GroupId::new("vips").unwrap())
}

async fn create(engine: &Engine, app: AppId, id: &str, everyone: bool) -> Result<(), Code> {
    let new = NewSystem {
        id: Some(GroupId::new(id).unwrap()),
        tag: Some(Tag::new("vip").unwrap()),
        everyone,
        ..NewSystem::default()
    };
    let made = engine.create_system(app, new).await;
    made.map(drop).map_err(|reject| reject.code)
}

/// Sets the user's tags; what is sent from the next line on is sent later.
async fn tag(engine: &Engine, app: AppId, name: &str, tags: &[&str]) {
    let tags = tags.iter().map(|tag| Tag::new(tag).unwrap()).collect();
    tokio::time::sleep(Duration::from_millis(2)).await;
    engine.set_tags(app, &[user(name)], &tags).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
}

async fn say(engine: &Engine, app: AppId, text: &str) -> u64 {
    let mut message = message(app, "desk", &vips(), text);
    message.options.by_server = true;
    send_message(engine, message).await.unwrap().seq
}

async fn until_member(device: &Device, member: bool) {
    until("the list says so", async || {
        let view = device
            .engine
            .conversation(device.app, &device.user, &vips())
            .await;
        view.is_ok_and(|view| view.member == member)
    })
    .await;
}

#[tokio::test]
async fn who_has_the_tag_sees_what_is_sent_since_then_and_as_long() {
    let (engine, app) = engine().await;
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    let carol = sign_in(&engine, app, "carol", Platform::Web).await;
    tag(&engine, app, "alice", &["vip", "old"]).await;
    create(&engine, app, "vips", false).await.unwrap();
    // At once, whether the subscriptions are there yet or not.
    assert_eq!(say(&engine, app, "1").await, 1);
    until_member(&alice, true).await;
    tag(&engine, app, "bob", &["vip"]).await;
    assert_eq!(say(&engine, app, "2").await, 2);
    until_member(&bob, true).await;
    assert_eq!(alice.history(&vips()).await, Ok(vec![1, 2]));
    assert_eq!(bob.history(&vips()).await, Ok(vec![2]));
    assert_eq!(carol.history(&vips()).await, Err(Code::NotAMember));
    assert_eq!(
        (alice.unread(&vips()).await, bob.unread(&vips()).await),
        (2, 1)
    );

    // Another tag changes nothing, the loss of this one does.
    tag(&engine, app, "bob", &["vip", "new"]).await;
    tag(&engine, app, "alice", &["old"]).await;
    until_member(&alice, false).await;
    assert_eq!(say(&engine, app, "3").await, 3);
    assert_eq!(alice.history(&vips()).await, Err(Code::NotAMember));
    tag(&engine, app, "alice", &["vip"]).await;
    until_member(&alice, true).await;
    assert_eq!(say(&engine, app, "4").await, 4);
    assert_eq!(alice.history(&vips()).await, Ok(vec![4]));
    assert_eq!(bob.history(&vips()).await, Ok(vec![2, 3, 4]));
    assert_eq!(
        (alice.unread(&vips()).await, bob.unread(&vips()).await),
        (1, 3)
    );
    until("who is connected is pushed to", async || {
        let events = bob.told.events.lock();
        events.iter().any(|event| {
            matches!(&event.body, anser_engine::EventBody::Message { message, prev }
                if (message.seq, *prev) == (4, 3))
        })
    })
    .await;

    let id = GroupId::new("vips").unwrap();
    for (name, subscribe) in [("carol", true), ("bob", false)] {
        let refused = engine.subscribe(app, &id, &[user(name)], subscribe).await;
        assert_eq!(refused.unwrap_err().code, Code::TagDecides);
    }
}

#[tokio::test]
async fn all_users_of_a_tag_are_subscribed_by_whichever_node() {
    let (hub, store) = (hub(), Store::memory());
    let mut nodes = Vec::new();
    for id in 1..=3 {
        nodes.push(node(&hub, id, &store).await);
    }
    let app = nodes[0].create_app(None, "", false).await.unwrap().info.id;
    // More than are subscribed in one go.
    let users: Vec<_> = (0..300).map(|n| user(&format!("u{n}"))).collect();
    for one in &users {
        let made = nodes[1].put_user(app, one, Profile::default()).await;
        made.unwrap();
    }
    let vip = [Tag::new("vip").unwrap()].into();
    for some in users.chunks(100) {
        nodes[2].set_tags(app, some, &vip).await.unwrap();
    }
    create(&nodes[0], app, "vips", false).await.unwrap();
    assert_eq!(say(&nodes[1], app, "1").await, 1);
    let id = GroupId::new("vips").unwrap();
    until("all are subscribed", async || {
        let page = nodes[2].subscribers(app, &id, "", 500).await.unwrap();
        page.subscribers.len() == users.len()
    })
    .await;
    for one in users.iter().step_by(37) {
        until("the list says so", async || {
            let view = nodes[0].conversation(app, one, &vips()).await;
            view.is_ok_and(|view| (view.unread, view.first_seq) == (1, 1))
        })
        .await;
    }
    // Users come and go with their tags, many at a time.
    let none = std::collections::BTreeSet::new();
    for some in users[..200].chunks(100) {
        nodes[1].set_tags(app, some, &none).await.unwrap();
    }
    until("who lost the tag is not", async || {
        let page = nodes[2].subscribers(app, &id, "", 500).await.unwrap();
        page.subscribers.len() == 100
    })
    .await;
}

#[tokio::test]
async fn a_tag_has_few_and_a_dismissed_one_makes_room() {
    let (engine, app) = engine().await;
    assert_eq!(
        create(&engine, app, "vips", true).await,
        Err(Code::InvalidRequest)
    );
    for n in 0..8 {
        create(&engine, app, &format!("n{n}"), false).await.unwrap();
    }
    let ninth = create(&engine, app, "n8", false).await;
    assert_eq!(ninth, Err(Code::TooManyForTag));
    let gone = GroupId::new("n3").unwrap();
    engine.dismiss_system(app, &gone).await.unwrap();
    assert_eq!(create(&engine, app, "n8", false).await, Ok(()));
    let shown = engine.system(app, &GroupId::new("n8").unwrap()).await;
    let tag = shown.unwrap().tag;
    assert_eq!(tag.map(|tag| tag.to_string()).as_deref(), Some("vip"));
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    self::tag(&engine, app, "alice", &["vip"]).await;
    until("all that are there are in the list", async || {
        let page = engine.conversations(app, &alice.user, "", 20).await;
        page.unwrap().conversations.len() == 8
    })
    .await;
}
