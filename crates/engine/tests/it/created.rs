//! Conversations that users create: like groups, but for their policy.

use anser_domain::attributes::PathChange;
use anser_domain::group::info::SettingsChange;
use anser_domain::group::role::NewRole;
use anser_domain::query::{Filter, Sorting};
use anser_domain::{AppId, Code, ConversationId, Platform, Reject};
use anser_engine::Engine;
use anser_engine::created::{NewConversation, Query};
use anser_engine::group::{By, Group, GroupChange, GroupUpdate, Members};
use anser_engine::json;
use anser_store::Store;

use crate::world::{engine, hub, node, send, sign_in, until, user};

pub(crate) fn new(owner: &str, members: &[&str]) -> NewConversation {
    NewConversation {
        id: None,
        history_visible: false,
        name: "Geese".into(),
        owner: user(owner),
        members: members.iter().map(|name| user(name)).collect(),
        attributes: json::parse_object("", r#"{"game":{"round":1},"topic":"x"}"#).unwrap(),
        public: false,
        unique: false,
        temporary_seconds: None,
    }
}

pub(crate) fn by(name: &str) -> By {
    By::User(user(name))
}

async fn create(engine: &Engine, app: AppId, owner: &str, members: &[&str]) -> ConversationId {
    let made = engine
        .create_conversation(app, by(owner), new(owner, members))
        .await;
    made.unwrap().conversation.conversation()
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
    let invite = GroupChange::Add(vec![user("eve")]);
    assert_eq!(
        change(&engine, app, "bob", &id, invite).await,
        Err(Code::NotAllowed)
    );
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

async fn unique(
    engine: &Engine,
    app: AppId,
    owner: &str,
    members: &[&str],
) -> (ConversationId, bool) {
    let new = NewConversation {
        unique: true,
        ..new(owner, members)
    };
    let made = engine
        .create_conversation(app, by(owner), new)
        .await
        .unwrap();
    (made.conversation.conversation(), made.reused)
}

#[tokio::test]
async fn the_same_members_get_the_same_conversation() {
    let (engine, app) = engine().await;
    let (first, reused) = unique(&engine, app, "alice", &["bob"]).await;
    assert!(!reused);
    assert_eq!(
        unique(&engine, app, "bob", &["alice", "bob"]).await,
        (first.clone(), true)
    );
    let (other, _) = unique(&engine, app, "alice", &["bob", "carol"]).await;
    assert_ne!(other, first);
    assert_ne!(
        create(&engine, app, "alice", &["bob"]).await,
        first,
        "only those created so"
    );
    let page = sign_in(&engine, app, "bob", Platform::Web)
        .await
        .history(&first)
        .await;
    assert_eq!(page.unwrap(), [1], "who finds it is not announced");
    // With other members it is not the one of these two any more.
    let carol = GroupChange::Add(vec![user("carol")]);
    change(&engine, app, "bob", &first, carol).await.unwrap();
    let (second, reused) = unique(&engine, app, "alice", &["bob"]).await;
    assert!(second != first && !reused);
    change(&engine, app, "alice", &second, GroupChange::Dismiss)
        .await
        .unwrap();
    let (third, reused) = unique(&engine, app, "alice", &["bob"]).await;
    assert!(third != second && !reused);
}

#[tokio::test]
async fn two_who_create_it_at_once_on_two_nodes_get_the_same_one() {
    let (hub, store) = (hub(), Store::memory());
    let one = node(&hub, 1, &store).await;
    let two = node(&hub, 2, &store).await;
    let app = one.create_app(None, "", false).await.unwrap().info.id;
    for n in 0..16 {
        let peer = format!("peer{n}");
        let (a, b) = futures::future::join(
            unique(&one, app, "alice", &[&peer]),
            unique(&two, app, &peer, &["alice"]),
        )
        .await;
        assert_eq!(a.0, b.0);
        assert!(!(a.1 && b.1), "one of them made it");
    }
}

#[tokio::test]
async fn a_reservation_without_a_conversation_heals() {
    let (hub, store) = (hub(), Store::memory());
    let one = node(&hub, 1, &store).await;
    let app = one.create_app(None, "", false).await.unwrap().info.id;
    let (first, _) = unique(&one, app, "alice", &["bob"]).await;
    // As if the node had died in between: the reservation is there, the head is not.
    let head = anser_store::Scan::all(anser_engine::tables::HEAD, anser_store::Shard(0));
    let mut gone = None;
    for shard in 0..anser_store::SHARD_COUNT {
        let scan = anser_store::Scan {
            shard: anser_store::Shard(shard),
            ..head.clone()
        };
        for (key, _) in store.scan(scan).await.unwrap().rows {
            gone = Some(anser_store::Key::new(
                anser_engine::tables::HEAD,
                anser_store::Shard(shard),
                key,
            ));
        }
    }
    let unit = anser_store::Unit::new().delete(gone.unwrap());
    store.commit(vec![unit]).await;
    one.stop().await;
    let two = node(&hub, 2, &store).await;
    let (again, reused) = unique(&two, app, "bob", &["alice"]).await;
    assert_eq!((again, reused), (first, false));
}

async fn named(
    engine: &Engine,
    app: AppId,
    name: &str,
    members: &[&str],
    attributes: &str,
) -> ConversationId {
    let new = NewConversation {
        name: name.into(),
        attributes: json::parse_object("", attributes).unwrap(),
        ..new("alice", members)
    };
    let made = engine.create_conversation(app, by("alice"), new).await;
    made.unwrap().conversation.conversation()
}

async fn find(
    engine: &Engine,
    app: AppId,
    of: Option<&str>,
    filter: &str,
    sort: &[&str],
) -> Vec<String> {
    let query = Query {
        of: of.map(user),
        filter: Filter::parse(&json::parse("filter", filter).unwrap()).unwrap(),
        sorting: Sorting::parse(&sort.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
            .unwrap(),
        skip: 0,
        limit: 0,
    };
    let found = engine.query_conversations(app, query).await.unwrap();
    assert!(found.complete);
    assert_eq!(found.matched, found.conversations.len());
    found.conversations.into_iter().map(|it| it.name).collect()
}

#[tokio::test]
async fn conversations_are_found_by_what_is_told_of_them() {
    let (engine, app) = engine().await;
    let one = named(
        &engine,
        app,
        "one",
        &["bob"],
        r#"{"game":{"round":1},"tags":["a"]}"#,
    )
    .await;
    named(
        &engine,
        app,
        "two",
        &["bob", "carol"],
        r#"{"game":{"round":2},"tags":["a","b"]}"#,
    )
    .await;
    named(&engine, app, "three", &["carol"], r#"{"game":{"round":3}}"#).await;
    let by_name = &["name"];
    let find_all = async |filter: &str, sort: &[&str]| find(&engine, app, None, filter, sort).await;
    assert_eq!(find_all("{}", by_name).await, ["one", "three", "two"]);
    let round = r#"{"field":"attributes.game.round","op":"gte","value":2}"#;
    assert_eq!(
        find_all(round, &["-attributes.game.round"]).await,
        ["three", "two"]
    );
    let tags = r#"{"field":"attributes.tags","op":"all","value":["a","b"]}"#;
    assert_eq!(find_all(tags, by_name).await, ["two"]);
    // Where everybody is a member, and where one is and another is not.
    until("the lists follow", async || {
        let carols = find_all(r#"{"field":"members","value":"carol"}"#, by_name).await;
        carols == ["three", "two"]
    })
    .await;
    let both = r#"{"field":"members","op":"all","value":["bob","carol"]}"#;
    assert_eq!(find_all(both, by_name).await, ["two"]);
    let without = r#"{"all":[{"field":"members","value":"bob"},{"not":{"field":"members","value":"carol"}}]}"#;
    assert_eq!(find_all(without, by_name).await, ["one"]);
    let either = r#"{"any":[{"field":"name","value":"one"},{"field":"members","value":"carol"}]}"#;
    assert_eq!(find_all(either, by_name).await, ["one", "three", "two"]);
    // A user's own, and only while they are in it.
    until("bob's list has both", async || {
        find(&engine, app, Some("bob"), "{}", by_name).await == ["one", "two"]
    })
    .await;
    assert_eq!(
        find(&engine, app, Some("bob"), round, by_name).await,
        ["two"]
    );
    change(&engine, app, "bob", &one, GroupChange::Quit)
        .await
        .unwrap();
    until("and then one", async || {
        find(&engine, app, Some("bob"), "{}", by_name).await == ["two"]
    })
    .await;
    change(&engine, app, "alice", &one, GroupChange::Dismiss)
        .await
        .unwrap();
    assert_eq!(find_all("{}", by_name).await, ["three", "two"]);
}

#[tokio::test]
async fn an_answer_comes_in_pages() {
    let (engine, app) = engine().await;
    for n in 0..7 {
        named(&engine, app, &format!("n{n}"), &[], "{}").await;
    }
    let page = async |skip| {
        let query = Query {
            of: None,
            filter: Filter::All(vec![]),
            sorting: Sorting::parse(&["-name".to_owned()]).unwrap(),
            skip,
            limit: 3,
        };
        let found = engine.query_conversations(app, query).await.unwrap();
        assert_eq!((found.matched, found.complete), (7, true));
        let names = found.conversations.into_iter().map(|it| it.name);
        names.collect::<Vec<_>>()
    };
    assert_eq!(page(0).await, ["n6", "n5", "n4"]);
    assert_eq!(page(6).await, ["n0"]);
    assert!(page(7).await.is_empty());
}
