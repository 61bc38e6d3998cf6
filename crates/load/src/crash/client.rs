//! A client that keeps talking while the server dies under it.
//!
//! It does what an SDK does, and no more: reconnect, resend what is not acknowledged with the same
//! client message ids, in order. It writes down what it is told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anser_proto::client::{
    Content, MarkRead, Message, Response, SendMessage, request::Command, response,
};

use super::model::{Ack, Journal, Room, Sent};
use crate::clients::blocking::{Arrival, Session};
use crate::clients::login::{Credentials, Target};

/// Messages in flight of one client.
const WINDOW: usize = 4;
/// The least time between two sends of a client: fifty of them make thousands a second.
const PACE: Duration = Duration::from_millis(15);
/// How long to wait for something to arrive before looking around.
const GLANCE: Duration = Duration::from_millis(15);
/// An answer that does not come in this time, with the server up, never will.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of the longest message.
const BODY_MAX: usize = 400;

/// What all clients share with the one who kills.
pub(crate) struct Stage {
    /// Where the server is, while it is up.
    pub(crate) target: Mutex<Option<Target>>,
    /// No new messages: finish what is open.
    pub(crate) curtain: AtomicBool,
    /// Names of the rooms.
    pub(crate) rooms: Vec<String>,
}

pub(crate) struct Client<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) credentials: Credentials,
    pub(crate) random: fastrand::Rng,
    pub(crate) journal: Journal,
    /// Numbers of messages that are sent and not acknowledged.
    pub(crate) open: Vec<usize>,
    /// A read position that is not acknowledged.
    pub(crate) reading: Option<(Room, u64)>,
    /// Read positions that go along with sends, by number of message.
    pub(crate) with_read: BTreeMap<usize, u64>,
    /// The highest sequence heard of.
    pub(crate) heads: BTreeMap<Room, u64>,
}

/// What the requests of one connection were.
#[derive(Default)]
struct Asked {
    sends: BTreeMap<u32, usize>,
    /// Room, position asked for, and the least that the answer may say.
    reads: BTreeMap<u32, (Room, u64, u64)>,
    /// The last live message of each room on this connection.
    shown: BTreeMap<Room, u64>,
    next_send: Option<Instant>,
    /// Refused for now: send again what is open.
    refused: bool,
}

impl Client<'_> {
    /// Plays until the curtain has fallen and nothing is open; gives its journal.
    pub(crate) fn play(mut self) -> Journal {
        let mut last_progress = Instant::now();
        while !(self.curtain() && self.open.is_empty() && self.reading.is_none()) {
            let acked = self.open.len();
            let target = self
                .stage
                .target
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let opened = target.map(|target| Session::open(&target, &self.credentials, "crash"));
            if let Some(Ok((session, _))) = opened {
                self.journal.connections += 1;
                // How a connection ends does not matter: it is the server that is killed.
                let _ = self.converse(session);
            } else {
                std::thread::sleep(Duration::from_millis(self.random.u64(5..40)));
            }
            if !self.curtain() || self.open.len() < acked {
                last_progress = Instant::now();
            } else if last_progress.elapsed() > PATIENCE {
                let open = self.open.len();
                let user = &self.journal.user;
                self.journal
                    .wrong
                    .push(format!("{user}: {open} messages are never answered"));
                break;
            }
        }
        self.journal
    }

    fn curtain(&self) -> bool {
        self.stage.curtain.load(Ordering::Relaxed)
    }

    fn converse(&mut self, mut session: Session) -> Result<(), String> {
        let mut asked = Asked::default();
        self.journal.resent += self.open.len() as u64;
        self.resend(&mut session, &mut asked)?;
        let mut quiet_since = Instant::now();
        loop {
            if self.curtain() && self.open.is_empty() && self.reading.is_none() {
                return Ok(());
            }
            if !self.curtain() {
                self.talk(&mut session, &mut asked)?;
            }
            match session.receive(Instant::now() + GLANCE)? {
                Some(arrival) => {
                    quiet_since = Instant::now();
                    self.take(arrival, &mut asked)?;
                }
                None if quiet_since.elapsed() > PATIENCE => return Err("silence".to_owned()),
                None => {}
            }
            if asked.refused {
                asked = Asked::default();
                std::thread::sleep(Duration::from_millis(100));
                self.resend(&mut session, &mut asked)?;
            }
        }
    }

    fn resend(&mut self, session: &mut Session, asked: &mut Asked) -> Result<(), String> {
        for number in self.open.clone() {
            self.send(session, asked, number)?;
        }
        if let Some((room, seq)) = self.reading {
            self.read(session, asked, room, seq)?;
        }
        Ok(())
    }

    /// One new message, if the window and the pace allow; now and then a read position.
    fn talk(&mut self, session: &mut Session, asked: &mut Asked) -> Result<(), String> {
        let now = Instant::now();
        if self.open.len() >= WINDOW || asked.next_send.is_some_and(|at| now < at) {
            return Ok(());
        }
        asked.next_send = Some(now + PACE);
        let room = self.journal.rooms[self.random.usize(..self.journal.rooms.len())];
        let head = self.heads.get(&room).copied().unwrap_or(0);
        if self.reading.is_none() && head > 0 && self.random.u8(..) < 24 {
            self.reading = Some((room, self.random.u64(1..=head)));
            self.read(session, asked, room, self.reading.map_or(0, |(_, seq)| seq))?;
        }
        let number = self.journal.sent.len();
        let length = self.random.usize(1..=BODY_MAX);
        self.journal.sent.push(Sent {
            room,
            client_message_id: format!("{}-{number}", self.journal.user),
            body: (0..length)
                .map(|_| self.random.alphanumeric() as u8)
                .collect(),
            ack: None,
        });
        if self.random.u8(..) < 24 {
            self.with_read.insert(number, head);
        }
        self.open.push(number);
        self.send(session, asked, number)
    }

    fn send(&self, session: &mut Session, asked: &mut Asked, number: usize) -> Result<(), String> {
        let sent = &self.journal.sent[number];
        let id = session.request(Command::SendMessage(SendMessage {
            conversation: self.stage.rooms[sent.room].clone(),
            client_message_id: sent.client_message_id.clone(),
            content: Some(Content {
                r#type: "text".to_owned(),
                body: sent.body.clone().into(),
            }),
            first_try_time: 0,
            read_up_to: self.with_read.get(&number).copied().unwrap_or(0),
            ..Default::default()
        }))?;
        asked.sends.insert(id, number);
        Ok(())
    }

    fn read(
        &self,
        session: &mut Session,
        asked: &mut Asked,
        room: Room,
        seq: u64,
    ) -> Result<(), String> {
        let conversation = self.stage.rooms[room].clone();
        let id = session.request(Command::MarkRead(MarkRead { conversation, seq }))?;
        // A position that a send acknowledges meanwhile may be newer than this answer.
        let known = self.journal.read.get(&room).copied().unwrap_or(0);
        asked.reads.insert(id, (room, seq, known.max(seq)));
        Ok(())
    }

    fn take(&mut self, arrival: Arrival, asked: &mut Asked) -> Result<(), String> {
        match arrival {
            Arrival::Message(push) => {
                if let Some(message) = push.message {
                    self.show(&message, asked);
                }
                Ok(())
            }
            Arrival::Response(response) => {
                self.answer(response, asked);
                Ok(())
            }
            Arrival::Closing(code) => Err(format!("closed with code {code}")),
            Arrival::Other => Ok(()),
        }
    }

    fn show(&mut self, message: &Message, asked: &mut Asked) {
        let room = self
            .stage
            .rooms
            .iter()
            .position(|name| *name == message.conversation);
        let Some(room) = room.filter(|room| self.journal.rooms.contains(room)) else {
            let user = &self.journal.user;
            let name = &message.conversation;
            self.journal
                .wrong
                .push(format!("{user} is not in {name} and was shown it"));
            return;
        };
        let last = asked.shown.insert(room, message.seq).unwrap_or(0);
        if message.seq <= last {
            let (user, seq) = (&self.journal.user, message.seq);
            let name = &message.conversation;
            self.journal
                .wrong
                .push(format!("{user}: {name} shows {seq} after {last}"));
        }
        self.heard(room, message.seq);
        self.journal.show(room, message);
    }

    fn heard(&mut self, room: Room, seq: u64) {
        let head = self.heads.entry(room).or_default();
        *head = seq.max(*head);
    }

    fn answer(&mut self, response: Response, asked: &mut Asked) {
        let send = asked.sends.remove(&response.id);
        let read = asked.reads.remove(&response.id);
        match (response.result, send, read) {
            (Some(response::Result::SendMessage(result)), Some(number), None) => {
                self.heard(self.journal.sent[number].room, result.seq);
                self.open.retain(|open| *open != number);
                let ack = Ack {
                    seq: result.seq,
                    message_id: result.message_id,
                };
                self.journal.acknowledge(number, ack);
                if let Some(read) = self.with_read.get(&number) {
                    let room = self.journal.sent[number].room;
                    let known = self.journal.read.entry(room).or_default();
                    *known = (*read).max(*known);
                }
            }
            (Some(response::Result::MarkRead(result)), None, Some((room, seq, least))) => {
                self.reading = None;
                let known = self.journal.read.entry(room).or_default();
                *known = seq.max(*known);
                if result.read_seq < least {
                    let (user, at) = (&self.journal.user, result.read_seq);
                    let wrong = format!("{user}: read up to {least}, told {at}");
                    self.journal.wrong.push(wrong);
                }
            }
            // Ranges of codes: 1000 to 1999 mean "later" (docs/errors.md).
            (Some(response::Result::Error(error)), Some(_), None) if error.code / 1000 == 1 => {
                self.journal.refused = true;
                asked.refused = true;
            }
            (Some(response::Result::Error(error)), None, Some(_)) if error.code / 1000 == 1 => {
                asked.refused = true;
            }
            (result, send, read) => {
                let user = &self.journal.user;
                self.journal.wrong.push(format!(
                    "{user}: an answer that fits no question: {result:?} {send:?} {read:?}"
                ));
            }
        }
    }
}
