//! A seed decides everything.

use anser_sim::{Options, run};

fn trace(seed: u64) -> (u64, u64, u64) {
    let options = Options {
        seed,
        ..Options::default()
    };
    let report = run(options).unwrap_or_else(|failure| panic!("{failure}"));
    (report.fingerprint, report.now, report.next_random)
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 1..=6 {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
}

#[test]
fn another_seed_is_another_run() {
    assert_ne!(trace(1).0, trace(2).0);
}
