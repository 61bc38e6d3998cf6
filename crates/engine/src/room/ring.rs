//! What a room remembers of what happened last: for those who come in, for nodes that missed a
//! frame, and to know a message that is sent twice.

use std::collections::VecDeque;
use std::sync::Arc;

use anser_domain::{MessageId, UserId};
use bytes::Bytes;

use super::{Happening, RoomItem, RoomMessage};

/// Items that are remembered, whatever they are; the newest [`ROOM_NEWEST_MAX`] messages are among
/// them unless much else happens.
///
/// [`ROOM_NEWEST_MAX`]: anser_domain::limits::ROOM_NEWEST_MAX
const ITEMS_MAX: usize = 256;
/// And their bytes: a room in which large messages are sent remembers fewer.
const BYTES_MAX: usize = 512 << 10;

#[derive(Default)]
pub(super) struct Ring {
    items: VecDeque<RoomItem>,
    bytes: usize,
}

impl Ring {
    pub(super) fn push(&mut self, item: RoomItem) {
        self.bytes += item.bytes();
        self.items.push_back(item);
        while self.items.len() > ITEMS_MAX || (self.bytes > BYTES_MAX && self.items.len() > 1) {
            let oldest = self.items.pop_front();
            self.bytes -= oldest.map_or(0, |item| item.bytes());
        }
    }

    fn messages(&self) -> impl DoubleEndedIterator<Item = (u64, &Arc<RoomMessage>)> {
        self.items.iter().filter_map(|item| match &item.what {
            Happening::Message(message) => Some((item.seq, message)),
            _ => None,
        })
    }

    /// What this sender has sent already under this id.
    pub(super) fn sent(
        &self,
        sender: Option<&UserId>,
        id: &str,
    ) -> Option<(u64, Arc<RoomMessage>)> {
        let same = |message: &RoomMessage| {
            *message.client_message_id == *id && message.sender.as_ref() == sender
        };
        let mut newest_first = self.messages().rev();
        newest_first
            .find(|(_, message)| same(message))
            .map(|(seq, message)| (seq, message.clone()))
    }

    pub(super) fn message(&self, id: MessageId) -> Option<&Arc<RoomMessage>> {
        let mut messages = self.messages();
        messages
            .find(|(_, message)| message.message_id == id)
            .map(|(_, message)| message)
    }

    /// The message as it is once it is taken back.
    pub(super) fn recall(&mut self, id: MessageId) {
        for item in &mut self.items {
            if let Happening::Message(message) = &mut item.what
                && message.message_id == id
            {
                self.bytes -= message.body.len() + message.content_type.len();
                *message = Arc::new(recalled(message));
            }
        }
    }

    /// The newest messages, the oldest of them first.
    pub(super) fn newest(&self, count: usize) -> Vec<RoomItem> {
        let messages = self.items.iter().rev();
        let messages = messages.filter(|item| matches!(item.what, Happening::Message(_)));
        let mut newest: Vec<RoomItem> = messages.take(count).cloned().collect();
        newest.reverse();
        newest
    }

    /// Everything behind a sequence, and whether that is all there was.
    pub(super) fn behind(&self, seq: u64) -> (Vec<RoomItem>, bool) {
        let items = self.items.iter().filter(|item| item.seq > seq);
        let first = self.items.front().map_or(seq + 1, |item| item.seq);
        (items.cloned().collect(), first <= seq + 1)
    }
}

/// What is left of a message that was taken back.
pub(super) fn recalled(message: &RoomMessage) -> RoomMessage {
    RoomMessage {
        content_type: "".into(),
        body: Bytes::new(),
        recalled: true,
        ..message.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anser_domain::Timestamp;
    use anser_domain::room::Class;

    fn item(seq: u64, bytes: usize) -> RoomItem {
        let message = RoomMessage {
            message_id: MessageId::new(Timestamp(seq), [0; 10]),
            sender: Some(UserId::new("a").unwrap()),
            client_message_id: seq.to_string().into(),
            time: Timestamp(seq),
            content_type: "text".into(),
            body: vec![0; bytes].into(),
            low: false,
            recalled: false,
        };
        RoomItem {
            seq,
            class: Class::High,
            what: Happening::Message(Arc::new(message)),
        }
    }

    fn seqs(items: &[RoomItem]) -> Vec<u64> {
        items.iter().map(|item| item.seq).collect()
    }

    #[test]
    fn it_gives_the_newest_and_what_lies_behind_a_place_and_says_what_it_forgot() {
        let mut ring = Ring::default();
        assert!(ring.behind(0).1);
        for seq in 1..=ITEMS_MAX as u64 + 10 {
            ring.push(item(seq, 1));
        }
        assert_eq!(seqs(&ring.newest(2)), [265, 266]);
        assert_eq!(ring.newest(1_000).len(), ITEMS_MAX);
        let (items, whole) = ring.behind(10);
        assert!(items.len() == ITEMS_MAX && whole);
        assert!(!ring.behind(9).1);
        assert_eq!(seqs(&ring.behind(264).0), [265, 266]);
    }

    #[test]
    fn large_messages_are_forgotten_earlier_but_never_the_last() {
        let mut ring = Ring::default();
        for seq in 1..=10 {
            ring.push(item(seq, BYTES_MAX / 4));
        }
        assert_eq!(seqs(&ring.newest(9)), [8, 9, 10]);
        ring.push(item(11, 2 * BYTES_MAX));
        assert_eq!(seqs(&ring.newest(9)), [11]);
    }

    #[test]
    fn what_is_taken_back_is_empty_and_still_known() {
        let mut ring = Ring::default();
        ring.push(item(1, 100));
        let sender = UserId::new("a").unwrap();
        let (seq, sent) = ring.sent(Some(&sender), "1").unwrap();
        assert_eq!(seq, 1);
        assert!(ring.sent(None, "1").is_none() && ring.sent(Some(&sender), "2").is_none());
        ring.recall(sent.message_id);
        let message = ring.message(sent.message_id).unwrap();
        assert!(message.recalled && message.body.is_empty());
        assert!(ring.sent(Some(&sender), "1").is_some());
    }
}
