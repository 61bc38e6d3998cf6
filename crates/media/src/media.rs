//! Uploads and files together.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::blobs::{Blobs, Stream};
use crate::error::MediaError;
use crate::key::Key;
use crate::picture::PictureLimits;
use crate::pictures::{Clock, Pictures};
use crate::sniff::{self, HEAD_BYTES, OTHER};
use crate::uploads::{Uploads, sync_dir};

/// How files are kept and looked into.
#[derive(Clone)]
pub struct Options {
    /// Where. Created if absent.
    pub dir: PathBuf,
    /// New uploads are refused while the disk has less than this free, in bytes.
    pub free_space_min: u64,
    /// Threads that look into pictures.
    pub threads: usize,
    /// What that may cost.
    pub pictures: PictureLimits,
    /// Milliseconds, of any clock that goes forward.
    pub clock: Clock,
}

/// Which of the bytes of a file.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Variant {
    /// As they were uploaded.
    Content,
    /// Of a picture: a small JPEG.
    Thumbnail,
}

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Thumbnail => "thumbnail",
        }
    }
}

/// What was found in a file.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Finished {
    /// By its bytes.
    pub content_type: &'static str,
    /// How many.
    pub bytes: u64,
    /// Pixels across and down, of a picture that could be decoded. It has a thumbnail then.
    pub size: Option<(u32, u32)>,
}

/// A file being read.
pub struct Read {
    /// Bytes of the whole file.
    pub len: u64,
    /// What was asked for, within these bytes.
    pub range: Range<u64>,
    /// The bytes.
    pub bytes: Stream,
}

/// All uploads and files of a node. Clones share it.
#[derive(Clone)]
pub struct Media {
    dir: PathBuf,
    free_space_min: u64,
    uploads: Uploads,
    blobs: Blobs,
    pictures: Pictures,
}

impl Media {
    /// Opens the folder.
    ///
    /// # Errors
    /// It can't be made or read, or there are no threads left.
    pub fn open(options: &Options) -> Result<Self, MediaError> {
        std::fs::create_dir_all(&options.dir)?;
        Ok(Self {
            uploads: Uploads::open(options.dir.join("uploads"))?,
            blobs: Blobs::open(&options.dir)?,
            pictures: Pictures::start(options.threads, &options.pictures, &options.clock)?,
            free_space_min: options.free_space_min,
            dir: options.dir.clone(),
        })
    }

    /// The uploads on their way.
    #[must_use]
    pub fn uploads(&self) -> &Uploads {
        &self.uploads
    }

    /// Is there room for so many bytes more?
    pub fn check_space(&self, bytes: u64) -> Result<(), MediaError> {
        let about = rustix::fs::statvfs(&self.dir).map_err(io::Error::from)?;
        let free = about.f_bavail.saturating_mul(about.f_frsize);
        if free.saturating_sub(bytes) < self.free_space_min {
            return Err(MediaError::Full);
        }
        Ok(())
    }

    /// Makes a file of an upload that is whole, durably. Doing it again finds the same.
    pub async fn finish(&self, key: &Key) -> Result<Finished, MediaError> {
        let _busy = self.uploads.lock(key)?;
        let progress = self.uploads.progress(key).await?;
        if progress.offset < progress.total {
            return Err(MediaError::Unfinished);
        }
        let content = place(key, Variant::Content);
        let part = self.uploads.path(key, "part");
        let pending = fs::try_exists(&part).await?;
        let path = match pending {
            true => part,
            // Nobody lived to say that it was done.
            false => self.blobs.file(&content)?,
        };
        let finished = self.look(key, &path, progress.total).await?;
        if finished.size.is_some() {
            let from = format!("uploads/{key}.thumbnail");
            self.blobs
                .take(&from, &place(key, Variant::Thumbnail))
                .await?;
        }
        if pending {
            self.blobs
                .take(&format!("uploads/{key}.part"), &content)
                .await?;
        }
        Ok(finished)
    }

    /// What is in it; a thumbnail is left beside the upload.
    async fn look(&self, key: &Key, path: &Path, bytes: u64) -> Result<Finished, MediaError> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        let mut file = File::open(path).await?.take(HEAD_BYTES as u64);
        file.read_to_end(&mut head).await?;
        let mut finished = Finished {
            content_type: sniff::content_type(&head),
            bytes,
            size: None,
        };
        let Some(format) = sniff::picture(&head) else {
            return Ok(finished);
        };
        match self.pictures.look(path.to_owned(), format).await {
            Some(picture) => {
                let path = self.uploads.path(key, "thumbnail");
                let mut file = File::create(&path).await?;
                file.write_all(&picture.thumbnail).await?;
                file.sync_all().await?;
                finished.size = Some((picture.width, picture.height));
            }
            // What we can't decode, nobody should try to show.
            None => finished.content_type = OTHER,
        }
        Ok(finished)
    }

    /// The file is known to its owner: nothing of the upload is needed any more.
    pub async fn forget(&self, key: &Key) -> Result<(), MediaError> {
        let _busy = self.uploads.lock(key)?;
        self.uploads.remove(key).await
    }

    /// Removes everything of this key, upload and file.
    pub async fn remove(&self, key: &Key) -> Result<(), MediaError> {
        let _busy = self.uploads.lock(key)?;
        self.blobs.remove(&place(key, Variant::Thumbnail)).await?;
        self.blobs.remove(&place(key, Variant::Content)).await?;
        let folder = self.blobs.file(&key.folder())?;
        // Only if it is empty, and it may not be there.
        let _ = fs::remove_dir(folder).await;
        self.uploads.remove(key).await
    }

    /// Says that the file is about to go: whoever finds this after a crash removes what is left.
    pub async fn condemn(&self, key: &Key) -> Result<(), MediaError> {
        let _busy = self.uploads.lock(key)?;
        let path = self.uploads.path(key, "offset");
        let mut file = File::create(&path).await?;
        file.write_all(&[0; 16]).await?;
        file.sync_all().await?;
        sync_dir(&self.dir.join("uploads")).await
    }

    /// Reads a file. `range` says which bytes, given its length; `None` from it reads nothing.
    pub async fn read(
        &self,
        key: &Key,
        variant: Variant,
        range: impl FnOnce(u64) -> Option<Range<u64>>,
    ) -> Result<Result<Read, u64>, MediaError> {
        let path = place(key, variant);
        let len = self.blobs.len(&path).await?;
        let Some(range) = range(len) else {
            return Ok(Err(len));
        };
        let bytes = match range.is_empty() {
            true => stream::iter(std::iter::empty::<Result<Bytes, MediaError>>()).boxed(),
            false => self.blobs.read(&path, range.clone()).await?,
        };
        Ok(Ok(Read { len, range, bytes }))
    }
}

fn place(key: &Key, variant: Variant) -> String {
    format!("{}/{}", key.folder(), variant.name())
}
