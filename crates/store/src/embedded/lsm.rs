//! The LSM trees: one per space class, all spaces of a class in one.
//!
//! A row is stored in the tree of its space's class under
//! `space (u8) ++ shard (u16, big-endian) ++ key bytes`.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

use bytes::Bytes;
use fjall::config::{BlockSizePolicy, CompressionPolicy};
use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable as _,
};

use super::EmbeddedOptions;
use crate::address::{KEY_BYTES_MAX, Key, Shard, Space, SpaceClass};
use crate::scan::{Direction, Scan, ScanPage};
use crate::{ErrorKind, StoreError};

/// Bytes before the caller's key in a stored key.
const PREFIX_LEN: usize = 3;

pub(super) struct Lsm {
    database: Database,
    small: Keyspace,
    log: Keyspace,
    classes: BTreeMap<Space, SpaceClass>,
}

impl Lsm {
    pub(super) fn open(
        path: &Path,
        options: &EmbeddedOptions,
        classes: &BTreeMap<Space, SpaceClass>,
    ) -> Result<Lsm, StoreError> {
        let database = Database::builder(path)
            .cache_size(options.cache_bytes)
            .max_journaling_size(options.journal_bytes_max)
            .worker_threads(options.workers)
            .open()
            .map_err(|error| engine_error("opening the database", &error))?;
        let open = |name, tree: fn() -> KeyspaceCreateOptions| {
            database
                .keyspace(name, tree)
                .map_err(|error| engine_error("opening a tree", &error))
        };
        Ok(Lsm {
            small: open("small", small_tree)?,
            log: open("log", log_tree)?,
            database,
            classes: classes.clone(),
        })
    }

    fn tree(&self, space: Space) -> Result<&Keyspace, StoreError> {
        match self.classes.get(&space) {
            Some(SpaceClass::Small) => Ok(&self.small),
            Some(SpaceClass::Log) => Ok(&self.log),
            None => Err(StoreError::new(
                ErrorKind::Invalid,
                format!(
                    "space {} was not declared when the store was opened",
                    space.0
                ),
            )),
        }
    }

    pub(super) fn knows(&self, space: Space) -> Result<(), StoreError> {
        self.tree(space).map(|_| ())
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let value = self
            .database
            .snapshot()
            .get(self.tree(key.space)?, stored_key(key).as_slice())
            .map_err(|error| engine_error("reading", &error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    pub(super) fn scan(&self, scan: &Scan) -> Result<ScanPage, StoreError> {
        let tree = self.tree(scan.space)?;
        let bounds = stored_bounds(scan);
        let rows = self.database.snapshot().range(tree, bounds);
        let read = |guard: fjall::Guard| -> Result<(Bytes, Bytes), StoreError> {
            let (key, value) = guard
                .into_inner()
                .map_err(|error| engine_error("scanning", &error))?;
            Ok((
                Bytes::copy_from_slice(&key[PREFIX_LEN..]),
                Bytes::copy_from_slice(&value),
            ))
        };
        match scan.direction {
            Direction::Forward => scan.collect(rows.map(read)),
            Direction::Backward => scan.collect(rows.rev().map(read)),
        }
    }

    /// Writes rows as one atomic, synced batch.
    pub(super) fn write_synced<'a>(
        &self,
        rows: impl Iterator<Item = (&'a Key, &'a Option<Bytes>)>,
    ) -> Result<(), StoreError> {
        // The default mode of a batch does not sync.
        let mut batch = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for (key, value) in rows {
            let tree = self.tree(key.space)?;
            let stored = stored_key(key);
            match value {
                Some(value) => batch.insert(tree, stored.as_slice(), &value[..]),
                None => batch.remove(tree, stored.as_slice()),
            }
        }
        batch
            .commit()
            .map_err(|error| engine_error("committing", &error))
    }

    /// Writes memtables to tables, so that the next opening has no journal to replay.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        for tree in [&self.small, &self.log] {
            tree.rotate_memtable_and_wait()
                .map_err(|error| engine_error("flushing", &error))?;
        }
        Ok(())
    }
}

fn small_tree() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(16 << 20)
        .data_block_size_policy(BlockSizePolicy::all(4 << 10))
}

fn log_tree() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(32 << 20)
        .data_block_size_policy(BlockSizePolicy::all(16 << 10))
        .data_block_compression_policy(CompressionPolicy::new([
            CompressionType::None,
            CompressionType::None,
            CompressionType::Lz4,
        ]))
}

/// A stored key on the stack.
struct StoredKey {
    buffer: [u8; PREFIX_LEN + KEY_BYTES_MAX],
    len: usize,
}

impl StoredKey {
    fn as_slice(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

fn stored_key(key: &Key) -> StoredKey {
    let mut stored = StoredKey {
        buffer: [0; PREFIX_LEN + KEY_BYTES_MAX],
        len: PREFIX_LEN + key.bytes.len(),
    };
    stored.buffer[..PREFIX_LEN].copy_from_slice(&prefix(key.space, key.shard));
    stored.buffer[PREFIX_LEN..stored.len].copy_from_slice(&key.bytes);
    stored
}

fn prefix(space: Space, shard: Shard) -> [u8; PREFIX_LEN] {
    let [high, low] = shard.0.to_be_bytes();
    [space.0, high, low]
}

fn stored_bounds(scan: &Scan) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let prefix = prefix(scan.space, scan.shard);
    let stored = |bytes: &Bytes| [&prefix[..], bytes].concat();
    let from = match &scan.from {
        Bound::Included(bytes) => Bound::Included(stored(bytes)),
        Bound::Excluded(bytes) => Bound::Excluded(stored(bytes)),
        Bound::Unbounded => Bound::Included(prefix.to_vec()),
    };
    let to = match &scan.to {
        Bound::Included(bytes) => Bound::Included(stored(bytes)),
        Bound::Excluded(bytes) => Bound::Excluded(stored(bytes)),
        Bound::Unbounded => match crate::scan::prefix_end(&prefix) {
            Bound::Excluded(end) => Bound::Excluded(end.to_vec()),
            _ => Bound::Unbounded,
        },
    };
    (from, to)
}

/// Sorts an engine error by what the caller should do. Damage is told from trouble, since damage
/// must stop the server while trouble may pass.
fn engine_error(what: &str, error: &fjall::Error) -> StoreError {
    use fjall::{Error, LsmError};
    let io = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        _ => ErrorKind::Unavailable,
    };
    let kind = match error {
        Error::Io(error) | Error::Storage(LsmError::Io(error)) => io(error),
        Error::Poisoned | Error::Locked => ErrorKind::Unavailable,
        _ => ErrorKind::Corrupt,
    };
    let advice = match error {
        Error::Poisoned => " (an earlier write failed: check the disk, then restart)",
        _ => "",
    };
    StoreError::new(kind, format!("{what}: {error}{advice}"))
}
