//! What can go wrong with files.

use std::io;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// There is no such upload or file.
    #[error("there is no such upload or file")]
    NotFound,
    /// Somebody else writes to this upload.
    #[error("somebody else writes to this upload")]
    Busy,
    /// Bytes were given for another place than the upload's end, which is this.
    #[error("the upload has {0} bytes")]
    WrongOffset(u64),
    /// More bytes than the upload was announced with.
    #[error("more bytes than announced")]
    TooLong,
    /// Bytes that the upload had are not where they were: they became a file, or were lost.
    #[error("the bytes of the upload are not there")]
    Gone,
    /// The upload is not whole yet.
    #[error("the upload is not whole")]
    Unfinished,
    /// The disk is nearly full.
    #[error("the disk is nearly full")]
    Full,
    /// The file system failed.
    #[error("{0}")]
    Io(io::Error),
}

impl From<io::Error> for MediaError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error),
        }
    }
}

impl From<object_store::Error> for MediaError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            other => Self::Io(io::Error::other(other)),
        }
    }
}
