//! Seeds hold, and what a simulation is for really happens in them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anser_sim::ledger::Tally;
use anser_sim::{Options, run};

/// A few hundred; `make soak` runs thousands of others.
const SEEDS: u64 = 300;
/// Seeds are independent of one another.
const THREADS: usize = 2;

#[test]
fn every_seed_holds() {
    let next = AtomicU64::new(1);
    let (tally, failures) = (Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > SEEDS {
                        return;
                    }
                    let options = Options {
                        seed,
                        ..Options::default()
                    };
                    match run(options) {
                        Ok(report) => {
                            let mut tally = tally.lock().unwrap();
                            for (what, times) in report.tally.0 {
                                *tally.0.entry(what).or_default() += times;
                            }
                        }
                        Err(failure) => failures.lock().unwrap().push(failure.to_string()),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let tally = tally.into_inner().unwrap().0;
    for what in [
        "sends acknowledged",
        "sends timed out",
        "sends not reachable",
        "messages delivered",
        "losses told",
        "crashes",
        "stops of nodes",
        "isolated nodes",
        "cuts of devices",
        "changes of the store",
        "changes of the network",
        "restarts of devices",
        "lists read",
        "pages of history",
    ] {
        assert!(
            tally.contains_key(what),
            "no {what} in {SEEDS} seeds: {tally:?}"
        );
    }
}
