//! What the kernel counted for this process: CPU by thread, bytes written, memory.

use std::collections::BTreeMap;
use std::fs;

/// Length of a clock tick in `/proc/*/stat`: `USER_HZ` is 100 on every Linux that we run on.
const TICK_MICROS: f64 = 10_000.0;

pub(crate) struct Usage {
    cpu_ticks: u64,
    /// Thread names to nanoseconds on CPU, of the threads alive now.
    cpu_by_thread: BTreeMap<String, u64>,
    pub(crate) written_bytes: u64,
    pub(crate) rss_bytes: u64,
}

impl Usage {
    pub(crate) fn now() -> Usage {
        Usage {
            cpu_ticks: cpu_ticks(),
            cpu_by_thread: cpu_by_thread(),
            written_bytes: field("/proc/self/io", "write_bytes:"),
            rss_bytes: field("/proc/self/status", "VmRSS:") * 1024,
        }
    }

    pub(crate) fn cpu_micros_until(&self, after: &Usage) -> f64 {
        (after.cpu_ticks - self.cpu_ticks) as f64 * TICK_MICROS
    }

    pub(crate) fn cpu_by_thread_until(&self, after: &Usage, units: f64) -> BTreeMap<String, f64> {
        after
            .cpu_by_thread
            .iter()
            .map(|(name, nanos)| {
                let before = self.cpu_by_thread.get(name).copied().unwrap_or(0);
                (
                    name.clone(),
                    nanos.saturating_sub(before) as f64 / 1000.0 / units,
                )
            })
            .collect()
    }
}

fn cpu_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The command may hold spaces; fields are counted from behind it (proc(5): 14 and 15).
    let rest = stat.rsplit(") ").next().unwrap_or_default();
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|f| f.parse::<u64>().ok())
            .unwrap_or(0)
    };
    ticks(11) + ticks(12)
}

fn cpu_by_thread() -> BTreeMap<String, u64> {
    let mut threads = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let nanos = stat
            .split(' ')
            .next()
            .and_then(|n| n.parse::<u64>().ok())
            .unwrap_or(0);
        *threads.entry(name.trim().to_owned()).or_insert(0) += nanos;
    }
    threads
}

fn field(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

pub(crate) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0.0)
}
