//! Bugs put in on purpose are found, each within a few seeds.

use anser_sim::sabotage::Sabotage;
use anser_sim::{Options, run};

/// Seeds that a planted bug may hide from.
const SEEDS: u64 = 40;

fn found(sabotage: Sabotage, by: &str) {
    // A bug may also show by what comes of it: that alone would be found by accident.
    let found = (1..=SEEDS).any(|seed| {
        let options = Options {
            seed,
            sabotage: Some(sabotage),
            ..Options::default()
        };
        let failure = run(options).err();
        failure.is_some_and(|failure| failure.findings.iter().any(|one| one.contains(by)))
    });
    assert!(found, "{sabotage:?} hides from {SEEDS} seeds");
}

#[test]
fn an_ack_before_the_commit() {
    found(Sabotage::AckBeforeCommit, "was acknowledged, stored is");
}

#[test]
fn a_lost_idempotency_key() {
    found(Sabotage::LostKey, "times");
}

#[test]
fn a_sync_that_is_off_by_one() {
    found(Sabotage::SyncOffByOne, "was not given");
}

#[test]
fn pushes_lost_in_silence() {
    found(Sabotage::SilentLoss, "this does not settle");
}

#[test]
fn wrong_unread_counts() {
    found(Sabotage::Miscount, "should have unread");
}
