//! Keys of presence.

use std::ops::Bound;

use anser_domain::AppId;
use anser_store::{Key, Scan, Shard};
use bytes::Bytes;

use super::{ONLINE, PRESENCE, SUBSCRIPTIONS, UserKeys, WATCHER};

impl UserKeys {
    /// What is told of the user.
    pub(crate) fn presence(&self) -> Key {
        self.key(PRESENCE, b"")
    }

    /// That the user is told to be online.
    pub(crate) fn online(&self) -> Key {
        self.key(ONLINE, b"")
    }

    /// Whom the user watches.
    pub(crate) fn subscriptions(&self) -> Key {
        self.key(SUBSCRIPTIONS, b"")
    }

    /// Another who watches the user.
    pub(crate) fn watcher(&self, other: &str) -> Key {
        self.key(WATCHER, other.as_bytes())
    }

    /// Who watches the user, behind a key.
    pub(crate) fn watchers(&self, after: Option<Bytes>, limit: usize) -> Scan {
        let all = self.key(WATCHER, b"");
        let scan = Scan::prefix(WATCHER, all.shard, all.bytes).limit(limit);
        match after {
            Some(after) => scan.from(Bound::Excluded(after)),
            None => scan,
        }
    }
}

/// The users of a shard who are told to be online, behind a key.
pub(crate) fn online(shard: Shard, after: Option<Bytes>) -> Scan {
    let scan = Scan::all(ONLINE, shard);
    match after {
        Some(after) => scan.from(Bound::Excluded(after)),
        None => scan,
    }
}

/// The user of such a key.
pub(crate) fn of_online(key: &[u8]) -> Option<(AppId, &str)> {
    let (app, user) = key.split_first_chunk()?;
    let user = std::str::from_utf8(user.strip_suffix(&[0])?).ok()?;
    Some((AppId(u32::from_be_bytes(*app)), user))
}
