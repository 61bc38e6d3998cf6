//! Requests about groups on the wire, and the answers to them.

use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;

use super::api::{GroupRequest, Reply};
use super::commands::unexpected;
use crate::error::Error;
use crate::model::{GroupMemberUpdate, GroupRole, GroupUpdate};

/// Does repeating it change nothing?
pub(super) fn repeatable(request: &GroupRequest) -> bool {
    match request {
        // The second time it is another's, there is a request, or there is no invitation.
        GroupRequest::Transfer { .. }
        | GroupRequest::Join { .. }
        | GroupRequest::AnswerInvitation { .. } => false,
        _ => true,
    }
}

/// The request on the wire.
pub(super) fn encode(request: GroupRequest) -> Option<Command> {
    Some(match request {
        GroupRequest::Update { group_id, update } => {
            Command::UpdateGroup(update_group(group_id, update))
        }
        GroupRequest::Transfer { group_id, owner } => {
            Command::TransferGroup(wire::TransferGroup { group_id, owner })
        }
        GroupRequest::SetRole {
            group_id,
            members,
            role,
            role_name,
        } => Command::SetGroupRole(wire::SetGroupRole {
            group_id,
            members,
            role: wire::GroupRole::from(role).into(),
            role_name,
        }),
        GroupRequest::DefineRole {
            group_id,
            role,
            remove,
        } => Command::DefineGroupRole(wire::DefineGroupRole {
            group_id,
            role: Some(wire::DefinedRole {
                name: role.name,
                rights: role.rights,
            }),
            remove,
        }),
        GroupRequest::UpdateMember { group_id, update } => {
            Command::UpdateGroupMember(update_member(group_id, update))
        }
        GroupRequest::Mute {
            group_id,
            members,
            seconds,
        } => Command::MuteGroupMembers(wire::MuteGroupMembers {
            group_id,
            members,
            seconds,
        }),
        GroupRequest::Exempt {
            group_id,
            members,
            exempt,
        } => Command::ExemptGroupMembers(wire::ExemptGroupMembers {
            group_id,
            members,
            exempt,
        }),
        GroupRequest::Ban {
            group_id,
            users,
            seconds,
        } => Command::BanGroupUsers(wire::BanGroupUsers {
            group_id,
            users,
            seconds,
        }),
        other => return encode_way_in(other),
    })
}

/// Who is outside, and how they come in.
fn encode_way_in(request: GroupRequest) -> Option<Command> {
    Some(match request {
        GroupRequest::ListJoinRequests {
            group_id,
            cursor,
            limit,
        } => Command::ListJoinRequests(wire::ListJoinRequests {
            group_id,
            cursor,
            limit,
        }),
        GroupRequest::ListInvitations {
            group_id,
            cursor,
            limit,
        } => Command::ListGroupInvitations(wire::ListGroupInvitations {
            group_id,
            cursor,
            limit,
        }),
        GroupRequest::Join { group_id, message } => {
            Command::JoinGroup(wire::JoinGroup { group_id, message })
        }
        GroupRequest::Decide {
            group_id,
            users,
            approve,
        } => Command::DecideJoinRequests(wire::DecideJoinRequests {
            group_id,
            users,
            approve,
        }),
        GroupRequest::AnswerInvitation { group_id, accept } => {
            Command::AnswerGroupInvitation(wire::AnswerGroupInvitation { group_id, accept })
        }
        GroupRequest::ListBans {
            group_id,
            cursor,
            limit,
        } => Command::ListGroupBans(wire::ListGroupBans {
            group_id,
            cursor,
            limit,
        }),
        _ => return None,
    })
}

fn update_group(group_id: String, update: GroupUpdate) -> wire::UpdateGroup {
    wire::UpdateGroup {
        group_id,
        name: update.name,
        announcement: update.announcement,
        portrait: update.portrait,
        put_attributes: update.put_attributes.into_iter().collect(),
        remove_attributes: update.remove_attributes,
        join: wire::JoinMode::from(update.join.unwrap_or_default()).into(),
        invitations_need_acceptance: update.invitations_need_acceptance,
        only_admins_invite: update.only_admins_invite,
        muted: update.muted,
        history_visible: update.history_visible,
    }
}

fn update_member(group_id: String, update: GroupMemberUpdate) -> wire::UpdateGroupMember {
    wire::UpdateGroupMember {
        group_id,
        user_id: update.user_id,
        nickname: update.nickname,
        put_attributes: update.put_attributes.into_iter().collect(),
        remove_attributes: update.remove_attributes,
    }
}

/// The answer for the application.
pub(super) fn decode(request: &GroupRequest, answer: Answer) -> Result<Reply, Error> {
    match (request, answer) {
        (GroupRequest::Join { .. }, Answer::GroupJoined(joined)) => {
            Ok(Reply::Joined(joined.group.map(Into::into)))
        }
        (
            GroupRequest::ListBans { .. }
            | GroupRequest::ListJoinRequests { .. }
            | GroupRequest::ListInvitations { .. },
            Answer::GroupUsers(page),
        ) => Ok(Reply::GroupUsers(page.into())),
        (
            GroupRequest::UpdateMember { .. }
            | GroupRequest::Mute { .. }
            | GroupRequest::Exempt { .. }
            | GroupRequest::Ban { .. },
            Answer::Done(_),
        )
        | (GroupRequest::AnswerInvitation { accept: false, .. }, Answer::Done(_)) => {
            Ok(Reply::Done)
        }
        (
            GroupRequest::Update { .. }
            | GroupRequest::Transfer { .. }
            | GroupRequest::SetRole { .. }
            | GroupRequest::DefineRole { .. }
            | GroupRequest::Decide { .. }
            | GroupRequest::AnswerInvitation { accept: true, .. },
            Answer::Group(group),
        ) => Ok(Reply::Group((*group).into())),
        _ => Err(unexpected()),
    }
}

/// Refuses a role that nobody can be given.
pub(super) fn check(request: &GroupRequest) -> Result<(), Error> {
    match request {
        GroupRequest::SetRole { role, .. } => check_role(*role),
        _ => Ok(()),
    }
}

/// Refuses a role that nobody can be given.
pub(super) fn check_role(role: GroupRole) -> Result<(), Error> {
    match role {
        GroupRole::Member | GroupRole::Admin => Ok(()),
        GroupRole::Owner | GroupRole::Other => Err(Error::new(
            anser_domain::code::Code::InvalidRequest,
            "a member or an admin; it is handed over by a transfer",
        )),
    }
}
