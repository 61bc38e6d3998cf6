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
//! What devices show is judged as well ([`view`]): the conversation list and the timelines in their
//! databases, or the list that a device without one keeps, are what the model says, with unread
//! counts, mentions and the user's own settings ([`own`]). In the end every device opens every
//! conversation and pages it back to its beginning: what it then has is all that the user is to
//! see, as it is. Receipts are judged, too ([`receipts`]), and what groups and block lists allow
//! ([`rules`]).
//!
//! Where a device need not be exact, the check says why: before it is opened, a conversation that
//! is not followed may have messages as they were, and counts of what is unread after changes of
//! messages that the device does not have; and a hidden conversation may be shown by the server
//! alone when only a command, or what is for others, came since.
//!
//! # A history
//!
//! Most of what can go wrong between devices needs no broken cluster, but the right few operations
//! in the right order. A history is a short run of few users on a node or three in which devices
//! come and go: thousands of them take minutes.
//!
//! # A failure
//!
//! A failing seed says so with the command that replays it, and with fewer steps if it is shrunk
//! ([`shrink()`]). The same seed always does the same:
//! a test compares fingerprints of two runs. That the checkers see bugs at all is shown by putting
//! some in ([`sabotage`]).

pub mod alter;
mod backend;
pub mod book;
pub mod check;
pub mod cluster;
mod device;
pub mod disk;
pub mod executor;
pub mod ledger;
pub mod network;
pub mod own;
pub mod pipe;
pub mod random;
pub mod receipts;
pub mod rules;
mod run;
pub mod sabotage;
mod serve;
mod shrink;
pub mod truth;
pub mod view;
pub mod workload;
pub mod world;

pub use run::{Failure, Options, Report, run};
pub use shrink::shrink;

/// A line of a trace.
#[expect(clippy::print_stderr, reason = "a trace is for the terminal")]
pub(crate) fn print(line: &str) {
    eprintln!("{line}");
}
