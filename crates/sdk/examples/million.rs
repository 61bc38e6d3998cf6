//! Makes a local database with a thousand messages and one with a million, and says how long it
//! takes to open them, to show a first screen, and to search; and how many times as long with the
//! million.
//!
//! `cargo run --release -p anser-sdk --example million -- [messages]`

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads the clock and prints"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anser_domain::Timestamp;
use anser_sdk::core::Event;
use anser_sdk::database::{MessageQuery, SearchQuery, SqliteStorage, Storage, StorageError, Write};
use anser_sdk::model::{Content, Conversation, Message};

const CONVERSATIONS: u64 = 200;
/// Messages written at a time.
const CHUNK: u64 = 1_000;
/// What a million is compared with.
const FEW: u64 = 1_000;
/// Each is measured so often.
const TIMES: usize = 9;
const WORDS: [&str; 16] = [
    "明天", "我们", "北京", "开会", "项目", "进度", "今天", "下午", "好的", "收到", "谢谢", "吃饭",
    "周末", "meeting", "report", "电影",
];

fn main() -> Result<(), StorageError> {
    let messages = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let messages: u64 = messages.unwrap_or(1_000_000);
    let directory = std::env::temp_dir().join(format!("anser-million-{}", std::process::id()));
    std::fs::create_dir_all(&directory).map_err(|why| StorageError(why.to_string()))?;
    let made = make(&directory.join("few.db"), FEW).and_then(|few| {
        let many = make(&directory.join("many.db"), messages)?;
        Ok((few, many))
    });
    let _ = std::fs::remove_dir_all(directory);
    let (few, many) = made?;
    println!("\nmedians of {TIMES}, with {FEW} and with {messages} messages:");
    for ((what, few, found), (_, many, found_many)) in few.into_iter().zip(many) {
        let ratio = many.as_secs_f64() / few.as_secs_f64().max(1e-9);
        println!("{what}: {few:.1?} and {many:.1?}, {ratio:.1} × ({found} and {found_many})");
    }
    Ok(())
}

/// What was measured, how long it took, and how much was found.
type Figure = (String, Duration, usize);

fn make(path: &PathBuf, messages: u64) -> Result<Vec<Figure>, StorageError> {
    let start = Instant::now();
    fill(path, messages)?;
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    println!(
        "wrote {messages} messages in {:.1?}: {} KiB",
        start.elapsed(),
        bytes / 1_024
    );
    measure(path)
}

fn fill(path: &PathBuf, messages: u64) -> Result<(), StorageError> {
    let mut storage = SqliteStorage::open(path)?;
    storage.write(&[Write::User("me".to_owned())])?;
    let at_a_time = (messages / CONVERSATIONS).clamp(1, CHUNK);
    for chunk in 0..messages.div_ceil(at_a_time) {
        // A conversation at a time, as history comes.
        let name = format!("g/{}", chunk % CONVERSATIONS);
        let first = chunk / CONVERSATIONS * at_a_time + 1;
        let all: Vec<Message> = (first..first + at_a_time)
            .map(|seq| message(&name, seq, chunk * at_a_time + seq - first))
            .collect();
        let row = Conversation {
            id: name.clone(),
            head_seq: first + at_a_time - 1,
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
            to: first + at_a_time - 1,
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

fn measure(path: &PathBuf) -> Result<Vec<Figure>, StorageError> {
    let opened = timed("open, and the first screen", || {
        let mut storage = SqliteStorage::open(path)?;
        let followed = storage.load()?.saved.followed.len();
        let mut reader = storage.reader()?;
        let rows = reader.conversations(0, 50)?;
        let unread = usize::try_from(reader.unread()?.unread).unwrap_or(0);
        let page = reader.messages(&page(None, None))?;
        Ok(followed + rows.len() + unread.min(1) + page.messages.len())
    })?;
    let mut figures = vec![opened];
    let mut reader = SqliteStorage::open(path)?.reader()?;
    let before = Some(1_715_000_000_000);
    for (what, query) in [
        ("newest 50 messages of a conversation", page(None, None)),
        ("50 messages before a day", page(None, before)),
        ("of a type that there is none of", page(Some("image"), None)),
    ] {
        figures.push(timed(what, || Ok(reader.messages(&query)?.messages.len()))?);
    }
    for (text, conversation) in [
        ("京", None),
        ("北京", None),
        ("北京开会", None),
        ("rep", None),
        ("下午", Some("g/7")),
        ("不在", None),
    ] {
        let query = SearchQuery {
            text: text.to_owned(),
            conversation: conversation.map(ToOwned::to_owned),
            ..SearchQuery::default()
        };
        let what = format!("search {text} in {}", conversation.unwrap_or("all"));
        figures.push(timed(&what, || Ok(reader.search(&query)?.messages.len()))?);
    }
    Ok(figures)
}

fn page(kind: Option<&str>, until: Option<u64>) -> MessageQuery {
    MessageQuery {
        conversation: "g/7".to_owned(),
        kind: kind.map(ToOwned::to_owned),
        until: until.map(Timestamp),
        ..MessageQuery::default()
    }
}

fn timed(
    what: &str,
    mut run: impl FnMut() -> Result<usize, StorageError>,
) -> Result<Figure, StorageError> {
    let mut took = Vec::new();
    let mut found = 0;
    for _ in 0..TIMES {
        let start = Instant::now();
        found = run()?;
        took.push(start.elapsed());
    }
    took.sort();
    Ok((what.to_owned(), took[TIMES / 2], found))
}
