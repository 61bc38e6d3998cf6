//! A client of the native protocol over TCP, for what the SDKs do not say.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anser_proto::client as wire;
use prost::Message as _;
use serde_json::json;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::server::{App, Server};

/// A user's connection to a server that listens for TCP.
pub(crate) struct Native {
    stream: TcpStream,
    next: u32,
    /// Read, but not asked for yet.
    items: VecDeque<Item>,
}

impl Native {
    pub(crate) fn sign_in(server: &Server, app: &App<'_>, user: &str) -> Self {
        let token = app.post(&format!("/v1/users/{user}/token"), json!({}));
        let token = token.expect(200)["token"].as_str().unwrap().to_owned();
        let stream = TcpStream::connect(server.text("tcp")).unwrap();
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).unwrap();
        let mut client = Self {
            stream,
            next: 1,
            items: VecDeque::new(),
        };
        let hello = wire::Hello {
            version_min: 1,
            version_max: 1,
            token,
            device_id: user.to_owned(),
            platform: wire::Platform::Server.into(),
            ..Default::default()
        };
        match client.call(Command::Hello(hello)) {
            Answer::Welcome(_) => client,
            other => panic!("{other:?}"),
        }
    }

    /// Asks, and waits for the answer.
    pub(crate) fn call(&mut self, command: Command) -> Answer {
        let id = self.next;
        self.next += 1;
        let frame = wire::ClientFrame {
            requests: vec![wire::Request {
                id,
                command: Some(command),
            }],
        };
        let frame = frame.encode_to_vec();
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        let frame = [&length[..], &frame].concat();
        self.stream.write_all(&frame).unwrap();
        self.find(|item| match item {
            Item::Response(response) if response.id == id => response.result.clone(),
            _ => None,
        })
    }

    /// The first thing of this sort that the server says; what is said before is kept.
    pub(crate) fn find<T>(&mut self, wanted: impl Fn(&Item) -> Option<T>) -> T {
        let mut at = 0;
        loop {
            while at < self.items.len() {
                if let Some(found) = wanted(&self.items[at]) {
                    self.items.remove(at);
                    return found;
                }
                at += 1;
            }
            self.read();
        }
    }

    fn read(&mut self) {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).unwrap();
        let frame = wire::ServerFrame::decode(&frame[..]).unwrap();
        self.items
            .extend(frame.items.into_iter().filter_map(|item| item.item));
    }
}
