//! Conversations for a time, over the server API.

use serde_json::json;

use crate::http::Answer;
use crate::media::until;
use crate::server::Place;

fn refusal(answer: Answer, status: u16) -> String {
    let body = answer.expect(status);
    body["error"]["name"].as_str().unwrap().to_owned()
}

#[test]
fn a_conversation_for_a_time_ends() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    let create = |more: serde_json::Value| {
        let mut body = json!({"owner": "alice", "members": ["bob"], "temporary": true});
        let body = body.as_object_mut().unwrap();
        body.extend(more.as_object().unwrap().clone());
        app.post("/v1/conversations", json!(body))
    };
    for more in [
        json!({"seconds": 0}),
        json!({"seconds": 86_401}),
        json!({"unique": true}),
        json!({"temporary": false, "seconds": 5}),
    ] {
        assert_eq!(refusal(create(more), 400), "INVALID_REQUEST");
    }
    let made = create(json!({})).expect(201);
    let id = made["conversation"].as_str().unwrap();
    assert!(id.starts_with("t/") && made["end_time"].as_u64() > made["created_time"].as_u64());
    let path = format!("/v1/conversations/{}", id.replace('/', "%2F"));
    app.post(&format!("{path}/members"), json!({"users": ["carol"]}))
        .expect(200);
    let message = json!({"sender": "bob", "conversation": id,
        "content": {"type": "text", "text": "honk"}});
    app.post("/v1/messages", message).expect(200);
    until("it is in the list", || {
        let list = app.get("/v1/users/alice/conversations").expect(200);
        list["conversations"][0]["end_time"] == made["end_time"]
    });

    let made = create(json!({"seconds": 1})).expect(201);
    let short = made["conversation"].as_str().unwrap();
    let path = format!("/v1/conversations/{}", short.replace('/', "%2F"));
    let message = json!({"sender": "bob", "conversation": short,
        "content": {"type": "text", "text": "honk"}});
    let own = format!(
        "/v1/users/alice/conversations/{}",
        short.replace('/', "%2F")
    );
    until("it is over", || app.get(&path).status == 410);
    assert_eq!(refusal(app.get(&path), 410), "CONVERSATION_OVER");
    assert_eq!(refusal(app.get(&own), 410), "CONVERSATION_OVER");
    assert_eq!(
        refusal(app.post("/v1/messages", message), 410),
        "CONVERSATION_OVER"
    );
    let list = app.get("/v1/users/alice/conversations").expect(200);
    let left = list["conversations"].as_array().unwrap();
    assert!(left.iter().all(|it| it["id"] == id) && left.len() == 1);
    server.stop();
}
