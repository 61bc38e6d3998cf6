//! Delivery and read receipts: who is told, and who can ask.

use anser_domain::{AppId, Code, ConversationId, GroupId, Platform};
use anser_engine::group::By;
use anser_engine::receipt::Receipt;
use anser_engine::{Engine, EventBody};
use anser_store::Store;

use crate::world::{Device, engine, hub, message, node, send, send_message, sign_in, until, user};

fn alice_and_bob() -> ConversationId {
    ConversationId::private(&user("alice"), &user("bob"))
}

fn group() -> ConversationId {
    ConversationId::Group(GroupId::new("g").unwrap())
}

fn stands(user: &str, delivered_seq: u64, read_seq: u64) -> Receipt {
    Receipt {
        user: user.into(),
        delivered_seq,
        read_seq,
    }
}

fn told(device: &Device) -> Vec<Receipt> {
    let events = device.told.events.lock();
    let news = events.iter().filter_map(|event| match &event.body {
        EventBody::Receipts(news) => Some(news.receipts.clone()),
        _ => None,
    });
    news.flatten().collect()
}

/// A group of the owner and these, in which each has said something, the owner first.
async fn group_of(engine: &Engine, app: AppId, members: &[&str]) {
    let users: Vec<_> = members.iter().map(|name| user(name)).collect();
    let id = Some(GroupId::new("g").unwrap());
    engine
        .create_group(app, By::Server, id, "", &user("owner"), &users)
        .await
        .unwrap();
    send(engine, app, "owner", &group(), "o").await.unwrap();
    for name in members {
        send(engine, app, name, &group(), name).await.unwrap();
    }
}

#[tokio::test]
async fn the_other_side_hears_of_delivery_and_of_reading() {
    let (engine, app) = engine().await;
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    for n in 1..=3 {
        send(&engine, app, "alice", &alice_and_bob(), &n.to_string())
            .await
            .unwrap();
    }
    let delivered = async |seq| {
        let place = alice_and_bob();
        let done = engine.mark_delivered(app, &bob.user, &place, seq).await;
        done.unwrap();
    };
    delivered(2).await;
    until("alice hears", async || {
        told(&alice) == [stands("bob", 2, 0)]
    })
    .await;
    delivered(1).await; // Never back: nothing to tell.
    engine
        .mark_read(app, &bob.user, &alice_and_bob(), 1)
        .await
        .unwrap();
    until("alice hears", async || {
        told(&alice).last() == Some(&stands("bob", 2, 1))
    })
    .await;
    let mut answer = message(app, "bob", &alice_and_bob(), "yes");
    answer.read_up_to = 3;
    send_message(&engine, answer).await.unwrap();
    until("alice hears", async || {
        told(&alice).last() == Some(&stands("bob", 3, 3))
    })
    .await;
    assert_eq!(told(&alice).len(), 3);
    assert!(told(&bob).is_empty(), "one's own devices have the position");
}

#[tokio::test]
async fn in_a_group_the_senders_of_what_was_read_hear_of_it() {
    let (engine, app) = engine().await;
    group_of(&engine, app, &["a", "b", "c"]).await;
    let owner = sign_in(&engine, app, "owner", Platform::Web).await;
    let a = sign_in(&engine, app, "a", Platform::Web).await;
    let b = sign_in(&engine, app, "b", Platform::Web).await;
    // 1 created, 2 the owner's, 3 a's, 4 b's, 5 c's.
    engine
        .mark_read(app, &user("c"), &group(), 3)
        .await
        .unwrap();
    for device in [&owner, &a] {
        until("a sender hears", async || {
            told(device) == [stands("c", 3, 3)]
        })
        .await;
    }
    engine
        .mark_read(app, &user("c"), &group(), 4)
        .await
        .unwrap();
    until("b hears", async || told(&b) == [stands("c", 4, 4)]).await;
    assert_eq!(told(&a).len(), 1, "what a sent was read before");
}

#[tokio::test]
async fn the_feed_lists_members_who_moved_and_goes_on_where_it_stopped() {
    let (engine, app) = engine().await;
    let names: Vec<String> = (0..7).map(|n| format!("u{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    group_of(&engine, app, &names).await;
    for (n, name) in (2..).zip(&names) {
        engine
            .mark_read(app, &user(name), &group(), n)
            .await
            .unwrap();
    }
    let owner = user("owner");
    let page = async |from, limit| {
        let group = group();
        let page = engine.receipts(app, &owner, &group, from, limit).await;
        page.unwrap()
    };
    let (mut listed, mut from) = (Vec::new(), 0);
    loop {
        let part = page(from, 2).await;
        listed.extend(part.receipts);
        from = part.version;
        if !part.more {
            break;
        }
    }
    let expected: Vec<Receipt> = (2..)
        .zip(&names)
        .map(|(n, name)| stands(name, n, n))
        .collect();
    listed.sort_by(|one, other| one.user.cmp(&other.user));
    assert_eq!(listed, expected);
    engine
        .mark_read(app, &user("u0"), &group(), 9)
        .await
        .unwrap();
    let since = page(from, 0).await.receipts;
    assert!(since.contains(&stands("u0", 9, 9)), "{since:?}");
    let all = page(0, 0).await.receipts;
    assert_eq!(all.len(), 7, "each is listed once");
    assert!(all.contains(&stands("u0", 9, 9)), "{all:?}");
    let refused = engine.receipts(app, &user("eve"), &group(), 0, 0).await;
    assert_eq!(refused.unwrap_err().code, Code::NotAMember);
}

#[tokio::test]
async fn a_sender_sees_who_has_read_a_message_and_of_how_many() {
    let (engine, app) = engine().await;
    group_of(&engine, app, &["a", "b", "c"]).await;
    for (name, seq) in [("a", 5), ("b", 2), ("c", 1)] {
        engine
            .mark_read(app, &user(name), &group(), seq)
            .await
            .unwrap();
    }
    // Who came later could not read it.
    let id = GroupId::new("g").unwrap();
    engine
        .add_members(app, By::Server, &id, &[user("late")])
        .await
        .unwrap();
    engine
        .mark_read(app, &user("late"), &group(), 6)
        .await
        .unwrap();
    let (group, owner) = (group(), user("owner"));
    let page = engine.readers(app, Some(&owner), &group, 2, "", 1).await;
    let page = page.unwrap();
    assert_eq!(page.users, [user("a")]);
    assert_eq!((page.count, page.of, page.cursor.as_str()), (2, 3, "a"));
    let rest = engine.readers(app, None, &group, 2, "a", 1).await.unwrap();
    assert_eq!((rest.users, rest.cursor), (vec![user("b")], String::new()));
    let a = user("a");
    let refused = engine.readers(app, Some(&a), &group, 2, "", 0).await;
    assert_eq!(refused.unwrap_err().code, Code::NotAllowed);
    let none = engine.readers(app, Some(&owner), &group, 99, "", 0).await;
    assert_eq!(none.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn receipts_and_deletions_travel_between_nodes() {
    let (hub, store) = (hub(), Store::memory());
    let mut nodes = Vec::new();
    for id in 1..=3 {
        nodes.push(node(&hub, id, &store).await);
    }
    let app = nodes[0].create_app(None, "", false).await.unwrap().info.id;
    let alice = sign_in(&nodes[0], app, "alice", Platform::Web).await;
    let bob = sign_in(&nodes[1], app, "bob", Platform::Web).await;
    send(&nodes[2], app, "alice", &alice_and_bob(), "hi")
        .await
        .unwrap();
    nodes[2]
        .mark_read(app, &bob.user, &alice_and_bob(), 1)
        .await
        .unwrap();
    until("alice hears wherever she is", async || {
        told(&alice).last() == Some(&stands("bob", 1, 1))
    })
    .await;
    nodes[2]
        .delete_messages(app, &bob.user, &alice_and_bob(), &[1])
        .await
        .unwrap();
    until("bob hears wherever he is", async || {
        let events = bob.told.events.lock();
        events
            .iter()
            .any(|event| matches!(&event.body, EventBody::Deleted(told) if told.seqs == [1]))
    })
    .await;
}

#[tokio::test]
async fn messages_that_ask_for_it_are_acknowledged_one_by_one() {
    let (engine, app) = engine().await;
    group_of(&engine, app, &["a", "b"]).await;
    let owner = sign_in(&engine, app, "owner", Platform::Web).await;
    let mut wanted = message(app, "owner", &group(), "please confirm");
    wanted.options.receipt_wanted = true;
    let seq = send_message(&engine, wanted).await.unwrap().seq;
    let (group, a) = (group(), user("a"));
    for _ in 0..2 {
        // The second time, and for what did not ask, nothing happens.
        let done = engine.acknowledge(app, &a, &group, &[2, seq, 99]).await;
        done.unwrap();
    }
    let done = engine.acknowledge(app, &owner.user, &group, &[seq]).await;
    done.unwrap();
    let heard = || {
        let events = owner.told.events.lock();
        let news = events.iter().filter_map(|event| match &event.body {
            EventBody::Receipts(news) => Some(news.acknowledgements.clone()),
            _ => None,
        });
        let all: Vec<_> = news.flatten().map(|it| (it.seq, it.user)).collect();
        all
    };
    until("the sender hears", async || heard() == [(seq, "a".into())]).await;
    let by = Some(&owner.user);
    let page = engine.acknowledgers(app, by, &group, seq, "", 0).await;
    let page = page.unwrap();
    assert_eq!((page.users, page.count, page.of), (vec![a.clone()], 1, 2));
    let read = engine.readers(app, by, &group, seq, "", 0).await.unwrap();
    assert_eq!(read.count, 0, "acknowledging is not reading");
    let refused = engine
        .acknowledgers(app, Some(&a), &group, seq, "", 0)
        .await;
    assert_eq!(refused.unwrap_err().code, Code::NotAllowed);
}
