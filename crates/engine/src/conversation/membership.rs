//! Membership of a group: from a change to a unit.
//!
//! A change is checked by the rules of the domain, and becomes one append: a notice in the
//! conversation, the member rows it moves, the head with the next member version, and an outbox
//! row by which the users' inboxes follow. All of it is one unit, conditional on the head, so a
//! change never mixes with another, and no send passes on rights that it took away.

use std::sync::Arc;

use anser_domain::group::{self, Operator, Role};
use anser_domain::limits::NOTICE_USERS_MAX;
use anser_domain::{Code, Reject, UserId};
use anser_proto::stored;
use anser_store::Unit;
use bytes::Bytes;
use prost::Message as _;

use super::actor::Conversation;
use super::append::{Append, Nudge, finish};
use super::loaded::{self, Loaded, role_number};
use crate::group::{By, GroupChange};
use crate::tables;

/// The type of notices about a group.
const GROUP_NOTICE: &str = "anser.group";

impl Conversation {
    /// `None`: there is nothing to change.
    pub(super) fn plan_group(
        &self,
        loaded: &Loaded,
        by: &By,
        change: &GroupChange,
    ) -> Result<Option<(Unit, Append)>, Reject> {
        let state = loaded.group_state();
        let operator = match by {
            By::Server => Operator::Server,
            By::User(user) => Operator::User(user, loaded.role(user)),
        };
        let is_member = |user: &UserId| loaded.members.contains_key(user);
        let (kind, joining, leaving) = match change {
            GroupChange::Create {
                name,
                owner,
                members,
            } => (1, group::create(state, name, owner, members)?, Vec::new()),
            GroupChange::Add(users) => (
                2,
                group::add(state, operator, users, is_member)?,
                Vec::new(),
            ),
            GroupChange::Remove(users) => {
                let owner = UserId::new(&loaded.head.owner).unwrap_or_else(|_| users[0].clone());
                (
                    3,
                    Vec::new(),
                    group::remove(state, operator, &owner, users, is_member)?,
                )
            }
            GroupChange::Quit => {
                let By::User(user) = by else {
                    return Err(Reject::new(Code::InvalidRequest, "only a user can quit"));
                };
                group::quit(state, loaded.role(user))?;
                (4, Vec::new(), vec![user.clone()])
            }
            GroupChange::Dismiss => {
                group::dismiss(state, operator)?;
                (5, Vec::new(), loaded.members.keys().cloned().collect())
            }
        };
        if joining.is_empty() && leaving.is_empty() {
            return Ok(None);
        }
        self.plan_membership(loaded, by, change, kind, &joining, &leaving)
            .map(Some)
    }

    fn plan_membership(
        &self,
        loaded: &Loaded,
        by: &By,
        change: &GroupChange,
        kind: u32,
        joining: &[UserId],
        leaving: &[UserId],
    ) -> Result<(Unit, Append), Reject> {
        let changed = if joining.is_empty() { leaving } else { joining };
        let body = notice(kind, by, changed);
        let (mut head, message) = self.next(loaded, false, |message| {
            message.content_type = GROUP_NOTICE.into();
            message.body = body;
        });
        let mut owner = None;
        if let GroupChange::Create {
            name, owner: first, ..
        } = change
        {
            head.name.clone_from(name);
            head.owner = first.as_str().to_owned();
            head.created_time = message.time.0;
            owner = Some(first);
        }
        head.member_version += 1;
        head.dismissed = matches!(change, GroupChange::Dismiss);
        let mut members = (*loaded.members).clone();
        let mut unit = Unit::new();
        for user in joining {
            let role = if Some(user) == owner {
                Role::Owner
            } else {
                Role::Member
            };
            let row = stored::Member {
                role: role_number(role),
                joined_time: message.time.0,
                joined_seq: loaded.head.seq,
                joined_ordinal: loaded.head.ordinal,
                version: head.member_version,
            };
            unit = unit.put(self.keys.member(user.as_str()), tables::encode(&row));
            members.insert(user.clone(), row);
        }
        for user in leaving {
            unit = unit.delete(self.keys.member(user.as_str()));
            members.remove(user);
        }
        head.member_count = u32::try_from(members.len()).expect("groups are bounded");
        let recipients: Arc<[UserId]> = members.keys().cloned().collect();
        let (seq, ordinal) = (loaded.head.seq, loaded.head.ordinal);
        let nudge = self.inbox_effect(&head, changed, !joining.is_empty(), seq, ordinal);
        let mut whole = self.unit(loaded, &head, &message);
        whole.writes.append(&mut unit.writes);
        let group = loaded::group_of(&self.id, &head)?;
        let append = Append {
            members: Some(Arc::new(members)),
            group: Some(group),
            ..self.append(head, message, recipients, Some(nudge))
        };
        Ok(finish(whole, append))
    }

    pub(super) fn inbox_effect(
        &self,
        head: &stored::Head,
        users: &[UserId],
        member: bool,
        joined_seq: u64,
        joined_ordinal: u64,
    ) -> Nudge {
        let effect = stored::InboxEffect {
            app: self.app.0,
            conversation: self.name.to_string(),
            member_version: head.member_version,
            users: users.iter().map(|user| user.as_str().to_owned()).collect(),
            member,
            joined_time: head.last_time,
            first_seq: joined_seq + 1,
            joined_ordinal,
        };
        let due = self.tools.env.now().0;
        let row = stored::OutboxRow {
            attempts: 0,
            created_time: due,
            effect: Some(stored::outbox_row::Effect::Inbox(effect)),
        };
        Nudge {
            key: self.keys.outbox(due, self.tools.env.random()),
            row,
        }
    }
}

fn notice(kind: u32, by: &By, users: &[UserId]) -> Bytes {
    let notice = stored::GroupNotice {
        kind,
        operator: match by {
            By::Server => String::new(),
            By::User(user) => user.as_str().to_owned(),
        },
        users: users
            .iter()
            .take(NOTICE_USERS_MAX)
            .map(|user| user.as_str().to_owned())
            .collect(),
        user_count: u32::try_from(users.len()).expect("groups are bounded"),
    };
    notice.encode_to_vec().into()
}
