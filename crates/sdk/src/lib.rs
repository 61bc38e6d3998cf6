//! The client of Anser.
//!
//! Two layers. [`core`] is the whole behaviour of a client — connecting, heartbeat, outbox,
//! sync, order — as a state machine that does no IO, reads no clock and draws no random number:
//! what happens is an argument, what is to be done is returned. A simulation drives it on a
//! network and a clock of its own; a driver drives it on real sockets.
//!
//! The types an application meets are in [`model`], what can go wrong in [`error`], every number
//! in [`limits`].

pub mod core;
pub mod error;
pub mod limits;
pub mod model;
pub mod saved;

pub use error::Error;
pub use saved::SavedState;
