//! Presence, by the engine's handle. `NOT_ALLOWED` unless the app has switched it on.

use anser_domain::limits::PRESENCE_USERS_MAX;
use anser_domain::{AppId, Code, Reject, Timestamp, UserId, presence as rules};
use anser_proto::stored;
use anser_store::{Outcome, Unit};

use super::{Presence, Subscription, publish, rows, subscription};
use crate::engine::Engine;
use crate::fault;
use crate::tables::{self, UserKeys};

/// Times a status is set again after something else changed at the same moment.
const TRIES_MAX: u32 = 16;

impl Engine {
    fn check_presence(&self, app: AppId) -> Result<(), Reject> {
        self.check_running()?;
        if self.app_settings(app).presence == Some(true) {
            return Ok(());
        }
        Err(Reject::new(
            Code::NotAllowed,
            "presence is off; the app switches it on in its settings",
        ))
    }

    /// What is told of these users, in the order asked for; at most 100.
    pub async fn presences(&self, app: AppId, users: &[UserId]) -> Result<Vec<Presence>, Reject> {
        self.check_presence(app)?;
        if users.len() > PRESENCE_USERS_MAX {
            return Err(Reject::new(
                Code::InvalidRequest,
                format!("users are at most {PRESENCE_USERS_MAX}"),
            ));
        }
        let tools = &self.core.tools;
        let keys: Vec<_> = users
            .iter()
            .map(|user| UserKeys::new(app, user.as_str()).presence())
            .collect();
        let read = tools.store.get_many(&keys).await;
        let read = read.map_err(|e| fault::reject(&e))?;
        let now = tools.env.now();
        let mut told = Vec::with_capacity(users.len());
        for (user, row) in users.iter().zip(read) {
            let row: stored::Presence = tables::decode_some(row.as_ref())?.unwrap_or_default();
            told.push(rows::presence(user.as_str(), &row, now));
        }
        Ok(told)
    }

    /// Sets the user's own words, for so long; an empty text, or zero seconds, takes them back.
    /// Who watches the user is told.
    pub async fn set_presence_status(
        &self,
        app: AppId,
        user: &UserId,
        status: &str,
        seconds: u64,
    ) -> Result<(), Reject> {
        self.check_presence(app)?;
        rules::check_status(status, seconds)?;
        let tools = &self.core.tools;
        let key = UserKeys::new(app, user.as_str()).presence();
        let until = match status {
            "" => Timestamp(0),
            _ => self.until(seconds),
        };
        for _ in 0..TRIES_MAX {
            let old = tools.store.get(&key).await.map_err(|e| fault::reject(&e))?;
            let row: stored::Presence = tables::decode_some(old.as_ref())?.unwrap_or_default();
            let new = stored::Presence {
                status: if until.0 == 0 { "" } else { status }.to_owned(),
                status_until: until.0,
                ..row.clone()
            };
            if new == row {
                return Ok(());
            }
            let unit = Unit::new()
                .expect_unchanged(key.clone(), old)
                .put(key.clone(), tables::encode(&new));
            match tools.committer.commit(app, unit).await? {
                Outcome::Committed => {
                    let now = tools.env.now();
                    let told = rows::presence(user.as_str(), &new, now);
                    let result = publish::tell(tools, app, told).await;
                    // It is stored, and is told a moment later.
                    if result.is_err() && tools.notes.owe(app, user.as_str(), now) {
                        return Ok(());
                    }
                    return result;
                }
                Outcome::Conflict => {}
                Outcome::Refused(error) => return Err(fault::reject(&error)),
                Outcome::Unknown(_) => return Err(Code::Timeout.into()),
            }
        }
        Err(Code::Unavailable.into())
    }

    /// Tells the user of changes of these users for so long, or no longer (zero); answers how
    /// they are now.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for more than 100 users at once, 1,000 in all, or 30 days.
    pub async fn subscribe_presence(
        &self,
        app: AppId,
        user: &UserId,
        others: &[UserId],
        seconds: u64,
    ) -> Result<Vec<Presence>, Reject> {
        self.check_presence(app)?;
        rules::check_seconds(seconds)?;
        let until = self.until(seconds);
        subscription::change(&self.core.tools, app, user, others, until).await?;
        self.presences(app, others).await
    }

    /// Whom the user watches, by user id.
    pub async fn presence_subscriptions(
        &self,
        app: AppId,
        user: &UserId,
    ) -> Result<Vec<Subscription>, Reject> {
        self.check_presence(app)?;
        subscription::list(&self.core.tools, app, user).await
    }
}
