//! The floors: raw loops that do the least that could be called the same work.
//!
//! A figure of the product means little by itself on a machine that others use, too. So each is
//! taken in the same run as that of a loop that has nothing to do but the system calls, and their
//! ratio is what is reported. One thread, epoll, pre-encoded frames, no accounts, no history, no
//! membership:
//!
//! - `fan`: what one publisher sends goes to all receivers. With one message in flight that is
//!   one write per delivery; with several, whatever is pending goes out in one write.
//! - `relay`: pairs. A message is appended to a log, the log is synced once for all messages of a
//!   turn of the loop (group commit), then the sender gets an ack and the peer the message.
//!
//! The floors run as a child process of the tool, so that their CPU is read in the same way, and
//! are driven by the same client code over the same frames.

pub(crate) mod frames;
pub(crate) mod server;

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::clients::login::{Credentials, Target};
use crate::clients::swarm::Opening;

/// The conversation that every message of a floor is in, as long as a name of the scenarios.
pub(crate) const CONVERSATION: &str = "p/u000000/u000001";

/// A floor in a child process. Dropping it ends it.
pub(crate) struct Floor {
    process: Child,
    target: Target,
}

impl Floor {
    /// One publisher and everybody else.
    pub(crate) fn fan() -> Result<Self, String> {
        Self::start(&["fan"])
    }

    /// Pairs, with a log in this directory.
    pub(crate) fn relay(dir: &Path) -> Result<Self, String> {
        let dir = dir.to_str().ok_or("a directory whose name is not UTF-8")?;
        Self::start(&["relay", "--log-dir", dir])
    }

    fn start(arguments: &[&str]) -> Result<Self, String> {
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut process = Command::new(own)
            .arg("floor-server")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("floor: {error}"))?;
        let out = process.stdout.take().expect("it was asked for");
        let mut line = String::new();
        let read = BufReader::new(out).read_line(&mut line);
        let pid = process.id();
        let mut floor = Self {
            process,
            target: Target {
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                opening: Opening::Raw,
                pid,
            },
        };
        let port = line.trim().parse::<u16>();
        match (read, port) {
            (Ok(_), Ok(port)) => floor.target.address.set_port(port),
            _ => return Err(format!("the floor said {line:?} instead of its port")),
        }
        Ok(floor)
    }

    /// Where clients connect.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Clients of a floor: each says its own number.
    pub(crate) fn users(count: usize) -> Vec<Credentials> {
        (0..count)
            .map(|number| Credentials {
                user: number.to_string(),
                token: number.to_string(),
            })
            .collect()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
