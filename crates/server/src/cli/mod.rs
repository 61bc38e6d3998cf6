//! The command line.

mod chat;
mod client;
mod manage;

use std::path::PathBuf;
use std::process::ExitCode;

use anser_leancloud_archive::LeanCloudCommand;
use clap::{Args, Parser, Subcommand};

use self::client::{AskError, Server};
use crate::config::{self, Config, ConfigError, Override};
use crate::serve;

/// 鸿雁 Anser: instant messaging, in one program.
#[derive(Parser)]
#[command(name = "anser", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where configuration and data are, for every subcommand.
#[derive(Args)]
struct Place {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server. Needs no configuration.
    Serve(ServeArgs),
    /// Apps and their keys.
    #[command(subcommand)]
    App(manage::AppCommand),
    /// Make a token for a user.
    Token(manage::TokenArgs),
    /// Users and their sessions.
    #[command(subcommand)]
    User(manage::UserCommand),
    /// Talk from this terminal.
    Chat(chat::ChatArgs),
    /// Save a LeanCloud application's conversations and messages before the service ends.
    #[command(subcommand, name = "leancloud")]
    LeanCloud(LeanCloudCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the version.
    Version,
}

#[derive(Args)]
struct ServeArgs {
    /// Address and port for HTTP and WebSocket; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Address and port for the native protocol over TCP.
    #[arg(long, value_name = "ADDRESS:PORT")]
    tcp_listen: Option<String>,
    /// Serve the demo to everybody, not only to this machine.
    #[arg(long)]
    demo: bool,
    /// The certificate chain for TLS, as PEM.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, as PEM.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Print one line of JSON when listening, instead of the text for people. It has secrets.
    #[arg(long)]
    ready_json: bool,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print a file with every setting at its default.
    Sample,
    /// Read file and environment as the server would.
    Check,
}

impl ServeArgs {
    fn overrides(&self) -> Vec<Override> {
        let path = |path: &PathBuf| path.display().to_string().into();
        [
            self.listen.clone().map(|v| ("", "listen", v.into())),
            self.tcp_listen
                .clone()
                .map(|v| ("", "tcp_listen", v.into())),
            self.demo.then(|| ("", "demo", true.into())),
            self.tls_cert.as_ref().map(|v| ("tls", "cert", path(v))),
            self.tls_key.as_ref().map(|v| ("tls", "key", path(v))),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Place {
    fn load(&self, mut flags: Vec<Override>) -> Result<Config, ConfigError> {
        if let Some(data) = &self.data {
            flags.push(("", "data", data.display().to_string().into()));
        }
        Config::load(
            self.config.as_deref(),
            std::env::vars_os().filter_map(text),
            flags,
        )
    }
}

/// A variable that is not UTF-8 is none of ours.
fn text((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

/// Runs one command to its end.
///
/// # Exit status
/// 0: done. 1: it failed; standard error says why. 2: the command line or the configuration is
/// wrong. 130: a second signal cut the shutdown short.
pub async fn run(cli: Cli) -> ExitCode {
    let Cli { place, command } = cli;
    match command {
        Command::Serve(args) => match place.load(args.overrides()) {
            Err(error) => misconfigured(&error),
            Ok(config) => match serve::serve(&config, args.ready_json).await {
                Ok(code) => code,
                Err(error) => complain(&error.to_string(), 1),
            },
        },
        Command::App(command) => {
            ask(&place, async |server| manage::app(&server, command).await).await
        }
        Command::Token(args) => {
            ask(&place, async |server| manage::token(&server, args).await).await
        }
        Command::User(command) => {
            ask(&place, async |server| manage::user(&server, command).await).await
        }
        Command::Chat(args) => match place.load(Vec::new()) {
            Err(error) => misconfigured(&error),
            Ok(config) => match chat::chat(&config, args).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => complain(&error.to_string(), 1),
            },
        },
        Command::LeanCloud(command) => anser_leancloud_archive::run(command).await,
        Command::Config(ConfigCommand::Sample) => say(config::sample().trim_end()),
        Command::Config(ConfigCommand::Check) => match place.load(Vec::new()) {
            Ok(_) => say("the configuration is good"),
            Err(error) => misconfigured(&error),
        },
        Command::Version => say(concat!("anser ", env!("CARGO_PKG_VERSION"))),
    }
}

/// Asks the server of the data directory, and prints what it says.
async fn ask(
    place: &Place,
    question: impl AsyncFnOnce(Server) -> Result<String, AskError>,
) -> ExitCode {
    let config = match place.load(Vec::new()) {
        Ok(config) => config,
        Err(error) => return misconfigured(&error),
    };
    let answer = match Server::find(config.data.clone(), config.admin_token.reveal()) {
        Ok(server) => question(server).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(text) => say(&text),
        Err(error) => complain(&error.to_string(), 1),
    }
}

fn misconfigured(error: &ConfigError) -> ExitCode {
    complain(&format!("configuration: {error}"), 2)
}

#[expect(clippy::print_stdout, reason = "what a command answers is its output")]
fn say(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "why a command failed is for people")]
fn complain(text: &str, status: u8) -> ExitCode {
    eprintln!("anser: {text}");
    ExitCode::from(status)
}
