//! How events and answers are written for sessions that speak the native protocol.

use anser_domain::{Code, Reject};
use anser_engine::EventBody;
use anser_engine::message::SendResult;
use anser_proto::client::server_item::Item;
use anser_proto::{client as wire, frame};
use bytes::{Bytes, BytesMut};
use prost::Message as _;

use super::{
    conversation, error, group, message, own_view, presence, receipt, relation, response,
    room_news, single,
};
use crate::session::Dialect;
use crate::websocket::{self, CloseCode, Opcode};

/// What stands around a frame on its transport.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Framing {
    /// One binary WebSocket message a frame.
    WebSocket,
    /// Four bytes of length before each frame.
    Length,
}

impl Framing {
    /// The frame as it goes onto the wire: header and payload in one allocation.
    #[must_use]
    pub fn encode(self, payload: &wire::ServerFrame) -> Bytes {
        let len = payload.encoded_len();
        let mut bytes = BytesMut::with_capacity(websocket::HEADER_BYTES_MAX + len);
        match self {
            Self::WebSocket => websocket::put_header(Opcode::Binary, len, &mut bytes),
            Self::Length => bytes.extend_from_slice(&frame::header(len)),
        }
        payload
            .encode(&mut bytes)
            .expect("the buffer grows as needed");
        bytes.freeze()
    }

    /// The dialect of sessions on this transport.
    #[must_use]
    pub fn dialect(self) -> &'static NativeDialect {
        match self {
            Self::WebSocket => &NativeDialect(Self::WebSocket),
            Self::Length => &NativeDialect(Self::Length),
        }
    }
}

/// The native protocol on one of its transports.
#[derive(Debug)]
pub struct NativeDialect(Framing);

impl NativeDialect {
    /// The transport.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.0
    }
}

impl Dialect for NativeDialect {
    fn index(&self) -> usize {
        match self.0 {
            Framing::WebSocket => 0,
            Framing::Length => 1,
        }
    }

    fn event(&self, event: &EventBody) -> Bytes {
        self.0.encode(&single(match event {
            EventBody::Message { message, prev } => Item::Message(wire::MessagePush {
                message: Some(message::message(message)),
                prev: *prev,
            }),
            EventBody::Change {
                message,
                previous_rev,
            } => Item::Change(wire::ChangePush {
                message: Some(message::message(message)),
                previous_rev: *previous_rev,
            }),
            EventBody::Read {
                conversation,
                read_seq,
                unread,
                unread_mentions,
            } => Item::Read(wire::ReadPush {
                conversation: (**conversation).to_owned(),
                read_seq: *read_seq,
                unread: *unread,
                unread_mentions: *unread_mentions,
            }),
            EventBody::Conversation {
                view,
                feed_version,
                feed_previous,
            } => Item::Conversation(wire::ConversationPush {
                conversation: Some(conversation::conversation(view)),
                feed_version: *feed_version,
                feed_previous: *feed_previous,
            }),
            EventBody::Deleted(deleted) => Item::Deleted(own_view::deleted_push(deleted)),
            EventBody::Receipts(news) => Item::Receipt(receipt::receipt_push(news)),
            EventBody::JoinRequest(request) => Item::JoinRequest(group::join_request(request)),
            EventBody::Relations(news) => Item::Relation(relation::relation_push(news)),
            EventBody::Presence(told) => Item::Presence(presence::presence(told)),
            EventBody::Room(push) => Item::Room(room_news::room_push(push)),
            EventBody::RoomLeft(left) => Item::RoomLeft(room_news::room_left_push(left)),
            EventBody::Check => Item::Check(wire::CheckPush {}),
        }))
    }

    fn send_reply(&self, request: u32, result: Result<SendResult, Reject>) -> Bytes {
        let result = match result {
            Ok(sent) => wire::response::Result::SendMessage(message::sent(&sent)),
            Err(reject) => wire::response::Result::Error(error(&reject)),
        };
        self.0.encode(&response(request, result))
    }

    fn check(&self) -> Bytes {
        self.event(&EventBody::Check)
    }

    fn last_words(&self, reason: &Reject) -> Bytes {
        self.0.encode(&single(Item::Close(wire::ClosePush {
            error: Some(error(reason)),
        })))
    }

    fn goodbye(&self, reason: &Reject) -> Bytes {
        let mut bytes = BytesMut::new();
        if self.0 == Framing::WebSocket {
            let code = match reason.code {
                Code::ShuttingDown => CloseCode::GoingAway,
                Code::LoggedOut => CloseCode::Normal,
                Code::FrameTooLarge => CloseCode::TooBig,
                Code::Internal => CloseCode::Internal,
                _ => CloseCode::Policy,
            };
            websocket::put_close(code, reason.code.name(), &mut bytes);
        }
        bytes.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_framings_carry_the_same_frame() {
        let frame = single(Item::Check(wire::CheckPush {}));
        let payload = frame.encode_to_vec();
        let web = Framing::WebSocket.encode(&frame);
        assert_eq!(web[..2], [0x82, u8::try_from(payload.len()).unwrap()]);
        assert_eq!(web[2..], payload[..]);
        let tcp = Framing::Length.encode(&frame);
        assert_eq!(tcp[..4], frame::header(payload.len()));
        assert_eq!(tcp[4..], payload[..]);
    }

    #[test]
    fn the_end_of_a_connection_is_a_push_and_on_websocket_a_close_frame() {
        let reason = Reject::from(Code::ShuttingDown);
        let dialect = Framing::WebSocket.dialect();
        let push = dialect.last_words(&reason);
        let push = wire::ServerFrame::decode(&push[2..]).unwrap();
        let Some(Item::Close(close)) = &push.items[0].item else {
            panic!("{push:?}")
        };
        assert_eq!(close.error.as_ref().unwrap().code, 1006);
        let close = dialect.goodbye(&reason);
        assert_eq!(close[..2], [0x88, 15]);
        assert_eq!(close[2..4], 1001u16.to_be_bytes());
        assert_eq!(&close[4..], b"SHUTTING_DOWN");
        assert!(Framing::Length.dialect().goodbye(&reason).is_empty());
    }
}
