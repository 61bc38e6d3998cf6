//! The feed of receipts: who moved since a version.

use std::sync::Arc;

use anser_domain::position::{feed_given, feed_start};
use anser_domain::{AppId, ConversationId, Reject, UserId};
use anser_proto::stored;
use anser_store::Key;
use bytes::Bytes;

use super::{ReceiptPage, receipt};
use crate::conversation::loaded::damaged;
use crate::conversation::unread::all_rows;
use crate::conversation::view;
use crate::fault;
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;

/// Members who moved since the version that an earlier page gave; zero: all who ever did. Those
/// who moved shortly before are given once more.
pub(crate) async fn list(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    id: &ConversationId,
    from_version: u64,
    limit: usize,
) -> Result<ReceiptPage, Reject> {
    let name: Arc<str> = id.to_string().into();
    let keys = ConversationKeys::new(app, &name);
    view::access(tools, app, &keys, id, user).await?;
    let scan = keys.receipts_after(feed_start(from_version), limit);
    let page = tools.store.scan(scan).await;
    let page = page.map_err(|e| fault::reject(&e))?;
    let mut rows = page.rows;
    let place = |key: &Bytes| {
        let (version, user) = keys.number_and_user(key)?;
        Some((version, user.to_owned()))
    };
    if page.more
        && let Some((last, _)) = rows.last()
    {
        // The page ends behind all who moved in the same moment.
        let (version, user) = place(last).ok_or_else(damaged)?;
        rows.extend(all_rows(&tools.store, keys.receipts_beside(version, &user)).await?);
    }
    let mut users = Vec::with_capacity(rows.len());
    let mut last = from_version;
    for (key, _) in &rows {
        let (version, user) = place(key).ok_or_else(damaged)?;
        last = last.max(version);
        users.push(user);
    }
    let places: Vec<Key> = users.iter().map(|user| keys.position(user)).collect();
    let positions = tools.store.get_many(&places).await;
    let mut receipts = Vec::with_capacity(users.len());
    for (user, row) in users.iter().zip(positions.map_err(|e| fault::reject(&e))?) {
        let row: stored::Position = tables::decode_some(row.as_ref())?.unwrap_or_default();
        receipts.push(receipt(user, &row));
    }
    Ok(ReceiptPage {
        conversation: name,
        receipts,
        version: feed_given(last, page.more),
        more: page.more,
    })
}
