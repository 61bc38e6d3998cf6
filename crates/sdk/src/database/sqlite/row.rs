//! Rows of the conversation list in the file.

use anser_proto::client as wire;
use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{StorageError, damaged, int};
use crate::model::Conversation;

pub(super) fn decode(data: &[u8]) -> Result<Conversation, StorageError> {
    let row = wire::Conversation::decode(data).map_err(|_| damaged("a conversation"))?;
    Ok(row.into())
}

/// The row of a conversation.
pub(super) fn get(
    connection: &Connection,
    conversation: i64,
) -> Result<Option<Conversation>, StorageError> {
    let select = "SELECT data FROM conversation WHERE conversation = ?1";
    let mut select = connection.prepare_cached(select)?;
    let data: Option<Vec<u8>> = select
        .query_row(params![conversation], |row| row.get(0))
        .optional()?;
    data.map(|data| decode(&data)).transpose()
}

/// Puts a row in the place of the one before.
pub(super) fn put(
    connection: &Connection,
    conversation: i64,
    row: &Conversation,
) -> Result<(), StorageError> {
    let put = "INSERT OR REPLACE INTO conversation
        (conversation, name, last_time, unread, unread_mentions, data, pinned, hidden)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let data = wire::Conversation::from(row.clone()).encode_to_vec();
    connection.prepare_cached(put)?.execute(params![
        conversation,
        row.id,
        int(row.last_time.0),
        int(row.unread),
        int(row.unread_mentions),
        data,
        row.pinned,
        row.hidden,
    ])?;
    Ok(())
}
