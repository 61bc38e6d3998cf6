//! LeanCloud's own export files as input.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use bson::{Bson, Document};
use serde_json::Value;

use crate::program::{Archive, PROGRAM, small, text};
use crate::stand_in::StandIn;
use crate::stand_in::faults::Faults;
use crate::stand_in::routes::APP_ID;

fn json_lines(class: &str, objects: &[Value]) -> String {
    let mut text =
        format!("#filetype:JSON-streaming {{\"type\":\"Class\",\"class\":\"{class}\"}}\n");
    objects
        .iter()
        .for_each(|object| text.push_str(&format!("{object}\n")));
    text
}

/// Classes come from files in any order and form; the API is asked only for what changed since.
#[test]
fn exports_replace_the_scan_and_the_rest_comes_from_the_api() {
    let server = StandIn::start(small(), Faults::default());
    let source = &server.state.source;
    let dir = tempfile::tempdir().unwrap();
    // Two files, the later objects first, one of them compressed.
    let objects = &source.classes["_Conversation"];
    let (early, late) = objects.split_at(objects.len() / 2);
    fs::write(
        dir.path().join("_Conversation.0.jsonl"),
        json_lines("_Conversation", late),
    )
    .unwrap();
    let file = fs::File::create(dir.path().join("_Conversation.1.jsonl.gz")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gzip.write_all(json_lines("_Conversation", early).as_bytes())
        .unwrap();
    gzip.finish().unwrap();
    let mut dump = Vec::new();
    for object in &source.classes["_ConversationMemberInfo"] {
        let mut document = Document::new();
        for (name, value) in object.as_object().unwrap() {
            let name = if name == "objectId" { "_id" } else { name };
            document.insert(name, Bson::String(value.as_str().unwrap().to_owned()));
        }
        dump.extend(document.to_vec().unwrap());
    }
    fs::write(dir.path().join("_ConversationMemberInfo.bson"), dump).unwrap();
    fs::write(dir.path().join("Todo.0.jsonl"), json_lines("Todo", &[])).unwrap();

    let archive = Archive::new();
    let export = dir.path().to_str().unwrap();
    let summary = archive.complete(&server, &["--export", export]);
    for class in ["_Conversation", "_ConversationMemberInfo"] {
        let rows = archive.lines(&format!("classes/{class}"));
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| serde_json::from_str(row).unwrap())
            .collect();
        assert_eq!(rows, source.classes[class], "{class}");
    }
    assert!(summary["notes"].to_string().contains("classes/Todo"));
    archive.assert_sound();

    let offline = Archive::new();
    let args = [
        "--app-id",
        APP_ID,
        "--offline",
        "--export",
        export,
        "--progress",
        "json",
    ];
    let output = Command::new(PROGRAM)
        .arg("archive")
        .arg(offline.path())
        .args(args)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(offline.lines("classes/_Conversation").len(), objects.len());
    offline.assert_sound();
}
