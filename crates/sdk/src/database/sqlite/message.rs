//! Messages in the file, with the words by which they are found.

use anser_proto::client as wire;
use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{StorageError, damaged, int, uint};
use crate::database::query::first_id;
use crate::database::words::tokens;
use crate::database::{Place, Stored, searchable};
use crate::model::Message;

/// `seq, local, data` of a row.
pub(super) fn stored(row: &Row<'_>) -> Result<Stored, StorageError> {
    let place = Place {
        seq: uint(row.get(0)?),
        local: uint(row.get(1)?),
    };
    let data = row
        .get_ref(2)?
        .as_blob()
        .map_err(|_| damaged("a message"))?;
    Ok(Stored {
        place,
        message: decode(data)?,
    })
}

fn decode(data: &[u8]) -> Result<Message, StorageError> {
    let message = wire::Message::decode(data).map_err(|_| damaged("a message"))?;
    Ok(message.into())
}

/// The message at this place.
pub(super) fn at(
    connection: &Connection,
    conversation: i64,
    place: Place,
) -> Result<Option<(i64, Message)>, StorageError> {
    let select = "SELECT id, data FROM message WHERE conversation = ?1 AND seq = ?2 AND local = ?3";
    let mut select = connection.prepare_cached(select)?;
    let at = params![conversation, int(place.seq), int(place.local)];
    let found: Option<(i64, Vec<u8>)> = select
        .query_row(at, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let decoded = found.map(|(id, data)| Ok((id, decode(&data)?)));
    decoded.transpose()
}

/// The server's messages after the first of these sequences, up to the second.
pub(super) fn seqs(
    connection: &Connection,
    conversation: i64,
    (after, to): (u64, u64),
) -> Result<Vec<u64>, StorageError> {
    let select = "SELECT seq FROM message
        WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 AND local = 0";
    let mut select = connection.prepare_cached(select)?;
    let rows = select.query_map(params![conversation, int(after), int(to)], |row| row.get(0))?;
    let seqs: Result<Vec<i64>, rusqlite::Error> = rows.collect();
    Ok(seqs?.into_iter().map(uint).collect())
}

/// Puts a message of the server. A later state is not replaced.
pub(super) fn put(
    connection: &Connection,
    conversation: i64,
    message: &Message,
) -> Result<(), StorageError> {
    let place = Place::of(message.seq);
    if message.seq == 0 || message.content.is_command() {
        return Ok(());
    }
    let Some((id, before)) = at(connection, conversation, place)? else {
        return insert(connection, conversation, message, place);
    };
    if before.rev() > message.rev() || before == *message {
        return Ok(());
    }
    let update = "UPDATE message SET data = ?2, kind = ?3 WHERE id = ?1";
    let mut update = connection.prepare_cached(update)?;
    let data = wire::Message::from(message.clone()).encode_to_vec();
    update.execute(params![id, data, message.content.kind])?;
    if searchable(&before) != searchable(message) {
        forget_words(connection, id)?;
        index_words(connection, id, conversation, message)?;
    }
    Ok(())
}

/// Inserts a message at a place where none is.
pub(super) fn insert(
    connection: &Connection,
    conversation: i64,
    message: &Message,
    place: Place,
) -> Result<(), StorageError> {
    let insert = "INSERT INTO message
        (id, conversation, seq, local, message_id, sender, kind, data)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let data = wire::Message::from(message.clone()).encode_to_vec();
    let id = free_id(connection, first_id(message.time))?;
    connection.prepare_cached(insert)?.execute(params![
        id,
        conversation,
        int(place.seq),
        int(place.local),
        message.message_id,
        message.sender,
        message.content.kind,
        data,
    ])?;
    index_words(connection, id, conversation, message)
}

/// The first id from here on that no message has.
fn free_id(connection: &Connection, first: i64) -> Result<i64, StorageError> {
    let mut select = connection.prepare_cached("SELECT 1 FROM message WHERE id = ?1")?;
    let mut id = first;
    while select.exists(params![id])? {
        id += 1;
    }
    Ok(id)
}

/// Removes a message.
pub(super) fn remove(
    connection: &Connection,
    conversation: i64,
    place: Place,
) -> Result<Option<Message>, StorageError> {
    let Some((id, message)) = at(connection, conversation, place)? else {
        return Ok(None);
    };
    let mut delete = connection.prepare_cached("DELETE FROM message WHERE id = ?1")?;
    delete.execute(params![id])?;
    forget_words(connection, id)?;
    Ok(Some(message))
}

fn index_words(
    connection: &Connection,
    id: i64,
    conversation: i64,
    message: &Message,
) -> Result<(), StorageError> {
    let tokens = searchable(message).map(tokens).unwrap_or_default();
    if tokens.is_empty() {
        return Ok(());
    }
    let insert = "INSERT INTO words (rowid, tokens, conversation) VALUES (?1, ?2, ?3)";
    let mut insert = connection.prepare_cached(insert)?;
    insert.execute(params![id, tokens.join(" "), conversation.to_string()])?;
    Ok(())
}

fn forget_words(connection: &Connection, id: i64) -> Result<(), StorageError> {
    let mut delete = connection.prepare_cached("DELETE FROM words WHERE rowid = ?1")?;
    delete.execute(params![id])?;
    Ok(())
}

/// Inserts what the application brings; see [`Write::Import`](crate::database::Write::Import).
/// Says whether it is a message of the server that was not here.
pub(super) fn import(
    connection: &Connection,
    conversation: i64,
    message: &Message,
) -> Result<bool, StorageError> {
    if message.seq > 0 {
        let place = Place::of(message.seq);
        if at(connection, conversation, place)?.is_some() {
            return Ok(false);
        }
        insert(connection, conversation, message, place)?;
        return Ok(true);
    }
    let known = "SELECT 1 FROM message WHERE message_id = ?1";
    let id = &message.message_id;
    if !id.is_empty() && connection.prepare_cached(known)?.exists(params![id])? {
        return Ok(false);
    }
    let place = place_behind(connection, conversation, message)?;
    insert(connection, conversation, message, place)?;
    Ok(false)
}

/// The place behind the last message that is not later.
fn place_behind(
    connection: &Connection,
    conversation: i64,
    message: &Message,
) -> Result<Place, StorageError> {
    let next_ms = first_id(message.time.plus_ms(1));
    let seq = last_seq_below(connection, conversation, next_ms)?.unwrap_or(0);
    let last = "SELECT coalesce(max(local), 0) FROM message WHERE conversation = ?1 AND seq = ?2";
    let mut last = connection.prepare_cached(last)?;
    let last: i64 = last.query_row(params![conversation, int(seq)], |row| row.get(0))?;
    Ok(Place {
        seq,
        local: uint(last) + 1,
    })
}

/// The highest sequence among the places of messages with an id below this one. Of the server's
/// messages time grows with the sequence; those that are only here are looked at one by one.
pub(super) fn last_seq_below(
    connection: &Connection,
    conversation: i64,
    id: i64,
) -> Result<Option<u64>, StorageError> {
    let select = "SELECT max(seq) FROM (
        SELECT seq FROM (SELECT seq FROM message
            WHERE conversation = ?1 AND local = 0 AND id < ?2 ORDER BY id DESC LIMIT 1)
        UNION ALL
        SELECT max(seq) FROM message WHERE conversation = ?1 AND local > 0 AND id < ?2)";
    let mut select = connection.prepare_cached(select)?;
    let seq: Option<i64> = select.query_row(params![conversation, id], |row| row.get(0))?;
    Ok(seq.map(uint))
}

/// The lowest sequence among the places of messages with this id or a higher one.
pub(super) fn first_seq_from(
    connection: &Connection,
    conversation: i64,
    id: i64,
) -> Result<Option<u64>, StorageError> {
    let select = "SELECT min(seq) FROM (
        SELECT seq FROM (SELECT seq FROM message
            WHERE conversation = ?1 AND local = 0 AND id >= ?2 ORDER BY id LIMIT 1)
        UNION ALL
        SELECT min(seq) FROM message WHERE conversation = ?1 AND local > 0 AND id >= ?2)";
    let mut select = connection.prepare_cached(select)?;
    let seq: Option<i64> = select.query_row(params![conversation, id], |row| row.get(0))?;
    Ok(seq.map(uint))
}
