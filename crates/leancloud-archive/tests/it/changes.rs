//! A second run takes only what is new.

use std::sync::atomic::Ordering;

use crate::program::{Archive, small};
use crate::stand_in::StandIn;
use crate::stand_in::faults::Faults;

#[test]
fn only_what_is_new_is_asked_for() {
    let server = StandIn::start(small(), Faults::default());
    let source = &server.state.source;
    let middle = source.messages[1500].time;
    server.state.now.store(middle, Ordering::Relaxed);
    let archive = Archive::new();
    archive.complete(&server, &[]);
    archive.assert_holds(source, middle);
    let first = archive.files();

    // Nothing happened since: no message and no list is asked for.
    server.state.forget_counts();
    archive.complete(&server, &[]);
    assert_eq!(server.state.count("messages").arrived, 0);
    assert_eq!(server.state.count("lists").arrived, 0);
    assert_eq!(
        server.state.count("classes").arrived,
        1,
        "only the class that did not exist"
    );
    assert_eq!(archive.files(), first);

    // 500 new messages, one conversation renamed.
    let end = source.end();
    server.state.now.store(end, Ordering::Relaxed);
    let renamed = source.conversation_id(4);
    server
        .state
        .touched
        .lock()
        .unwrap()
        .insert(renamed.clone(), end - 1);
    server.state.forget_counts();
    archive.complete(&server, &[]);
    archive.assert_holds(source, end);
    archive.assert_sound();
    assert!(
        server.state.count("messages").arrived <= 2,
        "{:?}",
        server.state.count("messages")
    );
    assert_eq!(
        server.state.count("lists").arrived,
        2,
        "lists of the renamed conversation"
    );
    let rows = archive.lines("classes/_Conversation");
    assert_eq!(rows.len(), source.classes["_Conversation"].len());
    assert!(
        rows.iter()
            .any(|row| row.contains(&renamed) && row.contains("renamed"))
    );

    // The same as an archive made now, message for message and byte for byte.
    let fresh = Archive::new();
    fresh.complete(&server, &[]);
    let (grown, fresh) = (archive.files(), fresh.files());
    let days = |name: &&String| name.starts_with("messages/") && name.ends_with(".jsonl.gz");
    assert!(fresh.keys().filter(days).count() > 5);
    for name in fresh.keys().filter(days) {
        assert!(grown[name] == fresh[name], "{name} differs");
    }
}

/// Edits of archived messages are seen where the operator asks for it.
#[test]
fn days_can_be_read_again() {
    let server = StandIn::start(small(), Faults::default());
    let archive = Archive::new();
    archive.complete(&server, &[]);
    let before = archive.files();
    server.state.forget_counts();
    archive.complete(&server, &["--reread-days", "3"]);
    assert!(server.state.count("messages").served >= 1);
    assert_eq!(archive.files(), before);
}
