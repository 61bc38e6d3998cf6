//! Rows of a conversation's shard, read and written.

use std::sync::Arc;

use anser_domain::message::Mention;
use anser_domain::{Code, MessageId, Reject, Timestamp};
use anser_proto::stored;
use anser_store::Store;
use bytes::Bytes;

use super::loaded::{damaged, number_at_end};
use crate::fault;
use crate::message::Message;
use crate::message::codec::stored as codec;
use crate::tables::{self, ConversationKeys};

pub(crate) fn message_id(bytes: &[u8]) -> Result<MessageId, Reject> {
    bytes.try_into().map(MessageId).map_err(|_| damaged())
}

pub(crate) fn encode_message(message: &Message) -> Bytes {
    tables::encode(&stored::Message {
        message_id: Bytes::copy_from_slice(&message.id.0),
        sender: message.sender.to_string(),
        client_message_id: message.client_message_id.to_string(),
        time: message.time.0,
        ordinal: message.ordinal,
        counted: message.counted,
        content_type: message.content_type.to_string(),
        content_body: message.body.clone(),
        mention: message.mention.as_deref().map(codec::mention),
        targets: codec::users(&message.targets),
        burn_after_seconds: message.burn_after_seconds,
        receipt_wanted: message.receipt_wanted,
        state: message.state.as_deref().map(codec::state),
    })
}

/// A message row. Its sequence is the end of its key.
pub(crate) fn decode_message(
    conversation: &Arc<str>,
    key: &[u8],
    value: &Bytes,
) -> Result<Message, Reject> {
    let seq = key
        .last_chunk::<8>()
        .map(|seq| u64::from_be_bytes(*seq))
        .ok_or_else(damaged)?;
    let row: stored::Message = tables::decode(value)?;
    Ok(Message {
        conversation: conversation.clone(),
        seq,
        id: message_id(&row.message_id)?,
        sender: row.sender.into(),
        client_message_id: row.client_message_id.into(),
        time: Timestamp(row.time),
        ordinal: row.ordinal,
        counted: row.counted,
        content_type: row.content_type.into(),
        body: row.content_body,
        mention: mention_from(row.mention)?.map(Box::new),
        targets: codec::users_from(row.targets).ok_or_else(damaged)?,
        burn_after_seconds: row.burn_after_seconds,
        receipt_wanted: row.receipt_wanted,
        state: row.state.map(codec::state_from).map(Box::new),
    })
}

pub(crate) fn mention_from(row: Option<stored::Mention>) -> Result<Option<Mention>, Reject> {
    row.map(|row| codec::mention_from(row).ok_or_else(damaged))
        .transpose()
}

/// How many countable messages the user has sent, up to an ordinal.
pub(crate) async fn own_count(
    store: &Store,
    keys: &ConversationKeys,
    user: &str,
    ordinal: u64,
) -> Result<u64, Reject> {
    let page = store
        .scan(keys.uncounted_up_to(user, ordinal))
        .await
        .map_err(|e| fault::reject(&e))?;
    match page.rows.first() {
        None => Ok(0),
        Some((_, value)) => value[..]
            .try_into()
            .map(u64::from_be_bytes)
            .map_err(|_| damaged()),
    }
}

/// How many countable messages were targeted at the user, up to a sequence.
pub(crate) async fn targeted_count(
    store: &Store,
    keys: &ConversationKeys,
    user: &str,
    seq: u64,
) -> Result<u64, Reject> {
    let page = store
        .scan(keys.targeted_up_to(user, seq))
        .await
        .map_err(|e| fault::reject(&e))?;
    match page.rows.first() {
        None => Ok(0),
        Some((_, value)) => number_at_end(value),
    }
}

/// The ordinal of what is not kept any more, if this sequence is before the history's beginning.
/// Unread is counted from there at the earliest.
pub(crate) fn ordinal_before_history(head: &stored::Head, seq: u64) -> Option<u64> {
    (seq < head.first_seq).then_some(head.first_ordinal)
}

/// The ordinal at a sequence up to the head's.
pub(crate) async fn ordinal_at(
    store: &Store,
    keys: &ConversationKeys,
    head: &stored::Head,
    seq: u64,
) -> Result<u64, Reject> {
    if seq >= head.seq {
        return Ok(head.ordinal);
    }
    if let Some(before) = ordinal_before_history(head, seq) {
        return Ok(before);
    }
    // It was removed meanwhile: with the head as it is now, there is an answer.
    ordinal(store, keys, seq)
        .await?
        .ok_or_else(|| Code::Unavailable.into())
}

/// The ordinal that a message had, if it is there; zero before the first.
pub(crate) async fn ordinal(
    store: &Store,
    keys: &ConversationKeys,
    seq: u64,
) -> Result<Option<u64>, Reject> {
    if seq == 0 {
        return Ok(Some(0));
    }
    let value = store
        .get(&keys.message(seq))
        .await
        .map_err(|e| fault::reject(&e))?;
    let row = tables::decode_some::<stored::Message>(value.as_ref())?;
    Ok(row.map(|message| message.ordinal))
}
