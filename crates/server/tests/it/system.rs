//! System conversations by the server API.

use serde_json::json;

use crate::server::Place;

const SYSTEMS: &str = "/v1/system-conversations";

fn text(text: &str) -> serde_json::Value {
    json!({"type": "text", "text": text})
}

#[test]
fn the_backend_speaks_to_those_who_subscribe() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    for user in ["alice", "bob"] {
        app.user(user);
    }
    let new = json!({"id": "news", "name": "News", "attributes": {"topics": {"sky": 1}}});
    let made = app.post(SYSTEMS, new.clone()).expect(201);
    assert_eq!(
        (&made["conversation"], &made["everyone"]),
        (&json!("s/news"), &json!(false))
    );
    assert_eq!(app.post(SYSTEMS, new).refused(409), "ALREADY_EXISTS");
    let change =
        json!({"portrait": "https://example.com/a.png", "set_attributes": {"topics.sky": 2}});
    let changed = app
        .patch("/v1/system-conversations/news", change)
        .expect(200);
    assert_eq!(changed["attributes"], json!({"topics": {"sky": 2}}));
    assert_eq!(
        app.get("/v1/system-conversations/news").expect(200),
        changed
    );
    assert_eq!(
        app.get(SYSTEMS).expect(200)["conversations"],
        json!([changed])
    );

    let both = json!({"users": ["alice", "bob"]});
    app.post("/v1/system-conversations/news/subscribers", both)
        .expect(204);
    let page = app
        .get("/v1/system-conversations/news/subscribers?limit=1")
        .expect(200);
    assert_eq!(page["subscribers"][0]["user_id"], "alice");
    let next = format!(
        "/v1/system-conversations/news/subscribers?cursor={}",
        page["cursor"].as_str().unwrap()
    );
    assert_eq!(
        app.get(&next).expect(200)["subscribers"][0]["user_id"],
        "bob"
    );

    let messages = "/v1/system-conversations/news/messages";
    let all = json!({"sender": "desk", "client_message_id": "1", "content": text("hello")});
    let sent = app.post(messages, all.clone()).expect(200);
    assert_eq!(app.post(messages, all).expect(200), sent, "a retry");
    let some = json!({"sender": "desk", "targets": ["bob"], "content": text("bob")});
    app.post(messages, some).expect(200);
    let none = json!({"sender": "desk", "targets": ["eve"], "content": text("eve")});
    assert_eq!(app.post(messages, none).refused(400), "INVALID_REQUEST");
    let now = json!({"sender": "desk", "transient": true, "content": text("now")});
    assert_eq!(app.post(messages, now).expect(200)["seq"], 0);
    let from_alice = json!({"sender": "alice", "conversation": "s/news", "content": text("hi")});
    app.post("/v1/messages", from_alice).expect(200);
    let seen = app
        .get("/v1/conversations/s%2Fnews/messages?after=0")
        .expect(200);
    assert_eq!(seen["messages"].as_array().unwrap().len(), 3);
    let unread = |user: &str| {
        let view = app.get(&format!("/v1/users/{user}/conversations/s%2Fnews"));
        view.expect(200)["unread"].clone()
    };
    assert_eq!((unread("alice"), unread("bob")), (json!(1), json!(2)));
    app.post("/v1/conversations/s%2Fnews/messages/1/recall", json!({}))
        .expect(200);
    assert_eq!((unread("alice"), unread("bob")), (json!(0), json!(1)));

    let gone = json!({"users": ["alice"]});
    app.post("/v1/system-conversations/news/subscribers/remove", gone)
        .expect(204);
    let from_alice = json!({"sender": "alice", "conversation": "s/news", "content": text("x")});
    assert_eq!(
        app.post("/v1/messages", from_alice).refused(403),
        "NOT_A_MEMBER"
    );
    for cursor in ["x".to_owned(), "0".repeat(1_000), "c%2Fnews".to_owned()] {
        let refused = app.get(&format!("{SYSTEMS}?cursor={cursor}")).refused(400);
        assert_eq!(refused, "INVALID_REQUEST", "{cursor}");
    }
    app.delete("/v1/system-conversations/news").expect(204);
    let refused = app.get("/v1/system-conversations/news").refused(410);
    assert_eq!(refused, "GROUP_DISMISSED");
    server.stop();
}

#[test]
fn everyone_is_spoken_to() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    app.user("alice");
    let made = app.post(SYSTEMS, json!({"everyone": true})).expect(201);
    let id = made["id"].as_str().unwrap();
    let hello = json!({"sender": "desk", "content": text("hello")});
    app.post(&format!("{SYSTEMS}/{id}/messages"), hello)
        .expect(200);
    let list = app.get("/v1/users/alice/conversations").expect(200);
    assert_eq!(list["conversations"][0]["unread"], 1);
    assert_eq!(list["conversations"][0]["id"], made["conversation"]);
    let users = json!({"users": ["alice"]});
    let refused = app
        .post(&format!("{SYSTEMS}/{id}/subscribers"), users)
        .refused(409);
    assert_eq!(refused, "EVERYONE_SUBSCRIBED");
    server.stop();
}
