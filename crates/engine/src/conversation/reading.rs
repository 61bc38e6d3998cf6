//! Read positions: moving one, and telling the user's sessions what is left unread.
//!
//! A position is a register in the conversation's shard that only moves up, whichever device moves
//! it. The unit that moves it writes a touch along ([`crate::touch`]), by which devices that are
//! away learn of it.

use std::sync::Arc;

use anser_domain::position::ReadPosition;
use anser_domain::{AppId, Code, ConversationId, Reject, UserId};
use anser_proto::stored;
use anser_store::{Outcome, Store, Unit};
use bytes::Bytes;

use super::view::{self, access, head};
use super::{ReadResult, row};
use crate::delivery::{Burst, Outgoing};
use crate::event::{Event, EventBody};
use crate::fault;
use crate::outbox::Outbox;
use crate::receipt;
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;

/// Times a read position is tried again after another device moved it at the same moment.
const TRIES_MAX: u32 = 16;

/// Up to where the user of this row has read.
pub(crate) fn position(row: &stored::Position) -> ReadPosition {
    ReadPosition {
        seq: row.read_seq,
        ordinal: row.read_ordinal,
    }
}

/// A user's row of positions, as bytes and read; an absent one is all zero.
pub(crate) async fn row_of(
    store: &Store,
    keys: &ConversationKeys,
    user: &str,
) -> Result<(Option<Bytes>, stored::Position), Reject> {
    let bytes = store
        .get(&keys.position(user))
        .await
        .map_err(|e| fault::reject(&e))?;
    let row = tables::decode_some(bytes.as_ref())?.unwrap_or_default();
    Ok((bytes, row))
}

/// Moves the user's read position up to `seq`, durably. `true`: it moved.
pub(crate) async fn mark_read(
    outbox: &Outbox,
    app: AppId,
    user: &UserId,
    id: &ConversationId,
    name: &str,
    seq: u64,
) -> Result<(ReadResult, bool), Reject> {
    let tools = outbox.tools();
    let (store, keys) = (&tools.store, ConversationKeys::new(app, name));
    let access = access(tools, app, &keys, id, user).await?;
    for _ in 0..TRIES_MAX {
        let (old_bytes, old) = row_of(store, &keys, user.as_str()).await?;
        let Some(head) = head(store, &keys).await? else {
            return Err(Reject::new(
                Code::NotFound,
                "the conversation has no messages",
            ));
        };
        let seq = seq.min(head.seq);
        let ordinal = row::ordinal_at(store, &keys, &head, seq).await?;
        let moved = receipt::advance(&tools.env, &old, ReadPosition { seq, ordinal }, 0);
        if let Some(new) = &moved {
            let touch = outbox.plan_touch(app, user.as_str(), name, head.burn_seq > 0);
            let unit = Unit::new().put(touch.key.clone(), touch.value());
            let unit = receipt::write(unit, &keys, user.as_str(), (old_bytes, &old), new);
            match tools.committer.commit(app, unit).await? {
                Outcome::Committed => {
                    outbox.touched(touch);
                    receipt::tell(tools, app, id, name.into(), user, &old, new);
                }
                // Another device read at the same moment: the higher one wins.
                Outcome::Conflict => continue,
                Outcome::Refused(error) => return Err(fault::reject(&error)),
                Outcome::Unknown(_) => {
                    // It may be there after all, with nobody who knows it.
                    outbox.look(touch.key.shard);
                    return Err(Code::Timeout.into());
                }
            }
        }
        let new = moved.as_ref().unwrap_or(&old);
        let result = view::result(store, &keys, user.as_str(), &head, new, access).await?;
        return Ok((result, moved.is_some()));
    }
    Err(Code::Unavailable.into())
}

/// Where the user's read position stands, and what is unread beyond it.
pub(crate) async fn read_result(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    id: &ConversationId,
    name: &str,
) -> Result<ReadResult, Reject> {
    let (store, keys) = (&tools.store, ConversationKeys::new(app, name));
    let access = access(tools, app, &keys, id, user).await?;
    let head = head(store, &keys).await?.unwrap_or_default();
    let (_, row) = row_of(store, &keys, user.as_str()).await?;
    view::result(store, &keys, user.as_str(), &head, &row, access).await
}

/// Tells the user's sessions where the read position stands.
pub(crate) fn tell_read(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    conversation: Arc<str>,
    result: ReadResult,
) {
    let event = Event::new(EventBody::Read {
        conversation,
        read_seq: result.read_seq,
        unread: result.unread,
        unread_mentions: result.unread_mentions,
    });
    let mut burst = Burst::default();
    let users = std::slice::from_ref(user);
    tools
        .fan_out
        .now(app, users, &[Outgoing::to_all(event)], &mut burst);
    burst.flush();
}
