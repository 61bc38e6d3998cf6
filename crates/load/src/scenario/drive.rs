//! The life of a closed-loop run: warm up, measure, let everything in flight arrive.
//!
//! A run fails if anything in flight does not arrive: a figure over lost messages is no figure.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::clients::swarm::{Handler, Links, Swarm};
use crate::process::{Watch, Watched};

/// How long the last messages may take to arrive.
const DRAIN: Duration = Duration::from_secs(20);

/// How long to run.
#[derive(Copy, Clone)]
pub(crate) struct Timing {
    /// Not counted: caches, windows and the scheduler settle.
    pub(crate) warm: Duration,
    /// Counted.
    pub(crate) measure: Duration,
}

/// A load that keeps a number of messages in flight.
pub(crate) trait Load: Handler {
    /// Sends as much as the windows allow.
    fn refill(&mut self, links: &mut Links);
    /// Deliveries so far.
    fn delivered(&self) -> u64;
    /// Messages sent and not yet acked and delivered to everybody.
    fn in_flight(&self) -> u64;
    /// Nothing is left to send or to arrive, though there is time.
    fn finished(&self) -> bool {
        false
    }
    /// From here on (or no longer) latencies count.
    fn measuring(&mut self, on: bool);
}

/// What a run gave.
#[derive(Clone, Serialize)]
pub(crate) struct Driven {
    /// In the measured stretch.
    pub(crate) deliveries: u64,
    /// Messages from the server for each read that had any: how far its writes are coalesced, as
    /// a client sees it.
    pub(crate) events_per_read: f64,
    #[serde(flatten)]
    pub(crate) watched: Watched,
}

/// Runs a load against the process that serves it.
pub(crate) fn drive<L: Load>(
    swarm: &mut Swarm,
    load: &mut L,
    timing: Timing,
    server: u32,
) -> Result<Driven, String> {
    turn_until(swarm, load, Instant::now() + timing.warm)?;
    load.measuring(true);
    let (reads, before) = (swarm.reads(), load.delivered());
    let watch = Watch::start(server);
    turn_until(swarm, load, Instant::now() + timing.measure)?;
    let watched = watch.stop();
    load.measuring(false);
    let deliveries = load.delivered() - before;
    let reads = swarm.reads() - reads;
    let deadline = Instant::now() + DRAIN;
    while load.in_flight() > 0 {
        if Instant::now() > deadline {
            return Err(format!("{} messages never arrived", load.in_flight()));
        }
        swarm.turn(Duration::from_millis(10), load)?;
    }
    Ok(Driven {
        deliveries,
        events_per_read: deliveries as f64 / reads.max(1) as f64,
        watched,
    })
}

fn turn_until<L: Load>(swarm: &mut Swarm, load: &mut L, end: Instant) -> Result<(), String> {
    while Instant::now() < end && !load.finished() {
        load.refill(&mut swarm.links);
        swarm.turn(Duration::from_millis(10), load)?;
    }
    Ok(())
}
