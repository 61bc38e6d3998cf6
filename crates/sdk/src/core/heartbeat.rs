//! How often to ping: as rarely as the path allows.
//!
//! Between client and server stand address translators that forget a silent connection after a
//! time nobody knows. So the interval grows by steps while pongs come back, and is halved when
//! one does not; after each loss it takes twice as many pongs to try a longer one, and the
//! interval settles below what the path bears.

use crate::limits::{
    HEARTBEAT_GROW_AFTER, HEARTBEAT_MAX_MS, HEARTBEAT_MIN_MS, HEARTBEAT_START_MS,
    HEARTBEAT_STEP_MS, PONG_TIMEOUT_MS,
};

/// Pongs at one interval before a longer one, after many losses.
const PATIENCE_MAX: u32 = 32;

/// The adapting interval. It outlives a connection.
#[derive(Clone, Debug)]
pub(super) struct Heartbeat {
    interval_ms: u64,
    honoured_ms: u64,
    pongs: u32,
    patience: u32,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self {
            interval_ms: HEARTBEAT_START_MS,
            honoured_ms: HEARTBEAT_MAX_MS,
            pongs: 0,
            patience: HEARTBEAT_GROW_AFTER,
        }
    }
}

impl Heartbeat {
    /// Silence after which to ping.
    pub(super) fn interval_ms(&self) -> u64 {
        self.interval_ms.min(self.honoured_ms)
    }

    /// How long to wait for a sign of life after a ping: together with the interval never more
    /// than one and a half of it.
    pub(super) fn pong_timeout_ms(&self) -> u64 {
        PONG_TIMEOUT_MS.min(self.interval_ms() / 2)
    }

    /// What the server honours; 0 leaves it as told.
    pub(super) fn honoured(&mut self, seconds: u32) {
        self.honoured_ms = match seconds {
            0 => HEARTBEAT_MAX_MS,
            _ => (u64::from(seconds) * 1_000).min(HEARTBEAT_MAX_MS),
        };
    }

    /// The path held over a whole interval.
    pub(super) fn pong(&mut self) {
        self.pongs += 1;
        if self.pongs >= self.patience && self.interval_ms < HEARTBEAT_MAX_MS {
            self.interval_ms = (self.interval_ms + HEARTBEAT_STEP_MS).min(HEARTBEAT_MAX_MS);
            self.pongs = 0;
        }
    }

    /// No sign of life after a ping.
    pub(super) fn lost(&mut self) {
        self.interval_ms = (self.interval_ms() / 2).max(HEARTBEAT_MIN_MS);
        self.patience = (self.patience * 2).min(PATIENCE_MAX);
        self.pongs = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_pongs_come_back_and_stops_at_the_limit() {
        let mut heartbeat = Heartbeat::default();
        let mut seen = vec![heartbeat.interval_ms()];
        for _ in 0..40 {
            heartbeat.pong();
            if seen.last() != Some(&heartbeat.interval_ms()) {
                seen.push(heartbeat.interval_ms());
            }
        }
        let steps: Vec<u64> = (1..=8).map(|n| n * 30_000).collect();
        assert_eq!(seen, steps);
    }

    #[test]
    fn a_loss_halves_it_and_makes_it_more_patient() {
        let mut heartbeat = Heartbeat::default();
        for _ in 0..6 {
            heartbeat.pong();
        }
        assert_eq!(heartbeat.interval_ms(), 120_000);
        heartbeat.lost();
        assert_eq!(heartbeat.interval_ms(), 60_000);
        for _ in 0..3 {
            heartbeat.pong();
        }
        assert_eq!(
            heartbeat.interval_ms(),
            60_000,
            "two pongs were enough before"
        );
        heartbeat.pong();
        assert_eq!(heartbeat.interval_ms(), 90_000);
        for _ in 0..9 {
            heartbeat.lost();
        }
        assert_eq!(heartbeat.interval_ms(), HEARTBEAT_MIN_MS);
    }

    #[test]
    fn a_dead_peer_is_found_within_one_and_a_half_intervals() {
        let mut heartbeat = Heartbeat::default();
        for seconds in [0, 10, 20, 60, 600] {
            heartbeat.honoured(seconds);
            let interval = heartbeat.interval_ms();
            assert!(interval + heartbeat.pong_timeout_ms() <= interval * 3 / 2);
            assert!(seconds == 0 || interval <= u64::from(seconds) * 1_000);
        }
    }
}
