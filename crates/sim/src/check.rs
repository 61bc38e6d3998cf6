//! What must hold at the end of every run, whatever went wrong on the way.

use std::collections::{BTreeMap, BTreeSet};

use anser_proto::stored;
use prost::Message as _;

use crate::book::Book;
use crate::device::is_refusal;
use crate::ledger::{Ledger, SendRecord, Shown, Where, Who};
use crate::truth::{Chat, Kept, Truth, pair};
use crate::workload::Manner;

/// What was found.
pub type Findings = Vec<String>;

const NOTICE: &str = "anser.group";
/// Kinds of notices by which users come: created, added, joined.
const JOINS: [u32; 3] = [1, 2, 14];
/// Kinds by which they go: removed, quit, dismissed.
const LEAVES: [u32; 3] = [3, 4, 5];
/// Who is banned goes, too, unless a ban is lifted.
const BANNED: u32 = 13;

/// Every conversation by itself: dense, in time, ordinals and membership as its messages say.
pub fn conversations(truth: &Truth, findings: &mut Findings) {
    for (place, chat) in &truth.chats {
        let mut last = (0, 0, 0);
        for (seq, kept) in &chat.messages {
            let (before, time, ordinal): (u64, u64, u64) = last;
            if *seq != before + 1 {
                findings.push(format!("{place:?}: {seq} comes after {before}"));
            }
            if kept.shown.time < time {
                findings.push(format!("{place:?}: time falls at {seq}"));
            }
            // What only some see has no ordinal.
            let counts = kept.shown.counted && kept.targets.is_empty();
            if kept.ordinal != ordinal + u64::from(counts) {
                findings.push(format!("{place:?}: ordinal {} at {seq}", kept.ordinal));
            }
            last = (*seq, kept.shown.time, kept.ordinal);
        }
        let head = &chat.head;
        if (head.seq, head.last_time, head.ordinal) != last {
            findings.push(format!("{place:?}: the head is {head:?} after {last:?}"));
        }
        if pair(&place.conversation).is_empty() {
            membership(place, chat, findings);
        }
    }
}

/// What a notice of a group says; `None` for any other message.
pub(crate) fn notice(kept: &Kept) -> Option<stored::GroupNotice> {
    let is = kept.content_type == NOTICE && kept.shown.sender.is_empty();
    is.then(|| stored::GroupNotice::decode(&kept.shown.body[..]).expect("notices decode"))
}

/// Who is in the group follows from its notices, and nobody else has said anything.
fn membership(place: &Where, chat: &Chat, findings: &mut Findings) {
    let mut members: BTreeMap<String, u64> = BTreeMap::new();
    let mut dismissed = false;
    for (seq, kept) in &chat.messages {
        let Some(notice) = notice(kept) else {
            if !members.contains_key(&kept.shown.sender) || dismissed {
                findings.push(format!(
                    "{place:?}: {seq} is by {}, who is not in it then",
                    kept.shown.sender
                ));
            }
            continue;
        };
        for user in notice.users {
            if JOINS.contains(&notice.kind) {
                members.insert(user, seq - 1);
            } else if LEAVES.contains(&notice.kind) || (notice.kind == BANNED && notice.until > 0) {
                members.remove(&user);
            }
        }
        dismissed |= notice.kind == 5;
    }
    let rows = chat.members.iter();
    let rows: BTreeMap<String, u64> = rows
        .map(|(user, row)| (user.clone(), row.joined_seq))
        .collect();
    if rows != members {
        findings.push(format!(
            "{place:?}: members are {rows:?}, by the notices {members:?}"
        ));
    }
    if chat.head.member_count as usize != members.len() || chat.head.dismissed != dismissed {
        findings.push(format!("{place:?}: the head says {:?}", chat.head));
    }
}

/// The idempotency key of a send; in runs no two sends have the same.
type Key<'a> = (usize, &'a str, &'a str);

/// What was acknowledged is there once, what was sent is there at most once, and nothing else is.
pub fn sends(truth: &Truth, ledger: &Ledger, calm: bool, findings: &mut Findings) {
    let mut stored: BTreeMap<Key<'_>, Vec<(&Where, &Kept)>> = BTreeMap::new();
    let mut others = 0;
    for (place, chat) in &truth.chats {
        for kept in chat.messages.values() {
            match notice(kept) {
                Some(_) => others += 1,
                None => stored
                    .entry((place.app, &kept.shown.sender, &kept.client_message_id))
                    .or_default()
                    .push((place, kept)),
            }
        }
    }
    let total: usize = truth.chats.values().map(|chat| chat.messages.len()).sum();
    let mut accounted = others;
    for send in &ledger.sends {
        let found = stored
            .get(&(send.who.app, &send.who.user, &send.client_message_id))
            .map_or(&[][..], |found| &found[..]);
        accounted += found.len();
        one_send(send, found, calm, findings);
    }
    if accounted != total {
        findings.push(format!(
            "{total} messages are stored, {accounted} were sent"
        ));
    }
    order(&ledger.sends, calm, findings);
}

fn one_send(send: &SendRecord, found: &[(&Where, &Kept)], calm: bool, findings: &mut Findings) {
    if found.len() > 1 {
        findings.push(format!("{send:?} is stored {} times", found.len()));
    }
    for (place, kept) in found {
        if place.app != send.who.app
            || place.conversation != send.conversation
            || kept.shown.sender != send.who.user
            || (kept.state.is_none() && kept.shown.body != send.body.as_bytes())
            || !is_in_manner(&send.manner, kept)
        {
            findings.push(format!("{send:?} is stored as {place:?} {kept:?}"));
        }
    }
    for (_, ack) in &send.acks {
        let same = |kept: &Kept| {
            (kept.shown.seq, &kept.shown.message_id, kept.shown.time)
                == (ack.seq, &ack.message_id, ack.time)
        };
        if !found.iter().any(|(_, kept)| same(kept)) {
            findings.push(format!("{send:?} was acknowledged, stored is {found:?}"));
        }
    }
    let refused = send.acks.is_empty() && send.refusals.iter().all(|code| is_refusal(*code));
    if calm && refused && send.forgotten == 0 && !send.refusals.is_empty() && !found.is_empty() {
        findings.push(format!("{send:?} was refused and is stored"));
    }
}

/// Is it stored in the manner in which it was sent?
fn is_in_manner(manner: &Manner, kept: &Kept) -> bool {
    let named = |it: &stored::Mention| (it.all, it.users.clone());
    let asked = manner.mention.as_ref().map(|it| (it.all, it.users.clone()));
    // An edit may have replaced it, and a recall taken it away.
    let mention = kept.state.is_some() || kept.mention.as_ref().map(named) == asked;
    let targets: BTreeSet<&String> = manner.targets.iter().collect();
    // In any order.
    let stored: BTreeSet<&String> = kept.targets.iter().collect();
    mention
        && targets == stored
        && kept.shown.counted != (manner.uncounted || manner.command)
        && kept.burn_seconds == manner.burn_seconds
        && kept.receipt_wanted == manner.receipt_wanted
        && (kept.content_type == "command") == manner.command
}

/// A send that began after another was acknowledged comes after it.
fn order(sends: &[SendRecord], calm: bool, findings: &mut Findings) {
    let acked = sends
        .iter()
        .filter_map(|send| Some((send, send.acks.first()?)));
    let acked: Vec<_> = acked.collect();
    for (one, (one_at, one_ack)) in &acked {
        for (other, (_, other_ack)) in &acked {
            let same_place = one.who.app == other.who.app && one.conversation == other.conversation;
            if same_place && *one_at < other.asked && one_ack.seq >= other_ack.seq {
                findings.push(format!("{other:?} overtook {one:?}"));
            }
        }
    }
    if !calm {
        return;
    }
    let mut last: BTreeMap<(usize, &str), &SendRecord> = BTreeMap::new();
    for (send, (_, ack)) in &acked {
        let first_try = send.refusals.is_empty() && send.forgotten == 0;
        let Some(device) = send.device.filter(|_| first_try) else {
            continue;
        };
        if let Some(before) = last.insert((device, &send.conversation), send)
            && before.acks[0].1.seq >= ack.seq
        {
            findings.push(format!("{send:?} overtook {before:?} of the same device"));
        }
    }
}

/// Read positions stand where somebody moved them, and never moved back.
pub fn reads(truth: &Truth, ledger: &Ledger, findings: &mut Findings) {
    let mut moves: BTreeMap<(Who, String), Vec<_>> = BTreeMap::new();
    for read in &ledger.reads {
        let key = (read.who.clone(), read.conversation.clone());
        moves.entry(key).or_default().push(read);
    }
    for (place, chat) in &truth.chats {
        for (user, position) in &chat.positions {
            let who = Who {
                app: place.app,
                user: user.clone(),
            };
            let reads = moves
                .remove(&(who, place.conversation.clone()))
                .unwrap_or_default();
            let asked = reads
                .iter()
                .map(|read| read.seq.min(chat.head.seq))
                .max()
                .unwrap_or(0);
            let acked = reads
                .iter()
                .filter_map(|read| read.acked_at_least.max(read.acked.map(|(seq, _)| seq)))
                .max()
                .unwrap_or(0);
            if position.read_seq > asked.max(acked) || position.read_seq < acked {
                findings.push(format!(
                    "{place:?}: {user} has read up to {}, asked was {asked}, told {acked}",
                    position.read_seq
                ));
            }
            for read in &reads {
                let Some((seq, _)) = read.acked else { continue };
                let earlier = reads.iter().filter_map(|other| other.acked);
                let earlier = earlier
                    .filter(|(_, at)| *at < read.asked)
                    .map(|(seq, _)| seq);
                if earlier.max().is_some_and(|earlier| earlier > seq) {
                    findings.push(format!(
                        "{place:?}: {user}'s read position moved back to {seq}"
                    ));
                }
            }
        }
    }
    for ((who, conversation), reads) in moves {
        let told = reads
            .iter()
            .filter_map(|read| read.acked_at_least.max(read.acked.map(|(seq, _)| seq)))
            .max()
            .unwrap_or(0);
        if told > 0 {
            findings.push(format!(
                "{who:?} was told to have read {conversation} up to {told}"
            ));
        }
    }
}

/// Every user's side agrees with the conversations.
pub fn inboxes(truth: &Truth, findings: &mut Findings) {
    for (who, inbox) in &truth.inboxes {
        let feed: BTreeMap<u64, String> = inbox
            .rows
            .iter()
            .map(|(conversation, row)| (row.feed_version, conversation.clone()))
            .collect();
        if feed != inbox.feed || feed.last_key_value().map_or(0, |(last, _)| *last) != inbox.version
        {
            findings.push(format!(
                "{who:?}: the feed does not fit the rows: {inbox:?}"
            ));
        }
    }
    let none = crate::truth::Inbox::default();
    let mut expected: BTreeMap<Who, BTreeMap<&str, (u64, u64)>> = BTreeMap::new();
    for (place, chat) in &truth.chats {
        let users = chat
            .members
            .keys()
            .map(String::as_str)
            .chain(pair(&place.conversation));
        for user in users.collect::<BTreeSet<_>>() {
            let who = Who {
                app: place.app,
                user: user.to_owned(),
            };
            if let Some(joined) = chat.joined(place, user) {
                expected
                    .entry(who)
                    .or_default()
                    .insert(&place.conversation, joined);
            }
        }
    }
    let everybody = truth.inboxes.keys().chain(expected.keys());
    let everybody: BTreeSet<Who> = everybody.cloned().collect();
    for who in everybody {
        let inbox = truth.inboxes.get(&who).unwrap_or(&none);
        let rows = inbox.rows.iter().filter(|(_, row)| row.member);
        let rows: BTreeMap<&str, (u64, u64)> = rows
            .map(|(name, row)| {
                // Who may read what was before does not begin with what is unread.
                let joined = row.joined_seq.max(row.first_seq.saturating_sub(1));
                (name.as_str(), (joined, row.joined_ordinal))
            })
            .collect();
        let expected = expected.remove(&who).unwrap_or_default();
        if rows != expected {
            findings.push(format!(
                "{who:?} is in {expected:?}, the inbox says {rows:?}"
            ));
        }
    }
}

/// Group changes that were answered well happened; none happened more often than asked.
pub fn groups(truth: &Truth, ledger: &Ledger, findings: &mut Findings) {
    let mut happened: BTreeMap<(&Where, u32, String), usize> = BTreeMap::new();
    for (place, chat) in &truth.chats {
        for notice in chat.messages.values().filter_map(notice) {
            *happened
                .entry((place, notice.kind, notice.operator))
                .or_default() += 1;
        }
    }
    for ((place, kind, operator), times) in &happened {
        let asked = ledger.groups.iter().filter(|group| {
            let by = group.by.as_deref().unwrap_or("");
            group.place == **place && group.kind == *kind && by == operator
        });
        let rules = ledger.rules.iter().filter(|record| {
            record.place == **place && record.rule.kind() == *kind && record.by == *operator
        });
        // What holds for a while from now on is another change if its answer was lost and it is
        // asked again.
        if rules.clone().any(|record| record.rule.is_timed()) {
            continue;
        }
        if asked.clone().count() + rules.count() < *times {
            findings.push(format!(
                "{place:?}: change {kind} by {operator:?} happened {times} times"
            ));
        }
    }
    for group in &ledger.groups {
        let by = group.by.clone().unwrap_or_default();
        // Adding and removing may change nothing.
        let must = [1, 4, 5].contains(&group.kind) && group.outcome == Some(Ok(()));
        if must && !happened.contains_key(&(&group.place, group.kind, by)) {
            findings.push(format!("{group:?} is not in the history"));
        }
    }
}

/// Whatever anybody was shown is what is stored.
pub fn shown(truth: &Truth, ledger: &Ledger, findings: &mut Findings) {
    for (place, shown) in &ledger.shown {
        let stored = truth.chats.get(place);
        for one in shown {
            let kept = stored.and_then(|chat| chat.messages.get(&one.seq));
            // What it said may have changed since; that is judged where changes are.
            let same = |kept: &Kept| match kept.state {
                // Who deleted it for themself before it came counts it as read.
                None if !one.counted => {
                    let counted = kept.shown.counted;
                    kept.shown
                        == (Shown {
                            counted,
                            ..one.clone()
                        })
                }
                None => kept.shown == *one,
                Some(_) => kept.shown.message_id == one.message_id,
            };
            if !kept.is_some_and(same) {
                findings.push(format!("{place:?}: shown was {one:?}, stored is {kept:?}"));
            }
        }
    }
}

/// Nobody was shown what is for others.
pub fn seen(truth: &Truth, ledger: &Ledger, findings: &mut Findings) {
    for (place, seen) in &ledger.seen {
        let Some(chat) = truth.chats.get(place) else {
            continue;
        };
        for (user, seq) in seen {
            if chat
                .messages
                .get(seq)
                .is_some_and(|kept| !kept.is_for(user))
            {
                findings.push(format!(
                    "{place:?}: {user} was shown {seq}, which is for others"
                ));
            }
        }
    }
}

/// Losses that a device was told lie before the user joined.
pub fn losses(truth: &Truth, who: &Who, book: &Book, findings: &mut Findings) {
    for lost in &book.lost {
        let place = Where {
            app: who.app,
            conversation: lost.conversation.clone(),
        };
        let joins = truth.chats.get(&place).into_iter().flat_map(|chat| {
            chat.messages.iter().filter_map(|(seq, kept)| {
                let notice = notice(kept)?;
                let joins = JOINS.contains(&notice.kind);
                (joins && notice.users.contains(&who.user)).then_some(*seq)
            })
        });
        let cleared = truth
            .row(&place, &who.user)
            .map_or(0, |row| row.cleared_seq);
        if lost.to > cleared && !joins.into_iter().any(|seq| lost.to < seq) {
            findings.push(format!("{who:?} was told that {lost:?} can't be had"));
        }
    }
}

/// Does the device know of everything its user may see? Not `all`: of what it was told of.
pub fn caught_up(truth: &Truth, who: &Who, book: &Book, all: bool, findings: &mut Findings) {
    let of_app = truth.chats.iter().filter(|(place, _)| place.app == who.app);
    let version = truth.inboxes.get(who).map_or(0, |inbox| inbox.version);
    if book.feed_version != version {
        let known = book.feed_version;
        findings.push(format!("{who:?} knows the feed up to {known} of {version}"));
    }
    for (place, chat) in of_app {
        let name = &place.conversation;
        let known = book.chats.get(name).cloned().unwrap_or_default();
        let has_row = truth.row(place, &who.user).is_some();
        if !all && has_row && known.member.is_none() && known.head == 0 {
            // Beyond the window that a new device begins with, and silent since.
            continue;
        }
        match chat.joined(place, &who.user) {
            Some(_) => {
                // What the user has deleted does not come, nor what is for others.
                let comes = |seq: &u64| truth.sees(place, chat, &who.user, *seq);
                let last = (1..=chat.head.seq).rfind(comes).unwrap_or(0);
                let behind = known
                    .followed
                    .is_some_and(|seq| (seq + 1..=chat.head.seq).any(|seq| comes(&seq)));
                if let Some(seq) = known.skipped.iter().find(|seq| comes(seq)) {
                    findings.push(format!("{who:?} was not given {seq} of {name}"));
                }
                if known.head < last || behind || known.member == Some(false) {
                    findings.push(format!(
                        "{who:?} knows {known:?} of {name}, which goes up to {}",
                        chat.head.seq
                    ));
                }
            }
            None => {
                // A push that comes late may start following it again, without harm.
                if known.member == Some(true) {
                    findings.push(format!(
                        "{who:?} is not in {name} and knows {known:?} of it"
                    ));
                }
            }
        }
    }
}
