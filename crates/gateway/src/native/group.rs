//! Groups and their members.

use anser_domain::attributes::PathChange;
use anser_domain::group::info::{AttributeChange, SettingsChange};
use anser_domain::group::role::NewRole;
use anser_domain::group::{JoinMode, Rights, Role, Settings};
use anser_domain::limits::{
    BAN_SECONDS_MAX, GROUP_MEMBERS_MAX, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX,
};
use anser_domain::{Code, GroupId, Reject, UserId};
use anser_engine::conversation::Invitation;
use anser_engine::group::{
    Group, GroupMemberPage, GroupUpdate, GroupUserPage, JoinRequest, MemberUpdate,
};
use anser_proto::client as wire;

use super::{bad_id, page_limit, user_list};

/// The id of a group, checked.
pub(crate) fn group_id(text: &str) -> Result<GroupId, Reject> {
    GroupId::new(text).map_err(|why| bad_id("group_id", why))
}

/// The id of a user, checked; `field` names it in the refusal.
pub(crate) fn group_user(field: &str, text: &str) -> Result<UserId, Reject> {
    UserId::new(text).map_err(|why| bad_id(field, why))
}

/// The id (none: the server's choice) and the first members of a new group.
pub(crate) fn new_group(
    create: &wire::CreateGroup,
) -> Result<(Option<GroupId>, Vec<UserId>), Reject> {
    let id = match create.group_id.as_str() {
        "" => None,
        id => Some(group_id(id)?),
    };
    let members = user_list("members", &create.members, GROUP_MEMBERS_MAX)?;
    Ok((id, members))
}

/// How many members, or users outside of a group, are asked for.
pub(crate) fn member_page_limit(limit: u32) -> Result<usize, Reject> {
    page_limit(limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)
}

/// Seconds of a mute or a ban, checked.
pub(crate) fn ban_seconds(seconds: u64) -> Result<u64, Reject> {
    if seconds > BAN_SECONDS_MAX {
        let message = format!("seconds is above {BAN_SECONDS_MAX}");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    Ok(seconds)
}

/// What an update changes.
pub(crate) fn group_update(update: wire::UpdateGroup) -> Result<GroupUpdate, Reject> {
    let join = match wire::JoinMode::try_from(update.join) {
        Ok(wire::JoinMode::Unspecified) => None,
        Ok(wire::JoinMode::Approval) => Some(JoinMode::Approval),
        Ok(wire::JoinMode::Public) => Some(JoinMode::Public),
        Ok(wire::JoinMode::Closed) => Some(JoinMode::Closed),
        Err(_) => {
            let message = "join is none of those that exist";
            return Err(Reject::new(Code::InvalidRequest, message));
        }
    };
    Ok(GroupUpdate {
        name: update.name,
        announcement: update.announcement,
        portrait: update.portrait,
        attributes: AttributeChange {
            put: update.put_attributes,
            remove: update.remove_attributes,
        },
        settings: SettingsChange {
            join,
            invitations_need_acceptance: update.invitations_need_acceptance,
            only_admins_invite: update.only_admins_invite,
            muted: update.muted,
            history_visible: update.history_visible,
            open: None,
        },
        nested_attributes: PathChange::default(),
    })
}

/// What an update changes of a member.
pub(crate) fn member_update(update: wire::UpdateGroupMember) -> MemberUpdate {
    MemberUpdate {
        nickname: update.nickname,
        attributes: AttributeChange {
            put: update.put_attributes,
            remove: update.remove_attributes,
        },
    }
}

/// The role to give.
pub(crate) fn new_role(set: &wire::SetGroupRole) -> Result<NewRole, Reject> {
    let refuse = |message| Err(Reject::new(Code::InvalidRequest, message));
    match (set.role(), set.role_name.as_str()) {
        (wire::GroupRole::Member, "") => Ok(NewRole::Member),
        (wire::GroupRole::Member, name) => Ok(NewRole::Custom(name.to_owned())),
        (wire::GroupRole::Admin, "") => Ok(NewRole::Admin),
        (wire::GroupRole::Admin, _) => refuse("an admin has no role besides"),
        (wire::GroupRole::Owner, _) => refuse("TransferGroup makes an owner"),
        (wire::GroupRole::Unspecified, _) => refuse("role is missing"),
    }
}

/// The name and the rights (none: it is removed) of a role to define.
pub(crate) fn defined_role(
    define: wire::DefineGroupRole,
) -> Result<(String, Option<Rights>), Reject> {
    let role = define.role.unwrap_or_default();
    let rights = if define.remove {
        None
    } else {
        Some(Rights::parse(role.rights.iter().map(String::as_str))?)
    };
    Ok((role.name, rights))
}

fn settings(settings: Settings) -> wire::GroupSettings {
    let join = match settings.join {
        JoinMode::Approval => wire::JoinMode::Approval,
        JoinMode::Public => wire::JoinMode::Public,
        JoinMode::Closed => wire::JoinMode::Closed,
    };
    wire::GroupSettings {
        join: join.into(),
        invitations_need_acceptance: settings.invitations_need_acceptance,
        only_admins_invite: settings.only_admins_invite,
        muted: settings.muted,
        history_visible: settings.history_visible,
    }
}

/// A group.
pub(crate) fn group(group: Group) -> wire::Group {
    let roles = group.roles.into_iter();
    wire::Group {
        group_id: group.id.as_str().to_owned(),
        name: group.name,
        owner: group.owner,
        member_count: group.member_count,
        created_time: group.created.0,
        announcement: group.announcement,
        portrait: group.portrait,
        attributes: group.attributes,
        settings: Some(settings(group.settings)),
        roles: roles
            .map(|(name, rights)| wire::DefinedRole {
                name,
                rights: rights.names().map(str::to_owned).collect(),
            })
            .collect(),
        admins: group.admins,
    }
}

/// A page of members.
pub(crate) fn member_page(page: GroupMemberPage) -> wire::GroupMemberPage {
    let members = page.members.into_iter().map(|member| wire::GroupMember {
        user_id: member.user.as_str().to_owned(),
        role: match member.role {
            Role::Member => wire::GroupRole::Member,
            Role::Admin => wire::GroupRole::Admin,
            Role::Owner => wire::GroupRole::Owner,
        }
        .into(),
        joined_time: member.joined.0,
        role_name: member.role_name,
        nickname: member.nickname,
        attributes: member.attributes,
        muted_until: member.muted_until.0,
        exempt: member.exempt,
    });
    wire::GroupMemberPage {
        members: members.collect(),
        cursor: page.cursor,
    }
}

/// A page of users outside of a group.
pub(crate) fn group_user_page(page: GroupUserPage) -> wire::GroupUserPage {
    let users = page.users.into_iter().map(|user| wire::GroupUser {
        user_id: user.user.as_str().to_owned(),
        time: user.time.0,
        operator: user.operator,
        until: user.until.0,
        message: user.message,
    });
    wire::GroupUserPage {
        users: users.collect(),
        cursor: page.cursor,
    }
}

/// A request to join, or its rejection.
pub(super) fn join_request(request: &JoinRequest) -> wire::JoinRequestPush {
    wire::JoinRequestPush {
        group_id: request.group.as_str().to_owned(),
        user_id: request.user.as_str().to_owned(),
        time: request.time.0,
        message: request.message.clone(),
        rejected_by: request.rejected_by.clone(),
    }
}

/// An invitation in the list.
pub(super) fn invitation(invitation: &Invitation) -> wire::GroupInvitation {
    wire::GroupInvitation {
        operator: invitation.operator.clone(),
        time: invitation.time.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_group_id_is_the_servers_choice_and_a_bad_one_is_named() {
        let create = |id: &str| wire::CreateGroup {
            group_id: id.into(),
            ..Default::default()
        };
        assert_eq!(new_group(&create("")).unwrap().0, None);
        assert!(new_group(&create("g1")).unwrap().0.is_some());
        assert_eq!(
            new_group(&create("a\nb")).unwrap_err().message,
            "group_id has a control character, or white space at an end"
        );
    }

    #[test]
    fn who_may_join_is_said_by_a_number_that_exists() {
        let update = |join| {
            group_update(wire::UpdateGroup {
                join,
                ..Default::default()
            })
            .map(|update| update.settings.join)
            .map_err(|reject| reject.code)
        };
        assert_eq!(update(0), Ok(None));
        let closed = wire::JoinMode::Closed.into();
        assert_eq!(update(closed), Ok(Some(JoinMode::Closed)));
        for unknown in [4, -1] {
            assert_eq!(update(unknown), Err(Code::InvalidRequest));
        }
    }

    #[test]
    fn a_role_is_said_in_one_way() {
        let set = |role: wire::GroupRole, name: &str| {
            new_role(&wire::SetGroupRole {
                role: role.into(),
                role_name: name.to_owned(),
                ..Default::default()
            })
            .map_err(|reject| reject.code)
        };
        assert_eq!(set(wire::GroupRole::Admin, ""), Ok(NewRole::Admin));
        assert_eq!(set(wire::GroupRole::Member, ""), Ok(NewRole::Member));
        assert_eq!(
            set(wire::GroupRole::Member, "scribe"),
            Ok(NewRole::Custom("scribe".into()))
        );
        for (role, name) in [
            (wire::GroupRole::Unspecified, ""),
            (wire::GroupRole::Owner, ""),
            (wire::GroupRole::Admin, "scribe"),
        ] {
            assert_eq!(set(role, name), Err(Code::InvalidRequest));
        }
    }
}
