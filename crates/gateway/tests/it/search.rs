//! Searching, over real sockets.

use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;

use crate::server::{Client, Server, text};

async fn find(client: &mut Client, query: &str, cursor: &str) -> Answer {
    let search = wire::SearchMessages {
        query: query.into(),
        cursor: cursor.into(),
        limit: 1,
        ..Default::default()
    };
    client.call(Command::SearchMessages(search)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_searches_all_it_may_see() {
    let server = Server::plain().await;
    let mut alice = server.web("alice").await;
    let mut bob = server.native("bob").await;
    for (n, body) in ["鸿雁", "two", "雁"].iter().enumerate() {
        alice.call(text("p/alice/bob", &n.to_string(), body)).await;
    }
    // The conversation is in bob's list once it was pushed.
    bob.find(|item| matches!(item, wire::server_item::Item::Conversation(_)))
        .await;
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let Answer::SearchPage(page) = find(&mut bob, "雁", &cursor).await else {
            panic!("no page");
        };
        found.extend(page.messages.iter().map(|message| message.seq));
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(found, [3, 1]);
    let long = "雁".repeat(257);
    for query in ["", "?!", &long] {
        match find(&mut bob, query, "").await {
            Answer::Error(error) => assert_eq!(error.name, "INVALID_REQUEST"),
            other => panic!("{other:?}"),
        }
    }
    match find(&mut bob, "雁", "nonsense").await {
        Answer::Error(error) => assert_eq!(error.name, "INVALID_REQUEST"),
        other => panic!("{other:?}"),
    }
}
