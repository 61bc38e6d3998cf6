//! A user's own view of conversations over the server API.

use serde_json::json;

use crate::server::Place;

const ROW: &str = "/v1/users/bob/conversations/p%2Falice%2Fbob";

#[test]
fn settings_deletion_and_clearing() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    for user in ["alice", "bob"] {
        app.user(user);
    }
    for n in 1..=3 {
        app.send("alice", "bob", &format!("m{n}"), "hi");
    }
    let change = json!({"pinned": true, "muted": "except_mentions", "marks": ["work"]});
    let row = app.patch(ROW, change).expect(200);
    assert_eq!(row["pinned"], true);
    assert_eq!(row["muted"], "except_mentions");
    let row = app.patch(ROW, json!({"draft": "dear"})).expect(200);
    assert_eq!(
        (&row["draft"], &row["pinned"]),
        (&json!("dear"), &json!(true))
    );
    assert_eq!(app.get(ROW).expect(200), row);
    for bad in [
        json!({"muted": "loud"}),
        json!({"pinned": null}),
        json!({"marks": ["a", "b", "c", "d", "e", "f", "g", "h", "i"]}),
        json!({"silent": true}),
    ] {
        app.patch(ROW, bad).expect(400);
    }

    let gone = app
        .post(&format!("{ROW}/messages/delete"), json!({"seqs": [2, 7]}))
        .expect(200);
    assert_eq!(gone, json!({"seqs": [2], "deleted_version": 1}));
    assert_eq!(app.get(ROW).expect(200)["unread"], 2);
    let mentions = app.get(&format!("{ROW}/mentions")).expect(200);
    assert_eq!(mentions["messages"], json!([]));
    let clear = format!("{ROW}/clear");
    let row = app.post(&clear, json!({"up_to_seq": 2})).expect(200);
    assert_eq!((&row["first_seq"], &row["unread"]), (&json!(3), &json!(1)));
    app.delete(&format!("{ROW}?with_history=true")).expect(204);
    let list = app.get("/v1/users/bob/conversations").expect(200);
    assert_eq!(list["conversations"], json!([]));
    let row = app.get(ROW).expect(200);
    assert_eq!(
        (&row["hidden"], &row["first_seq"]),
        (&json!(true), &json!(4))
    );
    assert_eq!(row["pinned"], false);
    app.send("alice", "bob", "m4", "again");
    let list = app.get("/v1/users/bob/conversations").expect(200);
    assert_eq!(list["conversations"][0]["unread"], 1);
    server.stop();
}

#[test]
fn deliveries_and_readers() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    for user in ["alice", "bob"] {
        app.user(user);
    }
    app.send("alice", "bob", "m1", "hi");
    let readers = "/v1/conversations/p%2Falice%2Fbob/messages/1/readers";
    app.post(&format!("{ROW}/delivered"), json!({"seq": 1}))
        .expect(204);
    let page = app.get(readers).expect(200);
    assert_eq!(
        page,
        json!({"users": [], "cursor": "", "count": 0, "of": 1})
    );
    app.post(&format!("{ROW}/read"), json!({"seq": 1}))
        .expect(200);
    let page = app.get(readers).expect(200);
    assert_eq!(
        page,
        json!({"users": ["bob"], "cursor": "", "count": 1, "of": 1})
    );
    let none = "/v1/conversations/p%2Falice%2Fbob/messages/9/readers";
    app.get(none).expect(404);
    server.stop();
}
