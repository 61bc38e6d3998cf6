//! A second opinion: do the histories of single conversations agree with the application's?
//!
//! That the application-wide history has everything is documented but cannot be seen from it alone.
//! After new messages were read, a few conversations of each sort are asked for their newest messages,
//! and each must be in the archive. Which ones is decided by a hash of their ids: the same in every
//! run on the same application.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Run;
use super::streams::{Stream, streams};
use crate::api::{Api, ApiError, Call};
use crate::civil::{day_name, day_of};
use crate::digest::sha256;
use crate::error::Error;
use crate::layout::message_unit;
use crate::rows::{Kind, Row, split};
use crate::segment::Segment;

/// Messages of each conversation that are looked for.
const MESSAGES: u32 = 30;

/// Compares, and lists it as missing if the archive lacks something.
pub(crate) async fn compare(run: &Run, api: &Api) -> Result<(), Error> {
    if run.args.samples == 0 || !run.state().has_renewed("messages/") {
        return Ok(());
    }
    for stream in pick(run)? {
        run.progress.doing(format!("comparing {}", stream.path));
        let rows = match newest(api, &stream.path, run.plan.until).await {
            Ok(rows) => rows,
            Err(error @ ApiError::Unauthorized(_)) => return Err(error.into()),
            Err(error) => {
                run.note(&stream.path, &format!("not compared: {error}"));
                continue;
            }
        };
        let mut lacking = 0;
        for row in rows.iter().filter(|row| row.time < run.plan.until) {
            lacking += u64::from(!is_there(run, row)?);
        }
        if lacking > 0 {
            let text = "this history has messages that the application's has not: run with --via conversations";
            run.missing_many(&stream.path, text, lacking);
        }
    }
    Ok(())
}

/// The streams with the smallest hashes, a few of each sort.
fn pick(run: &Run) -> Result<Vec<Stream>, Error> {
    let mut picked: BTreeMap<String, BTreeMap<[u8; 32], Stream>> = BTreeMap::new();
    for stream in streams(run)? {
        let stream = stream?;
        let of_sort = picked.entry(stream.sort.route().to_owned()).or_default();
        of_sort.insert(sha256(stream.path.as_bytes()), stream);
        if of_sort.len() > usize::from(run.args.samples) {
            of_sort.pop_last();
        }
    }
    Ok(picked
        .into_values()
        .flat_map(BTreeMap::into_values)
        .collect())
}

/// Without `reversed` a history begins with its newest message.
async fn newest(api: &Api, path: &str, until: i64) -> Result<Vec<Row>, ApiError> {
    let call = |_| {
        Call::new(path)
            .with("timestamp", until)
            .with("limit", MESSAGES)
    };
    let parse = |body: &[u8]| {
        let array: Vec<&RawValue> =
            serde_json::from_slice(body).map_err(|error| error.to_string())?;
        split(&array, Kind::Messages)
    };
    api.get(call, parse).await
}

fn is_there(run: &Run, wanted: &Row) -> Result<bool, Error> {
    let unit = message_unit(&day_name(day_of(wanted.time)));
    if run
        .state()
        .manifest
        .units
        .get(&unit)
        .is_none_or(|unit| unit.rows == 0)
    {
        return Ok(false);
    }
    let segment = Segment::open(&run.layout, &unit)?;
    let key = (wanted.time, wanted.id.clone());
    for (number, block) in segment.blocks.iter().enumerate() {
        if block.first <= key && key <= block.last {
            return Ok(segment
                .rows_of(number)?
                .iter()
                .any(|row| row.key() == wanted.key()));
        }
    }
    Ok(false)
}
