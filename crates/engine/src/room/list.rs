//! Rooms as the store has them: which there are, and what is decided about each.
//!
//! Nobody's memory is asked, so a room that nobody is in is not taken up for it, and one that came
//! to be by joining and was never written is not listed. There is no index: the rows of an app
//! are read shard by shard, as far as a budget of rooms and of time goes.

use anser_domain::limits::{QUERY_CONVERSATIONS_MAX, QUERY_TIME_MS_MAX};
use anser_domain::room::attribute::Attributes;
use anser_domain::room::info::RoomSettings;
use anser_domain::{AppId, Code, Reject, RoomId, Timestamp};
use anser_store::{SCAN_LIMIT_MAX, SHARD_COUNT, Shard};
use futures::future::join_all;

use super::record;
use crate::engine::Engine;
use crate::fault;
use crate::tables;

/// Shards that are read at a time.
const SHARDS_AT_ONCE: usize = 64;

/// What is decided about a room.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct StoredRoom {
    /// Its settings.
    pub settings: RoomSettings,
    /// When it was created.
    pub created: Timestamp,
    /// Its attributes, by key.
    pub attributes: Attributes,
}

impl Engine {
    /// A room that was created or changed, as it is stored; `None`: there is none.
    pub async fn stored_room(
        &self,
        app: AppId,
        room: &RoomId,
    ) -> Result<Option<StoredRoom>, Reject> {
        let record = record::read(&self.core.tools, app, room).await?;
        if !record.exists() {
            return Ok(None);
        }
        let (settings, created) = record.life();
        Ok(Some(StoredRoom {
            settings,
            created,
            attributes: record.into_attributes(),
        }))
    }

    /// The app's stored rooms as far as the budget of a query goes, and whether these are all. Some
    /// may have been destroyed.
    pub async fn stored_rooms(&self, app: AppId) -> Result<(Vec<RoomId>, bool), Reject> {
        let tools = &self.core.tools;
        let until = Timestamp(tools.env.now().0 + QUERY_TIME_MS_MAX);
        let mut rooms = Vec::new();
        for first in (0..SHARD_COUNT).step_by(SHARDS_AT_ONCE) {
            let left = QUERY_CONVERSATIONS_MAX - rooms.len();
            if left == 0 || tools.env.now() > until {
                return Ok((rooms, false));
            }
            let limit = left.min(SCAN_LIMIT_MAX);
            let shards = (first..SHARD_COUNT).take(SHARDS_AT_ONCE);
            let scans =
                shards.map(|shard| tools.store.scan(tables::rooms_of(app, Shard(shard), limit)));
            let mut more = false;
            for page in join_all(scans).await {
                let page = page.map_err(|e| fault::reject(&e))?;
                more |= page.more;
                for (key, _) in &page.rows {
                    let (_, room) = tables::of_room(key).ok_or(Code::Internal)?;
                    rooms.push(room);
                }
            }
            if more || rooms.len() > QUERY_CONVERSATIONS_MAX {
                rooms.truncate(QUERY_CONVERSATIONS_MAX);
                return Ok((rooms, false));
            }
        }
        Ok((rooms, true))
    }
}
