//! The embedded backend: an LSM engine in this process, one commit thread, group commit.

mod committer;
mod directory;
mod free_space;
mod lsm;
mod queue;
mod recent;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use parking_lot::{Mutex, RwLock};

use self::directory::Directory;
use self::free_space::FreeSpace;
use self::lsm::Lsm;
use self::queue::Queue;
use crate::address::{Key, Space, SpaceClass};
use crate::backend::Backend;
use crate::scan::{Scan, ScanPage};
use crate::unit::{Outcome, Unit};
use crate::{Store, StoreError};

/// How to open an embedded store.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// The data directory; created if absent. One process at a time.
    pub dir: PathBuf,
    /// Memory for blocks read from disk.
    pub cache_bytes: u64,
    /// Bound of the journals, and so of the replay at opening; at least 64 MiB.
    pub journal_bytes_max: u64,
    /// Writes are refused while the file system has less than this free.
    pub free_space_min: u64,
    /// Bound of units queued for commit; more wait.
    pub queue_bytes_max: usize,
    /// Background threads for flush and compaction.
    pub workers: usize,
}

impl EmbeddedOptions {
    /// Defaults for a directory.
    pub fn new(dir: impl Into<PathBuf>) -> EmbeddedOptions {
        EmbeddedOptions {
            dir: dir.into(),
            cache_bytes: 256 << 20,
            journal_bytes_max: 128 << 20,
            free_space_min: 512 << 20,
            queue_bytes_max: 64 << 20,
            workers: 2,
        }
    }
}

impl Store {
    /// Opens, or creates, an embedded store. Blocks: replays what the last run left behind.
    pub fn embedded(
        options: &EmbeddedOptions,
        spaces: &[(Space, SpaceClass)],
    ) -> Result<Store, StoreError> {
        let directory = Directory::open(&options.dir, spaces)?;
        let lsm = Lsm::open(&directory.path().join("lsm"), options, directory.classes())?;
        let shared = Arc::new(Shared {
            queue: Queue::new(options.queue_bytes_max),
            free_space: FreeSpace::new(directory.path(), options.free_space_min),
            lsm: RwLock::new(Some(lsm)),
            directory: Mutex::new(Some(directory)),
        });
        let thread = std::thread::Builder::new()
            .name("anser-commit".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || committer::run(&shared)
            })
            .map_err(|error| {
                StoreError::new(
                    crate::ErrorKind::Unavailable,
                    format!("cannot start the commit thread: {error}"),
                )
            })?;
        Ok(Store::from_backend(Embedded {
            shared,
            thread: Mutex::new(Some(thread)),
        }))
    }
}

struct Shared {
    queue: Queue,
    free_space: FreeSpace,
    lsm: RwLock<Option<Lsm>>,
    directory: Mutex<Option<Directory>>,
}

struct Embedded {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Embedded {
    fn read<T>(&self, read: impl FnOnce(&Lsm) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match self.shared.lsm.read().as_ref() {
            Some(lsm) => read(lsm),
            None => Err(StoreError::closed()),
        }
    }

    fn stop(&self) {
        self.shared.queue.close();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Backend for Embedded {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        ready(self.read(|lsm| lsm.get(key))).boxed()
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [Key],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StoreError>> {
        ready(self.read(|lsm| keys.iter().map(|key| lsm.get(key)).collect())).boxed()
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<ScanPage, StoreError>> {
        ready(self.read(|lsm| lsm.scan(&scan))).boxed()
    }

    fn commit(&self, units: Vec<Unit>) -> BoxFuture<'_, Vec<Outcome>> {
        self.shared.queue.submit(units).boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            self.stop();
            let lsm = self.shared.lsm.write().take();
            let flushed = lsm.map_or(Ok(()), |lsm| lsm.flush());
            self.shared.directory.lock().take();
            flushed
        }
        .boxed()
    }
}
