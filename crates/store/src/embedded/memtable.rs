//! Rows that are in the log and not yet in the LSM trees.
//!
//! Keys and values are slices of log frames, so a row costs no copy and a frame stays in memory
//! while any of its rows does; the size of a memtable is therefore counted in log bytes.
//!
//! There is a small map for each shard of a space, since nothing is ever read across shards: most
//! of the way to a row is then one hash of three bytes instead of a path through a large tree.

use std::collections::HashMap;

use bytes::Bytes;

use super::log::frame::Frame;
use super::lsm::prefix;
use super::shard_rows::ShardRows;
use crate::StoreError;
use crate::address::Key;
use crate::scan::{Direction, Scan};

/// A row as a memtable holds it: `None` hides whatever the trees hold.
pub(super) type Slot = Option<Bytes>;

#[derive(Default)]
pub(super) struct Memtable {
    /// By space and shard.
    shards: HashMap<[u8; 3], ShardRows, foldhash::fast::FixedState>,
    log_bytes: usize,
}

impl Memtable {
    pub(super) fn insert(&mut self, key: Key, slot: Slot) {
        self.shards
            .entry(prefix(key.space, key.shard))
            .or_default()
            .insert(key.bytes, slot);
    }

    /// Counts a frame whose rows are inserted.
    pub(super) fn charge(&mut self, frame: &Frame) {
        self.log_bytes += frame.bytes.len();
    }

    /// Bytes of the frames that the rows came in.
    pub(super) fn log_bytes(&self) -> usize {
        self.log_bytes
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Slot> {
        self.shards
            .get(&prefix(key.space, key.shard))?
            .get(&key.bytes)
    }

    /// All rows, each with the prefix and the bytes of its stored key, in the order of these.
    pub(super) fn rows(&self) -> impl Iterator<Item = ([u8; 3], &Bytes, &Slot)> {
        let mut shards: Vec<_> = self.shards.iter().collect();
        shards.sort_unstable_by_key(|(prefix, _)| **prefix);
        shards
            .into_iter()
            .flat_map(|(prefix, rows)| rows.iter().map(|(key, slot)| (*prefix, key, slot)))
    }

    /// The rows of a scan's range, in its direction.
    pub(super) fn range(&self, scan: &Scan) -> Box<dyn Iterator<Item = (Bytes, Slot)> + '_> {
        let Some(rows) = self.shards.get(&prefix(scan.space, scan.shard)) else {
            return Box::new(std::iter::empty());
        };
        let range = rows
            .range((scan.from.clone(), scan.to.clone()))
            .map(|(key, slot)| (key.clone(), slot.clone()));
        match scan.direction {
            Direction::Forward => Box::new(range),
            Direction::Backward => Box::new(range.rev()),
        }
    }
}

/// Merges two runs of rows that are sorted in `direction`; of two rows with one key, the upper
/// wins. An error of the lower run is passed on and ends the merge.
pub(super) fn layered<U, L>(
    direction: Direction,
    upper: U,
    lower: L,
) -> impl Iterator<Item = Result<(Bytes, Slot), StoreError>>
where
    U: Iterator<Item = (Bytes, Slot)>,
    L: Iterator<Item = Result<(Bytes, Slot), StoreError>>,
{
    let mut upper = upper.peekable();
    let mut lower = lower.peekable();
    std::iter::from_fn(move || {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = match (upper.peek(), lower.peek()) {
            (_, Some(Err(_))) | (None, _) => return lower.next(),
            (Some(_), None) => Less,
            (Some((up, _)), Some(Ok((low, _)))) => match direction {
                Direction::Forward => up.cmp(low),
                Direction::Backward => low.cmp(up),
            },
        };
        match order {
            Less => {}
            Equal => drop(lower.next()),
            Greater => return lower.next(),
        }
        upper.next().map(Ok)
    })
}
