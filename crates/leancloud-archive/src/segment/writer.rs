//! Writes a segment: rows in, two files out, both complete or neither.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};

use super::bloom::Bloom;
use super::{BLOCK_BYTES, BLOCK_ROWS, Block, IndexHead, Unit};
use crate::digest::{Sum, sha256_file, sha256_hex};
use crate::error::{At as _, Error};
use crate::layout::{Layout, temporary};
use crate::rows::{Kind, Row};

/// A segment being written under temporary names.
pub(crate) struct Writer {
    unit: String,
    kind: Kind,
    rows: Output,
    index: Output,
    rows_sum: Sum,
    block: Pending,
    count: u64,
}

#[derive(Default)]
struct Pending {
    text: Vec<u8>,
    rows: u32,
    first: Option<(i64, String)>,
    last: (i64, String),
    bloom: Bloom,
}

struct Output {
    path: PathBuf,
    file: BufWriter<File>,
    sum: Sum,
}

impl Output {
    fn create(path: PathBuf) -> Result<Self, Error> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).at(parent)?;
        }
        let file = File::create(&path).at(&path)?;
        Ok(Self {
            path,
            file: BufWriter::new(file),
            sum: Sum::default(),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).at(&self.path)?;
        self.sum.write_all(bytes).at(&self.path)
    }

    fn finish(mut self) -> Result<(u64, String), Error> {
        self.file.flush().at(&self.path)?;
        self.file.get_ref().sync_all().at(&self.path)?;
        Ok((self.sum.bytes, self.sum.finish()))
    }
}

impl Writer {
    pub(crate) fn create(layout: &Layout, unit: &str) -> Result<Self, Error> {
        let mut index = Output::create(temporary(&layout.index(unit)))?;
        index.write(&json_line(&IndexHead::default()))?;
        Ok(Self {
            unit: unit.to_owned(),
            kind: Kind::of_unit(unit),
            rows: Output::create(temporary(&layout.rows(unit)))?,
            index,
            rows_sum: Sum::default(),
            block: Pending::default(),
            count: 0,
        })
    }

    /// Appends a row. Rows come in the order of their keys, each key once.
    pub(crate) fn push(&mut self, row: &Row) -> Result<(), Error> {
        let block = &mut self.block;
        block.text.extend_from_slice(&row.line);
        block.text.push(b'\n');
        block.rows += 1;
        let key = (row.time, row.id.clone());
        block.first.get_or_insert_with(|| key.clone());
        block.last = key;
        self.kind.lookups(&row.line, |key| block.bloom.insert(key));
        self.count += 1;
        if block.rows == BLOCK_ROWS || block.text.len() >= BLOCK_BYTES {
            self.end_block()?;
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), Error> {
        let Pending {
            text,
            rows,
            first,
            last,
            bloom,
        } = std::mem::take(&mut self.block);
        let Some(first) = first else { return Ok(()) };
        self.rows_sum.write_all(&text).at(&self.rows.path)?;
        // No name, no time, "unknown" system: nothing in the header varies.
        let mut gzip =
            GzBuilder::new().write(Vec::with_capacity(text.len() / 3), Compression::default());
        gzip.write_all(&text).at(&self.rows.path)?;
        let member = gzip.finish().at(&self.rows.path)?;
        let block = Block {
            offset: self.rows.sum.bytes,
            bytes: member.len() as u64,
            rows,
            first,
            last,
            sha256: sha256_hex(&member),
            bloom: bloom.to_text(),
        };
        self.rows.write(&member)?;
        self.index.write(&json_line(&block))
    }

    /// Ends the files and makes them durable, still under their temporary names.
    pub(crate) fn finish(mut self, through: i64) -> Result<Finished, Error> {
        self.end_block()?;
        let (bytes, sha256) = self.rows.finish()?;
        let (index_bytes, index_sha256) = self.index.finish()?;
        let unit = Unit {
            rows: self.count,
            through,
            bytes,
            sha256,
            rows_sha256: self.rows_sum.finish(),
            index_bytes,
            index_sha256,
        };
        Ok(Finished {
            name: self.unit,
            unit,
        })
    }
}

/// A segment that is complete and durable but not yet under its name. Its entry goes into the
/// journal first; after a crash [`Finished::recover`] ends what [`Finished::publish`] began.
pub(crate) struct Finished {
    /// Name of the unit.
    pub(crate) name: String,
    /// What the manifest will say.
    pub(crate) unit: Unit,
}

impl Finished {
    /// A unit without rows, which has no files.
    pub(crate) fn empty(name: &str, through: i64) -> Self {
        Self {
            name: name.to_owned(),
            unit: Unit {
                through,
                ..Unit::default()
            },
        }
    }

    /// Gives the files their names, or removes older ones if there is nothing in the unit.
    pub(crate) fn publish(&self, layout: &Layout) -> Result<(), Error> {
        for path in [layout.rows(&self.name), layout.index(&self.name)] {
            let fresh = temporary(&path);
            if self.unit.rows == 0 {
                remove(&fresh)?;
                remove(&path)?;
            } else {
                fs::rename(&fresh, &path).at(&path)?;
                sync_parent(&path)?;
            }
        }
        Ok(())
    }

    /// [`Finished::publish`] after a crash: files that have their names already are left alone, and
    /// temporary ones of a later attempt, which the journal does not know, are dropped.
    pub(crate) fn recover(&self, layout: &Layout) -> Result<(), Error> {
        if self.unit.rows == 0 {
            return self.publish(layout);
        }
        let files = [
            (layout.rows(&self.name), &self.unit.sha256),
            (layout.index(&self.name), &self.unit.index_sha256),
        ];
        for (path, expected) in files {
            let fresh = temporary(&path);
            match sha256_file(&fresh) {
                Ok((_, sum)) if sum == *expected => {
                    fs::rename(&fresh, &path).at(&path)?;
                    sync_parent(&path)?;
                }
                Ok(_) => remove(&fresh)?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).at(&fresh),
            }
        }
        Ok(())
    }
}

/// Removes a file; that it is not there is fine.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).at(path),
        _ => Ok(()),
    }
}

/// Makes a rename durable, where directories can be synced.
pub(crate) fn sync_parent(path: &Path) -> Result<(), Error> {
    if !cfg!(unix) {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new("."));
    File::open(parent).and_then(|dir| dir.sync_all()).at(parent)
}

fn json_line<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("plain structs always serialize");
    line.push(b'\n');
    line
}
