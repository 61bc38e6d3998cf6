//! The server as a program: configuration, composition, subcommands. No logic of its own.

mod banner;
mod cli;
pub mod config;
mod control;
mod data_dir;
mod demo;
mod logging;
mod serve;
mod tls;
mod wire;
mod world;

pub use cli::{Cli, run};
