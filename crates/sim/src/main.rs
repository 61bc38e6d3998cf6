//! Runs seeds of the simulation.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anser_sim::ledger::Tally;
use anser_sim::workload::Size;
use anser_sim::{Options, run};
use clap::Parser;
use parking_lot::Mutex;

/// Runs the cluster with its clients under seeds, and says which of them fail.
#[derive(Parser)]
struct Arguments {
    /// Runs this seed only.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Runs these seeds, such as 1..300 (both included).
    #[arg(long, value_parser = range, default_value = "1..100")]
    seeds: RangeInclusive<u64>,
    /// Steps of devices and backends in each run.
    #[arg(long, default_value_t = Size::default().steps)]
    steps: usize,
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

fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let parse = |text: &str| text.parse().map_err(|error| format!("{text}: {error}"));
    let (from, to) = text.split_once("..").ok_or("seeds are given as 1..300")?;
    Ok(parse(from)?..=parse(to)?)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seeds = match arguments.seed {
        Some(seed) => seed..=seed,
        None => arguments.seeds.clone(),
    };
    let (next, failures) = (AtomicU64::new(*seeds.start()), AtomicU64::new(0));
    let (tally, quiet) = (Mutex::new(Tally::default()), AtomicBool::new(false));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > *seeds.end() || quiet.load(Ordering::Relaxed) {
                return;
            }
            let options = Options {
                seed,
                size: Size {
                    steps: arguments.steps,
                },
                sabotage: None,
                trace: arguments.trace,
            };
            match run(options) {
                Ok(report) => {
                    let mut tally = tally.lock();
                    for (what, times) in report.tally.0 {
                        *tally.0.entry(what).or_default() += times;
                    }
                }
                Err(failure) => {
                    eprintln!("{failure}");
                    if failures.fetch_add(1, Ordering::Relaxed) + 1 >= arguments.failures {
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
    match failures.load(Ordering::Relaxed) {
        0 => {
            println!("all of seeds {}..{} hold", seeds.start(), seeds.end());
            ExitCode::SUCCESS
        }
        failed => {
            eprintln!("{failed} seeds fail");
            ExitCode::FAILURE
        }
    }
}
