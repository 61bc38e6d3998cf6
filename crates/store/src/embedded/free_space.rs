//! A guard that refuses writes before the disk is full.
//!
//! A write that fails for lack of space leaves the engine unusable until a restart, and compaction
//! needs room to give room back. So the last of the disk is never used.

use std::path::{Path, PathBuf};

use crate::{ErrorKind, StoreError};

pub(super) struct FreeSpace {
    path: PathBuf,
    min: u64,
}

impl FreeSpace {
    /// Guards the file system of `path`, keeping `min` bytes free.
    pub(super) fn new(path: &Path, min: u64) -> FreeSpace {
        FreeSpace {
            path: path.to_owned(),
            min,
        }
    }

    /// `Full` if less than the minimum is left.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        // A file system that cannot be asked is not a reason to refuse: the write itself will tell.
        let Ok(stat) = rustix::fs::statvfs(&self.path) else {
            return Ok(());
        };
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        if free >= self.min {
            return Ok(());
        }
        Err(StoreError::new(
            ErrorKind::Full,
            format!(
                "{} MiB free at {}, {} MiB are kept in reserve: writes are refused until space \
                 is freed",
                free >> 20,
                self.path.display(),
                self.min >> 20
            ),
        ))
    }
}
