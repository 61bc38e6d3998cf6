//! Pages of a message history, oldest first, without holes.
//!
//! `GET …/messages?reversed=true`, of the whole application or of one conversation
//! (<https://docs.leancloud.cn/sdk/im/guide/rest/>, history), starts at a message given by time and id. The next page is asked for with
//! `include_start`, so it must begin with the very message at which the page before ended: each page
//! proves that it joins the one before, for one row in a thousand.
//!
//! If that message is not there (deleted or expired meanwhile, or the source counts otherwise), the
//! page is not trusted: everything from that millisecond on is asked for by time alone and rows
//! already seen in it are dropped. A page shorter than asked for is not taken as the end, because
//! nothing documents that it is; only a page without anything new is.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::value::RawValue;

use crate::api::{Api, ApiError, Call};
use crate::rows::{Kind, Row, split};

/// Most messages of a page (documented limit).
pub(crate) const PAGE_ROWS: u64 = 1000;
/// The history of the whole application.
pub(crate) const APPLICATION: &str = "/1.2/rtm/messages";
/// Missing anchors after which anchors are no longer asked for.
const ANCHORS_MISSED_MAX: u32 = 5;

/// What the lanes learn about the source together.
#[derive(Debug, Default)]
pub(crate) struct Anchors {
    missed: AtomicU32,
}

impl Anchors {
    fn useless(&self) -> bool {
        self.missed.load(Ordering::Relaxed) >= ANCHORS_MISSED_MAX
    }

    /// Pages that did not begin where the one before ended.
    pub(crate) fn missed(&self) -> u32 {
        self.missed.load(Ordering::Relaxed)
    }
}

/// Reads on from a place in the history.
pub(crate) struct Pager {
    path: String,
    /// Time of the last message, or where to begin.
    time: i64,
    /// Messages already seen with that time; the last one is the anchor.
    anchor: Option<String>,
    seen: BTreeSet<String>,
}

/// What a page brings.
pub(crate) enum Page {
    Rows(Vec<Row>),
    /// There is nothing after the last message.
    End,
    /// More messages share a millisecond than a page can hold and the source does not page by id.
    Stuck,
}

impl Pager {
    /// Begins with the first message at or after `time`.
    pub(crate) fn from_time(path: &str, time: i64) -> Self {
        Self {
            path: path.to_owned(),
            time,
            anchor: None,
            seen: BTreeSet::new(),
        }
    }

    /// Goes on after a message.
    pub(crate) fn after(path: &str, time: i64, id: &str) -> Self {
        Self {
            path: path.to_owned(),
            time,
            anchor: Some(id.to_owned()),
            seen: BTreeSet::from([id.to_owned()]),
        }
    }

    /// The next page.
    pub(crate) async fn next(&mut self, api: &Api, anchors: &Anchors) -> Result<Page, ApiError> {
        let anchored = self.anchor.as_deref().filter(|_| !anchors.useless());
        let mut found = None;
        if let Some(anchor) = anchored {
            let rows = fetch(api, &self.path, self.time, Some(anchor)).await?;
            if rows
                .iter()
                .any(|row| row.time == self.time && row.id == anchor)
            {
                found = Some(rows);
            } else {
                anchors.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
        let rows = match found {
            Some(rows) => rows,
            // One millisecond earlier: whether the start is included does not matter then.
            None => fetch(api, &self.path, self.time - 1, None).await?,
        };
        let others = rows.len() > 1;
        if let Some(rows) = self.take(rows) {
            return Ok(Page::Rows(rows));
        }
        // Only the anchor: the end. More than it, all seen: perhaps the page had no room for others
        // of the same millisecond, and then there is something after that millisecond.
        if others {
            let beyond = fetch(api, &self.path, self.time, None).await?;
            if beyond.iter().any(|row| row.time > self.time) {
                return Ok(Page::Stuck);
            }
        }
        Ok(Page::End)
    }

    /// Keeps what is new and moves on; `None` if nothing is.
    fn take(&mut self, mut rows: Vec<Row>) -> Option<Vec<Row>> {
        rows.sort_by_key(|row| row.time);
        rows.retain(|row| {
            row.time > self.time || (row.time == self.time && !self.seen.contains(&row.id))
        });
        let last = rows.last()?;
        if last.time > self.time {
            self.seen.clear();
        }
        self.time = last.time;
        self.anchor = Some(last.id.clone());
        let newest = rows.iter().rev().take_while(|row| row.time == self.time);
        self.seen.extend(newest.map(|row| row.id.clone()));
        Some(rows)
    }
}

/// Time of the oldest message the source has.
pub(crate) async fn oldest(api: &Api) -> Result<Option<i64>, ApiError> {
    let call = |_| {
        Call::new(APPLICATION)
            .with("reversed", true)
            .with("timestamp", 0)
            .with("limit", 1)
    };
    Ok(api.get(call, parse).await?.first().map(|row| row.time))
}

async fn fetch(
    api: &Api,
    path: &str,
    time: i64,
    anchor: Option<&str>,
) -> Result<Vec<Row>, ApiError> {
    let call = |attempt: u32| {
        // A page that keeps failing may be too heavy for the source.
        let limit = match attempt {
            0..=3 => PAGE_ROWS,
            4..=7 => PAGE_ROWS / 4,
            _ => PAGE_ROWS / 20,
        };
        let call = Call::new(path).with("reversed", true).with("limit", limit);
        let call = call.with("timestamp", time);
        match anchor {
            Some(id) => call.with("msgid", id).with("include_start", true),
            None => call,
        }
    };
    api.get(call, parse).await
}

fn parse(body: &[u8]) -> Result<Vec<Row>, String> {
    let array: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    split(&array, Kind::Messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(keys: &[(i64, &str)]) -> Vec<Row> {
        keys.iter()
            .map(|&(time, id)| Row {
                time,
                id: id.to_owned(),
                line: Vec::new(),
            })
            .collect()
    }

    fn taken(pager: &mut Pager, keys: &[(i64, &str)]) -> Vec<(i64, String)> {
        let rows = pager.take(rows(keys)).unwrap_or_default();
        rows.into_iter().map(|row| (row.time, row.id)).collect()
    }

    fn keys(keys: &[(i64, &str)]) -> Vec<(i64, String)> {
        keys.iter()
            .map(|&(time, id)| (time, id.to_owned()))
            .collect()
    }

    #[test]
    fn pages_join_at_messages_of_the_same_millisecond() {
        let mut pager = Pager::from_time(APPLICATION, 10);
        assert_eq!(
            taken(&mut pager, &[(9, "x"), (10, "a"), (12, "b"), (12, "c")]),
            keys(&[(10, "a"), (12, "b"), (12, "c")])
        );
        // By anchor, and by time alone with the order of equal times turned round.
        let page = [(12, "c"), (12, "d"), (13, "e")];
        assert_eq!(taken(&mut pager, &page), keys(&[(12, "d"), (13, "e")]));
        assert_eq!(
            taken(&mut pager, &[(13, "f"), (13, "e")]),
            keys(&[(13, "f")])
        );
        assert!(taken(&mut pager, &[(13, "e"), (13, "f")]).is_empty());
        let mut resumed = Pager::after(APPLICATION, 13, "e");
        assert_eq!(
            taken(&mut resumed, &[(13, "e"), (13, "f")]),
            keys(&[(13, "f")])
        );
    }
}
