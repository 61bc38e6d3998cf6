//! A client with a database: what it keeps over restarts, and what it does not tell before it is
//! kept.

use std::path::Path;
use std::sync::{Arc, Mutex};

use anser_proto::client as wire;
use anser_sdk::core::{ConnectionState, Event, Outgoing, QueueUpdate};
use anser_sdk::database::{
    Loaded, MemoryStorage, Reader, SearchQuery, SqliteStorage, Storage, StorageError, Write,
};
use anser_sdk::model::Content;
use anser_sdk::{Client, Events};
use wire::request::Command;
use wire::response::Result as Answer;

use crate::driver::model;
use crate::peer::{Door, Kind};
use crate::script::{error, response};
use crate::server::Server;

fn connect(door: &Door, storage: impl Storage + 'static) -> (Client, Events) {
    let builder = Client::builder(door.url(), "token".to_owned());
    let builder = builder.device_id("device").database(storage);
    builder.connect().unwrap()
}

fn file(path: &Path) -> SqliteStorage {
    SqliteStorage::open(path).unwrap()
}

/// Ends the client, and waits until it has.
async fn end(client: Client, mut events: Events) {
    drop(client);
    while events.next().await.is_some() {}
}

async fn queued_update(events: &mut Events) -> QueueUpdate {
    loop {
        if let Event::Queue(update) = events.next().await.unwrap() {
            return update;
        }
    }
}

fn outgoing(text: &str) -> Outgoing {
    Outgoing::new("g/a", Content::text(text))
}

#[tokio::test]
async fn what_was_queued_offline_is_sent_after_a_restart_once_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it.db");
    let door = Door::open(Kind::WebSocket, None).await;
    // Nobody answers.
    let (client, events) = connect(&door, file(&path));
    let mut ids = Vec::new();
    for text in ["一", "二", "三"] {
        ids.push(client.queue(outgoing(text)).await.unwrap());
    }
    let again = Outgoing {
        client_message_id: Some(ids[0].clone()),
        ..outgoing("一")
    };
    assert!(client.queue(again).await.is_err(), "it is queued already");
    end(client, events).await;

    let (client, mut events) = connect(&door, file(&path));
    let server = model();
    let serving = tokio::spawn({
        let server = Arc::clone(&server);
        async move { serve_and_break(&door, &server).await }
    });
    for id in &ids {
        match queued_update(&mut events).await {
            QueueUpdate::Sent(sent) => assert_eq!(sent.client_message_id, *id),
            failed => panic!("{failed:?}"),
        }
    }
    let database = client.database().unwrap().clone();
    assert!(database.queued("g/a").await.unwrap().is_empty());
    drop(database);
    end(client, events).await;
    let sends = serving.await.unwrap();
    let (first, rest) = sends.split_first().unwrap();
    assert_eq!(*first, ids[0], "its answer was lost");
    assert_eq!(rest, ids, "each once more or once, in order");
    let stored: Vec<String> = server.lock().unwrap().logs["g/a"]
        .iter()
        .map(|message| message.client_message_id.clone())
        .collect();
    assert_eq!(stored, ids);

    // Nobody answers again, and what is here is here.
    let door = Door::open(Kind::WebSocket, None).await;
    let (client, _events) = connect(&door, file(&path));
    let search = SearchQuery {
        text: "二".to_owned(),
        ..SearchQuery::default()
    };
    let database = client.database().unwrap();
    let found = database.search(search).await.unwrap();
    assert_eq!(found.messages[0].message.client_message_id, ids[1]);
    assert_eq!(database.conversations(0, 9).await.unwrap()[0].head_seq, 3);
}

#[tokio::test]
async fn a_sequence_that_no_server_gives_is_not_imported() {
    let door = Door::open(Kind::WebSocket, None).await;
    let (client, _events) = connect(&door, MemoryStorage::new());
    let database = client.database().unwrap();
    let mut message = crate::storage::message(1, "x");
    message.seq = u64::MAX;
    assert_eq!(
        database
            .import(vec![message.clone()])
            .await
            .unwrap_err()
            .code,
        anser_domain::Code::InvalidRequest.number()
    );
    message.seq = i64::MAX.unsigned_abs();
    database.import(vec![message]).await.unwrap();
}

/// Serves what comes; the first connection that brings a send ends instead of its answer. Gives
/// the ids of all sends.
async fn serve_and_break(door: &Door, server: &Arc<Mutex<Server>>) -> Vec<String> {
    let mut sends = Vec::new();
    let mut broken = false;
    loop {
        let Ok(mut peer) = door.accept().await else {
            continue; // of the client's first life
        };
        while let Some(requests) = peer.receive().await {
            let mut answers = Vec::new();
            let mut breaks = false;
            for request in requests {
                let command = request.command.unwrap();
                if let Command::SendMessage(send) = &command {
                    sends.push(send.client_message_id.clone());
                    breaks = !broken;
                }
                let answer = server.lock().unwrap().answer("me", command, 1);
                answers.push(response(request.id, answer));
            }
            if breaks {
                break;
            }
            peer.tell(answers).await;
        }
        if broken {
            return sends;
        }
        broken = !sends.is_empty();
    }
}

/// A disk that is full from some write on.
struct Full {
    storage: MemoryStorage,
    room: usize,
}

impl Storage for Full {
    fn write(&mut self, writes: &[Write]) -> Result<(), StorageError> {
        let queued = writes.iter().filter(|w| matches!(w, Write::Queued(_)));
        self.room = match self.room.checked_sub(queued.count()) {
            Some(room) => room,
            None => return Err(StorageError("the disk is full".to_owned())),
        };
        self.storage.write(writes)
    }

    fn load(&mut self) -> Result<Loaded, StorageError> {
        self.storage.load()
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StorageError> {
        self.storage.reader()
    }
}

#[tokio::test]
async fn what_could_not_be_stored_is_not_called_queued_and_the_client_stops() {
    let door = Door::open(Kind::Tcp, None).await;
    let storage = Full {
        storage: MemoryStorage::new(),
        room: 1,
    };
    let (client, mut events) = connect(&door, storage);
    client.queue(outgoing("one")).await.unwrap();
    for _ in 0..2 {
        let refused = client.queue(outgoing("two")).await.unwrap_err();
        assert_eq!(refused.code, anser_sdk::error::STORAGE_FAILED);
    }
    loop {
        if let Event::State(ConnectionState::Stopped(error)) = events.next().await.unwrap() {
            assert_eq!(error.code, anser_sdk::error::STORAGE_FAILED);
            break;
        }
    }
    let draft = client.database().unwrap().set_draft("g/a", "x").await;
    assert!(draft.is_err());
}

#[tokio::test]
async fn a_refused_message_waits_for_the_user_who_may_discard_it() {
    let door = Door::open(Kind::WebSocket, None).await;
    let (client, mut events) = connect(&door, MemoryStorage::new());
    let id = client.queue(outgoing("refused")).await.unwrap();
    let serving = tokio::spawn(async move {
        let mut peer = door.accept().await.unwrap();
        let server = model();
        while let Some(requests) = peer.receive().await {
            let mut answers = Vec::new();
            for request in requests {
                let answer = match request.command.unwrap() {
                    Command::SendMessage(send) if send.content.as_ref().is_some_and(refused) => {
                        Answer::Error(error(3_001))
                    }
                    command => server.lock().unwrap().answer("me", command, 1),
                };
                answers.push(response(request.id, answer));
            }
            peer.tell(answers).await;
        }
    });
    match queued_update(&mut events).await {
        QueueUpdate::Failed {
            client_message_id,
            error,
            ..
        } => assert_eq!((client_message_id, error.code), (id.clone(), 3_001)),
        sent => panic!("{sent:?}"),
    }
    client.queue(outgoing("taken")).await.unwrap();
    let sent = queued_update(&mut events).await;
    assert!(matches!(sent, QueueUpdate::Sent(_)), "{sent:?}");
    let database = client.database().unwrap().clone();
    let waits = database.queued("g/a").await.unwrap();
    assert_eq!(waits.len(), 1);
    assert_eq!(
        waits[0].failed.as_ref().map(|error| error.code),
        Some(3_001)
    );
    client.discard("g/a", id).await.unwrap();
    assert!(database.queued("g/a").await.unwrap().is_empty());
    drop(database);
    end(client, events).await;
    serving.await.unwrap();
}

fn refused(content: &wire::Content) -> bool {
    content.body.as_ref() == b"refused"
}
