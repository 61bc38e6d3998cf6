//! A server at the level of the core that does what a test tells it: the test sees every request
//! and gives every answer, in whatever order and at whatever time.

use anser_domain::{Platform, Timestamp};
use anser_proto::client as wire;
use anser_sdk::core::{
    ClientCore, Config, ConnectionId, ConnectionState, Event, Input, Outgoing, Output, Reply,
    Request, Ticket,
};
use anser_sdk::database::Loaded;
use anser_sdk::model::Content;
use anser_sdk::{Error, SavedState};
use bytes::Bytes;
use prost::Message as _;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

/// A clock that shows this at the start.
pub(crate) const START: u64 = 1_000_000;
/// The server's clock is ahead by this.
pub(crate) const AHEAD: u64 = 50_000;

pub(crate) struct Script {
    pub(crate) core: ClientCore,
    pub(crate) now: u64,
    /// What the core draws. One makes every wait a millisecond.
    pub(crate) random: u64,
    /// Frames that the core sent and the test did not look at yet.
    pub(crate) frames: Vec<Vec<wire::Request>>,
    pub(crate) opened: Vec<(ConnectionId, String)>,
    pub(crate) closed: Vec<ConnectionId>,
    pub(crate) tokens_wanted: usize,
    pub(crate) events: Vec<Event>,
    pub(crate) done: Vec<(u64, Result<Reply, Error>)>,
    saved: SavedState,
    tickets: u64,
    /// It has a database, which takes everything at once.
    keeps: bool,
}

pub(crate) fn config() -> Config {
    Config {
        addresses: vec!["one".to_owned(), "two".to_owned()],
        device_id: "device".to_owned(),
        platform: Platform::Desktop,
        client: "test".to_owned(),
        marks_delivered: false,
    }
}

impl Script {
    pub(crate) fn new() -> Self {
        Self::with(SavedState::default())
    }

    pub(crate) fn with(saved: SavedState) -> Self {
        Self {
            core: ClientCore::new(config(), saved.clone()),
            now: START,
            random: 1,
            frames: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            tokens_wanted: 0,
            events: Vec::new(),
            done: Vec::new(),
            saved,
            tickets: 0,
            keeps: false,
        }
    }

    /// A client with a database that has this.
    pub(crate) fn keeping(loaded: Loaded) -> Self {
        Self {
            core: ClientCore::with_database(config(), loaded.clone()),
            keeps: true,
            ..Self::with(loaded.saved)
        }
    }

    /// A client that is connected and has synced, at epoch 7 and feed version 100.
    pub(crate) fn online() -> Self {
        let mut script = Self::new();
        script.go_online();
        script
    }

    pub(crate) fn go_online(&mut self) {
        self.input(Input::Connect);
        if self.tokens_wanted > 0 {
            self.tokens_wanted = 0;
            self.input(Input::Token("token".to_owned()));
        }
        self.greet();
        let (id, _) = self.sync_request();
        self.answer(id, Answer::Sync(empty_sync()));
    }

    /// As [`go_online`](Self::go_online), of a client that is in rooms: what it asks about them is
    /// left for the test.
    pub(crate) fn go_online_in_rooms(&mut self) {
        self.input(Input::Connect);
        if self.tokens_wanted > 0 {
            self.tokens_wanted = 0;
            self.input(Input::Token("token".to_owned()));
        }
        self.greet();
        let about_rooms =
            |request: &wire::Request| matches!(request.command, Some(Command::JoinRoom(_)));
        let frames = std::mem::take(&mut self.frames).into_iter().flatten();
        let (rooms, others): (Vec<_>, Vec<_>) = frames.partition(about_rooms);
        self.frames = vec![others];
        let (id, _) = self.sync_request();
        self.answer(id, Answer::Sync(empty_sync()));
        self.frames.push(rooms);
    }

    /// From an open connection wanted to `Welcome`.
    pub(crate) fn greet(&mut self) {
        let connection = self.connection();
        self.input(Input::Connected(connection));
        let (id, hello) = self.only_request();
        assert!(matches!(hello, Command::Hello(_)), "{hello:?}");
        self.answer(id, Answer::Welcome(welcome()));
    }

    pub(crate) fn connection(&self) -> ConnectionId {
        self.opened.last().expect("a connection was opened").0
    }

    pub(crate) fn input(&mut self, input: Input) {
        let random = self.random;
        self.core.handle(input, Timestamp(self.now), &mut || random);
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::GetToken => self.tokens_wanted += 1,
                Output::Open(id, address) => self.opened.push((id, address)),
                Output::Close(id) => self.closed.push(id),
                Output::Send(id, frame) => {
                    assert_eq!(id, self.connection(), "only over the present one");
                    let frame = wire::ClientFrame::decode(frame).unwrap();
                    assert!(frame.requests.len() <= 64);
                    self.frames.push(frame.requests);
                }
                Output::Event(event) => {
                    self.saved.apply(&event);
                    self.events.push(event);
                }
                Output::Store(_) if self.keeps => {}
                Output::Confirm(key) if self.keeps => {
                    let now = Timestamp(self.now);
                    let confirmed = Input::Confirmed(key);
                    self.core.handle(confirmed, now, &mut || random);
                }
                Output::Store(_) | Output::Confirm(_) => panic!("there is no database"),
                Output::Done(ticket, result) => self.done.push((ticket.0, result)),
            }
        }
        assert_eq!(&self.saved, self.core.saved(), "the sum of the events");
    }

    /// Lets time pass, with every wake-up on the way.
    pub(crate) fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        while let Some(at) = self.core.deadline().filter(|at| at.0 <= until) {
            assert!(at.0 > self.now, "a deadline is in the future");
            self.now = at.0;
            self.input(Input::Tick);
        }
        self.now = until;
    }

    pub(crate) fn ask(&mut self, request: Request) -> u64 {
        self.tickets += 1;
        self.input(Input::Request(Ticket(self.tickets), request));
        self.tickets
    }

    pub(crate) fn send(&mut self, conversation: &str, text: &str) -> u64 {
        self.ask(Request::Send(Outgoing::new(
            conversation,
            Content::text(text),
        )))
    }

    /// Every request since the last look.
    pub(crate) fn requests(&mut self) -> Vec<(u32, Command)> {
        let requests = std::mem::take(&mut self.frames).into_iter().flatten();
        requests
            .map(|request| (request.id, request.command.unwrap()))
            .collect()
    }

    pub(crate) fn only_request(&mut self) -> (u32, Command) {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    pub(crate) fn sync_request(&mut self) -> (u32, wire::Sync) {
        match self.only_request() {
            (id, Command::Sync(sync)) => (id, sync),
            other => panic!("no sync: {other:?}"),
        }
    }

    /// The sync that a message of an unknown conversation leads to brings its row.
    pub(crate) fn be_told(&mut self, row: wire::Conversation) {
        let (id, _) = self.sync_request();
        let told = wire::SyncResult {
            conversations: vec![row],
            ..empty_sync()
        };
        self.answer(id, Answer::Sync(told));
    }

    pub(crate) fn pull_request(&mut self) -> (u32, wire::PullMessages) {
        match self.only_request() {
            (id, Command::PullMessages(pull)) => (id, pull),
            other => panic!("no pull: {other:?}"),
        }
    }

    pub(crate) fn send_requests(&mut self) -> Vec<(u32, wire::SendMessage)> {
        let sends = self.requests().into_iter();
        sends
            .filter_map(|(id, command)| match command {
                Command::SendMessage(send) => Some((id, send)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn items(&mut self, items: Vec<Item>) {
        let items = items
            .into_iter()
            .map(|item| wire::ServerItem { item: Some(item) });
        let frame = wire::ServerFrame {
            items: items.collect(),
        };
        self.frame(frame.encode_to_vec().into());
    }

    pub(crate) fn frame(&mut self, frame: Bytes) {
        let connection = self.connection();
        self.input(Input::Frame(connection, frame));
    }

    pub(crate) fn item(&mut self, item: Item) {
        self.items(vec![item]);
    }

    pub(crate) fn answer(&mut self, id: u32, answer: Answer) {
        self.item(response(id, answer));
    }

    pub(crate) fn refuse(&mut self, id: u32, code: u32) {
        self.answer(id, Answer::Error(error(code)));
    }

    pub(crate) fn break_off(&mut self) {
        let connection = self.connection();
        self.input(Input::Disconnected(connection));
    }

    /// Waits for the next attempt and greets it, up to the sync.
    pub(crate) fn come_back(&mut self) -> (u32, wire::Sync) {
        self.requests();
        self.pass(1);
        assert!(!self.closed.contains(&self.connection()), "a new one");
        let connection = self.connection();
        self.input(Input::Connected(connection));
        let (id, hello) = self.only_request();
        assert!(matches!(hello, Command::Hello(_)), "{hello:?}");
        self.answer(id, Answer::Welcome(welcome()));
        let first = self.frames.iter().flatten().next().cloned();
        match first.and_then(|request| Some((request.id, request.command?))) {
            Some((id, Command::Sync(sync))) => (id, sync),
            other => panic!("no sync: {other:?}"),
        }
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Sequences of the messages that were delivered since the last look.
    pub(crate) fn seqs(&mut self) -> Vec<u64> {
        let events = self.take_events().into_iter();
        events
            .filter_map(|event| match event {
                Event::Message(message) => Some(message.seq),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn is_online(&self) -> bool {
        matches!(self.core.state(), ConnectionState::Online { .. })
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.core.state(), ConnectionState::Waiting { .. })
    }

    /// Codes by which requests failed; `None` for those that did not.
    pub(crate) fn outcomes(&mut self) -> Vec<(u64, Option<u32>)> {
        let done = std::mem::take(&mut self.done).into_iter();
        done.map(|(ticket, result)| (ticket, result.err().map(|error| error.code)))
            .collect()
    }
}

pub(crate) fn welcome() -> wire::Welcome {
    wire::Welcome {
        version: 1,
        user_id: "me".to_owned(),
        session_id: "session".to_owned(),
        server_time: START + AHEAD,
        heartbeat_seconds: 240,
        epoch: 7,
        feed_version: 100,
        limits: Some(wire::Limits {
            content_bytes_max: 3_072,
            frame_bytes_max: 262_144,
            page_items_max: 100,
        }),
    }
}

pub(crate) fn empty_sync() -> wire::SyncResult {
    wire::SyncResult {
        epoch: 7,
        feed_version: 100,
        synced_time: 500,
        ..wire::SyncResult::default()
    }
}

pub(crate) fn error(code: u32) -> wire::Error {
    wire::Error {
        code,
        name: "NAME".to_owned(),
        message: "message".to_owned(),
        retry_after_ms: 0,
    }
}

pub(crate) fn response(id: u32, result: Answer) -> Item {
    Item::Response(wire::Response {
        id,
        result: Some(result),
    })
}

pub(crate) fn message(conversation: &str, seq: u64) -> wire::Message {
    wire::Message {
        conversation: conversation.to_owned(),
        seq,
        message_id: format!("{seq:026}"),
        sender: "other".to_owned(),
        client_message_id: format!("c{seq}"),
        time: seq,
        content: Some(wire::Content {
            r#type: "text".to_owned(),
            body: Bytes::from(format!("text {seq}")),
        }),
        counted: true,
        ..Default::default()
    }
}

pub(crate) fn push(conversation: &str, prev: u64, seq: u64) -> Item {
    Item::Message(wire::MessagePush {
        message: Some(message(conversation, seq)),
        prev,
    })
}

pub(crate) fn page(
    conversation: &str,
    seqs: impl IntoIterator<Item = u64>,
    more: bool,
    head_seq: u64,
) -> wire::MessagePage {
    let seqs = seqs.into_iter();
    wire::MessagePage {
        conversation: conversation.to_owned(),
        messages: seqs.map(|seq| message(conversation, seq)).collect(),
        more,
        head_seq,
        first_seq: 1,
        rev: 0,
        ..Default::default()
    }
}

pub(crate) fn row(conversation: &str, head_seq: u64) -> wire::Conversation {
    wire::Conversation {
        id: conversation.to_owned(),
        head_seq,
        member: true,
        first_seq: 1,
        ..wire::Conversation::default()
    }
}

pub(crate) fn sent(conversation: &str, prev: u64, seq: u64) -> Answer {
    Answer::SendMessage(wire::SendMessageResult {
        conversation: conversation.to_owned(),
        seq,
        message_id: format!("{seq:026}"),
        time: seq,
        prev,
    })
}
