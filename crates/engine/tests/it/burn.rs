//! Messages that burn after reading, and effects that are given up.

use anser_domain::{AppId, Code, ConversationId, GroupId, Platform};
use anser_engine::Engine;
use anser_engine::group::By;
use anser_engine::message::{Change, Message};
use anser_engine::tables::OUTBOX;
use anser_proto::stored;
use anser_store::{Key, Outcome, Shard, Store, Unit};
use bytes::Bytes;
use prost::Message as _;
use stored::outbox_row::Effect;

use crate::world::{engine, hub, message, node, send, send_message, sign_in, until, user};

fn place() -> ConversationId {
    ConversationId::private(&user("alice"), &user("bob"))
}

/// Alice says something that burns a second after it was read.
async fn say(engine: &Engine, app: AppId, id: &str) -> Result<u64, Code> {
    let mut message = message(app, "alice", &place(), id);
    message.options.burn_after_seconds = 1;
    let sent = send_message(engine, message).await;
    sent.map(|sent| sent.seq).map_err(|reject| reject.code)
}

async fn stored_message(engine: &Engine, app: AppId, seq: u64) -> Message {
    let bob = user("bob");
    let found = engine.messages(app, Some(&bob), &place(), &[seq]).await;
    found.unwrap().remove(0)
}

async fn has_burned(engine: &Engine, app: AppId, seq: u64) -> bool {
    let message = stored_message(engine, app, seq).await;
    let recall = message.state.and_then(|state| state.recall);
    recall.is_some_and(|recall| recall.burned) && message.body.is_empty()
}

#[tokio::test]
async fn what_the_other_side_has_read_burns_and_nothing_else() {
    let (engine, app) = engine().await;
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    assert_eq!(say(&engine, app, "1").await, Ok(1));
    assert_eq!(say(&engine, app, "2").await, Ok(2));
    send(&engine, app, "alice", &place(), "3").await.unwrap();
    let edit = Change::Edit {
        content_type: "text".into(),
        body: Bytes::from_static(b"other"),
        mention: None,
    };
    let by = By::User(user("alice"));
    engine
        .change_message(app, by, &place(), 1, edit)
        .await
        .unwrap();
    // The sender's own reading burns nothing.
    engine
        .mark_read(app, &alice.user, &place(), 3)
        .await
        .unwrap();
    engine.mark_read(app, &bob.user, &place(), 1).await.unwrap();
    until("the first burns", async || {
        has_burned(&engine, app, 1).await
    })
    .await;
    let edits = engine
        .former_contents(app, &place(), 1, 0, 10)
        .await
        .unwrap();
    assert!(edits.contents.is_empty(), "former contents burn as well");
    assert!(!has_burned(&engine, app, 2).await);
    assert_eq!(bob.unread(&place()).await, 2);
    // An answer that reads does it too; what does not burn stays.
    let mut answer = message(app, "bob", &place(), "4");
    answer.read_up_to = 3;
    send_message(&engine, answer).await.unwrap();
    until("the second burns", async || {
        has_burned(&engine, app, 2).await
    })
    .await;
    assert!(!has_burned(&engine, app, 3).await);
    let changes = engine
        .pull_changes(app, Some(&bob.user), &place(), 0, 10)
        .await
        .unwrap();
    let burned: Vec<u64> = changes.messages.iter().map(|one| one.seq).collect();
    assert_eq!(burned, [1, 2], "a device that was away learns of it");
}

#[tokio::test]
async fn what_was_read_before_a_stop_burns_after_it() {
    let (hub, store) = (hub(), Store::memory());
    let engine = node(&hub, 1, &store).await;
    let app = engine.create_app(None, "", false).await.unwrap().info.id;
    say(&engine, app, "1").await.unwrap();
    engine
        .mark_read(app, &user("bob"), &place(), 1)
        .await
        .unwrap();
    engine.stop().await;
    drop(engine);
    let engine = node(&hub, 2, &store).await;
    until("it burns", async || has_burned(&engine, app, 1).await).await;
}

#[tokio::test]
async fn only_private_chats_burn_and_not_after_a_year() {
    let (engine, app) = engine().await;
    let id = GroupId::new("g").unwrap();
    engine
        .create_group(app, By::Server, Some(id.clone()), "", &user("alice"), &[])
        .await
        .unwrap();
    let refused = async |place: &ConversationId, seconds, transient| {
        let mut message = message(app, "alice", place, "x");
        message.options.burn_after_seconds = seconds;
        message.options.transient = transient;
        send_message(&engine, message).await.unwrap_err().code
    };
    let group = ConversationId::Group(id);
    assert_eq!(refused(&group, 1, false).await, Code::InvalidRequest);
    assert_eq!(
        refused(&place(), 604_801, false).await,
        Code::InvalidRequest
    );
    assert_eq!(refused(&place(), 1, true).await, Code::InvalidRequest);
}

#[tokio::test]
async fn an_effect_that_failed_too_often_waits_for_an_operator() {
    let store = Store::memory();
    let row = stored::OutboxRow {
        attempts: 19,
        created_time: 7,
        effect: Some(Effect::Burn(stored::BurnEffect {
            app: 1,
            conversation: "no name of a conversation".into(),
            seq: 1,
        })),
    };
    let key = Key::new(OUTBOX, Shard(3), Bytes::from_static(&[0; 16]));
    let unit = Unit::new().put(key, row.encode_to_vec());
    assert_eq!(store.commit(vec![unit]).await, [Outcome::Committed]);
    let engine = node(&hub(), 1, &store).await;
    let given_up = async || engine.dead_letters("", 10).await.unwrap().0;
    until("it is given up", async || !given_up().await.is_empty()).await;
    let letter = given_up().await.remove(0);
    assert_eq!((letter.effect, letter.attempts), ("burn", 20));
    assert_eq!(letter.created.0, 7);
    assert!(
        engine
            .dead_letters(&letter.id, 10)
            .await
            .unwrap()
            .0
            .is_empty()
    );

    engine.replay_dead_letter(&letter.id).await.unwrap();
    assert!(given_up().await.is_empty(), "it is tried again");
    let code = async |id: &str| engine.replay_dead_letter(id).await.unwrap_err().code;
    assert_eq!(code(&letter.id).await, Code::NotFound);
    assert_eq!(code("00").await, Code::NotFound);
    assert_eq!(code("é").await, Code::InvalidRequest);
    assert_eq!(code("0").await, Code::InvalidRequest);
}
