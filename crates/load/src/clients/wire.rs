//! The client wire, read and written at the price of a load generator.
//!
//! The two things that happen a hundred thousand times a second are done by hand: a send is a
//! prebuilt frame in which request id and client message id are stamped, and of what arrives only
//! the few numbers are read that the checks need. Everything else goes through the generated
//! types.

use anser_proto::client::{
    ClientFrame, Content, Hello, Platform, Request, Response, RoomPriority, SendMessage,
    SendRoomMessage, request::Command,
};
use prost::Message as _;

use super::websocket::{self, MASK};

/// Request ids of sends start here: from here to the end of the range they take four bytes.
const REQUEST_BASE: u32 = 1 << 21;
/// How many of them there are before they repeat.
const REQUEST_COUNT: u64 = 1 << 27;
/// Bytes of the client message ids given here: sixteen hexadecimal digits.
const MESSAGE_ID_BYTES: usize = 16;

/// What the item of a server frame says.
pub(crate) enum Event<'a> {
    /// A send was stored.
    Stored { request: u32, seq: u64 },
    /// A live message.
    Push(Push<'a>),
    /// Things happened in a chat room; read them with [`room_messages`].
    Room(&'a [u8]),
    /// Another response; decode it with [`response`].
    Answer { request: u32, response: &'a [u8] },
    /// A request was refused, or the server ends the connection.
    Refused { code: u32 },
    /// Something else was pushed: a read position, a conversation row, a hint to sync.
    Other,
}

/// The part of a live message that the checks need.
#[derive(Copy, Clone)]
pub(crate) struct Push<'a> {
    pub(crate) conversation: &'a [u8],
    pub(crate) seq: u64,
    pub(crate) prev: u64,
    pub(crate) client_message_id: &'a [u8],
}

#[derive(Copy, Clone)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    fn number(self) -> u64 {
        match self {
            Value::Number(number) => number,
            Value::Bytes(_) => 0,
        }
    }

    fn bytes(self) -> &'a [u8] {
        match self {
            Value::Number(_) => &[],
            Value::Bytes(bytes) => bytes,
        }
    }

    fn small(self) -> u32 {
        u32::try_from(self.number()).unwrap_or(u32::MAX)
    }
}

/// Field numbers and values of a protobuf message, in the order of the bytes. Ends early at
/// anything malformed; [`Fields::broken`] tells.
struct Fields<'a> {
    rest: &'a [u8],
    broken: bool,
}

impl<'a> Fields<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            broken: false,
        }
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for (at, byte) in self.rest.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[at + 1..];
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.rest.split_at_checked(len)?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            // The client wire has no fixed-width field.
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.take();
        if field.is_none() {
            self.broken = true;
            self.rest = &[];
        }
        field
    }
}

/// Reads a `ServerFrame`, item by item.
pub(crate) fn events<'a>(frame: &'a [u8], mut each: impl FnMut(Event<'a>)) -> Result<(), String> {
    let mut fields = Fields::of(frame);
    for (number, item) in fields.by_ref() {
        if number != 1 {
            continue;
        }
        for (number, body) in Fields::of(item.bytes()) {
            each(match number {
                1 => answer(body.bytes()),
                2 => push(body.bytes()),
                50 => Event::Room(body.bytes()),
                6 => Event::Refused {
                    code: error_code(first(body.bytes(), 1)),
                },
                _ => Event::Other,
            });
        }
    }
    if fields.broken {
        return Err("a server frame that is no protobuf".to_owned());
    }
    Ok(())
}

fn first(bytes: &[u8], wanted: u64) -> &[u8] {
    Fields::of(bytes)
        .find(|(number, _)| *number == wanted)
        .map_or(&[], |(_, value)| value.bytes())
}

fn error_code(error: &[u8]) -> u32 {
    Fields::of(error)
        .find(|(number, _)| *number == 1)
        .map_or(0, |(_, value)| value.small())
}

fn answer(response: &[u8]) -> Event<'_> {
    let mut request = 0;
    for (number, value) in Fields::of(response) {
        match number {
            1 => request = value.small(),
            2 => {
                return Event::Refused {
                    code: error_code(value.bytes()),
                };
            }
            6 => {
                let seq = Fields::of(value.bytes()).find(|(number, _)| *number == 2);
                let seq = seq.map_or(0, |(_, value)| value.number());
                return Event::Stored { request, seq };
            }
            _ => break,
        }
    }
    Event::Answer { request, response }
}

fn push(body: &[u8]) -> Event<'_> {
    let mut push = Push {
        conversation: &[],
        seq: 0,
        prev: 0,
        client_message_id: &[],
    };
    for (number, value) in Fields::of(body) {
        match number {
            1 => {
                for (number, value) in Fields::of(value.bytes()) {
                    match number {
                        1 => push.conversation = value.bytes(),
                        2 => push.seq = value.number(),
                        5 => push.client_message_id = value.bytes(),
                        // Time, content and flags are not checked here.
                        6.. => break,
                        _ => {}
                    }
                }
            }
            2 => push.prev = value.number(),
            _ => {}
        }
    }
    Event::Push(push)
}

/// The messages of [`Event::Room`]: sequence and client message id of each.
pub(crate) fn room_messages<'a>(push: &'a [u8], mut each: impl FnMut(u64, &'a [u8])) {
    for (number, item) in Fields::of(push) {
        match number {
            4 => {
                let mut seq = 0;
                for (number, value) in Fields::of(item.bytes()) {
                    match number {
                        1 => seq = value.number(),
                        2 => each(seq, first(value.bytes(), 3)),
                        _ => {}
                    }
                }
            }
            5.. => break,
            _ => {}
        }
    }
}

/// Decodes the response of [`Event::Answer`].
pub(crate) fn response(bytes: &[u8]) -> Result<Response, String> {
    Response::decode(bytes).map_err(|error| format!("a response that is no protobuf: {error}"))
}

/// A masked frame with one request.
pub(crate) fn request(id: u32, command: Command) -> Vec<u8> {
    let frame = ClientFrame {
        requests: vec![Request {
            id,
            command: Some(command),
        }],
    };
    websocket::masked(websocket::BINARY, &frame.encode_to_vec())
}

/// The greeting of a device that will be silent for a long time.
pub(crate) fn hello(token: &str, device: &str) -> Command {
    Command::Hello(Hello {
        version_min: 1,
        version_max: 1,
        token: token.to_owned(),
        device_id: device.to_owned(),
        platform: Platform::Web.into(),
        client: concat!("anser-load/", env!("CARGO_PKG_VERSION")).to_owned(),
        heartbeat_seconds: 600,
        attempt: 0,
    })
}

/// The client message id of the `counter`-th send of a connection.
pub(crate) fn message_id(counter: u64) -> [u8; MESSAGE_ID_BYTES] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; MESSAGE_ID_BYTES];
    for (at, byte) in text.iter_mut().rev().enumerate() {
        let digit = (counter >> (4 * at)) & 0xf;
        *byte = DIGITS[usize::try_from(digit).expect("four bits")];
    }
    text
}

/// The request id of the `counter`-th send of a connection.
pub(crate) fn request_id(counter: u64) -> u32 {
    REQUEST_BASE + u32::try_from(counter % REQUEST_COUNT).expect("below 2^27")
}

/// What [`message_id`] wrote.
pub(crate) fn number_of(id: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(id).ok()?, 16).ok()
}

fn text(body_bytes: usize) -> Content {
    Content {
        r#type: "text".to_owned(),
        body: vec![b'a'; body_bytes].into(),
    }
}

/// A send, built once and stamped for each message.
pub(crate) struct SendTemplate {
    frame: Vec<u8>,
    payload_at: usize,
    request_id_at: usize,
    message_id_at: usize,
}

impl SendTemplate {
    /// Messages of `body_bytes` to a chat room.
    pub(crate) fn to_room(room: &str, low: bool, body_bytes: usize) -> Self {
        let priority = match low {
            true => RoomPriority::Low,
            false => RoomPriority::High,
        };
        Self::of(|client_message_id| {
            Command::SendRoomMessage(SendRoomMessage {
                room: room.to_owned(),
                client_message_id,
                content: Some(text(body_bytes)),
                priority: priority.into(),
                tell_dropped: true,
            })
        })
    }

    /// Sends of `body_bytes` of text to a conversation.
    pub(crate) fn new(conversation: &str, body_bytes: usize) -> Self {
        Self::of(|client_message_id| {
            Command::SendMessage(SendMessage {
                conversation: conversation.to_owned(),
                client_message_id,
                content: Some(text(body_bytes)),
                first_try_time: 0,
                read_up_to: 0,
                ..Default::default()
            })
        })
    }

    fn of(command: impl FnOnce(String) -> Command) -> Self {
        let marker = [b'#'; MESSAGE_ID_BYTES];
        let command = command(String::from_utf8_lossy(&marker).into_owned());
        let payload = ClientFrame {
            requests: vec![Request {
                id: request_id(0),
                command: Some(command),
            }],
        }
        .encode_to_vec();
        let find = |pattern: &[u8]| {
            payload
                .windows(pattern.len())
                .position(|window| window == pattern)
                .expect("it was just encoded")
        };
        let request_id_at = find(&varint4(request_id(0)));
        let message_id_at = find(&marker);
        let frame = websocket::masked(websocket::BINARY, &payload);
        Self {
            payload_at: frame.len() - payload.len(),
            frame,
            request_id_at,
            message_id_at,
        }
    }

    /// The frame of the `counter`-th send of its connection.
    pub(crate) fn stamp(&mut self, counter: u64) -> &[u8] {
        self.patch(self.request_id_at, &varint4(request_id(counter)));
        self.patch(self.message_id_at, &message_id(counter));
        &self.frame
    }

    /// The same with a client message id that says more.
    pub(crate) fn stamp_with(&mut self, counter: u64, id: u64) -> &[u8] {
        self.patch(self.request_id_at, &varint4(request_id(counter)));
        self.patch(self.message_id_at, &message_id(id));
        &self.frame
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        let start = self.payload_at + at;
        let target = &mut self.frame[start..start + bytes.len()];
        for (offset, (to, from)) in target.iter_mut().zip(bytes).enumerate() {
            *to = from ^ MASK[(at + offset) % 4];
        }
    }
}

/// A varint of exactly four bytes: 2^21 ≤ `number` < 2^28.
pub(crate) fn varint4(number: u32) -> [u8; 4] {
    debug_assert!((1 << 21..1 << 28).contains(&number));
    let mut bytes = [0; 4];
    for (at, byte) in bytes.iter_mut().enumerate() {
        let seven = u8::try_from((number >> (7 * at)) & 0x7f).expect("seven bits");
        *byte = if at < 3 { seven | 0x80 } else { seven };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use anser_proto::client::{
        ClosePush, Error, Message, MessagePush, SendMessageResult, ServerFrame, ServerItem,
        response, server_item::Item,
    };

    use super::*;

    fn unmask(frame: &[u8], head: usize) -> Vec<u8> {
        let payload = &frame[head..];
        payload
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ MASK[at % 4])
            .collect()
    }

    #[test]
    fn a_stamped_send_is_what_the_generated_types_read() {
        let mut template = SendTemplate::new("p/alice/bob", 200);
        for counter in [0, 1, 77, 1 << 26] {
            let frame = template.stamp(counter);
            let decoded = ClientFrame::decode(&unmask(frame, 8)[..]).unwrap();
            assert_eq!(decoded.requests[0].id, request_id(counter));
            let Some(Command::SendMessage(send)) = &decoded.requests[0].command else {
                panic!("no send");
            };
            assert_eq!(send.client_message_id.as_bytes(), message_id(counter));
            assert_eq!(send.content.as_ref().unwrap().body, vec![b'a'; 200]);
        }
    }

    #[test]
    fn what_the_generated_types_write_is_read() {
        let item = |item| ServerItem { item: Some(item) };
        let response = |id, result| {
            Item::Response(Response {
                id,
                result: Some(result),
            })
        };
        let frame = ServerFrame {
            items: vec![
                item(response(
                    7,
                    response::Result::SendMessage(SendMessageResult {
                        conversation: "c".into(),
                        seq: 300,
                        message_id: "m".into(),
                        time: 1,
                        prev: 299,
                    }),
                )),
                item(Item::Message(MessagePush {
                    message: Some(Message {
                        conversation: "g/1".into(),
                        seq: 5,
                        client_message_id: "0".repeat(16),
                        time: 9,
                        ..Message::default()
                    }),
                    prev: 4,
                })),
                item(response(
                    8,
                    response::Result::Error(Error {
                        code: 1002,
                        ..Error::default()
                    }),
                )),
                item(response(
                    9,
                    response::Result::Done(anser_proto::client::Done {}),
                )),
                item(Item::Close(ClosePush {
                    error: Some(Error {
                        code: 4000,
                        ..Error::default()
                    }),
                })),
            ],
        };
        let mut seen = Vec::new();
        events(&frame.encode_to_vec(), |event| {
            seen.push(match event {
                Event::Stored { request, seq } => format!("stored {request} {seq}"),
                Event::Push(push) => format!(
                    "push {} {} {} {}",
                    String::from_utf8_lossy(push.conversation),
                    push.seq,
                    push.prev,
                    push.client_message_id.len()
                ),
                Event::Answer { request, .. } => format!("answer {request}"),
                Event::Refused { code } => format!("refused {code}"),
                Event::Room(_) => "room".into(),
                Event::Other => "other".into(),
            });
        })
        .unwrap();
        assert_eq!(
            seen,
            [
                "stored 7 300",
                "push g/1 5 4 16",
                "refused 1002",
                "answer 9",
                "refused 4000"
            ]
        );
    }

    #[test]
    fn a_torn_frame_is_reported() {
        assert!(events(&[0x0a, 5, 1], |_| {}).is_err());
    }
}
