//! Who watches whom, and until when.
//!
//! Whom a user watches is one row with the user; that they do is a row with each who is watched,
//! and those are what counts when something is to be told. A row of a watcher is written before
//! the user's own and deleted before it is taken out there, so that what was answered holds;
//! what was left over by a crash ends at its time.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::limits::{PRESENCE_SUBSCRIPTIONS_MAX, PRESENCE_USERS_MAX};
use anser_domain::{AppId, Code, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Outcome, Unit};
use futures::future::join_all;

use super::Subscription;
use crate::fault;
use crate::tables::{self, UserKeys};
use crate::tools::Tools;

/// Times a change is tried again after another device made one at the same moment.
const TRIES_MAX: u32 = 16;

/// Watches these users until then, or no longer (zero).
pub(super) async fn change(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    others: &[UserId],
    until: Timestamp,
) -> Result<(), Reject> {
    if others.is_empty() || others.len() > PRESENCE_USERS_MAX {
        return Err(Reject::new(
            Code::InvalidRequest,
            format!("users are 1–{PRESENCE_USERS_MAX}"),
        ));
    }
    let key = UserKeys::new(app, user.as_str()).subscriptions();
    for _ in 0..TRIES_MAX {
        let old_bytes = tools.store.get(&key).await.map_err(|e| fault::reject(&e))?;
        let old: stored::Subscriptions =
            tables::decode_some(old_bytes.as_ref())?.unwrap_or_default();
        let mut watched = alive(&old, tools.env.now());
        for other in others {
            match until.0 {
                0 => watched.remove(other.as_str()),
                until => watched.insert(other.as_str(), until),
            };
        }
        if watched.len() > PRESENCE_SUBSCRIPTIONS_MAX {
            return Err(Reject::new(
                Code::InvalidRequest,
                format!("a user watches at most {PRESENCE_SUBSCRIPTIONS_MAX} users"),
            ));
        }
        let watch = others
            .iter()
            .map(|other| watch(tools, app, user, other, until));
        for result in join_all(watch).await {
            result?;
        }
        let row = |(user, until): (&str, u64)| stored::Subscription {
            user: user.to_owned(),
            until,
        };
        let new = stored::Subscriptions {
            subscriptions: watched.into_iter().map(row).collect(),
        };
        let unit = Unit::new()
            .expect_unchanged(key.clone(), old_bytes)
            .put(key.clone(), tables::encode(&new));
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => return Ok(()),
            Outcome::Conflict => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
            Outcome::Unknown(_) => return Err(Code::Timeout.into()),
        }
    }
    Err(Code::Unavailable.into())
}

/// Those that are not over, by user.
fn alive(row: &stored::Subscriptions, now: Timestamp) -> BTreeMap<&str, u64> {
    let all = row.subscriptions.iter();
    all.filter(|it| Timestamp(it.until) > now)
        .map(|it| (it.user.as_str(), it.until))
        .collect()
}

async fn watch(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    other: &UserId,
    until: Timestamp,
) -> Result<(), Reject> {
    let key = UserKeys::new(app, other.as_str()).watcher(user.as_str());
    let unit = match until.0 {
        0 => Unit::new().delete(key),
        until => Unit::new().put(key, tables::encode(&stored::Watcher { until })),
    };
    match tools.committer.commit(app, unit).await? {
        Outcome::Committed => Ok(()),
        Outcome::Conflict => Err(Code::Unavailable.into()),
        Outcome::Refused(error) => Err(fault::reject(&error)),
        Outcome::Unknown(_) => Err(Code::Timeout.into()),
    }
}

/// Whom the user watches, by user id.
pub(super) async fn list(
    tools: &Tools,
    app: AppId,
    user: &UserId,
) -> Result<Vec<Subscription>, Reject> {
    let key = UserKeys::new(app, user.as_str()).subscriptions();
    let row = tools.store.get(&key).await.map_err(|e| fault::reject(&e))?;
    let row: stored::Subscriptions = tables::decode_some(row.as_ref())?.unwrap_or_default();
    let watched = alive(&row, tools.env.now()).into_iter();
    let subscription = |(user, until)| Subscription {
        user: Arc::from(user),
        until: Timestamp(until),
    };
    Ok(watched.map(subscription).collect())
}
