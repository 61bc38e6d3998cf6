//! The archive equals the source, whatever happens on the way.

use std::process::Stdio;
use std::sync::atomic::Ordering;

use crate::program::{Archive, small, summary, text};
use crate::stand_in::StandIn;
use crate::stand_in::faults::Faults;
use crate::stand_in::source::{Message, Size, Sort, Source};

/// 20,000 messages in 200 conversations, pages of a hundred, faults of all kinds, killed eight times;
/// compared with the source, and byte for byte with an archive made in peace.
#[test]
fn kills_and_faults_leave_no_trace() {
    let size = Size {
        messages: 20_000,
        conversations: 200,
        days: 30,
        users: 300,
    };
    let server = StandIn::start(Source::new(size), Faults::bad_day(1));
    server.state.page_cap.store(100, Ordering::Relaxed);
    let archive = Archive::new();
    let kills = [3, 20, 40, 60, 70, 80, 90, 100];
    let killed = kills.map(|requests| kill_after(&server, &archive, requests));
    let kills = killed.iter().filter(|&&running| running).count();
    assert!(
        kills >= 6,
        "only {kills} runs were still going when they were to be killed"
    );
    let summary = archive.complete(&server, &["--parallel", "4"]);
    assert_eq!(summary["totals"]["messages"], 20_000);
    archive.assert_holds(&server.state.source, server.state.source.end());
    archive.assert_sound();

    let compared = server.state.count("conversations").served;
    assert!(compared >= 12, "single conversations compared: {compared}");
    let asked = server.state.count("messages");
    let needed = 20_000 / 99;
    assert!(
        asked.served < needed + needed / 5 + 4 * 9,
        "{asked:?}, {needed} needed"
    );

    *server.state.faults.lock().unwrap() = Faults::default();
    server.state.page_cap.store(1000, Ordering::Relaxed);
    let peaceful = Archive::new();
    peaceful.complete(&server, &["--parallel", "1"]);
    let (one, two) = (archive.files(), peaceful.files());
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        two.keys().collect::<Vec<_>>()
    );
    for (name, content) in one {
        assert!(content == two[&name], "{name} differs");
    }
}

/// Pages cut short at will are not taken for the end, and a source that pages by time alone is read
/// whole as well.
#[test]
fn short_pages_and_paging_by_time_lose_nothing() {
    for (cap, ignore_msgid) in [(7, false), (50, true)] {
        let server = StandIn::start(small(), Faults::default());
        server.state.page_cap.store(cap, Ordering::Relaxed);
        server
            .state
            .ignore_msgid
            .store(ignore_msgid, Ordering::Relaxed);
        let archive = Archive::new();
        archive.complete(&server, &[]);
        archive.assert_holds(&server.state.source, server.state.source.end());
    }
}

/// Everything but the messages: classes, lists with several pages, subscribers, files.
#[test]
fn objects_lists_subscribers_and_files_are_all_there() {
    let server = StandIn::start(small(), Faults::bad_day(2));
    let archive = Archive::new();
    let domain = format!("{}/files/", server.url());
    archive.complete(
        &server,
        &["--files", "--file-domain", &domain, "--client-blocks"],
    );
    let source = &server.state.source;
    for (class, objects) in &source.classes {
        let rows: Vec<serde_json::Value> = archive
            .lines(&format!("classes/{class}"))
            .iter()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(rows.len(), objects.len(), "{class}");
        if class != "_User" {
            assert_eq!(rows, *objects, "{class}");
        }
    }
    let lists = archive.lines("lists/conversations");
    assert_eq!(lists.len(), source.classes["_Conversation"].len());
    for line in lists {
        let row: serde_json::Value = serde_json::from_str(&line).unwrap();
        let number = source.number_of(row["id"].as_str().unwrap()).unwrap();
        let mut blocked = source.blocked(number);
        blocked.sort();
        assert_eq!(row["blocked"], serde_json::json!(blocked));
        let service = row["sort"] == "service";
        assert_eq!(row["silenced"].is_null(), service);
        assert_eq!(row["broadcasts"].is_null(), !service);
    }
    let service = source.conversation_id(53);
    assert_eq!(
        archive.lines(&format!("subscribers/{service}")).len(),
        source.subscribers(53).len()
    );
    assert!(
        archive
            .lines("lists/clients")
            .iter()
            .any(|line| line.contains("hides-user-"))
    );
    for line in archive.lines("files/index") {
        let row: serde_json::Value = serde_json::from_str(&line).unwrap();
        let number = u32::from_str_radix(&row["id"].as_str().unwrap()[2..], 16).unwrap();
        let bytes = std::fs::read(archive.path().join(row["path"].as_str().unwrap())).unwrap();
        assert_eq!(
            bytes,
            crate::stand_in::source::file_bytes(&format!("k{number}"))
        );
    }
    archive.assert_sound();
}

/// An interrupted scan whose cursor has died starts again and nothing is twice.
#[test]
fn a_dead_cursor_starts_the_scan_again() {
    let size = Size {
        messages: 10,
        conversations: 2500,
        days: 2,
        users: 5,
    };
    let server = StandIn::start(Source::new(size), Faults::default());
    server.state.expire_cursor.store(true, Ordering::Relaxed);
    let archive = Archive::new();
    archive.complete(&server, &["--skip", "lists", "--skip", "subscribers"]);
    let objects = &server.state.source.classes["_Conversation"];
    assert_eq!(archive.lines("classes/_Conversation").len(), objects.len());
}

/// Where the application's history is refused, every conversation's is read; the days are the same as
/// if they had been read by time, but for temporary conversations, which is said.
#[test]
fn conversation_by_conversation_gives_the_same_days() {
    let size = Size {
        messages: 1500,
        conversations: 40,
        days: 4,
        users: 20,
    };
    let server = StandIn::start(Source::new(size), Faults::bad_day(5));
    *server.state.forbidden.lock().unwrap() = vec!["/rtm/messages".to_owned()];
    let archive = Archive::new();
    for requests in [150, 60, 60] {
        kill_after(&server, &archive, requests);
    }
    let output = archive.run(&server, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let missing = summary(&output)["missing"].clone();
    assert_eq!(missing.as_array().unwrap().len(), 1, "{missing}");
    assert_eq!(missing[0]["what"], "messages of temporary conversations");
    let source = &server.state.source;
    let listed = |m: &&Message| source.sort_of(m) != Sort::Temporary;
    let expected = source.messages.iter().filter(listed);
    let expected: Vec<String> = expected.map(|m| source.row(m)).collect();
    let lines: Vec<String> = archive.message_lines().collect();
    assert!(
        lines == expected,
        "{} messages of {}",
        lines.len(),
        expected.len()
    );

    // The application's history is given after all: the archive becomes whole.
    server.state.forbidden.lock().unwrap().clear();
    archive.complete(&server, &[]);
    archive.assert_holds(source, source.end());
    archive.assert_sound();
    let fresh = Archive::new();
    fresh.complete(&server, &[]);
    let (one, two) = (archive.files(), fresh.files());
    for (name, content) in two.iter().filter(|(name, _)| name.starts_with("messages/")) {
        assert!(one[name] == *content, "{name} differs");
    }
}

/// An application-wide history that lacks what single conversations have is found out.
#[test]
fn a_history_with_holes_is_found_out() {
    let server = StandIn::start(small(), Faults::default());
    server.state.hide_rooms.store(true, Ordering::Relaxed);
    let archive = Archive::new();
    let output = archive.run(&server, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let missing = summary(&output)["missing"].to_string();
    let told = missing.contains("/rtm/chatrooms/") && missing.contains("--via conversations");
    assert!(told, "{missing}");
    let output = archive.run(&server, &["--via", "conversations"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    // Together they have everything: chat rooms from here, temporary conversations from there.
    archive.assert_holds(&server.state.source, server.state.source.end());
}

/// Starts the program and kills it when the source has had so many more requests.
fn kill_after(server: &StandIn, archive: &Archive, requests: u64) -> bool {
    let target = server.state.total() + requests;
    let mut command = archive.command(server, &["--parallel", "4"]);
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.spawn().unwrap();
    while server.state.total() < target && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    running
}
