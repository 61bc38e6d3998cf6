//! Changes of messages, and what users delete for themselves: what is asked, and what must hold.
//!
//! Every edit says something that no other says, every value of an expansion too, so whatever is
//! found can be traced to who asked for it.

use std::collections::{BTreeMap, BTreeSet};

use anser_proto::stored;
use anser_sdk::core::Request;
use anser_sdk::model::Content;

use crate::book::Book;
use crate::ledger::{Ledger, Where, Who};
use crate::truth::{Chat, Kept, Truth};
use crate::workload::Named;

/// What somebody does to a message.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum How {
    /// Takes it back.
    Recall,
    /// Gives it another content.
    Edit,
    /// Reacts to it, or takes that back.
    React {
        /// One of a few.
        reaction: &'static str,
        /// Takes it back.
        remove: bool,
    },
    /// Sets a key of its expansion.
    Expand {
        /// One of a few.
        key: &'static str,
    },
    /// Deletes it for themself.
    Delete,
}

/// An attempt.
#[derive(Clone, Debug)]
pub struct AlterRecord {
    /// Who asked.
    pub who: Who,
    /// Where.
    pub conversation: String,
    /// Which message.
    pub seq: u64,
    /// What.
    pub how: How,
    /// What an edit says, or the value of an expansion.
    pub words: String,
    /// Whom an edit mentions.
    pub mention: Option<Named>,
    /// How it came out: the code if it was refused. Absent: unknown.
    pub outcome: Option<Result<(), u32>>,
}

impl AlterRecord {
    fn was_acked(&self) -> bool {
        self.outcome == Some(Ok(()))
    }

    /// The request to the server.
    #[must_use]
    pub fn request(&self) -> Request {
        let (conversation, seq) = (self.conversation.clone(), self.seq);
        match self.how {
            How::Recall => Request::Recall { conversation, seq },
            How::Edit => Request::Edit {
                conversation,
                seq,
                content: Content::text(self.words.clone()),
                mention: self.mention.as_ref().map(Named::mention),
            },
            How::React { reaction, remove } => Request::React {
                conversation,
                seq,
                reaction: reaction.to_owned(),
                remove,
            },
            How::Expand { key } => Request::UpdateExpansion {
                conversation,
                seq,
                put: BTreeMap::from([(key.to_owned(), self.words.clone())]),
                remove: Vec::new(),
            },
            How::Delete => Request::DeleteMessages {
                conversation,
                seqs: vec![seq],
            },
        }
    }
}

/// What was acknowledged happened, and nothing happened that nobody asked for.
pub fn changes(truth: &Truth, ledger: &Ledger, findings: &mut Vec<String>) {
    let mut asked: BTreeMap<(Where, u64), Vec<&AlterRecord>> = BTreeMap::new();
    for record in &ledger.alters {
        let place = Where {
            app: record.who.app,
            conversation: record.conversation.clone(),
        };
        asked.entry((place, record.seq)).or_default().push(record);
    }
    for (place, chat) in &truth.chats {
        feed(place, chat, findings);
        for (seq, kept) in &chat.messages {
            let asked = asked.remove(&(place.clone(), *seq)).unwrap_or_default();
            if let Some(what) = message(place, chat, kept, &asked) {
                findings.push(format!("{place:?}: {what}: {kept:?} after {asked:?}"));
            }
            if let Some(what) = hidden(truth, place, chat, *seq, &asked) {
                findings.push(format!("{place:?}: {seq}: {what} after {asked:?}"));
            }
        }
    }
    for (who, place, seq) in &ledger.left_out {
        let chat = truth.chats.get(place);
        let not_for_them = |chat: &Chat| {
            let kept = chat.messages.get(seq);
            chat.is_hidden(&who.user, *seq) || kept.is_some_and(|kept| !kept.is_for(&who.user))
        };
        if !chat.is_some_and(not_for_them) {
            findings.push(format!("a page for {who:?} left out {seq} of {place:?}"));
        }
    }
    for ((place, seq), asked) in asked {
        if asked.iter().any(|record| record.was_acked()) {
            findings.push(format!("{place:?} has no {seq}, and {asked:?}"));
        }
    }
}

/// One row a changed message, where its last change says.
fn feed(place: &Where, chat: &Chat, findings: &mut Vec<String>) {
    let expected: BTreeMap<u64, u64> = chat
        .messages
        .iter()
        .filter_map(|(seq, kept)| Some((kept.state.as_ref()?.rev, *seq)))
        .collect();
    let last = expected.last_key_value().map_or(0, |(rev, _)| *rev);
    if chat.changes != expected || last != chat.head.rev {
        findings.push(format!(
            "{place:?}: changes are {:?} up to {}, the messages say {expected:?}",
            chat.changes, chat.head.rev
        ));
    }
}

/// Burned messages were read by the other side.
fn burned(place: &Where, chat: &Chat, kept: &Kept) -> bool {
    let read = |user: &&str| {
        let row = chat.positions.get(*user);
        *user != kept.shown.sender && row.is_some_and(|row| row.read_seq >= kept.shown.seq)
    };
    kept.burn_seconds > 0 && crate::truth::pair(&place.conversation).iter().any(read)
}

fn message(
    place: &Where,
    chat: &Chat,
    kept: &Kept,
    asked: &[&AlterRecord],
) -> Option<&'static str> {
    let nothing = stored::MessageState::default();
    let state = kept.state.as_ref().unwrap_or(&nothing);
    let of = |how: fn(&How) -> bool| asked.iter().filter(move |record| how(&record.how));
    let mut recalls = of(|how| *how == How::Recall);
    let must_burn = burned(place, chat, kept);
    if let Some(recall) = &state.recall {
        if recall.burned && !must_burn {
            return Some("burned without being read");
        }
        if must_burn && chat.edits.contains_key(&kept.shown.seq) {
            return Some("former contents are left of what burned");
        }
        let emptied = kept.shown.body.is_empty() && state.reactions.is_empty();
        let emptied = emptied && kept.mention.is_none();
        return match (recalls.next(), emptied && state.expansion.is_empty()) {
            (None, true) if recall.burned => None,
            (None, _) if !recall.burned => Some("taken back by nobody"),
            (_, false) => Some("something is left of what was taken back"),
            _ => None,
        };
    }
    if recalls.any(|record| record.was_acked()) {
        return Some("a recall is lost");
    }
    if must_burn {
        return Some("it was read and does not burn");
    }
    edits(chat, kept, state, asked)
        .or_else(|| expansion(state, asked))
        .or_else(|| reactions(state, asked))
}

fn edits(
    chat: &Chat,
    kept: &Kept,
    state: &stored::MessageState,
    asked: &[&AlterRecord],
) -> Option<&'static str> {
    let former = chat.edits.get(&kept.shown.seq).cloned().unwrap_or_default();
    let mut said: Vec<&[u8]> = former.iter().map(Vec::as_slice).collect();
    said.push(&kept.shown.body);
    let edits = asked.iter().filter(|record| record.how == How::Edit);
    let count = state.edit.as_ref().map_or(0, |edit| edit.count as usize);
    if count != former.len() {
        return Some("the count of edits is not that of former contents");
    }
    // An edit whose answer was lost is made again; if somebody else edited meanwhile, it comes
    // after theirs once more.
    if said.windows(2).any(|pair| pair[0] == pair[1]) {
        return Some("an edit was made twice");
    }
    let distinct: BTreeSet<&[u8]> = said.iter().copied().collect();
    let mut acked = edits.clone().filter(|record| record.was_acked());
    if !acked.all(|record| distinct.contains(record.words.as_bytes())) {
        return Some("an edit is lost");
    }
    let last = edits
        .clone()
        .find(|record| kept.shown.body == record.words.as_bytes());
    if let Some(record) = last {
        let mention = record.mention.as_ref().map(|it| (it.all, it.users.clone()));
        let now = kept.mention.as_ref().map(|it| (it.all, it.users.clone()));
        if mention != now {
            return Some("the mention is not that of the last edit");
        }
    }
    // The first content is what was sent.
    let asked: BTreeSet<&[u8]> = edits.map(|record| record.words.as_bytes()).collect();
    (!said[1..].iter().all(|body| asked.contains(body))).then_some("edited by nobody")
}

fn expansion(state: &stored::MessageState, asked: &[&AlterRecord]) -> Option<&'static str> {
    let of_key = |key: &str| {
        let key = key.to_owned();
        asked
            .iter()
            .filter(move |record| matches!(record.how, How::Expand { key: own } if own == key))
    };
    for one in &state.expansion {
        let mut asked = of_key(&one.key);
        if !asked.any(|record| record.words == one.value && record.who.user == one.user) {
            return Some("nobody set this value");
        }
    }
    let there = |key: &str| state.expansion.iter().any(|one| one.key == key);
    let lost = asked.iter().any(|record| match record.how {
        How::Expand { key } => record.was_acked() && !there(key),
        _ => false,
    });
    lost.then_some("a value is lost")
}

fn reactions(state: &stored::MessageState, asked: &[&AlterRecord]) -> Option<&'static str> {
    let there = |user: &str, reaction: &str| {
        state
            .reactions
            .iter()
            .any(|one| one.reaction == reaction && one.users.iter().any(|name| name == user))
    };
    for one in &state.reactions {
        let distinct: BTreeSet<&String> = one.users.iter().collect();
        let by = |user: &String| {
            asked.iter().any(|record| {
                let adds = |how: &How| matches!(how, How::React { reaction, remove: false } if *reaction == one.reaction);
                adds(&record.how) && record.who.user == *user
            })
        };
        if distinct.len() != one.users.len() || !one.users.iter().all(by) {
            return Some("a reaction that nobody had, or had once");
        }
    }
    // Where a user asked but once, the answer decides.
    for record in asked {
        let How::React { reaction, remove } = record.how else {
            continue;
        };
        let same = |other: &&&AlterRecord| {
            other.who == record.who
                && matches!(other.how, How::React { reaction: its, .. } if its == reaction)
        };
        let alone = asked.iter().filter(same).count() == 1;
        if alone && record.was_acked() && there(&record.who.user, reaction) == remove {
            return Some("a reaction is lost");
        }
    }
    None
}

/// What a user deleted for themself is hidden from them, and nothing else is.
fn hidden(
    truth: &Truth,
    place: &Where,
    chat: &Chat,
    seq: u64,
    asked: &[&AlterRecord],
) -> Option<&'static str> {
    let deletes = asked.iter().filter(|record| record.how == How::Delete);
    let hidden: BTreeSet<&str> = chat
        .hidden
        .iter()
        .filter_map(|(user, at)| (*at == seq).then_some(user.as_str()))
        .collect();
    let by: BTreeSet<&str> = deletes
        .clone()
        .map(|record| record.who.user.as_str())
        .collect();
    // Who does not see a message has nothing to delete.
    let sees = |user: &str| {
        let sight = truth.sight(place, chat, user);
        let kept = chat.messages.get(&seq);
        sight.is_some_and(|sight| sight.first_seq <= seq)
            && kept.is_some_and(|kept| kept.is_for(user))
    };
    let mut lost = deletes
        .filter(|record| record.was_acked() && sees(&record.who.user))
        .filter(|record| !hidden.contains(record.who.user.as_str()));
    if lost.next().is_some() {
        return Some("a deleted message is back");
    }
    (!hidden.is_subset(&by)).then_some("deleted by nobody")
}

/// Does the device know every message that it was given as it is now?
pub fn known(truth: &Truth, who: &Who, book: &Book, findings: &mut Vec<String>) {
    let of_app = truth.chats.iter().filter(|(place, _)| place.app == who.app);
    for (place, chat) in of_app {
        let Some(known) = book.chats.get(&place.conversation) else {
            continue;
        };
        let Some(sight) = truth.sight(place, chat, &who.user) else {
            continue;
        };
        if known.followed.is_none() {
            continue;
        }
        for (seq, rev) in known.revs.range(sight.first_seq..) {
            let kept = chat.messages.get(seq);
            let state = kept.and_then(|kept| kept.state.as_ref());
            let now = state.map_or(0, |state| state.rev);
            let deleted = chat.hidden.contains(&(who.user.clone(), *seq));
            if now != *rev && !deleted {
                findings.push(format!(
                    "{who:?} knows {seq} of {place:?} as of change {rev}, the last is {now}"
                ));
            }
        }
        let version = chat
            .positions
            .get(&who.user)
            .map_or(0, |position| position.deleted_version);
        if known.deleted.is_some_and(|told| told != version) {
            findings.push(format!(
                "{who:?} knows deletions of {place:?} up to {:?}, the last is {version}",
                known.deleted
            ));
        }
    }
}
