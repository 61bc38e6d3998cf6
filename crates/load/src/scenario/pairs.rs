//! Many private chats side by side, one sender and one receiver each.
//!
//! The window of a pair counts messages that are not both acked and delivered. Of each pair,
//! every message must be acked once and delivered once, in order, with no gap, and as the one
//! that was sent.

use std::time::Instant;

use serde::Serialize;

use super::drive::{Driven, Load, Timing, drive};
use super::fan::fresh_base;
use crate::clients::login::Target;
use crate::clients::swarm::{Handler, Links, Swarm};
use crate::clients::wire::{self, Event, Push, SendTemplate};
use crate::latency::{Latency, Quantiles};

/// Link 2n sends to link 2n+1.
pub(crate) struct Plan<'a> {
    /// Of each pair.
    pub(crate) conversations: &'a [String],
    pub(crate) window: usize,
    pub(crate) body_bytes: usize,
    pub(crate) timing: Timing,
    /// Stop sending after so many messages of a pair, if before the time.
    pub(crate) messages_max: u64,
}

/// What came of it.
#[derive(Clone, Serialize)]
pub(crate) struct Paired {
    pub(crate) pairs: usize,
    pub(crate) window: usize,
    #[serde(flatten)]
    pub(crate) driven: Driven,
    pub(crate) messages_per_s: f64,
    pub(crate) server_cpu_us_per_message: f64,
    /// From the send to the receiver.
    pub(crate) end_to_end: Quantiles,
    /// From the send to its ack.
    pub(crate) ack: Quantiles,
}

struct Pair {
    conversation: Vec<u8>,
    template: SendTemplate,
    sent: u64,
    stored: u64,
    stored_seq: u64,
    delivered: u64,
    delivered_seq: u64,
    /// When the messages in the window were sent, by number modulo window.
    sent_at: Vec<Instant>,
}

impl Pair {
    fn in_flight(&self) -> u64 {
        self.sent - self.stored.min(self.delivered)
    }

    fn slot(&self, message: u64) -> usize {
        usize::try_from(message % self.sent_at.len() as u64).expect("below the window")
    }
}

struct Pairs {
    pairs: Vec<Pair>,
    /// Pairs whose window has room.
    ready: Vec<usize>,
    window: u64,
    messages_max: u64,
    base: u64,
    delivered: u64,
    in_flight: u64,
    measuring: bool,
    end_to_end: Latency,
    ack: Latency,
}

impl Pairs {
    fn push(&mut self, link: usize, push: Push<'_>) -> Result<(), String> {
        let pair = &mut self.pairs[link / 2];
        if push.conversation != pair.conversation || link.is_multiple_of(2) {
            return Ok(());
        }
        let gap = pair.delivered_seq != 0 && push.prev != pair.delivered_seq;
        if gap || push.seq != push.prev + 1 {
            return Err(format!(
                "receiver {link}: sequence {} after {}, prev {}",
                push.seq, pair.delivered_seq, push.prev
            ));
        }
        if pair.delivered == pair.sent
            || push.client_message_id != wire::message_id(self.base + pair.delivered)
        {
            return Err(format!(
                "receiver {link}: another message than the one sent"
            ));
        }
        let before = pair.in_flight();
        let sent_at = pair.sent_at[pair.slot(pair.delivered)];
        pair.delivered_seq = push.seq;
        pair.delivered += 1;
        self.delivered += 1;
        if self.measuring {
            self.end_to_end.record(sent_at.elapsed());
        }
        self.freed(link / 2, before);
        Ok(())
    }

    fn stored(&mut self, link: usize, request: u32, seq: u64) -> Result<(), String> {
        let pair = &mut self.pairs[link / 2];
        let in_turn = request == wire::request_id(self.base + pair.stored);
        if !in_turn || pair.stored == pair.sent {
            return Err(format!(
                "sender {link}: an ack out of turn, or a second one"
            ));
        }
        if pair.stored_seq != 0 && seq != pair.stored_seq + 1 {
            return Err(format!(
                "sender {link}: acked as {seq} after {}",
                pair.stored_seq
            ));
        }
        let before = pair.in_flight();
        let sent_at = pair.sent_at[pair.slot(pair.stored)];
        pair.stored_seq = seq;
        pair.stored += 1;
        if self.measuring {
            self.ack.record(sent_at.elapsed());
        }
        self.freed(link / 2, before);
        Ok(())
    }

    fn freed(&mut self, pair: usize, before: u64) {
        let now = self.pairs[pair].in_flight();
        if now < before {
            self.in_flight -= before - now;
            self.ready.push(pair);
        }
    }
}

impl Handler for Pairs {
    fn opened(&mut self, _: &mut Links, _: usize) {}

    fn frame(&mut self, _: &mut Links, link: usize, payload: &[u8]) -> Result<(), String> {
        let mut outcome = Ok(());
        wire::events(payload, |event| {
            let now = match event {
                Event::Push(push) => self.push(link, push),
                Event::Stored { request, seq } => self.stored(link, request, seq),
                Event::Refused { code } => Err(format!("link {link}: code {code}")),
                Event::Answer { .. } | Event::Room(_) | Event::Other => Ok(()),
            };
            if outcome.is_ok() {
                outcome = now;
            }
        })?;
        outcome
    }

    fn closed(&mut self, _: &mut Links, link: usize, why: &str) -> Result<(), String> {
        Err(format!("link {link}: {why}"))
    }
}

impl Load for Pairs {
    fn refill(&mut self, links: &mut Links) {
        while let Some(at) = self.ready.pop() {
            let pair = &mut self.pairs[at];
            while pair.in_flight() < self.window && pair.sent < self.messages_max {
                let slot = pair.slot(pair.sent);
                pair.sent_at[slot] = Instant::now();
                links.send(2 * at, pair.template.stamp(self.base + pair.sent));
                pair.sent += 1;
                self.in_flight += 1;
            }
        }
    }

    fn delivered(&self) -> u64 {
        self.delivered
    }

    fn in_flight(&self) -> u64 {
        self.in_flight
    }

    fn measuring(&mut self, on: bool) {
        self.measuring = on;
    }

    fn finished(&self) -> bool {
        let all = self.messages_max.checked_mul(self.pairs.len() as u64);
        self.in_flight == 0 && all == Some(self.delivered)
    }
}

/// Runs it on connections that are logged in.
pub(crate) fn run(swarm: &mut Swarm, target: &Target, plan: &Plan<'_>) -> Result<Paired, String> {
    let pair = |conversation: &String| Pair {
        conversation: conversation.as_bytes().to_vec(),
        template: SendTemplate::new(conversation, plan.body_bytes),
        sent: 0,
        stored: 0,
        stored_seq: 0,
        delivered: 0,
        delivered_seq: 0,
        sent_at: vec![Instant::now(); plan.window],
    };
    let mut pairs = Pairs {
        pairs: plan.conversations.iter().map(pair).collect(),
        ready: (0..plan.conversations.len()).collect(),
        window: plan.window as u64,
        messages_max: plan.messages_max,
        base: fresh_base(),
        delivered: 0,
        in_flight: 0,
        measuring: false,
        end_to_end: Latency::new(),
        ack: Latency::new(),
    };
    let driven = drive(swarm, &mut pairs, plan.timing, target.pid)?;
    Ok(Paired {
        pairs: plan.conversations.len(),
        window: plan.window,
        messages_per_s: driven.watched.rate(driven.deliveries),
        server_cpu_us_per_message: driven.watched.server_micros_per(driven.deliveries),
        end_to_end: pairs.end_to_end.quantiles(),
        ack: pairs.ack.quantiles(),
        driven,
    })
}
