//! From a command to a unit: what an append checks, and what it writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::group::{self, Operator, Role};
use anser_domain::limits::NOTICE_USERS_MAX;
use anser_domain::message::append;
use anser_domain::position::ReadPosition;
use anser_domain::{Code, ConversationId, MessageId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Direction, Key, Unit};
use bytes::Bytes;
use prost::Message as _;

use super::actor::Conversation;
use super::lane::LaneItem;
use super::loaded::{Loaded, role_number};
use super::{row, view};
use crate::fault;
use crate::group::{By, Group, GroupChange};
use crate::message::{Message, SendMessage, SendResult};
use crate::tables;

/// The type of notices about a group.
const GROUP_NOTICE: &str = "anser.group";
/// Messages by others that an actor fans out anew after it was overtaken; beyond, devices check.
const MISSED_MAX: usize = 100;

/// An outbox row that was written with an append.
pub(crate) struct Nudge {
    pub(crate) key: Key,
    pub(crate) row: stored::OutboxRow,
}

/// What an append comes to, once committed.
pub(crate) struct Append {
    pub(crate) head: stored::Head,
    pub(crate) head_bytes: Bytes,
    pub(crate) message: Arc<Message>,
    /// Who gets the message.
    pub(crate) recipients: Arc<[UserId]>,
    /// The members from now on, if they changed.
    pub(crate) members: Option<Arc<BTreeMap<UserId, stored::Member>>>,
    /// The sender's count of countable messages from now on.
    pub(crate) own: Option<(UserId, u64)>,
    pub(crate) nudge: Option<Nudge>,
    pub(crate) group: Option<Group>,
    pub(crate) read: Option<ReadMove>,
}

/// What has to be read before a send can be planned.
pub(super) struct SendFacts {
    /// The first result, if this is a retry.
    pub(super) already: Option<SendResult>,
    /// How many countable messages the sender had sent, if that was not in memory.
    pub(super) own_before: u64,
    /// If the sender has read something with it.
    pub(super) read: Option<ReadFacts>,
}

/// What has to be read before a send can move the sender's read position.
pub(super) struct ReadFacts {
    /// The row of the position.
    row: Option<Bytes>,
    /// The ordinal of the message that was read, if it is stored yet.
    ordinal: Option<u64>,
}

/// A read position that moves with a send.
#[derive(Clone)]
pub(crate) struct ReadMove {
    pub(crate) user: UserId,
    position: ReadPosition,
    row: Bytes,
}

impl Conversation {
    pub(super) async fn send_facts(&self, message: &SendMessage) -> Result<SendFacts, Reject> {
        let (is_new, own) = self.peek(|loaded| {
            (
                loaded.head_bytes.is_none(),
                loaded.own.get(&message.sender).copied(),
            )
        });
        if is_new {
            return Ok(SendFacts {
                already: None,
                own_before: own.unwrap_or(0),
                read: None,
            });
        }
        let store = &self.tools.store;
        let key = self.keys.sent(&message.sender, &message.client_message_id);
        let sent = store.get(&key).await.map_err(|e| fault::reject(&e))?;
        if let Some(sent) = tables::decode_some::<stored::Sent>(sent.as_ref())? {
            return Ok(SendFacts {
                already: Some(self.first_result(&sent)?),
                own_before: 0,
                read: None,
            });
        }
        let own_before = match own {
            Some(own) => own,
            None => row::own_count(store, &self.keys, message.sender.as_str(), u64::MAX).await?,
        };
        let read = match message.read_up_to {
            0 => None,
            seq => Some(ReadFacts {
                row: store
                    .get(&self.keys.position(message.sender.as_str()))
                    .await
                    .map_err(|e| fault::reject(&e))?,
                ordinal: row::ordinal(store, &self.keys, seq).await?,
            }),
        };
        Ok(SendFacts {
            already: None,
            own_before,
            read,
        })
    }

    /// Where the sender's read position moves with this send, if it moves; behind it, the row that
    /// it moves from. `in_flight`: what this actor has appended and the store has not told of yet.
    fn plan_read<'a>(
        &self,
        loaded: &Loaded,
        send: &SendMessage,
        facts: &ReadFacts,
        in_flight: impl DoubleEndedIterator<Item = &'a Append> + Clone,
    ) -> Result<Option<(ReadMove, Option<Bytes>)>, Reject> {
        let before = in_flight
            .clone()
            .rev()
            .filter_map(|append| append.read.as_ref())
            .find(|read| read.user == send.sender);
        let (old, old_row) = match before {
            Some(read) => (read.position, Some(read.row.clone())),
            None => {
                let row: Option<stored::Position> = tables::decode_some(facts.row.as_ref())?;
                (view::position(row.unwrap_or_default()), facts.row.clone())
            }
        };
        let seq = send.read_up_to.min(loaded.head.seq);
        let in_flight_at = || in_flight.clone().find(|append| append.message.seq == seq);
        let ordinal = if seq == loaded.head.seq {
            loaded.head.ordinal
        } else if let Some(ordinal) = facts.ordinal {
            ordinal
        } else if let Some(append) = in_flight_at() {
            append.message.ordinal
        } else {
            // It was on its way when the facts were read, and is stored by now.
            return Err(Code::Unavailable.into());
        };
        let position = old.advance(ReadPosition { seq, ordinal });
        if position == old {
            return Ok(None);
        }
        let row = tables::encode(&view::position_row(position));
        let user = send.sender.clone();
        Ok(Some((
            ReadMove {
                user,
                position,
                row,
            },
            old_row,
        )))
    }

    fn first_result(&self, sent: &stored::Sent) -> Result<SendResult, Reject> {
        Ok(SendResult {
            conversation: self.name.clone(),
            seq: sent.seq,
            id: row::message_id(&sent.message_id)?,
            time: Timestamp(sent.time),
            prev: sent.seq - 1,
        })
    }

    pub(super) fn plan_send<'a>(
        &self,
        loaded: &Loaded,
        send: &SendMessage,
        facts: &SendFacts,
        in_flight: impl DoubleEndedIterator<Item = &'a Append> + Clone,
    ) -> Result<(Unit, Append), Reject> {
        match &self.id {
            ConversationId::Private(..) if self.id.peer_of(&send.sender).is_none() => {
                return Err(Code::NotAMember.into());
            }
            ConversationId::Private(..) => {}
            ConversationId::Group(_) => {
                group::send(loaded.group_state(), loaded.role(&send.sender).is_some())?
            }
        }
        let own = loaded
            .own
            .get(&send.sender)
            .copied()
            .unwrap_or(facts.own_before)
            + 1;
        let (mut head, message) = self.next(loaded, true, |message| {
            message.sender = Arc::from(send.sender.as_str());
            message.client_message_id = send.client_message_id.clone();
            message.content_type = send.content_type.clone();
            message.body = send.body.clone();
        });
        let sent = stored::Sent {
            seq: message.seq,
            message_id: id_bytes(message.id),
            time: message.time.0,
        };
        let mut nudge = None;
        if loaded.head_bytes.is_none() {
            // The first message of a private chat makes it.
            head.created_time = message.time.0;
            head.member_version = 1;
            nudge = Some(self.inbox_effect(&head, &loaded.recipients, true, 0, 0));
        }
        let mut unit = self
            .unit(loaded, &head, &message)
            .put(
                self.keys.sent(&send.sender, &send.client_message_id),
                tables::encode(&sent),
            )
            .put(
                self.keys.uncounted(send.sender.as_str(), message.ordinal),
                own.to_be_bytes().to_vec(),
            );
        let mut read = None;
        if let Some(facts) = &facts.read
            && let Some((moved, old)) = self.plan_read(loaded, send, facts, in_flight)?
        {
            let key = self.keys.position(send.sender.as_str());
            unit = unit
                .expect_unchanged(key.clone(), old)
                .put(key, moved.row.clone());
            read = Some(moved);
        }
        let append = Append {
            read,
            own: Some((send.sender.clone(), own)),
            ..self.append(head, message, loaded.recipients.clone(), nudge)
        };
        Ok(finish(unit, append))
    }

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
        let group = super::loaded::group_of(&self.id, &head)?;
        let append = Append {
            members: Some(Arc::new(members)),
            group: Some(group),
            ..self.append(head, message, recipients, Some(nudge))
        };
        Ok(finish(whole, append))
    }

    /// The next message, and the head with it.
    fn next(
        &self,
        loaded: &Loaded,
        counted: bool,
        fill: impl FnOnce(&mut Message),
    ) -> (stored::Head, Message) {
        let env = &self.tools.env;
        let place = append(loaded.counters(), counted, env.now());
        let mut message = Message {
            conversation: self.name.clone(),
            seq: place.seq,
            id: env.message_id(place.last_time),
            sender: Arc::from(""),
            client_message_id: "".into(),
            time: place.last_time,
            ordinal: place.ordinal,
            counted,
            content_type: "".into(),
            body: Bytes::new(),
        };
        fill(&mut message);
        let head = stored::Head {
            seq: place.seq,
            ordinal: place.ordinal,
            last_time: place.last_time.0,
            tag: env.random_u64(),
            ..loaded.head.clone()
        };
        (head, message)
    }

    /// What every append writes.
    fn unit(&self, loaded: &Loaded, head: &stored::Head, message: &Message) -> Unit {
        Unit::new()
            .expect_unchanged(self.keys.head(), loaded.head_bytes.clone())
            .put(self.keys.head(), tables::encode(head))
            .put(self.keys.message(message.seq), row::encode_message(message))
    }

    fn append(
        &self,
        head: stored::Head,
        message: Message,
        recipients: Arc<[UserId]>,
        nudge: Option<Nudge>,
    ) -> Append {
        Append {
            head_bytes: tables::encode(&head),
            head,
            message: Arc::new(message),
            recipients,
            members: None,
            own: None,
            nudge,
            group: None,
            read: None,
        }
    }

    fn inbox_effect(
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

    /// Messages beyond `told` that others appended.
    pub(super) async fn missed(&self, told: u64, loaded: &Loaded) -> Result<Vec<LaneItem>, Reject> {
        let scan = self
            .keys
            .messages(told + 1, loaded.head.seq, Direction::Forward, MISSED_MAX);
        let page = self
            .tools
            .store
            .scan(scan)
            .await
            .map_err(|e| fault::reject(&e))?;
        let mut items = Vec::with_capacity(page.rows.len());
        for (key, value) in &page.rows {
            let message = row::decode_message(&self.name, key, value)?;
            items.push(LaneItem::missed(
                Arc::new(message),
                loaded.recipients.clone(),
            ));
        }
        if page.more {
            items.push(LaneItem::check(loaded.recipients.clone()));
        }
        Ok(items)
    }
}

/// The outbox row of an append goes into its unit.
fn finish(unit: Unit, append: Append) -> (Unit, Append) {
    let unit = match &append.nudge {
        Some(nudge) => unit.put(nudge.key.clone(), tables::encode(&nudge.row)),
        None => unit,
    };
    (unit, append)
}

fn id_bytes(id: MessageId) -> Bytes {
    Bytes::copy_from_slice(&id.0)
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
