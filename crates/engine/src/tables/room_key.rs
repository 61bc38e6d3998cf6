//! Keys of chat rooms.
//!
//! A room lives in a shard as a conversation of the name `r/<room>` would: what there is of it is
//! one unit, and its owner is picked the same way.

use std::ops::Bound;

use anser_domain::room::people::List;
use anser_domain::{AppId, MessageId, RoomId, UserId};
use anser_store::{Direction, Key, Scan, Shard};
use bytes::{BufMut, Bytes};

use super::key::ConversationKeys;
use super::{ROOM, ROOM_ATTRIBUTE, ROOM_MESSAGE, ROOM_USER};

/// The keys of one room's rows.
pub(crate) struct RoomKeys(ConversationKeys);

impl RoomKeys {
    pub(crate) fn new(app: AppId, room: &RoomId) -> Self {
        Self(ConversationKeys::new(app, &format!("r/{room}")))
    }

    pub(crate) fn shard(&self) -> Shard {
        self.0.shard()
    }

    /// What is decided about the room.
    pub(crate) fn room(&self) -> Key {
        self.0.key(ROOM, |_| {}, 0)
    }

    /// One attribute.
    pub(crate) fn attribute(&self, key: &str) -> Key {
        let rest = |bytes: &mut bytes::BytesMut| bytes.put_slice(key.as_bytes());
        self.0.key(ROOM_ATTRIBUTE, rest, key.len())
    }

    /// All attributes, behind a key.
    pub(crate) fn attributes(&self, after: Option<Bytes>) -> Scan {
        let scan = Scan::prefix(ROOM_ATTRIBUTE, self.shard(), self.attribute("").bytes);
        match after {
            Some(after) => scan.from(Bound::Excluded(after)),
            None => scan,
        }
    }

    /// The key of such a row.
    pub(crate) fn of_attribute<'a>(&self, key: &'a Bytes) -> Option<&'a str> {
        std::str::from_utf8(key.strip_prefix(self.0.base())?).ok()
    }

    /// A user on a list.
    pub(crate) fn user(&self, list: List, user: &str) -> Key {
        let rest = |bytes: &mut bytes::BytesMut| {
            bytes.put_u8(list.number());
            bytes.put_slice(user.as_bytes());
        };
        self.0.key(ROOM_USER, rest, 1 + user.len())
    }

    /// Everybody on any list, behind a key.
    pub(crate) fn users(&self, after: Option<Bytes>, limit: usize) -> Scan {
        let scan = Scan::prefix(ROOM_USER, self.shard(), self.0.base().to_vec()).limit(limit);
        match after {
            Some(after) => scan.from(Bound::Excluded(after)),
            None => scan,
        }
    }

    /// Those on a list, behind this user; all if it is empty.
    pub(crate) fn users_of(&self, list: List, after: &str, limit: usize) -> Scan {
        let scan = Scan::prefix(ROOM_USER, self.shard(), self.user(list, "").bytes).limit(limit);
        match after {
            "" => scan,
            after => scan.from(Bound::Excluded(self.user(list, after).bytes)),
        }
    }

    /// List and user of such a row.
    pub(crate) fn of_user(&self, key: &Bytes) -> Option<(List, UserId)> {
        let (list, user) = key.strip_prefix(self.0.base())?.split_first()?;
        let user = UserId::new(std::str::from_utf8(user).ok()?).ok()?;
        Some((List::from_number(*list)?, user))
    }

    /// A message that is kept.
    pub(crate) fn message(&self, id: MessageId) -> Key {
        self.0.key(ROOM_MESSAGE, |bytes| bytes.put_slice(&id.0), 16)
    }

    /// Messages that are kept, from a message on in one direction, itself not included.
    pub(crate) fn messages(
        &self,
        from: Option<MessageId>,
        direction: Direction,
        limit: usize,
    ) -> Scan {
        let scan = Scan::prefix(ROOM_MESSAGE, self.shard(), self.0.base().to_vec()).limit(limit);
        let bound = from.map(|id| Bound::Excluded(self.message(id).bytes));
        match (direction, bound) {
            (Direction::Forward, Some(bound)) => scan.from(bound),
            (Direction::Forward, None) => scan,
            (Direction::Backward, Some(bound)) => scan.to(bound).backward(),
            (Direction::Backward, None) => scan.backward(),
        }
    }

    /// The id of such a row.
    pub(crate) fn of_message(&self, key: &Bytes) -> Option<MessageId> {
        let rest = key.strip_prefix(self.0.base())?;
        rest.try_into().ok().map(MessageId)
    }
}

/// The rooms of a shard, behind a key.
pub(crate) fn rooms(shard: Shard, after: Option<Bytes>, limit: usize) -> Scan {
    let scan = Scan::all(ROOM, shard).limit(limit);
    match after {
        Some(after) => scan.from(Bound::Excluded(after)),
        None => scan,
    }
}

/// The rooms of an app in a shard.
pub(crate) fn rooms_of(app: AppId, shard: Shard, limit: usize) -> Scan {
    let app = Bytes::copy_from_slice(&app.0.to_be_bytes());
    Scan::prefix(ROOM, shard, app).limit(limit)
}

/// App and room of such a row.
pub(crate) fn of_room(key: &[u8]) -> Option<(AppId, RoomId)> {
    let (app, name) = key.split_first_chunk()?;
    let name = std::str::from_utf8(name.strip_suffix(&[0])?).ok()?;
    let room = RoomId::new(name.strip_prefix("r/")?).ok()?;
    Some((AppId(u32::from_be_bytes(*app)), room))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anser_domain::Timestamp;

    #[test]
    fn what_is_written_into_a_key_is_read_from_it() {
        let room = RoomId::new("大厅/1").unwrap();
        let keys = RoomKeys::new(AppId(7), &room);
        assert_eq!(of_room(&keys.room().bytes), Some((AppId(7), room)));
        let user = UserId::new("u").unwrap();
        let key = keys.user(List::Muted, "u").bytes;
        assert_eq!(keys.of_user(&key), Some((List::Muted, user)));
        assert_eq!(
            keys.of_attribute(&keys.attribute("seat=1").bytes),
            Some("seat=1")
        );
        let id = MessageId::new(Timestamp(5), [3; 10]);
        assert_eq!(keys.of_message(&keys.message(id).bytes), Some(id));
    }
}
