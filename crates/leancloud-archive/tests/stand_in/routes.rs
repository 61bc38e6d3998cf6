//! The routes an archive needs, as documented.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};

use super::faults::{Fault, Faults, Quota};
use super::source::{Message, Sort, Source, iso};

pub(crate) const APP_ID: &str = "stand-in-app";
pub(crate) const MASTER_KEY: &str = "m4ster-k3y-that-must-not-leak";

/// Requests of a kind: how many arrived, how many were answered as they should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub arrived: u64,
    pub served: u64,
    /// Arrived and were made to fail.
    pub faulty: u64,
}

pub(crate) struct Answer {
    pub status: StatusCode,
    pub text: Vec<u8>,
}

/// Everything about the server that tests set or read while it runs.
pub(crate) struct State {
    pub source: Source,
    pub faults: Mutex<Faults>,
    /// The source's clock.
    pub now: AtomicI64,
    /// Messages older than this are gone.
    pub expired_before: AtomicI64,
    /// Rows of a page at most, less than what is asked for.
    pub page_cap: AtomicU64,
    /// Page by time only, as if there were no `msgid`.
    pub ignore_msgid: AtomicBool,
    /// The history of the whole application lacks chat rooms.
    pub hide_rooms: AtomicBool,
    /// Refuse every cursor of a scan once.
    pub expire_cursor: AtomicBool,
    /// Paths refused with 403.
    pub forbidden: Mutex<Vec<String>>,
    /// Paths that do not exist.
    pub absent: Mutex<Vec<String>>,
    /// Objects that count as updated at a time.
    pub touched: Mutex<BTreeMap<String, i64>>,
    pub counts: Mutex<BTreeMap<&'static str, Count>>,
    pub arrivals: Mutex<Vec<Instant>>,
    quota: Mutex<Quota>,
    number: AtomicU64,
    address: OnceLock<SocketAddr>,
}

impl State {
    pub(crate) fn new(source: Source, faults: Faults) -> Self {
        Self {
            now: AtomicI64::new(source.end()),
            source,
            faults: Mutex::new(faults),
            expired_before: AtomicI64::new(0),
            page_cap: AtomicU64::new(1000),
            ignore_msgid: AtomicBool::new(false),
            hide_rooms: AtomicBool::new(false),
            expire_cursor: AtomicBool::new(false),
            forbidden: Mutex::default(),
            absent: Mutex::default(),
            touched: Mutex::default(),
            counts: Mutex::default(),
            arrivals: Mutex::default(),
            quota: Mutex::default(),
            number: AtomicU64::new(0),
            address: OnceLock::new(),
        }
    }

    pub(crate) fn set_address(&self, address: SocketAddr) {
        self.address.set(address).unwrap();
    }

    pub(crate) fn total(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, kind: &str) -> Count {
        self.counts
            .lock()
            .unwrap()
            .get(kind)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn forget_counts(&self) {
        self.counts.lock().unwrap().clear();
        self.arrivals.lock().unwrap().clear();
    }

    /// Notes a request and decides its fate.
    #[allow(
        clippy::disallowed_methods,
        reason = "a test server measures real arrivals"
    )]
    pub(crate) fn arrived(&self, uri: &Uri) -> (u64, Fault) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        self.counts
            .lock()
            .unwrap()
            .entry(kind(uri))
            .or_default()
            .arrived += 1;
        self.arrivals.lock().unwrap().push(Instant::now());
        let faults = self.faults.lock().unwrap().clone();
        let mut fault = faults.strike(number);
        if faults
            .quota
            .is_some_and(|quota| !self.quota.lock().unwrap().take(quota))
        {
            fault = Fault::Throttled(None);
        }
        if !matches!(fault, Fault::None | Fault::Slow) {
            self.counts
                .lock()
                .unwrap()
                .entry(kind(uri))
                .or_default()
                .faulty += 1;
        }
        (number, fault)
    }

    pub(crate) fn answered(&self, uri: &Uri, status: StatusCode) {
        if status.is_success() {
            self.counts
                .lock()
                .unwrap()
                .entry(kind(uri))
                .or_default()
                .served += 1;
        }
    }

    pub(crate) fn answer(&self, uri: &Uri, headers: &HeaderMap) -> Answer {
        let path = uri.path();
        if let Some(key) = path.strip_prefix("/files/") {
            // The file domain is somebody else's: credentials must not get there.
            assert!(
                !headers.contains_key("x-lc-key"),
                "the master key was sent to the file domain"
            );
            return Answer {
                status: StatusCode::OK,
                text: super::source::file_bytes(key),
            };
        }
        let key = headers
            .get("x-lc-key")
            .and_then(|value| value.to_str().ok());
        let authorized = headers.get("x-lc-id").is_some_and(|id| id == APP_ID)
            && key == Some(&format!("{MASTER_KEY},master"));
        if !authorized {
            return error(StatusCode::UNAUTHORIZED, 401, "Unauthorized.");
        }
        if self
            .forbidden
            .lock()
            .unwrap()
            .iter()
            .any(|refused| path.contains(refused.as_str()))
        {
            return error(
                StatusCode::FORBIDDEN,
                403,
                "Forbidden by class permissions.",
            );
        }
        let absent = self.absent.lock().unwrap();
        if absent.iter().any(|part| path.contains(part.as_str())) {
            return error(StatusCode::NOT_FOUND, 1, "no such route");
        }
        drop(absent);
        let query = query(uri);
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["1.1", "date"] => {
                ok(&json!({"__type": "Date", "iso": iso(self.now.load(Ordering::Relaxed))}))
            }
            ["1.1", "scan", "classes", class] => self.scan(class, &query),
            ["1.2", "rtm", "messages"] => self.messages(&query),
            ["1.2", "rtm", "conversations" | "chatrooms", id, "messages"] => {
                self.conversation(id, None, &query)
            }
            [
                "1.2",
                "rtm",
                "service-conversations",
                id,
                "subscribers",
                client,
                "messages",
            ] => self.conversation(id, Some(client), &query),
            ["1.2", "rtm", "broadcasts"] => {
                ok(&json!({"results": [{"mid": "b1", "conv": query["conv_id"]}]}))
            }
            ["1.2", "rtm", "clients", client, "blacklists"] => {
                ok(&json!({"conv_ids": [format!("hides-{client}")]}))
            }
            ["1.2", "rtm", _, id, "blacklists"] => self.list(id, &query),
            [
                "1.2",
                "rtm",
                "conversations" | "chatrooms",
                _,
                "permanent-silenceds",
            ] => ok(&json!({"client_ids": ["quiet"]})),
            ["1.2", "rtm", "service-conversations", id, "subscribers"] => {
                self.subscribers(id, &query)
            }
            [
                "1.2",
                "rtm",
                "service-conversations",
                id,
                "subscribers",
                "count",
            ] => {
                let count = self
                    .source
                    .number_of(id)
                    .map_or(0, |n| self.source.subscribers(n).len());
                ok(&json!({"count": count}))
            }
            _ => error(StatusCode::NOT_FOUND, 1, "no such route"),
        }
    }

    /// History of the whole application.
    fn messages(&self, query: &BTreeMap<String, String>) -> Answer {
        if self.hide_rooms.load(Ordering::Relaxed) {
            let shown = |m: &&Message| self.source.sort_of(m) != Sort::Chatroom;
            let kept: Vec<Message> = self.kept().iter().filter(shown).copied().collect();
            return self.history(&kept, query);
        }
        self.history(self.kept(), query)
    }

    /// History of a conversation, or of a subscriber's stream of a service conversation.
    fn conversation(
        &self,
        id: &str,
        stream: Option<&str>,
        query: &BTreeMap<String, String>,
    ) -> Answer {
        let own = |m: &&Message| {
            self.source.conversation_of(m) == id
                && stream.is_none_or(|stream| self.source.stream(m) == stream)
        };
        let kept: Vec<Message> = self.kept().iter().filter(own).copied().collect();
        self.history(&kept, query)
    }

    fn kept(&self) -> &[Message] {
        let sent = self.source.sent_before(self.now.load(Ordering::Relaxed));
        let expired = self.expired_before.load(Ordering::Relaxed);
        &sent[sent.partition_point(|message| message.time < expired)..]
    }

    fn history(&self, kept: &[Message], query: &BTreeMap<String, String>) -> Answer {
        let time: i64 = query["timestamp"].parse().unwrap();
        let cap = usize::try_from(self.page_cap.load(Ordering::Relaxed)).unwrap();
        let count = limit(query, 1000).min(cap);
        if query.get("reversed").is_none_or(|flag| flag != "true") {
            let end = kept.partition_point(|m| m.time < time);
            return self.page(kept[..end].iter().rev().take(count));
        }
        let msgid = query
            .get("msgid")
            .filter(|_| !self.ignore_msgid.load(Ordering::Relaxed));
        let include = query
            .get("include_start")
            .is_some_and(|flag| flag == "true");
        let start = match msgid {
            Some(id) if include => {
                kept.partition_point(|m| (m.time, m.id().as_str()) < (time, id.as_str()))
            }
            Some(id) => kept.partition_point(|m| (m.time, m.id().as_str()) <= (time, id.as_str())),
            None if include => kept.partition_point(|m| m.time < time),
            None => kept.partition_point(|m| m.time <= time),
        };
        self.page(kept[start..].iter().take(count))
    }

    fn page<'a>(&self, messages: impl Iterator<Item = &'a Message>) -> Answer {
        let rows: Vec<String> = messages.map(|m| self.source.row(m)).collect();
        Answer {
            status: StatusCode::OK,
            text: format!("[{}]", rows.join(",\n ")).into_bytes(),
        }
    }

    fn scan(&self, class: &str, query: &BTreeMap<String, String>) -> Answer {
        let Some(objects) = self.source.classes.get(class) else {
            return error(
                StatusCode::NOT_FOUND,
                101,
                "Class or object doesn't exists.",
            );
        };
        let mut from = 0;
        if let Some(cursor) = query.get("cursor") {
            if self.expire_cursor.swap(false, Ordering::Relaxed) {
                return error(StatusCode::BAD_REQUEST, 1, "Invalid cursor.");
            }
            from = cursor
                .strip_prefix("at-")
                .and_then(|at| at.parse().ok())
                .unwrap();
        }
        let since = query.get("where").map(|text| {
            let filter: Value = serde_json::from_str(text).unwrap();
            filter["updatedAt"]["$gte"]["iso"]
                .as_str()
                .unwrap()
                .to_owned()
        });
        let (touched, now) = (
            self.touched.lock().unwrap(),
            iso(self.now.load(Ordering::Relaxed)),
        );
        let visible = objects.iter().map(|object| {
            let mut object = object.clone();
            if let Some(&at) = touched.get(object["objectId"].as_str().unwrap()) {
                object["updatedAt"] = Value::String(iso(at));
                object["name"] = json!("renamed");
            }
            object
        });
        let text = |object: &Value, name: &str| object[name].as_str().unwrap().to_owned();
        let matching: Vec<Value> = visible
            .filter(|object| text(object, "createdAt") < now)
            .filter(|object| {
                since
                    .as_ref()
                    .is_none_or(|since| text(object, "updatedAt") >= *since)
            })
            .collect();
        let page: Vec<&Value> = matching
            .iter()
            .skip(from)
            .take(limit(query, 1000))
            .collect();
        let next = from + page.len();
        let cursor = (next < matching.len()).then(|| format!("at-{next}"));
        ok(&json!({"results": page, "cursor": cursor}))
    }

    fn list(&self, id: &str, query: &BTreeMap<String, String>) -> Answer {
        let Some(number) = self.source.number_of(id) else {
            return error(StatusCode::NOT_FOUND, 4303, "no such conversation");
        };
        let all = self.source.blocked(number);
        let from: usize = query.get("next").map_or(0, |next| next.parse().unwrap());
        let page: Vec<&String> = all.iter().skip(from).take(limit(query, 100)).collect();
        let next = from + page.len();
        let mut answer = json!({"client_ids": page});
        if next < all.len() {
            answer["next"] = Value::String(next.to_string());
        }
        ok(&answer)
    }

    fn subscribers(&self, id: &str, query: &BTreeMap<String, String>) -> Answer {
        let all = self.source.subscribers(self.source.number_of(id).unwrap());
        let after = query.get("client_id").cloned().unwrap_or_default();
        let page = all
            .iter()
            .filter(|name| **name > after)
            .take(limit(query, 50));
        let rows: Vec<Value> = page
            .map(|name| json!({"timestamp": 1, "subscriber": name, "conv_id": id}))
            .collect();
        ok(&json!(rows))
    }
}

/// As documented for queries: out of range is taken as 100.
fn limit(query: &BTreeMap<String, String>, max: usize) -> usize {
    let asked = query
        .get("limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(100);
    if (1..=max).contains(&asked) {
        asked
    } else {
        100.min(max)
    }
}

fn kind(uri: &Uri) -> &'static str {
    let path = uri.path();
    if path == "/1.2/rtm/messages" {
        "messages"
    } else if path.ends_with("/messages") {
        "conversations"
    } else if path.starts_with("/1.1/scan") {
        "classes"
    } else if path.contains("/subscribers") {
        "subscribers"
    } else if path.starts_with("/files/") {
        "files"
    } else if path.starts_with("/1.2/rtm/") {
        "lists"
    } else {
        "other"
    }
}

fn ok(value: &Value) -> Answer {
    Answer {
        status: StatusCode::OK,
        text: value.to_string().into_bytes(),
    }
}

fn error(status: StatusCode, code: i64, message: &str) -> Answer {
    Answer {
        status,
        text: json!({"code": code, "error": message})
            .to_string()
            .into_bytes(),
    }
}

fn query(uri: &Uri) -> BTreeMap<String, String> {
    let pairs = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), unescape(value)))
        .collect()
}

fn unescape(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' && after.len() >= 2 {
            let hex = std::str::from_utf8(&after[..2]).unwrap();
            bytes.push(u8::from_str_radix(hex, 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}
