//! Router and description say the same.

use serde_json::Value;

use crate::http::request;
use crate::server::Place;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];

#[test]
fn what_is_described_is_there_and_nothing_else_on_the_same_paths() {
    let place = Place::new();
    let server = place.start(&[]);
    let description = server.get("/v1/openapi.json").expect(200);
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() > 15);
    for (path, item) in paths {
        let concrete = path
            .replace("{conversation}", "g%2Fnone")
            .replace("{user_id}", "nobody")
            .replace("{group_id}", "none")
            .replace("{media_id}", "00000000000000000000000000000000")
            .replace("{app_key}", "none");
        let described = |method: &str| item.get(method.to_lowercase());
        for method in METHODS {
            let answer = request(server.url(), method, &concrete, &[], b"");
            match described(method) {
                None => assert_eq!(answer.status, 405, "{method} {path} is not described"),
                // Without a key: whatever needs one says so, before it looks at anything else.
                Some(operation) => {
                    let open = operation["security"].as_array().is_some_and(Vec::is_empty)
                        || operation["security"] == Value::Null
                        || operation["security"] == serde_json::json!([{}]);
                    let expected = if open { 200 } else { 401 };
                    assert_eq!(answer.status, expected, "{method} {path}");
                }
            }
        }
    }
    server.stop();
}

#[test]
fn the_reference_page_loads_nothing_from_elsewhere() {
    let place = Place::new();
    let server = place.start(&[]);
    let page = server.get("/docs");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    for part in ["/docs/reference.css", "/docs/reference.js"] {
        assert!(page.text().contains(part));
        let part = server.get(part);
        assert_eq!(part.status, 200);
        assert!(!part.text().contains("http://") && !part.text().contains("https://"));
    }
    server.stop();
}
