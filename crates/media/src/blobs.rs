//! Files that are whole, in an object store.

use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};

use crate::error::MediaError;
use crate::key::FOLDER;
use crate::uploads::sync_dir;

/// The store of files, below one folder.
#[derive(Clone)]
pub(crate) struct Blobs {
    store: Arc<LocalFileSystem>,
}

/// Bytes on their way out.
pub(crate) type Stream = BoxStream<'static, Result<Bytes, MediaError>>;

impl Blobs {
    pub(crate) fn open(dir: &FilePath) -> Result<Self, MediaError> {
        // Syncing below it is worth nothing while its own entry can be lost.
        std::fs::create_dir_all(dir.join(FOLDER))?;
        std::fs::File::open(dir)?.sync_all()?;
        let store = LocalFileSystem::new_with_prefix(dir)?;
        Ok(Self {
            store: Arc::new(store),
        })
    }

    /// Where a file is on disk.
    pub(crate) fn file(&self, path: &str) -> Result<PathBuf, MediaError> {
        Ok(self.store.path_to_filesystem(&Path::from(path))?)
    }

    /// Gives an upload its place, durably.
    pub(crate) async fn take(&self, from: &str, to: &str) -> Result<(), MediaError> {
        self.store
            .rename(&Path::from(from), &Path::from(to))
            .await?;
        // The entry, and those of folders that are new.
        let mut dir = self.file(to)?;
        for _ in 0..4 {
            if dir.pop() {
                sync_dir(&dir).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn len(&self, path: &str) -> Result<u64, MediaError> {
        Ok(self.store.head(&Path::from(path)).await?.size)
    }

    pub(crate) async fn read(&self, path: &str, range: Range<u64>) -> Result<Stream, MediaError> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let found = self.store.get_opts(&Path::from(path), options).await?;
        let stream = found.into_stream();
        Ok(stream.map(|chunk| chunk.map_err(MediaError::from)).boxed())
    }

    pub(crate) async fn remove(&self, path: &str) -> Result<(), MediaError> {
        match self.store.delete(&Path::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
