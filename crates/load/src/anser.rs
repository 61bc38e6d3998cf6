//! The server under test: a private process on free ports with a data directory of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::clients::login::{Credentials, Target};
use crate::clients::swarm::Opening;
use crate::token::{self, TokenKey};

/// How long a server may take to say that it is ready. Opening replays journals, so it is long.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long a server may take to stop.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);

/// How to start it.
#[derive(Clone)]
pub(crate) struct Launch {
    /// The binary `anser`.
    pub(crate) binary: PathBuf,
    /// Where the data and the log are kept.
    pub(crate) dir: PathBuf,
    /// More environment than the tool's own.
    pub(crate) environment: Vec<(String, String)>,
}

/// The line that `anser serve --ready-json` prints.
#[derive(Clone, Deserialize)]
pub(crate) struct Ready {
    /// The WebSocket address, with its path.
    ws: String,
    app_key: String,
    token_key: TokenKey,
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    process: Child,
    ready: Ready,
    target: Target,
}

impl Launch {
    /// Starts the server and waits until it is ready.
    pub(crate) fn start(&self) -> Result<Server, String> {
        fs::create_dir_all(&self.dir).map_err(|error| format!("{}: {error}", self.dir.display()))?;
        let ready = self.dir.join("ready.json");
        let out = File::create(&ready).map_err(|error| format!("{}: {error}", ready.display()))?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .map_err(|error| format!("{}: {error}", self.log().display()))?;
        let process = Command::new(&self.binary)
            .arg("serve")
            .arg("--data")
            .arg(self.dir.join("data"))
            .args(["--listen", "127.0.0.1:0", "--ready-json"])
            // What limits one client is not what is measured; the rest stays as shipped.
            .env("ANSER_LIMITS_CLIENT_SENDS_PER_SECOND", "0")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{}: {error}", self.binary.display()))?;
        let mut starting = Starting(Some(process));
        let line = starting.wait_ready(&ready, &self.log())?;
        let ready: Ready =
            serde_json::from_str(&line).map_err(|error| format!("ready line {line:?}: {error}"))?;
        let process = starting.0.take().expect("it is taken here only");
        let target = target(&ready.ws, process.id())?;
        Ok(Server {
            process,
            ready,
            target,
        })
    }

    fn log(&self) -> PathBuf {
        self.dir.join("server.log")
    }
}

/// Kills the process unless it became ready.
struct Starting(Option<Child>);

impl Starting {
    fn wait_ready(&mut self, ready: &Path, log: &Path) -> Result<String, String> {
        let began = Instant::now();
        loop {
            let text = fs::read_to_string(ready).unwrap_or_default();
            if let Some((line, _)) = text.split_once('\n') {
                return Ok(line.to_owned());
            }
            let process = self.0.as_mut().expect("still starting");
            let ended = process.try_wait().map_err(|error| error.to_string())?;
            let tail = || {
                let text = fs::read_to_string(log).unwrap_or_default();
                let lines: Vec<&str> = text.lines().rev().take(5).collect();
                lines.into_iter().rev().collect::<Vec<_>>().join("\n")
            };
            if let Some(status) = ended {
                return Err(format!("the server ended ({status}):\n{}", tail()));
            }
            if began.elapsed() > READY_WITHIN {
                return Err(format!("the server is not ready:\n{}", tail()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(process) = &mut self.0 {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn target(ws: &str, pid: u32) -> Result<Target, String> {
    let rest = ws.strip_prefix("ws://").ok_or(format!("{ws:?} is no ws:// address"))?;
    let (host, path) = rest.split_once('/').ok_or(format!("{ws:?} has no path"))?;
    let address: SocketAddr = host.parse().map_err(|error| format!("{ws:?}: {error}"))?;
    Ok(Target {
        address,
        opening: Opening::WebSocket {
            host: host.to_owned(),
            path: format!("/{path}"),
        },
        pid,
    })
}

impl Server {
    /// Where clients connect.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Users with tokens, minted offline as a customer's backend may.
    pub(crate) fn users(&self, names: impl Iterator<Item = String>) -> Vec<Credentials> {
        names
            .map(|user| Credentials {
                token: token::mint(&self.ready.token_key, &self.ready.app_key, &user),
                user,
            })
            .collect()
    }

    /// Asks it to end (SIGTERM) and waits for it; how long that took.
    pub(crate) fn stop(mut self) -> Result<Duration, String> {
        let began = Instant::now();
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .map_err(|error| format!("SIGTERM: {error}"))?;
        loop {
            match self.process.try_wait().map_err(|error| error.to_string())? {
                Some(status) if status.success() => return Ok(began.elapsed()),
                Some(status) => return Err(format!("the server ended with {status}")),
                None if began.elapsed() > STOPPED_WITHIN => {
                    return Err("the server does not stop".to_owned());
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Ends it at once, as a crash would (SIGKILL).
    pub(crate) fn kill(mut self) -> Result<(), String> {
        if let Some(status) = self.process.try_wait().map_err(|error| error.to_string())? {
            return Err(format!("the server had ended by itself: {status}"));
        }
        self.process.kill().map_err(|error| error.to_string())?;
        self.process.wait().map(drop).map_err(|error| error.to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_is_reported_with_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let launch = Launch {
            binary: "/bin/false".into(),
            dir: dir.path().into(),
            environment: Vec::new(),
        };
        let error = launch.start().err().unwrap();
        assert!(error.contains("ended"), "{error}");
    }

    #[test]
    fn an_address_is_taken_apart() {
        let target = target("ws://127.0.0.1:8080/v1/connect", 7).unwrap();
        assert_eq!(target.address.port(), 8080);
        let Opening::WebSocket { host, path } = target.opening else {
            panic!("not a WebSocket");
        };
        assert_eq!((host.as_str(), path.as_str()), ("127.0.0.1:8080", "/v1/connect"));
        assert!(super::target("http://x", 7).is_err());
    }
}
