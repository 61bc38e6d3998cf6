//! Runs seeds of the simulation.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anser_sim::ledger::Tally;
use anser_sim::workload::{Kind, Size};
use anser_sim::{Options, run, shrink};
use clap::Parser;
use parking_lot::Mutex;

/// Runs the cluster with its clients under seeds, and says which of them fail.
#[derive(Parser)]
struct Arguments {
    /// Runs this seed of the cluster only.
    #[arg(long, conflicts_with_all = ["seeds", "history", "histories"])]
    seed: Option<u64>,
    /// Runs these seeds of the cluster, such as 1..300 (both included).
    #[arg(long, value_parser = range, default_value = "1..100")]
    seeds: RangeInclusive<u64>,
    /// Runs this history only.
    #[arg(long, conflicts_with_all = ["seeds", "histories"])]
    history: Option<u64>,
    /// Runs these histories: few users, little time, hardly any faults, all operations.
    #[arg(long, value_parser = range, conflicts_with = "seeds")]
    histories: Option<RangeInclusive<u64>>,
    /// Steps of devices and backends in each run; of a history, at most. Else 160, and 40.
    #[arg(long)]
    steps: Option<usize>,
    /// Only these steps of one run, such as 3,7,12: as a shrunk failure says.
    #[arg(long, value_delimiter = ',')]
    only: Option<Vec<usize>>,
    /// Leaves steps out of a failing run as long as it fails; the first failures only.
    #[arg(long)]
    shrink: bool,
    /// Says everything that happens.
    #[arg(long)]
    trace: bool,
    /// Runs seeds side by side on so many threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Stops after so many failing seeds.
    #[arg(long, default_value_t = 10)]
    failures: u64,
}

/// Failing runs that are shrunk.
const SHRUNK_MAX: u64 = 3;

fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let parse = |text: &str| text.parse().map_err(|error| format!("{text}: {error}"));
    let (from, to) = text.split_once("..").ok_or("seeds are given as 1..300")?;
    Ok(parse(from)?..=parse(to)?)
}

impl Arguments {
    /// What kind of run, and which seeds.
    fn wanted(&self) -> (Kind, RangeInclusive<u64>) {
        match (self.seed, self.history, &self.histories) {
            (Some(seed), ..) => (Kind::Cluster, seed..=seed),
            (_, Some(seed), _) => (Kind::History, seed..=seed),
            (.., Some(seeds)) => (Kind::History, seeds.clone()),
            _ => (Kind::Cluster, self.seeds.clone()),
        }
    }

    fn options(&self, kind: Kind, seed: u64) -> Options {
        let size = kind.size();
        Options {
            seed,
            size: Size {
                steps: self.steps.unwrap_or(size.steps),
                ..size
            },
            sabotage: None,
            only: self.only.clone().map(BTreeSet::from_iter),
            trace: self.trace,
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (kind, seeds) = arguments.wanted();
    let (next, failures) = (AtomicU64::new(*seeds.start()), AtomicU64::new(0));
    let (tally, quiet) = (Mutex::new(Tally::default()), AtomicBool::new(false));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > *seeds.end() || quiet.load(Ordering::Relaxed) {
                return;
            }
            match run(arguments.options(kind, seed)) {
                Ok(report) => {
                    let mut tally = tally.lock();
                    for (what, times) in report.tally.0 {
                        *tally.0.entry(what).or_default() += times;
                    }
                }
                Err(failure) => {
                    let failed = failures.fetch_add(1, Ordering::Relaxed) + 1;
                    let failure = match arguments.shrink && failed <= SHRUNK_MAX {
                        true => shrink(failure),
                        false => failure,
                    };
                    eprintln!("{failure}");
                    if failed >= arguments.failures {
                        quiet.store(true, Ordering::Relaxed);
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads.max(1) {
            scope.spawn(work);
        }
    });
    for (what, times) in &tally.lock().0 {
        println!("{times:>10} {what}");
    }
    let runs = match kind {
        Kind::Cluster => "seeds",
        Kind::History => "histories",
    };
    match failures.load(Ordering::Relaxed) {
        0 => {
            println!("all of {runs} {}..{} hold", seeds.start(), seeds.end());
            ExitCode::SUCCESS
        }
        failed => {
            eprintln!("{failed} {runs} of {}..{} fail", seeds.start(), seeds.end());
            ExitCode::FAILURE
        }
    }
}
