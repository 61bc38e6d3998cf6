//! Apps: apart from one another, each with keys that can be exchanged without an interruption.

use serde_json::{Value, json};

use crate::http::{basic, request};
use crate::server::{Place, Server};
use crate::token::{open_session, sign};

fn new_app(server: &Server, key: &str) -> Value {
    let made = server.admin().post("/v1/apps", json!({"app_key": key}));
    made.expect(201)
}

fn secret(made: &Value) -> &str {
    made["api_secret"]["secret"].as_str().unwrap()
}

#[test]
fn nothing_crosses_between_apps() {
    let place = Place::new();
    let server = place.start(&["--tcp-listen", "127.0.0.1:0"]);
    let (one, two) = (new_app(&server, "one"), new_app(&server, "two"));
    let (one, two) = (
        server.app("one", secret(&one)),
        server.app("two", secret(&two)),
    );
    // The same ids in both.
    for app in [&one, &two] {
        app.user("alice");
        app.user("bob");
        let group = json!({"group_id": "g", "owner": "alice", "members": ["bob"]});
        app.post("/v1/groups", group).expect(201);
    }
    let sent = one.send("alice", "bob", "m", "of one");
    let answer = two.send("alice", "bob", "m", "of two");
    assert_eq!((&sent["seq"], &answer["seq"]), (&json!(1), &json!(1)));
    assert_ne!(
        sent["message_id"], answer["message_id"],
        "no shared idempotency key"
    );
    let group =
        json!({"sender": "alice", "to_group": "g", "content": {"type": "text", "text": "of one"}});
    one.post("/v1/messages", group).expect(200);

    for (app, own, head) in [(&one, "of one", 2), (&two, "of two", 1)] {
        let private = app
            .get("/v1/conversations/p%2Falice%2Fbob/messages")
            .expect(200);
        assert_eq!(private["head_seq"], 1);
        assert_eq!(private["messages"][0]["content"]["text"], own);
        let group = app.get("/v1/conversations/g%2Fg/messages").expect(200);
        assert_eq!(
            group["head_seq"], head,
            "the notice, and in one the message"
        );
        let list = app.get("/v1/users/bob/conversations").expect(200);
        assert_eq!(list["conversations"].as_array().unwrap().len(), 2);
    }
    let profile = json!({"name": "Alice of one"});
    one.ask("PUT", "/v1/users/alice", Some(profile)).expect(200);
    assert_eq!(two.get("/v1/users/alice").expect(200)["name"], "");
    one.delete("/v1/groups/g").expect(204);
    two.get("/v1/groups/g").expect(200);

    // Revoking in one leaves the other's sessions and tokens alone.
    let token = |app: &crate::server::App<'_>| {
        let made = app.ask("POST", "/v1/users/alice/token", None).expect(200);
        made["token"].as_str().unwrap().to_owned()
    };
    let (of_one, of_two) = (token(&one), token(&two));
    one.delete("/v1/users/alice/tokens").expect(204);
    let tcp = server.text("tcp");
    assert_eq!(open_session(tcp, &of_one), Err("TOKEN_REVOKED".into()));
    assert_eq!(open_session(tcp, &of_two), Ok("alice".into()));
    server.stop();
}

#[test]
fn a_secret_opens_its_own_app_only() {
    let place = Place::new();
    let server = place.start(&[]);
    let one = new_app(&server, "one");
    let refused = |authorization: &str, status| {
        let headers = [("authorization", authorization)];
        let answer = request(server.url(), "GET", "/v1/users/a", &headers, b"");
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
        answer.refused(status)
    };
    let key_of = |app: &str| basic(app, secret(&one));
    assert_eq!(refused(&key_of("one"), 404), "USER_NOT_FOUND");
    assert_eq!(refused(&key_of("default"), 401), "API_KEY_INVALID");
    assert_eq!(refused(&key_of("none"), 401), "API_KEY_INVALID");
    assert_eq!(refused(&basic("one", ""), 401), "API_KEY_INVALID");
    assert_eq!(refused("Bearer wrong", 401), "API_KEY_INVALID");
    assert_eq!(refused("", 401), "API_KEY_INVALID");

    // An app's secret does not manage apps, and the admin token has to name an app.
    let app = server.app("one", secret(&one));
    assert_eq!(app.get("/v1/apps").refused(401), "API_KEY_INVALID");
    assert_eq!(
        app.post("/v1/apps/one/api-secrets", json!({})).refused(401),
        "API_KEY_INVALID"
    );
    let admin = format!("Bearer {}", server.text("admin_token"));
    assert_eq!(refused(&admin, 400), "INVALID_REQUEST");
    let named = |app| {
        let headers = [("authorization", admin.as_str()), ("anser-app", app)];
        request(server.url(), "GET", "/v1/users/a", &headers, b"")
    };
    assert_eq!(named("one").refused(404), "USER_NOT_FOUND");
    assert_eq!(named("none").refused(400), "INVALID_REQUEST");
    server.stop();
}

#[test]
fn two_api_secrets_live_at_a_time() {
    let place = Place::new();
    let server = place.start(&[]);
    let first = new_app(&server, "one");
    let rotate = || {
        let new = server.admin().ask("POST", "/v1/apps/one/api-secrets", None);
        new.expect(201)["secret"].as_str().unwrap().to_owned()
    };
    let works = |secret: &str| match server.app("one", secret).get("/v1/users/a").status {
        404 => true,
        401 => false,
        other => panic!("{other}"),
    };
    let second = rotate();
    assert!(works(secret(&first)) && works(&second));
    let third = rotate();
    assert!(!works(secret(&first)) && works(&second) && works(&third));
    let shown = server.admin().get("/v1/apps/one").expect(200);
    assert_eq!(shown["api_secret_ids"].as_array().unwrap().len(), 2);
    server.stop();
}

#[test]
fn a_backend_signs_tokens_itself_and_two_keys_live_at_a_time() {
    let place = Place::new();
    let server = place.start(&["--tcp-listen", "127.0.0.1:0"]);
    let made = new_app(&server, "one");
    let tcp = server.text("tcp");
    let session = |key: &Value| {
        let of = |name: &str| key[name].as_str().unwrap();
        open_session(tcp, &sign(of("id"), of("secret"), "one", "alice"))
    };
    let rotate = || {
        let new = server.admin().ask("POST", "/v1/apps/one/token-keys", None);
        new.expect(201)
    };
    let first = made["token_key"].clone();
    assert_eq!(session(&first), Ok("alice".into()));
    let second = rotate();
    assert_eq!(session(&first), Ok("alice".into()));
    assert_eq!(session(&second), Ok("alice".into()));
    let third = rotate();
    assert_eq!(session(&first), Err("TOKEN_INVALID".into()));
    assert_eq!(session(&second), Ok("alice".into()));
    assert_eq!(session(&third), Ok("alice".into()));

    // A key of one app signs nothing for another, and an API secret is no token key.
    let third = |app| {
        let of = |name: &str| third[name].as_str().unwrap();
        open_session(tcp, &sign(of("id"), of("secret"), app, "alice"))
    };
    assert!(third("default").is_err());
    let api = sign(first["id"].as_str().unwrap(), secret(&made), "one", "alice");
    assert_eq!(open_session(tcp, &api), Err("TOKEN_INVALID".into()));
    server.stop();
}

#[test]
fn apps_are_listed_and_their_keys_checked() {
    let place = Place::new();
    let server = place.start(&[]);
    let admin = server.admin();
    new_app(&server, "one");
    assert_eq!(
        admin
            .post("/v1/apps", json!({"app_key": "one"}))
            .refused(409),
        "ALREADY_EXISTS"
    );
    assert_eq!(
        admin
            .post("/v1/apps", json!({"app_key": "One"}))
            .refused(400),
        "INVALID_REQUEST"
    );
    let chosen = admin.post("/v1/apps", json!({"name": "第二"})).expect(201);
    assert_eq!(chosen["app"]["name"], "第二");
    let list = admin.get("/v1/apps").expect(200);
    let keys: Vec<&str> = list["apps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|app| app["app_key"].as_str().unwrap())
        .collect();
    for key in [
        "default",
        "demo",
        "one",
        chosen["app"]["app_key"].as_str().unwrap(),
    ] {
        assert!(keys.contains(&key), "{keys:?}");
    }
    assert_eq!(admin.get("/v1/apps/none").refused(404), "NOT_FOUND");
    server.stop();
}

#[test]
fn lists_of_users_and_presence() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    let blocked = "/v1/users/alice/block-list";
    let none = json!({"users": [], "cursor": "", "allow_only": false});
    assert_eq!(app.get(blocked).expect(200), none);
    app.patch(blocked, json!({"add": ["bob", "carl"]}))
        .expect(204);
    app.patch(blocked, json!({"remove": ["carl"]})).expect(204);
    assert_eq!(app.get(blocked).expect(200)["users"], json!(["bob"]));
    let message =
        json!({"sender": "bob", "to_user": "alice", "content": {"type": "text", "text": "x"}});
    let refused = app.post("/v1/messages", message.clone());
    assert_eq!(refused.refused(403), "BLOCKED");
    app.patch(blocked, json!({"remove": ["bob"]})).expect(204);
    app.post("/v1/messages", message).expect(200);
    for bad in [
        json!({"add": ["alice"]}),
        json!({"add": [""]}),
        json!({"allow_only": true}),
    ] {
        app.patch(blocked, bad).expect(400);
    }
    let allowed = "/v1/users/alice/allow-list";
    app.patch(allowed, json!({"add": ["dora"], "allow_only": true}))
        .expect(204);
    let list = json!({"users": ["dora"], "cursor": "", "allow_only": true});
    assert_eq!(app.get(allowed).expect(200), list);

    let presence = "/v1/users/alice/presence";
    assert_eq!(app.get(presence).refused(403), "NOT_ALLOWED");
    app.patch("/v1/apps/default/settings", json!({"presence": true}))
        .expect(200);
    let status = json!({"status": "at lunch", "seconds": 60});
    app.put(&format!("{presence}/status"), status).expect(204);
    let told = app.get(presence).expect(200);
    assert_eq!(
        (&told["status"], &told["online"]),
        (&json!("at lunch"), &json!(false))
    );
    let query = json!({"users": ["bob", "alice"]});
    let both = app.post("/v1/presence/query", query).expect(200);
    assert_eq!(both["presences"][1], told);
    app.post("/v1/presence/query", json!({"users": []}))
        .expect(400);
    server.stop();
}

#[test]
fn bans_and_app_wide_mutes() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    app.user("alice");
    let none = json!({"users": [], "cursor": ""});
    assert_eq!(app.get("/v1/bans").expect(200), none);
    let ban = app.put("/v1/users/alice/ban", json!({})).expect(200);
    assert_eq!(
        (&ban["user_id"], &ban["until"]),
        (&json!("alice"), &Value::Null)
    );
    let ban = app
        .put("/v1/users/alice/ban", json!({"seconds": 60}))
        .expect(200);
    assert!(ban["until"].as_u64() > ban["since"].as_u64());
    assert_eq!(app.get("/v1/bans").expect(200)["users"], json!([ban]));
    for bad in [
        json!({"seconds": 0}),
        json!({"seconds": null}),
        json!({"minutes": 1}),
    ] {
        app.put("/v1/users/alice/ban", bad).expect(400);
    }
    app.delete("/v1/users/alice/ban").expect(204);
    assert_eq!(app.get("/v1/bans").expect(200), none);

    let say = || {
        app.ask(
            "POST",
            "/v1/messages",
            Some(json!({
                "sender": "alice", "to_user": "bob", "content": {"type": "text", "text": "x"}
            })),
        )
    };
    app.post(
        "/v1/mutes/private",
        json!({"users": ["alice"], "seconds": 60}),
    )
    .expect(204);
    assert_eq!(say().refused(403), "MUTED_EVERYWHERE");
    let mutes = app.get("/v1/mutes/private").expect(200);
    assert_eq!(
        (&mutes["all_until"], &mutes["users"][0]["user_id"]),
        (&json!(0), &json!("alice"))
    );
    assert_eq!(app.get("/v1/mutes/group").expect(200)["users"], json!([]));
    app.post(
        "/v1/mutes/private",
        json!({"users": ["alice"], "seconds": 0}),
    )
    .expect(204);
    say().expect(200);
    app.put("/v1/mutes/private/all", json!({"seconds": 60}))
        .expect(204);
    assert_eq!(say().refused(403), "MUTED_EVERYWHERE");
    let exempt = "/v1/mutes/private/exemptions";
    app.post(exempt, json!({"users": ["alice"], "exempt": true}))
        .expect(204);
    say().expect(200);
    assert_eq!(app.get(exempt).expect(200)["users"], json!(["alice"]));
    for bad in [
        json!({"users": [], "seconds": 1}),
        json!({"users": ["a"], "seconds": 315_360_001}),
    ] {
        app.post("/v1/mutes/private", bad).expect(400);
    }
    app.get("/v1/mutes/rooms").expect(400);
    server.stop();
}

#[test]
fn an_app_has_its_own_settings_and_nobody_elses() {
    let place = Place::new();
    let server = place.start(&[]);
    let path = "/v1/apps/default/settings";
    let app = server.default_app();
    let before = app.get(path).expect(200);
    assert_eq!(before["recall_seconds"], Value::Null);
    let change = json!({"user_messages_per_minute": 1, "recall_seconds": 60});
    let after = app.patch(path, change).expect(200);
    assert_eq!(after["user_messages_per_minute"], 1);
    assert_eq!(server.admin().get(path).expect(200), after);
    app.user("alice");
    let message =
        json!({"sender": "alice", "to_user": "alice", "content": {"type": "text", "text": "x"}});
    app.post("/v1/messages", message.clone()).expect(200);
    let refused = app.post("/v1/messages", message.clone());
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.refused(429), "RATE_LIMITED");
    let change = json!({"user_messages_per_minute": null});
    let after = server.admin().patch(path, change).expect(200);
    assert_eq!(after["user_messages_per_minute"], Value::Null);
    assert_eq!(after["recall_seconds"], 60);
    // What was used up comes back at the new rate: 6,000 a minute.
    let sent = (0..1_000).any(|_| app.post("/v1/messages", message.clone()).status == 200);
    assert!(sent, "the operator's value holds again");

    for bad in [
        json!({"content_bytes_max": 0}),
        json!({"content_bytes_max": 131_073}),
        json!({"group_members_max": "many"}),
        json!({"colour": 1}),
    ] {
        app.patch(path, bad).expect(400);
    }
    assert_eq!(app.get(path).expect(200), after);
    let other = server
        .admin()
        .post("/v1/apps", json!({"app_key": "shop"}))
        .expect(201);
    let secret = other["api_secret"]["secret"].as_str().unwrap();
    let shop = server.app("shop", secret);
    assert_eq!(shop.get(path).refused(404), "NOT_FOUND");
    shop.patch(path, json!({})).expect(404);
    shop.get("/v1/apps/shop/settings").expect(200);
    server.stop();
}
