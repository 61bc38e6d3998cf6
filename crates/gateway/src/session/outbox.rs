//! What waits to go out on one connection.
//!
//! The engine reaches a session only through its outbox: an [`Outbox`] is the [`SessionSink`] of
//! the connection. Entries are whole encoded frames, shared between all sessions that get the same
//! event, so that a delivery costs a reference and not a copy.
//!
//! **Writing.** `push` queues, `flush` writes: right there, on the thread of whoever flushes, as
//! much as the wire takes without waiting. Usually that is everything, and a delivery has cost one
//! system call and no task switch. Only when the wire is full does the connection's task take over:
//! the outbox is then *blocked*, flushes do nothing, and the task goes on once the wire is
//! writable. What gathers meanwhile leaves in one vectored write.
//! `deliver`, for large audiences, writes past an empty queue and queues only what is left over.
//!
//! **Bounds.** Events are bounded in bytes. When the bound is passed, the client is too slow: all
//! queued events are dropped, those that follow too, and once the queue has drained the client gets
//! one `CheckPush` and pulls. Transient messages go first, silently: nobody can pull them, or will
//! miss them. So does what happens in chat rooms, in three steps: once a quarter of the bound waits,
//! what is of class low is left out; once half of it does, everything but what is protected; and
//! only with what is protected a frame stays to the end. Replies are never dropped; they are bounded by not reading further
//! requests while too many bytes of them wait, or too many sends are unanswered
//! ([`Outbox::poll_ready`]).
//!
//! **Life.** Open; *held* while the session is being registered, so that nothing overtakes the
//! Welcome; *closing* once a farewell is queued, after which nothing is taken; *ended*, with the
//! wire given back to the system.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use anser_domain::Reject;
use anser_domain::room::Class;
use anser_engine::message::SendResult;
use anser_engine::room::RoomPush;
use anser_engine::{Event, EventBody, SessionSink};
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use crate::metrics::Metrics;

/// Slices handed to one vectored write. More would not fit the kernel's fast path for small
/// vectors any better, and 64 frames a system call make its cost disappear.
const SLICES_MAX: usize = 64;

/// Events written past an empty queue in one go; more are queued first.
const THROUGH_MAX: usize = 16;

/// Capacity of a drained queue that is kept; what grew beyond goes back to the allocator.
const IDLE_CAPACITY: usize = 4;

/// Unanswered sends beyond which a connection is not read further.
const UNANSWERED_MAX: usize = 64;

/// The end of a connection that takes bytes.
pub trait Wire: Send + 'static {
    /// Writes as much as goes without waiting. [`io::ErrorKind::WouldBlock`]: nothing goes; whoever
    /// drives the connection is woken and resumes the outbox when something does.
    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
}

/// How one protocol writes what the engine says. All bytes are whole frames, ready for the wire.
pub trait Dialect: Send + Sync + 'static {
    /// Where this dialect keeps its bytes in an [`Event`]; each has its own.
    fn index(&self) -> usize;

    /// An event.
    fn event(&self, event: &EventBody) -> Bytes;

    /// The answer to a send.
    fn send_reply(&self, request: u32, result: Result<SendResult, Reject>) -> Bytes;

    /// "Something was lost: pull."
    fn check(&self) -> Bytes;

    /// Why the connection ends, for the client to read. May be empty.
    fn last_words(&self, reason: &Reject) -> Bytes;

    /// The transport's own farewell after [`Dialect::last_words`]. May be empty.
    fn goodbye(&self, reason: &Reject) -> Bytes;
}

/// How far writing got.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Drain {
    /// Nothing waits.
    Empty,
    /// The wire is full; [`Outbox::resume`] when it is not.
    Blocked,
    /// The farewell is on the wire: close it.
    Farewell,
    /// The wire failed, or the outbox was ended.
    Broken,
}

#[derive(Copy, Clone, Eq, PartialEq, Debug)]
enum Phase {
    Open,
    Held,
    Closing,
    HeldClosing,
    Ended,
}

struct Entry {
    bytes: Bytes,
    kind: Kind,
}

/// What may become of an entry when the client is too slow.
#[derive(Copy, Clone, Eq, PartialEq)]
enum Kind {
    /// Must arrive.
    Reply,
    /// May be dropped, since it can be pulled.
    Event,
    /// May be dropped, and nobody misses it.
    Transient,
    /// The same: of a chat room, and nothing in it is protected.
    Room,
}

impl Kind {
    fn of(event: &EventBody) -> Self {
        match event {
            event if !event.is_transient() => Self::Event,
            EventBody::Room(_) => Self::Room,
            _ => Self::Transient,
        }
    }

    fn is_transient(self) -> bool {
        matches!(self, Self::Transient | Self::Room)
    }
}

struct State<W> {
    wire: Option<W>,
    queue: VecDeque<Entry>,
    /// How much of the first entry is on the wire already.
    written: usize,
    event_bytes: usize,
    reply_bytes: usize,
    unanswered: Vec<u32>,
    task: Option<Waker>,
    phase: Phase,
    /// The task is responsible for writing.
    blocked: bool,
    /// Events were dropped; the client is told once the queue has drained.
    lossy: bool,
    /// The task stopped reading until there is room for replies.
    reader_waits: bool,
    /// The session is ended by the server, not by the loss of its connection.
    closed_from_here: bool,
}

/// The queue of one connection. See the [module](self).
pub struct Outbox<W> {
    state: Mutex<State<W>>,
    dialect: &'static dyn Dialect,
    metrics: Arc<Metrics>,
    bytes_max: usize,
}

/// A request id that can't be used.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct IdInUse;

impl<W: Wire> Outbox<W> {
    /// An empty outbox that keeps at most `bytes_max` of events, and about as much of replies.
    pub fn new(
        wire: W,
        dialect: &'static dyn Dialect,
        bytes_max: usize,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                wire: Some(wire),
                queue: VecDeque::new(),
                written: 0,
                event_bytes: 0,
                reply_bytes: 0,
                unanswered: Vec::new(),
                task: None,
                phase: Phase::Open,
                blocked: false,
                lossy: false,
                reader_waits: false,
                closed_from_here: false,
            }),
            dialect,
            metrics,
            bytes_max,
        })
    }

    /// How this outbox writes.
    pub fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    /// Where this outbox counts.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Queues a whole encoded frame that must not be dropped.
    pub fn reply(&self, frame: Bytes) {
        let mut state = self.state.lock();
        if state.takes() {
            state.reply_bytes += frame.len();
            state.queue.push_back(Entry {
                bytes: frame,
                kind: Kind::Reply,
            });
        }
    }

    /// Queues the last words for this reason, and a farewell of the transport.
    pub fn refuse(&self, reason: &Reject, farewell: &[u8]) {
        let mut bytes = BytesMut::from(self.dialect.last_words(reason));
        bytes.extend_from_slice(farewell);
        self.finish(bytes.freeze());
    }

    /// Queues the last bytes, possibly none. Nothing is taken after them.
    pub fn finish(&self, farewell: Bytes) {
        let mut state = self.state.lock();
        if !state.takes() {
            return;
        }
        // What could be pulled is not worth a "check" any more.
        state.lossy = false;
        if !farewell.is_empty() {
            state.reply_bytes += farewell.len();
            state.queue.push_back(Entry {
                bytes: farewell,
                kind: Kind::Reply,
            });
        }
        state.phase = match state.phase {
            Phase::Held => Phase::HeldClosing,
            _ => Phase::Closing,
        };
    }

    /// Nothing is written until [`Outbox::release`].
    pub fn hold(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Held;
        }
    }

    /// Ends [`Outbox::hold`]; `first` goes before everything that was queued since.
    pub fn release(&self, first: Option<Bytes>) {
        let mut state = self.state.lock();
        state.phase = match state.phase {
            Phase::Held => Phase::Open,
            Phase::HeldClosing => Phase::Closing,
            // Never held, or over.
            Phase::Open | Phase::Closing | Phase::Ended => return,
        };
        if let Some(bytes) = first {
            state.reply_bytes += bytes.len();
            // A frame partly on the wire stays in front; none was begun while held.
            let at = usize::from(state.written > 0);
            state.queue.insert(
                at,
                Entry {
                    bytes,
                    kind: Kind::Reply,
                },
            );
        }
    }

    /// Notes a send as unanswered until `reply_send`.
    pub fn expect(&self, request: u32) -> Result<(), IdInUse> {
        let mut state = self.state.lock();
        if state.unanswered.contains(&request) {
            return Err(IdInUse);
        }
        state.unanswered.push(request);
        Ok(())
    }

    /// Is this the id of a send not yet answered?
    pub fn is_expected(&self, request: u32) -> bool {
        self.state.lock().unanswered.contains(&request)
    }

    /// Is there room for the replies to another frame of requests?
    pub fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        state.register(cx.waker());
        if state.has_room(self.bytes_max) {
            return Poll::Ready(());
        }
        state.reader_waits = true;
        Poll::Pending
    }

    /// Names the task to wake when something is up to it: writing, reading on, ending.
    pub fn register(&self, waker: &Waker) {
        self.state.lock().register(waker);
    }

    /// Goes on writing to the wire; for the connection's task.
    pub fn resume(&self) -> Drain {
        self.state.lock().write_out(self)
    }

    /// Like [`Outbox::resume`], through a writer that the task owns (TLS).
    pub fn resume_with(&self, write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>) -> Drain {
        self.state.lock().write(self, write)
    }

    /// Is the farewell the last to go, or is it over altogether? Not while held: what it is held
    /// for comes first.
    pub fn is_closing(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Closing | Phase::Ended)
    }

    /// Has the server ended the session, before its connection was lost?
    pub fn is_closed_from_here(&self) -> bool {
        self.state.lock().closed_from_here
    }

    /// Lets go of the wire and of everything queued. Nothing is taken from now on.
    pub fn end(&self) {
        let (wire, task) = {
            let mut state = self.state.lock();
            state.end();
            (state.wire.take(), state.task.take())
        };
        drop(wire);
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl<W> State<W> {
    fn takes(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Held)
    }

    fn has_room(&self, bytes_max: usize) -> bool {
        self.unanswered.len() < UNANSWERED_MAX && self.reply_bytes <= bytes_max
    }

    fn register(&mut self, waker: &Waker) {
        match &self.task {
            Some(task) if task.will_wake(waker) => {}
            _ => self.task = Some(waker.clone()),
        }
    }

    fn end(&mut self) {
        self.phase = Phase::Ended;
        self.queue = VecDeque::new();
        self.unanswered = Vec::new();
        (self.written, self.event_bytes, self.reply_bytes) = (0, 0, 0);
        self.lossy = false;
    }

    /// Drops the queued events, except one that is partly on the wire.
    fn drop_events(&mut self) -> u64 {
        let begun = usize::from(self.written > 0);
        let before = self.queue.len();
        let mut at = 0;
        self.queue.retain(|entry| {
            at += 1;
            at <= begun || entry.kind == Kind::Reply
        });
        self.event_bytes = self
            .queue
            .iter()
            .filter(|e| e.kind != Kind::Reply)
            .map(|e| e.bytes.len())
            .sum();
        (before - self.queue.len()) as u64
    }

    /// Drops the queued events that nobody will miss, except one that is partly on the wire.
    fn drop_transient(&mut self, metrics: &Metrics) {
        let begun = usize::from(self.written > 0);
        let (mut at, mut bytes) = (0, 0);
        self.queue.retain(|entry| {
            at += 1;
            let keep = at <= begun || !entry.kind.is_transient();
            if !keep {
                metrics.dropped_transient(entry.kind == Kind::Room);
                bytes += entry.bytes.len();
            }
            keep
        });
        self.event_bytes -= bytes;
    }

    /// Writes to the own wire.
    fn write_out(&mut self, outbox: &Outbox<W>) -> Drain
    where
        W: Wire,
    {
        let Some(mut wire) = self.wire.take() else {
            return Drain::Broken;
        };
        let drain = self.write(outbox, |slices| wire.try_write(slices));
        if drain != Drain::Broken {
            self.wire = Some(wire);
        }
        drain
    }

    fn write<S>(
        &mut self,
        outbox: &Outbox<S>,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Drain {
        self.blocked = false;
        let (mut frames, mut bytes) = (0, 0);
        let drain = loop {
            match self.phase {
                Phase::Ended => break Drain::Broken,
                // Nothing may overtake the answer to Hello.
                Phase::Held | Phase::HeldClosing => break Drain::Empty,
                Phase::Open | Phase::Closing => {}
            }
            if self.queue.is_empty() {
                if self.lossy {
                    self.lossy = false;
                    let check = outbox.dialect.check();
                    self.reply_bytes += check.len();
                    self.queue.push_back(Entry {
                        bytes: check,
                        kind: Kind::Reply,
                    });
                    continue;
                }
                if self.queue.capacity() > IDLE_CAPACITY {
                    self.queue = VecDeque::new();
                }
                break if self.phase == Phase::Closing {
                    Drain::Farewell
                } else {
                    Drain::Empty
                };
            }
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (slice, entry) in slices.iter_mut().zip(&self.queue) {
                let skip = if count == 0 { self.written } else { 0 };
                *slice = IoSlice::new(&entry.bytes[skip..]);
                count += 1;
            }
            match write(&slices[..count]) {
                Ok(0) => {
                    self.end();
                    break Drain::Broken;
                }
                Ok(n) => {
                    bytes += n as u64;
                    frames += self.advance(n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    break Drain::Blocked;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.end();
                    break Drain::Broken;
                }
            }
        };
        outbox.metrics.wrote(frames, bytes);
        drain
    }

    /// So many bytes more are on the wire; how many entries that completed.
    fn advance(&mut self, mut n: usize) -> u64 {
        let mut frames = 0;
        while let Some(first) = self.queue.front() {
            let left = first.bytes.len() - self.written;
            if n < left {
                self.written += n;
                break;
            }
            n -= left;
            self.written = 0;
            let entry = self.queue.pop_front().expect("it was there");
            if entry.kind != Kind::Reply {
                self.event_bytes -= entry.bytes.len();
            } else {
                self.reply_bytes -= entry.bytes.len();
            }
            frames += 1;
        }
        frames
    }
}

impl<W: Wire> Outbox<W> {
    /// Writes events past the queue, if nothing is before them. `false`: nothing was done. What
    /// the wire does not take at once is queued.
    fn write_through(&self, events: &[Arc<Event>]) -> bool {
        let mut slices = [IoSlice::new(&[]); THROUGH_MAX];
        let mut len = 0;
        if events.len() > slices.len() {
            return false;
        }
        for (slice, event) in slices.iter_mut().zip(events) {
            let bytes = event.encoded(self.dialect.index(), |body| self.dialect.event(body));
            *slice = IoSlice::new(bytes);
            len += bytes.len();
        }
        let mut state = self.state.lock();
        let free = state.phase == Phase::Open
            && !state.blocked
            && !state.lossy
            && state.queue.is_empty()
            && len <= self.bytes_max;
        let written = match &mut state.wire {
            Some(wire) if free => wire.try_write(&slices[..events.len()]),
            _ => return false,
        };
        // An error shows again when the rest is written, and is handled there.
        let written = written.unwrap_or(0);
        if written == len {
            drop(state);
            self.metrics.wrote(events.len() as u64, len as u64);
            return true;
        }
        for event in events {
            let bytes = event.encoded(self.dialect.index(), |body| self.dialect.event(body));
            state.event_bytes += bytes.len();
            let bytes = bytes.clone();
            let kind = Kind::of(&event.body);
            state.queue.push_back(Entry { bytes, kind });
        }
        let frames = state.advance(written);
        drop(state);
        self.metrics.wrote(frames, written as u64);
        self.flush();
        true
    }
}

impl<W: Wire> Outbox<W> {
    /// Queues a whole encoded frame that may be dropped if the client is too slow; one that is
    /// `transient` first, and silently.
    pub fn event(&self, frame: Bytes, transient: bool) {
        let kind = if transient {
            Kind::Transient
        } else {
            Kind::Event
        };
        self.queue(frame, kind);
    }

    /// Queues the answer to a send, a whole encoded frame.
    pub fn answer(&self, request: u32, frame: Bytes) {
        let mut state = self.state.lock();
        state.unanswered.retain(|id| *id != request);
        if state.takes() {
            state.reply_bytes += frame.len();
            state.queue.push_back(Entry {
                bytes: frame,
                kind: Kind::Reply,
            });
        }
    }

    fn queue(&self, bytes: Bytes, kind: Kind) {
        let mut state = self.state.lock();
        if !state.takes() {
            return;
        }
        if state.lossy {
            self.metrics.dropped_transient(kind == Kind::Room);
            return;
        }
        if state.event_bytes + bytes.len() > self.bytes_max {
            if kind.is_transient() {
                self.metrics.dropped_transient(kind == Kind::Room);
                return;
            }
            state.drop_transient(&self.metrics);
        }
        if state.event_bytes + bytes.len() > self.bytes_max {
            let dropped = state.drop_events() + 1;
            state.lossy = true;
            drop(state);
            self.metrics.dropped_events(dropped);
            self.metrics.slow_session();
            return;
        }
        state.event_bytes += bytes.len();
        state.queue.push_back(Entry { bytes, kind });
    }

    /// What is left of what happened in a chat room, for a client so far behind. `None`: nothing.
    fn thinned<'a>(&self, event: &'a Arc<Event>, push: &'a RoomPush) -> Option<&'a Arc<Event>> {
        let waiting = self.state.lock().event_bytes;
        let class = if waiting > self.bytes_max / 2 {
            Class::Protected
        } else if waiting > self.bytes_max / 4 {
            Class::High
        } else {
            return Some(event);
        };
        if !push.items.is_empty() && push.items.iter().all(|item| item.class >= class) {
            return Some(event);
        }
        let left = match class {
            Class::Protected => push.vital(),
            Class::High | Class::Low => push.essential(),
        };
        match left {
            Some(_) => Metrics::count(&self.metrics.room_frames_thinned),
            None => Metrics::count(&self.metrics.room_frames_dropped),
        }
        left
    }
}

impl<W: Wire> SessionSink for Outbox<W> {
    fn push(&self, event: &Arc<Event>) {
        let event = match &event.body {
            EventBody::Room(push) => match self.thinned(event, push) {
                Some(left) => left,
                None => return,
            },
            _ => event,
        };
        let bytes = event
            .encoded(self.dialect.index(), |body| self.dialect.event(body))
            .clone();
        self.queue(bytes, Kind::of(&event.body));
    }

    fn deliver(&self, events: &[Arc<Event>]) {
        if !self.write_through(events) {
            for event in events {
                self.push(event);
            }
            self.flush();
        }
    }

    fn reply_send(&self, request: u32, result: Result<SendResult, Reject>) {
        self.answer(request, self.dialect.send_reply(request, result));
    }

    fn flush(&self) {
        let task = {
            let mut state = self.state.lock();
            // Blocked: the task knows and writes. Otherwise it has to know of whatever is not
            // simply done: a full wire, a broken one, one to be closed.
            let mut wake = !state.blocked && state.write_out(self) != Drain::Empty;
            if state.reader_waits && state.has_room(self.bytes_max) {
                state.reader_waits = false;
                wake = true;
            }
            if wake { state.task.take() } else { None }
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    fn close(&self, reason: Reject) {
        self.state.lock().closed_from_here = true;
        self.refuse(&reason, &self.dialect.goodbye(&reason));
        self.flush();
    }
}
