//! Which parts of a conversation a device has without holes.
//!
//! Sequences alone don't tell: some belong to messages that the user may not see. So a range says
//! "all that the user may see after `after`, up to and including `to`, is here". Ranges that
//! touch are one.

use std::collections::BTreeMap;

/// The ranges of a conversation: `after` → `to`.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub(super) struct Ranges(pub(super) BTreeMap<u64, u64>);

impl Ranges {
    /// Adds a range.
    pub(super) fn add(&mut self, mut after: u64, mut to: u64) {
        if after >= to {
            return;
        }
        // From the last range that begins at or before the new one, on to those that touch it.
        let first = self.0.range(..=after).next_back();
        let from = first
            .filter(|(_, end)| **end >= after)
            .map_or(after, |(a, _)| *a);
        let touching: Vec<u64> = self.0.range(from..=to).map(|(a, _)| *a).collect();
        for begin in touching {
            if let Some(end) = self.0.remove(&begin) {
                after = after.min(begin);
                to = to.max(end);
            }
        }
        self.0.insert(after, to);
    }

    /// Nothing up to and including this sequence is here any more.
    pub(super) fn forget(&mut self, up_to: u64) {
        let later = self.0.split_off(&up_to.saturating_add(1));
        let reaching = self.0.values().copied().filter(|to| *to > up_to).max();
        self.0 = later;
        if let Some(to) = reaching {
            self.0.insert(up_to, to);
        }
    }

    /// The range that has this sequence.
    pub(super) fn around(&self, seq: u64) -> Option<(u64, u64)> {
        let (after, to) = self.0.range(..seq).next_back()?;
        (seq <= *to).then_some((*after, *to))
    }

    /// The newest range.
    pub(super) fn last(&self) -> Option<(u64, u64)> {
        self.0.last_key_value().map(|(after, to)| (*after, *to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_are_the_union_of_what_was_added(
            added in prop::collection::vec((0u64..40, 0u64..12), 0..20),
            forgotten in 0u64..40,
        ) {
            let mut ranges = Ranges::default();
            let mut model = std::collections::BTreeSet::new();
            for (after, len) in added {
                ranges.add(after, after + len);
                model.extend(after + 1..=after + len);
            }
            ranges.forget(forgotten);
            model.retain(|seq| *seq > forgotten);
            for seq in 0..60 {
                prop_assert_eq!(ranges.around(seq).is_some(), model.contains(&seq));
            }
            let ends: Vec<_> = ranges.0.iter().collect();
            for pair in ends.windows(2) {
                prop_assert!(pair[0].1 < pair[1].0, "apart: {:?}", ranges);
            }
        }
    }
}
