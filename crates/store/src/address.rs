//! Where a row lives: space, shard, key bytes.

use bytes::Bytes;

use crate::{ErrorKind, StoreError};

/// Number of virtual shards. Part of the stored format: a row's shard is computed by the caller
/// from its identity, so this can never change for existing data.
pub const SHARD_COUNT: u16 = 4096;

/// Longest key, in bytes, without space and shard.
pub const KEY_BYTES_MAX: usize = 1024;

/// A table of the caller's catalog, as a small number that is part of the stored format.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct Space(pub u8);

/// A virtual shard, `0..SHARD_COUNT`: the unit of atomicity, and of distribution in a cluster.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct Shard(pub u16);

/// How a space is used, which decides where an embedded backend keeps it.
///
/// Classes, not spaces, get their own files: every separate tree costs a write buffer, and an
/// idle one holds back the log.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub enum SpaceClass {
    /// Small rows, found by exact key and often overwritten: heads, positions, idempotency keys.
    Small,
    /// Larger rows, appended once and read as ranges: messages.
    Log,
}

/// The full address of a row.
#[derive(Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct Key {
    /// The table.
    pub space: Space,
    /// The virtual shard.
    pub shard: Shard,
    /// Key bytes within space and shard; at most [`KEY_BYTES_MAX`].
    pub bytes: Bytes,
}

impl Key {
    /// An address from its three parts.
    pub fn new(space: Space, shard: Shard, bytes: impl Into<Bytes>) -> Key {
        Key {
            space,
            shard,
            bytes: bytes.into(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check_shard(self.shard)?;
        check_key_bytes(&self.bytes)
    }
}

pub(crate) fn check_shard(shard: Shard) -> Result<(), StoreError> {
    if shard.0 < SHARD_COUNT {
        return Ok(());
    }
    Err(StoreError::new(
        ErrorKind::Invalid,
        format!("shard {} is outside 0..{SHARD_COUNT}", shard.0),
    ))
}

pub(crate) fn check_key_bytes(bytes: &[u8]) -> Result<(), StoreError> {
    if bytes.len() <= KEY_BYTES_MAX {
        return Ok(());
    }
    Err(StoreError::new(
        ErrorKind::Invalid,
        format!("key of {} bytes, the limit is {KEY_BYTES_MAX}", bytes.len()),
    ))
}
