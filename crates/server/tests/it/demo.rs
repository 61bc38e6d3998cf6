//! The demo: a page and tokens, for this machine.

use crate::http::request;
use crate::server::{Place, Server};
use crate::token::open_session;

fn ask_token(server: &Server, more: &[(&str, &str)], body: &str) -> crate::http::Answer {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(more);
    request(
        server.url(),
        "POST",
        "/demo/token",
        &headers,
        body.as_bytes(),
    )
}

#[test]
fn the_page_is_served_and_loads_nothing_from_elsewhere() {
    let place = Place::new();
    let server = place.start(&[]);
    let page = server.get("/demo/");
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("http"),
        "{policy}"
    );
    assert_eq!(server.get("/demo").header("location"), Some("/demo/"));
    server.stop();
}

#[test]
fn tokens_are_for_the_demo_app_and_for_this_machine() {
    let place = Place::new();
    let server = place.start(&["--tcp-listen", "127.0.0.1:0"]);
    let given = ask_token(&server, &[], "{\"user\": \" 小雁 \"}").expect(200);
    assert_eq!(given["app_key"], "demo");
    assert_eq!(given["user_id"], "小雁");
    let token = given["token"].as_str().unwrap();
    assert_eq!(open_session(server.text("tcp"), token), Ok("小雁".into()));
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        let answer = ask_token(&server, &[(header, "203.0.113.7")], "{\"user\": \"a\"}");
        assert_eq!(answer.refused(403), "NOT_ALLOWED", "{header}");
    }
    for wrong in [
        "{\"user\": \"\"}",
        "{\"user\": 1}",
        "{\"name\": \"a\"}",
        "{",
    ] {
        assert_eq!(
            ask_token(&server, &[], wrong).refused(400),
            "INVALID_REQUEST",
            "{wrong}"
        );
    }
    server.stop();
}

fn open_room(server: &Server, more: &[(&str, &str)], body: &str) -> crate::http::Answer {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(more);
    request(
        server.url(),
        "POST",
        "/demo/room",
        &headers,
        body.as_bytes(),
    )
}

#[test]
fn rooms_are_opened_by_who_asks_first_on_this_machine() {
    let place = Place::new();
    let server = place.start(&[]);
    let wanted = "{\"user\": \"小雁\", \"room\": \" 大厅 \"}";
    for created in [true, false] {
        let opened = open_room(&server, &[], wanted).expect(200);
        assert_eq!(opened["room"], "大厅");
        assert_eq!(opened["created"], created);
    }
    for wrong in [
        "{\"user\": \"a\", \"room\": \"\"}",
        "{\"user\": \"\", \"room\": \"a\"}",
        "{\"user\": \"a\"}",
        "{",
    ] {
        assert_eq!(
            open_room(&server, &[], wrong).refused(400),
            "INVALID_REQUEST",
            "{wrong}"
        );
    }
    let forwarded = [("x-forwarded-for", "203.0.113.7")];
    assert_eq!(
        open_room(&server, &forwarded, wanted).refused(403),
        "NOT_ALLOWED"
    );
    server.stop();
}

#[test]
fn the_switch_opens_it_to_everybody() {
    let place = Place::new();
    let server = place.start(&["--demo"]);
    let answer = ask_token(
        &server,
        &[("x-forwarded-for", "203.0.113.7")],
        "{\"user\": \"a\"}",
    );
    answer.expect(200);
    server.stop();
}
