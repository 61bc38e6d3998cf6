//! Frames as a client writes them, and what our decoder makes of a stream.

use anser_gateway::websocket::{Decoder, Message, Violation};

pub(crate) const MASK: [u8; 4] = [0x12, 0xab, 0x00, 0xff];

/// A client's frame, good or bad: the first byte as given, length written the short way.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    masked(first, payload, MASK)
}

pub(crate) fn masked(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..=65_535 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
    bytes
}

pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend(reason.as_bytes());
    frame(0x88, &payload)
}

/// What a client said, owned.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(crate) enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl From<Message<'_>> for Said {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.to_owned()),
            Message::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Message::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Message::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Message::Close(code, reason) => Self::Close(code, reason.to_owned()),
        }
    }
}

/// All messages in a stream that arrives in these pieces, up to a close or a violation.
pub(crate) fn decode(pieces: &[Vec<u8>], max: usize) -> (Vec<Said>, Option<Violation>) {
    let mut decoder = Decoder::default();
    let mut said = Vec::new();
    for piece in pieces {
        let mut piece = piece.clone();
        let mut at = 0;
        loop {
            match decoder.next(&mut piece[at..], max) {
                Ok((taken, message)) => {
                    at += taken;
                    let Some(message) = message else {
                        assert_eq!(at, piece.len(), "no message, so all was taken");
                        break;
                    };
                    said.push(message.into());
                    if matches!(said.last(), Some(Said::Close(..))) {
                        return (said, None);
                    }
                }
                Err(violation) => return (said, Some(violation)),
            }
        }
    }
    (said, None)
}
