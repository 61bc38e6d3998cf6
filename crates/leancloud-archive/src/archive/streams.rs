//! Reads the messages conversation by conversation, for applications whose application-wide history
//! cannot be had.
//!
//! It costs at least two requests a conversation where the other way costs one a thousand messages,
//! and it cannot find temporary conversations, which no class lists. Service conversations are read
//! once for each subscriber, since each has a stream of its own.
//!
//! Conversations come in any order, days are what is stored: everything goes into one spool, which
//! is sorted by time and dealt out to the days at the end. The same messages give the same files
//! whichever way they were read.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use super::Run;
use super::days::{Unread, close, older, unread};
use super::lists::{Sort, conversations};
use super::pager::{Anchors, Page, Pager};
use super::sort::Sorter;
use crate::ambient;
use crate::api::{Api, ApiError, escape};
use crate::civil::{DAY_MS, day_name, day_of, day_start};
use crate::error::Error;
use crate::layout::{class_unit, message_unit, subscriber_unit};
use crate::progress::Progress;
use crate::rows::{Kind, Row};
use crate::segment::{RowStream, Rows};
use crate::spool::{self, Spool};

/// Name of the spool; its kind is that of messages.
pub(crate) const SPOOL: &str = "messages/by-conversation";
/// What this way of reading cannot find.
const TEMPORARY: &str = "messages of temporary conversations";
/// Streams without messages after which the place is written down.
const IDLE_MAX: u32 = 20;

/// A conversation, or one subscriber's part of a service conversation.
pub(crate) struct Stream {
    /// Conversation and subscriber; the order of reading.
    key: (String, String),
    /// Where its history is.
    pub(crate) path: String,
    pub(crate) sort: Sort,
}

/// Where reading stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Mark {
    /// Messages from here on are read; another run began elsewhere.
    from: i64,
    /// Every stream up to this one has been begun.
    begun: (String, String),
    /// Those that are not at their end, with their last message.
    open: Vec<((String, String), (i64, String))>,
}

struct Shared<'a> {
    run: &'a Run,
    api: &'a Api,
    from: i64,
    anchors: Anchors,
    spool: Mutex<Spooled>,
}

struct Spooled {
    spool: Spool<Mark>,
    begun: (String, String),
    open: BTreeMap<(String, String), (i64, String)>,
    idle: u32,
}

/// Every stream of the archive's conversations, in order.
pub(crate) fn streams(
    run: &Run,
) -> Result<impl Iterator<Item = Result<Stream, Error>> + Send + use<>, Error> {
    let layout = run.layout.clone();
    Ok(conversations(run)?.flat_map(move |conversation| {
        let conversation = match conversation {
            Ok(conversation) => conversation,
            Err(error) => return vec![Err(error)].into_iter(),
        };
        let (id, sort) = (conversation.id, conversation.what.sort);
        let base = format!("/1.2/rtm/{}/{}", sort.route(), escape(&id));
        let stream = |subscriber: String, path: String| Stream {
            key: (id.clone(), subscriber),
            path,
            sort,
        };
        if sort != Sort::Service {
            return vec![Ok(stream(String::new(), format!("{base}/messages")))].into_iter();
        }
        let path = layout.rows(&subscriber_unit(&id));
        let rows = path
            .exists()
            .then(|| Rows::open(&path, Kind::Lists))
            .transpose();
        let subscribers: Vec<Result<Stream, Error>> = match rows {
            Ok(rows) => rows
                .into_iter()
                .flatten()
                .map(|row| {
                    let subscriber = row?.id;
                    let path = format!("{base}/subscribers/{}/messages", escape(&subscriber));
                    Ok(stream(subscriber, path))
                })
                .collect(),
            Err(error) => vec![Err(error)],
        };
        subscribers.into_iter()
    }))
}

/// Reads every stream from the end of what is in the archive to the plan's end.
pub(crate) async fn read(run: &Run, api: &Api) -> Result<(), Error> {
    let known = class_unit("_Conversation");
    if !run.state().manifest.units.contains_key(&known) {
        run.missing(
            "messages",
            "the class that lists conversations is not in the archive",
        );
        return Ok(());
    }
    let from = {
        let manifest = &run.state().manifest;
        // Streams that failed the last time are not told apart: everything is read again then.
        let whole = manifest
            .missing
            .iter()
            .all(|remark| remark.what == TEMPORARY);
        manifest
            .messages_until
            .filter(|_| whole && !run.args.refresh)
            .unwrap_or(0)
    };
    if from < run.plan.until {
        let shared = Shared::open(run, api, from)?;
        let begun = shared.spooled().begun.clone();
        let rest = streams(run)?.filter(|s| s.as_ref().map_or(true, |stream| stream.key > begun));
        let resumed: BTreeMap<_, _> = shared.spooled().open.clone();
        let resumed =
            streams(run)?.filter(move |s| s.as_ref().is_ok_and(|s| resumed.contains_key(&s.key)));
        let todo = Mutex::new(resumed.chain(rest));
        futures::future::try_join_all((0..api.parallel()).map(|_| shared.worker(&todo))).await?;
        deal_out(run, from).await?;
    }
    run.missing(
        TEMPORARY,
        "no class lists them and the history of the whole application was not read",
    );
    let mut state = run.state();
    state.manifest.messages_until = Some(run.plan.until);
    state.manifest.messages_by_conversation = true;
    Ok(())
}

impl<'a> Shared<'a> {
    fn open(run: &'a Run, api: &'a Api, from: i64) -> Result<Self, Error> {
        let path = run.layout.spool(SPOOL);
        let mut spool = Spool::<Mark>::open(&path)?;
        if spool.cursor.as_ref().is_some_and(|mark| mark.from != from) {
            crate::segment::remove(&path)?;
            spool = Spool::open(&path)?;
        }
        let mark = spool.cursor.clone().unwrap_or_default();
        let open = mark.open.into_iter().collect();
        let spool = Mutex::new(Spooled {
            spool,
            begun: mark.begun,
            open,
            idle: 0,
        });
        Ok(Self {
            run,
            api,
            from,
            anchors: Anchors::default(),
            spool,
        })
    }

    async fn worker(
        &self,
        todo: &Mutex<impl Iterator<Item = Result<Stream, Error>>>,
    ) -> Result<(), Error> {
        loop {
            // All workers are parts of one task: between taking a stream and marking it as begun
            // none of the others runs.
            let next = todo.lock().expect("a damaged file ends the run").next();
            let Some(stream) = next else { return Ok(()) };
            self.stream(stream?).await?;
        }
    }

    async fn stream(&self, stream: Stream) -> Result<(), Error> {
        self.run
            .progress
            .doing(format!("{} {}", stream.key.0, stream.key.1));
        let mut pager = {
            let mut spooled = self.spooled();
            let place = spooled.open.get(&stream.key).cloned();
            let (time, id) = place.unwrap_or_else(|| (self.from, String::new()));
            spooled.begun = spooled.begun.clone().max(stream.key.clone());
            spooled.open.insert(stream.key.clone(), (time, id.clone()));
            match id.as_str() {
                "" => Pager::from_time(&stream.path, time),
                id => Pager::after(&stream.path, time, id),
            }
        };
        loop {
            let mut rows = match pager.next(self.api, &self.anchors).await {
                Ok(Page::Rows(rows)) => rows,
                Ok(Page::End) => break,
                Ok(Page::Stuck) => {
                    self.run.missing(
                        &stream.path,
                        "more messages share a millisecond than a page holds",
                    );
                    break;
                }
                Err(error @ ApiError::Unauthorized(_)) => return Err(error.into()),
                // The conversation was deleted since its class was read.
                Err(error) if error.is_absent() => break,
                Err(error) => {
                    self.run.missing(&stream.path, &error.to_string());
                    break;
                }
            };
            let before = rows.len();
            rows.retain(|row| row.time < self.run.plan.until);
            let ended = rows.len() < before;
            self.spooled().append(&stream.key, &rows, self.from)?;
            Progress::add(&self.run.progress.messages, rows.len() as u64);
            if ended {
                break;
            }
        }
        self.spooled().end(&stream.key, self.from)
    }

    fn spooled(&self) -> MutexGuard<'_, Spooled> {
        self.spool.lock().expect("a full disk ends the run")
    }
}

impl Spooled {
    fn mark(&self, from: i64) -> Mark {
        let open = self
            .open
            .iter()
            .map(|(key, place)| (key.clone(), place.clone()))
            .collect();
        Mark {
            from,
            begun: self.begun.clone(),
            open,
        }
    }

    fn append(&mut self, key: &(String, String), rows: &[Row], from: i64) -> Result<(), Error> {
        if let Some(last) = rows.last() {
            self.open.insert(key.clone(), (last.time, last.id.clone()));
            let mark = self.mark(from);
            self.spool.append(rows, &mark)?;
            self.idle = 0;
        }
        Ok(())
    }

    fn end(&mut self, key: &(String, String), from: i64) -> Result<(), Error> {
        self.open.remove(key);
        self.idle += 1;
        if self.idle >= IDLE_MAX {
            self.idle = 0;
            let mark = self.mark(from);
            self.spool.append(&[], &mark)?;
        }
        Ok(())
    }
}

/// Sorts the spool by time and makes the days from it.
async fn deal_out(run: &Run, from: i64) -> Result<(), Error> {
    run.progress.doing("sorting by time");
    let layout = run.layout.clone();
    let sorted = ambient::blocking(move || {
        let mut sorter = Sorter::new(&layout, SPOOL);
        for row in spool::rows::<Mark>(&layout.spool(SPOOL), Kind::Messages)? {
            sorter.push(row?)?;
        }
        sorter.finish()
    });
    let mut rows = sorted.await?.peekable();
    let first = match rows.peek() {
        Some(Ok(row)) => Some(row.time),
        _ => None,
    };
    let known = run.state().manifest.messages_from;
    let start = known.into_iter().chain(first).min();
    // Days without new messages get their end moved; days with new ones are written.
    let mut days: BTreeMap<String, Unread> = BTreeMap::new();
    if let Some(start) = start {
        days = unread(run, start.max(from))
            .into_iter()
            .map(|day| (day.unit.clone(), day))
            .collect();
        run.state().manifest.messages_from = Some(start);
    }
    while let Some(row) = rows.peek() {
        let number = match row {
            Ok(row) => day_of(row.time),
            Err(_) => return rows.next().map_or(Ok(()), |row| row.map(|_| ())),
        };
        let unit = message_unit(&day_name(number));
        let end = (day_start(number) + DAY_MS).min(run.plan.until);
        days.remove(&unit);
        rows = close_one(run, unit, end, rows).await?;
    }
    for day in days.into_values() {
        rows = close_one(run, day.unit, day.to, rows).await?;
    }
    Ok(())
}

/// Writes a day from the rows at the front of the stream and gives the rest back.
async fn close_one(
    run: &Run,
    unit: String,
    end: i64,
    rows: Peekable<RowStream<'static>>,
) -> Result<Peekable<RowStream<'static>>, Error> {
    run.progress.doing(unit.as_str());
    let (layout, older) = (run.layout.clone(), older(run, &unit));
    let (finished, rows) = ambient::blocking(move || {
        let mut rows = rows;
        let belongs = |row: &Result<Row, Error>| row.as_ref().map_or(true, |row| row.time < end);
        let day = std::iter::from_fn(|| rows.next_if(belongs));
        let finished = close(&layout, &unit, end, older, Box::new(day));
        (finished, rows)
    })
    .await;
    run.state().finish(&finished?)?;
    Ok(rows)
}
