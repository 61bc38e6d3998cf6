//! A connection between a device and a node, like TCP: bytes in order, a window, delay; ends that
//! learn of a cut at different times, or never.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use anser_gateway::session::Wire;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::executor::{Executor, Sleep};
use crate::random::Random;

/// Who learns that a connection is cut. The others think that it lives, until they miss something.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Cut {
    /// Both, each after a moment.
    Told,
    /// The device only.
    DeviceTold,
    /// The server only.
    ServerTold,
    /// Nobody.
    Silent,
}

/// What a connection is like.
#[derive(Copy, Clone, Debug)]
pub struct Quality {
    /// One way takes from a tenth of this to this.
    pub delay_us: u64,
    /// Bytes on the way down before the server has to wait.
    pub window: usize,
}

#[derive(Default)]
struct Lane {
    chunks: VecDeque<(u64, Bytes)>,
    bytes: usize,
    last_at: u64,
    /// The end of the stream arrives then.
    end_at: Option<u64>,
    /// The receiver does not look before.
    stalled_until: u64,
    receiver: Option<Waker>,
}

struct State {
    executor: Executor,
    random: Random,
    quality: Quality,
    up: Lane,
    down: Lane,
    cut: bool,
    writer: Option<Waker>,
}

impl State {
    fn delay(&mut self) -> u64 {
        let delay_us = self.quality.delay_us;
        self.random.between(delay_us / 10, delay_us)
    }
}

/// A connection, as whoever cuts it holds it. Clones share it.
#[derive(Clone)]
pub struct Pipe(Arc<Mutex<State>>);

#[derive(Copy, Clone, Eq, PartialEq, Debug)]
enum Way {
    Up,
    Down,
}

impl Pipe {
    /// A connection with its two ends.
    #[must_use]
    pub fn new(executor: &Executor, random: Random, quality: Quality) -> (Self, End, End) {
        let state = State {
            executor: executor.clone(),
            random,
            quality,
            up: Lane::default(),
            down: Lane::default(),
            cut: false,
            writer: None,
        };
        let pipe = Self(Arc::new(Mutex::new(state)));
        let end = |receives| End {
            pipe: pipe.clone(),
            receives,
            timer: None,
        };
        (pipe.clone(), end(Way::Down), end(Way::Up))
    }

    /// What is on the way is lost, and nothing gets through any more.
    pub fn cut(&self, cut: Cut) {
        let mut state = self.0.lock();
        if state.cut {
            return;
        }
        state.cut = true;
        let now = state.executor.now();
        for (way, told) in [
            (Way::Down, matches!(cut, Cut::Told | Cut::DeviceTold)),
            (Way::Up, matches!(cut, Cut::Told | Cut::ServerTold)),
        ] {
            let at = now + state.delay();
            let lane = state.lane(way);
            lane.chunks.clear();
            lane.end_at = told.then_some(at);
            wake(&mut lane.receiver);
        }
        // What the server wrote is acknowledged by nobody: its window stays as full as it is.
    }

    /// The device does not read for so long.
    pub fn stall(&self, us: u64) {
        let mut state = self.0.lock();
        let until = state.executor.now() + us;
        state.down.stalled_until = until;
    }

    /// A wire for the server to write to.
    #[must_use]
    pub fn wire(&self) -> PipeWire {
        PipeWire(self.clone())
    }

    /// Whom to wake when there is room in the window again.
    pub fn register_writer(&self, waker: &Waker) {
        self.0.lock().writer = Some(waker.clone());
    }

    fn send(&self, way: Way, bytes: Bytes) {
        let mut state = self.0.lock();
        if state.cut || bytes.is_empty() {
            return;
        }
        let at = state.executor.now() + state.delay();
        let lane = state.lane(way);
        lane.last_at = lane.last_at.max(at);
        lane.bytes += bytes.len();
        lane.chunks.push_back((lane.last_at, bytes));
        wake(&mut lane.receiver);
    }

    fn finish(&self, way: Way) {
        let mut state = self.0.lock();
        if state.cut {
            return;
        }
        let at = state.executor.now() + state.delay();
        let lane = state.lane(way);
        if lane.end_at.is_none() {
            lane.end_at = Some(lane.last_at.max(at));
            wake(&mut lane.receiver);
        }
    }
}

impl State {
    fn lane(&mut self, way: Way) -> &mut Lane {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// One end. Dropping it ends the stream to the other, behind what was sent.
pub struct End {
    pipe: Pipe,
    receives: Way,
    timer: Option<Sleep>,
}

impl End {
    /// Sends bytes to the other end.
    pub fn send(&self, bytes: Bytes) {
        self.pipe.send(self.other(), bytes);
    }

    fn other(&self) -> Way {
        match self.receives {
            Way::Up => Way::Down,
            Way::Down => Way::Up,
        }
    }

    /// The next bytes; `None` at the end of the stream.
    pub fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            let wait = {
                let mut state = self.pipe.0.lock();
                let now = state.executor.now();
                let lane = state.lane(self.receives);
                let next = lane.chunks.front().map(|(at, _)| *at).or(lane.end_at);
                match next.map(|at| at.max(lane.stalled_until)) {
                    Some(at) if at <= now => {
                        let Some((_, bytes)) = lane.chunks.pop_front() else {
                            return Poll::Ready(None);
                        };
                        lane.bytes -= bytes.len();
                        if self.receives == Way::Down {
                            wake(&mut state.writer);
                        }
                        return Poll::Ready(Some(bytes));
                    }
                    Some(at) => {
                        lane.receiver = Some(context.waker().clone());
                        at - now
                    }
                    None => {
                        lane.receiver = Some(context.waker().clone());
                        return Poll::Pending;
                    }
                }
            };
            let executor = self.pipe.0.lock().executor.clone();
            let timer = self.timer.insert(executor.sleep(wait));
            if Pin::new(timer).poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.pipe.finish(self.other());
    }
}

/// The server's way to write.
pub struct PipeWire(Pipe);

impl Wire for PipeWire {
    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        let taken = {
            let mut state = self.0.0.lock();
            let now = state.executor.now();
            if state.cut && state.up.end_at.is_some_and(|at| at <= now) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let room = state.quality.window.saturating_sub(state.down.bytes);
            if room == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            // Now and then a write takes only a part, wherever that ends.
            let most = total.min(room);
            let taken = match state.random.chance(30) {
                true => 1 + state.random.index(most),
                false => most,
            };
            if state.cut {
                state.down.bytes += taken;
            }
            taken
        };
        let mut bytes = Vec::with_capacity(taken);
        for slice in slices {
            let part = slice.len().min(taken - bytes.len());
            bytes.extend_from_slice(&slice[..part]);
        }
        self.0.send(Way::Down, bytes.into());
        Ok(taken)
    }
}
