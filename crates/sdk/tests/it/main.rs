//! The client against servers that misbehave on command. Everything but `driver` and `terminal`
//! is without IO: time is a number.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "in a test a panic is the report, numbers are small, and sockets need a runtime"
)]

mod calls;
mod changes;
mod connection;
mod driver;
mod fuzz;
mod heartbeat;
mod kept;
mod model;
mod order;
mod outbox;
mod peer;
mod requests;
mod rooms;
mod script;
mod server;
mod storage;
mod storage_both;
mod storage_gone;
mod storage_versions;
mod sync;
mod terminal;
mod timeline;
