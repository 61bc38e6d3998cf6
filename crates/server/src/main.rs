//! `anser`: the program.

use std::process::ExitCode;

use anser_server::{Cli, run};
use clap::Parser as _;

/// Gives back what a connection's handshake used, which other allocators keep: at ten thousand
/// connections that is most of the process.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    run(Cli::parse()).await
}
