//! How fast one client may send: a bucket that fills with time and that every send takes from.

use crate::limits::SendRate;

/// Sends in thousandths, so that a slow rate fills the bucket smoothly.
const ONE: u64 = 1_000;

/// What a client has left. Times are milliseconds of any clock that never goes back.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Bucket {
    level: u64,
    filled: u64,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(rate: SendRate, now: u64) -> Self {
        Self {
            level: u64::from(rate.burst.max(1)) * ONE,
            filled: now,
        }
    }

    /// Takes one send, or says for how many milliseconds there is none. Nothing is taken then.
    pub(crate) fn take(&mut self, rate: SendRate, now: u64) -> Result<(), u32> {
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
