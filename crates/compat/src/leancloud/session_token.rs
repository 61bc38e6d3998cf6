//! Session tokens: what a client comes back with, instead of a signature.
//!
//! A token carries who it is for, on which device and under which tag, since clients that come
//! back do not say that again. It is signed with a key derived from the app's master key: a new
//! master key ends all of them, and then clients log in anew. Nothing is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::Settings;

/// How long a token is good, in seconds. Clients refresh it before they need it.
pub const LIFE_SECONDS: u32 = 2 * 24 * 3_600;
/// Characters of a token.
const TOKEN_MAX: usize = 1_024;

/// What a token says.
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The client.
    #[serde(rename = "u")]
    pub user: String,
    /// Sessions of one client and one tag replace each other; empty: they don't.
    #[serde(rename = "t")]
    pub tag: String,
    /// The installation.
    #[serde(rename = "d")]
    pub device: String,
    /// What the client understands.
    #[serde(rename = "c")]
    pub config: i64,
    /// When it was made, in milliseconds.
    #[serde(rename = "i")]
    pub issued: u64,
}

/// A token that says this.
#[must_use]
pub fn mint(settings: &Settings, claims: &Claims) -> String {
    let claims = serde_json::to_vec(claims).expect("texts and numbers are JSON");
    let payload = URL_SAFE_NO_PAD.encode(claims);
    let tag = hmac::sign(&key(settings), payload.as_bytes());
    format!("{payload}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// What a token says; `None`: it is none of ours, or its time is over.
#[must_use]
pub fn read(settings: &Settings, token: &str, now_ms: u64) -> Option<Claims> {
    if token.len() > TOKEN_MAX {
        return None;
    }
    let (payload, tag) = token.split_once('.')?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    hmac::verify(&key(settings), payload.as_bytes(), &tag).ok()?;
    let claims = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    let age = now_ms.saturating_sub(claims.issued);
    (age < u64::from(LIFE_SECONDS) * 1_000).then_some(claims)
}

fn key(settings: &Settings) -> hmac::Key {
    let master = hmac::Key::new(hmac::HMAC_SHA256, settings.master_key.as_bytes());
    let derived = hmac::sign(&master, b"session tokens");
    hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(master_key: &str) -> Settings {
        let text = format!(r#"{{"app_id":"a","app_key":"k","master_key":"{master_key}"}}"#);
        Settings::from_json(&text).unwrap()
    }

    #[test]
    fn a_token_says_what_was_put_into_it_until_its_time_is_over() {
        let claims = Claims {
            user: "alice".into(),
            tag: "Web".into(),
            device: "d".into(),
            config: 187,
            issued: 1_000,
        };
        let token = mint(&settings("m"), &claims);
        let life = u64::from(LIFE_SECONDS) * 1_000;
        assert_eq!(read(&settings("m"), &token, 1_000), Some(claims));
        assert_eq!(read(&settings("m"), &token, 1_000 + life), None);
        assert_eq!(read(&settings("n"), &token, 1_000), None);
        assert_eq!(read(&settings("m"), &format!("x{token}"), 1_000), None);
        assert_eq!(read(&settings("m"), "fake", 1_000), None);
    }
}
