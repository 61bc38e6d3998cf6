//! Messages change after they were sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::change::MessageState;
use anser_domain::message::Mention;
use anser_domain::{AppId, Code, ConversationId, Platform, Reject};
use anser_engine::group::By;
use anser_engine::message::{Change, Message, MessageChanged, SendOptions};
use anser_engine::{Engine, EventBody, Reply};
use anser_store::Store;
use futures::channel::oneshot;

use crate::world::{Device, engine, hub, message, node, send, sign_in, until, user};

fn alice_and_bob() -> ConversationId {
    ConversationId::private(&user("alice"), &user("bob"))
}

async fn change(
    engine: &Engine,
    app: AppId,
    by: &str,
    of: &ConversationId,
    seq: u64,
    change: Change,
) -> Result<MessageChanged, Reject> {
    let by = match by {
        "" => By::Server,
        by => By::User(user(by)),
    };
    engine.change_message(app, by, of, seq, change).await
}

fn edit(text: &str) -> Change {
    Change::Edit {
        content_type: "text".into(),
        body: text.to_owned().into(),
        mention: None,
    }
}

fn put(key: &str, value: &str) -> Change {
    Change::Expand {
        put: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        remove: vec![],
    }
}

fn react(reaction: &str) -> Change {
    Change::React {
        reaction: reaction.to_owned(),
        remove: false,
    }
}

/// What the device was pushed of changes: the message and the `rev` before.
fn changes(device: &Device) -> Vec<(Arc<Message>, u64)> {
    let change = |event: &Arc<anser_engine::Event>| match &event.body {
        EventBody::Change {
            message,
            previous_rev,
        } => Some((message.clone(), *previous_rev)),
        _ => None,
    };
    device
        .told
        .events
        .lock()
        .iter()
        .filter_map(change)
        .collect()
}

async fn stored(engine: &Engine, app: AppId, of: &ConversationId, seq: u64) -> Message {
    let mut all = engine.messages(app, None, of, &[seq]).await.unwrap();
    all.remove(0)
}

#[tokio::test]
async fn a_recall_empties_the_message_for_those_here_and_those_away() {
    let (engine, app) = engine().await;
    let chat = alice_and_bob();
    send(&engine, app, "alice", &chat, "oops").await.unwrap();
    let desk = sign_in(&engine, app, "alice", Platform::Desktop).await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    let changed = change(&engine, app, "alice", &chat, 1, Change::Recall)
        .await
        .unwrap();
    assert_eq!(changed.state.rev, 1);
    assert_eq!(changed.state.recall.as_ref().unwrap().operator, "alice");
    for device in [&desk, &bob] {
        until("the change is pushed", async || changes(device).len() == 1).await;
        let (message, previous) = changes(device).remove(0);
        assert_eq!((message.seq, previous), (1, 0));
        assert!(message.body.is_empty() && message.is_recalled());
    }
    // Who was away pulls it: as a change, and in the page.
    let reader = Some(&bob.user);
    let page = engine.pull_changes(app, reader, &chat, 0, 0).await.unwrap();
    assert_eq!((page.rev, page.more, page.reset), (1, false, false));
    assert_eq!(page.messages, [stored(&engine, app, &chat, 1).await]);
    assert!(page.messages[0].body.is_empty());
    // A retry changes nothing, and tells nobody.
    let again = change(&engine, app, "alice", &chat, 1, Change::Recall)
        .await
        .unwrap();
    assert_eq!(again, changed);
    let refused = change(&engine, app, "alice", &chat, 1, edit("no")).await;
    assert_eq!(refused.unwrap_err().code, Code::MessageRecalled);
    assert_eq!(changes(&bob).len(), 1);
}

#[tokio::test]
async fn many_changes_of_a_message_are_one_thing_to_who_was_away() {
    let (engine, app) = engine().await;
    let chat = alice_and_bob();
    for id in ["one", "two"] {
        send(&engine, app, "alice", &chat, id).await.unwrap();
    }
    for n in 0..30 {
        change(&engine, app, "alice", &chat, 1, edit(&format!("edit {n}")))
            .await
            .unwrap();
    }
    change(&engine, app, "bob", &chat, 2, react("雁"))
        .await
        .unwrap();
    let bob = user("bob");
    let page = engine
        .pull_changes(app, Some(&bob), &chat, 7, 1)
        .await
        .unwrap();
    assert_eq!((page.rev, page.more), (30, true));
    assert_eq!(page.messages[0].body, "edit 29");
    let page = engine
        .pull_changes(app, Some(&bob), &chat, page.rev, 1)
        .await
        .unwrap();
    assert_eq!((page.rev, page.more), (31, false));
    let state = page.messages[0].state.as_deref().unwrap();
    assert_eq!(state.reactions[0].users, ["bob"]);
    let end = engine
        .pull_changes(app, Some(&bob), &chat, 31, 1)
        .await
        .unwrap();
    assert!(end.messages.is_empty() && !end.reset);
    // A `rev` that never was is no place to go on from.
    let beyond = engine
        .pull_changes(app, Some(&bob), &chat, 32, 1)
        .await
        .unwrap();
    assert!(beyond.reset);
    // What it said before is kept for the app, and can be paged.
    let history = engine.former_contents(app, &chat, 1, 0, 20).await.unwrap();
    assert!(history.more);
    assert_eq!(history.contents[0].body, "one");
    assert_eq!(history.contents[0].operator, "alice");
    let last = history.contents.last().unwrap();
    let rest = engine
        .former_contents(app, &chat, 1, last.rev, 20)
        .await
        .unwrap();
    assert_eq!(rest.contents.len(), 10);
    assert_eq!(rest.contents[9].body, "edit 28");
}

#[tokio::test]
async fn only_those_who_see_a_message_change_it_or_hear_of_it() {
    let (engine, app) = engine().await;
    let group = "geese".parse_group();
    let members = [user("bob"), user("carol")];
    engine
        .create_group(
            app,
            By::Server,
            Some(group.clone()),
            "",
            &user("alice"),
            &members,
        )
        .await
        .unwrap();
    let chat = ConversationId::Group(group.clone());
    send(&engine, app, "bob", &chat, "before dave")
        .await
        .unwrap();
    engine
        .add_members(app, By::Server, &group, &[user("dave")])
        .await
        .unwrap();
    let carol = sign_in(&engine, app, "carol", Platform::Web).await;
    let dave = sign_in(&engine, app, "dave", Platform::Web).await;
    let code = async |by: &str, what: Change| {
        let result = change(&engine, app, by, &chat, 2, what).await;
        result.map(|_| ()).map_err(|reject| reject.code)
    };
    assert_eq!(code("dave", react("x")).await, Err(Code::NotFound));
    assert_eq!(code("eve", react("x")).await, Err(Code::NotAMember));
    assert_eq!(code("carol", Change::Recall).await, Err(Code::NotAllowed));
    assert_eq!(code("carol", edit("x")).await, Err(Code::NotAllowed));
    assert_eq!(code("carol", put("k", "v")).await, Ok(()));
    assert_eq!(code("alice", Change::Recall).await, Ok(()), "the owner may");
    until("carol hears of both", async || changes(&carol).len() == 2).await;
    assert!(changes(&dave).is_empty());
    let page = engine
        .pull_changes(app, Some(&user("dave")), &chat, 0, 0)
        .await
        .unwrap();
    assert!(page.messages.is_empty());
    assert_eq!(page.rev, 2, "there is nothing to come back for");
    // The notice of the group's creation stays.
    let notice = change(&engine, app, "", &chat, 1, Change::Recall).await;
    assert_eq!(notice.unwrap_err().code, Code::NotAllowed);
    let missing = change(&engine, app, "", &chat, 77, Change::Recall).await;
    assert_eq!(missing.unwrap_err().code, Code::NotFound);
}

trait ParseGroup {
    fn parse_group(&self) -> anser_domain::GroupId;
}

impl ParseGroup for str {
    fn parse_group(&self) -> anser_domain::GroupId {
        anser_domain::GroupId::new(self).unwrap()
    }
}

#[tokio::test]
async fn changes_of_one_message_at_the_same_time_all_hold() {
    let (engine, app) = engine().await;
    let chat = alice_and_bob();
    send(&engine, app, "alice", &chat, "one").await.unwrap();
    let names: Vec<String> = (0..40).map(|n| format!("k{n}")).collect();
    let all = names
        .iter()
        .map(|key| change(&engine, app, "bob", &chat, 1, put(key, "v")));
    let mut revs: Vec<u64> = futures::future::join_all(all)
        .await
        .into_iter()
        .map(|changed| changed.unwrap().state.rev)
        .collect();
    revs.sort_unstable();
    assert!(revs.into_iter().eq(1..=40));
    let message = stored(&engine, app, &chat, 1).await;
    assert_eq!(message.state.unwrap().expansion.len(), 40);
    // The same change by two at a time is one change.
    let twice = [0, 1].map(|_| change(&engine, app, "bob", &chat, 1, put("twice", "v")));
    let results = futures::future::join_all(twice).await;
    assert!(
        results
            .iter()
            .all(|one| one.as_ref().unwrap().state.rev == 41)
    );
    let page = engine.pull_changes(app, None, &chat, 0, 0).await.unwrap();
    assert_eq!((page.rev, page.messages.len()), (41, 1));
}

#[tokio::test]
async fn a_change_goes_to_the_node_that_owns_the_conversation() {
    let (store, hub) = (Store::memory(), hub());
    let one = node(&hub, 1, &store).await;
    let two = node(&hub, 2, &store).await;
    let app = one
        .create_app(Some("app"), "", false)
        .await
        .unwrap()
        .info
        .id;
    for n in 0..8 {
        let bob = format!("bob{n}");
        let chat = ConversationId::private(&user("alice"), &user(&bob));
        send(&one, app, "alice", &chat, "hi").await.unwrap();
        let device = sign_in(&two, app, &bob, Platform::Web).await;
        let all = [edit("ho"), put("k", "v"), react("雁"), Change::Recall];
        for (engine, what) in [&one, &two, &one, &two].into_iter().zip(all) {
            let by = if matches!(what, Change::React { .. }) {
                bob.as_str()
            } else {
                "alice"
            };
            change(engine, app, by, &chat, 1, what).await.unwrap();
        }
        until("all four reach the other node", async || {
            changes(&device).len() == 4
        })
        .await;
        let told = changes(&device);
        assert_eq!(told[2].0.state.as_ref().unwrap().expansion["k"].value, "v");
        assert_eq!(*told[3].0, stored(&two, app, &chat, 1).await);
    }
}

#[tokio::test]
async fn the_list_shows_the_newest_message_as_it_is_now() {
    let (engine, app) = engine().await;
    let chat = alice_and_bob();
    send(&engine, app, "alice", &chat, "one").await.unwrap();
    change(&engine, app, "alice", &chat, 1, Change::Recall)
        .await
        .unwrap();
    let view = engine.conversation(app, &user("bob"), &chat).await.unwrap();
    assert_eq!((view.rev, view.head_seq), (1, 1));
    assert!(view.newest.unwrap().is_recalled());
}

#[tokio::test]
async fn mentions_stay_with_the_message_and_follow_its_edits() {
    let (engine, app) = engine().await;
    let chat = alice_and_bob();
    let mut wanted = message(app, "alice", &chat, "hey");
    let mention = Mention {
        all: false,
        users: vec![user("bob")],
        overrides_mute: true,
    };
    wanted.options = SendOptions {
        uncounted: true,
        mention: Some(mention.clone()),
        ..SendOptions::default()
    };
    let (reply, result) = oneshot::channel();
    engine.send(wanted, Reply::Call(reply));
    result.await.unwrap().unwrap();
    let first = stored(&engine, app, &chat, 1).await;
    assert_eq!(first.mention.as_deref(), Some(&mention));
    assert!(!first.counted);
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    until("bob's list has it", async || {
        engine.conversation(app, &bob.user, &chat).await.is_ok()
    })
    .await;
    assert_eq!(bob.unread(&chat).await, 0, "it does not count");
    change(&engine, app, "alice", &chat, 1, edit("you"))
        .await
        .unwrap();
    assert_eq!(stored(&engine, app, &chat, 1).await.mention, None);
    let state: MessageState = *stored(&engine, app, &chat, 1).await.state.unwrap();
    assert_eq!(state.edit.unwrap().count, 1);
}
