//! A change of a group in the making: what it will write.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::attributes::PathChange;
use anser_domain::group::info::{self, Attributes};
use anser_domain::group::notice::NoticeKind;
use anser_domain::group::{GroupState, Operator, Role};
use anser_domain::limits::{NOTICE_USERS_MAX, SYNC_LOOK_BACK_MS};
use anser_domain::position::ReadPosition;
use anser_domain::{ConversationId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Space, Unit};
use prost::Message as _;

use super::facts::GroupFacts;
use crate::conversation::actor::Conversation;
use crate::conversation::append::{Append, Nudge, finish};
use crate::conversation::loaded::Loaded;
use crate::group::{By, rows};
use crate::json;
use crate::message::Message;
use crate::tables::{self, INVITATION, JOIN_REQUEST};

/// The type of notices about a group.
const GROUP_NOTICE: &str = "anser.group";

/// Whose inbox rows follow, and what they say.
struct Inbox {
    users: Vec<UserId>,
    member: bool,
    invitation: Option<stored::GroupInvitation>,
}

pub(super) struct Draft<'a> {
    conversation: &'a Conversation,
    pub(super) loaded: &'a Loaded,
    pub(super) by: &'a By,
    /// As it will be.
    pub(super) head: stored::Head,
    pub(super) notice: stored::GroupNotice,
    message: Message,
    members: Option<BTreeMap<UserId, stored::Member>>,
    info: Option<stored::GroupInfo>,
    unit: Unit,
    inbox: Option<Inbox>,
    end: Option<Nudge>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        conversation: &'a Conversation,
        loaded: &'a Loaded,
        by: &'a By,
        mut head: stored::Head,
        message: Message,
    ) -> Self {
        head.member_version += 1;
        head.updated_time = message.time.0;
        let notice = stored::GroupNotice {
            operator: by.text().to_owned(),
            ..Default::default()
        };
        Self {
            conversation,
            loaded,
            by,
            head,
            notice,
            message,
            members: None,
            info: None,
            unit: Unit::new(),
            inbox: None,
            end: None,
        }
    }

    pub(super) fn state(&self) -> GroupState {
        let conversation = self.conversation;
        let settings = conversation.tools.controls.settings(conversation.app);
        GroupState {
            members_max: settings.group_members_max.map(|max| max as usize),
            ..self.loaded.group_state()
        }
    }

    pub(super) fn operator(&self) -> Operator<'a> {
        match self.by {
            By::Server => Operator::Server,
            By::User(user) => Operator::User(user, self.loaded.standing(user)),
        }
    }

    /// When it happens.
    pub(super) fn now(&self) -> Timestamp {
        self.message.time
    }

    /// Says what happened, and to whom.
    pub(super) fn say(&mut self, kind: NoticeKind, users: &[UserId]) {
        self.notice.kind = kind.number();
        let named = users.iter().take(NOTICE_USERS_MAX);
        self.notice.users = named.map(|user| user.as_str().to_owned()).collect();
        self.notice.user_count = u32::try_from(users.len()).expect("groups are bounded");
    }

    /// Says which nested attributes changed, and what they are now.
    pub(super) fn say_nested(&mut self, change: &PathChange) {
        let outcome = change.outcome();
        let room = NOTICE_USERS_MAX - self.notice.changed.len();
        let paths = outcome.keys().take(room);
        let names = paths.map(|path| format!("attributes.{path}"));
        self.notice.changed.extend(names);
        self.notice.nested_attributes = json::object_text(&outcome);
    }

    /// Says which attributes changed.
    pub(super) fn say_attributes(&mut self, old: &Attributes, new: &Attributes) {
        let room = NOTICE_USERS_MAX - self.notice.changed.len();
        let names = info::changed_keys(old, new)
            .take(room)
            .map(|key| format!("attributes.{key}"));
        self.notice.changed.extend(names);
    }

    fn members(&mut self) -> &mut BTreeMap<UserId, stored::Member> {
        self.members
            .get_or_insert_with(|| (*self.loaded.members).clone())
    }

    pub(super) fn info(&mut self) -> &mut stored::GroupInfo {
        self.info.get_or_insert_with(|| (*self.loaded.info).clone())
    }

    /// These users, who are not in it, are members from now on.
    pub(super) fn join(&mut self, users: &[UserId], owner: Option<&UserId>) {
        let settings = rows::settings(&self.head);
        let (history, kind) = (settings.history_visible, settings.kind);
        let (before, version) = (&self.loaded.head, self.head.member_version);
        let row = stored::Member {
            role: rows::role_number(Role::Member),
            joined_time: self.message.time.0,
            joined_seq: before.seq,
            joined_ordinal: before.ordinal,
            version,
            first_seq: u64::from(history),
            ..Default::default()
        };
        for user in users {
            let returns = kind.policy().owner_may_go && before.owner == user.as_str();
            let role = match owner {
                Some(owner) if owner == user => Role::Owner,
                _ if returns => Role::Owner,
                _ => Role::Member,
            };
            let row = stored::Member {
                role: rows::role_number(role),
                ..row.clone()
            };
            self.write_member(user, row);
            if self.loaded.head_bytes.is_some() {
                self.forget(user);
            }
        }
        self.inbox = Some(Inbox {
            users: users.to_vec(),
            member: true,
            invitation: None,
        });
    }

    /// These members are not in it any more.
    pub(super) fn leave(&mut self, users: &[UserId]) {
        for user in users {
            let key = self.conversation.keys.member(user.as_str());
            self.unit.writes.push(anser_store::Write::Delete(key));
            if let Some(row) = self.members().remove(user)
                && rows::role_of(row.role) == Role::Admin
            {
                self.info().admins.retain(|admin| admin != user.as_str());
            }
        }
        if !users.is_empty() {
            self.inbox = Some(Inbox {
                users: users.to_vec(),
                member: false,
                invitation: None,
            });
        }
    }

    /// These users, who are not in it, are invited.
    pub(super) fn invite(&mut self, users: &[UserId]) {
        let row = stored::GroupInvitation {
            time: self.message.time.0,
            operator: self.by.text().to_owned(),
        };
        for user in users {
            let key = self.conversation.keys.user(INVITATION, user.as_str());
            self.put(key, tables::encode(&row));
        }
        self.inbox = Some(Inbox {
            users: users.to_vec(),
            member: false,
            invitation: Some(row),
        });
    }

    /// The user's invitation is over.
    pub(super) fn decline(&mut self, user: &UserId) {
        self.forget(user);
        self.inbox = Some(Inbox {
            users: vec![user.clone()],
            member: false,
            invitation: None,
        });
    }

    /// Nothing of the user waits for an answer any more.
    fn forget(&mut self, user: &UserId) {
        for space in [INVITATION, JOIN_REQUEST] {
            let key = self.conversation.keys.user(space, user.as_str());
            self.unit.writes.push(anser_store::Write::Delete(key));
        }
    }

    /// Takes away rows of users that are over.
    pub(super) fn take_away(&mut self, over: &[(Space, UserId)]) {
        for (space, user) in over {
            let key = self.conversation.keys.user(*space, user.as_str());
            self.unit.writes.push(anser_store::Write::Delete(key));
        }
    }

    /// Bans the user, or lifts a ban (`until` zero).
    pub(super) fn ban(&mut self, user: &UserId, until: Timestamp) {
        let key = self.conversation.keys.user(tables::BAN, user.as_str());
        if until.0 == 0 {
            self.unit.writes.push(anser_store::Write::Delete(key));
            return;
        }
        let row = stored::GroupBan {
            until: until.0,
            time: self.message.time.0,
            operator: self.by.text().to_owned(),
        };
        self.put(key, tables::encode(&row));
        self.forget(user);
    }

    /// Changes a member's row.
    pub(super) fn change_member(
        &mut self,
        user: &UserId,
        change: impl FnOnce(&mut stored::Member),
    ) {
        let Some(mut row) = self.members().get(user).cloned() else {
            return;
        };
        row.version = self.head.member_version;
        change(&mut row);
        self.write_member(user, row);
    }

    fn write_member(&mut self, user: &UserId, row: stored::Member) {
        let key = self.conversation.keys.member(user.as_str());
        self.put(key, tables::encode(&row));
        self.members().insert(user.clone(), row);
    }

    /// Queries find it from now on, or no longer.
    pub(super) fn index(&mut self, exists: bool) {
        let key = tables::created_key(self.conversation.app, &self.conversation.name);
        if exists {
            self.put(key, bytes::Bytes::new());
        } else {
            self.unit.writes.push(anser_store::Write::Delete(key));
        }
    }

    /// Everything of it is removed when it is over.
    pub(super) fn ends(&mut self) {
        let conversation = self.conversation;
        let Some(end) = conversation.id.end() else {
            return;
        };
        let effect = stored::EndEffect {
            app: conversation.app.0,
            conversation: conversation.name.to_string(),
        };
        let row = stored::OutboxRow {
            attempts: 0,
            created_time: conversation.tools.env.now().0,
            effect: Some(stored::outbox_row::Effect::End(effect)),
        };
        // By then every commit that was under way at the end is decided.
        let due = end.plus_ms(SYNC_LOOK_BACK_MS).0;
        let key = conversation
            .keys
            .outbox(due, conversation.tools.env.random());
        self.end = Some(Nudge { key, row });
    }

    fn put(&mut self, key: anser_store::Key, value: bytes::Bytes) {
        self.unit.writes.push(anser_store::Write::Put(key, value));
    }

    /// Takes one's place in the conversation.
    pub(super) fn finish(mut self, facts: &GroupFacts) -> Result<(Unit, Append), Reject> {
        let conversation = self.conversation;
        self.message.content_type = GROUP_NOTICE.into();
        self.message.body = self.notice.encode_to_vec().into();
        let members = self.members.take().map(Arc::new);
        if let Some(members) = &members {
            self.head.member_count = u32::try_from(members.len()).expect("groups are bounded");
        }
        let recipients = match &members {
            Some(members) => members.keys().cloned().collect(),
            None => self.loaded.recipients.clone(),
        };
        let info = self.info.take().map(Arc::new);
        if let Some(info) = &info {
            self.put(conversation.keys.group_info(), tables::encode(&**info));
        }
        self.remember_who_left();
        let end = self.end.take();
        let nudge = self.inbox.take().map(|inbox| self.inbox_effect(inbox));
        let nudges = nudge.into_iter().chain(end);
        let group = rows::group(
            &conversation.id,
            &self.head,
            info.as_ref().unwrap_or(&self.loaded.info),
        )?;
        let head_bytes = tables::encode(&self.head);
        let mut unit = conversation.unit(self.loaded, &head_bytes, &self.message);
        unit.writes.append(&mut self.unit.writes);
        let unit = facts.expect(&conversation.keys, unit);
        let append = Append {
            members,
            info,
            group: Some(group),
            ..conversation.append((self.head, head_bytes), self.message, recipients, nudges)
        };
        Ok(finish(unit, append))
    }

    /// Whoever has a row in their inbox without being in a temporary conversation: when it is over,
    /// that row goes too.
    fn remember_who_left(&mut self) {
        let temporary = matches!(self.conversation.id, ConversationId::Temporary(_));
        let Some(inbox) = self.inbox.as_ref().filter(|it| temporary && !it.member) else {
            return;
        };
        let keys = &self.conversation.keys;
        let left = inbox
            .users
            .iter()
            .map(|user| keys.user(tables::LEFT, user.as_str()));
        let writes = left.map(|key| anser_store::Write::Put(key, bytes::Bytes::new()));
        self.unit.writes.extend(writes);
    }

    fn inbox_effect(&self, inbox: Inbox) -> Nudge {
        let before = &self.loaded.head;
        let history = inbox.member && rows::settings(&self.head).history_visible;
        let joined = ReadPosition {
            seq: before.seq,
            ordinal: before.ordinal,
        };
        let mut effect =
            self.conversation
                .inbox_effect(&self.head, &inbox.users, inbox.member, joined);
        if let Some(stored::outbox_row::Effect::Inbox(row)) = &mut effect.row.effect {
            if history {
                row.first_seq = 1;
            }
            row.invitation = inbox.invitation;
            if !inbox.member {
                row.put_out_by.clone_from(&self.notice.operator);
                row.banned = self.notice.kind == NoticeKind::Banned.number();
            }
        }
        effect
    }
}

impl Conversation {
    pub(in crate::conversation) fn inbox_effect(
        &self,
        head: &stored::Head,
        users: &[UserId],
        member: bool,
        joined: ReadPosition,
    ) -> Nudge {
        let effect = stored::InboxEffect {
            app: self.app.0,
            conversation: self.name.to_string(),
            member_version: head.member_version,
            users: users.iter().map(|user| user.as_str().to_owned()).collect(),
            member,
            joined_time: head.last_time,
            first_seq: joined.seq + 1,
            joined_ordinal: joined.ordinal,
            joined_seq: joined.seq,
            invitation: None,
            put_out_by: String::new(),
            banned: false,
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
