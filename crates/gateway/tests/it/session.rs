//! The session machine without any socket: frames in, frames out, time as the test says.

use std::sync::Arc;

use anser_domain::AppId;
use anser_domain::control::AppSettingsChange;
use anser_engine::Engine;
use anser_gateway::limits::{SendRate, SessionSettings};
use anser_gateway::native::Framing;
use anser_gateway::session::{Frame, Handler, Outbox, Session};
use anser_proto::client as wire;
use bytes::BytesMut;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::pipe::Pipe;
use crate::server::{context, hello, items, requests, text, token};

/// A session and the far end of its wire.
struct Machine {
    session: Session<Pipe>,
    outbox: Arc<Outbox<Pipe>>,
    pipe: Pipe,
    token: String,
    engine: Engine,
    app: AppId,
    now: u64,
}

impl Machine {
    async fn new(settings: SessionSettings) -> Self {
        Self::with_room(settings, 100_000).await
    }

    async fn with_room(settings: SessionSettings, bytes_max: usize) -> Self {
        let (context, app) = context(settings).await;
        let token = token(&context, app, "alice").await;
        let pipe = Pipe::endless();
        let (dialect, metrics) = (Framing::Length.dialect(), context.metrics.clone());
        let engine = context.engine.clone();
        let outbox = Outbox::new(pipe.clone(), dialect, bytes_max, metrics);
        let session = Session::new(Arc::new(context), outbox.clone(), Framing::Length, 0);
        Self {
            session,
            outbox,
            pipe,
            token,
            engine,
            app,
            now: 0,
        }
    }

    async fn signed_in() -> Self {
        let mut machine = Self::new(SessionSettings::default()).await;
        let hello = hello(machine.token.clone());
        let items = machine.say(vec![(1, hello)]).await;
        assert!(
            matches!(answer(&items[0]), (1, Answer::Welcome(_))),
            "{items:?}"
        );
        machine
    }

    async fn say(&mut self, commands: Vec<(u32, Command)>) -> Vec<Item> {
        self.say_bytes(&requests(commands)).await
    }

    async fn say_bytes(&mut self, frame: &[u8]) -> Vec<Item> {
        self.session.on_frame(frame, self.now).await;
        self.heard()
    }

    /// What came out since the last time.
    fn heard(&mut self) -> Vec<Item> {
        use anser_engine::SessionSink as _;
        self.outbox.flush();
        let mut bytes = BytesMut::from(&self.pipe.take()[..]);
        let mut all = Vec::new();
        while let Some(frame) = anser_proto::frame::decode(&mut bytes, 1 << 20).unwrap() {
            all.extend(items(&frame));
        }
        all
    }

    /// Waits for sends to be answered.
    async fn answers(&mut self, count: usize) -> Vec<Item> {
        let mut all = self.heard();
        while all.len() < count {
            tokio::task::yield_now().await;
            all.extend(self.heard());
        }
        all
    }
}

fn answer(item: &Item) -> (u32, &Answer) {
    match item {
        Item::Response(response) => (response.id, response.result.as_ref().unwrap()),
        other => panic!("{other:?}"),
    }
}

/// The code of a refusal.
fn refusal(item: &Item) -> u32 {
    match answer(item).1 {
        Answer::Error(error) => error.code,
        other => panic!("{other:?}"),
    }
}

/// The code of a farewell.
fn farewell(item: &Item) -> u32 {
    match item {
        Item::Close(close) => close.error.as_ref().unwrap().code,
        other => panic!("{other:?}"),
    }
}

fn ping() -> Command {
    Command::Ping(wire::Ping {})
}

#[tokio::test]
async fn hello_comes_first_alone_and_in_time() {
    let fresh = || Machine::new(SessionSettings::default());
    let mut machine = fresh().await;
    let said = machine.say(vec![(1, ping())]).await;
    assert_eq!(said.iter().map(farewell).collect::<Vec<_>>(), [3002]);
    assert!(machine.outbox.is_closing());

    let mut machine = fresh().await;
    let hello_and_more = vec![(1, hello(machine.token.clone())), (2, ping())];
    let said = machine.say(hello_and_more).await;
    assert_eq!(said.iter().map(farewell).collect::<Vec<_>>(), [3002]);

    let mut machine = fresh().await;
    assert_eq!(machine.session.on_deadline(9_999), 10_000);
    assert_eq!(machine.heard(), []);
    machine.session.on_deadline(10_000);
    assert_eq!(
        machine.heard().iter().map(farewell).collect::<Vec<_>>(),
        [3002]
    );
}

#[tokio::test]
async fn the_welcome_says_what_is_honoured() {
    let mut machine = Machine::new(SessionSettings::default()).await;
    assert_eq!(machine.session.frame_bytes_max(), 8 * 1024);
    let hello = hello(machine.token.clone());
    let said = machine.say(vec![(9, hello)]).await;
    let (9, Answer::Welcome(welcome)) = answer(&said[0]) else {
        panic!("{said:?}")
    };
    assert_eq!((welcome.version, welcome.user_id.as_str()), (1, "alice"));
    assert_eq!(welcome.heartbeat_seconds, 60);
    assert_eq!(welcome.limits.as_ref().unwrap().frame_bytes_max, 256 * 1024);
    assert!(machine.session.is_authenticated());
    assert_eq!(machine.session.frame_bytes_max(), 256 * 1024);
}

#[tokio::test]
async fn a_bad_token_is_answered_and_ends_the_connection() {
    let mut machine = Machine::new(SessionSettings::default()).await;
    let said = machine.say(vec![(5, hello("rubbish".into()))]).await;
    assert_eq!((refusal(&said[0]), farewell(&said[1])), (2000, 2000));
    assert!(!machine.session.is_authenticated());
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_connection() {
    let many = (1..=65).map(|id| (id, ping())).collect();
    let bad = [
        b"\xff\xff\xff".to_vec(),
        requests(vec![(0, ping())]),
        requests(many),
    ];
    for bad in bad {
        let mut machine = Machine::signed_in().await;
        let said = machine.say_bytes(&bad).await;
        assert_eq!(said.iter().map(farewell).collect::<Vec<_>>(), [3000]);
        assert_eq!(machine.say(vec![(7, ping())]).await, [], "it is over");
    }
    let mut machine = Machine::signed_in().await;
    Handler::on_frame(&mut machine.session, Frame::Text("hello"), 0);
    assert_eq!(
        machine.heard().iter().map(farewell).collect::<Vec<_>>(),
        [3000]
    );
}

#[tokio::test]
async fn what_a_server_does_not_know_is_refused_and_life_goes_on() {
    let mut machine = Machine::signed_in().await;
    // A request of a later version: field 99 of Request.
    let unknown = [0x0a, 5, 0x08, 2, 0x9a, 6, 0];
    let said = machine.say_bytes(&unknown).await;
    assert_eq!((answer(&said[0]).0, refusal(&said[0])), (2, 3000));
    let again = hello(machine.token.clone());
    let said = machine.say(vec![(3, again), (4, ping())]).await;
    assert_eq!(refusal(&said[0]), 3000);
    assert!(matches!(answer(&said[1]), (4, Answer::Pong(_))));
}

#[tokio::test]
async fn requests_of_a_frame_are_answered_in_order() {
    let mut machine = Machine::signed_in().await;
    let list = Command::ListConversations(wire::ListConversations::default());
    let pull = Command::PullMessages(wire::PullMessages {
        conversation: "p/alice/bob".into(),
        limit: 500,
        ..Default::default()
    });
    let group = Command::CreateGroup(wire::CreateGroup {
        group_id: "g".into(),
        ..Default::default()
    });
    let said = machine
        .say(vec![
            (2, ping()),
            (3, list),
            (4, pull),
            (5, group),
            (6, ping()),
        ])
        .await;
    let said: Vec<Item> = said
        .into_iter()
        .filter(|item| matches!(item, Item::Response(_)))
        .collect();
    let ids: Vec<u32> = said.iter().map(|item| answer(item).0).collect();
    assert_eq!(ids, [2, 3, 4, 5, 6]);
    assert_eq!(refusal(&said[2]), 3000);
    assert!(matches!(answer(&said[3]).1, Answer::Group(_)), "{said:?}");
}

#[tokio::test]
async fn silence_of_one_and_a_half_intervals_ends_the_session() {
    let mut machine = Machine::signed_in().await;
    assert_eq!(machine.session.deadline(), 90_000);
    machine.now = 80_000;
    machine.say(vec![(2, ping())]).await;
    assert_eq!(machine.session.on_deadline(90_000), 170_000);
    machine.session.on_sign_of_life(100_000);
    assert_eq!(machine.session.on_deadline(189_999), 190_000);
    assert_eq!(machine.heard(), []);
    machine.session.on_deadline(190_000);
    assert_eq!(
        machine.heard().iter().map(farewell).collect::<Vec<_>>(),
        [1007]
    );
    assert!(!machine.session.is_authenticated());
}

#[tokio::test]
async fn an_apps_own_rate_holds_at_once_for_who_is_in() {
    let mut machine = Machine::new(SessionSettings::default()).await;
    let (engine, app) = (machine.engine.clone(), machine.app);
    let rate = |per_second, burst, content| AppSettingsChange {
        client_messages_per_second: Some(Some(per_second)),
        client_messages_burst: Some(Some(burst)),
        content_bytes_max: Some(Some(content)),
        ..AppSettingsChange::default()
    };
    let slow = rate(1, 1, 1_000);
    engine.change_app_settings(app, &slow).await.unwrap();
    let hello = hello(machine.token.clone());
    let said = machine.say(vec![(1, hello)]).await;
    match answer(&said[0]) {
        (1, Answer::Welcome(welcome)) => {
            assert_eq!(welcome.limits.unwrap().content_bytes_max, 1_000);
        }
        other => panic!("{other:?}"),
    }
    let send = |n: u32| (n, text("p/alice/alice", &format!("m{n}"), "hi"));
    let limited = |said: &[Item]| {
        said.iter()
            .filter(|item| matches!(item, Item::Response(_)))
            .filter(|item| matches!(answer(item).1, Answer::Error(error) if error.code == 1003))
            .count()
    };
    let frame = requests((2..=4).map(send).collect());
    machine.session.on_frame(&frame, 0).await;
    assert_eq!(limited(&machine.answers(3).await), 2);
    let free = rate(0, 1, 1_000);
    engine.change_app_settings(app, &free).await.unwrap();
    let frame = requests((5..=9).map(send).collect());
    machine.session.on_frame(&frame, 0).await;
    assert_eq!(limited(&machine.answers(5).await), 0);
}

#[tokio::test]
async fn sends_are_limited_per_client_and_refused_whole() {
    let mut machine = Machine::new(SessionSettings {
        send_rate: Some(SendRate {
            per_second: 2,
            burst: 3,
        }),
        ..SessionSettings::default()
    })
    .await;
    let hello = hello(machine.token.clone());
    machine.say(vec![(1, hello)]).await;
    let send = |n: u32| (n, text("p/alice/alice", &format!("m{n}"), "hi"));
    machine
        .session
        .on_frame(&requests((2..=6).map(send).collect()), 0)
        .await;
    let said = machine.answers(5).await;
    let mut limited = 0;
    for item in said.iter().filter(|item| matches!(item, Item::Response(_))) {
        match answer(item) {
            (5..=6, Answer::Error(error)) => {
                limited += 1;
                assert_eq!((error.code, error.retry_after_ms), (1003, 500));
            }
            (2..=4, Answer::SendMessage(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(limited, 2);
    machine.now = 500;
    machine.say(vec![send(5)]).await;
    let page = Command::PullMessages(wire::PullMessages {
        conversation: "p/alice/alice".into(),
        ..Default::default()
    });
    let mut said = machine.say(vec![(9, page)]).await;
    said.extend(machine.heard());
    let messages = said.iter().find_map(|item| match item {
        Item::Response(r) if r.id == 9 => r.result.clone(),
        _ => None,
    });
    let Some(Answer::Messages(page)) = messages else {
        panic!("{said:?}")
    };
    let ids: Vec<&str> = page
        .messages
        .iter()
        .map(|m| m.client_message_id.as_str())
        .collect();
    assert!(
        ids.starts_with(&["m2", "m3", "m4"]) && !ids.contains(&"m6"),
        "{ids:?}"
    );
}

#[tokio::test]
async fn answers_of_one_frame_wait_for_room() {
    let mut machine = Machine::with_room(SessionSettings::default(), 300).await;
    let hello = hello(machine.token.clone());
    machine.say(vec![(1, hello)]).await;
    machine.pipe.fill();
    let list = |id| {
        let list = Command::ListConversations(wire::ListConversations::default());
        (id, list)
    };
    let frame = requests((1..=64).map(list).collect());
    Handler::on_frame(&mut machine.session, Frame::Binary(&frame), 0);
    let mut heard = Vec::new();
    let mut turns = 0;
    // The peer reads only when the session has come to a stop.
    loop {
        let polled = futures::poll!(std::future::poll_fn(|cx| machine.session.poll_idle(cx, 0)));
        machine.pipe.make_room(usize::MAX);
        machine.outbox.resume();
        let part = machine.heard();
        assert!(part.len() < 40, "one turn answered {}", part.len());
        heard.extend(part);
        if polled.is_ready() {
            break;
        }
        turns += 1;
        machine.pipe.fill();
        tokio::task::yield_now().await;
    }
    assert!(turns > 0);
    let ids: Vec<u32> = heard.iter().map(|item| answer(item).0).collect();
    assert_eq!(ids, (1..=64).collect::<Vec<_>>());
}

#[tokio::test]
async fn logging_out_is_answered_and_ends_it() {
    let mut machine = Machine::signed_in().await;
    let logout = Command::Logout(wire::Logout {});
    let said = machine.say(vec![(2, logout), (3, ping())]).await;
    assert!(matches!(answer(&said[0]), (2, Answer::Done(_))));
    assert_eq!(farewell(&said[1]), 4002);
    assert_eq!(said.len(), 2, "nothing behind it is done");
}

#[tokio::test]
async fn a_dropped_session_is_gone_for_the_engine() {
    let (context, app) = context(SessionSettings::default()).await;
    let token = token(&context, app, "alice").await;
    let user = anser_domain::UserId::new("alice").unwrap();
    let engine = context.engine.clone();
    let context = Arc::new(context);
    let pipe = Pipe::endless();
    let (dialect, metrics) = (Framing::Length.dialect(), context.metrics.clone());
    let outbox = Outbox::new(pipe, dialect, 1_000, metrics);
    let mut session = Session::new(context, outbox, Framing::Length, 0);
    session
        .on_frame(&requests(vec![(1, hello(token))]), 0)
        .await;
    assert_eq!(engine.sessions(app, &user).await.unwrap().len(), 1);
    drop(session);
    assert_eq!(engine.sessions(app, &user).await.unwrap().len(), 0);
}
