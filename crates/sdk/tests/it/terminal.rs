//! The chat in a terminal.

use std::sync::{Arc, Mutex};

use anser_sdk::Error;
use anser_sdk::terminal::{Language, Options, run};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::io::{DuplexStream, Lines, ReadHalf, WriteHalf};

use crate::driver::{model, text};
use crate::peer::{Door, Kind};
use crate::script::error;
use crate::server::Server;

type Running = tokio::task::JoinHandle<Result<(), Error>>;

/// A terminal with a chat in it.
struct Terminal {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    input: WriteHalf<DuplexStream>,
    running: Running,
}

impl Terminal {
    fn start(url: String, to: Option<&str>, language: Language) -> Self {
        let (here, there) = tokio::io::duplex(64 * 1024);
        let (read, write) = tokio::io::split(there);
        let options = Options {
            url,
            token: "token".to_owned(),
            to: to.map(str::to_owned),
            language,
            ..Options::default()
        };
        let running = tokio::spawn(run(options, BufReader::new(read), write));
        let (read, input) = tokio::io::split(here);
        Self {
            lines: BufReader::new(read).lines(),
            input,
            running,
        }
    }

    async fn say(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.input.write_all(line.as_bytes()).await.unwrap();
    }

    /// Reads up to a line that contains this.
    async fn see(&mut self, what: &str) -> String {
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if line.contains(what) {
                return line;
            }
        }
        panic!("it ended without \"{what}\"");
    }
}

async fn serve(door: Door, server: Arc<Mutex<Server>>) {
    let mut peer = door.accept().await.unwrap();
    peer.serve(&server, |_| false).await;
}

#[tokio::test]
async fn a_chat() {
    let server = model();
    let append = |id: &str, body: &str| {
        let mut server = server.lock().unwrap();
        server.append("p/bob/me", "bob", id, text(body), 1);
    };
    append("1", "are you there?");
    append("2", "\u{1b}[2Jhello?");
    let door = Door::open(Kind::WebSocket, None).await;
    let mut terminal = Terminal::start(door.url(), Some("bob"), Language::English);
    let serving = tokio::spawn(serve(door, Arc::clone(&server)));
    terminal.see("connected as me").await;
    terminal.see("talking to bob").await;
    assert_eq!(terminal.see("there?").await, "#1 bob: are you there?");
    assert_eq!(terminal.see("hello").await, "#2 bob:  [2Jhello?");
    terminal.say("yes").await;
    terminal.see("sent #3").await;
    terminal.say("/recall 3").await;
    assert_eq!(terminal.see("taken back").await, "#3 me: (taken back)");
    terminal.say("/list").await;
    assert!(terminal.see("  bob").await.contains("me: yes"));
    terminal.say("/create team bob").await;
    terminal.see("talking to #team").await;
    terminal.say("welcome").await;
    terminal.see("sent #1").await;
    terminal.say("/history").await;
    terminal.see("nothing older").await;
    terminal.say("/group team").await;
    terminal.see("#1 me: welcome").await;
    terminal.say("/nonsense").await;
    terminal.see("no such command").await;
    terminal.say("/quit").await;
    terminal.running.await.unwrap().unwrap();
    serving.await.unwrap();
}

#[tokio::test]
async fn in_a_pipe_it_waits_until_everything_is_sent() {
    let server = model();
    let door = Door::open(Kind::Tcp, None).await;
    let options = Options {
        url: door.url(),
        token: "token".to_owned(),
        to: Some("bob".to_owned()),
        language: Language::Chinese,
        ..Options::default()
    };
    let serving = tokio::spawn(serve(door, Arc::clone(&server)));
    let input = BufReader::new(&b"one\ntwo\nthree"[..]);
    let (mut seen, output) = tokio::io::duplex(64 * 1024);
    run(options, input, output).await.unwrap();
    serving.await.unwrap();
    assert_eq!(server.lock().unwrap().head("p/bob/me"), 3);
    let mut printed = String::new();
    seen.read_to_string(&mut printed).await.unwrap();
    assert!(printed.contains("已发送 #3"), "{printed}");
}

#[tokio::test]
async fn being_signed_out_ends_it_with_the_reason() {
    let door = Door::open(Kind::WebSocket, None).await;
    let mut terminal = Terminal::start(door.url(), None, Language::English);
    let mut peer = door.accept().await.unwrap();
    let hello = peer.receive().await.unwrap().remove(0);
    let answer = crate::script::response(
        hello.id,
        anser_proto::client::response::Result::Error(error(4_001)),
    );
    peer.tell(vec![answer]).await;
    terminal.see("signed out").await;
    let ended = terminal.running.await.unwrap();
    assert_eq!(ended.unwrap_err().code, 4_001);
}
