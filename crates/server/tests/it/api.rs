//! The server API: what it does, and how it refuses.

use serde_json::json;

use crate::http::{basic, request};
use crate::server::Place;

const PRIVATE: &str = "/v1/conversations/p%2Falice%2Fbob/messages";

#[test]
fn two_users_talk() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    app.user("alice");
    app.user("bob");
    let first = app.send("alice", "bob", "m1", "one");
    assert_eq!(first["conversation"], "p/alice/bob");
    assert_eq!(first["seq"], 1);
    assert_eq!(app.send("alice", "bob", "m1", "one"), first, "a retry");
    app.send("alice", "bob", "m2", "two");
    app.send("bob", "alice", "m1", "three");

    let page = app.get(&format!("{PRIVATE}?after=0&limit=2")).expect(200);
    let texts = |page: &serde_json::Value| -> Vec<String> {
        let messages = page["messages"].as_array().unwrap().iter();
        messages
            .map(|message| message["content"]["text"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(texts(&page), ["one", "two"]);
    assert_eq!(
        (&page["more"], &page["head_seq"]),
        (&json!(true), &json!(3))
    );
    assert_eq!(
        texts(&app.get(PRIVATE).expect(200)),
        ["three", "two", "one"]
    );
    let page = app.get(&format!("{PRIVATE}?before=3&limit=1")).expect(200);
    assert_eq!(texts(&page), ["two"]);

    let list = app.get("/v1/users/bob/conversations").expect(200);
    assert_eq!(list["conversations"][0]["id"], "p/alice/bob");
    assert_eq!(list["conversations"][0]["unread"], 2);
    assert_eq!(
        list["conversations"][0]["newest"]["content"]["text"],
        "three"
    );
    let read = "/v1/users/bob/conversations/p%2Falice%2Fbob/read";
    let position = app.post(read, json!({"seq": 1})).expect(200);
    assert_eq!(
        position,
        json!({"read_seq": 1, "unread": 1, "unread_mentions": 0})
    );
    let position = app.post(read, json!({"seq": 99})).expect(200);
    assert_eq!(
        position,
        json!({"read_seq": 3, "unread": 0, "unread_mentions": 0})
    );
    let shown = app.get("/v1/users/bob/conversations/p%2Falice%2Fbob");
    assert_eq!(shown.expect(200)["unread"], 0);
    server.stop();
}

#[test]
fn a_group_is_managed() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    let new = json!({"group_id": "g", "owner": "alice", "members": ["bob", "carol"]});
    app.post("/v1/groups", new).expect(201);
    let change = json!({"name": "Geese", "announcement": "south", "put_attributes": {"k": "v"},
        "join": "public", "muted": true, "history_visible": true});
    let group = app.patch("/v1/groups/g", change).expect(200);
    assert_eq!(group["name"], "Geese");
    assert_eq!(group["attributes"], json!({"k": "v"}));
    assert_eq!(group["settings"]["join"], "public");
    let admin = json!({"members": ["bob"], "role": "admin"});
    let group = app.post("/v1/groups/g/roles", admin).expect(200);
    assert_eq!(group["admins"], json!(["bob"]));
    let rights = json!({"rights": ["update", "recall"]});
    let group = app.ask("PUT", "/v1/groups/g/roles/scribe", Some(rights));
    assert_eq!(group.expect(200)["roles"][0]["name"], "scribe");
    let scribe = json!({"members": ["carol"], "role": "member", "role_name": "scribe"});
    app.post("/v1/groups/g/roles", scribe).expect(200);
    let nickname = json!({"nickname": "C", "put_attributes": {"wings": "2"}});
    app.patch("/v1/groups/g/members/carol", nickname)
        .expect(200);
    let mute = json!({"members": ["carol"], "seconds": 60});
    app.post("/v1/groups/g/mutes", mute).expect(200);
    let exempt = json!({"members": ["carol"], "exempt": true});
    app.post("/v1/groups/g/exemptions", exempt).expect(200);
    let page = app.get("/v1/groups/g/members").expect(200);
    let carol = &page["members"][2];
    assert_eq!(carol["role_name"], "scribe");
    assert_eq!(carol["nickname"], "C");
    assert_eq!(carol["exempt"], true);
    assert!(carol["muted_until"].as_u64().unwrap() > 0);
    let message =
        json!({"sender": "carol", "to_group": "g", "content": {"type": "text", "text": "x"}});
    assert_eq!(app.post("/v1/messages", message).refused(403), "MUTED");
    let gone = app.delete("/v1/groups/g/roles/scribe").expect(200);
    assert_eq!(gone["roles"], json!([]));

    let ban = json!({"users": ["carol"], "seconds": 60});
    assert_eq!(
        app.post("/v1/groups/g/bans", ban).expect(200)["member_count"],
        2
    );
    let bans = app.get("/v1/groups/g/bans").expect(200);
    assert_eq!(bans["users"][0]["user_id"], "carol");
    let add = json!({"members": ["carol"]});
    assert_eq!(app.post("/v1/groups/g/members", add).refused(403), "BANNED");
    let decide = json!({"users": ["dora"], "approve": true});
    app.post("/v1/groups/g/join-requests", decide).expect(200);
    for list in ["join-requests", "invitations"] {
        let page = app.get(&format!("/v1/groups/g/{list}")).expect(200);
        assert_eq!(page["users"], json!([]));
    }
    let owner = app.ask("PUT", "/v1/groups/g/owner", Some(json!({"owner": "bob"})));
    assert_eq!(owner.expect(200)["owner"], "bob");
    server.stop();
}

#[test]
fn a_group_lives_and_is_dismissed() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    for user in ["alice", "bob", "carol"] {
        app.user(user);
    }
    let new = json!({"group_id": "a/b %", "name": "Geese", "owner": "alice", "members": ["bob"]});
    let group = app.post("/v1/groups", new.clone()).expect(201);
    assert_eq!(
        (&group["owner"], &group["member_count"]),
        (&json!("alice"), &json!(2))
    );
    assert_eq!(app.post("/v1/groups", new).refused(409), "ALREADY_EXISTS");

    let path = "/v1/groups/a%2Fb%20%25";
    let members = format!("{path}/members");
    let added = app
        .post(&members, json!({"members": ["carol", "bob"]}))
        .expect(200);
    assert_eq!(added["member_count"], 3);
    let page = app.get(&format!("{members}?limit=2")).expect(200);
    assert_eq!(page["members"].as_array().unwrap().len(), 2);
    let cursor = page["cursor"].as_str().unwrap();
    let page = app
        .get(&format!("{members}?limit=2&cursor={cursor}"))
        .expect(200);
    assert_eq!(page["members"][0]["user_id"], "carol");
    assert_eq!(page["cursor"], "");

    let message = json!({"sender": "bob", "to_group": "a/b %", "content": {"type": "x", "body_base64": "/w=="}});
    let sent = app.post("/v1/messages", message.clone()).expect(200);
    assert_eq!(sent["conversation"], "g/a%2Fb %25");
    let history = app
        .get("/v1/conversations/g%2Fa%252Fb%20%2525/messages")
        .expect(200);
    assert_eq!(
        history["messages"][0]["content"],
        json!({"type": "x", "body_base64": "/w=="})
    );

    let removed = app.post(&format!("{members}/remove"), json!({"members": ["bob"]}));
    assert_eq!(removed.expect(200)["member_count"], 2);
    assert_eq!(
        app.post("/v1/messages", message).refused(403),
        "NOT_A_MEMBER"
    );
    let quit = format!("{path}/quit");
    app.post(&quit, json!({"user_id": "carol"})).expect(204);
    assert_eq!(
        app.post(&quit, json!({"user_id": "alice"})).refused(403),
        "NOT_ALLOWED"
    );
    app.delete(path).expect(204);
    assert_eq!(app.get(path).refused(410), "GROUP_DISMISSED");
    assert_eq!(app.get("/v1/groups/none").refused(404), "NOT_FOUND");
    server.stop();
}

#[test]
fn users_and_their_profiles() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    assert_eq!(app.get("/v1/users/zhang").refused(404), "USER_NOT_FOUND");
    let path = "/v1/users/%E5%BC%A0%2F1";
    let made = app
        .ask("PUT", path, Some(json!({"name": "张三"})))
        .expect(200);
    assert_eq!(
        (&made["user_id"], &made["name"]),
        (&json!("张/1"), &json!("张三"))
    );
    assert_eq!(app.get(path).expect(200), made);
    assert_eq!(
        app.get(&format!("{path}/sessions")).expect(200),
        json!({"sessions": []})
    );
    assert_eq!(
        app.delete(&format!("{path}/sessions")).expect(200),
        json!({"closed": 0})
    );
    server.stop();
}

#[test]
fn what_is_malformed_is_refused_with_a_reason() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    app.user("alice");
    app.user("bob");
    let content = json!({"type": "text", "text": "x"});
    for (method, path, body, part) in [
        (
            "POST",
            "/v1/messages",
            json!({"sender": "alice"}),
            "content",
        ),
        (
            "POST",
            "/v1/messages",
            json!({"sender": "alice", "content": content}),
            "exactly one of",
        ),
        (
            "POST",
            "/v1/messages",
            json!({"sender": "", "to_user": "bob", "content": content}),
            "sender is empty",
        ),
        (
            "POST",
            "/v1/messages",
            json!({"sendr": "alice", "content": content}),
            "unknown field `sendr`",
        ),
        (
            "POST",
            "/v1/messages",
            json!({"sender": "alice", "conversation": "p/bob/alice", "content": content}),
            "conversation",
        ),
        (
            "POST",
            "/v1/messages",
            json!({"sender": "alice", "to_user": "bob", "content": {"type": "Text", "text": "x"}}),
            "content type",
        ),
        (
            "POST",
            "/v1/messages",
            json!({"sender": "alice", "to_user": "bob", "content": {"type": "x", "body_base64": "*"}}),
            "body_base64",
        ),
        (
            "POST",
            "/v1/groups",
            json!({"owner": "alice", "members": ["bob", " "]}),
            "members[1]",
        ),
        (
            "POST",
            "/v1/groups/g/members",
            json!({"members": []}),
            "members has not 1–3000 items",
        ),
        (
            "POST",
            "/v1/users/alice/token",
            json!({"expires_in": 0}),
            "expires_in",
        ),
        (
            "POST",
            "/v1/users/alice/token",
            json!({"expires_in": 2_592_001}),
            "expires_in",
        ),
        (
            "POST",
            "/v1/users/alice/token",
            json!({"expires_in": "1d"}),
            "expires_in",
        ),
        ("PUT", "/v1/users/%20", json!({}), "user_id"),
        ("PUT", "/v1/users/%FF", json!({}), "path"),
        ("PUT", "/v1/users/alice", json!([]), "expected an object"),
        (
            "POST",
            "/v1/messages",
            json!({"sender": "alice", "to_user": "bob", "content": ["text", "x"]}),
            "expected an object",
        ),
    ] {
        let answer = app.ask(method, path, Some(body.clone())).expect(400);
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(part), "{path} {body}: {message}");
    }
    server.stop();
}

#[test]
fn queries_are_checked() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    app.user("alice");
    for path in [
        format!("{PRIVATE}?limit=0"),
        format!("{PRIVATE}?limit=101"),
        format!("{PRIVATE}?after=1&before=2"),
        format!("{PRIVATE}?before=0"),
        format!("{PRIVATE}?after=-1"),
        format!("{PRIVATE}?after=9007199254740992"),
        format!("{PRIVATE}?since=1"),
        "/v1/conversations/p%2Fbob%2Falice/messages".to_owned(),
        "/v1/users/alice/conversations?cursor=nonsense".to_owned(),
    ] {
        assert_eq!(app.get(&path).refused(400), "INVALID_REQUEST", "{path}");
    }
    server.stop();
}

#[test]
fn bodies_have_a_type_and_a_size() {
    let place = Place::new();
    let server = place.start(&[]);
    let (app, url) = (server.default_app(), server.url());
    let authorization = basic("default", server.text("api_secret"));
    let post = |content_type: &str, body: &[u8]| {
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", content_type),
        ];
        request(url, "POST", "/v1/groups", &headers, body)
    };
    assert_eq!(post("text/plain", b"{}").refused(415), "INVALID_REQUEST");
    assert_eq!(
        post("application/json", b"{").refused(400),
        "INVALID_REQUEST"
    );
    assert_eq!(
        post("application/json", b"{\"owner\":\"\xff\"}").refused(400),
        "INVALID_REQUEST"
    );
    let large = vec![b' '; 1024 * 1024 + 1];
    assert_eq!(
        post("application/json", &large).refused(413),
        "INVALID_REQUEST"
    );
    app.user("alice");
    let message = json!({"sender": "alice", "to_user": "alice", "content": {"type": "text", "text": "x".repeat(3069)}});
    assert_eq!(
        app.post("/v1/messages", message).refused(413),
        "CONTENT_TOO_LARGE"
    );
    server.stop();
}

#[test]
fn unknown_paths_and_methods_are_refused_in_the_same_shape() {
    let place = Place::new();
    let server = place.start(&[]);
    assert_eq!(server.get("/v2").refused(404), "NOT_FOUND");
    let answer = request(server.url(), "PATCH", "/v1/groups", &[], b"");
    assert_eq!(answer.header("allow"), Some("POST"));
    assert_eq!(answer.refused(405), "INVALID_REQUEST");
    server.stop();
}

#[test]
fn every_answer_has_a_request_id() {
    let place = Place::new();
    let server = place.start(&[]);
    let with = |id: &str| {
        let answer = request(
            server.url(),
            "GET",
            "/healthz",
            &[("x-request-id", id)],
            b"",
        );
        answer.header("x-request-id").unwrap().to_owned()
    };
    assert_eq!(with("order-66.a_B"), "order-66.a_B");
    assert_ne!(with("has space"), "has space");
    assert_eq!(with(&"x".repeat(65)).len(), 16);
    assert_ne!(with(""), with(""));
    server.stop();
}

#[test]
fn an_app_that_sends_too_much_is_told_how_long_to_wait() {
    let place = Place::new();
    std::fs::write(
        place.path().join("anser.toml"),
        "[api]\nuser_messages_per_minute = 2\n",
    )
    .unwrap();
    let server = place.start(&[]);
    let app = server.default_app();
    app.user("alice");
    let message =
        json!({"sender": "alice", "to_user": "alice", "content": {"type": "text", "text": "x"}});
    app.post("/v1/messages", message.clone()).expect(200);
    app.post("/v1/messages", message.clone()).expect(200);
    let answer = app.post("/v1/messages", message);
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");
    assert!(answer.json()["error"]["retry_after_ms"].as_u64().unwrap() > 0);
    assert_eq!(answer.refused(429), "RATE_LIMITED");
    server.stop();
}

#[test]
fn operations_need_no_key_and_tell_no_secret() {
    let place = Place::new();
    let server = place.start(&[]);
    assert_eq!(server.get("/healthz").text(), "ok\n");
    assert_eq!(server.get("/readyz").text(), "ready\n");
    server.default_app().user("alice");
    let metrics = server.get("/metrics");
    assert!(
        metrics
            .header("content-type")
            .unwrap()
            .starts_with("text/plain")
    );
    let metrics = metrics.text();
    let line =
        "anser_http_requests_total{route=\"/v1/users/{user_id}\",method=\"PUT\",status=\"200\"} 1";
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
    assert!(metrics.contains("anser_gateway_connections 0"));
    assert!(!metrics.contains("alice"));
    server.stop();
}

#[test]
fn a_conversation_is_created_managed_and_found() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    let new = json!({"owner": "alice", "members": ["bob", "carol"], "name": "Chess",
        "attributes": {"game": {"round": 1}}, "unique": true});
    let made = app.post("/v1/conversations", new.clone()).expect(201);
    let again = app.post("/v1/conversations", new).expect(200);
    assert_eq!(made, again);
    let name = made["conversation"].as_str().unwrap();
    let path = format!("/v1/conversations/{}", name.replace('/', "%2F"));
    let change = json!({"name": "Go", "set_attributes": {"game.round": 2, "tags": ["a"]},
        "unset_attributes": ["nothing"], "open": false});
    let changed = app.patch(&path, change).expect(200);
    assert_eq!(
        changed["attributes"],
        json!({"game": {"round": 2}, "tags": ["a"]})
    );
    assert_eq!(changed["settings"]["open"], false);
    let manager = json!({"users": ["bob"], "manager": true});
    let managed = app.post(&format!("{path}/roles"), manager).expect(200);
    assert_eq!(managed["managers"], json!(["bob"]));
    let carol = json!({"users": ["carol"], "seconds": 60});
    app.post(&format!("{path}/mutes"), carol.clone())
        .expect(200);
    let muted = app.get(&format!("{path}/members?muted=true")).expect(200);
    assert_eq!(muted["members"][0]["user_id"], "carol");
    let message =
        json!({"sender": "carol", "conversation": name, "content": {"type": "text", "text": "x"}});
    assert_eq!(app.post("/v1/messages", message).refused(403), "MUTED");
    let blocked = app
        .post(&format!("{path}/blocks"), carol.clone())
        .expect(200);
    assert_eq!(blocked["member_count"], 2);
    let list = app.get(&format!("{path}/blocks")).expect(200);
    assert_eq!(list["users"][0]["user_id"], "carol");
    let users = json!({"users": ["carol"]});
    let add = app.post(&format!("{path}/members"), users);
    assert_eq!(add.refused(403), "BANNED");
    let owner = json!({"owner": "bob"});
    let handed = app.put(&format!("{path}/owner"), owner).expect(200);
    assert_eq!(handed["owner"], "bob");
    let remove = json!({"users": ["alice"]});
    let removed = app
        .post(&format!("{path}/members/remove"), remove)
        .expect(200);
    assert_eq!(removed["member_count"], 1);

    let query = json!({"filter": {"field": "attributes.tags", "value": "a"}, "limit": 1});
    let found = app.post("/v1/conversations/query", query).expect(200);
    assert_eq!(found["matched"], 1);
    assert_eq!(found["complete"], true);
    assert_eq!(found["conversations"][0]["name"], "Go");
    let bad = json!({"filter": {"field": "what", "value": 1}});
    let bad = app.post("/v1/conversations/query", bad);
    assert_eq!(bad.refused(400), "INVALID_REQUEST");
    app.delete(&path).expect(204);
    assert_eq!(app.get(&path).refused(410), "GROUP_DISMISSED");
    server.stop();
}
