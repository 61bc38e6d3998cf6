//! The real world: the machine's clock and randomness, tasks and timers of the runtime.

#![expect(
    clippy::disallowed_methods,
    reason = "the server's one adapter to clock, randomness, tasks and timers"
)]

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anser_domain::Timestamp;
use anser_engine::World;
use futures::future::BoxFuture;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::runtime::{Builder, Handle};

/// The machine that the server runs on.
pub(crate) struct Machine {
    runtime: Handle,
    random: SystemRandom,
    /// Runtimes of one thread each, for what writes to very many sessions: on the threads of the
    /// main runtime it would wander between processors and drag the sessions along.
    broadcasters: Vec<Handle>,
}

impl Machine {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            random: SystemRandom::new(),
            broadcasters: broadcasters(),
        }
    }
}

thread_local! {
    static AHEAD: RefCell<Ahead> = const { RefCell::new(Ahead { bytes: [0; AHEAD_BYTES], left: 0 }) };
}

/// Random bytes that a thread gets from the system at once: every message takes a few.
const AHEAD_BYTES: usize = 1024;

struct Ahead {
    bytes: [u8; AHEAD_BYTES],
    /// So many at the end were not given out yet.
    left: usize,
}

impl Ahead {
    fn take(&mut self, system: &SystemRandom, out: &mut [u8]) {
        // Without randomness every secret made from here on would be guessable.
        let fill = |bytes: &mut [u8]| {
            system
                .fill(bytes)
                .expect("the operating system has randomness");
        };
        if out.len() > AHEAD_BYTES {
            return fill(out);
        }
        if out.len() > self.left {
            fill(&mut self.bytes);
            self.left = AHEAD_BYTES;
        }
        let from = AHEAD_BYTES - self.left;
        let given = &mut self.bytes[from..from + out.len()];
        out.copy_from_slice(given);
        // What was given out is not kept.
        given.fill(0);
        self.left -= out.len();
    }
}

/// One for every two processors. Without any the main runtime serves.
fn broadcasters() -> Vec<Handle> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let start = |number: usize| {
        // With timers, so that whatever runs there may sleep.
        let runtime = Builder::new_current_thread().enable_time().build().ok()?;
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new().name(format!("anser-broad-{number}"));
        // It lives as long as the process, which ends without waiting for it.
        let run = move || runtime.block_on(std::future::pending::<()>());
        thread.spawn(run).ok()?;
        Some(handle)
    };
    (0..processors.div_ceil(2)).filter_map(start).collect()
}

impl World for Machine {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = since.map_or(0, |since| since.as_millis());
        Timestamp(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    fn random(&self, bytes: &mut [u8]) {
        AHEAD.with_borrow_mut(|ahead| ahead.take(&self.random, bytes));
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.runtime.spawn(task);
    }

    fn spawn_broadcast(&self, affinity: u64, task: BoxFuture<'static, ()>) {
        let count = self.broadcasters.len().max(1) as u64;
        let at = usize::try_from(affinity % count).expect("a few");
        self.broadcasters
            .get(at)
            .unwrap_or(&self.runtime)
            .spawn(task);
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_random_bytes_are_given_out_twice() {
        let (system, mut ahead) = (
            SystemRandom::new(),
            Ahead {
                bytes: [0; AHEAD_BYTES],
                left: 0,
            },
        );
        let mut seen = BTreeSet::new();
        for len in [8, 10, 16, 1000, 1024, 1025, 8]
            .into_iter()
            .cycle()
            .take(700)
        {
            let mut bytes = vec![0; len];
            ahead.take(&system, &mut bytes);
            assert!(seen.insert(bytes[len - 8..].to_vec()), "{len}");
            assert!(
                ahead.bytes[..AHEAD_BYTES - ahead.left]
                    .iter()
                    .all(|byte| *byte == 0)
            );
        }
    }
}
