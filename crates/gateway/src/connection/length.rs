//! Frames of a plain TCP stream: four bytes of length, then the frame
//! ([`anser_proto::frame`]).

use anser_proto::frame::{FrameTooLarge, LENGTH_BYTES};

/// The decoder of one stream: nothing but a pointer-sized vector while no frame is cut off.
#[derive(Debug, Default)]
pub(super) struct LengthDecoder {
    /// A frame cut off somewhere, with its length. Grows only with bytes that have arrived.
    raw: Vec<u8>,
    done: bool,
}

impl LengthDecoder {
    /// As [`websocket::Decoder::next`](crate::websocket::Decoder::next): how many bytes were
    /// taken, and a frame if one is complete.
    pub(super) fn next<'a>(
        &'a mut self,
        input: &'a [u8],
        max: usize,
    ) -> Result<(usize, Option<&'a [u8]>), FrameTooLarge> {
        if std::mem::take(&mut self.done) {
            self.raw = Vec::new();
        }
        if self.raw.is_empty() {
            match end(input, max)? {
                Some(end) if end <= input.len() => {
                    return Ok((end, Some(&input[LENGTH_BYTES..end])));
                }
                _ => {
                    self.raw.extend_from_slice(input);
                    return Ok((input.len(), None));
                }
            }
        }
        let mut at = 0;
        loop {
            let want = match end(&self.raw, max)? {
                Some(end) if end == self.raw.len() => {
                    self.done = true;
                    return Ok((at, Some(&self.raw[LENGTH_BYTES..])));
                }
                Some(end) => end - self.raw.len(),
                None => LENGTH_BYTES - self.raw.len(),
            };
            let take = want.min(input.len() - at);
            if take == 0 {
                return Ok((at, None));
            }
            self.raw.extend_from_slice(&input[at..at + take]);
            at += take;
        }
    }
}

/// Where the frame at the front ends. `None`: its length has not arrived.
fn end(bytes: &[u8], max: usize) -> Result<Option<usize>, FrameTooLarge> {
    let Some(length) = bytes.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let len = u32::from_be_bytes(*length) as usize;
    if len > max {
        return Err(FrameTooLarge { len, max });
    }
    Ok(Some(LENGTH_BYTES + len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_the_stream_is_cut() {
        let mut wire = Vec::new();
        for payload in [&b"one"[..], b"", b"three"] {
            wire.extend_from_slice(&anser_proto::frame::header(payload.len()));
            wire.extend_from_slice(payload);
        }
        for step in 1..=wire.len() {
            let mut decoder = LengthDecoder::default();
            let mut out = Vec::new();
            for piece in wire.chunks(step) {
                let mut at = 0;
                loop {
                    let (taken, frame) = decoder.next(&piece[at..], 5).unwrap();
                    at += taken;
                    let Some(frame) = frame else { break };
                    out.push(frame.to_vec());
                }
                assert_eq!(at, piece.len());
            }
            assert_eq!(out, [&b"one"[..], b"", b"three"]);
            assert!(decoder.raw.capacity() == 0, "nothing is kept when idle");
        }
    }

    #[test]
    fn a_large_length_is_refused_before_its_bytes_arrive() {
        let mut decoder = LengthDecoder::default();
        assert_eq!(decoder.next(&[0xff, 0xff, 0xff], 9), Ok((3, None)));
        assert_eq!(
            decoder.next(&[0xff], 9),
            Err(FrameTooLarge {
                len: 0xffff_ffff,
                max: 9
            })
        );
    }
}
