//! Block list and allow list: whose messages a user takes.
//!
//! Both lists are rows in the user's shard. A private chat's actor reads how its two users stand
//! to one another when it is loaded, and checks every send against that in memory. So whoever
//! changes a list makes the actors read again: each chat that is concerned gets a head with a new
//! tag, and an append that was computed from the old one fails and is taken anew. A chat without a
//! head has a stamp instead, on which its first append depends. The change is answered after that:
//! what was blocked before a send is asked for refuses it, on whichever node.
//!
//! An outbox row, written with the change, sees to it when the node dies in between. To hear only
//! those on the allow list, or no longer, concerns all of the user's chats: it is answered when it
//! is stored, and takes effect as fast as they can be gone through.

mod change;
mod commands;
mod effect;
mod read;

use std::sync::Arc;

use anser_domain::UserId;
use anser_domain::relation::List;

pub(crate) use effect::{carry_out, renew_new_chat};
pub(crate) use read::refusals;

/// What is to be changed.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct RelationChange {
    /// Which list.
    pub list: List,
    /// Who comes onto it.
    pub add: Vec<UserId>,
    /// Who leaves it.
    pub remove: Vec<UserId>,
    /// Are only those on the allow list heard from now on? `None` stays.
    pub allow_only: Option<bool>,
}

/// What was changed, as the user's devices are told.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct RelationNews {
    /// Which list.
    pub list: List,
    /// Who came onto it.
    pub added: Vec<Arc<str>>,
    /// Who left it.
    pub removed: Vec<Arc<str>>,
    /// Are only those on the allow list heard now?
    pub allow_only: bool,
    /// Of both lists, after the change.
    pub version: u64,
    /// And before it: a device that has another one lists anew.
    pub previous: u64,
}

/// A page of a list.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RelationPage {
    /// By user id.
    pub users: Vec<UserId>,
    /// Where the next page starts; empty on the last one.
    pub cursor: String,
    /// Are only those on the allow list heard?
    pub allow_only: bool,
    /// Of both lists; grows with each change.
    pub version: u64,
}
