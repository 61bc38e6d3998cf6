//! Messages: sending, changing, and reading them back.

mod change;
pub(crate) mod changes;
pub(crate) mod codec;
mod commands;
pub(crate) mod content;
pub(crate) mod delete;
pub(crate) mod history;
mod place;

use std::sync::Arc;

use anser_domain::change::MessageState;
use anser_domain::message::{Mention, sees};
use anser_domain::{AppId, ConversationId, MessageId, Timestamp, UserId};
use bytes::Bytes;

pub(crate) use change::ChangeMessage;
pub use change::{Change, ChangePage, FormerContent, FormerContents, MessageChanged};

/// A message as the conversation has it.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Message {
    /// The conversation's name.
    pub conversation: Arc<str>,
    /// 1, 2, 3 … within the conversation. 0: transient.
    pub seq: u64,
    /// Unique.
    pub id: MessageId,
    /// Who sent it; empty for a notice of the server.
    pub sender: Arc<str>,
    /// Given by the sender; empty on notices.
    pub client_message_id: Box<str>,
    /// Never falls as `seq` grows.
    pub time: Timestamp,
    /// The ordinal of the last countable message up to and with this one.
    pub ordinal: u64,
    /// Does it count as unread?
    pub counted: bool,
    /// Of those in [`anser_domain::content`], `anser.…` of the server, or the application's own.
    pub content_type: Box<str>,
    /// Opaque.
    pub body: Bytes,
    /// Whom it mentions.
    pub mention: Option<Box<Mention>>,
    /// Not empty: only these users, and the sender, can see it.
    pub targets: Vec<UserId>,
    /// Burns so long after the receiver has read it. Zero: never.
    pub burn_after_seconds: u32,
    /// The sender asked to be told who acknowledges it.
    pub receipt_wanted: bool,
    /// What happened to it since it was sent.
    pub state: Option<Box<MessageState>>,
}

impl Message {
    /// May this user see it, as far as its targets decide?
    #[must_use]
    pub fn is_for(&self, user: &str) -> bool {
        sees(user, &self.sender, &self.targets)
    }

    /// Is it for the application rather than for its user?
    #[must_use]
    pub fn is_command(&self) -> bool {
        anser_domain::content::is_command(&self.content_type)
    }

    /// Was it taken back, or has it burned?
    #[must_use]
    pub fn is_recalled(&self) -> bool {
        self.state
            .as_ref()
            .is_some_and(|state| state.recall.is_some())
    }
}

/// A message somebody wants sent.
#[derive(Clone, Debug)]
pub struct SendMessage {
    /// The app of sender and conversation.
    pub app: AppId,
    /// The authenticated sender.
    pub sender: UserId,
    /// Where to.
    pub conversation: ConversationId,
    /// The sender's idempotency key.
    pub client_message_id: Box<str>,
    /// See [`Message::content_type`].
    pub content_type: Box<str>,
    /// See [`Message::body`].
    pub body: Bytes,
    /// When the client first tried; zero for now.
    pub first_try: Timestamp,
    /// The sender has read up to here; zero leaves the read position alone.
    pub read_up_to: u64,
    /// The session that sends: it gets the answer, not the push.
    pub session: Option<crate::session::SessionId>,
    /// What few messages have.
    pub options: SendOptions,
}

impl SendMessage {
    /// Will it be unread for those who get it?
    #[must_use]
    pub(crate) fn counted(&self) -> bool {
        !self.options.uncounted && !anser_domain::content::is_command(&self.content_type)
    }
}

/// What a sender may ask for beyond the content.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct SendOptions {
    /// Pushed to those who are connected, never stored or counted, and first to be dropped.
    pub transient: bool,
    /// It is unread for nobody.
    pub uncounted: bool,
    /// See [`Message::mention`].
    pub mention: Option<Mention>,
    /// See [`Message::targets`].
    pub targets: Vec<UserId>,
    /// See [`Message::receipt_wanted`].
    pub receipt_wanted: bool,
    /// See [`Message::burn_after_seconds`].
    pub burn_after_seconds: u32,
    /// The app's backend speaks, under a name that need not be of anybody in the conversation. Not
    /// in private chats.
    pub by_server: bool,
}

/// Messages that a user deleted for themself.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Deleted {
    /// The conversation's name.
    pub conversation: Arc<str>,
    /// Which.
    pub seqs: Vec<u64>,
    /// The version of the last of them.
    pub version: u64,
    /// The version before the first.
    pub previous: u64,
    /// There are more after `version`.
    pub more: bool,
}

/// The message is on disk.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct SendResult {
    /// The conversation's name.
    pub conversation: Arc<str>,
    /// Its place; 0 if it is transient.
    pub seq: u64,
    /// Its id.
    pub id: MessageId,
    /// Its time.
    pub time: Timestamp,
    /// The last sequence before it that the sender may see.
    pub prev: u64,
}

/// Which page of a conversation's messages.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct PageRequest {
    /// Not included. Zero with `descending`: from the newest.
    pub from_seq: u64,
    /// Towards older ones.
    pub descending: bool,
    /// 1–[`PAGE_ITEMS_MAX`](anser_domain::limits::PAGE_ITEMS_MAX); zero takes the default.
    pub limit: usize,
}

/// A page of messages, as one user may see it.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct MessagePage {
    /// The conversation's name.
    pub conversation: Arc<str>,
    /// In the direction asked for.
    pub messages: Vec<Message>,
    /// More in this direction.
    pub more: bool,
    /// The head when the page was read.
    pub head_seq: u64,
    /// The lowest sequence this user may read.
    pub first_seq: u64,
    /// The conversation's `rev` when the page was read.
    pub rev: u64,
    /// Where the next page in this direction starts, if there is more.
    pub next_seq: u64,
}
