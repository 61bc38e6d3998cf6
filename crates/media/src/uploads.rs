//! Uploads on their way: one folder, two files each.
//!
//! `<key>.offset` holds how many bytes were announced and how many are safe, `<key>.part` the
//! bytes. The offset is written only after the bytes before it were synced. There is one writer to
//! an upload at a time.

use std::collections::BTreeSet;
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use crate::error::MediaError;
use crate::key::Key;

/// How far an upload is.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Progress {
    /// Bytes that are on disk.
    pub offset: u64,
    /// Bytes announced.
    pub total: u64,
}

/// The folder of uploads.
#[derive(Clone)]
pub struct Uploads {
    dir: Arc<Path>,
    busy: Arc<Mutex<BTreeSet<Key>>>,
}

/// Nobody else touches an upload while somebody holds this.
pub(crate) struct Busy {
    key: Key,
    busy: Arc<Mutex<BTreeSet<Key>>>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.busy.lock().remove(&self.key);
    }
}

impl Uploads {
    pub(crate) fn open(dir: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        Ok(Self {
            dir: dir.into(),
            busy: Arc::default(),
        })
    }

    pub(crate) fn path(&self, key: &Key, kind: &str) -> PathBuf {
        self.dir.join(format!("{key}.{kind}"))
    }

    pub(crate) fn lock(&self, key: &Key) -> Result<Busy, MediaError> {
        if !self.busy.lock().insert(key.clone()) {
            return Err(MediaError::Busy);
        }
        Ok(Busy {
            key: key.clone(),
            busy: self.busy.clone(),
        })
    }

    /// Begins an upload of so many bytes. The key is new.
    pub async fn create(&self, key: &Key, total: u64) -> Result<(), MediaError> {
        let _busy = self.lock(key)?;
        let progress = Progress { offset: 0, total };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(self.path(key, "offset"))
            .await?;
        file.write_all(&bytes_of(progress)).await?;
        file.sync_all().await?;
        sync_dir(&self.dir).await
    }

    /// How far the upload is.
    pub async fn progress(&self, key: &Key) -> Result<Progress, MediaError> {
        let mut bytes = [0; 16];
        let mut file = File::open(self.path(key, "offset")).await?;
        file.read_exact(&mut bytes).await?;
        let number = |half: &[u8]| u64::from_be_bytes(half.try_into().expect("eight bytes"));
        Ok(Progress {
            total: number(&bytes[..8]),
            offset: number(&bytes[8..]),
        })
    }

    /// Goes on at `offset`, which is where the upload stands. Bytes that are gone are not made up
    /// for: without them it is [`MediaError::Gone`].
    pub async fn writer(&self, key: &Key, offset: u64) -> Result<Writer, MediaError> {
        let busy = self.lock(key)?;
        let progress = self.progress(key).await?;
        if offset != progress.offset {
            return Err(MediaError::WrongOffset(progress.offset));
        }
        let mut part = self.part(key, offset).await?;
        // What stands behind was never promised.
        part.set_len(offset).await?;
        part.seek(SeekFrom::Start(offset)).await?;
        let offset_file = OpenOptions::new()
            .write(true)
            .open(self.path(key, "offset"))
            .await?;
        Ok(Writer {
            part,
            offset_file,
            written: offset,
            progress,
            _busy: busy,
        })
    }

    /// The bytes so far; they begin with the upload.
    async fn part(&self, key: &Key, offset: u64) -> Result<File, MediaError> {
        let path = self.path(key, "part");
        match OpenOptions::new().write(true).open(&path).await {
            Ok(part) if part.metadata().await?.len() < offset => Err(MediaError::Gone),
            Ok(part) => Ok(part),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            Err(_) if offset > 0 => Err(MediaError::Gone),
            Err(_) => {
                let mut new = OpenOptions::new();
                let part = new.write(true).create_new(true).open(&path).await?;
                sync_dir(&self.dir).await?;
                Ok(part)
            }
        }
    }

    /// All uploads, with when each last moved.
    pub async fn all(&self) -> Result<Vec<(Key, SystemTime)>, MediaError> {
        let mut found = Vec::new();
        let mut entries = fs::read_dir(&self.dir).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name();
            let key = name.to_str().and_then(|name| name.strip_suffix(".offset"));
            let Some(key) = key.and_then(Key::parse) else {
                continue;
            };
            // It may be gone by now.
            if let Ok(about) = entry.metadata().await {
                found.push((key, about.modified()?));
            }
        }
        Ok(found)
    }

    pub(crate) async fn remove(&self, key: &Key) -> Result<(), MediaError> {
        // The offset last: as long as it is there, somebody comes back for the rest.
        for kind in ["part", "thumbnail", "offset"] {
            match fs::remove_file(self.path(key, kind)).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

fn bytes_of(progress: Progress) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&progress.total.to_be_bytes());
    bytes[8..].copy_from_slice(&progress.offset.to_be_bytes());
    bytes
}

pub(crate) async fn sync_dir(dir: &Path) -> Result<(), MediaError> {
    Ok(File::open(dir).await?.sync_all().await?)
}

/// Appends to an upload. What was written since the last [`save`](Writer::save) is as good as not
/// written.
pub struct Writer {
    part: File,
    offset_file: File,
    written: u64,
    progress: Progress,
    _busy: Busy,
}

impl Writer {
    /// Appends bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), MediaError> {
        let end = self.written.saturating_add(bytes.len() as u64);
        if end > self.progress.total {
            return Err(MediaError::TooLong);
        }
        self.part.write_all(bytes).await?;
        self.written = end;
        Ok(())
    }

    /// Makes what was written durable; how far the upload is.
    pub async fn save(&mut self) -> Result<Progress, MediaError> {
        self.part.flush().await?;
        self.part.sync_data().await?;
        self.progress.offset = self.written;
        self.offset_file.seek(SeekFrom::Start(0)).await?;
        self.offset_file.write_all(&bytes_of(self.progress)).await?;
        self.offset_file.flush().await?;
        self.offset_file.sync_data().await?;
        Ok(self.progress)
    }
}
