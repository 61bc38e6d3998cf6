//! How fast one client may send: a bucket that fills with time and that every send takes from.

use anser_domain::control::AppSettings;

use crate::limits::SendRate;

/// Sends in thousandths, so that a slow rate fills the bucket smoothly.
const ONE: u64 = 1_000;

/// The rate that holds for the clients of an app: its own, or else the operator's. `None`: none.
#[must_use]
pub fn rate_of(own: &AppSettings, operators: Option<SendRate>) -> Option<SendRate> {
    let per_second = match own.client_messages_per_second {
        None => operators?.per_second,
        Some(0) => return None,
        Some(own) => own,
    };
    let burst = || operators.unwrap_or_default().burst;
    Some(SendRate {
        per_second,
        burst: own.client_messages_burst.unwrap_or_else(burst),
    })
}

/// What a client has left. Times are milliseconds of any clock that never goes back.
#[derive(Copy, Clone, Debug)]
pub struct Bucket {
    level: u64,
    filled: u64,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(rate: SendRate, now: u64) -> Self {
        Self {
            level: u64::from(rate.burst.max(1)) * ONE,
            filled: now,
        }
    }

    /// Takes one send, or says for how many milliseconds there is none. Nothing is taken then.
    ///
    /// # Errors
    /// The milliseconds.
    pub fn take(&mut self, rate: SendRate, now: u64) -> Result<(), u32> {
        let per_second = u64::from(rate.per_second.max(1));
        let full = u64::from(rate.burst.max(1)) * ONE;
        // One a second is one thousandth a millisecond.
        let gained = now.saturating_sub(self.filled).saturating_mul(per_second);
        self.level = self.level.saturating_add(gained).min(full);
        self.filled = now;
        if self.level >= ONE {
            self.level -= ONE;
            return Ok(());
        }
        let wait = (ONE - self.level).div_ceil(per_second);
        Err(u32::try_from(wait).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SendRate = SendRate {
        per_second: 5,
        burst: 3,
    };

    #[test]
    fn an_app_sets_rate_and_burst_each_for_itself() {
        let of = |per_second, burst, operators| {
            let own = AppSettings {
                client_messages_per_second: per_second,
                client_messages_burst: burst,
                ..AppSettings::default()
            };
            rate_of(&own, operators).map(|rate| (rate.per_second, rate.burst))
        };
        assert_eq!(of(None, None, Some(RATE)), Some((5, 3)));
        assert_eq!(of(Some(9), None, Some(RATE)), Some((9, 3)));
        assert_eq!(of(None, Some(8), Some(RATE)), Some((5, 8)));
        assert_eq!(of(Some(0), Some(8), Some(RATE)), None);
        assert_eq!(of(None, Some(8), None), None);
        assert_eq!(of(Some(9), None, None), Some((9, 20)));
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::new(RATE, 0);
        for _ in 0..3 {
            assert_eq!(bucket.take(RATE, 0), Ok(()));
        }
        assert_eq!(bucket.take(RATE, 0), Err(200));
        assert_eq!(bucket.take(RATE, 150), Err(50));
        assert_eq!(bucket.take(RATE, 200), Ok(()));
        assert_eq!(bucket.take(RATE, 200), Err(200));
    }

    #[test]
    fn waiting_as_told_is_enough_and_a_pause_gives_no_more_than_the_burst() {
        for per_second in [1, 3, 7, 999, 1_001, 5_000] {
            let rate = SendRate {
                per_second,
                burst: 2,
            };
            let mut bucket = Bucket::new(rate, 0);
            let mut now = 0;
            let mut sent = 0;
            while sent < 50 {
                match bucket.take(rate, now) {
                    Ok(()) => sent += 1,
                    Err(wait) => {
                        now += u64::from(wait);
                        assert_eq!(bucket.take(rate, now), Ok(()));
                        sent += 1;
                    }
                }
            }
            now += 1_000_000;
            let burst = (0..10)
                .take_while(|_| bucket.take(rate, now).is_ok())
                .count();
            assert_eq!(burst, 2);
        }
    }
}
