//! Figures, as a table for people and as JSON for programs.

use std::path::Path;

use serde::Serialize;

use crate::crash::Survived;
use crate::latency::Quantiles;
use crate::process::Watched;

/// One measurement.
#[derive(Clone, Serialize)]
pub(crate) struct Row {
    /// What was run, with its parameters: `p2p W=8`.
    pub(crate) scenario: String,
    /// Who was measured: `anser`, or a floor.
    pub(crate) subject: &'static str,
    /// Things a second.
    pub(crate) rate: Option<f64>,
    /// Of what the rate and the CPU are: delivery, message, login …
    pub(crate) unit: &'static str,
    /// Microseconds of server CPU for each.
    pub(crate) cpu_us: Option<f64>,
    /// The latency that matters to the scenario.
    pub(crate) latency: Option<Quantiles>,
    /// Bytes of resident memory of the server for each.
    pub(crate) rss_bytes: Option<f64>,
    /// CPU of others meanwhile, percent of the machine.
    pub(crate) other_cpu_percent: Option<f64>,
    /// Load average at the end.
    pub(crate) load_average: f64,
    /// Everything else that was measured.
    pub(crate) detail: serde_json::Value,
}

impl Row {
    /// A row about so many things in a watched stretch.
    pub(crate) fn new(
        scenario: String,
        subject: &'static str,
        unit: &'static str,
        count: u64,
        watched: &Watched,
    ) -> Self {
        Self {
            scenario,
            subject,
            unit,
            rate: Some(watched.rate(count)),
            cpu_us: Some(watched.server_micros_per(count)),
            latency: None,
            rss_bytes: None,
            other_cpu_percent: Some(watched.other_cpu_percent),
            load_average: watched.load_average,
            detail: serde_json::to_value(watched).expect("plain numbers"),
        }
    }

    /// With a latency.
    pub(crate) fn latency(mut self, latency: Quantiles) -> Self {
        self.latency = Some(latency);
        self
    }

    /// With everything else that was measured.
    pub(crate) fn detail(mut self, detail: &impl Serialize) -> Self {
        self.detail = serde_json::to_value(detail).expect("plain numbers and texts");
        self
    }
}

/// A figure against what is asked of it.
#[derive(Clone, Serialize)]
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// True if less is better.
    pub(crate) at_most: bool,
    /// What it has to reach.
    pub(crate) pass: f64,
    /// What it should reach.
    pub(crate) aim: f64,
    /// The medians it was made of.
    pub(crate) from: String,
}

impl Check {
    fn reaches(&self, bar: f64) -> bool {
        if self.at_most {
            self.value <= bar
        } else {
            self.value >= bar
        }
    }

    fn verdict(&self) -> &'static str {
        match (self.reaches(self.pass), self.reaches(self.aim)) {
            (_, true) => "aim",
            (true, false) => "pass",
            (false, false) => "MISS",
        }
    }
}

/// All of a run.
#[derive(Default, Serialize)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) checks: Vec<Check>,
    /// Of the crash test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crash: Option<Survived>,
}

impl Report {
    /// Prints the table and writes the JSON, if asked for.
    pub(crate) fn publish(&self, json: Option<&Path>) -> Result<(), String> {
        if !self.rows.is_empty() {
            print(&rows(&self.rows));
        }
        if !self.checks.is_empty() {
            print("");
            print(&checks(&self.checks));
        }
        if let Some(survived) = &self.crash {
            print(&serde_json::to_string(survived).map_err(|error| error.to_string())?);
        }
        if let Some(path) = json {
            let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
            std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }
}

/// The one place that writes to standard output: tables are what the tool is for.
#[expect(clippy::print_stdout, reason = "the table is the output")]
pub(crate) fn print(text: &str) {
    println!("{text}");
}

/// Says what is going on, for a person who waits.
#[expect(clippy::print_stderr, reason = "progress of a command-line tool")]
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// A number with three or four digits that matter.
pub(crate) fn short(number: f64) -> String {
    match number.abs() {
        n if n >= 1e6 => format!("{:.2}M", number / 1e6),
        n if n >= 1e4 => format!("{:.1}k", number / 1e3),
        n if n >= 100.0 => format!("{number:.0}"),
        n if n >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

fn rows(rows: &[Row]) -> String {
    let head = [
        "scenario", "subject", "unit", "rate/s", "CPU us", "p50 ms", "p99 ms", "max ms", "RSS B",
        "other%", "load",
    ];
    let optional = |number: Option<f64>| number.map_or("-".to_owned(), short);
    let lines = rows.iter().map(|row| {
        let latency = |of: fn(&Quantiles) -> f64| optional(row.latency.as_ref().map(of));
        vec![
            row.scenario.clone(),
            row.subject.to_owned(),
            row.unit.to_owned(),
            optional(row.rate),
            optional(row.cpu_us),
            latency(|latency| latency.p50_ms),
            latency(|latency| latency.p99_ms),
            latency(|latency| latency.max_ms),
            optional(row.rss_bytes),
            optional(row.other_cpu_percent),
            short(row.load_average),
        ]
    });
    table(&head, lines.collect())
}

fn checks(checks: &[Check]) -> String {
    let head = ["what", "value", "pass", "aim", "verdict", "from"];
    let lines = checks.iter().map(|check| {
        let sign = if check.at_most { "<=" } else { ">=" };
        let bar = |number| format!("{sign} {}{}", short(number), check.unit);
        vec![
            check.what.clone(),
            format!("{}{}", short(check.value), check.unit),
            bar(check.pass),
            bar(check.aim),
            check.verdict().to_owned(),
            check.from.clone(),
        ]
    });
    table(&head, lines.collect())
}

/// Columns as wide as they need to be; the output is a Markdown table, too.
fn table(head: &[&str], lines: Vec<Vec<String>>) -> String {
    let mut all = vec![head.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>()];
    all.extend(lines);
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            all.iter()
                .map(|line| line[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("| {} |", cells.join(" | "))
    };
    let mut out = vec![line(&all[0])];
    out.push(line(
        &widths
            .iter()
            .map(|width| "-".repeat(*width))
            .collect::<Vec<_>>(),
    ));
    out.extend(all[1..].iter().map(|cells| line(cells)));
    out.join("\n")
}

/// The middle value (of two, their mean).
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_ignore_outliers() {
        assert_eq!(
            median([3.0, 1000.0, 1.0]).total_cmp(&3.0),
            std::cmp::Ordering::Equal
        );
        assert_eq!(
            median([1.0, 2.0]).total_cmp(&1.5),
            std::cmp::Ordering::Equal
        );
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_check_says_which_bar_it_reaches() {
        let check = |value, at_most| Check {
            what: String::new(),
            value,
            unit: "x",
            at_most,
            pass: if at_most { 1.6 } else { 0.5 },
            aim: if at_most { 1.25 } else { 0.7 },
            from: String::new(),
        };
        assert_eq!(check(1.2, true).verdict(), "aim");
        assert_eq!(check(1.6, true).verdict(), "pass");
        assert_eq!(check(1.7, true).verdict(), "MISS");
        assert_eq!(check(0.7, false).verdict(), "aim");
        assert_eq!(check(0.6, false).verdict(), "pass");
        assert_eq!(check(0.4, false).verdict(), "MISS");
        // A figure that could not be made reaches nothing.
        assert_eq!(check(f64::NAN, true).verdict(), "MISS");
    }
}
