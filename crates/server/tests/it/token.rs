//! Tokens as a customer's backend signs them, and the question whether the server takes them.
//!
//! REST does not verify tokens, sessions do; so the question is asked as a client asks it, with
//! the first frame on a TCP connection (docs/protocol.md).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anser_proto::client as wire;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use prost::Message as _;
use ring::hmac;
use serde_json::json;

pub(crate) fn now_seconds() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a customer's backend reads its clock"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A JWT, signed as docs/guide says.
pub(crate) fn sign(key_id: &str, key: &str, app: &str, user: &str) -> String {
    let now = now_seconds();
    let claims = json!({"aud": app, "sub": user, "iat": now, "exp": now + 600});
    sign_claims(key_id, key, &claims)
}

/// A JWT of these claims.
pub(crate) fn sign_claims(key_id: &str, key: &str, claims: &serde_json::Value) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT", "kid": key_id});
    let part = |value: &serde_json::Value| BASE64.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let tag = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(tag))
}

/// Opens a session with a token. `Ok`: the user's id; `Err`: the name of the error.
pub(crate) fn open_session(tcp: &str, token: &str) -> Result<String, String> {
    let hello = wire::Hello {
        version_min: 1,
        version_max: 1,
        token: token.to_owned(),
        device_id: "device".to_owned(),
        platform: wire::Platform::Server.into(),
        ..Default::default()
    };
    let request = wire::Request {
        id: 1,
        command: Some(wire::request::Command::Hello(hello)),
    };
    let frame = wire::ClientFrame {
        requests: vec![request],
    }
    .encode_to_vec();
    let mut stream = TcpStream::connect(tcp).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length[..], &frame].concat()).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).unwrap();
    let answer = wire::ServerFrame::decode(&answer[..]).unwrap();
    match answer.items.into_iter().next().and_then(|item| item.item) {
        Some(wire::server_item::Item::Response(response)) => match response.result {
            Some(wire::response::Result::Welcome(welcome)) => Ok(welcome.user_id),
            Some(wire::response::Result::Error(error)) => Err(error.name),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}
