//! The data directory: who may use it, and what is in it.
//!
//! ```text
//! lock      held by the one process that has the directory open
//! format    version of everything below, and the class of each space
//! log/      the unit log: what is synced first
//! lsm/      the LSM trees: where it goes from there
//! ```
//!
//! `format` is text, so that an operator can read it. It is replaced as a whole (write, sync,
//! rename, sync of the directory), never edited in place. It is written once the log has its first
//! segment; from then on a directory without a log is damaged, not new.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::address::{Space, SpaceClass};
use crate::{ErrorKind, StoreError};

/// Version of the stored format that this build reads and writes.
const FORMAT_VERSION: u32 = 1;

const FORMAT_TITLE: &str = "anser-store";

/// An open, locked data directory. The lock ends with the value.
pub(super) struct Directory {
    path: PathBuf,
    known: Option<BTreeMap<Space, SpaceClass>>,
    _lock: File,
}

impl Directory {
    /// Creates the directory if need be, locks it, and reads its format.
    pub(super) fn open(path: &Path) -> Result<Directory, StoreError> {
        fs::create_dir_all(path).map_err(|error| io_error("cannot create", path, &error))?;
        let lock = lock(&path.join("lock"))?;
        let format = path.join(FORMAT_FILE);
        let known = match fs::read_to_string(&format) {
            Ok(text) => Some(parse_format(&text).map_err(|why| {
                StoreError::new(ErrorKind::Corrupt, format!("{}: {why}", format.display()))
            })?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                refuse_foreign(path)?;
                None
            }
            Err(error) => return Err(io_error("cannot read", &format, &error)),
        };
        Ok(Directory {
            path: path.to_owned(),
            known,
            _lock: lock,
        })
    }

    /// Whether nothing was ever stored here.
    pub(super) fn is_new(&self) -> bool {
        self.known.is_none()
    }

    /// The classes of all spaces: those on record, and `asked`. They must agree.
    pub(super) fn classes(
        &self,
        asked: &[(Space, SpaceClass)],
    ) -> Result<BTreeMap<Space, SpaceClass>, StoreError> {
        merge_classes(self.known.clone().unwrap_or_default(), asked)
    }

    /// Puts the classes on record.
    pub(super) fn record(&self, classes: &BTreeMap<Space, SpaceClass>) -> Result<(), StoreError> {
        if self.known.as_ref() == Some(classes) {
            return Ok(());
        }
        replace_file(&self.path, FORMAT_FILE, format_text(classes).as_bytes())
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join(LOG_DIR)
    }

    pub(super) fn lsm(&self) -> PathBuf {
        self.path.join(LSM_DIR)
    }
}

const FORMAT_FILE: &str = "format";
const LOG_DIR: &str = "log";
const LSM_DIR: &str = "lsm";

fn lock(path: &Path) -> Result<File, StoreError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|error| io_error("cannot open", path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::new(
            ErrorKind::Unavailable,
            format!(
                "{} is held: another process has this data directory open; stop it, or use \
                 another directory",
                path.display()
            ),
        )),
        Err(TryLockError::Error(error)) => Err(io_error("cannot lock", path, &error)),
    }
}

/// A directory without a format file may hold what a first opening left behind, and nothing else:
/// it may be someone's home.
fn refuse_foreign(path: &Path) -> Result<(), StoreError> {
    let entries = fs::read_dir(path).map_err(|error| io_error("cannot list", path, &error))?;
    for entry in entries {
        let name = entry
            .map_err(|error| io_error("cannot list", path, &error))?
            .file_name();
        if !["lock", LOG_DIR, "format.new"]
            .iter()
            .any(|ours| name == *ours)
        {
            return Err(StoreError::new(
                ErrorKind::Invalid,
                format!(
                    "{} has no `format` file but holds {}: not a data directory of ours; use an \
                     empty directory",
                    path.display(),
                    name.display()
                ),
            ));
        }
    }
    Ok(())
}

fn merge_classes(
    known: BTreeMap<Space, SpaceClass>,
    asked: &[(Space, SpaceClass)],
) -> Result<BTreeMap<Space, SpaceClass>, StoreError> {
    let mut merged = known;
    for &(space, class) in asked {
        if let Some(before) = merged.insert(space, class)
            && before != class
        {
            return Err(StoreError::new(
                ErrorKind::Invalid,
                format!(
                    "space {} is stored as {before:?} and was asked for as {class:?}; the class \
                     of a space is fixed once it has been stored",
                    space.0
                ),
            ));
        }
    }
    Ok(merged)
}

fn format_text(classes: &BTreeMap<Space, SpaceClass>) -> String {
    let spaces: String = classes
        .iter()
        .map(|(space, class)| format!("space {} {}\n", space.0, class_name(*class)))
        .collect();
    format!("{FORMAT_TITLE} {FORMAT_VERSION}\n{spaces}")
}

fn parse_format(text: &str) -> Result<BTreeMap<Space, SpaceClass>, String> {
    let mut lines = text.lines();
    let version = lines
        .next()
        .and_then(|line| line.strip_prefix(FORMAT_TITLE))
        .and_then(|rest| rest.trim().parse::<u32>().ok())
        .ok_or("the first line is not `anser-store <version>`")?;
    if version != FORMAT_VERSION {
        return Err(format!(
            "format version {version}, this build knows {FORMAT_VERSION}; use a build that knows it"
        ));
    }
    lines.map(parse_space).collect()
}

fn parse_space(line: &str) -> Result<(Space, SpaceClass), String> {
    let mut words = line.split(' ');
    let (Some("space"), Some(space), Some(class), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(format!("line {line:?} is not `space <number> <class>`"));
    };
    let space = space
        .parse::<u8>()
        .map_err(|_| format!("{space:?} is not a space number"))?;
    let class = [SpaceClass::Small, SpaceClass::Log]
        .into_iter()
        .find(|known| class_name(*known) == class)
        .ok_or(format!("{class:?} is not a class"))?;
    Ok((Space(space), class))
}

fn class_name(class: SpaceClass) -> &'static str {
    match class {
        SpaceClass::Small => "small",
        SpaceClass::Log => "log",
    }
}

/// Replaces a file so that a crash leaves the old one or the new one.
fn replace_file(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let target = dir.join(name);
    let draft = dir.join(format!("{name}.new"));
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, &target)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|error| io_error("cannot write", &target, &error))
}

/// An I/O error on a file of ours: temporary as far as we can tell.
pub(super) fn io_error(what: &str, path: &Path, error: &std::io::Error) -> StoreError {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        _ => ErrorKind::Unavailable,
    };
    StoreError::new(kind, format!("{what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_survives_a_round_trip() {
        let classes =
            BTreeMap::from([(Space(0), SpaceClass::Small), (Space(255), SpaceClass::Log)]);
        assert_eq!(parse_format(&format_text(&classes)), Ok(classes));
    }

    #[test]
    fn strange_formats_are_refused_with_a_reason() {
        for (text, reason) in [
            ("", "first line"),
            ("anser-store 2\n", "format version 2"),
            ("anser-store x\n", "first line"),
            ("anser-store 1\nspace 256 log\n", "space number"),
            ("anser-store 1\nspace 1 heap\n", "class"),
            ("anser-store 1\nspace 1\n", "space <number>"),
        ] {
            let error = parse_format(text).unwrap_err();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
