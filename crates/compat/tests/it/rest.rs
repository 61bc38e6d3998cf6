//! The REST API for back ends.

use anser_compat::leancloud::session_token::{Claims, mint};
use anser_compat::leancloud::{Settings, signature};
use anser_domain::{Timestamp, UserId};
use serde_json::{Value, json};

use crate::http::{CLIENT, MASTER, ask};
use crate::world::{APP_ID, Server};

fn ids(rows: &Value) -> Vec<&str> {
    let rows = rows["results"].as_array().unwrap();
    rows.iter()
        .map(|row| row["objectId"].as_str().unwrap())
        .collect()
}

fn data(items: &Value) -> Vec<&str> {
    let items = items.as_array().unwrap();
    items
        .iter()
        .map(|item| item["data"].as_str().unwrap())
        .collect()
}

async fn make(server: &Server, path: &str, body: Value) -> String {
    let made = server.back_end("POST", path, body).await;
    let id = made["objectId"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 24);
    assert!(made["createdAt"].is_string());
    id
}

fn now() -> u64 {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

/// A session token of a client.
fn token(user: &str) -> String {
    let settings = r#"{"app_id":"test-app-MdYXbMMI","app_key":"k","master_key":"m"}"#;
    let claims = Claims {
        user: user.to_owned(),
        tag: String::new(),
        device: "d".to_owned(),
        config: 0,
        issued: now(),
    };
    mint(&Settings::from_json(settings).unwrap(), &claims)
}

#[tokio::test]
async fn nobody_gets_in_without_a_key() {
    let server = Server::relaxed().await;
    let path = "/1.2/rtm/conversations";
    let status = async |headers: &[(&str, &str)]| {
        let (status, answer) = ask(server.address(), "GET", path, headers, &Value::Null).await;
        assert!(answer["code"].is_number() || status == 200, "{answer}");
        status
    };
    assert_eq!(status(&[]).await, 401);
    assert_eq!(status(&[("X-LC-Id", APP_ID)]).await, 401);
    assert_eq!(status(&[("X-LC-Id", APP_ID), ("X-LC-Key", "m")]).await, 401);
    assert_eq!(
        status(&[("X-LC-Id", "other"), ("X-LC-Key", "m,master")]).await,
        401
    );
    assert_eq!(status(CLIENT).await, 403, "clients are no back ends");
    assert_eq!(status(MASTER).await, 200);
    server.set_up(r#""enabled":false"#).await;
    let other = Server::shut().await;
    let (status, _) = ask(other.address(), "GET", path, MASTER, &Value::Null).await;
    assert_eq!(status, 401, "the door is shut");
}

#[tokio::test]
async fn conversations_are_made_found_changed_and_ended() {
    let server = Server::relaxed().await;
    let path = "/1.2/rtm/conversations";
    let new = json!({"name": "geese", "m": ["tom", "bob"], "attr": {"n": 1}, "foo": ["x"]});
    let id = make(&server, path, new).await;
    let other = make(&server, path, json!({"m": ["eve"]})).await;
    let all = server.back_end("GET", path, Value::Null).await;
    assert_eq!(ids(&all).len(), 2);
    let wanted = "%7B%22attr.n%22%3A%7B%22%24gte%22%3A1%7D%2C%22m%22%3A%22tom%22%7D";
    let found = server
        .back_end("GET", &format!("{path}?where={wanted}"), Value::Null)
        .await;
    assert_eq!(ids(&found), [&id]);
    let row = &found["results"][0];
    assert_eq!(
        (&row["name"], &row["foo"]),
        (&"geese".into(), &json!(["x"]))
    );
    let mut members: Vec<&str> = row["m"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    members.sort_unstable();
    assert_eq!(members, ["bob", "tom"]);
    let change = json!({"name": "swans", "attr.n": {"__op": "Increment", "amount": 2},
                        "foo": {"__op": "Delete"}});
    let one = format!("{path}/{id}");
    let changed = server.back_end("PUT", &one, change).await;
    assert!(changed["updatedAt"].is_string());
    let get = format!("/1.1/classes/_Conversation/{id}");
    let row = server.back_end("GET", &get, Value::Null).await;
    assert_eq!(
        (&row["name"], &row["attr"]["n"]),
        (&"swans".into(), &3.into())
    );
    assert!(row["foo"].is_null());
    assert_eq!(
        server.refused("PUT", &one, json!({"objectId": "x"})).await,
        (400, 4306)
    );
    let room = format!("/1.2/rtm/chatrooms/{id}");
    assert_eq!(
        server.refused("PUT", &room, json!({"name": "x"})).await,
        (404, 4303)
    );
    server.back_end("DELETE", &one, Value::Null).await;
    assert_eq!(server.refused("GET", &get, Value::Null).await.0, 404);
    let rest = server.back_end("GET", path, Value::Null).await;
    assert_eq!(ids(&rest), [&other]);
}

#[tokio::test]
async fn a_unique_conversation_is_the_one_of_its_members() {
    let server = Server::relaxed().await;
    let path = "/1.2/rtm/conversations";
    let make = async |members: Value| {
        let body = json!({"m": members, "unique": true});
        server.back_end("POST", path, body).await
    };
    let first = make(json!(["BillGates", "SteveJobs"])).await;
    assert_eq!(first["uniqueId"], "6c7b0e5afcae9aa1139a0afa25833dec");
    let again = make(json!(["SteveJobs", "BillGates"])).await;
    assert_eq!(first["objectId"], again["objectId"]);
    let other = make(json!(["SteveJobs"])).await;
    assert_ne!(first["objectId"], other["objectId"]);
}

#[tokio::test]
async fn members_come_and_go_and_get_roles() {
    let server = Server::relaxed().await;
    let id = make(&server, "/1.2/rtm/conversations", json!({"m": ["tom"]})).await;
    let here = |rest: &str| format!("/1.2/rtm/conversations/{id}/{rest}");
    let add = json!({"client_ids": ["bob", "eve"]});
    server.back_end("POST", &here("members"), add).await;
    server
        .back_end("DELETE", &here("members"), json!({"client_ids": ["eve"]}))
        .await;
    let members = server.back_end("GET", &here("members"), Value::Null).await;
    // Who came in the same millisecond stands in the order of names.
    let mut members: Vec<&str> = members["result"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(Value::as_str)
        .collect();
    members.sort_unstable();
    assert_eq!(members, ["bob", "tom"]);
    let body = json!({"clientId": "bob", "role": "Manager"});
    let info = server.back_end("POST", &here("member-infos"), body).await;
    let infos = server
        .back_end("GET", &here("member-infos"), Value::Null)
        .await;
    assert_eq!(infos["results"][0]["clientId"], "bob");
    assert_eq!(infos["results"][0]["objectId"], info["objectId"]);
    let one = here(&format!(
        "member-infos/{}",
        info["objectId"].as_str().unwrap()
    ));
    server.back_end("DELETE", &one, Value::Null).await;
    let infos = server
        .back_end("GET", &here("member-infos"), Value::Null)
        .await;
    assert_eq!(infos["results"], json!([]));
    let wrong = json!({"clientId": "bob", "role": "King"});
    assert_eq!(
        server.refused("POST", &here("member-infos"), wrong).await.1,
        4321
    );
    for (list, name) in [("permanent-silenceds", "bob"), ("blacklists", "eve")] {
        let who = json!({"client_ids": [name]});
        server.back_end("POST", &here(list), who.clone()).await;
        let page = server.back_end("GET", &here(list), Value::Null).await;
        assert_eq!(page["client_ids"], json!([name]), "{list}");
        server.back_end("DELETE", &here(list), who).await;
        let page = server.back_end("GET", &here(list), Value::Null).await;
        assert_eq!(page["client_ids"], json!([]), "{list}");
    }
    server
        .back_end("POST", &here("mutes"), json!({"client_ids": ["bob"]}))
        .await;
    let muted = server.back_end("GET", &here("mutes"), Value::Null).await;
    assert_eq!(muted["result"], json!(["bob"]));
    let silence = json!({"client_id": "bob", "ttl": 60});
    server
        .back_end("POST", &here("temporary-silenceds"), silence)
        .await;
    let silenced = server
        .back_end("GET", &here("permanent-silenceds"), Value::Null)
        .await;
    assert_eq!(silenced["client_ids"], json!(["bob"]));
    let long = json!({"client_id": "bob", "ttl": 90_000});
    assert_eq!(
        server
            .refused("POST", &here("temporary-silenceds"), long)
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn the_back_end_sends_reads_edits_and_recalls() {
    let server = Server::relaxed().await;
    let id = make(
        &server,
        "/1.2/rtm/conversations",
        json!({"m": ["tom", "bob"]}),
    )
    .await;
    let here = |rest: &str| format!("/1.2/rtm/conversations/{id}/{rest}");
    let mut sent = Vec::new();
    for n in 0..3 {
        // A name that need not be of a member.
        let body = json!({"from_client": "robot", "message": format!("m{n}")});
        sent.push(server.back_end("POST", &here("messages"), body).await);
    }
    let all = server.back_end("GET", &here("messages"), Value::Null).await;
    assert_eq!(data(&all), ["m2", "m1", "m0"], "the newest first");
    assert_eq!(all[0]["from"], "robot");
    assert_eq!(
        (&all[0]["to"], &all[0]["is-room"]),
        (&json!(id), &json!(false))
    );
    assert_eq!(all[0]["msg-id"], sent[2]["msg-id"]);
    let anchor = format!(
        "timestamp={}&msgid={}",
        sent[1]["timestamp"],
        sent[1]["msg-id"].as_str().unwrap()
    );
    for (rest, expected) in [
        ("", vec!["m0"]),
        ("&include_start=true", vec!["m1", "m0"]),
        ("&reversed=true", vec!["m2"]),
        ("&reversed=true&include_start=true&limit=1", vec!["m1"]),
    ] {
        let path = here(&format!("messages?{anchor}{rest}"));
        let page = server.back_end("GET", &path, Value::Null).await;
        assert_eq!(data(&page), expected, "{rest}");
    }
    let till = anchor
        .replace("timestamp", "till_timestamp")
        .replace("msgid", "till_msgid");
    for (rest, expected) in [("", vec!["m2"]), ("&include_stop=true", vec!["m2", "m1"])] {
        let path = here(&format!("messages?{till}{rest}"));
        let page = server.back_end("GET", &path, Value::Null).await;
        assert_eq!(data(&page), expected, "{rest}");
    }
    let one = here(&format!("messages/{}", sent[0]["msg-id"].as_str().unwrap()));
    let edit =
        json!({"from_client": "robot", "message": "edited", "timestamp": sent[0]["timestamp"]});
    server.back_end("PUT", &one, edit).await;
    let theft = json!({"from_client": "tom", "message": "x", "timestamp": sent[0]["timestamp"]});
    assert_eq!(server.refused("PUT", &one, theft).await.1, 4403);
    let recall = here(&format!(
        "messages/{}/recall",
        sent[1]["msg-id"].as_str().unwrap()
    ));
    let body = json!({"from_client": "robot", "timestamp": sent[1]["timestamp"]});
    server.back_end("PUT", &recall, body).await;
    let all = server.back_end("GET", &here("messages"), Value::Null).await;
    assert_eq!(data(&all), ["m2", r#"{"_lctype":-127}"#, "edited"]);
    let everything = server
        .back_end("GET", "/1.2/rtm/messages?limit=2", Value::Null)
        .await;
    assert_eq!(data(&everything), ["m2", r#"{"_lctype":-127}"#]);
    let own = server
        .back_end("GET", "/1.2/rtm/clients/robot/messages", Value::Null)
        .await;
    assert_eq!(data(&own).len(), 3);
    let count = server
        .back_end("GET", "/1.2/rtm/clients/tom/unread-count", Value::Null)
        .await;
    assert_eq!(count["count"], 2, "a recalled one is not unread");
    let path = format!("/1.2/rtm/clients/tom/unread-count?conv_id={id}");
    assert_eq!(server.back_end("GET", &path, Value::Null).await["count"], 2);
}

#[tokio::test]
async fn clients_read_history_with_a_signature_or_their_session() {
    let server = Server::relaxed().await;
    let id = make(&server, "/1.2/rtm/conversations", json!({"m": ["tom"]})).await;
    let path = format!("/1.2/rtm/conversations/{id}/messages");
    let body = json!({"from_client": "tom", "message": "hi"});
    server.back_end("POST", &path, body).await;
    let get = async |path: &str, token: Option<&str>| {
        let mut headers = CLIENT.to_vec();
        headers.extend(token.map(|token| ("X-LC-IM-Session-Token", token)));
        ask(server.address(), "GET", path, &headers, &Value::Null).await
    };
    assert_eq!(get(&path, None).await.0, 400, "who is it?");
    assert_eq!(data(&get(&path, Some(&token("tom"))).await.1), ["hi"]);
    assert_eq!(get(&path, Some(&token("eve"))).await.0, 403, "not a member");
    assert_eq!(get(&path, Some("nonsense")).await.0, 401);
    let time = i64::try_from(now()).unwrap();
    let operation = signature::Operation::History { conversation: &id };
    let signed = signature::sign("m", APP_ID, "tom", operation, time, "n");
    let with = |client: &str| {
        format!("{path}?client_id={client}&nonce=n&signature_ts={time}&signature={signed}")
    };
    assert_eq!(data(&get(&with("tom"), None).await.1), ["hi"]);
    assert_eq!(get(&with("bob"), None).await.0, 401);
}

#[tokio::test]
async fn chat_rooms_have_columns_and_history() {
    let server = Server::relaxed().await;
    let new = json!({"name": "hall", "attr": {"level": 3}, "c": "tom"});
    let id = make(&server, "/1.2/rtm/chatrooms", new).await;
    let here = |rest: &str| format!("/1.2/rtm/chatrooms/{id}/{rest}");
    let rooms = server
        .back_end("GET", "/1.2/rtm/chatrooms", Value::Null)
        .await;
    let row = &rooms["results"][0];
    assert_eq!((&row["tr"], &row["c"]), (&true.into(), &"tom".into()));
    let none = server
        .back_end("GET", "/1.2/rtm/conversations", Value::Null)
        .await;
    assert_eq!(none["results"], json!([]));
    server
        .back_end(
            "PUT",
            &format!("/1.2/rtm/chatrooms/{id}"),
            json!({"attr.level": 4}),
        )
        .await;
    let query = "/1.2/rtm/all-conversations?where=%7B%22attr.level%22%3A4%7D";
    let found = server.back_end("GET", query, Value::Null).await;
    assert_eq!(ids(&found), [&id]);
    let mut sent = Vec::new();
    for n in 0..2 {
        let body = json!({"from_client": "robot", "message": format!("r{n}"), "priority": "low"});
        sent.push(server.back_end("POST", &here("messages"), body).await);
    }
    let mut items = Value::Null;
    for _ in 0..500 {
        // Stored behind its delivery.
        items = server.back_end("GET", &here("messages"), Value::Null).await;
        if items.as_array().unwrap().len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(data(&items), ["r1", "r0"]);
    assert_eq!(items[0]["is-room"], true);
    let path = format!(
        "messages?reversed=true&timestamp={}&msgid={}",
        sent[0]["timestamp"],
        sent[0]["msg-id"].as_str().unwrap()
    );
    let later = server.back_end("GET", &here(&path), Value::Null).await;
    assert_eq!(data(&later), ["r1"]);
    let count = server
        .back_end("GET", &here("members/online-count"), Value::Null)
        .await;
    assert_eq!(count["result"], 0);
    for list in ["blacklists", "permanent-silenceds"] {
        server
            .back_end("POST", &here(list), json!({"client_ids": ["eve"]}))
            .await;
        let page = server.back_end("GET", &here(list), Value::Null).await;
        assert_eq!(page["client_ids"], json!(["eve"]), "{list}");
    }
    server
        .back_end("DELETE", &format!("/1.2/rtm/chatrooms/{id}"), Value::Null)
        .await;
    let rooms = server
        .back_end("GET", "/1.2/rtm/chatrooms", Value::Null)
        .await;
    assert_eq!(rooms["results"], json!([]));
}

#[tokio::test]
async fn service_conversations_speak_to_their_subscribers() {
    let server = Server::relaxed().await;
    let id = make(
        &server,
        "/1.2/rtm/service-conversations",
        json!({"name": "news"}),
    )
    .await;
    let here = |rest: &str| format!("/1.2/rtm/service-conversations/{id}/{rest}");
    for client in ["tom", "bob", "eve"] {
        let body = json!({"client_id": client});
        server.back_end("POST", &here("subscribers"), body).await;
    }
    server
        .back_end("DELETE", &here("subscribers/eve"), Value::Null)
        .await;
    let count = server
        .back_end("GET", &here("subscribers/count"), Value::Null)
        .await;
    assert_eq!(count["count"], 2);
    let page = server
        .back_end("GET", &here("subscribers?limit=1"), Value::Null)
        .await;
    assert_eq!(page[0]["subscriber"], "bob");
    let next = server
        .back_end("GET", &here("subscribers?client_id=bob"), Value::Null)
        .await;
    assert_eq!(next[0]["subscriber"], "tom");
    let body = json!({"from_client": "news", "message": "all"});
    let sent = server.back_end("POST", &here("broadcasts"), body).await;
    assert_eq!(sent["result"]["msg-id"], sent["msg-id"]);
    let body = json!({"from_client": "news", "message": "one", "to_clients": ["tom"]});
    server.back_end("POST", &here("messages"), body).await;
    let of = async |client: &str| {
        let path = here(&format!("subscribers/{client}/messages"));
        server.back_end("GET", &path, Value::Null).await
    };
    assert_eq!(data(&of("tom").await), ["one", "all"]);
    assert_eq!(data(&of("bob").await), ["all"]);
    let path = "/1.2/rtm/clients/tom/service-conversations";
    let mut services = Value::Null;
    for _ in 0..500 {
        // The client's list follows the subscription.
        services = server.back_end("GET", path, Value::Null).await;
        if services.as_array().is_some_and(|all| !all.is_empty()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(services[0]["conv_id"], json!(id));
}

#[tokio::test]
async fn clients_hear_of_what_they_missed_and_who_manages() {
    let server = Server::relaxed().await;
    let tom = [UserId::new("tom").unwrap()];
    let body = json!({"cmd": "conv", "op": "joined", "notificationType": 1, "serverTs": 5});
    let body = body.to_string().into();
    let time = Timestamp(now());
    let append = server.engine.append_notice(server.app, &tom, time, &body);
    append.await.unwrap();
    let get = async |path: &str, user: &str| {
        let token = token(user);
        let mut headers = CLIENT.to_vec();
        headers.push(("X-LC-IM-Session-Token", &token));
        ask(server.address(), "GET", path, &headers, &Value::Null).await
    };
    let path = "/1.1/rtm/notifications?client_id=tom&start_ts=0";
    let (_, answer) = get(&format!("{path}&notification_type=permanent"), "tom").await;
    assert_eq!(answer["hasMore"], false);
    assert_eq!(answer["notifications"][0]["op"], "joined");
    let (_, answer) = get(path, "tom").await;
    assert_eq!(answer["permanent"]["notifications"][0]["op"], "joined");
    assert_eq!(answer["droppable"]["notifications"], json!([]));
    let (_, answer) = get(&path.replace("=0", &format!("={}", time.0)), "tom").await;
    assert_eq!(
        answer["permanent"]["notifications"],
        json!([]),
        "not told twice"
    );
    assert_eq!(get(path, "bob").await.0, 401, "of others nothing is told");
    assert_eq!(
        ask(server.address(), "GET", path, CLIENT, &Value::Null)
            .await
            .0,
        401
    );

    let id = make(
        &server,
        "/1.2/rtm/conversations",
        json!({"m": ["tom", "bob"]}),
    )
    .await;
    let path = format!("/1.2/rtm/conversations/{id}/member-infos");
    server
        .back_end("POST", &path, json!({"clientId": "bob", "role": "Manager"}))
        .await;
    let path = format!("/1.1/classes/_ConversationMemberInfo?where=%7B%22cid%22%3A%22{id}%22%7D");
    let (_, infos) = get(&format!("{path}&client_id=tom"), "tom").await;
    assert_eq!(infos["results"][0]["clientId"], "bob");
    assert_eq!(get(&format!("{path}&client_id=eve"), "eve").await.0, 403);
}

#[tokio::test]
async fn the_older_api_does_the_same() {
    let server = Server::relaxed().await;
    let path = "/1.1/classes/_Conversation";
    let new = json!({"name": "test", "m": {"__op": "AddUnique", "objects": ["tom", "bob"]}});
    let id = make(&server, path, new).await;
    let one = format!("{path}/{id}");
    let add = json!({"m": {"__op": "Add", "objects": ["eve"]}});
    server.back_end("PUT", &one, add).await;
    let row = server.back_end("GET", &one, Value::Null).await;
    assert_eq!(row["m"].as_array().unwrap().len(), 3);
    let body =
        json!({"from_peer": "foo", "conv_id": id, "transient": false, "message": "{\"a\":1}"});
    server.back_end("POST", "/1.1/rtm/messages", body).await;
    let history = format!("/1.1/rtm/messages/history?convid={id}");
    let items = server.back_end("GET", &history, Value::Null).await;
    assert_eq!(data(&items), ["{\"a\":1}"]);
    let by = server
        .back_end("GET", "/1.1/rtm/messages/history?from=foo", Value::Null)
        .await;
    assert_eq!(data(&by).len(), 1);
    let all = server
        .back_end("GET", "/1.1/rtm/messages/history", Value::Null)
        .await;
    assert_eq!(data(&all).len(), 1);
    // One that nobody is in yet.
    let empty = make(&server, path, json!({"name": "empty"})).await;
    let row = server
        .back_end("GET", &format!("{path}/{empty}"), Value::Null)
        .await;
    assert_eq!(row["m"], json!([]));
    let online = server
        .back_end("POST", "/1.1/rtm/online", json!({"peers": ["tom"]}))
        .await;
    assert_eq!(online["results"], json!([]));
    server.back_end("DELETE", &one, Value::Null).await;
    assert_eq!(server.refused("GET", &one, Value::Null).await, (404, 101));
    let date = server.back_end("GET", "/1.1/date", Value::Null).await;
    assert_eq!(date["__type"], "Date");
}
