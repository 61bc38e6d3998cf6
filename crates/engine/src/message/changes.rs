//! Reading what has happened to messages: changes since a `rev`, messages by their sequence, and
//! what a message said before its edits.
//!
//! The feed of changes has one row a changed message, under the `rev` of its last change, so what
//! a device missed is read in bounded work however often one message changed. A row that moves
//! while a page is read is found again further on.

use std::collections::BTreeSet;
use std::sync::Arc;

use anser_domain::limits::{MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX};
use anser_domain::{AppId, Code, ConversationId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::Store;

use super::{ChangePage, FormerContent, FormerContents, Message};
use crate::conversation::{loaded, no_such_message, reading, row, view};
use crate::fault;
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;

/// What one reader may see of a conversation.
pub(crate) struct Reader<'a> {
    /// `None`: the server API, which sees everything.
    pub(crate) user: Option<&'a UserId>,
    /// The lowest sequence the reader may read.
    pub(crate) first_seq: u64,
    /// Has the reader deleted any message?
    pub(crate) deleted: bool,
}

impl<'a> Reader<'a> {
    /// What membership says.
    pub(crate) async fn of(
        tools: &Tools,
        app: AppId,
        keys: &ConversationKeys,
        id: &ConversationId,
        user: Option<&'a UserId>,
    ) -> Result<Self, Reject> {
        id.check_living(tools.env.now())?;
        let head = view::head(&tools.store, keys).await?.unwrap_or_default();
        let Some(reader) = user else {
            return Ok(Self {
                user,
                first_seq: head.first_seq,
                deleted: false,
            });
        };
        let access = view::access(tools, app, keys, id, reader).await?;
        let access = access.kept(&head);
        let (_, position) = reading::row_of(&tools.store, keys, reader.as_str()).await?;
        Ok(Self {
            user,
            first_seq: access.first_seq,
            deleted: position.deleted_version > 0,
        })
    }

    /// Keeps what may be seen and was not deleted.
    pub(crate) async fn keep(
        &self,
        store: &Store,
        keys: &ConversationKeys,
        messages: &mut Vec<Message>,
    ) -> Result<(), Reject> {
        messages.retain(|message| self.sees(message));
        let Some(user) = self.user.filter(|_| self.deleted) else {
            return Ok(());
        };
        let rows: Vec<_> = messages
            .iter()
            .map(|message| keys.hidden(user.as_str(), message.seq))
            .collect();
        let rows = store.get_many(&rows).await.map_err(|e| fault::reject(&e))?;
        let mut rows = rows.into_iter();
        messages.retain(|_| rows.next().flatten().is_none());
        Ok(())
    }

    /// May it be seen?
    pub(crate) fn sees(&self, message: &Message) -> bool {
        message.seq >= self.first_seq && self.user.is_none_or(|user| message.is_for(user.as_str()))
    }
}

/// Changed messages with the `rev` of their last change, ascending.
pub(crate) struct Changes {
    pub(crate) changes: Vec<(u64, Message)>,
    pub(crate) more: bool,
    /// Where the reading ended.
    pub(crate) rev: u64,
}

/// Changes after a `rev`, up to another.
pub(crate) async fn read(
    store: &Store,
    keys: &ConversationKeys,
    name: &Arc<str>,
    (after, to): (u64, u64),
    limit: usize,
) -> Result<Changes, Reject> {
    let mut changes = Changes {
        changes: Vec::new(),
        more: false,
        rev: to,
    };
    if after >= to {
        return Ok(changes);
    }
    let page = store
        .scan(keys.changes(after, to, limit))
        .await
        .map_err(|e| fault::reject(&e))?;
    let mut rows = Vec::with_capacity(page.rows.len());
    for (key, value) in &page.rows {
        rows.push((loaded::number_at_end(key)?, loaded::number_at_end(value)?));
    }
    if page.more {
        changes.more = true;
        changes.rev = rows.last().map_or(to, |(rev, _)| *rev);
    }
    let keys: Vec<_> = rows.iter().map(|(_, seq)| keys.message(*seq)).collect();
    let values = store.get_many(&keys).await.map_err(|e| fault::reject(&e))?;
    for (((rev, _), key), value) in rows.into_iter().zip(&keys).zip(values) {
        // A message whose row is gone was removed for good, and its changes with it.
        if let Some(value) = value {
            let message = row::decode_message(name, &key.bytes, &value)?;
            changes.changes.push((rev, message));
        }
    }
    Ok(changes)
}

/// Messages that changed after `from_rev`, as `reader` may see them.
pub(crate) async fn pull(
    tools: &Tools,
    app: AppId,
    reader: Option<&UserId>,
    id: &ConversationId,
    from_rev: u64,
    limit: usize,
) -> Result<ChangePage, Reject> {
    let limit = match limit {
        0 => MESSAGES_PAGE_DEFAULT,
        limit if limit <= PAGE_ITEMS_MAX => limit,
        _ => return Err(too_many()),
    };
    let name: Arc<str> = Arc::from(id.to_string());
    let keys = ConversationKeys::new(app, &name);
    let reader = Reader::of(tools, app, &keys, id, reader).await?;
    let head = view::head(&tools.store, &keys).await?;
    let head = match head {
        Some(head) => head,
        None if reader.user.is_none() => return Err(no_such_conversation()),
        None => stored::Head::default(),
    };
    let mut page = ChangePage {
        conversation: name.clone(),
        messages: Vec::new(),
        rev: head.rev,
        more: false,
        reset: from_rev < head.rev_floor || from_rev > head.rev,
    };
    if page.reset {
        return Ok(page);
    }
    let read = read(&tools.store, &keys, &name, (from_rev, head.rev), limit).await?;
    (page.rev, page.more) = (read.rev, read.more);
    page.messages = read.changes.into_iter().map(|(_, it)| it).collect();
    reader.keep(&tools.store, &keys, &mut page.messages).await?;
    Ok(page)
}

/// These messages, by sequence, without those that do not exist or that `reader` may not see.
pub(crate) async fn get(
    tools: &Tools,
    app: AppId,
    reader: Option<&UserId>,
    id: &ConversationId,
    seqs: &[u64],
) -> Result<Vec<Message>, Reject> {
    if seqs.len() > PAGE_ITEMS_MAX {
        return Err(too_many());
    }
    let name: Arc<str> = Arc::from(id.to_string());
    let keys = ConversationKeys::new(app, &name);
    let reader = Reader::of(tools, app, &keys, id, reader).await?;
    let seqs: BTreeSet<u64> = seqs.iter().copied().collect();
    let rows: Vec<_> = seqs.iter().map(|seq| keys.message(*seq)).collect();
    let values = tools
        .store
        .get_many(&rows)
        .await
        .map_err(|e| fault::reject(&e))?;
    let mut messages = Vec::with_capacity(values.len());
    for (key, value) in rows.iter().zip(values) {
        if let Some(value) = value {
            messages.push(row::decode_message(&name, &key.bytes, &value)?);
        }
    }
    reader.keep(&tools.store, &keys, &mut messages).await?;
    Ok(messages)
}

/// What a message said before its edits, for the server API.
pub(crate) async fn former_contents(
    tools: &Tools,
    app: AppId,
    id: &ConversationId,
    seq: u64,
    after_rev: u64,
    limit: usize,
) -> Result<FormerContents, Reject> {
    if get(tools, app, None, id, &[seq]).await?.is_empty() {
        return Err(no_such_message());
    }
    let keys = ConversationKeys::new(app, &id.to_string());
    let page = tools
        .store
        .scan(keys.edits(seq, after_rev, limit))
        .await
        .map_err(|e| fault::reject(&e))?;
    let mut contents = Vec::with_capacity(page.rows.len());
    for (key, value) in &page.rows {
        let row: stored::EditRow = tables::decode(value)?;
        contents.push(FormerContent {
            rev: loaded::number_at_end(key)?,
            content_type: row.content_type.into(),
            body: row.content_body,
            mention: row::mention_from(row.mention)?,
            operator: row.operator,
            time: Timestamp(row.time),
        });
    }
    Ok(FormerContents {
        contents,
        more: page.more,
    })
}

fn too_many() -> Reject {
    Reject::new(Code::InvalidRequest, "at most 100 messages at a time")
}

fn no_such_conversation() -> Reject {
    Reject::new(Code::NotFound, "there is no such conversation")
}
