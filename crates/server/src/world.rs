//! The real world: the machine's clock and randomness, tasks and timers of the runtime.

#![expect(
    clippy::disallowed_methods,
    reason = "the server's one adapter to clock, randomness, tasks and timers"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anser_domain::Timestamp;
use anser_engine::World;
use futures::future::BoxFuture;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::runtime::Handle;

/// The machine that the server runs on.
pub(crate) struct Machine {
    runtime: Handle,
    random: SystemRandom,
}

impl Machine {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            random: SystemRandom::new(),
        }
    }
}

impl World for Machine {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = since.map_or(0, |since| since.as_millis());
        Timestamp(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    fn random(&self, bytes: &mut [u8]) {
        // Without randomness every secret made from here on would be guessable.
        self.random
            .fill(bytes)
            .expect("the operating system has randomness");
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.runtime.spawn(task);
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}
