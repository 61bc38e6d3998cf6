//! `anser-load`: what does the server take, and does it keep its word when it is killed?
//!
//! - [`clients`] drives many connections from one thread, or one at a time.
//! - [`floor`] has the raw loops that bound each scenario; they run in the same session as the
//!   product, so that figures are ratios that survive a busy machine.
//! - [`scenario`] measures; every run is bounded in count and time and checks what it counts:
//!   each send acked once, each delivery once, in order, without a gap.
//! - [`peers`] has message brokers do what a chat room does, in the same run.
//! - [`crash`] kills the server again and again under load and then checks every acknowledged
//!   message.
//!
//! The server under test is a private process with its own directory and free ports.

#![expect(
    clippy::disallowed_methods,
    reason = "a load generator lives in the ambient world: its clock, its processes, its threads"
)]

mod anser;
mod cli;
mod clients;
mod crash;
mod floor;
mod latency;
mod peers;
mod process;
mod report;
mod scenario;
mod token;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::note(&format!("anser-load: {error}"));
            ExitCode::FAILURE
        }
    }
}
