//! A user's conversations: pinned ones first, then by last activity.
//!
//! Rows come from the user's feed, the last changed first, and are bounded; activity comes from
//! the conversations' heads in one multi-read. Nothing is kept in the user's shard per message.

use std::sync::Arc;

use anser_domain::limits::INBOX_CONVERSATIONS_MAX;
use anser_domain::{AppId, Reject, Timestamp};
use anser_proto::stored;
use anser_store::{GET_MANY_MAX, Key, SCAN_LIMIT_MAX};
use bytes::Bytes;

use crate::conversation::{ConversationView, view};
use crate::fault;
use crate::system::read as system;
use crate::tables::{self, ConversationKeys, UserKeys};
use crate::tools::Tools;
use crate::user::inbox;

/// A conversation with what sorts it.
pub(crate) struct Listed {
    pub(crate) name: Arc<str>,
    pub(crate) row: stored::InboxRow,
    pub(crate) head: Option<stored::Head>,
    pub(crate) last_time: Timestamp,
    /// When something happened in it last, be it a message or a change of one.
    pub(crate) moved: Timestamp,
}

impl Listed {
    /// Pinned first, then newest, and among equals by name, so that a page can say where it ended.
    pub(crate) fn sort_key(&self) -> (bool, std::cmp::Reverse<u64>, &str) {
        let last_time = std::cmp::Reverse(self.last_time.0);
        (!self.row.pinned, last_time, &self.name)
    }

    /// Does it stand in the list?
    pub(crate) fn is_shown(&self) -> bool {
        let head_seq = self.head.as_ref().map_or(0, |head| head.seq);
        self.row.member && !self.is_dismissed() && !inbox::settings(&self.row).is_hidden(head_seq)
    }

    /// Was it a system conversation, which is dismissed?
    pub(crate) fn is_dismissed(&self) -> bool {
        let head = self.head.as_ref();
        head.is_some_and(|head| view::is_dismissed(&self.name, head))
    }

    pub(crate) async fn view(
        &self,
        tools: &Tools,
        app: AppId,
        user: &str,
    ) -> Result<ConversationView, Reject> {
        view::view(
            &tools.store,
            app,
            user,
            &self.name,
            &self.row,
            self.head.as_ref(),
        )
        .await
    }
}

/// All conversations of the user, those that the user left or hid included, in the
/// order of the list.
pub(crate) async fn all(tools: &Tools, app: AppId, user: &str) -> Result<Vec<Listed>, Reject> {
    let rows = rows(tools, app, user).await?;
    with_heads(tools, app, user, rows).await
}

/// A conversation's name, and the user's row of it.
pub(crate) type NamedRow = (Arc<str>, stored::InboxRow);

/// The user's rows, those that changed last first.
pub(crate) async fn rows(tools: &Tools, app: AppId, user: &str) -> Result<Vec<NamedRow>, Reject> {
    let keys = UserKeys::new(app, user);
    let mut names = names(tools, &keys).await?;
    let now = tools.env.now();
    names.retain(|name| !view::is_over(name, now));
    let rows = get_all(tools, names.iter().map(|name| keys.inbox(name)).collect()).await?;
    let mut named = Vec::with_capacity(names.len());
    for (name, row) in names.into_iter().zip(rows) {
        // A feed row and its inbox row are written together; one without the other was read
        // while it moved, and its own push is on the way.
        if let Some(row) = tables::decode_some(row.as_ref())? {
            named.push((name, row));
        }
    }
    Ok(named)
}

/// The conversations of these rows, in the order of the list.
pub(crate) async fn with_heads(
    tools: &Tools,
    app: AppId,
    user: &str,
    rows: Vec<NamedRow>,
) -> Result<Vec<Listed>, Reject> {
    let heads = rows
        .iter()
        .map(|(name, _)| ConversationKeys::new(app, name).head());
    let heads = get_all(tools, heads.collect()).await?;
    let mut listed = Vec::with_capacity(rows.len());
    for ((name, row), head) in rows.into_iter().zip(heads) {
        let mut head: Option<stored::Head> = tables::decode_some(head.as_ref())?;
        let mut updated = 0;
        if row.member && name.starts_with("s/") {
            let keys = ConversationKeys::new(app, &name);
            if let Some(whole) = head.take() {
                // Nothing else tells devices that were away of a new name, or of the end.
                updated = whole.updated_time;
                head = Some(system::head_for(&tools.store, &keys, user, whole).await?);
            }
        }
        let last_time = Timestamp(
            head.as_ref()
                .map_or(0, |head| head.last_time)
                .max(row.joined_time),
        );
        let changed = head.as_ref().map_or(0, |head| head.changed_time);
        listed.push(Listed {
            moved: last_time.max(Timestamp(changed.max(updated))),
            name,
            row,
            head,
            last_time,
        });
    }
    listed.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    Ok(listed)
}

/// The names of the conversations that changed last for the user, at most
/// [`INBOX_CONVERSATIONS_MAX`].
pub(crate) async fn names(tools: &Tools, keys: &UserKeys) -> Result<Vec<Arc<str>>, Reject> {
    let mut names: Vec<Arc<str>> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut below = u64::MAX;
    while names.len() < INBOX_CONVERSATIONS_MAX {
        let limit = SCAN_LIMIT_MAX.min(INBOX_CONVERSATIONS_MAX - names.len());
        let page = tools
            .store
            .scan(keys.inbox_feed_below(below, limit))
            .await
            .map_err(|e| fault::reject(&e))?;
        for (key, value) in &page.rows {
            below = keys
                .version_of_key(key)
                .ok_or_else(crate::conversation::loaded::damaged)?;
            let name =
                std::str::from_utf8(value).map_err(|_| crate::conversation::loaded::damaged())?;
            let name: Arc<str> = Arc::from(name);
            // A row that moved between two pages may be met twice.
            if seen.insert(name.clone()) {
                names.push(name);
            }
        }
        if !page.more {
            break;
        }
    }
    Ok(names)
}

/// The values of any number of keys.
pub(crate) async fn get_all(tools: &Tools, keys: Vec<Key>) -> Result<Vec<Option<Bytes>>, Reject> {
    let mut values = Vec::with_capacity(keys.len());
    for chunk in keys.chunks(GET_MANY_MAX) {
        values.extend(
            tools
                .store
                .get_many(chunk)
                .await
                .map_err(|e| fault::reject(&e))?,
        );
    }
    Ok(values)
}
