//! A group's rows in the domain's words, and back.

use anser_domain::group::role::NewRole;
use anser_domain::group::speech::Speaker;
use anser_domain::group::{JoinMode, Kind, Rights, Role, Settings, Standing};
use anser_domain::{Code, ConversationId, Reject, Timestamp, UserId};
use anser_proto::stored;

use super::{Group, GroupMember};
use crate::json;

/// Number of a role in a stored member row.
pub(crate) fn role_number(role: Role) -> u32 {
    match role {
        Role::Member => 1,
        Role::Owner => 2,
        Role::Admin => 3,
    }
}

/// The role of a stored number.
pub(crate) fn role_of(number: u32) -> Role {
    match number {
        2 => Role::Owner,
        3 => Role::Admin,
        _ => Role::Member,
    }
}

/// A role to give, of its number and name.
pub(crate) fn new_role(number: u32, name: String) -> NewRole {
    match role_of(number) {
        Role::Member if name.is_empty() => NewRole::Member,
        Role::Member => NewRole::Custom(name),
        Role::Admin | Role::Owner => NewRole::Admin,
    }
}

/// Number of a kind in a stored head.
pub(crate) fn kind_number(kind: Kind) -> u32 {
    match kind {
        Kind::Group => 0,
        Kind::Created => 1,
        Kind::Temporary => 2,
    }
}

/// The kind of a stored number.
pub(crate) fn kind_of(number: u32) -> Kind {
    match number {
        1 => Kind::Created,
        2 => Kind::Temporary,
        _ => Kind::Group,
    }
}

/// Number of a mode in the stored settings.
pub(crate) fn join_number(mode: JoinMode) -> u32 {
    match mode {
        JoinMode::Approval => 0,
        JoinMode::Public => 1,
        JoinMode::Closed => 2,
    }
}

/// The mode of a stored number.
pub(crate) fn join_of(number: u32) -> JoinMode {
    match number {
        1 => JoinMode::Public,
        2 => JoinMode::Closed,
        _ => JoinMode::Approval,
    }
}

/// What a head says is set.
pub(crate) fn settings(head: &stored::Head) -> Settings {
    let kind = kind_of(head.kind);
    let Some(row) = &head.settings else {
        return Settings {
            kind,
            ..Settings::default()
        };
    };
    Settings {
        kind,
        open: row.open,
        join: join_of(row.join),
        invitations_need_acceptance: row.invitations_need_acceptance,
        only_admins_invite: row.only_admins_invite,
        muted: row.muted,
        history_visible: row.history_visible,
    }
}

/// The settings as a head has them.
pub(crate) fn settings_row(settings: Settings, bans: u32) -> stored::GroupSettings {
    stored::GroupSettings {
        join: join_number(settings.join),
        invitations_need_acceptance: settings.invitations_need_acceptance,
        only_admins_invite: settings.only_admins_invite,
        muted: settings.muted,
        history_visible: settings.history_visible,
        bans,
        open: settings.open,
    }
}

/// The lowest sequence that a member may read.
pub(crate) fn first_seq(row: &stored::Member) -> u64 {
    match row.first_seq {
        0 => row.joined_seq + 1,
        first_seq => first_seq,
    }
}

/// How a member stands.
pub(crate) fn standing(
    row: &stored::Member,
    info: &stored::GroupInfo,
    settings: &Settings,
) -> Standing {
    let custom = info
        .roles
        .iter()
        .find(|role| !row.custom_role.is_empty() && role.name == row.custom_role)
        .map(|role| Rights(role.rights));
    Standing::new(role_of(row.role), custom, settings)
}

/// What is known of a member who wants to write.
pub(crate) fn speaker(
    row: &stored::Member,
    info: &stored::GroupInfo,
    settings: &Settings,
) -> Speaker {
    Speaker {
        standing: standing(row, info, settings),
        muted_until: Timestamp(row.muted_until),
        exempt: row.exempt,
    }
}

/// The group that its rows describe.
pub(crate) fn group(
    id: &ConversationId,
    head: &stored::Head,
    info: &stored::GroupInfo,
) -> Result<Group, Reject> {
    let Some((kind, id)) = id.members_of() else {
        return Err(Reject::new(
            Code::InvalidRequest,
            "a private conversation is no group",
        ));
    };
    Ok(Group {
        kind,
        id: id.clone(),
        nested_attributes: json::parse_object("attributes", &info.nested_attributes)?,
        updated: Timestamp(head.updated_time),
        last_time: Timestamp(head.last_time),
        unique: head.unique,
        name: head.name.clone(),
        owner: head.owner.clone(),
        member_count: head.member_count,
        created: Timestamp(head.created_time),
        announcement: info.announcement.clone(),
        portrait: info.portrait.clone(),
        attributes: info.attributes.clone(),
        settings: settings(head),
        roles: info
            .roles
            .iter()
            .map(|role| (role.name.clone(), Rights(role.rights)))
            .collect(),
        admins: info.admins.clone(),
    })
}

/// The member that a row describes.
pub(crate) fn member(user: UserId, row: stored::Member, now: Timestamp) -> GroupMember {
    let muted_until = Timestamp(row.muted_until);
    GroupMember {
        user,
        role: role_of(row.role),
        role_name: row.custom_role,
        joined: Timestamp(row.joined_time),
        nickname: row.nickname,
        attributes: row.attributes,
        muted_until: if muted_until > now {
            muted_until
        } else {
            Timestamp(0)
        },
        exempt: row.exempt,
    }
}
