//! What can be done to a message that is stored, and what comes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::change::MessageState;
use anser_domain::message::Mention;
use anser_domain::{AppId, Reject};
use bytes::Bytes;

use super::Message;
use crate::group::By;

/// A change of one message.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Change {
    /// It is taken back for everybody.
    Recall,
    /// It was read, and its time is over. Only the server itself does this.
    Burn,
    /// It gets another content of the same type, and another mention.
    Edit {
        /// See [`Message::content_type`].
        content_type: Box<str>,
        /// See [`Message::body`].
        body: Bytes,
        /// Replaces the mention.
        mention: Option<Mention>,
    },
    /// Keys of its expansion are set, and others removed.
    Expand {
        /// What is set.
        put: BTreeMap<String, String>,
        /// What is removed.
        remove: Vec<String>,
    },
    /// The user reacts to it, or takes that back.
    React {
        /// An emoji, or a name.
        reaction: String,
        /// Takes it back.
        remove: bool,
    },
}

/// A change somebody wants.
#[derive(Clone, Debug)]
pub(crate) struct ChangeMessage {
    pub(crate) app: AppId,
    pub(crate) by: By,
    pub(crate) seq: u64,
    pub(crate) change: Change,
}

/// The change is on disk.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct MessageChanged {
    /// The conversation's name.
    pub conversation: Arc<str>,
    /// Which message.
    pub seq: u64,
    /// What has happened to it, this change included.
    pub state: MessageState,
}

/// Messages that changed, in the order of their last change, as one user may see them.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct ChangePage {
    /// The conversation's name.
    pub conversation: Arc<str>,
    /// As they are now.
    pub messages: Vec<Message>,
    /// All changes up to here are told.
    pub rev: u64,
    /// There are more.
    pub more: bool,
    /// The changes since the `rev` asked for are not kept any more; the page is empty.
    pub reset: bool,
}

/// What a message said before an edit.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct FormerContent {
    /// The `rev` of the edit that replaced it.
    pub rev: u64,
    /// See [`Message::content_type`].
    pub content_type: Box<str>,
    /// See [`Message::body`].
    pub body: Bytes,
    /// Whom it mentioned.
    pub mention: Option<Mention>,
    /// Who wrote it. Empty: the server API.
    pub operator: String,
    /// When.
    pub time: anser_domain::Timestamp,
}

/// A page of former contents, the oldest first.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct FormerContents {
    /// The page.
    pub contents: Vec<FormerContent>,
    /// There are more behind the last.
    pub more: bool,
}

impl Change {
    /// Is it acceptable by itself? `bytes_max`: of a content.
    pub(crate) fn check(&self, bytes_max: usize) -> Result<(), Reject> {
        use anser_domain::{change, message};
        match self {
            Self::Recall | Self::Burn => Ok(()),
            Self::Edit {
                content_type,
                body,
                mention,
            } => {
                super::content::check(content_type, body, bytes_max)?;
                message::check_mention(mention.as_ref())
            }
            Self::Expand { put, remove } => change::check_expansion(put, remove),
            Self::React { reaction, .. } => change::check_reaction(reaction),
        }
    }
}
