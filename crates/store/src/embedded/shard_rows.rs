//! The rows of one shard of a space, in memory, sorted.
//!
//! What a sorted map costs is comparing keys whose bytes lie elsewhere in memory. Keys of one
//! shard mostly begin alike, with the app and the conversation, and differ in what follows. So
//! what all of them share is kept once, and each carries the bytes behind it with it, in one
//! number that sorts as they do; only keys that agree in all of those are followed to their bytes.
//!
//! The shared beginning only ever gets shorter. Each time the keys are numbered anew, and after a
//! few times it is halved at least, so that keys chosen to provoke this cannot make it frequent.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use super::memtable::Slot;

/// Times that the shared beginning is cut to what is shared still, and no further.
const EXACT_CUTS_MAX: u8 = 8;

#[derive(Clone, Eq, PartialEq, Ord, PartialOrd)]
struct RowKey {
    /// The first bytes behind what is shared, big-endian; padded with zeros, which ties with keys
    /// that have zeros there, and ties are settled by the bytes.
    head: u128,
    bytes: Bytes,
}

impl RowKey {
    fn new(bytes: Bytes, shared: usize) -> RowKey {
        let mut head = [0; 16];
        let rest = &bytes[shared..];
        let inline = rest.len().min(head.len());
        head[..inline].copy_from_slice(&rest[..inline]);
        RowKey {
            head: u128::from_be_bytes(head),
            bytes,
        }
    }
}

#[derive(Default)]
pub(super) struct ShardRows {
    /// What all keys begin with.
    shared: Bytes,
    cuts: u8,
    rows: BTreeMap<RowKey, Slot>,
}

impl ShardRows {
    pub(super) fn insert(&mut self, key: Bytes, slot: Slot) {
        if self.rows.is_empty() {
            self.shared = key.clone();
        } else if !key.starts_with(&self.shared) {
            let pairs = self.shared.iter().zip(&key);
            self.cut(pairs.take_while(|(a, b)| a == b).count());
        }
        self.rows.insert(RowKey::new(key, self.shared.len()), slot);
    }

    /// No more than `len` bytes are shared.
    fn cut(&mut self, len: usize) {
        let exact = self.cuts < EXACT_CUTS_MAX;
        let len = if exact { len } else { len / 2 };
        self.cuts = self.cuts.saturating_add(1);
        self.shared.truncate(len);
        let rows = std::mem::take(&mut self.rows).into_iter();
        self.rows = rows
            .map(|(key, slot)| (RowKey::new(key.bytes, len), slot))
            .collect();
    }

    pub(super) fn get(&self, key: &Bytes) -> Option<&Slot> {
        if !key.starts_with(&self.shared) {
            return None;
        }
        self.rows.get(&RowKey::new(key.clone(), self.shared.len()))
    }

    /// All of them, in the order of their keys.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Bytes, &Slot)> {
        self.rows.iter().map(|(key, slot)| (&key.bytes, slot))
    }

    /// Those within bounds, in the order of their keys.
    pub(super) fn range(
        &self,
        (low, high): (Bound<Bytes>, Bound<Bytes>),
    ) -> impl DoubleEndedIterator<Item = (&Bytes, &Slot)> {
        let bounds = (self.low(low), self.high(high));
        // Bounds the wrong way round hold nothing; the map would panic.
        let is_empty = match (&bounds.0, &bounds.1) {
            (Some(Bound::Unbounded), Some(_)) | (Some(_), Some(Bound::Unbounded)) => false,
            (Some(Bound::Included(low)), Some(Bound::Included(high))) => low > high,
            (
                Some(Bound::Included(low) | Bound::Excluded(low)),
                Some(Bound::Included(high) | Bound::Excluded(high)),
            ) => low >= high,
            (None, _) | (_, None) => true,
        };
        let bounds = bounds.0.zip(bounds.1).filter(|_| !is_empty);
        let rows = bounds.map(|bounds| self.rows.range(bounds));
        rows.into_iter()
            .flatten()
            .map(|(key, slot)| (&key.bytes, slot))
    }

    /// A lower bound; `None`: all keys are below it.
    fn low(&self, bound: Bound<Bytes>) -> Option<Bound<RowKey>> {
        let (Bound::Included(bytes) | Bound::Excluded(bytes)) = &bound else {
            return Some(Bound::Unbounded);
        };
        if bytes.starts_with(&self.shared) {
            return Some(bound.map(|bytes| RowKey::new(bytes, self.shared.len())));
        }
        (*bytes < self.shared).then_some(Bound::Unbounded)
    }

    /// An upper bound; `None`: all keys are above it.
    fn high(&self, bound: Bound<Bytes>) -> Option<Bound<RowKey>> {
        let (Bound::Included(bytes) | Bound::Excluded(bytes)) = &bound else {
            return Some(Bound::Unbounded);
        };
        if bytes.starts_with(&self.shared) {
            return Some(bound.map(|bytes| RowKey::new(bytes, self.shared.len())));
        }
        (*bytes > self.shared).then_some(Bound::Unbounded)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Bytes> {
        let byte = prop_oneof![8 => Just(7u8), 1 => Just(0), 1 => Just(255)];
        vec(byte, 0..40).prop_map(Bytes::from)
    }

    fn bound() -> impl Strategy<Value = Bound<Bytes>> {
        prop_oneof![
            Just(Bound::Unbounded),
            key().prop_map(Bound::Included),
            key().prop_map(Bound::Excluded),
        ]
    }

    proptest! {
        #[test]
        fn rows_are_found_and_sorted_as_in_a_plain_map(
            keys in vec(key(), 1..60),
            asked in key(),
            low in bound(),
            high in bound(),
        ) {
            let mut rows = ShardRows::default();
            let mut plain = BTreeMap::new();
            for (number, key) in keys.iter().enumerate() {
                let slot = Some(Bytes::from(number.to_string()));
                rows.insert(key.clone(), slot.clone());
                plain.insert(key.clone(), slot);
            }
            for key in keys.iter().chain([&asked]) {
                prop_assert_eq!(rows.get(key), plain.get(key));
            }
            prop_assert!(rows.iter().eq(plain.iter()));
            let within = |key: &Bytes| {
                let low = match &low {
                    Bound::Included(low) => key >= low,
                    Bound::Excluded(low) => key > low,
                    Bound::Unbounded => true,
                };
                low && match &high {
                    Bound::Included(high) => key <= high,
                    Bound::Excluded(high) => key < high,
                    Bound::Unbounded => true,
                }
            };
            let expected: Vec<_> = plain.iter().filter(|(key, _)| within(key)).collect();
            let found: Vec<_> = rows.range((low.clone(), high.clone())).collect();
            prop_assert_eq!(&found, &expected);
            let backward: Vec<_> = rows.range((low.clone(), high.clone())).rev().collect();
            prop_assert!(backward.iter().eq(expected.iter().rev()));
        }
    }
}
