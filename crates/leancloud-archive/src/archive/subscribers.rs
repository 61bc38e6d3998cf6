//! Subscribers of service conversations: `GET /1.2/rtm/service-conversations/<id>/subscribers`, fifty a
//! page, from the subscriber after the last one. A list already in the archive is read again only if
//! the source counts another number of subscribers.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Run;
use super::classes::write;
use super::lists::{Sort, conversations};
use super::sort::Sorter;
use crate::ambient;
use crate::api::{Api, ApiError, Call, escape};
use crate::error::Error;
use crate::layout::subscriber_unit;
use crate::progress::Progress;
use crate::rows::{Kind, Row};
use crate::spool::{self, Spool};

/// Subscribers of a page (documented limit).
const PAGE: u32 = 50;

#[derive(Clone, Serialize, Deserialize)]
struct Mark {
    last: String,
    ended: bool,
}

/// Reads the subscribers of every service conversation, one conversation after the other.
pub(crate) async fn read(run: &Run, api: &Api) -> Result<(), Error> {
    for conversation in conversations(run)? {
        let conversation = conversation?;
        if conversation.what.sort == Sort::Service {
            one(run, api, &conversation.id).await?;
        }
    }
    Ok(())
}

async fn one(run: &Run, api: &Api, id: &str) -> Result<(), Error> {
    let unit = subscriber_unit(id);
    let base = format!("/1.2/rtm/service-conversations/{}/subscribers", escape(id));
    if run.state().is_renewed(&unit) {
        return Ok(());
    }
    let known = run.state().manifest.units.get(&unit).map(|unit| unit.rows);
    let mut spool = Spool::<Mark>::open(&run.layout.spool(&unit))?;
    if let (Some(known), None, false) = (known, &spool.cursor, run.args.refresh) {
        match count(api, &base).await {
            Ok(count) if count == known => return crate::segment::remove(&run.layout.spool(&unit)),
            Ok(_) => {}
            Err(error) => return run.lacking(&unit, error),
        }
    }
    let mut mark = spool.cursor.clone().unwrap_or(Mark {
        last: String::new(),
        ended: false,
    });
    while !mark.ended {
        run.progress.doing(unit.as_str());
        match page(api, &base, &mark.last).await {
            Ok(rows) => {
                // Fewer than asked for is not taken as the end; nothing new is.
                let last = rows
                    .last()
                    .map(|row| row.id.clone())
                    .filter(|last| *last != mark.last);
                mark.ended = last.is_none();
                mark.last = last.unwrap_or(mark.last);
                spool.append(&rows, &mark)?;
                Progress::add(&run.progress.rows, rows.len() as u64);
            }
            Err(error) => return run.lacking(&unit, error),
        }
    }
    let (layout, through) = (run.layout.clone(), run.plan.until);
    let finished = ambient::blocking(move || {
        let mut sorter = Sorter::new(&layout, &unit);
        for row in spool::rows::<Mark>(&layout.spool(&unit), Kind::Lists)? {
            sorter.push(row?)?;
        }
        write(&layout, &unit, sorter.finish()?, false, through)
    });
    let finished = finished.await?;
    run.state().finish(&finished)
}

async fn count(api: &Api, base: &str) -> Result<u64, ApiError> {
    #[derive(Deserialize)]
    struct Count {
        count: u64,
    }
    let parse = |body: &[u8]| {
        serde_json::from_slice(body)
            .map(|c: Count| c.count)
            .map_err(|e| e.to_string())
    };
    api.get(|_| Call::new(format!("{base}/count")), parse).await
}

async fn page(api: &Api, base: &str, after: &str) -> Result<Vec<Row>, ApiError> {
    let call = |_| {
        let call = Call::new(base).with("limit", PAGE);
        if after.is_empty() {
            call
        } else {
            call.with("client_id", after)
        }
    };
    let parse = |body: &[u8]| {
        let rows: Vec<&RawValue> =
            serde_json::from_slice(body).map_err(|error| error.to_string())?;
        rows.iter().map(|raw| subscriber(raw)).collect()
    };
    api.get(call, parse).await
}

/// Rows of lists are known by `id`; the source calls it `subscriber`.
fn subscriber(raw: &RawValue) -> Result<Row, String> {
    #[derive(Deserialize)]
    struct Source {
        subscriber: String,
        timestamp: Option<i64>,
    }
    #[derive(Serialize)]
    struct Stored<'a> {
        id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        timestamp: Option<i64>,
    }
    let source: Source = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    let stored = Stored {
        id: &source.subscriber,
        timestamp: source.timestamp,
    };
    let line = serde_json::to_vec(&stored).map_err(|error| error.to_string())?;
    Ok(Row {
        time: 0,
        id: source.subscriber,
        line,
    })
}
