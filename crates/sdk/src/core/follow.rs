//! Order, without gaps and without repetitions: the conversations a device follows.
//!
//! Of each followed conversation the client knows the last sequence that it delivered, and that
//! everything before was delivered. A live message says which sequence comes before it (`prev`).
//! If that is known, the message is next; if its own sequence is known, it is a repetition; else
//! something in between is missing: the message is kept, the gap is pulled in ascending pages,
//! and the kept ones follow. Pages, pushes and the results of own sends all go through this one
//! rule, so it does not matter which of them brings a message first.
//!
//! Changes of messages and the user's own deletions are followed the same way, each with a number
//! of its own ([`track`](super::track)).
//!
//! Which conversations these are, [`core`](super) says. When there are more than
//! [`FOLLOWED_MAX`], the one that was silent longest gives way, never one of the [`OPENED_MAX`]
//! opened last.

use std::collections::{BTreeMap, BTreeSet};

use anser_domain::Timestamp;
use anser_domain::limits::INBOX_CONVERSATIONS_MAX;
use anser_proto::client as wire;

use super::api::Event;
use super::track::{Held, Numbered, Track};
use crate::error::Error;
use crate::limits::{
    APPEARED_MESSAGES_MAX, FOLLOWED_MAX, GAP_BYTES_MAX, GAP_MESSAGES_MAX, OPENED_MAX,
    PULLS_IN_FLIGHT_MAX,
};
use crate::model::Message;
use crate::saved::SavedState;

/// The server broke the protocol's promises: the connection is worth nothing.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) struct BrokenPromise;

/// What to pull for a conversation.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(super) enum Pull {
    /// What comes after this sequence.
    After(u64),
    /// Where the head is; nothing else is known yet.
    Head,
    /// Changes of messages after this `rev`.
    Changes(u64),
    /// The user's deletions after this version.
    Deleted(u64),
}

/// How far a conversation goes that is not followed.
#[derive(Clone, Debug, Default)]
struct Told {
    seq: u64,
    changes: Numbered,
    deletions: Numbered,
    /// It was followed, and everything since was told here.
    followed: bool,
}

/// All followed conversations.
#[derive(Clone, Debug, Default)]
pub(super) struct Follows {
    tracks: BTreeMap<String, Track>,
    /// Those to be pulled and not being pulled.
    behind: BTreeSet<String>,
    pulling: usize,
    held_bytes: usize,
    activity: u64,
    told: BTreeMap<String, Told>,
    /// Was more told than there is room for?
    told_more: bool,
}

impl Follows {
    pub(super) fn new(saved: &SavedState) -> Self {
        let mut follows = Self::default();
        for (conversation, seq) in saved.followed.iter().take(FOLLOWED_MAX) {
            let rev = saved.revs.get(conversation).copied();
            let deleted = saved.deleted.get(conversation).copied();
            let track = Track {
                changes: rev.map_or_else(Numbered::from_the_first, Numbered::from),
                deletions: Numbered::from(deleted.unwrap_or(0)),
                ..Track::from_seq(*seq)
            };
            follows.tracks.insert(conversation.clone(), track);
            follows.note(conversation);
        }
        follows
    }

    /// Does a conversation begin to be followed behind messages that its row does not know of, or
    /// has no row here at all? A new device is told of the first screens of the list only.
    pub(super) fn is_passed_over(&self, name: &str, prev: u64) -> bool {
        let track = self.tracks.get(name);
        if track.is_some_and(|track| track.known.is_some()) {
            return false;
        }
        let heard = track.map(|track| track.target).filter(|seq| *seq > 0);
        let told = self.told.get(name).map(|told| told.seq);
        let known = heard.into_iter().chain(told).max();
        known.is_none_or(|known| prev > known)
    }

    /// A message of a conversation, live or one's own.
    pub(super) fn arrived(
        &mut self,
        prev: u64,
        message: Message,
        out: &mut Vec<Event>,
    ) -> Result<(), BrokenPromise> {
        if prev >= message.seq {
            return Err(BrokenPromise);
        }
        let name = message.conversation.clone();
        self.make_room(&name, out);
        let track = self.track(&name);
        if track.known.is_none() {
            if message.seq <= track.target {
                // What was told of changes is younger than the message: the answer to a send that
                // went out twice, or a push that was overtaken, has it as it was at first.
                track.changes.known = None;
            }
            track.begin(&name, prev, out);
        }
        if message.seq > track.floor && prev <= track.floor {
            let message = track.latest(message);
            track.deliver(message, out);
            self.held_bytes -= track.drain(out);
        } else if message.seq > track.floor {
            track.target = track.target.max(message.seq);
            // What finds no room, the pull of the gap brings: `target` is beyond it.
            self.keep(&name, prev, message);
        }
        self.note(&name);
        Ok(())
    }

    /// A message is there, and what is known of it may be of an earlier time: the pull brings it
    /// as it is. `prev` is where a conversation begins to be followed by it.
    pub(super) fn arrived_before(
        &mut self,
        name: &str,
        (prev, seq): (u64, u64),
        out: &mut Vec<Event>,
    ) -> Result<(), BrokenPromise> {
        if prev >= seq {
            return Err(BrokenPromise);
        }
        self.make_room(name, out);
        let track = self.track(name);
        if track.known.is_none() {
            track.changes.known = None;
            track.begin(name, prev, out);
        }
        track.target = track.target.max(seq);
        self.note(name);
        Ok(())
    }

    /// Keeps a message that can't be delivered yet. False: there is no room.
    fn keep(&mut self, name: &str, mut prev: u64, mut message: Message) -> bool {
        let Some(track) = self.tracks.get_mut(name) else {
            return false;
        };
        let seq = message.seq;
        let before = track.beyond.get(&seq);
        if let Some(held) = before {
            prev = prev.min(held.prev);
            message = track.latest(message);
        }
        let freed = before.map_or(0, |held| held.bytes);
        let bytes = message.content.body.len() + message.content.kind.len();
        let full = before.is_none() && track.beyond.len() >= GAP_MESSAGES_MAX;
        if full || self.held_bytes - freed + bytes > GAP_BYTES_MAX {
            return false;
        }
        let held = Held {
            prev,
            message,
            bytes,
        };
        track.beyond.insert(seq, held);
        self.held_bytes = self.held_bytes + bytes - freed;
        true
    }

    /// A message changed: told live.
    pub(super) fn changed(&mut self, previous: u64, message: Message, out: &mut Vec<Event>) {
        let (name, rev) = (message.conversation.clone(), message.rev());
        let Some(track) = self.tracks.get_mut(&name) else {
            // The message itself may still come as it was at first.
            self.has_changes(&name, rev);
            return out.push(Event::Changed(message));
        };
        // Told once it is known where the conversation begins to be followed.
        track.changes.told(rev);
        let next = track.known.is_some() && track.is_next_change(rev, previous);
        if next
            && self.change(&name, message, out)
            && let Some(track) = self.tracks.get_mut(&name)
        {
            track.changes_told(&name, rev, out);
        }
        self.note(&name);
    }

    /// A message as it is now. One that was not delivered yet waits for its turn. False: there is
    /// no room to remember it, so the position must not pass it.
    fn change(&mut self, name: &str, message: Message, out: &mut Vec<Event>) -> bool {
        let Some(track) = self.tracks.get_mut(name) else {
            return false;
        };
        if message.seq <= track.floor {
            out.push(Event::Changed(message));
            return true;
        }
        track.target = track.target.max(message.seq);
        let prev = message.seq - 1;
        let kept = self.keep(name, prev, message);
        if let Some(track) = self.tracks.get_mut(name) {
            self.held_bytes -= track.drain(out);
        }
        kept
    }

    /// A page of changes after `from`.
    pub(super) fn changes_page(
        &mut self,
        from: u64,
        mut page: wire::ChangePage,
        out: &mut Vec<Event>,
    ) -> Result<(), BrokenPromise> {
        let name = page.conversation.clone();
        let track = self.tracks.get(&name);
        if track.is_none_or(|track| !track.changes.goes_on_from(from)) {
            return Ok(()); // of an earlier life of the track
        }
        let mut kept = true;
        for message in std::mem::take(&mut page.messages) {
            let message = Message::from(message);
            if message.conversation != name || message.rev() <= from {
                return Err(BrokenPromise);
            }
            kept &= self.change(&name, message, out);
        }
        // What found no room is asked for again when the messages before it have come.
        let rev = if kept { page.rev } else { from };
        if let Some(track) = self.tracks.get_mut(&name) {
            track.changes_page((from, rev), &page, out)?;
            self.note(&name);
        }
        Ok(())
    }

    /// The user deleted messages: told live.
    pub(super) fn deleted(&mut self, push: wire::DeletedPush, out: &mut Vec<Event>) {
        let name = push.conversation.clone();
        let Some(track) = self.tracks.get_mut(&name) else {
            self.has_deletions(&name, push.deleted_version);
            return out.push(Event::Deleted {
                conversation: push.conversation,
                seqs: push.seqs,
                version: push.deleted_version,
            });
        };
        track.deleted(push, out);
        self.note(&name);
    }

    /// A page of what the user deleted after `from`.
    pub(super) fn deleted_page(
        &mut self,
        from: u64,
        page: wire::DeletedPage,
        out: &mut Vec<Event>,
    ) -> Result<(), BrokenPromise> {
        let name = page.conversation.clone();
        if let Some(track) = self.tracks.get_mut(&name) {
            track.deleted_page(from, page, out)?;
            self.note(&name);
        }
        Ok(())
    }

    /// Something says that the conversation goes up to `seq`.
    pub(super) fn exists(&mut self, name: &str, seq: u64) {
        if let Some(track) = self.tracks.get_mut(name) {
            track.target = track.target.max(seq);
            self.note(name);
        } else if let Some(told) = self.told(name) {
            told.seq = seq.max(told.seq);
        }
    }

    /// Something says that it has seen so many changes of messages.
    pub(super) fn has_changes(&mut self, name: &str, rev: u64) {
        if let Some(track) = self.tracks.get_mut(name) {
            track.changes.told(rev);
            self.note(name);
        } else if let Some(told) = self.told(name) {
            told.changes.told(rev);
        }
    }

    /// Something says that the user has made so many deletions in it.
    pub(super) fn has_deletions(&mut self, name: &str, version: u64) {
        if let Some(track) = self.tracks.get_mut(name) {
            track.deletions.told(version);
            self.note(name);
        } else if let Some(told) = self.told(name) {
            told.deletions.told(version);
        }
    }

    /// A row of the list, or one's own view of it, as the server has it. Of a conversation that is
    /// not followed, nothing is held that is older: changes are told from here on.
    pub(super) fn row(&mut self, name: &str, head_seq: u64, rev: u64, deleted_version: u64) {
        self.exists(name, head_seq);
        self.has_changes(name, rev);
        self.has_deletions(name, deleted_version);
        if let Some(told) = self.told.get_mut(name) {
            told.changes.begin(rev);
            told.deletions.begin(deleted_version);
        }
    }

    /// How far a conversation went that is not followed, as the database has it.
    pub(super) fn knew(&mut self, name: &str, head_seq: u64) {
        if !self.tracks.contains_key(name) {
            self.exists(name, head_seq);
        }
    }

    /// Where a conversation is to be followed from that is not, and has more than was told of it:
    /// from there on, or from its newest messages. `None`: it is followed, or has nothing more.
    pub(super) fn beyond(&self, name: &str, first_seq: u64, head_seq: u64) -> Option<u64> {
        let told = self.told.get(name).map_or(0, |told| told.seq);
        let from = told.max(first_seq.saturating_sub(1));
        let is_more = !self.tracks.contains_key(name) && head_seq > from;
        is_more.then(|| from.max(head_seq.saturating_sub(APPEARED_MESSAGES_MAX)))
    }

    /// It is followed from this sequence on.
    pub(super) fn appeared(&mut self, name: &str, from: u64, out: &mut Vec<Event>) {
        self.make_room(name, out);
        let track = self.track(name);
        // The messages come with what changed of them.
        track.changes.known = None;
        track.begin(name, from, out);
        self.note(name);
    }

    /// What was told of a conversation that is not followed, while there is room.
    fn told(&mut self, name: &str) -> Option<&mut Told> {
        if !self.told.contains_key(name) {
            if self.told.len() >= INBOX_CONVERSATIONS_MAX {
                self.told_more = true;
                return None;
            }
            self.told.insert(name.to_owned(), Told::default());
        }
        self.told.get_mut(name)
    }

    /// The track of a conversation in which something happens. What was told of it before counts:
    /// the answer to a send that went out twice may come long after others wrote.
    fn track(&mut self, name: &str) -> &mut Track {
        self.activity += 1;
        let new = || {
            let told = self.told.remove(name).unwrap_or_default();
            Track {
                target: told.seq,
                changes: told.changes,
                deletions: told.deletions,
                continued: told.followed,
                verify: self.told_more,
                ..Track::default()
            }
        };
        let track = self.tracks.entry(name.to_owned()).or_insert_with(new);
        track.active = self.activity;
        track
    }

    /// Ask for what is after the known of these: nothing was said about them.
    pub(super) fn verify_all_but(&mut self, told: &BTreeSet<String>) {
        let names: Vec<String> = self
            .tracks
            .keys()
            .filter(|name| !told.contains(*name))
            .cloned()
            .collect();
        for name in names {
            if let Some(track) = self.tracks.get_mut(&name) {
                track.verify = true;
            }
            self.note(&name);
        }
    }

    /// A page of what comes after `from`, asked for by a pull or a sync.
    pub(super) fn page(
        &mut self,
        from: u64,
        page: wire::MessagePage,
        now: Timestamp,
        out: &mut Vec<Event>,
    ) -> Result<(), BrokenPromise> {
        let name = page.conversation.clone();
        if let Some(track) = self.tracks.get_mut(&name) {
            self.held_bytes -= track.page(from, page, now, out)?;
            self.note(&name);
        }
        Ok(())
    }

    /// Where the head is, for a conversation of which nothing was known.
    pub(super) fn head(&mut self, name: &str, head_seq: u64, rev: u64, out: &mut Vec<Event>) {
        if let Some(track) = self.tracks.get_mut(name) {
            if track.known.is_none() {
                track.begin(name, head_seq, out);
                track.begin_changes(name, rev, out);
            }
            track.target = track.target.max(head_seq);
            track.changes.told(rev);
            self.note(name);
        }
    }

    /// The pulls to be made now, marked as being made.
    pub(super) fn take_pulls(&mut self, now: Timestamp) -> Vec<(String, Pull)> {
        let room = PULLS_IN_FLIGHT_MAX.saturating_sub(self.pulling);
        if room == 0 || self.behind.is_empty() {
            return Vec::new();
        }
        let due = |name: &&String| {
            self.tracks
                .get(*name)
                .is_some_and(|track| track.not_before <= now)
        };
        let names: Vec<String> = self.behind.iter().filter(due).take(room).cloned().collect();
        let mut pulls = Vec::new();
        for name in names {
            self.behind.remove(&name);
            if let Some(track) = self.tracks.get_mut(&name) {
                track.pulling = true;
                self.pulling += 1;
                pulls.push((name, track.next_pull()));
            }
        }
        pulls
    }

    /// The answer of a pull came, or will not come. Comes before what the answer says.
    pub(super) fn pulled(&mut self, name: &str) {
        self.pulling = self.pulling.saturating_sub(1);
        if let Some(track) = self.tracks.get_mut(name) {
            track.pulling = false;
            self.note(name);
        }
    }

    /// The pull was refused for now.
    pub(super) fn pull_later(&mut self, name: &str, from: Timestamp) {
        if let Some(track) = self.tracks.get_mut(name) {
            track.not_before = from;
        }
    }

    /// The application shows it.
    pub(super) fn open(&mut self, name: &str, have: Option<u64>, out: &mut Vec<Event>) {
        self.make_room(name, out);
        let is_new = !self.tracks.contains_key(name);
        let track = self.track(name);
        track.opened = true;
        if is_new && let Some(seq) = have {
            if track.target > seq {
                // What was told of changes is younger than what the application has.
                track.changes.known = None;
            }
            track.begin(name, seq, out);
            track.verify = true;
        }
        self.note(name);
        let opened = self.tracks.iter().filter(|(_, track)| track.opened);
        if opened.clone().count() > OPENED_MAX {
            let oldest = opened.min_by_key(|(_, track)| track.active);
            let oldest = oldest.map(|(name, _)| name.clone());
            if let Some(track) = oldest.and_then(|name| self.tracks.get_mut(&name)) {
                track.opened = false;
            }
        }
    }

    /// The application no longer shows it.
    pub(super) fn close(&mut self, name: &str) {
        if let Some(track) = self.tracks.get_mut(name) {
            track.opened = false;
        }
    }

    /// It can't be followed any more.
    pub(super) fn remove(&mut self, name: &str, error: Option<Error>, out: &mut Vec<Event>) {
        self.told.remove(name);
        let Some(track) = self.tracks.remove(name) else {
            return;
        };
        self.behind.remove(name);
        self.held_bytes -= track.beyond.values().map(|held| held.bytes).sum::<usize>();
        if track.known.is_some() || error.is_some() {
            out.push(Event::Unfollowed {
                conversation: name.to_owned(),
                error,
            });
        }
    }

    /// The server's data is not what it was: no position means anything. What is open is
    /// followed from wherever its head is now.
    pub(super) fn reset(&mut self) {
        self.held_bytes = 0;
        self.told.clear();
        self.told_more = false;
        self.tracks.retain(|_, track| track.opened);
        for track in self.tracks.values_mut() {
            *track = Track {
                opened: true,
                active: track.active,
                pulling: track.pulling,
                ..Track::default()
            };
        }
        let resting = self.tracks.iter().filter(|(_, track)| !track.pulling);
        self.behind = resting.map(|(name, _)| name.clone()).collect();
    }

    /// Is nothing known to be missing?
    pub(super) fn is_caught_up(&self) -> bool {
        self.behind.is_empty() && self.pulling == 0
    }

    /// Is it followed?
    pub(super) fn contains(&self, name: &str) -> bool {
        self.tracks.contains_key(name)
    }

    /// The conversations for a sync, the opened and the most recently active first.
    /// Each with the sequence and the `rev` that it has.
    pub(super) fn for_sync(&self, max: usize) -> Vec<(String, u64, u64)> {
        let mut known: Vec<_> = self
            .tracks
            .iter()
            .filter_map(|(name, track)| track.known.map(|_| (track, name)))
            .collect();
        known.sort_by_key(|(track, _)| std::cmp::Reverse((track.opened, track.active)));
        let sync = known.into_iter().take(max);
        sync.map(|(track, name)| (name.clone(), track.floor, track.changes.known.unwrap_or(0)))
            .collect()
    }

    /// When a pull that waits may be made.
    pub(super) fn timers(&self) -> impl Iterator<Item = Timestamp> + '_ {
        let waiting = self.behind.iter().filter_map(|name| self.tracks.get(name));
        waiting.map(|track| track.not_before)
    }

    /// Keeps `behind` in step with the track.
    fn note(&mut self, name: &str) {
        let behind = self
            .tracks
            .get(name)
            .is_some_and(|track| !track.pulling && track.is_behind());
        if !behind {
            self.behind.remove(name);
        } else if !self.behind.contains(name) {
            self.behind.insert(name.to_owned());
        }
    }

    fn make_room(&mut self, name: &str, out: &mut Vec<Event>) {
        if self.tracks.len() < FOLLOWED_MAX || self.tracks.contains_key(name) {
            return;
        }
        let silent = self.tracks.iter().filter(|(_, track)| !track.opened);
        let silent = silent.min_by_key(|(_, track)| track.active);
        if let Some(silent) = silent.map(|(name, _)| name.clone()) {
            let told = self.tracks.get(&silent).map(|track| Told {
                seq: track.target.max(track.floor),
                changes: track.changes.clone(),
                deletions: track.deletions.clone(),
                followed: track.known.is_some() || track.continued,
            });
            self.remove(&silent, None, out);
            if let (Some(told), Some(room)) = (told, self.told(&silent)) {
                *room = told;
            }
        }
    }
}
