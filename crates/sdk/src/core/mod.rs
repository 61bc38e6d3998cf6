//! The client without its sockets: what happens goes in, what is to be done comes out.
//!
//! ```text
//!  application ── requests ──┐                    ┌── events, answers ──▶ application
//!  network ───── frames ─────┼──▶ ClientCore ─────┼── frames, open/close ▶ network
//!  clock, random ────────────┘                    └── deadline ──────────▶ clock
//! ```
//!
//! Whoever drives it calls [`ClientCore::handle`] with what happened, takes everything that
//! [`ClientCore::poll_output`] gives until it gives nothing, and calls again with
//! [`Input::Tick`] when [`ClientCore::deadline`] comes. `now` never goes back. Given the same
//! inputs, times and random numbers it does the same; what one input can lead to is bounded by
//! the size of a frame and the limits of the queues.
//!
//! The life of a connection: a token, an open connection, `Hello` alone, `Welcome`; then a sync,
//! and with it whatever waits in the outbox. When it ends, the range of the code, if there is
//! one, says what comes next: another try after a backoff (1xxx, or no code), another try with a
//! new token (2xxx), or nothing (3xxx, 4xxx).
//!
//! # What is promised
//!
//! A **send** is answered exactly once. If the answer is good, the message is on the server's
//! disk, once. It goes out at most twice without an answer, under one client message id.
//!
//! A **queued** send ([`Request::Queue`]) is answered when the database has it, goes out when it
//! can, and ends with one [`Event::Queue`].
//!
//! Of every **followed** conversation, every message after [`Event::Followed`] comes as
//! [`Event::Message`], in the conversation's order, once, over reconnects, and over restarts that
//! start from the [`SavedState`] of the events stored so far. What the server does not have any
//! more is named by [`Event::Lost`]. A conversation is followed
//! - from the first message that arrives live or is sent here, beginning before that message;
//! - from when the application opens it, beginning where the application says or at its head;
//!
//! until the user leaves it, the server refuses it, or another takes its place, which
//! [`Event::Unfollowed`] says. Of other conversations the rows of the list tell that something
//! happened ([`Event::Conversation`]), and history is read on demand.
//!
//! Every queue has a limit in [`limits`](crate::limits).

mod api;
mod asking;
mod backoff;
mod catching_up;
mod commands;
mod connection;
mod created;
mod delivered;
mod dispatch;
mod follow;
mod groups;
mod heartbeat;
mod outbox;
mod people;
mod requests;
mod room_requests;
mod rooms;
mod storing;
mod sync;
mod system;
mod track;

use std::collections::{BTreeMap, VecDeque};

use anser_domain::Timestamp;
use anser_proto::client as wire;

#[cfg(feature = "tokio")]
pub(crate) use requests::check_conversation;

pub use api::{
    Config, ConnectionId, ConnectionState, Event, GroupRequest, Input, Outgoing, Output,
    QueueUpdate, Random, Reply, Request, Ticket,
};

pub use created::{CreatedChange, CreatedRequest};
pub use people::PeopleRequest;
pub use room_requests::{RoomAsk, RoomRequest};
pub use system::SystemRequest;

use crate::database::Loaded;
use crate::error::Error;
use crate::model::{Presence, ReadPosition};
use crate::saved::SavedState;
use backoff::Backoff;
use connection::{Phase, Session};
use delivered::Delivered;
use dispatch::InFlight;
use follow::Follows;
use heartbeat::Heartbeat;
use outbox::Outbox;
use requests::Requests;
use rooms::Rooms;
use sync::Sync;

/// The client.
#[derive(Debug)]
pub struct ClientCore {
    config: Config,
    saved: SavedState,
    now: Timestamp,
    /// Of the last connection; see the wire's `Hello`.
    attempt: u64,
    // the connection
    phase: Phase,
    state: ConnectionState,
    token: Option<String>,
    token_refusals: u32,
    next_connection: u64,
    address: usize,
    backoff: Backoff,
    heartbeat: Heartbeat,
    session: Session,
    // what goes over it
    next_request: u32,
    in_flight: BTreeMap<u32, InFlight>,
    unsent: Vec<wire::Request>,
    outbox: Outbox,
    requests: Requests,
    rooms: Rooms,
    sync: Sync,
    /// Something was told before the first sync was complete: a sync that begins from nothing does
    /// not tell what has ended since.
    told_unsynced: bool,
    follows: Follows,
    delivered: Delivered,
    // the database
    /// Is there one?
    stores: bool,
    /// Whose it is; empty: nobody's yet.
    owner: String,
    /// Why it takes nothing any more. Then the client does not go on: what it would tell would
    /// be lost at the next start.
    storage_error: Option<Error>,
    // what comes out
    held: Option<Held>,
    outputs: VecDeque<Output>,
}

/// What is told on release, since nothing else would repeat it.
#[derive(Debug, Default)]
struct Held {
    state: bool,
    /// Bounded by the conversations of a user.
    reads: BTreeMap<String, ReadPosition>,
    /// Bounded by what a user can subscribe to.
    presences: BTreeMap<String, Presence>,
}

impl ClientCore {
    /// A client that goes on from where `saved` ends; the default of it for a new device.
    #[must_use]
    pub fn new(config: Config, mut saved: SavedState) -> Self {
        let follows = Follows::new(&saved);
        saved.followed.retain(|name, _| follows.contains(name));
        Self {
            told_unsynced: saved.epoch == 0 && !saved.followed.is_empty(),
            follows,
            config,
            saved,
            now: Timestamp(0),
            attempt: 0,
            phase: Phase::Idle,
            state: ConnectionState::Idle,
            token: None,
            token_refusals: 0,
            next_connection: 0,
            address: 0,
            backoff: Backoff::default(),
            heartbeat: Heartbeat::default(),
            session: Session::default(),
            next_request: 0,
            in_flight: BTreeMap::new(),
            unsent: Vec::new(),
            outbox: Outbox::default(),
            requests: Requests::default(),
            rooms: Rooms::default(),
            sync: Sync::default(),
            delivered: Delivered::default(),
            stores: false,
            owner: String::new(),
            storage_error: None,
            held: None,
            outputs: VecDeque::new(),
        }
    }

    /// A client with a database, which goes on from what is in it.
    #[must_use]
    pub fn with_database(config: Config, loaded: Loaded) -> Self {
        let mut core = Self::new(config, loaded.saved);
        core.stores = true;
        core.told_unsynced = core.saved.epoch == 0 && !loaded.user_id.is_empty();
        core.owner = loaded.user_id;
        for (name, head_seq) in &loaded.heads {
            core.follows.knew(name, *head_seq);
        }
        for queued in loaded.queued {
            core.outbox.load(queued.outgoing);
        }
        core
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Timestamp, random: Random<'_>) {
        self.now = self.now.max(now);
        match input {
            Input::Connect => match self.storage_error.clone() {
                Some(error) => self.stop_with(error),
                None => self.connect(),
            },
            Input::Disconnect => self.disconnect(),
            Input::Token(token) => self.got_token(token),
            Input::NoToken { retry, message } => self.got_no_token(retry, message, random),
            Input::Connected(id) => self.connected(id),
            Input::Disconnected(id) => self.disconnected(id, random),
            Input::Frame(id, frame) => self.frame(id, frame, random),
            Input::Tick => {}
            Input::Request(ticket, request) => self.request(ticket, request, random),
            Input::OpenConversation { conversation, have } => {
                self.open_conversation(&conversation, have);
            }
            Input::CloseConversation { conversation } => self.follows.close(&conversation),
            Input::Confirmed(key) => self.confirmed(key),
            Input::StorageFailed(why) => self.storage_failed(why),
            Input::Hold => self.hold(),
            Input::Release => self.release(),
        }
        self.expire(random);
        self.pump();
        self.flush();
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call again with [`Input::Tick`] if nothing happens before. `None`: not at all.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let online = self.phase.is_online();
        let fetching = online && self.held.is_none();
        let flights = self.in_flight.values().map(|flight| flight.until);
        let pulls = fetching && !self.sync.is_running();
        let sync = self.sync.timer().filter(|_| fetching);
        self.phase
            .timer(&self.heartbeat)
            .into_iter()
            .chain(flights)
            .chain(self.outbox.timers())
            .chain(self.requests.timers())
            .chain(self.rooms.timers())
            .chain(sync)
            .chain(self.delivered.timer().filter(|_| online))
            .chain(self.follows.timers().filter(|_| pulls))
            // What was due is done, or waits for something other than time.
            .filter(|at| *at > self.now)
            .min()
    }

    /// How it stands with the connection.
    #[must_use]
    pub fn state(&self) -> &ConnectionState {
        &self.state
    }

    /// What the events so far add up to.
    #[must_use]
    pub fn saved(&self) -> &SavedState {
        &self.saved
    }

    fn emit(&mut self, event: Event) {
        self.store_event(&event);
        self.saved.apply(&event);
        self.told_unsynced = match &event {
            Event::Conversation { .. } | Event::Message(_) => self.saved.epoch == 0,
            Event::Reset { .. } | Event::Synced { .. } => false,
            _ => self.told_unsynced,
        };
        self.note_delivered(&event);
        self.outputs.push_back(Output::Event(event));
    }

    fn emit_all(&mut self, events: Vec<Event>) {
        for event in events {
            self.emit(event);
        }
    }

    fn set_state(&mut self, state: ConnectionState) {
        if self.state == state {
            return;
        }
        self.state = state;
        match &mut self.held {
            Some(held) => held.state = true,
            None => self.emit(Event::State(self.state.clone())),
        }
    }

    fn done(&mut self, ticket: Ticket, result: Result<Reply, Error>) {
        self.outputs.push_back(Output::Done(ticket, result));
    }

    fn fail_each(&mut self, failed: impl IntoIterator<Item = (Ticket, Error)>) {
        for (ticket, error) in failed {
            self.done(ticket, Err(error));
        }
    }

    fn open_conversation(&mut self, conversation: &str, have: Option<u64>) {
        let mut events = Vec::new();
        match requests::check_conversation(conversation) {
            Ok(()) => self.follows.open(conversation, have, &mut events),
            Err(error) => events.push(Event::Unfollowed {
                conversation: conversation.to_owned(),
                error: Some(error),
            }),
        }
        self.emit_all(events);
    }

    fn hold(&mut self) {
        self.held.get_or_insert_default();
        self.sync.abandon();
    }

    fn release(&mut self) {
        let Some(held) = self.held.take() else {
            return;
        };
        if held.state {
            self.emit(Event::State(self.state.clone()));
        }
        for (conversation, position) in held.reads {
            self.emit(Event::Read {
                conversation,
                position,
            });
        }
        for presence in held.presences.into_values() {
            self.emit(Event::Presence(presence));
        }
        self.sync.want();
        self.enter_rooms_again();
    }
}
