//! Connecting, and what the ranges of the codes lead to.

use anser_domain::Timestamp;
use anser_proto::client as wire;
use anser_sdk::core::{ConnectionId, ConnectionState, Event, Input, Request};
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::script::{AHEAD, START, Script, empty_sync, error, push, response, welcome};

fn close(code: u32) -> Item {
    Item::Close(wire::ClosePush {
        error: Some(error(code)),
    })
}

#[test]
fn hello_goes_first_and_alone() {
    let mut script = Script::new();
    script.input(Input::Connect);
    script.send("g/a", "queued while connecting");
    assert_eq!((script.tokens_wanted, script.opened.len()), (1, 0));
    script.input(Input::Token("the token".to_owned()));
    let connection = script.connection();
    script.input(Input::Connected(connection));
    let (id, Command::Hello(hello)) = script.only_request() else {
        panic!("no hello");
    };
    assert_eq!((hello.version_min, hello.version_max), (1, 1));
    assert_eq!(hello.token, "the token");
    assert_eq!(hello.device_id, "device");
    assert_eq!(hello.heartbeat_seconds, 240, "the longest it will use");
    assert!(hello.client.starts_with("anser-sdk/") && hello.client.ends_with(" test"));
    script.pass(1_000);
    assert!(script.frames.is_empty(), "nothing before the welcome");
    script.answer(id, Answer::Welcome(welcome()));
    let requests = script.requests();
    assert!(matches!(requests[0].1, Command::Sync(_)));
    let Command::SendMessage(send) = &requests[1].1 else {
        panic!("no send");
    };
    assert_eq!(
        send.first_try_time,
        script.now + AHEAD - (script.now - START),
        "by the server's clock"
    );
    assert!(script.is_online());
}

#[test]
fn a_connection_that_does_not_come_up_is_tried_again_at_the_next_address() {
    let mut script = Script::new();
    script.random = u64::MAX;
    script.input(Input::Connect);
    script.input(Input::Token("t".to_owned()));
    script.pass(9_999);
    assert!(script.closed.is_empty());
    script.pass(1);
    assert_eq!(script.closed, [ConnectionId(1)]);
    script.pass(500);
    script.input(Input::Disconnected(ConnectionId(2)));
    script.pass(1_000);
    script.input(Input::Connected(ConnectionId(3)));
    script.pass(10_000);
    assert_eq!(script.closed.last(), Some(&ConnectionId(3)), "no welcome");
    script.pass(2_000);
    let addresses: Vec<&str> = script.opened.iter().map(|(_, a)| a.as_str()).collect();
    assert_eq!(addresses, ["one", "two", "one", "two"]);
    assert_eq!(script.tokens_wanted, 1, "the token is still good");
}

#[test]
fn waits_double_up_to_half_a_minute_and_a_stable_connection_ends_the_series() {
    let mut script = Script::new();
    script.input(Input::Connect);
    script.input(Input::Token("t".to_owned()));
    let mut waits = Vec::new();
    let mut fail = |script: &mut Script, ceiling: u64| {
        script.random = ceiling; // modulo ceiling + 1: the longest of the range
        script.break_off();
        script.requests();
        let ConnectionState::Waiting { until, .. } = script.core.state().clone() else {
            panic!("not waiting");
        };
        waits.push(until.0 - script.now);
        script.pass(until.0 - script.now);
    };
    for ceiling in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
        fail(&mut script, ceiling);
    }
    script.greet();
    script.pass(9_999);
    fail(&mut script, 30_000);
    script.greet();
    script.pass(10_000);
    fail(&mut script, 500);
    assert_eq!(
        waits,
        [
            500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 500
        ]
    );
}

#[test]
fn retry_codes_come_back_after_the_time_asked_for() {
    let mut script = Script::online();
    script.item(Item::Close(wire::ClosePush {
        error: Some(wire::Error {
            retry_after_ms: 7_000,
            ..error(1_999)
        }),
    }));
    assert!(script.is_waiting());
    assert_eq!(script.closed.len(), 1);
    script.pass(7_000);
    assert_eq!(script.opened.len(), 1, "and some jitter");
    script.pass(1);
    assert_eq!(script.opened.len(), 2);
}

#[test]
fn login_codes_get_a_new_token_a_few_times() {
    let mut script = Script::online();
    script.item(close(2_001));
    script.pass(1);
    for n in 1..=5 {
        assert_eq!(script.tokens_wanted, 1, "refusal {n}");
        script.tokens_wanted = 0;
        script.input(Input::Token(format!("token {n}")));
        let connection = script.connection();
        script.input(Input::Connected(connection));
        let (id, Command::Hello(hello)) = script.only_request() else {
            panic!("no hello");
        };
        assert_eq!(hello.token, format!("token {n}"));
        script.refuse(id, 2_999);
        if n < 4 {
            script.pass(1_000);
        } else {
            break;
        }
    }
    assert!(matches!(script.core.state(), ConnectionState::Stopped(e) if e.code == 2_999));
    script.pass(100_000);
    assert_eq!(script.tokens_wanted, 0, "it gave up");
    script.input(Input::Connect);
    assert_eq!(script.tokens_wanted, 1, "until asked to try again");
}

#[test]
fn final_codes_end_it() {
    for code in [3_001, 3_999, 4_000, 4_999, 9_999, 0] {
        let mut script = Script::online();
        let send = script.send("g/a", "x");
        script.item(close(code));
        assert!(
            matches!(script.core.state(), ConnectionState::Stopped(e) if e.code == code),
            "{code}"
        );
        assert_eq!(script.closed.len(), 1);
        assert_eq!(script.outcomes(), [(send, Some(code))]);
        script.pass(1_000_000);
        assert_eq!(script.opened.len(), 1, "{code}");
        assert_eq!(script.core.deadline(), None);
        let send = script.send("g/a", "x");
        assert_eq!(script.outcomes(), [(send, Some(510))]);
    }
}

#[test]
fn the_same_holds_for_the_answer_to_hello_and_to_a_request() {
    let mut script = Script::new();
    script.input(Input::Connect);
    script.input(Input::Token("t".to_owned()));
    script.input(Input::Connected(ConnectionId(1)));
    let (id, _) = script.only_request();
    script.refuse(id, 1_008);
    assert!(script.is_waiting());
    script.pass(1);
    script.input(Input::Connected(ConnectionId(2)));
    let (id, _) = script.only_request();
    script.refuse(id, 3_001);
    assert!(matches!(script.core.state(), ConnectionState::Stopped(_)));

    let mut script = Script::online();
    script.send("g/a", "x");
    let (id, _) = script.only_request();
    script.refuse(id, 2_002);
    assert!(script.is_waiting(), "the token is no good for anything");
    script.pass(1);
    assert_eq!(script.tokens_wanted, 1);
    script.input(Input::Token("new".to_owned()));
    script.greet();
    assert_eq!(script.send_requests().len(), 1, "the send goes on");
}

#[test]
fn a_token_may_be_late_missing_or_refused_by_the_application() {
    let mut script = Script::new();
    script.input(Input::Connect);
    script.pass(30_001);
    assert_eq!(script.tokens_wanted, 2, "asked again");
    script.input(Input::NoToken {
        retry: true,
        message: "backend down".to_owned(),
    });
    assert!(script.is_waiting());
    script.pass(1);
    assert_eq!(script.tokens_wanted, 3);
    script.input(Input::NoToken {
        retry: false,
        message: "banned".to_owned(),
    });
    assert!(matches!(
        script.core.state(),
        ConnectionState::Stopped(error) if error.message == "banned"
    ));
}

#[test]
fn never_connected_and_disconnected_refuse_at_once() {
    let mut script = Script::new();
    let send = script.send("g/a", "x");
    assert_eq!(script.outcomes(), [(send, Some(510))]);
    script.go_online();
    let sent = script.send("g/a", "x");
    let asked = script.ask(Request::GetGroup {
        group_id: "a".to_owned(),
    });
    script.input(Input::Disconnect);
    let mut outcomes = script.outcomes();
    outcomes.sort_unstable();
    assert_eq!(outcomes, [(sent, Some(510)), (asked, Some(510))]);
    assert_eq!(script.core.state(), &ConnectionState::Idle);
    assert_eq!(script.core.deadline(), None);
    script.requests();
    script.go_online();
    assert_eq!(script.opened.len(), 2);
}

#[test]
fn connect_while_waiting_does_not_wait() {
    let mut script = Script::online();
    script.random = 400;
    script.break_off();
    assert_eq!(script.opened.len(), 1);
    script.input(Input::Connect);
    assert_eq!(script.opened.len(), 2);
    script.input(Input::Connect);
    assert_eq!(script.opened.len(), 2, "one at a time");
}

#[test]
fn what_is_left_of_an_old_connection_is_not_heard() {
    let mut script = Script::online();
    let old = script.connection();
    script.break_off();
    script.pass(1);
    script.greet();
    script.take_events();
    script.input(Input::Disconnected(old));
    script.input(Input::Connected(old));
    let frame = {
        use prost::Message as _;
        let item = Some(push("g/a", 0, 1));
        wire::ServerFrame {
            items: vec![wire::ServerItem { item }],
        }
        .encode_to_vec()
    };
    script.input(Input::Frame(old, frame.into()));
    assert!(script.is_online());
    assert!(script.take_events().is_empty());
}

#[test]
fn a_server_that_breaks_the_protocol_is_left_and_tried_again() {
    type Break = fn(&mut Script);
    let cases: [(&str, Break); 5] = [
        ("no protobuf", |script| script.frame(vec![0xff; 9].into())),
        ("a push without its message", |script| {
            script.item(Item::Message(wire::MessagePush::default()));
        }),
        ("a predecessor that comes later", |script| {
            script.item(push("g/a", 5, 5));
        }),
        ("an answer of another kind", |script| {
            script.item(Item::Check(wire::CheckPush {}));
            script.pass(2_000);
            let (id, _) = script.sync_request();
            script.answer(id, Answer::Pong(wire::Pong::default()));
        }),
        ("a page that is not in order", |script| {
            script.items(vec![push("g/a", 0, 1), push("g/a", 4, 5)]);
            let (id, _) = script.pull_request();
            let page = crate::script::page("g/a", [3, 2], false, 5);
            script.answer(id, Answer::Messages(page));
        }),
    ];
    for (name, break_it) in cases {
        let mut script = Script::online();
        break_it(&mut script);
        assert!(script.is_waiting(), "{name}");
        script.pass(1);
        assert_eq!(script.opened.len(), 2, "{name}");
    }
    let mut script = Script::online();
    let late = response(9_999, Answer::Pong(wire::Pong::default()));
    script.item(late);
    assert!(script.is_online(), "an answer too late is no offence");
}

#[test]
fn nothing_is_accepted_before_the_welcome() {
    let mut script = Script::new();
    script.input(Input::Connect);
    script.input(Input::Token("t".to_owned()));
    script.input(Input::Connected(ConnectionId(1)));
    script.item(push("g/a", 0, 1));
    assert!(script.is_waiting());
    assert!(!script.events.iter().any(|e| matches!(e, Event::Message(_))));
}

#[test]
fn a_sync_that_is_not_answered_ends_the_connection() {
    let mut script = Script::new();
    script.input(Input::Connect);
    script.input(Input::Token("t".to_owned()));
    script.greet();
    script.pass(19_999);
    assert!(script.is_online());
    script.pass(1);
    assert!(script.is_waiting());
    let (id, _) = script.come_back();
    script.answer(id, Answer::Sync(empty_sync()));
    assert_eq!(script.core.saved().feed_version, 100);
}

#[test]
fn time_never_goes_back_for_the_core() {
    let mut script = Script::online();
    let deadline = script.core.deadline();
    script.now -= 500_000;
    script.input(Input::Tick);
    assert_eq!(script.core.deadline(), deadline);
    assert!(deadline > Some(Timestamp(START)));
}
