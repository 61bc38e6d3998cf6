//! Order, without gaps and without repetitions: the conversations a device follows.
//!
//! Of each followed conversation the client knows the last sequence that it delivered, and that
//! everything before was delivered. A live message says which sequence comes before it (`prev`).
//! If that is known, the message is next; if its own sequence is known, it is a repetition; else
//! something in between is missing: the message is kept, the gap is pulled in ascending pages,
//! and the kept ones follow. Pages, pushes and the results of own sends all go through this one
//! rule, so it does not matter which of them brings a message first.
//!
//! Which conversations these are, [`core`](super) says. When there are more than
//! [`FOLLOWED_MAX`], the one that was silent longest gives way, never one of the [`OPENED_MAX`]
//! opened last.

use std::collections::{BTreeMap, BTreeSet};

use anser_domain::Timestamp;
use anser_domain::limits::INBOX_CONVERSATIONS_MAX;
use anser_proto::client as wire;

use super::api::Event;
use crate::error::Error;
use crate::limits::{
    FOLLOWED_MAX, GAP_BYTES_MAX, GAP_MESSAGES_MAX, OPENED_MAX, PULL_STALLS_MAX, PULLS_IN_FLIGHT_MAX,
};
use crate::model::Message;

/// Waits between pulls that brought nothing: this, doubled each time.
const STALL_FIRST_MS: u64 = 500;

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
}

#[derive(Clone, Debug)]
struct Held {
    prev: u64,
    message: Message,
    bytes: usize,
}

#[derive(Clone, Debug, Default)]
struct Track {
    /// Delivered up to here. `None`: to be found out.
    known: Option<u64>,
    /// Nothing that the user may see lies between `known` and here.
    floor: u64,
    /// Something up to here is said to exist.
    target: u64,
    /// Ask even if nothing says so.
    verify: bool,
    /// Messages beyond a gap, by sequence.
    beyond: BTreeMap<u64, Held>,
    opened: bool,
    /// Larger is more recent.
    active: u64,
    pulling: bool,
    not_before: Timestamp,
    stalls: u32,
}

impl Track {
    fn from_seq(seq: u64) -> Self {
        Self {
            known: Some(seq),
            floor: seq,
            ..Self::default()
        }
    }

    fn is_behind(&self) -> bool {
        self.known.is_none() || self.verify || self.target > self.floor
    }

    fn deliver(&mut self, message: Message, out: &mut Vec<Event>) {
        self.known = Some(message.seq);
        self.floor = self.floor.max(message.seq);
        self.stalls = 0;
        out.push(Event::Message(message));
    }

    /// Delivers what was kept and is next now. Gives the bytes that became free.
    fn drain(&mut self, out: &mut Vec<Event>) -> usize {
        let mut freed = 0;
        while let Some(first) = self.beyond.first_entry() {
            let known = self.known.unwrap_or(0);
            if *first.key() > known && first.get().prev > self.floor {
                break;
            }
            let held = first.remove();
            freed += held.bytes;
            if held.message.seq > known {
                self.deliver(held.message, out);
            }
        }
        freed
    }

    fn begin(&mut self, conversation: &str, seq: u64, out: &mut Vec<Event>) {
        self.known = Some(seq);
        self.floor = seq;
        out.push(Event::Followed {
            conversation: conversation.to_owned(),
            seq,
        });
    }
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
    /// How far conversations go that are not followed.
    told: BTreeMap<String, u64>,
    /// Was more told than there is room for?
    told_more: bool,
}

impl Follows {
    pub(super) fn new(followed: &BTreeMap<String, u64>) -> Self {
        let mut follows = Self::default();
        for (conversation, seq) in followed.iter().take(FOLLOWED_MAX) {
            let track = Track::from_seq(*seq);
            follows.tracks.insert(conversation.clone(), track);
        }
        follows
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
            track.begin(&name, prev, out);
        }
        let known = track.known.unwrap_or(0);
        if message.seq > known && prev <= track.floor {
            track.deliver(message, out);
            self.held_bytes -= track.drain(out);
        } else if message.seq > known {
            track.target = track.target.max(message.seq);
            self.keep(&name, prev, message);
        }
        self.note(&name);
        Ok(())
    }

    fn keep(&mut self, name: &str, prev: u64, message: Message) {
        let Some(track) = self.tracks.get_mut(name) else {
            return;
        };
        let bytes = message.content.body.len() + message.content.kind.len();
        // What finds no room, the pull of the gap brings: `target` is beyond it.
        if track.beyond.len() >= GAP_MESSAGES_MAX || self.held_bytes + bytes > GAP_BYTES_MAX {
            return;
        }
        let seq = message.seq;
        let held = Held {
            prev,
            message,
            bytes,
        };
        let before = track.beyond.insert(seq, held).map_or(0, |held| held.bytes);
        self.held_bytes = self.held_bytes + bytes - before;
    }

    /// Something says that the conversation goes up to `seq`.
    pub(super) fn exists(&mut self, name: &str, seq: u64) {
        if let Some(track) = self.tracks.get_mut(name) {
            track.target = track.target.max(seq);
            self.note(name);
        } else if let Some(told) = self.told.get_mut(name) {
            *told = seq.max(*told);
        } else if self.told.len() < INBOX_CONVERSATIONS_MAX {
            self.told.insert(name.to_owned(), seq);
        } else {
            self.told_more = true;
        }
    }

    /// The track of a conversation in which something happens. What was told of it before counts:
    /// the answer to a send that went out twice may come long after others wrote.
    fn track(&mut self, name: &str) -> &mut Track {
        self.activity += 1;
        let new = || Track {
            target: self.told.remove(name).unwrap_or(0),
            verify: self.told_more,
            ..Track::default()
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
        let name = page.conversation;
        let Some(track) = self.tracks.get_mut(&name) else {
            return Ok(());
        };
        let Some(before) = track.known.filter(|_| from <= track.floor) else {
            return Ok(()); // of an earlier life of the track
        };
        let floor_before = track.floor;
        let mut last = from;
        for message in &page.messages {
            if message.seq <= last || message.conversation != name {
                return Err(BrokenPromise);
            }
            last = message.seq;
        }
        if page.first_seq > track.floor + 1 {
            track.lose(&name, page.first_seq - 1, out);
        }
        for message in page.messages {
            if track.known.is_some_and(|known| message.seq > known) {
                track.deliver(message.into(), out);
            }
        }
        track.verify = page.more;
        if !page.more {
            track.floor = track.floor.max(page.head_seq);
        }
        let mut freed = track.drain(out);
        if track.known == Some(before) && track.floor == floor_before && track.is_behind() {
            freed += track.stalled(&name, now, out);
        }
        self.held_bytes -= freed;
        self.note(&name);
        Ok(())
    }

    /// Where the head is, for a conversation of which nothing was known.
    pub(super) fn head(&mut self, name: &str, head_seq: u64, out: &mut Vec<Event>) {
        if let Some(track) = self.tracks.get_mut(name)
            && track.known.is_none()
        {
            track.begin(name, head_seq, out);
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
                let pull = match track.known {
                    Some(_) => Pull::After(track.floor),
                    None => Pull::Head,
                };
                pulls.push((name, pull));
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
    pub(super) fn for_sync(&self, max: usize) -> Vec<(String, u64)> {
        let mut known: Vec<_> = self
            .tracks
            .iter()
            .filter_map(|(name, track)| track.known.map(|_| (track, name)))
            .collect();
        known.sort_by_key(|(track, _)| std::cmp::Reverse((track.opened, track.active)));
        let sync = known.into_iter().take(max);
        sync.map(|(track, name)| (name.clone(), track.floor))
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
            let head = self
                .tracks
                .get(&silent)
                .map_or(0, |t| t.target.max(t.floor));
            self.remove(&silent, None, out);
            self.exists(&silent, head);
        }
    }
}

impl Track {
    /// Everything up to `to` that was not delivered can't be had.
    fn lose(&mut self, name: &str, to: u64, out: &mut Vec<Event>) {
        out.push(Event::Lost {
            conversation: name.to_owned(),
            from_seq: self.floor + 1,
            to_seq: to,
        });
        self.known = Some(to);
        self.floor = to;
    }

    /// A page brought nothing although something must be there. Gives the bytes that became free.
    fn stalled(&mut self, name: &str, now: Timestamp, out: &mut Vec<Event>) -> usize {
        self.stalls += 1;
        if self.stalls <= PULL_STALLS_MAX {
            self.not_before = now.plus_ms(STALL_FIRST_MS << self.stalls);
            return 0;
        }
        self.stalls = 0;
        self.verify = false;
        match self.beyond.first_key_value().map(|(_, held)| held.prev) {
            Some(prev) => {
                self.lose(name, prev, out);
                self.drain(out)
            }
            None => {
                self.target = self.floor;
                0
            }
        }
    }
}
