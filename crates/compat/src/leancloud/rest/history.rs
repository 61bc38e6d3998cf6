//! What was said: of one conversation, of one client, of the whole application.
//!
//! A page begins at a time, or at a message of that time, and goes towards older messages unless it
//! is `reversed`. What is asked for beyond one conversation is put together from the newest ones
//! that may hold it, as far as a budget of conversations goes.

use std::collections::BTreeSet;

use anser_domain::{ConversationId, MessageId, RoomId, Timestamp, UserId};
use anser_engine::group::Group;
use anser_engine::message::{Message, PageRequest};
use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};

use super::call::{Call, user};
use super::conversations::{plain, room, system};
use super::failure::{Answer, Failure};
use crate::leancloud::content;
use crate::leancloud::error::{Doing, Kind, Refusal};
use crate::leancloud::ids;
use crate::leancloud::signature::{Operation, Signature, is_signed};

/// Messages of an answer, unless it is said otherwise, and at most.
const LIMIT_DEFAULT: u64 = 100;
const LIMIT_MAX: u64 = 1_000;
/// Messages read at a time.
const PAGE: usize = 100;
/// Pages read for one answer: what is asked for may be rare.
const PAGES_MAX: usize = 50;
/// Conversations that one page is put together from.
const CONVERSATIONS_MAX: usize = 500;

fn failed(reject: anser_domain::Reject) -> Failure {
    Failure::of(reject, Doing::History)
}

/// An end of what is asked for: a time, or a message of that time.
#[derive(Copy, Clone, Debug)]
struct End {
    time: Timestamp,
    id: Option<MessageId>,
    included: bool,
}

/// What is asked for.
#[derive(Copy, Clone, Debug)]
pub(super) struct Wanted {
    start: Option<End>,
    stop: Option<End>,
    reversed: bool,
    limit: usize,
}

fn end(call: &Call, time: &str, id: &str, included: &str) -> Result<Option<End>, Failure> {
    let id = match call.text(id).filter(|id| !id.is_empty()) {
        Some(text) => Some(
            ids::parse_message_id(text)
                .ok_or_else(|| Failure::from(Refusal::from(Kind::MessageNotFound)))?,
        ),
        None => None,
    };
    let time = call.number(time)?.map(Timestamp);
    let included = call.flag(included, false)?;
    let time = time.or_else(|| id.map(MessageId::time));
    Ok(time.map(|time| End { time, id, included }))
}

impl Wanted {
    /// What version 1.2 asks for.
    pub(super) fn read(call: &Call) -> Result<Self, Failure> {
        Self::named(call, "timestamp", "msgid")
    }

    /// The same, with other names for where it starts.
    pub(super) fn named(call: &Call, time: &str, id: &str) -> Result<Self, Failure> {
        let limit = call
            .number("limit")?
            .unwrap_or(LIMIT_DEFAULT)
            .min(LIMIT_MAX);
        Ok(Self {
            start: end(call, time, id, "include_start")?,
            stop: end(call, "till_timestamp", "till_msgid", "include_stop")?,
            reversed: call.flag("reversed", false)?,
            limit: usize::try_from(limit).unwrap_or(0),
        })
    }
}

/// A sequence around which to read: everything before it is older than the end, or is it.
async fn edge(
    call: &Call,
    conversation: &ConversationId,
    end: End,
    ascending: bool,
) -> Result<u64, Failure> {
    let (engine, app) = (&call.door.engine, call.app.id);
    if let Some(id) = end.id {
        let found = engine
            .seq_of(app, conversation, end.time, id)
            .await
            .map_err(failed)?;
        if let Some(seq) = found {
            // The page begins behind this one, in its direction.
            return Ok(match (end.included, ascending) {
                (false, _) => seq,
                (true, true) => seq.saturating_sub(1),
                (true, false) => seq + 1,
            });
        }
    }
    // Of this millisecond, all are included or none.
    let with_it = end.included != ascending;
    let time = if with_it {
        end.time.plus_ms(1)
    } else {
        end.time
    };
    let before = engine
        .seq_before(app, conversation, time)
        .await
        .map_err(failed)?;
    Ok(if ascending { before } else { before + 1 })
}

/// Messages of a conversation, in the order asked for.
pub(super) async fn of_conversation(
    call: &Call,
    conversation: &ConversationId,
    reader: Option<&UserId>,
    wanted: &Wanted,
) -> Result<Vec<Message>, Failure> {
    find(call, conversation, reader, None, wanted).await
}

/// The same; of a `sender`, those of that client only, as far as a budget of messages goes.
async fn find(
    call: &Call,
    conversation: &ConversationId,
    reader: Option<&UserId>,
    sender: Option<&UserId>,
    wanted: &Wanted,
) -> Result<Vec<Message>, Failure> {
    let ascending = wanted.reversed;
    let mut from = match wanted.start {
        Some(start) => edge(call, conversation, start, ascending).await?,
        None => 0,
    };
    // Seen from the other side, the stop is where a page the other way would begin.
    let stop = match wanted.stop {
        Some(stop) => Some(edge(call, conversation, stop, !ascending).await?),
        None => None,
    };
    let mut messages = Vec::new();
    for _ in 0..PAGES_MAX {
        if messages.len() >= wanted.limit {
            break;
        }
        let page = PageRequest {
            from_seq: from,
            descending: !ascending,
            limit: PAGE,
        };
        let pull = call
            .door
            .engine
            .pull(call.app.id, reader, conversation, page);
        let page = pull.await.map_err(failed)?;
        let mut over = !page.more;
        for message in page.messages {
            let beyond = stop.is_some_and(|stop| match ascending {
                true => message.seq >= stop,
                false => message.seq <= stop,
            });
            if beyond || messages.len() >= wanted.limit {
                over = true;
                break;
            }
            let by = sender.is_none_or(|sender| *message.sender == *sender.as_str());
            if by && !message.content_type.starts_with("anser.") {
                messages.push(message);
            }
        }
        if over || page.next_seq == 0 {
            break;
        }
        from = page.next_seq;
    }
    Ok(messages)
}

/// A message as it is shown.
pub(super) fn shown(message: &Message) -> Option<Value> {
    let content = content::from_engine(message)?;
    let to = ids::object_id(&message.conversation)?;
    let mut item = json!({
        "timestamp": message.time.0,
        "conv-id": to,
        "data": content.data,
        "from": &*message.sender,
        "msg-id": ids::message_id(message.id),
        "is-conv": true,
        "is-room": false,
        "to": to,
        "bin": content.bin,
        "from-ip": "",
    });
    if let Some(patched) = content.patched {
        item["patch-timestamp"] = patched.0.into();
    }
    if content.mention_all {
        item["mention-all"] = true.into();
    }
    if !content.mentions.is_empty() {
        item["mention-pids"] = json!(content.mentions);
    }
    Some(item)
}

fn answer(messages: &[Message]) -> Answer {
    let items: Vec<Value> = messages.iter().filter_map(shown).collect();
    Ok(Json(items.into()))
}

/// Who reads: the back end everything, a client what it may see. A client says who it is by its
/// session, or by a signature for this conversation.
fn reader(call: &Call, id: &str) -> Result<Option<UserId>, Failure> {
    if call.master {
        return Ok(None);
    }
    let settings = &call.app.settings;
    if let (Some(client), false) = (&call.client, settings.sign_history) {
        return Ok(Some(client.clone()));
    }
    let client = call.user("client_id")?;
    let time = call.number("signature_ts")?.unwrap_or(0);
    let signature = Signature {
        timestamp: i64::try_from(time).unwrap_or(0),
        nonce: call.text("nonce").unwrap_or_default(),
        signature: call.text("signature").unwrap_or_default(),
    };
    let operation = Operation::History { conversation: id };
    let (key, app) = (&settings.master_key, &settings.app_id);
    let now = call.door.env.now();
    match is_signed(key, app, client.as_str(), operation, signature, now) {
        true => Ok(Some(client)),
        false => Err(Refusal::from(Kind::SignatureFailed).into()),
    }
}

pub(super) async fn list_plain(Path(id): Path<String>, call: Call) -> Answer {
    let conversation = plain(&call, &id).await?;
    let reader = reader(&call, &id)?;
    let wanted = Wanted::read(&call)?;
    answer(&of_conversation(&call, &conversation, reader.as_ref(), &wanted).await?)
}

pub(super) async fn list_system(Path(id): Path<String>, call: Call) -> Answer {
    let conversation = ConversationId::System(system(&call, &id).await?);
    let reader = reader(&call, &id)?;
    let wanted = Wanted::read(&call)?;
    answer(&of_conversation(&call, &conversation, reader.as_ref(), &wanted).await?)
}

/// What one subscriber of a service conversation got and said.
pub(super) async fn of_subscriber(
    Path((id, client)): Path<(String, String)>,
    call: Call,
) -> Answer {
    call.check_master()?;
    let conversation = ConversationId::System(system(&call, &id).await?);
    let client = user("client", &client)?;
    let wanted = Wanted::read(&call)?;
    answer(&of_conversation(&call, &conversation, Some(&client), &wanted).await?)
}

pub(super) async fn list_room(Path(id): Path<String>, call: Call) -> Answer {
    let room = room(&call, &id).await?;
    let reader = reader(&call, &id)?;
    let wanted = Wanted::read(&call)?;
    let items = of_room(&call, &room, reader.as_ref(), &wanted).await?;
    Ok(Json(items.into()))
}

/// Messages that a chat room keeps. Their ids sort by time, so an end is one of them.
pub(super) async fn of_room(
    call: &Call,
    room: &RoomId,
    reader: Option<&UserId>,
    wanted: &Wanted,
) -> Result<Vec<Value>, Failure> {
    let forward = wanted.reversed;
    // The first id that could be of that time, or the last.
    let bound = |end: End, last: bool| {
        let random = if last { [u8::MAX; 10] } else { [0; 10] };
        MessageId::new(end.time, random)
    };
    let id_of = |end: End, forward: bool| match end.id {
        Some(id) if !end.included => id,
        Some(id) if forward => MessageId(u128::from_be_bytes(id.0).saturating_sub(1).to_be_bytes()),
        Some(id) => MessageId((u128::from_be_bytes(id.0).saturating_add(1)).to_be_bytes()),
        None => bound(end, end.included != forward),
    };
    let mut from = wanted.start.map(|start| id_of(start, forward));
    let stop = wanted.stop.map(|stop| id_of(stop, !forward));
    let mut items = Vec::new();
    loop {
        let (engine, app) = (&call.door.engine, call.app.id);
        let page = engine.room_messages(app, reader, room, from, forward, PAGE);
        let page = page.await.map_err(failed)?;
        for message in &page.messages {
            let beyond = stop.is_some_and(|stop| match forward {
                true => message.message_id >= stop,
                false => message.message_id <= stop,
            });
            if beyond || items.len() >= wanted.limit {
                return Ok(items);
            }
            from = Some(message.message_id);
            let said = content::of(&message.content_type, &message.body, message.recalled);
            if let Some(content) = said {
                items.push(json!({
                    "timestamp": message.time.0,
                    "conv-id": room.as_str(),
                    "data": content.data,
                    "from": message.sender.as_ref().map_or("", UserId::as_str),
                    "msg-id": ids::message_id(message.message_id),
                    "is-conv": false,
                    "is-room": true,
                    "to": room.as_str(),
                    "bin": content.bin,
                    "from-ip": "",
                }));
            }
        }
        if !page.more {
            return Ok(items);
        }
    }
}

/// `GET /1.2/rtm/messages`: of the whole application.
pub(super) async fn of_app(call: Call) -> Answer {
    call.check_master()?;
    let wanted = Wanted::read(&call)?;
    answer(&across(&call, None, &wanted).await?)
}

/// `GET /1.2/rtm/clients/{client}/messages`: what a client said.
pub(super) async fn of_client(Path(client): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let client = user("client", &client)?;
    let wanted = Wanted::read(&call)?;
    answer(&across(&call, Some(&client), &wanted).await?)
}

/// Messages of all conversations, by time. Of a `sender`, those of that client only.
pub(super) async fn across(
    call: &Call,
    sender: Option<&UserId>,
    wanted: &Wanted,
) -> Result<Vec<Message>, Failure> {
    let mut conversations: Vec<(Timestamp, ConversationId)> = Vec::new();
    let gather = &mut |group: &Group, _: &BTreeSet<UserId>| {
        conversations.push((group.last_time, group.conversation()));
    };
    call.door
        .engine
        .visit_conversations(call.app.id, None, &BTreeSet::new(), gather)
        .await
        .map_err(failed)?;
    let mut cursor = String::new();
    loop {
        let page = call.door.engine.systems(call.app.id, &cursor, 0).await;
        let page = page.map_err(failed)?;
        let systems = page.conversations.iter();
        conversations.extend(systems.map(|one| (one.last_time, one.conversation())));
        cursor = page.cursor;
        if cursor.is_empty() || conversations.len() > 2 * CONVERSATIONS_MAX {
            break;
        }
    }
    conversations.sort_by(|a, b| b.cmp(a));
    let mut messages: Vec<Message> = Vec::new();
    for (last, conversation) in conversations.into_iter().take(CONVERSATIONS_MAX) {
        // Whatever is in this one, and in those behind it, is older than what is here already.
        let oldest = messages.last().filter(|_| messages.len() >= wanted.limit);
        if !wanted.reversed && oldest.is_some_and(|oldest| oldest.time > last) {
            break;
        }
        messages.extend(find(call, &conversation, None, sender, wanted).await?);
        messages.sort_by(|a, b| {
            let order = (a.time, a.id).cmp(&(b.time, b.id));
            if wanted.reversed {
                order
            } else {
                order.reverse()
            }
        });
        messages.truncate(wanted.limit);
    }
    Ok(messages)
}
