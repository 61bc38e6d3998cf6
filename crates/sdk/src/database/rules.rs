//! How a row of the conversation list changes between two times that the server tells it.
//!
//! The server's row is exact at its `head_seq`, its `rev` and its `deleted_version`. What comes
//! live after it moves the row here by the same rules; what the row already accounts for does not
//! move it again. The next row that the server tells replaces all of this.

use std::cmp::Ordering;

use crate::model::{Conversation, Message, ReadPosition};

/// Does it count as unread for this user, if it lies beyond the read position?
fn counts(message: &Message, me: &str) -> bool {
    message.counted && message.sender != me && !message.is_recalled()
}

/// Does it count as an unread mention of this user, if it lies beyond the read position? One that
/// is unread for nobody does, too.
fn counts_as_mention(message: &Message, me: &str) -> bool {
    message.sender != me && !message.is_recalled() && message.mentions(me)
}

/// The next message of the conversation arrived.
pub fn after_message(row: &mut Conversation, message: &Message, me: &str) {
    // Its own changes don't say that those of others, which lie before them, were told.
    if message.seq <= row.head_seq {
        return;
    }
    row.head_seq = message.seq;
    if message.content.is_command() {
        return;
    }
    // It was hidden until the next message, which this one is.
    row.hidden = false;
    row.last_time = row.last_time.max(message.time);
    row.newest = Some(message.clone());
    if message.seq > row.read_seq {
        row.unread += u64::from(counts(message, me));
        row.unread_mentions += u64::from(counts_as_mention(message, me));
    }
}

/// A message changed from `before`, if the device had it, to `message`. One that the user had
/// deleted was unread no more: whoever knows that passes the message itself as what it was.
pub fn after_change(row: &mut Conversation, before: Option<&Message>, message: &Message, me: &str) {
    if let Some(newest) = &mut row.newest
        && newest.seq == message.seq
        && newest.rev() <= message.rev()
    {
        newest.clone_from(message);
    }
    let told = message.rev() <= row.rev || message.seq > row.head_seq;
    row.rev = row.rev.max(message.rev());
    if told || message.seq <= row.read_seq || message.sender == me {
        return;
    }
    // Without the message as it was, a recall is taken at its word: it came for the first time.
    let was_counted = before.map_or(message.counted, |before| counts(before, me));
    if was_counted && message.is_recalled() {
        row.unread = row.unread.saturating_sub(1);
    }
    let was_mention = before.map(|before| counts_as_mention(before, me));
    match (was_mention, counts_as_mention(message, me)) {
        (Some(true), false) => row.unread_mentions = row.unread_mentions.saturating_sub(1),
        (Some(false), true) => row.unread_mentions += 1,
        _ => {}
    }
}

/// The user deleted messages for themself; `deleted` are those of them that were here.
pub fn after_deletion(row: &mut Conversation, deleted: &[Message], version: u64, me: &str) {
    let told = version <= row.deleted_version;
    row.deleted_version = row.deleted_version.max(version);
    let newest = row.newest.as_ref().map(|newest| newest.seq);
    if deleted.iter().any(|message| Some(message.seq) == newest) {
        row.newest = None;
    }
    if told {
        return;
    }
    let unread = |m: &&Message| m.seq > row.read_seq && m.seq <= row.head_seq;
    let (count, mentions) = deleted.iter().filter(unread).fold((0, 0), |(n, at), m| {
        let mentions = u64::from(counts_as_mention(m, me));
        (n + u64::from(counts(m, me)), at + mentions)
    });
    row.unread = row.unread.saturating_sub(count);
    row.unread_mentions = row.unread_mentions.saturating_sub(mentions);
}

/// The read position moved. It never moves back: of two devices that read, the one that read
/// further is right, in whichever order the news arrive.
pub fn after_read(row: &mut Conversation, position: ReadPosition) {
    if position.read_seq < row.read_seq {
        return;
    }
    row.read_seq = position.read_seq;
    row.unread = position.unread;
    row.unread_mentions = position.unread_mentions;
}

/// What a row that the server tells says is gone.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) struct Cleared {
    /// Up to and including.
    pub(super) up_to: u64,
    /// What is only on this device, too?
    pub(super) all: bool,
}

/// What a row that the server tells says is gone: the user cleared it on some device, or it became
/// too old. Who is no longer in the conversation keeps what is here. Without the row as it was,
/// nothing says that it happened since the application brought messages of its own: they stay.
pub(super) fn cleared_by(old: Option<&Conversation>, told: &Conversation) -> Option<Cleared> {
    // Nothing was removed while the user was out.
    let moved = old.is_none_or(|old| !old.member || told.first_seq > old.first_seq);
    let up_to = told.first_seq.saturating_sub(1);
    let all = old.is_some();
    (told.member && moved && up_to > 0).then_some(Cleared { up_to, all })
}

/// May the user no longer read this, by the row that the server told? A message and a page of
/// history may come later than the row that says so.
pub(super) fn is_gone(row: Option<&Conversation>, seq: u64) -> bool {
    seq < readable_from(row)
}

/// The lowest sequence that the user may read, by the row that the server told. Nobody looked at
/// what lies below: another row may give it back.
pub(super) fn readable_from(row: Option<&Conversation>) -> u64 {
    row.filter(|row| row.member)
        .map_or(1, |row| row.first_seq.max(1))
}

/// The server tells a row that it made before a read position moved which is known already.
pub(crate) fn keep_read(told: &mut Conversation, old: &Conversation) {
    if old.read_seq > told.read_seq && old.head_seq >= told.head_seq {
        told.read_seq = old.read_seq;
        told.unread = old.unread;
        told.unread_mentions = old.unread_mentions;
    }
}

/// The row of a conversation of which a message came before the server told its row.
pub(super) fn new_row(name: &str) -> Conversation {
    Conversation {
        id: name.to_owned(),
        first_seq: 1,
        member: true,
        ..Conversation::default()
    }
}

/// The order of the conversation list: pinned ones first, then by last activity, newest first.
#[must_use]
pub fn list_order(a: &Conversation, b: &Conversation) -> Ordering {
    (b.pinned.cmp(&a.pinned))
        .then_with(|| b.last_time.cmp(&a.last_time))
        .then_with(|| a.id.cmp(&b.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mention, MessageState, Recall};

    fn message(seq: u64) -> Message {
        Message {
            conversation: "g/a".to_owned(),
            seq,
            sender: "you".to_owned(),
            counted: true,
            ..Message::default()
        }
    }

    fn mention(seq: u64) -> Message {
        let mention = Mention {
            all: true,
            ..Mention::default()
        };
        Message {
            mention: Some(mention),
            ..message(seq)
        }
    }

    fn recalled(seq: u64, rev: u64) -> Message {
        let state = MessageState {
            rev,
            recall: Some(Recall::default()),
            ..MessageState::default()
        };
        Message {
            state: Some(state),
            ..message(seq)
        }
    }

    fn row() -> Conversation {
        Conversation {
            id: "g/a".to_owned(),
            head_seq: 5,
            read_seq: 3,
            unread: 2,
            rev: 7,
            ..Conversation::default()
        }
    }

    #[test]
    fn what_the_row_knows_already_is_not_counted_again() {
        let mut row = row();
        after_message(&mut row, &message(5), "me");
        assert_eq!(row.unread, 2);
        after_message(&mut row, &mention(6), "me");
        assert_eq!((row.unread, row.unread_mentions, row.head_seq), (3, 1, 6));
        let own = Message {
            sender: "me".to_owned(),
            ..message(7)
        };
        after_message(&mut row, &own, "me");
        assert_eq!((row.unread, row.head_seq), (3, 7));
    }

    #[test]
    fn a_mention_counts_in_a_message_that_is_unread_for_nobody() {
        let uncounted = |seq| Message {
            counted: false,
            ..mention(seq)
        };
        let mut row = row();
        after_message(&mut row, &uncounted(6), "me");
        after_message(&mut row, &uncounted(7), "me");
        after_message(&mut row, &uncounted(8), "me");
        assert_eq!((row.unread, row.unread_mentions), (2, 3));
        after_change(&mut row, Some(&uncounted(6)), &recalled(6, 8), "me");
        let edited = Message {
            mention: None,
            state: Some(MessageState {
                rev: 9,
                ..MessageState::default()
            }),
            ..uncounted(7)
        };
        after_change(&mut row, Some(&uncounted(7)), &edited, "me");
        after_deletion(&mut row, &[uncounted(8)], 1, "me");
        assert_eq!((row.unread, row.unread_mentions), (2, 0));
    }

    #[test]
    fn a_command_is_neither_newest_nor_unread() {
        let mut row = row();
        let command = Message {
            content: crate::model::Content {
                kind: "command".to_owned(),
                ..Default::default()
            },
            ..message(6)
        };
        after_message(&mut row, &command, "me");
        assert_eq!((row.head_seq, row.unread, row.newest), (6, 2, None));
    }

    #[test]
    fn a_recall_of_an_unread_message_lowers_unread_once() {
        let mut row = row();
        after_message(&mut row, &mention(6), "me");
        after_change(&mut row, Some(&mention(6)), &recalled(6, 8), "me");
        assert_eq!((row.unread, row.unread_mentions, row.rev), (2, 0, 8));
        after_change(&mut row, Some(&recalled(6, 8)), &recalled(6, 8), "me");
        after_change(&mut row, None, &recalled(5, 7), "me");
        assert_eq!(row.unread, 2, "the row was told after it");
        after_change(&mut row, Some(&message(2)), &recalled(2, 9), "me");
        assert_eq!(row.unread, 2, "it was read");
        assert_eq!(row.newest.map(|m| m.is_recalled()), Some(true));
    }

    #[test]
    fn a_deleted_unread_message_is_not_unread() {
        let mut row = row();
        after_deletion(&mut row, &[message(4), message(2)], 1, "me");
        assert_eq!((row.unread, row.deleted_version), (1, 1));
        after_deletion(&mut row, &[message(5)], 1, "me");
        assert_eq!(row.unread, 1);
    }

    #[test]
    fn reading_never_moves_back() {
        let mut row = row();
        let at = |read_seq, unread| ReadPosition {
            read_seq,
            unread,
            unread_mentions: 0,
        };
        after_read(&mut row, at(5, 0));
        after_read(&mut row, at(4, 1));
        assert_eq!((row.read_seq, row.unread), (5, 0));
    }
}
