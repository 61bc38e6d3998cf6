//! Makes a local database with a million messages and says how long it takes to open it, to show
//! a first screen, and to search.
//!
//! `cargo run --release -p anser-sdk --example million -- [messages] [file]`

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads the clock and prints"
)]

use std::path::PathBuf;
use std::time::Instant;

use anser_domain::Timestamp;
use anser_sdk::core::Event;
use anser_sdk::database::{
    MessageQuery, Reader, SearchQuery, SqliteStorage, Storage, StorageError, Write,
};
use anser_sdk::model::{Content, Conversation, Message};

const CONVERSATIONS: u64 = 200;
/// Messages written at a time.
const CHUNK: u64 = 1_000;
const WORDS: [&str; 16] = [
    "明天", "我们", "北京", "开会", "项目", "进度", "今天", "下午", "好的", "收到", "谢谢", "吃饭",
    "周末", "meeting", "report", "电影",
];

fn main() -> Result<(), StorageError> {
    let mut arguments = std::env::args().skip(1);
    let messages = arguments.next().and_then(|text| text.parse().ok());
    let messages: u64 = messages.unwrap_or(1_000_000);
    let file = arguments.next().map(PathBuf::from);
    let directory = std::env::temp_dir().join(format!("anser-million-{}", std::process::id()));
    let path = file.unwrap_or_else(|| directory.join("it.db"));
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|why| StorageError(why.to_string()))?;
    }
    if path.exists() {
        println!("{} is there already", path.display());
    } else {
        let start = Instant::now();
        fill(&path, messages)?;
        println!("wrote {messages} messages in {:.1?}", start.elapsed());
    }
    let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
    println!("{} MiB", bytes / 1_048_576);
    measure(&path)?;
    // Only what was made here; a file that was named stays.
    let _ = std::fs::remove_dir_all(directory);
    Ok(())
}

fn fill(path: &PathBuf, messages: u64) -> Result<(), StorageError> {
    let mut storage = SqliteStorage::open(path)?;
    storage.write(&[Write::User("me".to_owned())])?;
    for chunk in 0..messages.div_ceil(CHUNK) {
        // A conversation at a time, as history comes.
        let name = format!("g/{}", chunk % CONVERSATIONS);
        let first = chunk / CONVERSATIONS * CHUNK + 1;
        let all: Vec<Message> = (first..first + CHUNK)
            .map(|seq| message(&name, seq, chunk * CHUNK + seq - first))
            .collect();
        let row = Conversation {
            id: name.clone(),
            head_seq: first + CHUNK - 1,
            first_seq: 1,
            member: true,
            last_time: all.last().map(|last| last.time).unwrap_or_default(),
            newest: all.last().cloned(),
            unread: chunk % 7,
            ..Conversation::default()
        };
        let history = Write::History {
            conversation: name,
            messages: all,
            after: first - 1,
            to: first + CHUNK - 1,
        };
        let told = Event::Conversation {
            row,
            feed_version: None,
        };
        storage.write(&[history, Write::Event(told)])?;
    }
    Ok(())
}

/// Text of some length, made of words by a fixed rule.
fn message(conversation: &str, seq: u64, number: u64) -> Message {
    let mut mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut text = String::new();
    for _ in 0..4 + mixed % 9 {
        mixed = mixed.wrapping_mul(0xD129_0B26_88CC_C1C5).rotate_left(23);
        text.push_str(WORDS[usize::try_from(mixed % 16).unwrap_or(0)]);
    }
    Message {
        conversation: conversation.to_owned(),
        seq,
        message_id: format!("{number:026}"),
        sender: format!("user{}", mixed % 50),
        client_message_id: format!("{number:x}"),
        time: Timestamp(1_700_000_000_000 + number * 60_000),
        content: Content::text(text),
        counted: true,
        ..Message::default()
    }
}

fn measure(path: &PathBuf) -> Result<(), StorageError> {
    let start = Instant::now();
    let mut storage = SqliteStorage::open(path)?;
    let loaded = storage.load()?;
    let mut reader = storage.reader()?;
    println!("open: {:.1?} (user {})", start.elapsed(), loaded.user_id);
    timed(
        "conversation list, 50 rows, and the total of unread",
        || {
            let rows = reader.conversations(0, 50)?;
            Ok(rows.len() + usize::try_from(reader.unread()?.unread).unwrap_or(0))
        },
    )?;
    let page = |kind: Option<&str>, until: Option<u64>| MessageQuery {
        conversation: "g/7".to_owned(),
        kind: kind.map(ToOwned::to_owned),
        until: until.map(Timestamp),
        ..MessageQuery::default()
    };
    let asked = [
        ("newest 50 messages of a conversation", page(None, None)),
        (
            "50 messages before a day",
            page(None, Some(1_715_000_000_000)),
        ),
        (
            "messages of a type that there is none of",
            page(Some("image"), None),
        ),
    ];
    for (what, query) in asked {
        timed(what, || Ok(reader.messages(&query)?.messages.len()))?;
    }
    for (text, conversation) in [
        ("京", None),
        ("北京", None),
        ("北京开会", None),
        ("rep", None),
        ("下午", Some("g/7")),
        ("不在", None),
    ] {
        search(&mut *reader, text, conversation)?;
    }
    Ok(())
}

fn search(
    reader: &mut dyn Reader,
    text: &str,
    conversation: Option<&str>,
) -> Result<(), StorageError> {
    let query = SearchQuery {
        text: text.to_owned(),
        conversation: conversation.map(ToOwned::to_owned),
        ..SearchQuery::default()
    };
    let what = format!("search {text} in {}", conversation.unwrap_or("all"));
    timed(&what, || Ok(reader.search(&query)?.messages.len()))
}

fn timed(
    what: &str,
    mut run: impl FnMut() -> Result<usize, StorageError>,
) -> Result<(), StorageError> {
    let start = Instant::now();
    let found = run()?;
    let first = start.elapsed();
    let start = Instant::now();
    run()?;
    println!(
        "{what}: {first:.1?}, again {:.1?} ({found})",
        start.elapsed()
    );
    Ok(())
}
