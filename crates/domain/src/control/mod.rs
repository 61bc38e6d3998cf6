//! What an app decides for all of its users.
//!
//! * Its own limits and choices ([`AppSettings`]): the operator's configuration has a value for
//!   each; an app sets its own where it wants another, within bounds that hold for every app.
//! * [`mute`]: who may not write, in all conversations of a kind.
//! * [`ban`]: who may not sign in.

pub mod ban;
pub mod mute;
mod settings;

pub use settings::{AppSettings, AppSettingsChange};
