//! Secrets are where they belong and nowhere else: not in logs, not in the store in clear.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::server::{Place, files};

#[test]
fn secrets_are_neither_logged_nor_stored_in_clear() {
    let place = Place::new();
    let server = place.start(&["--tcp-listen", "127.0.0.1:0"]);
    let made = server
        .admin()
        .post("/v1/apps", json!({"app_key": "one"}))
        .expect(201);
    let rotated = server
        .admin()
        .ask("POST", "/v1/apps/one/token-keys", None)
        .expect(201);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let app_secrets = [
        server.text("api_secret").to_owned(),
        text(&made["api_secret"]["secret"]),
        text(&made["token_key"]["secret"]),
        text(&rotated["secret"]),
    ];
    let app = server.default_app();
    let token = app.ask("POST", "/v1/users/alice/token", None).expect(200);
    let token = text(&token["token"]);
    crate::token::open_session(server.text("tcp"), &token).unwrap();
    app.user("bob");
    app.send("alice", "bob", "m1", "between the two of us");
    server.get("/v1/apps");
    let admin_token = server.text("admin_token").to_owned();
    let data = server.data.clone();
    server.stop();

    let log = place.log();
    assert!(
        log.contains("\"stopped\""),
        "the log is there, at its most talkative"
    );
    let of_users = [
        "between the two of us".to_owned(),
        token,
        admin_token.clone(),
    ];
    for secret in app_secrets.iter().chain(&of_users) {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
    }
    let key = std::fs::read_to_string(data.join("installation.key")).unwrap();
    assert!(!log.contains(key.trim()));
    for (path, contents) in files(&data) {
        let has = |secret: &str| {
            let needle = secret.as_bytes();
            contents
                .windows(needle.len())
                .any(|window| window == needle)
        };
        for secret in &app_secrets {
            assert!(!has(secret), "{secret} is in {}", path.display());
        }
        if !path.ends_with("admin.token") {
            assert!(
                !has(&admin_token),
                "the admin token is in {}",
                path.display()
            );
        }
    }
    for name in ["installation.key", "admin.token"] {
        let mode = std::fs::metadata(data.join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn the_admin_token_can_come_from_the_environment() {
    let place = Place::new();
    let token = "a-token-of-the-operators-own-choice-1";
    std::fs::write(
        place.path().join("anser.toml"),
        format!("admin_token = \"{token}\"\n"),
    )
    .unwrap();
    let server = place.start(&[]);
    assert_eq!(server.text("admin_token"), token);
    server.admin().get("/v1/apps").expect(200);
    assert!(!place.data().join("admin.token").exists());
    assert!(place.say(&["app", "list"]).contains("default"));
    server.stop();
}
