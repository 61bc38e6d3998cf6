//! Chat rooms by the server API, with a client in them.

use anser_proto::client as wire;
use serde_json::{Value, json};
use wire::request::Command;
use wire::response::Result as Answer;
use wire::room_item::Item as What;
use wire::server_item::Item;

use crate::native::Native;
use crate::server::Place;

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn join(client: &mut Native, room: &str) -> Answer {
    client.call(Command::JoinRoom(wire::JoinRoom {
        room: room.into(),
        newest: 50,
        ..Default::default()
    }))
}

fn enter(client: &mut Native, room: &str) -> wire::RoomJoined {
    match join(client, room) {
        Answer::RoomJoined(joined) => joined,
        other => panic!("{other:?}"),
    }
}

fn say(client: &mut Native, room: &str, id: &str) -> Answer {
    client.call(Command::SendRoomMessage(wire::SendRoomMessage {
        room: room.into(),
        client_message_id: id.into(),
        content: Some(wire::Content {
            r#type: "text".into(),
            body: id.to_owned().into(),
        }),
        ..Default::default()
    }))
}

fn refused(answer: Answer) -> String {
    match answer {
        Answer::Error(error) => error.name,
        other => panic!("{other:?}"),
    }
}

fn hears<T>(client: &mut Native, wanted: impl Fn(&What) -> Option<T>) -> T {
    client.find(|item| match item {
        Item::Room(push) => {
            let items = push.items.iter().filter_map(|item| item.item.as_ref());
            items.filter_map(&wanted).next()
        }
        _ => None,
    })
}

fn hears_message(client: &mut Native) -> wire::RoomMessage {
    hears(client, |what| match what {
        What::Message(message) => Some(message.clone()),
        _ => None,
    })
}

fn left(client: &mut Native) -> wire::RoomLeftPush {
    client.find(|item| match item {
        Item::RoomLeft(left) => Some(left.clone()),
        _ => None,
    })
}

#[test]
fn the_backend_creates_a_room_speaks_in_it_and_destroys_it() {
    let place = Place::new();
    let server = place.start(&["--tcp-listen", "127.0.0.1:0"]);
    let app = server.default_app();
    let new = json!({
        "id": "hall", "name": "Hall", "life": {"kind": "idle", "minutes": 90}, "history_days": 30,
        "attributes": [{"key": "topic", "value": "geese"}], "moderators": ["mod"],
    });
    let made = app.post("/v1/rooms", new.clone()).expect(201);
    assert_eq!(made["life"], new["life"]);
    assert_eq!(
        (&made["member_count"], &made["moderators"]),
        (&json!(0), &json!(["mod"]))
    );
    assert_eq!(app.post("/v1/rooms", new).refused(409), "ALREADY_EXISTS");
    assert_eq!(app.get("/v1/rooms/hall").expect(200), made);
    let changed = app
        .patch("/v1/rooms/hall", json!({"life": {"kind": "default"}}))
        .expect(200);
    assert_eq!(
        (&changed["life"], &changed["name"]),
        (&json!({"kind": "default"}), &json!("Hall"))
    );
    for wrong in [
        json!({"life": {"kind": "fixed"}}),
        json!({"life": {"kind": "default", "minutes": 5}}),
        json!({"history_days": 2000}),
    ] {
        let refused = app.patch("/v1/rooms/hall", wrong).refused(400);
        assert_eq!(refused, "INVALID_REQUEST");
    }

    let mut alice = Native::sign_in(&server, &app, "alice");
    assert_eq!(refused(join(&mut alice, "nowhere")), "ROOM_NOT_FOUND");
    assert_eq!(enter(&mut alice, "hall").room.unwrap().name, "Hall");
    let page = app
        .get("/v1/rooms/hall/members?newest_first=true")
        .expect(200);
    assert_eq!(
        (&page["members"][0]["user_id"], &page["member_count"]),
        (&json!("alice"), &json!(1))
    );
    assert!(page["members"][0]["joined_time"].as_u64().unwrap() > 0);
    let asked = json!({"users": ["bob", "alice"]});
    let found = app.post("/v1/rooms/hall/members/query", asked).expect(200);
    assert_eq!(found, json!({"members": ["alice"]}));

    let hello = json!({"content": text("hello"), "client_message_id": "1"});
    let sent = app
        .post("/v1/rooms/hall/messages", hello.clone())
        .expect(200);
    assert_eq!(
        (&sent["delivered"], &sent["dropped"]),
        (&json!(true), &json!(false))
    );
    let again = app.post("/v1/rooms/hall/messages", hello).expect(200);
    assert_eq!(again["message_id"], sent["message_id"], "a retry");
    let heard = hears_message(&mut alice);
    assert_eq!(
        (&*heard.sender, heard.message_id.as_str()),
        ("", sent["message_id"].as_str().unwrap())
    );
    let as_bob = json!({"sender": "bob", "content": text("hi")});
    let refusal = app.post("/v1/rooms/hall/messages", as_bob).refused(403);
    assert_eq!(refusal, "NOT_IN_ROOM");
    let as_alice = json!({"sender": "alice", "content": text("hi"), "priority": "low"});
    app.post("/v1/rooms/hall/messages", as_alice).expect(200);
    let heard = hears_message(&mut alice);
    assert_eq!((&*heard.sender, heard.priority), ("alice", 2));

    // They are kept behind their delivery.
    let kept = loop {
        let page = app.get("/v1/rooms/hall/messages?forward=true").expect(200);
        if page["messages"].as_array().unwrap().len() == 2 {
            break page;
        }
    };
    assert_eq!(kept["messages"][0]["content"], text("hello"));
    assert_eq!(kept["messages"][1]["priority"], "low");
    let id = sent["message_id"].as_str().unwrap();
    let recall = format!("/v1/rooms/hall/messages/{id}/recall");
    app.ask("POST", &recall, None).expect(204);
    let recalled = hears(&mut alice, |what| match what {
        What::Recall(recall) => Some(recall.message_id.clone()),
        _ => None,
    });
    assert_eq!(recalled, id);
    app.delete("/v1/rooms/hall").expect(204);
    assert_eq!(
        left(&mut alice).reason(),
        wire::room_left_push::Reason::Destroyed
    );
    assert_eq!(app.get("/v1/rooms/hall").refused(404), "ROOM_NOT_FOUND");
    assert_eq!(refused(say(&mut alice, "hall", "2")), "ROOM_NOT_FOUND");
    server.stop();
}

#[test]
fn attributes_stand_in_the_room_and_survive_a_restart() {
    let place = Place::new();
    let server = place.start(&["--tcp-listen", "127.0.0.1:0"]);
    let secret = server.text("api_secret").to_owned();
    let app = server.default_app();
    app.post("/v1/rooms", json!({"id": "hall"})).expect(201);
    let mut alice = Native::sign_in(&server, &app, "alice");
    enter(&mut alice, "hall");
    let seats = "/v1/rooms/hall/attributes";
    let sit = json!({"set": [{"key": "seat1", "value": "alice", "leaves": true},
                             {"key": "topic", "value": "geese"}], "owner": "alice"});
    app.patch(seats, sit).expect(204);
    let changed = hears(&mut alice, |what| match what {
        What::Attributes(changed) => Some(changed.clone()),
        _ => None,
    });
    assert_eq!(changed.set.len(), 2);
    assert_eq!(
        (&*changed.set[0].owner, changed.set[0].leaves),
        ("alice", true)
    );
    let wanted = json!({"keys": ["topic", "none"]});
    let some = app
        .post("/v1/rooms/hall/attributes/query", wanted)
        .expect(200);
    assert_eq!(some["attributes"].as_array().unwrap().len(), 1);
    for wrong in [
        json!({}),
        json!({"delete": ["a b"]}),
        json!({"set": [{"key": "x", "value": "1"}], "delete": ["x"]}),
    ] {
        assert_eq!(app.patch(seats, wrong).refused(400), "INVALID_REQUEST");
    }
    let leave = Command::LeaveRoom(wire::LeaveRoom {
        room: "hall".into(),
    });
    assert!(matches!(alice.call(leave), Answer::Done(_)));
    let all = loop {
        let all = app.get(seats).expect(200);
        if all["version"].as_u64().unwrap() > changed.version {
            break all;
        }
    };
    assert_eq!(all["attributes"][0]["key"], "topic", "the seat is free");
    assert_eq!(all["attributes"].as_array().unwrap().len(), 1);
    server.stop();
    let server = place.start(&[]);
    let app = server.app("default", &secret);
    assert_eq!(app.get(seats).expect(200), all);
    server.stop();
}

#[test]
fn the_backend_says_who_may_what() {
    let place = Place::new();
    let server = place.start(&["--tcp-listen", "127.0.0.1:0"]);
    let app = server.default_app();
    app.post("/v1/rooms", json!({"id": "hall"})).expect(201);
    let mut alice = Native::sign_in(&server, &app, "alice");
    enter(&mut alice, "hall");
    let list = |name: &str| format!("/v1/rooms/hall/lists/{name}");

    let mute = json!({"users": ["alice"], "seconds": 600, "notify": true, "extra": "hush"});
    app.post(&list("mutes"), mute).expect(204);
    let notice = hears(&mut alice, |what| match what {
        What::Notice(notice) => Some(notice.clone()),
        _ => None,
    });
    assert_eq!(
        (notice.kind(), &*notice.extra),
        (wire::room_notice::Kind::Muted, "hush")
    );
    assert_eq!(refused(say(&mut alice, "hall", "1")), "MUTED");
    let muted = app.get(&list("mutes")).expect(200);
    assert_eq!(muted["users"][0]["user_id"], "alice");
    assert_eq!(muted["users"][0]["until"].as_u64(), Some(notice.until));
    let alone = json!({"users": ["alice"]});
    app.post(&format!("{}/remove", list("mutes")), alone.clone())
        .expect(204);
    assert!(matches!(
        say(&mut alice, "hall", "1"),
        Answer::RoomMessageSent(_)
    ));

    app.put("/v1/rooms/hall/mute-all", json!({"muted": true}))
        .expect(204);
    assert_eq!(app.get("/v1/rooms/hall").expect(200)["muted"], true);
    assert_eq!(refused(say(&mut alice, "hall", "2")), "MUTED");
    app.post(&list("exempt"), alone.clone()).expect(204);
    assert!(matches!(
        say(&mut alice, "hall", "2"),
        Answer::RoomMessageSent(_)
    ));
    app.post("/v1/mutes/room", json!({"users": ["alice"], "seconds": 60}))
        .expect(204);
    assert_eq!(refused(say(&mut alice, "hall", "3")), "MUTED_EVERYWHERE");
    assert_eq!(
        app.get("/v1/mutes/room").expect(200)["users"][0]["user_id"],
        "alice"
    );

    app.post(&list("moderators"), alone.clone()).expect(204);
    assert_eq!(
        app.get("/v1/rooms/hall").expect(200)["moderators"],
        json!(["alice"])
    );
    let six: Vec<String> = (0..6).map(|n| format!("u{n}")).collect();
    let refusal = app
        .post(&list("protected"), json!({"users": six}))
        .refused(400);
    assert_eq!(refusal, "INVALID_REQUEST");
    for wrong in [
        ("mutes", json!({"users": ["bob"]})),
        ("bans", json!({"users": ["bob"], "seconds": 0})),
        ("exempt", json!({"users": ["bob"], "seconds": 5})),
        ("exempt", json!({"users": []})),
    ] {
        assert_eq!(
            app.post(&list(wrong.0), wrong.1).refused(400),
            "INVALID_REQUEST"
        );
    }
    assert_eq!(
        app.post(&list("friends"), alone).refused(400),
        "INVALID_REQUEST"
    );

    let out = json!({"users": ["alice"], "seconds": 600, "extra": "out"});
    app.post("/v1/rooms/hall/members/remove", out).expect(204);
    let left = left(&mut alice);
    assert_eq!(
        (left.reason(), &*left.extra),
        (wire::room_left_push::Reason::Removed, "out")
    );
    assert_eq!(refused(join(&mut alice, "hall")), "BANNED");
    let banned = app.get(&list("bans")).expect(200);
    assert_eq!(banned["users"][0]["until"].as_u64(), Some(left.until));
    server.stop();
}

#[test]
fn an_app_sets_what_its_rooms_take() {
    let place = Place::new();
    let server = place.start(&["--tcp-listen", "127.0.0.1:0"]);
    let app = server.default_app();
    let types = json!({"low": ["like", "like"], "protected": ["sale"]});
    let set = app.patch("/v1/room-types", types).expect(200);
    assert_eq!(set, json!({"low": ["like"], "protected": ["sale"]}));
    assert_eq!(app.get("/v1/room-types").expect(200), set);
    let wrong = app
        .patch("/v1/room-types", json!({"low": ["A B"]}))
        .refused(400);
    assert_eq!(wrong, "INVALID_REQUEST");
    let few = json!({"room_created_by_joining": true, "room_window_messages": 1,
        "room_window_reserved": 1, "room_messages_per_second": 2, "rooms_of_session": 1});
    let own = app.patch("/v1/apps/default/settings", few).expect(200);
    assert_eq!(
        (&own["room_window_messages"], &own["room_missed"]),
        (&json!(1), &Value::Null)
    );

    let mut alice = Native::sign_in(&server, &app, "alice");
    enter(&mut alice, "one");
    enter(&mut alice, "two");
    let left = left(&mut alice);
    assert_eq!(
        (left.reason(), &*left.room),
        (wire::room_left_push::Reason::JoinedAnother, "one")
    );
    let like = json!({"content": {"type": "like", "text": ""}});
    let sent = app.post("/v1/rooms/two/messages", like.clone()).expect(200);
    assert_eq!(
        (&sent["dropped"], &sent["delivered"]),
        (&json!(true), &json!(false))
    );
    app.post("/v1/rooms/two/messages", like.clone()).expect(200);
    let limited = (0..100).map(|_| app.post("/v1/rooms/two/messages", like.clone()));
    let limited = limited
        .map(|answer| answer.status)
        .find(|status| *status != 200);
    assert_eq!(limited, Some(429));
    server.stop();
}
