//! Data directories of former releases open, and everything in them goes on.
//!
//! `fixtures/data/1.tar.gz` was written by the first release that stored anything: alice and bob
//! talk, alice founds a group, carol joins; the server stops and starts, and is killed while what
//! it did last is only in the log.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::server::{App, Place};

const SECRET: &str = "sk_JmabOI_VN4H1pw5YoDKXiD_c78-gEafOcLdfE2qy8EQ";

fn unpack(place: &Place, name: &str) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/data");
    let status = Command::new("tar")
        .arg("-xzf")
        .arg(fixtures.join(name))
        .arg("-C")
        .arg(place.path())
        .status();
    assert!(status.unwrap().success(), "{name} unpacks");
}

fn conversation(app: &App<'_>, user: &str, id: &str) -> Value {
    let list = app
        .get(&format!("/v1/users/{user}/conversations"))
        .expect(200);
    let rows = list["conversations"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == id);
    row.unwrap_or_else(|| panic!("{user} has {id}: {list}"))
        .clone()
}

fn texts(app: &App<'_>, id: &str) -> Vec<String> {
    let id = id.replace('/', "%2F");
    let page = app
        .get(&format!("/v1/conversations/{id}/messages?after=0"))
        .expect(200);
    let messages = page["messages"].as_array().unwrap().iter();
    let texts = messages
        .filter(|message| message["content"]["type"] == "text")
        .filter_map(|message| message["content"]["text"].as_str());
    texts.map(str::to_owned).collect()
}

#[test]
fn the_data_of_the_first_release_opens_and_reads_on() {
    let place = Place::new();
    unpack(&place, "1.tar.gz");
    let server = place.start(&[]);
    let app = server.app("default", SECRET);

    assert_eq!(texts(&app, "p/alice/bob"), ["one", "two", "three", "four"]);
    assert_eq!(texts(&app, "g/geese"), ["hello", "welcome", "late"]);
    let private = conversation(&app, "bob", "p/alice/bob");
    assert_eq!(
        (&private["unread"], &private["read_seq"]),
        (&json!(2), &json!(1))
    );
    let carols = conversation(&app, "carol", "g/geese");
    assert_eq!(
        (&carols["unread"], &carols["first_seq"], &carols["name"]),
        (&json!(0), &json!(3), &json!("Geese 雁"))
    );
    assert_eq!(conversation(&app, "bob", "g/geese")["unread"], 2);

    // A retry of what was sent then is that message; what comes new continues.
    let again = app.send("alice", "bob", "m3", "four");
    assert_eq!(again["seq"], 4);
    assert_eq!(app.send("alice", "bob", "m4", "five")["seq"], 5);
    let recall = "/v1/conversations/p%2Falice%2Fbob/messages/2/recall";
    app.post(recall, json!({})).expect(200);
    assert_eq!(conversation(&app, "bob", "p/alice/bob")["unread"], 2);
    let group = app.get("/v1/groups/geese").expect(200);
    assert_eq!(group["member_count"], 3);
    app.post(
        "/v1/groups/geese/members/remove",
        json!({"members": ["carol"]}),
    )
    .expect(200);

    // And it is there when the server comes back.
    server.stop();
    let server = place.start(&[]);
    let app = server.app("default", SECRET);
    assert_eq!(texts(&app, "p/alice/bob"), ["one", "three", "four", "five"]);
    assert_eq!(app.get("/v1/groups/geese").expect(200)["member_count"], 2);
}
