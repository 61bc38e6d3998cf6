//! Requests other than sends.

use anser_domain::limits::ID_BYTES_MAX;
use anser_proto::client as wire;
use anser_sdk::core::{ConnectionState, Reply, Request};
use wire::request::Command;
use wire::response::Result as Answer;

use crate::script::{Script, page};

fn get() -> Request {
    Request::GetGroup {
        group_id: "a".to_owned(),
    }
}

fn quit() -> Request {
    Request::QuitGroup {
        group_id: "a".to_owned(),
    }
}

#[test]
fn each_gets_its_own_answer_in_any_order() {
    let mut script = Script::online();
    let list = script.ask(Request::ListConversations {
        cursor: "c".to_owned(),
        limit: 5,
    });
    let history = script.ask(Request::History {
        conversation: "g/a".to_owned(),
        from_seq: 0,
        descending: true,
        limit: 2,
    });
    let read = script.ask(Request::MarkRead {
        conversation: "g/a".to_owned(),
        seq: 3,
    });
    let requests = script.requests();
    assert!(matches!(&requests[0].1, Command::ListConversations(l) if l.cursor == "c"));
    assert!(matches!(&requests[1].1, Command::PullMessages(p) if p.descending));
    script.answer(
        requests[2].0,
        Answer::MarkRead(wire::MarkReadResult {
            read_seq: 3,
            unread: 1,
            ..Default::default()
        }),
    );
    let messages = page("g/a", [9, 8], true, 9);
    script.answer(requests[1].0, Answer::Messages(messages));
    script.answer(
        requests[0].0,
        Answer::Conversations(wire::ConversationPage::default()),
    );
    let done = std::mem::take(&mut script.done);
    let tickets: Vec<u64> = done.iter().map(|(ticket, _)| *ticket).collect();
    assert_eq!(tickets, [read, history, list]);
    assert!(matches!(&done[0].1, Ok(Reply::Read(p)) if p.unread == 1));
    assert!(matches!(&done[1].1, Ok(Reply::Messages(p)) if p.messages.len() == 2 && p.more));
    assert!(script.seqs().is_empty(), "history is an answer, not news");
}

#[test]
fn over_a_lost_connection_reads_go_on_and_changes_of_groups_do_not() {
    let mut script = Script::online();
    let (read, change) = (script.ask(get()), script.ask(quit()));
    script.break_off();
    assert_eq!(script.outcomes(), [(change, Some(1_005))]);
    script.come_back();
    let again = script.requests();
    let (id, _) = again
        .iter()
        .find(|(_, c)| matches!(c, Command::GetGroup(_)))
        .unwrap();
    script.answer(*id, Answer::Group(Box::default()));
    assert_eq!(script.outcomes(), [(read, None)]);
}

#[test]
fn nothing_waits_longer_than_its_time() {
    let mut script = Script::online();
    let asked = script.ask(get());
    script.pass(20_000);
    assert_eq!(script.outcomes(), [(asked, Some(1_005))]);
    assert!(script.is_online());
    script.break_off();
    let queued = script.ask(get());
    script.pass(20_000);
    assert_eq!(script.outcomes(), [(queued, Some(300))]);
}

#[test]
fn a_busy_server_is_asked_again_for_what_may_be_repeated() {
    let mut script = Script::online();
    let (read, change) = (script.ask(get()), script.ask(quit()));
    let requests = script.requests();
    script.refuse(requests[0].0, 1_002);
    script.refuse(requests[1].0, 1_002);
    assert_eq!(script.outcomes(), [(change, Some(1_002))]);
    script.pass(1);
    let (id, _) = script.only_request();
    script.refuse(id, 3_010);
    assert_eq!(script.outcomes(), [(read, Some(3_010))]);
}

#[test]
fn what_does_not_fit_into_a_frame_is_refused_at_once() {
    let mut script = Script::online();
    let members = vec!["x".repeat(ID_BYTES_MAX); 5_000];
    let ticket = script.ask(Request::AddGroupMembers {
        group_id: "a".to_owned(),
        members,
    });
    assert_eq!(script.outcomes(), [(ticket, Some(3_004))]);
    assert!(script.frames.is_empty());
}

#[test]
fn logging_out_ends_it_and_forgets_the_token() {
    let mut script = Script::online();
    let ticket = script.ask(Request::Logout);
    let (id, _) = script.only_request();
    script.answer(id, Answer::Done(wire::Done {}));
    assert_eq!(script.outcomes(), [(ticket, None)]);
    assert_eq!(script.core.state(), &ConnectionState::Idle);
    assert_eq!(script.closed.len(), 1);
    script.go_online();
    assert_eq!(script.opened.len(), 2);
}

#[test]
fn an_answer_of_another_kind_is_an_error_of_that_request() {
    let mut script = Script::online();
    let ticket = script.ask(quit());
    let (id, _) = script.only_request();
    script.answer(id, Answer::Pong(wire::Pong::default()));
    assert_eq!(script.outcomes(), [(ticket, Some(1_000))]);
}
