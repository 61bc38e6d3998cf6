//! Block list and allow list, by the engine's handle.

use anser_domain::limits::{MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX};
use anser_domain::relation::List;
use anser_domain::{AppId, Reject, UserId};

use super::{RelationChange, RelationPage, change, read};
use crate::delivery::{Burst, Outgoing};
use crate::engine::{Engine, page_limit};
use crate::event::{Event, EventBody};

impl Engine {
    /// Changes a user's block list or allow list, and tells the user's devices. What is answered
    /// holds for every send from then on.
    ///
    /// # Errors
    /// `INVALID_REQUEST` beyond a limit; nothing is changed then.
    pub async fn change_relations(
        &self,
        app: AppId,
        user: &UserId,
        wanted: &RelationChange,
    ) -> Result<(), Reject> {
        self.check_running()?;
        let changed = change::change(&self.core.outbox, app, user, wanted).await?;
        let Some(news) = changed.news else {
            return changed.holds;
        };
        let mut burst = Burst::default();
        let event = Outgoing::to_all(Event::new(EventBody::Relations(Box::new(news))));
        let users = std::slice::from_ref(user);
        let fan_out = &self.core.tools.fan_out;
        fan_out.now(app, users, &[event], &mut burst);
        burst.flush();
        changed.holds
    }

    /// A page of a user's block list or allow list. `limit` 0 takes the default.
    pub async fn relations(
        &self,
        app: AppId,
        user: &UserId,
        list: List,
        cursor: &str,
        limit: usize,
    ) -> Result<RelationPage, Reject> {
        let limit = page_limit(limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
        read::page(&self.core.tools, app, user, list, cursor, limit).await
    }
}
