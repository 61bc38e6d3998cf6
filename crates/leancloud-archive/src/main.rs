//! `anser-leancloud-archive`: the archiver as a program of its own.

use std::process::ExitCode;

use anser_leancloud_archive::{LeanCloudCommand, run};
use clap::Parser;

/// Saves a LeanCloud application's conversations and messages before the service ends.
#[derive(Parser)]
#[command(name = "anser-leancloud-archive", version)]
struct Program {
    #[command(subcommand)]
    command: LeanCloudCommand,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    run(Program::parse().command).await
}
