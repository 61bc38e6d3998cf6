//! What the actor of a system conversation does differently: nobody's name is loaded.
//!
//! Subscribers are without limit, so the actor knows none of them. A message for all is a broadcast
//! ([`Reach`]); one for some goes to those whom it names, like a targeted message of a group. Who
//! may be named, and whether a user is subscribed who writes, are point reads.

use std::collections::BTreeSet;
use std::sync::Arc;

use anser_domain::{Code, Reject, UserId};
use anser_proto::stored;

use super::actor::Conversation;
use super::loaded::Loaded;
use crate::delivery::Broadcast;
use crate::event::Event;
use crate::fault;
use crate::message::{Message, SendMessage};
use crate::tables::{self, UserKeys};

/// For all subscribers.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Reach {
    /// Which are all users of the app.
    pub(crate) everyone: bool,
}

/// What goes to all subscribers.
pub(super) struct ForAll {
    pub(super) reach: Reach,
    pub(super) event: Arc<Event>,
    pub(super) seen: Vec<(UserId, u64)>,
}

impl Loaded {
    /// Is it there, whoever speaks? Not so once it was dismissed.
    pub(super) fn check_exists(&self) -> Result<(), Reject> {
        match &self.head_bytes {
            None => Err(Reject::new(Code::NotFound, "there is no such conversation")),
            Some(_) if self.head.dismissed => Err(Code::GroupDismissed.into()),
            Some(_) => Ok(()),
        }
    }

    /// Is the message for all subscribers of a system conversation?
    pub(super) fn reach(&self, message: &Message) -> Option<Reach> {
        self.reach_of_all().filter(|_| message.targets.is_empty())
    }

    pub(super) fn reach_of_all(&self) -> Option<Reach> {
        let everyone = self.head.everyone;
        self.is_system.then_some(Reach { everyone })
    }
}

/// Those whom a message of a system conversation names, and its sender; nobody if it is for all.
pub(super) fn named(message: &Message) -> Arc<[UserId]> {
    if message.targets.is_empty() {
        return Arc::from([]);
    }
    let sender = UserId::new(&message.sender).ok();
    let users: BTreeSet<UserId> = message.targets.iter().cloned().chain(sender).collect();
    users.into_iter().collect()
}

impl Conversation {
    /// Of a system conversation: may this user write, or be named by the backend?
    pub(super) async fn check_audience(&self, send: &SendMessage) -> Result<(), Reject> {
        if !self.id.is_system() {
            return Ok(());
        }
        let everyone = self.peek(|loaded| loaded.head.everyone);
        let store = &self.tools.store;
        if !send.options.by_server {
            if everyone {
                return Ok(());
            }
            let row = store.get(&self.keys.subscriber(send.sender.as_str())).await;
            let row = row.map_err(|e| fault::reject(&e))?;
            let row: Option<stored::Subscriber> = tables::decode_some(row.as_ref())?;
            return match row.is_some_and(|row| row.subscribed) {
                true => Ok(()),
                false => Err(Code::NotAMember.into()),
            };
        }
        let targets = &send.options.targets;
        let keys: Vec<_> = targets
            .iter()
            .map(|user| match everyone {
                true => UserKeys::new(self.app, user.as_str()).user(),
                false => self.keys.subscriber(user.as_str()),
            })
            .collect();
        let rows = store.get_many(&keys).await.map_err(|e| fault::reject(&e))?;
        for (user, row) in targets.iter().zip(rows) {
            let inside = match everyone {
                true => row.is_some(),
                false => tables::decode_some::<stored::Subscriber>(row.as_ref())?
                    .is_some_and(|row| row.subscribed),
            };
            if !inside {
                let message = format!("target {user} is not subscribed");
                return Err(Reject::new(Code::InvalidRequest, message));
            }
        }
        Ok(())
    }

    /// Tells all subscribers who are online.
    pub(super) fn broadcast(&self, it: ForAll) {
        self.tools.broadcasts.send(Broadcast {
            app: self.app,
            conversation: self.name.clone(),
            everyone: it.reach.everyone,
            event: it.event,
            seen: it.seen,
        });
    }
}
