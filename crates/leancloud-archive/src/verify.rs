//! Checks an archive against its manifest: every checksum, every row, every file's bytes. Changes
//! nothing; what it finds, the next `archive` run repairs.

use std::io::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use crate::EXIT_INCOMPLETE;
use crate::archive::Stored;
use crate::cli::VerifyArgs;
use crate::digest::{Sum, sha256_file};
use crate::error::Error;
use crate::layout::{FILE_INDEX, Layout};
use crate::manifest::{Condition, Manifest, Remark, Totals, condition};
use crate::progress::{json, say};
use crate::rows::Kind;
use crate::segment::{Rows, Unit};

/// What a check found.
#[derive(Serialize)]
struct Report<'a> {
    sound: bool,
    complete: bool,
    units: usize,
    totals: &'a Totals,
    problems: Vec<Problem>,
    missing: &'a [Remark],
    lost: &'a [Remark],
}

#[derive(Serialize)]
struct Problem {
    what: String,
    problem: String,
}

/// Runs `verify`.
pub(crate) fn run(args: &VerifyArgs) -> Result<ExitCode, Error> {
    let layout = Layout::new(&args.archive);
    let mut problems = Problems(Vec::new());
    let manifest = match Manifest::load(&layout) {
        Ok(Some(manifest)) => manifest,
        Ok(None) if interrupted(&layout) => {
            return Err(Error::damaged(
                layout.root(),
                "the first run has not been finished; start it again",
            ));
        }
        Ok(None) => return Err(Error::damaged(layout.root(), "there is no archive")),
        Err(error) => return Err(error),
    };
    if interrupted(&layout) {
        problems.add(
            "journal",
            "a run was interrupted; start it again to finish it",
        );
    }
    copies(&layout, &mut problems);
    for (name, unit) in &manifest.units {
        one(&layout, name, unit, args.quick, &mut problems);
    }
    if manifest.units.contains_key(FILE_INDEX) {
        files(&layout, &mut problems)?;
    }
    let sound = problems.0.is_empty();
    let report = Report {
        sound,
        complete: manifest.is_complete(),
        units: manifest.units.len(),
        totals: &manifest.totals,
        problems: problems.0,
        missing: &manifest.missing,
        lost: &manifest.lost,
    };
    if args.json {
        say(&json(&report))
    } else {
        print(&report)
    }
    let fine = report.sound && report.complete;
    Ok(if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_INCOMPLETE)
    })
}

/// A run has begun and not ended.
fn interrupted(layout: &Layout) -> bool {
    std::fs::metadata(layout.journal()).is_ok_and(|journal| journal.len() > 0)
}

struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, what: &str, problem: impl Into<String>) {
        self.0.push(Problem {
            what: what.to_owned(),
            problem: problem.into(),
        });
    }
}

/// Both copies of the manifest must be there and listed in the checksums.
fn copies(layout: &Layout, problems: &mut Problems) {
    let sums = std::fs::read_to_string(layout.sums()).unwrap_or_default();
    for (name, path) in [
        ("manifest.json", layout.manifest()),
        ("manifest.copy.json", layout.manifest_copy()),
    ] {
        let listed =
            sha256_file(&path).is_ok_and(|(_, sum)| sums.contains(&format!("{sum}  {name}\n")));
        if !listed {
            problems.add(name, "missing, changed, or not as SHA256SUMS has it");
        }
    }
}

fn one(layout: &Layout, name: &str, unit: &Unit, quick: bool, problems: &mut Problems) {
    match condition(layout, name, unit) {
        Condition::RowsDamaged => problems.add(name, "the rows are missing, cut off, or changed"),
        Condition::IndexDamaged => problems.add(name, "the index is missing, cut off, or changed"),
        Condition::Sound if unit.rows > 0 && !quick => {
            if let Err(problem) = read_through(layout, name, unit) {
                problems.add(name, problem);
            }
        }
        Condition::Sound => {}
    }
}

/// Unpacks every row: the checksums say that the file is as it was written, this says that what was
/// written is what the manifest claims.
fn read_through(layout: &Layout, name: &str, unit: &Unit) -> Result<(), String> {
    let rows =
        Rows::open(&layout.rows(name), Kind::of_unit(name)).map_err(|error| error.to_string())?;
    let (mut count, mut sum) = (0, Sum::default());
    let mut last = None;
    for row in rows {
        let row = row.map_err(|error| error.to_string())?;
        sum.write_all(&row.line)
            .and_then(|()| sum.write_all(b"\n"))
            .map_err(|error| error.to_string())?;
        count += 1;
        let key = (row.time, row.id);
        if last.as_ref().is_some_and(|last| *last >= key) {
            return Err(format!("row {count} is out of order or twice"));
        }
        last = Some(key);
    }
    if count != unit.rows {
        return Err(format!("{count} rows where the manifest has {}", unit.rows));
    }
    let same = sum.finish() == unit.rows_sha256;
    same.then_some(())
        .ok_or_else(|| "the rows are not those the manifest was written for".to_owned())
}

/// Bytes of downloaded files.
fn files(layout: &Layout, problems: &mut Problems) -> Result<(), Error> {
    let path = layout.rows(FILE_INDEX);
    if !path.exists() {
        return Ok(());
    }
    // A damaged index has been reported already.
    for row in Rows::open(&path, Kind::Lists)?.map_while(Result::ok) {
        let Ok(stored) = serde_json::from_slice::<Stored>(&row.line) else {
            continue;
        };
        if let Some(path) = stored
            .path
            .as_ref()
            .filter(|_| !stored.is_there(layout, false))
        {
            problems.add(path, "the file is missing, cut off, or changed");
        }
    }
    Ok(())
}

fn print(report: &Report<'_>) {
    for Problem { what, problem } in &report.problems {
        say(&format!("DAMAGED {what}: {problem}"));
    }
    for (title, remarks) in [("missing", report.missing), ("lost", report.lost)] {
        for remark in remarks {
            say(&format!(
                "{title}: {} × {}: {}",
                remark.count, remark.what, remark.reason
            ));
        }
    }
    let totals = report.totals;
    say(&format!(
        "{} units: {} messages, {} objects, {} lists, {} subscribers, {} files",
        report.units,
        totals.messages,
        totals.objects,
        totals.lists,
        totals.subscribers,
        totals.files
    ));
    say(match (report.sound, report.complete) {
        (true, true) => "sound and complete",
        (true, false) => "sound, but NOT COMPLETE",
        (false, _) => "NOT SOUND: run `archive` again to repair it",
    });
}
