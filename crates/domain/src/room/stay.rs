//! Who stays in a room, and how long the room stays.

use crate::time::Timestamp;

/// When a member who is not connected leaves.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Patience {
    /// Messages that may be missed.
    pub missed_max: u64,
    /// Milliseconds that somebody may be away.
    pub away_ms_max: u64,
}

impl Patience {
    /// Does a member leave who is away since then and missed so many messages since?
    #[must_use]
    pub fn is_over(self, since: Timestamp, missed: u64, now: Timestamp) -> bool {
        missed > self.missed_max || now.since_ms(since) >= self.away_ms_max
    }
}

/// How long a room lives.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Life {
    /// Until nobody has joined or said anything for so many milliseconds.
    Active(u64),
    /// Until this time.
    Until(Timestamp),
}

impl Life {
    /// Is a room over in which something happened last at `active`? One that is kept alive never
    /// is.
    #[must_use]
    pub fn is_over(self, active: Timestamp, kept_alive: bool, now: Timestamp) -> bool {
        let end = match self {
            Self::Active(ms) => active.plus_ms(ms),
            Self::Until(end) => end,
        };
        !kept_alive && end <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_misses_thirty_one_messages_or_half_a_minute_leaves() {
        let patience = Patience {
            missed_max: 30,
            away_ms_max: 30_000,
        };
        let since = Timestamp(5_000);
        assert!(!patience.is_over(since, 30, Timestamp(34_999)));
        assert!(patience.is_over(since, 31, Timestamp(5_001)));
        assert!(patience.is_over(since, 0, Timestamp(35_000)));
    }

    #[test]
    fn a_room_ends_when_it_is_idle_or_at_its_time_unless_it_is_kept() {
        let active = Timestamp(1_000);
        let idle = Life::Active(60);
        assert!(!idle.is_over(active, false, Timestamp(1_059)));
        assert!(idle.is_over(active, false, Timestamp(1_060)));
        assert!(!idle.is_over(active, true, Timestamp(9_999)));
        let fixed = Life::Until(Timestamp(2_000));
        assert!(!fixed.is_over(Timestamp(0), false, Timestamp(1_999)));
        assert!(fixed.is_over(Timestamp(1_999), false, Timestamp(2_000)));
        assert!(!fixed.is_over(active, true, Timestamp(2_000)));
    }
}
