//! Frames: the sub-protocols, and the bytes of each.

use anser_domain::{Code, Reject};
use anser_engine::EventBody;
use anser_engine::message::SendResult;
use anser_gateway::session::{Dialect, Frame};
use anser_gateway::websocket::{self, CloseCode, HEADER_BYTES_MAX, Opcode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use prost::Message as _;

use crate::leancloud::wire::{CommandType, GenericCommand};

/// The sub-protocols.
pub(in crate::leancloud) const PROTOCOLS: &[&str] = &[
    "lc.protobuf2.3",
    "lc.protobuf2.1",
    "lc.proto2base64.3",
    "lc.proto2base64.1",
];

/// Where this protocol keeps its bytes in an event.
pub(super) const DIALECT: usize = 2;

/// The service that every push names: instant messaging.
pub(super) const SERVICE: i32 = 2;

/// How a sub-protocol writes.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) struct Form {
    /// Text frames that carry base64.
    base64: bool,
    /// Messages that came while the client was away are pushed; else their number is.
    pub(super) pushes_offline: bool,
}

impl Form {
    /// That of a sub-protocol.
    pub(super) fn of(protocol: &str) -> Self {
        Self {
            base64: protocol.starts_with("lc.proto2base64"),
            pushes_offline: protocol.ends_with(".1"),
        }
    }

    /// A whole frame of these bytes, one part behind the other.
    pub(super) fn frame(self, first: &[u8], second: &[u8]) -> Bytes {
        let len = first.len() + second.len();
        if self.base64 {
            let text = BASE64.encode([first, second].concat());
            let mut frame = BytesMut::with_capacity(HEADER_BYTES_MAX + text.len());
            websocket::put_header(Opcode::Text, text.len(), &mut frame);
            frame.extend_from_slice(text.as_bytes());
            return frame.freeze();
        }
        let mut frame = BytesMut::with_capacity(HEADER_BYTES_MAX + len);
        websocket::put_header(Opcode::Binary, len, &mut frame);
        frame.extend_from_slice(first);
        frame.extend_from_slice(second);
        frame.freeze()
    }

    /// A command in a frame.
    pub(super) fn encode(self, command: &GenericCommand) -> Bytes {
        self.frame(&command.encode_to_vec(), &[])
    }

    /// The command in a frame; `None`: there is none.
    pub(super) fn decode(self, frame: Frame<'_>) -> Option<GenericCommand> {
        match frame {
            Frame::Binary(bytes) => GenericCommand::decode(bytes).ok(),
            Frame::Text(text) => {
                let bytes = BASE64.decode(text.trim_ascii()).ok()?;
                GenericCommand::decode(&*bytes).ok()
            }
        }
    }
}

/// The field that names the client of a command, to be put before the others.
pub(super) fn peer_field(peer: &str) -> Box<[u8]> {
    let named = GenericCommand {
        peer_id: Some(peer.to_owned()),
        ..GenericCommand::default()
    };
    named.encode_to_vec().into()
}

/// How connections of a sub-protocol end.
pub(in crate::leancloud) fn dialect(protocol: &str) -> &'static dyn Dialect {
    match Form::of(protocol).base64 {
        true => &Ending { base64: true },
        false => &Ending { base64: false },
    }
}

/// Events and answers of sends go through the clients' sinks; what is left is the end.
struct Ending {
    base64: bool,
}

impl Ending {
    fn go_away(&self) -> Bytes {
        let form = Form {
            base64: self.base64,
            pushes_offline: false,
        };
        form.encode(&GenericCommand {
            cmd: Some(CommandType::Goaway.into()),
            ..GenericCommand::default()
        })
    }
}

impl Dialect for Ending {
    fn index(&self) -> usize {
        DIALECT
    }

    fn event(&self, _: &EventBody) -> Bytes {
        self.go_away()
    }

    fn send_reply(&self, _: u32, _: Result<SendResult, Reject>) -> Bytes {
        self.go_away()
    }

    fn check(&self) -> Bytes {
        self.go_away()
    }

    fn last_words(&self, reason: &Reject) -> Bytes {
        match reason.code {
            Code::ShuttingDown => self.go_away(),
            _ => Bytes::new(),
        }
    }

    fn goodbye(&self, reason: &Reject) -> Bytes {
        let code = match reason.code {
            Code::ShuttingDown => CloseCode::GoingAway,
            Code::FrameTooLarge => CloseCode::TooBig,
            Code::Internal => CloseCode::Internal,
            _ => CloseCode::Policy,
        };
        let mut bytes = BytesMut::new();
        websocket::put_close(code, reason.code.name(), &mut bytes);
        bytes.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> GenericCommand {
        GenericCommand {
            cmd: Some(CommandType::Echo.into()),
            i: Some(7),
            ..GenericCommand::default()
        }
    }

    #[test]
    fn a_command_is_the_same_in_both_forms() {
        let binary = Form::of("lc.protobuf2.3").encode(&command());
        assert_eq!(binary[..2], [0x82, 4]);
        assert_eq!(binary[2..], [8, 14, 40, 7]);
        let text = Form::of("lc.proto2base64.3");
        let frame = text.encode(&command());
        assert_eq!(frame[0], 0x81);
        let body = std::str::from_utf8(&frame[2..]).unwrap();
        assert_eq!(text.decode(Frame::Text(body)), Some(command()));
        assert_eq!(text.decode(Frame::Text("%%%")), None);
    }

    #[test]
    fn the_name_of_a_client_may_stand_before_the_rest() {
        let body = command().encode_to_vec();
        let whole = Form::of("lc.protobuf2.1").frame(&peer_field("alice"), &body);
        let read = GenericCommand::decode(&whole[2..]).unwrap();
        assert_eq!(read.peer_id.as_deref(), Some("alice"));
        assert_eq!(read.i, Some(7));
    }

    #[test]
    fn the_last_digit_says_whether_messages_or_their_number_are_pushed() {
        let pushes: Vec<bool> = PROTOCOLS
            .iter()
            .map(|protocol| Form::of(protocol).pushes_offline)
            .collect();
        assert_eq!(pushes, [false, true, false, true]);
    }
}
