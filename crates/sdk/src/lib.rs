//! The client of Anser.
//!
//! Two layers. [`core`] is the whole behaviour of a client — connecting, heartbeat, outbox,
//! sync, order — as a state machine that does no IO, reads no clock and draws no random number:
//! what happens is an argument, what is to be done is returned. A simulation drives it on a
//! network and a clock of its own; [`driver`] (feature `tokio`, on by default) on real sockets.
//!
//! [`terminal`] (feature `terminal`) is a chat in a terminal, and an example of an application.
//!
//! [`database`] is what a device keeps: messages, the conversation list, drafts, sends that wait.
//! In SQLite (feature `sqlite`, on by default) or in memory.
//!
//! [`view`] is what a screen shows, a conversation or the conversation list, as lists that change
//! step by step.
//!
//! The types an application meets are in [`model`], what can go wrong in [`error`], every number
//! in [`limits`].

pub mod core;
pub mod database;
#[cfg(feature = "tokio")]
pub mod driver;
pub mod error;
pub mod limits;
pub mod model;
pub mod saved;
#[cfg(feature = "terminal")]
pub mod terminal;
pub mod view;

#[cfg(feature = "tokio")]
pub use driver::{Client, Events};
pub use error::Error;
pub use saved::SavedState;

/// The examples of the guide.
#[cfg(all(doctest, feature = "sqlite", feature = "tokio"))]
#[doc = include_str!("../../../docs/guide/sdk-rust.md")]
struct Guide;
