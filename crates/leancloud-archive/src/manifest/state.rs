//! An archive opened for writing: manifest, journal, lock, damage found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Condition, Manifest, Remark, condition};
use crate::digest::sha256_hex;
use crate::error::{At as _, Error};
use crate::layout::{Layout, damaged};
use crate::rows::Kind;
use crate::segment::{Finished, Rows, Unit, Writer, remove};

/// What a run set out to do; an interrupted run keeps it, so that its result does not depend on when
/// it was started again.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Messages up to here, excluded (source's clock, milliseconds).
    pub(crate) until: i64,
    /// Units whose content this run reads again although it was complete.
    pub(crate) again: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Entry {
    Plan(Plan),
    Done { name: String, unit: Unit },
}

/// An archive opened for writing. One process at a time: dropping it unlocks.
pub(crate) struct State {
    /// Where everything is.
    pub(crate) layout: Layout,
    /// As the manifest will be.
    pub(crate) manifest: Manifest,
    /// Units that were in the manifest and are damaged, with what was there.
    pub(crate) damaged: BTreeMap<String, Unit>,
    /// The plan of the interrupted run that this one continues.
    pub(crate) plan: Option<Plan>,
    /// Units finished since the plan was made, by this process or an interrupted one.
    renewed: BTreeSet<String>,
    /// Rows of every unit in the last complete manifest.
    before: BTreeMap<String, u64>,
    journal: File,
    _lock: File,
}

impl State {
    /// Opens or creates the archive of an application, takes in the journal of an interrupted run,
    /// and looks for damage (`trust` skips reading the files for that).
    pub(crate) fn open(layout: &Layout, app_id: &str, trust: bool) -> Result<Self, Error> {
        let root = layout.root();
        fs::create_dir_all(layout.work()).at(root)?;
        let lock = lock(&layout.path(".lock"))?;
        let manifest = Manifest::load(layout)?.unwrap_or_else(|| Manifest::empty(app_id));
        if manifest.app_id != app_id {
            let reason = format!("this is the archive of application {}", manifest.app_id);
            return Err(Error::damaged(root, reason));
        }
        let path = layout.journal();
        let before = manifest
            .units
            .iter()
            .map(|(name, unit)| (name.clone(), unit.rows))
            .collect();
        let (plan, done) = read_journal(&path)?;
        let journal = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .at(&path)?;
        let mut state = Self {
            layout: layout.clone(),
            manifest,
            damaged: BTreeMap::new(),
            plan,
            renewed: BTreeSet::new(),
            before,
            journal,
            _lock: lock,
        };
        for finished in done {
            finished.recover(layout)?;
            remove(&layout.spool(&finished.name))?;
            state.renewed.insert(finished.name.clone());
            state.manifest.units.insert(finished.name, finished.unit);
        }
        if !trust {
            state.inspect()?;
        }
        Ok(state)
    }

    /// Takes damaged units out of the manifest, so that they are read again. What is left of them
    /// stays beside until the replacement is complete.
    fn inspect(&mut self) -> Result<(), Error> {
        for (name, unit) in self.manifest.units.clone() {
            match condition(&self.layout, &name, &unit) {
                Condition::Sound => {}
                Condition::IndexDamaged => self.rebuild_index(&name, unit.through)?,
                Condition::RowsDamaged => {
                    for path in [self.layout.rows(&name), self.layout.index(&name)] {
                        if path.exists() {
                            fs::rename(&path, damaged(&path)).at(&path)?;
                        }
                    }
                    self.manifest.units.remove(&name);
                    self.damaged.insert(name, unit);
                }
            }
        }
        Ok(())
    }

    fn rebuild_index(&mut self, name: &str, through: i64) -> Result<(), Error> {
        let mut writer = Writer::create(&self.layout, name)?;
        for row in Rows::open(&self.layout.rows(name), Kind::of_unit(name))? {
            writer.push(&row?)?;
        }
        self.finish(&writer.finish(through)?)
    }

    /// Whether a unit is finished as far as the current plan is concerned, even if it was to be read
    /// again.
    pub(crate) fn is_renewed(&self, name: &str) -> bool {
        self.renewed.contains(name)
    }

    /// Whether any unit with rows whose name begins so was finished since the plan was made, be it by
    /// an interrupted process.
    pub(crate) fn has_renewed(&self, prefix: &str) -> bool {
        let units = &self.manifest.units;
        let holds_rows = |name: &String| units.get(name).is_some_and(|unit| unit.rows > 0);
        self.renewed
            .iter()
            .any(|name| name.starts_with(prefix) && holds_rows(name))
    }

    /// Begins a run.
    pub(crate) fn begin(&mut self, plan: &Plan) -> Result<(), Error> {
        self.plan = Some(plan.clone());
        self.enter(&Entry::Plan(plan.clone()))
    }

    /// Makes a finished unit part of the archive and forgets its spool.
    pub(crate) fn finish(&mut self, finished: &Finished) -> Result<(), Error> {
        let (name, unit) = (finished.name.clone(), finished.unit.clone());
        self.enter(&Entry::Done {
            name: name.clone(),
            unit: unit.clone(),
        })?;
        finished.publish(&self.layout)?;
        remove(&self.layout.spool(&name))?;
        if self.plan.is_some() {
            self.renewed.insert(name.clone());
        }
        self.manifest.units.insert(name, unit);
        Ok(())
    }

    /// Messages that an earlier run had and this one, after damage, could neither save nor read again.
    /// A day that was asked to be read again follows the source and loses nothing.
    fn lost(&self) -> Vec<Remark> {
        let again = self
            .plan
            .as_ref()
            .map(|plan| plan.again.as_slice())
            .unwrap_or_default();
        let fewer = self.manifest.units.iter().filter_map(|(name, unit)| {
            let gone = self
                .before
                .get(name)?
                .checked_sub(unit.rows)
                .filter(|&gone| gone > 0)?;
            (name.starts_with("messages/") && !again.contains(name)).then(|| Remark {
                what: name.clone(),
                reason: "damaged here and no longer at the source".to_owned(),
                count: gone,
            })
        });
        fewer.collect()
    }

    fn enter(&mut self, entry: &Entry) -> Result<(), Error> {
        let text = serde_json::to_string(entry).expect("plain structs always serialize");
        let line = format!("{} {text}\n", &sha256_hex(text.as_bytes())[..16]);
        let path = self.layout.journal();
        self.journal.write_all(line.as_bytes()).at(&path)?;
        self.journal.sync_data().at(&path)
    }

    /// Ends a run: the manifest is written, the journal is no longer needed. Spools of units that
    /// could not be finished stay for the next run.
    pub(crate) fn complete(
        &mut self,
        mut missing: Vec<Remark>,
        mut notes: Vec<Remark>,
    ) -> Result<(), Error> {
        missing.sort();
        notes.sort();
        for name in self.manifest.units.keys() {
            for path in [self.layout.rows(name), self.layout.index(name)] {
                remove(&damaged(&path))?;
            }
        }
        let lost = self.lost();
        self.manifest.lost.extend(lost);
        self.manifest.missing = missing;
        self.manifest.notes = notes;
        self.manifest.count();
        self.manifest.save(&self.layout)?;
        remove(&self.layout.journal())?;
        if self.manifest.is_complete() {
            fs::remove_dir_all(self.layout.work()).at(&self.layout.work())?;
        }
        Ok(())
    }
}

fn lock(path: &Path) -> Result<File, Error> {
    let file = File::create(path).at(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::damaged(
            path,
            "another process is writing this archive",
        )),
        Err(TryLockError::Error(error)) => Err(error).at(path),
    }
}

/// Plan and finished units of an interrupted run. A line cut off by the interruption ends it.
fn read_journal(path: &Path) -> Result<(Option<Plan>, Vec<Finished>), Error> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).at(path),
    };
    let (mut plan, mut done, mut whole) = (None, Vec::new(), 0);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        match entry(line) {
            Some(Entry::Plan(found)) => {
                plan = Some(found);
            }
            Some(Entry::Done { name, unit }) => done.push(Finished { name, unit }),
            None => break,
        }
        whole += line.len() as u64;
    }
    if whole < text.len() as u64 {
        // What follows would otherwise be appended to half a line.
        OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|file| file.set_len(whole))
            .at(path)?;
    }
    // Only the last entry of a unit counts; only its files may still have temporary names.
    let mut last = BTreeMap::new();
    for finished in done {
        last.insert(finished.name.clone(), finished);
    }
    Ok((plan, last.into_values().collect()))
}

fn entry(line: &[u8]) -> Option<Entry> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (sum, text) = line.split_once(' ')?;
    (sha256_hex(text.as_bytes()).get(..16)? == sum).then(|| serde_json::from_str(text).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(layout: &Layout, name: &str, ids: &[&str]) -> Finished {
        let mut writer = Writer::create(layout, name).unwrap();
        for id in ids {
            let line = format!(r#"{{"objectId":"{id}"}}"#);
            writer
                .push(&Kind::Objects.row(line.as_bytes()).unwrap())
                .unwrap();
        }
        writer.finish(1).unwrap()
    }

    #[test]
    fn a_unit_is_old_or_new_whatever_the_moment_of_the_crash() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let mut state = State::open(&layout, "app", false).unwrap();
        state.finish(&write(&layout, "classes/A", &["1"])).unwrap();
        state.complete(Vec::new(), Vec::new()).unwrap();
        drop(state);

        // Crash before the journal entry: the old unit.
        write(&layout, "classes/A", &["1", "2"]);
        let mut state = State::open(&layout, "app", false).unwrap();
        assert_eq!(state.manifest.units["classes/A"].rows, 1);
        // Crash between the journal entry and the names: the new one.
        let finished = write(&layout, "classes/A", &["1", "2", "3"]);
        let entry = Entry::Done {
            name: finished.name.clone(),
            unit: finished.unit.clone(),
        };
        state.enter(&entry).unwrap();
        drop(state);
        let state = State::open(&layout, "app", false).unwrap();
        assert_eq!(state.manifest.units["classes/A"].rows, 3);
        assert!(state.damaged.is_empty());
    }

    #[test]
    fn a_torn_journal_line_is_dropped_and_a_second_process_refused() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let mut state = State::open(&layout, "app", false).unwrap();
        let plan = Plan {
            until: 5,
            again: Vec::new(),
        };
        state.begin(&plan).unwrap();
        assert!(State::open(&layout, "app", false).is_err());
        state
            .journal
            .write_all(b"0123456789abcdef {\"done\":{\"na")
            .unwrap();
        drop(state);
        let state = State::open(&layout, "app", false).unwrap();
        assert_eq!(state.plan, Some(plan));
        assert!(fs::read(layout.journal()).unwrap().ends_with(b"\n"));
    }
}
