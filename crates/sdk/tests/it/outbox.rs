//! Sending: one answer to each, one message of each.

use anser_domain::Code;
use anser_domain::limits::FRAME_REQUESTS_MAX;
use anser_proto::client as wire;
use anser_sdk::core::{Event, Input, Outgoing, Reply, Request};
use anser_sdk::limits::OUTBOX_SENDS_MAX;
use anser_sdk::model::{Content, Mention};
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::script::{Script, empty_sync, error, push, row, sent};

#[test]
fn what_the_server_could_only_refuse_does_not_go_out() {
    let mut script = Script::online();
    let users = |count: usize, bytes: usize| -> Vec<String> {
        let user = |n| format!("{n:0bytes$}");
        (0..count).map(user).collect()
    };
    let to = |targets, mentioned| Outgoing {
        targets,
        mention: Some(Mention {
            users: mentioned,
            ..Mention::default()
        }),
        ..Outgoing::new("g/a", Content::text("hi"))
    };
    for message in [
        to(users(101, 3), Vec::new()),
        to(Vec::new(), users(101, 3)),
        // 200 KB of names and more do not fit into a frame.
        to(users(100, 1_500), users(100, 1_500)),
    ] {
        script.ask(Request::Send(message));
    }
    script.ask(Request::Send(to(users(100, 3), users(100, 3))));
    assert_eq!(script.send_requests().len(), 1);
    let codes = script.done.iter().map(|(_, result)| match result {
        Err(error) => error.code,
        Ok(_) => 0,
    });
    let invalid = Code::InvalidRequest.number();
    let expected = [invalid, invalid, Code::FrameTooLarge.number()];
    assert_eq!(codes.collect::<Vec<_>>(), expected);
}

#[test]
fn an_answered_send_is_reported_and_takes_its_place() {
    let mut script = Script::online();
    script.take_events();
    let ticket = script.send("g/a", "hello");
    let (id, send) = script.send_requests().remove(0);
    assert_eq!(send.client_message_id.len(), 32);
    script.answer(id, sent("g/a", 4, 5));
    let (done, Ok(Reply::Sent(result))) = script.done.remove(0) else {
        panic!("not sent");
    };
    assert_eq!(
        (done, result.seq, result.client_message_id),
        (ticket, 5, send.client_message_id.clone())
    );
    let events = script.take_events();
    assert!(matches!(&events[0], Event::Followed { seq: 4, .. }));
    let Event::Message(message) = &events[1] else {
        panic!("no message");
    };
    assert_eq!((message.seq, message.sender.as_str()), (5, "me"));
    assert_eq!(message.content.as_text(), Some("hello"));
    assert_eq!(message.client_message_id, send.client_message_id);
    script.item(push("g/a", 4, 5));
    assert!(script.take_events().is_empty(), "once");
}

#[test]
fn sends_are_pipelined_in_order_within_a_window() {
    let mut script = Script::online();
    for n in 0..70 {
        script.send("g/a", &n.to_string());
    }
    let sends = script.send_requests();
    assert_eq!(sends.len(), FRAME_REQUESTS_MAX);
    let texts = sends.iter().map(|(_, send)| &send.content);
    let in_order = (0..64).map(|n| Content::text(n.to_string()).body);
    assert!(texts.map(|c| c.clone().unwrap().body).eq(in_order));
    script.answer(sends[0].0, sent("g/a", 0, 1));
    assert_eq!(script.send_requests().len(), 1);
}

#[test]
fn ten_seconds_without_an_answer_lead_to_a_new_connection_and_one_more_try() {
    let mut script = Script::online();
    let ticket = script.send("g/a", "x");
    let first = script.send_requests().remove(0).1;
    script.pass(9_999);
    assert!(script.is_online());
    script.pass(1);
    assert!(script.is_waiting());
    let (sync, _) = script.come_back();
    let again = script.send_requests().remove(0);
    assert_eq!(again.1, first, "the same, with the time of the first try");
    script.answer(sync, Answer::Sync(empty_sync()));
    script.answer(again.0, sent("g/a", 0, 1));
    assert_eq!(script.outcomes(), [(ticket, None)]);
}

#[test]
fn the_second_failure_is_final() {
    let mut script = Script::online();
    let ticket = script.send("g/a", "x");
    script.pass(10_000);
    script.come_back();
    assert_eq!(script.send_requests().len(), 1);
    assert!(script.outcomes().is_empty());
    script.break_off();
    assert_eq!(script.outcomes(), [(ticket, Some(300))]);
    script.come_back();
    assert!(script.send_requests().is_empty());
}

#[test]
fn a_try_lost_with_no_way_back_fails_in_ten_seconds_and_a_queued_send_in_sixty() {
    let mut script = Script::online();
    let lost = script.send("g/a", "x");
    script.break_off();
    let queued = script.send("g/a", "y");
    script.pass(9_999);
    assert!(script.outcomes().is_empty());
    script.pass(1);
    assert_eq!(script.outcomes(), [(lost, Some(300))]);
    script.pass(50_000);
    assert_eq!(script.outcomes(), [(queued, Some(300))]);
}

#[test]
fn what_is_sent_while_reconnecting_goes_out_on_the_next_connection_in_order() {
    let mut script = Script::online();
    script.send("g/a", "1");
    script.break_off();
    script.send("g/a", "2");
    script.pass(1);
    script.send("g/b", "3");
    script.come_back();
    let texts: Vec<_> = script.send_requests();
    let texts: Vec<_> = texts
        .iter()
        .map(|(_, s)| s.content.clone().unwrap().body)
        .collect();
    assert_eq!(texts, ["1", "2", "3"]);
}

#[test]
fn errors_to_retry_are_retried_with_the_same_id_within_the_budget() {
    let mut script = Script::online();
    let ticket = script.send("g/a", "x");
    let (id, first) = script.send_requests().remove(0);
    script.answer(
        id,
        Answer::Error(wire::Error {
            retry_after_ms: 3_000,
            ..error(1_003)
        }),
    );
    let behind = script.send("g/a", "y");
    script.pass(3_000);
    assert!(script.frames.is_empty(), "what follows waits with it");
    script.pass(1);
    let sends = script.send_requests();
    assert_eq!(sends[0].1, first);
    assert_eq!(sends.len(), 2);
    script.answer(sends[0].0, sent("g/a", 0, 1));
    script.answer(sends[1].0, sent("g/a", 1, 2));
    assert_eq!(script.outcomes(), [(ticket, None), (behind, None)]);

    let ticket = script.send("g/a", "z");
    let mut tries = 0;
    while script.done.is_empty() {
        for (id, _) in script.send_requests() {
            tries += 1;
            script.answer(
                id,
                Answer::Error(wire::Error {
                    retry_after_ms: 6_000,
                    ..error(1_002)
                }),
            );
        }
        script.pass(100);
    }
    assert_eq!((tries, script.outcomes()), (4, vec![(ticket, Some(1_002))]));
}

#[test]
fn errors_to_give_up_end_that_send_alone() {
    let mut script = Script::online();
    let (a, b) = (script.send("g/a", "x"), script.send("g/b", "y"));
    let sends = script.send_requests();
    script.refuse(sends[0].0, 3_011);
    script.answer(sends[1].0, sent("g/b", 0, 1));
    assert_eq!(script.outcomes(), [(a, Some(3_011)), (b, None)]);
    assert!(script.is_online());
}

#[test]
fn what_no_server_would_take_is_refused_at_once() {
    let mut script = Script::online();
    let mut refuse = |conversation: &str, kind: &str, bytes: usize, id: Option<&str>| {
        script.ask(Request::Send(Outgoing {
            client_message_id: id.map(str::to_owned),
            ..Outgoing::new(
                conversation,
                Content {
                    kind: kind.to_owned(),
                    body: vec![b'x'; bytes].into(),
                },
            )
        }));
        assert!(script.send_requests().is_empty());
        script.outcomes()[0].1.unwrap()
    };
    assert_eq!(refuse("bob", "text", 1, None), 3_000);
    assert_eq!(refuse("g/a", "Text", 1, None), 3_000);
    assert_eq!(refuse("g/a", "anser.x", 1, None), 3_012);
    assert_eq!(refuse("g/a", "text", 3_069, None), 3_003);
    assert_eq!(refuse("g/a", "text", 1, Some("")), 3_000);
}

#[test]
fn the_outbox_is_bounded_in_number_and_bytes() {
    let mut script = Script::online();
    script.break_off();
    for _ in 0..OUTBOX_SENDS_MAX {
        script.send("g/a", "x");
    }
    assert!(script.outcomes().is_empty());
    let refused = script.send("g/a", "x");
    assert_eq!(script.outcomes(), [(refused, Some(520))]);

    let mut script = Script::new();
    script.input(Input::Connect);
    let large = "x".repeat(128 * 1024 - 4);
    for _ in 0..64 {
        script.send("g/a", &large);
    }
    assert!(script.outcomes().is_empty());
    let refused = script.send("g/a", "x");
    assert_eq!(script.outcomes(), [(refused, Some(520))]);
}

#[test]
fn large_sends_are_spread_over_frames() {
    let mut script = Script::new();
    script.input(Input::Connect);
    let large = "x".repeat(100 * 1024);
    for _ in 0..5 {
        script.send("g/a", &large);
    }
    script.input(Input::Token("t".to_owned()));
    script.greet();
    let sizes: Vec<usize> = script.frames.iter().map(Vec::len).collect();
    assert_eq!(sizes, [3, 2, 1], "with the sync; two fit into 256 KiB");
}

#[test]
fn a_late_result_of_a_send_is_followed_by_what_was_told_meanwhile() {
    let mut script = Script::online();
    script.send("g/a", "x");
    script.send_requests();
    script.break_off();
    let (sync, _) = script.come_back();
    let (id, _) = script.send_requests().remove(0);
    let result = wire::SyncResult {
        conversations: vec![row("g/a", 7)],
        ..empty_sync()
    };
    script.answer(sync, Answer::Sync(result));
    script.take_events();
    script.answer(id, sent("g/a", 4, 5));
    assert!(
        script.seqs().is_empty(),
        "it may have changed since it was sent"
    );
    let (id, pull) = script.pull_request();
    assert_eq!((pull.from_seq, pull.descending), (4, false));
    let page = crate::script::page("g/a", [5, 6, 7], false, 7);
    script.answer(id, Answer::Messages(page));
    assert_eq!(script.seqs(), [5, 6, 7]);
}

#[test]
fn so_is_the_result_of_a_send_that_took_effect_although_it_was_refused() {
    let mut script = Script::online();
    script.send("g/a", "x");
    let (id, _) = script.send_requests().remove(0);
    script.refuse(id, 1_005);
    // Somebody else writes, and that push is lost; what tells of it is the list.
    script.item(Item::Conversation(wire::ConversationPush {
        conversation: Some(row("g/a", 6)),
        feed_version: 101,
        feed_previous: 100,
    }));
    script.pass(10);
    let (id, _) = script.send_requests().remove(0);
    script.answer(id, sent("g/a", 4, 5));
    assert!(script.seqs().is_empty());
    let (id, pull) = script.pull_request();
    assert_eq!(pull.from_seq, 4);
    let page = crate::script::page("g/a", [5, 6], false, 6);
    script.answer(id, Answer::Messages(page));
    assert_eq!(script.seqs(), [5, 6]);
}
