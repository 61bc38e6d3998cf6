//! The client's half of RFC 6455, as far as a load generator needs it.
//!
//! Frames are built once and patched, so sending costs a copy. What arrives is cut into frames in
//! place. The server must not mask, and has no reason to fragment: both are reported as breaches.

use std::ops::Range;

/// Opcode of a binary message (RFC 6455, 5.2).
pub(crate) const BINARY: u8 = 2;
/// Opcode of the close handshake.
pub(crate) const CLOSE: u8 = 8;
/// Opcode of a server's ping.
pub(crate) const PING: u8 = 9;
/// Opcode of an answer to a ping.
pub(crate) const PONG: u8 = 10;

/// A fixed key: the mask protects proxies from hostile pages, and here there is neither. It is
/// not zero, so that a server has to do the work.
pub(crate) const MASK: [u8; 4] = [0x5a, 0xc3, 0x11, 0x97];

/// The request that turns the connection into a WebSocket.
pub(crate) fn upgrade_request(host: &str, path: &str) -> Vec<u8> {
    // The key is a nonce; the example of RFC 6455, 1.3 is as good as any.
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into_bytes()
}

/// How an upgrade went, once the head of the response is there.
pub(crate) enum Upgrade {
    /// More bytes are needed.
    Incomplete,
    /// Frames begin after so many bytes.
    Accepted(usize),
    /// The status line, or what else was wrong.
    Refused(String),
}

/// The answer to the key of [`upgrade_request`] (RFC 6455, 1.3).
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Reads the server's answer to [`upgrade_request`].
pub(crate) fn upgrade_response(bytes: &[u8]) -> Upgrade {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Upgrade::Incomplete;
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("101") {
        return Upgrade::Refused(status.to_owned());
    }
    let accepted = lines.any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == ACCEPT
        })
    });
    if accepted {
        Upgrade::Accepted(end + 4)
    } else {
        Upgrade::Refused("101 without the right Sec-WebSocket-Accept".to_owned())
    }
}

/// A masked frame of a client, ready to be written.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    frame.push(0x80 | opcode);
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | u8::try_from(len).expect("at most 125")),
        len @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(len).expect("at most 65535").to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(
        payload
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ MASK[at % 4]),
    );
    frame
}

/// A frame found at the front of a buffer.
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Range<usize>,
}

/// Cuts the first frame off a server's bytes; `None` while it is incomplete.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Frame>, String> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if first & 0xf0 != 0x80 {
        return Err(format!(
            "first byte {first:#04x}: fragmented, or reserved bits"
        ));
    }
    if second & 0x80 != 0 {
        return Err("the server masked a frame".to_owned());
    }
    let (len, head) = match second {
        126 => match rest.first_chunk() {
            Some(len) => (u64::from(u16::from_be_bytes(*len)), 4),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(len) => (u64::from_be_bytes(*len), 10),
            None => return Ok(None),
        },
        len => (u64::from(*len), 2),
    };
    // Far above any page the server may send; a length like that means lost framing.
    if len > 64 << 20 {
        return Err(format!("a frame of {len} bytes"));
    }
    let len = usize::try_from(len).expect("checked above");
    Ok((bytes.len() >= head + len).then_some(Frame {
        opcode: first & 0x0f,
        payload: head..head + len,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_form_is_read_and_every_cut_is_waited_for() {
        for len in [0, 1, 125, 126, 65_535, 65_536] {
            let mut bytes = masked(BINARY, &vec![7; len]);
            // Unmask by hand: what is left is the frame a server would send.
            let head = bytes.len() - len - 4;
            bytes.drain(head..head + 4);
            bytes[1] &= 0x7f;
            bytes[head..].fill(7);
            for cut in [0, 1, 2, head, bytes.len() - 1] {
                if cut < bytes.len() {
                    assert!(
                        parse(&bytes[..cut]).unwrap().is_none(),
                        "{len} cut at {cut}"
                    );
                }
            }
            let frame = parse(&bytes).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.payload), (BINARY, head..bytes.len()));
        }
    }

    #[test]
    fn breaches_are_named() {
        assert!(parse(&[0x02, 0]).is_err(), "fragmented");
        assert!(parse(&[0x82, 0x80]).is_err(), "masked");
        assert!(
            parse(&[0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0]).is_err(),
            "absurd"
        );
    }

    #[test]
    fn an_upgrade_needs_status_and_accept() {
        let answer = |status: &str, accept: &str| {
            format!("HTTP/1.1 {status}\r\nSec-WebSocket-Accept: {accept}\r\n\r\nX").into_bytes()
        };
        let good = answer("101 Switching Protocols", ACCEPT);
        assert!(matches!(upgrade_response(&good), Upgrade::Accepted(n) if n == good.len() - 1));
        assert!(matches!(upgrade_response(&good[..20]), Upgrade::Incomplete));
        let refused = answer("503 Busy", ACCEPT);
        assert!(matches!(upgrade_response(&refused), Upgrade::Refused(_)));
        let wrong = answer("101 Switching Protocols", "x");
        assert!(matches!(upgrade_response(&wrong), Upgrade::Refused(_)));
    }
}
