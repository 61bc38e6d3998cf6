//! What a user was told that is no message: a log a user, for clients that were away.
//!
//! Some clients are told of a change only by a push, and ask afterwards for the pushes they missed.
//! Whoever pushes keeps a copy here, in bytes whose meaning is its own. A log is no second truth:
//! what a notice tells of stands in the rows of its conversation, and a notice whose writing fails
//! is missed like a push.
//!
//! The time of a notice is the writer's, so that a client which heard the push asks behind it.
//! Notices are read for [`NOTICE_LIFE_MS`]; what is older, or above [`NOTICES_MAX`] of one user, is
//! removed with later ones, now and then.

use anser_domain::{AppId, Code, Reject, Timestamp, UserId};
use anser_store::{Outcome, Unit};
use bytes::Bytes;
use futures::future::join_all;

use crate::conversation::loaded::damaged;
use crate::engine::Engine;
use crate::fault;
use crate::tables::UserKeys;

/// Milliseconds for which a notice is read: seven days.
pub const NOTICE_LIFE_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Notices of one user that are kept, about.
pub const NOTICES_MAX: usize = 1_000;
/// Bytes of a notice.
pub const NOTICE_BYTES_MAX: usize = 16 * 1_024;
/// Users who are told at once.
pub const NOTICE_USERS_MAX: usize = 3_000;
/// Notices on a page.
pub const NOTICES_PAGE_MAX: usize = 200;
/// Of so many notices, one has its user's log looked through.
const TIDY_ONE_IN: u64 = 64;
/// Logs that are written to at a time.
const USERS_AT_ONCE: usize = 64;

/// A page of what a user was told.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct NoticePage {
    /// By time.
    pub notices: Vec<(Timestamp, Bytes)>,
    /// There are later ones.
    pub more: bool,
}

impl Engine {
    /// Writes down what these users are told.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for more than 3,000 users or 16 KiB. If it fails on the way, some may have
    /// it.
    pub async fn append_notice(
        &self,
        app: AppId,
        users: &[UserId],
        time: Timestamp,
        body: &Bytes,
    ) -> Result<(), Reject> {
        self.check_running()?;
        if users.len() > NOTICE_USERS_MAX || body.len() > NOTICE_BYTES_MAX {
            let message = format!(
                "a notice is for at most {NOTICE_USERS_MAX} users, and has at most {NOTICE_BYTES_MAX} bytes"
            );
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        for chunk in users.chunks(USERS_AT_ONCE) {
            let writes = chunk
                .iter()
                .map(|user| self.write_notice(app, user, time, body));
            for written in join_all(writes).await {
                written?;
            }
        }
        Ok(())
    }

    async fn write_notice(
        &self,
        app: AppId,
        user: &UserId,
        time: Timestamp,
        body: &Bytes,
    ) -> Result<(), Reject> {
        let tools = &self.core.tools;
        let keys = UserKeys::new(app, user.as_str());
        let key = keys.notice(time, tools.env.random());
        let mut unit = Unit::new().put(key, body.clone());
        if tools.env.random_u64().is_multiple_of(TIDY_ONE_IN) {
            let scan = keys.notices_after(Timestamp(0), 2 * NOTICES_MAX);
            let page = tools.store.scan(scan).await;
            let rows = page.map_err(|e| fault::reject(&e))?.rows;
            let surplus = rows.len().saturating_sub(NOTICES_MAX - 1);
            for (at, (key, _)) in rows.iter().enumerate() {
                let written = keys.time_of_notice(key).ok_or_else(damaged)?;
                if at < surplus || self.is_old(written) {
                    unit = unit.delete(keys.notice_of(key));
                }
            }
        }
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed | Outcome::Conflict => Ok(()),
            Outcome::Refused(error) => Err(fault::reject(&error)),
            Outcome::Unknown(_) => Err(Code::Timeout.into()),
        }
    }

    fn is_old(&self, time: Timestamp) -> bool {
        self.core.tools.env.now().0.saturating_sub(time.0) > NOTICE_LIFE_MS
    }

    /// What a user was told after a time. Notices of the same millisecond are on the same page;
    /// `limit`, at most 200, may be exceeded by them. Zero takes the most.
    pub async fn notices(
        &self,
        app: AppId,
        user: &UserId,
        after: Timestamp,
        limit: usize,
    ) -> Result<NoticePage, Reject> {
        let limit = match limit {
            0 => NOTICES_PAGE_MAX,
            limit => limit.min(NOTICES_PAGE_MAX),
        };
        let tools = &self.core.tools;
        let keys = UserKeys::new(app, user.as_str());
        let oldest = Timestamp(tools.env.now().0.saturating_sub(NOTICE_LIFE_MS));
        let scan = keys.notices_after(after.max(oldest), NOTICES_MAX);
        let page = tools.store.scan(scan).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        let mut notices: Vec<(Timestamp, Bytes)> = Vec::new();
        for (key, body) in page.rows {
            let time = keys.time_of_notice(&key).ok_or_else(damaged)?;
            let same = notices.last().is_some_and(|(last, _)| *last == time);
            if notices.len() >= limit && !same {
                return Ok(NoticePage {
                    notices,
                    more: true,
                });
            }
            notices.push((time, body));
        }
        Ok(NoticePage {
            notices,
            more: page.more,
        })
    }
}
