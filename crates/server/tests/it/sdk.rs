//! The Rust SDK on the built binary: what scenarios do not say, since it is about one device.

#![allow(clippy::disallowed_methods, reason = "a test that hangs has to end")]

use std::time::Duration;

use anser_sdk::core::Event;
use anser_sdk::database::SqliteStorage;
use anser_sdk::model::{
    ConversationQuery, CreatedUpdate, MessageSearch, NewConversation, RelationList,
};
use anser_sdk::{Client, Events};
use serde_json::json;

use crate::server::{Place, Server};

/// Long enough for a busy machine; only a hang gets there.
const PATIENCE: Duration = Duration::from_secs(60);

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.unwrap() })
}

/// A client of this user, with its database at `place`.
fn client(server: &Server, place: &Place, user: &str) -> (Client, Events) {
    let app = server.default_app();
    let path = format!("/v1/users/{user}/token");
    let token = app.post(&path, json!({})).expect(200)["token"].clone();
    let token = token.as_str().unwrap().to_owned();
    let storage = SqliteStorage::open(place.path().join(format!("{user}.db"))).unwrap();
    let builder = Client::builder(server.text("ws"), token);
    let builder = builder.device_id(user).database(storage);
    builder.connect().unwrap()
}

async fn until<T>(events: &mut Events, wanted: impl Fn(Event) -> Option<T>) -> T {
    loop {
        let event = events.next().await.unwrap();
        if let Some(found) = wanted(event) {
            return found;
        }
    }
}

fn bytes() -> Vec<u8> {
    (0..3_000_000_u32)
        .map(|n| u8::try_from(n / 7 % 251).unwrap())
        .collect()
}

#[test]
fn an_upload_goes_on_after_a_restart_where_it_was() {
    let place = Place::new();
    let server = place.start(&[]);
    let path = place.path().join("照片 1.bin");
    std::fs::write(&path, bytes()).unwrap();
    let (sent, id) = run(async {
        let (client, _events) = client(&server, &place, "alice");
        let upload = client.upload_file(&path).await.unwrap();
        let mut progress = upload.progress();
        let some = progress.wait_for(|progress| progress.sent > 0).await;
        assert_eq!(some.unwrap().bytes, 3_000_000);
        let id = upload.id().to_owned();
        drop(upload);
        let sent = progress.borrow().sent;
        (sent, id)
    });
    assert!(sent < 3_000_000, "it was stopped on its way");
    let file = run(async {
        let (client, _events) = client(&server, &place, "alice");
        let database = client.database().unwrap();
        let waiting = database.uploads().await.unwrap();
        assert_eq!((waiting.len(), waiting[0].id.as_str()), (1, id.as_str()));
        assert_eq!(waiting[0].name, "照片 1.bin");
        let upload = client.resume_upload(&id).await.unwrap();
        let mut progress = upload.progress();
        let first = progress.wait_for(|progress| progress.sent > 0).await;
        assert!(
            first.unwrap().sent >= sent,
            "what was sent is not sent again"
        );
        let file = upload.finish().await.unwrap();
        assert!(database.uploads().await.unwrap().is_empty());
        assert_eq!(client.media(&file.media).await.unwrap().media, file.media);
        file
    });
    assert_eq!((file.bytes, file.ready), (3_000_000, true));
    assert_eq!(file.name, "照片 1.bin");
    let url = file.url.unwrap();
    let path = url.strip_prefix(server.url()).unwrap();
    assert_eq!(server.get(path).body, bytes());
}

#[test]
fn a_file_that_changed_or_is_gone_is_not_sent_and_one_that_fits_goes_whole() {
    let place = Place::new();
    let server = place.start(&[]);
    let path = place.path().join("notes.txt");
    run(async {
        let (client, _events) = client(&server, &place, "alice");
        assert!(client.upload_file(&path).await.is_err(), "there is none");
        std::fs::write(&path, "one").unwrap();
        let upload = client.upload_file(&path).await.unwrap();
        let database = client.database().unwrap();
        std::fs::write(&path, "something else").unwrap();
        let refused = upload.finish().await.unwrap_err();
        assert_eq!(refused.name, "INVALID_REQUEST", "{refused}");
        assert!(database.uploads().await.unwrap().is_empty());
        let small = client.upload("a b.txt", "一二三").await.unwrap();
        assert_eq!((small.name.as_str(), small.bytes), ("a b.txt", 9));
        client.delete_media(&small.media).await.unwrap();
        let gone = client.media(&small.media).await.unwrap_err();
        assert_eq!(gone.name, "NOT_FOUND");
    });
}

#[test]
fn created_conversations_from_their_creation_to_their_end() {
    let place = Place::new();
    let server = place.start(&[]);
    server.default_app().user("bob");
    run(async {
        let (alice, _events) = client(&server, &place, "alice");
        let (bob, mut heard) = client(&server, &place, "bob");
        let new = NewConversation {
            name: "Chess".to_owned(),
            members: vec!["bob".to_owned()],
            attributes: r#"{"game":{"round":1}}"#.to_owned(),
            unique: true,
            ..NewConversation::default()
        };
        let made = alice.create_conversation(new.clone()).await.unwrap();
        let same = alice.create_conversation(new).await.unwrap();
        assert_eq!(
            (same.conversation, same.reused),
            (made.conversation.clone(), true)
        );
        let name = made.conversation;
        let listed = |event| match event {
            Event::Conversation { row, .. } => (row.id == name).then_some(row.name),
            _ => None,
        };
        assert_eq!(until(&mut heard, listed).await, "Chess");
        let update = CreatedUpdate {
            set_attributes: [("game.round".to_owned(), "2".to_owned())].into(),
            ..CreatedUpdate::default()
        };
        let now = bob
            .update_created_conversation(&name, update)
            .await
            .unwrap();
        assert_eq!(now.attributes, r#"{"game":{"round":2}}"#);
        let query = ConversationQuery {
            filter: r#"{"field":"attributes.game.round","op":"gt","value":1}"#.to_owned(),
            ..ConversationQuery::default()
        };
        let found = alice.query_conversations(query).await.unwrap();
        assert_eq!((found.matched, found.complete), (1, true));
        let bob_only = vec!["bob".to_owned()];
        alice
            .mute_in_conversation(&name, bob_only.clone(), 60)
            .await
            .unwrap();
        let muted = alice
            .conversation_members(&name, true, "", 0)
            .await
            .unwrap();
        assert_eq!(muted.members[0].user_id, "bob");
        alice
            .block_from_conversation(&name, bob_only, 60)
            .await
            .unwrap();
        let kept_out = alice.conversation_blocks(&name, "", 0).await.unwrap();
        assert_eq!(kept_out.users[0].user_id, "bob");
        alice.dismiss_conversation(&name).await.unwrap();
        assert!(alice.get_created_conversation(&name).await.is_err());
    });
}

#[test]
fn people_are_watched_and_kept_away_and_what_they_wrote_is_found() {
    let place = Place::new();
    let server = place.start(&[]);
    let settings = json!({ "presence": true });
    server
        .default_app()
        .patch("/v1/apps/default/settings", settings)
        .expect(200);
    run(async {
        let (alice, mut heard) = client(&server, &place, "alice");
        let (bob, _events) = client(&server, &place, "bob");
        let watched = alice.subscribe_presence(vec!["bob".to_owned()], 60).await;
        assert_eq!(watched.unwrap()[0].user, "bob");
        bob.set_presence_status("在开会", 60).await.unwrap();
        let status = |event| match event {
            Event::Presence(one) => (one.status == "在开会").then_some(one.user),
            _ => None,
        };
        assert_eq!(until(&mut heard, status).await, "bob");
        let all = alice.presence_subscriptions().await.unwrap();
        assert_eq!(all[0].user, "bob");
        bob.send_text("p/alice/bob", "明天去北京").await.unwrap();
        let search = MessageSearch {
            text: "北京".to_owned(),
            ..MessageSearch::default()
        };
        while alice
            .search_messages(search.clone())
            .await
            .unwrap()
            .messages
            .is_empty()
        {
            tokio::task::yield_now().await;
        }
        alice.block_users(vec!["bob".to_owned()]).await.unwrap();
        let told = |event| match event {
            Event::Relations(change) => Some(change.added),
            _ => None,
        };
        assert_eq!(until(&mut heard, told).await, ["bob"]);
        let page = alice.relations(RelationList::Blocked, "", 0).await.unwrap();
        assert_eq!(page.users, ["bob"]);
        let refused = bob.send_text("p/alice/bob", "?").await.unwrap_err();
        assert_eq!(refused.name, "BLOCKED");
        alice.unblock_users(vec!["bob".to_owned()]).await.unwrap();
        bob.send_text("p/alice/bob", "!").await.unwrap();
    });
}
