//! Who is in a room, in the order of joining.
//!
//! A room with a few members must cost little, since there may be a million of them, and one with
//! a hundred thousand must find each of them at once. So members stand in one list, those who left
//! as holes that are closed when they are half of it; from [`INDEX_FROM`] on there is an index by
//! user beside it.
//!
//! A member without a session is *away*. Those who are away wait in a queue, the longest first:
//! whoever is first there has been away longest and missed most, so looking whether somebody has
//! to leave is looking at the first.

use std::collections::VecDeque;

use anser_bus::NodeId;
use anser_domain::room::stay::Patience;
use anser_domain::{Timestamp, UserId};
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::session::SessionId;

/// Members from which on there is an index.
const INDEX_FROM: usize = 24;

/// One session in a room.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) struct Seat {
    pub(super) session: SessionId,
    pub(super) node: NodeId,
    /// Grows with each joining on the node, so that a leaving which is told late does not undo a
    /// joining that came after it.
    pub(super) entry: u64,
}

/// One user's sessions in a room. Nearly always one.
type Seats = Vec<Seat>;

struct Member {
    user: UserId,
    joined: Timestamp,
    seats: Seats,
    /// Without seats: since when, and the room's sequence then.
    away: Option<(Timestamp, u64)>,
}

#[derive(Default)]
pub(super) struct Members {
    /// Holes are members who left.
    slots: Vec<Option<Member>>,
    /// Slots that are no holes.
    count: usize,
    index: Option<Box<HashMap<UserId, usize, RandomState>>>,
    /// Users in the order in which they went away; some may be back, or gone.
    away: VecDeque<UserId>,
    /// How many seats there are at each node.
    nodes: Vec<(NodeId, usize)>,
}

/// What a session's coming was.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) enum Coming {
    /// The user was not in the room.
    New,
    /// The user was, with another session, or away.
    Back,
}

impl Members {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The nodes at which there are seats.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.iter().map(|(node, _)| *node)
    }

    fn seated(&mut self, node: NodeId) {
        match self.nodes.iter_mut().find(|(known, _)| *known == node) {
            Some((_, seats)) => *seats += 1,
            None => self.nodes.push((node, 1)),
        }
    }

    fn unseated(&mut self, node: NodeId) {
        self.nodes.retain_mut(|(known, seats)| {
            *seats -= usize::from(*known == node);
            *seats > 0
        });
    }

    fn place(&self, user: &UserId) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(user).copied(),
            None => self
                .slots
                .iter()
                .position(|slot| slot.as_ref().is_some_and(|member| member.user == *user)),
        }
    }

    fn get(&mut self, user: &UserId) -> Option<&mut Member> {
        let place = self.place(user)?;
        self.slots[place].as_mut()
    }

    pub(super) fn contains(&self, user: &UserId) -> bool {
        self.place(user).is_some()
    }

    /// When the user joined.
    pub(super) fn joined(&self, user: &UserId) -> Option<Timestamp> {
        let place = self.place(user)?;
        self.slots[place].as_ref().map(|member| member.joined)
    }

    /// A session of the user is in from now on.
    pub(super) fn enter(&mut self, user: &UserId, seat: Seat, now: Timestamp) -> Coming {
        if let Some(member) = self.get(user) {
            member.away = None;
            let mut seats = member.seats.iter_mut();
            match seats.find(|known| known.session == seat.session) {
                Some(known) => known.entry = known.entry.max(seat.entry),
                None => {
                    member.seats.push(seat);
                    self.seated(seat.node);
                }
            }
            return Coming::Back;
        }
        self.seated(seat.node);
        let place = self.slots.len();
        self.slots.push(Some(Member {
            user: user.clone(),
            joined: now,
            seats: vec![seat],
            away: None,
        }));
        self.count += 1;
        match &mut self.index {
            Some(index) => drop(index.insert(user.clone(), place)),
            None if self.count >= INDEX_FROM => self.close_holes(),
            None => {}
        }
        Coming::New
    }

    /// The user was in the room as far as is known, and is away.
    pub(super) fn expect(&mut self, user: &UserId, now: Timestamp) {
        if self.contains(user) {
            return;
        }
        let nobody = Seat {
            session: SessionId(0),
            node: NodeId(0),
            entry: 0,
        };
        self.enter(user, nobody, now);
        self.unseat(user, (nobody.session, 0), 0, now);
    }

    /// A session of the user is not connected any more, since this entry; 0 is any. Is the user
    /// away now, and was not?
    pub(super) fn unseat(
        &mut self,
        user: &UserId,
        (session, entry): (SessionId, u64),
        seq: u64,
        now: Timestamp,
    ) -> bool {
        if !self.take_seat(user, session, entry) {
            return false;
        }
        if let Some(member) = self.get(user)
            && member.seats.is_empty()
        {
            member.away = Some((now, seq));
            self.away.push_back(user.clone());
            return true;
        }
        false
    }

    /// Was it there?
    fn take_seat(&mut self, user: &UserId, session: SessionId, entry: u64) -> bool {
        let Some(member) = self.get(user) else {
            return false;
        };
        let undone = |seat: &Seat| seat.session == session && (entry == 0 || seat.entry <= entry);
        let Some(place) = member.seats.iter().position(undone) else {
            return false;
        };
        let seat = member.seats.swap_remove(place);
        self.unseated(seat.node);
        true
    }

    /// A session of the user leaves what it joined with this entry; 0 is any. Has the user left
    /// with it?
    pub(super) fn leave(&mut self, user: &UserId, session: SessionId, entry: u64) -> bool {
        self.take_seat(user, session, entry);
        let is_last = self.get(user).is_some_and(|member| member.seats.is_empty());
        if is_last {
            self.remove(user);
        }
        is_last
    }

    /// The user is out. The sessions that were in.
    pub(super) fn remove(&mut self, user: &UserId) -> Option<Seats> {
        let place = self.place(user)?;
        let member = self.slots[place].take()?;
        self.count -= 1;
        for seat in &member.seats {
            self.unseated(seat.node);
        }
        if let Some(index) = &mut self.index {
            index.remove(user);
        }
        if self.slots.len() > 2 * self.count {
            self.close_holes();
        }
        Some(member.seats)
    }

    fn close_holes(&mut self) {
        self.slots.retain(Option::is_some);
        self.slots.shrink_to(2 * self.count);
        self.index = (self.count >= INDEX_FROM).then(|| {
            let members = self.slots.iter().flatten().enumerate();
            let index = members.map(|(place, member)| (member.user.clone(), place));
            Box::new(index.collect())
        });
    }

    /// The next of those who have been away too long is out. `None`: nobody has.
    pub(super) fn next_gone(
        &mut self,
        patience: Patience,
        seq: u64,
        now: Timestamp,
        spared: impl Fn(&UserId) -> bool,
    ) -> Option<UserId> {
        while let Some(user) = self.away.front() {
            let user = user.clone();
            let since = self.get(&user).and_then(|member| member.away);
            match since {
                Some((since, at)) if !spared(&user) => {
                    if !patience.is_over(since, seq.saturating_sub(at), now) {
                        return None;
                    }
                    self.away.pop_front();
                    self.remove(&user);
                    return Some(user);
                }
                // Back, gone, or never to be put out.
                _ => drop(self.away.pop_front()),
            }
        }
        self.away = VecDeque::new();
        None
    }

    /// Is somebody away who may have to leave?
    pub(super) fn has_away(&self) -> bool {
        !self.away.is_empty()
    }

    /// Takes the seats at some nodes away: these are gone. Is anybody away because of it?
    pub(super) fn unseat_nodes(
        &mut self,
        gone: impl Fn(NodeId) -> bool,
        seq: u64,
        now: Timestamp,
    ) -> bool {
        let before = self.away.len();
        self.nodes.retain(|(node, _)| !gone(*node));
        for member in self.slots.iter_mut().flatten() {
            let seats = member.seats.len();
            member.seats.retain(|seat| !gone(seat.node));
            if member.seats.is_empty() && seats > 0 && member.away.is_none() {
                member.away = Some((now, seq));
                self.away.push_back(member.user.clone());
            }
        }
        self.away.len() > before
    }

    /// A page in the order of joining, or the other way round, behind a user. Somebody who has
    /// left since is found by the time.
    pub(super) fn page(
        &self,
        newest_first: bool,
        behind: Option<(&UserId, Timestamp)>,
        limit: usize,
    ) -> (Vec<(UserId, Timestamp)>, bool) {
        let start = behind.map(|(user, joined)| {
            self.place(user).unwrap_or_else(|| {
                // The user has left: who joined next, or before.
                let later = |slot: &Option<Member>| {
                    let joined_then = slot.as_ref().map(|member| member.joined);
                    joined_then.is_some_and(|then| match newest_first {
                        true => then >= joined,
                        false => then > joined,
                    })
                };
                let first = self.slots.iter().position(later);
                let first = first.unwrap_or(self.slots.len());
                match newest_first {
                    true => first,
                    false => first.wrapping_sub(1),
                }
            })
        });
        let shown = |member: &Member| (member.user.clone(), member.joined);
        let mut members: Vec<_> = if newest_first {
            let end = start.unwrap_or(self.slots.len());
            let slots = self.slots[..end].iter().rev().flatten();
            slots.take(limit + 1).map(shown).collect()
        } else {
            let begin = start.map_or(0, |start| start.wrapping_add(1));
            let slots = self.slots[begin..].iter().flatten();
            slots.take(limit + 1).map(shown).collect()
        };
        let more = members.len() > limit;
        members.truncate(limit);
        (members, more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(1);
    const PATIENCE: Patience = Patience {
        missed_max: 30,
        away_ms_max: 30_000,
    };

    fn seat(session: u64, entry: u64) -> Seat {
        Seat {
            session: SessionId(session),
            node: NODE,
            entry,
        }
    }

    #[test]
    fn a_leaving_that_is_told_late_does_not_undo_the_next_joining() {
        let mut members = Members::default();
        members.enter(&user(1), seat(1, 1), Timestamp(1));
        members.enter(&user(1), seat(1, 2), Timestamp(2));
        assert!(!members.leave(&user(1), SessionId(1), 1));
        assert!(!members.unseat(&user(1), (SessionId(1), 1), 0, Timestamp(3)));
        assert!(members.contains(&user(1)));
        assert!(members.leave(&user(1), SessionId(1), 2));
        assert!(!members.contains(&user(1)));
    }

    fn user(n: u64) -> UserId {
        UserId::new(&format!("u{n}")).unwrap()
    }

    fn filled(count: u64) -> Members {
        let mut members = Members::default();
        for n in 0..count {
            let coming = members.enter(&user(n), seat(n, 1), Timestamp(n));
            assert_eq!(coming, Coming::New);
        }
        members
    }

    fn names(page: &[(UserId, Timestamp)]) -> Vec<&str> {
        page.iter().map(|(user, _)| user.as_str()).collect()
    }

    #[test]
    fn a_user_is_in_with_the_first_session_and_out_with_the_last() {
        let mut members = Members::default();
        let a = user(0);
        assert_eq!(members.enter(&a, seat(1, 1), Timestamp(1)), Coming::New);
        assert_eq!(members.enter(&a, seat(2, 1), Timestamp(2)), Coming::Back);
        assert!(!members.leave(&a, SessionId(9), 0));
        assert!(!members.leave(&a, SessionId(1), 0));
        assert_eq!(members.nodes().count(), 1);
        assert!(members.leave(&a, SessionId(2), 0));
        assert!(!members.contains(&a) && members.len() == 0);
        assert_eq!(members.nodes().count(), 0);
    }

    #[test]
    fn members_are_found_whether_few_or_many_come_and_go() {
        let mut members = filled(200);
        for n in (0..200).filter(|n| n % 3 != 0) {
            assert_eq!(members.remove(&user(n)).unwrap().len(), 1);
        }
        assert_eq!(members.len(), 67);
        for n in 0..200 {
            assert_eq!(members.contains(&user(n)), n % 3 == 0, "{n}");
        }
        for n in (0..190).filter(|n| n % 3 == 0) {
            members.remove(&user(n)).unwrap();
        }
        assert!(members.index.is_none() && members.len() == 3);
        assert!(members.contains(&user(198)) && !members.contains(&user(3)));
    }

    #[test]
    fn who_is_away_too_long_is_out_and_who_comes_back_is_not() {
        let mut members = filled(3);
        let gone = |members: &mut Members, seq, now| {
            members.next_gone(PATIENCE, seq, Timestamp(now), |_| false)
        };
        assert!(members.unseat(&user(0), (SessionId(0), 1), 10, Timestamp(1_000)));
        assert!(members.unseat(&user(1), (SessionId(1), 1), 10, Timestamp(2_000)));
        assert!(!members.unseat(&user(1), (SessionId(1), 1), 10, Timestamp(2_000)));
        assert_eq!(gone(&mut members, 40, 3_000), None);
        assert_eq!(
            members.enter(&user(0), seat(7, 1), Timestamp(4_000)),
            Coming::Back
        );
        assert_eq!(gone(&mut members, 41, 3_000), Some(user(1)));
        assert_eq!(gone(&mut members, 99, 99_000), None);
        assert!(members.contains(&user(0)) && !members.has_away());
    }

    #[test]
    fn who_is_expected_comes_back_or_leaves() {
        let mut members = Members::default();
        members.expect(&user(1), Timestamp(0));
        members.expect(&user(2), Timestamp(0));
        let coming = members.enter(&user(1), seat(1, 1), Timestamp(9));
        assert_eq!((coming, members.nodes().count()), (Coming::Back, 1));
        members.expect(&user(1), Timestamp(10));
        let gone = members.next_gone(PATIENCE, 0, Timestamp(30_000), |_| false);
        assert_eq!((gone, members.len()), (Some(user(2)), 1));
    }

    #[test]
    fn the_protected_stay_though_they_are_away() {
        let mut members = filled(2);
        members.unseat(&user(0), (SessionId(0), 1), 0, Timestamp(0));
        members.unseat(&user(1), (SessionId(1), 1), 0, Timestamp(0));
        let spared = |one: &UserId| *one == user(0);
        let gone = members.next_gone(PATIENCE, 0, Timestamp(30_000), spared);
        assert_eq!(gone, Some(user(1)));
        assert!(members.contains(&user(0)));
    }

    #[test]
    fn pages_go_in_the_order_of_joining_either_way_also_past_somebody_who_left() {
        let mut members = filled(5);
        let (page, more) = members.page(false, None, 2);
        assert_eq!((names(&page), more), (vec!["u0", "u1"], true));
        let last = (user(1), Timestamp(1));
        members.remove(&user(1));
        let (page, more) = members.page(false, Some((&last.0, last.1)), 9);
        assert_eq!((names(&page), more), (vec!["u2", "u3", "u4"], false));
        let (page, more) = members.page(true, None, 2);
        assert_eq!((names(&page), more), (vec!["u4", "u3"], true));
        let last = (user(3), Timestamp(3));
        members.remove(&user(3));
        let (page, more) = members.page(true, Some((&last.0, last.1)), 2);
        assert_eq!((names(&page), more), (vec!["u2", "u0"], false));
    }

    #[test]
    fn those_of_a_node_that_is_gone_are_away() {
        let mut members = filled(2);
        members.enter(
            &user(1),
            Seat {
                node: NodeId(2),
                ..seat(8, 1)
            },
            Timestamp(9),
        );
        assert!(members.unseat_nodes(|node| node == NODE, 0, Timestamp(10)));
        assert_eq!(members.nodes().collect::<Vec<_>>(), [NodeId(2)]);
        let gone = members.next_gone(PATIENCE, 99, Timestamp(10), |_| false);
        assert_eq!(gone, Some(user(0)));
        assert!(members.contains(&user(1)));
    }
}
