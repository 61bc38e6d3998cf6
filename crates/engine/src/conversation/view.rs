//! A conversation as one user sees it: head, newest message, unread, read position. Computed from
//! the store by whoever needs it; nothing is kept per message and user.

use std::sync::Arc;

use anser_domain::position::{ReadPosition, unread};
use anser_domain::{AppId, Code, ConversationId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Outcome, Store};

use super::{ConversationView, ReadResult, row};
use crate::delivery::{Burst, Outgoing};
use crate::event::{Event, EventBody};
use crate::fault;
use crate::tables::{self, ConversationKeys, UserKeys};
use crate::tools::Tools;

/// Times a read position is tried again after another device moved it at the same moment.
const READ_TRIES_MAX: u32 = 16;

/// What a user may read, by membership.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Access {
    pub(crate) first_seq: u64,
    pub(crate) joined_ordinal: u64,
}

/// May the user read the conversation, and from where on?
pub(crate) async fn access(
    store: &Store,
    keys: &ConversationKeys,
    id: &ConversationId,
    user: &UserId,
) -> Result<Access, Reject> {
    if let ConversationId::Private(..) = id {
        return match id.peer_of(user) {
            Some(_) => Ok(Access {
                first_seq: 1,
                joined_ordinal: 0,
            }),
            None => Err(Code::NotAMember.into()),
        };
    }
    let row = store
        .get(&keys.member(user.as_str()))
        .await
        .map_err(|e| fault::reject(&e))?;
    let row: stored::Member = tables::decode_some(row.as_ref())?.ok_or(Code::NotAMember)?;
    Ok(Access {
        first_seq: row.joined_seq + 1,
        joined_ordinal: row.joined_ordinal,
    })
}

/// What the user has not read, given a head and what the user may read.
async fn count_unread(
    store: &Store,
    keys: &ConversationKeys,
    user: &str,
    head: &stored::Head,
    read: ReadPosition,
    joined_ordinal: u64,
) -> Result<u64, Reject> {
    let from = read.ordinal.max(joined_ordinal);
    if head.ordinal <= from {
        return Ok(0);
    }
    let own_to_head = row::own_count(store, keys, user, head.ordinal).await?;
    let own_before = if from == 0 || own_to_head == 0 {
        0
    } else {
        row::own_count(store, keys, user, from).await?
    };
    Ok(unread(
        head.ordinal,
        read,
        joined_ordinal,
        own_to_head - own_before,
    ))
}

/// The view of a conversation whose inbox row and head are at hand.
pub(crate) async fn view(
    store: &Store,
    app: AppId,
    user: &str,
    name: &Arc<str>,
    row: &stored::InboxRow,
    head: Option<&stored::Head>,
) -> Result<ConversationView, Reject> {
    let keys = ConversationKeys::new(app, name);
    let missing = stored::Head::default();
    let head = head.unwrap_or(&missing);
    let read_row = store
        .get(&keys.position(user))
        .await
        .map_err(|e| fault::reject(&e))?;
    let read = position(tables::decode_some(read_row.as_ref())?.unwrap_or_default());
    let (mut newest, mut unread) = (None, 0);
    if row.member {
        unread = count_unread(store, &keys, user, head, read, row.joined_ordinal).await?;
        if head.seq >= row.first_seq {
            let key = keys.message(head.seq);
            if let Some(value) = store.get(&key).await.map_err(|e| fault::reject(&e))? {
                newest = Some(row::decode_message(name, &key.bytes, &value)?);
            }
        }
    }
    Ok(ConversationView {
        id: name.clone(),
        head_seq: head.seq,
        rev: head.rev,
        last_time: Timestamp(head.last_time.max(row.joined_time)),
        newest,
        unread,
        read_seq: read.seq,
        first_seq: row.first_seq,
        name: head.name.clone(),
        member: row.member,
    })
}

pub(crate) fn position(row: stored::Position) -> ReadPosition {
    ReadPosition {
        seq: row.read_seq,
        ordinal: row.read_ordinal,
    }
}

pub(crate) fn position_row(position: ReadPosition) -> stored::Position {
    stored::Position {
        read_seq: position.seq,
        read_ordinal: position.ordinal,
    }
}

/// The head of a conversation, if it has one.
pub(crate) async fn head(
    store: &Store,
    keys: &ConversationKeys,
) -> Result<Option<stored::Head>, Reject> {
    let bytes = store
        .get(&keys.head())
        .await
        .map_err(|e| fault::reject(&e))?;
    tables::decode_some(bytes.as_ref())
}

/// A user's view of one conversation, looked up from nothing.
pub(crate) async fn lookup(
    tools: &Tools,
    app: AppId,
    user: &str,
    name: &Arc<str>,
) -> Result<ConversationView, Reject> {
    let row = tools
        .store
        .get(&UserKeys::new(app, user).inbox(name))
        .await
        .map_err(|e| fault::reject(&e))?;
    let row: stored::InboxRow = tables::decode_some(row.as_ref())?
        .ok_or_else(|| Reject::new(Code::NotFound, "the user has no such conversation"))?;
    let head = head(&tools.store, &ConversationKeys::new(app, name)).await?;
    view(&tools.store, app, user, name, &row, head.as_ref()).await
}

/// Moves the user's read position up to `seq`, durably. `true`: it moved.
pub(crate) async fn mark_read(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    id: &ConversationId,
    name: &str,
    seq: u64,
) -> Result<(ReadResult, bool), Reject> {
    let (store, keys) = (&tools.store, ConversationKeys::new(app, name));
    let access = access(store, &keys, id, user).await?;
    for _ in 0..READ_TRIES_MAX {
        let old_bytes = store
            .get(&keys.position(user.as_str()))
            .await
            .map_err(|e| fault::reject(&e))?;
        let old = position(tables::decode_some(old_bytes.as_ref())?.unwrap_or_default());
        let Some(head) = head(store, &keys).await? else {
            return Err(Reject::new(
                Code::NotFound,
                "the conversation has no messages",
            ));
        };
        let seq = seq.min(head.seq);
        let ordinal = if seq == head.seq {
            head.ordinal
        } else {
            row::ordinal(store, &keys, seq).await?.unwrap_or(0)
        };
        let new = old.advance(ReadPosition { seq, ordinal });
        let moved = new != old;
        if moved {
            let row = position_row(new);
            let key = keys.position(user.as_str());
            let unit = anser_store::Unit::new()
                .expect_unchanged(key.clone(), old_bytes)
                .put(key, tables::encode(&row));
            match tools.committer.commit(app, unit).await? {
                Outcome::Committed => {}
                // Another device read at the same moment: the higher one wins.
                Outcome::Conflict => continue,
                Outcome::Refused(error) => return Err(fault::reject(&error)),
                Outcome::Unknown(_) => return Err(Code::Timeout.into()),
            }
        }
        let unread = count_unread(
            store,
            &keys,
            user.as_str(),
            &head,
            new,
            access.joined_ordinal,
        )
        .await?;
        return Ok((
            ReadResult {
                read_seq: new.seq,
                unread,
            },
            moved,
        ));
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
    let access = access(store, &keys, id, user).await?;
    let head = head(store, &keys).await?.unwrap_or_default();
    let row = store
        .get(&keys.position(user.as_str()))
        .await
        .map_err(|e| fault::reject(&e))?;
    let read = position(tables::decode_some(row.as_ref())?.unwrap_or_default());
    let joined = access.joined_ordinal;
    let unread = count_unread(store, &keys, user.as_str(), &head, read, joined).await?;
    Ok(ReadResult {
        read_seq: read.seq,
        unread,
    })
}

/// Tells the user's sessions where the read position stands.
pub(crate) fn tell_read(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    conversation: Arc<str>,
    result: ReadResult,
) {
    let ReadResult { read_seq, unread } = result;
    let event = Event::new(EventBody::Read {
        conversation,
        read_seq,
        unread,
    });
    let mut burst = Burst::default();
    let users = std::slice::from_ref(user);
    tools
        .fan_out
        .now(app, users, &[Outgoing::to_all(event)], &mut burst);
    burst.flush();
}
