//! Changing messages over the server API.

use serde_json::json;

use crate::server::Place;

const MESSAGES: &str = "/v1/conversations/p%2Falice%2Fbob/messages";

#[test]
fn edits_expansions_reactions_and_recalls() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    for user in ["alice", "bob"] {
        app.user(user);
    }
    app.send("alice", "bob", "m1", "helo");
    let one = format!("{MESSAGES}/1");
    let first = app.get(&one).expect(200);
    assert_eq!(first["content"]["text"], "helo");
    assert!(first.get("state").is_none());

    let content =
        json!({"content": {"type": "text", "text": "hello"}, "mention": {"users": ["bob"]}});
    let edited = app.put(&format!("{one}/content"), content).expect(200);
    assert_eq!(edited["state"]["edit"]["count"], 1);
    let other_type = json!({"content": {"type": "image", "text": "hello"}});
    app.put(&format!("{one}/content"), other_type).expect(400);
    let edits = app.get(&format!("{one}/edits")).expect(200);
    assert_eq!(edits["contents"][0]["content"]["text"], "helo");
    assert_eq!(edits["contents"][0]["operator"], "alice");

    let expansion = format!("{one}/expansion");
    let put = json!({"user": "bob", "put": {"k": "v"}});
    let expanded = app.patch(&expansion, put).expect(200);
    assert_eq!(expanded["state"]["expansion"]["k"]["user"], "bob");
    app.patch(&expansion, json!({})).expect(400);
    app.patch(&expansion, json!({"user": "eve", "remove": ["k"]}))
        .expect(403);
    let reaction = json!({"user": "bob", "reaction": "雁"});
    let reacted = app.post(&format!("{one}/reactions"), reaction).expect(200);
    assert_eq!(reacted["state"]["reactions"][0]["users"], json!(["bob"]));

    let recalled = app.post(&format!("{one}/recall"), json!({})).expect(200);
    assert_eq!(recalled["state"]["recall"]["operator"], "");
    let message = app.get(&one).expect(200);
    assert_eq!(message["content"]["text"], "");
    app.put(
        &format!("{one}/content"),
        json!({"content": {"type": "text", "text": "x"}}),
    )
    .expect(410);
    let changes = app
        .get("/v1/conversations/p%2Falice%2Fbob/changes?after=0")
        .expect(200);
    assert_eq!(changes["rev"], 4);
    assert_eq!(changes["messages"], json!([message]));
    app.get(&format!("{MESSAGES}/9")).expect(404);
    server.stop();
}
