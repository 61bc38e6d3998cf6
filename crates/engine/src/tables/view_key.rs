//! Keys of what makes one user's view of a conversation differ from another's: messages taken back,
//! targeted, mentioning, deleted for oneself.

use std::ops::Bound;

use anser_store::{Key, Scan, Space};
use bytes::{BufMut, Bytes, BytesMut};

use super::key::{ConversationKeys, put_text};
use super::{ACKNOWLEDGED, HIDDEN, HIDDEN_FEED, MENTION, RECALLED, RECEIPT_FEED, TARGETED};

impl ConversationKeys {
    fn of_user(&self, space: Space, user: &str, number: u64) -> Key {
        let rest = |key: &mut BytesMut| {
            put_text(key, user);
            key.put_u64(number);
        };
        self.key(space, rest, user.len() + 9)
    }

    /// The user's rows of a table after a number, up to another, in their order.
    fn of_user_between(&self, space: Space, user: &str, after: u64, to: u64) -> Scan {
        let (from, to) = (
            self.of_user(space, user, after).bytes,
            self.of_user(space, user, to).bytes,
        );
        Scan::range(
            space,
            self.shard(),
            Bound::Excluded(from),
            Bound::Included(to),
        )
    }

    /// Messages taken back beyond a sequence, up to another.
    pub(crate) fn recalled_between(&self, after: u64, to: u64) -> Scan {
        let (from, to) = (self.recalled(after).bytes, self.recalled(to).bytes);
        Scan::range(
            RECALLED,
            self.shard(),
            Bound::Excluded(from),
            Bound::Included(to),
        )
    }

    /// A message targeted at the user.
    pub(crate) fn targeted(&self, user: &str, seq: u64) -> Key {
        self.of_user(TARGETED, user, seq)
    }

    /// The last message targeted at the user, up to a sequence.
    pub(crate) fn targeted_up_to(&self, user: &str, seq: u64) -> Scan {
        let (from, to) = (self.targeted(user, 0).bytes, self.targeted(user, seq).bytes);
        Scan::range(
            TARGETED,
            self.shard(),
            Bound::Included(from),
            Bound::Included(to),
        )
        .backward()
        .limit(1)
    }

    /// Messages that mention the user, or with an empty text all, beyond a sequence.
    pub(crate) fn mentions(&self, user: &str, after: u64, to: u64) -> Scan {
        self.of_user_between(MENTION, user, after, to)
    }

    /// A message that the user has deleted.
    pub(crate) fn hidden(&self, user: &str, seq: u64) -> Key {
        self.of_user(HIDDEN, user, seq)
    }

    /// What the user has deleted beyond a sequence, up to another.
    pub(crate) fn hidden_between(&self, user: &str, after: u64, to: u64) -> Scan {
        self.of_user_between(HIDDEN, user, after, to)
    }

    /// A place in the feed of what the user has deleted.
    pub(crate) fn hidden_feed(&self, user: &str, version: u64) -> Key {
        self.of_user(HIDDEN_FEED, user, version)
    }

    /// The place in the feed of the message of this key.
    pub(crate) fn hidden_feed_of(&self, hidden: &[u8], version: u64) -> Option<Key> {
        let user = hidden.strip_prefix(self.base())?;
        let (user, _) = user.split_last_chunk::<8>()?;
        let user = std::str::from_utf8(user.strip_suffix(&[0])?).ok()?;
        Some(self.hidden_feed(user, version))
    }

    /// What the user has deleted after a version.
    pub(crate) fn hidden_feed_after(&self, user: &str, version: u64, limit: usize) -> Scan {
        self.of_user_between(HIDDEN_FEED, user, version, u64::MAX)
            .limit(limit)
    }

    /// That a user acknowledged a message.
    pub(crate) fn acknowledged(&self, seq: u64, user: &str) -> Key {
        let rest = |key: &mut BytesMut| {
            key.put_u64(seq);
            key.put_slice(user.as_bytes());
        };
        self.key(ACKNOWLEDGED, rest, 8 + user.len())
    }

    /// Who acknowledged a message, by user id.
    pub(crate) fn acknowledgers(&self, seq: u64) -> Scan {
        let from = self.acknowledged(seq, "").bytes;
        let to = self.acknowledged(seq.saturating_add(1), "").bytes;
        Scan::range(
            ACKNOWLEDGED,
            self.shard(),
            Bound::Included(from),
            Bound::Excluded(to),
        )
    }

    /// A member's place in the feed of receipts.
    pub(crate) fn receipt_feed(&self, version: u64, user: &str) -> Key {
        let rest = |key: &mut BytesMut| {
            key.put_u64(version);
            key.put_slice(user.as_bytes());
        };
        self.key(RECEIPT_FEED, rest, 8 + user.len())
    }

    /// Members in the feed of receipts behind a version.
    pub(crate) fn receipts_after(&self, version: u64, limit: usize) -> Scan {
        let from = self.receipt_feed(version.saturating_add(1), "").bytes;
        let to = self.receipt_feed(u64::MAX, "").bytes;
        Scan::range(
            RECEIPT_FEED,
            self.shard(),
            Bound::Included(from),
            Bound::Excluded(to),
        )
        .limit(limit)
    }

    /// Members in the feed of receipts behind this place with the same version.
    pub(crate) fn receipts_beside(&self, version: u64, user: &str) -> Scan {
        let from = self.receipt_feed(version, user).bytes;
        let to = self.receipt_feed(version.saturating_add(1), "").bytes;
        Scan::range(
            RECEIPT_FEED,
            self.shard(),
            Bound::Excluded(from),
            Bound::Excluded(to),
        )
    }

    /// Number and user at the end of a key: of a place in the feed of receipts, or of an
    /// acknowledgement.
    pub(crate) fn number_and_user<'a>(&self, key: &'a [u8]) -> Option<(u64, &'a str)> {
        let (version, user) = key.strip_prefix(self.base())?.split_first_chunk::<8>()?;
        let user = std::str::from_utf8(user).ok()?;
        Some((u64::from_be_bytes(*version), user))
    }
}

/// The key with another number at its end.
pub(crate) fn with_number(key: &[u8], number: u64) -> Bytes {
    let rest = key.split_last_chunk::<8>().map_or(key, |(rest, _)| rest);
    [rest, &number.to_be_bytes()].concat().into()
}

/// The number that a key ends with.
pub(crate) fn last_number(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|it| u64::from_be_bytes(*it))
}
