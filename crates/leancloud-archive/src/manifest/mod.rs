//! What an archive holds and what it lacks, and how that survives an interrupted run.
//!
//! The manifest is written last and twice; `SHA256SUMS` has the checksum of both copies. During a
//! run, finished units are in the [`journal`](State); a unit is entered there when its files are
//! durable under temporary names, then gets its name. Whatever the moment of a crash, opening the
//! archive again finds either the old unit or the new one, whole.

mod state;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub(crate) use state::{Plan, State};

use crate::digest::{sha256_file, sha256_hex};
use crate::error::{At as _, Error};
use crate::layout::{FORMAT, Layout, VERSION, temporary};
use crate::segment::{Unit, sync_parent};

/// The content of `manifest.json`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Manifest {
    /// Always [`FORMAT`].
    pub format: String,
    /// Version of the format.
    pub version: u32,
    /// The application; an archive holds one.
    pub app_id: String,
    /// Messages with a time before this one (source's clock, milliseconds) are in the archive.
    pub messages_until: Option<i64>,
    /// Time of the oldest message that the source had when it was first asked.
    pub messages_from: Option<i64>,
    /// The messages were read conversation by conversation, so temporary conversations are not in.
    pub messages_by_conversation: bool,
    /// Rows by kind.
    pub totals: Totals,
    /// Every unit by name.
    pub units: BTreeMap<String, Unit>,
    /// What should be here and is not. Not empty: the archive is incomplete.
    pub missing: Vec<Remark>,
    /// What was here once, was damaged, and can no longer be had. Kept for good.
    pub lost: Vec<Remark>,
    /// What the source does not have or was not asked for.
    pub notes: Vec<Remark>,
}

/// Rows by kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Totals {
    /// Messages.
    pub messages: u64,
    /// Objects of all classes.
    pub objects: u64,
    /// Subscriptions of service conversations.
    pub subscribers: u64,
    /// Conversations and clients whose lists were read.
    pub lists: u64,
    /// Files that were to be downloaded.
    pub files: u64,
}

/// Something that is not in the archive, and why.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// A unit, a class, or a kind of list.
    pub what: String,
    /// Why, in words.
    pub reason: String,
    /// How many items it concerns; 1 where the thing is one.
    pub count: u64,
}

impl Manifest {
    /// The manifest of an archive that holds nothing yet.
    pub(crate) fn empty(app_id: &str) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            app_id: app_id.to_owned(),
            messages_until: None,
            messages_from: None,
            messages_by_conversation: false,
            totals: Totals::default(),
            units: BTreeMap::new(),
            missing: Vec::new(),
            lost: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Whether everything that was asked for and exists is here.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.lost.is_empty()
    }

    /// Reads the manifest of an archive; `None` if there never was one.
    ///
    /// # Errors
    /// If both copies are damaged, or the format is newer than this code.
    pub fn load(layout: &Layout) -> Result<Option<Self>, Error> {
        let (path, copy) = (layout.manifest(), layout.manifest_copy());
        let candidates: Vec<Vec<u8>> = [&path, &copy]
            .iter()
            .filter_map(|path| fs::read(path).ok())
            .collect();
        if candidates.is_empty() {
            return Ok(None);
        }
        let sums = fs::read_to_string(layout.sums()).unwrap_or_default();
        let listed = |text: &Vec<u8>| sums.contains(&sha256_hex(text));
        // Both copies equal but not listed: the run ended between the manifest and the checksums.
        let twice = candidates.len() == 2 && candidates[0] == candidates[1];
        let sound = candidates
            .iter()
            .find(|text| listed(text))
            .or(candidates.first().filter(|_| twice));
        let text = sound
            .ok_or_else(|| Error::damaged(&path, "both copies of the manifest are damaged"))?;
        let manifest: Self = serde_json::from_slice(text)
            .map_err(|error| Error::damaged(&path, error.to_string()))?;
        if manifest.format != FORMAT || manifest.version > VERSION {
            return Err(Error::damaged(
                &path,
                "written by a newer version of this program",
            ));
        }
        Ok(Some(manifest))
    }

    /// Counts rows by kind.
    pub(crate) fn count(&mut self) {
        let sum = |prefix: &str| {
            let of_kind = self
                .units
                .iter()
                .filter(|(name, _)| name.starts_with(prefix));
            of_kind.map(|(_, unit)| unit.rows).sum()
        };
        self.totals = Totals {
            messages: sum("messages/"),
            objects: sum("classes/"),
            subscribers: sum("subscribers/"),
            lists: sum("lists/"),
            files: sum("files/"),
        };
    }

    /// Writes both copies and the list of checksums.
    pub(crate) fn save(&self, layout: &Layout) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(self).expect("plain structs always serialize");
        text.push(b'\n');
        replace(&layout.manifest_copy(), &text)?;
        replace(&layout.manifest(), &text)?;
        let mut sums = String::new();
        for (name, unit) in self.units.iter().filter(|(_, unit)| unit.rows > 0) {
            sums.push_str(&format!("{}  {name}.index.jsonl\n", unit.index_sha256));
            sums.push_str(&format!("{}  {name}.jsonl.gz\n", unit.sha256));
        }
        let own = sha256_hex(&text);
        sums.push_str(&format!(
            "{own}  manifest.copy.json\n{own}  manifest.json\n"
        ));
        replace(&layout.sums(), sums.as_bytes())
    }
}

/// What is wrong with a unit's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Sound,
    /// The rows are right, the index is not: it can be made again from the rows.
    IndexDamaged,
    RowsDamaged,
}

/// Compares a unit's files with the manifest; reads both whole.
pub(crate) fn condition(layout: &Layout, name: &str, unit: &Unit) -> Condition {
    let matches = |path: &Path, bytes: u64, sha256: &str| {
        sha256_file(path).is_ok_and(|(length, sum)| length == bytes && sum == sha256)
    };
    if unit.rows == 0 {
        Condition::Sound
    } else if !matches(&layout.rows(name), unit.bytes, &unit.sha256) {
        Condition::RowsDamaged
    } else if !matches(&layout.index(name), unit.index_bytes, &unit.index_sha256) {
        Condition::IndexDamaged
    } else {
        Condition::Sound
    }
}

/// Replaces a file by way of a temporary name, durably.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let fresh = temporary(path);
    let written = File::create(&fresh).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.at(&fresh)?;
    fs::rename(&fresh, path).at(path)?;
    sync_parent(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_damaged_copy_does_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        assert_eq!(Manifest::load(&layout).unwrap(), None);
        let mut manifest = Manifest::empty("app");
        manifest.messages_until = Some(7_654_321);
        manifest.save(&layout).unwrap();

        let text = fs::read_to_string(layout.manifest()).unwrap();
        let wrong = text.replace("7654321", "7654320");
        assert_ne!(text, wrong);
        for (path, other) in [
            (layout.manifest(), layout.manifest_copy()),
            (layout.manifest_copy(), layout.manifest()),
        ] {
            fs::write(&path, &wrong).unwrap();
            assert_eq!(Manifest::load(&layout).unwrap(), Some(manifest.clone()));
            fs::write(&other, "also gone").unwrap();
            assert!(Manifest::load(&layout).is_err());
            manifest.save(&layout).unwrap();
        }
        fs::remove_file(layout.sums()).unwrap();
        assert_eq!(Manifest::load(&layout).unwrap(), Some(manifest));
    }

    #[test]
    fn a_newer_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let manifest = Manifest {
            version: VERSION + 1,
            ..Manifest::empty("app")
        };
        manifest.save(&layout).unwrap();
        assert!(Manifest::load(&layout).is_err());
    }
}
