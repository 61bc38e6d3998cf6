//! Takes classes from LeanCloud's own exports.
//!
//! The console and `POST /1.1/exportData` give JSON Lines, one or more files a class, named
//! `<Class>.<n>.jsonl`, with a first line `#filetype:JSON-streaming {"type":"Class","class":"…"}`; the
//! backup export gives BSON for `mongorestore`, named `<Class>.bson`. Both may be compressed. Rows
//! are brought into the form the API gives, so that an archive does not tell where they came from.
//! An export is a state of the past: the class counts as read up to its newest `updatedAt`, and what
//! changed since is read from the API.

mod bson_file;
mod json_lines;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::archive::{Sorter, without_credentials, write};
use crate::civil::parse_iso;
use crate::error::{At as _, Error};
use crate::layout::{Layout, class_unit};
use crate::rows::{Kind, ObjectHead, Row};
use crate::segment::Finished;

/// How deep a directory of exports is looked into.
const DEPTH_MAX: usize = 4;
/// Two bytes that every gzip file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Files of exports by class, in the order of their names.
///
/// # Errors
/// If a path cannot be read or a file that was named is no export.
pub fn find(paths: &[PathBuf]) -> Result<BTreeMap<String, Vec<PathBuf>>, Error> {
    let mut classes: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        let named = !path.is_dir();
        let mut files = Vec::new();
        collect(path, 0, &mut files)?;
        for file in files {
            match class_of(&file) {
                Some(class) => classes.entry(class).or_default().push(file),
                None if named => {
                    return Err(Error::damaged(&file, "neither .jsonl nor .bson of a class"));
                }
                None => {}
            }
        }
    }
    classes.values_mut().for_each(|files| files.sort());
    Ok(classes)
}

fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    if depth < DEPTH_MAX {
        for entry in fs::read_dir(path).at(path)? {
            collect(&entry.at(path)?.path(), depth + 1, files)?;
        }
    }
    Ok(())
}

/// `_Conversation` of `_Conversation.0.jsonl.gz`.
fn class_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let name = name
        .strip_suffix(".jsonl")
        .or_else(|| name.strip_suffix(".bson"))?;
    let class = match name.rsplit_once('.') {
        Some((class, number)) if number.bytes().all(|b| b.is_ascii_digit()) => class,
        _ => name,
    };
    let fine = !class.is_empty()
        && class
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fine.then(|| class.to_owned())
}

/// Makes the unit of a class from its export files.
pub(crate) fn take_in(
    layout: &Layout,
    class: &str,
    files: &[PathBuf],
    keep_credentials: bool,
) -> Result<Finished, Error> {
    let unit = class_unit(class);
    let mut sorter = Sorter::new(layout, &unit);
    let mut through = 0;
    for file in files {
        each_row(file, |line| {
            let line = match class == "_User" && !keep_credentials {
                true => without_credentials(line),
                false => line.to_vec(),
            };
            let row = Kind::Objects
                .row(&line)
                .map_err(|reason| Error::damaged(file, reason))?;
            through = through.max(updated_at(&row));
            sorter.push(row)
        })?;
    }
    write(layout, &unit, sorter.finish()?, false, through)
}

fn updated_at(row: &Row) -> i64 {
    let head = serde_json::from_slice::<ObjectHead<'_>>(&row.line).ok();
    head.and_then(|head| parse_iso(&head.updated_at?))
        .unwrap_or(0)
}

fn each_row(path: &Path, row: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
    let mut file = BufReader::new(File::open(path).at(path)?);
    let packed = file.fill_buf().at(path)?.starts_with(&GZIP);
    let mut reader: Box<dyn BufRead> = match packed {
        true => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        false => Box::new(file),
    };
    let name = path.to_string_lossy();
    if name.trim_end_matches(".gz").ends_with(".bson") {
        bson_file::each_row(path, &mut reader, row)
    } else {
        json_lines::each_row(path, &mut reader.take(u64::MAX), row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_known_by_file_name() {
        for (name, class) in [
            ("_Conversation.0.jsonl", Some("_Conversation")),
            ("a/b/_User.12.jsonl.gz", Some("_User")),
            ("Todo.bson", Some("Todo")),
            ("_File.metadata.json", None),
            ("readme.txt", None),
            (".jsonl", None),
        ] {
            assert_eq!(class_of(Path::new(name)).as_deref(), class, "{name}");
        }
    }
}
