//! Conversations that users create: like groups, but for their policy.

use anser_domain::attributes::PathChange;
use anser_domain::group::info::SettingsChange;
use anser_domain::group::role::NewRole;
use anser_domain::{AppId, Code, ConversationId, Platform, Reject};
use anser_engine::Engine;
use anser_engine::created::NewConversation;
use anser_engine::group::{By, Group, GroupChange, GroupUpdate, Members};
use anser_engine::json;
use anser_store::Store;

use crate::world::{engine, hub, node, send, sign_in, until, user};

pub(crate) fn new(owner: &str, members: &[&str]) -> NewConversation {
    NewConversation {
        name: "Geese".into(),
        owner: user(owner),
        members: members.iter().map(|name| user(name)).collect(),
        attributes: json::parse_object("", r#"{"game":{"round":1},"topic":"x"}"#).unwrap(),
        public: false,
    }
}

pub(crate) fn by(name: &str) -> By {
    By::User(user(name))
}

async fn create(engine: &Engine, app: AppId, owner: &str, members: &[&str]) -> ConversationId {
    let made = engine
        .create_conversation(app, by(owner), new(owner, members))
        .await;
    made.unwrap().conversation()
}

async fn change(
    engine: &Engine,
    app: AppId,
    who: &str,
    id: &ConversationId,
    change: GroupChange,
) -> Result<Group, Code> {
    let changed = engine.change_created(app, by(who), id, change).await;
    changed.map_err(|reject: Reject| reject.code)
}

fn attributes(set: &str, unset: &[&str]) -> GroupChange {
    GroupChange::Update(Box::new(GroupUpdate {
        nested_attributes: PathChange {
            set: json::parse_object("", set).unwrap(),
            unset: unset.iter().map(|path| (*path).to_owned()).collect(),
        },
        ..GroupUpdate::default()
    }))
}

#[tokio::test]
async fn it_belongs_to_everybody_in_it() {
    let (engine, app) = engine().await;
    let id = create(&engine, app, "alice", &["bob", "carol"]).await;
    let dave = GroupChange::Add(vec![user("dave")]);
    assert_eq!(
        change(&engine, app, "bob", &id, dave)
            .await
            .unwrap()
            .member_count,
        4
    );
    let carol = GroupChange::Remove(vec![user("carol")]);
    assert_eq!(
        change(&engine, app, "bob", &id, carol)
            .await
            .unwrap()
            .member_count,
        3
    );
    let set = attributes(r#"{"game.round":2,"game.map":{"size":[3,4]}}"#, &["topic"]);
    let changed = change(&engine, app, "dave", &id, set).await.unwrap();
    assert_eq!(
        json::object_text(&changed.nested_attributes),
        r#"{"game":{"map":{"size":[3,4]},"round":2}}"#
    );
    let outside = attributes(r#"{"a":1}"#, &[]);
    assert_eq!(
        change(&engine, app, "carol", &id, outside).await,
        Err(Code::NotAMember)
    );
    let through = attributes(r#"{"game.round.deeper":1}"#, &[]);
    assert_eq!(
        change(&engine, app, "bob", &id, through).await,
        Err(Code::InvalidRequest)
    );
    // The creator goes, and owns it again when somebody brings them back.
    change(&engine, app, "alice", &id, GroupChange::Quit)
        .await
        .unwrap();
    assert_eq!(
        send(&engine, app, "alice", &id, "x")
            .await
            .unwrap_err()
            .code,
        Code::NotAMember
    );
    let alice = GroupChange::Add(vec![user("alice")]);
    change(&engine, app, "bob", &id, alice).await.unwrap();
    let closed = GroupChange::Update(Box::new(GroupUpdate {
        settings: SettingsChange {
            open: Some(false),
            ..SettingsChange::default()
        },
        ..GroupUpdate::default()
    }));
    assert_eq!(
        change(&engine, app, "bob", &id, closed.clone()).await,
        Err(Code::NotAllowed)
    );
    change(&engine, app, "alice", &id, closed).await.unwrap();
    let set = attributes(r#"{"a":1}"#, &[]);
    assert_eq!(
        change(&engine, app, "bob", &id, set).await,
        Err(Code::NotAllowed)
    );
}

#[tokio::test]
async fn managers_mute_block_and_give_roles_to_those_below() {
    let (engine, app) = engine().await;
    let id = create(&engine, app, "alice", &["bob", "carol", "dave"]).await;
    let manager = |name: &str| GroupChange::SetRole {
        users: vec![user(name)],
        role: NewRole::Admin,
    };
    assert_eq!(
        change(&engine, app, "bob", &id, manager("bob")).await,
        Err(Code::NotAllowed)
    );
    change(&engine, app, "alice", &id, manager("bob"))
        .await
        .unwrap();
    change(&engine, app, "bob", &id, manager("carol"))
        .await
        .unwrap();
    let mute = |name: &str, seconds| GroupChange::Mute {
        users: vec![user(name)],
        until: engine.until(seconds),
    };
    change(&engine, app, "carol", &id, mute("dave", 60))
        .await
        .unwrap();
    assert_eq!(
        change(&engine, app, "carol", &id, mute("bob", 60)).await,
        Err(Code::NotAllowed)
    );
    assert_eq!(
        send(&engine, app, "dave", &id, "x").await.unwrap_err().code,
        Code::Muted
    );
    let muted = engine
        .created_members(app, by("dave"), &id, Members::Muted, "", 0)
        .await
        .unwrap();
    assert_eq!(muted.members.len(), 1);
    assert_eq!(muted.members[0].user, user("dave"));
    let block = |seconds| GroupChange::Ban {
        users: vec![user("dave")],
        until: engine.until(seconds),
    };
    change(&engine, app, "bob", &id, block(60)).await.unwrap();
    let again = GroupChange::Add(vec![user("dave")]);
    assert_eq!(
        change(&engine, app, "bob", &id, again.clone()).await,
        Err(Code::Banned)
    );
    let blocks = engine
        .created_blocks(app, by("bob"), &id, "", 0)
        .await
        .unwrap();
    assert_eq!(blocks.users[0].user, user("dave"));
    change(&engine, app, "bob", &id, block(0)).await.unwrap();
    change(&engine, app, "bob", &id, again).await.unwrap();
}

#[tokio::test]
async fn every_change_reaches_devices_that_were_away() {
    let (engine, app) = engine().await;
    let id = create(&engine, app, "alice", &["bob"]).await;
    send(&engine, app, "alice", &id, "hello").await.unwrap();
    let set = attributes(r#"{"game.round":2}"#, &["topic"]);
    change(&engine, app, "alice", &id, set).await.unwrap();
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    until("bob has it in his list", async || {
        engine.conversation(app, &bob.user, &id).await.is_ok()
    })
    .await;
    let view = engine.conversation(app, &bob.user, &id).await.unwrap();
    assert_eq!((&*view.name, view.unread, view.head_seq), ("Geese", 1, 3));
    let newest = view.newest.unwrap();
    assert_eq!(&*newest.content_type, "anser.group");
    let body = String::from_utf8_lossy(&newest.body).into_owned();
    assert!(body.contains(r#"{"game.round":2,"topic":null}"#), "{body}");
    let join = change(&engine, app, "carol", &id, GroupChange::Join).await;
    assert_eq!(join, Err(Code::NotAllowed), "it is not public");
}

#[tokio::test]
async fn the_owner_node_decides_whoever_asks() {
    let (hub, store) = (hub(), Store::memory());
    let one = node(&hub, 1, &store).await;
    let two = node(&hub, 2, &store).await;
    let app = one.create_app(None, "", false).await.unwrap().info.id;
    for n in 0..8 {
        let id = create(&one, app, "alice", &["bob"]).await;
        let set = attributes(&format!(r#"{{"game.round":{n}}}"#), &[]);
        let changed = change(&two, app, "bob", &id, set).await.unwrap();
        assert_eq!(changed.conversation(), id);
        let seen = one.created(app, by("alice"), &id).await.unwrap();
        assert_eq!(seen, changed);
        send(&two, app, "bob", &id, "hi").await.unwrap();
    }
}
