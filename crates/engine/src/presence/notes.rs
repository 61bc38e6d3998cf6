//! Whose sessions came or went, and who is still to be told of it.
//!
//! A note is due a moment after it was made, and those that are due longest are taken first. A
//! note of what was stored and could not be told says so, until it is told. The notes also know
//! when the users told to be online are to be looked through, and how far that came.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anser_domain::{AppId, Timestamp};
use bytes::Bytes;
use parking_lot::Mutex;

/// From a change to telling it: a device that is back by then was never away.
const DEBOUNCE_MS: u64 = 1_500;
/// How long sessions may take to register with new homes after a change of view.
const SETTLE_MS: u64 = 5_000;
/// Users noted. Beyond, a change is told with the next one of the same user.
const NOTES_MAX: usize = 262_144;

type User = (AppId, Arc<str>);

/// A look through the users told to be online: where it goes on.
#[derive(Clone, Default)]
pub(super) struct Look {
    /// The shard.
    pub(super) shard: u16,
    /// The key in it after which to go on.
    pub(super) after: Option<Bytes>,
}

#[derive(Default)]
struct State {
    /// With each, whether telling is owed.
    notes: BTreeMap<User, bool>,
    /// When each user's sessions are to be looked at.
    order: BTreeSet<(Timestamp, User)>,
    /// Until then nobody is looked at.
    settled: Timestamp,
    /// When the users told to be online are to be looked through, and from where.
    look: Option<(Timestamp, Look)>,
}

impl State {
    /// `false`: there is no room.
    fn note(&mut self, user: User, due: Timestamp, owed: bool, room: usize) -> bool {
        if let Some(note) = self.notes.get_mut(&user) {
            *note |= owed;
            return true;
        }
        if self.notes.len() >= room {
            return false;
        }
        self.order.insert((due, user.clone()));
        self.notes.insert(user, owed);
        true
    }
}

/// Whose sessions came or went.
#[derive(Default)]
pub(crate) struct Notes {
    /// Does any app want it?
    wanted: AtomicBool,
    state: Mutex<State>,
}

impl Notes {
    /// Is anything noted from now on?
    pub(super) fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    /// The user's sessions changed. `false`: there is no room to note it.
    pub(crate) fn note(&self, app: AppId, user: &str, now: Timestamp) -> bool {
        if !self.wanted.load(Ordering::Relaxed) {
            return true;
        }
        let due = now.plus_ms(DEBOUNCE_MS);
        let mut state = self.state.lock();
        state.note((app, Arc::from(user)), due, false, NOTES_MAX)
    }

    /// What is told of the user changed, and nobody was told yet. `false`: there is no room.
    pub(super) fn owe(&self, app: AppId, user: &str, now: Timestamp) -> bool {
        let due = now.plus_ms(DEBOUNCE_MS);
        let mut state = self.state.lock();
        state.note((app, Arc::from(user)), due, true, NOTES_MAX)
    }

    /// Homes are moving.
    pub(super) fn unsettle(&self, now: Timestamp) {
        let mut state = self.state.lock();
        state.settled = now.plus_ms(SETTLE_MS);
        state.look = Some((state.settled, Look::default()));
    }

    /// The users told to be online are to be looked through, from the start.
    pub(super) fn look_anew(&self, now: Timestamp) {
        let mut state = self.state.lock();
        let at = now.max(state.settled);
        state.look = Some((at, Look::default()));
    }

    /// A look that was not finished goes on, unless another one is to come.
    pub(super) fn look_on(&self, look: Look, now: Timestamp) {
        let mut state = self.state.lock();
        state.look.get_or_insert((now.plus_ms(DEBOUNCE_MS), look));
    }

    /// The look that is due.
    pub(super) fn look(&self, now: Timestamp) -> Option<Look> {
        let mut state = self.state.lock();
        let due = state.look.take_if(|(at, _)| *at <= now);
        due.map(|(_, look)| look)
    }

    /// At most so many users that are due, those first who are longest; with each, whether
    /// telling is owed.
    pub(super) fn take(&self, now: Timestamp, most: usize) -> Vec<(User, bool)> {
        let mut state = self.state.lock();
        let mut taken = Vec::new();
        if now < state.settled {
            return taken;
        }
        while taken.len() < most {
            if state.order.first().is_none_or(|(due, _)| *due > now) {
                break;
            }
            let Some((_, user)) = state.order.pop_first() else {
                break;
            };
            let owed = state.notes.remove(&user).unwrap_or_default();
            taken.push((user, owed));
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: AppId = AppId(7);

    fn wanted() -> Notes {
        let notes = Notes::default();
        notes.want(true);
        notes
    }

    fn names(taken: &[(User, bool)]) -> Vec<(&str, bool)> {
        taken
            .iter()
            .map(|((_, user), owed)| (&**user, *owed))
            .collect()
    }

    #[test]
    fn who_waits_longest_is_taken_first() {
        let notes = wanted();
        for (time, user) in [(1, "zoe"), (2, "bob"), (3, "alice"), (4, "zoe")] {
            assert!(notes.note(APP, user, Timestamp(time)));
        }
        assert!(notes.take(Timestamp(DEBOUNCE_MS), 9).is_empty());
        let later = Timestamp(DEBOUNCE_MS + 9);
        assert_eq!(
            names(&notes.take(later, 2)),
            [("zoe", false), ("bob", false)]
        );
        assert_eq!(names(&notes.take(later, 2)), [("alice", false)]);
        assert!(notes.take(later, 2).is_empty());
    }

    #[test]
    fn what_is_owed_stays_owed_until_it_is_taken() {
        let notes = wanted();
        assert!(notes.owe(APP, "bob", Timestamp(1)));
        assert!(notes.note(APP, "bob", Timestamp(2)));
        assert!(notes.note(APP, "alice", Timestamp(3)));
        assert!(notes.owe(APP, "alice", Timestamp(4)));
        let later = Timestamp(DEBOUNCE_MS + 9);
        assert_eq!(
            names(&notes.take(later, 9)),
            [("bob", true), ("alice", true)]
        );
        assert!(notes.note(APP, "bob", later));
        let again = later.plus_ms(DEBOUNCE_MS);
        assert_eq!(names(&notes.take(again, 9)), [("bob", false)]);
    }

    #[test]
    fn notes_have_an_end_and_who_is_noted_needs_no_room() {
        let mut state = State::default();
        let user = |name: &str| (APP, Arc::from(name));
        assert!(state.note(user("a"), Timestamp(1), false, 1));
        assert!(!state.note(user("b"), Timestamp(1), true, 1));
        assert!(state.note(user("a"), Timestamp(2), true, 1));
        assert_eq!((state.notes.len(), state.order.len()), (1, 1));
    }

    #[test]
    fn a_look_goes_on_where_it_stopped_and_a_change_of_view_begins_anew() {
        let notes = wanted();
        let now = Timestamp(10);
        assert!(notes.look(now).is_none());
        notes.look_anew(now);
        let mut look = notes.look(now).expect("due");
        assert!(notes.look(now).is_none(), "it was taken");
        look.shard = 5;
        notes.look_on(look.clone(), now);
        let later = now.plus_ms(DEBOUNCE_MS);
        assert_eq!(notes.look(later).expect("due").shard, 5);
        notes.unsettle(later);
        notes.look_on(look, later);
        assert!(
            notes.look(later.plus_ms(DEBOUNCE_MS)).is_none(),
            "not settled"
        );
        assert_eq!(notes.look(later.plus_ms(SETTLE_MS)).expect("due").shard, 0);
    }
}
