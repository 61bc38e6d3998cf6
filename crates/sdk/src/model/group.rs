//! Groups: what they are, who is in them and how they come in, and what happened to them.

use std::collections::BTreeMap;

use anser_domain::Timestamp;
use anser_proto::client as wire;
use prost::Message as _;

use super::Content;

/// A group.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Group {
    /// Its id; its conversation is `g/<id>`.
    pub group_id: String,
    /// Its name.
    pub name: String,
    /// Who it belongs to.
    pub owner: String,
    /// Members, the owner included.
    pub member_count: u32,
    /// When it was created.
    pub created: Timestamp,
    /// What the group is told.
    pub announcement: String,
    /// The address of a picture.
    pub portrait: String,
    /// The application's own, by key.
    pub attributes: BTreeMap<String, String>,
    /// How it is run.
    pub settings: GroupSettings,
    /// The roles that it has defined besides owner, admin and member.
    pub roles: Vec<DefinedRole>,
    /// Who is an admin.
    pub admins: Vec<String>,
}

/// How a group is run.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct GroupSettings {
    /// Who may join.
    pub join: JoinMode,
    /// Who is added by a member is invited, and is in once they accept.
    pub invitations_need_acceptance: bool,
    /// Only those with the right `invite` add others; else every member may.
    pub only_admins_invite: bool,
    /// All are muted, but for the owner, admins, those exempt, and those with the right `speak`.
    pub muted: bool,
    /// New members may read what was written before they came.
    pub history_visible: bool,
}

/// Who may join a group by themselves.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum JoinMode {
    /// A mode of a newer server.
    #[default]
    Other,
    /// Joining makes a request, which is approved or rejected.
    Approval,
    /// Joining is at once.
    Public,
    /// Nobody joins without being added or invited.
    Closed,
}

/// A role that a group has defined.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct DefinedRole {
    /// 1–64 bytes.
    pub name: String,
    /// Of `invite`, `remove`, `approve`, `mute`, `ban`, `update`, `update_members`, `recall`,
    /// `speak`.
    pub rights: Vec<String>,
}

/// What a member of a group may do.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum GroupRole {
    /// Talks.
    Member,
    /// Has every right over those who stand lower.
    Admin,
    /// Names admins, hands over, dismisses besides.
    Owner,
    /// A role of a newer server.
    #[default]
    Other,
}

/// A member of a group.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct GroupMember {
    /// Who.
    pub user_id: String,
    /// What they may do.
    pub role: GroupRole,
    /// Since when.
    pub joined: Timestamp,
    /// A role that the group has defined; empty: none.
    pub role_name: String,
    /// What they are called in the group.
    pub nickname: String,
    /// The application's own, by key.
    pub attributes: BTreeMap<String, String>,
    /// Until when they are muted; 0: not.
    pub muted_until: Timestamp,
    /// Does the mute of all not concern them?
    pub exempt: bool,
}

/// A part of the members of a group.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct GroupMemberPage {
    /// The members.
    pub members: Vec<GroupMember>,
    /// Continues the list; empty on the last page.
    pub cursor: String,
}

/// A user outside of a group: banned, asking to be let in, or invited.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct GroupUser {
    /// Who.
    pub user_id: String,
    /// Since when.
    pub time: Timestamp,
    /// Who banned or invited; empty: the customer's backend.
    pub operator: String,
    /// Until when it is good.
    pub until: Timestamp,
    /// Of who asks to be let in.
    pub message: String,
}

/// A part of the users outside of a group, by id.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct GroupUserPage {
    /// The users.
    pub users: Vec<GroupUser>,
    /// Continues the list; empty on the last page.
    pub cursor: String,
}

/// The user is not in a group and may come in.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct GroupInvitation {
    /// Who invited.
    pub operator: String,
    /// When; it lives for 7 days.
    pub time: Timestamp,
}

/// Somebody asks to be let into a group, or was rejected.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct JoinRequest {
    /// Into which.
    pub group_id: String,
    /// Who asks.
    pub user_id: String,
    /// When.
    pub time: Timestamp,
    /// What they say.
    pub message: String,
    /// Who rejected it; `None` while it waits. Empty: the customer's backend.
    pub rejected_by: Option<String>,
}

/// What is to be changed of a group. What is `None` stays.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct GroupUpdate {
    /// At most 128 bytes.
    pub name: Option<String>,
    /// At most 4,096 bytes.
    pub announcement: Option<String>,
    /// The address of a picture; at most 1,024 bytes.
    pub portrait: Option<String>,
    /// At most 64 keys of 1–64 bytes, 16 KiB together.
    pub put_attributes: BTreeMap<String, String>,
    /// Keys to be removed.
    pub remove_attributes: Vec<String>,
    /// For the owner and admins, as all below.
    pub join: Option<JoinMode>,
    /// See [`GroupSettings`].
    pub invitations_need_acceptance: Option<bool>,
    /// See [`GroupSettings`].
    pub only_admins_invite: Option<bool>,
    /// See [`GroupSettings`].
    pub muted: Option<bool>,
    /// See [`GroupSettings`].
    pub history_visible: Option<bool>,
}

/// What is to be changed of a member. What is `None` stays.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct GroupMemberUpdate {
    /// Whom; empty: oneself.
    pub user_id: String,
    /// At most 128 bytes.
    pub nickname: Option<String>,
    /// At most 16 keys of 1–64 bytes, 1 KiB together.
    pub put_attributes: BTreeMap<String, String>,
    /// Keys to be removed.
    pub remove_attributes: Vec<String>,
}

/// What happened to a group, told within its conversation.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct GroupNotice {
    /// What.
    pub change: GroupChange,
    /// Who did it; empty: the customer's backend.
    pub operator: String,
    /// To whom; at most 100 of them.
    pub users: Vec<String>,
    /// To how many.
    pub user_count: u32,
}

/// A change of a group.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum GroupChange {
    /// It was created.
    Created,
    /// Users were added.
    Added,
    /// Users were removed.
    Removed,
    /// A user left.
    Quit,
    /// It was ended.
    Dismissed,
    /// What is told of it, or its settings.
    Updated {
        /// The names of the fields that changed; `attributes.<key>` for one of those.
        changed: Vec<String>,
        /// As it is now, if it changed.
        name: Option<String>,
        /// As it is now, if it changed.
        announcement: Option<String>,
        /// As it is now, if it changed.
        portrait: Option<String>,
        /// Of a conversation that a user created: a JSON object, what changed by path; null:
        /// gone.
        nested_attributes: Option<String>,
    },
    /// The user named is the owner now.
    Transferred,
    /// Members got a role.
    RoleSet {
        /// Which.
        role: GroupRole,
        /// One that the group has defined; empty: none.
        role_name: String,
    },
    /// A role has other rights, or is gone.
    RoleDefined {
        /// Which.
        role_name: String,
    },
    /// What is told of a member.
    MemberUpdated {
        /// The names of the fields that changed; `attributes.<key>` for one of those.
        changed: Vec<String>,
        /// As it is now, if it changed.
        nickname: Option<String>,
    },
    /// Members were muted.
    Muted {
        /// Until when; `None`: no longer.
        until: Option<Timestamp>,
    },
    /// Members are exempt from the mute of all, or no longer.
    Exempted(bool),
    /// Users were banned.
    Banned {
        /// Until when; `None`: no longer.
        until: Option<Timestamp>,
    },
    /// A user joined.
    Joined,
    /// Users were invited.
    Invited,
    /// A user declined an invitation.
    Declined,
    /// A change that this release does not know.
    Other,
}

impl Content {
    /// What happened to the group, if it is the server's notice of that.
    #[must_use]
    pub fn as_group_notice(&self) -> Option<GroupNotice> {
        if self.kind != "anser.group" {
            return None;
        }
        let notice = wire::GroupNotice::decode(self.body.clone()).ok()?;
        Some(GroupNotice {
            change: change_of(&notice),
            operator: notice.operator,
            users: notice.users,
            user_count: notice.user_count,
        })
    }
}

fn change_of(notice: &wire::GroupNotice) -> GroupChange {
    use wire::group_notice::Kind;
    let now = |field: &str, value: &String| {
        let changed = notice.changed.iter().any(|changed| changed == field);
        changed.then(|| value.clone())
    };
    let until = (notice.until > 0).then_some(Timestamp(notice.until));
    match notice.kind() {
        Kind::Unspecified => GroupChange::Other,
        Kind::Created => GroupChange::Created,
        Kind::Added => GroupChange::Added,
        Kind::Removed => GroupChange::Removed,
        Kind::Quit => GroupChange::Quit,
        Kind::Dismissed => GroupChange::Dismissed,
        Kind::Updated => GroupChange::Updated {
            changed: notice.changed.clone(),
            name: now("name", &notice.name),
            announcement: now("announcement", &notice.announcement),
            portrait: now("portrait", &notice.portrait),
            nested_attributes: Some(notice.nested_attributes.clone())
                .filter(|changed| !changed.is_empty()),
        },
        Kind::Transferred => GroupChange::Transferred,
        Kind::RoleSet => GroupChange::RoleSet {
            role: notice.role().into(),
            role_name: notice.role_name.clone(),
        },
        Kind::RoleDefined => GroupChange::RoleDefined {
            role_name: notice.role_name.clone(),
        },
        Kind::MemberUpdated => GroupChange::MemberUpdated {
            changed: notice.changed.clone(),
            nickname: now("nickname", &notice.nickname),
        },
        Kind::Muted => GroupChange::Muted { until },
        Kind::Exempted => {
            GroupChange::Exempted(notice.changed.iter().any(|changed| changed == "exempt"))
        }
        Kind::Banned => GroupChange::Banned { until },
        Kind::Joined => GroupChange::Joined,
        Kind::Invited => GroupChange::Invited,
        Kind::Declined => GroupChange::Declined,
    }
}

impl From<wire::GroupRole> for GroupRole {
    fn from(role: wire::GroupRole) -> Self {
        match role {
            wire::GroupRole::Member => Self::Member,
            wire::GroupRole::Admin => Self::Admin,
            wire::GroupRole::Owner => Self::Owner,
            wire::GroupRole::Unspecified => Self::Other,
        }
    }
}

impl From<GroupRole> for wire::GroupRole {
    fn from(role: GroupRole) -> Self {
        match role {
            GroupRole::Member => Self::Member,
            GroupRole::Admin => Self::Admin,
            GroupRole::Owner => Self::Owner,
            GroupRole::Other => Self::Unspecified,
        }
    }
}

impl From<wire::JoinMode> for JoinMode {
    fn from(mode: wire::JoinMode) -> Self {
        match mode {
            wire::JoinMode::Unspecified => Self::Other,
            wire::JoinMode::Approval => Self::Approval,
            wire::JoinMode::Public => Self::Public,
            wire::JoinMode::Closed => Self::Closed,
        }
    }
}

impl From<JoinMode> for wire::JoinMode {
    fn from(mode: JoinMode) -> Self {
        match mode {
            JoinMode::Other => Self::Unspecified,
            JoinMode::Approval => Self::Approval,
            JoinMode::Public => Self::Public,
            JoinMode::Closed => Self::Closed,
        }
    }
}

impl From<wire::GroupSettings> for GroupSettings {
    fn from(settings: wire::GroupSettings) -> Self {
        Self {
            join: settings.join().into(),
            invitations_need_acceptance: settings.invitations_need_acceptance,
            only_admins_invite: settings.only_admins_invite,
            muted: settings.muted,
            history_visible: settings.history_visible,
        }
    }
}

impl From<wire::DefinedRole> for DefinedRole {
    fn from(role: wire::DefinedRole) -> Self {
        Self {
            name: role.name,
            rights: role.rights,
        }
    }
}

impl From<wire::Group> for Group {
    fn from(group: wire::Group) -> Self {
        Self {
            group_id: group.group_id,
            name: group.name,
            owner: group.owner,
            member_count: group.member_count,
            created: Timestamp(group.created_time),
            announcement: group.announcement,
            portrait: group.portrait,
            attributes: group.attributes.into_iter().collect(),
            settings: group.settings.unwrap_or_default().into(),
            roles: group.roles.into_iter().map(Into::into).collect(),
            admins: group.admins,
        }
    }
}

impl From<wire::GroupMember> for GroupMember {
    fn from(member: wire::GroupMember) -> Self {
        Self {
            role: member.role().into(),
            user_id: member.user_id,
            joined: Timestamp(member.joined_time),
            role_name: member.role_name,
            nickname: member.nickname,
            attributes: member.attributes.into_iter().collect(),
            muted_until: Timestamp(member.muted_until),
            exempt: member.exempt,
        }
    }
}

impl From<wire::GroupMemberPage> for GroupMemberPage {
    fn from(page: wire::GroupMemberPage) -> Self {
        Self {
            members: page.members.into_iter().map(Into::into).collect(),
            cursor: page.cursor,
        }
    }
}

impl From<wire::GroupUserPage> for GroupUserPage {
    fn from(page: wire::GroupUserPage) -> Self {
        let user = |user: wire::GroupUser| GroupUser {
            user_id: user.user_id,
            time: Timestamp(user.time),
            operator: user.operator,
            until: Timestamp(user.until),
            message: user.message,
        };
        Self {
            users: page.users.into_iter().map(user).collect(),
            cursor: page.cursor,
        }
    }
}

impl From<wire::GroupInvitation> for GroupInvitation {
    fn from(invitation: wire::GroupInvitation) -> Self {
        Self {
            operator: invitation.operator,
            time: Timestamp(invitation.time),
        }
    }
}

impl From<GroupInvitation> for wire::GroupInvitation {
    fn from(invitation: GroupInvitation) -> Self {
        Self {
            operator: invitation.operator,
            time: invitation.time.0,
        }
    }
}

impl From<wire::JoinRequestPush> for JoinRequest {
    fn from(push: wire::JoinRequestPush) -> Self {
        Self {
            group_id: push.group_id,
            user_id: push.user_id,
            time: Timestamp(push.time),
            message: push.message,
            rejected_by: push.rejected_by,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(kind: &str, body: Vec<u8>) -> Content {
        Content {
            kind: kind.to_owned(),
            body: body.into(),
        }
    }

    fn read(notice: &wire::GroupNotice) -> GroupChange {
        let notice = content("anser.group", notice.encode_to_vec()).as_group_notice();
        notice.expect("it is one").change
    }

    #[test]
    fn a_notice_is_read_and_nothing_else_is_one() {
        let notice = wire::GroupNotice {
            kind: wire::group_notice::Kind::Added.into(),
            operator: "alice".to_owned(),
            users: vec!["bob".to_owned()],
            user_count: 1,
            ..Default::default()
        };
        let body = notice.encode_to_vec();
        let read = content("anser.group", body.clone()).as_group_notice();
        let read = read.expect("it is one");
        assert_eq!((read.change, read.user_count), (GroupChange::Added, 1));
        assert!(content("text", body).as_group_notice().is_none());
        let damaged = content("anser.group", vec![0xff]);
        assert!(damaged.as_group_notice().is_none());
    }

    #[test]
    fn a_notice_tells_what_changed_and_nothing_that_did_not() {
        let notice = wire::GroupNotice {
            kind: wire::group_notice::Kind::Updated.into(),
            changed: vec!["name".to_owned(), "muted".to_owned()],
            name: "new".to_owned(),
            ..Default::default()
        };
        let GroupChange::Updated {
            changed,
            name,
            announcement,
            ..
        } = read(&notice)
        else {
            panic!("not an update");
        };
        assert_eq!(changed, ["name", "muted"]);
        assert_eq!((name.as_deref(), announcement), (Some("new"), None));
        let mut muted = wire::GroupNotice {
            kind: wire::group_notice::Kind::Muted.into(),
            until: 7,
            ..Default::default()
        };
        let until = Some(Timestamp(7));
        assert_eq!(read(&muted), GroupChange::Muted { until });
        muted.until = 0;
        assert_eq!(read(&muted), GroupChange::Muted { until: None });
        let newer = wire::GroupNotice {
            kind: 999,
            ..Default::default()
        };
        assert_eq!(read(&newer), GroupChange::Other);
    }
}
