//! The database as a SQLite file.
//!
//! One connection writes; each reader has one of its own and sees what was committed before its
//! question (WAL). A commit is synced, so "queued" and the position survive a power cut. What the
//! server said — messages, rows, sends — is kept in the wire's own form, which is only ever
//! extended, beside the columns that are searched by. `schema` has the tables and their history.

mod message;
mod read;
mod row;
mod schema;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anser_proto::client as wire;
use prost::Message as _;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::ranges::Ranges;
use super::{Loaded, Queued, Reader, Storage, StorageError, Write};
use crate::error::Error;

/// For another process, such as one that makes a backup, to let go of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        Self(format!("the local database: {error}"))
    }
}

fn damaged(what: &str) -> StorageError {
    StorageError(format!("the local database is damaged: {what}"))
}

/// SQLite's integers are signed. What the server counts stays far below.
fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// The database in a SQLite file. To be opened by one [`SqliteStorage`] at a time.
#[derive(Debug)]
pub struct SqliteStorage {
    path: PathBuf,
    connection: Connection,
    names: Names,
}

impl SqliteStorage {
    /// Opens the file, or makes it. Brings a file of an older release up to date; refuses one of
    /// a newer release.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        let mut connection = Connection::open(path.as_ref())?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.set_prepared_statement_cache_capacity(64);
        schema::migrate(&mut connection)?;
        Ok(Self {
            path: path.as_ref().to_owned(),
            connection,
            names: Names::default(),
        })
    }
}

impl Storage for SqliteStorage {
    fn write(&mut self, writes: &[Write]) -> Result<(), StorageError> {
        let transaction = self.connection.transaction()?;
        let mut writer = write::Writer::new(&transaction, &mut self.names)?;
        let written = writes.iter().try_for_each(|write| writer.write(write));
        let ended = written.and_then(|()| Ok(transaction.commit()?));
        if ended.is_err() {
            // Some of them may have been of the transaction that is undone.
            self.names = Names::default();
        }
        ended
    }

    fn load(&mut self) -> Result<Loaded, StorageError> {
        Ok(Loaded {
            heads: read::heads(&self.connection)?,
            user_id: read::owner(&self.connection)?,
            saved: read::saved(&self.connection)?,
            queued: read::queued(&self.connection, None)?
                .into_iter()
                .filter(|queued| queued.failed.is_none())
                .collect(),
        })
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StorageError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Box::new(read::SqliteReader::new(connection)))
    }
}

/// Numbers of conversations, which stand for their names in the other tables.
#[derive(Debug, Default)]
struct Names(BTreeMap<String, i64>);

/// Conversations whose number is remembered.
const NAMES_MAX: usize = 10_000;

impl Names {
    /// The number of a conversation; made if there is none.
    fn number(&mut self, connection: &Connection, name: &str) -> Result<i64, StorageError> {
        if let Some(number) = self.0.get(name) {
            return Ok(*number);
        }
        let number = match find_name(connection, name)? {
            Some(number) => number,
            None => {
                let insert = "INSERT INTO name (name) VALUES (?1)";
                connection.prepare_cached(insert)?.insert(params![name])?
            }
        };
        if self.0.len() >= NAMES_MAX {
            self.0.clear();
        }
        self.0.insert(name.to_owned(), number);
        Ok(number)
    }
}

fn find_name(connection: &Connection, name: &str) -> Result<Option<i64>, StorageError> {
    let mut find = connection.prepare_cached("SELECT id FROM name WHERE name = ?1")?;
    Ok(find.query_row(params![name], |row| row.get(0)).optional()?)
}

fn ranges(connection: &Connection, conversation: i64) -> Result<Ranges, StorageError> {
    let select = "SELECT after, upto FROM range WHERE conversation = ?1";
    let mut select = connection.prepare_cached(select)?;
    let rows = select.query_map(params![conversation], |row| {
        Ok((uint(row.get(0)?), uint(row.get(1)?)))
    })?;
    Ok(Ranges(rows.collect::<Result<_, _>>()?))
}

fn encode_queued(queued: &Queued) -> Vec<u8> {
    wire::SendMessage::from(queued.outgoing.clone()).encode_to_vec()
}

fn decode_queued(data: &[u8], failed: Option<Error>) -> Result<Queued, StorageError> {
    let send = wire::SendMessage::decode(data).map_err(|_| damaged("a queued send"))?;
    Ok(Queued {
        outgoing: send.into(),
        failed,
    })
}
