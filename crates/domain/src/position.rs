//! Read positions and unread counts.
//!
//! Every countable message has an ordinal: 1, 2, 3 … within its conversation. What a user has
//! not read is a difference of ordinals less the exceptions in between, so it is exact however
//! many messages there are, and nothing is written per recipient.

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

/// What the user has not read.
///
/// `head_ordinal`: ordinal of the newest countable message. `read`: where the user has read to.
/// `joined_ordinal`: the head's ordinal when the user joined; what was before is not theirs.
/// `own`: how many of the messages beyond both the user sent.
#[must_use]
pub fn unread(head_ordinal: u64, read: ReadPosition, joined_ordinal: u64, own: u64) -> u64 {
    let from = read.ordinal.max(joined_ordinal);
    head_ordinal.saturating_sub(from).saturating_sub(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Counters, append};
    use crate::time::Timestamp;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Send { own: bool, counted: bool },
        Read { back: u64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (any::<bool>(), prop::bool::weighted(0.9))
                .prop_map(|(own, counted)| Step::Send { own, counted }),
            1 => (0u64..5).prop_map(|back| Step::Read { back }),
        ]
    }

    proptest! {
        /// Against the plain model: a list of messages, each read or not.
        #[test]
        fn unread_is_what_a_list_says(joined in 0usize..20, steps in prop::collection::vec(step(), 0..80)) {
            let mut log: Vec<(Counters, bool, bool)> = Vec::new(); // counters, own, counted
            let mut counters = Counters::default();
            let mut read = ReadPosition::default();
            let mut joined_at = Counters::default();
            for (n, step) in steps.iter().enumerate() {
                if n == joined { joined_at = counters; }
                match step {
                    Step::Send { own, counted } => {
                        counters = append(counters, *counted, Timestamp(0));
                        log.push((counters, *own, *counted));
                    }
                    Step::Read { back } => {
                        let seq = counters.seq.saturating_sub(*back);
                        let ordinal = log.iter().rev().find(|m| m.0.seq <= seq).map_or(0, |m| m.0.ordinal);
                        let before = read;
                        read = read.advance(ReadPosition { seq, ordinal });
                        prop_assert!(read.seq >= before.seq && read.ordinal >= before.ordinal);
                    }
                }
                let theirs = |m: &&(Counters, bool, bool)| m.2 && m.0.seq > read.seq && m.0.seq > joined_at.seq;
                let model = log.iter().filter(theirs).filter(|m| !m.1).count() as u64;
                let own = log.iter().filter(theirs).filter(|m| m.1).count() as u64;
                prop_assert_eq!(unread(counters.ordinal, read, joined_at.ordinal, own), model);
            }
        }
    }
}
