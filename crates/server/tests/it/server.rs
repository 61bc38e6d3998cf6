//! A server of the test's own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{Answer, basic, request};

const BINARY: &str = env!("CARGO_BIN_EXE_anser");

/// The binary, without the caller's configuration.
pub(crate) fn anser() -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().env("LANG", "C");
    command
}

/// A directory for a server's data, and for what it logs.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// Starts a server here, with more words on its command line.
    pub(crate) fn start(&self, more: &[&str]) -> Server {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path().join("log"))
            .unwrap();
        let mut process = anser()
            .current_dir(self.path())
            .args(["serve", "--listen", "127.0.0.1:0", "--ready-json"])
            .args(more)
            .env("ANSER_LOG_LEVEL", "trace")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: {line:?}\n{}", self.log()));
        Server {
            process,
            ready,
            data: self.data(),
        }
    }

    /// Runs a subcommand to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        anser()
            .current_dir(self.path())
            .args(words)
            .output()
            .unwrap()
    }

    /// What a subcommand prints if all goes well.
    #[track_caller]
    pub(crate) fn say(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{words:?}: {error}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) ready: Value,
    pub(crate) data: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    pub(crate) fn text(&self, key: &str) -> &str {
        self.ready[key]
            .as_str()
            .unwrap_or_else(|| panic!("{key}: {}", self.ready))
    }

    pub(crate) fn url(&self) -> &str {
        self.text("url")
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.process.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end; the exit status.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }

    /// Ends it as an operator would.
    pub(crate) fn stop(self) {
        self.signal("TERM");
        assert_eq!(self.wait(), Some(0));
    }

    /// The default app, with the secret of the first start.
    pub(crate) fn default_app(&self) -> App<'_> {
        self.app("default", self.text("api_secret"))
    }

    pub(crate) fn app(&self, key: &str, secret: &str) -> App<'_> {
        App {
            url: self.url(),
            authorization: basic(key, secret),
        }
    }

    /// The operator.
    pub(crate) fn admin(&self) -> App<'_> {
        App {
            url: self.url(),
            authorization: format!("Bearer {}", self.text("admin_token")),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        request(self.url(), "GET", path, &[], b"")
    }
}

/// Somebody with a key.
pub(crate) struct App<'a> {
    url: &'a str,
    authorization: String,
}

impl App<'_> {
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut headers = vec![("authorization", self.authorization.as_str())];
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        request(self.url, method, path, &headers, body.as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, Some(body))
    }

    pub(crate) fn put(&self, path: &str, body: Value) -> Answer {
        self.ask("PUT", path, Some(body))
    }

    pub(crate) fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask("PATCH", path, Some(body))
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, None)
    }

    /// Makes a user.
    pub(crate) fn user(&self, id: &str) {
        let path = format!("/v1/users/{id}");
        let made = self.ask("PUT", &path, Some(serde_json::json!({})));
        made.expect(200);
    }

    /// Sends a text; the answer.
    pub(crate) fn send(&self, sender: &str, to: &str, id: &str, text: &str) -> Value {
        let message = serde_json::json!({
            "sender": sender, "to_user": to, "client_message_id": id,
            "content": {"type": "text", "text": text},
        });
        self.post("/v1/messages", message).expect(200)
    }
}

/// Every file below a directory, with its contents.
pub(crate) fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            let mut contents = Vec::new();
            let mut file = std::fs::File::open(&path).unwrap();
            file.read_to_end(&mut contents).unwrap();
            found.push((path, contents));
        }
    }
    found
}
