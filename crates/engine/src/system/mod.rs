//! System conversations: the app's backend speaks to those who subscribe.
//!
//! A message is stored once, whoever it is for. Subscribers are without limit, so they are never
//! held in memory together: each has one row in the conversation's shard, by which a read is
//! allowed, and the ordinary inbox row in their own, by which their devices find the conversation
//! ([`subscribe`]). Of a conversation for everyone there are no such rows: who is a user of the app
//! is subscribed, and the inbox row is made when a device asks for the list ([`everyone`]). Of a
//! conversation for a tag, the rows follow the users' tags ([`audience`]).
//!
//! What is for all and what is for one user have an index each, so a user's page is read in
//! bounded work however much is written to others ([`read`]). Those who are online hear a message
//! by a broadcast to the nodes ([`crate::delivery`]). Why it is so stands in
//! `docs/decisions/0006-system-conversations.md`.

pub(crate) mod audience;
mod commands;
pub(crate) mod everyone;
pub(crate) mod read;
mod subscribe;

use anser_domain::attributes::{Object, PathChange};
use anser_domain::{Code, ConversationId, GroupId, Reject, Tag, Timestamp, UserId};

/// Its kind in the head.
pub(crate) const KIND: u32 = 3;

/// A system conversation.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct SystemConversation {
    /// Its id.
    pub id: GroupId,
    /// Possibly empty; at most 128 bytes.
    pub name: String,
    /// The address of a picture.
    pub portrait: String,
    /// The application's own.
    pub attributes: Object,
    /// All users of the app are subscribed.
    pub everyone: bool,
    /// Those users are subscribed who have this tag.
    pub tag: Option<Tag>,
    /// When it was created.
    pub created: Timestamp,
    /// When what is told of it changed last.
    pub updated: Timestamp,
    /// Of the newest message; zero: there is none.
    pub last_time: Timestamp,
}

impl SystemConversation {
    /// The name of its conversation.
    #[must_use]
    pub fn conversation(&self) -> ConversationId {
        ConversationId::System(self.id.clone())
    }
}

/// A system conversation to create.
#[derive(Clone, Debug, Default)]
pub struct NewSystem {
    /// `None`: one is made up.
    pub id: Option<GroupId>,
    /// See [`SystemConversation::name`].
    pub name: String,
    /// See [`SystemConversation::portrait`].
    pub portrait: String,
    /// See [`SystemConversation::attributes`].
    pub attributes: Object,
    /// See [`SystemConversation::everyone`]; it stays as it is.
    pub everyone: bool,
    /// See [`SystemConversation::tag`]; it stays as it is, and is not for everyone then.
    pub tag: Option<Tag>,
}

/// What changes; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct SystemUpdate {
    /// See [`SystemConversation::name`].
    pub name: Option<String>,
    /// See [`SystemConversation::portrait`].
    pub portrait: Option<String>,
    /// Attributes by path.
    pub attributes: PathChange,
}

/// A page of an app's system conversations, by id.
#[derive(Clone, Debug)]
pub struct SystemPage {
    /// The page; shorter than asked for where some are dismissed.
    pub conversations: Vec<SystemConversation>,
    /// Where the next page starts; empty on the last one.
    pub cursor: String,
}

/// A page of subscribers, by user id.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct SubscriberPage {
    /// Who, and since when; fewer than asked for where some have gone.
    pub subscribers: Vec<(UserId, Timestamp)>,
    /// Where the next page starts; empty on the last one.
    pub cursor: String,
}

/// System conversations show no subscriber to another.
pub(crate) fn refuse_receipts(id: &ConversationId) -> Result<(), Reject> {
    match id.is_system() {
        true => Err(Code::NotInSystem.into()),
        false => Ok(()),
    }
}
