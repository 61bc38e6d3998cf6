//! Conversations: the actor that appends, and a conversation as one user sees it.

mod actor;
mod append;
mod change;
mod lane;
pub(crate) mod loaded;
mod membership;
mod outdated;
pub(crate) mod reading;
mod registry;
pub(crate) mod row;
mod system;
mod targeted;
mod unheard;
pub(crate) mod unread;
pub(crate) mod view;

use std::sync::Arc;

use anser_domain::settings::ConversationSettings;
use anser_domain::{ConversationId, Timestamp};

use crate::message::Message;
pub(crate) use actor::Command;
pub(crate) use change::no_such_message;
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
    /// How many unread messages mention the user.
    pub unread_mentions: u64,
    /// Grows with every message that the user deletes for themself.
    pub deleted_version: u64,
    /// What the user set.
    pub settings: ConversationSettings,
    /// The user is not in it, and may come in.
    pub invitation: Option<Invitation>,
    /// The user is not in it any more: how that came about.
    pub departure: Departure,
}

/// How a user came out of a conversation.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Departure {
    /// Who put the user out, or the user themself; empty: the server API, or it is not known.
    pub operator: String,
    /// The user may not come back.
    pub banned: bool,
}

/// An invitation to a group.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Invitation {
    /// Who invited; empty: the server API.
    pub operator: String,
    /// When. It can be answered for
    /// [`JOIN_REQUEST_LIFE_MS`](anser_domain::limits::JOIN_REQUEST_LIFE_MS).
    pub time: Timestamp,
}

impl ConversationView {
    /// When it ends, if it is temporary.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        // Others need not be looked at closely.
        let name = self.id.starts_with("t/").then_some(&self.id)?;
        ConversationId::parse(name).ok()?.end()
    }

    /// Is it left out of the list for now?
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.settings.is_hidden(self.head_seq)
    }
}

/// A page of a user's conversation list: pinned ones first, then newest activity first.
#[derive(Clone, Debug)]
pub struct ConversationPage {
    /// The page.
    pub conversations: Vec<ConversationView>,
    /// Where the next page starts; empty on the last one.
    pub cursor: String,
}

/// Where the user has read to, after it moved.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct ReadResult {
    /// Everything up to here is read.
    pub read_seq: u64,
    /// What is unread beyond.
    pub unread: u64,
    /// How much of that mentions the user.
    pub unread_mentions: u64,
}
