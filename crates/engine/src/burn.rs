//! Burning after reading.
//!
//! A message that burns has a row of its own beside it, in the unit that stores it. When somebody
//! else than its sender reads in the conversation, the touch that tells the reader's devices of it
//! ([`touch`](crate::touch)) looks for such rows up to the read position: each becomes an outbox
//! row, due when the message's time is over, in one unit. Due, it changes the message as a recall
//! would, so that devices that are away learn of it like of any change; nothing of its content is
//! kept, former contents neither.
//!
//! Every step may be repeated: a row that is gone was planned already, a message that has burned
//! burns no more.

use std::ops::Bound;

use anser_domain::{AppId, Code, ConversationId, Reject};
use anser_proto::stored;
use anser_store::{Key, Outcome, Unit};
use stored::outbox_row::Effect;

use crate::engine::Engine;
use crate::fault;
use crate::group::By;
use crate::message::Change;
use crate::outbox::Outbox;
use crate::tables::{self, BURN, ConversationKeys};

/// Rows read at a time.
const ROWS_AT_ONCE: usize = 100;

/// What the user has read and others sent will burn: each when its own time is over.
pub(crate) async fn plan(
    outbox: &Outbox,
    app: AppId,
    user: &str,
    conversation: &str,
) -> Result<(), Reject> {
    let tools = outbox.tools();
    let keys = ConversationKeys::new(app, conversation);
    let position = tools.store.get(&keys.position(user)).await;
    let position = position.map_err(|e| fault::reject(&e))?;
    let position: stored::Position = tables::decode_some(position.as_ref())?.unwrap_or_default();
    let mut from = Bound::Unbounded;
    loop {
        let scan = keys.burning(from, position.read_seq, ROWS_AT_ONCE);
        let page = tools.store.scan(scan).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        for (key, value) in &page.rows {
            let row: stored::BurnRow = tables::decode(value)?;
            if row.sender == user {
                continue;
            }
            let effect = stored::BurnEffect {
                app: app.0,
                conversation: conversation.to_owned(),
                seq: tables::last_number(key).unwrap_or_default(),
            };
            let now = tools.env.now().0;
            let due = now + u64::from(row.seconds) * 1_000;
            let effect = stored::OutboxRow {
                attempts: 0,
                created_time: now,
                effect: Some(Effect::Burn(effect)),
            };
            let later = keys.outbox(due, tools.env.random());
            let key = Key::new(BURN, later.shard, key.clone());
            let unit = Unit::new()
                .expect_equals(key.clone(), value.clone())
                .delete(key)
                .put(later.clone(), tables::encode(&effect));
            match tools.committer.commit(app, unit).await? {
                Outcome::Committed => outbox.nudge(later, effect),
                // Another device's reading planned it.
                Outcome::Conflict => {}
                Outcome::Refused(_) | Outcome::Unknown(_) => return Err(Code::Unavailable.into()),
            }
        }
        match page.rows.last() {
            Some((last, _)) if page.more => from = Bound::Excluded(last.clone()),
            _ => return Ok(()),
        }
    }
}

/// Its time is over.
pub(crate) async fn burn(engine: &Engine, effect: &stored::BurnEffect) -> Result<(), Reject> {
    let app = AppId(effect.app);
    let id = ConversationId::parse(&effect.conversation)
        .map_err(|_| Reject::new(Code::Internal, "a stored conversation has no valid name"))?;
    let (by, seq) = (By::Server, effect.seq);
    match engine.change_message(app, by, &id, seq, Change::Burn).await {
        Ok(_) => {}
        // It was removed meanwhile.
        Err(reject) if reject.code == Code::NotFound => {}
        Err(reject) => return Err(reject),
    }
    forget_edits(engine, app, effect).await
}

/// What the message said before it was edited is gone as well.
async fn forget_edits(
    engine: &Engine,
    app: AppId,
    effect: &stored::BurnEffect,
) -> Result<(), Reject> {
    let tools = &engine.core.tools;
    let keys = ConversationKeys::new(app, &effect.conversation);
    loop {
        let page = tools
            .store
            .scan(keys.edits(effect.seq, 0, ROWS_AT_ONCE))
            .await;
        let page = page.map_err(|e| fault::reject(&e))?;
        if page.rows.is_empty() {
            return Ok(());
        }
        let shard = keys.head().shard;
        let unit = page.rows.into_iter().fold(Unit::new(), |unit, (key, _)| {
            unit.delete(Key::new(tables::EDIT, shard, key))
        });
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => {}
            _ => return Err(Code::Unavailable.into()),
        }
    }
}
