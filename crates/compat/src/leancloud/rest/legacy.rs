//! Version 1.1 of the API for back ends.
//!
//! The same as 1.2 under other names: `conv_id` and `from_peer` in the arguments instead of the
//! path, and messages are transient unless it is said otherwise.

use anser_domain::{ConversationId, GroupId, UserId};
use anser_engine::message::{Message, SendOptions};
use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};

use super::call::{Call, user};
use super::failure::{Answer, Failure};
use super::history::{Wanted, across, of_conversation, of_room, shown};
use super::messages::{change, say_in_room, send, sent, speak};
use super::online;
use crate::leancloud::query::{self, Place};

/// Clients that are asked about, or written to, at once.
const CLIENTS_MAX: usize = 20;

/// `POST /1.1/rtm/messages`.
pub(super) async fn send_message(call: Call) -> Answer {
    call.check_master()?;
    let sender = call.user("from_peer")?;
    let id = call.need("conv_id")?.to_owned();
    let subject = query::lookup(&call.door, call.app.id, &id).await?;
    match subject.place {
        Place::Plain(conversation) => {
            let options = SendOptions {
                transient: call.flag("transient", true)?,
                by_server: true,
                ..SendOptions::default()
            };
            let result = send(&call, conversation, sender, options).await?;
            Ok(Json(sent(result.id, result.time)))
        }
        Place::Room(room) => Ok(Json(say_in_room(&call, &room, &sender).await?)),
        Place::System(_) => {
            let targets = call.users("to_peers", CLIENTS_MAX)?;
            Ok(Json(speak(&call, &id, targets).await?))
        }
    }
}

/// `GET /1.1/rtm/messages/history`, also under `logs`: of a conversation (`convid`), of a client
/// (`from`), or of all.
pub(super) async fn history(call: Call) -> Answer {
    call.check_master()?;
    let wanted = Wanted::named(&call, "max_ts", "msgid")?;
    let id = ["convid", "conv_id", "cid"]
        .iter()
        .find_map(|name| call.text(name));
    let items: Vec<Value> = match id.filter(|id| !id.is_empty()) {
        Some(id) => match query::lookup(&call.door, call.app.id, id).await?.place {
            Place::Plain(conversation) => {
                items(&of_conversation(&call, &conversation, None, &wanted).await?)
            }
            Place::System(system) => {
                let conversation = ConversationId::System(system);
                items(&of_conversation(&call, &conversation, None, &wanted).await?)
            }
            Place::Room(room) => of_room(&call, &room, None, &wanted).await?,
        },
        None => {
            let sender = match call.text("from") {
                Some(_) => Some(call.user("from")?),
                None => None,
            };
            items(&across(&call, sender.as_ref(), &wanted).await?)
        }
    };
    Ok(Json(items.into()))
}

fn items(messages: &[Message]) -> Vec<Value> {
    messages.iter().filter_map(shown).collect()
}

async fn named(call: &Call) -> Result<ConversationId, Failure> {
    let id = match call.text("conv_id") {
        Some(id) => id,
        None => call.need("convid")?,
    };
    match query::lookup(&call.door, call.app.id, id).await?.place {
        Place::Plain(conversation) => Ok(conversation),
        Place::System(system) => Ok(ConversationId::System(system)),
        Place::Room(_) => Err(Failure::not_found()),
    }
}

/// `PUT /1.1/rtm/messages/logs` and `/1.1/rtm/patch/message`: edits.
pub(super) async fn edit(call: Call) -> Answer {
    call.check_master()?;
    let conversation = named(&call).await?;
    let mid = message_id(&call)?;
    let recall = call.flag("recall", false)?;
    change(&call, &conversation, &mid, recall).await
}

/// `DELETE /1.1/rtm/messages/logs`: takes a message back.
pub(super) async fn delete(call: Call) -> Answer {
    call.check_master()?;
    let conversation = named(&call).await?;
    let mid = message_id(&call)?;
    drop(change(&call, &conversation, &mid, true).await?);
    Ok(Json(json!({})))
}

fn message_id(call: &Call) -> Result<String, Failure> {
    let names = ["msg_id", "msg-id", "msgid", "mid"];
    let found = names.iter().find_map(|name| call.text(name));
    found
        .map(str::to_owned)
        .ok_or_else(|| Failure::invalid("msg_id is missing"))
}

/// `POST /1.1/rtm/online`: those of `peers` who are connected.
pub(super) async fn online(call: Call) -> Answer {
    call.check_master()?;
    let users = call.some_users("peers", CLIENTS_MAX)?;
    Ok(Json(
        json!({"results": online::online(&call, &users).await?}),
    ))
}

/// `POST /1.1/rtm/client/kick`.
pub(super) async fn kick(call: Call) -> Answer {
    call.check_master()?;
    let user = call.user("client_id")?;
    call.door.engine.sign_out(call.app.id, &user, None).await?;
    Ok(Json(json!({})))
}

/// `GET /1.1/rtm/transient_group/onlines?gid=`.
pub(super) async fn in_room(call: Call) -> Answer {
    call.check_master()?;
    let id = call.need("gid")?;
    let room = super::conversations::room(&call, id).await?;
    let view = call.door.engine.room(call.app.id, None, &room).await?;
    Ok(Json(json!({"result": view.member_count})))
}

/// `GET /1.1/rtm/messages/unread/{client}/{conversation}`.
pub(super) async fn unread_of(Path((client, id)): Path<(String, String)>, call: Call) -> Answer {
    call.check_master()?;
    let user = user("client", &client)?;
    Ok(Json(
        json!({"count": online::unread_of(&call, &user, &id).await?}),
    ))
}

async fn service(call: &Call) -> Result<(GroupId, Vec<UserId>), Failure> {
    call.check_master()?;
    let system = super::conversations::system(call, call.need("conv_id")?).await?;
    Ok((system, vec![call.user("client_id")?]))
}

/// `POST /1.1/rtm/conversation/subscription`.
pub(super) async fn subscribe(call: Call) -> Answer {
    let (system, users) = service(&call).await?;
    let engine = &call.door.engine;
    engine.subscribe(call.app.id, &system, &users, true).await?;
    Ok(Json(json!({})))
}

/// `DELETE /1.1/rtm/conversation/subscription`.
pub(super) async fn unsubscribe(call: Call) -> Answer {
    let (system, users) = service(&call).await?;
    let engine = &call.door.engine;
    engine
        .subscribe(call.app.id, &system, &users, false)
        .await?;
    Ok(Json(json!({})))
}

/// `POST /1.1/rtm/broadcast/subscriber`: to all subscribers.
pub(super) async fn to_subscribers(call: Call) -> Answer {
    call.check_master()?;
    let id = call.need("conv_id")?.to_owned();
    Ok(Json(speak(&call, &id, Vec::new()).await?))
}
