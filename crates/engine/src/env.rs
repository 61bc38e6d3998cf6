//! The world as an argument.
//!
//! The engine never reads a clock, draws a random number, spawns a task or sleeps by itself: it
//! asks its [`Env`]. The server hands it the real world, the simulation one that it makes up from
//! a seed, so that a whole cluster with its failures replays from a number.

use std::fmt;
use std::sync::Arc;

use anser_domain::{MessageId, Timestamp};
use futures::future::BoxFuture;

/// What the engine needs of the world around it.
pub trait World: Send + Sync + 'static {
    /// The wall clock. It may jump; the engine keeps what must not fall back by itself.
    fn now(&self) -> Timestamp;

    /// Fills the bytes with unpredictable ones.
    fn random(&self, bytes: &mut [u8]);

    /// Runs a task beside the caller, which is never blocked by it.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Runs a task that writes to very many sessions, always in the same place for the same
    /// `affinity`: what it touches of each of them then stays in one processor's cache.
    fn spawn_broadcast(&self, affinity: u64, task: BoxFuture<'static, ()>) {
        let _ = affinity;
        self.spawn(task);
    }

    /// Done after at least so many milliseconds.
    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()>;
}

/// A shared handle on the world.
#[derive(Clone)]
pub struct Env(Arc<dyn World>);

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Env")
    }
}

impl Env {
    /// Wraps a world.
    pub fn new(world: impl World) -> Self {
        Self(Arc::new(world))
    }

    /// See [`World::now`].
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// So many random bytes.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.random(&mut bytes);
        bytes
    }

    /// A random number.
    #[must_use]
    pub fn random_u64(&self) -> u64 {
        u64::from_le_bytes(self.random())
    }

    /// A fresh message id of this time.
    #[must_use]
    pub fn message_id(&self, time: Timestamp) -> MessageId {
        MessageId::new(time, self.random())
    }

    /// See [`World::spawn`].
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(Box::pin(task));
    }

    /// See [`World::spawn_broadcast`].
    pub fn spawn_broadcast(&self, affinity: u64, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn_broadcast(affinity, Box::pin(task));
    }

    /// See [`World::sleep`].
    pub async fn sleep(&self, ms: u64) {
        self.0.sleep(ms).await;
    }
}
