//! The commands about groups.
//!
//! Most are one change of the group ([`change`]) and answer it as it then is; the rest reads, or
//! asks to be let in.

use anser_domain::limits::{GROUP_CHANGE_USERS_MAX, GROUP_MEMBERS_MAX};
use anser_domain::{Code, GroupId, Reject, UserId};
use anser_engine::Engine;
use anser_engine::group::{By, GroupChange, Outside};
use anser_proto::client as wire;
use futures::future::BoxFuture;
use wire::request::Command;
use wire::response::Result as Answer;

use super::command::{Caller, run};
use super::machine::Done;
use crate::native;

/// What a change is answered with.
enum Tell {
    Group,
    Done,
}

/// Begins a command about a group.
pub(super) fn begin(caller: Caller, command: Command) -> Result<BoxFuture<'static, Done>, Reject> {
    let Caller {
        engine, app, user, ..
    } = caller;
    let by = By::User(user.clone());
    match command {
        Command::CreateGroup(create) => {
            let (id, members) = native::new_group(&create)?;
            run(async move {
                let group = engine
                    .create_group(app, by, id, &create.name, &user, &members)
                    .await?;
                Ok(Answer::Group(Box::new(native::group(group))))
            })
        }
        Command::GetGroup(get) => {
            let id = native::group_id(&get.group_id)?;
            run(async move {
                let group = engine.group(app, by, &id).await?;
                Ok(Answer::Group(Box::new(native::group(group))))
            })
        }
        Command::ListGroupMembers(list) => {
            let id = native::group_id(&list.group_id)?;
            let limit = native::member_page_limit(list.limit)?;
            run(async move {
                let page = engine.members(app, by, &id, &list.cursor, limit).await?;
                Ok(Answer::GroupMembers(native::member_page(page)))
            })
        }
        Command::ListGroupBans(_)
        | Command::ListJoinRequests(_)
        | Command::ListGroupInvitations(_) => {
            let (id, list, cursor, limit) = outside(command)?;
            run(async move {
                let page = engine
                    .group_users(app, by, &id, list, &cursor, limit)
                    .await?;
                Ok(Answer::GroupUsers(native::group_user_page(page)))
            })
        }
        Command::JoinGroup(join) => {
            let id = native::group_id(&join.group_id)?;
            run(async move {
                let group = engine.join_group(app, &user, &id, &join.message).await?;
                Ok(Answer::GroupJoined(Box::new(wire::GroupJoined {
                    joined: group.is_some(),
                    group: group.map(native::group),
                })))
            })
        }
        Command::DecideJoinRequests(decide) => {
            let id = native::group_id(&decide.group_id)?;
            let users = native::user_list("users", &decide.users, GROUP_CHANGE_USERS_MAX)?;
            run(async move {
                let group = engine
                    .decide_join_requests(app, by, &id, &users, decide.approve)
                    .await?;
                Ok(Answer::Group(Box::new(native::group(group))))
            })
        }
        command => {
            let (id, change, tell) = change(&engine, &user, command)?;
            run(async move {
                let group = engine.change_group(app, by, &id, change).await?;
                Ok(match tell {
                    Tell::Group => Answer::Group(Box::new(native::group(group))),
                    Tell::Done => Answer::Done(wire::Done {}),
                })
            })
        }
    }
}

/// Which list of users outside of a group is asked for, and which page of it.
fn outside(command: Command) -> Result<(GroupId, Outside, String, usize), Reject> {
    let (group, list, cursor, limit) = match command {
        Command::ListGroupBans(it) => (it.group_id, Outside::Banned, it.cursor, it.limit),
        Command::ListJoinRequests(it) => (it.group_id, Outside::Asking, it.cursor, it.limit),
        Command::ListGroupInvitations(it) => (it.group_id, Outside::Invited, it.cursor, it.limit),
        _ => return Err(Code::Internal.into()),
    };
    let limit = native::member_page_limit(limit)?;
    Ok((native::group_id(&group)?, list, cursor, limit))
}

/// The change that a command asks for.
fn change(
    engine: &Engine,
    user: &UserId,
    command: Command,
) -> Result<(GroupId, GroupChange, Tell), Reject> {
    let (group, change, tell) = match command {
        Command::AddGroupMembers(it) => {
            let users = native::user_list("members", &it.members, GROUP_MEMBERS_MAX)?;
            (it.group_id, GroupChange::Add(users), Tell::Group)
        }
        Command::RemoveGroupMembers(it) => {
            let users = native::user_list("members", &it.members, GROUP_MEMBERS_MAX)?;
            (it.group_id, GroupChange::Remove(users), Tell::Group)
        }
        Command::QuitGroup(it) => (it.group_id, GroupChange::Quit, Tell::Done),
        Command::DismissGroup(it) => (it.group_id, GroupChange::Dismiss, Tell::Done),
        Command::UpdateGroup(it) => {
            let group = it.group_id.clone();
            let update = Box::new(native::group_update(it)?);
            (group, GroupChange::Update(update), Tell::Group)
        }
        Command::TransferGroup(it) => {
            let owner = native::group_user("owner", &it.owner)?;
            (it.group_id, GroupChange::Transfer(owner), Tell::Group)
        }
        Command::SetGroupRole(it) => {
            let role = native::new_role(&it)?;
            let users = native::user_list("members", &it.members, GROUP_CHANGE_USERS_MAX)?;
            let change = GroupChange::SetRole { users, role };
            (it.group_id, change, Tell::Group)
        }
        Command::DefineGroupRole(it) => {
            let group = it.group_id.clone();
            let (name, rights) = native::defined_role(it)?;
            (group, GroupChange::DefineRole { name, rights }, Tell::Group)
        }
        Command::UpdateGroupMember(it) => {
            let group = it.group_id.clone();
            let user = match it.user_id.as_str() {
                "" => user.clone(),
                other => native::group_user("user_id", other)?,
            };
            let update = native::member_update(it);
            let change = GroupChange::UpdateMember { user, update };
            (group, change, Tell::Done)
        }
        Command::MuteGroupMembers(it) => {
            let users = native::user_list("members", &it.members, GROUP_CHANGE_USERS_MAX)?;
            let until = engine.until(native::ban_seconds(it.seconds)?);
            (it.group_id, GroupChange::Mute { users, until }, Tell::Done)
        }
        Command::ExemptGroupMembers(it) => {
            let users = native::user_list("members", &it.members, GROUP_CHANGE_USERS_MAX)?;
            let exempt = it.exempt;
            let change = GroupChange::Exempt { users, exempt };
            (it.group_id, change, Tell::Done)
        }
        Command::BanGroupUsers(it) => {
            let users = native::user_list("users", &it.users, GROUP_CHANGE_USERS_MAX)?;
            let until = engine.until(native::ban_seconds(it.seconds)?);
            (it.group_id, GroupChange::Ban { users, until }, Tell::Done)
        }
        Command::AnswerGroupInvitation(it) => {
            let tell = if it.accept { Tell::Group } else { Tell::Done };
            let change = GroupChange::Answer { accept: it.accept };
            (it.group_id, change, tell)
        }
        _ => return Err(Reject::new(Code::InvalidRequest, "an unknown command")),
    };
    Ok((native::group_id(&group)?, change, tell))
}
