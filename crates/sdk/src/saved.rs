//! What a client has to remember over a restart.
//!
//! It is the sum of the events that were delivered: whoever stores the events stores beside them
//! what [`SavedState::apply`] makes of them, in the same transaction, and after a crash goes on
//! exactly where its own data ends. Nothing is lost, nothing comes twice.

use std::collections::BTreeMap;

use crate::core::Event;

/// A client's position in what the server has.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct SavedState {
    /// Whose it is. Signing in as somebody else drops the rest.
    pub user_id: String,
    /// Identity of the stored data; 0 before the first sync.
    pub epoch: u64,
    /// The user's feed version.
    pub feed_version: u64,
    /// The time of the last complete sync, by the server.
    pub synced_time: u64,
    /// The conversations that are followed, each with the last sequence delivered.
    pub followed: BTreeMap<String, u64>,
    /// Of followed conversations, up to where changes of messages were told. Where it is missing
    /// that was not found out yet, and all changes are told.
    pub revs: BTreeMap<String, u64>,
    /// Of followed conversations, up to where the user's own deletions were told; 0 if missing.
    pub deleted: BTreeMap<String, u64>,
}

impl SavedState {
    /// Takes note of an event that was delivered.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Followed {
                conversation, seq, ..
            } => {
                self.followed.insert(conversation.clone(), *seq);
                self.revs.remove(conversation);
                self.deleted.remove(conversation);
            }
            Event::Unfollowed { conversation, .. } => {
                self.followed.remove(conversation);
                self.revs.remove(conversation);
                self.deleted.remove(conversation);
            }
            Event::Changes { conversation, rev } => {
                if self.followed.contains_key(conversation) {
                    self.revs.insert(conversation.clone(), *rev);
                }
            }
            Event::Deleted {
                conversation,
                version,
                ..
            } => {
                if self.followed.contains_key(conversation) {
                    self.deleted.insert(conversation.clone(), *version);
                }
            }
            Event::Message(message) => {
                if let Some(seq) = self.followed.get_mut(&message.conversation) {
                    *seq = message.seq;
                }
            }
            Event::Lost {
                conversation,
                to_seq,
                ..
            } => {
                if let Some(seq) = self.followed.get_mut(conversation) {
                    *seq = *to_seq;
                }
            }
            Event::Conversation { feed_version, .. } => {
                if let Some(version) = feed_version {
                    self.feed_version = *version;
                }
            }
            Event::Reset { positions } => {
                self.feed_version = 0;
                self.synced_time = 0;
                if *positions {
                    self.user_id.clear();
                    self.epoch = 0;
                    self.followed.clear();
                    self.revs.clear();
                    self.deleted.clear();
                }
            }
            Event::Synced {
                user_id,
                epoch,
                feed_version,
                synced_time,
            } => {
                self.user_id.clone_from(user_id);
                self.epoch = *epoch;
                self.feed_version = *feed_version;
                self.synced_time = *synced_time;
            }
            Event::State(_)
            | Event::Read { .. }
            | Event::Changed(_)
            | Event::Outdated { .. }
            | Event::Transient(_)
            | Event::Receipts { .. }
            | Event::JoinRequest(_)
            | Event::Relations(_)
            | Event::Presence(_)
            | Event::Room { .. }
            | Event::Queue(_) => {}
        }
    }
}
