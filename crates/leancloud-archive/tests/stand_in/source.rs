//! An application made from a seed.
//!
//! Conversations are normal, chat rooms, service conversations, and temporary ones, which no class
//! lists. Messages get denser towards the end, as they do, and every second one shares its
//! millisecond with a neighbour, so that pages and days end among equal times.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

pub(crate) const DAY: i64 = 86_400_000;
/// 2026-01-01T00:00:00Z, and a bit, so that no boundary is round.
pub(crate) const START: i64 = 1_767_225_600_000 + 5_432_109;

/// How large an application.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub messages: usize,
    pub conversations: usize,
    pub days: i64,
    pub users: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Normal,
    Chatroom,
    Service,
    Temporary,
}

/// A message, small enough to hold millions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub time: i64,
    id: u128,
    conversation: u32,
}

pub(crate) struct Source {
    pub size: Size,
    /// In the order of time and id.
    pub messages: Vec<Message>,
    /// Objects of each class in the order of their ids.
    pub classes: BTreeMap<String, Vec<Value>>,
}

/// SplitMix64.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Message {
    pub(crate) fn id(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.id.to_be_bytes())
    }
}

impl Source {
    pub(crate) fn new(size: Size) -> Self {
        let span = size.days * DAY;
        let mut time = START;
        let mut messages: Vec<Message> = (0..size.messages)
            .map(|i| {
                let dice = mix(i as u64);
                if i == 0 || dice.is_multiple_of(2) {
                    let share = (i as f64 / size.messages as f64).sqrt();
                    time = time.max(START + (share * span as f64) as i64);
                }
                let id = (u128::from(mix(dice)) << 64) | u128::from(dice);
                // A few conversations have most of the messages.
                let pick = mix(dice ^ 77) as f64 / u64::MAX as f64;
                let conversation = (pick * pick * size.conversations as f64) as u32;
                Message {
                    time,
                    id,
                    conversation,
                }
            })
            .collect();
        messages.sort_by_cached_key(|message| (message.time, message.id()));
        let mut source = Self {
            size,
            messages,
            classes: BTreeMap::new(),
        };
        source.fill();
        source
    }

    /// The moment at which all messages have been sent.
    pub(crate) fn end(&self) -> i64 {
        START + self.size.days * DAY + 1
    }

    pub(crate) fn sort(&self, conversation: u32) -> Sort {
        match conversation % 50 {
            3 => Sort::Service,
            7 | 17 | 27 | 37 => Sort::Chatroom,
            9 | 19 | 29 | 39 => Sort::Temporary,
            _ => Sort::Normal,
        }
    }

    pub(crate) fn conversation_id(&self, conversation: u32) -> String {
        match self.sort(conversation) {
            Sort::Temporary => format!("_tmp:{:016x}", mix(u64::from(conversation))),
            _ => format!("5e{:014x}{:08x}", 0xabc, conversation),
        }
    }

    pub(crate) fn user(&self, number: u64) -> String {
        format!("user-{}", number % self.size.users as u64)
    }

    pub(crate) fn sender(&self, message: &Message) -> String {
        self.user(mix((message.id >> 64) as u64))
    }

    pub(crate) fn sort_of(&self, message: &Message) -> Sort {
        self.sort(message.conversation)
    }

    pub(crate) fn conversation_of(&self, message: &Message) -> String {
        self.conversation_id(message.conversation)
    }

    /// The subscriber to whose stream a message of a service conversation belongs.
    pub(crate) fn stream(&self, message: &Message) -> String {
        let fans = self.subscribers(message.conversation);
        fans[message.id as usize % fans.len()].clone()
    }

    /// `conv-id`: that of the conversation, or a hash for a subscriber's stream.
    fn stream_id(&self, message: &Message) -> String {
        match self.sort_of(message) {
            Sort::Service => {
                let name = self.stream(message);
                let seed = name.bytes().fold(3, |seed, b| mix(seed ^ u64::from(b)));
                format!("{seed:016x}{:016x}", mix(seed))
            }
            _ => self.conversation_of(message),
        }
    }

    /// The text of a message as the API sends it.
    pub(crate) fn row(&self, message: &Message) -> String {
        let dice = message.id as u64;
        let to = self.conversation_id(message.conversation);
        let sort = self.sort(message.conversation);
        let from = self.sender(message);
        let stream = self.stream_id(message);
        let bin = dice % 101 == 5;
        let data = match dice % 101 {
            5 => "AAECAwQFBgcICQ==".to_owned(),
            6 => r#"{\"_lctype\":-127}"#.to_owned(),
            7 => r#"not typed \"quoted\" \\ back \u0007"#.to_owned(),
            n => format!(r#"{{\"_lctype\":-1,\"_lctext\":\"第 {n} 号消息 🙂 {dice:x}\"}}"#),
        };
        let mut row = String::new();
        write!(
            row,
            r#"{{"timestamp":{},"conv-id":"{stream}","data":"{data}","from":"{from}","msg-id":"{}","is-conv":true,"is-room":{},"to":"{to}","bin":{bin},"from-ip":"10.0.0.{}"}}"#,
            message.time,
            message.id(),
            sort == Sort::Chatroom,
            dice % 250,
        )
        .unwrap();
        row
    }

    /// Messages that were sent before `now`.
    pub(crate) fn sent_before(&self, now: i64) -> &[Message] {
        &self.messages[..self.messages.partition_point(|message| message.time < now)]
    }

    /// Lists: conversation n has this many blocked members.
    pub(crate) fn blocked(&self, conversation: u32) -> Vec<String> {
        let count = if conversation == 0 {
            250
        } else {
            u64::from(conversation % 3)
        };
        (0..count)
            .map(|i| format!("blocked-{:04}", (i * 37 + u64::from(conversation)) % 1000))
            .collect()
    }

    pub(crate) fn subscribers(&self, conversation: u32) -> Vec<String> {
        (0..u64::from(conversation % 7) * 30 + 20)
            .map(|i| format!("fan-{i:05}"))
            .collect()
    }

    pub(crate) fn number_of(&self, conversation_id: &str) -> Option<u32> {
        u32::from_str_radix(conversation_id.get(16..)?, 16).ok()
    }

    fn fill(&mut self) {
        let at = |ms: i64| Value::String(iso(ms));
        let mut conversations = Vec::new();
        for number in 0..self.size.conversations as u32 {
            if self.sort(number) == Sort::Temporary {
                continue;
            }
            let created = START + i64::from(number) * 1000;
            let members: Vec<String> = (0..3)
                .map(|i| self.user(mix(u64::from(number) * 3 + i)))
                .collect();
            let mut row = json!({
                "objectId": self.conversation_id(number), "name": format!("群 {number}"), "c": members[0],
                "m": members, "attr": {"n": number}, "createdAt": at(created), "updatedAt": at(created),
            });
            match self.sort(number) {
                Sort::Service => row["sys"] = Value::Bool(true),
                Sort::Chatroom => row["tr"] = Value::Bool(true),
                _ => {}
            }
            conversations.push(row);
        }
        let object = |prefix: &str, i: usize, mut more: Value| {
            more["objectId"] = Value::String(format!("{prefix}{i:022x}"));
            more["createdAt"] = at(START);
            more["updatedAt"] = at(START + i as i64);
            more
        };
        let users = (0..self.size.users).map(|i| {
            let name = self.user(i as u64);
            let secret =
                json!({"username": name, "sessionToken": format!("LIVE-TOKEN-{i}"), "age": i % 90});
            object("60", i, secret)
        });
        let users: Vec<Value> = users.collect();
        let devices = (0..self.size.users).map(|i| {
            object(
                "61",
                i,
                json!({"deviceType": "ios", "channels": [self.user(i as u64)]}),
            )
        });
        let devices: Vec<Value> = devices.collect();
        let roles = (0..self.size.conversations / 10).map(|i| {
            let cid = self.conversation_id(i as u32);
            object(
                "62",
                i,
                json!({"cid": cid, "clientId": self.user(i as u64), "role": "Manager"}),
            )
        });
        let roles: Vec<Value> = roles.collect();
        let files = (0..12).map(|i| {
            object(
                "63",
                i,
                json!({"name": format!("f{i}.png"), "key": format!("k{i}")}),
            )
        });
        let files: Vec<Value> = files.collect();
        self.classes
            .insert("_Conversation".to_owned(), conversations);
        self.classes.insert("_User".to_owned(), users);
        self.classes.insert("_Installation".to_owned(), devices);
        self.classes
            .insert("_ConversationMemberInfo".to_owned(), roles);
        self.classes.insert("_File".to_owned(), files);
    }
}

/// Bytes of a file by its key.
pub(crate) fn file_bytes(key: &str) -> Vec<u8> {
    let seed = key
        .bytes()
        .fold(7, |seed, byte| mix(seed ^ u64::from(byte)));
    (0..10_000 + seed % 5000)
        .map(|i| (mix(seed ^ i) & 255) as u8)
        .collect()
}

/// ISO 8601 with milliseconds; written apart from the crate's own, to check it.
pub(crate) fn iso(ms: i64) -> String {
    let (days, rest) = (ms.div_euclid(DAY), ms.rem_euclid(DAY));
    let (mut year, mut left) = (1970, days);
    let leap = |y: i64| (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    while left >= 365 + i64::from(leap(year)) {
        left -= 365 + i64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [
        31,
        28 + i64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    let (h, m, s) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!(
        "{year:04}-{month:02}-{:02}T{h:02}:{m:02}:{s:02}.{:03}Z",
        left + 1,
        rest % 1000
    )
}
