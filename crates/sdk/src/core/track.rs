//! One followed conversation: what was delivered of it, and what is known to be missing.
//!
//! Messages have a position, the last sequence delivered; so have changes of messages (`rev`) and
//! the user's own deletions, which the server numbers the same way. All three are pushed with the
//! number before them, and what is missing between is pulled: messages first, since a change or a
//! deletion can only be told of a message that was.
//!
//! A change or a deletion may still be there before its message, which is on its way or beyond a
//! gap. Then it waits here for the message: a message is delivered in the latest state that is
//! known, and one that was deleted is followed by its deletion.

use std::collections::{BTreeMap, BTreeSet};

use anser_domain::Timestamp;
use anser_proto::client as wire;

use super::api::Event;
use super::follow::{BrokenPromise, Pull};
use crate::limits::{GAP_MESSAGES_MAX, NUMBERED_PAGES_MAX, PULL_STALLS_MAX};
use crate::model::Message;

/// Waits between pulls that brought nothing: this, doubled each time.
const STALL_FIRST_MS: u64 = 500;

/// A message that waits for those before it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) prev: u64,
    pub(super) message: Message,
    pub(super) bytes: usize,
}

/// Things of a conversation that the server numbers, and of which every one is wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbered {
    /// All up to here were told. `None`: where the telling begins is to be found out.
    pub(super) known: Option<u64>,
    /// There are so many.
    target: u64,
    /// There were so many when the pull that is on its way was made.
    asked: u64,
    /// The last page said that there is more.
    more: bool,
    /// Pages of the present run.
    pages: u32,
}

/// What a push is to what was told before it.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
enum Step {
    Known,
    Next,
    Missing,
}

impl Numbered {
    pub(super) fn from(number: u64) -> Self {
        Self {
            known: Some(number),
            ..Self::default()
        }
    }

    /// Begins with all of them: nothing says which were told.
    pub(super) fn from_the_first() -> Self {
        Self {
            more: true,
            ..Self::from(0)
        }
    }

    /// Is a page of what comes after this number without a gap to what was told?
    pub(super) fn goes_on_from(&self, number: u64) -> bool {
        self.known.is_some_and(|known| number <= known)
    }

    fn is_behind(&self) -> bool {
        self.more || self.known.is_some_and(|known| self.target > known)
    }

    /// There are so many.
    pub(super) fn told(&mut self, number: u64) {
        self.target = self.target.max(number);
    }

    /// There are so many, and of what is held nothing is older: the telling begins here, unless
    /// it began before.
    pub(super) fn begin(&mut self, number: u64) {
        self.known.get_or_insert(number);
        self.told(number);
    }

    fn step(&mut self, number: u64, previous: u64) -> Step {
        match self.known {
            Some(known) if number <= known => Step::Known,
            Some(known) if previous <= known && !self.more => Step::Next,
            _ => {
                self.told(number);
                Step::Missing
            }
        }
    }

    fn move_to(&mut self, number: u64) {
        self.known = self.known.max(Some(number));
    }

    /// A page up to `number` was taken in. False: more is missing than is worth fetching, and the
    /// position passed it over.
    fn page(&mut self, number: u64, more: bool) -> bool {
        self.move_to(number);
        self.more = more;
        self.pages += 1;
        if !more {
            self.pages = 0;
            if self.target <= self.asked {
                // What was told of before and is not given does not exist.
                self.target = self.known.unwrap_or(0);
            }
        } else if self.pages >= NUMBERED_PAGES_MAX {
            self.move_to(self.target);
            self.more = false;
            self.pages = 0;
            return false;
        }
        true
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    /// Delivered up to here. `None`: to be found out.
    pub(super) known: Option<u64>,
    /// Nothing that the user may see lies between `known` and here.
    pub(super) floor: u64,
    /// Something up to here is said to exist.
    pub(super) target: u64,
    /// Ask even if nothing says so.
    pub(super) verify: bool,
    /// Messages beyond a gap, by sequence.
    pub(super) beyond: BTreeMap<u64, Held>,
    pub(super) changes: Numbered,
    pub(super) deletions: Numbered,
    /// `changes` goes on from an earlier following.
    pub(super) continued: bool,
    /// Where it began to be followed, and, while it is to be found out up to which `rev` changes
    /// are known, up to where messages were looked at for that.
    pub(super) began: u64,
    /// What the first such look said.
    pub(super) first_rev: Option<u64>,
    /// Deleted before they were delivered.
    pub(super) gone: BTreeSet<u64>,
    pub(super) opened: bool,
    /// Larger is more recent.
    pub(super) active: u64,
    pub(super) pulling: bool,
    pub(super) not_before: Timestamp,
    pub(super) stalls: u32,
}

impl Track {
    pub(super) fn from_seq(seq: u64) -> Self {
        Self {
            known: Some(seq),
            floor: seq,
            began: seq,
            ..Self::default()
        }
    }

    pub(super) fn is_behind(&self) -> bool {
        self.misses_messages()
            || self.changes.known.is_none()
            || self.changes.is_behind()
            || self.deletions.is_behind()
    }

    fn misses_messages(&self) -> bool {
        self.known.is_none() || self.verify || self.target > self.floor
    }

    /// What is to be pulled next, if [`is_behind`](Self::is_behind).
    pub(super) fn next_pull(&mut self) -> Pull {
        self.changes.asked = self.changes.target;
        self.deletions.asked = self.deletions.target;
        match (self.known, self.changes.known) {
            (None, _) => Pull::Head,
            (Some(_), _) if self.misses_messages() => Pull::After(self.floor),
            (Some(_), None) => Pull::After(self.began),
            (Some(_), Some(rev)) if self.changes.is_behind() => Pull::Changes(rev),
            _ => Pull::Deleted(self.deletions.known.unwrap_or(0)),
        }
    }

    pub(super) fn deliver(&mut self, mut message: Message, out: &mut Vec<Event>) {
        let (seq, conversation) = (message.seq, message.conversation.clone());
        self.known = Some(seq);
        self.floor = self.floor.max(seq);
        self.stalls = 0;
        let is_gone = self.gone.remove(&seq);
        if is_gone {
            // It is unread for nobody; its deletion was accounted for when it was told.
            message.counted = false;
            message.mention = None;
        }
        out.push(Event::Message(message));
        if is_gone {
            out.push(Event::Deleted {
                conversation,
                seqs: vec![seq],
                version: self.deletions.known.unwrap_or(0),
            });
        }
    }

    /// Delivers what was kept and is next now. Gives the bytes that became free.
    pub(super) fn drain(&mut self, out: &mut Vec<Event>) -> usize {
        let mut freed = 0;
        while let Some(first) = self.beyond.first_entry() {
            if *first.key() > self.floor && first.get().prev > self.floor {
                break;
            }
            let held = first.remove();
            freed += held.bytes;
            if held.message.seq > self.floor {
                self.deliver(held.message, out);
            }
        }
        freed
    }

    pub(super) fn begin(&mut self, conversation: &str, seq: u64, out: &mut Vec<Event>) {
        self.known = Some(seq);
        self.floor = seq;
        self.began = seq;
        out.push(Event::Followed {
            conversation: conversation.to_owned(),
            seq,
            continued: self.continued && self.changes.known.is_some(),
        });
        self.deletions.begin(0);
        if seq == 0 {
            self.changes.begin(0);
        }
        self.tell_positions(conversation, out);
    }

    fn tell_positions(&self, conversation: &str, out: &mut Vec<Event>) {
        self.tell_changes(conversation, out);
        if let Some(version) = self.deletions.known.filter(|version| *version > 0) {
            out.push(Event::Deleted {
                conversation: conversation.to_owned(),
                seqs: Vec::new(),
                version,
            });
        }
    }

    /// The message in its latest known state.
    pub(super) fn latest(&self, message: Message) -> Message {
        match self.beyond.get(&message.seq) {
            Some(held) if held.message.rev() > message.rev() => held.message.clone(),
            _ => message,
        }
    }

    /// A page of what comes after `from`. Gives the bytes that became free.
    pub(super) fn page(
        &mut self,
        from: u64,
        page: wire::MessagePage,
        now: Timestamp,
        out: &mut Vec<Event>,
    ) -> Result<usize, BrokenPromise> {
        let name = page.conversation;
        let Some(before) = self.known.filter(|_| from <= self.floor) else {
            return Ok(0); // of an earlier life of the track
        };
        let before = (before, self.floor, self.began);
        let mut last = from;
        for message in &page.messages {
            if message.seq <= last || message.conversation != name {
                return Err(BrokenPromise);
            }
            last = message.seq;
        }
        if page.first_seq > self.floor + 1 {
            self.lose(&name, page.first_seq - 1, out);
        }
        let looks_back = self.changes.known.is_none() && from <= self.began;
        for message in page.messages {
            if message.seq > self.floor {
                let message = self.latest(message.into());
                self.deliver(message, out);
            } else if looks_back && message.state.is_some() {
                out.push(Event::Changed(message.into()));
            }
        }
        // What only others may see is left out, so a page may end beyond its last message.
        let looked = match page.more {
            true => page.next_seq.min(page.head_seq).max(last),
            false => page.head_seq,
        };
        // More than was delivered, or more of what is looked at again.
        self.verify = page.more && (self.verify || looked >= self.floor);
        self.floor = self.floor.max(looked);
        self.changes.told(page.rev);
        if looks_back {
            self.look_back(&name, looked, (page.rev, page.more), out);
        }
        let mut freed = self.drain(out);
        self.gone = self.gone.split_off(&(self.floor + 1));
        let after = (self.known.unwrap_or(0), self.floor, self.began);
        if before == after && self.misses_messages() {
            freed += self.stalled(&name, now, out);
        }
        Ok(freed)
    }

    /// Messages up to here were seen as they were at this `rev`. Those that were delivered before
    /// it was known up to where changes are told may have changed meanwhile; once all of them
    /// were looked at, changes go on from the first look. `rev` counts the changes of all messages:
    /// as long as there are `more`, it passes over those of messages that were not looked at and
    /// may be held here as they were sent.
    fn look_back(&mut self, name: &str, to: u64, (rev, more): (u64, bool), out: &mut Vec<Event>) {
        // A sync and a pull may overtake each other: the older one counts.
        let first = self.first_rev.map_or(rev, |first| first.min(rev));
        self.first_rev = Some(first);
        self.began = self.began.max(to);
        if !more && self.began >= self.floor {
            self.begin_changes(name, first, out);
        }
    }

    /// Changes of what was delivered are known up to here.
    pub(super) fn begin_changes(&mut self, name: &str, rev: u64, out: &mut Vec<Event>) {
        self.changes.begin(rev);
        self.tell_changes(name, out);
    }

    /// Up to where changes were told, 0 too: without it, that is to be found out.
    fn tell_changes(&self, name: &str, out: &mut Vec<Event>) {
        if let Some(rev) = self.changes.known {
            out.push(Event::Changes {
                conversation: name.to_owned(),
                rev,
            });
        }
    }

    /// Is this change the next one? Otherwise it is known, or will be pulled.
    pub(super) fn is_next_change(&mut self, rev: u64, previous: u64) -> bool {
        self.changes.step(rev, previous) == Step::Next
    }

    /// All changes up to here were told.
    pub(super) fn changes_told(&mut self, name: &str, rev: u64, out: &mut Vec<Event>) {
        self.changes.move_to(rev);
        self.tell_changes(name, out);
    }

    /// A page of changes was told, up to `rev` only if there was no room to remember a change of a
    /// message that is still to come.
    pub(super) fn changes_page(
        &mut self,
        (from, rev): (u64, u64),
        page: &wire::ChangePage,
        out: &mut Vec<Event>,
    ) -> Result<(), BrokenPromise> {
        let (name, before) = (&page.conversation, self.changes.known);
        if page.more && !page.reset && page.rev <= from {
            return Err(BrokenPromise); // it would be the same page again
        }
        let complete = self.changes.page(rev, page.more || rev < page.rev);
        if page.reset || !complete {
            out.push(Event::Outdated {
                conversation: name.clone(),
            });
        }
        if self.changes.known > before || before == Some(0) {
            self.tell_changes(name, out);
        }
        Ok(())
    }

    /// The user deleted messages: told live.
    pub(super) fn deleted(&mut self, push: wire::DeletedPush, out: &mut Vec<Event>) {
        let (version, previous) = (push.deleted_version, push.deleted_previous);
        if self.deletions.step(version, previous) == Step::Next {
            self.deletions.move_to(version);
            self.tell_deleted(push.conversation, push.seqs, out);
        }
    }

    /// The user deleted messages: pulled.
    pub(super) fn deleted_page(
        &mut self,
        from: u64,
        page: wire::DeletedPage,
        out: &mut Vec<Event>,
    ) -> Result<(), BrokenPromise> {
        if !self.deletions.goes_on_from(from) {
            return Ok(()); // of an earlier life of the track
        }
        if page.more && page.deleted_version <= from {
            return Err(BrokenPromise); // it would be the same page again
        }
        let before = self.deletions.known;
        let complete = self.deletions.page(page.deleted_version, page.more);
        if !complete {
            out.push(Event::Outdated {
                conversation: page.conversation.clone(),
            });
        }
        if self.deletions.known > before || !page.seqs.is_empty() {
            self.tell_deleted(page.conversation, page.seqs, out);
        }
        Ok(())
    }

    fn tell_deleted(&mut self, conversation: String, seqs: Vec<u64>, out: &mut Vec<Event>) {
        let floor = self.floor;
        for seq in seqs.iter().filter(|seq| **seq > floor) {
            if self.gone.len() < GAP_MESSAGES_MAX {
                self.gone.insert(*seq);
            }
        }
        out.push(Event::Deleted {
            conversation,
            seqs,
            version: self.deletions.known.unwrap_or(0),
        });
    }

    /// Everything up to `to` that was not delivered can't be had.
    pub(super) fn lose(&mut self, name: &str, to: u64, out: &mut Vec<Event>) {
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
