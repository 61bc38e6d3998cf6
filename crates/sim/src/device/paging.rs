//! Timelines that are paged back to their beginning, as somebody does who scrolls.
//!
//! A device with a database asks the server for what its database says is missing; one without
//! asks for page after page. In the end both have everything that the user is to see.

use anser_sdk::database::{MemoryStorage, MessageQuery, Next, Place, Storage as _};
use anser_sdk::model::{Message, MessagePage};

use super::Device;
use crate::workload::Ask;

/// What was read of a conversation, from the newest on.
#[derive(Clone, Default)]
pub(crate) struct PagedBack {
    pub(crate) messages: Vec<Message>,
    /// Where the next page begins.
    next: u64,
    /// There is no next page.
    pub(crate) ended: bool,
}

impl PagedBack {
    pub(super) fn add(&mut self, page: MessagePage) {
        let last = page.messages.last().map_or(0, |message| message.seq);
        self.next = if page.next_seq > 0 {
            page.next_seq
        } else {
            last
        };
        self.ended = !page.more;
        self.messages.extend(page.messages);
    }
}

/// What is to be asked of the server for a timeline that goes back to its beginning: messages
/// before this sequence. `None`: everything is here.
fn missing(storage: &MemoryStorage, conversation: &str) -> Option<u64> {
    let mut reader = storage.reader().expect("memory does not fail");
    let mut from = None;
    loop {
        let query = MessageQuery {
            conversation: conversation.to_owned(),
            from,
            ..MessageQuery::default()
        };
        let page = reader.messages(&query).expect("memory does not fail");
        match page.next {
            Next::Here => from = page.messages.last().map(|stored| stored.place),
            Next::Server(seq) if from == Some(Place::of(seq)) => return Some(seq),
            Next::Server(seq) if page.messages.is_empty() => return Some(seq),
            Next::Server(seq) => from = Some(Place::of(seq)),
            Next::End => return None,
        }
    }
}

impl Device {
    /// Opens these conversations and pages each back. False: all are at their beginning.
    pub(crate) fn page_back(&self, conversations: &[String], limit: u32) -> bool {
        let standing = self.standing();
        if standing.waits > 0 {
            return true;
        }
        let mut asks = Vec::new();
        for name in conversations {
            let known = standing.book.chats.get(name);
            if known.is_none_or(|known| known.followed.is_none()) {
                asks.push(Ask::Open(name.clone()));
                continue;
            }
            let seq = match &standing.storage {
                Some(storage) => missing(storage, name),
                None => {
                    let paged = standing.told.history.get(name);
                    paged.map_or(Some(0), |paged| (!paged.ended).then_some(paged.next))
                }
            };
            asks.extend(seq.map(|seq| Ask::Before {
                conversation: name.clone(),
                seq,
                limit,
            }));
        }
        let lacks = !asks.is_empty();
        asks.into_iter().for_each(|ask| self.ask(ask));
        lacks
    }
}
