//! Reads classes of the data storage through the scan interface.
//!
//! `GET /1.1/scan/classes/<Class>` (<https://docs.leancloud.cn/sdk/storage/guide/rest/>) gives 1,000
//! objects a page and a cursor that lives ten minutes. An interrupted scan goes on with its cursor;
//! if the source no longer takes it, the scan starts again and rows that come twice are merged. A
//! class that is in the archive already is asked only for what was updated since.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Run;
use super::sort::Sorter;
use super::users::without_credentials;
use crate::ambient;
use crate::api::{Api, ApiError, Call};
use crate::civil::iso;
use crate::error::Error;
use crate::layout::{Layout, class_unit};
use crate::progress::Progress;
use crate::rows::{Kind, Row, split};
use crate::segment::{Finished, RowStream, Rows, Writer, merged, remove};
use crate::spool::{self, Spool};

/// The classes that the IM part of an application needs.
pub(crate) const IM_CLASSES: [&str; 6] = [
    "_Conversation",
    "_ConversationMemberInfo",
    "_User",
    "_File",
    "_Installation",
    "_SysMessage",
];

/// Objects of a page (documented limit), and of a page that keeps failing.
const PAGE: u32 = 1000;
const PAGE_SMALL: u32 = 100;

/// Where a scan stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Mark {
    /// Only objects updated since; `None` for all.
    since: Option<i64>,
    /// The source's time when the scan began: what the unit will reflect at least.
    through: i64,
    /// The source's own cursor for the next page.
    cursor: Option<String>,
    ended: bool,
}

#[derive(Deserialize)]
struct PageBody<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
    cursor: Option<String>,
}

/// Reads one class, or what is new of it.
pub(crate) async fn read(run: &Run, api: &Api, class: &str) -> Result<(), Error> {
    let unit = class_unit(class);
    if run.state().is_renewed(&unit) {
        return Ok(());
    }
    let known = run
        .state()
        .manifest
        .units
        .get(&unit)
        .map(|unit| unit.through);
    let since = known.filter(|_| !run.args.refresh);
    if since.is_some_and(|since| since >= run.plan.until) {
        return Ok(());
    }
    let path = run.layout.spool(&unit);
    let mut spool = Spool::<Mark>::open(&path)?;
    if spool
        .cursor
        .as_ref()
        .is_some_and(|mark| mark.since != since)
    {
        remove(&path)?;
        spool = Spool::open(&path)?;
    }
    let begin = Mark {
        since,
        through: run.plan.until,
        cursor: None,
        ended: false,
    };
    let mut mark = spool.cursor.clone().unwrap_or(begin);
    while !mark.ended {
        run.progress.doing(class);
        match page(api, class, &mark).await {
            Ok((mut rows, cursor)) => {
                if class == "_User" && !run.args.user_credentials {
                    rows.iter_mut()
                        .for_each(|row| row.line = without_credentials(&row.line));
                }
                mark.ended = cursor.is_none();
                mark.cursor = cursor;
                spool.append(&rows, &mark)?;
                Progress::add(&run.progress.rows, rows.len() as u64);
            }
            Err(error @ ApiError::Unauthorized(_)) => return Err(error.into()),
            Err(ApiError::Refused { .. }) if mark.cursor.is_some() => mark.cursor = None,
            Err(error) if error.is_absent() => {
                run.note(&unit, "the source has no such class");
                return remove(&path);
            }
            Err(error) => return run.lacking(&unit, error),
        }
    }
    if since.is_some() && spool.rows == 0 {
        // Nothing changed: the file stays as it is.
        return remove(&path);
    }
    let (layout, through) = (run.layout.clone(), mark.through);
    let finished =
        ambient::blocking(move || close(&layout, &unit, since.is_some(), through)).await?;
    run.state().finish(&finished)
}

async fn page(api: &Api, class: &str, mark: &Mark) -> Result<(Vec<Row>, Option<String>), ApiError> {
    let call = |attempt: u32| {
        let limit = if attempt < 4 { PAGE } else { PAGE_SMALL };
        let mut call = Call::new(format!("/1.1/scan/classes/{class}")).with("limit", limit);
        if let Some(since) = mark.since {
            let date = format!(
                r#"{{"updatedAt":{{"$gte":{{"__type":"Date","iso":"{}"}}}}}}"#,
                iso(since)
            );
            call = call.with("where", date);
        }
        match &mark.cursor {
            Some(cursor) => call.with("cursor", cursor),
            None => call,
        }
    };
    let parse = |body: &[u8]| {
        let page: PageBody<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        Ok((split(&page.results, Kind::Objects)?, page.cursor))
    };
    api.get(call, parse).await
}

/// Puts a class together from what was there and what came.
fn close(layout: &Layout, unit: &str, keep_older: bool, through: i64) -> Result<Finished, Error> {
    let mut sorter = Sorter::new(layout, unit);
    for row in spool::rows::<Mark>(&layout.spool(unit), Kind::Objects)? {
        sorter.push(row?)?;
    }
    write(layout, unit, sorter.finish()?, keep_older, through)
}

/// Writes a unit of objects in order, together with the rows it has already if `keep_older`.
pub(crate) fn write(
    layout: &Layout,
    unit: &str,
    newer: RowStream<'_>,
    keep_older: bool,
    through: i64,
) -> Result<Finished, Error> {
    let path = layout.rows(unit);
    let rows = if keep_older && path.exists() {
        merged(Box::new(Rows::open(&path, Kind::of_unit(unit))?), newer)
    } else {
        newer
    };
    write_rows(layout, unit, rows, through)
}

/// Writes a unit of rows in order; none make an empty unit.
pub(crate) fn write_rows(
    layout: &Layout,
    unit: &str,
    rows: impl Iterator<Item = Result<Row, Error>>,
    through: i64,
) -> Result<Finished, Error> {
    let mut writer = None;
    for row in rows {
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(Writer::create(layout, unit)?),
        };
        writer.push(&row?)?;
    }
    match writer {
        Some(writer) => writer.finish(through),
        None => Ok(Finished::empty(unit, through)),
    }
}
