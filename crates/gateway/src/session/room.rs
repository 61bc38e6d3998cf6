//! The commands about chat rooms.

use anser_domain::{Code, Reject};
use anser_proto::client as wire;
use futures::future::BoxFuture;
use wire::request::Command;
use wire::response::Result as Answer;

use super::command::{Caller, run};
use super::machine::Done;
use crate::native;

/// Begins a command about a chat room.
pub(super) fn begin(caller: Caller, command: Command) -> Result<BoxFuture<'static, Done>, Reject> {
    match command {
        Command::JoinRoom(_)
        | Command::LeaveRoom(_)
        | Command::SendRoomMessage(_)
        | Command::RecallRoomMessage(_)
        | Command::PullRoomMessages(_) => begin_being_there(caller, command),
        _ => begin_looking_after(caller, command),
    }
}

/// Coming, going, and what is said.
fn begin_being_there(caller: Caller, command: Command) -> Result<BoxFuture<'static, Done>, Reject> {
    let Caller {
        engine,
        app,
        user,
        session,
        ..
    } = caller;
    match command {
        Command::JoinRoom(join) => {
            let room = native::room_id(&join.room)?;
            let join = native::join_room(&join);
            run(async move {
                let entered = engine.join_room(session, app, &user, &room, join).await?;
                Ok(Answer::RoomJoined(native::room_joined(entered)))
            })
        }
        Command::LeaveRoom(leave) => {
            let room = native::room_id(&leave.room)?;
            run(async move {
                engine.leave_room(session, app, &user, &room).await;
                Ok(Answer::Done(wire::Done {}))
            })
        }
        Command::SendRoomMessage(send) => {
            let room = native::room_id(&send.room)?;
            let tell_dropped = send.tell_dropped;
            let message = native::send_to_room(send)?;
            run(async move {
                let sent = engine
                    .send_to_room(app, Some(&user), &room, message)
                    .await?;
                let sent = native::room_message_sent(&sent, tell_dropped);
                Ok(Answer::RoomMessageSent(sent))
            })
        }
        Command::RecallRoomMessage(recall) => {
            let room = native::room_id(&recall.room)?;
            let id = native::message_id("message_id", &recall.message_id)?;
            run(async move {
                engine.recall_in_room(app, Some(&user), &room, id).await?;
                Ok(Answer::Done(wire::Done {}))
            })
        }
        Command::PullRoomMessages(pull) => {
            let room = native::room_id(&pull.room)?;
            let from = match pull.from_message_id.as_str() {
                "" => None,
                id => Some(native::message_id("from_message_id", id)?),
            };
            run(async move {
                let limit = usize::try_from(pull.limit).unwrap_or(usize::MAX);
                let page = engine
                    .room_messages(app, Some(&user), &room, from, pull.forward, limit)
                    .await?;
                Ok(Answer::RoomMessages(native::room_message_page(&page)))
            })
        }
        _ => Err(Code::Internal.into()),
    }
}

/// The room itself: who is in it, what stands there, who may what.
fn begin_looking_after(
    caller: Caller,
    command: Command,
) -> Result<BoxFuture<'static, Done>, Reject> {
    let Caller {
        engine, app, user, ..
    } = caller;
    match command {
        Command::GetRoom(get) => {
            let room = native::room_id(&get.room)?;
            run(async move {
                let view = engine.room(app, Some(&user), &room).await?;
                Ok(Answer::Room(native::room(view)))
            })
        }
        Command::ListRoomMembers(list) => {
            let room = native::room_id(&list.room)?;
            let limit = native::room_members_limit(list.limit)?;
            run(async move {
                let page = engine
                    .room_members(app, &room, list.newest_first, &list.cursor, limit)
                    .await?;
                Ok(Answer::RoomMembers(native::room_member_page(page)))
            })
        }
        Command::SetRoomAttributes(set) => {
            let room = native::room_id(&set.room)?;
            let changes = native::room_attribute_changes(set.changes);
            run(async move {
                engine
                    .change_room_attributes(app, &user, &room, &changes, set.force)
                    .await?;
                let keys: Vec<String> = changes.into_iter().map(|it| it.key).collect();
                let (all, after) = engine.room_attributes(app, &room, &keys, "").await?;
                Ok(Answer::RoomAttributes(native::room_attribute_list(
                    &all, after,
                )))
            })
        }
        Command::GetRoomAttributes(get) => {
            let room = native::room_id(&get.room)?;
            run(async move {
                let (all, after) = engine
                    .room_attributes(app, &room, &get.keys, &get.after)
                    .await?;
                Ok(Answer::RoomAttributes(native::room_attribute_list(
                    &all, after,
                )))
            })
        }
        Command::ModerateRoom(moderate) => {
            let room = native::room_id(&moderate.room)?;
            let (what, telling) = native::moderation(moderate)?;
            run(async move {
                engine
                    .moderate_room(app, Some(&user), &room, &what, &telling)
                    .await?;
                Ok(Answer::Done(wire::Done {}))
            })
        }
        _ => Err(Code::Internal.into()),
    }
}
