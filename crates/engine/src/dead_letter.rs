//! Dead letters: effects elsewhere that failed too often.
//!
//! They wait for an operator, who sees why they failed and has them tried again. All stand in one
//! shard, so the move from the outbox takes two commits: first the letter is written, then the
//! outbox row goes; and the other way round when it is replayed. Between the two an effect may
//! stand in both places, which does no harm, since effects are idempotent.

use anser_domain::{AppId, Code, Reject, Timestamp};
use anser_proto::stored;
use anser_store::{Key, Outcome, Shard, Unit};
use bytes::Bytes;
use stored::outbox_row::Effect;

use crate::committer::MANAGEMENT;
use crate::engine::Engine;
use crate::fault;
use crate::tables;
use crate::tools::Tools;

/// Letters of a page, at most.
pub const PAGE_MAX: usize = 100;

/// An effect that was given up.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct DeadLetter {
    /// Names it for [`Engine::replay_dead_letter`]; lower-case hexadecimal.
    pub id: String,
    /// The app that it belongs to.
    pub app: AppId,
    /// What it was to bring about: `inbox`, `touch`, `burn`, `relation`, `end`.
    pub effect: &'static str,
    /// The conversation that caused it; empty of a `relation`.
    pub conversation: String,
    /// When its cause was committed.
    pub created: Timestamp,
    /// When it was given up.
    pub given_up: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed the last time.
    pub reason: String,
}

async fn commit(tools: &Tools, unit: Unit) -> Result<(), Reject> {
    match tools.committer.commit(MANAGEMENT, unit).await? {
        Outcome::Committed => Ok(()),
        _ => Err(Code::Unavailable.into()),
    }
}

/// The row leaves the outbox.
pub(crate) async fn keep(
    tools: &Tools,
    key: &Key,
    row: &stored::OutboxRow,
    why: &Reject,
) -> Result<(), Reject> {
    tracing::error!(%why, ?key, "an effect is given up: it is among the dead letters");
    let letter = stored::DeadLetter {
        row: Some(row.clone()),
        time: tools.env.now().0,
        reason: why.to_string(),
    };
    let unit = Unit::new().put(tables::dead_letter_key(key), tables::encode(&letter));
    commit(tools, unit).await?;
    let unit = Unit::new()
        .expect_equals(key.clone(), tables::encode(row))
        .delete(key.clone());
    match tools.committer.commit(MANAGEMENT, unit).await? {
        // Written again meanwhile: the new one is tried anew.
        Outcome::Committed | Outcome::Conflict => Ok(()),
        _ => Err(Code::Unavailable.into()),
    }
}

impl Engine {
    /// Dead letters behind the one of this id, all from the first on if it is empty. `true`: there
    /// are more.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for what is no id, or a limit above [`PAGE_MAX`].
    pub async fn dead_letters(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<DeadLetter>, bool), Reject> {
        if limit > PAGE_MAX {
            let message = format!("a page has at most {PAGE_MAX} dead letters");
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        let after = from_hex(after)?;
        let store = &self.core.tools.store;
        let page = store.scan(tables::dead_letters_after(after, limit)).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        let read = |(key, value): &(Bytes, Bytes)| {
            let letter: stored::DeadLetter = tables::decode(value)?;
            Ok(describe(key, letter))
        };
        let letters: Result<_, Reject> = page.rows.iter().map(read).collect();
        Ok((letters?, page.more))
    }

    /// The effect is tried again, from the first attempt on.
    ///
    /// # Errors
    /// `NOT_FOUND`: there is no such dead letter.
    pub async fn replay_dead_letter(&self, id: &str) -> Result<(), Reject> {
        let missing = || Reject::new(Code::NotFound, "there is no such dead letter");
        let tools = &self.core.tools;
        let bytes = from_hex(id)?;
        let key = Key::new(tables::DEAD_LETTER, Shard(0), bytes.clone());
        let letter = tools.store.get(&key).await;
        let letter = letter.map_err(|e| fault::reject(&e))?;
        let letter: stored::DeadLetter =
            tables::decode_some(letter.as_ref())?.ok_or_else(missing)?;
        let row = stored::OutboxRow {
            attempts: 0,
            ..letter.row.ok_or_else(missing)?
        };
        let place = tables::outbox_of_dead_letter(&bytes).ok_or_else(missing)?;
        let place = tables::outbox_later(&place, tools.env.now().0);
        let unit = Unit::new().put(place.clone(), tables::encode(&row));
        commit(tools, unit).await?;
        commit(tools, Unit::new().delete(key)).await?;
        self.core.outbox.nudge(place, row);
        Ok(())
    }
}

fn describe(key: &Bytes, letter: stored::DeadLetter) -> DeadLetter {
    let row = letter.row.unwrap_or_default();
    let (effect, app, conversation) = match row.effect {
        Some(Effect::Inbox(it)) => ("inbox", it.app, it.conversation),
        Some(Effect::Touch(it)) => ("touch", it.app, it.conversation),
        Some(Effect::Burn(it)) => ("burn", it.app, it.conversation),
        Some(Effect::End(it)) => ("end", it.app, it.conversation),
        Some(Effect::Tags(it)) => ("tags", it.app, String::new()),
        Some(Effect::Audience(it)) => ("audience", it.app, it.conversation),
        Some(Effect::Relation(it)) => ("relation", it.app, String::new()),
        None => ("unknown", 0, String::new()),
    };
    DeadLetter {
        id: key.iter().map(|byte| format!("{byte:02x}")).collect(),
        app: AppId(app),
        effect,
        conversation,
        created: Timestamp(row.created_time),
        given_up: Timestamp(letter.time),
        attempts: row.attempts + 1,
        reason: letter.reason,
    }
}

fn from_hex(text: &str) -> Result<Bytes, Reject> {
    let wrong = || Reject::new(Code::InvalidRequest, "this is not the id of a dead letter");
    if !text.len().is_multiple_of(2) || text.len() > 64 || !text.is_ascii() {
        return Err(wrong());
    }
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong());
    (0..text.len()).step_by(2).map(byte).collect()
}
