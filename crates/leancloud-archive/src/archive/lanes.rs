//! Which days of history are read by whom.
//!
//! A lane reads a run of adjacent days page after page, straight across midnight, so that only its
//! last page is partly wasted. Reading starts with as few lanes as there are gaps to fill; a worker
//! without work takes the later half of the lane that has most left, judged by how dense that lane's
//! messages have been so far. Each split costs about one request, so a lane is split only while
//! enough pages are left to make that small: on a large history the cost of parallelism stays below
//! a few per cent, and a small one is read by a single lane.
//!
//! Pure: positions come in, decisions go out.

use std::collections::{BTreeMap, VecDeque};

use super::pager::PAGE_ROWS;

/// Pages that must be left in a lane for it to be split.
pub(crate) const SPLIT_PAGES_MIN: f64 = 48.0;

/// A day, or the part of it that is not in the archive yet: `from <= time < to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    /// Name of the unit.
    pub(crate) unit: String,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Part of it is already in the spool of an interrupted run.
    pub(crate) begun: bool,
}

/// What a worker does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Read this lane, beginning with this day.
    Read(u64, Day),
    /// Nothing can be split now; ask again when a lane has moved.
    Wait,
    /// Everything is read or being read by lanes that are not worth splitting.
    Done,
}

/// All lanes.
#[derive(Debug)]
pub(crate) struct Lanes {
    waiting: VecDeque<VecDeque<Day>>,
    running: BTreeMap<u64, Lane>,
    next: u64,
}

#[derive(Debug)]
struct Lane {
    /// Days after the current one.
    days: VecDeque<Day>,
    since: i64,
    at: i64,
    rows: u64,
}

impl Lane {
    fn end(&self) -> Option<i64> {
        self.days.back().map(|day| day.to)
    }

    /// Pages left, if it goes on as it went so far.
    fn pages_left(&self) -> f64 {
        let span = (self.at - self.since).max(1) as f64;
        let left = self.end().map_or(0, |end| end - self.at) as f64;
        self.rows as f64 / span * left / PAGE_ROWS as f64
    }
}

impl Lanes {
    /// Groups days, in order of time, into runs. A day that is begun starts a run of its own, since
    /// reading goes on in the middle of it.
    pub(crate) fn new(days: Vec<Day>) -> Self {
        let mut waiting: VecDeque<VecDeque<Day>> = VecDeque::new();
        for day in days {
            match waiting.back_mut() {
                Some(run) if !day.begun && run.back().is_some_and(|last| last.to == day.from) => {
                    run.push_back(day);
                }
                _ => waiting.push_back(VecDeque::from([day])),
            }
        }
        Self {
            waiting,
            running: BTreeMap::new(),
            next: 0,
        }
    }

    /// Work for a worker that has none.
    pub(crate) fn turn(&mut self) -> Turn {
        let Some(mut days) = self.waiting.pop_front().or_else(|| self.split()) else {
            return if self.running.is_empty() {
                Turn::Done
            } else {
                Turn::Wait
            };
        };
        let Some(first) = days.pop_front() else {
            return Turn::Wait;
        };
        let id = self.next;
        self.next += 1;
        self.running.insert(
            id,
            Lane {
                days,
                since: first.from,
                at: first.from,
                rows: 0,
            },
        );
        Turn::Read(id, first)
    }

    /// The later half of the longest lane, if that lane is long enough.
    fn split(&mut self) -> Option<VecDeque<Day>> {
        let longest = self
            .running
            .values_mut()
            .max_by(|a, b| a.pages_left().total_cmp(&b.pages_left()))?;
        if longest.pages_left() < SPLIT_PAGES_MIN {
            return None;
        }
        let middle = longest.at + (longest.end()? - longest.at) / 2;
        let cut = longest.days.iter().position(|day| day.from >= middle)?;
        Some(longest.days.split_off(cut))
    }

    /// A lane has stored `rows` up to time `at`.
    pub(crate) fn moved(&mut self, id: u64, at: i64, rows: u64) {
        if let Some(lane) = self.running.get_mut(&id) {
            lane.at = lane.at.max(at);
            lane.rows += rows;
        }
    }

    /// The next day of a lane; `None`, and the lane is gone, if it has no more.
    pub(crate) fn next_day(&mut self, id: u64) -> Option<Day> {
        let day = self
            .running
            .get_mut(&id)
            .and_then(|lane| lane.days.pop_front());
        if day.is_none() {
            self.running.remove(&id);
        }
        day
    }

    /// Gives up: what nobody has begun is handed back.
    pub(crate) fn abandon(&mut self) -> Vec<Day> {
        let waiting = std::mem::take(&mut self.waiting).into_iter().flatten();
        let unread = self
            .running
            .values_mut()
            .flat_map(|lane| lane.days.drain(..));
        waiting.chain(unread).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(from: i64, count: i64) -> Vec<Day> {
        let day = |i: i64| Day {
            unit: i.to_string(),
            from: i * 100,
            to: (i + 1) * 100,
            begun: false,
        };
        (from..from + count).map(day).collect()
    }

    fn begins(turn: &Turn) -> (u64, &str) {
        match turn {
            Turn::Read(id, day) => (*id, &day.unit),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn runs_end_at_gaps_and_at_begun_days() {
        let mut all = days(0, 3);
        all.extend(days(5, 4));
        all[5].begun = true;
        let mut lanes = Lanes::new(all);
        let turns: Vec<Turn> = (0..3).map(|_| lanes.turn()).collect();
        assert_eq!(
            turns.iter().map(begins).collect::<Vec<_>>(),
            [(0, "0"), (1, "5"), (2, "7")]
        );
        assert_eq!(lanes.turn(), Turn::Wait);
        assert_eq!(lanes.next_day(2).unwrap().unit, "8");
        for id in [0, 1, 2] {
            while lanes.next_day(id).is_some() {}
        }
        assert_eq!(lanes.turn(), Turn::Done);
    }

    #[test]
    fn a_long_lane_is_halved_and_a_short_one_left_alone() {
        let mut lanes = Lanes::new(days(0, 100));
        assert_eq!(begins(&lanes.turn()), (0, "0"));
        assert_eq!(
            lanes.turn(),
            Turn::Wait,
            "nothing is known of its density yet"
        );
        // 2,000 rows in one day of a hundred: about 198 pages left.
        lanes.moved(0, 100, 2000);
        assert_eq!(begins(&lanes.turn()), (1, "51"));
        // The first half has 100 left, then 50; of the others nothing is known.
        assert_eq!(begins(&lanes.turn()), (2, "26"));
        assert_eq!(begins(&lanes.turn()), (3, "14"));
        assert_eq!(lanes.turn(), Turn::Wait, "26 left in one are too few");
    }

    #[test]
    fn every_day_is_handed_out_once_however_it_is_split() {
        let mut lanes = Lanes::new(days(0, 180));
        let mut read = Vec::new();
        let mut current: BTreeMap<u64, Day> = BTreeMap::new();
        let mut step = 0_u64;
        loop {
            while current.len() < 8 {
                match lanes.turn() {
                    Turn::Read(id, day) => {
                        current.insert(id, day);
                    }
                    Turn::Wait | Turn::Done => break,
                }
            }
            if current.is_empty() {
                break;
            }
            step += 1;
            let (id, day) = if step.is_multiple_of(3) {
                current.pop_first()
            } else {
                current.pop_last()
            }
            .unwrap();
            lanes.moved(id, day.to, 7000);
            read.push(day.unit);
            if let Some(next) = lanes.next_day(id) {
                current.insert(id, next);
            }
        }
        read.sort();
        let mut all: Vec<String> = (0..180).map(|i| i.to_string()).collect();
        all.sort();
        assert_eq!(read, all);
    }
}
