//! The flush thread: moves frozen memtables into the LSM trees and drops their log segments.
//!
//! A frozen memtable is sorted, so its rows are written straight into table files, past the
//! engine's own journal and memtable. The table files are synced and registered before the log
//! segments go.

use std::path::Path;
use std::time::Duration;

use super::log;
use super::tables::Tables;
use crate::{ErrorKind, StoreError};

/// Pause before a failed flush is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Pause before looking again whether compaction has caught up.
const COMPACTION_POLL: Duration = Duration::from_millis(5);

/// Runs until told to stop.
pub(super) fn run(tables: &Tables, log_dir: &Path) {
    let _mourner = Mourner(tables);
    while let Some((memtable, first_needed)) = tables.next_flush() {
        // Unbounded runs on the first level would make every read slow: rather let the memtable
        // fill and commits wait.
        let lsm = tables.lsm();
        let alive = lsm.check_alive();
        if alive.is_ok() && lsm.compaction_lags() {
            tables.pause_flushing(COMPACTION_POLL);
            continue;
        }
        let flushed = alive
            .and_then(|()| lsm.ingest(&memtable))
            .and_then(|()| log::drop_segments(log_dir, first_needed));
        drop(memtable);
        match flushed {
            Ok(()) => tables.flushed(),
            Err(error) => {
                tables.flush_failed(error);
                tables.pause_flushing(RETRY);
            }
        }
    }
}

/// Tells commits that wait for a flush when a panic has ended the thread.
struct Mourner<'a>(&'a Tables);

impl Drop for Mourner<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.flush_failed(StoreError::new(
                ErrorKind::Unavailable,
                "the flush thread panicked; restart, the log holds what it did not write",
            ));
        }
    }
}
