//! What differs between the kinds of conversations with members.
//!
//! All have the same machinery: an owner, managers (called admins in a group), members, bans,
//! mutes, notices. A group belongs to its owner; a created conversation, unless it is set
//! otherwise, to everybody in it.

use crate::limits::{CREATED_MEMBERS_AT_FIRST_MAX, GROUP_MEMBERS_MAX, TEMPORARY_MEMBERS_MAX};

/// A kind of conversation with members.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug, Default)]
pub enum Kind {
    /// Has an id that its creator may choose.
    #[default]
    Group,
    /// Created by a client; the server chooses the id.
    Created,
    /// The same, for a time ([`crate::temporary`]).
    Temporary,
}

/// What holds for a kind.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Policy {
    /// Members that it begins with, the owner included.
    pub first_members_max: usize,
    /// Members that it may have.
    pub members_max: usize,
    /// The owner quits like anybody else, is removed by the server API, and owns it again when
    /// they come back.
    pub owner_may_go: bool,
    /// Managers give roles too, to those who stand lower.
    pub managers_give_roles: bool,
    /// At first, every member invites, removes plain members, and changes what is told of it.
    pub open: bool,
}

impl Kind {
    /// What holds for conversations of this kind.
    #[must_use]
    pub const fn policy(self) -> Policy {
        match self {
            Self::Group => Policy {
                first_members_max: GROUP_MEMBERS_MAX,
                members_max: GROUP_MEMBERS_MAX,
                owner_may_go: false,
                managers_give_roles: false,
                open: false,
            },
            Self::Created => Policy {
                first_members_max: CREATED_MEMBERS_AT_FIRST_MAX,
                members_max: GROUP_MEMBERS_MAX,
                owner_may_go: true,
                managers_give_roles: true,
                open: true,
            },
            Self::Temporary => Policy {
                first_members_max: TEMPORARY_MEMBERS_MAX,
                members_max: TEMPORARY_MEMBERS_MAX,
                owner_may_go: true,
                managers_give_roles: true,
                open: true,
            },
        }
    }

    /// What it is called in refusals.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Created | Self::Temporary => "conversation",
        }
    }
}
