//! When the next request may be sent.
//!
//! Requests are spaced evenly at the current rate, so no window of time holds more than the rate
//! allows (plus one). The rate starts at what the operator allowed and never exceeds it. LeanCloud
//! answers 429 in two situations it does not tell apart: too many requests at the same moment
//! (worker threads, over at once), and a quota of a minute used up (everything is refused until
//! the minute is over). So at a 429 everything pauses for `Retry-After` or, without it, for one
//! second, doubling to sixty while the refusals go on; the rate is halved once an episode and grows
//! back slowly.
//!
//! Pure: time is an argument.

use std::time::Duration;

/// Slowest rate the gate falls to, requests a second.
const RATE_MIN: f64 = 0.1;
/// First pause after a refusal, and the longest one.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Longest `Retry-After` that is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// Successful requests in which the rate grows by the whole allowed rate.
const GROWTH_REQUESTS: f64 = 400.0;

/// The state of the gate.
#[derive(Debug)]
pub(crate) struct Gate {
    allowed: f64,
    rate: f64,
    next: Duration,
    paused_until: Duration,
    pause: Duration,
}

impl Gate {
    /// A gate that lets through `allowed` requests a second at most.
    pub(crate) fn new(allowed: f64) -> Self {
        let allowed = allowed.max(RATE_MIN);
        Self {
            allowed,
            rate: allowed,
            next: Duration::ZERO,
            paused_until: Duration::ZERO,
            pause: PAUSE_FIRST,
        }
    }

    /// Reserves the next place: the time at which the request may be sent. The caller sleeps until
    /// then and asks [`Gate::still_open`].
    pub(crate) fn reserve(&mut self, now: Duration) -> Duration {
        let at = self.next.max(now).max(self.paused_until);
        self.next = at + Duration::from_secs_f64(1.0 / self.rate);
        at
    }

    /// False if a pause began after the place was reserved; the caller then reserves again.
    pub(crate) fn still_open(&self, now: Duration) -> bool {
        now >= self.paused_until
    }

    /// The source refused with 429.
    pub(crate) fn refused(&mut self, now: Duration, retry_after: Option<Duration>) {
        if now < self.paused_until {
            // Sent before the pause began: the same episode.
            return;
        }
        let pause = retry_after.map_or(self.pause, |asked| asked.min(RETRY_AFTER_MAX));
        self.paused_until = now + pause;
        self.next = self.paused_until;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.rate = (self.rate / 2.0).max(RATE_MIN);
    }

    /// A request was answered.
    pub(crate) fn answered(&mut self) {
        self.pause = PAUSE_FIRST;
        self.rate = (self.rate + self.allowed / GROWTH_REQUESTS).min(self.allowed);
    }

    /// Requests a second at present.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    #[test]
    fn no_window_holds_more_than_the_rate() {
        let mut gate = Gate::new(20.0);
        let mut now = Duration::ZERO;
        let mut sent = Vec::new();
        for i in 0..500_u32 {
            // Callers come in bursts, sometimes late.
            if i % 17 == 0 {
                now += secs(f64::from(i % 5) * 0.3);
            }
            let at = gate.reserve(now);
            sent.push(at.max(now));
            gate.answered();
        }
        for (i, &from) in sent.iter().enumerate() {
            let within = sent[i..]
                .iter()
                .take_while(|&&at| at < from + secs(1.0))
                .count();
            assert!(within <= 21, "{within} requests within a second");
        }
    }

    #[test]
    fn refusals_pause_everything_once_an_episode() {
        let mut gate = Gate::new(40.0);
        gate.refused(secs(10.0), None);
        // Seven more that were under way at the same time.
        (0..7).for_each(|_| gate.refused(secs(10.2), None));
        assert!((gate.rate() - 20.0).abs() < 1e-9);
        assert!(!gate.still_open(secs(10.9)));
        assert_eq!(gate.reserve(secs(10.5)), secs(11.0));
        // Still refused: longer and longer, up to a minute.
        let mut now = secs(11.0);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            gate.refused(now, None);
            let next = gate.reserve(now);
            pauses.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
        gate.answered();
        gate.refused(now + secs(1.0), Some(secs(7.0)));
        assert_eq!(gate.reserve(now + secs(1.0)), now + secs(8.0));
    }

    #[test]
    fn the_rate_grows_back_and_never_beyond_what_is_allowed() {
        let mut gate = Gate::new(10.0);
        gate.refused(secs(0.0), None);
        (0..100).for_each(|_| gate.answered());
        assert!((gate.rate() - 7.5).abs() < 1e-9);
        (0..10_000).for_each(|_| gate.answered());
        assert!((gate.rate() - 10.0).abs() < 1e-9);
    }
}
