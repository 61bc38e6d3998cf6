//! What the bytes of a connection are cut into.

use anser_domain::{Code, Reject};
use bytes::{Bytes, BytesMut};

use super::length::LengthDecoder;
use crate::session::Frame;
use crate::websocket::{self, CloseCode, Message};

/// Cuts received bytes into what the peer said.
#[derive(Debug)]
pub enum Decoder {
    /// WebSocket.
    WebSocket(websocket::Decoder),
    /// Length-prefixed frames.
    Length(Length),
}

/// The state of a length-prefixed stream.
#[derive(Debug, Default)]
pub struct Length(LengthDecoder);

/// What the peer said.
#[derive(Debug)]
pub enum Item<'a> {
    /// A message for the handler.
    Frame(Frame<'a>),
    /// Something of the transport: to be answered with these bytes, if any.
    SignOfLife(Option<Bytes>),
    /// The peer ends the connection: answer with these bytes and close.
    Bye(Bytes),
}

/// The peer broke the transport's rules.
#[derive(Debug)]
pub struct Refusal {
    /// For a client that reads it.
    pub reject: Reject,
    /// The transport's own last bytes.
    pub farewell: Bytes,
}

impl Decoder {
    /// A WebSocket decoder.
    #[must_use]
    pub fn websocket() -> Self {
        Self::WebSocket(websocket::Decoder::default())
    }

    /// A decoder of length-prefixed frames.
    #[must_use]
    pub fn length() -> Self {
        Self::Length(Length::default())
    }

    /// Takes bytes from the front of `input` until something is complete: how many, and what.
    /// Called with the rest until there is nothing more. `max` bounds a frame.
    pub fn next<'a>(
        &'a mut self,
        input: &'a mut [u8],
        max: usize,
    ) -> Result<(usize, Option<Item<'a>>), Refusal> {
        match self {
            Self::Length(decoder) => match decoder.0.next(input, max) {
                Ok((taken, frame)) => {
                    let item = frame.map(|bytes| Item::Frame(Frame::Binary(bytes)));
                    Ok((taken, item))
                }
                Err(too_large) => {
                    let message = format!(
                        "a frame of {} bytes, at most {max} are allowed",
                        too_large.len
                    );
                    Err(Refusal {
                        reject: Reject::new(Code::FrameTooLarge, message),
                        farewell: Bytes::new(),
                    })
                }
            },
            Self::WebSocket(decoder) => match decoder.next(input, max) {
                Ok((taken, message)) => Ok((taken, message.map(item))),
                Err(violation) => {
                    let code = match violation.code {
                        CloseCode::TooBig => Code::FrameTooLarge,
                        _ => Code::InvalidRequest,
                    };
                    let mut farewell = BytesMut::new();
                    websocket::put_close(violation.code, violation.what, &mut farewell);
                    Err(Refusal {
                        reject: Reject::new(code, violation.what),
                        farewell: farewell.freeze(),
                    })
                }
            },
        }
    }
}

fn item(message: Message<'_>) -> Item<'_> {
    match message {
        Message::Binary(bytes) => Item::Frame(Frame::Binary(bytes)),
        Message::Text(text) => Item::Frame(Frame::Text(text)),
        Message::Pong(_) => Item::SignOfLife(None),
        Message::Ping(payload) => {
            let mut pong = BytesMut::new();
            websocket::put_pong(payload, &mut pong);
            Item::SignOfLife(Some(pong.freeze()))
        }
        Message::Close(code, _) => Item::Bye(websocket::close_reply(code)),
    }
}
