//! How long to wait before trying again.

use super::Random;
use crate::limits::{BACKOFF_FIRST_MS, BACKOFF_MAX_MS};

/// Exponential backoff with full jitter: each wait is drawn from zero to a ceiling that doubles
/// with every failure.
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure and draws the wait. What the other side asked to wait for comes on top of
    /// the jitter, so that the clients it turned away do not return together.
    pub(super) fn next_ms(&mut self, at_least_ms: u32, random: Random<'_>) -> u64 {
        let doublings = self.failures.min(16);
        let ceiling = (BACKOFF_FIRST_MS << doublings).min(BACKOFF_MAX_MS);
        self.failures += 1;
        u64::from(at_least_ms) + random() % (ceiling + 1)
    }

    /// It worked: the series of failures is over.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_a_limit_and_the_wait_is_anywhere_below_it() {
        let mut highest = Backoff::default();
        let waits: Vec<u64> = (0..8)
            .map(|n| {
                let ceiling = (500u64 << n).min(30_000);
                highest.next_ms(0, &mut || ceiling)
            })
            .collect();
        assert_eq!(
            waits,
            [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
        );
        assert_eq!(Backoff::default().next_ms(0, &mut || 0), 0);
        assert_eq!(Backoff::default().next_ms(700, &mut || 20), 720);
    }

    #[test]
    fn success_ends_the_series() {
        let mut backoff = Backoff::default();
        for _ in 0..40 {
            assert!(backoff.next_ms(0, &mut || u64::MAX) <= BACKOFF_MAX_MS);
        }
        backoff.reset();
        assert!(backoff.next_ms(0, &mut || 500) <= BACKOFF_FIRST_MS);
    }
}
