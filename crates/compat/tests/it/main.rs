//! The doors, on engines in memory.

#![expect(
    clippy::disallowed_methods,
    reason = "tests live in the real world: sockets, timers and tasks"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps in vain has failed, as it should"
)]

mod files;
mod http;
mod rest;
mod socket;
mod world;
