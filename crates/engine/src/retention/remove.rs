//! Removing physically what is before the beginning of a history.
//!
//! What hangs on a message goes with it. Running totals (unread is the difference of two of them)
//! are different: of each user's rows before the beginning the last one stays, the others go. They
//! go first and the messages last, oldest first: as long as a message is there, everything that
//! came after its time is looked for again.

use std::ops::Bound;
use std::sync::Arc;

use anser_domain::{AppId, Code, Reject};
use anser_proto::stored;
use anser_store::{Direction, Key, Outcome, Scan, Space, Unit};
use bytes::Bytes;

use crate::conversation::row;
use crate::fault;
use crate::message::Message;
use crate::tables::{
    self, ACKNOWLEDGED, ConversationKeys, EDIT, HIDDEN, TARGETED, UNCOUNTED, last_number,
};
use crate::tools::Tools;

/// Rows read, and removed in one unit, at a time.
const ROWS_AT_ONCE: usize = 200;

/// The oldest message that is there.
pub(super) async fn oldest(
    tools: &Tools,
    keys: &ConversationKeys,
    last: u64,
) -> Result<Option<u64>, Reject> {
    let page = scan(tools, keys.messages(1, last, Direction::Forward, 1)).await?;
    Ok(page.first().and_then(|(key, _)| last_number(key)))
}

/// Removes what is before `first_seq`; up to there `first_ordinal` messages counted.
pub(super) async fn remove(
    tools: &Tools,
    app: AppId,
    keys: &ConversationKeys,
    name: &str,
    (first_seq, first_ordinal): (u64, u64),
) -> Result<(), Reject> {
    let (last_seq, name) = (first_seq - 1, Arc::from(name));
    each_user(tools, app, keys, (UNCOUNTED, first_ordinal), totals).await?;
    each_user(tools, app, keys, (TARGETED, last_seq), totals).await?;
    each_user(tools, app, keys, (HIDDEN, last_seq), hidden).await?;
    loop {
        let rows = scan(
            tools,
            keys.messages(1, last_seq, Direction::Forward, ROWS_AT_ONCE),
        )
        .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut unit = Unit::new();
        for (key, value) in &rows {
            let message = row::decode_message(&name, key, value)?;
            unit = with_message(tools, app, keys, unit, &message).await?;
        }
        commit(tools, app, unit).await?;
    }
}

/// The message and everything that hangs on it.
async fn with_message(
    tools: &Tools,
    app: AppId,
    keys: &ConversationKeys,
    mut unit: Unit,
    message: &Message,
) -> Result<Unit, Reject> {
    let seq = message.seq;
    unit = unit
        .delete(keys.message(seq))
        .delete(keys.sent(&message.sender, &message.client_message_id));
    if keys.is_system() {
        unit = unit.delete(keys.for_all(seq));
    }
    if message.burn_after_seconds > 0 {
        unit = unit.delete(keys.burn(seq));
    }
    if let Some(mention) = message.mention.as_deref() {
        let named = mention.users.iter().chain(&message.targets);
        unit = named.fold(unit.delete(keys.mention("", seq)), |unit, user| {
            unit.delete(keys.mention(user.as_str(), seq))
        });
    }
    if message.receipt_wanted {
        all(tools, app, ACKNOWLEDGED, keys.acknowledgers(seq)).await?;
    }
    if let Some(state) = message.state.as_deref() {
        all(tools, app, EDIT, keys.edits(seq, 0, ROWS_AT_ONCE)).await?;
        unit = unit
            .delete(keys.change(state.rev))
            .delete(keys.recalled(seq));
    }
    Ok(unit)
}

/// Every row of a scan, page by page.
async fn all(tools: &Tools, app: AppId, space: Space, rows: Scan) -> Result<(), Reject> {
    let shard = rows.shard;
    loop {
        let page = scan(tools, rows.clone().limit(ROWS_AT_ONCE)).await?;
        if page.is_empty() {
            return Ok(());
        }
        let gone = page.into_iter().fold(Unit::new(), |unit, (key, _)| {
            unit.delete(Key::new(space, shard, key))
        });
        commit(tools, app, gone).await?;
    }
}

/// Of a user's running totals the last one stays. In a later page the one that was left leads.
fn totals(
    keys: &ConversationKeys,
    space: Space,
    mut rows: Vec<(Bytes, Bytes)>,
) -> Result<Unit, Reject> {
    rows.pop();
    Ok(rows.into_iter().fold(Unit::new(), |unit, (key, _)| {
        unit.delete(Key::new(space, keys.shard(), key))
    }))
}

/// What a user deleted for themself, with its place in their feed.
fn hidden(
    keys: &ConversationKeys,
    space: Space,
    rows: Vec<(Bytes, Bytes)>,
) -> Result<Unit, Reject> {
    let mut gone = Unit::new();
    for (key, value) in rows {
        let row: stored::HiddenRow = tables::decode(&value)?;
        if let Some(feed) = keys.hidden_feed_of(&key, row.version) {
            gone = gone.delete(feed);
        }
        gone = gone.delete(Key::new(space, keys.shard(), key));
    }
    Ok(gone)
}

/// What of a user's rows goes, page by page.
type Gone = fn(&ConversationKeys, Space, Vec<(Bytes, Bytes)>) -> Result<Unit, Reject>;

/// Of each user's rows of a table up to a number. Costs one seek a user who has any.
async fn each_user(
    tools: &Tools,
    app: AppId,
    keys: &ConversationKeys,
    (space, up_to): (Space, u64),
    gone: Gone,
) -> Result<(), Reject> {
    let mut from = Bound::Unbounded;
    while let Some((key, _)) = scan(tools, keys.table(space, from).limit(1)).await?.pop() {
        let high = tables::with_number(&key, up_to);
        let mut low = Bound::Included(tables::with_number(&key, 0));
        loop {
            let range = Scan::range(space, keys.shard(), low, Bound::Included(high.clone()));
            let rows = scan(tools, range.limit(ROWS_AT_ONCE)).await?;
            let full = rows.len() == ROWS_AT_ONCE;
            let last = rows.last().map(|(key, _)| key.clone());
            if !rows.is_empty() {
                commit(tools, app, gone(keys, space, rows)?).await?;
            }
            match last {
                // From the last one on: it may have been left to lead the next page.
                Some(last) if full => low = Bound::Included(last),
                _ => break,
            }
        }
        from = Bound::Excluded(tables::with_number(&key, u64::MAX));
    }
    Ok(())
}

async fn scan(tools: &Tools, scan: Scan) -> Result<Vec<(Bytes, Bytes)>, Reject> {
    let page = tools.store.scan(scan).await;
    Ok(page.map_err(|e| fault::reject(&e))?.rows)
}

async fn commit(tools: &Tools, app: AppId, unit: Unit) -> Result<(), Reject> {
    if unit.writes.is_empty() {
        return Ok(());
    }
    match tools.committer.commit(app, unit).await? {
        Outcome::Committed => Ok(()),
        _ => Err(Code::Unavailable.into()),
    }
}
