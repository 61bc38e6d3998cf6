//! Values of keys that expectations asked about, so that a conversation's head, expected by every
//! append, is looked up in the LSM once and not at every append.
//!
//! Two generations: a hit moves to the young one; when the young one is full it becomes the old
//! one, and the old one is forgotten. That is bounded, needs no clock and costs two map look-ups.

use bytes::Bytes;

use crate::address::Key;

/// Estimate of what an entry costs beyond its key and value.
const ENTRY_OVERHEAD: usize = 128;

/// A map by key, with a hash that is fast and, since clients choose parts of keys, not to be
/// foreseen: the seed differs from process to process, and nothing depends on the order.
pub(super) type ByKey<V> = std::collections::HashMap<Key, V, foldhash::fast::RandomState>;

type Values = ByKey<Option<Bytes>>;

pub(super) struct Recent {
    young: Values,
    old: Values,
    young_bytes: usize,
    generation_bytes: usize,
}

impl Recent {
    pub(super) fn new(bytes_max: usize) -> Recent {
        Recent {
            young: Values::default(),
            old: Values::default(),
            young_bytes: 0,
            generation_bytes: bytes_max / 2,
        }
    }

    /// The value of a key, if it is known here; the inner option is whether the row exists.
    pub(super) fn get(&mut self, key: &Key) -> Option<Option<Bytes>> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.insert(key, value.clone());
        Some(value)
    }

    /// Begins to follow a key. Copies, since what it is given may be a slice of something large.
    pub(super) fn remember(&mut self, key: &Key, value: Option<&Bytes>) {
        let bytes = Bytes::copy_from_slice(&key.bytes);
        let key = Key::new(key.space, key.shard, bytes);
        self.insert(key, value.map(|value| Bytes::copy_from_slice(value)));
    }

    /// Follows a write to a key, if it is known here.
    pub(super) fn update(&mut self, key: &Key, value: Option<&Bytes>) {
        if let Some(known) = self.young.get_mut(key) {
            let len = |value: Option<&Bytes>| value.map_or(0, Bytes::len);
            self.young_bytes = self.young_bytes + len(value) - len(known.as_ref());
            *known = value.map(|value| Bytes::copy_from_slice(value));
        } else if let Some((key, _)) = self.old.remove_entry(key) {
            self.insert(key, value.map(|value| Bytes::copy_from_slice(value)));
        }
    }

    fn insert(&mut self, key: Key, value: Option<Bytes>) {
        let bytes = ENTRY_OVERHEAD + key.bytes.len() + value.as_ref().map_or(0, Bytes::len);
        if self.young_bytes + bytes > self.generation_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(key, value);
    }

    /// Forgets everything, when what was followed did not get to disk.
    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
        self.young_bytes = 0;
    }
}
