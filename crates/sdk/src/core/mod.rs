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
//! inputs, times and random numbers it does the same.

mod api;

use std::collections::VecDeque;

use anser_domain::Timestamp;

pub use api::{
    Config, ConnectionId, ConnectionState, Event, Input, Outgoing, Output, Random, Reply, Request,
    Ticket,
};

use crate::saved::SavedState;

/// The client.
#[derive(Debug)]
pub struct ClientCore {
    saved: SavedState,
    state: ConnectionState,
    outputs: VecDeque<Output>,
}

impl ClientCore {
    /// A client that goes on from where `saved` ends; the default of it for a new device.
    #[must_use]
    pub fn new(config: Config, saved: SavedState) -> Self {
        let _ = config;
        Self {
            saved,
            state: ConnectionState::Idle,
            outputs: VecDeque::new(),
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Timestamp, random: Random<'_>) {
        let _ = (input, now, random);
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call again with [`Input::Tick`] if nothing happens before. `None`: not at all.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        None
    }

    /// How it stands with the connection.
    #[must_use]
    pub fn state(&self) -> &ConnectionState {
        &self.state
    }

    /// What the events so far add up to.
    #[must_use]
    pub fn saved(&self) -> SavedState {
        self.saved.clone()
    }
}
