//! The world of one boot of a node, as the engine is given it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anser_domain::Timestamp;
use anser_engine::World;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::executor::{Executor, Group};
use crate::random::Random;

/// The wall clock at the start of every run: ids and tokens look like those of real life.
pub const START_MS: u64 = 1_800_000_000_000;

/// How far off a clock is, in milliseconds; may change while it is read.
pub type Skew = Arc<AtomicI64>;

/// What time it is by a clock that is off by so much.
#[must_use]
pub fn clock(executor: &Executor, skew: &Skew) -> Timestamp {
    let true_ms = START_MS + executor.now() / 1_000;
    Timestamp(true_ms.saturating_add_signed(skew.load(Ordering::Relaxed)))
}

pub(crate) struct NodeWorld {
    executor: Executor,
    group: Group,
    skew: Skew,
    random: Mutex<Random>,
}

impl NodeWorld {
    pub(crate) fn new(executor: Executor, group: Group, skew: Skew, random: Random) -> Self {
        Self {
            executor,
            group,
            skew,
            random: Mutex::new(random),
        }
    }
}

impl World for NodeWorld {
    fn now(&self) -> Timestamp {
        clock(&self.executor, &self.skew)
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut random = self.random.lock();
        for chunk in bytes.chunks_mut(8) {
            let fresh = random.next().to_le_bytes();
            chunk.copy_from_slice(&fresh[..chunk.len()]);
        }
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.executor.spawn_boxed(self.group, task);
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(self.executor.sleep(ms * 1_000))
    }
}
