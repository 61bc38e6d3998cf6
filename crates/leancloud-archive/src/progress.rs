//! What a run is doing, for people (bars or lines) and for programs (JSON), on standard error.
//!
//! The readers only add to counters; one reporter looks at them at its own pace.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::ambient;
use crate::api::Api;
use crate::cli::Form;

/// How often bars are drawn and JSON is written, and how often lines are.
const TICK: Duration = Duration::from_secs(1);
const LINE_EVERY: u32 = 10;

/// Counters that the readers add to.
#[derive(Debug, Default)]
pub struct Progress {
    /// Messages stored in this run.
    pub(crate) messages: AtomicU64,
    /// Rows of classes, lists and subscribers stored in this run.
    pub(crate) rows: AtomicU64,
    /// Files downloaded.
    pub(crate) files: AtomicU64,
    /// Milliseconds of history to read in this run, and how many are read.
    pub(crate) span: AtomicU64,
    pub(crate) span_done: AtomicU64,
    /// What is being read.
    doing: Mutex<String>,
}

/// One look at a run.
#[derive(Debug, Serialize)]
pub(crate) struct Look {
    messages: u64,
    messages_per_second: f64,
    rows: u64,
    files: u64,
    requests: u64,
    throttled: u64,
    failed: u64,
    /// Requests a second that are allowed at present.
    rate: f64,
    /// Of the history to read, 0 to 1.
    history_done: f64,
    remaining_seconds: Option<u64>,
    reading: String,
}

impl Progress {
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    /// Says what is being read now.
    pub(crate) fn doing(&self, what: impl Into<String>) {
        *self
            .doing
            .lock()
            .expect("nothing panics while it holds this") = what.into();
    }

    fn look(&self, api: Option<&Api>, elapsed: Duration) -> Look {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let messages = get(&self.messages);
        let seconds = elapsed.as_secs_f64().max(0.001);
        let (span, done) = (get(&self.span), get(&self.span_done));
        let share = if span == 0 {
            0.0
        } else {
            (done as f64 / span as f64).min(1.0)
        };
        // Below a hundredth an extrapolation says nothing.
        let remaining = (share > 0.01).then(|| seconds / share - seconds);
        let counted = |pick: fn(&crate::api::Counters) -> &AtomicU64| {
            api.map_or(0, |api| get(pick(&api.counters)))
        };
        Look {
            messages,
            messages_per_second: messages as f64 / seconds,
            rows: get(&self.rows),
            files: get(&self.files),
            requests: counted(|c| &c.requests),
            throttled: counted(|c| &c.throttled),
            failed: counted(|c| &c.failed),
            rate: api.map_or(0.0, Api::rate),
            history_done: share,
            remaining_seconds: remaining.map(|s| Duration::from_secs_f64(s.min(1e9)).as_secs()),
            reading: self
                .doing
                .lock()
                .expect("nothing panics while it holds this")
                .clone(),
        }
    }
}

impl Look {
    fn text(&self) -> String {
        let remaining = self.remaining_seconds.map_or_else(String::new, |seconds| {
            format!(" · {} left", HumanDuration(Duration::from_secs(seconds)))
        });
        let trouble = match (self.throttled, self.failed) {
            (0, 0) => String::new(),
            (throttled, failed) => format!(" ({throttled} throttled, {failed} repeated)"),
        };
        format!(
            "{} messages, {:.0}/s · {} rows · {} requests{trouble}, at most {:.1}/s{remaining} · {}",
            HumanCount(self.messages),
            self.messages_per_second,
            HumanCount(self.rows),
            HumanCount(self.requests),
            self.rate,
            self.reading
        )
    }
}

/// The form to use: asked for, or by what standard error is.
pub(crate) fn form(asked: Option<Form>, quiet: bool) -> Form {
    match asked {
        _ if quiet => Form::None,
        Some(form) => form,
        None if std::io::stderr().is_terminal() => Form::Bars,
        None => Form::Lines,
    }
}

/// Reports until the future ends, and once more then.
pub(crate) async fn reported<T>(
    progress: &Progress,
    api: Option<&Api>,
    form: Form,
    work: impl Future<Output = T>,
) -> T {
    let start = ambient::monotonic();
    let bar = match form {
        Form::Bars => ProgressBar::new(1000),
        _ => ProgressBar::hidden(),
    };
    let style =
        ProgressStyle::with_template("[{elapsed_precise}] {wide_bar} {percent:>3} %\n{msg}");
    bar.set_style(style.expect("the template is fixed and valid"));
    let mut work = std::pin::pin!(work);
    let mut ticks: u32 = 0;
    loop {
        let done = ambient::timeout(TICK, work.as_mut()).await;
        let look = progress.look(api, ambient::monotonic() - start);
        ticks = ticks.wrapping_add(1);
        match form {
            Form::Bars => {
                // In thousandths of the history to read.
                bar.set_position(
                    Duration::from_secs_f64(look.history_done)
                        .as_millis()
                        .try_into()
                        .unwrap_or(0),
                );
                bar.set_message(look.text());
            }
            Form::Lines if ticks.is_multiple_of(LINE_EVERY) || done.is_some() => {
                complain(&look.text())
            }
            Form::Json => complain(&json(&look)),
            Form::Lines | Form::None => {}
        }
        if let Some(value) = done {
            bar.finish_and_clear();
            return value;
        }
    }
}

/// One line of JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain structs always serialize")
}

/// A line on standard error; that nobody reads it is no reason to stop.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A line on standard output.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_time_follows_the_share_of_history_read() {
        let progress = Progress::default();
        Progress::add(&progress.span, 1000);
        Progress::add(&progress.messages, 500);
        let early = progress.look(None, Duration::from_secs(10));
        assert_eq!(early.remaining_seconds, None);
        Progress::add(&progress.span_done, 250);
        progress.doing("2026-01-02");
        let look = progress.look(None, Duration::from_secs(10));
        assert_eq!(look.remaining_seconds, Some(30));
        assert!(
            look.text().contains("500 messages, 50/s"),
            "{}",
            look.text()
        );
        assert!(json(&look).contains("\"reading\":\"2026-01-02\""));
    }
}
