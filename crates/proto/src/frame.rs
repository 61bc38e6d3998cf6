//! Frames on a TCP stream: a length of four bytes, big-endian, then so many bytes of a
//! `ClientFrame` or `ServerFrame`. On WebSocket the binary message is the frame and carries no
//! length of ours.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes of the length.
pub const LENGTH_BYTES: usize = 4;

/// The frame that starts here is longer than allowed.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct FrameTooLarge {
    /// What its length says.
    pub len: usize,
    /// What is allowed.
    pub max: usize,
}

/// Takes one frame off the front. `None`: not all of it has arrived; the bytes stay.
///
/// The length is checked before anything is waited for or reserved, so a hostile one costs
/// nothing.
pub fn decode(buf: &mut BytesMut, max: usize) -> Result<Option<Bytes>, FrameTooLarge> {
    let Some(length) = buf.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let len = u32::from_be_bytes(*length) as usize;
    if len > max {
        return Err(FrameTooLarge { len, max });
    }
    if buf.len() - LENGTH_BYTES < len {
        return Ok(None);
    }
    buf.advance(LENGTH_BYTES);
    Ok(Some(buf.split_to(len).freeze()))
}

/// The length that stands before a payload of `len` bytes.
///
/// # Panics
/// Above 4 GiB; callers have limits far below.
#[must_use]
pub fn header(len: usize) -> [u8; LENGTH_BYTES] {
    u32::try_from(len)
        .expect("frames are far smaller than 4 GiB")
        .to_be_bytes()
}

/// Appends a whole frame.
pub fn encode(payload: &[u8], into: &mut BytesMut) {
    into.put_slice(&header(payload.len()));
    into.put_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_the_stream_is_cut() {
        let mut wire = BytesMut::new();
        for payload in [&b"one"[..], b"", b"three"] {
            encode(payload, &mut wire);
        }
        let (mut buf, mut out) = (BytesMut::new(), Vec::new());
        for byte in wire {
            buf.put_u8(byte);
            while let Some(frame) = decode(&mut buf, 5).unwrap() {
                out.push(frame);
            }
        }
        assert_eq!(out, [&b"one"[..], b"", b"three"]);
    }

    #[test]
    fn a_large_length_is_refused_before_its_bytes_arrive() {
        let mut buf = BytesMut::from(&[0xff, 0xff, 0xff, 0xff][..]);
        assert_eq!(
            decode(&mut buf, 9),
            Err(FrameTooLarge {
                len: 0xffff_ffff,
                max: 9
            })
        );
    }

    #[test]
    fn two_frames_glued_together_are_one_with_the_items_of_both() {
        use crate::client::{CheckPush, ServerFrame, ServerItem, server_item::Item};
        use prost::Message;
        let one = ServerFrame {
            items: vec![ServerItem {
                item: Some(Item::Check(CheckPush {})),
            }],
        };
        let glued = [one.encode_to_vec(), one.encode_to_vec()].concat();
        assert_eq!(ServerFrame::decode(&glued[..]).unwrap().items.len(), 2);
    }
}
