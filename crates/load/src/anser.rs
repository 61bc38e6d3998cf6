//! The server under test: a private process on free ports with a data directory of its own.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
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

/// What a run needs of the line that `anser serve --ready-json` prints.
#[derive(Clone, Deserialize)]
struct Ready {
    /// The WebSocket address, with its path.
    ws: String,
    app_key: String,
    admin_token: String,
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    process: Child,
    app_key: String,
    admin_token: String,
    token_key: TokenKey,
    target: Target,
}

impl Launch {
    /// Starts the server and waits until it is ready.
    pub(crate) fn start(&self) -> Result<Server, String> {
        let mut starting = Starting(Some(self.spawn()?));
        let line = starting.wait_ready(&self.ready(), &self.log())?;
        let ready: Ready =
            serde_json::from_str(&line).map_err(|error| format!("ready line {line:?}: {error}"))?;
        let process = starting.0.as_ref().expect("it became ready");
        let target = target(&ready.ws, process.id())?;
        let token_key = self.token_key(target.address, &ready)?;
        Ok(Server {
            process: starting.0.take().expect("it became ready"),
            app_key: ready.app_key,
            admin_token: ready.admin_token,
            token_key,
            target,
        })
    }

    /// Starts the server and kills it (SIGKILL) after so long, ready or not.
    pub(crate) fn start_and_kill(&self, after: Duration) -> Result<(), String> {
        let process = Starting(Some(self.spawn()?));
        std::thread::sleep(after);
        drop(process);
        Ok(())
    }

    fn spawn(&self) -> Result<Child, String> {
        let file = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
        fs::create_dir_all(&self.dir).map_err(|error| file(&self.dir, error))?;
        let out = File::create(self.ready()).map_err(|error| file(&self.ready(), error))?;
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.map_err(|error| file(&self.log(), error))?;
        Command::new(&self.binary)
            .arg("serve")
            .arg("--data")
            .arg(self.dir.join("data"))
            .args(["--listen", "127.0.0.1:0", "--ready-json"])
            // What limits one client is not what is measured; all else stays as shipped.
            .env("ANSER_MESSAGES_CLIENT_MESSAGES_PER_SECOND", "0")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(log)
            .spawn()
            .map_err(|error| file(&self.binary, error))
    }

    /// The key that tokens are signed with: made at the first start, since each new one takes the
    /// place of one before.
    fn token_key(&self, address: SocketAddr, ready: &Ready) -> Result<TokenKey, String> {
        let path = self.dir.join("token-key.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(_) => {
                let keys = format!("/v1/apps/{}/token-keys", ready.app_key);
                let text = ask(address, "POST", &keys, &ready.admin_token, "")?;
                fs::write(&path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
                text
            }
        };
        serde_json::from_str(&text).map_err(|error| format!("token key: {error}"))
    }

    fn ready(&self) -> PathBuf {
        self.dir.join("ready.json")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("server.log")
    }
}

/// One request of an operator; the body of a 2xx answer.
fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    admin_token: &str,
    body: &str,
) -> Result<String, String> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {admin_token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let exchange = || {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        socket.write_all(request.as_bytes())?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(|error: std::io::Error| format!("{path}: {error}"))?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 2") => Ok(body.to_owned()),
        _ => Err(format!("{path}: {answer}")),
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
    let rest = ws
        .strip_prefix("ws://")
        .ok_or(format!("{ws:?} is no ws:// address"))?;
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
                token: token::mint(&self.token_key, &self.app_key, &user),
                user,
            })
            .collect()
    }

    /// Whoever joins a chat room creates it from now on.
    pub(crate) fn allow_rooms(&self) -> Result<(), String> {
        let path = format!("/v1/apps/{}/settings", self.app_key);
        let body = "{\"room_created_by_joining\":true}";
        let address = self.target.address;
        ask(address, "PATCH", &path, &self.admin_token, body).map(drop)
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
        self.process
            .wait()
            .map(drop)
            .map_err(|error| error.to_string())
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
        assert_eq!(
            (host.as_str(), path.as_str()),
            ("127.0.0.1:8080", "/v1/connect")
        );
        assert!(super::target("http://x", 7).is_err());
    }
}
