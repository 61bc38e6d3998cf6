//! What the application asks: from the request to its answer.

use anser_domain::Timestamp;
use anser_domain::code::{Action, Code};
use anser_proto::client as wire;
use prost::Message as _;
use wire::request::Command;
use wire::response::Result as Answer;

use super::api::{Event, Outgoing, Random, Reply, Request, Ticket};
use super::backoff::Backoff;
use super::dispatch::no_answer;
use super::follow::BrokenPromise;
use super::{ClientCore, RoomAsk, RoomRequest, commands, groups, outbox, requests, rooms};
use crate::error::Error;
use crate::model::Message;

impl ClientCore {
    /// A request of the application.
    pub(super) fn request(&mut self, ticket: Ticket, request: Request, random: Random<'_>) {
        let taken = match request {
            Request::Queue(outgoing) => self.accept_queued(ticket, outgoing, random),
            Request::Discard {
                conversation,
                client_message_id,
            } => {
                self.discard(ticket, &conversation, &client_message_id);
                Ok(())
            }
            _ if !self.phase.is_wanted() => Err(Error::disconnected()),
            Request::Send(outgoing) => self.accept_send(ticket, outgoing, random),
            Request::SetWill(outgoing) => self.accept_will(ticket, outgoing, random),
            Request::Room(request) => self.accept_for_room(ticket, request, random),
            other => self.accept(ticket, other),
        };
        if let Err(error) = taken {
            self.done(ticket, Err(error));
        }
    }

    fn accept(&mut self, ticket: Ticket, request: Request) -> Result<(), Error> {
        requests::check(&request)?;
        match &request {
            Request::Group(request) => groups::check(request)?,
            Request::Created(request) => request.check()?,
            _ => {}
        }
        self.check_size(commands::encode(&request))?;
        self.requests.push(ticket, request, self.now)
    }

    fn accept_for_room(
        &mut self,
        ticket: Ticket,
        mut request: RoomRequest,
        random: Random<'_>,
    ) -> Result<(), Error> {
        match &mut request.ask {
            RoomAsk::Join { newest } => return self.join_room(ticket, &request.room, *newest),
            RoomAsk::Leave => self.forget_room(&request.room),
            RoomAsk::Send(outgoing) => {
                rooms::check(outgoing, self.session.content_bytes_max)?;
                let id = &mut outgoing.client_message_id;
                id.get_or_insert_with(|| format!("{:016x}{:016x}", random(), random()));
            }
            _ => {}
        }
        self.accept(ticket, Request::Room(request))
    }

    fn accept_will(
        &mut self,
        ticket: Ticket,
        mut outgoing: Outgoing,
        random: Random<'_>,
    ) -> Result<(), Error> {
        outgoing.client_message_id = Some(self.check_outgoing(&outgoing, random)?);
        self.accept(ticket, Request::SetWill(outgoing))
    }

    pub(super) fn accept_send(
        &mut self,
        ticket: Ticket,
        outgoing: Outgoing,
        random: Random<'_>,
    ) -> Result<(), Error> {
        let client_message_id = self.check_outgoing(&outgoing, random)?;
        self.check_send_size(&outgoing, &client_message_id)?;
        self.outbox
            .push(ticket, outgoing, client_message_id, self.now)
    }

    /// Does a send fit into a frame, whenever it goes out?
    pub(super) fn check_send_size(&self, outgoing: &Outgoing, id: &str) -> Result<(), Error> {
        let send = wire::SendMessage {
            client_message_id: id.to_owned(),
            first_try_time: u64::MAX,
            ..outgoing.clone().into()
        };
        self.check_size(Some(Command::SendMessage(send)))
    }

    fn check_size(&self, command: Option<Command>) -> Result<(), Error> {
        let request = wire::Request {
            id: u32::MAX,
            command,
        };
        // Two bytes of key, and a length.
        if request.encoded_len() + 8 <= self.session.frame_bytes_max {
            return Ok(());
        }
        Err(Error::new(
            Code::FrameTooLarge,
            "the request does not fit into a frame",
        ))
    }

    pub(super) fn send_answered(
        &mut self,
        key: outbox::Key,
        answer: Answer,
        random: Random<'_>,
    ) -> Result<(), BrokenPromise> {
        let result = match answer {
            Answer::SendMessage(result) => result,
            Answer::Error(error) => {
                self.send_refused(key, error.into(), random);
                return Ok(());
            }
            _ => {
                self.send_refused(key, no_answer().into(), random);
                return Err(BrokenPromise);
            }
        };
        let Some(entry) = self.outbox.remove(key) else {
            return Ok(());
        };
        let message = Message {
            conversation: result.conversation,
            seq: result.seq,
            message_id: result.message_id,
            sender: self.session.user_id.clone(),
            client_message_id: entry.client_message_id().to_owned(),
            time: Timestamp(result.time),
            content: entry.outgoing.content.clone(),
            counted: !entry.outgoing.uncounted && !entry.outgoing.content.is_command(),
            mention: entry.outgoing.mention.clone(),
            targets: entry.outgoing.targets.clone(),
            burn_after_seconds: entry.outgoing.burn_after_seconds,
            receipt_wanted: entry.outgoing.receipt_wanted,
            state: None,
        };
        self.send_done(&entry, &message);
        if entry.outgoing.transient || message.seq == 0 {
            return Ok(()); // it has no place in the conversation
        }
        if entry.went_out_before() {
            return self.arrived_before(&message.conversation, (result.prev, message.seq));
        }
        self.arrived(result.prev, message)
    }

    pub(super) fn send_refused(&mut self, key: outbox::Key, error: Error, random: Random<'_>) {
        match error.action() {
            Action::Retry => {
                let from = self.retry_time(&error, random);
                let failed = self.outbox.retry(key, from, self.now, error);
                self.send_failed(failed);
            }
            Action::LogIn => {
                let failed = self.outbox.retry(key, self.now, self.now, error.clone());
                self.send_failed(failed);
                self.connection_error(error, random);
            }
            Action::GiveUp | Action::SignedOut => {
                let queued = self.outbox.get(key).is_some_and(|entry| entry.queued);
                if queued && error.action() == Action::SignedOut {
                    // It says nothing of the message, which waits for the next sign-in.
                    self.outbox.lost(key, self.now);
                } else {
                    let failed = self.outbox.remove(key).map(|e| (e, error.clone()));
                    self.send_failed(failed);
                }
                self.background_error(&error, random);
            }
        }
    }

    pub(super) fn request_answered(&mut self, key: u64, answer: Answer, random: Random<'_>) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let result = commands::decode(request, answer);
        match result {
            Err(error) if error.action() == Action::Retry => {
                let from = self.retry_time(&error, random);
                let failed = self.requests.retry(key, from, error);
                self.fail_each(failed);
            }
            Err(error) if error.action() == Action::LogIn => {
                let failed = self.requests.retry(key, self.now, error.clone());
                self.fail_each(failed);
                self.connection_error(error, random);
            }
            result => {
                let Some((ticket, request)) = self.requests.remove(key) else {
                    return;
                };
                if let Ok(reply) = &result {
                    self.take_answer(&request, reply);
                    self.store_answer(&request, reply);
                }
                let logged_out = request == Request::Logout && result.is_ok();
                let error = result.clone().err();
                self.done(ticket, result);
                if logged_out {
                    self.token = None;
                    self.disconnect();
                } else if let Some(error) = error {
                    self.background_error(&error, random);
                }
            }
        }
    }

    /// What an answer says of what is followed. What it changed is pushed too, and pulled if the
    /// push does not come.
    fn take_answer(&mut self, request: &Request, reply: &Reply) {
        let Some(conversation) = commands::conversation_of(request) else {
            return;
        };
        match reply {
            Reply::Changed(state) => self.follows.has_changes(conversation, state.rev),
            Reply::Read(position) => self.emit(Event::Read {
                conversation: conversation.to_owned(),
                position: *position,
            }),
            Reply::Deleted { version } => self.follows.has_deletions(conversation, *version),
            Reply::Conversation(row) => self.row(row.clone(), None, false),
            _ => {}
        }
    }

    pub(super) fn retry_time(&mut self, error: &Error, random: Random<'_>) -> Timestamp {
        let wait = Backoff::default().next_ms(error.retry_after_ms, random);
        self.now.plus_ms(wait)
    }

    /// An error of one request that says something about the connection too.
    pub(super) fn background_error(&mut self, error: &Error, random: Random<'_>) {
        if matches!(error.action(), Action::LogIn | Action::SignedOut) {
            self.connection_error(error.clone(), random);
        }
    }
}
