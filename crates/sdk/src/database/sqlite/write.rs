//! Writes, one after the other, within a transaction.

use rusqlite::{Connection, params};

use super::{Names, StorageError, encode_queued, int, message, ranges, read, row, schema};
use crate::core::Event;
use crate::database::ranges::Ranges;
use crate::database::rules::Cleared;
use crate::database::{PendingUpload, Place, Queued, Write, rules};
use crate::model::{Conversation, Message};
use crate::saved::SavedState;

pub(super) struct Writer<'a> {
    connection: &'a Connection,
    names: &'a mut Names,
    user_id: String,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        names: &'a mut Names,
    ) -> Result<Self, StorageError> {
        Ok(Self {
            user_id: read::owner(connection)?,
            connection,
            names,
        })
    }

    pub(super) fn write(&mut self, write: &Write) -> Result<(), StorageError> {
        match write {
            Write::User(user) => self.user(user),
            Write::Event(event) => {
                self.event(event)?;
                self.position(event)
            }
            Write::History {
                conversation,
                messages,
                after,
                to,
            } => {
                let number = self.number(conversation)?;
                self.history(number, messages, (*after, *to))
            }
            Write::Queued(queued) => self.queue(queued),
            Write::Settled {
                conversation,
                client_message_id,
            } => self.settle(conversation, client_message_id),
            Write::Draft { conversation, text } => self.draft(conversation, text),
            Write::Import(messages) => {
                let mut messages: Vec<&Message> = messages.iter().collect();
                messages.sort_by_key(|message| (message.time, message.seq));
                for message in messages {
                    let number = self.number(&message.conversation)?;
                    if message::import(self.connection, number, message)? {
                        let row = row::get(self.connection, number)?;
                        self.cover(number, row.as_ref(), (message.seq - 1, message.seq))?;
                    }
                }
                Ok(())
            }
            Write::Upload(upload) => self.upload(upload),
            Write::UploadEnded(id) => {
                let delete = "DELETE FROM upload WHERE id = ?1";
                self.connection.prepare_cached(delete)?.execute([id])?;
                Ok(())
            }
        }
    }

    fn upload(&self, upload: &PendingUpload) -> Result<(), StorageError> {
        let put = "INSERT INTO upload (id, path, name, bytes, modified, location)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (id) DO UPDATE SET path = excluded.path, name = excluded.name,
            bytes = excluded.bytes, modified = excluded.modified, location = excluded.location";
        self.connection.prepare_cached(put)?.execute(params![
            upload.id,
            upload.path,
            upload.name,
            int(upload.bytes),
            int(upload.modified),
            upload.location,
        ])?;
        Ok(())
    }

    fn number(&mut self, name: &str) -> Result<i64, StorageError> {
        self.names.number(self.connection, name)
    }

    fn user(&mut self, user: &str) -> Result<(), StorageError> {
        if self.user_id == user {
            return Ok(());
        }
        if !self.user_id.is_empty() {
            schema::forget(self.connection)?;
            *self.names = Names::default();
        }
        self.connection
            .execute("UPDATE owner SET user_id = ?1", params![user])?;
        user.clone_into(&mut self.user_id);
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), StorageError> {
        match event {
            Event::Message(message) => self.message(message),
            Event::Lost {
                conversation,
                from_seq,
                to_seq,
            } => {
                let number = self.number(conversation)?;
                let row = row::get(self.connection, number)?;
                self.cover(number, row.as_ref(), (from_seq.saturating_sub(1), *to_seq))
            }
            Event::Changed(message) => {
                let number = self.number(&message.conversation)?;
                let before = message::at(self.connection, number, Place::of(message.seq))?;
                let mut before = before.map(|(_, before)| before);
                if before.is_some() {
                    message::put(self.connection, number, message)?;
                } else if ranges(self.connection, number)?
                    .around(message.seq)
                    .is_some()
                {
                    before = Some(message.clone());
                }
                self.change_row(number, |row, me| {
                    rules::after_change(row, before.as_ref(), message, me);
                })
            }
            Event::Deleted {
                conversation,
                seqs,
                version,
            } => {
                let number = self.number(conversation)?;
                let mut deleted = Vec::new();
                for seq in seqs {
                    deleted.extend(message::remove(self.connection, number, Place::of(*seq))?);
                }
                self.change_row(number, |row, me| {
                    rules::after_deletion(row, &deleted, *version, me);
                })
            }
            Event::Followed {
                conversation,
                continued: false,
                ..
            } => {
                let number = self.number(conversation)?;
                self.forget_ranges(number)
            }
            Event::Outdated { conversation } => {
                let number = self.number(conversation)?;
                self.remove(number, "local = 0", u64::MAX)?;
                self.forget_ranges(number)
            }
            Event::Conversation { row, .. } => self.row(row),
            Event::Read {
                conversation,
                position,
            } => {
                let number = self.number(conversation)?;
                self.change_row(number, |row, _| rules::after_read(row, *position))
            }
            Event::Reset { positions } => {
                self.connection.execute("DELETE FROM conversation", [])?;
                if *positions {
                    self.connection.execute_batch(
                        "DELETE FROM words WHERE rowid IN (SELECT id FROM message WHERE local = 0);
                         DELETE FROM message WHERE local = 0; DELETE FROM range;",
                    )?;
                }
                Ok(())
            }
            Event::State(_)
            | Event::Followed { .. }
            | Event::Unfollowed { .. }
            | Event::Changes { .. }
            | Event::Transient(_)
            | Event::Receipts { .. }
            | Event::JoinRequest(_)
            | Event::Relations(_)
            | Event::Presence(_)
            | Event::Room { .. }
            | Event::Queue(_)
            | Event::Synced { .. } => Ok(()),
        }
    }

    fn message(&mut self, message: &Message) -> Result<(), StorageError> {
        let name = &message.conversation;
        let number = self.number(name)?;
        let known = read::followed(self.connection, number)?;
        let row = row::get(self.connection, number)?;
        if !rules::is_gone(row.as_ref(), message.seq) {
            message::put(self.connection, number, message)?;
        }
        let after = known.unwrap_or(message.seq.saturating_sub(1));
        self.cover(number, row.as_ref(), (after, message.seq))?;
        if message.sender == self.user_id {
            self.settle(name, &message.client_message_id)?;
        }
        let mut row = row.unwrap_or_else(|| rules::new_row(name));
        rules::after_message(&mut row, message, &self.user_id);
        row::put(self.connection, number, &row)
    }

    /// A page of history, which has everything within its range.
    fn history(
        &self,
        number: i64,
        messages: &[Message],
        (after, to): (u64, u64),
    ) -> Result<(), StorageError> {
        let row = row::get(self.connection, number)?;
        for message in messages {
            if !rules::is_gone(row.as_ref(), message.seq) {
                message::put(self.connection, number, message)?;
            }
        }
        let first = rules::readable_from(row.as_ref());
        let within = (after.max(first - 1), to);
        for seq in message::seqs(self.connection, number, within)? {
            if !messages.iter().any(|message| message.seq == seq) {
                message::remove(self.connection, number, Place::of(seq))?;
            }
        }
        self.cover(number, row.as_ref(), (after, to))
    }

    fn change_row(
        &self,
        number: i64,
        change: impl FnOnce(&mut Conversation, &str),
    ) -> Result<(), StorageError> {
        if let Some(mut row) = row::get(self.connection, number)? {
            change(&mut row, &self.user_id);
            row::put(self.connection, number, &row)?;
        }
        Ok(())
    }

    fn row(&mut self, told: &Conversation) -> Result<(), StorageError> {
        let number = self.number(&told.id)?;
        if let Some(newest) = &told.newest {
            message::put(self.connection, number, newest)?;
            let range = (newest.seq.saturating_sub(1), newest.seq);
            self.cover(number, Some(told), range)?;
        }
        let mut row = told.clone();
        let later = "SELECT seq, local, data FROM message
            WHERE conversation = ?1 AND seq > ?2 AND local = 0 ORDER BY seq";
        let mut later = self.connection.prepare_cached(later)?;
        let mut later = later.query(params![number, int(told.head_seq)])?;
        while let Some(found) = later.next()? {
            let stored = message::stored(found)?;
            rules::after_message(&mut row, &stored.message, &self.user_id);
        }
        let old = row::get(self.connection, number)?;
        if let Some(old) = &old {
            rules::keep_read(&mut row, old);
        }
        row::put(self.connection, number, &row)?;
        let Some(Cleared { up_to, all }) = rules::cleared_by(old.as_ref(), &row) else {
            return Ok(());
        };
        self.remove(number, if all { "TRUE" } else { "local = 0" }, up_to)?;
        self.change_ranges(number, |ranges| ranges.forget(up_to))
    }

    fn cover(
        &self,
        number: i64,
        row: Option<&Conversation>,
        (after, to): (u64, u64),
    ) -> Result<(), StorageError> {
        let after = after.max(rules::readable_from(row) - 1);
        self.change_ranges(number, |ranges| ranges.add(after, to))
    }

    fn change_ranges(
        &self,
        number: i64,
        change: impl FnOnce(&mut Ranges),
    ) -> Result<(), StorageError> {
        let before = ranges(self.connection, number)?;
        let mut ranges = before.clone();
        change(&mut ranges);
        let delete = "DELETE FROM range WHERE conversation = ?1 AND after = ?2";
        let mut delete = self.connection.prepare_cached(delete)?;
        for after in before
            .0
            .keys()
            .filter(|after| !ranges.0.contains_key(after))
        {
            delete.execute(params![number, int(*after)])?;
        }
        let put = "INSERT OR REPLACE INTO range (conversation, after, upto) VALUES (?1, ?2, ?3)";
        let mut put = self.connection.prepare_cached(put)?;
        for (after, to) in &ranges.0 {
            if before.0.get(after) != Some(to) {
                put.execute(params![number, int(*after), int(*to)])?;
            }
        }
        Ok(())
    }

    fn queue(&mut self, queued: &Queued) -> Result<(), StorageError> {
        let number = self.number(&queued.outgoing.conversation)?;
        let id = queued.client_message_id();
        if queued.failed.is_none() {
            // Tried again after a failure, it goes behind all others.
            let delete = "DELETE FROM queued
                WHERE conversation = ?1 AND client_message_id = ?2 AND code IS NOT NULL";
            let mut delete = self.connection.prepare_cached(delete)?;
            delete.execute(params![number, id])?;
        }
        let put = "INSERT INTO queued
            (conversation, client_message_id, code, code_name, reason, data)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (conversation, client_message_id) DO UPDATE SET
            code = excluded.code, code_name = excluded.code_name, reason = excluded.reason,
            data = excluded.data";
        let failed = queued.failed.as_ref();
        self.connection.prepare_cached(put)?.execute(params![
            number,
            id,
            failed.map(|error| error.code),
            failed.map_or("", |error| error.name.as_ref()),
            failed.map_or("", |error| error.message.as_ref()),
            encode_queued(queued),
        ])?;
        Ok(())
    }

    fn settle(&mut self, conversation: &str, id: &str) -> Result<(), StorageError> {
        let number = self.number(conversation)?;
        let delete = "DELETE FROM queued WHERE conversation = ?1 AND client_message_id = ?2";
        let mut delete = self.connection.prepare_cached(delete)?;
        delete.execute(params![number, id])?;
        Ok(())
    }

    fn draft(&mut self, conversation: &str, text: &str) -> Result<(), StorageError> {
        let number = self.number(conversation)?;
        if text.is_empty() {
            let delete = "DELETE FROM draft WHERE conversation = ?1";
            self.connection.execute(delete, params![number])?;
        } else {
            let put = "INSERT OR REPLACE INTO draft (conversation, text) VALUES (?1, ?2)";
            self.connection.execute(put, params![number, text])?;
        }
        Ok(())
    }

    /// Nothing is known to be without holes.
    fn forget_ranges(&self, number: i64) -> Result<(), StorageError> {
        let ranges = "DELETE FROM range WHERE conversation = ?1";
        self.connection.prepare_cached(ranges)?.execute([number])?;
        Ok(())
    }

    /// Removes messages up to a sequence, those of which a condition holds.
    fn remove(&self, number: i64, which: &str, up_to: u64) -> Result<(), StorageError> {
        let these = format!("FROM message WHERE conversation = ?1 AND seq <= ?2 AND {which}");
        let words = format!("DELETE FROM words WHERE rowid IN (SELECT id {these})");
        let parameters = params![number, int(up_to)];
        self.connection
            .prepare_cached(&words)?
            .execute(parameters)?;
        let delete = format!("DELETE {these}");
        self.connection
            .prepare_cached(&delete)?
            .execute(parameters)?;
        Ok(())
    }

    /// Moves the position as [`SavedState::apply`] does.
    fn position(&mut self, event: &Event) -> Result<(), StorageError> {
        let name = concerned(event);
        let before = read::position(self.connection, name)?;
        let mut after = before.clone();
        after.apply(event);
        if matches!(event, Event::Reset { positions: true }) {
            self.connection.execute("DELETE FROM followed", [])?;
        }
        if let Some(name) = name {
            self.follow(name, &before, &after)?;
        }
        let all = |saved: &SavedState| {
            let user_id = saved.user_id.clone();
            let numbers = (saved.epoch, saved.feed_version, saved.synced_time);
            (user_id, numbers)
        };
        if all(&before) != all(&after) {
            let update = "UPDATE owner SET saved_user_id = ?1, epoch = ?2, feed_version = ?3,
                synced_time = ?4";
            self.connection.prepare_cached(update)?.execute(params![
                after.user_id,
                int(after.epoch),
                int(after.feed_version),
                int(after.synced_time),
            ])?;
        }
        Ok(())
    }

    /// Moves the position of a conversation.
    fn follow(
        &mut self,
        name: &str,
        before: &SavedState,
        after: &SavedState,
    ) -> Result<(), StorageError> {
        let of = |saved: &SavedState| {
            let seq = saved.followed.get(name).copied();
            let rev = saved.revs.get(name).copied();
            seq.map(|seq| (seq, rev, saved.deleted.get(name).copied()))
        };
        if of(before) == of(after) {
            return Ok(());
        }
        let number = self.number(name)?;
        if let Some((seq, rev, deleted)) = of(after) {
            let put = "INSERT OR REPLACE INTO followed (conversation, seq, rev, deleted_version)
                VALUES (?1, ?2, ?3, ?4)";
            let parameters = params![number, int(seq), rev.map(int), deleted.map(int)];
            self.connection.prepare_cached(put)?.execute(parameters)?;
        } else {
            let delete = "DELETE FROM followed WHERE conversation = ?1";
            let mut delete = self.connection.prepare_cached(delete)?;
            delete.execute(params![number])?;
        }
        Ok(())
    }
}

/// The conversation whose position an event may move.
fn concerned(event: &Event) -> Option<&str> {
    match event {
        Event::Message(message) => Some(&message.conversation),
        Event::Followed { conversation, .. }
        | Event::Unfollowed { conversation, .. }
        | Event::Changes { conversation, .. }
        | Event::Deleted { conversation, .. }
        | Event::Lost { conversation, .. } => Some(conversation),
        _ => None,
    }
}
