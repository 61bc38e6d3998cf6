//! What goes over a greeted connection: requests out, answers and pushes in.

use std::collections::BTreeMap;

use anser_domain::code::{Action, Code};
use anser_domain::limits::{FRAME_REQUESTS_MAX, SYNC_OPEN_MAX};
use anser_domain::message::{check_client_message_id, check_content};
use anser_domain::{Timestamp, limits::INBOX_CONVERSATIONS_MAX};
use anser_proto::client as wire;
use bytes::Bytes;
use prost::Message as _;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use super::api::{ConnectionId, Event, Outgoing, Output, Random, Reply, Request, Ticket};
use super::connection::Phase;
use super::follow::{BrokenPromise, Pull};
use super::sync::Next;
use super::{ClientCore, outbox, requests};
use crate::error::Error;
use crate::limits::{PULL_PAGE, REQUEST_TIMEOUT_MS, SEND_TIMEOUT_MS, SYNC_TIMEOUT_MS};
use crate::model::{Message, ReadPosition, Sent};

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
    Request(u64),
}

impl ClientCore {
    // ── out ──

    /// A request of the application.
    pub(super) fn request(&mut self, ticket: Ticket, request: Request, random: Random<'_>) {
        let taken = match request {
            _ if !self.phase.is_wanted() => Err(Error::disconnected()),
            Request::Send(outgoing) => self.accept_send(ticket, outgoing, random),
            other => requests::check(&other)
                .and_then(|()| self.check_size(requests::encode(&other)))
                .and_then(|()| self.requests.push(ticket, other, self.now)),
        };
        if let Err(error) = taken {
            self.done(ticket, Err(error));
        }
    }

    fn accept_send(
        &mut self,
        ticket: Ticket,
        outgoing: Outgoing,
        random: Random<'_>,
    ) -> Result<(), Error> {
        requests::check_conversation(&outgoing.conversation)?;
        let content = &outgoing.content;
        let bytes_max = self.session.content_bytes_max;
        check_content(&content.kind, content.body.len(), bytes_max)?;
        let client_message_id = match &outgoing.client_message_id {
            Some(id) => {
                check_client_message_id(id)?;
                id.clone()
            }
            None => format!("{:016x}{:016x}", random(), random()),
        };
        self.outbox
            .push(ticket, outgoing, client_message_id, self.now)
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
                conversation: entry.outgoing.conversation.clone(),
                client_message_id: entry.client_message_id().to_owned(),
                content: Some(entry.outgoing.content.clone().into()),
                first_try_time: entry.outgoing.first_try.0,
                read_up_to: entry.outgoing.read_up_to,
            };
            let until = self.now.plus_ms(SEND_TIMEOUT_MS);
            self.submit(What::Send(key), until, Command::SendMessage(send));
        }
        for key in self.requests.take_ready(self.now) {
            if let Some(command) = self.requests.get(key).and_then(requests::encode) {
                // Its own end comes first; this one only bounds how long the id is taken.
                let until = self.now.plus_ms(2 * REQUEST_TIMEOUT_MS);
                self.submit(What::Request(key), until, command);
            }
        }
        if self.held.is_none() && !self.sync.is_running() {
            self.settle();
            self.pull();
        }
    }

    fn start_sync(&mut self) {
        let saved = &self.saved;
        let other_data = saved.epoch != 0 && saved.epoch != self.session.epoch;
        let other_user = !saved.user_id.is_empty() && saved.user_id != self.session.user_id;
        if other_data || other_user {
            self.drop_positions();
        }
        let open = self.follows.for_sync(SYNC_OPEN_MAX).into_iter();
        let request = wire::Sync {
            epoch: self.saved.epoch,
            feed_version: self.saved.feed_version,
            synced_time: self.saved.synced_time,
            open: open
                .map(|(conversation, seq)| wire::OpenConversation {
                    conversation,
                    seq,
                    // Changes of messages are not followed yet.
                    rev: 0,
                })
                .collect(),
            cursor: String::new(),
        };
        let request = self.sync.start(request, self.now);
        self.submit_sync(request);
    }

    fn submit_sync(&mut self, request: wire::Sync) {
        let until = self.now.plus_ms(SYNC_TIMEOUT_MS);
        self.submit(What::Sync, until, Command::Sync(request));
    }

    fn pull(&mut self) {
        for (conversation, pull) in self.follows.take_pulls(self.now) {
            let command = wire::PullMessages {
                conversation: conversation.clone(),
                from_seq: match pull {
                    Pull::After(seq) => seq,
                    Pull::Head => 0,
                },
                descending: pull == Pull::Head,
                limit: match pull {
                    Pull::After(_) => PULL_PAGE,
                    Pull::Head => 1,
                },
            };
            let what = What::Pull(conversation, pull);
            let until = self.now.plus_ms(SYNC_TIMEOUT_MS);
            self.submit(what, until, Command::PullMessages(command));
        }
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

    // ── time ──

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
        let failed = self.outbox.expire(self.now);
        self.fail_each(failed);
        let failed = self.requests.expire(self.now);
        self.fail_each(failed);
    }

    /// The connection is gone.
    pub(super) fn lose_in_flight(&mut self) {
        for flight in std::mem::take(&mut self.in_flight).into_values() {
            let failed = match flight.what {
                What::Hello | What::Ping => None,
                What::Sync => {
                    self.sync.abandon();
                    None
                }
                What::Pull(conversation, _) => {
                    self.follows.pulled(&conversation);
                    None
                }
                What::Send(key) => self.outbox.lost(key, self.now),
                What::Request(key) => self.requests.lost(key, self.now),
            };
            self.fail_each(failed);
        }
    }

    // ── in ──

    pub(super) fn frame(&mut self, id: ConnectionId, frame: Bytes, random: Random<'_>) {
        if !self.is_present(id) {
            return;
        }
        let Ok(frame) = wire::ServerFrame::decode(frame) else {
            return self.again(Some(broken()), random);
        };
        self.sign_of_life();
        for item in frame.items.into_iter().filter_map(|item| item.item) {
            if self.item(item, random).is_err() {
                self.again(Some(broken()), random);
            }
            if !self.is_present(id) {
                return;
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
                self.arrived(push.prev, message.into(), false)?;
            }
            Item::Read(push) => self.read(push),
            Item::Conversation(push) => self.conversation(push),
            Item::Check(_) => self.sync.want(),
        }
        Ok(())
    }

    fn arrived(&mut self, prev: u64, message: Message, again: bool) -> Result<(), BrokenPromise> {
        if self.held.is_some() {
            self.follows.exists(&message.conversation, message.seq);
            return Ok(());
        }
        let mut events = Vec::new();
        let result = self.follows.arrived(prev, message, again, &mut events);
        self.emit_all(events);
        result
    }

    fn read(&mut self, push: wire::ReadPush) {
        let position = ReadPosition {
            read_seq: push.read_seq,
            unread: push.unread,
        };
        match &mut self.held {
            Some(held) => {
                if held.reads.len() < INBOX_CONVERSATIONS_MAX
                    || held.reads.contains_key(&push.conversation)
                {
                    held.reads.insert(push.conversation, position);
                }
            }
            None => self.emit(Event::Read {
                conversation: push.conversation,
                position,
            }),
        }
    }

    fn conversation(&mut self, push: wire::ConversationPush) {
        let ours = self.saved.feed_version;
        let Some(row) = push.conversation.filter(|_| self.held.is_none()) else {
            return self.sync.want();
        };
        let running = self.sync.hear(push.feed_version);
        if !running && push.feed_version <= ours {
            return; // a repetition
        }
        let next = !running && push.feed_previous == ours;
        if !running && !next {
            self.sync.want();
        }
        self.row(row, next.then_some(push.feed_version));
    }

    fn row(&mut self, row: wire::Conversation, feed_version: Option<u64>) {
        let (name, head_seq, member) = (row.id.clone(), row.head_seq, row.member);
        self.emit(Event::Conversation {
            row: row.into(),
            feed_version,
        });
        if member {
            self.follows.exists(&name, head_seq);
        } else {
            self.unfollow(&name, None);
        }
    }

    fn unfollow(&mut self, conversation: &str, error: Option<Error>) {
        let mut events = Vec::new();
        self.follows.remove(conversation, error, &mut events);
        self.emit_all(events);
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
            (What::Pull(conversation, _), Ok(Answer::Error(error))) => {
                self.pull_refused(&conversation, error.into(), random);
                Ok(())
            }
            _ => Err(BrokenPromise),
        }
    }

    fn send_answered(
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
            content: entry.outgoing.content,
            counted: true,
        };
        let sent = Sent {
            conversation: message.conversation.clone(),
            seq: message.seq,
            message_id: message.message_id.clone(),
            time: message.time,
            client_message_id: message.client_message_id.clone(),
        };
        self.done(entry.ticket, Ok(Reply::Sent(sent)));
        self.arrived(result.prev, message, entry.losses > 0)
    }

    fn send_refused(&mut self, key: outbox::Key, error: Error, random: Random<'_>) {
        match error.action() {
            Action::Retry => {
                let from = self.retry_time(&error, random);
                let failed = self.outbox.retry(key, from, self.now, error);
                self.fail_each(failed);
            }
            Action::LogIn => {
                let failed = self.outbox.retry(key, self.now, self.now, error.clone());
                self.fail_each(failed);
                self.connection_error(error, random);
            }
            Action::GiveUp | Action::SignedOut => {
                if let Some(entry) = self.outbox.remove(key) {
                    self.done(entry.ticket, Err(error.clone()));
                }
                self.background_error(&error, random);
            }
        }
    }

    fn request_answered(&mut self, key: u64, answer: Answer, random: Random<'_>) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let result = requests::decode(request, answer);
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

    fn retry_time(&mut self, error: &Error, random: Random<'_>) -> Timestamp {
        let wait = super::Backoff::default().next_ms(error.retry_after_ms, random);
        self.now.plus_ms(wait)
    }

    /// An error of one request that says something about the connection too.
    fn background_error(&mut self, error: &Error, random: Random<'_>) {
        if matches!(error.action(), Action::LogIn | Action::SignedOut) {
            self.connection_error(error.clone(), random);
        }
    }

    fn pulled(&mut self, pull: &Pull, page: wire::MessagePage) -> Result<(), BrokenPromise> {
        if self.held.is_some() {
            return Ok(());
        }
        let mut events = Vec::new();
        let result = match pull {
            Pull::After(from) => self.follows.page(*from, page, self.now, &mut events),
            Pull::Head => {
                let head = page.head_seq;
                self.follows.head(&page.conversation, head, &mut events);
                Ok(())
            }
        };
        self.emit_all(events);
        result
    }

    fn pull_refused(&mut self, conversation: &str, error: Error, random: Random<'_>) {
        match error.action() {
            Action::Retry => {
                let from = self.retry_time(&error, random);
                self.follows.pull_later(conversation, from);
            }
            Action::GiveUp => self.unfollow(conversation, Some(error)),
            Action::LogIn | Action::SignedOut => self.connection_error(error, random),
        }
    }

    fn synced(
        &mut self,
        mut result: wire::SyncResult,
        random: Random<'_>,
    ) -> Result<(), BrokenPromise> {
        if self.held.is_some() || !self.sync.is_running() {
            return Ok(());
        }
        if self.saved.epoch != 0 && result.epoch != self.saved.epoch {
            // Between `Welcome` and now; what was asked for was asked of other data.
            self.session.epoch = result.epoch;
            self.drop_positions();
            self.sync.failed(0, self.now, random);
            return Ok(());
        }
        let cached = self.saved.synced_time != 0 || self.saved.feed_version != 0;
        if self.sync.is_first_reset(result.reset) && cached {
            self.emit(Event::Reset { positions: false });
        }
        let asked: BTreeMap<String, u64> = self.sync.open();
        let next = self.sync.answered(&result);
        for row in std::mem::take(&mut result.conversations) {
            self.row(row, None);
        }
        for page in std::mem::take(&mut result.pages) {
            let from = *asked.get(&page.conversation).ok_or(BrokenPromise)?;
            let mut events = Vec::new();
            let taken = self.follows.page(from, page, self.now, &mut events);
            self.emit_all(events);
            taken?;
        }
        match next {
            Next::Continue(request) => self.submit_sync(request),
            Next::Endless => return Err(BrokenPromise),
            Next::Complete { reset } => {
                if let Some(told) = reset {
                    self.follows.verify_all_but(&told);
                }
                self.sync.fetching = Some(result.synced_time);
                let before = self.saved.synced_time;
                self.position(result.epoch, result.feed_version, before);
            }
        }
        Ok(())
    }

    fn position(&mut self, epoch: u64, feed_version: u64, synced_time: u64) {
        let synced_time = match self.sync.fetching {
            Some(time) if self.follows.is_caught_up() => {
                self.sync.fetching = None;
                time
            }
            _ => synced_time,
        };
        self.emit(Event::Synced {
            user_id: self.session.user_id.clone(),
            epoch,
            feed_version,
            synced_time,
        });
    }

    /// Moves the time of the last sync once everything it told of is fetched. Earlier, a client
    /// that is started anew would not be told of it again.
    fn settle(&mut self) {
        if self.sync.fetching.is_some() && self.follows.is_caught_up() {
            let saved = &self.saved;
            self.position(saved.epoch, saved.feed_version, saved.synced_time);
        }
    }

    fn sync_refused(&mut self, error: Error, random: Random<'_>) {
        match error.action() {
            Action::Retry => self.sync.failed(error.retry_after_ms, self.now, random),
            Action::GiveUp => {
                if self.sync.refused() {
                    self.connection_error(error, random);
                }
            }
            Action::LogIn | Action::SignedOut => self.connection_error(error, random),
        }
    }
}

/// The server does not keep to the protocol; perhaps the next connection is better.
fn broken() -> Error {
    Error::new(Code::Internal, "the server broke the protocol")
}

fn no_answer() -> wire::Error {
    wire::Error {
        code: Code::Internal.number(),
        name: Code::Internal.name().to_owned(),
        message: "the response has no result".to_owned(),
        retry_after_ms: 0,
    }
}
