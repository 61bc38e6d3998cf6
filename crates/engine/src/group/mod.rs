//! Groups.
//!
//! What a group is stands in rows beside its conversation: the head (name, owner, settings), the
//! member rows, one row of what is told of it, and rows for those who are outside of it but known
//! to it (banned, asking, invited). All changes but one go through the conversation's actor
//! (`conversation/membership`), so that they are in one order with the messages. The exception is
//! a request to join ([`request`]), which changes nothing for anybody until it is approved.
//! Reading goes to the store ([`read`]).
//!
//! Created conversations have the same rows and the same machinery; what differs is a table in
//! [`anser_domain::group::policy`]. Their commands are in [`crate::created`].

mod change;
mod commands;
pub(crate) mod read;
pub(crate) mod request;
pub(crate) mod rows;

use anser_domain::attributes::Object;
use anser_domain::group::info::Attributes;
use anser_domain::group::{Kind, Rights, Role, Settings};
use anser_domain::{ConversationId, GroupId, Timestamp, UserId};

pub use change::{By, Creation, GroupChange, GroupUpdate, MemberUpdate};
pub use read::{Members, Outside};

/// A group, or a created conversation, as its members see it.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Group {
    /// Which of the two.
    pub kind: Kind,
    /// Its id.
    pub id: GroupId,
    /// Its name, possibly empty.
    pub name: String,
    /// Who owns it.
    pub owner: String,
    /// The owner included.
    pub member_count: u32,
    /// When it was created.
    pub created: Timestamp,
    /// What its members are told.
    pub announcement: String,
    /// The address of a picture.
    pub portrait: String,
    /// The application's own.
    pub attributes: Attributes,
    /// What is set for it.
    pub settings: Settings,
    /// The roles it has defined.
    pub roles: Vec<(String, Rights)>,
    /// Who has the role of an admin.
    pub admins: Vec<String>,
    /// Of a created conversation, the application's own.
    pub nested_attributes: Object,
    /// When members, or what is told of it, changed last; zero: never since it was made, or not
    /// known of an old group.
    pub updated: Timestamp,
    /// Of the newest message, notices included.
    pub last_time: Timestamp,
    /// It was created as the one of exactly these members.
    pub unique: bool,
}

impl Group {
    /// The name of its conversation.
    #[must_use]
    pub fn conversation(&self) -> ConversationId {
        ConversationId::with_members(self.kind, self.id.clone())
    }
}

/// A member of a group.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct GroupMember {
    /// Who.
    pub user: UserId,
    /// What they are.
    pub role: Role,
    /// Their role of the group's own; empty: none.
    pub role_name: String,
    /// Since when.
    pub joined: Timestamp,
    /// What they are called in this group; empty: as everywhere.
    pub nickname: String,
    /// The application's own.
    pub attributes: Attributes,
    /// Zero: not muted.
    pub muted_until: Timestamp,
    /// The mute of all is not for them.
    pub exempt: bool,
}

/// A page of members, by user id.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct GroupMemberPage {
    /// The page.
    pub members: Vec<GroupMember>,
    /// Where the next page starts; empty on the last one.
    pub cursor: String,
}

/// Somebody outside of a group who is known to it: banned, asking, or invited.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct GroupUser {
    /// Who.
    pub user: UserId,
    /// Since when.
    pub time: Timestamp,
    /// Who banned or invited; empty: the server API.
    pub operator: String,
    /// Until when it is good.
    pub until: Timestamp,
    /// Of a request.
    pub message: String,
}

/// A page of users outside of a group, by user id.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct GroupUserPage {
    /// The page.
    pub users: Vec<GroupUser>,
    /// Where the next page starts; empty on the last one.
    pub cursor: String,
}

/// A user asks to be let in, or was rejected.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct JoinRequest {
    /// Which group.
    pub group: GroupId,
    /// Who asks.
    pub user: UserId,
    /// When.
    pub time: Timestamp,
    /// For those who decide.
    pub message: String,
    /// Who rejected it, if somebody has; empty: the server API.
    pub rejected_by: Option<String>,
}
