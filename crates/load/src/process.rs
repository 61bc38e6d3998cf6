//! What the kernel counted: CPU and memory of a process, and how busy the machine was besides.
//!
//! All from `/proc` (proc(5)). CPU of a process counts its threads that have ended, too. On
//! loopback a `write` also runs the receiver's side of TCP, so the CPU of a server here is more
//! than it would be with a network card between; floors and product pay it alike.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use serde::Serialize;

/// Length of a clock tick in `/proc`: `USER_HZ` is 100 on every Linux that we run on.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process so far, user and system.
pub(crate) fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name may hold spaces and brackets; fields are counted from behind its last bracket.
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: u32 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u32>().ok())
        .sum();
    TICK * ticks
}

/// CPU time so far by thread name, of the threads alive now.
fn cpu_by_thread(pid: u32) -> BTreeMap<String, Duration> {
    let mut threads: BTreeMap<String, Duration> = BTreeMap::new();
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let nanos = stat.split(' ').next().and_then(|field| field.parse().ok());
        *threads.entry(name.trim().to_owned()).or_default() +=
            Duration::from_nanos(nanos.unwrap_or(0));
    }
    threads
}

/// Resident memory of a process, bytes.
pub(crate) fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|field| field.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Busy time of all processors since boot.
fn machine_busy() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<u32> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|field| u32::try_from(field.parse::<u64>().ok()?).ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal: all but idle and iowait.
    let ticks: u32 = fields
        .iter()
        .take(8)
        .enumerate()
        .filter(|(at, _)| !matches!(at, 3 | 4))
        .map(|(_, ticks)| ticks)
        .sum();
    TICK * ticks
}

/// The load average of the last minute.
pub(crate) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split(' ').next().and_then(|field| field.parse().ok());
    first.unwrap_or(0.0)
}

/// The start of a stretch of time in which a server is watched.
pub(crate) struct Watch {
    server: u32,
    started: Instant,
    server_cpu: Duration,
    by_thread: BTreeMap<String, Duration>,
    own_cpu: Duration,
    busy: Duration,
}

/// What happened in that stretch.
#[derive(Clone, Serialize)]
pub(crate) struct Watched {
    /// Length of the stretch, seconds.
    pub(crate) seconds: f64,
    /// CPU of the server, seconds.
    pub(crate) server_cpu_seconds: f64,
    /// CPU of the server by thread name, seconds, of the threads alive at its end.
    pub(crate) server_cpu_by_thread: BTreeMap<String, f64>,
    /// CPU of this generator, seconds.
    pub(crate) client_cpu_seconds: f64,
    /// CPU that others took, percent of the whole machine.
    pub(crate) other_cpu_percent: f64,
    /// Load average of the last minute, at the end.
    pub(crate) load_average: f64,
}

impl Watch {
    pub(crate) fn start(server: u32) -> Self {
        Self {
            server,
            server_cpu: cpu(server),
            by_thread: cpu_by_thread(server),
            own_cpu: cpu(std::process::id()),
            busy: machine_busy(),
            started: Instant::now(),
        }
    }

    pub(crate) fn stop(self) -> Watched {
        let seconds = self.started.elapsed().as_secs_f64();
        let since = |now: Duration, then: Duration| now.saturating_sub(then).as_secs_f64();
        let server_cpu_seconds = since(cpu(self.server), self.server_cpu);
        let client_cpu_seconds = since(cpu(std::process::id()), self.own_cpu);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let others = since(machine_busy(), self.busy) - server_cpu_seconds - client_cpu_seconds;
        let by_thread = cpu_by_thread(self.server).into_iter().map(|(name, now)| {
            let then = self.by_thread.get(&name).copied().unwrap_or_default();
            (name, since(now, then))
        });
        Watched {
            seconds,
            server_cpu_seconds,
            server_cpu_by_thread: by_thread.collect(),
            client_cpu_seconds,
            other_cpu_percent: (100.0 * others / seconds / processors as f64).max(0.0),
            load_average: load_average(),
        }
    }
}

impl Watched {
    /// Microseconds of server CPU for each of `count` things.
    pub(crate) fn server_micros_per(&self, count: u64) -> f64 {
        self.server_cpu_seconds * 1e6 / count.max(1) as f64
    }

    /// Things a second.
    pub(crate) fn rate(&self, count: u64) -> f64 {
        count as f64 / self.seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_this_process_is_seen() {
        let watch = Watch::start(std::process::id());
        let until = Instant::now() + Duration::from_millis(80);
        let mut sum = 0_u64;
        while Instant::now() < until {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let watched = watch.stop();
        assert!(watched.server_cpu_seconds > 0.0);
        assert!(watched.rate(10) > 0.0);
        assert!(resident(std::process::id()) > 100_000);
    }
}
