//! What can be asked of a database, and what it answers.

use anser_domain::Timestamp;

use super::ranges::Ranges;
use super::{LOCAL_PAGE_MAX, Place, Stored};
use crate::model::{Conversation, Message};

/// Asks for a part of a conversation.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct MessageQuery {
    /// Its name.
    pub conversation: String,
    /// From here on, itself not included; `None`: from the newest, or with `ascending` from the
    /// oldest.
    pub from: Option<Place>,
    /// Towards newer ones.
    pub ascending: bool,
    /// Only this type.
    pub kind: Option<String>,
    /// Only from this sender.
    pub sender: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// 1 to [`LOCAL_PAGE_MAX`]; 0 takes 50.
    pub limit: u32,
}

impl MessageQuery {
    pub(super) fn limit(&self) -> usize {
        limit(self.limit)
    }

    /// Is it one of those asked for?
    pub(super) fn wants(&self, message: &Message) -> bool {
        let is = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|w| w == is);
        is(&self.kind, &message.content.kind)
            && is(&self.sender, &message.sender)
            && self.since.is_none_or(|since| message.time >= since)
            && self.until.is_none_or(|until| message.time < until)
    }
}

pub(super) fn limit(asked: u32) -> usize {
    match asked {
        0 => 50,
        _ => asked.min(LOCAL_PAGE_MAX) as usize,
    }
}

/// A part of a conversation as this device has it.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct LocalPage {
    /// In the direction asked for, without a hole between any two of them.
    pub messages: Vec<Stored>,
    /// What comes next in this direction.
    pub next: Next,
}

/// What follows a page.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum Next {
    /// More on this device, from the last place of the page on.
    Here,
    /// Whatever it is, it is not on this device: ask the server for the messages before
    /// (descending) or after (ascending) this sequence.
    Server(u64),
    /// Nothing, as far as this device knows.
    #[default]
    End,
}

/// Asks for messages with words.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct SearchQuery {
    /// The words, as a user types them; see [`words`](super::words).
    pub text: String,
    /// Only in this conversation.
    pub conversation: Option<String>,
    /// Only from this sender.
    pub sender: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Continues a page.
    pub cursor: Option<SearchCursor>,
    /// 1 to [`LOCAL_PAGE_MAX`]; 0 takes 50.
    pub limit: u32,
}

impl SearchQuery {
    /// Apart from its words, is it one of those asked for?
    pub(super) fn wants(&self, message: &Message) -> bool {
        let is = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|w| w == is);
        is(&self.conversation, &message.conversation)
            && is(&self.sender, &message.sender)
            && self.since.is_none_or(|since| message.time >= since)
            && self.until.is_none_or(|until| message.time < until)
    }
}

/// Where a page of search results ends.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct SearchCursor(pub(super) i64);

/// A part of what was found.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct SearchPage {
    /// Newest first.
    pub messages: Vec<Stored>,
    /// Continues; `None` on the last page.
    pub cursor: Option<SearchCursor>,
}

/// What is unread in all conversations of the list.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct UnreadTotal {
    /// Messages.
    pub unread: u64,
    /// Messages that mention the user.
    pub mentions: u64,
}

/// What the user began to write.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Draft {
    /// In which conversation.
    pub conversation: String,
    /// At most [`DRAFT_BYTES_MAX`](super::DRAFT_BYTES_MAX) bytes.
    pub text: String,
}

/// Room for messages of one millisecond in the order of all messages, as a power of two.
const ID_SHIFT: u32 = 8;

/// The lowest id of a message of this time. Ids ascend with time, so that the newest results of a
/// search come first without sorting all of them.
pub(super) fn first_id(time: Timestamp) -> i64 {
    let time = time.0.min(i64::MAX.unsigned_abs() >> (ID_SHIFT + 1));
    i64::try_from(time << ID_SHIFT).unwrap_or(i64::MAX)
}

/// The places between two holes in which the answer to a query lies, and what is beyond them.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) struct Window {
    /// Places above this one.
    pub(super) above: Place,
    /// Places below this one.
    pub(super) below: Place,
    /// What comes behind the window in the direction asked for.
    pub(super) next: Next,
}

/// The window of a query in what the device has.
pub(super) fn window(query: &MessageQuery, row: Option<&Conversation>, ranges: &Ranges) -> Window {
    let end = Place::of(u64::MAX);
    let first_seq = row.map_or(1, |row| row.first_seq.max(1));
    if query.ascending {
        let above = query.from.unwrap_or_default();
        let wanted = above.seq.saturating_add(1).max(first_seq);
        let head_seq = row.map_or(0, |row| row.head_seq);
        let (to, next) = match ranges.around(wanted) {
            Some((_, to)) => (to, Next::Server(to)),
            None => (wanted - 1, Next::Server(wanted - 1)),
        };
        return match to >= head_seq {
            true => Window {
                above,
                below: end,
                next: Next::End,
            },
            false => Window {
                above,
                below: Place::of(to.saturating_add(1)),
                next,
            },
        };
    }
    let below = query.from.unwrap_or(end);
    let range = match query.from {
        None => ranges.last(),
        // A place among those behind a message wants that message next.
        Some(place) if place.local > 0 => ranges.around(place.seq),
        Some(place) => ranges.around(place.seq.saturating_sub(1)),
    };
    let hole = match (range, query.from) {
        (Some((after, _)), _) => after,
        // Of what is here nobody knows whether it is the newest: not to be shown as if it were.
        (None, None) => row.map_or(0, |row| row.head_seq),
        (None, Some(place)) if place.local > 0 => place.seq,
        (None, Some(place)) => place.seq.saturating_sub(1),
    };
    if hole < first_seq {
        let above = Place::default();
        return Window {
            above,
            below,
            next: Next::End,
        };
    }
    Window {
        above: Place::of(hole),
        below,
        next: Next::Server(hole.saturating_add(1)),
    }
}

/// The page made of what a window has, of which one more than the limit was read.
pub(super) fn page(mut messages: Vec<Stored>, query: &MessageQuery, next: Next) -> LocalPage {
    let more = messages.len() > query.limit();
    messages.truncate(query.limit());
    LocalPage {
        messages,
        next: if more { Next::Here } else { next },
    }
}
