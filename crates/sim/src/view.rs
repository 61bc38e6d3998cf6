//! What an application shows, against what the model says that it should.
//!
//! The model counts one by one over what stands on the disk, which other checks hold against what
//! was asked and answered. It is compared with the conversation list that the server gives, with
//! the list that a device without a database keeps, and with all that a device's database has:
//! rows, order, totals, timelines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anser_proto::{client as wire, stored};
use anser_sdk::database::{
    LocalPage, MemoryStorage, MessageQuery, Next, Place, Reader, Storage as _, Stored, UnreadTotal,
    list_order,
};
use anser_sdk::model::{Conversation, MessageState, Mute};
use prost::Message as _;

use crate::book::Book;
use crate::check::Findings;
use crate::device::{PagedBack, Standing};
use crate::ledger::{Where, Who};
use crate::truth::{Chat, Kept, Truth};

/// Messages of a page of a timeline: few, so that there are several.
const PAGE: u32 = 5;

/// What a row of the list should say, as far as devices have to agree.
#[derive(Clone, Eq, PartialEq, Debug)]
struct Row {
    unread: u64,
    unread_mentions: u64,
    read_seq: u64,
    first_seq: u64,
    newest: Option<u64>,
    name: String,
    deleted_version: u64,
    pinned: bool,
    muted: u32,
    marks: Vec<String>,
    draft: String,
}

impl Row {
    fn expected(truth: &Truth, place: &Where, chat: &Chat, user: &str) -> Option<Self> {
        let sight = truth.sight(place, chat, user)?;
        let none = stored::InboxRow::default();
        let own = truth.row(place, user).unwrap_or(&none);
        let position = chat.positions.get(user).copied().unwrap_or_default();
        Some(Self {
            unread: truth.unread(place, chat, user),
            unread_mentions: truth.unread_mentions(place, chat, user).len() as u64,
            read_seq: position.read_seq,
            first_seq: sight.first_seq,
            newest: truth.newest(place, chat, user).map(|kept| kept.shown.seq),
            name: chat.head.name.clone(),
            deleted_version: position.deleted_version,
            pinned: own.pinned,
            muted: own.muted,
            marks: own.marks.clone(),
            draft: own.draft.clone(),
        })
    }

    fn of(row: &Conversation) -> Self {
        Self {
            unread: row.unread,
            unread_mentions: row.unread_mentions,
            read_seq: row.read_seq,
            first_seq: row.first_seq,
            newest: row.newest.as_ref().map(|newest| newest.seq),
            name: row.name.clone(),
            deleted_version: row.deleted_version,
            pinned: row.pinned,
            muted: match row.muted {
                Mute::None => 0,
                Mute::ExceptMentions => 1,
                Mute::All => 2,
            },
            marks: row.marks.clone(),
            draft: row.draft.clone(),
        }
    }
}

/// Is this the message as it now is?
fn is_as_stored(message: &anser_sdk::model::Message, kept: &Kept) -> bool {
    // Both are told on the same wire: a stored state decodes as one of the wire.
    let state = kept.state.as_ref().map(|state| {
        let bytes = state.encode_to_vec();
        let state = wire::MessageState::decode(&bytes[..]).expect("states are alike");
        MessageState::from(state)
    });
    let mention = message.mention.as_ref();
    let mention = mention.map(|it| (it.all, it.users.clone()));
    let kept_mention = kept.mention.as_ref().map(|it| (it.all, it.users.clone()));
    // Who deleted a message for themself may be told that it does not count.
    message.message_id == kept.shown.message_id
        && message.sender == kept.shown.sender
        && message.time.0 == kept.shown.time
        && message.content.body == kept.shown.body
        && message.content.kind == kept.content_type
        && message.state == state
        && mention == kept_mention
        && message.counted == kept.shown.counted
}

fn chats<'a>(truth: &'a Truth, who: &'a Who) -> impl Iterator<Item = (&'a Where, &'a Chat)> {
    truth.chats.iter().filter(|(place, _)| place.app == who.app)
}

/// The list as the server tells it is exactly what the model says.
pub fn list(truth: &Truth, who: &Who, rows: &[Conversation], findings: &mut Findings) {
    let rows: Vec<&Conversation> = rows.iter().collect();
    rows_are(truth, who, &rows, true, findings);
    for row in rows {
        let place = Where {
            app: who.app,
            conversation: row.id.clone(),
        };
        let Some(chat) = truth.chats.get(&place) else {
            continue;
        };
        let joined = truth
            .row(&place, &who.user)
            .map_or(0, |row| row.joined_time);
        let last_time = chat.head.last_time.max(joined);
        if (row.head_seq, row.last_time.0) != (chat.head.seq, last_time) {
            findings.push(format!("{who:?}: {row:?} has the head {:?}", chat.head));
        }
    }
}

/// The list that a device without a database keeps.
pub(crate) fn kept_list(
    truth: &Truth,
    who: &Who,
    rows: &[Arc<Conversation>],
    all: bool,
    findings: &mut Findings,
) {
    let rows: Vec<&Conversation> = rows.iter().map(|row| &**row).collect();
    let here = rows.into_iter().filter(|row| row.member);
    let here = here.map(|row| as_far_as_known(truth, who, row, false));
    let here: Vec<Conversation> = here.collect();
    rows_are(truth, who, &here.iter().collect::<Vec<_>>(), all, findings);
}

/// Where the messages are not all known, it can't be said what a change of one that is unread
/// means: what is unread is exact again with the next row, and so passes here.
fn as_far_as_known(truth: &Truth, who: &Who, row: &Conversation, all: bool) -> Conversation {
    let place = Where {
        app: who.app,
        conversation: row.id.clone(),
    };
    let mut row = row.clone();
    let chat = truth.chats.get(&place);
    if let Some(chat) = chat.filter(|chat| !all && chat.head.rev > 0) {
        row.unread = truth.unread(&place, chat, &who.user);
        row.unread_mentions = truth.unread_mentions(&place, chat, &who.user).len() as u64;
    }
    row
}

/// These rows, and no others, are in the list, in this order. Not `all`: some may be missing, which
/// the device was not told of.
fn rows_are(truth: &Truth, who: &Who, rows: &[&Conversation], all: bool, findings: &mut Findings) {
    if !rows.is_sorted_by(|one, other| list_order(one, other).is_lt()) {
        findings.push(format!("{who:?}: the list is not in order: {rows:?}"));
    }
    let mut rows: BTreeMap<&str, &Conversation> =
        rows.iter().map(|row| (row.id.as_str(), *row)).collect();
    for (place, chat) in chats(truth, who) {
        let row = rows.remove(place.conversation.as_str());
        let expected = Row::expected(truth, place, chat, &who.user);
        let hidden = truth.is_hidden(place, chat, &who.user);
        let Some(expected) = expected.filter(|_| hidden != Some(true)) else {
            if row.is_some() {
                findings.push(format!("{who:?}: {place:?} should not be in the list"));
            }
            continue;
        };
        match row {
            None if hidden.is_none() || !all => {}
            None => findings.push(format!("{who:?}: {place:?} is not in the list")),
            Some(row) => row_is(truth, who, place, row, &expected, findings),
        }
    }
    for name in rows.keys() {
        findings.push(format!("{who:?}: {name} is in the list and does not exist"));
    }
}

fn row_is(
    truth: &Truth,
    who: &Who,
    place: &Where,
    row: &Conversation,
    expected: &Row,
    findings: &mut Findings,
) {
    let is = Row::of(row);
    if is != *expected {
        findings.push(format!(
            "{who:?}: {place:?} is shown as {is:?}, should have {expected:?}"
        ));
    }
    let Some(chat) = truth.chats.get(place) else {
        return;
    };
    if let Some(newest) = &row.newest
        && let Some(kept) = chat.messages.get(&newest.seq)
        && !is_as_stored(newest, kept)
    {
        findings.push(format!(
            "{who:?}: the newest of {place:?} is {newest:?}, should be {kept:?}"
        ));
    }
}

/// Everything in a device's database.
pub(crate) fn database(
    truth: &Truth,
    who: &Who,
    storage: &MemoryStorage,
    book: &Book,
    all: bool,
    findings: &mut Findings,
) {
    let mut reader = storage.reader().expect("memory does not fail");
    let rows = reader
        .conversations(0, usize::MAX)
        .expect("memory does not fail");
    let is_followed = |name: &str| {
        let known = book.chats.get(name);
        // From the beginning: it has all messages there are.
        known.is_some_and(|known| known.followed.is_some() && known.began == 0)
    };
    let here = rows.iter().filter(|row| row.member);
    let here = here.map(|row| as_far_as_known(truth, who, row, is_followed(&row.id)));
    let here: Vec<Conversation> = here.collect();
    rows_are(truth, who, &here.iter().collect::<Vec<_>>(), all, findings);
    let total = UnreadTotal {
        unread: rows.iter().map(|row| row.unread).sum(),
        mentions: rows.iter().map(|row| row.unread_mentions).sum(),
    };
    let told = reader.unread().expect("memory does not fail");
    if told != total {
        findings.push(format!("{who:?}: all of {rows:?} have {told:?} unread"));
    }
    for (place, chat) in chats(truth, who) {
        if truth.sight(place, chat, &who.user).is_some() {
            let known = book.chats.get(&place.conversation);
            let since = known.filter(|known| known.followed.is_some());
            let since = since.map_or(u64::MAX, |known| known.began);
            timeline(truth, who, (place, chat, since), &mut *reader, findings);
        }
    }
}

/// A timeline that was paged back to its beginning is all that the user is to see, as it is now.
pub(crate) fn whole(truth: &Truth, who: &Who, standing: &Standing, findings: &mut Findings) {
    for (place, chat) in chats(truth, who) {
        if truth.sight(place, chat, &who.user).is_none() {
            continue;
        }
        let ended = match &standing.storage {
            Some(storage) => {
                let mut reader = storage.reader().expect("memory does not fail");
                timeline(truth, who, (place, chat, 0), &mut *reader, findings)
            }
            None => paged_back(truth, who, (place, chat), standing, findings),
        };
        if !ended {
            findings.push(format!(
                "{who:?} can't page {place:?} back to its beginning"
            ));
        }
    }
}

/// The same of a device without a database. False: it did not come to the beginning.
fn paged_back(
    truth: &Truth,
    who: &Who,
    (place, chat): (&Where, &Chat),
    standing: &Standing,
    findings: &mut Findings,
) -> bool {
    let none = PagedBack::default();
    let history = &standing.told.history;
    let history = history.get(&place.conversation).unwrap_or(&none);
    let sees = |seq: &&u64| truth.sees(place, chat, &who.user, **seq);
    let expected: Vec<u64> = chat.messages.keys().filter(sees).copied().rev().collect();
    let read: Vec<u64> = history.messages.iter().map(|message| message.seq).collect();
    if history.ended && read != expected {
        findings.push(format!(
            "{who:?} read {read:?} of {place:?}, should be {expected:?}"
        ));
    }
    for message in &history.messages {
        if let Some(kept) = chat.messages.get(&message.seq)
            && !is_as_stored(message, kept)
        {
            findings.push(format!(
                "{who:?} read {message:?} of {place:?}, should be {kept:?}"
            ));
        }
    }
    history.ended
}

/// What a device has of a conversation is what the user is to see of it, without holes. Changes are
/// told of what came since it is followed (`since`). Is it there from the beginning on?
fn timeline(
    truth: &Truth,
    who: &Who,
    (place, chat, since): (&Where, &Chat, u64),
    reader: &mut dyn Reader,
    findings: &mut Findings,
) -> bool {
    let (mut from, mut above) = (None, u64::MAX);
    // Each page begins below the one before it.
    for _ in 0..=chat.head.seq + 1 {
        let query = MessageQuery {
            conversation: place.conversation.clone(),
            from,
            limit: PAGE,
            ..MessageQuery::default()
        };
        let LocalPage { messages, next } = reader.messages(&query).expect("memory does not fail");
        let last = messages.last().map_or(above, |stored| stored.place.seq);
        let lowest = match next {
            Next::Here => last,
            Next::Server(seq) => seq,
            Next::End => 0,
        };
        if !messages.is_empty() || from.is_some() {
            page(
                truth,
                who,
                (place, chat, since),
                &messages,
                lowest..above,
                findings,
            );
        }
        // At the newest there may be a hole: whoever opens it there fetches the page.
        (from, above) = match next {
            Next::Here => (Some(Place::of(last)), last),
            Next::Server(seq) if seq > 1 && (above == u64::MAX || seq < above) => {
                (Some(Place::of(seq)), seq)
            }
            Next::Server(_) => return false,
            Next::End => return true,
        };
    }
    false
}

/// Between these sequences there are these messages and no others.
fn page(
    truth: &Truth,
    who: &Who,
    (place, chat, since): (&Where, &Chat, u64),
    messages: &[Stored],
    between: std::ops::Range<u64>,
    findings: &mut Findings,
) {
    let expected: BTreeSet<u64> = chat
        .messages
        .iter()
        .filter(|(seq, kept)| between.contains(seq) && kept.content_type != "command")
        .map(|(seq, _)| *seq)
        .filter(|seq| truth.sees(place, chat, &who.user, *seq))
        .collect();
    let here: BTreeSet<u64> = messages.iter().map(|stored| stored.place.seq).collect();
    // What was held before it is followed may be shown although it was deleted meanwhile.
    let stale = |seq: &u64| *seq <= since && chat.is_hidden(&who.user, *seq);
    let fresh: BTreeSet<u64> = here.iter().copied().filter(|seq| !stale(seq)).collect();
    if fresh != expected {
        findings.push(format!(
            "{who:?} has {here:?} of {place:?} in {between:?}, should have {expected:?}"
        ));
    }
    for stored in messages {
        let Some(kept) = chat.messages.get(&stored.place.seq) else {
            continue;
        };
        let told = stored.place.seq > since;
        if told && !is_as_stored(&stored.message, kept) {
            let message = &stored.message;
            findings.push(format!(
                "{who:?} has {message:?} of {place:?}, should be {kept:?}"
            ));
        }
    }
}
