//! Catching up with the conversation list.

use std::collections::BTreeMap;

use anser_proto::client as wire;
use anser_sdk::SavedState;
use anser_sdk::core::{ConnectionState, Event, Input};
use anser_sdk::database::Loaded;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::script::{Script, empty_sync, page, push, row, welcome};

fn changed(conversation: &str, feed_version: u64, feed_previous: u64) -> Item {
    Item::Conversation(wire::ConversationPush {
        conversation: Some(row(conversation, 0)),
        feed_version,
        feed_previous,
    })
}

fn saved(followed: &[(&str, u64)]) -> SavedState {
    let revs = followed.iter().map(|(name, _)| ((*name).to_owned(), 0));
    let followed = followed
        .iter()
        .map(|(name, seq)| ((*name).to_owned(), *seq));
    SavedState {
        user_id: "me".to_owned(),
        epoch: 7,
        feed_version: 90,
        synced_time: 400,
        followed: followed.collect(),
        revs: revs.collect(),
        ..SavedState::default()
    }
}

/// Up to the first sync.
fn start(saved: SavedState) -> (Script, u32, wire::Sync) {
    let mut script = Script::with(saved);
    script.input(Input::Connect);
    script.input(Input::Token("t".to_owned()));
    script.greet();
    let (id, sync) = script.sync_request();
    (script, id, sync)
}

#[test]
fn a_new_device_asks_from_nothing_and_an_old_one_from_where_it_was() {
    let (_, _, sync) = start(SavedState::default());
    assert_eq!(sync, wire::Sync::default());
    let (_, _, sync) = start(saved(&[("g/a", 5)]));
    assert_eq!(
        (sync.epoch, sync.feed_version, sync.synced_time),
        (7, 90, 400)
    );
    assert_eq!(
        (sync.open[0].conversation.as_str(), sync.open[0].seq),
        ("g/a", 5)
    );
}

/// A client with a database, up to the first sync.
fn keeping(saved: SavedState, heads: &[(&str, u64)]) -> (Script, u32) {
    let heads = heads.iter().map(|(name, seq)| ((*name).to_owned(), *seq));
    let mut script = Script::keeping(Loaded {
        user_id: saved.user_id.clone(),
        saved,
        heads: heads.collect(),
        ..Loaded::default()
    });
    script.input(Input::Connect);
    script.input(Input::Token("t".to_owned()));
    script.greet();
    let (id, _) = script.sync_request();
    (script, id)
}

fn told(rows: &[(&str, u64)]) -> Answer {
    Answer::Sync(wire::SyncResult {
        conversations: rows.iter().map(|(name, head)| row(name, *head)).collect(),
        ..empty_sync()
    })
}

/// After which sequences the client asks for more, by conversation.
fn pulls(script: &mut Script) -> BTreeMap<String, u64> {
    let pulls = script.requests().into_iter();
    let pulls = pulls.map(|(_, command)| match command {
        Command::PullMessages(pull) => (pull.conversation, pull.from_seq),
        other => panic!("{other:?}"),
    });
    pulls.collect()
}

fn wanted(pulls: &[(&str, u64)]) -> BTreeMap<String, u64> {
    let pulls = pulls.iter().map(|(name, from)| ((*name).to_owned(), *from));
    pulls.collect()
}

#[test]
fn with_a_database_a_conversation_that_appears_meanwhile_is_followed_by_itself() {
    let kept = [("g/known", 7), ("g/still", 9)];
    let (mut script, id) = keeping(saved(&[("g/followed", 5)]), &kept);
    let rows = [
        ("g/followed", 6),
        ("g/known", 9),
        ("g/new", 3),
        ("g/long", 250),
        ("g/still", 9),
    ];
    script.answer(id, told(&rows));
    let all = [
        ("g/followed", 5),
        ("g/known", 7),
        ("g/new", 0),
        ("g/long", 150),
    ];
    assert_eq!(pulls(&mut script), wanted(&all));
    let begins = script.take_events().into_iter();
    let begins = begins.filter_map(|event| match event {
        Event::Followed {
            conversation, seq, ..
        } => Some((conversation, seq)),
        _ => None,
    });
    assert_eq!(begins.collect::<BTreeMap<_, _>>(), wanted(&all[1..]));
    assert_eq!(script.core.saved().synced_time, 400, "not before they came");
}

#[test]
fn a_new_device_begins_with_what_there_is_and_one_without_a_database_asks_for_nothing() {
    let (mut script, id) = keeping(SavedState::default(), &[]);
    script.answer(id, told(&[("g/a", 3)]));
    assert_eq!(pulls(&mut script), wanted(&[]));
    // What is told of it later is news.
    script.item(Item::Conversation(wire::ConversationPush {
        conversation: Some(row("g/a", 4)),
        feed_version: 101,
        feed_previous: 100,
    }));
    assert_eq!(pulls(&mut script), wanted(&[("g/a", 3)]));

    let (mut script, id, _) = start(saved(&[]));
    script.answer(id, told(&[("g/a", 3)]));
    assert_eq!(pulls(&mut script), wanted(&[]));
}

#[test]
fn of_very_many_that_appear_at_once_the_first_hundred_are_followed() {
    let (mut script, id) = keeping(saved(&[]), &[]);
    let rows = wire::SyncResult {
        conversations: (0..150).map(|n| row(&format!("g/{n}"), 1)).collect(),
        ..empty_sync()
    };
    script.answer(id, Answer::Sync(rows));
    assert_eq!(script.core.saved().followed.len(), 100);
}

#[test]
fn pages_are_fetched_to_the_end_before_the_position_moves() {
    let (mut script, id, first) = start(saved(&[]));
    let result = wire::SyncResult {
        conversations: vec![row("g/a", 3)],
        cursor: "next".to_owned(),
        ..empty_sync()
    };
    script.answer(id, Answer::Sync(result));
    assert_eq!(script.core.saved().feed_version, 90);
    let (id, second) = script.sync_request();
    assert_eq!(
        second,
        wire::Sync {
            cursor: "next".to_owned(),
            ..first
        }
    );
    script.answer(id, Answer::Sync(empty_sync()));
    assert_eq!(script.core.saved().feed_version, 100);
    assert_eq!(script.core.saved().synced_time, 500);
    let rows = script.events.iter();
    assert_eq!(
        rows.filter(|e| matches!(e, Event::Conversation { .. }))
            .count(),
        1
    );
}

#[test]
fn a_sync_that_broke_off_starts_again() {
    let (mut script, id, first) = start(saved(&[]));
    let result = wire::SyncResult {
        cursor: "next".to_owned(),
        ..empty_sync()
    };
    script.answer(id, Answer::Sync(result));
    script.break_off();
    let (_, again) = script.come_back();
    assert_eq!(again, first);
}

#[test]
fn a_first_sync_that_broke_off_leaves_nothing_that_may_have_ended_since() {
    let (mut script, _, _) = start(SavedState::default());
    script.item(changed("g/a", 95, 90));
    script.break_off();
    script.take_events();
    let (id, again) = script.come_back();
    assert_eq!(again, wire::Sync::default());
    let is_reset = |event: &&Event| matches!(event, Event::Reset { positions: false });
    assert_eq!(script.take_events().iter().filter(is_reset).count(), 1);
    script.answer(id, Answer::Sync(empty_sync()));
    script.break_off();
    script.come_back();
    assert_eq!(script.take_events().iter().filter(is_reset).count(), 0);
}

#[test]
fn missed_messages_of_followed_conversations_come_in_order() {
    let (mut script, id, _) = start(saved(&[("g/a", 5), ("g/b", 1)]));
    let result = wire::SyncResult {
        conversations: vec![row("g/b", 3), row("g/new", 9)],
        pages: vec![page("g/a", [6, 7], true, 8)],
        ..empty_sync()
    };
    script.answer(id, Answer::Sync(result));
    assert_eq!(script.seqs(), [6, 7]);
    assert_eq!(
        script.core.saved().synced_time,
        400,
        "or a restart now would not be told of them"
    );
    assert_eq!(script.core.saved().feed_version, 100);
    let pulls: BTreeMap<String, (u32, u64)> = script
        .requests()
        .into_iter()
        .map(|(id, command)| match command {
            Command::PullMessages(pull) => (pull.conversation, (id, pull.from_seq)),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((pulls["g/a"].1, pulls["g/b"].1), (7, 1));
    assert_eq!(
        pulls.len(),
        2,
        "a conversation that is not followed is a row"
    );
    script.answer(pulls["g/a"].0, Answer::Messages(page("g/a", [8], false, 8)));
    script.answer(
        pulls["g/b"].0,
        Answer::Messages(page("g/b", [2, 3], false, 3)),
    );
    assert_eq!(script.core.saved().synced_time, 500);
    assert_eq!(script.seqs(), [8, 2, 3]);
}

#[test]
fn changes_move_the_feed_and_a_missed_one_leads_to_a_sync() {
    let mut script = Script::online();
    script.pass(5_000);
    script.item(changed("g/a", 105, 100));
    assert_eq!(script.core.saved().feed_version, 105);
    script.item(changed("g/a", 105, 100));
    assert!(script.frames.is_empty());
    script.take_events();
    script.item(changed("g/b", 120, 110));
    let (id, sync) = script.sync_request();
    assert_eq!(sync.feed_version, 105);
    assert_eq!(script.take_events().len(), 1, "shown at once");
    script.item(changed("g/c", 130, 120));
    let result = wire::SyncResult {
        feed_version: 120,
        ..empty_sync()
    };
    script.answer(id, Answer::Sync(result));
    assert_eq!(script.core.saved().feed_version, 120);
    script.pass(1_000);
    let (id, sync) = script.sync_request();
    assert_eq!(sync.feed_version, 120, "130 came while it ran");
    let result = wire::SyncResult {
        feed_version: 130,
        ..empty_sync()
    };
    script.answer(id, Answer::Sync(result));
    script.pass(5_000);
    assert!(script.frames.is_empty());
}

#[test]
fn reset_forgets_the_list_keeps_positions_and_verifies_them() {
    let (mut script, id, _) = start(saved(&[("g/a", 5), ("g/b", 1)]));
    let result = wire::SyncResult {
        reset: true,
        conversations: vec![row("g/a", 6)],
        cursor: "c".to_owned(),
        ..empty_sync()
    };
    script.answer(id, Answer::Sync(result.clone()));
    let (id, _) = script.sync_request();
    let last = wire::SyncResult {
        conversations: vec![row("g/c", 1)],
        cursor: String::new(),
        ..result
    };
    script.answer(id, Answer::Sync(last));
    let resets = script.events.iter();
    let resets = resets.filter(|e| matches!(e, Event::Reset { positions: false }));
    assert_eq!(resets.count(), 1);
    let mut pulled: Vec<_> = script
        .requests()
        .into_iter()
        .map(|(_, command)| match command {
            Command::PullMessages(pull) => (pull.conversation, pull.from_seq),
            other => panic!("{other:?}"),
        })
        .collect();
    pulled.sort();
    assert_eq!(pulled, [("g/a".to_owned(), 5), ("g/b".to_owned(), 1)]);
}

#[test]
fn another_epoch_drops_every_position_and_open_conversations_begin_anew() {
    let mut script = Script::with(saved(&[("g/a", 50), ("g/b", 60)]));
    script.input(Input::OpenConversation {
        conversation: "g/a".to_owned(),
        have: None,
    });
    script.input(Input::Connect);
    script.input(Input::Token("t".to_owned()));
    let connection = script.connection();
    script.input(Input::Connected(connection));
    let (id, _) = script.only_request();
    script.answer(
        id,
        Answer::Welcome(wire::Welcome {
            epoch: 8,
            ..welcome()
        }),
    );
    assert!(matches!(
        script.events.last(),
        Some(Event::Reset { positions: true })
    ));
    let (id, sync) = script.sync_request();
    assert_eq!(sync, wire::Sync::default());
    script.item(push("g/b", 2, 3));
    let result = wire::SyncResult {
        epoch: 8,
        ..empty_sync()
    };
    script.answer(id, Answer::Sync(result));
    let pulls = script.requests();
    let Command::PullMessages(pull) = &pulls[0].1 else {
        panic!("no pull");
    };
    assert_eq!((pull.conversation.as_str(), pull.descending), ("g/a", true));
    script.answer(pulls[0].0, Answer::Messages(page("g/a", [4], true, 4)));
    let followed = &script.core.saved().followed;
    assert_eq!((followed["g/a"], followed["g/b"]), (4, 3));
    assert_eq!(script.core.saved().epoch, 8);
}

#[test]
fn somebody_elses_position_is_not_used() {
    let other = SavedState {
        user_id: "somebody else".to_owned(),
        ..saved(&[("g/a", 5)])
    };
    let (script, _, sync) = start(other);
    assert_eq!(sync, wire::Sync::default());
    assert!(script.core.saved().followed.is_empty());
}

#[test]
fn a_position_that_the_server_refuses_is_dropped_once() {
    let (mut script, id, _) = start(saved(&[("g/a", 5)]));
    script.refuse(id, 3_000);
    script.pass(1_000);
    let (id, sync) = script.sync_request();
    assert_eq!(sync, wire::Sync::default());
    script.refuse(id, 3_000);
    assert!(matches!(script.core.state(), ConnectionState::Stopped(_)));

    let (mut script, id, _) = start(saved(&[("g/a", 5)]));
    script.refuse(id, 3_000);
    script.pass(1_000);
    let (id, _) = script.sync_request();
    script.answer(id, Answer::Sync(empty_sync()));
    let (_, pull) = script.pull_request();
    assert_eq!(
        pull.from_seq, 5,
        "the list begins anew, and may end before what is followed"
    );

    let (mut script, id, first) = start(saved(&[("g/a", 5)]));
    script.refuse(id, 1_001);
    script.pass(1_000);
    let (_, again) = script.sync_request();
    assert_eq!(again, first, "an error to retry changes nothing");
}

#[test]
fn a_list_without_end_ends_the_connection() {
    let (mut script, mut id, _) = start(saved(&[]));
    for _ in 0..10_000 {
        let result = wire::SyncResult {
            cursor: "on and on".to_owned(),
            ..empty_sync()
        };
        script.answer(id, Answer::Sync(result));
        if script.is_waiting() {
            return;
        }
        id = script.sync_request().0;
    }
    panic!("still asking");
}
