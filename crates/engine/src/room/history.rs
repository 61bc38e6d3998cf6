//! Messages of rooms that keep them.
//!
//! They are written behind: whoever sends one is answered when it has its place in the room, not
//! when it is on disk. A room writes one batch after the other, so that a message that is taken
//! back is stored as it is then. When the store can't keep up, the oldest that wait are given up,
//! and counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anser_domain::limits::{PAGE_ITEMS_MAX, ROOM_HISTORY_DAYS_MIN};
use anser_domain::{AppId, Code, MessageId, Reject, RoomId, UserId};
use anser_proto::stored;
use anser_store::{Direction, Key, Outcome, Unit};
use bytes::Bytes;

use super::keeper::{Room, Rooms};
use super::{RoomMessage, RoomMessagePage};
use crate::fault;
use crate::tables::{self, RoomKeys};
use crate::tools::Tools;

/// Messages of one room that wait to be written.
const WAITING_MAX: usize = 4_096;
/// And are written at a time.
const BATCH_MAX: usize = 128;
/// Messages removed at a time.
const REMOVED_AT_ONCE: usize = 512;
/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// What of a room waits to be written.
#[derive(Default)]
pub(super) struct Behind {
    waiting: VecDeque<(Key, Bytes)>,
    is_writing: bool,
}

/// Has a message written, as it is now. For whoever holds the room's lock, so that a later state
/// is written later.
pub(super) fn keep(rooms: &Arc<Rooms>, room: &Arc<Room>, place: (u64, u64), it: &RoomMessage) {
    let key = RoomKeys::new(room.app, &room.id).message(it.message_id);
    let mut behind = room.behind.lock();
    behind
        .waiting
        .push_back((key, tables::encode(&row(place, it))));
    if behind.waiting.len() > WAITING_MAX {
        behind.waiting.pop_front();
        let counter = &rooms.tools().metrics.room_messages_unkept;
        counter.fetch_add(1, Ordering::Relaxed);
    }
    if std::mem::replace(&mut behind.is_writing, true) {
        return;
    }
    let (rooms, room) = (rooms.clone(), room.clone());
    let env = rooms.tools().env.clone();
    env.spawn(async move { write(rooms.tools(), &room).await });
}

async fn write(tools: &Tools, room: &Room) {
    loop {
        let (mut unit, mut count) = (Unit::new(), 0_u64);
        {
            let mut behind = room.behind.lock();
            let some = behind.waiting.len().min(BATCH_MAX);
            for (key, value) in behind.waiting.drain(..some) {
                unit = unit.put(key, value);
                count += 1;
            }
            if count == 0 {
                *behind = Behind::default();
                return;
            }
        }
        let outcome = tools.committer.commit(room.app, unit).await;
        if !matches!(outcome, Ok(Outcome::Committed)) {
            let counter = &tools.metrics.room_messages_unkept;
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }
}

fn row((epoch, seq): (u64, u64), it: &RoomMessage) -> stored::RoomMessage {
    stored::RoomMessage {
        sender: it
            .sender
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        client_message_id: it.client_message_id.to_string(),
        content_type: it.content_type.to_string(),
        content_body: it.body.clone(),
        low: it.low,
        recalled: it.recalled,
        epoch,
        seq,
    }
}

fn message(id: MessageId, row: stored::RoomMessage) -> Result<RoomMessage, Reject> {
    let sender = match row.sender.as_str() {
        "" => None,
        sender => Some(UserId::new(sender).map_err(|_| Code::Internal)?),
    };
    Ok(RoomMessage {
        message_id: id,
        sender,
        client_message_id: row.client_message_id.into(),
        time: id.time(),
        content_type: row.content_type.into(),
        body: row.content_body,
        low: row.low,
        recalled: row.recalled,
    })
}

/// A message that is stored, and its place.
pub(super) async fn stored(
    tools: &Tools,
    app: AppId,
    room: &RoomId,
    id: MessageId,
) -> Result<Option<((u64, u64), RoomMessage)>, Reject> {
    let key = RoomKeys::new(app, room).message(id);
    let value = tools.store.get(&key).await;
    let value = value.map_err(|e| fault::reject(&e))?;
    let Some(row) = tables::decode_some::<stored::RoomMessage>(value.as_ref())? else {
        return Ok(None);
    };
    let place = (row.epoch, row.seq);
    Ok(Some((place, message(id, row)?)))
}

/// A page of stored messages, from one of them on, which is not included.
pub(super) async fn page(
    tools: &Tools,
    app: AppId,
    room: &RoomId,
    from: Option<MessageId>,
    forward: bool,
    limit: usize,
) -> Result<RoomMessagePage, Reject> {
    let keys = RoomKeys::new(app, room);
    let direction = match forward {
        true => Direction::Forward,
        false => Direction::Backward,
    };
    let scan = keys.messages(from, direction, limit.min(PAGE_ITEMS_MAX));
    let page = tools.store.scan(scan).await;
    let page = page.map_err(|e| fault::reject(&e))?;
    let mut messages = Vec::with_capacity(page.rows.len());
    for (key, value) in &page.rows {
        let id = keys.of_message(key).ok_or(Code::Internal)?;
        messages.push(message(id, tables::decode(value)?)?);
    }
    Ok(RoomMessagePage {
        messages,
        more: page.more,
    })
}

/// Removes the messages of a room that are older than it keeps them. A room that keeps none any
/// more keeps those that it has for the shortest time there is.
pub(super) async fn remove_old(
    tools: &Tools,
    app: AppId,
    room: &RoomId,
    days: u32,
) -> Result<(), Reject> {
    let keys = RoomKeys::new(app, room);
    let days = u64::from(days.max(ROOM_HISTORY_DAYS_MIN));
    let end = MessageId::new(tools.env.now().minus_ms(days * DAY_MS), [0; 10]);
    loop {
        let scan = keys.messages(None, Direction::Forward, REMOVED_AT_ONCE);
        let scan = scan.to(std::ops::Bound::Excluded(keys.message(end).bytes));
        let page = tools.store.scan(scan).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        if page.rows.is_empty() {
            return Ok(());
        }
        let mut unit = Unit::new();
        for (key, _) in &page.rows {
            let id = keys.of_message(key).ok_or(Code::Internal)?;
            unit = unit.delete(keys.message(id));
        }
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
            Outcome::Conflict | Outcome::Unknown(_) => return Err(Code::Timeout.into()),
        }
        if !page.more {
            return Ok(());
        }
    }
}
