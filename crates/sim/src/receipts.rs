//! Receipts: what every device knows of where the others stand, against where they stand.

use std::collections::BTreeSet;

use crate::ledger::{Ledger, Where, Who};
use crate::truth::{Chat, Truth, pair};

/// An attempt to acknowledge messages.
#[derive(Clone, Debug)]
pub struct AcknowledgeRecord {
    /// Who asked.
    pub who: Who,
    /// Where.
    pub conversation: String,
    /// Which.
    pub seqs: Vec<u64>,
    /// It was answered well.
    pub acked: bool,
}

/// Nobody acknowledged but who asked to, and what was answered is there.
pub fn acknowledged(truth: &Truth, ledger: &Ledger, findings: &mut Vec<String>) {
    let of = |place: &Where, user: &str, seq: u64| {
        let same = |it: &&AcknowledgeRecord| {
            it.who.app == place.app
                && it.who.user == user
                && it.conversation == place.conversation
                && it.seqs.contains(&seq)
        };
        ledger.acknowledges.iter().filter(same).count()
    };
    for (place, chat) in &truth.chats {
        for (seq, user) in &chat.acknowledged {
            let wanted = chat.messages.get(seq).is_some_and(|it| it.receipt_wanted);
            if of(place, user, *seq) == 0 || !wanted {
                findings.push(format!("{place:?}: {user} acknowledged {seq} by no wish"));
            }
        }
    }
    for record in ledger.acknowledges.iter().filter(|record| record.acked) {
        let place = Where {
            app: record.who.app,
            conversation: record.conversation.clone(),
        };
        let Some(chat) = truth.chats.get(&place) else {
            continue;
        };
        let user = &record.who.user;
        for seq in &record.seqs {
            let must = truth.sees(&place, chat, user, *seq)
                && chat.messages.get(seq).is_some_and(|kept| {
                    kept.receipt_wanted && kept.shown.sender != *user && !kept.is_recalled()
                });
            // Who left and came back may not have seen it then.
            let stayed = !pair(&place.conversation).is_empty();
            if must && stayed && !chat.acknowledged.contains(&(*seq, user.clone())) {
                findings.push(format!(
                    "{place:?}: {seq} is not acknowledged, but {record:?}"
                ));
            }
        }
    }
}

/// Where a device was told that others stand is where they stand.
pub(crate) fn told(
    truth: &Truth,
    who: &Who,
    told: &crate::device::Told,
    findings: &mut Vec<String>,
) {
    for (place, chat) in truth.chats.iter().filter(|(place, _)| place.app == who.app) {
        if chat.joined(place, &who.user).is_none() {
            continue;
        }
        let name = &place.conversation;
        let known = told.receipts.get(name).cloned().unwrap_or_default().1;
        let moved = chat
            .positions
            .iter()
            .filter(|(_, row)| row.receipt_version > 0);
        let expected =
            moved.map(|(user, row)| (user, row.delivered_seq.max(row.read_seq), row.read_seq));
        let known: Vec<_> = known
            .iter()
            .map(|(user, it)| (user, it.delivered_seq, it.read_seq))
            .collect();
        let expected: Vec<_> = expected.collect();
        if known != expected {
            findings.push(format!(
                "{who:?} was told that in {name} others stand at {known:?}, it is {expected:?}"
            ));
        }
        let unread: Vec<u64> = truth.unread_mentions(place, chat, &who.user);
        let listed = told.mentions.get(name).cloned().unwrap_or_default();
        if listed != unread {
            findings.push(format!(
                "{who:?} is mentioned in {name} at {unread:?} unread, listed is {listed:?}"
            ));
        }
    }
    for ((name, seq, acknowledged), page) in &told.readers {
        let place = Where {
            app: who.app,
            conversation: name.clone(),
        };
        let Some(chat) = truth.chats.get(&place) else {
            continue;
        };
        let could = could_read(&place, chat, *seq);
        let has = |user: &&str| match acknowledged {
            true => chat.acknowledged.contains(&(*seq, (*user).to_owned())),
            false => chat
                .positions
                .get(*user)
                .is_some_and(|row| row.read_seq >= *seq),
        };
        let have: Vec<&str> = could.iter().copied().filter(has).collect();
        let counts = (page.count as usize, page.of as usize);
        if page.users != have || counts != (have.len(), could.len()) {
            findings.push(format!(
                "{who:?}: {seq} of {name} was read by {have:?} of {could:?}, told was {page:?}"
            ));
        }
    }
}

/// Everybody but the sender who is in it, was when it was sent, and sees it.
fn could_read<'a>(place: &'a Where, chat: &'a Chat, seq: u64) -> BTreeSet<&'a str> {
    let Some(kept) = chat.messages.get(&seq) else {
        return BTreeSet::new();
    };
    let mut users: BTreeSet<&str> = match &pair(&place.conversation)[..] {
        [low, high] if low == high => BTreeSet::new(),
        [] => {
            let were = chat.members.iter().filter(|(_, row)| row.joined_seq < seq);
            were.map(|(user, _)| user.as_str()).collect()
        }
        pair => pair.iter().copied().collect(),
    };
    users.retain(|user| *user != kept.shown.sender && kept.is_for(user));
    users
}

/// Whoever tells by themself what arrived has told it.
pub(crate) fn arrived(
    truth: &Truth,
    who: &Who,
    arrived: &std::collections::BTreeMap<String, u64>,
    findings: &mut Vec<String>,
) {
    for (name, seq) in arrived {
        let place = Where {
            app: who.app,
            conversation: name.clone(),
        };
        let Some(chat) = truth.chats.get(&place) else {
            continue;
        };
        let told = chat
            .positions
            .get(&who.user)
            .map_or(0, |row| row.delivered_seq);
        if chat.joined(&place, &who.user).is_some() && told < *seq {
            findings.push(format!("{who:?} has {seq} of {name}, told is {told}"));
        }
    }
}
