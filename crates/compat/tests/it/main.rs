//! The doors, on engines in memory.

#![allow(clippy::unwrap_used, reason = "tests")]

mod socket;
mod world;
