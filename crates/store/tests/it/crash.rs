//! `kill -9` of a committing process: what it was told is committed is there, whole, once.
//!
//! The victim is this test binary, run again with an environment variable that names the
//! directory. It commits chained units from several senders and prints a line for each outcome it
//! hears; after a number of lines the parent kills it and checks every line against the reopened
//! store.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anser_store::{EmbeddedOptions, Key, Shard, Store, Unit};
use bytes::Bytes;
use futures::executor::block_on;
use tempfile::TempDir;

use crate::backends::{LOG, SMALL, SPACES};

const DIR_VARIABLE: &str = "ANSER_STORE_CRASH_DIR";
const SENDERS: u16 = 6;
const KILLS: usize = 6;

#[test]
fn acknowledged_units_survive_kill_9() {
    if let Some(dir) = std::env::var_os(DIR_VARIABLE) {
        return victim(Path::new(&dir));
    }
    let dir = TempDir::new().unwrap();
    let mut acked = [0u64; SENDERS as usize];
    for kill in 0..KILLS {
        let mut child = start_victim(dir.path());
        // Different moments in the life of memtable and segment.
        read_acks(&mut child, 150 + 97 * kill, &mut acked);
        let store = open(dir.path());
        for (sender, acked) in acked.iter_mut().enumerate() {
            let shard = u16::try_from(sender).unwrap();
            *acked = verify(&store, shard, *acked);
        }
        // Every other time the next victim finds a closed store instead of a log to replay.
        if kill % 2 == 1 {
            block_on(store.close()).unwrap();
        }
    }
    assert!(acked.iter().all(|&count| count > 0), "{acked:?}");
}

/// Small memtables, so that kills meet flushes and recycled segments.
fn open(dir: &Path) -> Store {
    let options = EmbeddedOptions {
        memtable_bytes: 32 << 10,
        cache_bytes: 1 << 20,
        free_space_min: 0,
        ..EmbeddedOptions::new(dir)
    };
    Store::embedded(&options, &SPACES).unwrap()
}

fn start_victim(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "crash::acknowledged_units_survive_kill_9",
            "--exact",
            "--nocapture",
        ])
        .env(DIR_VARIABLE, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads acknowledgements, kills the child after `count` of them, and reads what it still said.
fn read_acks(child: &mut Child, count: usize, acked: &mut [u64]) {
    let mut heard = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // A line may be cut by the kill: only whole ones, ended by a dot, count. The test harness
        // prints lines of its own.
        let Some(ack) = line
            .strip_prefix("acked ")
            .and_then(|line| line.strip_suffix('.'))
        else {
            continue;
        };
        let (sender, sequence) = ack.split_once(' ').unwrap();
        let sender: usize = sender.parse().unwrap();
        acked[sender] = sequence.parse().unwrap();
        heard += 1;
        if heard == count {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(
        heard >= count,
        "the victim ended by itself after {heard} commits"
    );
}

/// Checks one sender's chain: at least `acked` long, every unit whole. Returns its length.
fn verify(store: &Store, shard: u16, acked: u64) -> u64 {
    let head = block_on(store.get(&head_key(shard))).unwrap();
    let length = head.map_or(0, |head| u64::from_be_bytes(*head.first_chunk().unwrap()));
    assert!(
        length >= acked,
        "sender {shard}: {acked} acknowledged, {length} there"
    );
    for sequence in 1..=length + 1 {
        let keys = [row_key(shard, sequence), marker_key(shard, sequence)];
        let rows = block_on(store.get_many(&keys)).unwrap();
        let expected = (sequence <= length).then(|| row_value(shard, sequence));
        assert_eq!(rows[0], expected, "sender {shard}, message {sequence}");
        assert_eq!(
            rows[1].is_some(),
            sequence <= length,
            "sender {shard}, marker {sequence}"
        );
    }
    length
}

fn victim(dir: &Path) {
    let store = open(dir);
    std::thread::scope(|scope| {
        for shard in 0..SENDERS {
            let store = store.clone();
            scope.spawn(move || send_for_ever(&store, shard));
        }
    });
}

fn send_for_ever(store: &Store, shard: u16) {
    let mut head = block_on(store.get(&head_key(shard))).unwrap();
    loop {
        let before = head
            .as_ref()
            .map_or(0, |head| u64::from_be_bytes(*head.first_chunk().unwrap()));
        let sequence = before + 1;
        let next = Bytes::copy_from_slice(&sequence.to_be_bytes());
        let unit = Unit::new()
            .expect_unchanged(head_key(shard), head)
            .put(row_key(shard, sequence), row_value(shard, sequence))
            .put(marker_key(shard, sequence), next.clone())
            .put(head_key(shard), next.clone());
        let outcomes = block_on(store.commit(vec![unit]));
        assert!(outcomes[0].is_committed(), "{outcomes:?}");
        head = Some(next);
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nacked {shard} {sequence}.").unwrap();
        out.flush().unwrap();
    }
}

fn head_key(shard: u16) -> Key {
    Key::new(SMALL, Shard(shard), "head")
}

fn row_key(shard: u16, sequence: u64) -> Key {
    Key::new(LOG, Shard(shard), sequence.to_be_bytes().to_vec())
}

fn marker_key(shard: u16, sequence: u64) -> Key {
    let name = [&b"sent"[..], &sequence.to_le_bytes()].concat();
    Key::new(SMALL, Shard(shard), name)
}

/// Different lengths and contents, all derivable.
fn row_value(shard: u16, sequence: u64) -> Bytes {
    let len = usize::try_from(40 + sequence * 37 % 400).unwrap();
    let fill = (sequence ^ u64::from(shard)).to_le_bytes()[0];
    vec![fill; len].into()
}
