//! From one state of a list to the next.
//!
//! Items have keys, each once in a list. What has the same key before and after is the same item:
//! it is set if it differs, and taken out and put in elsewhere if it moved. The usual steps — an
//! item more at an end, a page above, one changed, one moved to the top — are one or two diffs;
//! when there would be very many, the list is told anew.

use std::collections::BTreeSet;

/// More diffs than this, and the list is told anew.
const DIFFS_MAX: usize = 64;

/// A step. Positions are those of the list as it is when the step is made.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Diff<T> {
    /// The list is this.
    Reset(Vec<T>),
    /// Items come in, the first of them to stand at this position.
    Insert {
        /// The position.
        index: usize,
        /// At least one.
        items: Vec<T>,
    },
    /// The item at this position is this now.
    Set {
        /// The position.
        index: usize,
        /// The item.
        item: T,
    },
    /// Items go.
    Remove {
        /// The position of the first of them.
        index: usize,
        /// How many, at least one.
        count: usize,
    },
}

impl<T> Diff<T> {
    /// Makes the step. One that does not fit the list, because another before it was left out,
    /// makes what of it fits.
    pub fn apply(self, list: &mut Vec<T>) {
        match self {
            Self::Reset(items) => *list = items,
            Self::Insert { index, items } => {
                let at = index.min(list.len());
                list.splice(at..at, items);
            }
            Self::Set { index, item } => {
                if let Some(place) = list.get_mut(index) {
                    *place = item;
                }
            }
            Self::Remove { index, count } => {
                let from = index.min(list.len());
                let to = from.saturating_add(count).min(list.len());
                list.drain(from..to);
            }
        }
    }
}

/// The steps from `old` to `new`.
pub fn diff<T, K>(old: &[T], new: &[T], key: impl Fn(&T) -> K) -> Vec<Diff<T>>
where
    T: Clone + PartialEq,
    K: Ord,
{
    let wanted: BTreeSet<K> = new.iter().map(&key).collect();
    let mut diffs = Vec::new();
    let mut now: Vec<&T> = old.iter().collect();
    remove_all(&mut now, &mut diffs, |item| !wanted.contains(&key(item)));
    let mut here: BTreeSet<K> = now.iter().map(|item| key(item)).collect();
    let mut index = 0;
    while index < new.len() {
        let item = &new[index];
        let this = key(item);
        if now.get(index).is_some_and(|at| key(at) == this) {
            if now[index] != item {
                let item = item.clone();
                diffs.push(Diff::Set { index, item });
            }
            index += 1;
        } else if !here.contains(&this) {
            let fresh = new[index..].iter();
            let items: Vec<&T> = fresh.take_while(|one| !here.contains(&key(one))).collect();
            index = insert(&mut now, &mut diffs, index, items);
        } else if now.get(index + 1).is_some_and(|next| key(next) == this) {
            // What stands here moved down: it comes in again further on.
            here.remove(&key(now[index]));
            now.remove(index);
            diffs.push(Diff::Remove { index, count: 1 });
        } else {
            let at = now.iter().position(|one| key(one) == this);
            let at = at.unwrap_or(index);
            now.remove(at);
            diffs.push(Diff::Remove {
                index: at,
                count: 1,
            });
            index = insert(&mut now, &mut diffs, index, vec![item]);
        }
        if diffs.len() > DIFFS_MAX {
            return vec![Diff::Reset(new.to_vec())];
        }
    }
    if now.len() > new.len() {
        let count = now.len() - new.len();
        diffs.push(Diff::Remove { index, count });
    }
    diffs
}

/// Puts items in at a position, and gives the position behind them.
fn insert<'a, T: Clone>(
    now: &mut Vec<&'a T>,
    diffs: &mut Vec<Diff<T>>,
    index: usize,
    items: Vec<&'a T>,
) -> usize {
    let behind = index + items.len();
    diffs.push(Diff::Insert {
        index,
        items: items.iter().map(|item| (*item).clone()).collect(),
    });
    now.splice(index..index, items);
    behind
}

/// Removes what is not wanted, the last first, what stands together in one step.
fn remove_all<T>(now: &mut Vec<&T>, diffs: &mut Vec<Diff<T>>, gone: impl Fn(&T) -> bool) {
    let mut end = now.len();
    while end > 0 {
        if !gone(now[end - 1]) {
            end -= 1;
            continue;
        }
        let mut index = end - 1;
        while index > 0 && gone(now[index - 1]) {
            index -= 1;
        }
        let count = end - index;
        diffs.push(Diff::Remove { index, count });
        now.drain(index..end);
        end = index;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn steps(old: &[(u8, u8)], new: &[(u8, u8)]) -> Vec<Diff<(u8, u8)>> {
        diff(old, new, |item| item.0)
    }

    fn unique(items: Vec<(u8, u8)>) -> Vec<(u8, u8)> {
        let mut seen = BTreeSet::new();
        let new = items.into_iter().filter(|item| seen.insert(item.0));
        new.collect()
    }

    #[test]
    fn the_usual_steps_are_small() {
        let list = [(1, 0), (2, 0), (3, 0)];
        let one = |new: &[(u8, u8)]| steps(&list, new).len();
        assert_eq!(one(&list), 0);
        assert_eq!(one(&[(1, 0), (2, 0), (3, 0), (4, 0)]), 1, "one more");
        assert_eq!(one(&[(8, 0), (9, 0), (1, 0), (2, 0), (3, 0)]), 1, "a page");
        assert_eq!(one(&[(1, 0), (2, 9), (3, 0)]), 1, "a change");
        assert_eq!(one(&[(1, 0)]), 1, "two go");
        assert_eq!(one(&[(3, 0), (1, 0), (2, 0)]), 2, "to the top");
        assert_eq!(one(&[(2, 0), (3, 0), (1, 0)]), 2, "to the end");
    }

    #[test]
    fn very_many_steps_are_one() {
        let old: Vec<_> = (0..200).map(|n| (n, 0)).collect();
        let new: Vec<_> = (0..200).rev().map(|n| (n, 0)).collect();
        assert_eq!(steps(&old, &new), [Diff::Reset(new)]);
    }

    proptest! {
        #[test]
        fn applying_the_diffs_gives_the_list(
            lists in prop::collection::vec(prop::collection::vec((0u8..30, 0u8..3), 0..30), 1..6),
        ) {
            let mut shown = Vec::new();
            let mut before = Vec::new();
            for list in lists {
                let list = unique(list);
                for step in steps(&before, &list) {
                    step.apply(&mut shown);
                }
                prop_assert_eq!(&shown, &list);
                before = list;
            }
        }
    }
}
