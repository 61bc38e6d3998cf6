//! The client against servers that misbehave on command. Everything but `driver` and `terminal`
//! is without IO: time is a number.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "in a test a panic is the report, and numbers are small"
)]

mod connection;
mod fuzz;
mod heartbeat;
mod model;
mod order;
mod outbox;
mod requests;
mod script;
mod sync;
