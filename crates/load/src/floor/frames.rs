//! Frames that a floor writes: encoded once, then copied and patched.
//!
//! They are true frames of the protocol, of the length that the product's have, so that the
//! client does the same work for both.

use anser_proto::client::{
    ClientFrame, Content, Message, MessagePush, Response, SendMessageResult, ServerFrame,
    ServerItem, Welcome, request::Command, response, server_item::Item,
};
use prost::Message as _;

use crate::clients::websocket::{self, MASK};
use crate::clients::wire::varint4;

/// Sequences start here, so that they, and `prev`, take four bytes.
pub(crate) const SEQ_BASE: u32 = (1 << 21) + 1;

const ID: u32 = 1 << 21;
const SEQ: u32 = (1 << 21) + 0x1234;
const PREV: u32 = (1 << 21) + 0x2345;

/// What a floor needs of a send.
pub(crate) struct Send<'a> {
    pub(crate) request: u32,
    pub(crate) client_message_id: &'a [u8],
    pub(crate) body: &'a [u8],
}

/// A masked frame at the front of what a client sent: its payload, unmasked in place, and where
/// the next begins.
pub(crate) fn client_frame(bytes: &mut [u8]) -> Option<(&mut [u8], usize)> {
    let (len, head) = match (bytes.get(1)? & 0x7f, bytes.get(2..4)) {
        (126, Some(len)) => (usize::from(u16::from_be_bytes([len[0], len[1]])), 4),
        (126 | 127, _) => return None,
        (len, _) => (usize::from(len), 2),
    };
    let end = head + 4 + len;
    let payload = bytes.get_mut(head + 4..end)?;
    let (words, rest) = payload.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(MASK)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(MASK) {
        *byte ^= mask;
    }
    Some((payload, end))
}

/// The number that a client of a floor gives in place of a token.
pub(crate) fn number_of(payload: &[u8]) -> Option<usize> {
    let mut frame = ClientFrame::decode(payload).ok()?;
    match frame.requests.pop()?.command? {
        Command::Hello(hello) => hello.token.parse().ok(),
        _ => None,
    }
}

/// Reads a send of a template by position: it is always built in the same way.
pub(crate) struct SendLayout {
    request_at: usize,
    message_id_at: usize,
    body_at: usize,
}

impl SendLayout {
    /// Learns the positions from the first send seen.
    pub(crate) fn learn(payload: &[u8]) -> Option<Self> {
        let frame = ClientFrame::decode(payload).ok()?;
        let request = frame.requests.first()?;
        let Some(Command::SendMessage(send)) = &request.command else {
            return None;
        };
        let find = |pattern: &[u8]| {
            payload
                .windows(pattern.len())
                .position(|window| window == pattern)
        };
        Some(Self {
            request_at: find(&varint4(request.id))?,
            message_id_at: find(send.client_message_id.as_bytes())?,
            body_at: find(&send.content.as_ref()?.body)?,
        })
    }

    /// The parts of a send of the same build.
    pub(crate) fn read<'a>(&self, payload: &'a [u8]) -> Option<Send<'a>> {
        let id = payload.get(self.request_at..self.request_at + 4)?;
        let request = id
            .iter()
            .rev()
            .fold(0, |number, byte| (number << 7) | u32::from(byte & 0x7f));
        Some(Send {
            request,
            client_message_id: payload.get(self.message_id_at..self.message_id_at + 16)?,
            body: payload.get(self.body_at..)?,
        })
    }
}

/// A server frame with places to patch.
struct Template {
    frame: Vec<u8>,
    seq_at: usize,
    prev_at: usize,
}

impl Template {
    fn new(item: Item) -> Self {
        let frame = server_frame(item);
        let find = |number| position(&frame, &varint4(number));
        Self {
            seq_at: find(SEQ),
            prev_at: find(PREV),
            frame,
        }
    }

    fn append(&self, seq: u32, patches: [(usize, &[u8]); 2], into: &mut Vec<u8>) {
        let start = into.len();
        into.extend_from_slice(&self.frame);
        let frame = &mut into[start..];
        frame[self.seq_at..self.seq_at + 4].copy_from_slice(&varint4(seq));
        frame[self.prev_at..self.prev_at + 4].copy_from_slice(&varint4(seq - 1));
        for (at, bytes) in patches {
            frame[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }
}

fn position(frame: &[u8], pattern: &[u8]) -> usize {
    frame
        .windows(pattern.len())
        .position(|window| window == pattern)
        .expect("it was just encoded")
}

fn server_frame(item: Item) -> Vec<u8> {
    let payload = ServerFrame {
        items: vec![ServerItem { item: Some(item) }],
    }
    .encode_to_vec();
    // A server's frame is a client's without the mask.
    let mut frame = websocket::masked(websocket::BINARY, &payload);
    let head = frame.len() - payload.len() - 4;
    frame.truncate(head);
    frame[1] &= 0x7f;
    frame.extend(payload);
    frame
}

/// The answer to a greeting.
pub(crate) fn welcome() -> Vec<u8> {
    let result = response::Result::Welcome(Welcome {
        version: 1,
        ..Welcome::default()
    });
    server_frame(Item::Response(Response {
        id: 1,
        result: Some(result),
    }))
}

/// Acks and deliveries of one conversation.
pub(crate) struct Frames {
    push: Template,
    message_id_at: usize,
    body_at: usize,
    body_bytes: usize,
    ack: Template,
    request_at: usize,
}

impl Frames {
    pub(crate) fn new(conversation: &str, body_bytes: usize) -> Self {
        let (marker, body) = ([b'#'; 16], vec![b'~'; body_bytes]);
        let push = Template::new(Item::Message(MessagePush {
            message: Some(Message {
                conversation: conversation.to_owned(),
                seq: SEQ.into(),
                message_id: "0".repeat(26),
                sender: "u000000".to_owned(),
                client_message_id: String::from_utf8_lossy(&marker).into_owned(),
                time: 1_700_000_000_000,
                content: Some(Content {
                    r#type: "text".to_owned(),
                    body: body.clone().into(),
                }),
                counted: true,
                ..Default::default()
            }),
            prev: PREV.into(),
        }));
        let ack = Template::new(Item::Response(Response {
            id: ID,
            result: Some(response::Result::SendMessage(SendMessageResult {
                conversation: conversation.to_owned(),
                seq: SEQ.into(),
                message_id: "0".repeat(26),
                time: 1_700_000_000_000,
                prev: PREV.into(),
            })),
        }));
        Self {
            message_id_at: position(&push.frame, &marker),
            body_at: position(&push.frame, &body),
            body_bytes,
            push,
            request_at: position(&ack.frame, &varint4(ID)),
            ack,
        }
    }

    pub(crate) fn push(&self, seq: u32, send: &Send<'_>, into: &mut Vec<u8>) {
        let body = &send.body[..self.body_bytes.min(send.body.len())];
        let patches = [
            (self.message_id_at, send.client_message_id),
            (self.body_at, body),
        ];
        self.push.append(seq, patches, into);
    }

    pub(crate) fn ack(&self, seq: u32, request: u32, into: &mut Vec<u8>) {
        let id = varint4(request);
        self.ack
            .append(seq, [(self.request_at, &id), (self.request_at, &id)], into);
    }
}
