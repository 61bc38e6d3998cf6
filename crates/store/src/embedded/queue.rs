//! Submissions on their way to the commit thread, bounded in bytes.

use std::sync::Arc;

use futures::channel::oneshot;
use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::StoreError;
use crate::unit::{Outcome, Unit};

/// Flat charge for a submission, so that tiny ones are bounded too.
const SUBMISSION_OVERHEAD: usize = 256;

/// Flat charge for a row, of which the log needs ten bytes.
const ROW_OVERHEAD: usize = 16;

fn charge(unit: &Unit) -> usize {
    unit.bytes() + ROW_OVERHEAD * (unit.expects.len() + unit.writes.len())
}

/// One call of `commit`.
pub(super) struct Submission {
    units: Vec<Unit>,
    bytes: usize,
    reply: Reply,
}

impl Submission {
    /// Bytes of its units, in memory and in the log at most.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn into_parts(self) -> (Vec<Unit>, Reply) {
        (self.units, self.reply)
    }
}

/// Where the outcomes of a submission go.
pub(super) struct Reply {
    answer: oneshot::Sender<Vec<Outcome>>,
    /// Room in the queue, given back with the answer.
    _room: OwnedSemaphorePermit,
}

impl Reply {
    pub(super) fn send(self, outcomes: Vec<Outcome>) {
        // Nobody may be waiting any more: a commit is not cancelled by dropping its future.
        let _ = self.answer.send(outcomes);
    }
}

/// What the commit thread is to do next.
pub(super) enum Next {
    /// Everything that was queued, in order.
    Commit(Vec<Submission>),
    /// Nothing is queued and nothing will be.
    Stop,
}

pub(super) struct Queue {
    room: Arc<Semaphore>,
    room_total: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Submission>,
    closed: bool,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Queue {
        let room_total = bytes_max.min(u32::MAX as usize >> 1);
        Queue {
            room: Arc::new(Semaphore::new(room_total)),
            room_total,
            state: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    /// Queues units, waiting for room if there is none, and waits for their outcomes.
    pub(super) async fn submit(&self, units: Vec<Unit>) -> Vec<Outcome> {
        let count = units.len();
        let refused = || vec![Outcome::Refused(StoreError::closed()); count];
        let bytes: usize = units.iter().map(charge).sum();
        // A submission larger than the queue waits until it is alone in it.
        let room = (bytes + SUBMISSION_OVERHEAD).min(self.room_total);
        let room = u32::try_from(room).expect("room_total was clamped to u32");
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(room).await else {
            return refused();
        };
        let (answer, outcomes) = oneshot::channel();
        {
            let mut state = self.state.lock();
            if state.closed {
                return refused();
            }
            state.waiting.push(Submission {
                units,
                bytes,
                reply: Reply {
                    answer,
                    _room: room,
                },
            });
        }
        self.arrived.notify_one();
        outcomes.await.unwrap_or_else(|_| {
            // The commit thread died with the submission in hand.
            let error = StoreError::new(
                crate::ErrorKind::Unavailable,
                "the commit thread ended before it answered; restart",
            );
            vec![Outcome::Unknown(error); count]
        })
    }

    /// Waits for work.
    pub(super) fn next(&self) -> Next {
        let mut state = self.state.lock();
        loop {
            if !state.waiting.is_empty() {
                return Next::Commit(std::mem::take(&mut state.waiting));
            }
            if state.closed {
                return Next::Stop;
            }
            self.arrived.wait(&mut state);
        }
    }

    /// Refuses what comes from now on; what is queued is still done.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.room.close();
        self.arrived.notify_one();
    }

    /// Closes, and drops what is queued: nobody is there to do it. Its outcome is unknown to it.
    pub(super) fn abandon(&self) {
        self.close();
        let waiting = std::mem::take(&mut self.state.lock().waiting);
        drop(waiting);
    }
}
