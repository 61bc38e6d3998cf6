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
    Snapshot,
};

use super::EmbeddedOptions;
use super::memtable::Memtable;
use crate::address::{KEY_BYTES_MAX, Key, Shard, Space, SpaceClass};
use crate::scan::{Direction, Scan};
use crate::{ErrorKind, StoreError};

/// Bytes before the caller's key in a stored key.
const PREFIX_LEN: usize = 3;

/// Rows of a scan; reading one may fail.
type Rows = Box<dyn Iterator<Item = Result<(Bytes, Bytes), StoreError>>>;

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
            // One: of two, the engine makes the first spin while the second compacts.
            .worker_threads(1)
            .max_cached_files(Some(CACHED_FILES))
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
            Some(class) => Ok(self.tree_of(*class)),
            None => Err(StoreError::new(
                ErrorKind::Invalid,
                format!(
                    "space {} was not declared when the store was opened",
                    space.0
                ),
            )),
        }
    }

    fn tree_of(&self, class: SpaceClass) -> &Keyspace {
        match class {
            SpaceClass::Small => &self.small,
            SpaceClass::Log => &self.log,
        }
    }

    /// Whether a space was declared.
    pub(super) fn check(&self, space: Space) -> Result<(), StoreError> {
        self.tree(space).map(|_| ())
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let stored = StoredKey::new(prefix(key.space, key.shard), &key.bytes);
        let value = self
            .tree(key.space)?
            .get(stored.as_slice())
            .map_err(|error| engine_error("reading", &error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// A moment's view, for [`Lsm::range`].
    pub(super) fn snapshot(&self) -> Snapshot {
        self.database.snapshot()
    }

    /// The rows of a scan's range, in its direction.
    pub(super) fn range(&self, snapshot: &Snapshot, scan: &Scan) -> Result<Rows, StoreError> {
        let rows = snapshot.range(self.tree(scan.space)?, stored_bounds(scan));
        let read = |guard: fjall::Guard| {
            let (key, value) = guard
                .into_inner()
                .map_err(|error| engine_error("scanning", &error))?;
            Ok((
                Bytes::copy_from_slice(&key[PREFIX_LEN..]),
                Bytes::copy_from_slice(&value),
            ))
        };
        Ok(match scan.direction {
            Direction::Forward => Box::new(rows.map(read)),
            Direction::Backward => Box::new(rows.rev().map(read)),
        })
    }

    /// Writes a memtable's rows into table files of their trees, synced and registered on return.
    /// If it fails, some of the rows may be there; doing it again is right.
    pub(super) fn ingest(&self, memtable: &Memtable) -> Result<(), StoreError> {
        for class in [SpaceClass::Small, SpaceClass::Log] {
            let mut rows = memtable
                .rows()
                .filter(|([space, ..], ..)| self.classes.get(&Space(*space)) == Some(&class))
                .peekable();
            if rows.peek().is_none() {
                continue;
            }
            let tree = self.tree_of(class);
            let ingest = || -> fjall::Result<()> {
                let mut ingestion = tree.start_ingestion()?;
                for (prefix, key, slot) in rows {
                    let stored = StoredKey::new(prefix, key);
                    match slot {
                        Some(value) => ingestion.write(stored.as_slice(), &value[..])?,
                        None => ingestion.write_tombstone(stored.as_slice())?,
                    }
                }
                ingestion.finish()
            };
            ingest().map_err(|error| engine_error("flushing", &error))?;
        }
        Ok(())
    }

    /// Fails if a background thread of the engine has died: it would never compact again.
    pub(super) fn check_alive(&self) -> Result<(), StoreError> {
        // The one public call that looks at the engine's poison flag; there is nothing to persist.
        self.database
            .persist(PersistMode::Buffer)
            .map_err(|error| engine_error("flushing", &error))
    }

    /// Whether so many flushes await compaction that more would slow every read.
    pub(super) fn compaction_lags(&self) -> bool {
        [&self.small, &self.log]
            .into_iter()
            .any(|tree| tree.l0_table_count() >= FIRST_LEVEL_TABLES_MAX)
    }
}

/// Open table files that are kept; a server needs its descriptors for connections.
const CACHED_FILES: usize = 256;

/// Compaction begins at four tables on the first level.
const FIRST_LEVEL_TABLES_MAX: usize = 16;

fn small_tree() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().data_block_size_policy(BlockSizePolicy::all(4 << 10))
}

fn log_tree() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
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
    fn new(prefix: [u8; PREFIX_LEN], bytes: &[u8]) -> StoredKey {
        let mut buffer = [0; PREFIX_LEN + KEY_BYTES_MAX];
        let len = PREFIX_LEN + bytes.len();
        buffer[..PREFIX_LEN].copy_from_slice(&prefix);
        buffer[PREFIX_LEN..len].copy_from_slice(bytes);
        StoredKey { buffer, len }
    }

    fn as_slice(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

/// Space and shard as stored keys begin with them.
pub(super) fn prefix(space: Space, shard: Shard) -> [u8; PREFIX_LEN] {
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
