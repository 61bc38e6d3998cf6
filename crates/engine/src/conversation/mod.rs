//! Conversations: the actor that appends, and a conversation as one user sees it.

mod actor;
mod append;
mod lane;
pub(crate) mod loaded;
mod registry;
pub(crate) mod row;
pub(crate) mod view;

use std::sync::Arc;

use anser_domain::Timestamp;

use crate::message::Message;
pub(crate) use actor::Command;
pub(crate) use registry::Registry;

/// A conversation as it stands in one user's list.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct ConversationView {
    /// The conversation's name.
    pub id: Arc<str>,
    /// Its last sequence; zero when empty.
    pub head_seq: u64,
    /// The counter of changes of messages.
    pub rev: u64,
    /// Of the newest message, or of joining when there is none.
    pub last_time: Timestamp,
    /// The newest message the user may see.
    pub newest: Option<Message>,
    /// What the user has not read.
    pub unread: u64,
    /// Up to where the user has read.
    pub read_seq: u64,
    /// The lowest sequence the user may read.
    pub first_seq: u64,
    /// A group's name; empty otherwise.
    pub name: String,
    /// Is the user in it?
    pub member: bool,
}

/// A page of a user's conversation list, newest activity first.
#[derive(Clone, Debug)]
pub struct ConversationPage {
    /// The page.
    pub conversations: Vec<ConversationView>,
    /// Where the next page starts; empty on the last one.
    pub cursor: String,
}

/// Where the user has read to, after it moved.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct ReadResult {
    /// Everything up to here is read.
    pub read_seq: u64,
    /// What is unread beyond.
    pub unread: u64,
}
