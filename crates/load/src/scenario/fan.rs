//! One sender, many receivers, all online.
//!
//! The window counts messages that some receiver has not yet seen. Each receiver must see every
//! message once, in order, with no gap; the sender gets one ack a message, in order.

use std::collections::VecDeque;
use std::time::Instant;

use serde::Serialize;

use super::drive::{Driven, Load, Timing, drive};
use crate::clients::login::Target;
use crate::clients::swarm::{Handler, Links, Swarm};
use crate::clients::wire::{self, Event, Push, SendTemplate};
use crate::latency::{Latency, Quantiles};

/// Link 0 sends; the others receive.
pub(crate) struct Plan<'a> {
    pub(crate) conversation: &'a str,
    pub(crate) receivers: usize,
    pub(crate) window: usize,
    pub(crate) body_bytes: usize,
    pub(crate) timing: Timing,
}

/// What came of it.
#[derive(Clone, Serialize)]
pub(crate) struct Fanned {
    pub(crate) receivers: usize,
    pub(crate) window: usize,
    #[serde(flatten)]
    pub(crate) driven: Driven,
    pub(crate) deliveries_per_s: f64,
    pub(crate) server_cpu_us_per_delivery: f64,
    /// From the send to the last receiver.
    pub(crate) full: Quantiles,
    /// From the send to its ack.
    pub(crate) ack: Quantiles,
}

struct Receiver {
    messages: u64,
    seq: u64,
}

struct Fan {
    conversation: Vec<u8>,
    template: SendTemplate,
    window: u64,
    /// Client message ids count from here, so that no run repeats those of another.
    base: u64,
    sent: u64,
    stored: u64,
    stored_seq: u64,
    complete: u64,
    /// Of the messages from `complete` on: when sent, how often delivered.
    open: VecDeque<(Instant, usize)>,
    sent_at: VecDeque<Instant>,
    receivers: Vec<Receiver>,
    delivered: u64,
    measuring: bool,
    full: Latency,
    ack: Latency,
}

/// A start for client message ids that no other run has.
pub(crate) fn fresh_base() -> u64 {
    fastrand::u64(..) & !0xff_ffff_ffff
}

impl Fan {
    fn push(&mut self, link: usize, push: Push<'_>) -> Result<(), String> {
        if push.conversation != self.conversation || link == 0 {
            return Ok(());
        }
        let receiver = &mut self.receivers[link - 1];
        let gap = receiver.seq != 0 && push.prev != receiver.seq;
        if gap || push.seq != push.prev + 1 {
            return Err(format!(
                "receiver {link}: sequence {} after {}, prev {}",
                push.seq, receiver.seq, push.prev
            ));
        }
        receiver.seq = push.seq;
        let expected = wire::message_id(self.base + receiver.messages);
        if push.client_message_id != expected {
            return Err(format!(
                "receiver {link}: another message than the one sent"
            ));
        }
        let at = usize::try_from(receiver.messages - self.complete).expect("within the window");
        receiver.messages += 1;
        self.delivered += 1;
        let open = self
            .open
            .get_mut(at)
            .ok_or("a message that was never sent")?;
        open.1 += 1;
        if open.1 == self.receivers.len() {
            // All have the one before it, too: each has them in order.
            let (sent_at, _) = self.open.pop_front().expect("it was just counted");
            self.complete += 1;
            if self.measuring {
                self.full.record(sent_at.elapsed());
            }
        }
        Ok(())
    }

    fn stored(&mut self, request: u32, seq: u64) -> Result<(), String> {
        if request != wire::request_id(self.base + self.stored) {
            return Err(format!(
                "an ack out of turn, or a second one: request {request}"
            ));
        }
        if self.stored_seq != 0 && seq != self.stored_seq + 1 {
            return Err(format!("acked as {seq} after {}", self.stored_seq));
        }
        self.stored_seq = seq;
        self.stored += 1;
        let sent_at = self.sent_at.pop_front().ok_or("an ack of nothing")?;
        if self.measuring {
            self.ack.record(sent_at.elapsed());
        }
        Ok(())
    }
}

impl Handler for Fan {
    fn opened(&mut self, _: &mut Links, _: usize) {}

    fn frame(&mut self, _: &mut Links, link: usize, payload: &[u8]) -> Result<(), String> {
        let mut outcome = Ok(());
        wire::events(payload, |event| {
            let now = match event {
                Event::Push(push) => self.push(link, push),
                Event::Stored { request, seq } => self.stored(request, seq),
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

impl Load for Fan {
    fn refill(&mut self, links: &mut Links) {
        while self.in_flight() < self.window {
            let now = Instant::now();
            self.open.push_back((now, 0));
            self.sent_at.push_back(now);
            links.send(0, self.template.stamp(self.base + self.sent));
            self.sent += 1;
        }
    }

    fn delivered(&self) -> u64 {
        self.delivered
    }

    fn in_flight(&self) -> u64 {
        self.sent - self.complete.min(self.stored)
    }

    fn measuring(&mut self, on: bool) {
        self.measuring = on;
    }
}

/// Runs it on connections that are logged in.
pub(crate) fn run(swarm: &mut Swarm, target: &Target, plan: &Plan<'_>) -> Result<Fanned, String> {
    let mut fan = Fan {
        conversation: plan.conversation.as_bytes().to_vec(),
        template: SendTemplate::new(plan.conversation, plan.body_bytes),
        window: plan.window as u64,
        base: fresh_base(),
        sent: 0,
        stored: 0,
        stored_seq: 0,
        complete: 0,
        open: VecDeque::new(),
        sent_at: VecDeque::new(),
        receivers: (0..plan.receivers)
            .map(|_| Receiver {
                messages: 0,
                seq: 0,
            })
            .collect(),
        delivered: 0,
        measuring: false,
        full: Latency::new(),
        ack: Latency::new(),
    };
    let driven = drive(swarm, &mut fan, plan.timing, target.pid)?;
    Ok(Fanned {
        receivers: plan.receivers,
        window: plan.window,
        deliveries_per_s: driven.watched.rate(driven.deliveries),
        server_cpu_us_per_delivery: driven.watched.server_micros_per(driven.deliveries),
        full: fan.full.quantiles(),
        ack: fan.ack.quantiles(),
        driven,
    })
}
