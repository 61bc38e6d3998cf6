//! Frames as a server writes them, and the numbers of the protocol.

use bytes::{BufMut, Bytes, BytesMut};

/// The longest header of a frame to a client: two bytes and a length of eight.
pub const HEADER_BYTES_MAX: usize = 10;
/// Payload of a control frame (RFC 6455, section 5.5).
pub(super) const CONTROL_BYTES_MAX: usize = 125;

/// What a frame is (RFC 6455, section 5.2).
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
#[repr(u8)]
pub enum Opcode {
    /// Goes on with a fragmented message.
    Continuation = 0x0,
    /// UTF-8.
    Text = 0x1,
    /// Bytes.
    Binary = 0x2,
    /// The sender's last frame.
    Close = 0x8,
    /// To be answered with a pong.
    Ping = 0x9,
    /// The answer to a ping, or a sign of life.
    Pong = 0xa,
}

impl Opcode {
    pub(super) const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    pub(super) const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// The close codes that we send (RFC 6455, section 7.4.1).
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
#[repr(u16)]
pub enum CloseCode {
    /// Done.
    Normal = 1000,
    /// The server goes down.
    GoingAway = 1001,
    /// The peer broke the WebSocket protocol.
    Protocol = 1002,
    /// A kind of message that is not spoken here.
    Unsupported = 1003,
    /// Text that is not UTF-8.
    InvalidData = 1007,
    /// Refused for a reason of the protocol above.
    Policy = 1008,
    /// A message larger than allowed.
    TooBig = 1009,
    /// The server failed.
    Internal = 1011,
}

/// May a peer send this close code? 1004 is undefined, 1005, 1006 and 1015 stand for what has no
/// code; what is neither registered nor in the ranges for libraries and applications is invalid.
pub(super) const fn is_valid_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Appends the header of an unfragmented, unmasked frame.
pub fn put_header(opcode: Opcode, payload_len: usize, into: &mut BytesMut) {
    into.put_u8(0x80 | opcode as u8);
    match (u8::try_from(payload_len), u16::try_from(payload_len)) {
        (Ok(len @ 0..=125), _) => into.put_u8(len),
        (_, Ok(len)) => {
            into.put_u8(126);
            into.put_u16(len);
        }
        _ => {
            into.put_u8(127);
            into.put_u64(payload_len as u64);
        }
    }
}

/// Appends a close frame. The reason is cut to what a control frame holds.
pub fn put_close(code: CloseCode, reason: &str, into: &mut BytesMut) {
    let reason = &reason[..reason.floor_char_boundary(CONTROL_BYTES_MAX - 2)];
    put_header(Opcode::Close, 2 + reason.len(), into);
    into.put_u16(code as u16);
    into.put_slice(reason.as_bytes());
}

/// A close frame that answers one with this code, or with none.
pub(crate) fn close_reply(code: Option<u16>) -> Bytes {
    let mut bytes = BytesMut::new();
    let payload = code.map(u16::to_be_bytes);
    let payload = payload.as_ref().map_or(&[][..], |code| &code[..]);
    put_header(Opcode::Close, payload.len(), &mut bytes);
    bytes.put_slice(payload);
    bytes.freeze()
}

/// Appends the answer to a ping.
pub fn put_pong(payload: &[u8], into: &mut BytesMut) {
    put_header(Opcode::Pong, payload.len(), into);
    into.put_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_the_short_way() {
        for (len, header) in [
            (0, &[0x82, 0][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (65_535, &[0x82, 126, 255, 255]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut bytes = BytesMut::new();
            put_header(Opcode::Binary, len, &mut bytes);
            assert_eq!(bytes, header);
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let mut bytes = BytesMut::new();
        put_close(CloseCode::Policy, &"é".repeat(100), &mut bytes);
        assert_eq!(bytes[1], 124);
        assert_eq!(std::str::from_utf8(&bytes[4..]).unwrap(), "é".repeat(61));
    }
}
