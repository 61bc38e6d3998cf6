//! Tests of the store through its public handle.

#![expect(missing_docs, reason = "a test binary has no readers of its items")]

mod backends;
mod conformance;
mod crash;
mod directory;
mod faults;
mod fixtures;
mod log_damage;
mod model;
