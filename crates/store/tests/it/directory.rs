//! The data directory as an operator meets it: locked, versioned, and honest about trouble.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use anser_store::{
    EmbeddedOptions, ErrorKind, Outcome, Scan, Shard, Space, SpaceClass, Store, StoreError, Unit,
};
use futures::executor::block_on;
use tempfile::TempDir;

use crate::backends::{LOG, SMALL, SPACES, bytes, key, options};

fn open(dir: &TempDir) -> Result<Store, StoreError> {
    Store::embedded(&options(dir), &SPACES)
}

fn refusal(result: Result<Store, StoreError>) -> (ErrorKind, String) {
    let error = result.expect_err("opening should be refused");
    (error.kind(), error.detail().to_owned())
}

#[test]
fn one_opener_at_a_time() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).unwrap();
    let (kind, why) = refusal(open(&dir));
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(why.contains("another process"), "{why}");
    block_on(store.close()).unwrap();
    let again = open(&dir).unwrap();
    drop(again);
    open(&dir).unwrap();
}

#[test]
fn a_directory_of_something_else_is_not_touched() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("diary.txt"), "dear diary").unwrap();
    let (kind, why) = refusal(open(&dir));
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(why.contains("diary.txt"), "{why}");
}

#[test]
fn a_newer_format_is_refused() {
    let dir = TempDir::new().unwrap();
    drop(open(&dir).unwrap());
    let format = dir.path().join("format");
    let text = fs::read_to_string(&format).unwrap();
    fs::write(&format, text.replace("anser-store 1", "anser-store 2")).unwrap();
    let (kind, why) = refusal(open(&dir));
    assert_eq!(kind, ErrorKind::Corrupt);
    assert!(why.contains("format version 2"), "{why}");
}

#[test]
fn a_space_keeps_its_class() {
    let dir = TempDir::new().unwrap();
    drop(open(&dir).unwrap());
    let moved = [(SMALL, SpaceClass::Log)];
    let (kind, why) = refusal(Store::embedded(&options(&dir), &moved));
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(why.contains("space 1"), "{why}");
    // A new space joins, and the old ones need not be named again.
    let added = [(Space(9), SpaceClass::Log)];
    let store = Store::embedded(&options(&dir), &added).unwrap();
    for space in [SMALL, LOG, Space(9)] {
        let unit = Unit::new().put(key(space, 0, "k"), bytes("v"));
        assert_eq!(block_on(store.commit(vec![unit])), [Outcome::Committed]);
    }
}

#[test]
fn an_undeclared_space_is_refused() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).unwrap();
    let row = key(Space(200), 0, "k");
    assert_eq!(
        block_on(store.get(&row)).unwrap_err().kind(),
        ErrorKind::Invalid
    );
    let good = Unit::new().put(key(SMALL, 0, "k"), bytes("v"));
    let bad = Unit::new()
        .put(key(SMALL, 0, "half"), bytes("v"))
        .put(row, bytes("v"));
    let outcomes = block_on(store.commit(vec![bad, good]));
    assert!(matches!(&outcomes[0], Outcome::Refused(error) if error.kind() == ErrorKind::Invalid));
    assert_eq!(outcomes[1], Outcome::Committed);
    assert_eq!(block_on(store.get(&key(SMALL, 0, "half"))).unwrap(), None);
}

#[test]
fn a_full_disk_refuses_writes_and_answers_reads() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).unwrap();
    let row = key(SMALL, 0, "k");
    let put = |value| vec![Unit::new().put(row.clone(), bytes(value))];
    assert_eq!(block_on(store.commit(put("before"))), [Outcome::Committed]);
    drop(store);
    let demanding = EmbeddedOptions {
        free_space_min: u64::MAX,
        ..options(&dir)
    };
    let store = Store::embedded(&demanding, &SPACES).unwrap();
    let outcomes = block_on(store.commit(put("after")));
    assert!(matches!(&outcomes[0], Outcome::Refused(error) if error.kind() == ErrorKind::Full));
    assert_eq!(block_on(store.get(&row)).unwrap(), Some(bytes("before")));
    let check = Unit::new().expect_equals(row, bytes("before"));
    assert_eq!(block_on(store.commit(vec![check])), [Outcome::Committed]);
}

#[test]
fn the_log_does_not_grow_with_what_is_written() {
    let dir = TempDir::new().unwrap();
    let memtable_bytes = 64 << 10;
    let small = EmbeddedOptions {
        memtable_bytes,
        ..options(&dir)
    };
    let store = Store::embedded(&small, &SPACES).unwrap();
    for number in 0..300 {
        let unit = Unit::new().put(key(LOG, 0, &number.to_string()), vec![7; 8 << 10]);
        assert_eq!(block_on(store.commit(vec![unit])), [Outcome::Committed]);
    }
    block_on(store.close()).unwrap();
    let log = fs::read_dir(dir.path().join("log")).unwrap();
    let size: u64 = log
        .map(|entry| entry.unwrap().metadata().unwrap().size())
        .sum();
    assert!(size <= 3 * memtable_bytes as u64, "{size} bytes of log");
}

#[test]
fn a_small_queue_makes_commits_wait_not_fail() {
    let dir = TempDir::new().unwrap();
    let narrow = EmbeddedOptions {
        queue_bytes_max: 1,
        ..options(&dir)
    };
    let store = Store::embedded(&narrow, &SPACES).unwrap();
    let commits = (0..50).map(|number: u32| {
        let unit = Unit::new().put(key(LOG, 0, &number.to_string()), vec![1; 1000]);
        store.commit(vec![unit])
    });
    let outcomes = block_on(futures::future::join_all(commits));
    assert!(outcomes.iter().all(|outcome| outcome[0].is_committed()));
}

/// The engine cannot write tables for a while, as when the disk has trouble: commits go on until
/// the log has run far ahead, then they are refused, and nothing acknowledged is lost.
#[test]
fn commits_outlive_a_flush_that_fails_for_a_while() {
    let dir = TempDir::new().unwrap();
    let small = EmbeddedOptions {
        memtable_bytes: 32 << 10,
        ..options(&dir)
    };
    let store = Store::embedded(&small, &SPACES).unwrap();
    let tables: Vec<_> = fs::read_dir(dir.path().join("lsm/keyspaces"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("tables"))
        .collect();
    for path in &tables {
        fs::rename(path, path.with_extension("away")).unwrap();
    }
    let put = |number: usize| {
        let unit = Unit::new().put(key(LOG, 0, &format!("{number:04}")), vec![7; 3000]);
        block_on(store.commit(vec![unit])).remove(0)
    };
    let mut acked = 0;
    let refusal = loop {
        assert!(acked < 100, "commits should be refused at some point");
        match put(acked) {
            Outcome::Committed => acked += 1,
            other => break other,
        }
    };
    assert!(matches!(refusal, Outcome::Refused(_)), "{refusal:?}");
    assert!(acked > 10, "only {acked} commits before the first refusal");
    for number in 0..acked {
        let row = key(LOG, 0, &format!("{number:04}"));
        assert!(block_on(store.get(&row)).unwrap().is_some());
    }
    for path in &tables {
        fs::rename(path.with_extension("away"), path).unwrap();
    }
    // The flush is tried again about once a second; until then refusals are quick.
    while !put(acked).is_committed() {
        std::thread::yield_now();
    }
    block_on(store.close()).unwrap();
    let store = Store::embedded(&small, &SPACES).unwrap();
    let page = block_on(store.scan(Scan::all(LOG, Shard(0)))).unwrap();
    assert_eq!(page.rows.len(), acked + 1);
}
