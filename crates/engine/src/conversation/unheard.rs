//! Senders whom the other side of a private chat does not hear.
//!
//! A sender who is blocked may be answered as if nothing were, where the app wants it so: with an id
//! and no sequence, and it goes nowhere.

use anser_domain::{Code, Reject};

use super::actor::{Conversation, SendCommand};
use super::lane::Telling;
use crate::delivery::Burst;
use crate::message::SendResult;

impl Conversation {
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
