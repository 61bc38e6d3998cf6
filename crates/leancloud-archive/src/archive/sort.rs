//! Sorting by id with bounded memory: sorted chunks go to temporary files that are merged.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::PathBuf;

use crate::error::{At as _, Error};
use crate::layout::Layout;
use crate::rows::{Kind, Row};
use crate::segment::{RowStream, merged, read_line, remove};

/// Text of rows held in memory.
const CHUNK_BYTES: usize = 16 * 1024 * 1024;

/// Takes rows in any order and gives them back in order, each key once: the one pushed last.
pub(crate) struct Sorter {
    kind: Kind,
    /// Path of the chunk files without their number.
    base: PathBuf,
    rows: Vec<Row>,
    bytes: usize,
    limit: usize,
    files: Vec<PathBuf>,
}

impl Sorter {
    pub(crate) fn new(layout: &Layout, unit: &str) -> Self {
        Self::with_limit(layout, unit, CHUNK_BYTES)
    }

    fn with_limit(layout: &Layout, unit: &str, limit: usize) -> Self {
        let base = layout.spool(&format!("{unit}.sort"));
        Self {
            kind: Kind::of_unit(unit),
            base,
            rows: Vec::new(),
            bytes: 0,
            limit,
            files: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, row: Row) -> Result<(), Error> {
        self.bytes += row.line.len() + row.id.len() + size_of::<Row>();
        self.rows.push(row);
        if self.bytes >= self.limit {
            self.spill()?;
        }
        Ok(())
    }

    fn sort(&mut self) -> Vec<Row> {
        let mut rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        rows.reverse();
        rows.sort_by(|a, b| a.key().cmp(&b.key()));
        rows.dedup_by(|b, a| a.key() == b.key());
        rows
    }

    fn spill(&mut self) -> Result<(), Error> {
        let path = self.base.with_extension(self.files.len().to_string());
        let mut file = BufWriter::new(File::create(&path).at(&path)?);
        for row in self.sort() {
            file.write_all(&row.line)
                .and_then(|()| file.write_all(b"\n"))
                .at(&path)?;
        }
        file.flush().at(&path)?;
        self.files.push(path);
        Ok(())
    }

    /// The rows in order. The temporary files are removed as the stream is dropped.
    pub(crate) fn finish(mut self) -> Result<RowStream<'static>, Error> {
        let mut streams: Vec<RowStream<'_>> = Vec::new();
        for path in std::mem::take(&mut self.files) {
            streams.push(Box::new(Chunk::open(path, self.kind)?));
        }
        streams.push(Box::new(self.sort().into_iter().map(Ok)));
        // Neighbours first, so that the later chunk always is the newer one.
        while streams.len() > 1 {
            let mut halved = Vec::with_capacity(streams.len().div_ceil(2));
            let mut pairs = streams.into_iter();
            while let Some(older) = pairs.next() {
                halved.push(match pairs.next() {
                    Some(newer) => merged(older, newer),
                    None => older,
                });
            }
            streams = halved;
        }
        Ok(streams
            .pop()
            .unwrap_or_else(|| Box::new(std::iter::empty())))
    }
}

struct Chunk {
    path: PathBuf,
    kind: Kind,
    reader: BufReader<File>,
}

impl Chunk {
    fn open(path: PathBuf, kind: Kind) -> Result<Self, Error> {
        let file = File::open(&path).at(&path)?;
        Ok(Self {
            path,
            kind,
            reader: BufReader::new(file),
        })
    }
}

impl Iterator for Chunk {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match read_line(&mut self.reader) {
            Ok(line) => line?,
            Err(error) => return Some(Err(error).at(&self.path)),
        };
        Some(
            self.kind
                .row(&line)
                .map_err(|reason| Error::damaged(&self.path, reason)),
        )
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // Left behind, it would only take room: the work directory is removed at the end of a run.
        let _ = remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_chunks_come_back_in_order_with_the_last_version() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        std::fs::create_dir_all(layout.work()).unwrap();
        let mut sorter = Sorter::with_limit(&layout, "classes/A", 4096);
        for version in 0..3 {
            for i in 0..500 {
                let line = format!(r#"{{"objectId":"{:03}","v":{version}}}"#, i * 7919 % 500);
                sorter
                    .push(Kind::Objects.row(line.as_bytes()).unwrap())
                    .unwrap();
            }
        }
        assert!(sorter.files.len() > 10);
        let rows: Vec<Row> = sorter.finish().unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 500);
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(
                row.line,
                format!(r#"{{"objectId":"{i:03}","v":2}}"#).into_bytes()
            );
        }
        assert_eq!(std::fs::read_dir(layout.work()).unwrap().count(), 0);
    }
}
