//! Logs: structured, to standard error, never with secrets or contents of messages.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogConfig;

/// Starts logging. Once in a process.
pub(crate) fn start(config: &LogConfig) {
    let level: Targets = config.level.parse().unwrap_or_default();
    let terminal = stderr().is_terminal();
    let json = match config.format.as_str() {
        "json" => true,
        "text" => false,
        _ => !terminal,
    };
    let layer = if json {
        tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(stderr)
            .with_filter(level)
            .boxed()
    } else {
        tracing_subscriber::fmt::layer()
            .with_ansi(terminal)
            .with_writer(stderr)
            .with_filter(level)
            .boxed()
    };
    tracing_subscriber::registry().with(layer).init();
}
