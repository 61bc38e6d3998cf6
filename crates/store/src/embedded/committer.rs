//! The commit thread: judges expectations, writes one batch, syncs, answers.
//!
//! Whatever queued up during one sync is the next batch (group commit), so the number of syncs
//! follows the disk and the size of batches follows the load. There is one thread because there
//! is one order of units; it is a thread, not a task, because the engine below stalls when
//! compaction lags, and a stalled task would take a runtime worker with it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Shared;
use super::lsm::Lsm;
use super::queue::{Next, Submission};
use super::recent::Recent;
use crate::StoreError;
use crate::address::Key;
use crate::unit::{Outcome, Unit};

/// Runs until the queue is closed and empty.
pub(super) fn run(shared: &Shared) {
    let mut recent = Recent::new(RECENT_BYTES);
    while let Next::Commit(submissions) = shared.queue.next() {
        let lsm = shared.lsm.read();
        let Some(lsm) = lsm.as_ref() else { return };
        commit(shared, lsm, &mut recent, submissions);
    }
}

/// Budget for remembered values of keys that expectations asked about.
const RECENT_BYTES: usize = 32 << 20;

fn commit(shared: &Shared, lsm: &Lsm, recent: &mut Recent, submissions: Vec<Submission>) {
    let mut batch = Batch {
        lsm,
        recent,
        rows: BTreeMap::new(),
    };
    let full = shared.free_space.check().err();
    let mut answers = Vec::with_capacity(submissions.len());
    for submission in submissions {
        let verdicts: Vec<Outcome> = submission
            .units
            .into_iter()
            .map(|unit| batch.judge(unit, full.as_ref()))
            .collect();
        answers.push((submission.answer, verdicts));
    }
    let rows = batch.rows;
    let failure = match rows.is_empty() {
        true => None,
        false => lsm.write_synced(rows.iter()).err(),
    };
    if failure.is_none() {
        for (key, value) in rows {
            recent.update(key, value);
        }
    } else {
        recent.clear();
    }
    for (answer, mut verdicts) in answers {
        if let Some(error) = &failure {
            for verdict in &mut verdicts {
                if verdict.is_committed() {
                    *verdict = Outcome::Unknown(error.clone());
                }
            }
        }
        // Nobody may be waiting any more: a commit is not cancelled by dropping its future.
        let _ = answer.send(verdicts);
    }
}

/// The writes accepted so far, over the stored state.
struct Batch<'a> {
    lsm: &'a Lsm,
    recent: &'a mut Recent,
    rows: BTreeMap<Key, Option<Bytes>>,
}

impl Batch<'_> {
    /// `Committed` here means: will be, if the batch gets to disk.
    fn judge(&mut self, unit: Unit, full: Option<&StoreError>) -> Outcome {
        if let Some(error) = full
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
            if let Err(error) = self.lsm.knows(write.key().space) {
                return Outcome::Refused(error);
            }
        }
        for write in unit.writes {
            let (key, value) = write.into_parts();
            self.rows.insert(key, value);
        }
        Outcome::Committed
    }

    fn value(&mut self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        if let Some(value) = self.rows.get(key) {
            return Ok(value.clone());
        }
        if let Some(value) = self.recent.get(key) {
            return Ok(value);
        }
        let value = self.lsm.get(key)?;
        self.recent.remember(key.clone(), value.clone());
        Ok(value)
    }
}
