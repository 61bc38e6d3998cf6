//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::crash;
use crate::floor::server::{self, Work};
use crate::peers::{self, Peer};
use crate::report::{Report, note};
use crate::scenario::{
    Context, all, append, churn, connections, fanout, history, p2p, reconnect, room,
};

/// Load generator of Anser: real sockets, raw floors beside, ratios.
#[derive(Parser)]
#[command(name = "anser-load", version)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Common {
    /// The server to measure.
    #[arg(long, global = true, default_value = "target/release/anser")]
    server_bin: PathBuf,
    /// The bench `store append` (cargo build --release -p anser-store --example append).
    #[arg(long, global = true, default_value = "target/release/examples/append")]
    append_bin: PathBuf,
    /// More environment for the server; may be given several times.
    #[arg(long, global = true, value_name = "NAME=VALUE", value_parser = assignment)]
    server_env: Vec<(String, String)>,
    /// Where the run makes its own directory: the disk to measure.
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    /// Write all figures here.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
    /// Length of a measured stretch; a third of it comes before to warm up.
    #[arg(long, global = true, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE, please")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Sockets that one process may have here, less some for its own use.
const CONNECTIONS_MAX: u64 = 19_000;

fn connections(text: &str) -> Result<usize, String> {
    let number: u64 = text.parse().map_err(|error| format!("{error}"))?;
    if (2..=CONNECTIONS_MAX).contains(&number) {
        usize::try_from(number).map_err(|error| error.to_string())
    } else {
        Err(format!("2 to {CONNECTIONS_MAX}"))
    }
}

fn window(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(window @ 1..=64) => Ok(window),
        _ => Err("1 to 64".to_owned()),
    }
}

fn rate(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(rate @ 1..=20_000) => Ok(rate),
        _ => Err("1 to 20000".to_owned()),
    }
}

#[derive(Subcommand)]
enum Command {
    /// Durable one-to-one messages, and the relay that bounds them.
    P2p {
        #[arg(long, default_value = "500", value_parser = pairs)]
        pairs: usize,
        /// Messages in flight per pair.
        #[arg(long, default_value = "1,8", value_delimiter = ',', value_parser = window)]
        window: Vec<usize>,
    },
    /// One talks in a large group, and the raw fan that bounds it.
    Fanout {
        #[arg(long, default_value = "1000", value_parser = connections)]
        members: usize,
        /// Messages in flight.
        #[arg(long, default_value = "1,8", value_delimiter = ',', value_parser = window)]
        window: Vec<usize>,
    },
    /// Memory of connections that are silent.
    Idle {
        #[arg(long, default_value = "10000", value_parser = connections)]
        connections: usize,
        /// Seconds of silence before memory is read.
        #[arg(long, default_value_t = 10)]
        settle: u64,
    },
    /// CPU and rate of logins, upgrade included.
    Login {
        #[arg(long, default_value = "10000", value_parser = connections)]
        connections: usize,
    },
    /// Pages of history over many stored messages.
    History {
        #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100_000..=100_000_000))]
        messages: u64,
        /// Conversations that they are spread over.
        #[arg(long, default_value = "500", value_parser = pairs)]
        pairs: usize,
        /// Pages of each kind.
        #[arg(long, default_value_t = 5000)]
        pages: u64,
    },
    /// Everybody comes back at once and syncs.
    Reconnect {
        #[arg(long, default_value = "5000", value_parser = connections)]
        clients: usize,
        /// Clients on their way at the same time; all, if not given.
        #[arg(long)]
        at_a_time: Option<usize>,
    },
    /// A chat room: many members, messages up to far beyond what a room takes, two classes of
    /// them.
    Room {
        #[arg(long, default_value = "10,1000,10000", value_delimiter = ',', value_parser = connections)]
        members: Vec<usize>,
        /// Messages a second that are sent.
        #[arg(long, default_value = "1,50,200,1000,4000", value_delimiter = ',', value_parser = rate)]
        rate: Vec<u32>,
        /// Percent of them that are of class low.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u8).range(0..=100))]
        low: u8,
    },
    /// A chat room that many join and leave while somebody speaks: who is in it hears everything,
    /// who is not hears nothing, and memory comes back.
    Churn {
        /// Who comes and goes.
        #[arg(long, default_value = "2000", value_parser = connections)]
        wanderers: usize,
        /// Joinings and leavings a second, together.
        #[arg(long, default_value = "500", value_parser = rate)]
        rate: u32,
    },
    /// One speaks to many: a room, and message brokers beside it (tests/peers installs them).
    Peers {
        /// The binary of NATS.
        #[arg(long)]
        nats: Option<PathBuf>,
        /// The binary of Redis.
        #[arg(long)]
        redis: Option<PathBuf>,
        /// The binary of Mosquitto.
        #[arg(long)]
        mosquitto: Option<PathBuf>,
        #[arg(long, default_value = "1000,5000", value_delimiter = ',', value_parser = connections)]
        members: Vec<usize>,
        /// Messages a second: at 8 a room tells each by itself, at 40 some together.
        #[arg(long, default_value = "8,40", value_delimiter = ',', value_parser = rate)]
        rate: Vec<u32>,
    },
    /// The raw loops alone.
    Floor {
        #[arg(long, default_value = "500", value_parser = pairs)]
        pairs: usize,
        #[arg(long, default_value = "1000", value_parser = connections)]
        members: usize,
        /// Messages in flight (per pair).
        #[arg(long, default_value = "1,8", value_delimiter = ',', value_parser = window)]
        window: Vec<usize>,
    },
    /// The bench `store append` alone.
    Append {
        #[arg(long, default_value = "500,4000", value_delimiter = ',')]
        senders: Vec<usize>,
    },
    /// Everything, floors and product by turns, against the bars.
    All {
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=50))]
        rounds: u8,
        #[arg(long, default_value = "500", value_parser = pairs)]
        pairs: usize,
        #[arg(long, default_value = "1000", value_parser = connections)]
        members: usize,
        #[arg(long, default_value = "10000", value_parser = connections)]
        connections: usize,
        #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100_000..=100_000_000))]
        messages: u64,
        #[arg(long, default_value = "5000", value_parser = connections)]
        clients: usize,
    },
    /// Kill the server again and again under load, then check every acknowledged message.
    Crash {
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(3..=200))]
        clients: u8,
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        kills: u16,
        /// Decides what clients do and when the server dies; random, and printed, if not given.
        #[arg(long)]
        seed: Option<u64>,
        /// The longest that the server lives between two kills, in milliseconds.
        #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u64).range(10..=600_000))]
        life_max: u64,
    },
    /// The process of a floor; started by the tool itself.
    #[command(hide = true)]
    FloorServer {
        #[command(subcommand)]
        floor: FloorServer,
    },
}

#[derive(Subcommand)]
enum FloorServer {
    Fan,
    Relay {
        #[arg(long)]
        log_dir: PathBuf,
    },
}

fn pairs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(pairs @ 1..=9_000) => Ok(pairs),
        _ => Err("1 to 9000".to_owned()),
    }
}

/// Reads the arguments and does what they say.
pub(crate) fn run() -> Result<(), String> {
    let Cli { common, command } = Cli::parse();
    raise_file_limit();
    if let Command::FloorServer { floor } = command {
        let work = match floor {
            FloorServer::Fan => Ok(Work::Fan),
            FloorServer::Relay { log_dir } => Work::relay(&log_dir),
        };
        let served = work.and_then(server::run);
        return served.map_err(|error| format!("floor: {error}"));
    }
    let base = common.dir.unwrap_or_else(std::env::temp_dir);
    let dir = tempfile::Builder::new()
        .prefix("anser-load-")
        .tempdir_in(&base)
        .map_err(|error| format!("{}: {error}", base.display()))?;
    let context = Context {
        server: common.server_bin,
        append: common.append_bin,
        environment: common.server_env,
        dir: dir.path().to_owned(),
        measure: Duration::from_secs(common.seconds),
    };
    if let Command::Crash {
        clients,
        kills,
        seed,
        life_max,
    } = command
    {
        let plan = crash::Plan {
            clients: clients.into(),
            kills: kills.into(),
            seed: seed.unwrap_or_else(|| fastrand::u64(..)),
            life_max: Duration::from_millis(life_max),
        };
        return match crash::run(&context.launch("crash"), &plan) {
            Ok(survived) => Report {
                crash: Some(survived),
                ..Report::default()
            }
            .publish(common.json.as_deref()),
            // The evidence stays.
            Err(error) => Err(format!(
                "{error}\n(data and log are in {})",
                dir.keep().display()
            )),
        };
    }
    let report = measure(&context, command)?;
    report.publish(common.json.as_deref())
}

fn measure(context: &Context, command: Command) -> Result<Report, String> {
    let mut report = Report::default();
    match command {
        Command::P2p { pairs, window } => {
            let anser = p2p::Anser::prepare(context, pairs)?;
            for window in window {
                report.rows.push(p2p::floor(context, pairs, window)?);
                report.rows.push(anser.measure(context, window)?);
            }
            anser.finish()?;
        }
        Command::Fanout { members, window } => {
            let anser = fanout::Anser::prepare(context, members)?;
            for window in window {
                report.rows.push(fanout::floor(context, members, window)?);
                report.rows.push(anser.measure(context, window)?);
            }
            anser.finish()?;
        }
        Command::Idle {
            connections,
            settle,
        } => {
            report.rows = connections::measure(context, connections, Duration::from_secs(settle))?;
            report.checks = all::connection_checks(&report.rows);
        }
        Command::Login { connections } => {
            report.rows = connections::measure(context, connections, Duration::from_secs(1))?;
            report.rows.retain(|row| row.unit == "login");
        }
        Command::History {
            messages,
            pairs,
            pages,
        } => {
            report.rows = history::measure(context, messages, pairs, pages)?;
            report.checks = all::history_checks(&report.rows);
        }
        Command::Reconnect { clients, at_a_time } => {
            let at_a_time = at_a_time.unwrap_or(clients).max(1);
            let row = reconnect::measure(context, clients, at_a_time)?;
            report.rows.push(row);
        }
        Command::Room { members, rate, low } => {
            room::measure_all(context, &members, &rate, low, &mut report)?;
        }
        Command::Churn { wanderers, rate } => {
            churn::measure(context, wanderers, rate, &mut report)?;
        }
        Command::Peers {
            nats,
            redis,
            mosquitto,
            members,
            rate,
        } => {
            let peers = [
                (Peer::Nats, nats),
                (Peer::Redis, redis),
                (Peer::Mosquitto, mosquitto),
            ];
            report.rows = peers::compare(context, &peers, &members, &rate)?;
        }
        Command::Floor {
            pairs,
            members,
            window,
        } => {
            for window in window {
                report.rows.push(fanout::floor(context, members, window)?);
                report.rows.push(p2p::floor(context, pairs, window)?);
            }
        }
        Command::Append { senders } => {
            for senders in senders {
                report.rows.push(append::measure(context, senders)?);
            }
        }
        Command::All {
            rounds,
            pairs,
            members,
            connections,
            messages,
            clients,
        } => {
            let plan = all::Plan {
                rounds: rounds.into(),
                pairs,
                members,
                connections,
                settle: Duration::from_secs(10),
                messages,
                pages: 5000,
                clients,
            };
            report = all::run(context, &plan)?;
        }
        Command::FloorServer { .. } | Command::Crash { .. } => unreachable!("handled before"),
    }
    Ok(report)
}

/// Ten thousand sockets are more than the usual soft limit; children inherit what is set here.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        note(&format!("the limit of open files stays as it is: {error}"));
    }
}
