//! Messages: sending and reading them back.

pub(crate) mod history;

use std::sync::Arc;

use anser_domain::{AppId, ConversationId, MessageId, Timestamp, UserId};
use bytes::Bytes;

/// A message as the conversation has it.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Message {
    /// The conversation's name.
    pub conversation: Arc<str>,
    /// 1, 2, 3 … within the conversation.
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
    /// `text`, `anser.group`, or the application's own.
    pub content_type: Box<str>,
    /// Opaque.
    pub body: Bytes,
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
}

/// The message is on disk.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct SendResult {
    /// The conversation's name.
    pub conversation: Arc<str>,
    /// Its place.
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
}
