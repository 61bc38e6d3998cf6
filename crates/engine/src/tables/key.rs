//! Keys of the tables.

use std::ops::Bound;

use anser_domain::AppId;
use anser_store::{Direction, Key, SHARD_COUNT, Scan, Shard, Space};
use bytes::{BufMut, Bytes, BytesMut};

use super::{
    APP, BURN, CHANGE, DEAD_LETTER, EDIT, ENDED, GROUP_INFO, HEAD, INBOX, INBOX_FEED, INBOX_HEAD,
    INSTALLATION, MEDIA, MEDIA_USE, MEMBER, MENTION, MESSAGE, OUTBOX, POSITION, RECALLED, SENT,
    UNCOUNTED, USER,
};

/// FNV-1a over the bytes, folded. Where a row lives is a promise of the stored format: this
/// function never changes.
pub(super) fn shard(kind: u8, app: AppId, name: &str) -> Shard {
    let bytes = std::iter::once(kind)
        .chain(app.0.to_be_bytes())
        .chain(name.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let folded = (hash ^ hash >> 32) % u64::from(SHARD_COUNT);
    Shard(u16::try_from(folded).expect("below the shard count"))
}

/// The shard of a conversation.
pub(crate) fn conversation_shard(app: AppId, name: &str) -> Shard {
    shard(b'c', app, name)
}

/// The shard of a user.
pub(crate) fn user_shard(app: AppId, user: &str) -> Shard {
    shard(b'u', app, user)
}

/// The shard of what there is once for all users of an app.
pub(super) fn app_shard(app: AppId) -> Shard {
    shard(b'a', app, "")
}

fn name_key(app: AppId, name: &str, extra: usize) -> BytesMut {
    let mut key = BytesMut::with_capacity(4 + name.len() + 1 + extra);
    key.put_u32(app.0);
    put_text(&mut key, name);
    key
}

pub(super) fn put_text(key: &mut BytesMut, text: &str) {
    debug_assert!(
        !text.bytes().any(|b| b == 0),
        "ids have no control characters"
    );
    key.put_slice(text.as_bytes());
    key.put_u8(0);
}

/// The keys of one conversation's rows.
#[derive(Clone, Debug)]
pub(crate) struct ConversationKeys {
    shard: Shard,
    base: Bytes,
}

impl ConversationKeys {
    pub(crate) fn new(app: AppId, name: &str) -> Self {
        Self {
            shard: conversation_shard(app, name),
            base: name_key(app, name, 0).freeze(),
        }
    }

    /// Where the conversation lives.
    pub(crate) fn shard(&self) -> Shard {
        self.shard
    }

    pub(super) fn base(&self) -> &[u8] {
        &self.base
    }

    pub(super) fn key(&self, space: Space, rest: impl FnOnce(&mut BytesMut), len: usize) -> Key {
        let mut bytes = BytesMut::with_capacity(self.base.len() + len);
        bytes.put_slice(&self.base);
        rest(&mut bytes);
        Key::new(space, self.shard, bytes.freeze())
    }

    pub(crate) fn head(&self) -> Key {
        Key::new(HEAD, self.shard, self.base.clone())
    }

    pub(crate) fn message(&self, seq: u64) -> Key {
        self.key(MESSAGE, |key| key.put_u64(seq), 8)
    }

    /// Messages from `low` to `high`, both included.
    pub(crate) fn messages(&self, low: u64, high: u64, direction: Direction, limit: usize) -> Scan {
        let (from, to) = (self.message(low).bytes, self.message(high).bytes);
        let scan = Scan::range(
            MESSAGE,
            self.shard,
            Bound::Included(from),
            Bound::Included(to),
        )
        .limit(limit);
        match direction {
            Direction::Forward => scan,
            Direction::Backward => scan.backward(),
        }
    }

    pub(crate) fn sent(&self, sender: &str, client_message_id: &str) -> Key {
        let rest = |key: &mut BytesMut| {
            put_text(key, sender);
            key.put_slice(client_message_id.as_bytes());
        };
        self.key(SENT, rest, sender.len() + 1 + client_message_id.len())
    }

    /// The conversation's rows of a table from there on.
    pub(crate) fn table(&self, space: Space, from: Bound<Bytes>) -> Scan {
        let from = match from {
            Bound::Unbounded => Bound::Included(self.base.clone()),
            from => from,
        };
        Scan::range(
            space,
            self.shard,
            from,
            Bound::Excluded(successor(&self.base)),
        )
    }

    pub(crate) fn uncounted(&self, user: &str, ordinal: u64) -> Key {
        let rest = |key: &mut BytesMut| {
            put_text(key, user);
            key.put_u64(ordinal);
        };
        self.key(UNCOUNTED, rest, user.len() + 9)
    }

    /// The user's last row at or below an ordinal.
    pub(crate) fn uncounted_up_to(&self, user: &str, ordinal: u64) -> Scan {
        let (from, to) = (
            self.uncounted(user, 0).bytes,
            self.uncounted(user, ordinal).bytes,
        );
        Scan::range(
            UNCOUNTED,
            self.shard,
            Bound::Included(from),
            Bound::Included(to),
        )
        .backward()
        .limit(1)
    }

    /// The row of a user in a table of users beside the conversation.
    pub(crate) fn user(&self, space: Space, user: &str) -> Key {
        self.key(space, |key| key.put_slice(user.as_bytes()), user.len())
    }

    /// Rows of such a table after `after` by user id, all from the start if it is empty.
    pub(crate) fn users(&self, space: Space, after: &str, limit: usize) -> Scan {
        let from = match after {
            "" => Bound::Included(self.base.clone()),
            after => Bound::Excluded(self.user(space, after).bytes),
        };
        let to = Bound::Excluded(successor(&self.base));
        Scan::range(space, self.shard, from, to).limit(limit)
    }

    pub(crate) fn member(&self, user: &str) -> Key {
        self.user(MEMBER, user)
    }

    /// Members after `after` by user id, all from the start if it is empty.
    pub(crate) fn members(&self, after: &str, limit: usize) -> Scan {
        self.users(MEMBER, after, limit)
    }

    pub(crate) fn group_info(&self) -> Key {
        Key::new(GROUP_INFO, self.shard, self.base.clone())
    }

    /// The user of a key in a table of users.
    pub(crate) fn member_of_key<'a>(&self, key: &'a [u8]) -> Option<&'a str> {
        std::str::from_utf8(key.strip_prefix(&self.base[..])?).ok()
    }

    pub(crate) fn position(&self, user: &str) -> Key {
        self.key(POSITION, |key| key.put_slice(user.as_bytes()), user.len())
    }

    pub(crate) fn change(&self, rev: u64) -> Key {
        self.key(CHANGE, |key| key.put_u64(rev), 8)
    }

    /// Changes after a `rev`, up to another, in their order.
    pub(crate) fn changes(&self, after: u64, to: u64, limit: usize) -> Scan {
        let (from, to) = (self.change(after).bytes, self.change(to).bytes);
        let (from, to) = (Bound::Excluded(from), Bound::Included(to));
        Scan::range(CHANGE, self.shard, from, to).limit(limit)
    }

    pub(crate) fn edit(&self, seq: u64, rev: u64) -> Key {
        let rest = |key: &mut BytesMut| {
            key.put_u64(seq);
            key.put_u64(rev);
        };
        self.key(EDIT, rest, 16)
    }

    /// Former contents of a message after a `rev`, the oldest first.
    pub(crate) fn edits(&self, seq: u64, after: u64, limit: usize) -> Scan {
        let (from, to) = (self.edit(seq, after).bytes, self.edit(seq, u64::MAX).bytes);
        let (from, to) = (Bound::Excluded(from), Bound::Included(to));
        Scan::range(EDIT, self.shard, from, to).limit(limit)
    }

    /// The message burns once it is read.
    pub(crate) fn burn(&self, seq: u64) -> Key {
        self.key(BURN, |key| key.put_u64(seq), 8)
    }

    /// Messages up to there that burn once they are read, the oldest first.
    pub(crate) fn burning(&self, from: Bound<Bytes>, to: u64, limit: usize) -> Scan {
        let from = match from {
            Bound::Unbounded => Bound::Included(self.burn(0).bytes),
            from => from,
        };
        Scan::range(BURN, self.shard, from, Bound::Included(self.burn(to).bytes)).limit(limit)
    }

    pub(crate) fn recalled(&self, seq: u64) -> Key {
        self.key(RECALLED, |key| key.put_u64(seq), 8)
    }

    /// Of a user; of an empty text: of all.
    pub(crate) fn mention(&self, user: &str, seq: u64) -> Key {
        let rest = |key: &mut BytesMut| {
            put_text(key, user);
            key.put_u64(seq);
        };
        self.key(MENTION, rest, user.len() + 9)
    }

    /// An outbox row beside the conversation, in the unit of its cause.
    pub(crate) fn outbox(&self, due: u64, random: [u8; 8]) -> Key {
        outbox_key(self.shard, due, random)
    }
}

/// The keys of one user's rows.
#[derive(Clone, Debug)]
pub(crate) struct UserKeys {
    shard: Shard,
    base: Bytes,
}

impl UserKeys {
    pub(crate) fn new(app: AppId, user: &str) -> Self {
        Self {
            shard: user_shard(app, user),
            base: name_key(app, user, 0).freeze(),
        }
    }

    pub(super) fn key(&self, space: Space, rest: &[u8]) -> Key {
        let mut bytes = BytesMut::with_capacity(self.base.len() + rest.len());
        bytes.put_slice(&self.base);
        bytes.put_slice(rest);
        Key::new(space, self.shard, bytes.freeze())
    }

    pub(crate) fn user(&self) -> Key {
        Key::new(USER, self.shard, self.base.clone())
    }

    pub(crate) fn media_use(&self) -> Key {
        Key::new(MEDIA_USE, self.shard, self.base.clone())
    }

    pub(crate) fn ended(&self) -> Key {
        Key::new(ENDED, self.shard, self.base.clone())
    }

    pub(crate) fn inbox_head(&self) -> Key {
        Key::new(INBOX_HEAD, self.shard, self.base.clone())
    }

    pub(crate) fn inbox(&self, conversation: &str) -> Key {
        self.key(INBOX, conversation.as_bytes())
    }

    pub(crate) fn inbox_feed(&self, version: u64) -> Key {
        self.key(INBOX_FEED, &version.to_be_bytes())
    }

    /// The user's conversations below a feed version, the last changed first.
    pub(crate) fn inbox_feed_below(&self, version: u64, limit: usize) -> Scan {
        let to = Bound::Excluded(self.inbox_feed(version).bytes);
        Scan::range(
            INBOX_FEED,
            self.shard,
            Bound::Included(self.base.clone()),
            to,
        )
        .backward()
        .limit(limit)
    }

    /// The text behind the user in a key.
    pub(super) fn text_of_key(&self, key: &[u8]) -> Option<String> {
        let rest = key.strip_prefix(&self.base[..])?;
        Some(std::str::from_utf8(rest).ok()?.to_owned())
    }

    /// An outbox row beside the user, in the unit of its cause.
    pub(crate) fn outbox(&self, due: u64, random: [u8; 8]) -> Key {
        outbox_key(self.shard, due, random)
    }

    /// The feed version of a feed row's key.
    pub(crate) fn version_of_key(&self, key: &[u8]) -> Option<u64> {
        let rest = key.strip_prefix(&self.base[..])?;
        Some(u64::from_be_bytes(rest.try_into().ok()?))
    }
}

/// The first key behind all that start with this one, whose last byte is the zero that ends a text.
fn successor(base: &Bytes) -> Bytes {
    let mut bytes = BytesMut::from(&base[..]);
    if let Some(last) = bytes.last_mut() {
        *last = 1;
    }
    bytes.freeze()
}

/// The heads of a shard from there on.
pub(crate) fn heads(shard: Shard, from: Bound<Bytes>, limit: usize) -> Scan {
    Scan::range(HEAD, shard, from, Bound::Unbounded).limit(limit)
}

/// Whose head has this key.
pub(crate) fn conversation_of_head(key: &[u8]) -> Option<(AppId, &str)> {
    let (app, name) = key.split_first_chunk::<4>()?;
    let name = std::str::from_utf8(name.strip_suffix(&[0])?).ok()?;
    Some((AppId(u32::from_be_bytes(*app)), name))
}

/// The key of an outbox row.
fn outbox_key(shard: Shard, due: u64, random: [u8; 8]) -> Key {
    let mut bytes = BytesMut::with_capacity(16);
    bytes.put_u64(due);
    bytes.put_slice(&random);
    Key::new(OUTBOX, shard, bytes.freeze())
}

/// The outbox rows of a shard from there on, the earliest due first.
pub(crate) fn outbox_range(shard: Shard, from: Bound<Bytes>, limit: usize) -> Scan {
    Scan::range(OUTBOX, shard, from, Bound::Unbounded).limit(limit)
}

/// When the row of this key is due. Unix milliseconds.
pub(crate) fn outbox_due(key: &Key) -> u64 {
    let due = key.bytes.first_chunk::<8>();
    due.map_or(0, |due| u64::from_be_bytes(*due))
}

/// The key under which the row of `key` is due at another time.
pub(crate) fn outbox_later(key: &Key, due: u64) -> Key {
    let mut random = [0; 8];
    if let Some(old) = key.bytes.last_chunk::<8>() {
        random = *old;
    }
    outbox_key(key.shard, due, random)
}

/// The key of a dead letter: where its row stood in the outbox.
pub(crate) fn dead_letter_key(outbox: &Key) -> Key {
    let mut bytes = BytesMut::with_capacity(2 + outbox.bytes.len());
    bytes.put_u16(outbox.shard.0);
    bytes.put_slice(&outbox.bytes);
    Key::new(DEAD_LETTER, Shard(0), bytes.freeze())
}

/// Where the row of a dead letter stood in the outbox.
pub(crate) fn outbox_of_dead_letter(key: &Bytes) -> Option<Key> {
    let shard = u16::from_be_bytes(*key.first_chunk::<2>()?);
    let valid = shard < SHARD_COUNT && key.len() == 18;
    valid.then(|| Key::new(OUTBOX, Shard(shard), key.slice(2..)))
}

/// Dead letters behind this one, all if it is empty.
pub(crate) fn dead_letters_after(key: Bytes, limit: usize) -> Scan {
    Scan::range(
        DEAD_LETTER,
        Shard(0),
        Bound::Excluded(key),
        Bound::Unbounded,
    )
    .limit(limit)
}

/// The key of an app's row.
pub(crate) fn app_key(key: &str) -> Key {
    Key::new(APP, Shard(0), Bytes::copy_from_slice(key.as_bytes()))
}

/// Apps behind this key, all if it is empty.
pub(crate) fn apps_after(key: &str, limit: usize) -> Scan {
    let from = Bound::Excluded(Bytes::copy_from_slice(key.as_bytes()));
    Scan::range(APP, Shard(0), from, Bound::Unbounded).limit(limit)
}

/// The key of a file's row.
pub(crate) fn media_key(app: AppId, id: &str) -> Key {
    Key::new(MEDIA, shard(b'f', app, id), name_key(app, id, 0).freeze())
}

/// The files of a shard from there on, whichever app's.
pub(crate) fn media_from(shard: Shard, from: Bound<Bytes>, limit: usize) -> Scan {
    Scan::range(MEDIA, shard, from, Bound::Unbounded).limit(limit)
}

/// Whose file this is, and its id.
pub(crate) fn media_of_key(key: &[u8]) -> Option<(AppId, &str)> {
    conversation_of_head(key)
}

/// The key of the installation's row.
pub(crate) fn installation_key() -> Key {
    Key::new(INSTALLATION, Shard(0), Bytes::from_static(b"anser"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_row_lives_never_changes() {
        assert_eq!(
            conversation_shard(AppId(1), "p/alice/bob"),
            Shard(SHARD_OF_ALICE_AND_BOB)
        );
        assert_eq!(user_shard(AppId(1), "alice"), Shard(SHARD_OF_ALICE));
    }

    const SHARD_OF_ALICE_AND_BOB: u16 = 3564;
    const SHARD_OF_ALICE: u16 = 1442;

    #[test]
    fn a_conversation_never_sees_rows_of_one_whose_name_starts_alike() {
        let (short, long) = (
            ConversationKeys::new(AppId(1), "g/a"),
            ConversationKeys::new(AppId(1), "g/ab"),
        );
        let scan = short.members("", 10);
        let key = long.member("u").bytes;
        assert!(scan.to == Bound::Excluded(successor(&short.base)));
        assert!(key > successor(&short.base) || key < short.base);
    }
}
