//! Retention: messages older than the app keeps are removed.
//!
//! Two steps, in this order. First the history begins later: `first_seq` in the head moves, in a
//! unit conditional on the head, and with it the ordinal from which unread is counted; from then on
//! nobody is shown an older message. Then what is older goes physically ([`remove`]). A node that
//! dies between the two leaves rows below `first_seq`; the next walk finds them.
//!
//! Each node walks through the heads of the shards that it owns, some at a time with a pause
//! between, so that the walk is no load that anybody feels. A head costs one read when nothing of
//! it is too old.

mod remove;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Weak;
use std::sync::atomic::Ordering;

use anser_domain::retention::Retention;
use anser_domain::{AppId, Code, ConversationId, Reject, Timestamp};
use anser_proto::stored;
use anser_store::{Outcome, SHARD_COUNT, Shard, Unit};
use bytes::Bytes;

use crate::engine::{Core, Engine};
use crate::fault;
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;

/// Heads looked at without a pause.
const HEADS_AT_ONCE: usize = 64;
/// The pause between, in milliseconds: a node looks at about 600 heads a second.
const PAUSE_MS: u64 = 100;
/// From the start to the first walk, in milliseconds.
const WALK_FIRST_MS: u64 = 600_000;
/// Between the end of a walk and the next: six hours, in milliseconds.
const WALK_EVERY_MS: u64 = 6 * 3_600_000;

/// Walks until the engine is gone.
pub(crate) async fn walker(core: Weak<Core>) {
    let mut wait = WALK_FIRST_MS;
    loop {
        let Some(env) = core.upgrade().map(|core| core.tools.env.clone()) else {
            return;
        };
        env.sleep(wait).await;
        wait = WALK_EVERY_MS;
        for shard in (0..SHARD_COUNT).map(Shard) {
            let mut from = Bound::Unbounded;
            while let Some((next, looked)) = step(&core, shard, from).await {
                if looked > 0 {
                    env.sleep(PAUSE_MS).await;
                }
                match next {
                    Some(last) => from = Bound::Excluded(last),
                    None => break,
                }
            }
        }
    }
}

/// One page of heads. `None`: this node has nothing to do here, or stops.
async fn step(
    core: &Weak<Core>,
    shard: Shard,
    from: Bound<Bytes>,
) -> Option<(Option<Bytes>, usize)> {
    let core = core.upgrade()?;
    let engine = Engine { core };
    let cluster = &engine.core.tools.cluster;
    if engine.core.stopping.load(Ordering::Relaxed) || cluster.view().owner(shard) != cluster.node()
    {
        return None;
    }
    match engine.expire_page(shard, from).await {
        Ok(page) => Some(page),
        Err(reject) => {
            tracing::warn!(%reject, "what is too old stays for now");
            None
        }
    }
}

impl Engine {
    /// Removes everything that is too old now, in the shards of this node, without pauses.
    ///
    /// # Errors
    /// When the store can't be read or written; what was removed until then is removed.
    pub async fn remove_expired(&self) -> Result<(), Reject> {
        let cluster = &self.core.tools.cluster;
        let view = cluster.view();
        let mine = |shard: &Shard| view.owner(*shard) == cluster.node();
        for shard in (0..SHARD_COUNT).map(Shard).filter(mine) {
            let mut from = Bound::Unbounded;
            while let (Some(last), _) = self.expire_page(shard, from).await? {
                from = Bound::Excluded(last);
            }
        }
        Ok(())
    }

    /// The last head looked at, if there are more, and how many there were.
    async fn expire_page(
        &self,
        shard: Shard,
        from: Bound<Bytes>,
    ) -> Result<(Option<Bytes>, usize), Reject> {
        let tools = &self.core.tools;
        let scan = tables::heads(shard, from, HEADS_AT_ONCE);
        let page = tools.store.scan(scan).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        let mut apps = BTreeMap::new();
        for (key, value) in &page.rows {
            // A damaged row is reported, and keeps nobody else's messages.
            let Some((app, name, id)) = read_key(key) else {
                tracing::error!(?key, "the key of a head is damaged");
                continue;
            };
            let Ok(head) = tables::decode::<stored::Head>(value) else {
                continue;
            };
            if id.end().is_some() {
                // It goes as a whole, long before anything in it is too old.
                continue;
            }
            let retention = match apps.get(&app) {
                Some(known) => *known,
                None => self.retention(app).await?,
            };
            apps.insert(app, retention);
            let cutoff = retention.cutoff(&id, tools.env.now());
            expire(tools, app, name, (value, head), cutoff).await?;
        }
        let last = page.rows.last().filter(|_| page.more);
        Ok((last.map(|(key, _)| key.clone()), page.rows.len()))
    }

    /// How long the app keeps messages. Read from the store: what is removed because of an answer
    /// that is out of date does not come back.
    async fn retention(&self, app: AppId) -> Result<Retention, Reject> {
        let own = self.stored_app_settings(app).await?;
        let all = self.core.tools.settings.retention_days;
        Ok(Retention {
            private_days: own.private_retention_days.unwrap_or(all),
            group_days: own.group_retention_days.unwrap_or(all),
        })
    }
}

fn read_key(key: &[u8]) -> Option<(AppId, &str, ConversationId)> {
    let (app, name) = tables::conversation_of_head(key)?;
    Some((app, name, ConversationId::parse(name).ok()?))
}

/// One conversation: the history begins behind what is older than `cutoff`, which then goes.
async fn expire(
    tools: &Tools,
    app: AppId,
    name: &str,
    (bytes, head): (&Bytes, stored::Head),
    cutoff: Timestamp,
) -> Result<(), Reject> {
    let keys = ConversationKeys::new(app, name);
    let first = head.first_seq.max(1);
    let Some(oldest) = remove::oldest(tools, &keys, head.seq).await? else {
        return Ok(());
    };
    let mut history = (first, head.first_ordinal);
    if let Some(begin) = beginning(tools, &keys, first, head.seq, cutoff).await? {
        let next = stored::Head {
            first_seq: begin.0,
            first_ordinal: begin.1,
            tag: tools.env.random_u64(),
            ..head
        };
        let unit = Unit::new()
            .expect_equals(keys.head(), bytes.clone())
            .put(keys.head(), tables::encode(&next));
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => history = begin,
            // It is in use: the next walk.
            Outcome::Conflict => {}
            Outcome::Refused(_) | Outcome::Unknown(_) => return Err(Code::Unavailable.into()),
        }
    }
    if oldest < history.0 {
        remove::remove(tools, app, &keys, name, history).await?;
    }
    Ok(())
}

/// The first sequence not older than `cutoff`, with the ordinal before it. `None`: nothing is
/// older. Time never falls as the sequence grows, so it is found by bisection.
pub(crate) async fn beginning(
    tools: &Tools,
    keys: &ConversationKeys,
    first: u64,
    last: u64,
    cutoff: Timestamp,
) -> Result<Option<(u64, u64)>, Reject> {
    if first > last {
        return Ok(None);
    }
    // `low` is too old, `high` is not.
    let (mut low, mut high) = (first, last + 1);
    let mut before = message(tools, keys, first).await?;
    if before.time >= cutoff.0 {
        return Ok(None);
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        let found = message(tools, keys, middle).await?;
        if found.time < cutoff.0 {
            (low, before) = (middle, found);
        } else {
            high = middle;
        }
    }
    Ok(Some((high, before.ordinal)))
}

async fn message(
    tools: &Tools,
    keys: &ConversationKeys,
    seq: u64,
) -> Result<stored::Message, Reject> {
    let row = tools.store.get(&keys.message(seq)).await;
    let row = row.map_err(|e| fault::reject(&e))?;
    tables::decode_some(row.as_ref())?
        .ok_or_else(|| Reject::new(Code::Internal, "a message is missing in its conversation"))
}
