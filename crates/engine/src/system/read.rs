//! Reading a system conversation as one user sees it: what is for all, and what is for this user.
//!
//! Both have an index, the second per user. A page is the merge of the two, so it is read in
//! bounded work however many messages lie between that are for others.

use std::collections::BTreeSet;
use std::sync::Arc;

use anser_domain::{Code, Reject};
use anser_proto::stored;
use anser_store::{Direction, Scan, Store};

use crate::conversation::loaded::damaged;
use crate::conversation::row;
use crate::conversation::view::Access;
use crate::fault;
use crate::message::Message;
use crate::tables::{self, ConversationKeys};

/// Messages looked at in one go for the newest that the user is to see.
const NEWEST_CHUNK: usize = 16;

/// Sequences that a user may see, in their order, and whether there are more.
async fn seqs(
    store: &Store,
    keys: &ConversationKeys,
    user: &str,
    (low, high): (u64, u64),
    direction: Direction,
    limit: usize,
) -> Result<(Vec<u64>, bool), Reject> {
    let numbers = async |scan: Scan| -> Result<(Vec<u64>, bool), Reject> {
        let page = store.scan(scan.limit(limit)).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        let numbers = page.rows.iter().map(|(key, _)| tables::last_number(key));
        let numbers: Option<Vec<u64>> = numbers.collect();
        Ok((numbers.ok_or_else(damaged)?, page.more))
    };
    let (for_all, own) = futures::future::try_join(
        numbers(keys.for_all_between(low, high, direction)),
        numbers(keys.targeted_between(user, (low, high), direction)),
    )
    .await?;
    let mut more = for_all.1 || own.1;
    let merged: BTreeSet<u64> = for_all.0.into_iter().chain(own.0).collect();
    let mut merged: Vec<u64> = merged.into_iter().collect();
    if direction == Direction::Backward {
        merged.reverse();
    }
    more |= merged.len() > limit;
    merged.truncate(limit);
    Ok((merged, more))
}

/// Messages between two sequences, both included, that the user may see, deleted ones among them,
/// and whether there are more in this direction.
pub(crate) async fn messages(
    store: &Store,
    keys: &ConversationKeys,
    name: &Arc<str>,
    user: &str,
    range: (u64, u64),
    direction: Direction,
    limit: usize,
) -> Result<(Vec<Message>, bool), Reject> {
    let (seqs, more) = seqs(store, keys, user, range, direction, limit).await?;
    let places: Vec<_> = seqs.iter().map(|seq| keys.message(*seq)).collect();
    let values = store.get_many(&places).await;
    let mut messages = Vec::with_capacity(seqs.len());
    for (key, value) in places.iter().zip(values.map_err(|e| fault::reject(&e))?) {
        // The beginning of the history moved meanwhile: asked for again, it is not looked for.
        let value = value.ok_or(Code::Unavailable)?;
        messages.push(row::decode_message(name, &key.bytes, &value)?);
    }
    Ok((messages, more))
}

/// The head as this user sees it: its sequence and time are those of the last message that the
/// user may see, whatever was written to others since.
pub(crate) async fn head_for(
    store: &Store,
    keys: &ConversationKeys,
    user: &str,
    head: stored::Head,
) -> Result<stored::Head, Reject> {
    if head.targeted_tail == 0 {
        return Ok(head);
    }
    let common = head.seq.saturating_sub(head.targeted_tail);
    let page = store.scan(keys.targeted_up_to(user, head.seq)).await;
    let page = page.map_err(|e| fault::reject(&e))?;
    let own = page.rows.first();
    let own = own.map_or(Some(0), |(key, _)| tables::last_number(key));
    let seq = common.max(own.ok_or_else(damaged)?);
    if seq == head.seq {
        return Ok(head);
    }
    let message = store.get(&keys.message(seq)).await;
    let message = message.map_err(|e| fault::reject(&e))?;
    let message: Option<stored::Message> = tables::decode_some(message.as_ref())?;
    Ok(stored::Head {
        seq,
        // One that is gone is older than what is kept.
        last_time: message.map_or(0, |message| message.time),
        ..head
    })
}

/// The newest message that the user is to see: no command, and not deleted.
pub(crate) async fn newest(
    store: &Store,
    keys: &ConversationKeys,
    name: &Arc<str>,
    user: &str,
    (head, deleted): (&stored::Head, bool),
    access: Access,
) -> Result<Option<Message>, Reject> {
    let (low, mut high, mut chunk) = (access.first_seq, head.seq, 1);
    while high >= low {
        let range = (low, high);
        let direction = Direction::Backward;
        let (messages, more) = messages(store, keys, name, user, range, direction, chunk).await?;
        let Some(last) = messages.last().map(|last| last.seq) else {
            return Ok(None);
        };
        let hidden = match deleted {
            true => crate::conversation::unread::hidden_seqs(store, keys, user, last, high).await?,
            false => BTreeSet::new(),
        };
        let shown = |it: &Message| !it.is_command() && !hidden.contains(&it.seq);
        if let Some(found) = messages.into_iter().find(shown) {
            return Ok(Some(found));
        }
        if !more {
            return Ok(None);
        }
        (high, chunk) = (last - 1, NEWEST_CHUNK);
    }
    Ok(None)
}
