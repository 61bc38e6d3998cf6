//! Keys of system conversations: who is subscribed, what is for all, and which there are.

use std::ops::Bound;

use anser_domain::AppId;
use anser_store::{Direction, Key, Scan};
use bytes::{BufMut, Bytes, BytesMut};

use super::key::{ConversationKeys, app_shard};
use super::{FOR_ALL, SUBSCRIBER, SYSTEM, TARGETED};

impl ConversationKeys {
    /// Is it a system conversation?
    pub(crate) fn is_system(&self) -> bool {
        self.base().get(4..6) == Some(b"s/".as_slice())
    }

    /// A user's subscription.
    pub(crate) fn subscriber(&self, user: &str) -> Key {
        self.user(SUBSCRIBER, user)
    }

    /// Subscriptions after `after` by user id, all from the start if it is empty.
    pub(crate) fn subscribers(&self, after: &str, limit: usize) -> Scan {
        self.users(SUBSCRIBER, after, limit)
    }

    /// A message that is for all subscribers.
    pub(crate) fn for_all(&self, seq: u64) -> Key {
        self.key(FOR_ALL, |key| key.put_u64(seq), 8)
    }

    /// Messages for all from `low` to `high`, both included.
    pub(crate) fn for_all_between(&self, low: u64, high: u64, direction: Direction) -> Scan {
        let (from, to) = (self.for_all(low).bytes, self.for_all(high).bytes);
        let (from, to) = (Bound::Included(from), Bound::Included(to));
        directed(Scan::range(FOR_ALL, self.shard(), from, to), direction)
    }

    /// Messages for some of whom the user is one, from `low` to `high`, both included.
    pub(crate) fn targeted_between(
        &self,
        user: &str,
        (low, high): (u64, u64),
        direction: Direction,
    ) -> Scan {
        let (from, to) = (
            self.targeted(user, low).bytes,
            self.targeted(user, high).bytes,
        );
        let (from, to) = (Bound::Included(from), Bound::Included(to));
        directed(Scan::range(TARGETED, self.shard(), from, to), direction)
    }
}

fn directed(scan: Scan, direction: Direction) -> Scan {
    match direction {
        Direction::Forward => scan,
        Direction::Backward => scan.backward(),
    }
}

/// The row that says there may be this system conversation.
pub(crate) fn system_key(app: AppId, name: &str) -> Key {
    let mut key = BytesMut::with_capacity(4 + name.len());
    key.put_u32(app.0);
    key.put_slice(name.as_bytes());
    Key::new(SYSTEM, app_shard(app), key.freeze())
}

/// The system conversations of an app behind this name, all if it is empty.
pub(crate) fn systems_after(app: AppId, name: &str, limit: usize) -> Scan {
    let from = Bound::Excluded(system_key(app, name).bytes);
    let to = match app.0.checked_add(1) {
        Some(next) => Bound::Excluded(Bytes::copy_from_slice(&next.to_be_bytes())),
        None => Bound::Unbounded,
    };
    Scan::range(SYSTEM, app_shard(app), from, to).limit(limit)
}

/// The name of the conversation of such a row.
pub(crate) fn system_of_key(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(4..)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_read_from_the_name_and_apps_are_apart() {
        let keys = |name| ConversationKeys::new(AppId(1), name);
        assert!(keys("s/news").is_system());
        assert!(!keys("g/s/news").is_system() && !keys("p/s/t").is_system());
        let scan = systems_after(AppId(1), "", 10);
        let inside = |key: Key| {
            scan.shard == key.shard
                && matches!(&scan.from, Bound::Excluded(from) if *from < key.bytes)
                && matches!(&scan.to, Bound::Excluded(to) if key.bytes < *to)
        };
        assert!(inside(system_key(AppId(1), "s/news")));
        assert!(!inside(system_key(AppId(2), "s/news")));
    }
}
