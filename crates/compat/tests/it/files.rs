//! Files that messages name.

use std::net::SocketAddr;
use std::sync::Arc;

use anser_compat::leancloud::rest::Files;
use anser_compat::leancloud::routes::{self, Reach};
use anser_domain::media::MediaLimits;
use anser_media::{Media, Options, PictureLimits};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http::{CLIENT, ask, send};
use crate::world::Server;

/// The door with a place for files, on a port of its own.
async fn with_files(server: &Server, dir: &std::path::Path) -> SocketAddr {
    let media = Media::open(&Options {
        dir: dir.to_owned(),
        free_space_min: 0,
        threads: 1,
        pictures: PictureLimits::default(),
        clock: Arc::new(|| 0),
    });
    let limits = MediaLimits {
        bytes_max: 1_000,
        ..MediaLimits::default()
    };
    let files = Files::new(media.unwrap(), limits, false);
    let door = server.door.clone().with_files(files);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = routes::router(door, Reach { tls: false });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

fn path(url: &Value, address: SocketAddr) -> String {
    let base = format!("http://{address}");
    url.as_str()
        .unwrap()
        .strip_prefix(&base)
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_file_is_uploaded_to_its_place_once_and_downloaded() {
    let server = Server::relaxed().await;
    let dir = tempfile::tempdir().unwrap();
    let address = with_files(&server, dir.path()).await;
    let body = json!({"name": "note.txt", "key": "k.txt", "mime_type": "text/plain"});
    let tokens = ask(address, "POST", "/1.1/fileTokens", CLIENT, &body).await;
    let (status, place) = tokens;
    assert_eq!((status, &place["provider"]), (200, &"s3".into()));
    let url = path(&place["url"], address);
    assert!(url.ends_with("/file.txt"), "{url}");
    assert_eq!(
        send(address, "GET", &url, &[], b"").await.0,
        404,
        "nothing there yet"
    );
    let upload = path(&place["upload_url"], address);
    let large = vec![b'x'; 1_001];
    assert_eq!(send(address, "PUT", &upload, &[], &large).await.0, 400);
    assert_eq!(send(address, "PUT", &upload, &[], b"hello").await.0, 200);
    let again = send(address, "PUT", &upload, &[], b"other").await;
    assert!(again.0 >= 400, "a place takes one file: {again:?}");
    let done = json!({"token": place["token"], "result": true});
    let (status, _) = ask(address, "POST", "/1.1/fileCallback", CLIENT, &done).await;
    assert_eq!(status, 200);
    let (status, head, _) = send(address, "GET", &url, &[], b"").await;
    assert_eq!(status, 302);
    let location = head
        .lines()
        .find(|line| line.starts_with("location: "))
        .unwrap();
    let id = place["objectId"].as_str().unwrap();
    let signed = location.strip_prefix("location: ").unwrap();
    assert!(
        signed.starts_with(&format!("/v1/media/{id}/content?")),
        "{signed}"
    );
    let (_, one) = ask(
        address,
        "GET",
        &format!("/1.1/files/{id}"),
        CLIENT,
        &Value::Null,
    )
    .await;
    assert_eq!(
        (&one["name"], &one["metaData"]["size"]),
        (&"note.txt".into(), &5.into())
    );
}

#[tokio::test]
async fn places_are_for_who_has_a_key_and_can_not_be_made_up() {
    let server = Server::relaxed().await;
    let dir = tempfile::tempdir().unwrap();
    let address = with_files(&server, dir.path()).await;
    let (status, _) = ask(address, "POST", "/1.1/fileTokens", &[], &json!({})).await;
    assert_eq!(status, 401);
    let made_up = format!("/1.1/uploads/{}/abc.def", server.app.0);
    assert_eq!(send(address, "PUT", &made_up, &[], b"x").await.0, 401);
    assert_eq!(
        send(address, "PUT", "/1.1/uploads/99/abc.def", &[], b"x")
            .await
            .0,
        404
    );
    let elsewhere = json!({"name": "a.png", "url": "https://example.com/a.png"});
    let (status, file) = ask(address, "POST", "/1.1/files", CLIENT, &elsewhere).await;
    assert_eq!((status, &file["url"]), (201, &elsewhere["url"]));
    let wrong = json!({"url": "javascript:1"});
    assert_eq!(
        ask(address, "POST", "/1.1/files", CLIENT, &wrong).await.0,
        400
    );
}
