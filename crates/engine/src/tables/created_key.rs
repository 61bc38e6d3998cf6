//! Keys of what stands beside created conversations.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anser_domain::group::Kind;
use anser_domain::{AppId, UserId};
use anser_store::{Key, Scan, Shard};
use bytes::{BufMut, Bytes, BytesMut};
use ring::digest::{Context, SHA256};

use super::key::{conversation_shard, shard};
use super::{CREATED, UNIQUE};
use crate::group::rows::kind_number;

/// The reservation of the unique conversation of exactly these members. A promise of the stored
/// format, like all keys.
pub(crate) fn unique_key(app: AppId, kind: Kind, members: &BTreeSet<UserId>) -> Key {
    let mut context = Context::new(&SHA256);
    for member in members {
        let bytes = member.as_str().as_bytes();
        let len = u8::try_from(bytes.len()).expect("ids have at most 64 bytes");
        context.update(&[len]);
        context.update(bytes);
    }
    let digest = context.finish();
    let mut hex = String::with_capacity(64);
    for byte in digest.as_ref() {
        write!(hex, "{byte:02x}").expect("a string takes everything");
    }
    let mut key = BytesMut::with_capacity(4 + 1 + 32);
    key.put_u32(app.0);
    key.put_u8(u8::try_from(kind_number(kind)).expect("kinds are few"));
    key.put_slice(digest.as_ref());
    Key::new(UNIQUE, shard(b'q', app, &hex), key.freeze())
}

/// The row that says there is this created conversation.
pub(crate) fn created_key(app: AppId, name: &str) -> Key {
    let mut key = BytesMut::with_capacity(4 + name.len());
    key.put_u32(app.0);
    key.put_slice(name.as_bytes());
    Key::new(CREATED, conversation_shard(app, name), key.freeze())
}

/// The created conversations of an app in a shard.
pub(crate) fn created_range(app: AppId, shard: Shard, limit: usize) -> Scan {
    let app = Bytes::copy_from_slice(&app.0.to_be_bytes());
    Scan::prefix(CREATED, shard, app).limit(limit)
}

/// The name of the conversation of such a row.
pub(crate) fn created_of_key(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(4..)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(members: &[&str]) -> Key {
        let members = members.iter().map(|name| UserId::new(name).unwrap());
        unique_key(AppId(1), Kind::Created, &members.collect())
    }

    #[test]
    fn where_a_reservation_lives_depends_on_the_members_alone() {
        assert_eq!(key(&["bob", "alice"]), key(&["alice", "bob", "bob"]));
        assert_ne!(key(&["a", "bc"]).bytes, key(&["ab", "c"]).bytes);
        assert_eq!(key(&["alice", "bob"]).shard.0, SHARD_OF_ALICE_AND_BOB);
    }

    const SHARD_OF_ALICE_AND_BOB: u16 = 2988;
}
