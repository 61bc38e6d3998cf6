//! Received bytes into messages.

use super::frame::{CONTROL_BYTES_MAX, CloseCode, Opcode, is_valid_close_code};
use super::mask::unmask;

/// Two bytes, eight of length, four of mask.
const CLIENT_HEADER_MAX: usize = 14;

/// What a client said. The bytes live in the caller's buffer, or in the decoder until its next
/// use.
#[derive(Eq, PartialEq, Debug)]
pub enum Message<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping, to be answered with the same payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The client's last words: a valid code, if any, and a reason.
    Close(Option<u16>, &'a str),
}

/// The client broke the protocol. The connection is to be failed with this code.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Violation {
    /// What to close with.
    pub code: CloseCode,
    /// What was wrong, for the close frame and the log.
    pub what: &'static str,
}

impl Violation {
    const fn protocol(what: &'static str) -> Self {
        Self {
            code: CloseCode::Protocol,
            what,
        }
    }
}

/// The decoder of one connection: one pointer while nothing is half received.
#[derive(Debug, Default)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
}

/// What has arrived of something that has not arrived whole.
#[derive(Debug, Default)]
struct Partial {
    /// A frame cut off somewhere, as received. Grows only with bytes that have really arrived,
    /// whatever the header promises.
    raw: Vec<u8>,
    /// The fragments so far of a message of this kind.
    message: Vec<u8>,
    kind: Option<Opcode>,
    /// Handed out by the last call, to be forgotten by the next.
    raw_done: bool,
    message_done: bool,
}

#[derive(Copy, Clone)]
struct Header {
    fin: bool,
    opcode: Opcode,
    mask: [u8; 4],
    /// Where the payload begins, and where the frame ends.
    payload: usize,
    end: usize,
}

/// Where a whole frame was found.
#[derive(Copy, Clone)]
enum Whence {
    Input,
    Raw,
}

/// Where the payload of a message lies.
#[derive(Copy, Clone)]
enum Place {
    /// In the caller's buffer, from and to.
    Input(usize, usize),
    /// In the raw frame, from here on.
    Raw(usize),
    /// The collected fragments.
    Fragments,
}

impl Decoder {
    /// Takes bytes from the front of `input` until a message is complete: how many were taken, and
    /// the message. `None`: all were taken and no message is complete. Call again with the rest,
    /// until there is none; that also gives back the memory of what was handed out.
    ///
    /// `max` bounds the payload of a message, fragments together. After an error or a `Close`
    /// nothing that follows means anything.
    pub fn next<'a>(
        &'a mut self,
        input: &'a mut [u8],
        max: usize,
    ) -> Result<(usize, Option<Message<'a>>), Violation> {
        self.forget_handed_out();
        let mut at = 0;
        let (kind, place) = loop {
            let found = match self.take_frame(input, &mut at, max)? {
                None => return Ok((at, None)),
                Some((header, Whence::Input)) => {
                    let frame = at - header.end;
                    self.take_payload(header, &mut input[frame..at], frame)
                }
                Some((header, Whence::Raw)) => self.take_raw_payload(header),
            };
            if let Some(found) = found {
                break found;
            }
        };
        let partial = self.partial.as_deref();
        let payload = match place {
            Place::Input(from, to) => &input[from..to],
            Place::Raw(from) => &partial.expect("a frame lies there").raw[from..],
            Place::Fragments => &partial.expect("a message lies there").message[..],
        };
        Ok((at, Some(message(kind, payload)?)))
    }

    /// Is a message or a frame half received?
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.partial.is_none()
    }

    fn forget_handed_out(&mut self) {
        let Some(partial) = &mut self.partial else {
            return;
        };
        if std::mem::take(&mut partial.raw_done) {
            partial.raw = Vec::new();
        }
        if std::mem::take(&mut partial.message_done) {
            partial.message = Vec::new();
        }
        if partial.raw.is_empty() && partial.kind.is_none() {
            self.partial = None;
        }
    }

    /// Takes a whole frame: its header, and whether it ends at `at` in the input or fills `raw`.
    /// `None`: the input is used up.
    fn take_frame(
        &mut self,
        input: &[u8],
        at: &mut usize,
        max: usize,
    ) -> Result<Option<(Header, Whence)>, Violation> {
        let (kind, so_far) = self
            .partial
            .as_ref()
            .map_or((None, 0), |partial| (partial.kind, partial.message.len()));
        let rules = Rules {
            fragments_of: kind,
            max: max.saturating_sub(so_far),
        };
        let Some(partial) = self.partial.as_mut().filter(|p| !p.raw.is_empty()) else {
            let rest = &input[*at..];
            match rules.header(rest)? {
                Some(header) if header.end <= rest.len() => {
                    *at += header.end;
                    return Ok(Some((header, Whence::Input)));
                }
                _ if rest.is_empty() => return Ok(None),
                _ => {
                    let partial = self.partial.get_or_insert_default();
                    partial.raw.extend_from_slice(rest);
                    *at = input.len();
                    return Ok(None);
                }
            }
        };
        loop {
            let want = match rules.header(&partial.raw)? {
                Some(header) if header.end == partial.raw.len() => {
                    return Ok(Some((header, Whence::Raw)));
                }
                Some(header) => header.end - partial.raw.len(),
                None => 1,
            };
            let rest = &input[*at..];
            if rest.is_empty() {
                return Ok(None);
            }
            let take = want.min(rest.len());
            partial.raw.extend_from_slice(&rest[..take]);
            *at += take;
        }
    }

    /// Unmasks a frame that begins at `start` of the input, and says where its message lies, if it
    /// completes one.
    fn take_payload(
        &mut self,
        header: Header,
        frame: &mut [u8],
        start: usize,
    ) -> Option<(Opcode, Place)> {
        let payload = &mut frame[header.payload..];
        unmask(payload, header.mask);
        if header.is_whole_message() {
            let place = Place::Input(start + header.payload, start + header.end);
            return Some((header.opcode, place));
        }
        let partial = self.partial.get_or_insert_default();
        partial.message.extend_from_slice(payload);
        partial.fragment(header)
    }

    /// The same for the frame in `raw`.
    fn take_raw_payload(&mut self, header: Header) -> Option<(Opcode, Place)> {
        let partial = self.partial.as_mut().expect("the frame lies there");
        unmask(&mut partial.raw[header.payload..], header.mask);
        if header.is_whole_message() {
            partial.raw_done = true;
            return Some((header.opcode, Place::Raw(header.payload)));
        }
        let raw = std::mem::take(&mut partial.raw);
        partial.message.extend_from_slice(&raw[header.payload..]);
        partial.fragment(header)
    }
}

impl Partial {
    /// Notes that the payload of a fragment was added to the message.
    fn fragment(&mut self, header: Header) -> Option<(Opcode, Place)> {
        let kind = *self.kind.get_or_insert(header.opcode);
        if !header.fin {
            return None;
        }
        self.kind = None;
        self.message_done = true;
        Some((kind, Place::Fragments))
    }
}

impl Header {
    fn is_whole_message(&self) -> bool {
        self.fin && self.opcode != Opcode::Continuation
    }
}

/// What the next frame may be.
struct Rules {
    /// A fragmented message of this kind is under way.
    fragments_of: Option<Opcode>,
    /// Payload it may have, control frames aside.
    max: usize,
}

impl Rules {
    /// Reads a header and checks all that it says, as early as it is there. `None`: it is not
    /// complete.
    fn header(&self, bytes: &[u8]) -> Result<Option<Header>, Violation> {
        let &[first, second, ..] = bytes else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(Violation::protocol("reserved bits without an extension"));
        }
        let Some(opcode) = Opcode::from_bits(first & 0x0f) else {
            return Err(Violation::protocol("reserved opcode"));
        };
        let fin = first & 0x80 != 0;
        let short = second & 0x7f;
        if second & 0x80 == 0 {
            return Err(Violation::protocol("frame of a client without a mask"));
        }
        if opcode.is_control() {
            if !fin {
                return Err(Violation::protocol("fragmented control frame"));
            }
            if usize::from(short) > CONTROL_BYTES_MAX {
                return Err(Violation::protocol("control frame of more than 125 bytes"));
            }
        } else if (opcode == Opcode::Continuation) != self.fragments_of.is_some() {
            return Err(Violation::protocol(if opcode == Opcode::Continuation {
                "continuation of nothing"
            } else {
                "new message inside a fragmented one"
            }));
        }
        let (len, mask_at) = match short {
            126 => {
                let Some(len) = bytes[2..].first_chunk() else {
                    return Ok(None);
                };
                (u64::from(u16::from_be_bytes(*len)), 4)
            }
            127 => {
                let Some(len) = bytes[2..].first_chunk() else {
                    return Ok(None);
                };
                (u64::from_be_bytes(*len), 10)
            }
            len => (u64::from(len), 2),
        };
        if (short == 126 && len < 126) || (short == 127 && len <= u64::from(u16::MAX)) {
            return Err(Violation::protocol("length not written the short way"));
        }
        if len >> 63 != 0 {
            return Err(Violation::protocol("length with the top bit set"));
        }
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if !opcode.is_control() && len > self.max {
            return Err(Violation {
                code: CloseCode::TooBig,
                what: "message larger than allowed",
            });
        }
        let Some(mask) = bytes[mask_at..].first_chunk() else {
            return Ok(None);
        };
        let payload = mask_at + mask.len();
        debug_assert!(payload <= CLIENT_HEADER_MAX);
        Ok(Some(Header {
            fin,
            opcode,
            mask: *mask,
            payload,
            end: payload + len,
        }))
    }
}

fn message(kind: Opcode, payload: &[u8]) -> Result<Message<'_>, Violation> {
    const NOT_UTF8: Violation = Violation {
        code: CloseCode::InvalidData,
        what: "text that is not UTF-8",
    };
    Ok(match kind {
        Opcode::Text => Message::Text(str::from_utf8(payload).map_err(|_| NOT_UTF8)?),
        Opcode::Binary | Opcode::Continuation => Message::Binary(payload),
        Opcode::Ping => Message::Ping(payload),
        Opcode::Pong => Message::Pong(payload),
        Opcode::Close => match payload {
            [] => Message::Close(None, ""),
            [_] => return Err(Violation::protocol("close frame of one byte")),
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                if !is_valid_close_code(code) {
                    return Err(Violation::protocol("invalid close code"));
                }
                Message::Close(Some(code), str::from_utf8(reason).map_err(|_| NOT_UTF8)?)
            }
        },
    })
}
