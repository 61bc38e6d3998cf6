//! The unit log: what is synced before anybody is told.
//!
//! Every batch of units is one [`frame`], appended to the current [`segment`] and synced. The rows
//! then live in memory until they are flushed to the LSM trees; the segments that hold them are
//! kept until then. Opening a store replays the segments that are left.
//!
//! # What replay accepts, and what it refuses
//!
//! One append is in flight at a time, so a crash can tear the **last** frame and no other, and a
//! torn frame was never acknowledged: it is cut off. A frame that fails verification with a valid
//! later frame behind it, a gap in the batch numbers, or a missing segment is damage to
//! acknowledged data: opening fails with [`ErrorKind::Corrupt`] and changes nothing. (Damage to
//! the very last frame looks like a tear; no log can tell the two apart.)
//!
//! Replaying rows that were flushed already changes nothing, since a flush writes the rows' final
//! values and segments are dropped oldest first.

pub(super) mod frame;
mod segment;

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use self::frame::{ALIGN, Frame, FrameWriter, Header, Salt};
use self::segment::{FRAMES_START, Found, Segment};
use super::directory::io_error;
use crate::{ErrorKind, StoreError};

/// Names the file kept for the next segment.
const SPARE: &str = "spare";

pub(super) struct Log {
    dir: PathBuf,
    segment: Segment,
    segment_bytes: u64,
    next_batch: u64,
    /// Why nothing can be appended any more.
    broken: Option<StoreError>,
}

/// Why an append failed.
pub(super) enum AppendError {
    /// Nothing was written.
    Refused(StoreError),
    /// The frame may be on disk.
    Unknown(StoreError),
}

impl Log {
    /// Goes on behind what was replayed, in a new segment.
    pub(super) fn start(
        dir: &Path,
        segment_bytes: u64,
        after: &Replayed,
    ) -> Result<Log, StoreError> {
        Ok(Log {
            segment: new_segment(dir, after.next_segment, after.next_batch, segment_bytes)?,
            dir: dir.to_owned(),
            segment_bytes,
            next_batch: after.next_batch,
            broken: None,
        })
    }

    /// The number of the segment that the next frame goes to.
    pub(super) fn segment_number(&self) -> u64 {
        self.segment.number
    }

    /// Whether a frame with `body_bytes` of rows fits into the current segment.
    pub(super) fn fits(&self, body_bytes: usize) -> bool {
        self.segment.fits(body_bytes + frame::HEADER_LEN + ALIGN)
    }

    /// Goes on in a new segment.
    pub(super) fn rotate(&mut self) -> Result<(), StoreError> {
        self.segment = new_segment(
            &self.dir,
            self.segment.number + 1,
            self.next_batch,
            self.segment_bytes,
        )?;
        Ok(())
    }

    /// Appends and syncs one frame.
    pub(super) fn append(&mut self, rows: FrameWriter) -> Result<Frame, AppendError> {
        if let Some(error) = &self.broken {
            return Err(AppendError::Refused(error.clone()));
        }
        let frame = rows.seal(self.next_batch, self.segment.salt);
        match self.segment.append(&frame.bytes) {
            Ok(()) => {
                self.next_batch += 1;
                Ok(frame)
            }
            Err(error) => {
                // The kernel may have dropped the dirty pages: a later sync that succeeds would
                // prove nothing about this frame, and a later frame would hide its tear.
                self.broken = Some(StoreError::new(
                    ErrorKind::Unavailable,
                    format!(
                        "an earlier append to the log failed, writes are off until a restart: {}",
                        error.detail()
                    ),
                ));
                Err(AppendError::Unknown(error))
            }
        }
    }
}

/// Gives a new store the first segment of its log.
pub(super) fn create(dir: &Path, segment_bytes: u64) -> Result<(), StoreError> {
    fs::create_dir_all(dir).map_err(|error| io_error("cannot create", dir, &error))?;
    match segment::list(dir)?.is_empty() {
        true => new_segment(dir, 1, 1, segment_bytes).map(|_| ()),
        false => Ok(()),
    }
}

/// Drops the segments below `first_kept`, oldest first; keeps one as the next segment's blocks.
pub(super) fn drop_segments(dir: &Path, first_kept: u64) -> Result<(), StoreError> {
    let spare = dir.join(SPARE);
    for (number, path) in segment::list(dir)? {
        if number >= first_kept {
            break;
        }
        let drop = || match spare.exists() {
            true => fs::remove_file(&path),
            false => fs::rename(&path, &spare),
        };
        // Synced one by one: an older segment must never come back after a newer one has gone.
        drop()
            .and_then(|()| segment::sync_dir(dir))
            .map_err(|error| io_error("cannot drop log segment", &path, &error))?;
    }
    Ok(())
}

fn new_segment(
    dir: &Path,
    number: u64,
    first_batch: u64,
    size: u64,
) -> Result<Segment, StoreError> {
    let spare = dir.join(SPARE);
    let spare = spare.exists().then_some(spare.as_path());
    Segment::create(dir, number, first_batch, size, spare)
}

/// What replay found.
pub(super) struct Replayed {
    /// A number above all segments on disk.
    pub(super) next_segment: u64,
    /// A number above all frames on disk.
    pub(super) next_batch: u64,
}

/// Feeds the frames of every segment, in order, to `each`.
pub(super) fn replay(
    dir: &Path,
    mut each: impl FnMut(Frame) -> Result<(), StoreError>,
) -> Result<Replayed, StoreError> {
    let mut expected: Option<Replayed> = None;
    for (number, path) in segment::list(dir)? {
        let found = segment::read(path, number)?;
        if let Some(expected) = &expected
            && (found.number, found.first_batch) != (expected.next_segment, expected.next_batch)
        {
            return Err(damaged(
                &found.path,
                &format!(
                    "it is segment {} from batch {}, but segment {} from batch {} should come here",
                    found.number, found.first_batch, expected.next_segment, expected.next_batch
                ),
            ));
        }
        expected = Some(Replayed {
            next_segment: found.number + 1,
            next_batch: replay_segment(found, &mut each)?,
        });
    }
    expected.ok_or_else(|| damaged(dir, "it has no segments"))
}

/// Feeds the frames of one segment; returns the number of the frame after the last.
fn replay_segment(
    found: Found,
    each: &mut impl FnMut(Frame) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let content = Bytes::from(found.content);
    let mut at = usize::try_from(FRAMES_START).expect("a page");
    let mut next_batch = found.first_batch;
    while let Some(frame) = frame_at(&content, at, next_batch, found.salt) {
        at += frame.bytes.len();
        next_batch += 1;
        // A copy of its own, so that one small row in memory does not keep a whole segment there.
        each(frame)?;
    }
    // Behind the last frame there may be a tear, or leftovers of the segment's earlier life. A
    // frame of this life with a higher number means that something before it is missing.
    let later = (at..content.len())
        .step_by(ALIGN)
        .filter_map(|at| Header::decode(&content[at..], found.salt))
        .find(|header| header.batch > next_batch);
    match later {
        None => Ok(next_batch),
        Some(header) => Err(damaged(
            &found.path,
            &format!(
                "batch {next_batch} at byte {at} fails verification but batch {} follows it",
                header.batch
            ),
        )),
    }
}

fn frame_at(content: &Bytes, at: usize, batch: u64, salt: Salt) -> Option<Frame> {
    let header = Header::decode(content.get(at..)?, salt)?;
    if header.batch != batch {
        return None;
    }
    let end = at.checked_add(header.frame_len())?;
    header.frame(Bytes::copy_from_slice(content.get(at..end)?))
}

fn damaged(path: &Path, why: &str) -> StoreError {
    StoreError::new(
        ErrorKind::Corrupt,
        format!(
            "the log is damaged: {}: {why}; nothing was changed; restore from a backup, or ask \
             for help with a copy of the directory",
            path.display()
        ),
    )
}
