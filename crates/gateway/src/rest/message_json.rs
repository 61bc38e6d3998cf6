//! Messages and their content as JSON.
//!
//! The body of a message is bytes. In JSON it is `text` where it is UTF-8, which is what texts and
//! JSON of applications are, and `body_base64` where it is not. When sending, both are accepted
//! whatever the type.

use anser_engine::message::{Message, MessagePage, SendResult};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::change_json::{MentionJson, StateJson};
use super::extract::present;
use super::failure::{Failure, Result};

/// What a message says: `text`, or else `body_base64`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    /// `text`; `image`, `voice`, `video`, `file`, `location` and `command`, whose bodies are JSON
    /// objects of the shapes in docs/protocol.md; or your own: 1–64 of `[a-z0-9._:-]`. `anser.`
    /// is the server's. Empty: the message was taken back, or burned.
    #[serde(rename = "type")]
    #[schema(example = "text", max_length = 64, pattern = "^[a-z0-9._:-]{0,64}$")]
    content_type: String,
    /// The body as text.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[schema(example = "Hello", value_type = String)]
    text: Option<String>,
    /// The body as base64 (RFC 4648, with padding).
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[schema(value_type = String)]
    body_base64: Option<String>,
}

impl Content {
    /// Type and body.
    pub(super) fn read(self) -> Result<(Box<str>, Bytes)> {
        let body = match (self.text, self.body_base64) {
            (Some(text), None) => Bytes::from(text),
            (None, Some(base64)) => BASE64
                .decode(base64)
                .map_err(|why| Failure::invalid(format!("content.body_base64: {why}")))?
                .into(),
            _ => {
                return Err(Failure::invalid(
                    "content has exactly one of text and body_base64",
                ));
            }
        };
        Ok((self.content_type.into(), body))
    }

    pub(super) fn write(content_type: &str, body: &Bytes) -> Self {
        let text = std::str::from_utf8(body).ok().map(ToOwned::to_owned);
        let body_base64 = text.is_none().then(|| BASE64.encode(body));
        Self {
            content_type: content_type.to_owned(),
            text,
            body_base64,
        }
    }
}

/// A message as the conversation has it.
#[derive(Serialize, ToSchema)]
pub(super) struct MessageJson {
    /// Where it is.
    #[schema(example = "p/alice/bob")]
    conversation: String,
    /// 1, 2, 3 … within the conversation, no holes.
    seq: u64,
    /// 26 characters, unique; sorts by time.
    #[schema(min_length = 26, max_length = 26)]
    message_id: String,
    /// Who sent it; empty for a notice of the server.
    sender: String,
    /// Given by the sender; empty on notices.
    client_message_id: String,
    /// Never falls as seq grows.
    time: u64,
    content: Content,
    /// Does it count as unread for those who did not send it?
    counted: bool,
    /// Whom it mentions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MentionJson)]
    mention: Option<MentionJson>,
    /// Only these users, and the sender, see it; absent: everybody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    targets: Vec<String>,
    /// The sender asked to be told who acknowledges it.
    receipt_wanted: bool,
    /// Deleted for both sides so many seconds after the receiver has read it; absent: it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    burn_after_seconds: Option<u32>,
    /// What happened to it since it was sent; absent if nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = StateJson)]
    state: Option<StateJson>,
}

impl From<Message> for MessageJson {
    fn from(message: Message) -> Self {
        Self {
            content: Content::write(&message.content_type, &message.body),
            conversation: message.conversation.to_string(),
            seq: message.seq,
            message_id: message.id.to_string(),
            sender: message.sender.to_string(),
            client_message_id: message.client_message_id.into(),
            time: message.time.0,
            counted: message.counted,
            mention: message.mention.as_deref().map(MentionJson::from),
            targets: message
                .targets
                .iter()
                .map(|user| user.as_str().to_owned())
                .collect(),
            receipt_wanted: message.receipt_wanted,
            burn_after_seconds: Some(message.burn_after_seconds).filter(|seconds| *seconds > 0),
            state: message.state.as_deref().map(StateJson::from),
        }
    }
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
pub(super) struct MessagePageJson {
    #[schema(example = "p/alice/bob")]
    conversation: String,
    /// In the direction asked for: with `after` upwards, with `before` or neither downwards.
    messages: Vec<MessageJson>,
    /// There are more in this direction.
    more: bool,
    /// The last sequence when the page was read.
    head_seq: u64,
    /// The lowest sequence that can be read.
    first_seq: u64,
    /// The counter of changes of messages when the page was read.
    rev: u64,
    /// Where the next page in this direction starts, if there is more: its `after` or `before`.
    next_seq: u64,
}

impl From<MessagePage> for MessagePageJson {
    fn from(page: MessagePage) -> Self {
        Self {
            conversation: page.conversation.to_string(),
            messages: page.messages.into_iter().map(MessageJson::from).collect(),
            more: page.more,
            head_seq: page.head_seq,
            first_seq: page.first_seq,
            rev: page.rev,
            next_seq: page.next_seq,
        }
    }
}

/// The message is on disk.
#[derive(Serialize, ToSchema)]
pub(super) struct SentJson {
    /// Where it is.
    #[schema(example = "p/alice/bob")]
    conversation: String,
    /// Its place there.
    seq: u64,
    /// Its id.
    #[schema(min_length = 26, max_length = 26)]
    message_id: String,
    /// Its time.
    time: u64,
    /// The last sequence before it that the sender may see.
    prev: u64,
}

impl From<SendResult> for SentJson {
    fn from(sent: SendResult) -> Self {
        Self {
            conversation: sent.conversation.to_string(),
            seq: sent.seq,
            message_id: sent.id.to_string(),
            time: sent.time.0,
            prev: sent.prev,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_text_where_it_can_be() {
        let json = |body: &'static [u8]| {
            serde_json::to_string(&Content::write("x", &Bytes::from_static(body))).unwrap()
        };
        assert_eq!(json("你好".as_bytes()), r#"{"type":"x","text":"你好"}"#);
        assert_eq!(json(b"\xff\x00"), r#"{"type":"x","body_base64":"/wA="}"#);
    }

    #[test]
    fn content_has_one_body() {
        let read = |json: &str| {
            let content: Content = serde_json::from_str(json).unwrap();
            content.read().map(|(_, body)| body)
        };
        assert_eq!(read(r#"{"type":"x","text":""}"#).unwrap(), "");
        assert_eq!(
            read(r#"{"type":"x","body_base64":"/wA="}"#).unwrap(),
            &b"\xff\x00"[..]
        );
        assert!(read(r#"{"type":"x"}"#).is_err());
        assert!(read(r#"{"type":"x","text":"a","body_base64":"YQ=="}"#).is_err());
        assert!(read(r#"{"type":"x","body_base64":"Y"}"#).is_err());
    }
}
