//! Telling the server what arrived on this device, if the application wants that.
//!
//! Several messages of a conversation are one request: it waits a moment for more, and until the
//! database has what it tells of. A request that is lost with its connection is made again on the
//! next one.

use std::collections::BTreeMap;

use anser_domain::Timestamp;
use anser_domain::code::Action;
use anser_proto::client as wire;
use wire::request::Command;

use super::ClientCore;
use super::api::{Event, Output};
use super::dispatch::What;
use crate::error::Error;
use crate::limits::{DELIVERED_IN_FLIGHT_MAX, DELIVERED_WAIT_MS, FOLLOWED_MAX, REQUEST_TIMEOUT_MS};

/// What [`Output::Confirm`] names when it asks for what arrived; sends are numbered from 0.
pub(super) const ARRIVALS: u64 = u64::MAX;

#[derive(Clone, Debug, Default)]
pub(super) struct Delivered {
    /// Arrived, by conversation.
    arrived: BTreeMap<String, u64>,
    /// When those go on.
    due: Option<Timestamp>,
    /// On their way into the database.
    storing: BTreeMap<String, u64>,
    /// To be told.
    ready: BTreeMap<String, u64>,
    in_flight: usize,
}

impl Delivered {
    pub(super) fn timer(&self) -> Option<Timestamp> {
        self.due
    }

    fn arrived(&mut self, conversation: &str, seq: u64, due: Timestamp) {
        let known = self.arrived.contains_key(conversation);
        if !known && self.arrived.len() >= FOLLOWED_MAX {
            return; // the next message of the conversation says it too
        }
        let at = self.arrived.entry(conversation.to_owned()).or_default();
        *at = seq.max(*at);
        self.due.get_or_insert(due);
    }
}

impl ClientCore {
    /// Takes note of messages of others.
    pub(super) fn note_delivered(&mut self, event: &Event) {
        let Event::Message(message) = event else {
            return;
        };
        if self.config.marks_delivered && message.sender != self.session.user_id {
            let due = self.now.plus_ms(DELIVERED_WAIT_MS);
            self.delivered
                .arrived(&message.conversation, message.seq, due);
        }
    }

    /// What is due.
    pub(super) fn tell_delivered(&mut self) {
        let all = &mut self.delivered;
        if all.due.is_some_and(|due| due <= self.now) && all.storing.is_empty() {
            all.due = None;
            all.storing = std::mem::take(&mut all.arrived);
            match self.stores {
                true => self.outputs.push_back(Output::Confirm(ARRIVALS)),
                false => self.arrivals_stored(),
            }
        }
        while self.delivered.in_flight < DELIVERED_IN_FLIGHT_MAX
            && let Some((conversation, seq)) = self.delivered.ready.pop_first()
        {
            self.delivered.in_flight += 1;
            let command = Command::MarkDelivered(wire::MarkDelivered {
                conversation: conversation.clone(),
                seq,
            });
            let until = self.now.plus_ms(REQUEST_TIMEOUT_MS);
            self.submit(What::Delivered(conversation, seq), until, command);
        }
    }

    /// The database has what arrived.
    pub(super) fn arrivals_stored(&mut self) {
        let all = &mut self.delivered;
        for (conversation, seq) in std::mem::take(&mut all.storing) {
            let at = all.ready.entry(conversation).or_default();
            *at = seq.max(*at);
        }
    }

    /// It was answered.
    pub(super) fn delivered_told(&mut self, conversation: &str, seq: u64, error: Option<&Error>) {
        self.delivered.in_flight = self.delivered.in_flight.saturating_sub(1);
        // Where the user is no longer, nobody waits for it.
        if let Some(error) = error.filter(|error| error.action() != Action::GiveUp) {
            let wait = DELIVERED_WAIT_MS.max(error.retry_after_ms.into());
            let due = self.now.plus_ms(wait);
            self.delivered.arrived(conversation, seq, due);
        }
    }

    /// The connection ended before it was answered.
    pub(super) fn delivered_lost(&mut self, conversation: &str, seq: u64) {
        self.delivered.in_flight = self.delivered.in_flight.saturating_sub(1);
        let due = self.now.plus_ms(DELIVERED_WAIT_MS);
        self.delivered.arrived(conversation, seq, due);
    }
}
