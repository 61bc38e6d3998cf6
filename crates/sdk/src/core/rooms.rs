//! The chat rooms that the client is in.
//!
//! A room is entered when the application asks for it, and entered again by itself on every new
//! connection, and whenever something may have been lost, from where it was known: the server gives
//! what was missed, if the room still remembers it. What the server pushes before it has answered
//! waits for the answer, behind which it belongs.
//!
//! Nothing of a room is stored, and a hole is not filled: it was dropped under load, or is long ago.
//! [`RoomNews::Missed`] says so. Attributes are different, they are a state: when a change of them
//! may have been missed they are read anew.

use std::collections::{BTreeMap, VecDeque};

use anser_domain::code::{Action, Code};
use anser_domain::limits::ROOM_NEWEST_MAX;
use anser_domain::{RoomId, Timestamp};
use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;

use super::ClientCore;
use super::api::{Event, Random, Reply, Ticket};
use super::dispatch::What;
use super::follow::BrokenPromise;
use crate::error::Error;
use crate::limits::{REQUEST_TIMEOUT_MS, ROOM_PUSHES_HELD_MAX, ROOMS_MAX};
use crate::model::{RoomAttribute, RoomJoined, RoomLeft, RoomNews, room_news};

/// What is under way for a room.
#[derive(Clone, Debug)]
pub(super) enum RoomTask {
    /// Getting in; which question it is.
    Join(u64),
    /// Reading the attributes behind a key; those read so far.
    Attributes(Vec<RoomAttribute>),
}

#[derive(Debug, Default)]
struct Joined {
    /// Who waits to be in for the first time, and until when.
    ticket: Option<(Ticket, Timestamp)>,
    newest: u32,
    /// The client was in before.
    was_in: bool,
    /// It has to ask to be let in, from then on.
    ask_from: Option<Timestamp>,
    /// The question that is on its way: another one makes its answer void.
    asking: Option<u64>,
    epoch: u64,
    seq: u64,
    attributes_version: u64,
    /// They have to be read.
    attributes_from: Option<Timestamp>,
    reading: bool,
    /// What came before the answer. Bounded; what does not fit is missed.
    held: VecDeque<wire::RoomPush>,
}

#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: BTreeMap<String, Joined>,
    /// Questions so far.
    asked: u64,
}

impl Rooms {
    /// Every room is to be entered again.
    pub(super) fn enter_again(&mut self, now: Timestamp) {
        for room in self.rooms.values_mut() {
            room.ask_from = Some(now);
        }
    }

    /// The connection is gone, and what was under way on it.
    pub(super) fn lost(&mut self, name: &str, task: &RoomTask, now: Timestamp) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        match task {
            RoomTask::Join(number) => {
                if room.asking == Some(*number) {
                    room.asking = None;
                    room.ask_from = Some(now);
                }
            }
            RoomTask::Attributes(_) => {
                room.reading = false;
                room.attributes_from = Some(now);
            }
        }
    }

    /// The client stops. It comes back into the rooms that it was in when it is started again.
    pub(super) fn stop(&mut self) -> Vec<Ticket> {
        let rooms = self.rooms.values_mut();
        let tickets = rooms.filter_map(|room| {
            room.held.clear();
            room.ticket.take()
        });
        let tickets = tickets.map(|(ticket, _)| ticket).collect();
        self.rooms.retain(|_, room| room.was_in);
        tickets
    }

    /// The client is somebody else: nobody is in any room.
    pub(super) fn drain(&mut self) -> Vec<Ticket> {
        let rooms = std::mem::take(&mut self.rooms).into_values();
        let tickets = rooms.filter_map(|room| room.ticket);
        tickets.map(|(ticket, _)| ticket).collect()
    }

    pub(super) fn timers(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.rooms.values().flat_map(|room| {
            let waits = room.ticket.map(|(_, until)| until);
            [waits, room.ask_from, room.attributes_from]
                .into_iter()
                .flatten()
        })
    }

    fn is_current(&self, name: &str, number: u64) -> bool {
        let room = self.rooms.get(name);
        room.is_some_and(|room| room.asking == Some(number))
    }

    /// Those who have waited too long.
    fn expire(&mut self, now: Timestamp) -> Vec<Ticket> {
        let mut late = Vec::new();
        self.rooms.retain(|_, room| match room.ticket {
            Some((ticket, until)) if until <= now => {
                room.ticket = None;
                late.push(ticket);
                room.was_in
            }
            _ => true,
        });
        late
    }
}

impl ClientCore {
    pub(super) fn join_room(
        &mut self,
        ticket: Ticket,
        name: &str,
        newest: u32,
    ) -> Result<(), Error> {
        RoomId::new(name)
            .map_err(|why| Error::new(Code::InvalidRequest, format!("the room's id {why}")))?;
        if newest as usize > ROOM_NEWEST_MAX {
            let message = format!("newest is at most {ROOM_NEWEST_MAX}");
            return Err(Error::new(Code::InvalidRequest, message));
        }
        let rooms = &mut self.rooms.rooms;
        if rooms.len() >= ROOMS_MAX && !rooms.contains_key(name) {
            return Err(Error::queue_full());
        }
        let room = rooms.entry(name.to_owned()).or_default();
        if room.ticket.is_some() {
            return Err(Error::new(
                Code::InvalidRequest,
                "the room is being joined already",
            ));
        }
        room.ticket = Some((ticket, self.now.plus_ms(REQUEST_TIMEOUT_MS)));
        room.newest = newest;
        // The application wants the newest messages, as if it had not been in.
        (room.epoch, room.seq, room.attributes_version) = (0, 0, 0);
        room.asking = None;
        room.ask_from = Some(self.now);
        Ok(())
    }

    /// The application leaves: nothing of the room is told from here on.
    pub(super) fn forget_room(&mut self, name: &str) {
        if let Some((ticket, _)) = self.rooms.rooms.remove(name).and_then(|room| room.ticket) {
            self.done(
                ticket,
                Err(Error::new(Code::NotInRoom, "the room was left")),
            );
        }
    }

    pub(super) fn expire_rooms(&mut self) {
        for ticket in self.rooms.expire(self.now) {
            self.done(ticket, Err(Error::not_reachable()));
        }
    }

    /// Asks for what is due.
    pub(super) fn pump_rooms(&mut self) {
        let (now, mut due) = (self.now, Vec::new());
        let Rooms { rooms, asked } = &mut self.rooms;
        for (name, room) in rooms {
            let is_due = room.ask_from.is_some_and(|from| from <= now);
            // Behind the leaving that was asked for before.
            if room.asking.is_none() && is_due && !self.requests.is_leaving(name) {
                *asked += 1;
                (room.asking, room.ask_from) = (Some(*asked), None);
                let join = wire::JoinRoom {
                    room: name.clone(),
                    newest: room.newest,
                    known_epoch: room.epoch,
                    known_seq: room.seq,
                };
                due.push((
                    name.clone(),
                    RoomTask::Join(*asked),
                    Command::JoinRoom(join),
                ));
            }
            let is_in = room.was_in && room.asking.is_none() && room.ask_from.is_none();
            if is_in && !room.reading && room.attributes_from.is_some_and(|from| from <= now) {
                (room.reading, room.attributes_from) = (true, None);
                due.push((
                    name.clone(),
                    RoomTask::Attributes(Vec::new()),
                    attributes_of(name, ""),
                ));
            }
        }
        for (name, task, command) in due {
            self.submit_for_room(name, task, command);
        }
    }

    fn submit_for_room(&mut self, name: String, task: RoomTask, command: Command) {
        let until = self.now.plus_ms(2 * REQUEST_TIMEOUT_MS);
        self.submit(What::Room(name, task), until, command);
    }

    /// The server has answered.
    pub(super) fn room_answered(
        &mut self,
        name: String,
        task: RoomTask,
        answer: Answer,
        random: Random<'_>,
    ) -> Result<(), BrokenPromise> {
        match (task, answer) {
            (task, Answer::Error(error)) => {
                self.room_refused(&name, &task, error.into(), random);
                Ok(())
            }
            (RoomTask::Join(number), Answer::RoomJoined(joined)) => {
                self.room_joined(&name, number, joined)
            }
            (RoomTask::Attributes(read), Answer::RoomAttributes(list)) => {
                self.attributes_read(name, read, list);
                Ok(())
            }
            _ => Err(BrokenPromise),
        }
    }

    fn room_refused(&mut self, name: &str, task: &RoomTask, error: Error, random: Random<'_>) {
        if let RoomTask::Join(number) = task
            && !self.rooms.is_current(name, *number)
        {
            return;
        }
        match error.action() {
            Action::Retry => {
                let from = self.retry_time(&error, random);
                self.rooms.lost(name, task, from);
            }
            Action::LogIn | Action::SignedOut => {
                self.rooms.lost(name, task, self.now);
                self.connection_error(error, random);
            }
            Action::GiveUp => {
                let Some(room) = self.rooms.rooms.remove(name) else {
                    return;
                };
                if room.was_in {
                    let left = RoomLeft::Refused(error.clone());
                    self.tell_of_room(name, RoomNews::Left(left));
                }
                if let Some((ticket, _)) = room.ticket {
                    self.done(ticket, Err(error));
                }
            }
        }
    }

    fn room_joined(
        &mut self,
        name: &str,
        number: u64,
        joined: wire::RoomJoined,
    ) -> Result<(), BrokenPromise> {
        if !self.rooms.is_current(name, number) {
            return Ok(()); // it was left, or asked for anew, meanwhile
        }
        let Some(room) = self.rooms.rooms.get_mut(name) else {
            return Ok(());
        };
        let info = joined.room.ok_or(BrokenPromise)?;
        let same = room.epoch == joined.epoch;
        room.asking = None;
        let held = std::mem::take(&mut room.held);
        let version = info.attributes_version;
        let unsure = version != room.attributes_version || (!room.was_in && version != 0);
        if unsure {
            room.attributes_from = Some(self.now);
        }
        room.was_in = true;
        let member_count = info.member_count;
        match room.ticket.take() {
            Some((ticket, _)) => {
                (room.epoch, room.seq) = (joined.epoch, joined.seq);
                let items = joined.items.into_iter().filter_map(|item| item.item);
                let messages = items.filter_map(|item| match item {
                    wire::room_item::Item::Message(message) => Some(message.into()),
                    _ => None,
                });
                let reply = RoomJoined {
                    room: info.into(),
                    messages: messages.collect(),
                };
                self.done(ticket, Ok(Reply::RoomJoined(reply)));
            }
            None => {
                let before = room.seq;
                (room.epoch, room.seq) = (joined.epoch, joined.seq);
                if joined.lost {
                    let first = joined.items.first().map_or(joined.seq + 1, |item| item.seq);
                    let missed = match same {
                        true => first.saturating_sub(before + 1),
                        false => 0,
                    };
                    self.tell_of_room(name, RoomNews::Missed(missed));
                }
                for item in joined.items.into_iter().filter_map(|item| item.item) {
                    self.tell_of_room(name, room_news(item));
                }
                self.tell_of_room(name, RoomNews::MemberCount(member_count));
            }
        }
        for push in held {
            self.room_pushed(push);
        }
        Ok(())
    }

    fn attributes_read(
        &mut self,
        name: String,
        mut read: Vec<RoomAttribute>,
        list: wire::RoomAttributeList,
    ) {
        let Some(room) = self.rooms.rooms.get_mut(&name) else {
            return;
        };
        read.extend(list.attributes.into_iter().map(Into::into));
        if !list.after.is_empty() {
            let command = attributes_of(&name, &list.after);
            return self.submit_for_room(name, RoomTask::Attributes(read), command);
        }
        room.reading = false;
        if list.version < room.attributes_version {
            // A change was told meanwhile that is not in it.
            room.attributes_from = Some(self.now);
            return;
        }
        room.attributes_version = list.version;
        self.tell_of_room(&name, RoomNews::AllAttributes(read));
    }

    /// Something happened in a room.
    pub(super) fn room_pushed(&mut self, push: wire::RoomPush) {
        let now = self.now;
        // While the application is slow it is missed; the room is entered again afterwards.
        let is_slow = self.held.is_some();
        let Some(room) = self.rooms.rooms.get_mut(&push.room).filter(|_| !is_slow) else {
            return;
        };
        if room.asking.is_some() || room.ask_from.is_some() {
            if room.held.len() >= ROOM_PUSHES_HELD_MAX {
                room.held.pop_front();
            }
            room.held.push_back(push);
            return;
        }
        let (version, mut unsure, mut news) = (room.attributes_version, false, Vec::new());
        if room.epoch != push.epoch {
            (room.epoch, room.seq) = (push.epoch, push.prev);
            unsure = true;
            news.push(RoomNews::Missed(0));
        }
        let mut next = room.seq.max(push.prev);
        let mut missed = next - room.seq;
        for item in push.items {
            if item.seq <= room.seq {
                continue;
            }
            missed += item.seq - (next + 1).min(item.seq);
            (next, room.seq) = (item.seq, item.seq);
            if missed > 0 {
                unsure = true;
                news.push(RoomNews::Missed(std::mem::take(&mut missed)));
            }
            if let Some(wire::room_item::Item::Attributes(changed)) = &item.item {
                room.attributes_version = room.attributes_version.max(changed.version);
            }
            news.extend(item.item.map(room_news));
        }
        if missed > 0 {
            room.seq = next;
            unsure = true;
            news.push(RoomNews::Missed(missed));
        }
        news.extend(push.member_count.map(RoomNews::MemberCount));
        if unsure && push.attributes_version != version {
            room.attributes_from = Some(now);
        }
        for one in news {
            self.tell_of_room(&push.room, one);
        }
    }

    /// The server says that the client is not in a room any more.
    pub(super) fn room_left(&mut self, push: wire::RoomLeftPush) {
        let name = push.room.clone();
        let Some(room) = self.rooms.rooms.get_mut(&name) else {
            return;
        };
        if room.asking.is_some() || room.ticket.is_some() {
            // It is about a time before; the answer says how it is.
            return;
        }
        self.rooms.rooms.remove(&name);
        self.tell_of_room(&name, RoomNews::Left(push.into()));
    }

    fn tell_of_room(&mut self, name: &str, news: RoomNews) {
        self.emit(Event::Room {
            room: name.to_owned(),
            news,
        });
    }

    /// The application takes events again: what was missed meanwhile is asked for.
    pub(super) fn enter_rooms_again(&mut self) {
        self.rooms.enter_again(self.now);
    }
}

fn attributes_of(name: &str, after: &str) -> Command {
    Command::GetRoomAttributes(wire::GetRoomAttributes {
        room: name.to_owned(),
        keys: Vec::new(),
        after: after.to_owned(),
    })
}

/// Refuses what the server could only refuse.
pub(super) fn check(outgoing: &crate::model::RoomOutgoing, bytes_max: usize) -> Result<(), Error> {
    let content = &outgoing.content;
    anser_domain::message::check_content(&content.kind, content.body.len(), bytes_max)?;
    match &outgoing.client_message_id {
        Some(id) => Ok(anser_domain::message::check_client_message_id(id)?),
        None => Ok(()),
    }
}
