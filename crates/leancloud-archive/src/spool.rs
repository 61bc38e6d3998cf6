//! Rows of a unit that is still being read, in the order they came, with the place to go on from.
//!
//! One record a page: a head line with sizes, checksum and cursor, then the rows. A page is appended
//! with a single write and not synced: a killed process loses nothing that was written, and after a
//! power cut the checksum tells where the last whole record ends; reading goes on from there. What
//! the manifest relies on is synced when the unit is finished.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::sha256_hex;
use crate::error::{At as _, Error};
use crate::rows::{Kind, Row};
use crate::segment::read_line;

/// Largest record that is read back: a page of 1,000 rows of 64 KB.
const RECORD_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Longest head line.
const HEAD_BYTES_MAX: u64 = 64 * 1024;

#[derive(Serialize, Deserialize)]
struct Head<C> {
    rows: u64,
    bytes: u64,
    sha256: String,
    cursor: C,
}

/// A spool open for appending.
pub(crate) struct Spool<C> {
    path: PathBuf,
    file: File,
    /// Where reading goes on; `None` before the first page.
    pub(crate) cursor: Option<C>,
    /// Rows in it, repeated ones included.
    pub(crate) rows: u64,
}

impl<C: Serialize + DeserializeOwned + Clone> Spool<C> {
    /// Opens or creates the spool at `path` and drops a torn record at its end.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).at(parent)?;
        }
        let options = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path);
        let file = options.at(path)?;
        let mut reader = BufReader::new(&file);
        let (mut whole, mut rows, mut cursor) = (0, 0, None);
        while let Some((head, length, _)) = record::<C>(&mut reader) {
            whole += length;
            rows += head.rows;
            cursor = Some(head.cursor);
        }
        file.set_len(whole).at(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            cursor,
            rows,
        })
    }

    /// Appends a page and the place to go on from after it.
    pub(crate) fn append(&mut self, rows: &[Row], cursor: &C) -> Result<(), Error> {
        let mut text = Vec::with_capacity(rows.iter().map(|row| row.line.len() + 1).sum());
        for row in rows {
            text.extend_from_slice(&row.line);
            text.push(b'\n');
        }
        let head = Head {
            rows: rows.len() as u64,
            bytes: text.len() as u64,
            sha256: sha256_hex(&text),
            cursor: cursor.clone(),
        };
        let mut record = serde_json::to_vec(&head).expect("cursors are plain structs");
        record.push(b'\n');
        record.append(&mut text);
        self.file.write_all(&record).at(&self.path)?;
        self.rows += rows.len() as u64;
        self.cursor = Some(cursor.clone());
        Ok(())
    }
}

/// The next whole record: head, length on disk, rows. `None` at the end or at a torn record.
fn record<C: DeserializeOwned>(reader: &mut impl BufRead) -> Option<(Head<C>, u64, Vec<u8>)> {
    let mut line = Vec::new();
    reader
        .by_ref()
        .take(HEAD_BYTES_MAX)
        .read_until(b'\n', &mut line)
        .ok()?;
    let head: Head<C> = serde_json::from_slice(line.strip_suffix(b"\n")?).ok()?;
    if head.bytes > RECORD_BYTES_MAX {
        return None;
    }
    let mut text = Vec::new();
    reader
        .by_ref()
        .take(head.bytes)
        .read_to_end(&mut text)
        .ok()?;
    let whole = text.len() as u64 == head.bytes && sha256_hex(&text) == head.sha256;
    let length = line.len() as u64 + head.bytes;
    whole.then_some((head, length, text))
}

/// All rows of a spool in the order they came; nothing if there is no spool.
pub(crate) fn rows<C: DeserializeOwned + Send + 'static>(
    path: &Path,
    kind: Kind,
) -> Result<impl Iterator<Item = Result<Row, Error>> + Send + use<C>, Error> {
    let mut reader = match File::open(path) {
        Ok(file) => Some(BufReader::new(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).at(path),
    };
    let path = path.to_owned();
    let records =
        std::iter::from_fn(move || record::<C>(reader.as_mut()?).map(|(_, _, text)| text));
    Ok(records.flat_map(move |text| {
        let mut reader = BufReader::new(std::io::Cursor::new(text));
        let path = path.clone();
        std::iter::from_fn(move || {
            let line = read_line(&mut reader).ok()??;
            Some(
                kind.row(&line)
                    .map_err(|reason| Error::damaged(&path, reason)),
            )
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(i: i64) -> Row {
        let line = format!(r#"{{"timestamp":{i},"msg-id":"m{i}"}}"#);
        Kind::Messages.row(line.as_bytes()).unwrap()
    }

    #[test]
    fn goes_on_after_the_last_whole_page_wherever_it_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.spool");
        let mut spool = Spool::open(&path).unwrap();
        spool.append(&[row(1), row(2)], &"two".to_owned()).unwrap();
        let one_page = fs::metadata(&path).unwrap().len();
        spool.append(&[row(3)], &"three".to_owned()).unwrap();
        let whole = fs::read(&path).unwrap();

        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let spool: Spool<String> = Spool::open(&path).unwrap();
            let expected = match cut as u64 {
                n if n < one_page => (None, 0),
                n if n < whole.len() as u64 => (Some("two".to_owned()), 2),
                _ => (Some("three".to_owned()), 3),
            };
            assert_eq!((spool.cursor.clone(), spool.rows), expected, "cut at {cut}");
            assert_eq!(
                rows::<String>(&path, Kind::Messages).unwrap().count() as u64,
                spool.rows
            );
        }
    }
}
