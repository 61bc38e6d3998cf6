//! The tables, as the history of how they came to be.
//!
//! A file says in `user_version` how many steps it has taken; opening takes the rest, each in a
//! transaction with its number. A step that was released is never changed.
//!
//! Ids of messages ascend with their time, so that a search gives the newest first without
//! sorting. `words` keeps no text: what it finds is read from `message`.

use rusqlite::Connection;

use super::StorageError;

const STEPS: &[&str] = &[
    "
CREATE TABLE owner (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    user_id TEXT NOT NULL,
    -- the position: see SavedState
    saved_user_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    feed_version INTEGER NOT NULL,
    synced_time INTEGER NOT NULL
) STRICT;
INSERT INTO owner VALUES (1, '', '', 0, 0, 0);

CREATE TABLE name (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE followed (
    conversation INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    -- of changes; NULL: not known
    rev INTEGER,
    deleted_version INTEGER
) STRICT;

CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    local INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- anser.client.v1.Message
    data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_place ON message (conversation, seq, local);
CREATE INDEX message_kind ON message (conversation, kind, seq, local);
CREATE INDEX message_time ON message (conversation, id) WHERE local = 0;
CREATE INDEX message_local ON message (conversation, seq, local) WHERE local > 0;
CREATE INDEX message_message_id ON message (message_id);

CREATE VIRTUAL TABLE words USING fts5 (
    tokens, conversation,
    content = '', contentless_delete = 1, tokenize = 'ascii', prefix = '1'
);

CREATE TABLE range (
    conversation INTEGER NOT NULL,
    after INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    PRIMARY KEY (conversation, after)
) STRICT, WITHOUT ROWID;

CREATE TABLE conversation (
    conversation INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    last_time INTEGER NOT NULL,
    unread INTEGER NOT NULL,
    unread_mentions INTEGER NOT NULL,
    -- anser.client.v1.Conversation
    data BLOB NOT NULL
) STRICT;
CREATE INDEX conversation_order ON conversation (last_time DESC, name);
CREATE INDEX conversation_unread ON conversation (unread, unread_mentions) WHERE unread > 0;

CREATE TABLE draft (
    conversation INTEGER PRIMARY KEY,
    text TEXT NOT NULL
) STRICT;

CREATE TABLE queued (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation INTEGER NOT NULL,
    client_message_id TEXT NOT NULL,
    -- why it was refused; NULL: it waits
    code INTEGER,
    code_name TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    -- anser.client.v1.SendMessage
    data BLOB NOT NULL,
    UNIQUE (conversation, client_message_id)
) STRICT;
",
    "
ALTER TABLE conversation ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
DROP INDEX conversation_order;
CREATE INDEX conversation_order ON conversation (pinned DESC, last_time DESC, name)
    WHERE hidden = 0;
",
    "
CREATE TABLE upload (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    -- the server's place for it; empty: it was not announced yet
    location TEXT NOT NULL
) STRICT;
",
];

/// Takes the steps that a file has not taken.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StorageError> {
    let taken: usize =
        connection.query_row("SELECT user_version FROM pragma_user_version", [], |row| {
            row.get(0)
        })?;
    if taken > STEPS.len() {
        let message = format!("the local database is of a newer release: version {taken}");
        return Err(StorageError(message));
    }
    for (number, step) in STEPS.iter().enumerate().skip(taken) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", number + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Empties every table: the file is somebody else's from now on.
pub(super) fn forget(connection: &Connection) -> Result<(), StorageError> {
    connection.execute_batch(
        "DELETE FROM message; DELETE FROM words; DELETE FROM range; DELETE FROM conversation;
         DELETE FROM draft; DELETE FROM queued; DELETE FROM upload; DELETE FROM followed; DELETE FROM name;
         UPDATE owner SET saved_user_id = '', epoch = 0, feed_version = 0, synced_time = 0;",
    )?;
    Ok(())
}
