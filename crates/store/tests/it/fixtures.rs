//! Directories written by earlier builds must open for ever.
//!
//! `fixtures/v1` was written by [`write`]. For a new format version, take the directory that
//! `a_new_directory_reads_like_the_fixtures` leaves under `target/tmp`, add it as `fixtures/v2`,
//! and keep the old ones.

use std::fs;
use std::path::Path;

use anser_store::{EmbeddedOptions, Outcome, Scan, Shard, Store, Unit};
use bytes::Bytes;
use futures::executor::block_on;
use tempfile::TempDir;

use crate::backends::{LOG, SMALL, SPACES, bytes, key, options};

const FLUSHED: usize = 40;
const IN_LOG: usize = 3;
const SHARD: u16 = 1234;

fn open(dir: &Path) -> Store {
    let options = EmbeddedOptions {
        memtable_bytes: 32 << 10,
        dir: dir.to_owned(),
        ..options(&TempDir::new().unwrap())
    };
    Store::embedded(&options, &SPACES).unwrap()
}

fn message(number: usize) -> Unit {
    let deleted = key(LOG, SHARD, &format!("{:03}", number.wrapping_sub(7)));
    let unit = Unit::new()
        .put(key(LOG, SHARD, &format!("{number:03}")), body(number))
        .put(key(SMALL, SHARD, "head"), bytes(&number.to_string()));
    if number % 10 == 9 {
        unit.delete(deleted)
    } else {
        unit
    }
}

fn body(number: usize) -> Bytes {
    vec![b'a' + u8::try_from(number % 26).unwrap(); 50 + number].into()
}

/// A directory with rows in the trees and rows only in the log, as a crash leaves it.
fn write(dir: &Path) {
    let store = open(dir);
    for number in 0..FLUSHED {
        assert_eq!(
            block_on(store.commit(vec![message(number)])),
            [Outcome::Committed]
        );
    }
    block_on(store.close()).unwrap();
    let store = open(dir);
    for number in FLUSHED..FLUSHED + IN_LOG {
        assert_eq!(
            block_on(store.commit(vec![message(number)])),
            [Outcome::Committed]
        );
    }
}

fn check(dir: &Path) {
    let store = open(dir);
    let last = FLUSHED + IN_LOG - 1;
    let head = block_on(store.get(&key(SMALL, SHARD, "head"))).unwrap();
    assert_eq!(head, Some(bytes(&last.to_string())));
    let expected: Vec<(Bytes, Bytes)> = (0..=last)
        .filter(|number| number % 10 != 2 || number + 7 > last)
        .map(|number| (bytes(&format!("{number:03}")), body(number)))
        .collect();
    let page = block_on(store.scan(Scan::all(LOG, Shard(SHARD)))).unwrap();
    assert_eq!(page.rows, expected);
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn version_1_opens() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1");
    let dir = TempDir::new().unwrap();
    copy_dir(&fixture, dir.path());
    check(dir.path());
    // And again, from what this build made of it.
    check(dir.path());
}

#[test]
fn a_new_directory_reads_like_the_fixtures() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store-fixture");
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    write(&dir);
    let copy = TempDir::new().unwrap();
    copy_dir(&dir, copy.path());
    check(copy.path());
}
