//! Files: uploads in one request and in pieces, downloads, limits, and what is left of what went
//! wrong.

#![expect(clippy::disallowed_methods, reason = "tests live in the real world")]

use std::fs::File;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::http::{Answer, request};
use crate::server::{Place, Server, files};

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A user with a token.
struct User {
    url: String,
    authorization: String,
}

impl User {
    fn new(server: &Server, app: &crate::server::App<'_>, id: &str) -> Self {
        let token = app.post(&format!("/v1/users/{id}/token"), json!({}));
        let token = token.expect(200)["token"].as_str().unwrap().to_owned();
        Self {
            url: server.url().to_owned(),
            authorization: format!("Bearer {token}"),
        }
    }

    fn ask(&self, method: &str, path: &str, more: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut headers = vec![("authorization", self.authorization.as_str())];
        headers.extend(more);
        request(&self.url, method, path, &headers, body)
    }

    fn upload(&self, name: &str, body: &[u8]) -> Value {
        let path = format!("/v1/media?name={name}");
        self.ask("POST", &path, &[], body).expect(201)
    }

    fn tus(&self, method: &str, path: &str, more: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut headers = vec![("tus-resumable", "1.0.0")];
        headers.extend(more);
        self.ask(method, path, &headers, body)
    }

    fn begin(&self, bytes: usize) -> String {
        let length = bytes.to_string();
        let name = format!("filename {}", BASE64.encode("报告.bin"));
        let headers = [
            ("upload-length", length.as_str()),
            ("upload-metadata", &name),
        ];
        let begun = self.tus("POST", "/v1/media/uploads", &headers, b"");
        assert_eq!(begun.status, 201);
        assert!(begun.header("upload-expires").is_some());
        begun.header("location").unwrap().to_owned()
    }

    fn piece(&self, path: &str, offset: usize, body: &[u8]) -> Answer {
        self.piece_with(path, offset, body, &[])
    }

    fn piece_with(&self, path: &str, offset: usize, body: &[u8], more: &[(&str, &str)]) -> Answer {
        let offset = offset.to_string();
        let mut headers = vec![
            ("content-type", "application/offset+octet-stream"),
            ("upload-offset", offset.as_str()),
        ];
        headers.extend(more);
        self.tus("PATCH", path, &headers, body)
    }

    fn offset(&self, path: &str) -> Option<String> {
        let answer = self.tus("HEAD", path, &[], b"");
        answer.header("upload-offset").map(ToOwned::to_owned)
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key}: {value}"))
}

fn uploads(place: &Place) -> PathBuf {
    place.data().join("media/uploads")
}

pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain: {what}");
}

#[test]
fn a_picture_is_looked_into_and_handed_out_with_care() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    let (alice, bob) = (
        User::new(&server, &app, "alice"),
        User::new(&server, &app, "bob"),
    );
    let png = BASE64.decode(PNG).unwrap();
    let media = alice.upload("..%2F..%2Fgoose.png", &png);
    assert_eq!(text(&media, "name"), "goose.png");
    assert_eq!(text(&media, "content_type"), "image/png");
    assert_eq!((&media["width"], &media["height"]), (&json!(1), &json!(1)));
    let path = format!("/v1/media/{}", text(&media, "media"));

    // Another user of the app who knows the id; without a token at the signed address.
    let known = bob.ask("GET", &path, &[], b"").expect(200);
    let url = text(&known, "url");
    for answer in [
        server.get(url),
        bob.ask("GET", &format!("{path}/content"), &[], b""),
    ] {
        assert_eq!((answer.status, &answer.body), (200, &png));
        assert_eq!(answer.header("content-type"), Some("image/png"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let disposition = answer.header("content-disposition").unwrap();
        assert_eq!(disposition, "inline; filename*=UTF-8''goose.png");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'"));
    }
    let thumbnail = server.get(text(&known, "thumbnail_url"));
    assert_eq!(thumbnail.header("content-type"), Some("image/jpeg"));
    assert!(thumbnail.body.starts_with(&[0xff, 0xd8, 0xff]));
    // An address is for what it was signed for.
    server
        .get(&url.replace("/content", "/thumbnail"))
        .refused(403);
    server
        .get(&url.replace("expires=1", "expires=2"))
        .refused(403);
    server
        .get(&url.replace("signature=", "signature=A"))
        .refused(403);
    server
        .get(url.split("&signature").next().unwrap())
        .refused(400);
    server.get(&format!("{path}/content")).refused(401);

    let etag = server.get(url).header("etag").unwrap().to_owned();
    let part = |headers: &[(&str, &str)]| request(server.url(), "GET", url, headers, b"");
    assert_eq!(part(&[("if-none-match", &etag)]).status, 304);
    let some = part(&[("range", "bytes=1-3")]);
    assert_eq!((some.status, &some.body[..]), (206, &b"PNG"[..]));
    let range = format!("bytes 1-3/{}", png.len());
    assert_eq!(some.header("content-range"), Some(range.as_str()));
    assert_eq!(part(&[("range", "bytes=1000-")]).status, 416);
    let other = [("range", "bytes=1-3"), ("if-range", "\"other\"")];
    assert_eq!(part(&other).status, 200);

    assert_eq!(bob.ask("DELETE", &path, &[], b"").refused(404), "NOT_FOUND");
    alice.ask("DELETE", &path, &[], b"").expect(204);
    server.get(url).refused(404);
    assert!(files(&place.data().join("media")).is_empty());
    server.stop();
}

#[test]
fn what_could_run_is_a_download() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    let alice = User::new(&server, &app, "alice");
    let broken = BASE64.decode(PNG).unwrap()[..30].to_vec();
    let page = b"<!DOCTYPE html><script>alert(1)</script>";
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    for (name, body) in [("a.html", &page[..]), ("a.svg", svg), ("a.png", &broken)] {
        let headers = [("content-type", "image/png")];
        let path = format!("/v1/media?name={name}");
        let media = alice.ask("POST", &path, &headers, body).expect(201);
        assert_eq!(text(&media, "content_type"), "application/octet-stream");
        assert!(media.get("thumbnail_url").is_none());
        let answer = server.get(text(&media, "url"));
        let disposition = answer.header("content-disposition").unwrap();
        assert!(
            disposition.starts_with("attachment; "),
            "{name}: {disposition}"
        );
        let thumbnail = format!("/v1/media/{}/thumbnail", text(&media, "media"));
        alice.ask("GET", &thumbnail, &[], b"").refused(404);
    }
    server.stop();
}

#[test]
fn an_upload_in_pieces_goes_on_where_it_was_whatever_happened() {
    let place = Place::new();
    let server = place.start(&[]);
    let secret = server.text("api_secret").to_owned();
    let app = server.default_app();
    let alice = User::new(&server, &app, "alice");
    let whole: Vec<u8> = (0..100_000_u32).map(|n| n.to_be_bytes()[3]).collect();
    let path = alice.begin(whole.len());

    let version = alice.ask("HEAD", &path, &[("tus-resumable", "0.2.2")], b"");
    assert_eq!(version.status, 412);
    assert_eq!(version.header("tus-version"), Some("1.0.0"));
    assert_eq!(alice.piece(&path, 1, b"x").refused(409), "UPLOAD_CONFLICT");
    let plain = alice.tus("PATCH", &path, &[("upload-offset", "0")], b"x");
    plain.refused(415);
    let first = alice.piece(&path, 0, &whole[..40_000]);
    assert_eq!(
        (first.status, first.header("upload-offset")),
        (204, Some("40000"))
    );

    // A piece of which only a part arrives.
    let address = server.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: {}\r\ntus-resumable: 1.0.0\r\n\
         content-type: application/offset+octet-stream\r\nupload-offset: 40000\r\n\
         content-length: 60000\r\n\r\n",
        alice.authorization
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&whole[40_000..50_000]).unwrap();
    drop(stream);
    until("what arrived is kept", || {
        alice.offset(&path).as_deref() == Some("50000")
    });

    // The machine dies, and something half-written stands behind what was safe.
    server.signal("KILL");
    drop(server);
    let part = std::fs::read_dir(uploads(&place)).unwrap();
    let part = part.map(|entry| entry.unwrap().path());
    let part = part
        .into_iter()
        .find(|path| path.extension().is_some_and(|it| it == "part"));
    let mut part = File::options().append(true).open(part.unwrap()).unwrap();
    part.write_all(b"garbage").unwrap();
    let server = place.start(&[]);
    let app = server.app("default", &secret);
    let (alice, bob) = (
        User::new(&server, &app, "alice"),
        User::new(&server, &app, "bob"),
    );
    assert_eq!(alice.offset(&path).as_deref(), Some("50000"));
    assert_eq!(bob.offset(&path), None, "to others it is not there");

    let sum = |bytes: &[u8]| format!("sha256 {}", BASE64.encode(digest(&SHA256, bytes)));
    let wrong = sum(b"other");
    let wrong = [("upload-checksum", wrong.as_str())];
    let refused = alice.piece_with(&path, 50_000, &whole[50_000..], &wrong);
    assert_eq!(refused.refused(460), "CHECKSUM_MISMATCH");
    assert_eq!(alice.offset(&path).as_deref(), Some("50000"));
    let mut more = whole[50_000..].to_vec();
    more.push(0);
    assert_eq!(
        alice.piece(&path, 50_000, &more).refused(413),
        "MEDIA_TOO_LARGE"
    );
    let right = sum(&whole[50_000..]);
    let right = [("upload-checksum", right.as_str())];
    let last = alice.piece_with(&path, 50_000, &whole[50_000..], &right);
    assert_eq!(
        (last.status, last.header("upload-offset")),
        (204, Some("100000"))
    );
    assert_eq!(alice.offset(&path).as_deref(), Some("100000"));
    alice.piece(&path, 100_000, b"").refused(409);

    let id = path.rsplit('/').next().unwrap();
    let media = alice
        .ask("GET", &format!("/v1/media/{id}"), &[], b"")
        .expect(200);
    assert_eq!(text(&media, "name"), "报告.bin");
    assert_eq!(server.get(text(&media, "url")).body, whole);
    assert!(files(&uploads(&place)).is_empty());

    let given_up = alice.begin(9);
    alice.piece(&given_up, 0, b"12345").expect(204);
    alice.tus("DELETE", &given_up, &[], b"").expect(204);
    assert_eq!(alice.offset(&given_up), None);
    assert!(files(&uploads(&place)).is_empty());
    let asked = request(server.url(), "OPTIONS", "/v1/media/uploads", &[], b"");
    assert!(asked.header("tus-extension").unwrap().contains("checksum"));
    assert_eq!(asked.header("access-control-allow-origin"), Some("*"));
    server.stop();
}

#[test]
fn a_whole_upload_becomes_a_file_also_if_nobody_lived_to_say_so() {
    let place = Place::new();
    let server = place.start(&[]);
    let app = server.default_app();
    let alice = User::new(&server, &app, "alice");
    let path = alice.begin(10);
    alice.piece(&path, 0, b"01234").expect(204);
    // The rest arrived and the bytes took their place; then the machine died.
    let id = path.rsplit('/').next().unwrap();
    let upload = |kind| uploads(&place).join(format!("1-{id}.{kind}"));
    let folder = place
        .data()
        .join(format!("media/files/1/{}/{id}", &id[..2]));
    std::fs::remove_file(upload("part")).unwrap();
    let mut progress = 10_u64.to_be_bytes().to_vec();
    progress.extend(10_u64.to_be_bytes());
    std::fs::write(upload("offset"), progress).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("content"), b"0123456789").unwrap();

    let more = alice.piece(&path, 10, b"x");
    assert_eq!(more.refused(413), "MEDIA_TOO_LARGE");
    let last = alice.piece(&path, 10, b"");
    assert_eq!(
        (last.status, last.header("upload-offset")),
        (204, Some("10"))
    );
    let media = alice.ask("GET", &format!("/v1/media/{id}"), &[], b"");
    let media = media.expect(200);
    assert!(media["created_time"].as_u64().is_some());
    assert_eq!(server.get(text(&media, "url")).body, b"0123456789");
    assert!(files(&uploads(&place)).is_empty());
    server.stop();
}

#[test]
fn an_admin_token_may_look_like_that_of_a_user() {
    let place = Place::new();
    let token = "aaaaaaaaaaaa.bbbbbbbbbbbb.cccccccccccc";
    let settings = format!("admin_token = \"{token}\"\n");
    std::fs::write(place.path().join("anser.toml"), settings).unwrap();
    let server = place.start(&[]);
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer), ("anser-app", "default")];
    request(server.url(), "POST", "/v1/media", &headers, b"bytes").expect(201);
    server.stop();
}

#[test]
fn limits_are_kept_before_anything_is_stored() {
    let place = Place::new();
    let settings = "[media]\nrequest_bytes_max = 100\nbytes_max = 1000\n\
                    user_bytes_per_day = 1500\nuser_uploads_per_day = 4\n";
    std::fs::write(place.path().join("anser.toml"), settings).unwrap();
    let server = place.start(&[]);
    let app = server.default_app();
    let (alice, bob) = (
        User::new(&server, &app, "alice"),
        User::new(&server, &app, "bob"),
    );
    let post = |user: &User, body: &[u8]| user.ask("POST", "/v1/media", &[], body);
    assert_eq!(post(&alice, &[0; 101]).refused(413), "MEDIA_TOO_LARGE");
    assert_eq!(post(&alice, b"").status, 411);
    let length = |n: &'static str| [("upload-length", n)];
    let begin = |user: &User, n| user.tus("POST", "/v1/media/uploads", &length(n), b"");
    assert_eq!(begin(&alice, "1001").refused(413), "MEDIA_TOO_LARGE");
    assert_eq!(begin(&alice, "0").status, 400);
    assert_eq!(begin(&alice, "-1").status, 400);
    assert_eq!(begin(&alice, "1000").status, 201);
    assert_eq!(begin(&alice, "501").refused(429), "MEDIA_QUOTA");
    assert_eq!(begin(&alice, "500").status, 201);
    for _ in 0..4 {
        post(&bob, b"x").expect(201);
    }
    let refused = post(&bob, b"x");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.refused(429), "MEDIA_QUOTA");
    let backend = app.ask("POST", "/v1/media", Some(json!("any bytes")));
    backend.expect(201);
    for bad in [
        "..",
        "0",
        "%2e%2e%2f%2e%2e%2fstore",
        "ABCDEF00000000000000000000000000",
    ] {
        alice
            .ask("GET", &format!("/v1/media/{bad}/content"), &[], b"")
            .refused(404);
    }
    server.stop();
}

#[test]
fn what_nobody_knows_of_is_swept_away() {
    let place = Place::new();
    place.start(&[]).stop();
    let entry = |n: u8, age: u64| {
        let path = uploads(&place).join(format!("1-{n:032x}.offset"));
        let mut file = File::create(&path).unwrap();
        file.write_all(&[0; 16]).unwrap();
        let then = SystemTime::now() - Duration::from_secs(age);
        file.set_modified(then).unwrap();
        path
    };
    let (old, new) = (entry(1, 7_200), entry(2, 60));
    let server = place.start(&[]);
    until("the old one is gone", || !old.exists());
    assert!(new.exists(), "its row may be on the way");
    server.stop();
}
