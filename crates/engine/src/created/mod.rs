//! Conversations that users create.
//!
//! A created conversation is a group in all but its policy: the same rows, the same actor, the same
//! notices, the same visible history ([`crate::group`], `conversation/membership`). Its id is made
//! by the server; unless it is set otherwise it belongs to everybody in it; and its attributes are
//! nested JSON, changed by path. This module has its commands.
//!
//! One that is created as `unique` is the one of exactly its members ([`unique`]). They are found
//! by name, members, times and attributes ([`query`]). One that is created for a time ([`temporary`])
//! is never found, and nothing of it is left afterwards.

mod commands;
mod query;
pub(crate) mod temporary;
mod unique;

use anser_domain::attributes::Object;
use anser_domain::{GroupId, UserId};

use crate::group::Group;
pub use query::{Found, Query, Visit};

/// A conversation to create.
#[derive(Clone, Debug)]
pub struct NewConversation {
    /// Its id; `None`: one made up. Not of a temporary one, whose id tells its end.
    pub id: Option<GroupId>,
    /// Possibly empty; at most 128 bytes.
    pub name: String,
    /// Its creator, and first member.
    pub owner: UserId,
    /// Besides the owner; at most 500 with them.
    pub members: Vec<UserId>,
    /// The application's own.
    pub attributes: Object,
    /// Anybody may join who knows its id; else members add others.
    pub public: bool,
    /// If there is one already that was created like this and has exactly these members, it is
    /// the answer.
    pub unique: bool,
    /// Who comes later may read what was said before.
    pub history_visible: bool,
    /// It lives for so many seconds, 1–86,400, and is named `t/<id>`; `None`: for good.
    pub temporary_seconds: Option<u32>,
}

/// What creating came to.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Created {
    /// The conversation.
    pub conversation: Group,
    /// It was there already.
    pub reused: bool,
}
