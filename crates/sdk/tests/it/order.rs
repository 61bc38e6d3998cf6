//! Followed conversations: in order, once, without silent gaps.

use anser_proto::client as wire;
use anser_sdk::core::{Event, Input};
use anser_sdk::limits::{FOLLOWED_MAX, GAP_MESSAGES_MAX, OPENED_MAX, PULLS_IN_FLIGHT_MAX};
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::script::{Script, empty_sync, message, page, push, row, sent};

fn open(conversation: &str, have: Option<u64>) -> Input {
    Input::OpenConversation {
        conversation: conversation.to_owned(),
        have,
    }
}

/// A client that follows `g/a` and has everything up to 10.
fn at_ten() -> Script {
    let mut script = Script::online();
    script.item(push("g/a", 9, 10));
    assert_eq!(script.seqs(), [10]);
    let (id, look) = script.pull_request();
    assert_eq!(
        (look.from_seq, look.descending),
        (9, false),
        "no history is"
    );
    script.answer(id, Answer::Messages(page("g/a", [10], false, 10)));
    assert!(script.frames.is_empty());
    assert_eq!(script.core.saved().revs["g/a"], 0, "now it is known");
    script.take_events();
    script
}

#[test]
fn the_first_message_makes_it_followed_from_there() {
    let mut script = Script::online();
    script.take_events();
    script.item(push("g/a", 41, 42));
    let events = script.take_events();
    assert!(matches!(&events[0], Event::Followed { seq: 41, .. }));
    assert!(matches!(&events[1], Event::Message(m) if m.seq == 42));
    assert_eq!(script.core.saved().followed["g/a"], 42);
}

#[test]
fn repetitions_are_dropped_and_unseen_sequences_are_no_gap() {
    let mut script = at_ten();
    script.items(vec![
        push("g/a", 9, 10),
        push("g/a", 10, 13),
        push("g/a", 10, 13),
    ]);
    script.item(push("g/a", 13, 14));
    assert_eq!(script.seqs(), [13, 14]);
    assert!(script.frames.is_empty());
}

#[test]
fn a_gap_is_pulled_and_what_came_beyond_follows() {
    let mut script = at_ten();
    script.items(vec![push("g/a", 14, 15), push("g/a", 12, 13)]);
    assert!(script.seqs().is_empty());
    let (id, pull) = script.pull_request();
    assert_eq!(
        (pull.from_seq, pull.descending, pull.limit),
        (10, false, 100)
    );
    script.item(push("g/a", 15, 16));
    assert!(script.frames.is_empty(), "one pull at a time");
    script.answer(id, Answer::Messages(page("g/a", [11, 12], true, 16)));
    assert_eq!(script.seqs(), [11, 12, 13]);
    let (id, pull) = script.pull_request();
    assert_eq!(pull.from_seq, 13);
    script.answer(id, Answer::Messages(page("g/a", [14, 15, 16], false, 16)));
    assert_eq!(script.seqs(), [14, 15, 16]);
    script.pass(60_000);
    let pulls = script.requests();
    assert!(
        !pulls
            .iter()
            .any(|(_, c)| matches!(c, Command::PullMessages(_)))
    );
}

#[test]
fn own_sends_take_their_place_by_the_same_rule() {
    let mut script = at_ten();
    script.send("g/a", "mine");
    let (id, _) = script.send_requests().remove(0);
    script.answer(id, sent("g/a", 11, 12));
    assert!(script.seqs().is_empty(), "11 is missing");
    assert_eq!(script.outcomes().len(), 1, "but the send is done");
    script.item(push("g/a", 10, 11));
    assert_eq!(script.seqs(), [11, 12]);
}

#[test]
fn an_interrupted_pull_is_made_again_after_the_next_sync() {
    let mut script = at_ten();
    script.item(push("g/a", 11, 12));
    script.pull_request();
    script.break_off();
    let (id, sync) = script.come_back();
    assert_eq!(sync.open[0].seq, 10);
    assert_eq!(script.requests().len(), 1, "not beside the sync");
    let result = wire::SyncResult {
        pages: vec![page("g/a", [11], true, 12)],
        ..empty_sync()
    };
    script.answer(id, Answer::Sync(result));
    assert_eq!(script.seqs(), [11, 12], "12 had arrived before");
    let (id, _) = script.pull_request();
    script.answer(id, Answer::Messages(page("g/a", [], false, 12)));
    assert!(script.frames.is_empty());
}

#[test]
fn a_row_whose_head_is_beyond_what_is_known_is_a_gap() {
    let mut script = at_ten();
    script.item(Item::Conversation(wire::ConversationPush {
        conversation: Some(row("g/a", 12)),
        feed_version: 101,
        feed_previous: 100,
    }));
    let (id, pull) = script.pull_request();
    assert_eq!(pull.from_seq, 10);
    script.answer(id, Answer::Messages(page("g/a", [11, 12], false, 12)));
    assert_eq!(script.seqs(), [11, 12]);
}

#[test]
fn what_the_server_no_longer_has_is_named() {
    let mut script = at_ten();
    script.item(push("g/a", 29, 30));
    let (id, _) = script.pull_request();
    let page = wire::MessagePage {
        first_seq: 25,
        ..page("g/a", 25..=30, false, 30)
    };
    script.answer(id, Answer::Messages(page));
    let events = script.take_events();
    assert!(matches!(
        &events[0],
        Event::Lost {
            from_seq: 11,
            to_seq: 24,
            ..
        }
    ));
    assert_eq!(events.len(), 7);
}

#[test]
fn a_server_that_never_closes_the_gap_costs_a_few_slow_pulls_and_a_word() {
    let mut script = at_ten();
    script.pass(5_000);
    script.be_told(row("g/a", 10));
    script.take_events();
    script.item(push("g/a", 14, 15));
    let mut pulls = 0;
    for _ in 0..1_000 {
        for (id, command) in script.requests() {
            match command {
                Command::PullMessages(_) => {
                    pulls += 1;
                    script.answer(id, Answer::Messages(page("g/a", [], false, 10)));
                }
                Command::Ping(_) => script.answer(
                    id,
                    Answer::Pong(wire::Pong {
                        server_time: 0,
                        feed_version: 100,
                    }),
                ),
                other => panic!("{other:?}"),
            }
        }
        script.pass(100);
    }
    assert_eq!(pulls, 6);
    let events = script.take_events();
    assert!(matches!(
        &events[0],
        Event::Lost {
            from_seq: 11,
            to_seq: 14,
            ..
        }
    ));
    assert!(matches!(&events[1], Event::Message(m) if m.seq == 15));
}

#[test]
fn a_refused_pull_is_repeated_or_ends_the_following() {
    let mut script = at_ten();
    script.item(push("g/a", 11, 12));
    let (id, _) = script.pull_request();
    script.refuse(id, 1_001);
    script.pass(1);
    let (id, _) = script.pull_request();
    script.take_events();
    script.refuse(id, 3_011);
    let events = script.take_events();
    assert!(matches!(
        &events[0],
        Event::Unfollowed { error: Some(error), .. } if error.code == 3_011
    ));
    assert!(script.core.saved().followed.is_empty());
}

#[test]
fn leaving_ends_the_following() {
    let mut script = at_ten();
    let gone = wire::Conversation {
        member: false,
        ..row("g/a", 11)
    };
    script.item(Item::Conversation(wire::ConversationPush {
        conversation: Some(gone),
        feed_version: 101,
        feed_previous: 100,
    }));
    assert!(script.frames.is_empty());
    assert!(matches!(
        script.take_events().last(),
        Some(Event::Unfollowed { error: None, .. })
    ));
}

#[test]
fn opening_begins_where_the_application_says() {
    let mut script = Script::online();
    script.take_events();
    script.input(open("g/a", Some(4)));
    let (id, pull) = script.pull_request();
    assert_eq!((pull.from_seq, pull.descending), (4, false));
    script.answer(id, Answer::Messages(page("g/a", [5, 6], false, 6)));
    let events = script.take_events();
    assert!(matches!(&events[0], Event::Followed { seq: 4, .. }));
    assert!(matches!(&events[3], Event::Changes { rev: 0, .. }));
    assert_eq!(events.len(), 4);
}

#[test]
fn opening_without_a_position_begins_at_the_head_or_with_the_next_message() {
    let mut script = Script::online();
    script.input(open("g/a", None));
    let (id, pull) = script.pull_request();
    assert_eq!((pull.from_seq, pull.descending, pull.limit), (0, true, 1));
    script.answer(id, Answer::Messages(page("g/a", [6], true, 6)));
    assert_eq!(script.core.saved().followed["g/a"], 6);
    assert!(script.seqs().is_empty());

    script.input(open("g/b", None));
    let (id, _) = script.pull_request();
    script.item(push("g/b", 7, 8));
    script.answer(id, Answer::Messages(page("g/b", [8], true, 8)));
    assert_eq!(script.seqs(), [8]);
    let (id, look) = script.pull_request();
    assert_eq!((look.from_seq, look.descending), (7, false));
    script.answer(id, Answer::Messages(page("g/b", [8], false, 8)));
    script.item(push("g/b", 8, 9));
    assert_eq!(script.seqs(), [9]);
    assert!(script.frames.is_empty());

    script.input(open("nonsense", None));
    assert!(matches!(
        script.take_events().last(),
        Some(Event::Unfollowed { error: Some(_), .. })
    ));
}

#[test]
fn opened_and_recent_conversations_go_into_the_sync() {
    let mut script = Script::online();
    for n in 0..30 {
        script.item(push(&format!("g/{n:02}"), 0, 1));
    }
    script.input(open("g/03", None));
    script.break_off();
    let (_, sync) = script.come_back();
    let names: Vec<&str> = sync.open.iter().map(|o| o.conversation.as_str()).collect();
    assert_eq!(names.len(), 20);
    assert_eq!(&names[..3], ["g/03", "g/29", "g/28"]);
}

#[test]
fn the_number_followed_is_bounded_and_the_silent_give_way() {
    let mut script = Script::online();
    script.input(open("g/0", Some(0)));
    for n in 0..=FOLLOWED_MAX {
        script.item(push(&format!("g/{n}"), 0, 1));
    }
    assert_eq!(script.core.saved().followed.len(), FOLLOWED_MAX);
    let gone: Vec<_> = script
        .take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Unfollowed { conversation, .. } => Some(conversation),
            _ => None,
        })
        .collect();
    assert_eq!(gone, ["g/1"], "g/0 is open");
    // Its changes were heard of all along, those of a new one were not.
    let mut continued = |name: &str| {
        script.item(push(name, 1, 2));
        script
            .take_events()
            .into_iter()
            .find_map(|event| match event {
                Event::Followed { continued, .. } => Some(continued),
                _ => None,
            })
    };
    assert_eq!(continued("g/1"), Some(true));
    assert_eq!(continued("g/new"), Some(false));

    let mut script = Script::online();
    for n in 0..FOLLOWED_MAX + 5 {
        script.input(open(&format!("g/{n}"), Some(0)));
    }
    assert_eq!(script.core.saved().followed.len(), FOLLOWED_MAX);
    let still_open = format!("g/{}", FOLLOWED_MAX + 5 - OPENED_MAX);
    assert!(script.core.saved().followed.contains_key(&still_open));
    let pulls = script.requests().len();
    assert_eq!(pulls, PULLS_IN_FLIGHT_MAX);
}

#[test]
fn messages_beyond_a_gap_are_kept_within_bounds_and_none_is_missing_after_it() {
    let mut script = at_ten();
    let last = 12 + GAP_MESSAGES_MAX as u64 + 50;
    for seq in 12..=last {
        script.item(push("g/a", seq - 1, seq));
    }
    let (id, _) = script.pull_request();
    script.answer(id, Answer::Messages(page("g/a", [11], true, last)));
    let kept = script.seqs();
    assert_eq!(kept.len(), 1 + GAP_MESSAGES_MAX);
    let (id, pull) = script.pull_request();
    assert_eq!(pull.from_seq, *kept.last().unwrap());
    let rest = page("g/a", pull.from_seq + 1..=last, false, last);
    script.answer(id, Answer::Messages(rest));
    assert_eq!(script.seqs().last(), Some(&last));
    assert!(script.frames.is_empty());
}

#[test]
fn a_page_of_an_earlier_life_does_not_make_a_gap() {
    let mut script = at_ten();
    script.item(push("g/a", 19, 20));
    let (old, _) = script.pull_request();
    let gone = wire::Conversation {
        member: false,
        ..row("g/a", 20)
    };
    script.item(Item::Conversation(wire::ConversationPush {
        conversation: Some(gone),
        feed_version: 101,
        feed_previous: 100,
    }));
    script.input(open("g/a", Some(3)));
    let (new, pull) = script.pull_request();
    assert_eq!(pull.from_seq, 3);
    script.take_events();
    script.answer(old, Answer::Messages(page("g/a", 11..=20, false, 20)));
    assert!(script.seqs().is_empty());
    script.requests();
    script.answer(new, Answer::Messages(page("g/a", 4..=20, false, 20)));
    assert_eq!(script.seqs(), (4..=20).collect::<Vec<_>>());
}

#[test]
fn while_held_nothing_comes_and_after_release_everything_does() {
    let mut script = at_ten();
    script.input(Input::Hold);
    script.items(vec![
        push("g/a", 10, 11),
        Item::Read(wire::ReadPush {
            conversation: "g/a".to_owned(),
            read_seq: 10,
            unread: 1,
            ..Default::default()
        }),
        Item::Check(wire::CheckPush {}),
        Item::JoinRequest(wire::JoinRequestPush::default()),
    ]);
    let ticket = script.send("g/a", "mine");
    let (id, _) = script.send_requests().remove(0);
    script.answer(id, sent("g/a", 11, 12));
    assert_eq!(script.outcomes(), [(ticket, None)], "requests are answered");
    script.break_off();
    script.pass(1);
    script.greet();
    assert!(script.take_events().is_empty());
    assert!(script.frames.is_empty());

    script.input(Input::Release);
    let (id, sync) = script.sync_request();
    assert_eq!(sync.open[0].seq, 10);
    let result = wire::SyncResult {
        pages: vec![wire::MessagePage {
            messages: vec![message("g/a", 11), message("g/a", 12)],
            ..page("g/a", [], false, 12)
        }],
        ..empty_sync()
    };
    script.answer(id, Answer::Sync(result));
    let events = script.events.iter();
    assert!(events.clone().any(|e| matches!(e, Event::State(_))));
    assert!(events.clone().any(|e| matches!(e, Event::Read { .. })));
    assert!(!events.clone().any(|e| matches!(e, Event::JoinRequest(_))));
    assert_eq!(script.seqs(), [11, 12]);
}
