//! The archive equals the source, whatever happens on the way.

use std::process::Stdio;
use std::sync::atomic::Ordering;

use crate::program::{Archive, small};
use crate::stand_in::StandIn;
use crate::stand_in::faults::Faults;
use crate::stand_in::source::{Size, Source};

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
    let mut kills = 0;
    for requests in [3, 20, 40, 60, 70, 80, 90, 100] {
        let target = server.state.total() + requests;
        let mut command = archive.command(&server, &["--parallel", "4"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while server.state.total() < target && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(
        kills >= 6,
        "only {kills} runs were still going when they were to be killed"
    );
    let summary = archive.complete(&server, &["--parallel", "4"]);
    assert_eq!(summary["totals"]["messages"], 20_000);
    archive.assert_holds(&server.state.source, server.state.source.end());
    archive.assert_sound();

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
