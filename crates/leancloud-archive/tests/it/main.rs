//! The real program against a stand-in for LeanCloud's API.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which may panic like the tests themselves"
)]

mod changes;
mod complete;
mod damage;
mod exports;
mod faithful;
mod program;
mod secrets;
mod showing;
#[path = "../stand_in/mod.rs"]
#[allow(
    dead_code,
    reason = "the measurement under benches/ uses other parts of it"
)]
mod stand_in;
