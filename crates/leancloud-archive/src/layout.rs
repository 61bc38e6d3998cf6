//! Names inside an archive directory. The format itself is described, and versioned, in
//! `docs/leancloud-archive-format.md`; change both together.

use std::path::{Path, PathBuf};

/// Value of `format` in a manifest.
pub const FORMAT: &str = "anser-leancloud-archive";
/// Version this code writes. Readers refuse what is newer.
pub const VERSION: u32 = 1;

/// Unit of conversation-level lists (blocks, silences, broadcasts).
pub(crate) const CONVERSATION_LISTS: &str = "lists/conversations";
/// Unit of the conversations each client has blocked.
pub(crate) const CLIENT_LISTS: &str = "lists/clients";
/// Unit that says what became of every file's bytes.
pub(crate) const FILE_INDEX: &str = "files/index";

/// Unit of a class.
pub(crate) fn class_unit(class: &str) -> String {
    format!("classes/{class}")
}

/// Unit of the messages of one UTC day (`2026-01-02`).
pub(crate) fn message_unit(day: &str) -> String {
    format!("messages/{day}")
}

/// Unit of a service conversation's subscribers.
pub(crate) fn subscriber_unit(conversation: &str) -> String {
    format!("subscribers/{}", file_name(conversation))
}

/// Where the bytes of a `_File` row are kept, relative to the archive.
pub(crate) fn blob_path(object_id: &str) -> String {
    let spread = crate::digest::sha256_hex(object_id.as_bytes());
    format!("files/{}/{}", &spread[..2], file_name(object_id))
}

/// An id as a file name that is safe everywhere and still readable: everything but ASCII letters,
/// digits, `_` and `-` becomes `%xx`.
fn file_name(id: &str) -> String {
    id.bytes().fold(String::new(), |mut name, byte| {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02x}"));
        }
        name
    })
}

/// An archive directory.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The archive at `root`; nothing is created.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Any file by its path relative to the archive.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Rows of a unit.
    pub(crate) fn rows(&self, unit: &str) -> PathBuf {
        self.root.join(format!("{unit}.jsonl.gz"))
    }

    /// Block index of a unit.
    pub(crate) fn index(&self, unit: &str) -> PathBuf {
        self.root.join(format!("{unit}.index.jsonl"))
    }

    /// The manifest.
    pub fn manifest(&self) -> PathBuf {
        self.root.join("manifest.json")
    }

    /// Second copy of the manifest, for when the first is damaged.
    pub(crate) fn manifest_copy(&self) -> PathBuf {
        self.root.join("manifest.copy.json")
    }

    /// Checksums of every file in the form that `sha256sum -c` reads.
    pub(crate) fn sums(&self) -> PathBuf {
        self.root.join("SHA256SUMS")
    }

    /// One line a run: when, how long, how many requests. Not part of what is compared or verified.
    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join("runs.jsonl")
    }

    /// State of an unfinished run.
    pub(crate) fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// Journal of an unfinished run.
    pub(crate) fn journal(&self) -> PathBuf {
        self.work().join("journal.jsonl")
    }

    /// Rows of a unit that is still being read.
    pub(crate) fn spool(&self, unit: &str) -> PathBuf {
        self.work()
            .join(format!("{}.spool", unit.replace('/', "@")))
    }
}

/// The name of a file while it is written; renamed when it is complete.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    suffixed(path, ".tmp")
}

/// The name of a damaged file until its replacement is complete.
pub(crate) fn damaged(path: &Path) -> PathBuf {
    suffixed(path, ".damaged")
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_cannot_leave_the_archive() {
        assert_eq!(
            subscriber_unit("5a5ecde6c3422b738c8779d7"),
            "subscribers/5a5ecde6c3422b738c8779d7"
        );
        assert_eq!(
            subscriber_unit("../../etc/x"),
            "subscribers/%2e%2e%2f%2e%2e%2fetc%2fx"
        );
        assert!(!blob_path("鸿/雁").contains("鸿"));
    }
}
