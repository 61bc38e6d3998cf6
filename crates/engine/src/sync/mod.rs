//! Sync: everything a device missed, in one round trip.

pub(crate) mod device;
pub(crate) mod list;

use anser_domain::{ConversationId, Timestamp};

use crate::conversation::ConversationView;
use crate::message::MessagePage;
use crate::session::SessionId;

/// Where a device stands.
#[derive(Clone, Debug, Default)]
pub struct SyncRequest {
    /// As of its last complete sync; all zero on a new device.
    pub epoch: u64,
    /// See `epoch`.
    pub feed_version: u64,
    /// See `epoch`.
    pub synced: Timestamp,
    /// Conversations open on a screen, with the last sequence the device has.
    pub open: Vec<(ConversationId, u64)>,
    /// Continues an incomplete answer.
    pub cursor: String,
    /// The session that asks: from here on it hears what is for all subscribers of the user's
    /// system conversations.
    pub session: Option<SessionId>,
}

/// What it missed.
#[derive(Clone, Debug)]
pub struct SyncResult {
    /// Identity of the stored data.
    pub epoch: u64,
    /// The device can't continue from its positions and starts anew.
    pub reset: bool,
    /// Pinned ones first, then newest first.
    pub conversations: Vec<ConversationView>,
    /// What is missing in each open conversation that moved.
    pub pages: Vec<MessagePage>,
    /// To be kept once the cursor is empty.
    pub feed_version: u64,
    /// See `feed_version`.
    pub synced: Timestamp,
    /// Not empty: ask again with it.
    pub cursor: String,
}
