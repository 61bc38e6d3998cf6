//! Presence: who is connected with which devices, a status of the user's own, and who is told.
//!
//! The sessions a user has are known to the user's home ([`Home`](crate::delivery::Home)). What is
//! *told* of them is a row in the user's shard, and it follows the sessions a moment later
//! ([`publish`]): the home notes whose sessions came or went ([`notes`]), and when a note is due it
//! compares the row with the sessions there are then. So a device that reconnects at once was never away,
//! a burst of changes is one, and whatever a home does twice changes nothing.
//!
//! While the nodes' view has just changed, sessions register with new homes; notes wait until
//! that has settled, so that nobody seems to be away who is not. Who was connected to a node that
//! died without a word is found by looking through the users told to be online, once things have
//! settled, at the start and after each change of view.
//!
//! Whoever wants to be told subscribes, for a time ([`subscription`]); the row of a watcher stands
//! with the user who is watched. All of it is kept for apps that switch it on.

mod commands;
mod notes;
mod publish;
mod rows;
mod subscription;

use std::sync::Arc;

use anser_domain::Timestamp;
use anser_domain::presence::DevicePresence;

pub(crate) use notes::Notes;
pub(crate) use publish::{unsettle, work};

/// What is told of a user.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Presence {
    /// Who.
    pub user: Arc<str>,
    /// The last changed first; at most
    /// [`PRESENCE_DEVICES_MAX`](anser_domain::limits::PRESENCE_DEVICES_MAX).
    pub devices: Vec<DevicePresence>,
    /// The user's own words; empty if there are none, or no longer.
    pub status: String,
    /// Until when; zero without one.
    pub status_until: Timestamp,
}

impl Presence {
    /// Is any device connected?
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.devices.iter().any(|device| device.online)
    }

    /// When the user was connected last, if not now. Zero: never, as far as is known.
    #[must_use]
    pub fn last_seen(&self) -> Timestamp {
        let times = self.devices.iter().map(|device| device.time);
        times.max().unwrap_or_default()
    }
}

/// Whom a user watches, and until when.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Subscription {
    /// Whom.
    pub user: Arc<str>,
    /// Until when.
    pub until: Timestamp,
}
