//! Answers that commit nothing: refusals, and "it is like that already".
//!
//! Nothing is committed whose condition could fail, so an actor that another node has overtaken
//! would answer from what was so once. What such an answer rests on is read again before it is
//! given; if it has changed, the command is taken anew from what the store says.

use anser_domain::code::Action;
use anser_domain::{Code, ConversationId};

use super::actor::Conversation;
use crate::relation;

impl Conversation {
    /// Does the answer rest on what is so no longer? `refused`: with this code. What is in flight
    /// is not looked behind: it fails if it is outdated, and whoever waits for it hears of that.
    pub(super) async fn is_outdated(&self, refused: Option<Code>) -> bool {
        // Refused for now, for whatever it says.
        if refused.is_some_and(|code| code.action() == Action::Retry) {
            return false;
        }
        let Some(known) = self.settled_head() else {
            return false;
        };
        match self.tools.store.get(&self.keys.head()).await {
            Ok(head) if head != known => return true,
            Ok(_) => {}
            // What is known stays in force.
            Err(_) => return false,
        }
        let lists = [Code::Blocked, Code::NotOnAllowList];
        match &self.id {
            ConversationId::Private(low, high)
                if refused.is_some_and(|code| lists.contains(&code)) =>
            {
                let now = relation::refusals(&self.tools.store, self.app, low, high).await;
                now.is_ok_and(|refused| self.peek(|loaded| loaded.refused != refused))
            }
            _ => false,
        }
    }
}
