//! Whatever is written, both storages answer the same.

use anser_domain::Timestamp;
use anser_sdk::core::Event;
use anser_sdk::database::{
    MemoryStorage, MessageQuery, SearchQuery, SqliteStorage, Storage, Write,
};
use anser_sdk::model::{Message, MessageState, ReadPosition};
use proptest::prelude::*;

use crate::storage::{history, local, message, query, recalled, row};

const TEXTS: [&str; 6] = ["北京", "京城北门", "hello 北", "Hello world", "，", "我"];

fn write() -> impl Strategy<Value = Write> {
    let seq = 1u64..12;
    let arrives = (seq.clone(), 0usize..TEXTS.len(), any::<bool>()).prop_map(|(seq, text, own)| {
        let mut message = message(seq, TEXTS[text]);
        if own {
            message.sender = "me".to_owned();
        }
        Event::Message(message)
    });
    let edited = (seq.clone(), 1u64..6, 0usize..TEXTS.len()).prop_map(|(seq, rev, text)| {
        Event::Changed(Message {
            state: Some(MessageState {
                rev,
                ..MessageState::default()
            }),
            ..message(seq, TEXTS[text])
        })
    });
    let recall = (seq.clone(), 1u64..6).prop_map(|(seq, rev)| Event::Changed(recalled(seq, rev)));
    let rows = (seq.clone(), 0u64..3, 1u64..5).prop_map(|(head, unread, first_seq)| {
        let mut told = row(head, unread);
        if let Event::Conversation { row, .. } = &mut told {
            row.first_seq = first_seq.min(head + 1);
        }
        told
    });
    let read = (seq.clone(), 0u64..3).prop_map(|(read_seq, unread)| Event::Read {
        conversation: "g/a".to_owned(),
        position: ReadPosition {
            read_seq,
            unread,
            unread_mentions: 0,
        },
    });
    let deleted = (seq.clone(), 1u64..9).prop_map(|(seq, version)| Event::Deleted {
        conversation: "g/a".to_owned(),
        seqs: vec![seq],
        version,
    });
    let followed = (seq.clone(), any::<bool>()).prop_map(|(seq, continued)| Event::Followed {
        conversation: "g/a".to_owned(),
        seq,
        continued,
    });
    let reset = any::<bool>().prop_map(|positions| Event::Reset { positions });
    let events = prop_oneof![
        6 => arrives, 2 => edited, 2 => recall, 2 => rows, 1 => read, 1 => deleted,
        1 => followed, 1 => reset
    ];
    prop_oneof![
        8 => events.prop_map(Write::Event),
        2 => (seq.clone(), 0u64..4, 0u64..3)
            .prop_map(|(a, n, more)| history(a..=a + n, a - 1, a + n + more)),
        1 => (0u64..12_000, 0usize..TEXTS.len())
            .prop_map(|(time, text)| Write::Import(vec![local(time, TEXTS[text])])),
        1 => Just(Write::User("me".to_owned())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn both_storages_answer_the_same(
        writes in prop::collection::vec(write(), 1..30),
        since in 0u64..12_000,
        until in 0u64..12_000,
        from in prop::option::of(0u64..14),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut sqlite = SqliteStorage::open(directory.path().join("it.db")).unwrap();
        let mut memory = MemoryStorage::new();
        sqlite.write(&writes).unwrap();
        memory.write(&writes).unwrap();
        prop_assert_eq!(sqlite.load().unwrap(), memory.load().unwrap());
        let (mut one, mut other) = (sqlite.reader().unwrap(), memory.reader().unwrap());
        for ascending in [true, false] {
            for limit in [1, 3, 0] {
                let plain = query(from, ascending, limit);
                let timed = MessageQuery {
                    since: Some(Timestamp(since)),
                    until: Some(Timestamp(until)),
                    ..plain.clone()
                };
                prop_assert_eq!(one.messages(&plain).unwrap(), other.messages(&plain).unwrap());
                prop_assert_eq!(one.messages(&timed).unwrap(), other.messages(&timed).unwrap());
            }
        }
        for text in ["北", "北京", "京城", "hel", "我", "门"] {
            let search = SearchQuery { text: text.to_owned(), limit: 2, ..SearchQuery::default() };
            prop_assert_eq!(one.search(&search).unwrap(), other.search(&search).unwrap());
        }
        prop_assert_eq!(one.conversations(0, 9).unwrap(), other.conversations(0, 9).unwrap());
        prop_assert_eq!(one.unread().unwrap(), other.unread().unwrap());
    }
}
