//! The bytes in `docs/protocol.md` are those of the code.

use anser_gateway::native::Framing;
use anser_proto::client as wire;
use prost::Message as _;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::server::{requests, text};
use crate::wire::masked;

/// The bytes of one example: two hexadecimal digits each, up to the comment of a line.
fn example(name: &str) -> Vec<u8> {
    let page = include_str!("../../../../docs/protocol.md");
    let begin = format!("```hex {name}\n");
    let start = page
        .find(&begin)
        .unwrap_or_else(|| panic!("no example {name}"))
        + begin.len();
    let block = &page[start..start + page[start..].find("```").unwrap()];
    let mut bytes = Vec::new();
    for line in block.lines() {
        let digits = line.split_whitespace().map_while(|word| match word.len() {
            2 => u8::from_str_radix(word, 16).ok(),
            _ => None,
        });
        bytes.extend(digits);
    }
    bytes
}

fn server(item: Item) -> wire::ServerFrame {
    wire::ServerFrame {
        items: vec![wire::ServerItem { item: Some(item) }],
    }
}

#[test]
fn hello_and_welcome() {
    let hello = requests(vec![(
        1,
        Command::Hello(wire::Hello {
            version_min: 1,
            version_max: 1,
            token: "TOKEN".into(),
            device_id: "d1".into(),
            platform: wire::Platform::Web.into(),
            client: String::new(),
            heartbeat_seconds: 60,
            attempt: 0,
        }),
    )]);
    assert_eq!(hello, example("hello"));
    let web = masked(0x82, &hello, [0x11, 0x22, 0x33, 0x44]);
    assert_eq!(web, example("hello-websocket"));
    let tcp = [&anser_proto::frame::header(hello.len())[..], &hello].concat();
    assert_eq!(tcp, example("hello-tcp"));
    let welcome = server(Item::Response(wire::Response {
        id: 1,
        result: Some(Answer::Welcome(wire::Welcome {
            version: 1,
            user_id: "alice".into(),
            session_id: "00000000000000c5".into(),
            server_time: 1_767_225_600_000,
            heartbeat_seconds: 60,
            epoch: 7,
            feed_version: 1_767_225_599_000,
            limits: Some(wire::Limits {
                content_bytes_max: 3_072,
                frame_bytes_max: 262_144,
                page_items_max: 100,
            }),
        })),
    }));
    let welcome = Framing::WebSocket.encode(&welcome);
    assert_eq!(welcome, example("welcome-websocket"));
}

#[test]
fn a_send_its_result_and_its_push() {
    let send = requests(vec![(2, text("p/alice/bob", "m1", "hi"))]);
    assert_eq!(send, example("send"));
    let id = "01KDVD6800000000000000000A";
    let sent = server(Item::Response(wire::Response {
        id: 2,
        result: Some(Answer::SendMessage(wire::SendMessageResult {
            conversation: "p/alice/bob".into(),
            seq: 1,
            message_id: id.into(),
            time: 1_767_225_600_123,
            prev: 0,
        })),
    }));
    assert_eq!(sent.encode_to_vec(), example("sent"));
    let push = server(Item::Message(wire::MessagePush {
        message: Some(wire::Message {
            conversation: "p/alice/bob".into(),
            seq: 1,
            message_id: id.into(),
            sender: "alice".into(),
            client_message_id: "m1".into(),
            time: 1_767_225_600_123,
            content: Some(wire::Content {
                r#type: "text".into(),
                body: "hi".into(),
            }),
            counted: true,
            ..Default::default()
        }),
        prev: 0,
    }));
    assert_eq!(push.encode_to_vec(), example("push"));
}
