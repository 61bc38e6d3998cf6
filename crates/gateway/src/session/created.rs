//! The commands about conversations that users create.

use anser_domain::limits::{GROUP_CHANGE_USERS_MAX, GROUP_MEMBERS_MAX};
use anser_domain::{Code, Reject};
use anser_engine::Engine;
use anser_engine::group::{By, GroupChange, Members};
use anser_proto::client as wire;
use futures::future::BoxFuture;
use wire::change_conversation::Change;
use wire::request::Command;
use wire::response::Result as Answer;

use super::command::{Caller, run};
use super::machine::Done;
use crate::native;

/// Begins a command about created conversations.
pub(super) fn begin(caller: Caller, command: Command) -> Result<BoxFuture<'static, Done>, Reject> {
    let Caller {
        engine, app, user, ..
    } = caller;
    let by = By::User(user.clone());
    match command {
        Command::CreateConversation(create) => {
            let new = native::new_conversation(&user, create)?;
            run(async move {
                let created = engine.create_conversation(app, by, new).await?;
                Ok(Answer::CreatedConversation(Box::new(native::creation(
                    created,
                ))))
            })
        }
        Command::ChangeConversation(it) => {
            let id = native::conversation_id(&it.conversation)?;
            let change = it
                .change
                .ok_or_else(|| Reject::new(Code::InvalidRequest, "change is missing"))?;
            let change = self::change(&engine, change)?;
            let over = matches!(change, GroupChange::Quit | GroupChange::Dismiss);
            run(async move {
                let created = engine.change_created(app, by, &id, change).await?;
                Ok(match over {
                    true => Answer::Done(wire::Done {}),
                    false => answer(created),
                })
            })
        }
        Command::QueryConversations(it) => {
            let query = native::query(&user, &it)?;
            run(async move {
                let found = engine.query_conversations(app, query).await?;
                Ok(Answer::ConversationsFound(native::found(found)))
            })
        }
        Command::GetCreatedConversation(get) => {
            let id = native::conversation_id(&get.conversation)?;
            run(async move { Ok(answer(engine.created(app, by, &id).await?)) })
        }
        Command::ListConversationMembers(list) => {
            let id = native::conversation_id(&list.conversation)?;
            let limit = native::member_page_limit(list.limit)?;
            let which = if list.muted {
                Members::Muted
            } else {
                Members::All
            };
            run(async move {
                let page = engine
                    .created_members(app, by, &id, which, &list.cursor, limit)
                    .await?;
                Ok(Answer::GroupMembers(native::member_page(page)))
            })
        }
        Command::ListConversationBlocks(list) => {
            let id = native::conversation_id(&list.conversation)?;
            let limit = native::member_page_limit(list.limit)?;
            run(async move {
                let page = engine
                    .created_blocks(app, by, &id, &list.cursor, limit)
                    .await?;
                Ok(Answer::GroupUsers(native::group_user_page(page)))
            })
        }
        _ => Err(Code::Internal.into()),
    }
}

fn answer(created: anser_engine::group::Group) -> Answer {
    Answer::CreatedConversation(Box::new(native::created(created)))
}

/// The change that is asked for.
fn change(engine: &Engine, change: Change) -> Result<GroupChange, Reject> {
    Ok(match change {
        Change::Invite(it) => {
            GroupChange::Add(native::user_list("users", &it.users, GROUP_MEMBERS_MAX)?)
        }
        Change::Remove(it) => {
            GroupChange::Remove(native::user_list("users", &it.users, GROUP_MEMBERS_MAX)?)
        }
        Change::Leave(_) => GroupChange::Quit,
        Change::Join(_) => GroupChange::Join,
        Change::Update(it) => GroupChange::Update(Box::new(native::created_update(it)?)),
        Change::SetRole(it) => GroupChange::SetRole {
            role: native::conversation_role(&it)?,
            users: native::user_list("users", &it.users, GROUP_CHANGE_USERS_MAX)?,
        },
        Change::Mute(it) => GroupChange::Mute {
            users: native::user_list("users", &it.users, GROUP_CHANGE_USERS_MAX)?,
            until: engine.until(native::ban_seconds(it.seconds)?),
        },
        Change::Block(it) => GroupChange::Ban {
            users: native::user_list("users", &it.users, GROUP_CHANGE_USERS_MAX)?,
            until: engine.until(native::ban_seconds(it.seconds)?),
        },
        Change::Dismiss(_) => GroupChange::Dismiss,
        Change::Transfer(to) => GroupChange::Transfer(native::group_user("transfer", &to)?),
    })
}
