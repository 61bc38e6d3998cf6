//! Senders whom the other side of a private chat does not hear.
//!
//! A send that is refused from memory commits nothing that could fail, so what it was refused for
//! is read again before the sender is told. A sender who is blocked may be answered as if nothing
//! were, where the app wants it so: with an id and no sequence, and it goes nowhere.

use anser_domain::{Code, ConversationId, Reject};

use super::actor::{Conversation, SendCommand};
use super::lane::Telling;
use crate::delivery::Burst;
use crate::message::SendResult;
use crate::relation;

impl Conversation {
    /// Was it refused for what is so no longer?
    pub(super) async fn is_outdated(&self, reject: &Reject) -> bool {
        let ConversationId::Private(low, high) = &self.id else {
            return false;
        };
        if !matches!(reject.code, Code::Blocked | Code::NotOnAllowList) {
            return false;
        }
        match relation::refusals(&self.tools.store, self.app, low, high).await {
            Ok(refused) => self.peek(|loaded| loaded.refused != refused),
            // What is known stays in force.
            Err(_) => false,
        }
    }

    /// Is a sender who was refused for this not to know it?
    pub(super) fn swallows(&self, reject: &Reject) -> bool {
        let settings = || self.tools.controls.settings(self.app);
        reject.code == Code::Blocked && settings().swallow_blocked == Some(true)
    }

    /// Acknowledges what goes nowhere.
    pub(super) fn swallow(&self, send: SendCommand) {
        let time = self.tools.env.now();
        let result = SendResult {
            conversation: self.name.clone(),
            seq: 0,
            id: self.tools.env.message_id(time),
            time,
            prev: 0,
        };
        let mut burst = Burst::default();
        Telling::Sent(send.replies, result).tell(&mut burst);
        burst.flush();
    }
}
