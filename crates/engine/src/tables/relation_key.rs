//! Keys of the block list and the allow list.

use std::ops::Bound;

use anser_domain::UserId;
use anser_domain::relation::List;
use anser_store::{Key, Scan, Space};
use bytes::Bytes;

use super::{ALLOW, BLOCK, ConversationKeys, INBOX, RELATION_STAMP, UserKeys};

fn space(list: List) -> Space {
    match list {
        List::Blocked => BLOCK,
        List::Allowed => ALLOW,
    }
}

impl UserKeys {
    /// Another's place on a list of the user.
    pub(crate) fn relation(&self, list: List, other: &str) -> Key {
        self.key(space(list), other.as_bytes())
    }

    /// A list behind a user, from the start if that is empty.
    pub(crate) fn relations(&self, list: List, after: &str, limit: usize) -> Scan {
        let all = self.key(space(list), b"");
        let after = self.relation(list, after).bytes;
        Scan::prefix(space(list), all.shard, all.bytes)
            .from(Bound::Excluded(after))
            .limit(limit)
    }

    /// The other of such a key.
    pub(crate) fn related(&self, key: &[u8]) -> Option<UserId> {
        UserId::new(&self.text_of_key(key)?).ok()
    }

    /// Private chats in the user's list behind a key.
    pub(crate) fn private_chats(&self, after: Option<Bytes>, limit: usize) -> Scan {
        let all = self.inbox("p/");
        let scan = Scan::prefix(INBOX, all.shard, all.bytes).limit(limit);
        match after {
            Some(after) => scan.from(Bound::Excluded(after)),
            None => scan,
        }
    }

    /// The conversation of a key in the user's list.
    pub(crate) fn conversation_of_key(&self, key: &[u8]) -> Option<String> {
        self.text_of_key(key)
    }
}

impl ConversationKeys {
    /// What the first append to a private chat depends on.
    pub(crate) fn relation_stamp(&self) -> Key {
        self.key(RELATION_STAMP, |_| {}, 0)
    }
}
