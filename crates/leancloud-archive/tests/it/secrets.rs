//! Keys and live tokens stay out of the archive, the output and the process list.

use std::io::Read as _;
use std::process::Stdio;

use crate::program::{Archive, small};
use crate::stand_in::StandIn;
use crate::stand_in::faults::Faults;
use crate::stand_in::routes::MASTER_KEY;

#[test]
fn no_secret_is_left_anywhere() {
    let server = StandIn::start(small(), Faults::bad_day(3));
    let archive = Archive::new();
    let key_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key_file.path(), format!("{MASTER_KEY}\n")).unwrap();
    let mut command = archive.command(&server, &["--rate", "200"]);
    command
        .env_remove("LEANCLOUD_MASTER_KEY")
        .env("LEANCLOUD_MASTER_KEY_FILE", key_file.path());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while server.state.total() < 5 {
        std::thread::yield_now();
    }
    let line = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    let environment = std::fs::read(format!("/proc/{}/environ", child.id())).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_end(&mut err).unwrap();
    assert!(
        child.wait().unwrap().success(),
        "{}",
        String::from_utf8_lossy(&err)
    );

    let mut everything = archive.files();
    let runs = std::fs::read(archive.path().join("runs.jsonl")).unwrap();
    for name in everything
        .keys()
        .filter(|name| name.ends_with(".gz"))
        .cloned()
        .collect::<Vec<_>>()
    {
        let unit = name.trim_end_matches(".jsonl.gz");
        let unpacked = archive.lines(unit).join("\n");
        everything.insert(format!("{name} unpacked"), unpacked.into_bytes());
    }
    for (name, bytes) in [
        ("out", out),
        ("err", err),
        ("cmdline", line),
        ("environ", environment),
        ("runs", runs),
    ] {
        everything.insert(name.to_owned(), bytes);
    }
    for (name, bytes) in everything {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(MASTER_KEY), "the master key is in {name}");
        assert!(!text.contains("LIVE-TOKEN"), "a session token is in {name}");
    }
    // Unless the operator wants the users' credentials.
    let with = Archive::new();
    with.complete(
        &server,
        &[
            "--user-credentials",
            "--skip",
            "messages",
            "--skip",
            "lists",
        ],
    );
    assert!(with.lines("classes/_User")[0].contains("LIVE-TOKEN"));
}
