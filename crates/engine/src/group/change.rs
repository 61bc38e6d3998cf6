//! What can be asked of a group.

use anser_domain::attributes::{Object, PathChange};
use anser_domain::group::Rights;
use anser_domain::group::info::{AttributeChange, SettingsChange};
use anser_domain::group::role::NewRole;
use anser_domain::{Timestamp, UserId};

/// Who asks for a change of a group.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum By {
    /// The server API.
    Server,
    /// An authenticated user.
    User(UserId),
}

impl By {
    /// The user; empty for the server API.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Server => "",
            Self::User(user) => user.as_str(),
        }
    }
}

/// What is told of a group, and what is set for it; what is `None` stays as it is.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct GroupUpdate {
    /// At most 128 bytes.
    pub name: Option<String>,
    /// At most 4,096 bytes.
    pub announcement: Option<String>,
    /// The address of a picture, at most 1,024 bytes.
    pub portrait: Option<String>,
    /// At most 64 keys, 16 KiB together.
    pub attributes: AttributeChange,
    /// For the owner and admins.
    pub settings: SettingsChange,
    /// Of a created conversation.
    pub nested_attributes: PathChange,
}

/// What a created conversation begins with, besides a name and members.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Creation {
    /// The application's own.
    pub attributes: Object,
    /// Anybody may join.
    pub public: bool,
    /// It is the one of exactly these members.
    pub unique: bool,
    /// Who comes later may read what was said before.
    pub history_visible: bool,
}

/// What is told of a member; what is `None` stays as it is.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct MemberUpdate {
    /// At most 128 bytes.
    pub nickname: Option<String>,
    /// At most 16 keys, 1 KiB together.
    pub attributes: AttributeChange,
}

/// A change of a group, taken by its conversation's actor.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum GroupChange {
    /// Makes the group.
    Create {
        /// Its name.
        name: String,
        /// Its first member.
        owner: UserId,
        /// Besides the owner.
        members: Vec<UserId>,
        /// Of a created conversation.
        creation: Box<Creation>,
    },
    /// Adds those who are not in it, or invites them.
    Add(Vec<UserId>),
    /// Removes those who are in it.
    Remove(Vec<UserId>),
    /// The operator goes.
    Quit,
    /// Ends the group for all.
    Dismiss,
    /// Changes what is told of it, or set for it.
    Update(Box<GroupUpdate>),
    /// This member is the owner from now on.
    Transfer(UserId),
    /// Gives members a role.
    SetRole {
        /// Whom.
        users: Vec<UserId>,
        /// Which.
        role: NewRole,
    },
    /// Defines a role of the group's own, or removes it (`None`).
    DefineRole {
        /// Its name.
        name: String,
        /// What it allows.
        rights: Option<Rights>,
    },
    /// Changes what is told of a member.
    UpdateMember {
        /// Who.
        user: UserId,
        /// How.
        update: MemberUpdate,
    },
    /// Mutes members until then; a time that is over lifts it.
    Mute {
        /// Whom.
        users: Vec<UserId>,
        /// Zero lifts it.
        until: Timestamp,
    },
    /// Exempts members from the mute of all, or no longer.
    Exempt {
        /// Whom.
        users: Vec<UserId>,
        /// Are they from now on?
        exempt: bool,
    },
    /// Removes users and keeps them out until then.
    Ban {
        /// Whom.
        users: Vec<UserId>,
        /// Zero lifts it.
        until: Timestamp,
    },
    /// The operator comes in: the group is public, or they are invited.
    Join,
    /// Lets in those who asked for it.
    Approve(Vec<UserId>),
    /// The operator answers an invitation.
    Answer {
        /// Do they come in?
        accept: bool,
    },
}
