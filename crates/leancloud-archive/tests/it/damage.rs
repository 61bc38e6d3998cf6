//! Damage is found and repaired.

use std::fs;
use std::sync::atomic::Ordering;

use crate::program::{Archive, small, summary, text};
use crate::stand_in::StandIn;
use crate::stand_in::faults::Faults;

fn days(archive: &Archive) -> Vec<String> {
    let manifest = archive.manifest();
    let units = manifest["units"].as_object().unwrap();
    let days = units
        .iter()
        .filter(|(name, unit)| name.starts_with("messages/") && unit["rows"] != 0);
    days.map(|(name, _)| name.clone()).collect()
}

/// A flipped bit, a truncated file, a missing one, a damaged index: all found by name; a run repairs
/// them with few requests, and the archive is what it was.
#[test]
fn damage_is_found_and_repaired() {
    let server = StandIn::start(small(), Faults::default());
    let archive = Archive::new();
    archive.complete(&server, &[]);
    archive.assert_sound();
    let before = archive.files();
    let days = days(&archive);

    let path = |name: &str| archive.path().join(name);
    let flipped = path(&format!("{}.jsonl.gz", days[1]));
    let mut bytes = fs::read(&flipped).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&flipped, bytes).unwrap();
    let cut = path(&format!("{}.jsonl.gz", days[3]));
    fs::write(&cut, &fs::read(&cut).unwrap()[..100]).unwrap();
    fs::remove_file(path("classes/_User.jsonl.gz")).unwrap();
    fs::write(path(&format!("{}.index.jsonl", days[5])), "nonsense").unwrap();
    fs::write(path("manifest.json"), "{").unwrap();

    let output = archive.verify();
    assert_eq!(output.status.code(), Some(3));
    let problems = summary(&output)["problems"].to_string();
    for name in [
        &days[1],
        &days[3],
        &days[5],
        "classes/_User",
        "manifest.json",
    ] {
        assert!(problems.contains(name), "{name} is not in {problems}");
    }

    server.state.forget_counts();
    archive.complete(&server, &[]);
    archive.assert_sound();
    archive.assert_holds(&server.state.source, server.state.source.end());
    let after = archive.files();
    assert_eq!(
        after.keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    for (name, content) in before {
        assert!(content == after[&name], "{name} differs");
    }
    let asked = server.state.count("messages");
    assert!(asked.arrived <= 2, "two days are one page each: {asked:?}");
}

/// A damaged day that the source no longer has: what is intact is kept, the rest is listed as lost,
/// for good.
#[test]
fn what_the_source_no_longer_has_is_saved_from_the_damaged_file() {
    let size = crate::stand_in::source::Size {
        messages: 9000,
        conversations: 20,
        days: 3,
        users: 9,
    };
    let server = StandIn::start(
        crate::stand_in::source::Source::new(size),
        Faults::default(),
    );
    let archive = Archive::new();
    archive.complete(&server, &[]);
    let manifest = archive.manifest();
    let rows_of = |day: &String| manifest["units"][day]["rows"].as_u64().unwrap();
    let day = days(&archive).into_iter().max_by_key(rows_of).unwrap();
    let rows = rows_of(&day);
    assert!(rows > 2000, "a day of several blocks");
    let path = archive.path().join(format!("{day}.jsonl.gz"));
    let mut bytes = fs::read(&path).unwrap();
    bytes[50] ^= 1;
    fs::write(&path, bytes).unwrap();

    server
        .state
        .expired_before
        .store(i64::MAX, Ordering::Relaxed);
    for _ in 0..2 {
        let output = archive.run(&server, &[]);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output));
        let lost = &summary(&output)["lost"];
        assert_eq!(
            (&lost[0]["what"], &lost[0]["count"]),
            (&day.clone().into(), &1000.into())
        );
    }
    assert_eq!(archive.lines(&day).len() as u64, rows - 1000);
    assert_eq!(summary(&archive.verify())["sound"], true);
}

/// Damaged file bytes are found and downloaded again.
#[test]
fn damaged_files_are_downloaded_again() {
    let server = StandIn::start(small(), Faults::default());
    let archive = Archive::new();
    let domain = format!("{}/files", server.url());
    let args = [
        "--files",
        "--file-domain",
        &domain,
        "--skip",
        "messages",
        "--skip",
        "lists",
    ];
    archive.complete(&server, &args);
    archive.assert_sound();
    let row: serde_json::Value = serde_json::from_str(&archive.lines("files/index")[3]).unwrap();
    let path = archive.path().join(row["path"].as_str().unwrap());
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(archive.verify().status.code(), Some(3));
    server.state.forget_counts();
    archive.complete(&server, &args);
    archive.assert_sound();
    assert_eq!(server.state.count("files").arrived, 1);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}
