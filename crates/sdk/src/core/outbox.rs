//! Sends that are not answered yet.
//!
//! A send waits for a connection, goes out, and is answered; nothing else takes it out of here
//! but the end of its time, so each is resolved exactly once. What went out and was not answered
//! goes out once more on the next connection, under the same client message id, which the server
//! recognises. Order is the order of the requests: what must be retried holds back what was
//! requested after it in the same conversation and has not gone out yet.

use std::collections::{BTreeMap, BTreeSet};

use anser_domain::Timestamp;

use super::api::{Outgoing, Ticket};
use crate::error::Error;
use crate::limits::{
    OUTBOX_BYTES_MAX, OUTBOX_SENDS_MAX, SEND_ATTEMPTS_MAX, SEND_QUEUED_MS, SEND_RETRY_BUDGET_MS,
    SEND_TIMEOUT_MS, SENDS_IN_FLIGHT_MAX,
};

/// Names a send in here; ascends in the order of requests.
pub(super) type Key = u64;

#[derive(Copy, Clone, Debug)]
enum State {
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
    pub(super) ticket: Ticket,
    pub(super) outgoing: Outgoing,
    /// Times that it went out and was left without an answer.
    losses: u32,
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
}

/// A send whose time is over.
pub(super) type Failed = (Ticket, Error);

#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    entries: BTreeMap<Key, Entry>,
    next: Key,
    bytes: usize,
    in_flight: usize,
}

impl Outbox {
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
        let entry = Entry {
            ticket,
            outgoing,
            losses: 0,
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
        let mut held: BTreeSet<String> = BTreeSet::new();
        for (key, entry) in &mut self.entries {
            let State::Waiting { from, .. } = entry.state else {
                continue;
            };
            if from > now {
                held.insert(entry.outgoing.conversation.clone());
                continue;
            }
            if held.contains(&entry.outgoing.conversation) {
                continue;
            }
            entry.state = State::InFlight;
            entry.first_out.get_or_insert(now);
            if entry.outgoing.first_try.0 == 0 {
                entry.outgoing.first_try = server_now;
            }
            ready.push(*key);
            room -= 1;
            if room == 0 {
                break;
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
        if entry.losses >= SEND_ATTEMPTS_MAX {
            return self.fail(key, Error::not_reachable());
        }
        entry.state = State::Waiting {
            from: now,
            until: now.plus_ms(SEND_TIMEOUT_MS),
        };
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
        let until = first_out.plus_ms(SEND_RETRY_BUDGET_MS);
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
        Some((entry.ticket, error))
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
            let entry = self.remove(key)?;
            let error = entry.error.unwrap_or_else(Error::not_reachable);
            Some((entry.ticket, error))
        };
        keys.into_iter().filter_map(fail).collect()
    }

    /// All of them, in order: the client stops.
    pub(super) fn drain(&mut self) -> Vec<Ticket> {
        let entries = std::mem::take(&mut self.entries);
        self.bytes = 0;
        self.in_flight = 0;
        entries.into_values().map(|entry| entry.ticket).collect()
    }

    /// When something of a waiting send is due.
    pub(super) fn timers(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.entries
            .values()
            .filter_map(|entry| match entry.state {
                State::Waiting { from, until } => Some([from, until]),
                State::InFlight => None,
            })
            .flatten()
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
        let (ticket, error) = outbox.lost(0, Timestamp(9)).unwrap();
        assert_eq!((ticket, error.code), (Ticket(1), 300));
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
}
