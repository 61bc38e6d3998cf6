//! Sends that are not answered yet.
//!
//! A send waits for a connection, goes out, and is answered; nothing else takes it out of here
//! but the end of its time, so each is resolved exactly once. What went out and was not answered
//! goes out once more on the next connection, under the same client message id, which the server
//! recognises. Order is the order of the requests: what must be retried holds back what was
//! requested after it in the same conversation and has not gone out yet, and goes out again only
//! when nothing before it is still on its way.
//!
//! A **queued** send lives in the database too. It goes out once it is stored, waits as long as
//! it takes, over restarts, and ends by the server's word or the user's only. In its conversation
//! it is strictly in order: it goes out when all before it are settled, and what comes after it
//! waits for it. Pipelining could not promise that: the server may refuse the first of two for
//! now and take the second.

use std::collections::{BTreeMap, BTreeSet};

use anser_domain::Timestamp;

use super::api::{Outgoing, Ticket};
use crate::error::Error;
use crate::limits::{
    OUTBOX_BYTES_MAX, OUTBOX_SENDS_MAX, SEND_ATTEMPTS_MAX, SEND_QUEUED_MS, SEND_RETRY_BUDGET_MS,
    SEND_TIMEOUT_MS, SENDS_IN_FLIGHT_MAX,
};

/// When a queued send is over by itself.
const NEVER: Timestamp = Timestamp(u64::MAX);
/// What a queued send waits more before its second retry; doubles each time.
const RETRY_STEP_MS: u64 = 500;
/// Where it stops doubling: at half a minute.
const RETRY_DOUBLINGS_MAX: u32 = 6;

/// Names a send in here; ascends in the order of requests.
pub(super) type Key = u64;

#[derive(Copy, Clone, Debug)]
enum State {
    /// A queued one, on its way into the database.
    Storing,
    /// To go out, not before `from`; fails at `until`.
    Waiting {
        from: Timestamp,
        until: Timestamp,
    },
    InFlight,
}

/// A send.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Who waits for the answer; nobody for a queued send that is stored.
    pub(super) ticket: Option<Ticket>,
    pub(super) outgoing: Outgoing,
    /// Does it live in the database?
    pub(super) queued: bool,
    /// Times that the server asked to retry it.
    retries: u32,
    /// Times that it went out and was left without an answer.
    losses: u32,
    /// Did it come with the time of a try before?
    tried: bool,
    client_message_id: String,
    bytes: usize,
    state: State,
    first_out: Option<Timestamp>,
    error: Option<Error>,
}

impl Entry {
    pub(super) fn client_message_id(&self) -> &str {
        &self.client_message_id
    }

    /// May a try before the last one have brought the message to the server?
    pub(super) fn went_out_before(&self) -> bool {
        self.tried || self.losses > 0 || self.error.is_some()
    }
}

/// A send whose time is over.
pub(super) type Failed = (Entry, Error);

#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    entries: BTreeMap<Key, Entry>,
    next: Key,
    bytes: usize,
    in_flight: usize,
}

impl Outbox {
    /// Takes a queued send in, which goes out once [`confirmed`](Self::confirmed) says that it is
    /// stored; or refuses it because too much waits already.
    pub(super) fn queue(
        &mut self,
        ticket: Ticket,
        outgoing: Outgoing,
        client_message_id: String,
        now: Timestamp,
    ) -> Result<Key, Error> {
        let key = self.next;
        self.push(ticket, outgoing, client_message_id, now)?;
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.queued = true;
            entry.state = State::Storing;
        }
        Ok(key)
    }

    /// What the database says of the time of its first try.
    pub(super) fn first_try_at(&mut self, key: Key, at: Timestamp) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.outgoing.first_try = at;
        }
    }

    /// Takes back what was queued before the client was started anew.
    pub(super) fn load(&mut self, outgoing: Outgoing) {
        let client_message_id = outgoing.client_message_id.clone().unwrap_or_default();
        let bytes = outgoing.content.kind.len() + outgoing.content.body.len();
        let entry = Entry {
            ticket: None,
            outgoing,
            queued: true,
            retries: 0,
            losses: 0,
            tried: true,
            client_message_id,
            bytes,
            state: State::Waiting {
                from: Timestamp(0),
                until: NEVER,
            },
            first_out: None,
            error: None,
        };
        self.bytes += bytes;
        self.entries.insert(self.next, entry);
        self.next += 1;
    }

    /// It is stored. Gives who waits to hear that.
    pub(super) fn confirmed(&mut self, key: Key, now: Timestamp) -> Option<(Ticket, &Entry)> {
        let entry = self.entries.get_mut(&key)?;
        if !matches!(entry.state, State::Storing) {
            return None;
        }
        entry.state = State::Waiting {
            from: now,
            until: NEVER,
        };
        let ticket = entry.ticket.take()?;
        Some((ticket, entry))
    }

    /// The key of a queued send.
    pub(super) fn find(&self, conversation: &str, client_message_id: &str) -> Option<Key> {
        let is = |entry: &Entry| {
            entry.queued
                && entry.client_message_id == client_message_id
                && entry.outgoing.conversation == conversation
        };
        let mut all = self.entries.iter();
        all.find(|(_, entry)| is(entry)).map(|(key, _)| *key)
    }

    /// Takes a queued send out that is not on its way.
    pub(super) fn discard(&mut self, key: Key) -> Option<Entry> {
        let waits = |entry: &&Entry| matches!(entry.state, State::Waiting { .. });
        self.entries.get(&key).filter(waits)?;
        self.remove(key)
    }

    /// Takes all queued sends out: they are another user's.
    pub(super) fn forget_queued(&mut self) -> Vec<Entry> {
        let queued = self.entries.iter().filter(|(_, entry)| entry.queued);
        let keys: Vec<Key> = queued.map(|(key, _)| *key).collect();
        keys.into_iter()
            .filter_map(|key| self.remove(key))
            .collect()
    }

    /// Takes a send in, or refuses it because too much waits already.
    pub(super) fn push(
        &mut self,
        ticket: Ticket,
        outgoing: Outgoing,
        client_message_id: String,
        now: Timestamp,
    ) -> Result<(), Error> {
        let bytes = outgoing.content.kind.len() + outgoing.content.body.len();
        if self.entries.len() >= OUTBOX_SENDS_MAX || self.bytes + bytes > OUTBOX_BYTES_MAX {
            return Err(Error::queue_full());
        }
        let state = State::Waiting {
            from: now,
            until: now.plus_ms(SEND_QUEUED_MS),
        };
        let tried = outgoing.first_try.0 != 0;
        let entry = Entry {
            ticket: Some(ticket),
            outgoing,
            queued: false,
            retries: 0,
            losses: 0,
            tried,
            client_message_id,
            bytes,
            state,
            first_out: None,
            error: None,
        };
        self.bytes += bytes;
        self.entries.insert(self.next, entry);
        self.next += 1;
        Ok(())
    }

    /// The sends that go out now, marked as gone out. `server_now`: the server's clock, for the
    /// time of the first try.
    pub(super) fn take_ready(&mut self, now: Timestamp, server_now: Timestamp) -> Vec<Key> {
        let mut room = SENDS_IN_FLIGHT_MAX.saturating_sub(self.in_flight);
        if room == 0 || self.in_flight == self.entries.len() {
            return Vec::new();
        }
        let mut ready = Vec::new();
        let mut held: BTreeSet<&str> = BTreeSet::new();
        let mut flying: BTreeSet<&str> = BTreeSet::new();
        for (key, entry) in &self.entries {
            let conversation = entry.outgoing.conversation.as_str();
            let strict = entry.queued || entry.error.is_some();
            let waits = match entry.state {
                State::Storing => true,
                State::InFlight => entry.queued,
                State::Waiting { from, .. } => {
                    from > now || strict && flying.contains(conversation)
                }
            };
            if waits {
                held.insert(conversation);
                continue;
            }
            if matches!(entry.state, State::Waiting { .. }) {
                if room == 0 || held.contains(conversation) {
                    continue;
                }
                ready.push(*key);
                room -= 1;
            }
            flying.insert(conversation);
            if entry.queued {
                held.insert(conversation);
            }
        }
        for key in &ready {
            if let Some(entry) = self.entries.get_mut(key) {
                entry.state = State::InFlight;
                entry.first_out.get_or_insert(now);
                if entry.outgoing.first_try.0 == 0 {
                    entry.outgoing.first_try = server_now;
                }
            }
        }
        self.in_flight += ready.len();
        ready
    }

    pub(super) fn get(&self, key: Key) -> Option<&Entry> {
        self.entries.get(&key)
    }

    /// It was answered for good.
    pub(super) fn remove(&mut self, key: Key) -> Option<Entry> {
        let entry = self.entries.remove(&key)?;
        self.bytes -= entry.bytes;
        if matches!(entry.state, State::InFlight) {
            self.in_flight -= 1;
        }
        Some(entry)
    }

    /// Its connection is gone and the answer with it.
    pub(super) fn lost(&mut self, key: Key, now: Timestamp) -> Option<Failed> {
        let entry = self.entries.get_mut(&key)?;
        entry.losses += 1;
        if !entry.queued && entry.losses >= SEND_ATTEMPTS_MAX {
            return self.fail(key, Error::not_reachable());
        }
        let until = if entry.queued {
            NEVER
        } else {
            now.plus_ms(SEND_TIMEOUT_MS)
        };
        entry.state = State::Waiting { from: now, until };
        self.in_flight -= 1;
        None
    }

    /// The server asks to retry it later.
    pub(super) fn retry(
        &mut self,
        key: Key,
        from: Timestamp,
        now: Timestamp,
        error: Error,
    ) -> Option<Failed> {
        let entry = self.entries.get_mut(&key)?;
        let first_out = entry.first_out.unwrap_or(now);
        let (from, until) = if entry.queued {
            // It is asked for again and again: each time later.
            let more = RETRY_STEP_MS << entry.retries.min(RETRY_DOUBLINGS_MAX);
            entry.retries += 1;
            (from.plus_ms(more - RETRY_STEP_MS), NEVER)
        } else {
            (from, first_out.plus_ms(SEND_RETRY_BUDGET_MS))
        };
        if from >= until {
            return self.fail(key, error);
        }
        entry.error = Some(error);
        entry.state = State::Waiting { from, until };
        self.in_flight -= 1;
        None
    }

    fn fail(&mut self, key: Key, error: Error) -> Option<Failed> {
        let entry = self.remove(key)?;
        Some((entry, error))
    }

    /// Those that waited too long.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<Failed> {
        let over =
            |entry: &Entry| matches!(entry.state, State::Waiting { until, .. } if until <= now);
        let keys: Vec<Key> = self
            .entries
            .iter()
            .filter(|(_, entry)| over(entry))
            .map(|(key, _)| *key)
            .collect();
        let fail = |key| {
            let mut entry = self.remove(key)?;
            let error = entry.error.take().unwrap_or_else(Error::not_reachable);
            Some((entry, error))
        };
        keys.into_iter().filter_map(fail).collect()
    }

    /// All but the queued ones, in order: the client stops.
    pub(super) fn drain(&mut self) -> Vec<Ticket> {
        let others = self.entries.iter().filter(|(_, entry)| !entry.queued);
        let keys: Vec<Key> = others.map(|(key, _)| *key).collect();
        let mut entries = keys.into_iter().filter_map(|key| self.remove(key));
        let tickets = entries.by_ref().filter_map(|entry| entry.ticket).collect();
        drop(entries);
        tickets
    }

    /// When something of a waiting send is due.
    pub(super) fn timers(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.entries
            .values()
            .filter_map(|entry| match entry.state {
                State::Waiting { from, until } => Some([from, until]),
                State::InFlight | State::Storing => None,
            })
            .flatten()
            .filter(|at| *at != NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Content;

    fn push(outbox: &mut Outbox, ticket: u64, conversation: &str, now: u64) -> Result<(), Error> {
        let outgoing = Outgoing::new(conversation, Content::text("hi"));
        outbox.push(
            Ticket(ticket),
            outgoing,
            format!("id-{ticket}"),
            Timestamp(now),
        )
    }

    fn ready(outbox: &mut Outbox, now: u64) -> Vec<Key> {
        outbox.take_ready(Timestamp(now), Timestamp(now))
    }

    #[test]
    fn what_is_lost_goes_out_once_more_and_then_fails() {
        let mut outbox = Outbox::default();
        push(&mut outbox, 1, "g/a", 0).unwrap();
        assert_eq!(ready(&mut outbox, 5), [0]);
        assert_eq!(ready(&mut outbox, 6), [0u64; 0]);
        assert!(outbox.lost(0, Timestamp(7)).is_none());
        assert_eq!(ready(&mut outbox, 8), [0]);
        let entry = outbox.get(0).unwrap();
        assert_eq!(entry.client_message_id(), "id-1");
        assert_eq!(entry.outgoing.first_try, Timestamp(5), "of the first try");
        let (entry, error) = outbox.lost(0, Timestamp(9)).unwrap();
        assert_eq!((entry.ticket, error.code), (Some(Ticket(1)), 300));
        assert!(outbox.entries.is_empty() && outbox.bytes == 0 && outbox.in_flight == 0);
    }

    #[test]
    fn a_retry_holds_back_what_follows_in_its_conversation_only() {
        let mut outbox = Outbox::default();
        push(&mut outbox, 1, "g/a", 0).unwrap();
        assert_eq!(ready(&mut outbox, 0), [0]);
        let busy = Error::new(anser_domain::Code::Overloaded, "");
        assert!(
            outbox
                .retry(0, Timestamp(100), Timestamp(1), busy.clone())
                .is_none()
        );
        push(&mut outbox, 2, "g/a", 2).unwrap();
        push(&mut outbox, 3, "g/b", 2).unwrap();
        assert_eq!(ready(&mut outbox, 50), [2]);
        assert_eq!(ready(&mut outbox, 100), [0, 1]);
        let late = Timestamp(SEND_RETRY_BUDGET_MS);
        assert_eq!(
            outbox
                .retry(0, late, Timestamp(101), busy.clone())
                .unwrap()
                .1,
            busy
        );
    }

    #[test]
    fn waiting_has_an_end_and_the_queue_a_bound() {
        let mut outbox = Outbox::default();
        for ticket in 0..OUTBOX_SENDS_MAX as u64 {
            push(&mut outbox, ticket, "g/a", 0).unwrap();
        }
        assert_eq!(push(&mut outbox, 9_999, "g/a", 0).unwrap_err().code, 520);
        assert_eq!(ready(&mut outbox, 0).len(), SENDS_IN_FLIGHT_MAX);
        let failed = outbox.expire(Timestamp(SEND_QUEUED_MS));
        assert_eq!(failed.len(), OUTBOX_SENDS_MAX - SENDS_IN_FLIGHT_MAX);
        assert!(failed.iter().all(|(_, error)| error.code == 300));
        assert_eq!(outbox.drain().len(), SENDS_IN_FLIGHT_MAX);
    }

    fn queue(outbox: &mut Outbox, ticket: u64, conversation: &str) -> Key {
        let outgoing = Outgoing::new(conversation, Content::text("hi"));
        let id = format!("id-{ticket}");
        outbox
            .queue(Ticket(ticket), outgoing, id, Timestamp(0))
            .unwrap()
    }

    #[test]
    fn a_queued_send_goes_out_once_stored_and_one_at_a_time() {
        let mut outbox = Outbox::default();
        queue(&mut outbox, 1, "g/a");
        queue(&mut outbox, 2, "g/a");
        push(&mut outbox, 3, "g/a", 0).unwrap();
        assert_eq!(ready(&mut outbox, 1), [0u64; 0]);
        let (ticket, _) = outbox.confirmed(0, Timestamp(1)).unwrap();
        assert_eq!(ticket, Ticket(1));
        outbox.confirmed(1, Timestamp(1)).unwrap();
        assert_eq!(ready(&mut outbox, 1), [0]);
        assert_eq!(ready(&mut outbox, 2), [0u64; 0]);
        assert!(outbox.remove(0).is_some());
        assert_eq!(ready(&mut outbox, 3), [1]);
        assert!(outbox.remove(1).is_some());
        assert_eq!(ready(&mut outbox, 4), [2]);
    }

    #[test]
    fn a_queued_send_outlives_losses_refusals_and_the_end_of_the_client() {
        let mut outbox = Outbox::default();
        queue(&mut outbox, 1, "g/a");
        outbox.confirmed(0, Timestamp(0)).unwrap();
        let busy = Error::new(anser_domain::Code::Overloaded, "");
        let mut now = 0;
        for _ in 0..20 {
            assert_eq!(ready(&mut outbox, now), [0]);
            assert!(outbox.lost(0, Timestamp(now)).is_none());
            assert_eq!(ready(&mut outbox, now), [0]);
            let from = Timestamp(now + 100);
            let refused = outbox.retry(0, from, Timestamp(now), busy.clone());
            assert!(refused.is_none());
            now = outbox.timers().next().unwrap().0;
        }
        assert!(outbox.expire(Timestamp(u64::MAX - 1)).is_empty());
        assert!(outbox.drain().is_empty());
        assert_eq!(ready(&mut outbox, now), [0]);
    }

    #[test]
    fn what_was_refused_does_not_overtake_what_is_on_its_way() {
        let mut outbox = Outbox::default();
        for ticket in 1..=3 {
            push(&mut outbox, ticket, "g/a", 0).unwrap();
        }
        assert_eq!(ready(&mut outbox, 0), [0, 1, 2]);
        let busy = Error::new(anser_domain::Code::Overloaded, "");
        for key in [1, 2] {
            let refused = outbox.retry(key, Timestamp(10), Timestamp(5), busy.clone());
            assert!(refused.is_none());
        }
        assert_eq!(ready(&mut outbox, 20), [0u64; 0], "the first is on its way");
        let refused = outbox.retry(0, Timestamp(40), Timestamp(20), busy);
        assert!(refused.is_none());
        assert_eq!(ready(&mut outbox, 30), [0u64; 0], "the first waits");
        assert_eq!(ready(&mut outbox, 40), [0]);
        assert!(outbox.remove(0).is_some());
        assert_eq!(ready(&mut outbox, 41), [1]);
        assert!(outbox.remove(1).is_some());
        assert_eq!(ready(&mut outbox, 42), [2]);
    }
}
