//! Reads segments: whole, by block, merged, or what is left of a damaged one.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::bloom::Bloom;
use super::{Block, IndexHead, ROW_BYTES_MAX};
use crate::digest::sha256_hex;
use crate::error::{At as _, Error};
use crate::layout::Layout;
use crate::rows::{Kind, Row};

/// Rows of a compressed file, first to last. Ends after the first error.
pub(crate) struct Rows {
    path: PathBuf,
    kind: Kind,
    reader: BufReader<Box<dyn Read + Send>>,
    failed: bool,
}

impl Rows {
    pub(crate) fn open(path: &Path, kind: Kind) -> Result<Self, Error> {
        let file = BufReader::with_capacity(64 * 1024, File::open(path).at(path)?);
        let reader: Box<dyn Read + Send> = Box::new(MultiGzDecoder::new(file));
        Ok(Self {
            path: path.to_owned(),
            kind,
            reader: BufReader::new(reader),
            failed: false,
        })
    }
}

impl Iterator for Rows {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let row = match read_line(&mut self.reader) {
            Ok(None) => return None,
            Ok(Some(line)) => self
                .kind
                .row(&line)
                .map_err(|reason| Error::damaged(&self.path, reason)),
            Err(error) => Err(Error::damaged(&self.path, error.to_string())),
        };
        self.failed = row.is_err();
        Some(row)
    }
}

/// A line without its end; too long a line and a missing end are errors.
pub(crate) fn read_line(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = ROW_BYTES_MAX as u64 + 1;
    let n = reader.by_ref().take(limit).read_until(b'\n', &mut line)?;
    if n == 0 {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(std::io::Error::other(
            "a row is cut off or longer than 32 MiB",
        ));
    }
    Ok(Some(line))
}

/// A segment opened through its index.
pub(crate) struct Segment {
    path: PathBuf,
    kind: Kind,
    /// Its blocks in order.
    pub(crate) blocks: Vec<Block>,
}

impl Segment {
    pub(crate) fn open(layout: &Layout, unit: &str) -> Result<Self, Error> {
        let blocks = read_index(&layout.index(unit))?;
        Ok(Self {
            path: layout.rows(unit),
            kind: Kind::of_unit(unit),
            blocks,
        })
    }

    /// Rows of one block, checked against its checksum.
    pub(crate) fn rows_of(&self, block: usize) -> Result<Vec<Row>, Error> {
        let mut file = File::open(&self.path).at(&self.path)?;
        block_rows(&mut file, &self.path, &self.blocks[block], self.kind)
    }
}

impl Block {
    /// False if no row of the block has `key` as conversation, stream, sender or member.
    pub(crate) fn may_hold(&self, key: &str) -> bool {
        Bloom::from_text(&self.bloom).is_none_or(|bloom| bloom.may_hold(key))
    }
}

fn read_index(path: &Path) -> Result<Vec<Block>, Error> {
    let mut reader = BufReader::new(File::open(path).at(path)?);
    let bad = |error: serde_json::Error| Error::damaged(path, error.to_string());
    let head = read_line(&mut reader)
        .at(path)?
        .ok_or_else(|| Error::damaged(path, "empty index"))?;
    if serde_json::from_slice::<IndexHead>(&head).map_err(bad)? != IndexHead::default() {
        return Err(Error::damaged(path, "an index of another version"));
    }
    let mut blocks = Vec::new();
    while let Some(line) = read_line(&mut reader).at(path)? {
        blocks.push(serde_json::from_slice(&line).map_err(bad)?);
    }
    Ok(blocks)
}

fn block_rows(file: &mut File, path: &Path, block: &Block, kind: Kind) -> Result<Vec<Row>, Error> {
    let length = usize::try_from(block.bytes).unwrap_or(usize::MAX);
    if length > 2 * ROW_BYTES_MAX {
        return Err(Error::damaged(path, "a block that cannot be that long"));
    }
    let mut member = vec![0; length];
    file.seek(SeekFrom::Start(block.offset)).at(path)?;
    file.read_exact(&mut member).at(path)?;
    if sha256_hex(&member) != block.sha256 {
        return Err(Error::damaged(
            path,
            format!("the block at byte {} has changed", block.offset),
        ));
    }
    let mut text = BufReader::new(MultiGzDecoder::new(member.as_slice()));
    let mut rows = Vec::new();
    while let Some(line) = read_line(&mut text).at(path)? {
        rows.push(
            kind.row(&line)
                .map_err(|reason| Error::damaged(path, reason))?,
        );
    }
    Ok(rows)
}

/// Every row of a damaged file that can still be trusted: the blocks whose checksum is right or, if
/// the index is gone as well, the rows before the damage.
///
/// Holds one unit in memory; it runs only where a disk has failed.
pub(crate) fn salvage(path: &Path, index: &Path, kind: Kind) -> Result<Vec<Row>, Error> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let Ok(blocks) = read_index(index) else {
        return Ok(Rows::open(path, kind)?.map_while(Result::ok).collect());
    };
    let mut file = File::open(path).at(path)?;
    let intact = blocks
        .iter()
        .filter_map(|block| block_rows(&mut file, path, block, kind).ok());
    Ok(intact.flatten().collect())
}

/// Rows of a unit being put together, in order or the error that ends it.
pub(crate) type RowStream<'a> = Box<dyn Iterator<Item = Result<Row, Error>> + Send + 'a>;

/// Merges two ordered streams; where both have a key, the row of `newer` is kept.
pub(crate) fn merged<'a>(older: RowStream<'a>, newer: RowStream<'a>) -> RowStream<'a> {
    Box::new(Merged {
        older: older.peekable(),
        newer: newer.peekable(),
    })
}

struct Merged<'a> {
    older: Peekable<RowStream<'a>>,
    newer: Peekable<RowStream<'a>>,
}

impl Iterator for Merged<'_> {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        use std::cmp::Ordering;
        let order = match (self.older.peek(), self.newer.peek()) {
            (Some(Ok(old)), Some(Ok(new))) => old.key().cmp(&new.key()),
            (Some(Err(_)), _) | (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        match order {
            Ordering::Less => self.older.next(),
            Ordering::Greater => self.newer.next(),
            Ordering::Equal => {
                self.older.next();
                self.newer.next()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(keys: &[(i64, &str, &str)]) -> RowStream<'static> {
        let rows: Vec<_> = keys
            .iter()
            .map(|&(time, id, line)| {
                Ok(Row {
                    time,
                    id: id.to_owned(),
                    line: line.as_bytes().to_vec(),
                })
            })
            .collect();
        Box::new(rows.into_iter())
    }

    #[test]
    fn a_merge_is_ordered_and_the_newer_row_wins() {
        let older = stream(&[(1, "a", "old"), (1, "b", "old"), (3, "a", "old")]);
        let newer = stream(&[(1, "b", "new"), (2, "z", "new"), (4, "a", "new")]);
        let rows: Vec<_> = merged(older, newer).map(Result::unwrap).collect();
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (row.time, row.id.as_str(), row.line.as_slice() == b"new"))
            .collect();
        assert_eq!(
            seen,
            [
                (1, "a", false),
                (1, "b", true),
                (2, "z", true),
                (3, "a", false),
                (4, "a", true)
            ]
        );
    }
}
