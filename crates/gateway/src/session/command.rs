//! The commands that are waited for: one request, one call of the engine, one answer.

use anser_domain::{AppId, Code, Reject, UserId};
use anser_engine::group::By;
use anser_engine::message::Change;
use anser_engine::session::SessionId;
use anser_engine::{Engine, Env};
use anser_proto::client as wire;
use futures::future::{BoxFuture, FutureExt as _};
use wire::request::Command;
use wire::response::Result as Answer;

use super::machine::Done;
use super::{created, group, own_view, presence, receipt, relation, room, system};
use crate::native;

/// Who asks, and whom.
pub(super) struct Caller {
    pub(super) engine: Engine,
    pub(super) env: Env,
    pub(super) app: AppId,
    pub(super) user: UserId,
    pub(super) session: SessionId,
}

/// Begins a command. What is wrong with it by itself is said at once.
pub(super) fn begin(caller: Caller, command: Command) -> Result<BoxFuture<'static, Done>, Reject> {
    match command {
        Command::Ping(_)
        | Command::Sync(_)
        | Command::PullMessages(_)
        | Command::MarkRead(_)
        | Command::SearchMessages(_)
        | Command::ListConversations(_) => begin_reading(caller, command),
        Command::CreateGroup(_)
        | Command::AddGroupMembers(_)
        | Command::RemoveGroupMembers(_)
        | Command::QuitGroup(_)
        | Command::DismissGroup(_)
        | Command::GetGroup(_)
        | Command::ListGroupMembers(_)
        | Command::UpdateGroup(_)
        | Command::TransferGroup(_)
        | Command::SetGroupRole(_)
        | Command::DefineGroupRole(_)
        | Command::UpdateGroupMember(_)
        | Command::MuteGroupMembers(_)
        | Command::ExemptGroupMembers(_)
        | Command::BanGroupUsers(_)
        | Command::ListGroupBans(_)
        | Command::JoinGroup(_)
        | Command::DecideJoinRequests(_)
        | Command::ListJoinRequests(_)
        | Command::AnswerGroupInvitation(_)
        | Command::ListGroupInvitations(_) => group::begin(caller, command),
        Command::CreateConversation(_)
        | Command::ChangeConversation(_)
        | Command::GetCreatedConversation(_)
        | Command::QueryConversations(_)
        | Command::ListConversationMembers(_)
        | Command::ListConversationBlocks(_) => created::begin(caller, command),
        Command::UpdateConversation(_)
        | Command::DeleteConversation(_)
        | Command::ClearHistory(_)
        | Command::DeleteMessages(_)
        | Command::PullDeleted(_)
        | Command::ListMentions(_) => own_view::begin(caller, command),
        Command::AcknowledgeMessages(_)
        | Command::MarkDelivered(_)
        | Command::GetReceipts(_)
        | Command::ListReaders(_) => receipt::begin(caller, command),
        Command::SetPresenceStatus(_)
        | Command::SubscribePresence(_)
        | Command::GetPresence(_)
        | Command::ListPresenceSubscriptions(_) => presence::begin(caller, command),
        Command::Subscribe(_) | Command::Unsubscribe(_) | Command::GetSystemConversation(_) => {
            system::begin(caller, command)
        }
        Command::UpdateRelations(_) | Command::ListRelations(_) => relation::begin(caller, command),
        Command::JoinRoom(_)
        | Command::LeaveRoom(_)
        | Command::SendRoomMessage(_)
        | Command::RecallRoomMessage(_)
        | Command::GetRoom(_)
        | Command::ListRoomMembers(_)
        | Command::SetRoomAttributes(_)
        | Command::GetRoomAttributes(_)
        | Command::ModerateRoom(_)
        | Command::PullRoomMessages(_) => room::begin(caller, command),
        Command::RecallMessage(_)
        | Command::EditMessage(_)
        | Command::UpdateExpansion(_)
        | Command::React(_) => begin_change(caller, command),
        Command::PullChanges(_) | Command::GetMessages(_) => begin_reading_changes(caller, command),
        Command::Hello(_) | Command::SendMessage(_) | Command::SetWill(_) | Command::Logout(_) => {
            Err(Reject::new(
                Code::Internal,
                "a command of the session machine's own",
            ))
        }
    }
}

pub(super) fn run(
    command: impl Future<Output = Result<Answer, Reject>> + Send + 'static,
) -> Result<BoxFuture<'static, Done>, Reject> {
    Ok(command.map(Done::Answer).boxed())
}

fn begin_reading(caller: Caller, command: Command) -> Result<BoxFuture<'static, Done>, Reject> {
    let Caller {
        engine,
        env,
        app,
        user,
        session,
    } = caller;
    match command {
        Command::Ping(_) => run(async move {
            let feed_version = engine.feed_version(app, &user).await?;
            Ok(Answer::Pong(wire::Pong {
                server_time: env.now().0,
                feed_version,
            }))
        }),
        Command::Sync(sync) => {
            let request = native::sync(session, sync)?;
            run(async move {
                let result = engine.sync(app, &user, request).await?;
                Ok(Answer::Sync(native::sync_result(result)))
            })
        }
        Command::PullMessages(pull) => {
            let (conversation, page) = native::pull(&pull)?;
            run(async move {
                let page = engine.pull(app, Some(&user), &conversation, page).await?;
                Ok(Answer::Messages(native::message_page(&page)))
            })
        }
        Command::SearchMessages(search) => {
            let request = native::search(search)?;
            run(async move {
                let page = engine.search(app, Some(&user), &request).await?;
                Ok(Answer::SearchPage(native::search_page(&page)))
            })
        }
        Command::MarkRead(mark) => {
            let conversation = native::conversation_id(&mark.conversation)?;
            run(async move {
                let read = engine
                    .mark_read(app, &user, &conversation, mark.seq)
                    .await?;
                Ok(Answer::MarkRead(wire::MarkReadResult {
                    read_seq: read.read_seq,
                    unread: read.unread,
                    unread_mentions: read.unread_mentions,
                }))
            })
        }
        Command::ListConversations(list) => {
            let limit = native::list_conversations(&list)?;
            run(async move {
                let page = engine
                    .conversations(app, &user, &list.cursor, limit)
                    .await?;
                Ok(Answer::Conversations(native::conversation_page(page)))
            })
        }
        _ => Err(Code::Internal.into()),
    }
}

fn begin_change(caller: Caller, command: Command) -> Result<BoxFuture<'static, Done>, Reject> {
    let (conversation, seq, change) = match command {
        Command::RecallMessage(recall) => {
            let conversation = native::conversation_id(&recall.conversation)?;
            (conversation, recall.seq, Change::Recall)
        }
        Command::EditMessage(edit) => native::edit(edit)?,
        Command::UpdateExpansion(update) => native::expand(update)?,
        Command::React(react) => native::react(react)?,
        _ => return Err(Code::Internal.into()),
    };
    let Caller {
        engine, app, user, ..
    } = caller;
    run(async move {
        let changed = engine
            .change_message(app, By::User(user), &conversation, seq, change)
            .await?;
        Ok(Answer::MessageChanged(native::message_changed(&changed)))
    })
}

fn begin_reading_changes(
    caller: Caller,
    command: Command,
) -> Result<BoxFuture<'static, Done>, Reject> {
    let Caller {
        engine, app, user, ..
    } = caller;
    match command {
        Command::PullChanges(pull) => {
            let (conversation, from_rev, limit) = native::pull_changes(&pull)?;
            run(async move {
                let page = engine
                    .pull_changes(app, Some(&user), &conversation, from_rev, limit)
                    .await?;
                Ok(Answer::Changes(native::change_page(&page)))
            })
        }
        Command::GetMessages(get) => {
            let conversation = native::conversation_id(&get.conversation)?;
            run(async move {
                let messages = engine
                    .messages(app, Some(&user), &conversation, &get.seqs)
                    .await?;
                Ok(Answer::MessageList(native::message_list(&messages)))
            })
        }
        _ => Err(Code::Internal.into()),
    }
}
