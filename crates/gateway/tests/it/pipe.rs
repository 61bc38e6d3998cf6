//! A wire that a test holds the other end of.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::Mutex;

use anser_gateway::session::Wire;

/// Takes bytes until it is full, as a socket does.
#[derive(Clone)]
pub(crate) struct Pipe(Arc<Mutex<State>>);

struct State {
    taken: Vec<u8>,
    room: usize,
    writes: usize,
    broken: bool,
}

impl Pipe {
    pub(crate) fn new(room: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            taken: Vec::new(),
            room,
            writes: 0,
            broken: false,
        })))
    }

    /// A pipe that takes everything.
    pub(crate) fn endless() -> Self {
        Self::new(usize::MAX)
    }

    /// Makes room, as a peer does that reads.
    pub(crate) fn make_room(&self, bytes: usize) {
        let mut state = self.0.lock().unwrap();
        state.room = state.room.saturating_add(bytes);
    }

    /// Takes no more room, as a peer does that stops reading.
    pub(crate) fn fill(&self) {
        self.0.lock().unwrap().room = 0;
    }

    pub(crate) fn break_it(&self) {
        self.0.lock().unwrap().broken = true;
    }

    /// What was written since the last time.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap().taken)
    }

    /// How often something was written.
    pub(crate) fn writes(&self) -> usize {
        self.0.lock().unwrap().writes
    }
}

impl Wire for Pipe {
    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.0.lock().unwrap();
        if state.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if state.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.writes += 1;
        let mut written = 0;
        for slice in slices {
            let n = slice.len().min(state.room);
            state.taken.extend_from_slice(&slice[..n]);
            state.room -= n;
            written += n;
        }
        Ok(written)
    }
}
