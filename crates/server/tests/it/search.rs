//! Searching over the server API.

use serde_json::{Value, json};

use crate::server::Place;

fn texts(page: &Value) -> Vec<&str> {
    let messages = page["messages"].as_array().unwrap().iter();
    messages
        .map(|it| it["content"]["text"].as_str().unwrap())
        .collect()
}

#[test]
fn a_backend_searches_for_a_user_and_in_a_conversation() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    for user in ["alice", "bob"] {
        app.user(user);
    }
    for (n, text) in ["鸿雁南飞", "grey geese", "nothing"].iter().enumerate() {
        app.send("alice", "bob", &n.to_string(), text);
    }
    let find = |path: &str| app.get(path);
    let one = "/v1/conversations/p%2Falice%2Fbob/messages/search";
    let page = find(&format!("{one}?query=%E9%9B%81")).expect(200);
    assert_eq!(texts(&page), ["鸿雁南飞"]);
    assert_eq!(page["cursor"], "");
    let page = find(&format!("{one}?query=GEESE&sender=alice&type=text")).expect(200);
    assert_eq!(texts(&page), ["grey geese"]);
    assert!(texts(&find(&format!("{one}?query=geese&sender=bob")).expect(200)).is_empty());

    let own = "/v1/users/bob/messages/search";
    let named = format!("{own}?query=geese&conversation=p%2Falice%2Fbob");
    assert_eq!(texts(&find(&named).expect(200)), ["grey geese"]);
    let first = find(&format!("{one}?sender=alice&limit=2")).expect(200);
    assert_eq!(texts(&first), ["nothing", "grey geese"]);
    let cursor = first["cursor"].as_str().unwrap();
    let rest = find(&format!("{one}?sender=alice&cursor={cursor}")).expect(200);
    assert_eq!(texts(&rest), ["鸿雁南飞"]);

    for bad in [
        "",
        "?query=%3F",
        "?query=a&cursor=x",
        "?query=a&limit=101",
        "?words=a",
    ] {
        find(&format!("{one}{bad}")).refused(400);
    }
    for (length, status) in [(256, 200), (257, 400)] {
        let answer = find(&format!("{one}?query={}", "a".repeat(length)));
        assert_eq!(answer.status, status, "{length}");
    }
    let time = |bounds: &str| {
        let page = find(&format!("{one}?query=geese&{bounds}")).expect(200);
        page["messages"].as_array().map(Vec::len)
    };
    assert_eq!(time("until_time=1"), Some(0));
    assert_eq!(time("from_time=1"), Some(1));
    find(&format!("{one}?query=a&conversation=g%2Fx")).refused(400);
    find("/v1/users/carol/messages/search?query=a&conversation=p%2Falice%2Fbob").refused(403);
    app.post("/v1/messages/search", json!({})).refused(404);
    server.stop();
}
