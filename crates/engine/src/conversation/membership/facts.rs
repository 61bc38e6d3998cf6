//! What has to be read of users outside of the group before a change can be planned.

use std::collections::BTreeMap;

use anser_domain::group::joining;
use anser_domain::{Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Space, Unit};
use bytes::Bytes;

use crate::conversation::actor::Conversation;
use crate::fault;
use crate::group::{By, GroupChange};
use crate::tables::{self, BAN, ConversationKeys, INVITATION, JOIN_REQUEST};

/// Rows of users outside of the group, as they were read.
#[derive(Default)]
pub(in crate::conversation) struct GroupFacts {
    rows: BTreeMap<(Space, UserId), Option<Bytes>>,
}

impl GroupFacts {
    fn row<T: prost::Message + Default>(&self, space: Space, user: &UserId) -> Option<T> {
        let bytes = self.rows.get(&(space, user.clone()))?.as_ref()?;
        // What does not decode was reported, and is as good as not there.
        tables::decode(bytes).ok()
    }

    /// Is there a row of a ban, over or not?
    pub(super) fn has_ban(&self, user: &UserId) -> bool {
        self.row::<stored::GroupBan>(BAN, user).is_some()
    }

    pub(super) fn is_banned(&self, user: &UserId, now: Timestamp) -> bool {
        self.row::<stored::GroupBan>(BAN, user)
            .is_some_and(|ban| Timestamp(ban.until) > now)
    }

    pub(super) fn waits(&self, user: &UserId, now: Timestamp) -> bool {
        self.row::<stored::JoinRequest>(JOIN_REQUEST, user)
            .is_some_and(|row| joining::lives(Timestamp(row.time), now))
    }

    pub(super) fn is_invited(&self, user: &UserId, now: Timestamp) -> bool {
        self.row::<stored::GroupInvitation>(INVITATION, user)
            .is_some_and(|row| joining::lives(Timestamp(row.time), now))
    }

    /// The unit holds only if everything is as it was read.
    pub(super) fn expect(&self, keys: &ConversationKeys, unit: Unit) -> Unit {
        self.rows.iter().fold(unit, |unit, ((space, user), bytes)| {
            unit.expect_unchanged(keys.user(*space, user.as_str()), bytes.clone())
        })
    }
}

impl Conversation {
    /// Reads what the change has to know of users outside of the group.
    pub(in crate::conversation) async fn group_facts(
        &self,
        by: &By,
        change: &GroupChange,
    ) -> Result<GroupFacts, Reject> {
        let any_banned = self.peek(|loaded| {
            loaded
                .head
                .settings
                .as_ref()
                .is_some_and(|settings| settings.bans > 0)
        });
        let operator = match by {
            By::Server => None,
            By::User(user) => Some(user),
        };
        let (spaces, users): (&[Space], Vec<&UserId>) = match change {
            GroupChange::Ban { users, .. } => (&[BAN, INVITATION], users.iter().collect()),
            GroupChange::Add(users) if any_banned => (&[BAN], users.iter().collect()),
            GroupChange::Approve(users) => (&[BAN, JOIN_REQUEST], users.iter().collect()),
            GroupChange::Join | GroupChange::Answer { .. } => {
                (&[BAN, INVITATION], operator.into_iter().collect())
            }
            _ => return Ok(GroupFacts::default()),
        };
        let wanted: Vec<(Space, UserId)> = spaces
            .iter()
            .flat_map(|space| users.iter().map(|user| (*space, (*user).clone())))
            .collect();
        let keys: Vec<_> = wanted
            .iter()
            .map(|(space, user)| self.keys.user(*space, user.as_str()))
            .collect();
        let read = self.tools.store.get_many(&keys).await;
        let read = read.map_err(|e| fault::reject(&e))?;
        let rows = wanted.into_iter().zip(read).collect();
        Ok(GroupFacts { rows })
    }
}
