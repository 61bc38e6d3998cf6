//! Bugs put in on purpose are found, each within a few seeds.

use anser_sim::sabotage::Sabotage;
use anser_sim::workload::Kind;
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

/// Histories that a planted bug may hide from: they are short.
const HISTORIES: u64 = 400;

fn found_in_a_history(sabotage: Sabotage, by: &str) {
    found_in_histories(sabotage, by, HISTORIES);
}

fn found_in_histories(sabotage: Sabotage, by: &str, histories: u64) {
    let finding = (1..=histories).find_map(|seed| {
        let options = Options {
            seed,
            size: Kind::History.size(),
            sabotage: Some(sabotage),
            ..Options::default()
        };
        let failure = run(options).err()?;
        let said = failure.findings.iter().any(|finding| finding.contains(by));
        said.then_some(failure)
    });
    assert!(
        finding.is_some(),
        "{sabotage:?} hides from {histories} histories"
    );
}

#[test]
fn a_mention_that_a_device_does_not_hear_of() {
    found_in_a_history(Sabotage::LostMention, "is shown as");
}

#[test]
fn a_receipt_that_says_too_much() {
    found_in_a_history(Sabotage::ReadTooFar, "others stand at");
}

#[test]
fn a_database_that_loses_a_change() {
    found_in_a_history(Sabotage::ForgottenWrite, "should be");
}

#[test]
fn settings_that_do_not_arrive() {
    found_in_a_history(Sabotage::LostSettings, "is shown as");
}

#[test]
fn targets_that_are_forgotten() {
    found_in_a_history(Sabotage::ForgottenTargets, "is stored as");
}

#[test]
fn messages_that_do_not_burn() {
    found_in_a_history(Sabotage::NoBurning, "does not burn");
}

#[test]
fn a_block_list_that_forgets() {
    found_in_a_history(Sabotage::ForgottenBlocks, "is stored after");
}

#[test]
fn mutes_that_are_forgotten() {
    found_in_a_history(Sabotage::ForgottenMutes, "by the notices");
}

#[test]
fn acknowledgements_that_are_lost() {
    // Few messages want it, and only in private chats is it sure who should have.
    found_in_histories(
        Sabotage::LostAcknowledgement,
        "is not acknowledged",
        8 * HISTORIES,
    );
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
    found(Sabotage::Miscount, "is shown as");
}
