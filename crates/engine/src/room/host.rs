//! A room at its owner: what it is, who is in it, and what is said.
//!
//! Everything here happens at once, under the room's lock, without waiting for anything: what has
//! to be stored is stored before, and what has to be told is gathered in a [`Frame`], which the
//! [`keeper`](super::keeper) takes when it is time.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_bus::NodeId;
use anser_domain::room::attribute::Attributes;
use anser_domain::room::info::RoomSettings;
use anser_domain::room::people::Standing;
use anser_domain::room::quota::{Quota, Shares};
use anser_domain::room::{Class, ClassTypes};
use anser_domain::{AppId, Code, MessageId, Reject, RoomId, Timestamp, UserId};
use bytes::Bytes;

use super::members::Members;
use super::ring::Ring;
use super::{
    Happening, LeftReason, RoomItem, RoomMessage, RoomSent, RoomView, SendRoomMessage, TICK_MS,
};
use crate::session::SessionId;

/// How often members are told how many they are, at the most.
const COUNT_MS: u64 = 1_000;
/// And at the least, however many there are. In between, a millisecond for each member: telling a
/// room how many are in it then costs a thousand deliveries a second, whatever its size.
const COUNT_MS_MAX: u64 = 30_000;
/// Items that wait for the next frame. A room takes far fewer in a tick; this is for one that is
/// allowed to take very many.
const PENDING_MAX: usize = 4_096;

/// A session that is not in the room any more.
#[derive(Clone, Debug)]
pub(crate) struct Leaver {
    pub(super) session: SessionId,
    pub(super) node: NodeId,
    pub(super) farewell: Farewell,
}

/// What it is told.
#[derive(Clone, Debug)]
pub(crate) struct Farewell {
    pub(super) reason: LeftReason,
    pub(super) until: Timestamp,
    pub(super) extra: Box<str>,
}

impl Farewell {
    pub(super) fn new(reason: LeftReason) -> Self {
        Self {
            reason,
            until: Timestamp(0),
            extra: "".into(),
        }
    }
}

/// What every node with members is told at a time.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(super) app: AppId,
    pub(super) room: RoomId,
    pub(super) epoch: u64,
    pub(super) prev: u64,
    pub(super) items: Vec<RoomItem>,
    pub(super) member_count: Option<u32>,
    pub(super) attributes_version: u64,
    pub(super) left: Vec<Leaver>,
    pub(super) destroyed: Option<Farewell>,
}

/// The numbers of an app that hold for its rooms.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) shares: Shares,
    pub(super) types: Arc<ClassTypes>,
}

/// When to tell what has happened.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) enum Due {
    /// At once.
    Now,
    /// Somebody has to come back in so many milliseconds.
    In(u64),
    /// Nothing is to be told, or somebody comes back for it.
    Later,
}

#[derive(Default)]
pub(super) struct Host {
    pub(super) settings: RoomSettings,
    pub(super) created: Timestamp,
    /// There is such a room.
    pub(super) exists: bool,
    /// It is in memory no more: whoever has it still must not use it.
    pub(super) is_gone: bool,
    /// The row as it stands in the store, and its version. None, of a room that came to be by
    /// somebody's joining: there is none.
    pub(super) row: Option<Bytes>,
    pub(super) version: u64,
    /// What stands there may be another row.
    pub(super) is_stale: bool,
    pub(super) attributes: Attributes,
    pub(super) attributes_version: u64,
    /// Users on any list.
    pub(super) people: BTreeMap<UserId, Standing>,
    pub(super) members: Members,
    /// Somebody joined or said something last.
    pub(super) active: Timestamp,
    /// As the store knows it.
    pub(super) touched: Timestamp,
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) ring: Ring,
    quota: Quota,
    /// Second, and attributes changed in it.
    changes: (u64, u32),
    /// Of the message before.
    last_id: Option<MessageId>,
    /// What has happened and is not told yet.
    pending: Vec<RoomItem>,
    left: Vec<Leaver>,
    destroyed: Option<Farewell>,
    /// When the next frame may leave.
    next: Timestamp,
    /// Somebody comes back for it.
    is_waiting: bool,
    /// What members were told of their number, and when.
    told: (usize, Timestamp),
    /// Somebody comes back to tell it.
    is_counting: bool,
}

impl Host {
    /// A room that nobody has said anything in yet.
    pub(super) fn new(epoch: u64, now: Timestamp) -> Self {
        Self {
            epoch,
            active: now,
            created: now,
            ..Self::default()
        }
    }

    pub(super) fn standing(&self, user: &UserId) -> Standing {
        self.people.get(user).copied().unwrap_or_default()
    }

    /// Does the store not know that the room is in use?
    pub(super) fn needs_touch(&self, every_ms: u64) -> bool {
        self.row.is_some() && self.active.since_ms(self.touched) >= every_ms
    }

    /// The user must be in the room.
    pub(super) fn check_member(&self, user: &UserId) -> Result<(), Reject> {
        match self.members.contains(user) {
            true => Ok(()),
            false => Err(Code::NotInRoom.into()),
        }
    }

    /// Something happened: it gets its place, and is told with the next frame.
    pub(super) fn stamp(&mut self, class: Class, what: Happening) -> u64 {
        self.seq += 1;
        let item = RoomItem {
            seq: self.seq,
            class,
            what,
        };
        self.ring.push(item.clone());
        if self.pending.len() < PENDING_MAX {
            self.pending.push(item);
        }
        self.seq
    }

    /// Takes a message of somebody who may speak, or drops it. `None` is the backend.
    pub(super) fn take(
        &mut self,
        rules: &Rules,
        sender: Option<&UserId>,
        send: SendRoomMessage,
        id: MessageId,
        now: Timestamp,
    ) -> Result<(RoomSent, Option<Arc<RoomMessage>>), Reject> {
        let standing = sender.map(|user| self.standing(user)).unwrap_or_default();
        if sender.is_some() {
            standing.check_may_speak(self.settings.muted, now)?;
        }
        let known = match send.client_message_id.as_str() {
            "" => None,
            known => self.ring.sent(sender, known),
        };
        if let Some((seq, message)) = known {
            return Ok((self.sent(seq, &message), None));
        }
        let id = self.follow_up(id);
        let time = id.time();
        let class = rules
            .types
            .class(&send.content_type, standing.is_protected(), send.low);
        let nowhere = RoomSent {
            epoch: self.epoch,
            seq: 0,
            message_id: id,
            time,
            dropped: false,
        };
        self.active = now;
        if self.settings.held && sender.is_some() && !standing.moderator {
            return Ok((nowhere, None));
        }
        if !self.quota.take(rules.shares, class, now) {
            let dropped = true;
            return Ok((RoomSent { dropped, ..nowhere }, None));
        }
        let message = Arc::new(RoomMessage {
            message_id: id,
            sender: sender.cloned(),
            client_message_id: send.client_message_id.into(),
            time,
            content_type: send.content_type.into(),
            body: send.body,
            low: send.low,
            recalled: false,
        });
        self.last_id = Some(id);
        let seq = self.stamp(class, Happening::Message(message.clone()));
        Ok((self.sent(seq, &message), Some(message)))
    }

    /// Ids of a room's messages ascend, also within a millisecond and when the clock jumps back:
    /// they are how those that are kept are sorted.
    fn follow_up(&self, id: MessageId) -> MessageId {
        match self.last_id {
            Some(last) if id <= last => {
                MessageId((u128::from_be_bytes(last.0).saturating_add(1)).to_be_bytes())
            }
            _ => id,
        }
    }

    fn sent(&self, seq: u64, message: &RoomMessage) -> RoomSent {
        RoomSent {
            epoch: self.epoch,
            seq,
            message_id: message.message_id,
            time: message.time,
            dropped: false,
        }
    }

    /// May so many attributes be changed now?
    pub(super) fn take_changes(
        &mut self,
        count: usize,
        per_second: u32,
        now: Timestamp,
    ) -> Result<(), Reject> {
        let second = now.0 / 1_000;
        if self.changes.0 != second {
            self.changes = (second, 0);
        }
        let taken = u32::try_from(count).unwrap_or(u32::MAX);
        // One request is always possible.
        if self.changes.1 > 0 && self.changes.1.saturating_add(taken) > per_second {
            let wait = u32::try_from(1_000 - now.0 % 1_000).expect("below a second");
            return Err(Reject::from(Code::RateLimited).retry_after_ms(wait));
        }
        self.changes.1 = self.changes.1.saturating_add(taken);
        Ok(())
    }

    /// The user is put out, with all sessions.
    pub(super) fn put_out(&mut self, user: &UserId, farewell: &Farewell) -> bool {
        let Some(seats) = self.members.remove(user) else {
            return false;
        };
        let leavers = seats.into_iter().map(|seat| Leaver {
            session: seat.session,
            node: seat.node,
            farewell: farewell.clone(),
        });
        self.left.extend(leavers);
        true
    }

    /// The room is gone, with everything that was decided about it but who is banned and muted.
    pub(super) fn destroy(&mut self) {
        self.exists = false;
        self.settings = RoomSettings::default();
        self.attributes = Attributes::new();
        self.ring = Ring::default();
        self.pending = Vec::new();
        self.destroyed = Some(Farewell::new(LeftReason::Destroyed));
        self.people.retain(|_, standing| {
            *standing = Standing {
                banned_until: standing.banned_until,
                muted_until: standing.muted_until,
                ..Standing::default()
            };
            *standing != Standing::default()
        });
    }

    /// When what has happened is to be told.
    pub(super) fn due(&mut self, now: Timestamp) -> Due {
        let is_empty = self.pending.is_empty() && self.left.is_empty() && self.destroyed.is_none();
        if is_empty || self.is_waiting {
            return Due::Later;
        }
        // A clock that jumped back does not silence the room.
        if self.next <= now || self.next.since_ms(now) > TICK_MS {
            return Due::Now;
        }
        self.is_waiting = true;
        Due::In(self.next.since_ms(now))
    }

    /// When members are to be told that they are more or fewer.
    pub(super) fn count_due(&mut self, now: Timestamp) -> Option<u64> {
        if self.is_counting || self.told.0 == self.members.len() {
            return None;
        }
        self.is_counting = true;
        let next = self.told.1.plus_ms(self.count_every());
        Some(next.since_ms(now).clamp(TICK_MS, COUNT_MS_MAX))
    }

    fn count_every(&self) -> u64 {
        (self.members.len() as u64).clamp(COUNT_MS, COUNT_MS_MAX)
    }

    /// Whoever came back for a frame is there.
    pub(super) fn is_back(&mut self) {
        self.is_waiting = false;
    }

    /// Whoever came back to tell the number is there. Is it another one than was told?
    pub(super) fn is_back_to_count(&mut self) -> bool {
        self.is_counting = false;
        self.told.0 != self.members.len()
    }

    /// What is to be told now, and to which nodes. The number of members goes along if it is
    /// another one and was not told a moment ago.
    pub(super) fn take_frame(
        &mut self,
        app: AppId,
        room: &RoomId,
        now: Timestamp,
    ) -> (Frame, Vec<NodeId>) {
        let items = std::mem::take(&mut self.pending);
        let left = std::mem::take(&mut self.left);
        let destroyed = self.destroyed.take();
        let mut nodes: Vec<NodeId> = self.members.nodes().collect();
        nodes.extend(left.iter().map(|leaver| leaver.node));
        nodes.sort_unstable();
        nodes.dedup();
        let count = self.members.len();
        let is_time = now.0 >= self.told.1.plus_ms(self.count_every()).0;
        let member_count = (count != self.told.0 && is_time).then(|| {
            self.told = (count, now);
            u32::try_from(count).unwrap_or(u32::MAX)
        });
        self.next = now.plus_ms(TICK_MS);
        let frame = Frame {
            app,
            room: room.clone(),
            epoch: self.epoch,
            prev: items.first().map_or(self.seq, |item| item.seq - 1),
            items,
            member_count,
            attributes_version: self.attributes_version,
            left,
            destroyed,
        };
        (frame, nodes)
    }

    pub(super) fn view(&self, id: &RoomId, user: Option<&UserId>, now: Timestamp) -> RoomView {
        let muted_until = user.map(|user| self.standing(user).muted_until);
        let moderators = self.people.iter().filter(|(_, one)| one.moderator);
        RoomView {
            id: id.clone(),
            settings: self.settings.clone(),
            created: self.created,
            member_count: u32::try_from(self.members.len()).unwrap_or(u32::MAX),
            attributes_version: self.attributes_version,
            moderators: moderators.map(|(user, _)| user.clone()).collect(),
            muted_until: muted_until.filter(|until| *until > now).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::members::Seat;
    use super::*;

    fn rules(ordinary: u32) -> Rules {
        Rules {
            shares: Shares {
                ordinary,
                reserved: 0,
                protected: 0,
            },
            types: Arc::default(),
        }
    }

    fn send(id: &str) -> SendRoomMessage {
        SendRoomMessage {
            client_message_id: id.into(),
            content_type: "text".into(),
            body: Bytes::from_static(b"hi"),
            low: false,
        }
    }

    fn room() -> RoomId {
        RoomId::new("hall").unwrap()
    }

    fn say(host: &mut Host, id: &str, now: u64) -> RoomSent {
        let message_id = MessageId::new(Timestamp(now), [1; 10]);
        let taken = host.take(&rules(3), None, send(id), message_id, Timestamp(now));
        taken.unwrap().0
    }

    #[test]
    fn a_quiet_room_is_heard_at_once_and_a_busy_one_every_tick() {
        let mut host = Host::default();
        say(&mut host, "a", 1_000);
        assert_eq!(host.due(Timestamp(1_000)), Due::Now);
        let (frame, _) = host.take_frame(AppId(1), &room(), Timestamp(1_000));
        assert_eq!((frame.prev, frame.items.len()), (0, 1));
        assert_eq!(host.due(Timestamp(1_001)), Due::Later, "nothing to tell");
        say(&mut host, "b", 1_010);
        assert_eq!(host.due(Timestamp(1_010)), Due::In(TICK_MS - 10));
        say(&mut host, "c", 1_020);
        assert_eq!(
            host.due(Timestamp(1_020)),
            Due::Later,
            "somebody comes back"
        );
        host.is_back();
        assert_eq!(host.due(Timestamp(1_100)), Due::Now);
        let (frame, _) = host.take_frame(AppId(1), &room(), Timestamp(1_100));
        assert_eq!((frame.prev, frame.items.len()), (1, 2));
    }

    #[test]
    fn a_message_sent_twice_is_there_once_and_what_is_dropped_has_no_number() {
        let mut host = Host::default();
        let first = say(&mut host, "a", 1_000);
        assert_eq!(say(&mut host, "a", 1_050), first);
        assert_eq!(say(&mut host, "b", 1_060).seq, 2);
        assert_eq!(say(&mut host, "c", 1_060).seq, 3);
        let over = say(&mut host, "d", 1_060);
        assert!(over.dropped && over.seq == 0);
        assert_eq!(say(&mut host, "d", 1_200).seq, 4);
    }

    #[test]
    fn ids_ascend_whatever_the_clock_does() {
        let mut host = Host::default();
        let mut last = say(&mut host, "a", 1_000).message_id;
        for (n, now) in [1_000, 900, 1_000, 1_400].into_iter().enumerate() {
            host.quota = Quota::default();
            let sent = say(&mut host, &n.to_string(), now);
            assert!(sent.message_id > last && sent.time == sent.message_id.time());
            last = sent.message_id;
        }
    }

    #[test]
    fn what_clients_send_to_a_held_room_goes_nowhere() {
        let mut host = Host::default();
        host.settings.held = true;
        let user = UserId::new("u").unwrap();
        let id = MessageId::new(Timestamp(1), [1; 10]);
        let taken = host.take(&rules(9), Some(&user), send("a"), id, Timestamp(1));
        let (sent, message) = taken.unwrap();
        assert!(sent.seq == 0 && !sent.dropped && message.is_none());
        assert_eq!(say(&mut host, "b", 2).seq, 1, "the backend speaks");
    }

    #[test]
    fn the_number_of_members_is_told_now_and_then() {
        let mut host = Host::default();
        let seat = |n: u64| Seat {
            session: SessionId(n),
            node: NodeId(1),
            entry: n,
        };
        let user = |n: u64| UserId::new(&format!("u{n}")).unwrap();
        host.members.enter(&user(1), seat(1), Timestamp(5_000));
        assert_eq!(host.count_due(Timestamp(5_000)), Some(TICK_MS));
        assert_eq!(
            host.count_due(Timestamp(5_001)),
            None,
            "somebody comes back"
        );
        assert!(host.is_back_to_count());
        let (frame, nodes) = host.take_frame(AppId(1), &room(), Timestamp(5_100));
        assert_eq!((frame.member_count, nodes), (Some(1), vec![NodeId(1)]));
        host.members.enter(&user(2), seat(2), Timestamp(5_200));
        assert_eq!(host.count_due(Timestamp(5_200)), Some(900));
        let (frame, _) = host.take_frame(AppId(1), &room(), Timestamp(5_300));
        assert_eq!(frame.member_count, None, "told a moment ago");
        let (frame, _) = host.take_frame(AppId(1), &room(), Timestamp(6_100));
        assert_eq!(frame.member_count, Some(2));
    }

    #[test]
    fn attributes_change_so_often_in_a_second_but_one_request_always_may() {
        let mut host = Host::default();
        assert!(host.take_changes(20, 10, Timestamp(1_000)).is_ok());
        let refused = host.take_changes(1, 10, Timestamp(1_400)).unwrap_err();
        assert_eq!(
            (refused.code, refused.retry_after_ms),
            (Code::RateLimited, 600)
        );
        assert!(host.take_changes(9, 10, Timestamp(2_000)).is_ok());
        assert!(host.take_changes(1, 10, Timestamp(2_000)).is_ok());
        assert!(host.take_changes(1, 10, Timestamp(2_000)).is_err());
    }

    #[test]
    fn bans_and_mutes_outlive_the_room() {
        let mut host = Host::default();
        let user = |n: u64| UserId::new(&format!("u{n}")).unwrap();
        let banned = Standing {
            banned_until: Timestamp(9),
            moderator: true,
            ..Standing::default()
        };
        host.people.insert(user(1), banned);
        host.people.insert(
            user(2),
            Standing {
                exempt: true,
                ..Standing::default()
            },
        );
        host.destroy();
        assert_eq!(host.people.len(), 1);
        assert!(!host.standing(&user(1)).moderator);
        assert_eq!(host.standing(&user(1)).banned_until, Timestamp(9));
    }
}
