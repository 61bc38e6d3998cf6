//! The command line: what it answers, how it fails.

use crate::server::{Place, anser};

fn fails(place: &Place, words: &[&str], status: i32, part: &str) {
    let output = place.run(words);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{words:?}: {error}");
    assert!(error.contains(part), "{words:?}: {error}");
}

#[test]
fn a_wrong_configuration_stops_the_start_and_says_where() {
    let place = Place::new();
    let config = place.path().join("wrong.toml");
    std::fs::write(&config, "listen = \"127.0.0.1:0\"\n\n[api]\ntimeout = 3\n").unwrap();
    let path = config.to_str().unwrap();
    fails(
        &place,
        &["serve", "--config", path],
        2,
        "unknown field `timeout`",
    );
    fails(&place, &["config", "check", "--config", path], 2, "line 4");
    fails(
        &place,
        &["serve", "--config", "absent.toml"],
        2,
        "absent.toml",
    );
    fails(&place, &["serve", "--listen", "here"], 2, "listen");
    fails(&place, &["serve", "--tls-cert", "a.pem"], 2, "tls");
    fails(&place, &["serve", "--lisen", "x"], 2, "--lisen");
    let output = anser()
        .current_dir(place.path())
        .args(["config", "check"])
        .env("ANSER_LISTENN", "127.0.0.1:1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("ANSER_LISTENN is no setting")
    );
    assert!(!place.data().exists(), "nothing was created");
}

#[test]
fn the_sample_is_a_configuration() {
    let place = Place::new();
    let sample = place.say(&["config", "sample"]);
    std::fs::write(place.path().join("anser.toml"), sample).unwrap();
    assert_eq!(place.say(&["config", "check"]), "the configuration is good");
}

#[test]
fn subcommands_ask_the_running_server() {
    let place = Place::new();
    fails(&place, &["app", "list"], 1, "no server is running");
    let server = place.start(&["--tcp-listen", "127.0.0.1:0"]);
    assert_eq!(place.say(&["app", "list"]), "default\tDefault\ndemo\tDemo");
    let made = place.say(&["app", "create", "shop", "--name", "Shop"]);
    let value = |name: &str| {
        let line = made.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    server.app("shop", &value("api secret")).user("zoe");
    fails(&place, &["app", "create", "shop"], 1, "ALREADY_EXISTS");
    let rotated = place.say(&["app", "rotate-secret", "shop"]);
    let new = rotated.rsplit(' ').next().unwrap();
    server.app("shop", new).user("zoe");
    place.say(&["app", "rotate-token-key", "shop"]);
    assert!(place.say(&["app", "show", "shop"]).contains("Shop"));

    let token = place.say(&["token", "zoe", "--app", "shop", "--expires", "1h"]);
    let tcp = server.text("tcp");
    assert_eq!(crate::token::open_session(tcp, &token), Ok("zoe".into()));
    assert!(
        place
            .say(&["user", "show", "zoe", "--app", "shop"])
            .contains("zoe")
    );
    fails(&place, &["user", "show", "zoe"], 1, "USER_NOT_FOUND");
    fails(&place, &["token", "zoe", "--app", "none"], 1, "Anser-App");
    fails(
        &place,
        &["token", "zoe", "--expires", "31d"],
        1,
        "expires_in",
    );
    place.say(&["user", "sign-out", "zoe", "--app", "shop"]);
    place.say(&["user", "revoke", "zoe", "--app", "shop"]);
    assert_eq!(
        crate::token::open_session(tcp, &token),
        Err("TOKEN_REVOKED".into())
    );
    server.stop();
    fails(&place, &["app", "list"], 1, "no server is running");
}

#[test]
fn a_newcomer_reads_what_to_do() {
    use std::io::{BufRead as _, BufReader};
    for (language, word) in [("C.UTF-8", "Server"), ("zh_CN.UTF-8", "服务地址")] {
        let place = Place::new();
        let mut process = anser()
            .current_dir(place.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("LANG", language)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        // The last line is the one with the command to make a token.
        let mut text = String::new();
        for line in lines {
            let line = line.unwrap();
            text += &line;
            text += "\n";
            if line.contains("curl") {
                break;
            }
        }
        process.kill().unwrap();
        process.wait().unwrap();
        for part in [
            word,
            "http://127.0.0.1:",
            "/docs",
            "default",
            "anser token alice",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn two_terminals_talk() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::Stdio;
    let place = Place::new();
    let server = place.start(&[]);
    let terminal = |words: &[&str]| {
        anser()
            .current_dir(place.path())
            .arg("chat")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut alice = terminal(&["alice", "--to", "bob"]);
    let mut bob = terminal(&["bob", "--to", "alice"]);
    let mut say = alice.stdin.take().unwrap();
    writeln!(say, "hello from the terminal").unwrap();
    let heard = BufReader::new(bob.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .any(|line| line.contains("hello from the terminal"));
    assert!(heard);
    writeln!(say, "/quit").unwrap();
    assert!(alice.wait().unwrap().success());
    drop(bob.stdin.take());
    assert!(bob.wait().unwrap().success());
    fails(
        &place,
        &["chat", "--url", "ws://127.0.0.1:1/v1/connect"],
        2,
        "--token",
    );
    server.stop();
}
