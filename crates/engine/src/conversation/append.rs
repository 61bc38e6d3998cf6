//! From a command to a unit: what an append checks, and what it writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::message::append;
use anser_domain::position::ReadPosition;
use anser_domain::{Code, ConversationId, MessageId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Direction, Key, ScanPage, Unit};
use bytes::Bytes;

use super::actor::{Conversation, Told};
use super::change::audience;
use super::lane::LaneItem;
use super::loaded::Loaded;
use super::row;
use super::system::Reach;
use super::targeted::Seen;
use crate::fault;
use crate::group::Group;
use crate::message::{Message, SendMessage, SendResult};
use crate::receipt;
use crate::relation;
use crate::tables;
use crate::touch::Touch;

/// Messages by others that an actor fans out anew after it was overtaken; beyond, devices check.
pub(super) const MISSED_MAX: usize = 100;

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
    /// Or it is for all subscribers of a system conversation.
    pub(super) reach: Option<Reach>,
    /// The members from now on, if they changed.
    pub(crate) members: Option<Arc<BTreeMap<UserId, stored::Member>>>,
    /// The sender's count of countable messages from now on.
    pub(crate) own: Option<(UserId, u64)>,
    pub(crate) nudges: Vec<Nudge>,
    /// What is told of the group from now on, if it changed.
    pub(crate) info: Option<Arc<stored::GroupInfo>>,
    pub(crate) group: Option<Group>,
    pub(crate) read: Option<ReadMove>,
    /// Not a new message, but a change of one: the `rev` before it.
    pub(crate) previous_rev: Option<u64>,
    /// What everybody saw last before it.
    pub(crate) seen: Seen,
    /// Countable messages that its targets were sent, this one included.
    pub(super) targeted: Vec<(UserId, u64)>,
}

/// What has to be read before a send can be planned.
pub(super) struct SendFacts {
    /// The first result, if this is a retry.
    pub(super) already: Option<SendResult>,
    /// How many countable messages the sender had sent, if that was not in memory.
    pub(super) own_before: u64,
    /// If the sender has read something with it.
    pub(super) read: Option<ReadFacts>,
    /// How many countable messages its targets were sent before.
    pub(super) targeted: Vec<(UserId, u64)>,
    /// Of a private chat without a head, who may not write: nothing else would show a change.
    refused: Option<Vec<(UserId, Code)>>,
}

impl SendFacts {
    /// Is what is loaded as new as what was read?
    pub(super) fn agree(&self, loaded: &Loaded) -> bool {
        loaded.head_bytes.is_some()
            || self
                .refused
                .as_ref()
                .is_none_or(|refused| *refused == loaded.refused)
    }
}

/// What has to be read before a send can move the sender's read position.
pub(super) struct ReadFacts {
    /// The row of the position.
    row: Option<Bytes>,
    /// The ordinal of the message that was read, if it is stored yet.
    ordinal: Option<u64>,
}

/// A message that is not stored, and who gets it: these, or all subscribers.
type Transient = (Message, Arc<[UserId]>, Option<Reach>);

/// A read position that moves with a send.
#[derive(Clone)]
pub(crate) struct ReadMove {
    pub(crate) user: UserId,
    pub(crate) old: stored::Position,
    pub(crate) new: stored::Position,
    pub(crate) touch: Touch,
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
                targeted: self.targeted_before(message).await?,
                refused: self.refused_now().await?,
            });
        }
        let store = &self.tools.store;
        let key = self
            .keys
            .sent(message.sender.as_str(), &message.client_message_id);
        let sent = store.get(&key).await.map_err(|e| fault::reject(&e))?;
        if let Some(sent) = tables::decode_some::<stored::Sent>(sent.as_ref())? {
            return Ok(SendFacts {
                already: Some(self.first_result(&sent)?),
                own_before: 0,
                read: None,
                targeted: Vec::new(),
                refused: None,
            });
        }
        self.check_audience(message).await?;
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
            targeted: self.targeted_before(message).await?,
            refused: None,
        })
    }

    /// Of a private chat, who may not write to the other.
    pub(super) async fn refused_now(&self) -> Result<Option<Vec<(UserId, Code)>>, Reject> {
        match &self.id {
            ConversationId::Private(low, high) if low != high => {
                let refused = relation::refusals(&self.tools.store, self.app, low, high);
                refused.await.map(Some)
            }
            _ => Ok(None),
        }
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
            Some(read) => (read.new, Some(tables::encode(&read.new))),
            None => {
                let row: Option<stored::Position> = tables::decode_some(facts.row.as_ref())?;
                (row.unwrap_or_default(), facts.row.clone())
            }
        };
        let seq = send.read_up_to.min(loaded.head.seq);
        let in_flight_at = || in_flight.clone().find(|append| append.message.seq == seq);
        let ordinal = if seq == loaded.head.seq {
            loaded.head.ordinal
        } else if let Some(ordinal) = row::ordinal_before_history(&loaded.head, seq) {
            ordinal
        } else if let Some(ordinal) = facts.ordinal {
            ordinal
        } else if let Some(append) = in_flight_at() {
            append.message.ordinal
        } else {
            // It was on its way when the facts were read, and is stored by now.
            return Err(Code::Unavailable.into());
        };
        let to = ReadPosition { seq, ordinal };
        let Some(new) = receipt::advance(&self.tools.env, &old, to, 0) else {
            return Ok(None);
        };
        let user = send.sender.clone();
        let mut touch = self.outbox.plan_touch(
            self.app,
            user.as_str(),
            &self.name,
            loaded.head.burn_seq > 0,
        );
        if let Some(before) = before {
            touch.key = before.touch.key.clone();
        }
        Ok(Some((
            ReadMove {
                user,
                old,
                new,
                touch,
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
            prev: match sent.prev {
                0 => sent.seq - 1,
                prev => prev,
            },
        })
    }

    /// May the user say something here?
    pub(super) fn check_may_send(&self, loaded: &Loaded, user: &UserId) -> Result<(), Reject> {
        let now = self.tools.env.now();
        self.id.check_living(now)?;
        let controls = &self.tools.controls;
        controls.check_may_speak(self.app, &self.id, user, now)?;
        match &self.id {
            ConversationId::Private(..) => match self.id.peer_of(user) {
                Some(_) => loaded.check_heard(user),
                None => Err(Code::NotAMember.into()),
            },
            ConversationId::Group(_)
            | ConversationId::Created(_)
            | ConversationId::Temporary(_) => loaded.may_send(user, now),
            ConversationId::System(_) => loaded.check_exists(),
        }
    }

    /// May this be said here?
    fn check_send(&self, loaded: &Loaded, send: &SendMessage) -> Result<(), Reject> {
        if send.options.by_server {
            self.id.check_living(self.tools.env.now())?;
            return loaded.check_exists();
        }
        self.check_may_send(loaded, &send.sender)
    }

    pub(super) fn plan_send<'a>(
        &self,
        loaded: &Loaded,
        send: &SendMessage,
        facts: &SendFacts,
        in_flight: impl DoubleEndedIterator<Item = &'a Append> + Clone,
    ) -> Result<(Unit, Append), Reject> {
        self.check_send(loaded, send)?;
        let options = &send.options;
        let recipients = self.targets(loaded, send)?;
        // Of what only some may see, each of them has a count of their own.
        let common = send.counted() && options.targets.is_empty();
        let (mut head, message) = self.next(loaded, common, |message| Self::say(send, message));
        let sent = stored::Sent {
            seq: message.seq,
            message_id: id_bytes(message.id),
            time: message.time.0,
            prev: loaded.seen.by(&send.sender),
        };
        let mut nudge = None;
        if loaded.head_bytes.is_none() {
            // The first message of a private chat makes it.
            head.created_time = message.time.0;
            head.member_version = 1;
            nudge =
                Some(self.inbox_effect(&head, &loaded.recipients, true, ReadPosition::default()));
        }
        let head_bytes = tables::encode(&head);
        let mut unit = self.unit(loaded, &head_bytes, &message).put(
            self.keys
                .sent(send.sender.as_str(), &send.client_message_id),
            tables::encode(&sent),
        );
        let mut own = None;
        if common {
            let before = loaded.own.get(&send.sender).copied();
            let total = before.unwrap_or(facts.own_before) + 1;
            unit = unit.put(
                self.keys.uncounted(send.sender.as_str(), message.ordinal),
                total.to_be_bytes().to_vec(),
            );
            own = Some((send.sender.clone(), total));
        }
        let mut targeted = Vec::new();
        if message.counted || self.id.is_system() {
            let step = |user: &UserId| u64::from(message.counted && *user != send.sender);
            let before = facts.targeted.iter();
            targeted = before
                .map(|(user, n)| (user.clone(), n + step(user)))
                .collect();
            let rows = self.targeted_rows(message.seq, &targeted);
            unit.writes.extend(rows.writes);
        }
        let reach = loaded.reach(&message);
        if reach.is_some() {
            unit = unit.put(self.keys.for_all(message.seq), Bytes::new());
        }
        let mentions = self.mentions(loaded, &message, message.mention.as_deref());
        unit.writes.extend(mentions.writes);
        if message.burn_after_seconds > 0 {
            let row = stored::BurnRow {
                sender: message.sender.to_string(),
                seconds: message.burn_after_seconds,
            };
            unit = unit.put(self.keys.burn(message.seq), tables::encode(&row));
        }
        let mut read = None;
        if let Some(facts) = &facts.read
            && let Some((moved, old)) = self.plan_read(loaded, send, facts, in_flight)?
        {
            let sender = send.sender.as_str();
            unit = unit.put(moved.touch.key.clone(), moved.touch.value());
            unit = receipt::write(unit, &self.keys, sender, (old, &moved.old), &moved.new);
            read = Some(moved);
        }
        let append = Append {
            read,
            own,
            targeted,
            reach,
            ..self.append((head, head_bytes), message, recipients, nudge)
        };
        Ok(finish(unit, append))
    }

    /// A message that is not stored, and who gets it.
    pub(super) fn plan_transient(
        &self,
        loaded: &Loaded,
        send: &SendMessage,
    ) -> Result<Transient, Reject> {
        self.check_send(loaded, send)?;
        let recipients = self.targets(loaded, send)?;
        let (_, message) = self.next(loaded, false, |message| {
            Self::say(send, message);
            message.seq = 0;
            message.ordinal = 0;
            message.counted = false;
        });
        let reach = loaded.reach(&message);
        Ok((message, recipients, reach))
    }

    /// What the sender says.
    fn say(send: &SendMessage, message: &mut Message) {
        let options = &send.options;
        message.sender = Arc::from(send.sender.as_str());
        message.client_message_id = send.client_message_id.clone();
        message.content_type = send.content_type.clone();
        message.body = send.body.clone();
        message.mention = options.mention.clone().map(Box::new);
        message.receipt_wanted = options.receipt_wanted;
        message.burn_after_seconds = options.burn_after_seconds;
        message.targets.clone_from(&options.targets);
        message.counted = send.counted();
    }

    /// The next message, and the head with it.
    pub(super) fn next(
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
            mention: None,
            targets: Vec::new(),
            burn_after_seconds: 0,
            receipt_wanted: false,
            state: None,
        };
        fill(&mut message);
        let head = stored::Head {
            seq: place.seq,
            ordinal: place.ordinal,
            last_time: place.last_time.0,
            tag: env.random_u64(),
            targeted_tail: match message.targets.is_empty() {
                true => 0,
                false => loaded.head.targeted_tail + 1,
            },
            burn_seq: match message.burn_after_seconds {
                0 => loaded.head.burn_seq,
                _ => place.seq,
            },
            ..loaded.head.clone()
        };
        (head, message)
    }

    /// What every append writes.
    pub(super) fn unit(&self, loaded: &Loaded, head: &Bytes, message: &Message) -> Unit {
        let mut unit = Unit::new()
            .expect_unchanged(self.keys.head(), loaded.head_bytes.clone())
            .put(self.keys.head(), head.clone())
            .put(self.keys.message(message.seq), row::encode_message(message));
        if loaded.head_bytes.is_none() && matches!(self.id, ConversationId::Private(..)) {
            unit = unit.expect_unchanged(self.keys.relation_stamp(), loaded.stamp.clone());
        }
        unit
    }

    pub(super) fn append(
        &self,
        (head, head_bytes): (stored::Head, Bytes),
        message: Message,
        recipients: Arc<[UserId]>,
        nudges: impl IntoIterator<Item = Nudge>,
    ) -> Append {
        Append {
            head,
            head_bytes,
            message: Arc::new(message),
            recipients,
            reach: None,
            members: None,
            own: None,
            nudges: nudges.into_iter().collect(),
            info: None,
            group: None,
            read: None,
            previous_rev: None,
            seen: Seen::default(),
            targeted: Vec::new(),
        }
    }

    /// Messages and changes beyond `told` that others made.
    pub(super) async fn missed(
        &self,
        told: Told,
        loaded: &Loaded,
    ) -> Result<Vec<LaneItem>, Reject> {
        let mut page = ScanPage::default();
        if told.seq < loaded.head.seq {
            let (low, high) = (told.seq + 1, loaded.head.seq);
            let scan = self
                .keys
                .messages(low, high, Direction::Forward, MISSED_MAX);
            let read = self.tools.store.scan(scan).await;
            page = read.map_err(|e| fault::reject(&e))?;
        }
        let mut items = Vec::with_capacity(page.rows.len());
        for (key, value) in &page.rows {
            let message = row::decode_message(&self.name, key, value)?;
            let recipients = audience(loaded, &message);
            let reach = loaded.reach(&message);
            items.push(LaneItem::missed(Arc::new(message), recipients, reach));
        }
        let more_changes = self.missed_changes(told.rev, loaded, &mut items).await?;
        if page.more || more_changes {
            items.push(LaneItem::check(
                loaded.recipients.clone(),
                loaded.reach_of_all(),
            ));
        }
        Ok(items)
    }
}

/// The outbox rows of an append go into its unit.
pub(super) fn finish(mut unit: Unit, append: Append) -> (Unit, Append) {
    for nudge in &append.nudges {
        unit = unit.put(nudge.key.clone(), tables::encode(&nudge.row));
    }
    (unit, append)
}

fn id_bytes(id: MessageId) -> Bytes {
    Bytes::copy_from_slice(&id.0)
}
