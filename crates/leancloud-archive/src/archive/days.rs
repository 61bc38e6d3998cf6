//! Days of messages: which are to be read, and how one becomes a segment.
//!
//! A segment is made from what came in this run and what there was before: the first hours of the
//! day, the intact blocks of a damaged file, or nothing. The merge drops what is there twice, so it
//! may be repeated after a crash.

use std::collections::VecDeque;
use std::iter::Peekable;

use super::Run;
use super::classes::write_rows;
use crate::civil::{DAY_MS, day_name, day_of, day_start};
use crate::error::Error;
use crate::layout::{Layout, damaged, message_unit};
use crate::rows::{Kind, Row};
use crate::segment::{Finished, RowStream, Rows, merged, salvage};

/// The part of a day that is not in the archive yet: `from <= time < to`.
pub(crate) struct Unread {
    pub(crate) unit: String,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// What is to be read between a time and the plan's end, day by day.
pub(crate) fn unread(run: &Run, from: i64) -> Vec<Unread> {
    let state = run.state();
    let days = day_of(from)..=day_of(run.plan.until - 1);
    let unread = days.filter_map(|number| {
        let unit = message_unit(&day_name(number));
        let again = run.plan.again.contains(&unit) || state.manifest.messages_by_conversation;
        let there = state.manifest.units.get(&unit).map(|unit| unit.through);
        let there = there.filter(|_| !again || state.is_renewed(&unit));
        let from = there.unwrap_or_else(|| day_start(number));
        let to = (day_start(number) + DAY_MS).min(run.plan.until);
        (from < to).then_some(Unread { unit, from, to })
    });
    unread.collect()
}

/// What there was of a day before.
pub(crate) enum Older {
    Nothing,
    /// Some of its messages.
    Segment,
    /// A damaged file, of which some blocks may be good.
    Damaged,
}

/// What there is of a day. One that is to be read again follows the source alone.
pub(crate) fn older(run: &Run, unit: &str) -> Older {
    let state = run.state();
    let known = state
        .manifest
        .units
        .get(unit)
        .is_some_and(|unit| unit.rows > 0);
    if run.plan.again.iter().any(|again| again == unit) {
        Older::Nothing
    } else if known {
        Older::Segment
    } else if damaged(&run.layout.rows(unit)).exists() {
        Older::Damaged
    } else {
        Older::Nothing
    }
}

/// Writes the segment of a day from what came and what there was before.
pub(crate) fn close(
    layout: &Layout,
    unit: &str,
    through: i64,
    older: Older,
    newer: RowStream<'_>,
) -> Result<Finished, Error> {
    let path = layout.rows(unit);
    let rows = match older {
        Older::Nothing => newer,
        Older::Segment => merged(Box::new(Rows::open(&path, Kind::Messages)?), newer),
        Older::Damaged => {
            let saved = salvage(
                &damaged(&path),
                &damaged(&layout.index(unit)),
                Kind::Messages,
            )?;
            merged(Box::new(saved.into_iter().map(Ok)), newer)
        }
    };
    write_rows(layout, unit, rows, through)
}

/// Rows ordered by time alone, in order of time and id, each once (the last one that came).
pub(crate) fn in_order(
    rows: impl Iterator<Item = Result<Row, Error>> + Send,
) -> impl Iterator<Item = Result<Row, Error>> + Send {
    InOrder {
        rows: rows.peekable(),
        same_time: VecDeque::new(),
    }
}

struct InOrder<I: Iterator<Item = Result<Row, Error>>> {
    rows: Peekable<I>,
    same_time: VecDeque<Row>,
}

impl<I: Iterator<Item = Result<Row, Error>>> Iterator for InOrder<I> {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(row) = self.same_time.pop_front() {
            return Some(Ok(row));
        }
        let first = match self.rows.next()? {
            Ok(first) => first,
            Err(error) => return Some(Err(error)),
        };
        let time = first.time;
        let mut same = vec![first];
        let belongs = |row: &Result<Row, Error>| row.as_ref().is_ok_and(|row| row.time == time);
        while let Some(Ok(row)) = self.rows.next_if(belongs) {
            same.push(row);
        }
        // The one that came last is first of its id, and the first of each id stays.
        same.reverse();
        same.sort_by(|a, b| a.id.cmp(&b.id));
        same.dedup_by(|b, a| a.id == b.id);
        self.same_time = same.into();
        self.same_time.pop_front().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_times_are_ordered_by_id_and_the_last_version_wins() {
        let row = |time, id: &str, line: &str| {
            Ok(Row {
                time,
                id: id.to_owned(),
                line: line.as_bytes().to_vec(),
            })
        };
        let rows = vec![
            row(1, "z", "1"),
            row(2, "b", "old"),
            row(2, "a", "2"),
            row(2, "b", "new"),
            row(3, "a", "3"),
        ];
        let ordered: Vec<Row> = in_order(rows.into_iter()).map(Result::unwrap).collect();
        let keys: Vec<_> = ordered.iter().map(Row::key).collect();
        assert_eq!(keys, [(1, "z"), (2, "a"), (2, "b"), (3, "a")]);
        assert_eq!(ordered[2].line, b"new");
    }
}
