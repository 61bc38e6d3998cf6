//! Group commit.
//!
//! Units of all actors queue here. Whatever is queued when the store is free is one batch and
//! costs one sync; meanwhile the next gathers. So a commit is never waited for by more than one
//! batch before it, and under load the price of a sync is shared by hundreds.
//!
//! * Units of one app are committed in the order of their submission.
//! * The queue is bounded in bytes, for all apps together and for each of them; an app that
//!   floods the queue is refused while others are served, and a batch takes from the apps in turn.
//! * Each unit's waiter hears its outcome exactly once, after the store has answered.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use anser_domain::{AppId, Code, Reject};
use anser_store::{Outcome, Store, Unit};
use futures::channel::oneshot;
use parking_lot::Mutex;

use crate::delivery::Burst;
use crate::env::Env;

/// Whose units those of no app are, in the fairness of the commit queue.
pub(crate) const MANAGEMENT: AppId = AppId(0);
/// Bytes of units that wait, of all apps.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// Bytes of units that wait, of one app.
const APP_QUEUE_BYTES_MAX: usize = 24 << 20;
/// Units in one batch: enough to share a sync, few enough to keep a batch short.
const BATCH_UNITS_MAX: usize = 1_024;
/// Bytes in one batch.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// When to come back after an overload.
const OVERLOADED_RETRY_MS: u32 = 500;

/// How often a stopping node looks whether everything is committed.
const DRAIN_LOOK_MS: u64 = 5;

/// Somebody who has several units under way and tells them apart by a ticket.
pub(crate) trait Participant: Send + Sync + 'static {
    /// The outcome of the unit with this ticket. Sinks written to are noted in `burst`.
    fn settled(self: Arc<Self>, ticket: u64, outcome: Outcome, burst: &mut Burst);
}

enum Waiter {
    Participant(Arc<dyn Participant>, u64),
    Call(oneshot::Sender<Outcome>),
}

struct Job {
    unit: Unit,
    bytes: usize,
    waiter: Waiter,
}

#[derive(Default)]
struct AppQueue {
    jobs: VecDeque<Job>,
    bytes: usize,
}

#[derive(Default)]
struct Queue {
    apps: BTreeMap<AppId, AppQueue>,
    bytes: usize,
    /// Somebody is committing, and will take what is queued next.
    committing: bool,
}

struct Inner {
    env: Env,
    store: Store,
    queue: Mutex<Queue>,
}

/// A handle on the queue.
#[derive(Clone)]
pub(crate) struct Committer(Arc<Inner>);

impl Committer {
    pub(crate) fn new(env: Env, store: Store) -> Self {
        Self(Arc::new(Inner {
            env,
            store,
            queue: Mutex::default(),
        }))
    }

    /// Queues a unit whose participant will be told. On `Err` nothing was queued.
    pub(crate) fn submit(
        &self,
        app: AppId,
        unit: Unit,
        participant: Arc<dyn Participant>,
        ticket: u64,
    ) -> Result<(), Reject> {
        self.enqueue(app, unit, Waiter::Participant(participant, ticket))
    }

    /// Commits a unit and waits for its outcome.
    pub(crate) async fn commit(&self, app: AppId, unit: Unit) -> Result<Outcome, Reject> {
        let (waiter, outcome) = oneshot::channel();
        self.enqueue(app, unit, Waiter::Call(waiter))?;
        outcome.await.map_err(|_| Code::ShuttingDown.into())
    }

    /// Waits until nothing is queued or being committed, but not longer than this.
    pub(crate) async fn drained(&self, at_most_ms: u64) {
        let until = self.0.env.now().plus_ms(at_most_ms);
        while self.0.queue.lock().committing && self.0.env.now() < until {
            self.0.env.sleep(DRAIN_LOOK_MS).await;
        }
    }

    fn enqueue(&self, app: AppId, unit: Unit, waiter: Waiter) -> Result<(), Reject> {
        let bytes = unit.bytes();
        let mut queue = self.0.queue.lock();
        let app_bytes = queue.apps.get(&app).map_or(0, |app| app.bytes);
        if queue.bytes + bytes > QUEUE_BYTES_MAX || app_bytes + bytes > APP_QUEUE_BYTES_MAX {
            return Err(Reject::from(Code::Overloaded).retry_after_ms(OVERLOADED_RETRY_MS));
        }
        queue.bytes += bytes;
        let app = queue.apps.entry(app).or_default();
        app.bytes += bytes;
        app.jobs.push_back(Job {
            unit,
            bytes,
            waiter,
        });
        if !queue.committing {
            queue.committing = true;
            drop(queue);
            self.0.env.spawn(self.clone().run());
        }
        Ok(())
    }

    async fn run(self) {
        loop {
            let jobs = {
                let mut queue = self.0.queue.lock();
                let jobs = take_batch(&mut queue);
                if jobs.is_empty() {
                    queue.committing = false;
                    return;
                }
                jobs
            };
            let (units, waiters): (Vec<_>, Vec<_>) =
                jobs.into_iter().map(|job| (job.unit, job.waiter)).unzip();
            let outcomes = self.0.store.commit(units).await;
            // The next batch must not wait for what this one sets in motion.
            self.0.env.spawn(async move { settle(waiters, outcomes) });
        }
    }
}

/// One unit of each app in turn, until the batch is full or the queue empty.
fn take_batch(queue: &mut Queue) -> Vec<Job> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while !queue.apps.is_empty() && batch.len() < BATCH_UNITS_MAX && bytes < BATCH_BYTES_MAX {
        queue.apps.retain(|_, app| {
            if batch.len() < BATCH_UNITS_MAX && bytes < BATCH_BYTES_MAX {
                let Some(job) = app.jobs.pop_front() else {
                    return false;
                };
                app.bytes -= job.bytes;
                bytes += job.bytes;
                batch.push(job);
            }
            !app.jobs.is_empty()
        });
    }
    queue.bytes -= bytes;
    batch
}

fn settle(waiters: Vec<Waiter>, outcomes: Vec<Outcome>) {
    let mut burst = Burst::default();
    for (waiter, outcome) in waiters.into_iter().zip(outcomes) {
        match waiter {
            Waiter::Participant(participant, ticket) => {
                participant.settled(ticket, outcome, &mut burst)
            }
            // Whoever asked may have gone; the outcome stands all the same.
            Waiter::Call(waiter) => drop(waiter.send(outcome)),
        }
    }
    burst.flush();
}

#[cfg(test)]
mod tests {
    use super::*;
    use anser_store::{Key, Shard, Space};

    fn job(byte: u8) -> Job {
        let key = Key::new(Space(1), Shard(0), vec![byte]);
        let unit = Unit::new().put(key, vec![byte]);
        let (waiter, _) = oneshot::channel();
        Job {
            bytes: unit.bytes(),
            unit,
            waiter: Waiter::Call(waiter),
        }
    }

    #[test]
    fn a_batch_takes_from_the_apps_in_turn() {
        let mut queue = Queue::default();
        for (app, bytes) in [(1, vec![10, 11, 12]), (2, vec![20]), (3, vec![30, 31])] {
            let jobs: VecDeque<Job> = bytes.into_iter().map(job).collect();
            let bytes = jobs.iter().map(|job| job.bytes).sum();
            queue.bytes += bytes;
            queue.apps.insert(AppId(app), AppQueue { jobs, bytes });
        }
        let order: Vec<u8> = take_batch(&mut queue)
            .iter()
            .map(|job| job.unit.writes[0].key().bytes[0])
            .collect();
        assert_eq!(order, [10, 20, 30, 11, 31, 12]);
        assert_eq!((queue.bytes, queue.apps.len()), (0, 0));
    }
}
