//! Tags of users, over the server API.

use serde_json::json;

use crate::http::Answer;
use crate::server::Place;

fn refusal(answer: Answer, status: u16) -> String {
    let body = answer.expect(status);
    body["error"]["name"].as_str().unwrap().to_owned()
}

#[test]
fn an_app_sorts_its_users_by_tags() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    for user in ["alice", "bob", "carol"] {
        app.user(user);
    }
    let tags = json!({"tags": ["vip", "北/京"]});
    let shown = app.put("/v1/users/alice/tags", tags).expect(200);
    assert_eq!(shown["tags"][0]["tag"], "vip");
    assert!(shown["tags"][0]["since"].as_u64().unwrap() > 1_700_000_000_000);
    assert_eq!(app.get("/v1/users/alice/tags").expect(200), shown);
    let both = json!({"users": ["bob", "carol"], "tags": ["vip"]});
    app.put("/v1/tags", both).expect(204);
    let page = app.get("/v1/tags/vip/users?limit=2").expect(200);
    assert_eq!(page["users"].as_array().unwrap().len(), 2);
    let cursor = page["cursor"].as_str().unwrap();
    let path = format!("/v1/tags/vip/users?limit=2&cursor={cursor}");
    let rest = app.get(&path).expect(200);
    assert_eq!(
        (rest["users"].as_array().unwrap().len(), &rest["cursor"]),
        (1, &json!(""))
    );
    let one = app.get("/v1/tags/%E5%8C%97%2F%E4%BA%AC/users").expect(200);
    assert_eq!(one["users"], json!(["alice"]));
    app.delete("/v1/users/alice/tags").expect(204);
    assert_eq!(
        app.get("/v1/users/alice/tags").expect(200),
        json!({"tags": []})
    );

    let many: Vec<String> = (0..21).map(|n| n.to_string()).collect();
    for (path, body, status, name) in [
        (
            "/v1/users/nobody/tags",
            json!({"tags": ["a"]}),
            404,
            "USER_NOT_FOUND",
        ),
        (
            "/v1/users/alice/tags",
            json!({"tags": many}),
            400,
            "INVALID_REQUEST",
        ),
        (
            "/v1/users/alice/tags",
            json!({"tags": [""]}),
            400,
            "INVALID_REQUEST",
        ),
        (
            "/v1/tags",
            json!({"users": [], "tags": []}),
            400,
            "INVALID_REQUEST",
        ),
        (
            "/v1/tags",
            json!({"users": ["alice", "nobody"], "tags": ["x"]}),
            404,
            "USER_NOT_FOUND",
        ),
    ] {
        assert_eq!(refusal(app.put(path, body), status), name, "{path}");
    }
    let none = app.get("/v1/tags/x/users").expect(200);
    assert_eq!(none["users"], json!([]));

    let other = server.admin().post("/v1/apps", json!({"app_key": "other"}));
    let other = other.expect(201);
    let other = server.app("other", other["api_secret"]["secret"].as_str().unwrap());
    assert_eq!(
        other.get("/v1/tags/vip/users").expect(200)["users"],
        json!([])
    );
    assert_eq!(
        refusal(other.get("/v1/users/bob/tags"), 404),
        "USER_NOT_FOUND"
    );
    server.stop();
}
