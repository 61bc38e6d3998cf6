//! One row of JSON as the source sent it, and the few fields that reading needs.
//!
//! Rows are kept as text, byte for byte: unknown fields, the order of keys and the digits of numbers
//! survive, and no row is parsed into a tree on its way to disk.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A row and its place in the order of its unit.
///
/// The order is by `time`, then `id`. Messages have both; rows of classes and lists have `time` 0
/// and are ordered by id alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Milliseconds since 1970 for a message, else 0.
    pub(crate) time: i64,
    /// `msg-id` of a message, `objectId` of an object.
    pub(crate) id: String,
    /// The JSON text, without line breaks.
    pub(crate) line: Vec<u8>,
}

impl Row {
    /// What the order of a unit is made of.
    pub(crate) fn key(&self) -> (i64, &str) {
        (self.time, &self.id)
    }
}

/// Which kind of rows a unit holds: how to find a row's key and what it is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Messages of the history interface.
    Messages,
    /// Objects of a class, looked up by the members of a conversation.
    Objects,
    /// Rows this tool makes, with an `id` field.
    Lists,
}

impl Kind {
    /// The kind of a unit's rows by its name.
    pub(crate) fn of_unit(unit: &str) -> Self {
        match unit.split('/').next() {
            Some("messages") => Self::Messages,
            Some("classes") => Self::Objects,
            _ => Self::Lists,
        }
    }

    /// Reads the key of a row; the error says what is missing.
    pub(crate) fn row(self, line: &[u8]) -> Result<Row, String> {
        let bad = |error: serde_json::Error| format!("not a row: {error}");
        let (time, id) = match self {
            Self::Messages => {
                let head: MessageHead<'_> = serde_json::from_slice(line).map_err(bad)?;
                (head.timestamp, head.id.into_owned())
            }
            Self::Objects => {
                let head: ObjectHead<'_> = serde_json::from_slice(line).map_err(bad)?;
                (0, head.id.into_owned())
            }
            Self::Lists => {
                let head: ListHead<'_> = serde_json::from_slice(line).map_err(bad)?;
                (0, head.id.into_owned())
            }
        };
        Ok(Row {
            time,
            id,
            line: one_line(line),
        })
    }

    /// What a row is found by: conversation and sender of a message, members of a conversation.
    pub(crate) fn lookups(self, line: &[u8], mut found: impl FnMut(&str)) {
        match self {
            Self::Messages => {
                if let Ok(head) = serde_json::from_slice::<MessageHead<'_>>(line) {
                    [head.to, head.conversation, head.from]
                        .iter()
                        .flatten()
                        .for_each(|key| found(key));
                }
            }
            Self::Objects => {
                if let Ok(members) = serde_json::from_slice::<Members<'_>>(line) {
                    members.m.iter().flatten().for_each(|key| found(key));
                }
            }
            Self::Lists => {}
        }
    }
}

/// The fields of a message that are used here
/// (<https://docs.leancloud.cn/sdk/im/guide/rest/>, history).
#[derive(Debug, Deserialize)]
pub(crate) struct MessageHead<'a> {
    pub(crate) timestamp: i64,
    #[serde(rename = "msg-id", borrow)]
    pub(crate) id: Cow<'a, str>,
    /// The conversation. For a service conversation its object id, where `conv-id` is a hash that
    /// names the private stream of one subscriber.
    #[serde(borrow)]
    pub(crate) to: Option<Cow<'a, str>>,
    #[serde(rename = "conv-id", borrow)]
    pub(crate) conversation: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) from: Option<Cow<'a, str>>,
}

/// The fields of any object that are used here.
#[derive(Debug, Deserialize)]
pub(crate) struct ObjectHead<'a> {
    #[serde(rename = "objectId", borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(rename = "updatedAt", borrow)]
    pub(crate) updated_at: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ListHead<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    m: Option<Vec<Cow<'a, str>>>,
}

/// Splits a JSON array into rows of one kind.
pub(crate) fn split(array: &[&RawValue], kind: Kind) -> Result<Vec<Row>, String> {
    array
        .iter()
        .map(|raw| kind.row(raw.get().as_bytes()))
        .collect()
}

/// Line breaks inside a JSON text can only be white space between tokens (in strings they are
/// escaped), so removing them keeps the value.
fn one_line(text: &[u8]) -> Vec<u8> {
    text.iter()
        .copied()
        .filter(|&byte| byte != b'\n' && byte != b'\r')
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_text() {
        let text = "{\"timestamp\": 17,\n \"msg-id\":\"a\\u0062\", \"n\":1.50,\"data\":\"x\\ny\"}";
        let row = Kind::Messages.row(text.as_bytes()).unwrap();
        assert_eq!(row.key(), (17, "ab"));
        assert_eq!(row.line, text.replace('\n', "").into_bytes());
    }

    #[test]
    fn rows_without_a_key_are_errors() {
        assert!(Kind::Messages.row(b"{\"timestamp\":1}").is_err());
        assert!(Kind::Objects.row(b"{\"objectId\":7}").is_err());
        assert!(Kind::Lists.row(b"[]").is_err());
    }

    #[test]
    fn lookups_name_conversation_stream_and_sender() {
        let mut keys = Vec::new();
        let line = br#"{"timestamp":1,"msg-id":"m","to":"c","conv-id":"h","from":"u"}"#;
        Kind::Messages.lookups(line, |key| keys.push(key.to_owned()));
        assert_eq!(keys, ["c", "h", "u"]);
    }
}
