//! What an actor knows of its conversation.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::group::{GroupState, Role};
use anser_domain::message::Counters;
use anser_domain::{Code, ConversationId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{SCAN_LIMIT_MAX, Store};
use bytes::Bytes;

use super::append::Append;
use super::targeted::Seen;
use crate::fault;
use crate::group::Group;
use crate::tables::{self, ConversationKeys};

/// Number of a role in a stored member row.
pub(crate) fn role_number(role: Role) -> u32 {
    match role {
        Role::Member => 1,
        Role::Owner => 2,
    }
}

/// The role of a stored member row.
pub(crate) fn role_of(row: &stored::Member) -> Role {
    if row.role == 2 {
        Role::Owner
    } else {
        Role::Member
    }
}

/// The head and the members, as they will be once everything in flight is committed.
pub(crate) struct Loaded {
    pub(crate) head: stored::Head,
    /// The head's bytes, which the next unit expects. `None`: there is no row yet.
    pub(crate) head_bytes: Option<Bytes>,
    /// Of a group, by user.
    pub(crate) members: Arc<BTreeMap<UserId, stored::Member>>,
    /// Who gets what is appended.
    pub(crate) recipients: Arc<[UserId]>,
    /// How many countable messages each of the recent senders has sent.
    pub(crate) own: BTreeMap<UserId, u64>,
    /// What each user saw last.
    pub(super) seen: Seen,
}

/// Senders remembered; beyond, their count is read again.
const OWN_MAX: usize = 1_024;

impl Loaded {
    pub(crate) async fn load(
        store: &Store,
        id: &ConversationId,
        name: &Arc<str>,
        keys: &ConversationKeys,
    ) -> Result<Self, Reject> {
        let head_bytes = store
            .get(&keys.head())
            .await
            .map_err(|e| fault::reject(&e))?;
        let head: stored::Head = tables::decode_some(head_bytes.as_ref())?.unwrap_or_default();
        let (members, recipients) = match id {
            ConversationId::Private(low, high) if low == high => {
                (BTreeMap::new(), Arc::from([low.clone()]))
            }
            ConversationId::Private(low, high) => {
                (BTreeMap::new(), Arc::from([low.clone(), high.clone()]))
            }
            ConversationId::Group(_) => {
                let members = members(store, keys).await?;
                let recipients = members.keys().cloned().collect();
                (members, recipients)
            }
        };
        let seen = Seen::load(store, keys, name, &head).await?;
        Ok(Self {
            head,
            head_bytes,
            members: Arc::new(members),
            recipients,
            own: BTreeMap::new(),
            seen,
        })
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters {
            seq: self.head.seq,
            ordinal: self.head.ordinal,
            last_time: Timestamp(self.head.last_time),
        }
    }

    pub(crate) fn group_state(&self) -> GroupState {
        GroupState {
            exists: self.head_bytes.is_some(),
            dismissed: self.head.dismissed,
            member_count: self.head.member_count as usize,
        }
    }

    pub(crate) fn role(&self, user: &UserId) -> Option<Role> {
        self.members.get(user).map(role_of)
    }

    /// Is the user the owner, or an admin?
    pub(crate) fn manages(&self, user: &UserId) -> bool {
        self.role(user).is_some_and(|role| role > Role::Member)
    }

    /// The group as its members see it.
    pub(crate) fn group(&self, id: &ConversationId) -> Result<Group, Reject> {
        group_of(id, &self.head)
    }

    /// The state after an append that is on its way.
    pub(crate) fn apply(&mut self, append: &Append) {
        self.head = append.head.clone();
        self.head_bytes = Some(append.head_bytes.clone());
        if append.previous_rev.is_none() {
            self.seen.add(&append.message);
        }
        if let Some(members) = &append.members {
            self.members = members.clone();
            self.recipients = members.keys().cloned().collect();
        }
        if let Some((sender, total)) = &append.own {
            if self.own.len() >= OWN_MAX && !self.own.contains_key(sender) {
                self.own.pop_first();
            }
            self.own.insert(sender.clone(), *total);
        }
    }
}

/// The group that a head describes.
pub(crate) fn group_of(id: &ConversationId, head: &stored::Head) -> Result<Group, Reject> {
    let ConversationId::Group(id) = id else {
        return Err(Reject::new(
            Code::InvalidRequest,
            "a private conversation is no group",
        ));
    };
    Ok(Group {
        id: id.clone(),
        name: head.name.clone(),
        owner: head.owner.clone(),
        member_count: head.member_count,
        created: Timestamp(head.created_time),
    })
}

/// A group's members, by user id.
pub(crate) async fn members(
    store: &Store,
    keys: &ConversationKeys,
) -> Result<BTreeMap<UserId, stored::Member>, Reject> {
    let mut members = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = store
            .scan(keys.members(&after, SCAN_LIMIT_MAX))
            .await
            .map_err(|e| fault::reject(&e))?;
        for (key, value) in &page.rows {
            let text = keys.member_of_key(key).ok_or_else(damaged)?;
            members.insert(
                UserId::new(text).map_err(|_| damaged())?,
                tables::decode(value)?,
            );
            text.clone_into(&mut after);
        }
        if !page.more {
            return Ok(members);
        }
    }
}

/// The number at the end of a key, or a value that is one.
pub(crate) fn number_at_end(bytes: &[u8]) -> Result<u64, Reject> {
    bytes
        .last_chunk::<8>()
        .map(|bytes| u64::from_be_bytes(*bytes))
        .ok_or_else(damaged)
}

/// A key in the store that this program cannot have written.
pub(crate) fn damaged() -> Reject {
    Reject::new(Code::Internal, "a key in the store is damaged")
}
