//! A whole cluster with its clients on one thread and one seed.
//!
//! What runs here is the product itself: the engine of three nodes, the gateway's session machine
//! on every connection, the SDK's core on every device. What is made up is the world around them:
//! a scheduler that draws whose turn it is ([`executor`]), a network that loses, delays and cuts
//! ([`network`], [`pipe`]), a store that conflicts, forgets to answer and loses what was not
//! synced ([`disk`]), nodes that crash ([`cluster`]). People and backends do what was drawn
//! beforehand ([`workload`]); everything they asked and were told is evidence ([`ledger`],
//! [`book`]).
//!
//! # A run
//!
//! Everything goes wrong for a while, then nothing does. Now every device must get hold of
//! everything within minutes of virtual time, or the run fails: that is progress. Then the
//! evidence is held against what stands on the disk ([`truth`], [`check`]): what was acknowledged
//! is there exactly once, in order, without gaps; unread counts, memberships and lists are what a
//! model says that counts one by one.
//!
//! # A failure
//!
//! A failing seed says so with the command that replays it. The same seed always does the same:
//! a test compares fingerprints of two runs. That the checkers see bugs at all is shown by putting
//! some in ([`sabotage`]).

pub mod alter;
pub mod book;
pub mod check;
pub mod cluster;
mod device;
pub mod disk;
pub mod executor;
pub mod ledger;
pub mod network;
pub mod pipe;
pub mod random;
mod run;
pub mod sabotage;
mod serve;
pub mod truth;
pub mod workload;
pub mod world;

pub use run::{Failure, Options, Report, run};

/// A line of a trace.
#[expect(clippy::print_stderr, reason = "a trace is for the terminal")]
pub(crate) fn print(line: &str) {
    eprintln!("{line}");
}
