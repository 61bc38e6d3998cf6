//! Who calls, and with what.
//!
//! A request names its application (`X-LC-Id`) and shows a key: the application's, which every
//! client has, or the master key, which only back ends have. Either plainly (`X-LC-Key: <key>`, or
//! `<key>,master`), or as `X-LC-Sign: <MD5 of timestamp and key>,<timestamp>[,master]`. A client is
//! known by the token of its session (`X-LC-IM-Session-Token`), and by nothing else.
//!
//! Arguments come as JSON in the body or as a query, and both are one to the routes. What a route
//! does not know is passed over, as LeanCloud does.

use anser_domain::UserId;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use md5::{Digest as _, Md5};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};

use super::failure::Failure;
use crate::leancloud::error::Kind;
use crate::leancloud::{App, LeanCloud, session_token};

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 256 * 1_024;
/// Bytes of a query.
const QUERY_BYTES_MAX: usize = 64 * 1_024;

/// A request whose sender holds a key of the application.
pub(super) struct Call {
    pub(super) door: LeanCloud,
    pub(super) app: App,
    /// It holds the master key.
    pub(super) master: bool,
    /// The client that it comes from, if it shows its session.
    pub(super) client: Option<UserId>,
    /// The name of this server that it was called by.
    pub(super) host: String,
    /// How it was called, where a proxy says so.
    pub(super) forwarded: Option<String>,
    /// Arguments, by name.
    pub(super) input: Map<String, Value>,
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Compares digests: how long that takes tells a guesser nothing.
fn same(a: &[u8], b: &[u8]) -> bool {
    digest(&SHA256, a).as_ref() == digest(&SHA256, b).as_ref()
}

fn hex_md5(text: &str) -> String {
    Md5::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Does the request show a key? `Some(true)`: the master key.
fn shown(app: &App, headers: &HeaderMap) -> Option<bool> {
    let settings = &app.settings;
    let key_of = |master: bool| match master {
        true => settings.master_key.as_str(),
        false => settings.app_key.as_str(),
    };
    if let Some(sign) = header(headers, "x-lc-sign") {
        let mut parts = sign.split(',');
        let (signature, time) = (parts.next()?, parts.next()?);
        let master = match parts.next() {
            None => false,
            Some("master") => true,
            Some(_) => return None,
        };
        let expected = hex_md5(&format!("{time}{}", key_of(master)));
        let given = signature.to_ascii_lowercase();
        return same(expected.as_bytes(), given.as_bytes()).then_some(master);
    }
    let shown = header(headers, "x-lc-key")?;
    let (key, master) = match shown.rsplit_once(',') {
        Some((key, "master")) => (key, true),
        _ => (shown, false),
    };
    let is = same(key.as_bytes(), key_of(master).as_bytes());
    is.then_some(master)
}

/// The pairs of a query, decoded; `None`: it is malformed.
fn query(text: &str) -> Option<Map<String, Value>> {
    let mut pairs = Map::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.insert(decoded(name)?, Value::String(decoded(value)?));
    }
    Some(pairs)
}

fn decoded(text: &str) -> Option<String> {
    let digit = |byte: &u8| (*byte as char).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

impl FromRequest<LeanCloud> for Call {
    type Rejection = Failure;

    async fn from_request(request: Request, door: &LeanCloud) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let headers = &parts.headers;
        let id = header(headers, "x-lc-id").ok_or_else(Failure::unauthorized)?;
        let app = door.app(id).await.map_err(|_| Failure::unauthorized())?;
        let master = shown(&app, headers).ok_or_else(Failure::unauthorized)?;
        let client = match header(headers, "x-lc-im-session-token") {
            Some(token) => {
                let claims = session_token::read(&app.settings, token, door.env.now().0)
                    .ok_or(Kind::SessionTokenExpired)
                    .map_err(crate::leancloud::error::Refusal::from)?;
                Some(UserId::new(&claims.user).map_err(|_| Failure::unauthorized())?)
            }
            None => None,
        };
        let text = parts.uri.query().unwrap_or_default();
        if text.len() > QUERY_BYTES_MAX {
            return Err(Failure::invalid("the query is too long"));
        }
        let mut input = query(text).ok_or_else(|| Failure::invalid("the query is malformed"))?;
        let body = to_bytes(body, BODY_BYTES_MAX).await;
        let body = body.map_err(|_| Failure::invalid("the body is too long, or broke off"))?;
        if !body.iter().all(u8::is_ascii_whitespace) {
            match serde_json::from_slice(&body) {
                Ok(Value::Object(members)) => input.extend(members),
                Ok(Value::Null) => {}
                _ => return Err(Failure::coded(107, "Malformed json object.")),
            }
        }
        Ok(Self {
            door: door.clone(),
            app,
            master,
            client,
            host: header(headers, "host").unwrap_or_default().to_owned(),
            forwarded: header(headers, "x-forwarded-proto").map(str::to_owned),
            input,
        })
    }
}

impl Call {
    /// Refuses who does not hold the master key.
    pub(super) fn check_master(&self) -> Result<(), Failure> {
        match self.master {
            true => Ok(()),
            false => Err(Failure::forbidden("This needs the master key.")),
        }
    }

    /// An argument, if it is there.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.input.get(name).filter(|value| !value.is_null())
    }

    /// A text, if it is there.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str()
    }

    /// A text that must be there.
    pub(super) fn need(&self, name: &str) -> Result<&str, Failure> {
        self.text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Failure::invalid(format!("{name} is missing, or is no text")))
    }

    /// A client id that must be there.
    pub(super) fn user(&self, name: &str) -> Result<UserId, Failure> {
        user(name, self.need(name)?)
    }

    /// Client ids: an array, also as JSON text, or one.
    pub(super) fn users(&self, name: &str, most: usize) -> Result<Vec<UserId>, Failure> {
        let list = match self.value(name) {
            Some(Value::String(text)) if text.starts_with('[') => serde_json::from_str(text)
                .map_err(|_| Failure::invalid(format!("{name} is no JSON array")))?,
            Some(Value::String(one)) => vec![Value::from(one.as_str())],
            Some(Value::Array(items)) => items.clone(),
            Some(_) => return Err(Failure::invalid(format!("{name} is no array"))),
            None => Vec::new(),
        };
        if list.len() > most {
            let error = format!("{name} has more than {most} client ids");
            return Err(Failure::invalid(error));
        }
        list.iter()
            .map(|one| user(name, one.as_str().unwrap_or_default()))
            .collect()
    }

    /// Client ids, at least one.
    pub(super) fn some_users(&self, name: &str, most: usize) -> Result<Vec<UserId>, Failure> {
        let users = self.users(name, most)?;
        match users.is_empty() {
            true => Err(Failure::invalid(format!("{name} is missing"))),
            false => Ok(users),
        }
    }

    /// True or false, or what it is if it is not said.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Failure> {
        match self.value(name) {
            None => Ok(default),
            Some(Value::Bool(it)) => Ok(*it),
            Some(Value::String(text)) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => Ok(true),
                "false" | "0" | "" => Ok(false),
                _ => Err(Failure::invalid(format!("{name} is true or false"))),
            },
            Some(Value::Number(number)) => Ok(number.as_i64() != Some(0)),
            Some(_) => Err(Failure::invalid(format!("{name} is true or false"))),
        }
    }

    /// A number that is not negative, if it is there.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        let number = match self.value(name) {
            None => return Ok(None),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => text.parse().ok(),
            Some(other) => other.as_u64(),
        };
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(Failure::invalid(format!("{name} is no whole number"))),
        }
    }

    /// JSON that is given as JSON or as its text.
    pub(super) fn json(&self, name: &str) -> String {
        match self.value(name) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        }
    }
}

/// A client id.
pub(super) fn user(name: &str, text: &str) -> Result<UserId, Failure> {
    UserId::new(text).map_err(|why| Failure::invalid(format!("{name} {why}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::leancloud::Settings;

    fn app() -> App {
        let settings = r#"{"app_id":"a","app_key":"k","master_key":"m"}"#;
        App {
            id: anser_domain::AppId(1),
            settings: Arc::new(Settings::from_json(settings).unwrap()),
        }
    }

    fn shows(name: &'static str, value: &str) -> Option<bool> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        shown(&app(), &headers)
    }

    #[test]
    fn keys_are_shown_plainly_or_signed() {
        assert_eq!(shows("x-lc-key", "k"), Some(false));
        assert_eq!(shows("x-lc-key", "m,master"), Some(true));
        for wrong in ["", "m", "k,master", "K", "k,"] {
            assert_eq!(shows("x-lc-key", wrong), None, "{wrong}");
        }
        let sign = |text: &str, rest: &str| format!("{},{rest}", hex_md5(text));
        assert_eq!(shows("x-lc-sign", &sign("7k", "7")), Some(false));
        assert_eq!(shows("x-lc-sign", &sign("7m", "7,master")), Some(true));
        for wrong in [
            sign("7m", "7"),
            sign("7k", "8"),
            sign("7k", "7,master"),
            sign("7k", "7,x"),
            hex_md5("7k"),
        ] {
            assert_eq!(shows("x-lc-sign", &wrong), None, "{wrong}");
        }
        assert_eq!(shown(&app(), &HeaderMap::new()), None);
    }

    #[test]
    fn queries_are_decoded() {
        let pairs = query("a=1&where=%7B%22x%22%3A%20%22%E9%B8%BF%22%7D&b=c+d&e&").unwrap();
        assert_eq!(pairs["a"], "1");
        assert_eq!(pairs["where"], "{\"x\": \"鸿\"}");
        assert_eq!((&pairs["b"], &pairs["e"]), (&"c d".into(), &"".into()));
        for wrong in ["a=%", "a=%4", "a=%zz", "a=%ff"] {
            assert!(query(wrong).is_none(), "{wrong}");
        }
    }
}
