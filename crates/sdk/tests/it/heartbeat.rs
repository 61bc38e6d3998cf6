//! Pings, and the dead peer.

use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::script::{Script, push, welcome};

fn ping(script: &mut Script) -> u32 {
    match script.only_request() {
        (id, Command::Ping(_)) => id,
        other => panic!("no ping: {other:?}"),
    }
}

fn pong(feed_version: u64) -> Answer {
    Answer::Pong(wire::Pong {
        server_time: 1,
        feed_version,
    })
}

#[test]
fn silence_is_broken_after_an_interval_and_a_dead_peer_found_in_half_of_one() {
    let mut script = Script::online();
    script.pass(29_999);
    assert!(script.frames.is_empty());
    script.pass(1);
    ping(&mut script);
    script.pass(9_999);
    assert!(script.is_online());
    script.pass(1);
    assert!(script.is_waiting());
    assert_eq!(script.closed.len(), 1);
}

#[test]
fn anything_that_arrives_is_a_sign_of_life() {
    let mut script = Script::online();
    script.pass(30_000);
    let id = ping(&mut script);
    script.pass(9_000);
    script.item(push("g/a", 0, 1));
    script.pass(9_000);
    assert!(script.is_online());
    script.answer(id, pong(100));
    assert!(script.is_online());
}

#[test]
fn what_is_sent_puts_the_ping_off() {
    let mut script = Script::online();
    script.pass(20_000);
    script.send("g/a", "x");
    let (id, _) = script.only_request();
    script.answer(id, crate::script::sent("g/a", 0, 1));
    script.be_told(crate::script::row("g/a", 1));
    script.pass(29_999);
    assert!(script.frames.is_empty());
    script.pass(1);
    ping(&mut script);
}

#[test]
fn the_interval_grows_with_pongs_shrinks_on_loss_and_outlives_the_connection() {
    let mut script = Script::online();
    let interval = |script: &mut Script| {
        let mut waited = 0;
        while script.frames.is_empty() {
            script.pass(5_000);
            waited += 5;
        }
        let id = ping(script);
        (id, waited)
    };
    let mut seen = Vec::new();
    for _ in 0..6 {
        let (id, seconds) = interval(&mut script);
        seen.push(seconds);
        script.answer(id, pong(100));
    }
    assert_eq!(seen, [30, 30, 60, 60, 90, 90]);
    let (_, seconds) = interval(&mut script);
    assert_eq!(seconds, 120);
    script.pass(10_000);
    let (id, _) = script.come_back();
    script.requests();
    script.answer(id, Answer::Sync(crate::script::empty_sync()));
    assert_eq!(interval(&mut script).1, 60);
}

#[test]
fn the_server_may_ask_for_more_pings() {
    let mut script = Script::new();
    script.input(anser_sdk::core::Input::Connect);
    script.input(anser_sdk::core::Input::Token("t".to_owned()));
    let connection = script.connection();
    script.input(anser_sdk::core::Input::Connected(connection));
    let (id, _) = script.only_request();
    script.answer(
        id,
        Answer::Welcome(wire::Welcome {
            heartbeat_seconds: 10,
            ..welcome()
        }),
    );
    let (id, _) = script.sync_request();
    script.answer(id, Answer::Sync(crate::script::empty_sync()));
    script.pass(10_000);
    ping(&mut script);
    script.pass(5_000);
    assert!(script.is_waiting(), "within one and a half intervals");
}

#[test]
fn a_pong_with_another_feed_version_leads_to_a_sync() {
    let mut script = Script::online();
    script.pass(30_000);
    let id = ping(&mut script);
    script.answer(id, pong(100));
    assert!(script.frames.is_empty());
    script.pass(30_000);
    let id = ping(&mut script);
    script.answer(id, pong(101));
    let (_, sync) = script.sync_request();
    assert_eq!(
        (sync.epoch, sync.feed_version, sync.synced_time),
        (7, 100, 500)
    );
}

#[test]
fn check_leads_to_a_sync_but_not_to_a_flood_of_them() {
    let mut script = Script::online();
    script.pass(5_000);
    script.item(Item::Check(wire::CheckPush {}));
    let (id, _) = script.sync_request();
    for _ in 0..10 {
        script.item(Item::Check(wire::CheckPush {}));
    }
    script.answer(id, Answer::Sync(crate::script::empty_sync()));
    script.item(Item::Check(wire::CheckPush {}));
    assert!(script.frames.is_empty());
    script.pass(1_000);
    script.sync_request();
}
