//! Running the program and looking at what it leaves behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use tempfile::TempDir;

use crate::stand_in::StandIn;
use crate::stand_in::routes::{APP_ID, MASTER_KEY};
use crate::stand_in::source::{Size, Source};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_anser-leancloud-archive");

/// A small application: 2,000 messages in 100 conversations.
pub(crate) fn small() -> Source {
    Source::new(Size {
        messages: 2000,
        conversations: 100,
        days: 9,
        users: 40,
    })
}

/// A directory for an archive.
pub(crate) struct Archive {
    dir: TempDir,
}

impl Archive {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    /// `archive` against a server, fast unless told otherwise.
    pub(crate) fn command(&self, server: &StandIn, more: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("archive").arg(self.path());
        command.args([
            "--host",
            &server.url(),
            "--app-id",
            APP_ID,
            "--progress",
            "json",
            "--settle",
            "0",
        ]);
        if !more.contains(&"--rate") {
            command.args(["--rate", "1000"]);
        }
        command
            .args(more)
            .env_clear()
            .env("LEANCLOUD_MASTER_KEY", MASTER_KEY);
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, server: &StandIn, more: &[&str]) -> Output {
        self.command(server, more).output().unwrap()
    }

    /// Runs to a complete archive and gives back the summary.
    pub(crate) fn complete(&self, server: &StandIn, more: &[&str]) -> Value {
        let output = self.run(server, more);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        summary(&output)
    }

    pub(crate) fn verify(&self) -> Output {
        let args = ["verify", "--json", self.path().to_str().unwrap()].map(str::to_owned);
        Command::new(PROGRAM)
            .args(args)
            .env_clear()
            .output()
            .unwrap()
    }

    pub(crate) fn assert_sound(&self) {
        let output = self.verify();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }

    pub(crate) fn show(&self, args: &[&str]) -> Vec<String> {
        let output = Command::new(PROGRAM)
            .arg("show")
            .arg(self.path())
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn manifest(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path().join("manifest.json")).unwrap()).unwrap()
    }

    /// Lines of a unit, through nothing but gzip.
    pub(crate) fn lines(&self, unit: &str) -> Vec<String> {
        lines(&self.path(), unit).collect()
    }

    /// Lines of all message units in order.
    pub(crate) fn message_lines(&self) -> impl Iterator<Item = String> {
        let manifest = self.manifest();
        let units = manifest["units"].as_object().unwrap().clone();
        let days = units
            .into_iter()
            .filter(|(name, unit)| name.starts_with("messages/") && unit["rows"] != 0);
        let path = self.path();
        days.flat_map(move |(name, _)| lines(&path, &name).collect::<Vec<_>>())
    }

    /// The archive holds exactly the messages the source had sent before `now`.
    pub(crate) fn assert_holds(&self, source: &Source, now: i64) {
        let mut expected = source
            .sent_before(now)
            .iter()
            .map(|message| source.row(message));
        let mut count = 0;
        for line in self.message_lines() {
            assert_eq!(Some(line), expected.next(), "message {count}");
            count += 1;
        }
        assert_eq!(expected.next(), None, "after {count} messages");
    }

    /// Every file by name, except the log of runs and the lock.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path(), &self.path(), &mut files);
        files.retain(|name, _| name != "runs.jsonl" && name != ".lock");
        files
    }
}

fn collect(root: &Path, dir: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

fn lines(archive: &Path, unit: &str) -> impl Iterator<Item = String> + use<> {
    let file = fs::File::open(archive.join(format!("{unit}.jsonl.gz"))).unwrap();
    BufReader::new(MultiGzDecoder::new(file))
        .lines()
        .map(Result::unwrap)
}

/// The last line of standard output.
pub(crate) fn summary(output: &Output) -> Value {
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    serde_json::from_str(stdout.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

pub(crate) fn text(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "{:?}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    )
}
