//! The guide's commands work as they stand: every fenced block marked `sh test` is run, in order,
//! against a fresh server.

use std::process::Command;

use crate::server::Place;

/// What the guide calls the server's address.
const ADDRESS: &str = "http://127.0.0.1:8080";

#[test]
fn the_commands_of_the_guide_work() {
    let guides = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide");
    let mut run = 0;
    for entry in std::fs::read_dir(guides).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let script = blocks(&text).join("\n");
        if !script.is_empty() {
            execute(&path.display().to_string(), &script);
            run += 1;
        }
    }
    assert!(run >= 2, "the guide in both languages has commands");
}

fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match &mut block {
            Some(lines) if line == "```" => {
                found.push(std::mem::take(lines));
                block = None;
            }
            Some(lines) => *lines += &format!("{line}\n"),
            None if line == "```sh test" => block = Some(String::new()),
            None => {}
        }
    }
    found
}

fn execute(name: &str, script: &str) {
    let place = Place::new();
    let server = place.start(&[]);
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_anser"));
    let path = format!(
        "{}:{}",
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let output = Command::new("bash")
        .args(["-euxo", "pipefail", "-c"])
        .arg(script.replace(ADDRESS, server.url()))
        .current_dir(place.path())
        .env_clear()
        .env("PATH", path)
        .env("API_SECRET", server.text("api_secret"))
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{name}:\n{out}\n{err}");
    server.stop();
}
