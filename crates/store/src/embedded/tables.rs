//! Everything that can be read: the active memtable, the one being flushed, the LSM trees.
//!
//! A row is looked for from the newest layer to the oldest. Rows move down: the commit thread
//! inserts into the active memtable; when it has grown enough it is frozen; the flush thread
//! writes the frozen one to the trees and only then lets go of it. So a row is never absent from
//! all layers, and being in two of them at once is harmless.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, RwLock};

use super::log::frame::Frame;
use super::lsm::Lsm;
use super::memtable::{Memtable, Slot, layered};
use crate::StoreError;
use crate::address::Key;
use crate::scan::{Scan, ScanPage};

pub(super) struct Tables {
    lsm: Lsm,
    layers: RwLock<Layers>,
    flush: Mutex<Flush>,
    flush_changed: Condvar,
}

#[derive(Default)]
struct Layers {
    active: Memtable,
    frozen: Option<Arc<Memtable>>,
}

/// What the flush thread and the commit thread tell each other.
#[derive(Default)]
struct Flush {
    /// The frozen memtable, and the first log segment that it does not need.
    task: Option<(Arc<Memtable>, u64)>,
    failure: Option<StoreError>,
    stopping: bool,
}

impl Tables {
    pub(super) fn new(lsm: Lsm) -> Tables {
        Tables {
            lsm,
            layers: RwLock::default(),
            flush: Mutex::default(),
            flush_changed: Condvar::new(),
        }
    }

    pub(super) fn lsm(&self) -> &Lsm {
        &self.lsm
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        self.lsm.check(key.space)?;
        {
            let layers = self.layers.read();
            let frozen = || layers.frozen.as_ref().and_then(|frozen| frozen.get(key));
            if let Some(slot) = layers.active.get(key).or_else(frozen) {
                return Ok(slot.as_deref().map(Bytes::copy_from_slice));
            }
        }
        // Behind the lock a flush may end, or the row may be written: both only move the answer
        // to a later moment.
        self.lsm.get(key)
    }

    pub(super) fn scan(&self, scan: &Scan) -> Result<ScanPage, StoreError> {
        self.lsm.check(scan.space)?;
        let (upper, snapshot) = {
            let layers = self.layers.read();
            // Both under one lock, so that the page is one moment's view.
            (upper_rows(&layers, scan), self.lsm.snapshot())
        };
        let lower = self
            .lsm
            .range(&snapshot, scan)?
            .map(|row| row.map(|(key, value)| (key, Some(value))));
        let rows = layered(scan.direction, upper.into_iter(), lower);
        scan.collect(rows.filter_map(|row| match row {
            Ok((key, Some(value))) => Some(Ok((key, value))),
            Ok((_, None)) => None,
            Err(error) => Some(Err(error)),
        }))
    }

    /// Makes the rows of a synced frame visible, `unit_rows` at a time: readers see a unit
    /// entirely or not at all, and wait for one unit at most.
    pub(super) fn insert(&self, frame: &Frame, unit_rows: impl Iterator<Item = usize>) {
        let mut rows = frame.rows();
        for count in unit_rows {
            let mut layers = self.layers.write();
            for row in rows.by_ref().take(count) {
                let (key, slot) = row.expect("this process encoded the frame");
                layers.active.insert(key, slot);
            }
        }
        self.layers.write().active.charge(frame);
    }

    /// Log bytes of the active memtable.
    pub(super) fn active_log_bytes(&self) -> usize {
        self.layers.read().active.log_bytes()
    }

    /// Whether the flush thread has nothing in hand.
    pub(super) fn is_flush_idle(&self) -> bool {
        self.flush.lock().task.is_none()
    }

    /// Hands the active memtable to the idle flush thread. `first_needed` is the log segment that
    /// the next active memtable begins with.
    pub(super) fn freeze(&self, first_needed: u64) {
        let mut flush = self.flush.lock();
        let mut layers = self.layers.write();
        debug_assert!(layers.frozen.is_none(), "one memtable is flushed at a time");
        let frozen = Arc::new(std::mem::take(&mut layers.active));
        layers.frozen = Some(Arc::clone(&frozen));
        flush.task = Some((frozen, first_needed));
        self.flush_changed.notify_all();
    }

    /// Waits until nothing is being flushed, or flushing fails.
    pub(super) fn wait_flushed(&self) -> Result<(), StoreError> {
        let mut flush = self.flush.lock();
        while flush.task.is_some() {
            if let Some(error) = &flush.failure {
                return Err(error.clone());
            }
            self.flush_changed.wait(&mut flush);
        }
        Ok(())
    }

    /// The flush thread: the next memtable to flush; `None` to stop.
    pub(super) fn next_flush(&self) -> Option<(Arc<Memtable>, u64)> {
        let mut flush = self.flush.lock();
        loop {
            if flush.stopping {
                return None;
            }
            if let Some(task) = &flush.task {
                return Some(task.clone());
            }
            self.flush_changed.wait(&mut flush);
        }
    }

    /// The flush thread: the frozen memtable is in the trees.
    pub(super) fn flushed(&self) {
        let frozen = self.layers.write().frozen.take();
        // Freeing a large memtable takes a while; not under a lock.
        drop(frozen);
        let mut flush = self.flush.lock();
        flush.task = None;
        flush.failure = None;
        self.flush_changed.notify_all();
    }

    /// The flush thread: it failed; commits that wait for it are refused until it succeeds.
    pub(super) fn flush_failed(&self, error: StoreError) {
        self.flush.lock().failure = Some(error);
        self.flush_changed.notify_all();
    }

    /// The flush thread: waits before it tries again, less if it is to stop.
    pub(super) fn pause_flushing(&self, pause: std::time::Duration) {
        let mut flush = self.flush.lock();
        if !flush.stopping {
            self.flush_changed.wait_for(&mut flush, pause);
        }
    }

    /// What is not yet in the trees, when both threads have stopped: the memtable being flushed,
    /// and the active one.
    pub(super) fn unflushed(&self) -> Vec<Arc<Memtable>> {
        let mut layers = self.layers.write();
        let active = Arc::new(std::mem::take(&mut layers.active));
        let frozen = layers.frozen.take();
        frozen.into_iter().chain([active]).collect()
    }

    /// Ends the flush thread after the memtable in its hands.
    pub(super) fn stop_flushing(&self) {
        self.flush.lock().stopping = true;
        self.flush_changed.notify_all();
    }
}

/// The memtables' rows of a scan, merged: tombstones included, and no more than a page can use.
fn upper_rows(layers: &Layers, scan: &Scan) -> Vec<(Bytes, Slot)> {
    let frozen = layers.frozen.iter().flat_map(|frozen| frozen.range(scan));
    let merged = layered(scan.direction, layers.active.range(scan), frozen.map(Ok));
    let mut rows = Vec::new();
    let mut live = 0;
    let mut bytes = 0;
    for row in merged {
        let (key, slot) = row.expect("memtables do not fail");
        if let Some(value) = &slot {
            live += 1;
            bytes += key.len() + value.len();
        }
        let key = Bytes::copy_from_slice(&key);
        rows.push((key, slot.as_deref().map(Bytes::copy_from_slice)));
        // One row more than fits, so that the page knows that there is more.
        if live > scan.limit || (live > 1 && bytes > scan.bytes_max) {
            break;
        }
    }
    rows
}
