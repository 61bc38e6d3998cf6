//! Read positions and unread counts.
//!
//! Every countable message has an ordinal: 1, 2, 3 … within its conversation. What a user has
//! not read is a difference of ordinals less the exceptions in between, so it is exact however
//! many messages there are, and nothing is written per recipient. Messages that only some can see
//! have no ordinal; they are counted for each user whom they are targeted at.

use std::collections::BTreeSet;

use crate::limits::SYNC_LOOK_BACK_MS;
use crate::time::Timestamp;

/// Up to where a user has read: a register that only moves up.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct ReadPosition {
    /// Everything up to this sequence is read.
    pub seq: u64,
    /// The ordinal of the last countable message up to there.
    pub ordinal: u64,
}

impl ReadPosition {
    /// The position after reading up to `to`. Never moves back.
    #[must_use]
    pub fn advance(self, to: Self) -> Self {
        if to.seq > self.seq { to } else { self }
    }
}

/// Versions in the feed of receipts per millisecond. They are stamped by the clock, so that members
/// who move at the same time need not wait for one another.
const VERSIONS_PER_MS: u64 = 1 << 11;

/// Where a member who moves now stands in the feed of receipts: behind where they stood. Even; odd
/// ones mean the middle of a listing (see [`feed_start`]).
#[must_use]
pub fn feed_version(before: u64, now: Timestamp, random: u64) -> u64 {
    let stamped = now.0 * VERSIONS_PER_MS + random % VERSIONS_PER_MS;
    (stamped & !1).max((before + 2) & !1)
}

/// Behind which version a listing starts that was given this one by the listing before: right
/// there when that stopped in the middle, else so much before that what was on its way then is
/// not passed over.
#[must_use]
pub fn feed_start(given: u64) -> u64 {
    if given.is_multiple_of(2) {
        given.saturating_sub(SYNC_LOOK_BACK_MS * VERSIONS_PER_MS)
    } else {
        given
    }
}

/// What a listing gives to continue with: in the middle of it, or at its end.
#[must_use]
pub fn feed_given(last: u64, more: bool) -> u64 {
    (last & !1) | u64::from(more)
}

/// What unread is counted from: ordinals and running totals between a user's position and the head.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Tally {
    /// Ordinal of the newest countable message that is for all.
    pub head_ordinal: u64,
    /// The highest of what the user has read, what was there when the user joined, and what the
    /// user has cleared.
    pub from: ReadPosition,
    /// How many of the countable messages for all beyond it the user sent.
    pub own: u64,
    /// How many countable messages beyond it are targeted at the user by others.
    pub targeted: u64,
    /// How many of all these, not the user's own, are unread for the user no more; see
    /// [`exceptions`].
    pub exceptions: u64,
}

/// What the user has not read.
#[must_use]
pub fn unread(tally: Tally) -> u64 {
    (tally.head_ordinal + tally.targeted)
        .saturating_sub(tally.from.ordinal)
        .saturating_sub(tally.own)
        .saturating_sub(tally.exceptions)
}

/// A message that was taken back.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Recalled {
    /// Its place.
    pub seq: u64,
    /// Did it count as unread?
    pub counted: bool,
    /// Did the user send it?
    pub own: bool,
    /// Was it for the user to see?
    pub visible: bool,
}

/// A message that the user has deleted for themself.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Hidden {
    /// Its place.
    pub seq: u64,
    /// Did it count as unread?
    pub counted: bool,
    /// Did the user send it?
    pub own: bool,
}

/// How many messages count as unread no more although they lie beyond what was read: taken back,
/// or deleted by the user. One that is both counts once.
#[must_use]
pub fn exceptions(recalled: &[Recalled], hidden: &[Hidden]) -> u64 {
    let recalled = recalled
        .iter()
        .filter(|it| it.counted && it.visible && !it.own)
        .map(|it| it.seq);
    let hidden = hidden
        .iter()
        .filter(|it| it.counted && !it.own)
        .map(|it| it.seq);
    recalled.chain(hidden).collect::<BTreeSet<u64>>().len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Counters, append};
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Send {
            own: bool,
            counted: bool,
            /// `None`: for all; else whether the user is among the targets.
            targeted: Option<bool>,
        },
        Read {
            back: u64,
        },
        Clear {
            back: u64,
        },
        Recall {
            at: prop::sample::Index,
        },
        Hide {
            at: prop::sample::Index,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        let targeted = prop::option::weighted(0.3, any::<bool>());
        prop_oneof![
            6 => (any::<bool>(), prop::bool::weighted(0.9), targeted)
                .prop_map(|(own, counted, targeted)| Step::Send { own, counted, targeted }),
            1 => (0u64..5).prop_map(|back| Step::Read { back }),
            1 => (0u64..9).prop_map(|back| Step::Clear { back }),
            1 => any::<prop::sample::Index>().prop_map(|at| Step::Recall { at }),
            1 => any::<prop::sample::Index>().prop_map(|at| Step::Hide { at }),
        ]
    }

    #[derive(Clone)]
    struct Kept {
        counters: Counters,
        own: bool,
        counted: bool,
        targeted: Option<bool>,
        recalled: bool,
        hidden: bool,
    }

    impl Kept {
        fn visible(&self) -> bool {
            self.own || self.targeted != Some(false)
        }
    }

    fn position(log: &[Kept], seq: u64) -> ReadPosition {
        let before = log.iter().rev().find(|it| it.counters.seq <= seq);
        ReadPosition {
            seq,
            ordinal: before.map_or(0, |it| it.counters.ordinal),
        }
    }

    /// As the tables are read: running totals and lists of exceptions.
    fn tally(log: &[Kept], from: ReadPosition) -> Tally {
        let beyond = || log.iter().filter(|it| it.counters.seq > from.seq);
        let count = |which: &dyn Fn(&&Kept) -> bool| beyond().filter(which).count() as u64;
        let recalled = beyond().filter(|it| it.recalled).map(|it| Recalled {
            seq: it.counters.seq,
            counted: it.counted,
            own: it.own,
            visible: it.visible(),
        });
        let hidden = beyond().filter(|it| it.hidden).map(|it| Hidden {
            seq: it.counters.seq,
            counted: it.counted,
            own: it.own,
        });
        let (recalled, hidden): (Vec<_>, Vec<_>) = (recalled.collect(), hidden.collect());
        Tally {
            head_ordinal: log.last().map_or(0, |it| it.counters.ordinal),
            from,
            own: count(&|it| it.own && it.counted && it.targeted.is_none()),
            targeted: count(&|it| !it.own && it.counted && it.targeted == Some(true)),
            exceptions: exceptions(&recalled, &hidden),
        }
    }

    #[test]
    fn a_feed_of_receipts_moves_on_and_misses_nobody() {
        let now = Timestamp(1_800_000_000_000);
        let first = feed_version(0, now, u64::MAX);
        assert!(first.is_multiple_of(2) && first < 1 << 53);
        assert!(feed_version(first, Timestamp(0), 7) > first, "never back");
        // Who was stamped within the look-back is listed again, in the middle nobody is.
        let given = feed_given(first, false);
        let late = feed_version(0, now.minus_ms(SYNC_LOOK_BACK_MS - 1), 0);
        assert!(feed_start(given) < late);
        assert!(feed_start(feed_given(first, true)) > first);
        assert!(feed_start(feed_given(first, true)) < first + 2);
        assert_eq!(feed_start(0), 0);
    }

    proptest! {
        /// Against the plain model: a list of messages, each unread or not.
        #[test]
        fn unread_is_what_a_list_says(
            joined in 0usize..20,
            steps in prop::collection::vec(step(), 0..80),
        ) {
            let mut log: Vec<Kept> = Vec::new();
            let mut counters = Counters::default();
            let (mut read, mut first) = (ReadPosition::default(), ReadPosition::default());
            for (n, step) in steps.iter().enumerate() {
                if n == joined {
                    first = first.advance(position(&log, counters.seq));
                }
                match step {
                    Step::Send { own, counted, targeted } => {
                        counters = append(counters, *counted && targeted.is_none(), Timestamp(0));
                        log.push(Kept {
                            counters,
                            own: *own,
                            counted: *counted,
                            targeted: *targeted,
                            recalled: false,
                            hidden: false,
                        });
                    }
                    Step::Read { back } => {
                        let before = read;
                        read = read.advance(position(&log, counters.seq.saturating_sub(*back)));
                        prop_assert!(read.seq >= before.seq && read.ordinal >= before.ordinal);
                    }
                    Step::Clear { back } => {
                        first = first.advance(position(&log, counters.seq.saturating_sub(*back)));
                    }
                    Step::Recall { at } if !log.is_empty() => at.get_mut(&mut log[..]).recalled = true,
                    Step::Hide { at } if !log.is_empty() => {
                        let it = at.get_mut(&mut log[..]);
                        it.hidden |= it.visible();
                    }
                    Step::Recall { .. } | Step::Hide { .. } => {}
                }
                let from = read.advance(first);
                let unread_ones = log.iter().filter(|it| {
                    it.counters.seq > from.seq
                        && it.counted
                        && it.visible()
                        && !it.own
                        && !it.recalled
                        && !it.hidden
                });
                prop_assert_eq!(unread(tally(&log, from)), unread_ones.count() as u64);
            }
        }
    }
}
