//! The ambient world: clocks, timers, threads, randomness.
//!
//! Everything else in this crate takes time as an argument or asks here, so that pacing and
//! back-off are tested without waiting and nothing that is written depends on when it was written.

#![expect(
    clippy::disallowed_methods,
    reason = "the one adapter of this crate to clocks, timers, threads and randomness"
)]

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Time since the first call; never goes back.
pub(crate) fn monotonic() -> Duration {
    START.elapsed()
}

/// This machine's wall clock, milliseconds since 1970. Only for logs: coverage is measured with the
/// source's clock, since this one may be wrong.
pub(crate) fn wall_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// The future's output, or `None` after `limit`.
pub(crate) async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

/// Runs work that holds a thread for long (compression, sorting) off the network threads.
pub(crate) async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

/// A number in `0.0..1.0` that spreads retries of parallel requests.
pub(crate) fn jitter() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 40;
    // 24 bits: exact in an f64.
    f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(1_u32 << 24)
}
