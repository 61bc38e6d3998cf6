//! Figures about requests, in Prometheus' text format.
//!
//! Labels are routes as they are registered, never paths as they were asked for, so their number
//! is fixed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use parking_lot::Mutex;

/// Upper bounds of the buckets of durations, in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

#[derive(Clone, Default)]
struct Durations {
    /// One more than bounds: the last takes what is above them all.
    buckets: [u64; BOUNDS.len() + 1],
    sum: f64,
    count: u64,
}

type Series = BTreeMap<(String, String), (BTreeMap<u16, u64>, Durations)>;

/// Requests by route, method and status, and how long they took.
#[derive(Default)]
pub(super) struct HttpMetrics {
    series: Mutex<Series>,
}

impl HttpMetrics {
    pub(super) fn record(&self, route: &str, method: &str, status: u16, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
        let mut series = self.series.lock();
        let (statuses, durations) = series
            .entry((route.to_owned(), method.to_owned()))
            .or_default();
        *statuses.entry(status).or_default() += 1;
        durations.buckets[bucket] += 1;
        durations.sum += seconds;
        durations.count += 1;
    }

    pub(super) fn write(&self, out: &mut String) {
        let series = self.series.lock();
        out.push_str("# HELP anser_http_requests_total Answered HTTP requests.\n");
        out.push_str("# TYPE anser_http_requests_total counter\n");
        for ((route, method), (statuses, _)) in series.iter() {
            for (status, count) in statuses {
                let _ = writeln!(
                    out,
                    "anser_http_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}} {count}"
                );
            }
        }
        let name = "anser_http_request_duration_seconds";
        let _ = writeln!(out, "# HELP {name} From a request's head to its answer.");
        let _ = writeln!(out, "# TYPE {name} histogram");
        for ((route, method), (_, durations)) in series.iter() {
            let labels = format!("route=\"{route}\",method=\"{method}\"");
            let mut below = 0;
            for (bound, count) in BOUNDS.iter().zip(durations.buckets) {
                below += count;
                let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {below}");
            }
            let count = durations.count;
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
            let _ = writeln!(out, "{name}_sum{{{labels}}} {}", durations.sum);
            let _ = writeln!(out, "{name}_count{{{labels}}} {count}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let metrics = HttpMetrics::default();
        for ms in [1, 2, 40, 9_000] {
            metrics.record("/v1/x", "GET", 200, Duration::from_millis(ms));
        }
        let mut text = String::new();
        metrics.write(&mut text);
        let labels = "route=\"/v1/x\",method=\"GET\"";
        for expected in [
            format!("anser_http_requests_total{{{labels},status=\"200\"}} 4"),
            format!("anser_http_request_duration_seconds_bucket{{{labels},le=\"0.001\"}} 1"),
            format!("anser_http_request_duration_seconds_bucket{{{labels},le=\"0.05\"}} 3"),
            format!("anser_http_request_duration_seconds_bucket{{{labels},le=\"5\"}} 3"),
            format!("anser_http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 4"),
        ] {
            assert!(
                text.lines().any(|line| line == expected),
                "{expected}\n{text}"
            );
        }
    }
}
