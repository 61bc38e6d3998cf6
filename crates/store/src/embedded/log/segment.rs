//! One file of the log: allocated ahead, written front to back, recycled.
//!
//! A sync of a file whose blocks are already allocated and written costs one flush of the disk; a
//! growing file also commits the file system's journal. So a segment is allocated as a whole, and
//! a segment that is no longer needed becomes the next one.
//!
//! ```text
//! 0      magic "ANSERLOG" · version u32 · segment number u64 · first batch u64 · salt 8 bytes
//!        · CRC-32 u32
//! 4096   frames, each at a multiple of 4096
//! ```

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::frame::{ALIGN, Salt};
use crate::embedded::directory::io_error;
use crate::{ErrorKind, StoreError};

const MAGIC: &[u8; 8] = b"ANSERLOG";
const VERSION: u32 = 1;
const HEADER_LEN: usize = 40;

/// Where the first frame begins.
pub(crate) const FRAMES_START: u64 = ALIGN as u64;

/// A segment that frames are appended to.
pub(crate) struct Segment {
    file: File,
    path: PathBuf,
    pub(crate) number: u64,
    pub(crate) salt: Salt,
    position: u64,
    size: u64,
}

impl Segment {
    /// Makes segment `number` durable and empty, out of `spare` if there is one.
    pub(crate) fn create(
        dir: &Path,
        number: u64,
        first_batch: u64,
        size: u64,
        spare: Option<&Path>,
    ) -> Result<Segment, StoreError> {
        let path = path_of(dir, number);
        let create = || -> std::io::Result<(File, Salt)> {
            let salt = draw_salt()?;
            let draft = dir.join("next");
            if let Some(spare) = spare {
                fs::rename(spare, &draft)?;
            }
            let file = File::options()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&draft)?;
            // What the page cache holds of the earlier life is in larger units than the frames to
            // come, and would be written back in those.
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
            allocate(&file, size)?;
            file.write_all_at(&encode_header(number, first_batch, salt), 0)?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            sync_dir(dir)?;
            Ok((file, salt))
        };
        let (file, salt) =
            create().map_err(|error| io_error("cannot create log segment", &path, &error))?;
        Ok(Segment {
            file,
            path,
            number,
            salt,
            position: FRAMES_START,
            size,
        })
    }

    /// Whether `len` more bytes fit. An empty segment takes a frame of any size.
    pub(crate) fn fits(&self, len: usize) -> bool {
        self.position == FRAMES_START || self.position + len as u64 <= self.size
    }

    /// Appends bytes and syncs them. After an error it is unknown what the disk holds.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all_at(bytes, self.position)
            .and_then(|()| self.file.sync_data())
            .map_err(|error| io_error("cannot append to log segment", &self.path, &error))?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

/// A segment found at opening: its number, first batch and whole content.
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) number: u64,
    pub(crate) first_batch: u64,
    pub(crate) salt: Salt,
    pub(crate) content: Vec<u8>,
}

/// Reads a segment. The header was synced before the file got its name: if it does not verify,
/// that is damage.
pub(crate) fn read(path: PathBuf, number: u64) -> Result<Found, StoreError> {
    let content =
        fs::read(&path).map_err(|error| io_error("cannot read log segment", &path, &error))?;
    let (first_batch, salt) = decode_header(&content, number).map_err(|why| {
        StoreError::new(
            ErrorKind::Corrupt,
            format!("log segment {}: {why}", path.display()),
        )
    })?;
    Ok(Found {
        path,
        number,
        first_batch,
        salt,
        content,
    })
}

/// The numbers of the segments in a directory, ascending.
pub(crate) fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let failed = |error: std::io::Error| io_error("cannot list", dir, &error);
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name
            .and_then(|name| name.strip_suffix(SUFFIX))
            .and_then(|stem| stem.parse().ok());
        if let Some(number) = number {
            segments.push((number, path));
        }
    }
    segments.sort();
    Ok(segments)
}

const SUFFIX: &str = ".seg";

pub(crate) fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}{SUFFIX}"))
}

pub(crate) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

fn allocate(file: &File, size: u64) -> std::io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::empty(), 0, size) {
        // Some file systems cannot: then the file only gets its size, and syncs cost more.
        Err(rustix::io::Errno::OPNOTSUPP) => file.set_len(size),
        result => result.map_err(std::io::Error::from),
    }
}

fn draw_salt() -> std::io::Result<Salt> {
    let mut salt = Salt::default();
    File::open("/dev/urandom")?.read_exact(&mut salt)?;
    Ok(salt)
}

fn encode_header(number: u64, first_batch: u64, salt: Salt) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[0..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..20].copy_from_slice(&number.to_le_bytes());
    header[20..28].copy_from_slice(&first_batch.to_le_bytes());
    header[28..36].copy_from_slice(&salt);
    let crc = crc32fast::hash(&header[..36]);
    header[36..40].copy_from_slice(&crc.to_le_bytes());
    header
}

fn decode_header(content: &[u8], number: u64) -> Result<(u64, Salt), String> {
    let header: &[u8; HEADER_LEN] = content.first_chunk().ok_or("it has no header")?;
    let long = |at: usize| {
        let bytes = header[at..at + 8].first_chunk().expect("a slice of eight");
        u64::from_le_bytes(*bytes)
    };
    let short = |at: usize| {
        let bytes = header[at..at + 4].first_chunk().expect("a slice of four");
        u32::from_le_bytes(*bytes)
    };
    if &header[..8] != MAGIC {
        return Err("it does not begin with the magic bytes of a segment".to_owned());
    }
    if short(36) != crc32fast::hash(&header[..36]) {
        return Err("its header fails verification".to_owned());
    }
    if short(8) != VERSION {
        return Err(format!(
            "its version is {}, this build knows {VERSION}",
            short(8)
        ));
    }
    if long(12) != number {
        return Err(format!("its header says that it is segment {}", long(12)));
    }
    let salt = header[28..36].first_chunk().expect("a slice of eight");
    Ok((long(20), *salt))
}
