//! Targeted messages: sequences that only some may see, and what this means for `prev`.
//!
//! A push tells its receiver the last sequence before it that this receiver may see. Without
//! targeted messages that is the sequence before, for everybody. The messages at the end of a
//! conversation that are targeted, with no other between or behind them, are its *tail*: the head
//! says how many they are, and the actor knows which of them each user saw last. The next message
//! for everybody ends the tail: it follows the tail's last message for those who saw one, and the
//! last common message for the others.
//!
//! A system conversation may have very many receivers, who each see other messages. Of those only
//! the last [`LATER_MAX`] are known by name. Whoever is forgotten is told to follow the last common
//! message: that is at or before what they saw, so nobody pulls in vain, and a push that was lost
//! on the way to them is found by the number of its packet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anser_domain::{Code, Reject, UserId};
use anser_proto::stored;
use anser_store::{Direction, Store, Unit};

use super::actor::Conversation;
use super::append::Append;
use super::loaded::Loaded;
use super::row;
use crate::fault;
use crate::message::{Message, SendMessage};
use crate::tables::ConversationKeys;

/// Messages of a tail that are read when a conversation is loaded. In a longer one everybody is
/// told to follow the sequence before, and those who did not see it pull and find nothing.
const TAIL_MAX: u64 = 1_000;

/// Receivers of targeted messages of a system conversation that are known by name, at the least;
/// twice as many at the most.
const LATER_MAX: usize = 1_000;

/// What each user saw last of a conversation.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// The last message for everybody.
    common: u64,
    /// Who has seen a later one, and which.
    later: Arc<BTreeMap<UserId, u64>>,
    /// Too many may have.
    bounded: bool,
}

impl Seen {
    /// As the store has it.
    pub(super) async fn load(
        store: &Store,
        keys: &ConversationKeys,
        name: &Arc<str>,
        head: &stored::Head,
    ) -> Result<Self, Reject> {
        let mut seen = Self {
            common: head.seq - head.targeted_tail.min(head.seq),
            later: Arc::default(),
            bounded: keys.is_system(),
        };
        if head.targeted_tail > TAIL_MAX && !seen.bounded {
            seen.common = head.seq;
            return Ok(seen);
        }
        let mut from = (seen.common + 1).max((head.seq + 1).saturating_sub(TAIL_MAX));
        while from <= head.seq {
            let scan = keys.messages(from, head.seq, Direction::Forward, 100);
            let page = store.scan(scan).await.map_err(|e| fault::reject(&e))?;
            for (key, value) in &page.rows {
                let message = row::decode_message(name, key, value)?;
                from = message.seq + 1;
                seen.add(&message);
            }
            if !page.more {
                break;
            }
        }
        Ok(seen)
    }

    /// A message was appended.
    pub(super) fn add(&mut self, message: &Message) {
        if message.targets.is_empty() {
            self.common = message.seq;
            if !self.later.is_empty() {
                self.later = Arc::default();
            }
            return;
        }
        let later = Arc::make_mut(&mut self.later);
        let sender = UserId::new(&message.sender).ok();
        for user in message.targets.iter().cloned().chain(sender) {
            later.insert(user, message.seq);
        }
        // Half of them at once, so that it costs little a message.
        if self.bounded && later.len() > 2 * LATER_MAX {
            let mut seqs: Vec<u64> = later.values().copied().collect();
            let forgotten = seqs.len() - LATER_MAX;
            let (_, oldest, _) = seqs.select_nth_unstable(forgotten);
            let oldest = *oldest;
            later.retain(|_, seq| *seq >= oldest);
        }
    }

    /// What an append has to know: of many, those alone who get it.
    pub(super) fn for_append(&self, append: &Append) -> Self {
        if !self.bounded || append.reach.is_some() {
            return self.clone();
        }
        let known = append.recipients.iter().filter_map(|user| {
            let (user, seq) = self.later.get_key_value(user)?;
            Some((user.clone(), *seq))
        });
        Self {
            later: Arc::new(known.collect()),
            ..*self
        }
    }

    /// The last message for everybody, and who saw a later one.
    pub(super) fn of_all(&self) -> (u64, Vec<(UserId, u64)>) {
        let later = self.later.iter().map(|(user, seq)| (user.clone(), *seq));
        (self.common, later.collect())
    }

    /// The last sequence this user may see.
    pub(super) fn by(&self, user: &UserId) -> u64 {
        self.later.get(user).copied().unwrap_or(self.common)
    }

    /// The users by what they saw last.
    pub(super) fn group(&self, users: &Arc<[UserId]>) -> Vec<(Arc<[UserId]>, u64)> {
        if self.later.is_empty() {
            return vec![(users.clone(), self.common)];
        }
        let mut groups: BTreeMap<u64, Vec<UserId>> = BTreeMap::new();
        for user in users.iter() {
            groups.entry(self.by(user)).or_default().push(user.clone());
        }
        groups
            .into_iter()
            .map(|(seq, users)| (users.into(), seq))
            .collect()
    }
}

impl Conversation {
    /// How many countable messages each target of a send was sent, up to now. What is in flight is
    /// looked at first: what is not any more is in the store by then.
    pub(super) async fn targeted_before(
        &self,
        send: &SendMessage,
    ) -> Result<Vec<(UserId, u64)>, Reject> {
        let targets = &send.options.targets;
        let mut totals = Vec::with_capacity(targets.len());
        // In a system conversation the sender has a row as well: by it their messages are found.
        let with_sender = self.id.is_system() && !targets.is_empty();
        let sender = with_sender.then_some(&send.sender);
        for user in targets.iter().chain(sender) {
            let wanted = with_sender || *user != send.sender;
            if wanted && !totals.iter().any(|(known, _)| known == user) {
                totals.push((user.clone(), self.targeted_in_flight(user)));
            }
        }
        let (store, keys) = (&self.tools.store, &self.keys);
        let read = totals.into_iter().map(async |(user, total)| {
            let total = match total {
                Some(total) => total,
                None => row::targeted_count(store, keys, user.as_str(), u64::MAX).await?,
            };
            Ok::<_, Reject>((user, total))
        });
        futures::future::try_join_all(read).await
    }

    /// Those who get a targeted message. All of its targets must be in the conversation.
    pub(super) fn targets(
        &self,
        loaded: &Loaded,
        send: &SendMessage,
    ) -> Result<Arc<[UserId]>, Reject> {
        let targets = &send.options.targets;
        if targets.is_empty() {
            return Ok(loaded.recipients.clone());
        }
        if loaded.is_system {
            let all: BTreeSet<&UserId> = targets.iter().chain([&send.sender]).collect();
            return Ok(all.into_iter().cloned().collect());
        }
        for user in targets {
            if loaded.recipients.binary_search(user).is_err() {
                let message = format!("target {user} is not in the conversation");
                return Err(Reject::new(Code::InvalidRequest, message));
            }
        }
        let gets = |user: &&UserId| **user == send.sender || targets.contains(user);
        Ok(loaded.recipients.iter().filter(gets).cloned().collect())
    }

    /// The running totals that a targeted message moves.
    pub(super) fn targeted_rows(&self, seq: u64, totals: &[(UserId, u64)]) -> Unit {
        totals.iter().fold(Unit::new(), |unit, (user, total)| {
            let key = self.keys.targeted(user.as_str(), seq);
            unit.put(key, total.to_be_bytes().to_vec())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anser_domain::{MessageId, Timestamp};
    use proptest::prelude::*;

    fn user(n: usize) -> UserId {
        UserId::new(&format!("u{n}")).unwrap()
    }

    fn message(seq: u64, sender: usize, targets: &[usize]) -> Message {
        Message {
            conversation: Arc::from("g/geese"),
            seq,
            id: MessageId([0; 16]),
            sender: Arc::from(user(sender).as_str()),
            client_message_id: "".into(),
            time: Timestamp(0),
            ordinal: 0,
            counted: true,
            content_type: "text".into(),
            body: bytes::Bytes::new(),
            mention: None,
            targets: targets.iter().map(|n| user(*n)).collect(),
            burn_after_seconds: 0,
            receipt_wanted: false,
            state: None,
        }
    }

    #[test]
    fn of_very_many_receivers_the_last_are_known_and_the_others_follow_what_all_saw() {
        let mut seen = Seen {
            bounded: true,
            ..Seen::default()
        };
        let count = 5 * LATER_MAX;
        for n in 1..=count {
            seen.add(&message(n as u64, n, &[n]));
            assert!(seen.later.len() <= 2 * LATER_MAX);
        }
        assert_eq!(seen.by(&user(1)), 0);
        for n in count - LATER_MAX + 1..=count {
            assert_eq!(seen.by(&user(n)), n as u64);
        }
    }

    proptest! {
        /// `prev` is the last of the sequences that a user may see, whoever looks, and also for an
        /// actor that loads the conversation half way.
        #[test]
        fn everybody_follows_what_they_saw_last(
            sent in prop::collection::vec(
                (0usize..4, prop::collection::vec(0usize..4, 0..3)), 1..60
            ),
            loaded_at in 0usize..60,
        ) {
            let all: Arc<[UserId]> = (0..4).map(user).collect();
            let mut seen = Seen::default();
            let mut visible = vec![Vec::new(); 4];
            let mut messages: Vec<Message> = Vec::new();
            for (at, (sender, targets)) in sent.iter().enumerate() {
                if at == loaded_at {
                    let tail = messages.iter().rev().take_while(|one| !one.targets.is_empty());
                    let tail: Vec<&Message> = tail.collect();
                    let mut anew = Seen {
                        common: (messages.len() - tail.len()) as u64,
                        ..Seen::default()
                    };
                    tail.iter().rev().for_each(|message| anew.add(message));
                    seen = anew;
                }
                for (seq, users) in seen.group(&all).into_iter().map(|(users, seq)| (seq, users)) {
                    for one in users.iter() {
                        let n = all.iter().position(|other| other == one).unwrap();
                        prop_assert_eq!(seq, visible[n].last().copied().unwrap_or(0));
                        prop_assert_eq!(seq, seen.by(one));
                    }
                }
                let message = message(at as u64 + 1, *sender, targets);
                for (n, one) in all.iter().enumerate() {
                    if message.is_for(one.as_str()) {
                        visible[n].push(message.seq);
                    }
                }
                seen.add(&message);
                messages.push(message);
            }
        }
    }
}
