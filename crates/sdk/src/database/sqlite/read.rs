//! Questions to the file.

use anser_domain::limits::INBOX_CONVERSATIONS_MAX;
use rusqlite::types::{ToSql, Value};
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};

use super::{StorageError, decode_queued, find_name, int, message, ranges, row, uint};
use crate::database::query::{self, first_id};
use crate::database::words::Words;
use crate::database::{
    Draft, LocalPage, MessageQuery, PendingUpload, Queued, Reader, SearchCursor, SearchPage,
    SearchQuery, Stored, UnreadTotal,
};
use crate::error::Error;
use crate::model::Conversation;
use crate::saved::SavedState;

/// Whose file it is.
pub(super) fn owner(connection: &Connection) -> Result<String, StorageError> {
    let mut select = connection.prepare_cached("SELECT user_id FROM owner")?;
    Ok(select.query_row([], |row| row.get(0))?)
}

/// The position, with that of one conversation or of none.
pub(super) fn position(
    connection: &Connection,
    conversation: Option<&str>,
) -> Result<SavedState, StorageError> {
    let select = "SELECT saved_user_id, epoch, feed_version, synced_time FROM owner";
    let mut saved = connection.prepare_cached(select)?.query_row([], |row| {
        Ok(SavedState {
            user_id: row.get(0)?,
            epoch: uint(row.get(1)?),
            feed_version: uint(row.get(2)?),
            synced_time: uint(row.get(3)?),
            ..SavedState::default()
        })
    })?;
    if let Some(name) = conversation {
        follows(connection, &mut saved, "WHERE name = ?1", &[&name])?;
    }
    Ok(saved)
}

/// How far conversations of the list go.
pub(super) fn heads(connection: &Connection) -> Result<Vec<(String, u64)>, StorageError> {
    let select = "SELECT data FROM conversation ORDER BY last_time DESC, name LIMIT ?1";
    let limit = i64::try_from(INBOX_CONVERSATIONS_MAX).unwrap_or(i64::MAX);
    let mut select = connection.prepare(select)?;
    let mut rows = select.query(params![limit])?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        let data: Vec<u8> = row.get(0)?;
        let row: Conversation = row::decode(&data)?;
        heads.push((row.id, row.head_seq));
    }
    Ok(heads)
}

/// The whole position.
pub(super) fn saved(connection: &Connection) -> Result<SavedState, StorageError> {
    let mut saved = position(connection, None)?;
    follows(connection, &mut saved, "", &[])?;
    Ok(saved)
}

fn follows(
    connection: &Connection,
    saved: &mut SavedState,
    which: &str,
    parameters: &[&dyn ToSql],
) -> Result<(), StorageError> {
    let select = format!(
        "SELECT name, seq, rev, deleted_version
         FROM name JOIN followed ON conversation = name.id {which}"
    );
    let mut select = connection.prepare_cached(&select)?;
    let mut rows = select.query(parameters)?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if let Some(rev) = row.get::<_, Option<i64>>(2)? {
            saved.revs.insert(name.clone(), uint(rev));
        }
        if let Some(version) = row.get::<_, Option<i64>>(3)? {
            saved.deleted.insert(name.clone(), uint(version));
        }
        saved.followed.insert(name, uint(row.get(1)?));
    }
    Ok(())
}

/// Up to where a conversation was delivered, if it is followed.
pub(super) fn followed(
    connection: &Connection,
    conversation: i64,
) -> Result<Option<u64>, StorageError> {
    let select = "SELECT seq FROM followed WHERE conversation = ?1";
    let mut select = connection.prepare_cached(select)?;
    let seq: Option<i64> = select
        .query_row(params![conversation], |row| row.get(0))
        .optional()?;
    Ok(seq.map(uint))
}

/// The sends that wait, of all conversations or of one.
pub(super) fn queued(
    connection: &Connection,
    conversation: Option<i64>,
) -> Result<Vec<Queued>, StorageError> {
    let select = "SELECT data, code, code_name, reason FROM queued
        WHERE ?1 IS NULL OR conversation = ?1 ORDER BY number";
    let mut select = connection.prepare_cached(select)?;
    let mut rows = select.query(params![conversation])?;
    let mut queued = Vec::new();
    while let Some(row) = rows.next()? {
        let data: Vec<u8> = row.get(0)?;
        let failed = match row.get::<_, Option<u32>>(1)? {
            Some(code) => Some(Error {
                code,
                name: row.get::<_, String>(2)?.into(),
                message: row.get::<_, String>(3)?.into(),
                retry_after_ms: 0,
            }),
            None => None,
        };
        queued.push(decode_queued(&data, failed)?);
    }
    Ok(queued)
}

/// A reading connection.
#[derive(Debug)]
pub(super) struct SqliteReader {
    connection: Connection,
}

impl SqliteReader {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// Narrows a query of a time to places, so that what is not of the time is not read.
    fn bounds(&self, number: i64, query: &MessageQuery) -> Result<(u64, u64), StorageError> {
        let (mut first, mut last) = (0, u64::MAX);
        if let Some(since) = query.since {
            let from = message::first_seq_from(&self.connection, number, first_id(since))?;
            first = from.unwrap_or(u64::MAX);
        }
        if let Some(until) = query.until {
            let below = message::last_seq_below(&self.connection, number, first_id(until))?;
            last = below.unwrap_or(0);
        }
        Ok((first, last))
    }

    fn page(&self, number: i64, query: &MessageQuery) -> Result<LocalPage, StorageError> {
        let row = row::get(&self.connection, number)?;
        let ranges = ranges(&self.connection, number)?;
        let window = query::window(query, row.as_ref(), &ranges);
        let (first, last) = self.bounds(number, query)?;
        let mut sql = "SELECT seq, local, data FROM message WHERE conversation = ?
            AND (seq, local) > (?, ?) AND (seq, local) < (?, ?)"
            .to_owned();
        let (above, below) = (window.above, window.below);
        let places = [above.seq, above.local, below.seq, below.local].map(int);
        let mut values: Vec<Value> = vec![number.into()];
        values.extend(places.map(Value::from));
        let mut filter = |condition: &str, value: Value| {
            sql.push_str(condition);
            values.push(value);
        };
        if first > 0 {
            filter(" AND seq >= ?", int(first).into());
        }
        if last < u64::MAX {
            filter(" AND seq <= ?", int(last).into());
        }
        if let Some(kind) = &query.kind {
            filter(" AND kind = ?", kind.clone().into());
        }
        if let Some(sender) = &query.sender {
            filter(" AND sender = ?", sender.clone().into());
        }
        if let Some(since) = query.since {
            filter(" AND id >= ?", first_id(since).into());
        }
        if let Some(until) = query.until {
            filter(" AND id < ?", first_id(until).into());
        }
        sql.push_str(match query.ascending {
            true => " ORDER BY seq, local LIMIT ",
            false => " ORDER BY seq DESC, local DESC LIMIT ",
        });
        sql.push_str(&(query.limit() + 1).to_string());
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(values))?;
        let mut messages = Vec::new();
        while let Some(row) = rows.next()? {
            messages.push(message::stored(row)?);
        }
        Ok(query::page(messages, query, window.next))
    }
}

/// The query in the language of the index. It has letters and digits only between the quotes.
fn match_expression(words: &Words, conversation: Option<i64>) -> String {
    let runs = words.runs().iter();
    let mut terms: Vec<String> = runs
        .map(|run| format!("(tokens : \"{}\" *)", run.join(" ")))
        .collect();
    terms.extend(conversation.map(|number| format!("(conversation : \"{number}\")")));
    terms.join(" AND ")
}

impl Reader for SqliteReader {
    fn messages(&mut self, query: &MessageQuery) -> Result<LocalPage, StorageError> {
        match find_name(&self.connection, &query.conversation)? {
            Some(number) => self.page(number, query),
            // Of a conversation that this device never heard of, everything may be elsewhere.
            None => {
                let nothing = query::window(query, None, &super::Ranges::default());
                Ok(query::page(Vec::new(), query, nothing.next))
            }
        }
    }

    fn message(&mut self, message_id: &str) -> Result<Option<Stored>, StorageError> {
        if message_id.is_empty() {
            return Ok(None);
        }
        let select = "SELECT seq, local, data FROM message WHERE message_id = ?1 LIMIT 1";
        let mut select = self.connection.prepare_cached(select)?;
        let mut rows = select.query(params![message_id])?;
        rows.next()?.map(message::stored).transpose()
    }

    fn search(&mut self, query: &SearchQuery) -> Result<SearchPage, StorageError> {
        let words = Words::of(&query.text);
        let limit = query::limit(query.limit);
        let mut page = SearchPage::default();
        let conversation = match &query.conversation {
            Some(name) => match find_name(&self.connection, name)? {
                Some(number) => Some(number),
                None => return Ok(page),
            },
            None => None,
        };
        if words.is_empty() {
            return Ok(page);
        }
        let mut sql = "SELECT seq, local, data, message.id
            FROM words CROSS JOIN message ON message.id = words.rowid
            WHERE words MATCH ?1 AND words.rowid < ?2 AND words.rowid >= ?3"
            .to_owned();
        let until = query.until.map_or(i64::MAX, first_id);
        let below = query.cursor.map_or(until, |cursor| until.min(cursor.0));
        let from = query.since.map_or(i64::MIN, first_id);
        let mut values: Vec<Value> = vec![
            match_expression(&words, conversation).into(),
            below.into(),
            from.into(),
        ];
        if let Some(sender) = &query.sender {
            sql.push_str(" AND sender = ?4");
            values.push(sender.clone().into());
        }
        sql.push_str(" ORDER BY words.rowid DESC LIMIT ");
        sql.push_str(&(limit + 1).to_string());
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(values))?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            if page.messages.len() == limit {
                page.cursor = last.map(SearchCursor);
                break;
            }
            last = Some(row.get(3)?);
            page.messages.push(message::stored(row)?);
        }
        Ok(page)
    }

    fn conversations(
        &mut self,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<Conversation>, StorageError> {
        let select = "SELECT data FROM conversation WHERE hidden = 0
            ORDER BY pinned DESC, last_time DESC, name LIMIT ?1 OFFSET ?2";
        let mut select = self.connection.prepare_cached(select)?;
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let mut rows = select.query(params![number(limit), number(skip)])?;
        let mut list = Vec::new();
        while let Some(row) = rows.next()? {
            let data: Vec<u8> = row.get(0)?;
            list.push(row::decode(&data)?);
        }
        Ok(list)
    }

    fn conversation(&mut self, name: &str) -> Result<Option<Conversation>, StorageError> {
        match find_name(&self.connection, name)? {
            Some(number) => row::get(&self.connection, number),
            None => Ok(None),
        }
    }

    fn unread(&mut self) -> Result<UnreadTotal, StorageError> {
        let select = "SELECT coalesce(sum(unread), 0), coalesce(sum(unread_mentions), 0)
            FROM conversation WHERE unread > 0 AND hidden = 0";
        let mut select = self.connection.prepare_cached(select)?;
        Ok(select.query_row([], |row| {
            Ok(UnreadTotal {
                unread: uint(row.get(0)?),
                mentions: uint(row.get(1)?),
            })
        })?)
    }

    fn draft(&mut self, conversation: &str) -> Result<String, StorageError> {
        let select = "SELECT text FROM name JOIN draft ON conversation = name.id WHERE name = ?1";
        let mut select = self.connection.prepare_cached(select)?;
        let text = select.query_row(params![conversation], |row| row.get(0));
        Ok(text.optional()?.unwrap_or_default())
    }

    fn drafts(&mut self) -> Result<Vec<Draft>, StorageError> {
        let select = "SELECT name, text FROM draft JOIN name ON conversation = name.id
            ORDER BY name";
        let mut select = self.connection.prepare_cached(select)?;
        let drafts = select.query_map([], |row| {
            Ok(Draft {
                conversation: row.get(0)?,
                text: row.get(1)?,
            })
        })?;
        Ok(drafts.collect::<Result<_, _>>()?)
    }

    fn queued(&mut self, conversation: &str) -> Result<Vec<Queued>, StorageError> {
        match find_name(&self.connection, conversation)? {
            Some(number) => queued(&self.connection, Some(number)),
            None => Ok(Vec::new()),
        }
    }

    fn uploads(&mut self) -> Result<Vec<PendingUpload>, StorageError> {
        let select = "SELECT id, path, name, bytes, modified, location FROM upload
            ORDER BY number";
        let mut select = self.connection.prepare_cached(select)?;
        let uploads = select.query_map([], |row| {
            Ok(PendingUpload {
                id: row.get(0)?,
                path: row.get(1)?,
                name: row.get(2)?,
                bytes: uint(row.get(3)?),
                modified: uint(row.get(4)?),
                location: row.get(5)?,
            })
        })?;
        Ok(uploads.collect::<Result<_, _>>()?)
    }
}
