//! Rate, quota, and telling what could not be had.

use std::sync::atomic::Ordering;

use crate::program::{Archive, small, summary, text};
use crate::stand_in::StandIn;
use crate::stand_in::faults::Faults;
use crate::stand_in::routes::APP_ID;

/// No window of requests arrives faster than the rate allows. Only lower bounds of time are
/// asserted, so a busy machine cannot fail it: sending is at most late, and a late arrival of one
/// request shortens the distance to the next by its own lateness at most, so windows are long.
#[test]
fn the_rate_is_obeyed() {
    let server = StandIn::start(small(), Faults::default());
    let archive = Archive::new();
    archive.complete(
        &server,
        &["--rate", "50", "--parallel", "16", "--skip", "subscribers"],
    );
    let arrivals = server.state.arrivals.lock().unwrap();
    let all = arrivals.len() - 1;
    assert!(all > 100, "{all} requests say little");
    let took = arrivals[all] - arrivals[0];
    assert!(
        took.as_secs_f64() > all as f64 / 50.0 * 0.9,
        "{all} requests in {took:?} at 50 a second"
    );
}

/// A quota that refuses everything until its window is over: the run slows down and goes on, and few
/// requests are wasted.
#[test]
fn a_used_up_quota_is_waited_out() {
    let quota = Faults {
        quota: Some(60),
        ..Faults::default()
    };
    let server = StandIn::start(small(), quota);
    let archive = Archive::new();
    let summary = archive.complete(&server, &["--parallel", "8"]);
    archive.assert_holds(&server.state.source, server.state.source.end());
    let throttled = summary["throttled"].as_u64().unwrap();
    assert!(throttled > 0);
    let requests = summary["requests"].as_u64().unwrap();
    assert!(
        throttled * 4 < requests,
        "{throttled} of {requests} requests refused"
    );
}

/// What could not be had is listed with its reason; the rest is there; the exit status says so; the
/// next run tries again.
#[test]
fn what_is_missing_is_listed_and_tried_again() {
    let server = StandIn::start(small(), Faults::default());
    let blocked = format!("/{}/blacklists", server.state.source.conversation_id(1));
    *server.state.forbidden.lock().unwrap() = vec!["_Installation".to_owned(), blocked];
    let archive = Archive::new();
    let output = archive.run(&server, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let summary = summary(&output);
    let missing = summary["missing"].as_array().unwrap();
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert_eq!(missing[0]["what"], "classes/_Installation");
    assert_eq!(missing[1]["what"], "lists/conversations");
    assert!(
        missing
            .iter()
            .all(|remark| remark["reason"].as_str().unwrap().contains("403"))
    );
    let absent = summary["notes"]
        .as_array()
        .unwrap()
        .iter()
        .any(|note| note["what"] == "classes/_SysMessage");
    assert!(absent, "a class that does not exist is noted");
    archive.assert_holds(&server.state.source, server.state.source.end());
    assert_eq!(
        archive.verify().status.code(),
        Some(3),
        "sound, but not complete"
    );

    server.state.forbidden.lock().unwrap().clear();
    server.state.forget_counts();
    archive.complete(&server, &[]);
    archive.assert_sound();
    assert_eq!(
        server.state.count("lists").arrived,
        2,
        "only the one conversation is asked again"
    );
}

/// A source that fails for longer than the patience: nothing hangs, what is there is kept.
#[test]
fn a_source_that_stops_answering_ends_the_run_with_a_list() {
    let server = StandIn::start(small(), Faults::default());
    let archive = Archive::new();
    let dead = Faults {
        server_error: 1000,
        ..Faults::default()
    };
    let middle = server.state.source.messages[700].time;
    server.state.now.store(middle, Ordering::Relaxed);
    archive.complete(&server, &[]);
    server
        .state
        .now
        .store(server.state.source.end(), Ordering::Relaxed);
    *server.state.faults.lock().unwrap() = dead;
    let output = archive.run(&server, &["--patience", "0"]);
    // Not even the clock answers: the run fails, and the archive is as it was.
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    archive.assert_sound();
    *server.state.faults.lock().unwrap() = Faults::default();
    *server.state.forbidden.lock().unwrap() = vec!["/rtm/messages".to_owned()];
    let output = archive.run(&server, &["--patience", "0"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    server.state.forbidden.lock().unwrap().clear();
    archive.complete(&server, &[]);
    archive.assert_holds(&server.state.source, server.state.source.end());
}

#[test]
fn wrong_credentials_and_plain_http_are_refused() {
    let server = StandIn::start(small(), Faults::default());
    let archive = Archive::new();
    let output = archive
        .command(&server, &[])
        .env("LEANCLOUD_MASTER_KEY", "wrong")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("master key was refused"),
        "{}",
        text(&output)
    );
    assert_eq!(server.state.total(), 1);
    let args = [
        "archive",
        "x",
        "--host",
        "http://example.com",
        "--app-id",
        APP_ID,
    ];
    let output = std::process::Command::new(crate::program::PROGRAM)
        .args(args)
        .env("LEANCLOUD_MASTER_KEY", "k")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("TLS"), "{}", text(&output));
}

/// An interface that this application does not have is noted, not asked for again and again.
#[test]
fn a_list_that_does_not_exist_is_asked_for_a_few_times() {
    let server = StandIn::start(small(), Faults::default());
    let absent = ["/permanent-silenceds".to_owned()];
    *server.state.absent.lock().unwrap() = absent.to_vec();
    let archive = Archive::new();
    let summary = archive.complete(&server, &["--skip", "messages"]);
    let notes = summary["notes"].to_string();
    assert!(
        notes.contains("conversations/silenced") && notes.contains("404"),
        "{notes}"
    );
    let lists = archive.lines("lists/conversations");
    assert!(
        lists
            .iter()
            .all(|row| !row.contains("silenced") && row.contains("blocked"))
    );
    // Silences are given up after 20 and what was under way; chat rooms are fewer than that.
    let asked = server.state.count("lists").arrived;
    assert!(asked <= 94 + 2 + 20 + 16 + 8, "{asked} requests");
}
