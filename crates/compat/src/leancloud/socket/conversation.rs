//! Conversations: creating and finding them, what they are called, and the client's own view.

use anser_domain::settings::{Mute, SettingsChange};
use anser_domain::temporary::TEMPORARY_SECONDS_MAX;
use anser_domain::{Code, ConversationId, GroupId, Reject, Timestamp, UserId};
use anser_engine::created::NewConversation;
use anser_engine::group::{By, GroupChange, GroupUpdate};
use serde_json::Value;

use super::caller::{Answer, Caller, answer};
use super::event::millis;
use super::{members, notify, room};
use crate::leancloud::error::{Doing, Kind, Refusal};
use crate::leancloud::query::{self, Place, Query};
use crate::leancloud::rows::{Columns, NewColumns, Update};
use crate::leancloud::signature::Operation;
use crate::leancloud::wire::{
    CommandType, ConvCommand, GenericCommand, JsonObjectMessage, MaxReadTuple, OpType,
};
use crate::leancloud::{ids, iso, rows};

/// Conversations of an answer unless it is said otherwise.
const QUERY_LIMIT: i32 = 10;
/// What an answer is to have: bits of `flag`.
const COMPACT: i32 = 1;
const LAST_MESSAGE: i32 = 2;
/// Members of a chat room that are named, and conversations asked about at a time.
const ROOM_MEMBERS_MAX: i32 = 50;
const ASKED_MAX: usize = 20;
/// Members whose positions are told.
const POSITIONS_MAX: usize = 500;

pub(super) fn failed(reject: Reject) -> Refusal {
    Refusal::of(reject, Doing::Conversation)
}

/// The answer about a conversation.
pub(super) fn about(op: OpType, conv: ConvCommand) -> GenericCommand {
    GenericCommand {
        conv_message: Some(conv),
        ..answer(CommandType::Conv, Some(op))
    }
}

/// The conversation that a command names.
pub(super) fn named(conv: &ConvCommand) -> Result<ConversationId, Refusal> {
    let cid = conv.cid.as_deref().unwrap_or_default();
    ids::conversation(cid).ok_or_else(|| Kind::ConversationNotFound.into())
}

/// Client ids, each a good one.
pub(super) fn users(clients: &[String]) -> Result<Vec<UserId>, Refusal> {
    let wrong = |_| Refusal::new(Kind::ConversationUpdateFailed, "m has what is no client id");
    clients
        .iter()
        .map(|id| UserId::new(id).map_err(wrong))
        .collect()
}

fn columns(text: Option<&JsonObjectMessage>) -> Result<Columns, Refusal> {
    let Some(text) = text.filter(|text| !text.data.is_empty()) else {
        return Ok(Columns::new());
    };
    match serde_json::from_str(&text.data) {
        Ok(Value::Object(columns)) => Ok(columns),
        _ => Err(Refusal::new(
            Kind::ConversationUpdateFailed,
            "attr is no JSON object",
        )),
    }
}

fn json(value: Value) -> JsonObjectMessage {
    JsonObjectMessage {
        data: value.to_string(),
    }
}

/// Creates a conversation of one of the kinds that clients create.
pub(super) async fn start(caller: Caller, conv: ConvCommand) -> Answer {
    let settings = &caller.app.settings;
    let operation = Operation::Create { members: &conv.m };
    let given = (conv.t, conv.n.as_deref(), conv.s.as_deref());
    let refused = Kind::ConversationSignatureFailed;
    caller.check_signed(settings.sign_conversation, refused, operation, given)?;
    let new = NewColumns::parse(&columns(conv.attr.as_ref())?)?;
    let env = &caller.door.env;
    let id = ids::new_object_id(env.now().0, env.random());
    if conv.transient.unwrap_or(false) {
        let created = room::create(&caller, &id, &new).await?;
        return Ok(about(
            OpType::Started,
            ConvCommand {
                cid: Some(id),
                cdate: Some(iso::text(created)),
                ..ConvCommand::default()
            },
        ));
    }
    let temporary = conv.temp_conv.unwrap_or(false);
    let unique = conv.unique.unwrap_or(false);
    let mut all = conv.m.clone();
    if !all.iter().any(|id| id == caller.user.as_str()) {
        all.push(caller.user.as_str().to_owned());
    }
    let new = if unique { new.unique(&all) } else { new };
    let seconds = conv.temp_conv_ttl.and_then(|ttl| u32::try_from(ttl).ok());
    let seconds = seconds.filter(|seconds| *seconds > 0);
    let seconds = seconds
        .unwrap_or(TEMPORARY_SECONDS_MAX)
        .min(TEMPORARY_SECONDS_MAX);
    let chosen = GroupId::new(&id).map_err(|_| Kind::ConversationApiFailed)?;
    let members = users(&conv.m)?;
    let new = NewConversation {
        id: (!temporary).then_some(chosen),
        name: new.name,
        owner: caller.user.clone(),
        members: members
            .into_iter()
            .filter(|it| *it != caller.user)
            .collect(),
        attributes: new.attributes,
        public: true,
        unique,
        history_visible: true,
        temporary_seconds: temporary.then_some(seconds),
    };
    let by = By::User(caller.user.clone());
    let created = caller
        .engine()
        .create_conversation(caller.app_id(), by, new)
        .await
        .map_err(failed)?;
    let group = created.conversation;
    let name = group.conversation();
    let cid = ids::object_id(&name.to_string()).unwrap_or_default();
    if !created.reused && !temporary {
        notify::joined(&caller, &cid, &users(&all)?, group.created).await;
    }
    let left = name
        .end()
        .map(|end| end.0.saturating_sub(env.now().0) / 1_000);
    Ok(about(
        OpType::Started,
        ConvCommand {
            cid: Some(cid),
            cdate: Some(iso::text(group.created)),
            udate: Some(iso::text(group.updated.max(group.created))),
            unique_id: unique.then(|| rows::unique_id(&all)),
            temp_conv_ttl: left.map(|left| i32::try_from(left).unwrap_or(i32::MAX)),
            ..ConvCommand::default()
        },
    ))
}

/// Finds conversations.
pub(super) async fn find(caller: Caller, conv: ConvCommand) -> Answer {
    let (door, app, user) = (&caller.door, caller.app_id(), Some(&caller.user));
    let rows = if conv.temp_conv_ids.is_empty() {
        let clause = conv.r#where.as_ref().map_or("", |clause| &clause.data);
        let sort = conv.sort.as_deref().unwrap_or_default();
        let limit = conv.limit.unwrap_or(QUERY_LIMIT);
        let skip = conv.skip.unwrap_or(0);
        let mut query = Query::parse(clause, sort, skip.into(), limit.into())?;
        let flag = conv.flag.unwrap_or(0);
        query.compact = flag & COMPACT != 0;
        query.last_message = flag & LAST_MESSAGE != 0;
        query::run(door, app, user, &query).await?
    } else {
        query::temporary(door, app, user, &conv.temp_conv_ids).await?
    };
    Ok(about(
        OpType::Results,
        ConvCommand {
            results: Some(json(Value::Array(rows))),
            ..ConvCommand::default()
        },
    ))
}

/// Changes what a conversation is called and its attributes.
pub(super) async fn update(caller: Caller, conv: ConvCommand) -> Answer {
    let change = columns(conv.attr.as_ref())?;
    let cid = conv.cid.clone().unwrap_or_default();
    let (door, app) = (&caller.door, caller.app_id());
    let subject = query::lookup(door, app, &cid).await?;
    let update = Update::parse(&change, &subject.columns)?;
    let updated = match subject.place {
        Place::System(_) => return Err(Kind::ConversationReadOnly.into()),
        Place::Room(room) => {
            let changes = update.of_room();
            if !changes.is_empty() {
                let put = caller
                    .engine()
                    .put_room_attributes(app, None, &room, &changes);
                put.await.map_err(failed)?;
            }
            if let Some(name) = &update.name {
                let name = anser_engine::room::RoomUpdate {
                    name: Some(name.clone()),
                    ..Default::default()
                };
                let changed = caller.engine().change_room(app, &room, &name).await;
                changed.map_err(failed)?;
            }
            door.env.now()
        }
        Place::Plain(conversation) => {
            let change = GroupChange::Update(Box::new(GroupUpdate {
                name: update.name.clone(),
                nested_attributes: update.attributes.clone(),
                ..GroupUpdate::default()
            }));
            members::change(&caller, &conversation, change)
                .await?
                .updated
        }
    };
    Ok(about(
        OpType::Updated,
        ConvCommand {
            cid: Some(cid),
            udate: Some(iso::text(updated)),
            attr_modified: Some(json(Value::Object(update.modified()))),
            ..ConvCommand::default()
        },
    ))
}

/// Notifications of a conversation are off for the client, or on again.
pub(super) async fn mute(caller: Caller, conv: ConvCommand, on: bool) -> Answer {
    let change = SettingsChange {
        muted: Some(if on { Mute::All } else { Mute::None }),
        ..SettingsChange::default()
    };
    let cid = conv.cid.clone().unwrap_or_default();
    let engine = caller.engine();
    let mute = async |conversation: &ConversationId| {
        let (app, user) = (caller.app_id(), &caller.user);
        engine
            .update_conversation(app, user, conversation, &change)
            .await
    };
    let done = match mute(&named(&conv)?).await {
        Err(reject) if reject.code == Code::NotFound => match ids::service(&cid) {
            Some(service) => mute(&service).await,
            None => Err(reject),
        },
        done => done,
    };
    done.map_err(failed)?;
    Ok(about(
        OpType::Updated,
        ConvCommand {
            cid: Some(cid),
            udate: Some(iso::text(caller.door.env.now())),
            ..ConvCommand::default()
        },
    ))
}

/// How many are in a conversation: members, or in a chat room those who are online.
pub(super) async fn count(caller: Caller, conv: ConvCommand) -> Answer {
    let cid = conv.cid.clone().unwrap_or_default();
    let subject = query::lookup(&caller.door, caller.app_id(), &cid).await?;
    let count = match subject.place {
        Place::Room(room) => room::count(&caller, &room).await?,
        Place::Plain(conversation) => {
            let group = caller
                .engine()
                .created(caller.app_id(), By::Server, &conversation);
            group.await.map_err(failed)?.member_count
        }
        Place::System(_) => 0,
    };
    Ok(about(
        OpType::Result,
        ConvCommand {
            cid: Some(cid),
            count: i32::try_from(count).ok(),
            ..ConvCommand::default()
        },
    ))
}

/// Who is in a conversation; in a chat room some of them.
pub(super) async fn list(caller: Caller, conv: ConvCommand) -> Answer {
    let cid = conv.cid.clone().unwrap_or_default();
    let (door, app) = (&caller.door, caller.app_id());
    let subject = query::lookup(door, app, &cid).await?;
    let all = match subject.place {
        Place::Room(room) => {
            let limit = conv
                .limit
                .unwrap_or(ROOM_MEMBERS_MAX)
                .clamp(1, ROOM_MEMBERS_MAX);
            room::members(&caller, &room, limit.unsigned_abs()).await?
        }
        Place::Plain(conversation) => query::members(door, app, &conversation)
            .await
            .map_err(failed)?,
        Place::System(_) => Vec::new(),
    };
    Ok(about(
        OpType::Result,
        ConvCommand {
            cid: Some(cid),
            m: all.iter().map(ToString::to_string).collect(),
            ..ConvCommand::default()
        },
    ))
}

/// In which of these conversations the client is.
pub(super) async fn is_member(caller: Caller, conv: ConvCommand) -> Answer {
    if conv.cids.len() > ASKED_MAX {
        let what = "at most 20 conversations at once";
        return Err(Refusal::new(Kind::ConversationQueryFailed, what));
    }
    let (engine, app, user) = (caller.engine(), caller.app_id(), &caller.user);
    let mut answers = serde_json::Map::new();
    for cid in &conv.cids {
        let mut inside = false;
        if let Some(conversation) = ids::conversation(cid) {
            let by = By::User(user.clone());
            inside = engine.created(app, by, &conversation).await.is_ok();
        }
        if !inside && let Some(service) = ids::service(cid) {
            let view = engine.conversation(app, user, &service).await;
            inside = view.is_ok_and(|view| view.member);
        }
        if !inside && let Some(room) = ids::room(cid) {
            let are = engine.are_in_room(app, &room, std::slice::from_ref(user));
            inside = are.await.is_ok_and(|are| are == [true]);
        }
        answers.insert(cid.clone(), inside.into());
    }
    Ok(about(
        OpType::Result,
        ConvCommand {
            results: Some(json(Value::Object(answers))),
            ..ConvCommand::default()
        },
    ))
}

/// Up to where the others have got and read messages.
pub(super) async fn max_read(caller: Caller, conv: ConvCommand) -> Answer {
    let (engine, app, user) = (caller.engine(), caller.app_id(), &caller.user);
    let conversation = named(&conv)?;
    let page = engine.receipts(app, user, &conversation, 0, POSITIONS_MAX);
    let page = page.await.map_err(failed)?;
    let mut tuples = Vec::new();
    for receipt in page.receipts {
        if *receipt.user == *user.as_str() {
            continue;
        }
        let time = async |seq: u64| -> Result<Option<i64>, Refusal> {
            let found = engine.messages(app, None, &conversation, &[seq]).await;
            Ok(found.map_err(failed)?.first().map(|it| millis(it.time)))
        };
        tuples.push(MaxReadTuple {
            pid: Some(receipt.user.to_string()),
            max_ack_timestamp: time(receipt.delivered_seq).await?,
            max_read_timestamp: time(receipt.read_seq).await?,
        });
    }
    let every = conv.query_all_members.unwrap_or(false);
    let highest = |of: fn(&MaxReadTuple) -> Option<i64>| tuples.iter().filter_map(of).max();
    let (ack, read) = (
        highest(|it| it.max_ack_timestamp),
        highest(|it| it.max_read_timestamp),
    );
    Ok(about(
        OpType::MaxRead,
        ConvCommand {
            cid: conv.cid.clone(),
            max_ack_timestamp: ack.filter(|_| !every),
            max_read_timestamp: read.filter(|_| !every),
            max_read_tuples: if every { tuples } else { Vec::new() },
            ..ConvCommand::default()
        },
    ))
}

/// A client has read a conversation up to there, or all of it.
pub(super) async fn read(caller: &Caller, cid: &str, until: Option<i64>, mid: Option<&str>) {
    let (engine, app, user) = (caller.engine(), caller.app_id(), &caller.user);
    for conversation in ids::conversation(cid).into_iter().chain(ids::service(cid)) {
        let time = until.and_then(|until| u64::try_from(until).ok());
        let time = time.filter(|time| *time > 0).map(Timestamp);
        let id = mid.and_then(ids::parse_message_id);
        let seq = match (time, id) {
            (Some(time), Some(id)) => {
                let found = engine.seq_of(app, &conversation, time, id).await;
                found.ok().flatten()
            }
            _ => None,
        };
        let seq = match (seq, time) {
            (Some(seq), _) => Ok(seq),
            (None, Some(time)) => {
                let later = Timestamp(time.0.saturating_add(1));
                engine.seq_before(app, &conversation, later).await
            }
            (None, None) => Ok(u64::MAX),
        };
        // Nobody waits for it; what was not noted is unread at the next login.
        if let Ok(seq) = seq
            && engine
                .mark_read(app, user, &conversation, seq)
                .await
                .is_ok()
        {
            return;
        }
    }
}
