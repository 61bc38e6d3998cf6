//! What the user may not see any more does not come back, whatever comes late.

use anser_sdk::core::Event;
use anser_sdk::database::{Next, Write};
use anser_sdk::model::Conversation;

use crate::storage::{
    arrives, cleared_to, each, follow, found, history, local, message, query, recalled, row, seqs,
    texts,
};

#[test]
fn a_recall_of_what_the_user_had_deleted_changes_no_count() {
    each(|storage| {
        let deleted = Event::Deleted {
            conversation: "g/a".to_owned(),
            seqs: vec![6],
            version: 1,
        };
        let writes = [
            Write::User("me".to_owned()),
            Write::Event(row(5, 2)),
            follow(5),
            arrives(message(6, "6")),
            Write::Event(deleted),
        ];
        storage.write(&writes).unwrap();
        let mut reader = storage.reader().unwrap();
        assert_eq!(reader.unread().unwrap().unread, 2);
        let recall = [Write::Event(Event::Changed(recalled(6, 1)))];
        storage.write(&recall).unwrap();
        assert_eq!(reader.unread().unwrap().unread, 2);
        assert!(reader.message("id-6").unwrap().is_none());
    });
}

#[test]
fn what_a_page_does_not_have_was_deleted() {
    each(|storage| {
        storage.write(&[history(1..=6, 0, 6)]).unwrap();
        let mut page = history(2..=4, 1, 5);
        if let Write::History { messages, .. } = &mut page {
            messages.remove(1);
        }
        let kept = [Write::Import(vec![local(3_500, "mine")]), page];
        storage.write(&kept).unwrap();
        let mut reader = storage.reader().unwrap();
        let page = reader.messages(&query(None, true, 0)).unwrap();
        let here: Vec<(u64, u64)> = page
            .messages
            .iter()
            .map(|stored| (stored.place.seq, stored.place.local))
            .collect();
        assert_eq!(here, [(1, 0), (2, 0), (3, 1), (4, 0), (6, 0)]);
        assert!(found(&mut *reader, "第3条").is_empty());
    });
}

#[test]
fn what_is_told_after_it_was_cleared_does_not_come_back() {
    each(|storage| {
        let begin = [follow(0), Write::Event(row(3, 0)), history(1..=3, 0, 3)];
        storage.write(&begin).unwrap();
        // A push and a page were on their way when the user cleared it.
        let late = [
            Write::Event(cleared_to(5)),
            arrives(message(4, "late")),
            history(1..=5, 0, 5),
            arrives(message(6, "new")),
        ];
        storage.write(&late).unwrap();
        let mut reader = storage.reader().unwrap();
        let page = reader.messages(&query(None, false, 0)).unwrap();
        assert_eq!(
            (texts(&page), page.next),
            (vec!["new".to_owned()], Next::End)
        );
        assert!(reader.message("id-4").unwrap().is_none());
        // Whoever comes back and may read what was before finds a hole there.
        storage.write(&[Write::Event(row(6, 0))]).unwrap();
        let page = reader.messages(&query(None, false, 0)).unwrap();
        assert_eq!((seqs(&page), page.next), (vec![6], Next::Server(6)));
        let page = reader.messages(&query(Some(4), false, 0)).unwrap();
        assert_eq!((seqs(&page), page.next), (Vec::new(), Next::Server(4)));
    });
}

#[test]
fn what_was_cleared_while_the_user_was_out_is_gone_when_they_are_back() {
    each(|storage| {
        let out = match cleared_to(3) {
            Event::Conversation { row, feed_version } => Event::Conversation {
                row: Conversation {
                    member: false,
                    ..row
                },
                feed_version,
            },
            other => other,
        };
        let begin = [Write::Event(row(5, 0)), history(1..=5, 0, 5)];
        storage.write(&begin).unwrap();
        storage.write(&[Write::Event(out)]).unwrap();
        let mut reader = storage.reader().unwrap();
        assert!(reader.message("id-2").unwrap().is_some(), "kept for now");
        storage.write(&[Write::Event(cleared_to(3))]).unwrap();
        assert!(reader.message("id-2").unwrap().is_none());
        let page = reader.messages(&query(None, false, 0)).unwrap();
        assert_eq!((seqs(&page), page.next), (vec![5, 4], Next::End));
    });
}
