//! What can end a run. Failures of single requests are [`crate::api::ApiError`]; they end a run
//! only if nothing else could succeed either.

use std::io;
use std::path::{Path, PathBuf};

use crate::api::ApiError;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line or the environment does not make sense together.
    #[error("{0}")]
    Usage(String),
    /// The disk or the file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file concerned.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the archive or of an export is not what it should be.
    #[error("{path}: {reason}")]
    Damaged {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The source refused in a way that concerns every request.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl Error {
    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

/// Puts the path into an IO error: `file.read(..).at(path)?`.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })
    }
}
