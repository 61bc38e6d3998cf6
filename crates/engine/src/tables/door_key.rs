//! Keys of doors.

use anser_domain::AppId;
use anser_store::{Key, Shard};
use bytes::{BufMut, BytesMut};

use super::{DOOR, DOOR_APP};

/// The key of an app's door.
pub(crate) fn door_key(app: AppId, door: &str) -> Key {
    let mut key = BytesMut::with_capacity(4 + door.len());
    key.put_u32(app.0);
    key.put_slice(door.as_bytes());
    Key::new(DOOR, Shard(0), key.freeze())
}

/// The key by which the app behind a door is found.
pub(crate) fn door_app_key(door: &str, external_id: &str) -> Key {
    let mut key = BytesMut::with_capacity(door.len() + 1 + external_id.len());
    key.put_slice(door.as_bytes());
    key.put_u8(0);
    key.put_slice(external_id.as_bytes());
    Key::new(DOOR_APP, Shard(0), key.freeze())
}
