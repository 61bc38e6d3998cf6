//! Tests of the store through its public handle.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod backends;
mod conformance;
mod crash;
mod directory;
mod faults;
mod fixtures;
mod log_damage;
mod model;
