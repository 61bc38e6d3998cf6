//! The embedded backend: everything in this process and one data directory.
//!
//! ```text
//! commit(units) → queue → commit thread ── frame, sync ──→ log segments
//!                              │                               │ dropped when flushed
//!                              ↓ rows                          │
//!                         active memtable → frozen memtable → LSM trees
//!                              ↑                ↑  flush thread   ↑
//! get, scan ───────────────────┴────────────────┴─────────────────┘  (inline, on the caller)
//! ```
//!
//! The log is what is synced before anybody is told; the trees are fed behind it and never hold
//! up an acknowledgement. Why it is built this way, with numbers: `docs/decisions/0001`.
//!
//! Reads run on the calling thread. Most are answered from memory in microseconds, less than a
//! hop to another thread costs; the rest read a block or two of a local disk. Who wants them off
//! a runtime's workers puts whole requests elsewhere, not single reads.
//!
//! # Lifecycle
//!
//! Opening locks the directory, replays the log into the trees and starts a new segment. Closing
//! refuses new units, finishes the queued ones, flushes the memtables, so that the next opening
//! has nothing to replay, and frees the directory. Dropping the last handle without closing is
//! safe too: it leaves the rest to the next opening.

mod committer;
mod directory;
mod flusher;
mod free_space;
mod log;
mod lsm;
mod memtable;
mod queue;
mod recent;
mod shard_rows;
mod tables;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use parking_lot::{Mutex, RwLock};

use self::committer::Committer;
use self::directory::Directory;
use self::free_space::FreeSpace;
use self::log::{Log, Replayed};
use self::lsm::Lsm;
use self::memtable::Memtable;
use self::queue::Queue;
use self::tables::Tables;
use crate::address::{Key, Space, SpaceClass};
use crate::backend::Backend;
use crate::scan::{Scan, ScanPage};
use crate::unit::{Outcome, Unit};
use crate::{ErrorKind, Store, StoreError};

/// How to open an embedded store.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// The data directory; created if absent. One process at a time.
    pub dir: PathBuf,
    /// Memory for blocks read from disk.
    pub cache_bytes: u64,
    /// Log bytes gathered in memory before they are flushed to the trees. Memory in use can reach
    /// about eight times this under sustained load, and so can the log on disk.
    pub memtable_bytes: usize,
    /// Writes are refused while the file system has less than this free.
    pub free_space_min: u64,
    /// Bound of units queued for commit; more wait.
    pub queue_bytes_max: usize,
}

impl EmbeddedOptions {
    /// Defaults for a directory.
    pub fn new(dir: impl Into<PathBuf>) -> EmbeddedOptions {
        EmbeddedOptions {
            dir: dir.into(),
            cache_bytes: 256 << 20,
            memtable_bytes: 32 << 20,
            free_space_min: 512 << 20,
            queue_bytes_max: 64 << 20,
        }
    }
}

impl Store {
    /// Opens, or creates, an embedded store with the spaces that the caller will use. Blocks:
    /// replays what the last run left in its log.
    ///
    /// # Errors
    ///
    /// `Unavailable` if another process holds the directory or the disk fails; `Invalid` if the
    /// directory holds something else, or a space changed its class; `Corrupt` if stored data
    /// fails verification, and then nothing was changed.
    pub fn embedded(
        options: &EmbeddedOptions,
        spaces: &[(Space, SpaceClass)],
    ) -> Result<Store, StoreError> {
        Ok(Store::from_backend(Embedded::open(options, spaces)?))
    }
}

struct Embedded {
    queue: Arc<Queue>,
    /// `None` once closed.
    tables: RwLock<Option<Arc<Tables>>>,
    running: Mutex<Option<Running>>,
}

/// What ends when the store is closed or dropped.
struct Running {
    commit_thread: JoinHandle<Log>,
    flush_thread: JoinHandle<()>,
    tables: Arc<Tables>,
    directory: Directory,
}

impl Embedded {
    fn open(
        options: &EmbeddedOptions,
        spaces: &[(Space, SpaceClass)],
    ) -> Result<Embedded, StoreError> {
        let directory = Directory::open(&options.dir)?;
        let classes = directory.classes(spaces)?;
        let log_dir = directory.log();
        let segment_bytes = options.memtable_bytes as u64;
        if directory.is_new() {
            log::create(&log_dir, segment_bytes)?;
        }
        // The log is verified as a whole before anything is changed.
        let (unflushed, replayed) = recover(&log_dir)?;
        directory.record(&classes)?;
        let lsm = Lsm::open(&directory.lsm(), options, &classes)?;
        lsm.ingest(&unflushed)?;
        let log = Log::start(&log_dir, segment_bytes, &replayed)?;
        log::drop_segments(&log_dir, log.segment_number())?;

        let queue = Arc::new(Queue::new(options.queue_bytes_max));
        let tables = Arc::new(Tables::new(lsm));
        let committer = Committer {
            queue: Arc::clone(&queue),
            tables: Arc::clone(&tables),
            log,
            free_space: FreeSpace::new(&options.dir, options.free_space_min),
            memtable_bytes: options.memtable_bytes,
        };
        let flush_thread = start_thread("anser-flush", {
            let tables = Arc::clone(&tables);
            move || flusher::run(&tables, &log_dir)
        })?;
        let commit_thread = start_thread("anser-commit", move || committer.run())?;
        Ok(Embedded {
            queue,
            tables: RwLock::new(Some(Arc::clone(&tables))),
            running: Mutex::new(Some(Running {
                commit_thread,
                flush_thread,
                tables,
                directory,
            })),
        })
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Tables) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.tables.read().as_ref() {
            Some(tables) => read(tables),
            None => Err(StoreError::closed()),
        }
    }

    fn stop(&self, flush: bool) -> Result<(), StoreError> {
        self.queue.close();
        let Some(running) = self.running.lock().take() else {
            return Ok(());
        };
        // Waits for the reads under way.
        self.tables.write().take();
        running.stop(flush)
    }
}

impl Running {
    fn stop(self, flush: bool) -> Result<(), StoreError> {
        let log = self.commit_thread.join();
        self.tables.stop_flushing();
        let flushed = self.flush_thread.join();
        let (Ok(mut log), Ok(())) = (log, flushed) else {
            return Err(StoreError::new(
                ErrorKind::Unavailable,
                "a thread of the store panicked; the log is replayed at the next opening",
            ));
        };
        if !flush {
            return Ok(());
        }
        for memtable in self.tables.unflushed() {
            self.tables.lsm().ingest(&memtable)?;
        }
        log.rotate()?;
        log::drop_segments(&self.directory.log(), log.segment_number())
    }
}

/// The rows that the log still holds. They fitted into memory before, as memtables.
fn recover(log_dir: &Path) -> Result<(Memtable, Replayed), StoreError> {
    let mut memtable = Memtable::default();
    let replayed = log::replay(log_dir, |frame| {
        for row in frame.rows() {
            let (key, slot) = row.map_err(|why| StoreError::new(ErrorKind::Corrupt, why))?;
            memtable.insert(key, slot);
        }
        Ok(())
    })?;
    Ok((memtable, replayed))
}

fn start_thread<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StoreError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| {
            StoreError::new(
                ErrorKind::Unavailable,
                format!("cannot start the thread {name}: {error}"),
            )
        })
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // An error is only that there is more to replay.
        let _ = self.stop(false);
    }
}

impl Backend for Embedded {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        ready(self.read(|tables| tables.get(key))).boxed()
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [Key],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StoreError>> {
        ready(self.read(|tables| keys.iter().map(|key| tables.get(key)).collect())).boxed()
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<ScanPage, StoreError>> {
        ready(self.read(|tables| tables.scan(&scan))).boxed()
    }

    fn commit(&self, units: Vec<Unit>) -> BoxFuture<'_, Vec<Outcome>> {
        self.queue.submit(units).boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.stop(true) }.boxed()
    }
}
