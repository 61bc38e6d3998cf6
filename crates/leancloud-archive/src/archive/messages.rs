//! Reads the messages from the history of the whole application: workers follow lanes, rows go to the
//! spool of their day, complete days become segments.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::Run;
use super::days::{self, Unread, in_order, older, unread};
use super::lanes::{Day, Lanes, Turn};
use super::pager::{APPLICATION, Anchors, Page, Pager, oldest};
use crate::ambient;
use crate::api::{Api, ApiError};
use crate::error::Error;
use crate::layout::Layout;
use crate::progress::Progress;
use crate::rows::{Kind, Row};
use crate::segment::remove;
use crate::spool::{self, Spool};

/// Days given up in a row after which the source counts as gone.
const GIVEN_UP_MAX: u32 = 3;

/// Where the spool of a day stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Mark {
    /// Where reading of the day began; a spool that began elsewhere is of no use.
    from: i64,
    time: i64,
    id: String,
}

struct OpenDay {
    day: Day,
    spool: Spool<Mark>,
    /// How far it is read, for progress.
    at: i64,
}

impl OpenDay {
    fn open(layout: &Layout, day: Day) -> Result<Self, Error> {
        let spool = Spool::open(&layout.spool(&day.unit))?;
        let at = spool
            .cursor
            .as_ref()
            .map_or(day.from, |mark: &Mark| mark.time);
        Ok(Self { day, spool, at })
    }

    fn pager(&self) -> Pager {
        match &self.spool.cursor {
            Some(mark) => Pager::after(APPLICATION, mark.time, &mark.id),
            None => Pager::from_time(APPLICATION, self.day.from),
        }
    }

    fn append(&mut self, rows: &[Row], progress: &Progress) -> Result<(), Error> {
        let Some(last) = rows.last() else {
            return Ok(());
        };
        let mark = Mark {
            from: self.day.from,
            time: last.time,
            id: last.id.clone(),
        };
        self.spool.append(rows, &mark)?;
        Progress::add(&progress.messages, rows.len() as u64);
        self.reached(last.time, progress);
        Ok(())
    }

    fn reached(&mut self, time: i64, progress: &Progress) {
        Progress::add(
            &progress.span_done,
            u64::try_from(time - self.at).unwrap_or(0),
        );
        self.at = self.at.max(time);
    }
}

/// Whether the source gives the history of the whole application.
pub(crate) enum Given {
    Yes,
    /// It does not; the reason is its answer.
    No(ApiError),
}

/// Reads every message between the oldest one and the plan's end that is not in the archive yet.
pub(crate) async fn read(run: &Run, api: &Api) -> Result<Given, Error> {
    let known = run.state().manifest.messages_from;
    // An archive that was read conversation by conversation asks again whether there is more.
    let known = known.filter(|_| !run.state().manifest.messages_by_conversation);
    let from = match known {
        Some(from) => from,
        None => match oldest(api).await {
            Ok(Some(from)) => from,
            Ok(None) => {
                run.note("messages", "the source has none");
                run.state().manifest.messages_until = Some(run.plan.until);
                return Ok(Given::Yes);
            }
            Err(error @ ApiError::Unauthorized(_)) => return Err(error.into()),
            Err(error) => return Ok(Given::No(error)),
        },
    };
    let days = days(run, from)?;
    let span: i64 = days.iter().map(|day| day.to - day.from).sum();
    Progress::add(&run.progress.span, u64::try_from(span).unwrap_or(0));
    let readers = Readers {
        run,
        api,
        anchors: Anchors::default(),
        lanes: Mutex::new(Lanes::new(days)),
        moved: Notify::new(),
        given_up: AtomicU32::new(0),
    };
    futures::future::try_join_all((0..api.parallel()).map(|_| readers.worker())).await?;
    if readers.anchors.missed() > 0 {
        let text =
            "pages did not begin with the last message of the page before; read by time instead";
        run.note_many("messages", text, u64::from(readers.anchors.missed()));
    }
    let mut state = run.state();
    state.manifest.messages_from = Some(from);
    state.manifest.messages_until = Some(run.plan.until);
    state.manifest.messages_by_conversation = false;
    Ok(Given::Yes)
}

/// What is to be read, and how far an interrupted run has come with it.
fn days(run: &Run, from: i64) -> Result<Vec<Day>, Error> {
    let mut days = Vec::new();
    for Unread { unit, from, to } in unread(run, from) {
        let path = run.layout.spool(&unit);
        let mut begun = false;
        if path.exists() {
            let mark = Spool::<Mark>::open(&path)?.cursor;
            begun = mark.is_some_and(|mark| mark.from == from);
            if !begun {
                remove(&path)?;
            }
        }
        days.push(Day {
            unit,
            from,
            to,
            begun,
        });
    }
    Ok(days)
}

struct Readers<'a> {
    run: &'a Run,
    api: &'a Api,
    anchors: Anchors,
    lanes: Mutex<Lanes>,
    /// A lane has moved or ended: splitting may be worth while now.
    moved: Notify,
    given_up: AtomicU32,
}

impl Readers<'_> {
    async fn worker(&self) -> Result<(), Error> {
        loop {
            let moved = self.moved.notified();
            let turn = self.lanes().turn();
            match turn {
                Turn::Read(id, day) => self.lane(id, day).await?,
                Turn::Wait => moved.await,
                Turn::Done => {
                    self.moved.notify_waiters();
                    return Ok(());
                }
            }
        }
    }

    async fn lane(&self, id: u64, first: Day) -> Result<(), Error> {
        let mut open = OpenDay::open(&self.run.layout, first)?;
        let mut pager = open.pager();
        loop {
            self.run.progress.doing(open.day.unit.as_str());
            let next = match pager.next(self.api, &self.anchors).await {
                Ok(Page::Rows(rows)) => {
                    self.given_up.store(0, Ordering::Relaxed);
                    self.store(id, open, rows).await?
                }
                Ok(Page::End) => {
                    self.end(id, open).await?;
                    None
                }
                Ok(Page::Stuck) => self.skip(
                    id,
                    &open.day,
                    "more than 1,000 messages share one millisecond",
                ),
                Err(error @ ApiError::Unauthorized(_)) => return Err(error.into()),
                Err(error) => self.give_up(id, &open.day, &error),
            };
            self.moved.notify_waiters();
            open = match next {
                None => return Ok(()),
                Some(Next::Same(same)) => same,
                Some(Next::Other(day)) => {
                    let other = OpenDay::open(&self.run.layout, day)?;
                    pager = other.pager();
                    other
                }
            };
        }
    }

    /// Puts rows into the spools of their days and closes the days that are complete by that.
    async fn store(&self, id: u64, open: OpenDay, rows: Vec<Row>) -> Result<Option<Next>, Error> {
        let (mut complete, mut current) = (Vec::new(), Some(open));
        let (count, mut last) = (rows.len() as u64, 0);
        let mut rows = VecDeque::from(rows);
        // First every row to disk, then the slow part.
        while let Some(mut open) = current.take() {
            let here = rows.partition_point(|row| row.time < open.day.to);
            let after = rows.split_off(here);
            last = rows.back().map_or(last, |row| row.time);
            open.append(rows.make_contiguous(), &self.run.progress)?;
            rows = after;
            if rows.is_empty() {
                current = Some(open);
                break;
            }
            complete.push(open);
            let next = self.lanes().next_day(id);
            current = next
                .map(|day| OpenDay::open(&self.run.layout, day))
                .transpose()?;
        }
        self.lanes().moved(id, last, count);
        for open in complete {
            self.close(open).await?;
        }
        Ok(current.map(Next::Same))
    }

    /// The source has nothing after the last message: all days of the lane are complete.
    async fn end(&self, id: u64, open: OpenDay) -> Result<(), Error> {
        self.close(open).await?;
        loop {
            let next = self.lanes().next_day(id);
            let Some(day) = next else { return Ok(()) };
            self.close(OpenDay::open(&self.run.layout, day)?).await?;
        }
    }

    /// Lists a day as incomplete and goes on with the next. Its spool stays for the next run.
    fn skip(&self, id: u64, day: &Day, reason: &str) -> Option<Next> {
        self.run.missing(&day.unit, reason);
        self.lanes().next_day(id).map(Next::Other)
    }

    fn give_up(&self, id: u64, day: &Day, error: &ApiError) -> Option<Next> {
        if self.given_up.fetch_add(1, Ordering::Relaxed) + 1 >= GIVEN_UP_MAX {
            for day in self.lanes().abandon() {
                self.run
                    .missing(&day.unit, "not tried: the source had stopped answering");
            }
        }
        self.skip(id, day, &error.to_string())
    }

    async fn close(&self, mut open: OpenDay) -> Result<(), Error> {
        let (unit, to) = (open.day.unit.clone(), open.day.to);
        open.reached(to, &self.run.progress);
        let (layout, older) = (self.run.layout.clone(), older(self.run, &unit));
        let finished = ambient::blocking(move || {
            let spooled = spool::rows::<Mark>(&layout.spool(&unit), Kind::Messages)?;
            days::close(&layout, &unit, to, older, Box::new(in_order(spooled)))
        });
        let finished = finished.await?;
        self.run.state().finish(&finished)
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, Lanes> {
        self.lanes
            .lock()
            .expect("nothing panics while it holds the lanes")
    }
}

/// How a lane goes on.
enum Next {
    /// With the next page, in this day.
    Same(OpenDay),
    /// At the beginning of another day.
    Other(Day),
}
