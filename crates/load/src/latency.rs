//! Latencies in an HDR histogram, and their summary.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Records durations of up to a minute with three digits.
pub(crate) struct Latency(Histogram<u64>);

/// Milliseconds at the usual quantiles.
#[derive(Clone, Serialize)]
pub(crate) struct Quantiles {
    /// How many were measured.
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
}

impl Latency {
    pub(crate) fn new() -> Self {
        let microseconds = Histogram::new_with_max(60_000_000, 3);
        Self(microseconds.expect("a minute and three digits are within bounds"))
    }

    /// Longer than a minute counts as a minute.
    pub(crate) fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros);
    }

    pub(crate) fn quantiles(&self) -> Quantiles {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1000.0;
        Quantiles {
            count: self.0.len(),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: self.0.max() as f64 / 1000.0,
        }
    }
}
