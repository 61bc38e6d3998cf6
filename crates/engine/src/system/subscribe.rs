//! Subscribing to a system conversation, and unsubscribing.
//!
//! The rows of those concerned and the effect on their inboxes are one unit; the head is not
//! touched, so nobody who subscribes stands in the way of a message. The row of somebody who has
//! gone stays, without a subscription: its version goes on from there, and an effect that comes
//! late changes nothing.

use anser_domain::limits::{MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX, SUBSCRIBERS_CHANGE_MAX};
use anser_domain::{AppId, Code, ConversationId, GroupId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Key, Outcome, Unit};
use stored::outbox_row::Effect;

use super::commands::look;
use super::{SubscriberPage, commands};
use crate::conversation::loaded::damaged;
use crate::engine::{Engine, page_limit};
use crate::fault;
use crate::tables::{self, ConversationKeys};

/// Times a change is tried again after somebody else changed one of the rows.
const TRIES_MAX: u32 = 16;

/// The users' lists follow their subscription, in which they are `since` then.
pub(super) fn inbox_effect(
    app: AppId,
    name: &str,
    users: Vec<String>,
    (row, since): (&stored::Subscriber, u64),
    now: u64,
) -> stored::OutboxRow {
    let effect = stored::InboxEffect {
        app: app.0,
        conversation: name.to_owned(),
        member_version: row.version,
        users,
        member: row.subscribed,
        joined_time: since,
        first_seq: row.seq + 1,
        joined_ordinal: row.ordinal,
        joined_seq: row.seq,
        invitation: None,
        put_out_by: String::new(),
        banned: false,
    };
    stored::OutboxRow {
        attempts: 0,
        created_time: now,
        effect: Some(Effect::Inbox(effect)),
    }
}

impl Engine {
    /// Subscribes users, at most 100, or unsubscribes them. Those for whom it changes nothing are
    /// passed over. What was sent before is not for them.
    ///
    /// # Errors
    /// `EVERYONE_SUBSCRIBED`, `TAG_DECIDES` where nobody can come or go.
    pub async fn subscribe(
        &self,
        app: AppId,
        id: &GroupId,
        users: &[UserId],
        subscribe: bool,
    ) -> Result<(), Reject> {
        self.check_running()?;
        if users.is_empty() || users.len() > SUBSCRIBERS_CHANGE_MAX {
            let message = format!("users are 1–{SUBSCRIBERS_CHANGE_MAX}");
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        let users: std::collections::BTreeSet<&UserId> = users.iter().collect();
        let (tools, conversation) = (&self.core.tools, ConversationId::System(id.clone()));
        let name = conversation.to_string();
        let keys = ConversationKeys::new(app, &name);
        let rows: Vec<Key> = users
            .iter()
            .map(|user| keys.subscriber(user.as_str()))
            .collect();
        for _ in 0..TRIES_MAX {
            let commands::Looked { head, .. } = look(tools, app, &conversation).await?;
            if head.everyone {
                return Err(Code::EveryoneSubscribed.into());
            }
            if !head.audience_tag.is_empty() {
                return Err(Code::TagDecides.into());
            }
            let read = tools.store.get_many(&rows).await;
            let read = read.map_err(|e| fault::reject(&e))?;
            let now = tools.env.now().0;
            let (mut version, mut unit, mut concerned) = (now, Unit::new(), Vec::new());
            for ((user, key), bytes) in users.iter().zip(&rows).zip(read) {
                let old: stored::Subscriber =
                    tables::decode_some(bytes.as_ref())?.unwrap_or_default();
                if old.subscribed == subscribe {
                    continue;
                }
                version = version.max(old.version + 1);
                unit = unit.expect_unchanged(key.clone(), bytes);
                concerned.push((user.as_str().to_owned(), key.clone()));
            }
            if concerned.is_empty() {
                return Ok(());
            }
            let row = stored::Subscriber {
                subscribed: subscribe,
                time: now,
                seq: head.seq,
                ordinal: head.ordinal,
                version,
            };
            let value = tables::encode(&row);
            for (_, key) in &concerned {
                unit = unit.put(key.clone(), value.clone());
            }
            let users = concerned.into_iter().map(|(user, _)| user).collect();
            let effect = inbox_effect(app, &name, users, (&row, now), now);
            let nudge = keys.outbox(now, tools.env.random());
            let unit = unit.put(nudge.clone(), tables::encode(&effect));
            match tools.committer.commit(app, unit).await? {
                Outcome::Committed => {
                    self.core.outbox.nudge(nudge, effect);
                    return Ok(());
                }
                Outcome::Conflict => {}
                Outcome::Refused(error) => return Err(fault::reject(&error)),
                Outcome::Unknown(_) => {
                    self.core.outbox.look(nudge.shard);
                    return Err(Code::Timeout.into());
                }
            }
        }
        Err(Code::Unavailable.into())
    }

    /// Since when the user is subscribed; `None`: is not. To a conversation for everyone, since it was
    /// created.
    pub async fn subscribed_since(
        &self,
        app: AppId,
        id: &GroupId,
        user: &UserId,
    ) -> Result<Option<Timestamp>, Reject> {
        let (tools, conversation) = (&self.core.tools, ConversationId::System(id.clone()));
        let head = look(tools, app, &conversation).await?.head;
        if head.everyone {
            return Ok(Some(Timestamp(head.created_time)));
        }
        let keys = ConversationKeys::new(app, &conversation.to_string());
        let row = tools.store.get(&keys.subscriber(user.as_str())).await;
        let row = row.map_err(|e| fault::reject(&e))?;
        let row: Option<stored::Subscriber> = tables::decode_some(row.as_ref())?;
        let row = row.filter(|row| row.subscribed);
        Ok(row.map(|row| Timestamp(row.time)))
    }

    /// A page of subscribers, by user id; of a conversation for everyone there is none. `limit` 0
    /// takes the default.
    pub async fn subscribers(
        &self,
        app: AppId,
        id: &GroupId,
        cursor: &str,
        limit: usize,
    ) -> Result<SubscriberPage, Reject> {
        tables::check_user_cursor(cursor)?;
        let limit = page_limit(limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
        let (tools, conversation) = (&self.core.tools, ConversationId::System(id.clone()));
        if look(tools, app, &conversation).await?.head.everyone {
            return Err(Code::EveryoneSubscribed.into());
        }
        let keys = ConversationKeys::new(app, &conversation.to_string());
        let page = tools.store.scan(keys.subscribers(cursor, limit)).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        let (mut subscribers, mut last) = (Vec::new(), String::new());
        for (key, value) in &page.rows {
            let user = keys.member_of_key(key).ok_or_else(damaged)?;
            let row: stored::Subscriber = tables::decode(value)?;
            user.clone_into(&mut last);
            if row.subscribed {
                let user = UserId::new(user).map_err(|_| damaged())?;
                subscribers.push((user, Timestamp(row.time)));
            }
        }
        if !page.more {
            last.clear();
        }
        Ok(SubscriberPage {
            subscribers,
            cursor: last,
        })
    }
}
