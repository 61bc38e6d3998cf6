//! A small HTTP client: one request a connection.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{APP_ID, Server};

/// Headers of the back end.
pub(crate) const MASTER: &[(&str, &str)] = &[("X-LC-Id", APP_ID), ("X-LC-Key", "m,master")];
/// Headers of a client.
pub(crate) const CLIENT: &[(&str, &str)] = &[("X-LC-Id", APP_ID), ("X-LC-Key", "k")];

/// Asks, and returns status, head and body.
pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n"
    );
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    stream
        .write_all((request + "\r\n").as_bytes())
        .await
        .unwrap();
    // Who is refused early may not read it all.
    drop(stream.write_all(body).await);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

/// Asks with JSON, and returns status and body.
pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> (u16, Value) {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let (status, _, body) = send(address, method, path, headers, body.as_bytes()).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

impl Server {
    /// The back end asks; it must work.
    pub(crate) async fn back_end(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = ask(self.address(), method, path, MASTER, &body).await;
        assert!(status < 300, "{method} {path} {body}: {status} {answer}");
        answer
    }

    /// The back end asks; it must be refused.
    pub(crate) async fn refused(&self, method: &str, path: &str, body: Value) -> (u16, i64) {
        let (status, answer) = ask(self.address(), method, path, MASTER, &body).await;
        assert!(status >= 400, "{method} {path} {body}: {status} {answer}");
        (status, answer["code"].as_i64().unwrap())
    }
}
