//! `store append`: how many durable, message-like units a second does the embedded store take,
//! and what does each cost?
//!
//! Senders each keep one unit in flight. A unit is what one chat message writes: the message row
//! (about 300 bytes), the conversation's head under an `Equals` expectation, the idempotency row,
//! the message-id row, and one small row. Conversations are picked by a Zipf law, so some heads
//! are hot and most are cold. Prints one JSON object.
//!
//! ```text
//! cargo run --release -p anser-store --example append -- --dir /tmp/append --seconds 10
//! ```

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the ambient world"
)]
#![expect(clippy::print_stdout, reason = "the result is the output")]

mod process;
mod workload;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anser_store::{EmbeddedOptions, Outcome, Store};
use hdrhistogram::Histogram;
use serde_json::json;

use self::process::Usage;
use self::workload::{Workload, spaces};

struct Arguments {
    dir: String,
    senders: usize,
    seconds: u64,
    conversations: usize,
    preload: usize,
    memtable_mib: usize,
    seed: u64,
}

fn arguments() -> Result<Arguments, String> {
    let mut given = BTreeMap::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let name = word
            .strip_prefix("--")
            .ok_or(format!("{word:?}: options begin with --"))?;
        let value = words.next().ok_or(format!("--{name} needs a value"))?;
        given.insert(name.to_owned(), value);
    }
    let mut number = |name: &str, default: u64| match given.remove(name) {
        Some(text) => text
            .parse::<u64>()
            .map_err(|_| format!("--{name}: {text:?} is no number")),
        None => Ok(default),
    };
    let small = |number: u64| usize::try_from(number).map_err(|error| error.to_string());
    let senders = small(number("senders", 256)?)?;
    let seconds = number("seconds", 10)?;
    let conversations = small(number("conversations", 200_000)?)?;
    let preload = small(number("preload", 0)?)?;
    let memtable_mib = small(number("memtable-mib", 32)?)?;
    let seed = number("seed", 1)?;
    let dir = given
        .remove("dir")
        .ok_or("--dir is required: a directory on the disk to measure")?;
    match given.keys().next() {
        Some(name) => Err(format!("--{name} is not an option")),
        None => Ok(Arguments {
            dir,
            senders,
            seconds,
            conversations,
            preload,
            memtable_mib,
            seed,
        }),
    }
}

struct Counters {
    workload: Workload,
    latency: Histogram<u64>,
    committed: u64,
    other: u64,
}

async fn sender(store: Store, counters: Rc<RefCell<Counters>>, end: Instant) {
    loop {
        let now = Instant::now();
        if now >= end {
            return;
        }
        let unit = counters.borrow_mut().workload.next_unit();
        let outcomes = store.commit(vec![unit]).await;
        let mut counters = counters.borrow_mut();
        let micros = u64::try_from(now.elapsed().as_micros()).unwrap_or(u64::MAX);
        counters.latency.saturating_record(micros);
        match outcomes[..] {
            [Outcome::Committed] => counters.committed += 1,
            _ => counters.other += 1,
        }
    }
}

async fn preload(store: &Store, workload: &mut Workload, units: usize) -> Result<(), String> {
    let mut left = units;
    while left > 0 {
        let batch: Vec<_> = (0..left.min(2000)).map(|_| workload.next_unit()).collect();
        left -= batch.len();
        let outcomes = store.commit(batch).await;
        if let Some(outcome) = outcomes.iter().find(|outcome| !outcome.is_committed()) {
            return Err(format!("preload: {outcome:?}"));
        }
    }
    Ok(())
}

fn main() -> Result<(), String> {
    let arguments = arguments()?;
    let opening = Instant::now();
    let options = EmbeddedOptions {
        memtable_bytes: arguments.memtable_mib << 20,
        ..EmbeddedOptions::new(&arguments.dir)
    };
    let store = Store::embedded(&options, &spaces()).map_err(|error| error.to_string())?;
    let open_ms = opening.elapsed().as_millis();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| error.to_string())?;
    let local = tokio::task::LocalSet::new();

    let mut workload = Workload::new(arguments.seed, arguments.conversations);
    local.block_on(&runtime, workload.learn_heads(&store))?;
    local.block_on(&runtime, preload(&store, &mut workload, arguments.preload))?;
    let user_bytes_before = workload.bytes;
    let counters = Rc::new(RefCell::new(Counters {
        workload,
        latency: Histogram::new_with_bounds(1, 120_000_000, 3)
            .map_err(|error| error.to_string())?,
        committed: 0,
        other: 0,
    }));

    let before = Usage::now();
    let start = Instant::now();
    let end = start + Duration::from_secs(arguments.seconds);
    local.block_on(&runtime, async {
        let senders: Vec<_> = (0..arguments.senders)
            .map(|_| tokio::task::spawn_local(sender(store.clone(), Rc::clone(&counters), end)))
            .collect();
        for sender in senders {
            sender.await.map_err(|error| error.to_string())?;
        }
        Ok::<(), String>(())
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let after = Usage::now();
    let closing = Instant::now();
    runtime
        .block_on(store.close())
        .map_err(|error| error.to_string())?;
    let close_ms = closing.elapsed().as_millis();

    let counters = counters.borrow();
    let units = counters.committed.max(1) as f64;
    let quantile = |q| counters.latency.value_at_quantile(q) as f64 / 1000.0;
    let user_bytes = (counters.workload.bytes - user_bytes_before) as f64;
    let written = after.written_bytes.saturating_sub(before.written_bytes) as f64;
    let report = json!({
        "bench": "store append",
        "senders": arguments.senders,
        "seconds": seconds,
        "units_per_s": units / seconds,
        "not_committed": counters.other,
        "cpu_us_per_unit": before.cpu_micros_until(&after) / units,
        "cpu_us_per_unit_by_thread": before.cpu_by_thread_until(&after, units),
        "latency_ms": {
            "p50": quantile(0.5),
            "p99": quantile(0.99),
            "p999": quantile(0.999),
            "max": counters.latency.max() as f64 / 1000.0,
        },
        "written_per_user_byte": written / user_bytes,
        "rss_mb": after.rss_bytes as f64 / 1e6,
        "open_ms": open_ms,
        "close_ms": close_ms,
        "load_average": process::load_average(),
    });
    println!("{report}");
    Ok(())
}
