//! The engine over the memory store: what a capability promises, end to end.

#![expect(clippy::disallowed_methods, reason = "tests live in the real world")]

mod apps;
mod chat;
mod cluster;
mod groups;
mod login;
mod sync;
mod world;
