//! A key that compares fast.
//!
//! Most of the cost of a large sorted map is comparing keys whose bytes lie elsewhere in memory.
//! A [`SortKey`] carries its first bytes with it, in one number that sorts as they do; only keys
//! that agree in all of them are followed to their bytes.

use std::ops::Bound;

use bytes::Bytes;

use crate::address::Key;

/// Key bytes that fit into the number, behind space (1) and shard (2).
const INLINE: usize = 13;

/// A map by key, with a hash that is fast and, since clients choose parts of keys, not to be
/// foreseen: the seed differs from process to process, and nothing depends on the order.
pub(super) type BySortKey<V> = std::collections::HashMap<SortKey, V, foldhash::fast::RandomState>;

#[derive(Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub(super) struct SortKey {
    /// Space, shard and first key bytes, big-endian; padded with zeros, which ties with keys that
    /// have zeros there, and ties are settled by the bytes.
    head: u128,
    bytes: Bytes,
}

impl SortKey {
    pub(super) fn new(key: Key) -> SortKey {
        let mut head = [0; 16];
        head[0] = key.space.0;
        head[1..3].copy_from_slice(&key.shard.0.to_be_bytes());
        let inline = key.bytes.len().min(INLINE);
        head[3..3 + inline].copy_from_slice(&key.bytes[..inline]);
        SortKey {
            head: u128::from_be_bytes(head),
            bytes: key.bytes,
        }
    }

    /// The key bytes, without space and shard.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The space of the key, and its stored form's prefix: space, then shard, big-endian.
    pub(super) fn prefix(&self) -> [u8; 3] {
        let [space, high, low, ..] = self.head.to_be_bytes();
        [space, high, low]
    }
}

/// Bounds of keys as bounds of sort keys.
pub(super) fn sort_bounds(bounds: &(Bound<Key>, Bound<Key>)) -> (Bound<SortKey>, Bound<SortKey>) {
    let bound = |bound: &Bound<Key>| bound.as_ref().cloned().map(SortKey::new);
    (bound(&bounds.0), bound(&bounds.1))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::address::{Shard, Space};

    fn key() -> impl Strategy<Value = Key> {
        let byte = prop_oneof![Just(0u8), Just(1), Just(255)];
        (0u8..2, 0u16..300, vec(byte, 0..18))
            .prop_map(|(space, shard, bytes)| Key::new(Space(space), Shard(shard), bytes))
    }

    proptest! {
        #[test]
        fn sort_keys_sort_as_keys_do(mut keys in vec(key(), 2..40)) {
            let mut sort_keys: Vec<SortKey> = keys.iter().cloned().map(SortKey::new).collect();
            sort_keys.sort();
            keys.sort();
            let expected: Vec<SortKey> = keys.iter().cloned().map(SortKey::new).collect();
            prop_assert_eq!(sort_keys, expected);
        }
    }
}
