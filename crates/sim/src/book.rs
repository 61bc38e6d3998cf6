//! What an application behind one device has been told, and whether that can be.
//!
//! The rules are those of the SDK's events: a followed conversation's messages come once each, in
//! order, and what is left out is said to be lost.

use std::collections::{BTreeMap, BTreeSet};

use anser_sdk::core::Event;
use anser_sdk::model::Message;

use crate::ledger::Shown;

/// A stretch of a conversation that a device was told it can't have.
#[derive(Clone, Debug)]
pub struct Lost {
    /// Where.
    pub conversation: String,
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// One conversation.
#[derive(Clone, Debug, Default)]
pub struct Chat {
    /// Delivered up to here without a gap, while it is followed.
    pub followed: Option<u64>,
    /// Where it began to be followed: changes of what was held before need not be told.
    pub began: u64,
    /// The highest sequence heard of.
    pub head: u64,
    /// What the last row said of membership.
    pub member: Option<bool>,
    /// The highest read position told.
    pub read_seq: u64,
    /// Messages given since it is followed, and the last change of each that was told.
    pub revs: BTreeMap<u64, u64>,
    /// Messages that were passed over in silence.
    pub skipped: BTreeSet<u64>,
    /// The version of the user's deletions, as far as any was told since it is followed.
    pub deleted: Option<u64>,
}

/// Everything told.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// By name.
    pub chats: BTreeMap<String, Chat>,
    /// See [`Lost`].
    pub lost: Vec<Lost>,
    /// The user's feed version up to which everything was told.
    pub feed_version: u64,
}

/// The message as evidence.
#[must_use]
pub fn shown(message: &Message) -> Shown {
    Shown {
        seq: message.seq,
        message_id: message.message_id.clone(),
        sender: message.sender.clone(),
        time: message.time.0,
        body: message.content.body.to_vec(),
        counted: message.counted,
    }
}

fn rev(message: &Message) -> u64 {
    message.state.as_ref().map_or(0, |state| state.rev)
}

impl Book {
    fn chat(&mut self, name: &str) -> &mut Chat {
        self.chats.entry(name.to_owned()).or_default()
    }

    /// How far the device knows this conversation to go.
    #[must_use]
    pub fn head(&self, name: &str) -> u64 {
        self.chats.get(name).map_or(0, |chat| chat.head)
    }

    /// The device starts anew from what it saved.
    pub fn restart(&mut self, followed: &BTreeMap<String, u64>) {
        let mut known = BTreeSet::new();
        for (name, chat) in &mut self.chats {
            if chat.followed.take().is_some() {
                known.insert(name.clone());
            }
        }
        for (name, seq) in followed {
            let chat = self.chat(name);
            chat.followed = Some(*seq);
            // It began to be followed, and nobody was told.
            if !known.contains(name) {
                chat.began = *seq;
            }
        }
    }

    /// What the database has may be of a later state than what was told: it is read from there.
    pub fn forget_states(&mut self) {
        for chat in self.chats.values_mut() {
            chat.revs.clear();
            chat.deleted = None;
        }
    }

    /// Takes note of an event, or says what is wrong with it.
    pub fn take(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Followed {
                conversation, seq, ..
            } => {
                let chat = self.chat(conversation);
                if let Some(known) = chat.followed.replace(*seq) {
                    return Err(format!(
                        "{conversation} is followed from {seq} although it was, up to {known}"
                    ));
                }
                chat.head = chat.head.max(*seq);
                chat.began = *seq;
                // What was given before is read again by whoever shows it.
                chat.revs.clear();
                chat.deleted = None;
            }
            Event::Unfollowed { conversation, .. } => {
                if self.chat(conversation).followed.take().is_none() {
                    // Refused before anything was known of it.
                }
            }
            Event::Message(message) => return self.message(message),
            Event::Lost {
                conversation,
                from_seq,
                to_seq,
            } => {
                let chat = self.chat(conversation);
                let Some(known) = chat.followed else {
                    return Err(format!(
                        "{conversation} lost messages without being followed"
                    ));
                };
                if *from_seq <= known || to_seq < from_seq {
                    return Err(format!(
                        "{conversation} lost {from_seq}..{to_seq} after {known} was delivered"
                    ));
                }
                // What lies between was found to hold nothing for this user; say so too.
                chat.followed = Some(*to_seq);
                let lost = Lost {
                    conversation: conversation.clone(),
                    from: known + 1,
                    to: *to_seq,
                };
                self.lost.push(lost);
            }
            Event::Conversation { row, feed_version } => {
                self.feed_version = feed_version.unwrap_or(self.feed_version);
                let chat = self.chat(&row.id);
                chat.member = Some(row.member);
                chat.head = chat.head.max(row.head_seq);
                chat.read_seq = chat.read_seq.max(row.read_seq);
            }
            Event::Read {
                conversation,
                position,
            } => {
                // Pushes of two devices' reads may overtake each other: the higher one counts.
                let chat = self.chat(conversation);
                chat.read_seq = chat.read_seq.max(position.read_seq);
            }
            Event::Changed(message) => return self.changed(message),
            Event::Deleted {
                conversation,
                version,
                ..
            } => {
                // Pushes of two deletions may overtake each other: the higher version counts.
                let chat = self.chat(conversation);
                chat.deleted = chat.deleted.max(Some(*version));
            }
            Event::Reset { positions } => {
                self.feed_version = 0;
                for chat in self.chats.values_mut() {
                    chat.member = None;
                    if *positions {
                        *chat = Chat::default();
                    }
                }
            }
            Event::Synced { feed_version, .. } => self.feed_version = *feed_version,
            Event::State(_)
            | Event::Outdated { .. }
            | Event::JoinRequest(_)
            | Event::Relations(_)
            | Event::Presence(_)
            | Event::Room { .. }
            | Event::Changes { .. }
            | Event::Transient(_)
            | Event::Receipts { .. }
            | Event::Queue(_) => {}
        }
        Ok(())
    }

    fn message(&mut self, message: &Message) -> Result<(), String> {
        let name = &message.conversation;
        let chat = self.chat(name);
        match chat.followed {
            None => return Err(format!("{name} has message {} unfollowed", message.seq)),
            Some(known) if message.seq <= known => {
                return Err(format!(
                    "{name} continues with {} after {known}",
                    message.seq
                ));
            }
            // What the user has deleted is left out; whether it was that is judged at the end.
            Some(known) => chat.skipped.extend(known + 1..message.seq),
        }
        chat.followed = Some(message.seq);
        chat.head = chat.head.max(message.seq);
        chat.revs.insert(message.seq, rev(message));
        Ok(())
    }

    fn changed(&mut self, message: &Message) -> Result<(), String> {
        let (seq, rev) = (message.seq, rev(message));
        let chat = self.chat(&message.conversation);
        let Some(known) = chat.revs.get_mut(&seq) else {
            return Ok(());
        };
        if rev < *known {
            let name = &message.conversation;
            return Err(format!("{name}: {seq} goes back from {known} to {rev}"));
        }
        *known = rev;
        Ok(())
    }
}
