//! The bytes of one batch in the log.
//!
//! A frame begins at a multiple of [`ALIGN`] and is padded with zeros to the next one: writing it
//! never touches a page that holds an acknowledged frame, and never makes the kernel read a page
//! first. The file system writes whole pages anyway.
//!
//! ```text
//! header  magic u32 · body length u32 · batch number u64 · body CRC-32 u32
//!         · CRC-32 u32 of the segment's salt and the fields before
//! body    rows, one after another:
//!         op u8 (0 delete, 1 put) · space u8 · shard u16 · key length u16 · value length u32
//!         · key · value
//! ```
//!
//! All numbers are little-endian. The batch number rises by one from frame to frame for the whole
//! life of a store. The salt is drawn anew for every segment: it tells a frame from the leftovers
//! of a recycled segment's earlier life, and from stored bytes that someone shaped like a frame.

use bytes::Bytes;

use crate::address::{Key, Shard, Space};

/// Frames begin at multiples of this: the page size of the page cache.
pub(crate) const ALIGN: usize = 4096;

/// Bytes of a frame header.
pub(crate) const HEADER_LEN: usize = 24;

/// What makes the checksums of one segment differ from those of all others.
pub(crate) type Salt = [u8; 8];

const MAGIC: u32 = u32::from_le_bytes(*b"ANSF");
const ROW_HEADER_LEN: usize = 10;
const OP_DELETE: u8 = 0;
const OP_PUT: u8 = 1;

/// A row of a frame: its key, and its value or `None` for a delete.
pub(crate) type Row = (Key, Option<Bytes>);

/// Builds a frame row by row.
pub(crate) struct FrameWriter {
    buffer: Vec<u8>,
}

impl FrameWriter {
    /// An empty frame with room for about `bytes`.
    pub(crate) fn with_capacity(bytes: usize) -> FrameWriter {
        let mut buffer = Vec::with_capacity(HEADER_LEN + bytes + ALIGN);
        buffer.resize(HEADER_LEN, 0);
        FrameWriter { buffer }
    }

    /// Whether no row was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.len() == HEADER_LEN
    }

    /// Adds a row. Lengths were checked when the unit was.
    pub(crate) fn push(&mut self, key: &Key, value: Option<&Bytes>) {
        let key_len = u16::try_from(key.bytes.len()).expect("keys are at most 1 KiB");
        let value_len = u32::try_from(value.map_or(0, Bytes::len)).expect("values are at most MiB");
        let op = if value.is_some() { OP_PUT } else { OP_DELETE };
        let buffer = &mut self.buffer;
        buffer.extend_from_slice(&[op, key.space.0]);
        buffer.extend_from_slice(&key.shard.0.to_le_bytes());
        buffer.extend_from_slice(&key_len.to_le_bytes());
        buffer.extend_from_slice(&value_len.to_le_bytes());
        buffer.extend_from_slice(&key.bytes);
        if let Some(value) = value {
            buffer.extend_from_slice(value);
        }
    }

    /// Seals the frame under a batch number: header, checksums, padding.
    pub(crate) fn seal(mut self, batch: u64, salt: Salt) -> Frame {
        let body_len = self.buffer.len() - HEADER_LEN;
        let header = Header {
            body_len: u32::try_from(body_len).expect("commits are bounded well below 4 GiB"),
            batch,
            body_crc: crc32fast::hash(&self.buffer[HEADER_LEN..]),
        };
        self.buffer[..HEADER_LEN].copy_from_slice(&header.encode(salt));
        let padded = self.buffer.len().next_multiple_of(ALIGN);
        self.buffer.resize(padded, 0);
        Frame {
            bytes: self.buffer.into(),
            body_len,
        }
    }
}

/// A sealed frame.
pub(crate) struct Frame {
    /// Header, body and padding.
    pub(crate) bytes: Bytes,
    body_len: usize,
}

impl Frame {
    /// The rows, as slices of the frame.
    pub(crate) fn rows(&self) -> Rows {
        Rows {
            body: self.bytes.slice(HEADER_LEN..HEADER_LEN + self.body_len),
        }
    }
}

/// The fixed part of a frame.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(crate) struct Header {
    pub(crate) body_len: u32,
    pub(crate) batch: u64,
    body_crc: u32,
}

impl Header {
    fn encode(&self, salt: Salt) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.body_len.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.batch.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = salted_crc(salt, &bytes[..20]);
        bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header at the start of `bytes`, if one is there and whole.
    pub(crate) fn decode(bytes: &[u8], salt: Salt) -> Option<Header> {
        let bytes: &[u8; HEADER_LEN] = bytes.first_chunk()?;
        let word = |at: usize| {
            let word = bytes[at..at + 4].first_chunk().expect("a slice of four");
            u32::from_le_bytes(*word)
        };
        let batch = bytes[8..16].first_chunk().expect("a slice of eight");
        if word(0) != MAGIC || word(20) != salted_crc(salt, &bytes[..20]) {
            return None;
        }
        Some(Header {
            body_len: word(4),
            batch: u64::from_le_bytes(*batch),
            body_crc: word(16),
        })
    }

    /// Bytes of the whole frame, padding included.
    pub(crate) fn frame_len(&self) -> usize {
        (HEADER_LEN + self.body_len as usize).next_multiple_of(ALIGN)
    }

    /// The frame that this header begins, if its body is whole. `bytes` begins at the header.
    pub(crate) fn frame(&self, bytes: Bytes) -> Option<Frame> {
        let body_len = self.body_len as usize;
        let body = bytes.get(HEADER_LEN..HEADER_LEN + body_len)?;
        (crc32fast::hash(body) == self.body_crc).then_some(Frame { bytes, body_len })
    }
}

fn salted_crc(salt: Salt, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt);
    hasher.update(bytes);
    hasher.finalize()
}

/// Iterates over the rows of a frame; an error is a row that does not parse, which a matching
/// checksum makes a bug or an unknown version, not damage in transit.
pub(crate) struct Rows {
    body: Bytes,
}

impl Iterator for Rows {
    type Item = Result<Row, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.body.is_empty() {
            return None;
        }
        let row = take_row(&mut self.body);
        if row.is_err() {
            self.body.clear();
        }
        Some(row)
    }
}

fn take_row(body: &mut Bytes) -> Result<Row, &'static str> {
    let header: [u8; ROW_HEADER_LEN] = *body.first_chunk().ok_or("a row header is cut off")?;
    let [op, space, s0, s1, k0, k1, v0, v1, v2, v3] = header;
    let key_end = ROW_HEADER_LEN + usize::from(u16::from_le_bytes([k0, k1]));
    let value_end = key_end + u32::from_le_bytes([v0, v1, v2, v3]) as usize;
    if body.len() < value_end {
        return Err("a row is longer than its frame");
    }
    let row = body.split_to(value_end);
    let shard = Shard(u16::from_le_bytes([s0, s1]));
    let key = Key::new(Space(space), shard, row.slice(ROW_HEADER_LEN..key_end));
    match op {
        OP_PUT => Ok((key, Some(row.slice(key_end..)))),
        OP_DELETE => Ok((key, None)),
        _ => Err("a row has an unknown operation"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = *b"saltsalt";

    fn rows() -> Vec<Row> {
        let key = |bytes: &'static str| Key::new(Space(3), Shard(4095), bytes);
        vec![
            (key("a"), Some(Bytes::from_static(b"value"))),
            (key("b"), None),
            (key(""), Some(Bytes::new())),
        ]
    }

    fn frame() -> Frame {
        let mut writer = FrameWriter::with_capacity(0);
        for (key, value) in rows() {
            writer.push(&key, value.as_ref());
        }
        writer.seal(7, SALT)
    }

    #[test]
    fn a_frame_reads_back() {
        let bytes = frame().bytes;
        assert_eq!(bytes.len() % ALIGN, 0);
        let header = Header::decode(&bytes, SALT).unwrap();
        assert_eq!((header.batch, header.frame_len()), (7, bytes.len()));
        let read: Result<Vec<Row>, _> = header.frame(bytes).unwrap().rows().collect();
        assert_eq!(read.unwrap(), rows());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let whole = frame();
        let len = HEADER_LEN + whole.body_len;
        for bit in 0..len * 8 {
            let mut bytes = whole.bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = Header::decode(&bytes, SALT).and_then(|header| header.frame(bytes.into()));
            assert!(read.is_none(), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_of_another_segment_is_not_taken_for_one_of_this() {
        assert_eq!(Header::decode(&frame().bytes, *b"seltsalt"), None);
    }

    #[test]
    fn malformed_rows_are_errors_not_panics() {
        let whole = frame();
        let body = whole.rows().body;
        for cut in 1..body.len() {
            let rows = Rows {
                body: body.slice(..cut),
            };
            let read: Vec<_> = rows.collect();
            assert!(read.len() <= 3, "cut at {cut}");
        }
        let unknown = Bytes::from_static(&[9, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(take_row(&mut unknown.clone()).is_err());
    }
}
