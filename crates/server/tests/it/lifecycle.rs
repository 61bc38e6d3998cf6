//! Stopping, being killed, starting again.

use serde_json::json;

use crate::server::Place;
use crate::token::open_session;

#[test]
fn a_restart_keeps_everything() {
    let place = Place::new();
    let server = place.start(&[]);
    let secret = server.text("api_secret").to_owned();
    let admin_token = server.text("admin_token").to_owned();
    let made = server
        .admin()
        .post("/v1/apps", json!({"app_key": "one"}))
        .expect(201);
    let app = server.default_app();
    app.user("alice");
    app.user("bob");
    let sent = app.send("alice", "bob", "m1", "kept");
    let token = app.ask("POST", "/v1/users/alice/token", None).expect(200);
    app.post("/v1/groups", json!({"group_id": "g", "owner": "alice"}))
        .expect(201);
    server.stop();

    for kill in [false, true] {
        let server = place.start(&["--tcp-listen", "127.0.0.1:0"]);
        assert!(
            server.ready["api_secret"].is_null(),
            "shown at the first start only"
        );
        assert_eq!(server.text("admin_token"), admin_token);
        let app = server.app("default", &secret);
        assert_eq!(
            app.send("alice", "bob", "m1", "kept"),
            sent,
            "the key is remembered"
        );
        let history = app
            .get("/v1/conversations/p%2Falice%2Fbob/messages")
            .expect(200);
        assert_eq!(history["head_seq"], 1);
        assert_eq!(history["messages"][0]["content"]["text"], "kept");
        app.get("/v1/groups/g").expect(200);
        let one = made["api_secret"]["secret"].as_str().unwrap();
        server.app("one", one).user("zoe");
        let session = open_session(server.text("tcp"), token["token"].as_str().unwrap());
        assert_eq!(session, Ok("alice".into()));
        match kill {
            // Dropping kills.
            true => drop(server),
            false => server.stop(),
        }
    }
}

#[test]
fn both_signals_stop_it_and_two_servers_do_not_share_a_directory() {
    let place = Place::new();
    let server = place.start(&[]);
    let second = place.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    let error = String::from_utf8(second.stderr).unwrap();
    assert!(error.contains("anser: "), "{error}");
    server.get("/healthz");
    server.signal("INT");
    assert_eq!(server.wait(), Some(0));
    assert!(!place.data().join("anser.sock").exists());
}

#[test]
fn an_address_that_is_taken_is_named() {
    let place = Place::new();
    let server = place.start(&[]);
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    let other = Place::new();
    let output = other.run(&["serve", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&address), "{error}");
    server.stop();
}
