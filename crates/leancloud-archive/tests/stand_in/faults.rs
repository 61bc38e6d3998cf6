//! How the stand-in misbehaves: by chance, from a seed, and by quota.

use std::time::{Duration, Instant};

use super::source::mix;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Answered late.
    Slow,
    /// The connection ends without an answer.
    Reset,
    /// 502 with a page of HTML.
    ServerError,
    /// 200 with something that is no JSON.
    Garbage,
    /// Half of the answer.
    Truncated,
    /// 429, with or without `Retry-After`.
    Throttled(Option<u32>),
}

/// Chances in a thousand, and a quota.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub seed: u64,
    pub slow: u64,
    pub reset: u64,
    pub server_error: u64,
    pub garbage: u64,
    pub truncated: u64,
    pub throttled: u64,
    /// Requests that may be made within [`Faults::QUOTA_WINDOW`]; beyond, everything is refused until
    /// the window is over.
    pub quota: Option<u32>,
}

impl Faults {
    /// A short stand-in for LeanCloud's minute.
    pub(crate) const QUOTA_WINDOW: Duration = Duration::from_millis(1500);

    /// Everything that happens on a bad day.
    pub(crate) fn bad_day(seed: u64) -> Self {
        Self {
            seed,
            slow: 60,
            reset: 15,
            server_error: 15,
            garbage: 5,
            truncated: 10,
            throttled: 2,
            quota: None,
        }
    }

    /// What happens to the request with this number.
    pub(crate) fn strike(&self, number: u64) -> Fault {
        let dice = mix(self.seed ^ number.wrapping_mul(0x9e37)) % 1000;
        let kinds = [
            (self.slow, Fault::Slow),
            (self.reset, Fault::Reset),
            (self.server_error, Fault::ServerError),
            (self.garbage, Fault::Garbage),
            (self.truncated, Fault::Truncated),
            (self.throttled, Fault::Throttled(Some(1))),
        ];
        let mut below = 0;
        for (chance, fault) in kinds {
            below += chance;
            if dice < below {
                return fault;
            }
        }
        Fault::None
    }
}

/// Counts against the quota.
#[derive(Debug)]
pub(crate) struct Quota {
    began: Instant,
    used: u32,
}

impl Default for Quota {
    #[allow(
        clippy::disallowed_methods,
        reason = "a test server measures real arrivals"
    )]
    fn default() -> Self {
        Self {
            began: Instant::now(),
            used: 0,
        }
    }
}

impl Quota {
    /// Whether a request arriving now is within the quota.
    pub(crate) fn take(&mut self, quota: u32) -> bool {
        if self.began.elapsed() > Faults::QUOTA_WINDOW {
            *self = Self::default();
        }
        self.used += 1;
        self.used <= quota
    }
}
