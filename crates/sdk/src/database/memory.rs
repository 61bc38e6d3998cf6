//! A database that forgets: for tests, simulations, and applications that keep nothing.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anser_domain::limits::INBOX_CONVERSATIONS_MAX;

use super::query::{self, first_id};
use super::ranges::Ranges;
use super::rules::Cleared;
use super::words::{Words, tokens};
use super::{
    Draft, Loaded, LocalPage, MessageQuery, PendingUpload, Place, Queued, Reader, SearchCursor,
    SearchPage, SearchQuery, Storage, StorageError, Stored, UnreadTotal, Write, rules, searchable,
};
use crate::core::Event;
use crate::model::{Conversation, Message};
use crate::saved::SavedState;

#[derive(Debug)]
struct Row {
    id: i64,
    message: Message,
    tokens: Vec<String>,
}

#[derive(Debug, Default)]
struct Data {
    user_id: String,
    saved: SavedState,
    messages: BTreeMap<(String, Place), Row>,
    /// Where the message with this id is; ids ascend with time.
    by_id: BTreeMap<i64, (String, Place)>,
    ranges: BTreeMap<String, Ranges>,
    rows: BTreeMap<String, Conversation>,
    drafts: BTreeMap<String, String>,
    queued: BTreeMap<u64, Queued>,
    next_queued: u64,
    uploads: Vec<PendingUpload>,
}

/// The database in memory. Clones are the same database.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage(Arc<Mutex<Data>>);

impl MemoryStorage {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        // Whoever panicked while holding it did so on reading: writes do not panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Data {
    fn write(&mut self, write: &Write) {
        match write {
            Write::User(user) => {
                if !self.user_id.is_empty() && self.user_id != *user {
                    *self = Self::default();
                }
                self.user_id.clone_from(user);
            }
            Write::Event(event) => self.event(event),
            Write::History {
                conversation,
                messages,
                after,
                to,
            } => {
                for message in messages {
                    self.put_readable(message);
                }
                let first = rules::readable_from(self.rows.get(conversation));
                let gone = |place: Place| {
                    let within = place.seq > *after && place.seq <= *to && place.seq >= first;
                    let is_it = |message: &Message| message.seq == place.seq;
                    within && place.local == 0 && !messages.iter().any(is_it)
                };
                for place in self.places(conversation, gone) {
                    self.remove(conversation, place);
                }
                self.cover(conversation, *after, *to);
            }
            Write::Queued(queued) => self.queue(queued),
            Write::Settled {
                conversation,
                client_message_id,
            } => self.settle(conversation, client_message_id),
            Write::Draft { conversation, text } => {
                if text.is_empty() {
                    self.drafts.remove(conversation);
                } else {
                    self.drafts.insert(conversation.clone(), text.clone());
                }
            }
            Write::Import(messages) => {
                let mut messages: Vec<&Message> = messages.iter().collect();
                messages.sort_by_key(|message| (message.time, message.seq));
                for message in messages {
                    self.import(message);
                }
            }
            Write::Upload(upload) => {
                match self.uploads.iter_mut().find(|one| one.id == upload.id) {
                    Some(known) => known.clone_from(upload),
                    None => self.uploads.push(upload.clone()),
                }
            }
            Write::UploadEnded(id) => self.uploads.retain(|upload| upload.id != *id),
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Message(message) => {
                let name = &message.conversation;
                let known = self.saved.followed.get(name).copied();
                self.put_readable(message);
                self.cover(
                    name,
                    known.unwrap_or(message.seq.saturating_sub(1)),
                    message.seq,
                );
                if message.sender == self.user_id {
                    self.settle(name, &message.client_message_id);
                }
                let row = self.rows.entry(name.clone());
                let row = row.or_insert_with(|| rules::new_row(name));
                rules::after_message(row, message, &self.user_id);
            }
            Event::Lost {
                conversation,
                from_seq,
                to_seq,
            } => self.cover(conversation, from_seq.saturating_sub(1), *to_seq),
            Event::Changed(message) => {
                let key = (message.conversation.clone(), Place::of(message.seq));
                let mut before = self.messages.get(&key).map(|row| row.message.clone());
                if before.is_some() {
                    self.put(message);
                } else if self.is_covered(&message.conversation, message.seq) {
                    before = Some(message.clone());
                }
                if let Some(row) = self.rows.get_mut(&message.conversation) {
                    rules::after_change(row, before.as_ref(), message, &self.user_id);
                }
            }
            Event::Deleted {
                conversation,
                seqs,
                version,
            } => {
                let remove = |seq| self.remove(conversation, Place::of(seq));
                let deleted: Vec<Message> = seqs.iter().copied().filter_map(remove).collect();
                if let Some(row) = self.rows.get_mut(conversation) {
                    rules::after_deletion(row, &deleted, *version, &self.user_id);
                }
            }
            Event::Followed {
                conversation,
                continued: false,
                ..
            } => {
                self.ranges.remove(conversation);
            }
            Event::Outdated { conversation } => {
                for place in self.places(conversation, |place| place.local == 0) {
                    self.remove(conversation, place);
                }
                self.ranges.remove(conversation);
            }
            Event::Conversation { row, .. } => self.row(row),
            Event::Read {
                conversation,
                position,
            } => {
                if let Some(row) = self.rows.get_mut(conversation) {
                    rules::after_read(row, *position);
                }
            }
            Event::Reset { positions } => {
                self.rows.clear();
                if *positions {
                    self.messages.retain(|(_, place), _| place.local > 0);
                    let messages = &self.messages;
                    self.by_id.retain(|_, key| messages.contains_key(key));
                    self.ranges.clear();
                }
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
            | Event::Synced { .. } => {}
        }
        self.saved.apply(event);
    }

    fn row(&mut self, told: &Conversation) {
        if let Some(newest) = &told.newest {
            self.put(newest);
            let after = newest.seq.max(rules::readable_from(Some(told))) - 1;
            self.ranges(&told.id).add(after, newest.seq);
        }
        let mut row = told.clone();
        let from = (told.id.clone(), Place::of(told.head_seq.saturating_add(1)));
        let later = self.messages.range(from..);
        let later = later.take_while(|((name, _), _)| *name == told.id);
        for (_, later) in later.filter(|((_, place), _)| place.local == 0) {
            rules::after_message(&mut row, &later.message, &self.user_id);
        }
        if let Some(old) = self.rows.get(&told.id) {
            rules::keep_read(&mut row, old);
        }
        let cleared = rules::cleared_by(self.rows.get(&told.id), &row);
        self.rows.insert(row.id.clone(), row);
        if let Some(Cleared { up_to, all }) = cleared {
            let goes = |place: Place| place.seq <= up_to && (all || place.local == 0);
            for place in self.places(&told.id, goes) {
                self.remove(&told.id, place);
            }
            self.ranges(&told.id).forget(up_to);
        }
    }

    fn put_readable(&mut self, message: &Message) {
        if !rules::is_gone(self.rows.get(&message.conversation), message.seq) {
            self.put(message);
        }
    }

    fn put(&mut self, message: &Message) {
        let name = &message.conversation;
        let place = Place::of(message.seq);
        if message.seq == 0 || message.content.is_command() {
            return;
        }
        if let Some(row) = self.messages.get_mut(&(name.clone(), place)) {
            if row.message.rev() <= message.rev() {
                row.message.clone_from(message);
                row.tokens = searchable(message).map(tokens).unwrap_or_default();
            }
            return;
        }
        self.insert(message, place);
    }

    fn insert(&mut self, message: &Message, place: Place) {
        let mut id = first_id(message.time);
        while self.by_id.contains_key(&id) {
            id += 1;
        }
        let key = (message.conversation.clone(), place);
        self.by_id.insert(id, key.clone());
        let row = Row {
            id,
            message: message.clone(),
            tokens: searchable(message).map(tokens).unwrap_or_default(),
        };
        self.messages.insert(key, row);
    }

    fn import(&mut self, message: &Message) {
        let name = &message.conversation;
        if message.seq > 0 {
            let key = (name.clone(), Place::of(message.seq));
            if !self.messages.contains_key(&key) {
                self.put(message);
                self.cover(name, message.seq - 1, message.seq);
            }
            return;
        }
        if self.find(&message.message_id).is_some() {
            return;
        }
        let places = self.places(name, |_| true);
        let earlier = places.iter().copied().filter(|place| {
            let key = (name.clone(), *place);
            self.messages
                .get(&key)
                .is_some_and(|row| row.message.time <= message.time)
        });
        let seq = earlier.map(|place| place.seq).max().unwrap_or(0);
        let here = places.iter().filter(|place| place.seq == seq);
        let local = here.map(|place| place.local).max().unwrap_or(0) + 1;
        self.insert(message, Place { seq, local });
    }

    fn find(&self, message_id: &str) -> Option<(&(String, Place), &Row)> {
        let mut all = self.messages.iter();
        all.find(|(_, row)| !message_id.is_empty() && row.message.message_id == message_id)
    }

    fn remove(&mut self, name: &str, place: Place) -> Option<Message> {
        let row = self.messages.remove(&(name.to_owned(), place))?;
        self.by_id.remove(&row.id);
        Some(row.message)
    }

    fn places(&self, name: &str, wanted: impl Fn(Place) -> bool) -> Vec<Place> {
        let from = self.messages.range((name.to_owned(), Place::default())..);
        from.take_while(|((of, _), _)| of == name)
            .map(|((_, place), _)| *place)
            .filter(|place| wanted(*place))
            .collect()
    }

    fn cover(&mut self, name: &str, after: u64, to: u64) {
        let after = after.max(rules::readable_from(self.rows.get(name)) - 1);
        self.ranges(name).add(after, to);
    }

    /// Whatever the user may see there is here.
    fn is_covered(&self, name: &str, seq: u64) -> bool {
        let ranges = self.ranges.get(name);
        ranges.is_some_and(|ranges| ranges.around(seq).is_some())
    }

    fn ranges(&mut self, name: &str) -> &mut Ranges {
        self.ranges.entry(name.to_owned()).or_default()
    }

    fn queue(&mut self, queued: &Queued) {
        let same = |other: &&mut Queued| {
            other.outgoing.conversation == queued.outgoing.conversation
                && other.client_message_id() == queued.client_message_id()
        };
        if let Some(old) = self.queued.values_mut().find(same) {
            // Tried again after a failure, it goes behind all others.
            if old.failed.is_none() || queued.failed.is_some() {
                old.clone_from(queued);
                return;
            }
            self.settle(&queued.outgoing.conversation, queued.client_message_id());
        }
        self.queued.insert(self.next_queued, queued.clone());
        self.next_queued += 1;
    }

    fn settle(&mut self, name: &str, id: &str) {
        self.queued.retain(|_, queued| {
            queued.outgoing.conversation != name || queued.client_message_id() != id
        });
    }

    fn page(&self, query: &MessageQuery) -> LocalPage {
        let name = &query.conversation;
        let row = self.rows.get(name);
        let ranges = self.ranges.get(name);
        let window = query::window(query, row, &ranges.cloned().unwrap_or_default());
        let places = (name.clone(), window.above)..(name.clone(), window.below);
        let within = self.messages.range(places);
        let within =
            within.filter(|((_, place), row)| *place > window.above && query.wants(&row.message));
        let stored = within.map(|((_, place), row)| Stored {
            place: *place,
            message: row.message.clone(),
        });
        let messages: Vec<Stored> = match query.ascending {
            true => stored.take(query.limit() + 1).collect(),
            false => stored.rev().take(query.limit() + 1).collect(),
        };
        query::page(messages, query, window.next)
    }

    fn search(&self, query: &SearchQuery) -> SearchPage {
        let words = Words::of(&query.text);
        let limit = query::limit(query.limit);
        let mut page = SearchPage::default();
        if words.is_empty() {
            return page;
        }
        let below = query.cursor.map_or(i64::MAX, |cursor| cursor.0);
        let mut last = None;
        for (id, key) in self.by_id.range(..below).rev() {
            let Some(row) = self.messages.get(key) else {
                continue;
            };
            if !query.wants(&row.message) || !words.match_tokens(&row.tokens) {
                continue;
            }
            if page.messages.len() == limit {
                page.cursor = last.map(SearchCursor);
                break;
            }
            last = Some(*id);
            page.messages.push(Stored {
                place: key.1,
                message: row.message.clone(),
            });
        }
        page
    }
}

impl Storage for MemoryStorage {
    fn write(&mut self, writes: &[Write]) -> Result<(), StorageError> {
        let mut data = self.data();
        for write in writes {
            data.write(write);
        }
        Ok(())
    }

    fn load(&mut self) -> Result<Loaded, StorageError> {
        let data = self.data();
        let queued = data.queued.values();
        let mut rows: Vec<&Conversation> = data.rows.values().collect();
        rows.sort_by_key(|row| (Reverse(row.last_time), &row.id));
        rows.truncate(INBOX_CONVERSATIONS_MAX);
        let heads = rows.into_iter().map(|row| (row.id.clone(), row.head_seq));
        Ok(Loaded {
            heads: heads.collect(),
            user_id: data.user_id.clone(),
            saved: data.saved.clone(),
            queued: queued.filter(|q| q.failed.is_none()).cloned().collect(),
        })
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StorageError> {
        Ok(Box::new(self.clone()))
    }
}

impl Reader for MemoryStorage {
    fn messages(&mut self, query: &MessageQuery) -> Result<LocalPage, StorageError> {
        Ok(self.data().page(query))
    }

    fn message(&mut self, message_id: &str) -> Result<Option<Stored>, StorageError> {
        let data = self.data();
        Ok(data.find(message_id).map(|((_, place), row)| Stored {
            place: *place,
            message: row.message.clone(),
        }))
    }

    fn search(&mut self, query: &SearchQuery) -> Result<SearchPage, StorageError> {
        Ok(self.data().search(query))
    }

    fn conversations(
        &mut self,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<Conversation>, StorageError> {
        let data = self.data();
        let shown = data.rows.values().filter(|row| !row.hidden);
        let mut rows: Vec<Conversation> = shown.cloned().collect();
        rows.sort_by(rules::list_order);
        Ok(rows.into_iter().skip(skip).take(limit).collect())
    }

    fn conversation(&mut self, name: &str) -> Result<Option<Conversation>, StorageError> {
        Ok(self.data().rows.get(name).cloned())
    }

    fn unread(&mut self) -> Result<UnreadTotal, StorageError> {
        let data = self.data();
        let shown = || data.rows.values().filter(|row| !row.hidden);
        Ok(UnreadTotal {
            unread: shown().map(|row| row.unread).sum(),
            mentions: shown().map(|row| row.unread_mentions).sum(),
        })
    }

    fn draft(&mut self, conversation: &str) -> Result<String, StorageError> {
        let draft = self.data().drafts.get(conversation).cloned();
        Ok(draft.unwrap_or_default())
    }

    fn drafts(&mut self) -> Result<Vec<Draft>, StorageError> {
        let data = self.data();
        let drafts = data.drafts.iter().map(|(conversation, text)| Draft {
            conversation: conversation.clone(),
            text: text.clone(),
        });
        Ok(drafts.collect())
    }

    fn queued(&mut self, conversation: &str) -> Result<Vec<Queued>, StorageError> {
        let data = self.data();
        let queued = data.queued.values();
        let here = queued.filter(|queued| queued.outgoing.conversation == conversation);
        Ok(here.cloned().collect())
    }

    fn uploads(&mut self) -> Result<Vec<PendingUpload>, StorageError> {
        Ok(self.data().uploads.clone())
    }
}
