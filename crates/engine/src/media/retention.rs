//! Which files are too old.
//!
//! Whoever keeps the bytes walks through the rows of files, a page at a time, and removes what a
//! page names, bytes and row. Each node walks through the shards that it owns. Nothing is
//! remembered of a walk: one that was cut short begins anew.

use std::collections::BTreeMap;
use std::ops::Bound;

use anser_domain::{AppId, Reject};
use anser_proto::stored;
use anser_store::{SHARD_COUNT, Shard};
use bytes::Bytes;

use crate::engine::Engine;
use crate::fault;
use crate::tables;

/// Rows looked at for a page.
const ROWS_AT_ONCE: usize = 64;
const DAY_MS: u64 = 86_400_000;

/// Where a walk through all files goes on; the default is its beginning.
#[derive(Clone, Default, Debug)]
pub struct MediaPlace {
    shard: u16,
    after: Option<Bytes>,
}

/// A step of such a walk.
#[derive(Clone, Debug)]
pub struct ExpiredMedia {
    /// Files that are too old.
    pub files: Vec<(AppId, String)>,
    /// How many were looked at.
    pub looked: usize,
    /// Where it goes on; `None`: that was all.
    pub next: Option<MediaPlace>,
}

impl Engine {
    /// Looks at a few files of this node: which ones has their app kept for long enough?
    pub async fn expired_media(&self, from: MediaPlace) -> Result<ExpiredMedia, Reject> {
        let tools = &self.core.tools;
        let mut step = ExpiredMedia {
            files: Vec::new(),
            looked: 0,
            next: None,
        };
        let shard = from.shard;
        if shard >= SHARD_COUNT {
            return Ok(step);
        }
        let next = |after: Option<Bytes>| {
            let shard = if after.is_some() { shard } else { shard + 1 };
            Some(MediaPlace { shard, after })
        };
        if tools.cluster.view().owner(Shard(shard)) != tools.cluster.node() {
            step.next = next(None);
            return Ok(step);
        }
        let after = from.after.map_or(Bound::Unbounded, Bound::Excluded);
        let page = tables::media_from(Shard(shard), after, ROWS_AT_ONCE);
        let page = tools.store.scan(page).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        let mut apps = BTreeMap::new();
        for (key, value) in &page.rows {
            // A damaged row is reported, and keeps nobody else's file.
            let Some((app, id)) = tables::media_of_key(key) else {
                tracing::error!(?key, "the key of a file is damaged");
                continue;
            };
            let Ok(row) = tables::decode::<stored::Media>(value) else {
                continue;
            };
            let days = match apps.get(&app) {
                Some(days) => *days,
                None => self.media_retention_days(app).await?,
            };
            apps.insert(app, days);
            let too_old = row.created_time + u64::from(days) * DAY_MS <= tools.env.now().0;
            // What is not ready is removed when its upload is.
            if days > 0 && row.ready && too_old {
                step.files.push((app, id.to_owned()));
            }
        }
        step.looked = page.rows.len();
        let last = page.rows.last().filter(|_| page.more);
        step.next = next(last.map(|(key, _)| key.clone()));
        Ok(step)
    }

    /// For how long the app keeps files; 0: for good. Read from the store: what is removed because
    /// of an answer that is out of date does not come back.
    async fn media_retention_days(&self, app: AppId) -> Result<u32, Reject> {
        let own = self.stored_app_settings(app).await?;
        let all = self.core.tools.settings.media_retention_days;
        Ok(own.media_retention_days.unwrap_or(all))
    }
}
