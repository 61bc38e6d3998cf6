//! The floor of everything durable: the bench `store append`, in a process of its own.

use std::process::{Command, Stdio};

use serde::Deserialize;

use super::Context;
use crate::latency::Quantiles;
use crate::process::load_average;
use crate::report::Row;

#[derive(Deserialize)]
struct Output {
    units_per_s: f64,
    cpu_us_per_unit: f64,
    not_committed: u64,
    latency_ms: LatencyMs,
}

#[derive(Deserialize)]
struct LatencyMs {
    p50: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

/// So many senders with one unit in flight each, on an empty store.
pub(crate) fn measure(context: &Context, senders: usize) -> Result<Row, String> {
    let dir = tempfile::tempdir_in(&context.dir).map_err(|error| error.to_string())?;
    let seconds = context.measure.as_secs().max(1);
    let output = Command::new(&context.append)
        .arg("--dir")
        .arg(dir.path())
        .args(["--senders", &senders.to_string()])
        .args(["--seconds", &seconds.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{}: {error}", context.append.display()))?;
    if !output.status.success() {
        return Err(format!("store append: {}", output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    let detail: serde_json::Value =
        serde_json::from_str(line).map_err(|error| format!("store append: {error}: {line:?}"))?;
    let append = Output::deserialize(&detail).map_err(|error| format!("store append: {error}"))?;
    if append.not_committed > 0 {
        return Err(format!(
            "store append: {} units failed",
            append.not_committed
        ));
    }
    #[expect(clippy::cast_possible_truncation, reason = "units of a run of minutes")]
    let count = (append.units_per_s * context.measure.as_secs_f64()) as u64;
    let LatencyMs {
        p50,
        p99,
        p999,
        max,
    } = append.latency_ms;
    Ok(Row {
        scenario: format!("append {senders} senders"),
        subject: "floor store",
        rate: Some(append.units_per_s),
        unit: "unit",
        cpu_us: Some(append.cpu_us_per_unit),
        latency: Some(Quantiles {
            count,
            p50_ms: p50,
            p99_ms: p99,
            p999_ms: p999,
            max_ms: max,
        }),
        rss_bytes: None,
        other_cpu_percent: None,
        load_average: load_average(),
        detail,
    })
}
