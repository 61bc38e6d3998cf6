//! Browsing.

use crate::program::{Archive, small};
use crate::stand_in::StandIn;
use crate::stand_in::faults::Faults;
use crate::stand_in::source::{Message, Source};

/// Rows of the source that `wanted` picks, oldest first.
fn expected(source: &Source, wanted: impl Fn(&str, &Message) -> bool) -> Vec<String> {
    let rows = source
        .messages
        .iter()
        .map(|message| (source.row(message), message));
    rows.filter(|(row, message)| wanted(row, message))
        .map(|(row, _)| row)
        .collect()
}

#[test]
fn conversations_messages_and_users_are_found() {
    let server = StandIn::start(small(), Faults::default());
    let source = &server.state.source;
    let archive = Archive::new();
    archive.complete(&server, &[]);

    // A page of a conversation, a temporary one included; forwards, backwards, by time.
    for conversation in [source.conversation_id(0), source.conversation_id(9)] {
        let all = expected(source, |row, _| {
            row.contains(&format!("\"to\":\"{conversation}\""))
        });
        assert!(all.len() > 10);
        assert_eq!(
            archive.show(&["--json", "messages", &conversation, "--limit", "5"]),
            all[..5]
        );
        let middle = source.messages[1000].time;
        let early = expected(source, |row, message| {
            row.contains(&format!("\"to\":\"{conversation}\"")) && message.time < middle
        });
        let before = middle.to_string();
        let page = [
            "--json",
            "messages",
            &conversation,
            "--before",
            &before,
            "--limit",
            "3",
        ];
        assert_eq!(archive.show(&page), early[early.len() - 3..]);
        let rest = [
            "--json",
            "messages",
            &conversation,
            "--from",
            &before,
            "--limit",
            "100000",
        ];
        assert_eq!(archive.show(&rest), all[early.len()..]);
    }

    let user = source.user(7);
    let lines = archive.show(&["--json", "user", &user, "--limit", "100000"]);
    let sent = expected(source, |_, message| source.sender(message) == user);
    assert!(sent.len() > 10);
    assert!(lines.ends_with(&sent));
    let member = |object: &&serde_json::Value| {
        object["m"]
            .as_array()
            .unwrap()
            .contains(&user.clone().into())
    };
    let conversations = source.classes["_Conversation"]
        .iter()
        .filter(member)
        .count();
    assert_eq!(lines.len(), conversations + sent.len());

    // Pages of conversations join.
    let first = archive.show(&["conversations", "--limit", "60"]);
    let last = first[59].split(' ').next().unwrap().to_owned();
    let second = archive.show(&["conversations", "--limit", "60", "--after", &last]);
    assert_eq!(
        first.len() + second.len(),
        source.classes["_Conversation"].len()
    );
    assert!(
        archive
            .show(&[])
            .iter()
            .any(|line| line.contains("messages in"))
    );
}
