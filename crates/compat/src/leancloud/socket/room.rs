//! Chat rooms, which clients know as transient conversations.

use anser_domain::{Code, Reject, RoomId, UserId};
use anser_engine::room::{JoinRoom, NewRoom, RoomUpdate, SendRoomMessage};

use super::caller::Caller;
use super::event::millis;
use super::message;
use crate::leancloud::error::{Doing, Kind, Refusal};
use crate::leancloud::rows::NewColumns;
use crate::leancloud::wire::{AckCommand, CommandType, DirectCommand, GenericCommand, LogItem};
use crate::leancloud::{content, ids};

/// The priority of what may be dropped first.
const LOW: i32 = 3;

fn failed(reject: Reject) -> Refusal {
    Refusal::of(reject, Doing::Conversation)
}

/// Makes a chat room, with its creator in it. When it was made, in milliseconds.
pub(super) async fn create(
    caller: &Caller,
    id: &str,
    columns: &NewColumns,
) -> Result<anser_domain::Timestamp, Refusal> {
    let room = ids::room(id).ok_or(Kind::ConversationApiFailed)?;
    let (engine, app) = (caller.engine(), caller.app_id());
    let new = NewRoom {
        settings: RoomUpdate {
            name: Some(columns.name.clone()),
            kept_alive: Some(true),
            ..RoomUpdate::default()
        },
        attributes: columns.of_room(Some(caller.user.as_str())),
        ..NewRoom::default()
    };
    let made = engine.create_room(app, &room, new).await.map_err(failed)?;
    join(caller, &room).await?;
    Ok(made.created)
}

/// The client goes in.
pub(super) async fn join(caller: &Caller, room: &RoomId) -> Result<(), Refusal> {
    let (engine, app) = (caller.engine(), caller.app_id());
    let join = JoinRoom::default();
    let joined = engine.join_room(caller.session, app, &caller.user, room, join);
    joined.await.map_err(failed)?;
    caller.sink.in_room(room, true);
    Ok(())
}

/// The client goes out.
pub(super) async fn leave(caller: &Caller, room: &RoomId) {
    let app = caller.app_id();
    let leave = caller
        .engine()
        .leave_room(caller.session, app, &caller.user, room);
    leave.await;
    caller.sink.in_room(room, false);
}

/// How many users are in it.
pub(super) async fn count(caller: &Caller, room: &RoomId) -> Result<u32, Refusal> {
    let view = caller.engine().room(caller.app_id(), None, room).await;
    Ok(view.map_err(failed)?.member_count)
}

/// Some who are in it.
pub(super) async fn members(
    caller: &Caller,
    room: &RoomId,
    limit: u32,
) -> Result<Vec<UserId>, Refusal> {
    let page = caller
        .engine()
        .room_members(caller.app_id(), room, false, "", limit)
        .await
        .map_err(failed)?;
    Ok(page.members.into_iter().map(|(user, _)| user).collect())
}

/// Says something in a room. The answer is an ack.
pub(super) async fn send(
    caller: Caller,
    room: RoomId,
    direct: DirectCommand,
    priority: i32,
) -> GenericCommand {
    let (env, app) = (&caller.door.env, caller.app_id());
    let (content_type, body) = message::said(direct.msg.as_deref(), direct.binary_msg.as_ref());
    let said = SendRoomMessage {
        client_message_id: match direct.dt {
            Some(key) if !key.is_empty() => key,
            _ => env.message_id(env.now()).to_string(),
        },
        content_type: content_type.into(),
        body,
        low: priority >= LOW,
    };
    let engine = caller.engine();
    let mut sent = engine.send_to_room(app, Some(&caller.user), &room, said.clone());
    let mut result = sent.await;
    if result
        .as_ref()
        .is_err_and(|reject| reject.code == Code::NotInRoom)
    {
        // Anybody may speak; who is not in comes in by that.
        if let Err(refusal) = join(&caller, &room).await {
            return message::refused(&refusal);
        }
        sent = engine.send_to_room(app, Some(&caller.user), &room, said);
        result = sent.await;
    }
    match result {
        Ok(sent) => GenericCommand {
            ack_message: Some(AckCommand {
                uid: Some(ids::message_id(sent.message_id)),
                t: Some(millis(sent.time)),
                cid: Some(room.as_str().to_owned()),
                ..AckCommand::default()
            }),
            ..super::caller::answer(CommandType::Ack, None)
        },
        Err(reject) => message::refused(&Refusal::of(reject, Doing::Message)),
    }
}

/// The newest messages of a room that keeps them, the oldest first.
pub(super) async fn logs(caller: &Caller, cid: &str, limit: usize) -> Result<Vec<LogItem>, Reject> {
    let room = ids::room(cid).ok_or(Code::NotFound)?;
    let page = caller
        .engine()
        .room_messages(caller.app_id(), None, &room, None, false, limit)
        .await?;
    let mut items: Vec<LogItem> = page
        .messages
        .iter()
        .filter_map(|message| {
            let content = content::of(&message.content_type, &message.body, message.recalled)?;
            Some(LogItem {
                from: message.sender.as_ref().map(ToString::to_string),
                data: Some(content.data),
                timestamp: Some(millis(message.time)),
                msg_id: Some(ids::message_id(message.message_id)),
                bin: content.bin.then_some(true),
                ..LogItem::default()
            })
        })
        .collect();
    items.sort_by_key(|item| item.timestamp);
    Ok(items)
}
