//! Requests of the application other than sends.
//!
//! What only reads, and what may be repeated without harm, goes out again after a lost
//! connection; what would fail the second time because it took effect the first does not: it
//! fails with `TIMEOUT` and the application looks. Each is answered within
//! [`REQUEST_TIMEOUT_MS`].

use std::collections::BTreeMap;

use anser_domain::code::Code;
use anser_domain::{ConversationId, Timestamp};

use super::api::{Request, Ticket};
use super::commands::{conversation_of, repeatable};
use super::room_requests::RoomAsk;
use crate::error::Error;
use crate::limits::{REQUEST_TIMEOUT_MS, REQUESTS_MAX};

#[derive(Clone, Debug)]
struct Entry {
    request: Request,
    until: Timestamp,
    /// When it goes out; `None` while it is on its way.
    from: Option<Timestamp>,
    /// What the server said last, if it asked to retry.
    error: Option<Error>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    /// By arrival.
    entries: BTreeMap<u64, (Ticket, Entry)>,
    next: u64,
    waiting: usize,
}

impl Requests {
    pub(super) fn push(
        &mut self,
        ticket: Ticket,
        request: Request,
        now: Timestamp,
    ) -> Result<(), Error> {
        if self.entries.len() >= REQUESTS_MAX {
            return Err(Error::queue_full());
        }
        let entry = Entry {
            request,
            until: now.plus_ms(REQUEST_TIMEOUT_MS),
            from: Some(now),
            error: None,
        };
        self.entries.insert(self.next, (ticket, entry));
        self.next += 1;
        self.waiting += 1;
        Ok(())
    }

    /// The requests that go out now, marked as gone out.
    pub(super) fn take_ready(&mut self, now: Timestamp) -> Vec<u64> {
        if self.waiting == 0 {
            return Vec::new();
        }
        let mut ready = Vec::new();
        for (key, (_, entry)) in &mut self.entries {
            if entry.from.is_some_and(|from| from <= now) {
                entry.from = None;
                ready.push(*key);
            }
        }
        self.waiting -= ready.len();
        ready
    }

    pub(super) fn get(&self, key: u64) -> Option<&Request> {
        self.entries.get(&key).map(|(_, entry)| &entry.request)
    }

    pub(super) fn remove(&mut self, key: u64) -> Option<(Ticket, Request)> {
        let (ticket, entry) = self.entries.remove(&key)?;
        self.waiting -= usize::from(entry.from.is_some());
        Some((ticket, entry.request))
    }

    /// Its connection is gone and the answer with it.
    pub(super) fn lost(&mut self, key: u64, now: Timestamp) -> Option<(Ticket, Error)> {
        self.again(key, now, None, || {
            Error::new(
                Code::Timeout,
                "the connection ended before the answer came; it may have taken effect",
            )
        })
    }

    /// The server asks to retry it later.
    pub(super) fn retry(
        &mut self,
        key: u64,
        from: Timestamp,
        error: Error,
    ) -> Option<(Ticket, Error)> {
        self.again(key, from, Some(error.clone()), || error)
    }

    fn again(
        &mut self,
        key: u64,
        from: Timestamp,
        said: Option<Error>,
        otherwise: impl FnOnce() -> Error,
    ) -> Option<(Ticket, Error)> {
        let (_, entry) = self.entries.get_mut(&key)?;
        if repeatable(&entry.request) && from < entry.until {
            entry.from = Some(from);
            entry.error = said.or(entry.error.take());
            self.waiting += 1;
            return None;
        }
        let (ticket, _) = self.remove(key)?;
        Some((ticket, otherwise()))
    }

    /// Is the application leaving this chat room, and is that not answered yet?
    pub(super) fn is_leaving(&self, room: &str) -> bool {
        let mut requests = self.entries.values().map(|(_, entry)| &entry.request);
        requests.any(|request| match request {
            Request::Room(request) => request.ask == RoomAsk::Leave && request.room == room,
            _ => false,
        })
    }

    /// Those whose time is over.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<(Ticket, Error)> {
        let over =
            |(key, (_, entry)): (&u64, &(Ticket, Entry))| (entry.until <= now).then_some(*key);
        let keys: Vec<u64> = self.entries.iter().filter_map(over).collect();
        let mut failed = Vec::new();
        for key in keys {
            let sent = self
                .entries
                .get(&key)
                .is_some_and(|(_, e)| e.from.is_none());
            let said = self.entries.get_mut(&key).and_then(|(_, e)| e.error.take());
            if let Some((ticket, _)) = self.remove(key) {
                let error = said.unwrap_or_else(|| match sent {
                    true => Error::new(Code::Timeout, "no answer came in time"),
                    false => Error::not_reachable(),
                });
                failed.push((ticket, error));
            }
        }
        failed
    }

    /// All of them: the client stops.
    pub(super) fn drain(&mut self) -> Vec<Ticket> {
        self.waiting = 0;
        let entries = std::mem::take(&mut self.entries);
        entries.into_values().map(|(ticket, _)| ticket).collect()
    }

    pub(super) fn timers(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.entries
            .values()
            .flat_map(|(_, entry)| [Some(entry.until), entry.from])
            .flatten()
    }
}

/// Refuses what the server could only refuse.
pub(super) fn check(request: &Request) -> Result<(), Error> {
    conversation_of(request).map_or(Ok(()), check_conversation)
}

/// Is it the name of a conversation?
pub(crate) fn check_conversation(name: &str) -> Result<(), Error> {
    match ConversationId::parse(name) {
        Ok(_) => Ok(()),
        Err(why) => Err(Error::new(
            Code::InvalidRequest,
            format!("the conversation's name {why}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(group: &str) -> Request {
        Request::GetGroup {
            group_id: group.to_owned(),
        }
    }

    #[test]
    fn reads_go_out_again_and_changes_of_groups_do_not() {
        let mut requests = Requests::default();
        requests.push(Ticket(1), get("a"), Timestamp(0)).unwrap();
        let quit = Request::QuitGroup {
            group_id: "a".to_owned(),
        };
        requests.push(Ticket(2), quit, Timestamp(0)).unwrap();
        assert_eq!(requests.take_ready(Timestamp(0)), [0, 1]);
        assert!(requests.lost(0, Timestamp(5)).is_none());
        let (ticket, error) = requests.lost(1, Timestamp(5)).unwrap();
        assert_eq!((ticket, error.code), (Ticket(2), Code::Timeout.number()));
        assert_eq!(requests.take_ready(Timestamp(5)), [0]);
    }

    #[test]
    fn each_is_answered_in_time_with_what_the_server_said_last() {
        let mut requests = Requests::default();
        for (ticket, group) in [(1, "a"), (2, "b"), (3, "c")] {
            requests
                .push(Ticket(ticket), get(group), Timestamp(0))
                .unwrap();
        }
        requests.take_ready(Timestamp(0));
        assert!(requests.lost(0, Timestamp(1)).is_none());
        let busy = Error::new(Code::Overloaded, "");
        assert!(requests.retry(1, Timestamp(9), busy).is_none());
        let failed = requests.expire(Timestamp(REQUEST_TIMEOUT_MS));
        let codes: Vec<_> = failed.iter().map(|(t, e)| (t.0, e.code)).collect();
        assert_eq!(codes, [(1, 300), (2, 1002), (3, 1005)]);
        assert_eq!(requests.waiting, 0);
    }

    #[test]
    fn the_queue_has_a_bound() {
        let mut requests = Requests::default();
        for ticket in 0..REQUESTS_MAX as u64 {
            requests
                .push(Ticket(ticket), get("a"), Timestamp(0))
                .unwrap();
        }
        let refused = requests.push(Ticket(9_999), get("a"), Timestamp(0));
        assert_eq!(refused.unwrap_err().code, 520);
        assert_eq!(requests.drain().len(), REQUESTS_MAX);
    }
}
