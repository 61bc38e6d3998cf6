//! A million messages in ten thousand conversations, with faults and kills, measured.
//!
//! ```text
//! cargo bench -p anser-leancloud-archive --bench full_size [-- --messages 1000000 --conversations 10000]
//! ```
//!
//! Starts the stand-in, runs the real program, kills it six times, lets it finish, compares the
//! archive with the source row by row, and prints requests against the minimum and the memory over
//! time. Fails if the archive differs, if requests exceed the minimum by more than 5 %, or if memory
//! grows.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads the clock, waits, and prints"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use serde_json::Value;

#[path = "../tests/stand_in/mod.rs"]
#[allow(dead_code, reason = "the tests use other parts of it")]
mod stand_in;

use stand_in::StandIn;
use stand_in::faults::Faults;
use stand_in::routes::{APP_ID, MASTER_KEY};
use stand_in::source::{Size, Sort, Source};

const PROGRAM: &str = env!("CARGO_BIN_EXE_anser-leancloud-archive");
/// Thousandths of all requests at which the program is killed.
const KILLS: [u64; 6] = [20, 40, 60, 200, 500, 800];
const PARALLEL: &str = "4";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if !args.iter().any(|arg| arg == "--bench") {
        println!("a measurement: run it with `cargo bench`");
        return;
    }
    let number = |name: &str, default: usize| {
        let at = args.iter().position(|arg| arg == name);
        at.map_or(default, |at| args[at + 1].parse().expect("a number"))
    };
    let messages = number("--messages", 1_000_000);
    let size = Size {
        messages,
        conversations: number("--conversations", 10_000),
        days: 180,
        users: 20_000,
    };
    let source = Source::new(size);
    let minimum = Minimum::of(&source);
    let faults = Faults {
        seed: 11,
        slow: 20,
        reset: 4,
        server_error: 3,
        garbage: 1,
        truncated: 4,
        ..Faults::default()
    };
    let server = StandIn::start(source, faults);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let archive = dir.path().join("archive");

    let began = Instant::now();
    let mut memory = Vec::new();
    for share in KILLS {
        let target = minimum.total() * share / 1000;
        let mut child = start(&server, &archive);
        watch(&mut child, &server, began, &mut memory, Some(target));
        child.kill().expect("it runs");
        child.wait().expect("it was killed");
    }
    let last_run = memory.len();
    let mut child = start(&server, &archive);
    watch(&mut child, &server, began, &mut memory, None);
    let status = child.wait().expect("it ended");
    assert!(status.success(), "{status}");
    let took = began.elapsed();

    let compared = compare(&archive, &server.state.source);
    println!(
        "{messages} messages archived in {took:.1?} with {} kills; {compared} rows equal",
        KILLS.len()
    );
    let worst = report_requests(&server, &minimum);
    let growth = report_memory(&memory, last_run);
    let verify = Command::new(PROGRAM)
        .arg("verify")
        .arg(&archive)
        .status()
        .expect("it runs");
    assert!(verify.success());
    server.state.forget_counts();
    assert!(start(&server, &archive).wait().expect("it ended").success());
    let again: u64 = server
        .state
        .counts
        .lock()
        .expect("unpoisoned")
        .values()
        .map(|c| c.arrived - c.faulty)
        .sum();
    println!(
        "second run: {again} requests, none for messages: {}",
        server.state.count("messages").arrived == 0
    );
    assert!(worst <= 1.05, "requests: {worst:.3} of the minimum");
    assert!(growth <= 1.25, "memory grew by {growth:.2}");
}

fn start(server: &StandIn, archive: &Path) -> Child {
    Command::new(PROGRAM)
        .arg("archive")
        .arg(archive)
        .args([
            "--host",
            &server.url(),
            "--app-id",
            APP_ID,
            "--quiet",
            "--settle",
            "0",
        ])
        .args(["--rate", "1000", "--parallel", PARALLEL])
        .env("LEANCLOUD_MASTER_KEY", MASTER_KEY)
        .stdin(Stdio::null())
        .spawn()
        .expect("the program is built")
}

/// Memory of the program (MiB) by time and requests, until it ends or the source has had `target`
/// requests.
fn watch(
    child: &mut Child,
    server: &StandIn,
    began: Instant,
    memory: &mut Vec<(Duration, u64, f64)>,
    target: Option<u64>,
) {
    while child.try_wait().expect("it can be asked").is_none() {
        let requests = server.state.total();
        if target.is_some_and(|target| requests >= target) {
            return;
        }
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok());
        if let Some(kib) = kib {
            memory.push((began.elapsed(), requests, kib / 1024.0));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Requests that nothing could do without.
struct Minimum {
    kinds: [(&'static str, u64); 5],
}

impl Minimum {
    fn of(source: &Source) -> Self {
        let pages = |rows: usize, page: usize| rows.div_ceil(page) as u64;
        let listed = || {
            (0..u32::try_from(source.size.conversations).expect("few"))
                .filter(|&n| source.sort(n) != Sort::Temporary)
        };
        // Two lists each (blocks and silences, or blocks and broadcasts), more pages for long ones.
        let lists = listed()
            .map(|n| pages(source.blocked(n).len().max(1), 100) + 1)
            .sum();
        let services = listed().filter(|&n| source.sort(n) == Sort::Service);
        let subscribers = services
            .map(|n| pages(source.subscribers(n).len(), 50))
            .sum();
        let classes = source
            .classes
            .values()
            .map(|objects| pages(objects.len(), 1000))
            .sum();
        let messages = pages(source.messages.len(), 1000);
        Self {
            kinds: [
                ("messages", messages),
                ("classes", classes),
                ("lists", lists),
                ("subscribers", subscribers),
                // The second opinion: four conversations of each sort.
                ("conversations", 12),
            ],
        }
    }

    fn total(&self) -> u64 {
        self.kinds.iter().map(|(_, count)| count).sum()
    }
}

/// Prints requests by kind; gives back the worse of the ratios for messages and for everything.
fn report_requests(server: &StandIn, minimum: &Minimum) -> f64 {
    println!(
        "{:<12} {:>9} {:>9} {:>9} {:>9} {:>7}",
        "requests", "minimum", "arrived", "failed*", "good", "ratio"
    );
    let (mut good, mut of_messages) = (0, 0.0);
    for (kind, least) in minimum.kinds {
        let count = server.state.count(kind);
        let fine = count.arrived - count.faulty;
        let ratio = fine as f64 / least as f64;
        println!(
            "{kind:<12} {least:>9} {:>9} {:>9} {fine:>9} {ratio:>7.3}",
            count.arrived, count.faulty
        );
        good += fine;
        if kind == "messages" {
            of_messages = ratio;
        }
    }
    let ratio = good as f64 / minimum.total() as f64;
    println!(
        "{:<12} {:>9} {:>29} {ratio:>7.3}",
        "all",
        minimum.total(),
        good
    );
    println!("* made to fail by the source; the others include what was under way at a kill");
    ratio.max(of_messages)
}

/// Prints the curve of the last run and gives back by how much its second half exceeds its first.
fn report_memory(memory: &[(Duration, u64, f64)], last_run: usize) -> f64 {
    let last = &memory[last_run..];
    println!("memory of the last run (MiB, highest in each tenth of its time):");
    let tenth = last.len().div_ceil(10).max(1);
    for part in last.chunks(tenth) {
        let (time, requests, _) = part[part.len() - 1];
        println!(
            "  {:>6.1} s {requests:>8} requests {:>7.1}",
            time.as_secs_f64(),
            peak(part)
        );
    }
    println!("highest of all runs: {:.1} MiB", peak(memory));
    let (first, second) = last.split_at(last.len() / 2);
    peak(second) / peak(first)
}

fn peak(part: &[(Duration, u64, f64)]) -> f64 {
    part.iter().map(|&(_, _, mib)| mib).fold(0.0, f64::max)
}

/// Every message of the archive, through nothing but gzip, against the source.
fn compare(archive: &Path, source: &Source) -> usize {
    let manifest = std::fs::read(archive.join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let mut expected = source.messages.iter().map(|message| source.row(message));
    let mut count = 0;
    for (name, unit) in manifest["units"].as_object().expect("units") {
        if name.starts_with("messages/") && unit["rows"] != 0 {
            let file =
                std::fs::File::open(archive.join(format!("{name}.jsonl.gz"))).expect("a unit");
            for line in BufReader::new(MultiGzDecoder::new(file)).lines() {
                assert_eq!(line.ok(), expected.next(), "message {count}");
                count += 1;
            }
        }
    }
    assert_eq!(expected.next(), None);
    count
}
