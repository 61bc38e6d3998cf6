//! What peers speak: as much of it as one publisher and many subscribers need.
//!
//! * NATS: <https://docs.nats.io/reference/reference-protocols/nats-protocol>
//! * Redis: RESP, <https://redis.io/docs/latest/develop/reference/protocol-spec/>
//! * MQTT 3.1.1, quality of service 0: <https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html>

/// The subject, channel or topic.
const ROOM: &str = "room";

/// A protocol.
#[derive(Copy, Clone)]
pub(super) enum Protocol {
    Nats,
    Redis,
    Mqtt,
}

/// What stands at the front of what arrived.
pub(super) enum Next<'a> {
    /// The rest has not arrived.
    Partial,
    /// An answer of so many bytes.
    Answer(usize),
    /// A message, with the bytes that it took.
    Message(&'a [u8], usize),
}

impl Protocol {
    /// What a client says first.
    pub(super) fn greeting(self, number: usize, subscribes: bool) -> Vec<u8> {
        match self {
            Self::Nats => {
                let subscribe = if subscribes { "SUB room 1\r\n" } else { "" };
                format!("CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\n{subscribe}PING\r\n")
                    .into_bytes()
            }
            Self::Redis if subscribes => b"SUBSCRIBE room\r\n".to_vec(),
            Self::Redis => b"PING\r\n".to_vec(),
            Self::Mqtt => {
                let id = format!("c{number}");
                // Protocol name and level, a clean session, no keepalive, the client's id.
                let mut body = b"\x00\x04MQTT\x04\x02\x00\x00".to_vec();
                push_text(&mut body, &id);
                let mut out = packet(0x10, &body);
                if subscribes {
                    let mut body = vec![0, 1];
                    push_text(&mut body, ROOM);
                    body.push(0);
                    out.extend(packet(0x82, &body));
                }
                out
            }
        }
    }

    /// Answers to the greeting after which a client is in.
    pub(super) fn answers(self, subscribes: bool) -> usize {
        match self {
            // INFO, which comes unasked, and PONG.
            Self::Nats => 2,
            Self::Redis => 1,
            Self::Mqtt => 1 + usize::from(subscribes),
        }
    }

    /// A message for everybody.
    pub(super) fn publish(self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + 64);
        match self {
            Self::Nats => {
                out.extend(format!("PUB {ROOM} {}\r\n", payload.len()).into_bytes());
                out.extend(payload);
                out.extend(b"\r\n");
            }
            Self::Redis => {
                let head = format!(
                    "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{ROOM}\r\n${}\r\n",
                    ROOM.len(),
                    payload.len()
                );
                out.extend(head.into_bytes());
                out.extend(payload);
                out.extend(b"\r\n");
            }
            Self::Mqtt => {
                let mut body = Vec::with_capacity(payload.len() + 8);
                push_text(&mut body, ROOM);
                body.extend(payload);
                out = packet(0x30, &body);
            }
        }
        out
    }

    /// Looks at what arrived.
    pub(super) fn next(self, bytes: &[u8]) -> Next<'_> {
        let found = match self {
            Self::Nats => nats(bytes),
            Self::Redis => redis(bytes),
            Self::Mqtt => mqtt(bytes),
        };
        found.unwrap_or(Next::Partial)
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).expect("short texts");
    out.extend(len.to_be_bytes());
    out.extend(text.as_bytes());
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    let mut len = body.len();
    loop {
        let low = u8::try_from(len & 0x7f).expect("seven bits");
        len >>= 7;
        out.push(if len > 0 { low | 0x80 } else { low });
        if len == 0 {
            break;
        }
    }
    out.extend(body);
    out
}

/// A line at the front, without its end, and where the next begins.
fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let at = bytes.windows(2).position(|two| two == b"\r\n")?;
    Some((&bytes[..at], at + 2))
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn nats(bytes: &[u8]) -> Option<Next<'_>> {
    let (head, begin) = line(bytes)?;
    if !head.starts_with(b"MSG ") {
        return Some(Next::Answer(begin));
    }
    let len = number(head.rsplit(|byte| *byte == b' ').next()?)?;
    let payload = bytes.get(begin..begin + len)?;
    bytes.get(begin + len..begin + len + 2)?;
    Some(Next::Message(payload, begin + len + 2))
}

fn redis(bytes: &[u8]) -> Option<Next<'_>> {
    let (head, mut at) = line(bytes)?;
    let Some(count) = head.strip_prefix(b"*").and_then(number) else {
        return Some(Next::Answer(at));
    };
    let (mut first, mut last): (&[u8], &[u8]) = (&[], &[]);
    for part in 0..count {
        let (head, used) = line(&bytes[at..])?;
        at += used;
        if let Some(len) = head.strip_prefix(b"$").and_then(number) {
            last = bytes.get(at..at + len)?;
            bytes.get(at + len..at + len + 2)?;
            at += len + 2;
        }
        if part == 0 {
            first = last;
        }
    }
    Some(match first {
        b"message" => Next::Message(last, at),
        _ => Next::Answer(at),
    })
}

fn mqtt(bytes: &[u8]) -> Option<Next<'_>> {
    let (mut len, mut at) = (0_usize, 1);
    loop {
        let byte = *bytes.get(at)?;
        len |= usize::from(byte & 0x7f) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 || at > 4 {
            break;
        }
    }
    let body = bytes.get(at..at + len)?;
    if bytes[0] & 0xf0 != 0x30 {
        return Some(Next::Answer(at + len));
    }
    let topic = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
    Some(Next::Message(body.get(2 + topic..)?, at + len))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in some bytes: payloads, and `None` for answers.
    fn all(protocol: Protocol, mut bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
        let mut found = Vec::new();
        loop {
            let used = match protocol.next(bytes) {
                Next::Partial => return found,
                Next::Answer(used) => {
                    found.push(None);
                    used
                }
                Next::Message(payload, used) => {
                    found.push(Some(payload.to_vec()));
                    used
                }
            };
            bytes = &bytes[used..];
        }
    }

    #[test]
    fn what_peers_say_is_read_message_by_message() {
        let nats = b"INFO {}\r\nPONG\r\nMSG room 1 2\r\nhi\r\nMSG room 1 3\r\nh";
        assert_eq!(
            all(Protocol::Nats, nats),
            [None, None, Some(b"hi".to_vec())]
        );
        let redis = b"*3\r\n$9\r\nsubscribe\r\n$4\r\nroom\r\n:1\r\n\
                      *3\r\n$7\r\nmessage\r\n$4\r\nroom\r\n$2\r\nhi\r\n*3\r\n$7";
        assert_eq!(all(Protocol::Redis, redis), [None, Some(b"hi".to_vec())]);
        let mut mqtt = vec![0x20, 2, 0, 0, 0x90, 3, 0, 1, 0];
        mqtt.extend(Protocol::Mqtt.publish(&[b'x'; 200]));
        mqtt.extend([0x30, 9]);
        assert_eq!(
            all(Protocol::Mqtt, &mqtt),
            [None, None, Some(vec![b'x'; 200])]
        );
    }

    #[test]
    fn what_is_published_is_what_the_protocols_say() {
        assert_eq!(Protocol::Nats.publish(b"hi"), b"PUB room 2\r\nhi\r\n");
        let redis = b"*3\r\n$7\r\nPUBLISH\r\n$4\r\nroom\r\n$2\r\nhi\r\n";
        assert_eq!(Protocol::Redis.publish(b"hi"), redis);
        assert_eq!(Protocol::Mqtt.publish(b"hi"), b"\x30\x08\x00\x04roomhi");
        assert_eq!(Protocol::Mqtt.greeting(1, true).len(), 16 + 11);
    }
}
