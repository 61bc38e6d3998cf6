//! Temporary conversations: gone when their time is over.
//!
//! The id tells the end ([`anser_domain::temporary`]), so that every access is refused from then on
//! without a look at any row. The rows go a minute later, when every commit that was under way at
//! the end is decided: the unit that creates the conversation also writes an outbox row, due then.
//! Carried out, it first takes the conversation out of the inboxes of all who are or were in it,
//! and then removes it table by table, its head last. Each step is bounded and may be repeated; one
//! that dies on the way is found by its outbox row, and goes on with what is left.

use std::ops::Bound;
use std::sync::Arc;

use anser_domain::{AppId, Code, ConversationId, Reject};
use anser_store::{Key, Outcome, Space, Unit};
use bytes::Bytes;
use futures::future::try_join_all;

use crate::conversation::loaded;
use crate::fault;
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;
use crate::user::ended;

/// Rows read, and removed in one unit, at a time.
const ROWS_AT_ONCE: usize = 200;
/// Users whose inboxes are changed at a time.
const USERS_AT_ONCE: usize = 64;

/// Those who have a row in their inbox.
const USERS: [Space; 2] = [tables::MEMBER, tables::LEFT];

/// What else there may be of a temporary conversation; its head is the last to go.
const TABLES: [Space; 19] = [
    tables::MESSAGE,
    tables::SENT,
    tables::UNCOUNTED,
    tables::POSITION,
    tables::JOIN_REQUEST,
    tables::INVITATION,
    tables::BAN,
    tables::GROUP_INFO,
    tables::BURN,
    tables::CHANGE,
    tables::EDIT,
    tables::RECALLED,
    tables::TARGETED,
    tables::MENTION,
    tables::HIDDEN,
    tables::HIDDEN_FEED,
    tables::RECEIPT_FEED,
    tables::ACKNOWLEDGED,
    tables::HEAD,
];

/// Nothing is left of it.
pub(crate) async fn remove(tools: &Arc<Tools>, app: AppId, name: &str) -> Result<(), Reject> {
    let id = ConversationId::parse(name)
        .map_err(|_| Reject::new(Code::Internal, "a stored conversation has no valid name"))?;
    if id.check_living(tools.env.now()).is_ok() {
        // By this node's clock, which must be behind the one that planned it.
        return Err(Code::Unavailable.into());
    }
    let (keys, name) = (ConversationKeys::new(app, name), Arc::from(name));
    for space in USERS {
        remove_users(tools, app, &keys, &name, space).await?;
    }
    for space in TABLES {
        while let Some(rows) = page(tools, &keys, space, ROWS_AT_ONCE).await? {
            delete(tools, app, &keys, space, rows).await?;
        }
    }
    Ok(())
}

/// The conversation leaves the inboxes of these users before their rows here go.
async fn remove_users(
    tools: &Arc<Tools>,
    app: AppId,
    keys: &ConversationKeys,
    name: &Arc<str>,
    space: Space,
) -> Result<(), Reject> {
    while let Some(rows) = page(tools, keys, space, USERS_AT_ONCE).await? {
        let forgotten = rows.iter().map(async |key| {
            let user = keys.member_of_key(key).ok_or_else(loaded::damaged)?;
            ended::forget(tools, app, user, name).await
        });
        try_join_all(forgotten).await?;
        delete(tools, app, keys, space, rows).await?;
    }
    Ok(())
}

/// The keys of the first rows that there are in a table; `None`: it has none.
async fn page(
    tools: &Tools,
    keys: &ConversationKeys,
    space: Space,
    limit: usize,
) -> Result<Option<Vec<Bytes>>, Reject> {
    let scan = keys.table(space, Bound::Unbounded).limit(limit);
    let page = tools.store.scan(scan).await;
    let rows = page.map_err(|e| fault::reject(&e))?.rows;
    let rows: Vec<Bytes> = rows.into_iter().map(|(key, _)| key).collect();
    Ok((!rows.is_empty()).then_some(rows))
}

async fn delete(
    tools: &Tools,
    app: AppId,
    keys: &ConversationKeys,
    space: Space,
    rows: Vec<Bytes>,
) -> Result<(), Reject> {
    let unit = rows.into_iter().fold(Unit::new(), |unit, key| {
        unit.delete(Key::new(space, keys.shard(), key))
    });
    match tools.committer.commit(app, unit).await? {
        Outcome::Committed => Ok(()),
        _ => Err(Code::Unavailable.into()),
    }
}
