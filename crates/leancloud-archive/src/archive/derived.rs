//! One row for each of an ordered list of subjects, fetched several at a time, stored in order.
//!
//! The lists of conversations, of clients and the bytes of files all have this shape: the subjects
//! come from a class in the order of their ids; for each something is fetched; the results are
//! stored in that order, so the last id stored is where an interrupted run goes on, and the file is
//! the same however many were fetched at once. A row of the run before is kept unless the caller
//! wants it again.

use std::iter::Peekable;

use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::Run;
use super::classes::write_rows;
use crate::ambient;
use crate::error::Error;
use crate::progress::Progress;
use crate::rows::{Kind, Row};
use crate::segment::{RowStream, Rows, remove};
use crate::spool::{self, Spool};

/// Something to fetch for.
pub(crate) struct Subject<T> {
    pub(crate) id: String,
    pub(crate) what: T,
}

#[derive(Clone, Serialize, Deserialize)]
struct Mark {
    last: String,
    /// Whether anything was fetched so far; if nothing is in the end, the old file stays.
    fetched: bool,
}

enum Todo<T> {
    Keep(Row),
    Fetch(Subject<T>),
}

/// Makes or renews a unit. `keep` decides whether the row of the run before still holds; `fetch`
/// makes a new one (its errors are in the row, except those that end the run).
pub(crate) async fn renew<T, F>(
    run: &Run,
    unit: &str,
    parallel: usize,
    subjects: impl Iterator<Item = Result<Subject<T>, Error>> + Send,
    keep: impl Fn(&Row, &Subject<T>) -> bool + Send,
    fetch: impl Fn(Subject<T>) -> F,
) -> Result<(), Error>
where
    F: Future<Output = Result<Row, Error>>,
{
    if run.state().is_renewed(unit) {
        return Ok(());
    }
    let path = run.layout.spool(unit);
    let mut spool = Spool::<Mark>::open(&path)?;
    let mut mark = spool.cursor.clone().unwrap_or(Mark {
        last: String::new(),
        fetched: false,
    });
    let known = run.state().manifest.units.get(unit).cloned();
    let older: RowStream<'_> = match &known {
        Some(unit_known) if unit_known.rows > 0 => {
            Box::new(Rows::open(&run.layout.rows(unit), Kind::Lists)?)
        }
        _ => Box::new(std::iter::empty()),
    };
    let mut older = older.peekable();
    let resumed_after = mark.last.clone();
    let todo = subjects.filter_map(|subject| {
        let subject = match subject {
            Ok(subject) if subject.id <= resumed_after => return None,
            Ok(subject) => subject,
            Err(error) => return Some(Err(error)),
        };
        Some(match older_row(&mut older, &subject.id) {
            Some(Ok(row)) if keep(&row, &subject) => Ok(Todo::Keep(row)),
            Some(Err(error)) => Err(error),
            _ => Ok(Todo::Fetch(subject)),
        })
    });
    let results = stream::iter(todo).map(|todo| async {
        match todo? {
            Todo::Keep(row) => Ok((row, false)),
            Todo::Fetch(subject) => fetch(subject).await.map(|row| (row, true)),
        }
    });
    let mut results = std::pin::pin!(results.buffered(parallel));
    while let Some(result) = results.next().await {
        let (row, fetched) = result?;
        run.progress.doing(format!("{unit} {}", row.id));
        mark = Mark {
            last: row.id.clone(),
            fetched: mark.fetched || fetched,
        };
        spool.append(std::slice::from_ref(&row), &mark)?;
        Progress::add(&run.progress.rows, u64::from(fetched));
    }
    if !mark.fetched && known.is_some_and(|unit| unit.rows == spool.rows) {
        return remove(&path);
    }
    let (layout, name, through) = (run.layout.clone(), unit.to_owned(), run.plan.until);
    let finished = ambient::blocking(move || {
        let rows = spool::rows::<Mark>(&layout.spool(&name), Kind::Lists)?;
        write_rows(&layout, &name, rows, through)
    })
    .await?;
    run.state().finish(&finished)
}

/// The row of `id`, dropping rows of subjects that are gone.
fn older_row(older: &mut Peekable<RowStream<'_>>, id: &str) -> Option<Result<Row, Error>> {
    while older
        .next_if(|row| row.as_ref().is_ok_and(|row| row.id.as_str() < id))
        .is_some()
    {}
    older.next_if(|row| row.as_ref().map_or(true, |row| row.id == id))
}
