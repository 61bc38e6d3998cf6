//! What an actor knows of its conversation.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::group::{GroupState, Right};
use anser_domain::message::Counters;
use anser_domain::{AppId, Code, ConversationId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{SCAN_LIMIT_MAX, Store};
use bytes::Bytes;

use super::append::Append;
use super::targeted::Seen;
use crate::fault;
use crate::group::{Group, rows};
use crate::relation;
use crate::tables::{self, ConversationKeys};

/// The head and the members, as they will be once everything in flight is committed.
pub(crate) struct Loaded {
    pub(crate) head: stored::Head,
    /// The head's bytes, which the next unit expects. `None`: there is no row yet.
    pub(crate) head_bytes: Option<Bytes>,
    /// Of a group, by user.
    pub(crate) members: Arc<BTreeMap<UserId, stored::Member>>,
    /// Of a group, what is told of it and which roles it has.
    pub(crate) info: Arc<stored::GroupInfo>,
    /// Who gets what is appended.
    pub(crate) recipients: Arc<[UserId]>,
    /// Who gets it is not known here: all subscribers, or those named with it.
    pub(super) is_system: bool,
    /// How many countable messages each of the recent senders has sent.
    pub(crate) own: BTreeMap<UserId, u64>,
    /// What each user saw last.
    pub(super) seen: Seen,
    /// Of a private chat, who may not write to the other, and why.
    pub(super) refused: Vec<(UserId, Code)>,
    /// Of a private chat without a head, what its first append depends on.
    pub(super) stamp: Option<Bytes>,
}

/// Senders remembered; beyond, their count is read again.
const OWN_MAX: usize = 1_024;

impl Loaded {
    pub(crate) async fn load(
        store: &Store,
        app: AppId,
        id: &ConversationId,
        name: &Arc<str>,
        keys: &ConversationKeys,
    ) -> Result<Self, Reject> {
        let head_bytes = store
            .get(&keys.head())
            .await
            .map_err(|e| fault::reject(&e))?;
        let head = tables::decode_some(head_bytes.as_ref())?;
        let kind = id
            .members_of()
            .map_or(0, |(kind, _)| rows::kind_number(kind));
        let head = head.unwrap_or_else(|| stored::Head {
            kind,
            ..Default::default()
        });
        let mut info = stored::GroupInfo::default();
        let (members, recipients) = match id {
            ConversationId::Private(low, high) if low == high => {
                (BTreeMap::new(), Arc::from([low.clone()]))
            }
            ConversationId::Private(low, high) => {
                (BTreeMap::new(), Arc::from([low.clone(), high.clone()]))
            }
            ConversationId::Group(_)
            | ConversationId::Created(_)
            | ConversationId::Temporary(_) => {
                let members = members(store, keys).await?;
                let row = store.get(&keys.group_info()).await;
                let row = row.map_err(|e| fault::reject(&e))?;
                info = tables::decode_some(row.as_ref())?.unwrap_or_default();
                let recipients = members.keys().cloned().collect();
                (members, recipients)
            }
            ConversationId::System(_) => (BTreeMap::new(), Arc::from([])),
        };
        let (mut refused, mut stamp) = (Vec::new(), None);
        if let ConversationId::Private(low, high) = id
            && low != high
        {
            // Head and stamp first: who is blocked after that changes them.
            if head_bytes.is_none() {
                stamp = relation_stamp(store, keys).await?;
            }
            refused = relation::refusals(store, app, low, high).await?;
        }
        let seen = Seen::load(store, keys, name, &head).await?;
        let is_system = id.is_system();
        Ok(Self {
            head,
            head_bytes,
            members: Arc::new(members),
            info: Arc::new(info),
            recipients,
            is_system,
            own: BTreeMap::new(),
            seen,
            refused,
            stamp,
        })
    }

    /// Does the other side of a private chat hear the user?
    pub(super) fn check_heard(&self, user: &UserId) -> Result<(), Reject> {
        match self.refused.iter().find(|(refused, _)| refused == user) {
            Some((_, code)) => Err((*code).into()),
            None => Ok(()),
        }
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
            members_max: None,
            settings: rows::settings(&self.head),
        }
    }

    /// May the user take back what others wrote?
    pub(crate) fn manages(&self, user: &UserId) -> bool {
        self.standing(user)
            .is_some_and(|standing| standing.rights.has(Right::Recall))
    }

    /// The group as its members see it.
    pub(crate) fn group(&self, id: &ConversationId) -> Result<Group, Reject> {
        rows::group(id, &self.head, &self.info)
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
        if let Some(info) = &append.info {
            self.info = info.clone();
        }
        if let Some((sender, total)) = &append.own {
            if self.own.len() >= OWN_MAX && !self.own.contains_key(sender) {
                self.own.pop_first();
            }
            self.own.insert(sender.clone(), *total);
        }
    }
}

/// What the first append to a private chat depends on.
async fn relation_stamp(store: &Store, keys: &ConversationKeys) -> Result<Option<Bytes>, Reject> {
    let stamp = store.get(&keys.relation_stamp()).await;
    stamp.map_err(|e| fault::reject(&e))
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
