//! The commit thread: judges expectations, appends one frame to the log, syncs, answers.
//!
//! Whatever queued up during one sync is the next batch (group commit), so the number of syncs
//! follows the disk and the size of batches follows the load. There is one thread because there
//! is one order of units; it is a thread, not a task, because it sleeps in the kernel for every
//! sync.

use std::sync::Arc;

use bytes::Bytes;

use super::free_space::FreeSpace;
use super::log::frame::FrameWriter;
use super::log::{AppendError, Log};
use super::memtable::Slot;
use super::queue::{Next, Queue, Submission};
use super::recent::{ByKey, Recent};
use super::tables::Tables;
use crate::StoreError;
use crate::address::Key;
use crate::unit::{Outcome, Unit};

/// Budget for remembered values of keys that expectations asked about.
const RECENT_BYTES: usize = 32 << 20;

/// While a flush lags, the active memtable may grow to this many times its size; then commits
/// wait for the flush.
const MEMTABLE_OVERRUN: usize = 2;

pub(super) struct Committer {
    pub(super) queue: Arc<Queue>,
    pub(super) tables: Arc<Tables>,
    pub(super) log: Log,
    pub(super) free_space: FreeSpace,
    pub(super) memtable_bytes: usize,
}

impl Committer {
    /// Runs until the queue is closed and empty; gives back the log.
    pub(super) fn run(mut self) -> Log {
        let _abandon = Abandon(Arc::clone(&self.queue));
        let mut recent = Recent::new(RECENT_BYTES);
        while let Next::Commit(submissions) = self.queue.next() {
            self.commit(&mut recent, submissions);
        }
        self.log
    }

    fn commit(&mut self, recent: &mut Recent, submissions: Vec<Submission>) {
        let bytes = submissions.iter().map(Submission::bytes).sum();
        let ready = self.free_space.check().and_then(|()| self.make_room(bytes));
        let tables = Arc::clone(&self.tables);
        let mut batch = Batch {
            tables: &tables,
            recent,
            refusal: ready.err(),
            expected: ByKey::default(),
            frame: FrameWriter::with_capacity(bytes),
            unit_rows: Vec::new(),
        };
        let submissions: Vec<_> = submissions
            .into_iter()
            .map(Submission::into_parts)
            .collect();
        for unit in submissions.iter().flat_map(|(units, _)| units) {
            for expect in &unit.expects {
                batch.expected.insert(expect.key().clone(), None);
            }
        }
        let mut answers = Vec::with_capacity(submissions.len());
        for (units, reply) in submissions {
            let verdicts: Vec<Outcome> = units.into_iter().map(|unit| batch.judge(unit)).collect();
            answers.push((reply, verdicts));
        }
        let failure = self.write(batch);
        for (reply, mut verdicts) in answers {
            if let Some(failure) = &failure {
                for verdict in verdicts.iter_mut().filter(|verdict| verdict.is_committed()) {
                    *verdict = failure.clone();
                }
            }
            reply.send(verdicts);
        }
    }

    /// Sees to it that the log and the memtable can take `bytes` more.
    fn make_room(&mut self, bytes: usize) -> Result<(), StoreError> {
        let active = self.tables.active_log_bytes();
        if active >= self.memtable_bytes * MEMTABLE_OVERRUN {
            self.tables.wait_flushed()?;
        }
        let fits = self.log.fits(bytes);
        if fits && active < self.memtable_bytes {
            return Ok(());
        }
        if self.tables.is_flush_idle() {
            // The new segment is there before the old ones may go.
            self.log.rotate()?;
            self.tables.freeze(self.log.segment_number());
        } else if !fits {
            self.log.rotate()?;
        }
        Ok(())
    }

    /// Makes an accepted batch durable, then visible. Returns what became of it if that failed.
    fn write(&mut self, batch: Batch<'_>) -> Option<Outcome> {
        if batch.frame.is_empty() {
            return None;
        }
        match self.log.append(batch.frame) {
            Ok(frame) => {
                self.tables.insert(&frame, batch.unit_rows.into_iter());
                None
            }
            Err(error) => {
                batch.recent.clear();
                Some(match error {
                    AppendError::Refused(error) => Outcome::Refused(error),
                    AppendError::Unknown(error) => Outcome::Unknown(error),
                })
            }
        }
    }
}

/// Lets nobody wait for a commit thread that is gone, whatever ended it.
struct Abandon(Arc<Queue>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// The writes accepted so far, over the stored state.
struct Batch<'a> {
    tables: &'a Tables,
    recent: &'a mut Recent,
    /// Why nothing can be written now.
    refusal: Option<StoreError>,
    /// Every key that a unit of this batch expects something of, with its newest value once the
    /// batch has written it.
    expected: ByKey<Option<Slot>>,
    frame: FrameWriter,
    /// Rows of each accepted unit, in the order of the frame.
    unit_rows: Vec<usize>,
}

impl Batch<'_> {
    /// `Committed` here means: will be, if the batch gets to disk.
    fn judge(&mut self, unit: Unit) -> Outcome {
        if let Some(error) = &self.refusal
            && !unit.writes.is_empty()
        {
            return Outcome::Refused(error.clone());
        }
        for expect in &unit.expects {
            match self.value(expect.key()) {
                Ok(value) if expect.holds(value.as_deref()) => {}
                Ok(_) => return Outcome::Conflict,
                Err(error) => return Outcome::Refused(error),
            }
        }
        for write in &unit.writes {
            if let Err(error) = self.tables.lsm().check(write.key().space) {
                return Outcome::Refused(error);
            }
        }
        self.unit_rows.push(unit.writes.len());
        for write in unit.writes {
            let (key, value) = write.into_parts();
            self.frame.push(&key, value.as_ref());
            self.recent.update(&key, value.as_ref());
            if let Some(expected) = self.expected.get_mut(&key) {
                *expected = Some(value);
            }
        }
        Outcome::Committed
    }

    fn value(&mut self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        if let Some(Some(value)) = self.expected.get(key) {
            return Ok(value.clone());
        }
        if let Some(value) = self.recent.get(key) {
            return Ok(value);
        }
        let value = self.tables.get(key)?;
        self.recent.remember(key, value.as_ref());
        Ok(value)
    }
}
