//! What goes over a connection: requests into frames, and what frames bring to whom it concerns.

use anser_domain::Timestamp;
use anser_domain::code::Code;
use anser_domain::limits::{FRAME_REQUESTS_MAX, PRESENCE_SUBSCRIPTIONS_MAX};
use anser_proto::client as wire;
use bytes::Bytes;
use prost::Message as _;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use super::api::{ConnectionId, Event, Output, Random};
use super::connection::Phase;
use super::follow::{BrokenPromise, Pull};
use super::rooms::RoomTask;
use super::{ClientCore, commands, outbox};
use crate::error::Error;
use crate::limits::{REQUEST_TIMEOUT_MS, SEND_TIMEOUT_MS};
use crate::model::Presence;

/// A request that waits for its response.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    what: What,
    pub(super) until: Timestamp,
}

/// Whose it is.
#[derive(Clone, Debug)]
pub(super) enum What {
    Hello,
    Ping,
    Sync,
    Pull(String, Pull),
    Send(outbox::Key),
    Delivered(String, u64),
    Request(u64),
    Room(String, RoomTask),
}

impl ClientCore {
    /// Queues a request for the next frame.
    pub(super) fn submit(&mut self, what: What, until: Timestamp, command: Command) {
        loop {
            self.next_request = self.next_request.wrapping_add(1).max(1);
            if !self.in_flight.contains_key(&self.next_request) {
                break;
            }
        }
        let id = self.next_request;
        self.in_flight.insert(id, InFlight { what, until });
        self.unsent.push(wire::Request {
            id,
            command: Some(command),
        });
    }

    /// Sends whatever can go out.
    pub(super) fn pump(&mut self) {
        if !self.phase.is_online() {
            return;
        }
        if self.held.is_none() && self.sync.is_due(self.now) {
            self.start_sync();
        }
        let server_now = self.session.server_now(self.now);
        for key in self.outbox.take_ready(self.now, server_now) {
            let Some(entry) = self.outbox.get(key) else {
                continue;
            };
            let send = wire::SendMessage {
                client_message_id: entry.client_message_id().to_owned(),
                ..entry.outgoing.clone().into()
            };
            let until = self.now.plus_ms(SEND_TIMEOUT_MS);
            self.submit(What::Send(key), until, Command::SendMessage(send));
        }
        self.pump_rooms();
        for key in self.requests.take_ready(self.now) {
            if let Some(command) = self.requests.get(key).and_then(commands::encode) {
                // Its own end comes first; this one only bounds how long the id is taken.
                let until = self.now.plus_ms(2 * REQUEST_TIMEOUT_MS);
                self.submit(What::Request(key), until, command);
            }
        }
        if self.held.is_none() && !self.sync.is_running() {
            self.settle();
            self.pull();
        }
        self.tell_delivered();
    }

    /// Puts what is queued into frames.
    pub(super) fn flush(&mut self) {
        match &mut self.phase {
            Phase::Online(online) if !self.unsent.is_empty() => {
                online.last_sent = self.now;
                let id = online.id;
                self.flush_to(id);
            }
            Phase::Greeting { id } => {
                let id = *id;
                self.flush_to(id);
            }
            _ => {}
        }
    }

    pub(super) fn flush_to(&mut self, id: ConnectionId) {
        let mut frame = wire::ClientFrame::default();
        let mut bytes = 0;
        for request in std::mem::take(&mut self.unsent) {
            let more = request.encoded_len() + 8;
            let full = frame.requests.len() >= FRAME_REQUESTS_MAX
                || bytes + more > self.session.frame_bytes_max;
            if full && !frame.requests.is_empty() {
                let ready = std::mem::take(&mut frame);
                self.outputs
                    .push_back(Output::Send(id, ready.encode_to_vec().into()));
                bytes = 0;
            }
            bytes += more;
            frame.requests.push(request);
        }
        if !frame.requests.is_empty() {
            self.outputs
                .push_back(Output::Send(id, frame.encode_to_vec().into()));
        }
    }

    pub(super) fn expire(&mut self, random: Random<'_>) {
        self.expire_connection(random);
        let over = |(id, flight): (&u32, &InFlight)| (flight.until <= self.now).then_some(*id);
        let late: Vec<u32> = self.in_flight.iter().filter_map(over).collect();
        let mut broken = false;
        for id in late {
            match self.in_flight.get(&id).map(|flight| &flight.what) {
                // The request ended by itself; only the id was still taken.
                Some(What::Ping | What::Request(_)) => {
                    self.in_flight.remove(&id);
                }
                _ => broken = true,
            }
        }
        if broken {
            self.again(None, random);
        }
        for failed in self.outbox.expire(self.now) {
            self.send_failed(Some(failed));
        }
        self.expire_rooms();
        let failed = self.requests.expire(self.now);
        self.fail_each(failed);
    }

    /// The connection is gone.
    pub(super) fn lose_in_flight(&mut self) {
        for flight in std::mem::take(&mut self.in_flight).into_values() {
            let failed = match flight.what {
                What::Send(key) => {
                    let failed = self.outbox.lost(key, self.now);
                    self.send_failed(failed);
                    None
                }
                What::Hello | What::Ping => None,
                What::Sync => {
                    self.sync.abandon();
                    None
                }
                What::Pull(conversation, _) => {
                    self.follows.pulled(&conversation);
                    None
                }
                What::Delivered(conversation, seq) => {
                    self.delivered_lost(&conversation, seq);
                    None
                }
                What::Request(key) => self.requests.lost(key, self.now),
                What::Room(name, task) => {
                    self.rooms.lost(&name, &task, self.now);
                    None
                }
            };
            self.fail_each(failed);
        }
    }

    pub(super) fn frame(&mut self, id: ConnectionId, frame: Bytes, random: Random<'_>) {
        if !self.is_present(id) {
            return;
        }
        let Ok(frame) = wire::ServerFrame::decode(frame) else {
            return self.again(Some(broken()), random);
        };
        self.sign_of_life();
        for item in frame.items.into_iter().filter_map(|item| item.item) {
            let taken = self.item(item, random);
            if !self.is_present(id) {
                return;
            }
            if taken.is_err() {
                return self.again(Some(broken()), random);
            }
        }
    }

    fn item(&mut self, item: Item, random: Random<'_>) -> Result<(), BrokenPromise> {
        match item {
            Item::Response(response) => return self.response(response, random),
            Item::Close(close) => {
                let error = close.error.map_or_else(broken, Into::into);
                self.connection_error(error, random);
            }
            // Before the greeting there is nothing to be told.
            _ if !self.phase.is_online() => return Err(BrokenPromise),
            Item::Message(push) => {
                let message = push.message.ok_or(BrokenPromise)?;
                if message.seq == 0 {
                    // While the application is slow, what nobody stores is dropped.
                    if self.held.is_none() {
                        self.emit(Event::Transient(message.into()));
                    }
                    return Ok(());
                }
                self.arrived(push.prev, message.into())?;
            }
            Item::Read(push) => self.read(push),
            Item::Conversation(push) => self.conversation(push),
            Item::Check(_) => {
                self.sync.want();
                self.enter_rooms_again();
            }
            Item::Receipt(push) => {
                if self.held.is_none() {
                    self.emit(Event::Receipts {
                        conversation: push.conversation,
                        receipts: push.receipts.into_iter().map(Into::into).collect(),
                        acknowledgements: push
                            .acknowledgements
                            .into_iter()
                            .map(Into::into)
                            .collect(),
                    });
                }
            }
            Item::Change(push) => {
                let message = push.message.ok_or(BrokenPromise)?;
                self.changed(push.previous_rev, message.into());
            }
            Item::Deleted(push) => self.deleted(push),
            Item::JoinRequest(push) => {
                if self.held.is_none() {
                    self.emit(Event::JoinRequest(push.into()));
                }
            }
            Item::Relation(push) => {
                // One that is left out is seen by the next one's `previous`.
                if self.held.is_none() {
                    self.emit(Event::Relations(push.into()));
                }
            }
            Item::Presence(push) => self.presence(push.into()),
            Item::Room(push) => self.room_pushed(push),
            Item::RoomLeft(push) => self.room_left(push),
        }
        Ok(())
    }

    fn presence(&mut self, presence: Presence) {
        let Some(held) = &mut self.held else {
            return self.emit(Event::Presence(presence));
        };
        let room = held.presences.len() < PRESENCE_SUBSCRIPTIONS_MAX;
        if room || held.presences.contains_key(&presence.user) {
            held.presences.insert(presence.user.clone(), presence);
        }
    }

    fn response(
        &mut self,
        response: wire::Response,
        random: Random<'_>,
    ) -> Result<(), BrokenPromise> {
        let Some(flight) = self.in_flight.remove(&response.id) else {
            return Ok(()); // later than anybody waited for it
        };
        let answer = response.result.ok_or(BrokenPromise);
        // The request is no longer on its way, whatever the answer is.
        if let What::Pull(conversation, _) = &flight.what {
            self.follows.pulled(conversation);
        }
        match (flight.what, answer) {
            (What::Send(key), answer) => {
                let answer = answer.unwrap_or_else(|_| Answer::Error(no_answer()));
                self.send_answered(key, answer, random)
            }
            (What::Request(key), answer) => {
                let answer = answer.unwrap_or_else(|_| Answer::Error(no_answer()));
                self.request_answered(key, answer, random);
                Ok(())
            }
            (_, Err(broken)) => Err(broken),
            (What::Room(name, task), Ok(answer)) => self.room_answered(name, task, answer, random),
            (What::Delivered(conversation, seq), Ok(answer)) => {
                let error = match answer {
                    Answer::Error(error) => Some(Error::from(error)),
                    _ => None,
                };
                self.delivered_told(&conversation, seq, error.as_ref());
                if let Some(error) = error {
                    self.background_error(&error, random);
                }
                Ok(())
            }
            (What::Hello, Ok(Answer::Welcome(welcome))) => {
                self.welcome(welcome);
                Ok(())
            }
            (What::Hello, Ok(Answer::Error(error))) => {
                self.connection_error(error.into(), random);
                Ok(())
            }
            (What::Ping, Ok(Answer::Pong(pong))) => {
                self.heartbeat.pong();
                let running = self.sync.hear(pong.feed_version);
                if !running && pong.feed_version != self.saved.feed_version {
                    self.sync.want();
                }
                Ok(())
            }
            (What::Ping, Ok(Answer::Error(error))) => {
                self.background_error(&error.into(), random);
                Ok(())
            }
            (What::Sync, Ok(Answer::Sync(result))) => self.synced(result, random),
            (What::Sync, Ok(Answer::Error(error))) => {
                self.sync_refused(error.into(), random);
                Ok(())
            }
            (What::Pull(_, pull), Ok(Answer::Messages(page))) => self.pulled(&pull, page),
            (What::Pull(_, Pull::Changes(from)), Ok(Answer::Changes(page))) => {
                self.changes_pulled(from, page)
            }
            (What::Pull(_, Pull::Deleted(from)), Ok(Answer::Deleted(page))) => {
                self.deleted_pulled(from, page)
            }
            (What::Pull(conversation, _), Ok(Answer::Error(error))) => {
                self.pull_refused(&conversation, error.into(), random);
                Ok(())
            }
            _ => Err(BrokenPromise),
        }
    }
}

/// The server does not keep to the protocol; perhaps the next connection is better.
fn broken() -> Error {
    Error::new(Code::Internal, "the server broke the protocol")
}

pub(super) fn no_answer() -> wire::Error {
    wire::Error {
        code: Code::Internal.number(),
        name: Code::Internal.name().to_owned(),
        message: "the response has no result".to_owned(),
        retry_after_ms: 0,
    }
}
