//! What can happen to a message after it was sent, and whom it mentions.
//!
//! A change replaces the whole [`MessageState`]: a device that missed ten changes of a message
//! needs only the last.

use anser_domain::Timestamp;
use anser_proto::client as wire;

/// Whom a message mentions.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Mention {
    /// Everybody in the conversation.
    pub all: bool,
    /// At most 100.
    pub users: Vec<String>,
    /// The app may notify even those who do not want to be disturbed by this conversation.
    pub overrides_mute: bool,
}

/// The state of a message that was changed.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct MessageState {
    /// The conversation's count of changes at the last change of this message.
    pub rev: u64,
    /// When that was, by the server's clock.
    pub time: Timestamp,
    /// It was taken back: content and mention are gone, and it counts as unread for nobody.
    pub recall: Option<Recall>,
    /// Its content is a later one than was sent.
    pub edit: Option<Edit>,
    /// Attached by anybody in the conversation, by key.
    pub expansion: Vec<Expansion>,
    /// Reactions, each with who reacted so.
    pub reactions: Vec<Reaction>,
}

/// Who took a message back.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Recall {
    /// Empty: the customer's backend, or the message burned.
    pub operator: String,
    /// When.
    pub time: Timestamp,
    /// It was read, and its time is over.
    pub burned: bool,
}

/// Who gave a message another content.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Edit {
    /// Empty: the customer's backend.
    pub operator: String,
    /// When, last.
    pub time: Timestamp,
    /// How often.
    pub count: u32,
}

/// A key of a message's expansion.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Expansion {
    /// 1–64 bytes.
    pub key: String,
    /// At most 4,096 bytes.
    pub value: String,
    /// Who set it last.
    pub user: String,
}

/// A reaction to a message.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Reaction {
    /// What is shown: an emoji, a name; 1–64 bytes.
    pub reaction: String,
    /// In the order of their reacting.
    pub users: Vec<String>,
}

/// Where another member of a conversation stands.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Receipt {
    /// Who.
    pub user: String,
    /// Everything up to here arrived on one of their devices.
    pub delivered_seq: u64,
    /// Everything up to here they read.
    pub read_seq: u64,
}

/// Somebody took note of a message that asked for it.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Acknowledgement {
    /// The message.
    pub seq: u64,
    /// Who.
    pub user: String,
    /// When, by the server's clock.
    pub time: Timestamp,
}

/// Both directions of types whose fields have the same names on both sides; a time is wrapped.
macro_rules! same_fields {
    ($($name:ident { $($field:ident),* $(; $time:ident)? })*) => { $(
        impl From<wire::$name> for $name {
            fn from(from: wire::$name) -> Self {
                Self { $($field: from.$field,)* $($time: Timestamp(from.$time),)? }
            }
        }
        impl From<$name> for wire::$name {
            fn from(from: $name) -> Self {
                Self { $($field: from.$field,)* $($time: from.$time.0,)? }
            }
        }
    )* };
}

same_fields! {
    Mention { all, users, overrides_mute }
    Recall { operator, burned; time }
    Edit { operator, count; time }
    Expansion { key, value, user }
    Reaction { reaction, users }
    Receipt { user, delivered_seq, read_seq }
    Acknowledgement { seq, user; time }
}

impl From<wire::MessageState> for MessageState {
    fn from(state: wire::MessageState) -> Self {
        Self {
            rev: state.rev,
            time: Timestamp(state.time),
            recall: state.recall.map(Into::into),
            edit: state.edit.map(Into::into),
            expansion: state.expansion.into_iter().map(Into::into).collect(),
            reactions: state.reactions.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<MessageState> for wire::MessageState {
    fn from(state: MessageState) -> Self {
        Self {
            rev: state.rev,
            time: state.time.0,
            recall: state.recall.map(Into::into),
            edit: state.edit.map(Into::into),
            expansion: state.expansion.into_iter().map(Into::into).collect(),
            reactions: state.reactions.into_iter().map(Into::into).collect(),
        }
    }
}
