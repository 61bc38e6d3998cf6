//! Users whom the app keeps out.
//!
//! Until when stands in the user's row, which every login reads: once before the session is
//! registered and once after, so that nobody slips in between the ban and the end of the user's
//! sessions. A second row, in one place for the whole app, is there to list who is banned; it is
//! written before the ban and deleted after it, and one of a ban that did not come about is left
//! out of the list. Of a ban and its end at the same moment, either looks once more when it is
//! done: the ban for its row in the list, the end for a ban. So no ban is missing there.

use anser_domain::control::ban;
use anser_domain::limits::{MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX};
use anser_domain::{AppId, Code, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Outcome, Unit};

use crate::engine::{Engine, page_limit};
use crate::fault;
use crate::tables::{self, UserKeys};
use crate::tools::Tools;
use crate::user;

/// A user who is kept out.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct UserBan {
    /// Who.
    pub user: UserId,
    /// Until when; [`ban::FOR_GOOD`]: for good.
    pub until: Timestamp,
    /// Since when.
    pub time: Timestamp,
}

/// A page of users who are kept out.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct UserBanPage {
    /// By user id.
    pub bans: Vec<UserBan>,
    /// Where the next page starts; empty on the last one.
    pub cursor: String,
}

impl Engine {
    /// Keeps a user out until then: ends the sessions there are, and refuses to open others.
    pub async fn ban_user(
        &self,
        app: AppId,
        user: &UserId,
        until: Timestamp,
    ) -> Result<UserBan, Reject> {
        self.check_running()?;
        let tools = &self.core.tools;
        let time = tools.env.now();
        if until <= time {
            return Err(Reject::new(
                Code::InvalidRequest,
                "a ban ends in the future, or never",
            ));
        }
        let key = tables::user_ban_key(app, user.as_str());
        let listed = Unit::new().put(
            key.clone(),
            tables::encode(&stored::UserBan { time: time.0 }),
        );
        commit(tools, app, listed.clone()).await?;
        user::update(tools, app, user, |row| row.banned_until = until.0).await?;
        let row = tools.store.get(&key).await;
        if row.map_err(|e| fault::reject(&e))?.is_none() {
            commit(tools, app, listed).await?;
        }
        if let Err(reason) = ban::check(until, time) {
            self.end_sessions(app, user, None, &reason).await?;
        }
        let user = user.clone();
        Ok(UserBan { user, until, time })
    }

    /// Lets a user in again. Somebody who is not banned stays so.
    pub async fn unban_user(&self, app: AppId, user: &UserId) -> Result<(), Reject> {
        self.check_running()?;
        let tools = &self.core.tools;
        if user::row(tools, app, user).await?.is_none() {
            return Ok(());
        }
        user::update(tools, app, user, |row| row.banned_until = 0).await?;
        let key = tables::user_ban_key(app, user.as_str());
        commit(tools, app, Unit::new().delete(key.clone())).await?;
        let row = user::row(tools, app, user).await?.unwrap_or_default();
        let time = tools.env.now();
        if Timestamp(row.banned_until) > time {
            let row = stored::UserBan { time: time.0 };
            let listed = Unit::new().put(key, tables::encode(&row));
            commit(tools, app, listed).await?;
        }
        Ok(())
    }

    /// Who is banned, by user id. A page may be shorter than asked for, since bans that are over
    /// are left out. `limit` 0 takes the default.
    pub async fn user_bans(
        &self,
        app: AppId,
        cursor: &str,
        limit: usize,
    ) -> Result<UserBanPage, Reject> {
        tables::check_user_cursor(cursor)?;
        let limit = page_limit(limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
        let tools = &self.core.tools;
        let page = tools
            .store
            .scan(tables::user_bans(app, cursor, limit))
            .await;
        let page = page.map_err(|e| fault::reject(&e))?;
        let mut listed = Vec::with_capacity(page.rows.len());
        for (key, value) in &page.rows {
            let user = tables::user_of_ban(app, key).ok_or(Code::Internal)?;
            let row: stored::UserBan = tables::decode(value)?;
            listed.push((user, Timestamp(row.time)));
        }
        let keys: Vec<_> = listed
            .iter()
            .map(|(user, _)| UserKeys::new(app, user.as_str()).user())
            .collect();
        let rows = tools.store.get_many(&keys).await;
        let rows = rows.map_err(|e| fault::reject(&e))?;
        let cursor = match listed.last() {
            Some((last, _)) if page.more => last.as_str().to_owned(),
            _ => String::new(),
        };
        let (mut bans, now) = (Vec::new(), tools.env.now());
        for ((user, time), row) in listed.into_iter().zip(rows) {
            let row: stored::User = tables::decode_some(row.as_ref())?.unwrap_or_default();
            let until = Timestamp(row.banned_until);
            if until > now {
                bans.push(UserBan { user, until, time });
            }
        }
        Ok(UserBanPage { bans, cursor })
    }
}

/// May this user sign in?
pub(crate) fn check_row(row: &stored::User, now: Timestamp) -> Result<(), Reject> {
    ban::check(Timestamp(row.banned_until), now)
}

async fn commit(tools: &Tools, app: AppId, unit: Unit) -> Result<(), Reject> {
    match tools.committer.commit(app, unit).await? {
        Outcome::Committed => Ok(()),
        Outcome::Conflict => Err(Code::Unavailable.into()),
        Outcome::Refused(error) => Err(fault::reject(&error)),
        Outcome::Unknown(_) => Err(Code::Timeout.into()),
    }
}
