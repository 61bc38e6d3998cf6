//! Files of older releases: each version has one that it wrote, and all of it is there when it is
//! opened now.

use anser_sdk::core::Event;
use anser_sdk::database::{MemoryStorage, SqliteStorage, Storage, Write};
use anser_sdk::model::Conversation;

use crate::storage::{
    arrives, follow, found, history, local, message, query, queued, recalled, row, upload,
};

fn fixture(version: u32) -> std::path::PathBuf {
    let name = format!("../../fixtures/sdk/database-{version}.db");
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What the file of version 1 was made of.
fn of_version_1() -> Vec<Write> {
    vec![
        Write::User("me".to_owned()),
        Write::Event(row(5, 2)),
        follow(0),
        arrives(message(1, "明天我们去北京")),
        arrives(message(2, "Hello World")),
        Write::Event(Event::Changed(recalled(2, 3))),
        Write::Event(Event::Changes {
            conversation: "g/a".to_owned(),
            rev: 3,
        }),
        history(5..=6, 4, 6),
        Write::Import(vec![local(1_500, "only here")]),
        Write::Queued(queued("waits", None)),
        Write::Draft {
            conversation: "g/a".to_owned(),
            text: "你".to_owned(),
        },
    ]
}

/// What the file of version 2 was made of.
fn of_version_2() -> Vec<Write> {
    let pinned = Conversation {
        id: "g/b".to_owned(),
        member: true,
        pinned: true,
        marks: vec!["work".to_owned()],
        ..Conversation::default()
    };
    let hidden = Conversation {
        id: "g/c".to_owned(),
        hidden: true,
        unread: 5,
        ..Conversation::default()
    };
    let mut writes = of_version_1();
    for row in [pinned, hidden] {
        writes.push(Write::Event(Event::Conversation {
            row,
            feed_version: None,
        }));
    }
    writes
}

/// The file of a version, as it opens now.
fn opens_with_everything(version: u32, writes: &[Write]) {
    let fixture = fixture(version);
    if std::env::var_os("ANSER_WRITE_FIXTURES").is_some() && !fixture.exists() {
        std::fs::create_dir_all(fixture.parent().unwrap()).unwrap();
        let mut storage = SqliteStorage::open(&fixture).unwrap();
        storage.write(writes).unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it.db");
    std::fs::copy(fixture, &path).unwrap();
    let mut old = SqliteStorage::open(&path).unwrap();
    let mut new = MemoryStorage::new();
    new.write(writes).unwrap();
    assert_eq!(old.load().unwrap(), new.load().unwrap());
    let (mut one, mut other) = (old.reader().unwrap(), new.reader().unwrap());
    let all = query(None, true, 0);
    assert_eq!(one.messages(&all).unwrap(), other.messages(&all).unwrap());
    assert_eq!(
        one.conversations(0, 9).unwrap(),
        other.conversations(0, 9).unwrap()
    );
    assert_eq!(one.unread().unwrap(), other.unread().unwrap());
    assert_eq!(one.drafts().unwrap(), other.drafts().unwrap());
    assert_eq!(one.uploads().unwrap(), other.uploads().unwrap());
    assert_eq!(found(&mut *one, "北京"), [1]);
    assert_eq!(found(&mut *one, "world"), [0u64; 0]);
}

#[test]
fn the_file_of_version_1_opens_with_everything() {
    opens_with_everything(1, &of_version_1());
}

/// What the file of version 3 was made of.
fn of_version_3() -> Vec<Write> {
    let mut writes = of_version_2();
    writes.push(Write::Upload(upload("a", "")));
    writes.push(Write::Upload(upload("b", "/v1/media/uploads/b")));
    writes
}

#[test]
fn the_file_of_version_3_opens_with_everything() {
    opens_with_everything(3, &of_version_3());
}

#[test]
fn the_file_of_version_2_opens_with_everything() {
    opens_with_everything(2, &of_version_2());
}
