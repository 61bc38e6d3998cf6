//! What a storage is: every test runs on each of them.

use anser_domain::Timestamp;
use anser_proto::client as wire;
use anser_sdk::SavedState;
use anser_sdk::core::{Event, Outgoing};
use anser_sdk::database::{
    LocalPage, MemoryStorage, MessageQuery, Next, PendingUpload, Place, Queued, Reader,
    SearchQuery, SqliteStorage, Storage, Write,
};
use anser_sdk::error::Error;
use anser_sdk::model::{
    Content, Conversation, Mention, Message, MessageState, ReadPosition, Recall,
};

/// Runs a test on every storage.
pub(crate) fn each(test: impl Fn(&mut dyn Storage)) {
    test(&mut MemoryStorage::new());
    let directory = tempfile::tempdir().unwrap();
    test(&mut SqliteStorage::open(directory.path().join("it.db")).unwrap());
}

pub(crate) fn message(seq: u64, text: &str) -> Message {
    Message {
        conversation: "g/a".to_owned(),
        seq,
        message_id: format!("id-{seq}"),
        sender: "you".to_owned(),
        client_message_id: format!("c-{seq}"),
        time: Timestamp(1_000 * seq),
        content: Content::text(text),
        counted: true,
        ..Message::default()
    }
}

pub(crate) fn recalled(seq: u64, rev: u64) -> Message {
    Message {
        content: Content::default(),
        state: Some(MessageState {
            rev,
            recall: Some(Recall::default()),
            ..MessageState::default()
        }),
        ..message(seq, "")
    }
}

pub(crate) fn local(time: u64, text: &str) -> Message {
    Message {
        seq: 0,
        message_id: format!("local-{text}"),
        time: Timestamp(time),
        ..message(0, text)
    }
}

pub(crate) fn row(head_seq: u64, unread: u64) -> Event {
    Event::Conversation {
        row: Conversation {
            id: "g/a".to_owned(),
            head_seq,
            unread,
            first_seq: 1,
            member: true,
            last_time: Timestamp(1_000 * head_seq),
            ..Conversation::default()
        },
        feed_version: None,
    }
}

pub(crate) fn history(seqs: std::ops::RangeInclusive<u64>, after: u64, to: u64) -> Write {
    Write::History {
        conversation: "g/a".to_owned(),
        messages: seqs
            .map(|seq| message(seq, &format!("第{seq}条")))
            .collect(),
        after,
        to,
    }
}

pub(crate) fn query(from: Option<u64>, ascending: bool, limit: u32) -> MessageQuery {
    MessageQuery {
        conversation: "g/a".to_owned(),
        from: from.map(Place::of),
        ascending,
        limit,
        ..MessageQuery::default()
    }
}

pub(crate) fn texts(page: &LocalPage) -> Vec<String> {
    let texts = page.messages.iter().map(|stored| &stored.message);
    texts
        .map(|message| message.content.as_text().unwrap_or("-").to_owned())
        .collect()
}

pub(crate) fn seqs(page: &LocalPage) -> Vec<u64> {
    page.messages.iter().map(|m| m.place.seq).collect()
}

pub(crate) fn found(reader: &mut dyn Reader, text: &str) -> Vec<u64> {
    let search = SearchQuery {
        text: text.to_owned(),
        ..SearchQuery::default()
    };
    let page = reader.search(&search).unwrap();
    page.messages.iter().map(|m| m.place.seq).collect()
}

pub(crate) fn follow(seq: u64) -> Write {
    Write::Event(Event::Followed {
        conversation: "g/a".to_owned(),
        seq,
        continued: false,
    })
}

pub(crate) fn arrives(message: Message) -> Write {
    Write::Event(Event::Message(message))
}

pub(crate) fn queued(id: &str, failed: Option<Error>) -> Queued {
    Queued {
        outgoing: Outgoing {
            client_message_id: Some(id.to_owned()),
            first_try: Timestamp(7),
            ..Outgoing::new("g/a", Content::text(id))
        },
        failed,
    }
}

#[test]
fn pages_end_at_holes_and_say_what_to_ask() {
    each(|storage| {
        let writes = [
            Write::Event(row(20, 0)),
            history(3..=5, 2, 6),
            history(11..=14, 10, 15),
        ];
        storage.write(&writes).unwrap();
        let mut reader = storage.reader().unwrap();
        let mut ask = |from, ascending, limit| {
            let page = reader.messages(&query(from, ascending, limit)).unwrap();
            (seqs(&page), page.next)
        };
        assert_eq!(ask(None, false, 2), (vec![14, 13], Next::Here));
        assert_eq!(
            ask(None, false, 9),
            (vec![14, 13, 12, 11], Next::Server(11))
        );
        assert_eq!(ask(Some(11), false, 9), (vec![], Next::Server(11)));
        assert_eq!(ask(Some(7), false, 9), (vec![5, 4, 3], Next::Server(3)));
        assert_eq!(ask(Some(2), true, 9), (vec![3, 4, 5], Next::Server(6)));
        assert_eq!(ask(Some(6), true, 9), (vec![], Next::Server(6)));
        storage.write(&[history(7..=10, 5, 10)]).unwrap();
        let page = storage.reader().unwrap().messages(&query(None, false, 99));
        let page = page.unwrap();
        assert_eq!(
            seqs(&page),
            [14, 13, 12, 11, 10, 9, 8, 7, 5, 4, 3],
            "6 can't be seen"
        );
        storage.write(&[history(1..=2, 0, 2)]).unwrap();
        let page = storage.reader().unwrap().messages(&query(None, false, 99));
        assert_eq!(page.unwrap().next, Next::End);
    });
}

#[test]
fn pages_are_filtered_by_type_sender_and_time() {
    each(|storage| {
        let mut messages: Vec<Message> = (1..=9).map(|seq| message(seq, "x")).collect();
        messages[2].content.kind = "image".to_owned();
        messages[6].content.kind = "image".to_owned();
        messages[6].sender = "me".to_owned();
        storage
            .write(&[
                Write::Event(row(9, 0)),
                Write::History {
                    conversation: "g/a".to_owned(),
                    messages,
                    after: 0,
                    to: 9,
                },
                Write::Import(vec![local(4_500, "between")]),
            ])
            .unwrap();
        let mut reader = storage.reader().unwrap();
        let mut ask = |query: MessageQuery| seqs(&reader.messages(&query).unwrap());
        let base = query(None, false, 0);
        let kind = Some("image".to_owned());
        assert_eq!(
            ask(MessageQuery {
                kind: kind.clone(),
                ..base.clone()
            }),
            [7, 3]
        );
        let sender = Some("me".to_owned());
        assert_eq!(
            ask(MessageQuery {
                kind,
                sender,
                ..base.clone()
            }),
            [7]
        );
        let since = Some(Timestamp(4_000));
        let until = Some(Timestamp(6_000));
        assert_eq!(
            ask(MessageQuery {
                since,
                until,
                ..base.clone()
            }),
            [5, 4, 4]
        );
        assert_eq!(
            ask(MessageQuery {
                until,
                ..base.clone()
            }),
            [5, 4, 4, 3, 2, 1]
        );
        assert_eq!(
            ask(MessageQuery {
                since,
                ascending: true,
                ..base
            }),
            [4, 4, 5, 6, 7, 8, 9]
        );
    });
}

#[test]
fn words_of_any_length_are_found_newest_first_and_page_by_page() {
    each(|storage| {
        storage.write(&[Write::User("me".to_owned())]).unwrap();
        let texts = [
            "明天我们去北京",
            "北海公园",
            "Hello World",
            "我在北京大学",
            "京",
        ];
        for (seq, text) in (1..).zip(texts) {
            storage
                .write(&[follow(seq - 1), arrives(message(seq, text))])
                .unwrap();
        }
        let mut reader = storage.reader().unwrap();
        assert_eq!(found(&mut *reader, "北京"), [4, 1]);
        assert_eq!(found(&mut *reader, "北"), [4, 2, 1]);
        assert_eq!(found(&mut *reader, "京"), [5, 4, 1]);
        assert_eq!(found(&mut *reader, "北京大学"), [4]);
        assert_eq!(found(&mut *reader, "hel"), [3]);
        assert_eq!(found(&mut *reader, "大学 我"), [4]);
        assert_eq!(found(&mut *reader, "东京"), [0u64; 0]);
        assert_eq!(found(&mut *reader, "\" OR *"), [0u64; 0]);
        let first = SearchQuery {
            text: "北".to_owned(),
            limit: 2,
            ..SearchQuery::default()
        };
        let page = reader.search(&first).unwrap();
        let cursor = page.cursor;
        let second = SearchQuery {
            cursor,
            ..first.clone()
        };
        let page = reader.search(&second).unwrap();
        assert_eq!((page.messages[0].place.seq, page.cursor), (1, None));
        let conversation = Some("g/other".to_owned());
        let elsewhere = SearchQuery {
            conversation,
            ..first.clone()
        };
        assert!(reader.search(&elsewhere).unwrap().messages.is_empty());
        let conversation = Some("g/a".to_owned());
        let until = Some(Timestamp(4_000));
        let here = SearchQuery {
            conversation,
            until,
            ..first
        };
        assert_eq!(reader.search(&here).unwrap().messages.len(), 2);
    });
}

#[test]
fn changed_and_removed_messages_are_found_by_what_they_are_now() {
    each(|storage| {
        let edited = Message {
            content: Content::text("上海"),
            state: Some(MessageState {
                rev: 2,
                ..MessageState::default()
            }),
            ..message(1, "")
        };
        let changed = Write::Event(Event::Changed(edited));
        storage
            .write(&[
                follow(0),
                arrives(message(1, "北京")),
                arrives(message(2, "北京")),
            ])
            .unwrap();
        storage.write(&[changed, history(1..=1, 0, 1)]).unwrap();
        let mut reader = storage.reader().unwrap();
        assert_eq!(found(&mut *reader, "北京"), [2]);
        assert_eq!(
            found(&mut *reader, "上海"),
            [1],
            "the older state does not come back"
        );
        storage
            .write(&[Write::Event(Event::Changed(recalled(2, 3)))])
            .unwrap();
        assert_eq!(found(&mut *reader, "北京"), [0u64; 0]);
        let deleted = Event::Deleted {
            conversation: "g/a".to_owned(),
            seqs: vec![1, 7],
            version: 1,
        };
        storage.write(&[Write::Event(deleted)]).unwrap();
        assert_eq!(found(&mut *reader, "上海"), [0u64; 0]);
        assert_eq!(reader.message("id-1").unwrap(), None);
        assert_eq!(
            reader.message("id-2").unwrap().unwrap().message,
            recalled(2, 3)
        );
    });
}

#[test]
fn unread_follows_what_happens() {
    each(|storage| {
        let mentioned = Message {
            mention: Some(Mention {
                users: vec!["me".to_owned()],
                ..Mention::default()
            }),
            ..message(6, "@me")
        };
        let own = Message {
            sender: "me".to_owned(),
            ..message(7, "mine")
        };
        storage
            .write(&[
                Write::User("me".to_owned()),
                Write::Event(row(5, 2)),
                follow(5),
                arrives(mentioned),
                arrives(own),
            ])
            .unwrap();
        let mut reader = storage.reader().unwrap();
        let mut total = || {
            let total = reader.unread().unwrap();
            (total.unread, total.mentions)
        };
        assert_eq!(total(), (3, 1));
        storage
            .write(&[Write::Event(Event::Changed(recalled(6, 1)))])
            .unwrap();
        assert_eq!(total(), (2, 0));
        let read = |read_seq, unread| {
            Write::Event(Event::Read {
                conversation: "g/a".to_owned(),
                position: ReadPosition {
                    read_seq,
                    unread,
                    unread_mentions: 0,
                },
            })
        };
        storage.write(&[read(7, 0), read(4, 1)]).unwrap();
        assert_eq!(total(), (0, 0), "the higher position holds");
        storage
            .write(&[arrives(message(8, "later")), Write::Event(row(7, 0))])
            .unwrap();
        assert_eq!(
            total(),
            (1, 0),
            "a row made earlier does not hide what came since"
        );
        let list = reader.conversations(0, 10).unwrap();
        let newest = list[0].newest.as_ref().unwrap();
        assert_eq!((list.len(), list[0].head_seq, newest.seq), (1, 8, 8));
    });
}

#[test]
fn the_position_is_the_sum_of_the_events() {
    each(|storage| {
        let name = || "g/a".to_owned();
        let events = [
            Event::Followed {
                conversation: name(),
                seq: 4,
                continued: false,
            },
            Event::Message(message(5, "x")),
            Event::Changes {
                conversation: name(),
                rev: 3,
            },
            Event::Deleted {
                conversation: name(),
                seqs: vec![5],
                version: 9,
            },
            Event::Followed {
                conversation: "g/b".to_owned(),
                seq: 1,
                continued: true,
            },
            Event::Lost {
                conversation: name(),
                from_seq: 6,
                to_seq: 8,
            },
            Event::Unfollowed {
                conversation: "g/b".to_owned(),
                error: None,
            },
            Event::Synced {
                user_id: "me".to_owned(),
                epoch: 1,
                feed_version: 2,
                synced_time: 3,
            },
            Event::Reset { positions: false },
            row(9, 1),
            Event::Reset { positions: true },
            Event::Followed {
                conversation: name(),
                seq: 4,
                continued: false,
            },
        ];
        let mut saved = SavedState::default();
        for event in events {
            saved.apply(&event);
            storage.write(&[Write::Event(event)]).unwrap();
            assert_eq!(storage.load().unwrap().saved, saved);
        }
    });
}

#[test]
fn sends_wait_in_their_order_until_they_are_settled() {
    each(|storage| {
        let refused = || {
            let error = wire::Error {
                code: 3_001,
                name: "REFUSED".to_owned(),
                message: "no".to_owned(),
                retry_after_ms: 0,
            };
            Some(Error::from(error))
        };
        let settle = |id: &str| Write::Settled {
            conversation: "g/a".to_owned(),
            client_message_id: id.to_owned(),
        };
        let ids = |queued: &[Queued]| -> Vec<String> {
            let ids = queued.iter().map(|q| q.client_message_id().to_owned());
            ids.collect()
        };
        for id in ["1", "2", "3", "4"] {
            storage.write(&[Write::Queued(queued(id, None))]).unwrap();
        }
        storage
            .write(&[Write::Queued(queued("2", refused())), settle("3")])
            .unwrap();
        let loaded = storage.load().unwrap();
        assert_eq!(loaded.queued, [queued("1", None), queued("4", None)]);
        let mut reader = storage.reader().unwrap();
        let all = reader.queued("g/a").unwrap();
        assert_eq!(ids(&all), ["1", "2", "4"]);
        assert_eq!(all[1].failed, refused());
        storage.write(&[Write::Queued(queued("2", None))]).unwrap();
        assert_eq!(ids(&storage.load().unwrap().queued), ["1", "4", "2"]);
        let own = Message {
            sender: "me".to_owned(),
            client_message_id: "1".to_owned(),
            ..message(1, "1")
        };
        storage
            .write(&[Write::User("me".to_owned()), arrives(own)])
            .unwrap();
        assert_eq!(ids(&storage.load().unwrap().queued), ["4", "2"]);
    });
}

#[test]
fn what_the_application_brings_stands_where_its_time_says() {
    each(|storage| {
        storage
            .write(&[Write::Event(row(5, 0)), history(1..=4, 0, 4)])
            .unwrap();
        storage
            .write(&[Write::Import(vec![
                local(2_700, "b"),
                local(2_500, "a"),
                local(9_000, "end"),
                local(10, "begin"),
                local(2_500, "a"),
                message(3, "another third"),
                message(5, "第5条"),
            ])])
            .unwrap();
        let mut reader = storage.reader().unwrap();
        let all = reader.messages(&query(None, true, 0)).unwrap();
        let expected = [
            "begin", "第1条", "第2条", "a", "b", "第3条", "第4条", "第5条", "end",
        ];
        assert_eq!(texts(&all), expected);
        assert_eq!(found(&mut *reader, "begin"), [0]);
        let from = all.messages[4].place;
        let mut older = query(None, false, 2);
        older.from = Some(from);
        let page = reader.messages(&older).unwrap();
        assert_eq!(
            (texts(&page), page.next),
            (vec!["a".to_owned(), "第2条".to_owned()], Next::Here)
        );
        storage.write(&[Write::Event(cleared_to(4))]).unwrap();
        let page = reader.messages(&query(None, false, 0)).unwrap();
        assert_eq!(
            (texts(&page), page.next),
            (vec!["end".to_owned(), "第5条".to_owned()], Next::End)
        );
        assert_eq!(found(&mut *reader, "begin"), [0u64; 0]);
    });
}

/// The row after the user cleared the history up to a sequence.
pub(crate) fn cleared_to(seq: u64) -> Event {
    match row(5, 0) {
        Event::Conversation { row, feed_version } => Event::Conversation {
            row: Conversation {
                first_seq: seq + 1,
                ..row
            },
            feed_version,
        },
        other => other,
    }
}

#[test]
fn what_the_application_brought_outlives_a_reset() {
    each(|storage| {
        let begin = [Write::Event(cleared_to(2)), history(3..=5, 2, 5)];
        storage.write(&begin).unwrap();
        storage
            .write(&[Write::Import(vec![local(10, "begin")])])
            .unwrap();
        let mut reader = storage.reader().unwrap();
        let mut shown = |storage: &mut dyn Storage, event: Event| {
            storage.write(&[Write::Event(event)]).unwrap();
            texts(&reader.messages(&query(None, true, 0)).unwrap())
        };
        shown(storage, Event::Reset { positions: false });
        let told = shown(storage, cleared_to(2));
        assert_eq!(told, ["begin", "第3条", "第4条", "第5条"]);
        shown(storage, Event::Reset { positions: true });
        assert_eq!(shown(storage, cleared_to(5)), ["begin"]);
        // It was cleared since.
        let mut later = cleared_to(6);
        if let Event::Conversation { row, .. } = &mut later {
            row.head_seq = 6;
        }
        assert!(shown(storage, later).is_empty());
    });
}

#[test]
fn what_may_have_changed_untold_is_asked_for_anew() {
    each(|storage| {
        let followed = |continued| {
            Write::Event(Event::Followed {
                conversation: "g/a".to_owned(),
                seq: 5,
                continued,
            })
        };
        let begin = [Write::Event(row(5, 0)), history(1..=5, 0, 5)];
        storage.write(&begin).unwrap();
        let mut reader = storage.reader().unwrap();
        storage.write(&[followed(true)]).unwrap();
        let page = reader.messages(&query(None, false, 0)).unwrap();
        assert_eq!((seqs(&page), page.next), (vec![5, 4, 3, 2, 1], Next::End));
        storage.write(&[followed(false)]).unwrap();
        for from in [Some(6), None] {
            let page = reader.messages(&query(from, false, 0)).unwrap();
            assert_eq!((seqs(&page), page.next), (Vec::new(), Next::Server(6)));
        }
        assert_eq!(found(&mut *reader, "第3条"), [3], "it is still here");
    });
}

#[test]
fn places_at_the_end_of_numbers_are_places() {
    each(|storage| {
        storage
            .write(&[Write::Event(row(5, 0)), history(1..=5, 0, 5)])
            .unwrap();
        let mut reader = storage.reader().unwrap();
        for ascending in [true, false] {
            let page = reader.messages(&query(Some(u64::MAX), ascending, 0));
            assert_eq!(seqs(&page.unwrap()), [0u64; 0]);
        }
    });
}

pub(crate) fn upload(id: &str, location: &str) -> PendingUpload {
    PendingUpload {
        id: id.to_owned(),
        path: format!("/files/{id}.png"),
        name: format!("{id}.png"),
        bytes: 3_000_000,
        modified: 1_700_000_000_000,
        location: location.to_owned(),
    }
}

#[test]
fn uploads_are_kept_until_they_are_over() {
    each(|storage| {
        let user = || Write::User("me".to_owned());
        storage
            .write(&[
                user(),
                Write::Upload(upload("a", "")),
                Write::Upload(upload("b", "")),
                Write::Upload(upload("a", "/place")),
            ])
            .unwrap();
        let mut reader = storage.reader().unwrap();
        let all = [upload("a", "/place"), upload("b", "")];
        assert_eq!(reader.uploads().unwrap(), all);
        storage
            .write(&[Write::UploadEnded("a".to_owned())])
            .unwrap();
        assert_eq!(reader.uploads().unwrap(), all[1..]);
        storage.write(&[Write::User("other".to_owned())]).unwrap();
        assert!(reader.uploads().unwrap().is_empty());
    });
}

#[test]
fn drafts_are_kept_until_they_are_emptied() {
    each(|storage| {
        let draft = |text: &str| Write::Draft {
            conversation: "g/a".to_owned(),
            text: text.to_owned(),
        };
        storage.write(&[draft("你"), draft("你好")]).unwrap();
        let mut reader = storage.reader().unwrap();
        assert_eq!(reader.draft("g/a").unwrap(), "你好");
        assert_eq!(reader.drafts().unwrap().len(), 1);
        storage.write(&[draft("")]).unwrap();
        assert_eq!(reader.draft("g/a").unwrap(), "");
    });
}

#[test]
fn another_user_finds_nothing() {
    each(|storage| {
        storage
            .write(&[
                Write::User("me".to_owned()),
                Write::Event(row(5, 2)),
                follow(5),
                arrives(message(6, "secret")),
                Write::Queued(queued("1", None)),
            ])
            .unwrap();
        storage.write(&[Write::User("me".to_owned())]).unwrap();
        assert_eq!(storage.load().unwrap().queued.len(), 1);
        storage.write(&[Write::User("you".to_owned())]).unwrap();
        let loaded = storage.load().unwrap();
        assert_eq!((loaded.user_id.as_str(), loaded.queued.len()), ("you", 0));
        assert_eq!(loaded.saved, SavedState::default());
        let mut reader = storage.reader().unwrap();
        assert_eq!(found(&mut *reader, "secret"), [0u64; 0]);
        assert!(reader.conversations(0, 10).unwrap().is_empty());
        assert_eq!(reader.message("id-6").unwrap(), None);
    });
}

#[test]
fn a_file_is_opened_again_with_everything_and_a_newer_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it.db");
    let mut storage = SqliteStorage::open(&path).unwrap();
    storage
        .write(&[follow(0), arrives(message(1, "北京"))])
        .unwrap();
    storage.write(&[Write::Queued(queued("1", None))]).unwrap();
    drop(storage);
    let mut storage = SqliteStorage::open(&path).unwrap();
    let loaded = storage.load().unwrap();
    assert_eq!((loaded.saved.followed["g/a"], loaded.queued.len()), (1, 1));
    assert_eq!(found(&mut *storage.reader().unwrap(), "北"), [1]);
    drop(storage);
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    let refused = SqliteStorage::open(&path).unwrap_err();
    assert!(refused.to_string().contains("newer release"), "{refused}");
}
