//! Damage to the log, byte by byte: a torn tail is cut off, anything else is refused aloud.

use std::fs;
use std::path::{Path, PathBuf};

use anser_store::{ErrorKind, Key, Outcome, Scan, Shard, Store, StoreError, Unit};
use futures::executor::block_on;
use tempfile::TempDir;

use crate::backends::{LOG, SPACES, bytes, key, options};

const PAGE: usize = 4096;
const FRAMES: usize = 5;

/// A directory whose log holds `FRAMES` frames of one row each, the last one spanning pages,
/// and whose trees hold nothing.
struct Original {
    dir: TempDir,
    segment: PathBuf,
    /// Where each frame begins, and where the last one ends.
    starts: Vec<usize>,
}

impl Original {
    fn new() -> Original {
        let dir = TempDir::new().unwrap();
        let store = open(dir.path()).unwrap();
        let mut starts = vec![PAGE];
        for number in 0..FRAMES {
            let value = vec![b'v'; if number == FRAMES - 1 { 12_000 } else { 600 }];
            let unit = Unit::new().put(row(number), value.clone());
            assert_eq!(block_on(store.commit(vec![unit])), [Outcome::Committed]);
            let frame = (24 + 10 + 2 + value.len()).next_multiple_of(PAGE);
            starts.push(starts.last().unwrap() + frame);
        }
        drop(store);
        let segment = fs::read_dir(dir.path().join("log"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
            .max()
            .unwrap();
        Original {
            dir,
            segment,
            starts,
        }
    }

    /// Opens a copy whose segment was changed; the trees are left out, since they are empty.
    fn open_with(&self, change: impl FnOnce(&mut Vec<u8>)) -> Result<(TempDir, Store), StoreError> {
        let copy = TempDir::new().unwrap();
        fs::create_dir(copy.path().join("log")).unwrap();
        fs::copy(self.dir.path().join("format"), copy.path().join("format")).unwrap();
        let mut content = fs::read(&self.segment).unwrap();
        change(&mut content);
        let name = self.segment.file_name().unwrap();
        fs::write(copy.path().join("log").join(name), content).unwrap();
        let store = open(copy.path())?;
        Ok((copy, store))
    }
}

fn open(dir: &Path) -> Result<Store, StoreError> {
    let options = anser_store::EmbeddedOptions {
        memtable_bytes: 64 << 10,
        dir: dir.to_owned(),
        ..options(&TempDir::new().unwrap())
    };
    Store::embedded(&options, &SPACES)
}

fn row(number: usize) -> Key {
    key(LOG, 0, &format!("{number:02}"))
}

fn rows(store: &Store) -> usize {
    block_on(store.scan(Scan::all(LOG, Shard(0))))
        .unwrap()
        .rows
        .len()
}

fn assert_corrupt(result: Result<(TempDir, Store), StoreError>, what: &str) {
    let error = result.map(|_| ()).expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
}

#[test]
fn an_untouched_log_replays() {
    let (_dir, store) = Original::new().open_with(|_| {}).unwrap();
    assert_eq!(rows(&store), FRAMES);
}

#[test]
fn a_tail_torn_at_any_page_is_cut_off_and_the_log_goes_on() {
    let original = Original::new();
    let (start, end) = (original.starts[FRAMES - 1], original.starts[FRAMES]);
    for cut in (start..end).step_by(PAGE) {
        // Not written, written as zeros, or not even allocated.
        for fill in [Some(0xAB), Some(0), None] {
            let (dir, store) = original
                .open_with(|content| match fill {
                    Some(fill) => content[cut..].fill(fill),
                    None => content.truncate(cut),
                })
                .unwrap();
            assert_eq!(
                rows(&store),
                FRAMES - 1,
                "cut at {cut}, filled with {fill:?}"
            );
            let unit = Unit::new().put(row(7), bytes("after"));
            assert_eq!(block_on(store.commit(vec![unit])), [Outcome::Committed]);
            drop(store);
            assert_eq!(rows(&open(dir.path()).unwrap()), FRAMES);
        }
    }
}

#[test]
fn pages_of_the_last_frame_may_land_in_any_order() {
    let original = Original::new();
    let (start, end) = (original.starts[FRAMES - 1], original.starts[FRAMES]);
    for lost in (start..end).step_by(PAGE) {
        let (_dir, store) = original
            .open_with(|content| content[lost..lost + PAGE].fill(0))
            .unwrap();
        assert_eq!(rows(&store), FRAMES - 1, "page at {lost} lost");
    }
}

#[test]
fn a_flipped_byte_before_the_tail_is_corruption() {
    let original = Original::new();
    let content = fs::read(&original.segment).unwrap();
    for frame in 0..FRAMES - 1 {
        let start = original.starts[frame];
        // Header fields, row header, key, value; the padding behind a frame carries nothing.
        for at in [0, 5, 9, 17, 21, 24, 26, 30, 34, 40, 24 + 10 + 2 + 599] {
            let at = start + at;
            assert!(at < content.len());
            let opened = original.open_with(|content| content[at] ^= 0x10);
            assert_corrupt(opened, &format!("byte {at} of frame {frame}"));
        }
    }
}

#[test]
fn a_damaged_segment_header_is_corruption() {
    let original = Original::new();
    for at in 0..40 {
        let opened = original.open_with(|content| content[at] ^= 1);
        assert_corrupt(opened, &format!("byte {at} of the segment header"));
    }
}

#[test]
fn a_refused_opening_changes_nothing() {
    let original = Original::new();
    let segment = original.segment.clone();
    let mut content = fs::read(&segment).unwrap();
    content[original.starts[1] + 30] ^= 1;
    fs::write(&segment, &content).unwrap();
    for _ in 0..2 {
        assert_eq!(
            open(original.dir.path()).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
        assert!(fs::read(&segment).unwrap() == content);
    }
}

#[test]
fn a_log_without_segments_is_corruption() {
    let original = Original::new();
    fs::remove_file(&original.segment).unwrap();
    let error = open(original.dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[test]
fn stored_bytes_that_look_like_frames_are_not_taken_for_frames() {
    let original = Original::new();
    let content = fs::read(&original.segment).unwrap();
    // A copy of a real frame header, at every place of a value that a page could begin with.
    let header = &content[original.starts[2]..][..24];
    let value: Vec<u8> = header.iter().copied().cycle().take(3 * PAGE).collect();
    let dir = TempDir::new().unwrap();
    let store = open(dir.path()).unwrap();
    let unit = Unit::new().put(row(0), value);
    assert_eq!(block_on(store.commit(vec![unit])), [Outcome::Committed]);
    drop(store);
    assert_eq!(rows(&open(dir.path()).unwrap()), 1);
}
