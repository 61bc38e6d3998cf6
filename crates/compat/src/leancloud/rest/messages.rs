//! Sending in a client's name, and changing what was sent.

use anser_domain::message::Mention;
use anser_domain::{ConversationId, MessageId, RoomId, Timestamp, UserId};
use anser_engine::Reply;
use anser_engine::group::By;
use anser_engine::message::{Change, SendMessage, SendOptions, SendResult};
use anser_engine::room::SendRoomMessage;
use axum::Json;
use axum::extract::Path;
use futures::channel::oneshot;
use serde_json::{Value, json};

use super::call::Call;
use super::conversations::{plain, room, system};
use super::failure::{Answer, Failure};
use crate::leancloud::content::{self, Said};
use crate::leancloud::error::{Doing, Kind, Refusal};
use crate::leancloud::ids;

/// Clients that a message is for, or that it mentions.
const CLIENTS_MAX: usize = 20;

/// What a message says: a text, or JSON that becomes one.
pub(super) fn said(call: &Call) -> Result<String, Failure> {
    match call.value("message") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value @ Value::Object(_)) => Ok(value.to_string()),
        _ => Err(Failure::invalid("message is missing, or is no text")),
    }
}

fn mention(call: &Call) -> Result<Option<Mention>, Failure> {
    let users = call.users("mention_client_ids", CLIENTS_MAX)?;
    let all = call.flag("mention_all", false)?;
    Ok((all || !users.is_empty()).then_some(Mention {
        all,
        users,
        overrides_mute: false,
    }))
}

/// Sends, and waits until it is on disk.
pub(super) async fn send(
    call: &Call,
    conversation: ConversationId,
    sender: UserId,
    options: SendOptions,
) -> Result<SendResult, Failure> {
    let (content_type, body) = content::to_engine(Said::Text(&said(call)?));
    let env = &call.door.env;
    let message = SendMessage {
        app: call.app.id,
        sender,
        conversation,
        client_message_id: env.message_id(env.now()).to_string().into(),
        content_type,
        body,
        first_try: Timestamp(0),
        read_up_to: 0,
        session: None,
        options,
    };
    let (reply, result) = oneshot::channel();
    call.door.engine.send(message, Reply::Call(reply));
    let result = result
        .await
        .map_err(|_| Refusal::from(Kind::InternalError))?;
    result.map_err(|reject| Failure::of(reject, Doing::Message))
}

/// What is answered when something was sent.
pub(super) fn sent(id: MessageId, time: Timestamp) -> Value {
    json!({"msg-id": ids::message_id(id), "timestamp": time.0})
}

pub(super) async fn send_plain(Path(id): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let conversation = plain(&call, &id).await?;
    let options = SendOptions {
        transient: call.flag("transient", false)?,
        mention: mention(&call)?,
        by_server: true,
        ..SendOptions::default()
    };
    let result = send(&call, conversation, call.user("from_client")?, options).await?;
    Ok(Json(sent(result.id, result.time)))
}

pub(super) async fn send_in_room(Path(id): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let room = room(&call, &id).await?;
    let sender = call.user("from_client")?;
    Ok(Json(say_in_room(&call, &room, &sender).await?))
}

/// Says something in a chat room, in a client's name.
pub(super) async fn say_in_room(
    call: &Call,
    room: &RoomId,
    sender: &UserId,
) -> Result<Value, Failure> {
    let low = match call.text("priority") {
        None | Some("high" | "normal") => false,
        Some("low") => true,
        Some(_) => return Err(Failure::invalid("priority is high, normal or low")),
    };
    let (content_type, body) = content::to_engine(Said::Text(&said(call)?));
    let env = &call.door.env;
    let message = SendRoomMessage {
        client_message_id: env.message_id(env.now()).to_string(),
        content_type: content_type.into(),
        body,
        low,
    };
    let engine = &call.door.engine;
    let result = engine
        .send_to_room_for(call.app.id, sender, room, message)
        .await
        .map_err(|reject| Failure::of(reject, Doing::Message))?;
    Ok(sent(result.message_id, result.time))
}

/// To chosen subscribers of a service conversation.
pub(super) async fn send_to_subscribers(Path(id): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let targets = call.some_users("to_clients", CLIENTS_MAX)?;
    Ok(Json(speak(&call, &id, targets).await?))
}

/// To all subscribers of a service conversation.
pub(super) async fn broadcast(Path(id): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let mut answer = speak(&call, &id, Vec::new()).await?;
    // Some SDKs look for it one level deeper.
    answer["result"] = answer.clone();
    Ok(Json(answer))
}

pub(super) async fn speak(call: &Call, id: &str, targets: Vec<UserId>) -> Result<Value, Failure> {
    let conversation = ConversationId::System(system(call, id).await?);
    let options = SendOptions {
        transient: call.flag("transient", false)?,
        targets,
        by_server: true,
        ..SendOptions::default()
    };
    let sender = match call.text("from_client") {
        Some(_) => call.user("from_client")?,
        None => call.user("from_peer")?,
    };
    let result = send(call, conversation, sender, options).await?;
    Ok(sent(result.id, result.time))
}

// ───────────── changing ─────────────

/// Where a message stands.
async fn place(
    call: &Call,
    conversation: &ConversationId,
    mid: &str,
) -> Result<(u64, MessageId), Failure> {
    let missing = || Failure::from(Refusal::from(Kind::MessageNotFound));
    let id = ids::parse_message_id(mid).ok_or_else(missing)?;
    let time = call.number("timestamp")?.map_or(id.time(), Timestamp);
    let seq = call
        .door
        .engine
        .seq_of(call.app.id, conversation, time, id)
        .await
        .map_err(|reject| Failure::of(reject, Doing::Patch))?;
    Ok((seq.ok_or_else(missing)?, id))
}

/// Changes a message. Whom it says to be from is checked, if it says so.
pub(super) async fn change(
    call: &Call,
    conversation: &ConversationId,
    mid: &str,
    recall: bool,
) -> Answer {
    call.check_master()?;
    let failed = |reject| Failure::of(reject, Doing::Patch);
    let (engine, app) = (&call.door.engine, call.app.id);
    let (seq, _) = place(call, conversation, mid).await?;
    let found = engine.messages(app, None, conversation, &[seq]).await;
    let found = found.map_err(failed)?.pop();
    let found = found.ok_or_else(|| Refusal::from(Kind::MessageNotFound))?;
    if let Some(from) = call.text("from_client").or_else(|| call.text("from_peer"))
        && *found.sender != *from
    {
        return Err(Refusal::from(Kind::MessageOwnershipRequired).into());
    }
    let change = match recall {
        true => Change::Recall,
        false => {
            let (content_type, body) =
                content::edited(&found.content_type, Said::Text(&said(call)?));
            Change::Edit {
                content_type,
                body,
                mention: mention(call)?,
            }
        }
    };
    let changed = engine.change_message(app, By::Server, conversation, seq, change);
    let changed = changed.await.map_err(failed)?;
    Ok(Json(
        json!({"result": {"patch-timestamp": changed.state.time.0}}),
    ))
}

pub(super) async fn edit_plain(Path((id, mid)): Path<(String, String)>, call: Call) -> Answer {
    let conversation = plain(&call, &id).await?;
    change(&call, &conversation, &mid, false).await
}

pub(super) async fn recall_plain(Path((id, mid)): Path<(String, String)>, call: Call) -> Answer {
    let conversation = plain(&call, &id).await?;
    change(&call, &conversation, &mid, true).await
}

pub(super) async fn delete_plain(Path((id, mid)): Path<(String, String)>, call: Call) -> Answer {
    let conversation = plain(&call, &id).await?;
    drop(change(&call, &conversation, &mid, true).await?);
    Ok(Json(json!({})))
}

pub(super) async fn edit_system(Path((id, mid)): Path<(String, String)>, call: Call) -> Answer {
    let conversation = ConversationId::System(system(&call, &id).await?);
    change(&call, &conversation, &mid, false).await
}

pub(super) async fn recall_system(Path((id, mid)): Path<(String, String)>, call: Call) -> Answer {
    let conversation = ConversationId::System(system(&call, &id).await?);
    change(&call, &conversation, &mid, true).await
}

pub(super) async fn recall_in_room(Path((id, mid)): Path<(String, String)>, call: Call) -> Answer {
    call.check_master()?;
    let room = room(&call, &id).await?;
    let missing = || Failure::from(Refusal::from(Kind::MessageNotFound));
    let mid = ids::parse_message_id(&mid).ok_or_else(missing)?;
    call.door
        .engine
        .recall_in_room(call.app.id, None, &room, mid)
        .await
        .map_err(|reject| Failure::of(reject, Doing::Patch))?;
    Ok(Json(json!({})))
}
