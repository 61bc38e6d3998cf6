//! A finished unit on disk: rows in gzip blocks, and an index of the blocks.
//!
//! `X.jsonl.gz` is a chain of gzip members; `zcat` reads the whole as one stream of JSON Lines. A
//! member, or block, ends after [`BLOCK_ROWS`] rows or [`BLOCK_BYTES`] bytes of text, so where
//! blocks end depends on the rows alone, and the same rows always give the same file.
//!
//! `X.index.jsonl` has a header and one line a block: where it lies, its first and last key, its
//! checksum, and a Bloom filter of what its rows are looked up by ([`bloom`]). With it a
//! conversation is read without unpacking the rest, a damaged file is known block by block, and what
//! is left of it can be saved.
//!
//! gzip through a pure-Rust deflate rather than zstd: an archive must be readable in ten years with
//! what any system has, builds must need no C compiler, and on 1,000 rows of JSON the difference in
//! size is about a tenth.

pub(crate) mod bloom;
mod reader;
mod writer;

use serde::{Deserialize, Serialize};

pub(crate) use reader::{RowStream, Rows, Segment, merged, read_line, salvage};
pub(crate) use writer::{Finished, Writer, remove, sync_parent};

/// Rows after which a block ends.
pub const BLOCK_ROWS: u32 = 1000;
/// Bytes of text after which a block ends, whatever the number of rows.
pub const BLOCK_BYTES: usize = 4 * 1024 * 1024;
/// Longest row that is read back. A message is 5 KB, an object of a class at most 16 MB.
pub(crate) const ROW_BYTES_MAX: usize = 32 * 1024 * 1024;

/// First line of an index.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct IndexHead {
    pub(crate) index_version: u32,
    pub(crate) bloom_bits: u32,
    pub(crate) bloom_hashes: u32,
}

impl Default for IndexHead {
    fn default() -> Self {
        Self {
            index_version: 1,
            bloom_bits: bloom::BITS,
            bloom_hashes: bloom::HASHES,
        }
    }
}

/// One block, as the index has it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where its gzip member begins in the file.
    pub(crate) offset: u64,
    /// Length of the member.
    pub(crate) bytes: u64,
    pub(crate) rows: u32,
    /// Times and ids of the first and the last row.
    pub(crate) first: (i64, String),
    pub(crate) last: (i64, String),
    /// SHA-256 of the member.
    pub(crate) sha256: String,
    /// Base64 of the filter.
    pub(crate) bloom: String,
}

/// What the manifest says of a finished unit.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Unit {
    /// Rows in it; with 0 there is no file.
    pub rows: u64,
    /// The unit reflects the source up to this time of the source's clock (milliseconds).
    pub through: i64,
    /// Size of the compressed rows.
    pub bytes: u64,
    /// SHA-256 of the compressed rows.
    pub sha256: String,
    /// SHA-256 of the rows unpacked, which does not depend on the version of the compressor.
    pub rows_sha256: String,
    /// Size of the index.
    pub index_bytes: u64,
    /// SHA-256 of the index.
    pub index_sha256: String,
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::layout::Layout;
    use crate::rows::{Kind, Row};

    fn message(i: i64) -> Row {
        let line = format!(
            r#"{{"timestamp":{i},"msg-id":"m{i:06}","to":"c{}","from":"u{}"}}"#,
            i % 7,
            i % 11
        );
        Kind::Messages.row(line.as_bytes()).unwrap()
    }

    fn written(layout: &Layout, count: i64) -> Unit {
        let mut writer = Writer::create(layout, "messages/1970-01-01").unwrap();
        for i in 0..count {
            writer.push(&message(i)).unwrap();
        }
        let finished = writer.finish(5).unwrap();
        finished.publish(layout).unwrap();
        finished.unit
    }

    #[test]
    fn any_gzip_reads_it_and_blocks_are_found_by_key() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let unit = written(&layout, 2500);
        assert_eq!((unit.rows, unit.through), (2500, 5));

        let file = std::fs::File::open(layout.rows("messages/1970-01-01")).unwrap();
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(file)
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text.lines().count(), 2500);

        let segment = Segment::open(&layout, "messages/1970-01-01").unwrap();
        assert_eq!(
            segment.blocks.iter().map(|b| b.rows).collect::<Vec<_>>(),
            [1000, 1000, 500]
        );
        assert!(segment.blocks.iter().all(|block| block.may_hold("c3")));
        assert!(
            !segment
                .blocks
                .iter()
                .any(|block| block.may_hold("somebody else"))
        );
        assert_eq!(segment.rows_of(1).unwrap()[0], message(1000));
    }

    #[test]
    fn the_same_rows_give_the_same_bytes() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let a = written(&Layout::new(one.path()), 1234);
        let b = written(&Layout::new(two.path()), 1234);
        assert_eq!(a, b);
    }

    #[test]
    fn what_is_intact_of_a_damaged_file_is_saved() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        written(&layout, 3500);
        let unit = "messages/1970-01-01";
        let segment = Segment::open(&layout, unit).unwrap();
        let path = layout.rows(unit);
        let mut bytes = std::fs::read(&path).unwrap();
        let hit = usize::try_from(segment.blocks[1].offset).unwrap() + 20;
        bytes[hit] ^= 0x40;
        std::fs::write(&path, &bytes).unwrap();

        assert!(
            Rows::open(&path, Kind::Messages)
                .unwrap()
                .any(|row| row.is_err())
        );
        let saved = salvage(&path, &layout.index(unit), Kind::Messages).unwrap();
        assert_eq!(saved.len(), 2500);
        // Without the index everything before the damage is left.
        std::fs::remove_file(layout.index(unit)).unwrap();
        assert_eq!(
            salvage(&path, &layout.index(unit), Kind::Messages)
                .unwrap()
                .len(),
            1000
        );
    }
}
