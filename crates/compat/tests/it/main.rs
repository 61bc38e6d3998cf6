//! The doors, on engines in memory.

#![allow(clippy::unwrap_used, reason = "tests")]

mod files;
mod http;
mod rest;
mod socket;
mod world;
