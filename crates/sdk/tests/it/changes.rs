//! Changes of messages and the user's own deletions: each told once, in order, over reconnects.

use anser_proto::client as wire;
use anser_sdk::core::{Event, Input};
use anser_sdk::limits::NUMBERED_PAGES_MAX;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::script::{Script, empty_sync, message, page, push, row};

/// A message as it is after a change.
fn edited(seq: u64, rev: u64) -> wire::Message {
    wire::Message {
        state: Some(wire::MessageState {
            rev,
            ..Default::default()
        }),
        ..message("g/a", seq)
    }
}

fn change(seq: u64, previous_rev: u64, rev: u64) -> Item {
    Item::Change(wire::ChangePush {
        message: Some(edited(seq, rev)),
        previous_rev,
    })
}

fn deletion(seq: u64, deleted_previous: u64, deleted_version: u64) -> Item {
    Item::Deleted(wire::DeletedPush {
        conversation: "g/a".to_owned(),
        seqs: vec![seq],
        deleted_version,
        deleted_previous,
    })
}

fn changes(revs: &[(u64, u64)], rev: u64, more: bool) -> Answer {
    Answer::Changes(wire::ChangePage {
        conversation: "g/a".to_owned(),
        messages: revs.iter().map(|(seq, rev)| edited(*seq, *rev)).collect(),
        rev,
        more,
        reset: false,
    })
}

/// A client that follows `g/a`, and has 10 messages, 5 changes and 2 deletions of it.
fn at_ten() -> Script {
    let mut script = Script::online();
    let row = wire::Conversation {
        rev: 5,
        deleted_version: 2,
        ..row("g/a", 9)
    };
    script.item(Item::Conversation(wire::ConversationPush {
        conversation: Some(row),
        feed_version: 101,
        feed_previous: 100,
    }));
    script.item(push("g/a", 9, 10));
    assert!(script.requests().is_empty());
    assert_eq!(script.core.saved().revs["g/a"], 5);
    assert_eq!(script.core.saved().deleted["g/a"], 2);
    script.take_events();
    script
}

/// What was told: messages as `m`, changes as `c` with their rev, deletions as `d`.
fn told(script: &mut Script) -> Vec<(char, u64, u64)> {
    let rev = |message: &anser_sdk::model::Message| message.rev();
    let events = script.take_events().into_iter();
    events
        .flat_map(|event| match event {
            Event::Message(message) => vec![('m', message.seq, rev(&message))],
            Event::Changed(message) => vec![('c', message.seq, rev(&message))],
            Event::Deleted { seqs, version, .. } => {
                seqs.into_iter().map(|seq| ('d', seq, version)).collect()
            }
            Event::Outdated { .. } => vec![('o', 0, 0)],
            _ => Vec::new(),
        })
        .collect()
}

fn change_request(script: &mut Script) -> (u32, u64) {
    match script.only_request() {
        (id, Command::PullChanges(pull)) => (id, pull.from_rev),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_change_that_follows_is_told_at_once_and_once() {
    let mut script = at_ten();
    script.item(change(3, 5, 6));
    script.item(change(3, 5, 6));
    script.item(change(4, 6, 9));
    assert_eq!(told(&mut script), [('c', 3, 6), ('c', 4, 9)]);
    assert_eq!(script.core.saved().revs["g/a"], 9);
    assert!(script.requests().is_empty());
}

#[test]
fn a_change_beyond_a_missing_one_is_pulled_with_it() {
    let mut script = at_ten();
    script.item(change(4, 7, 8));
    assert!(told(&mut script).is_empty(), "not out of order");
    let (id, from) = change_request(&mut script);
    assert_eq!(from, 5);
    script.item(change(2, 5, 6));
    script.answer(id, changes(&[(2, 6), (3, 7), (4, 8)], 8, false));
    assert_eq!(
        told(&mut script),
        [('c', 2, 6), ('c', 2, 6), ('c', 3, 7), ('c', 4, 8)]
    );
    assert_eq!(script.core.saved().revs["g/a"], 8);
    assert!(script.requests().is_empty());
}

#[test]
fn after_a_restart_changes_go_on_from_where_they_were_told() {
    let saved = at_ten().core.saved().clone();
    let mut script = Script::with(saved);
    script.input(Input::Connect);
    script.input(Input::Token("t".to_owned()));
    script.greet();
    let (id, sync) = script.sync_request();
    assert_eq!((sync.open[0].seq, sync.open[0].rev), (10, 5));
    let moved = wire::Conversation {
        rev: 300,
        deleted_version: 3,
        ..row("g/a", 11)
    };
    let missed = wire::MessagePage {
        rev: 300,
        ..page("g/a", [11], false, 11)
    };
    let result = wire::SyncResult {
        conversations: vec![moved],
        pages: vec![missed],
        ..empty_sync()
    };
    script.answer(id, Answer::Sync(result));
    assert_eq!(told(&mut script), [('m', 11, 0)]);
    assert_eq!(script.core.saved().synced_time, 500);
    let (id, from) = change_request(&mut script);
    assert_eq!(from, 5, "messages first, then their changes");
    // 295 changes, all of one message.
    script.answer(id, changes(&[(7, 300)], 300, false));
    assert_eq!(told(&mut script), [('c', 7, 300)]);
    let (id, command) = script.only_request();
    let Command::PullDeleted(pull) = command else {
        panic!("{command:?}");
    };
    assert_eq!(pull.from_version, 2);
    script.answer(
        id,
        Answer::Deleted(wire::DeletedPage {
            conversation: "g/a".to_owned(),
            seqs: vec![6],
            deleted_version: 3,
            more: false,
        }),
    );
    assert_eq!(told(&mut script), [('d', 6, 3)]);
    let saved = script.core.saved();
    assert_eq!((saved.revs["g/a"], saved.deleted["g/a"]), (300, 3));
    assert!(script.requests().is_empty());
}

#[test]
fn a_change_of_a_message_beyond_a_gap_comes_with_it() {
    let mut script = at_ten();
    script.item(push("g/a", 12, 13));
    let (id, pull) = script.pull_request();
    assert_eq!(pull.from_seq, 10);
    script.items(vec![change(12, 5, 6), change(13, 6, 7)]);
    assert!(told(&mut script).is_empty());
    // Read before the changes.
    let read = page("g/a", [11, 12, 13], false, 13);
    script.answer(id, Answer::Messages(read));
    assert_eq!(
        told(&mut script),
        [('m', 11, 0), ('m', 12, 6), ('m', 13, 7)]
    );
    assert_eq!(script.core.saved().revs["g/a"], 7);
    assert!(script.requests().is_empty());
}

#[test]
fn a_change_that_overtook_its_message_brings_it() {
    let mut script = at_ten();
    script.items(vec![change(11, 5, 6), push("g/a", 10, 11)]);
    assert_eq!(told(&mut script), [('m', 11, 6)]);
    assert!(script.requests().is_empty());
}

#[test]
fn a_message_that_was_deleted_before_it_came_does_not_stay() {
    let mut script = at_ten();
    script.items(vec![deletion(11, 2, 3), push("g/a", 10, 11)]);
    assert_eq!(
        told(&mut script),
        [('d', 11, 3), ('m', 11, 0), ('d', 11, 3)]
    );
    script.item(deletion(4, 4, 5));
    let (id, command) = script.only_request();
    assert!(matches!(command, Command::PullDeleted(pull) if pull.from_version == 3));
    script.answer(
        id,
        Answer::Deleted(wire::DeletedPage {
            conversation: "g/a".to_owned(),
            seqs: vec![3, 4],
            deleted_version: 5,
            more: false,
        }),
    );
    assert_eq!(told(&mut script), [('d', 3, 5), ('d', 4, 5)]);
}

#[test]
fn past_the_floor_what_is_held_is_out_of_date() {
    let mut script = at_ten();
    script.item(change(4, 99, 100));
    let (id, _) = change_request(&mut script);
    script.answer(
        id,
        Answer::Changes(wire::ChangePage {
            conversation: "g/a".to_owned(),
            rev: 100,
            reset: true,
            ..Default::default()
        }),
    );
    assert_eq!(told(&mut script), [('o', 0, 0)]);
    assert_eq!(script.core.saved().revs["g/a"], 100);
    script.item(change(4, 100, 101));
    assert_eq!(told(&mut script), [('c', 4, 101)]);
}

#[test]
fn more_pages_than_are_worth_it_are_not_fetched() {
    let mut script = at_ten();
    script.item(change(4, 99_999, 100_000));
    for n in 0..NUMBERED_PAGES_MAX {
        let (id, from) = change_request(&mut script);
        script.answer(id, changes(&[(1 + u64::from(n), from + 1)], from + 1, true));
    }
    assert!(script.requests().is_empty());
    assert_eq!(told(&mut script).last(), Some(&('o', 0, 0)));
    assert_eq!(script.core.saved().revs["g/a"], 100_000);
}

#[test]
fn pages_without_end_are_a_broken_promise() {
    let mut script = at_ten();
    script.item(change(4, 99, 100));
    let (id, from) = change_request(&mut script);
    script.answer(id, changes(&[], from, true));
    assert!(script.is_waiting());
}

#[test]
fn a_page_goes_on_where_the_server_says_not_where_its_messages_end() {
    let mut script = at_ten();
    script.item(push("g/a", 5_000, 5_001));
    let (id, _) = script.pull_request();
    // A thousand messages that are for others only.
    let nothing = wire::MessagePage {
        next_seq: 1_010,
        ..page("g/a", [], true, 5_001)
    };
    script.answer(id, Answer::Messages(nothing));
    let (id, pull) = script.pull_request();
    assert_eq!(pull.from_seq, 1_010, "at once");
    let rest = wire::MessagePage {
        next_seq: 4_000,
        ..page("g/a", [1_500], true, 5_001)
    };
    script.answer(id, Answer::Messages(rest));
    let (id, pull) = script.pull_request();
    assert_eq!(pull.from_seq, 4_000);
    script.answer(id, Answer::Messages(page("g/a", [5_001], false, 5_001)));
    assert_eq!(told(&mut script), [('m', 1_500, 0), ('m', 5_001, 0)]);
    assert_eq!(script.core.saved().followed["g/a"], 5_001);
}

#[test]
fn what_changes_while_the_application_is_slow_is_pulled_afterwards() {
    let mut script = at_ten();
    script.input(Input::Hold);
    script.items(vec![change(3, 5, 6), deletion(4, 2, 3)]);
    assert!(told(&mut script).is_empty() && script.requests().is_empty());
    script.pass(2_000);
    script.input(Input::Release);
    let (id, _) = script.sync_request();
    script.answer(id, Answer::Sync(empty_sync()));
    let (id, from) = change_request(&mut script);
    assert_eq!(from, 5);
    script.answer(id, changes(&[(3, 6)], 6, false));
    assert!(matches!(script.only_request().1, Command::PullDeleted(_)));
}

#[test]
fn of_a_conversation_that_is_not_followed_the_change_is_told_without_a_position() {
    let mut script = Script::online();
    script.take_events();
    script.item(change(3, 5, 6));
    assert_eq!(told(&mut script), [('c', 3, 6)]);
    assert!(script.core.saved().revs.is_empty());
}

#[test]
fn what_changed_before_the_first_look_is_told_by_it() {
    let mut script = Script::online();
    script.item(push("g/a", 9, 10));
    let (id, look) = script.pull_request();
    assert_eq!((look.from_seq, look.descending), (9, false));
    script.take_events();
    // The push of this change was lost; that of the next one was not.
    script.item(change(10, 8, 9));
    assert!(told(&mut script).is_empty());
    let now = wire::MessagePage {
        messages: vec![edited(10, 8)],
        rev: 8,
        ..page("g/a", [], false, 10)
    };
    script.answer(id, Answer::Messages(now));
    assert_eq!(told(&mut script), [('c', 10, 8)]);
    let (id, from) = change_request(&mut script);
    assert_eq!(from, 8);
    script.answer(id, changes(&[(10, 9)], 9, false));
    assert_eq!(told(&mut script), [('c', 10, 9)]);
    assert_eq!(script.core.saved().revs["g/a"], 9);
}

#[test]
fn a_change_that_came_after_a_page_was_read_is_asked_for_again() {
    let mut script = at_ten();
    script.item(change(4, 6, 7));
    let (id, _) = change_request(&mut script);
    script.item(change(5, 8, 9));
    script.answer(id, changes(&[(3, 6), (4, 7)], 7, false));
    let (id, from) = change_request(&mut script);
    assert_eq!(from, 7);
    script.answer(id, changes(&[(3, 8), (5, 9)], 9, false));
    assert_eq!(script.core.saved().revs["g/a"], 9);
    assert!(script.requests().is_empty());
}
