//! The task behind a client: it feeds the core and does what the core says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anser_domain::Timestamp;
use bytes::Bytes;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::database::{Batch, Writer};
use super::events::EVENTS_MAX;
use super::token::{TokenError, TokenProvider};
use super::transport::{self, Arrival};
use crate::core::{
    ClientCore, ConnectionId, ConnectionState, Event, Input, Output, Reply, Request, Ticket,
};
use crate::database::{StorageError, Write};
use crate::error::Error;

/// Frames on their way from a connection to the core. More wait in the socket.
const ARRIVALS_MAX: usize = 16;
/// Frames on their way to a connection. The core has fewer requests than this without an answer,
/// so a full queue means a peer that reads nothing.
const FRAMES_MAX: usize = 1_024;

/// What the application asks.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "few of them wait at a time")]
pub(super) enum Ask {
    Request(Request, oneshot::Sender<Result<Reply, Error>>),
    Open(String, Option<u64>),
    Close(String),
    Connect,
    Disconnect,
    Write(Write, oneshot::Sender<Result<(), Error>>),
}

/// Writes that wait for the batch before them, and what waits for a batch to be written. Beyond,
/// the client takes nothing new in.
const WRITES_MAX: usize = 4_096;

/// What follows a write, once it is written.
#[expect(clippy::large_enum_variant, reason = "nearly all are outputs")]
enum Behind {
    Output(Output),
    Written(oneshot::Sender<Result<(), Error>>),
}

/// The database, and what waits for it.
struct Database {
    writer: Writer,
    /// The batch that is being written, and what follows it.
    writing: Option<(Batch, oneshot::Receiver<Result<(), StorageError>>)>,
    behind: Vec<Behind>,
    /// The next one, and what follows that.
    next: Vec<Write>,
    behind_next: Vec<Behind>,
    /// A write failed: nothing is written any more, and nothing told that should have been.
    failed: Option<StorageError>,
}

impl Database {
    fn follow(&mut self, behind: Behind) {
        match self.next.is_empty() {
            true => self.behind.push(behind),
            false => self.behind_next.push(behind),
        }
    }

    /// Is there room for what follows from more news and questions?
    fn has_room(&self) -> bool {
        self.next.len() + self.behind.len() + self.behind_next.len() < WRITES_MAX
    }

    /// Hands the next batch over, if the one before is written.
    fn go_on(&mut self) {
        if self.writing.is_none() && !self.next.is_empty() {
            let batch = Arc::new(std::mem::take(&mut self.next));
            let done = self.writer.write(Arc::clone(&batch));
            self.writing = Some((batch, done));
            self.behind.append(&mut self.behind_next);
        }
    }
}

/// 64 fresh random bits.
pub(super) fn random() -> u64 {
    getrandom::u64().expect("the operating system has random numbers")
}

/// Unix time that never goes back.
struct Clock {
    start: Instant,
    at_start_ms: u64,
}

impl Clock {
    fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = since.unwrap_or_default().as_millis();
        Self {
            start: Instant::now(),
            at_start_ms: u64::try_from(ms).unwrap_or(u64::MAX),
        }
    }

    fn now(&self) -> Timestamp {
        let ms = self.start.elapsed().as_millis();
        Timestamp(self.at_start_ms).plus_ms(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    /// Rounded up: a timer that fires too early finds nothing to do.
    fn instant(&self, at: Timestamp) -> Instant {
        self.start + Duration::from_millis(at.since_ms(Timestamp(self.at_start_ms)))
    }
}

/// A connection's task. Once it is open, dropping this closes it.
struct Connection {
    id: ConnectionId,
    is_open: bool,
    frames: mpsc::Sender<Bytes>,
    task: JoinHandle<()>,
}

pub(super) struct Runner {
    core: ClientCore,
    clock: Clock,
    tokens: Arc<dyn TokenProvider>,
    tls: Option<TlsConnector>,
    connection: Option<Connection>,
    arrivals: (transport::Arrivals, mpsc::Receiver<(ConnectionId, Arrival)>),
    token: Option<JoinHandle<Result<String, TokenError>>>,
    replies: BTreeMap<u64, oneshot::Sender<Result<Reply, Error>>>,
    tickets: u64,
    events: mpsc::Sender<Event>,
    /// The same for the views, which begin anew when they are too slow.
    watched: broadcast::Sender<Arc<Event>>,
    /// Events of the last inputs that found no room.
    waiting: VecDeque<Event>,
    held: bool,
    state: watch::Sender<ConnectionState>,
    database: Option<Database>,
}

impl Runner {
    pub(super) fn new(
        core: ClientCore,
        writer: Option<Writer>,
        tokens: Arc<dyn TokenProvider>,
        tls: Option<TlsConnector>,
        (events, watched): (mpsc::Sender<Event>, broadcast::Sender<Arc<Event>>),
        state: watch::Sender<ConnectionState>,
    ) -> Self {
        Self {
            core,
            clock: Clock::new(),
            tokens,
            tls,
            connection: None,
            arrivals: mpsc::channel(ARRIVALS_MAX),
            token: None,
            replies: BTreeMap::new(),
            tickets: 0,
            events,
            watched,
            waiting: VecDeque::new(),
            held: false,
            state,
            database: writer.map(|writer| Database {
                writer,
                writing: None,
                behind: Vec::new(),
                next: Vec::new(),
                behind_next: Vec::new(),
                failed: None,
            }),
        }
    }

    /// Runs until nobody can ask any more.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        self.input(Input::Connect);
        loop {
            let deadline = self.core.deadline().map(|at| self.clock.instant(at));
            let room_to_write = self.database.as_ref().is_none_or(Database::has_room);
            tokio::select! {
                biased;
                written = written(&mut self.database) => self.written(written),
                ask = asked.recv(), if room_to_write => match ask {
                    Some(ask) => self.ask(ask),
                    None => break,
                },
                Some((id, arrival)) = self.arrivals.1.recv(), if room_to_write => {
                    self.arrived(id, arrival);
                }
                token = finished(&mut self.token) => self.got_token(token),
                () = sleep_until(deadline) => self.input(Input::Tick),
                room = room(&self.events, &self.waiting, self.held) => self.make_use_of(room),
            }
        }
        self.input(Input::Disconnect);
        while self.database.as_ref().is_some_and(|d| d.writing.is_some()) {
            let written = written(&mut self.database).await;
            self.written(written);
        }
    }

    fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Request(request, reply) => {
                self.tickets += 1;
                self.replies.insert(self.tickets, reply);
                self.input(Input::Request(Ticket(self.tickets), request));
            }
            Ask::Open(conversation, have) => {
                self.input(Input::OpenConversation { conversation, have });
            }
            Ask::Close(conversation) => self.input(Input::CloseConversation { conversation }),
            Ask::Connect => self.input(Input::Connect),
            Ask::Disconnect => self.input(Input::Disconnect),
            Ask::Write(write, reply) => {
                if let Some(database) = &mut self.database {
                    database.next.push(write);
                    database.follow(Behind::Written(reply));
                    self.go_on();
                }
            }
        }
    }

    fn arrived(&mut self, id: ConnectionId, arrival: Arrival) {
        if let Some(connection) = self.connection.as_mut().filter(|c| c.id == id) {
            connection.is_open = true;
        }
        self.input(match arrival {
            Arrival::Connected => Input::Connected(id),
            Arrival::Frame(frame) => Input::Frame(id, frame),
            Arrival::Ended => Input::Disconnected(id),
        });
    }

    fn got_token(&mut self, token: Result<String, TokenError>) {
        self.token = None;
        self.input(match token {
            Ok(token) => Input::Token(token),
            Err(error) => Input::NoToken {
                retry: matches!(error, TokenError::Later(_)),
                message: error.to_string(),
            },
        });
    }

    fn input(&mut self, input: Input) {
        let now = self.clock.now();
        self.core.handle(input, now, &mut random);
        while let Some(output) = self.core.poll_output() {
            match (&mut self.database, output) {
                (Some(database), Output::Store(write)) => database.next.push(write),
                (
                    Some(database),
                    output @ (Output::Event(_) | Output::Done(..) | Output::Confirm(_)),
                ) => database.follow(Behind::Output(output)),
                (_, output) => self.output(output),
            }
        }
        self.go_on();
        let state = self.core.state();
        self.state.send_if_modified(|seen| {
            let changed = seen != state;
            if changed {
                seen.clone_from(state);
            }
            changed
        });
        if !self.waiting.is_empty() && !self.held {
            self.held = true;
            self.input(Input::Hold);
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::GetToken => {
                let tokens = Arc::clone(&self.tokens);
                if let Some(old) = self.token.take() {
                    old.abort();
                }
                self.token = Some(tokio::spawn(async move { tokens.token().await }));
            }
            Output::Open(id, address) => self.open(id, &address),
            Output::Close(id) => {
                // Once open, the task writes what is queued and ends by itself.
                if let Some(connection) = self.connection.take_if(|c| c.id == id)
                    && !connection.is_open
                {
                    connection.task.abort();
                }
            }
            Output::Send(id, frame) => self.send(id, frame),
            // Without a database there is nothing to wait for.
            Output::Store(_) => {}
            Output::Confirm(key) => self.input(Input::Confirmed(key)),
            Output::Event(event) => self.event(event),
            Output::Done(ticket, result) => {
                if let Some(reply) = self.replies.remove(&ticket.0) {
                    // Whoever asked may have stopped waiting.
                    let _ = reply.send(result);
                }
            }
        }
    }

    /// Writes what is to be written, and carries out what waits for nothing any more.
    fn go_on(&mut self) {
        let Some(database) = &mut self.database else {
            return;
        };
        if database.failed.is_some() {
            database.next.clear();
            database.behind.append(&mut database.behind_next);
            return self.carry_out();
        }
        database.go_on();
        if database.writing.is_none() {
            self.carry_out();
        }
    }

    /// What followed the batch that is written.
    fn carry_out(&mut self) {
        let Some(database) = &mut self.database else {
            return;
        };
        let failed = database.failed.clone();
        for behind in std::mem::take(&mut database.behind) {
            match (behind, &failed) {
                (Behind::Output(output), None) => self.output(output),
                (Behind::Output(output), Some(error)) => self.output_after_failure(output, error),
                (Behind::Written(reply), failed) => {
                    let result = failed.clone().map_or(Ok(()), |error| Err(error.into()));
                    // Whoever asked may have stopped waiting.
                    let _ = reply.send(result);
                }
            }
        }
    }

    /// What was not stored is not told. Whoever waits for an answer gets one.
    fn output_after_failure(&mut self, output: Output, error: &StorageError) {
        match output {
            Output::Event(event @ Event::State(_)) => self.event(event),
            Output::Done(ticket, Err(error)) => self.output(Output::Done(ticket, Err(error))),
            Output::Done(ticket, Ok(_)) => {
                self.output(Output::Done(ticket, Err(error.clone().into())));
            }
            _ => {}
        }
    }

    fn written(&mut self, result: Result<(), StorageError>) {
        let Some(database) = &mut self.database else {
            return;
        };
        let batch = database.writing.take();
        match (result, batch) {
            (Ok(()), Some((batch, _))) => {
                // Nobody needs to watch.
                let _ = database.writer.changes.send(batch);
                self.carry_out();
                self.go_on();
            }
            (Ok(()), None) => {}
            (Err(error), _) => {
                database.failed = Some(error.clone());
                self.input(Input::StorageFailed(error.0));
            }
        }
    }

    fn open(&mut self, id: ConnectionId, address: &str) {
        let address = Address::parse(address).expect("addresses were checked by the builder");
        let (frames, queue) = mpsc::channel(FRAMES_MAX);
        let arrivals = self.arrivals.0.clone();
        let tls = self.tls.clone();
        let task = tokio::spawn(transport::run(id, address, tls, queue, arrivals));
        self.connection = Some(Connection {
            id,
            is_open: false,
            frames,
            task,
        });
    }

    fn send(&mut self, id: ConnectionId, frame: Bytes) {
        let Some(connection) = self.connection.as_ref().filter(|c| c.id == id) else {
            return;
        };
        // If it is full or gone, answers stay away, and the core's timeouts do the rest.
        if connection.frames.try_send(frame).is_err() {
            connection.task.abort();
        }
    }

    fn event(&mut self, event: Event) {
        if self.watched.receiver_count() > 0 {
            // Those who watched may have stopped.
            let _ = self.watched.send(Arc::new(event.clone()));
        }
        if !self.waiting.is_empty() {
            self.waiting.push_back(event);
            return;
        }
        match self.events.try_send(event) {
            // Nobody listens any more.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(event)) => self.waiting.push_back(event),
        }
    }

    fn make_use_of(&mut self, room: Room) {
        match room {
            Room::One => {
                if let Some(event) = self.waiting.pop_front() {
                    self.event_first(event);
                }
            }
            Room::Half => {
                self.held = false;
                self.input(Input::Release);
            }
            Room::NobodyListens => {
                self.waiting.clear();
                self.held = false;
                self.input(Input::Release);
            }
        }
    }

    fn event_first(&mut self, event: Event) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            self.waiting.push_front(event);
        }
    }
}

/// Room in the queue of events.
enum Room {
    /// For one that waits.
    One,
    /// For half a queue: time to take news in again.
    Half,
    NobodyListens,
}

/// Comes when there is room for what is wanted; never, if nothing is.
async fn room(events: &mpsc::Sender<Event>, waiting: &VecDeque<Event>, held: bool) -> Room {
    let (wanted, room) = match (waiting.is_empty(), held) {
        (false, _) => (1, Room::One),
        (true, true) => (EVENTS_MAX / 2, Room::Half),
        (true, false) => return std::future::pending().await,
    };
    match events.reserve_many(wanted).await {
        Ok(_permits) => room,
        Err(_) => Room::NobodyListens,
    }
}

/// Comes when the batch that is being written is written, or can't be.
async fn written(database: &mut Option<Database>) -> Result<(), StorageError> {
    match database.as_mut().and_then(|d| d.writing.as_mut()) {
        Some((_, done)) => done
            .await
            .unwrap_or_else(|_| Err(StorageError("the thread of the database ended".to_owned()))),
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Comes when the provider has answered. A provider that panicked has no token for now.
async fn finished(
    token: &mut Option<JoinHandle<Result<String, TokenError>>>,
) -> Result<String, TokenError> {
    match token {
        Some(task) => task
            .await
            .unwrap_or_else(|_| Err(TokenError::Later("the token provider failed".to_owned()))),
        None => std::future::pending().await,
    }
}
