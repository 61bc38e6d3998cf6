//! Reading messages back, page by page, in both directions.

use std::collections::BTreeSet;
use std::sync::Arc;

use anser_domain::limits::{MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX};
use anser_domain::{AppId, Code, ConversationId, Reject, UserId};
use anser_proto::stored;
use anser_store::{Direction, Store};

use super::{Message, MessagePage, PageRequest};
use crate::conversation::loaded::damaged;
use crate::conversation::unread::hidden_seqs;
use crate::conversation::view::{self, Access};
use crate::conversation::{reading, row};
use crate::fault;
use crate::system::read as system;
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;

/// Messages read for one page, those that its reader may not see included. After so many in vain
/// the reader had better ask again.
const SCAN_BUDGET: usize = 1_000;

/// A page as `reader` may see it; the server API, `None`, sees everything.
pub(crate) async fn pull(
    tools: &Tools,
    app: AppId,
    reader: Option<&UserId>,
    id: &ConversationId,
    page: PageRequest,
) -> Result<MessagePage, Reject> {
    if page.limit > PAGE_ITEMS_MAX {
        return Err(Reject::new(
            Code::InvalidRequest,
            "a page has at most 100 messages",
        ));
    }
    let limit = if page.limit == 0 {
        MESSAGES_PAGE_DEFAULT
    } else {
        page.limit
    };
    id.check_living(tools.env.now())?;
    let name: Arc<str> = Arc::from(id.to_string());
    let keys = ConversationKeys::new(app, &name);
    let access = match reader {
        Some(user) => view::access(tools, app, &keys, id, user).await?,
        None => Access::ALL,
    };
    let head = view::head(&tools.store, &keys).await?;
    let Some(head) = head else {
        if reader.is_none() || !matches!(id, ConversationId::Private(..)) {
            return Err(Reject::new(Code::NotFound, "there is no such conversation"));
        }
        // A private chat in which nobody has said anything yet.
        return Ok(empty_page(name, 0, 1, 0));
    };
    let first_seq = access.first_seq.max(head.first_seq).max(1);
    let head = match reader.filter(|_| keys.is_system()) {
        Some(user) => system::head_for(&tools.store, &keys, user.as_str(), head).await?,
        None => head,
    };
    let mut result = empty_page(name, head.seq, first_seq, head.rev);
    let (low, high, direction) = range(page, first_seq, head.seq);
    if low > high {
        return Ok(result);
    }
    let hidden = match reader {
        Some(user) => Some(hidden_from(&tools.store, &keys, user.as_str(), low, high).await?),
        None => None,
    };
    let shown = |message: &Message| {
        reader.is_none_or(|user| message.is_for(user.as_str()))
            && hidden
                .as_ref()
                .is_none_or(|hidden| !hidden.contains(&message.seq))
    };
    if let Some(user) = reader.filter(|_| keys.is_system()) {
        let (store, name) = (&tools.store, &result.conversation);
        let range = (low, high);
        let page = system::messages(store, &keys, name, user.as_str(), range, direction, limit);
        let (messages, more) = page.await?;
        result.more = more;
        result.next_seq = messages.last().filter(|_| more).map_or(0, |last| last.seq);
        result.messages = messages.into_iter().filter(shown).collect();
        return Ok(result);
    }
    let (mut low, mut high) = (low, high);
    let mut budget = SCAN_BUDGET;
    loop {
        let scan = keys.messages(low, high, direction, limit - result.messages.len());
        let chunk = tools.store.scan(scan).await;
        let chunk = chunk.map_err(|e| fault::reject(&e))?;
        let mut messages = Vec::with_capacity(chunk.rows.len());
        for (key, value) in &chunk.rows {
            messages.push(row::decode_message(&result.conversation, key, value)?);
        }
        let dense = check_dense(
            &result.conversation,
            &messages,
            low,
            high,
            direction,
            chunk.more,
        );
        if let Err(reject) = dense {
            let now = view::head(&tools.store, &keys).await?;
            let removed = now.is_some_and(|now| now.first_seq > head.first_seq);
            // The beginning of the history moved meanwhile: the page is asked for again.
            return Err(if removed {
                Code::Unavailable.into()
            } else {
                reject
            });
        }
        budget = budget.saturating_sub(messages.len());
        let end = messages.last().map_or(0, |last| last.seq);
        match (messages.last(), direction) {
            (Some(last), Direction::Forward) => low = last.seq + 1,
            (Some(last), Direction::Backward) => high = last.seq - 1,
            (None, _) => {}
        }
        result.messages.extend(messages.into_iter().filter(shown));
        result.more = chunk.more;
        if !chunk.more || result.messages.len() >= limit || budget == 0 {
            result.next_seq = if chunk.more { end } else { 0 };
            return Ok(result);
        }
    }
}

/// The sequences that a page may hold, and in which order.
fn range(page: PageRequest, first_seq: u64, head_seq: u64) -> (u64, u64, Direction) {
    if !page.descending {
        let low = page.from_seq.saturating_add(1).max(first_seq);
        return (low, head_seq, Direction::Forward);
    }
    let below = match page.from_seq {
        0 => head_seq,
        from_seq => from_seq - 1,
    };
    (first_seq, below.min(head_seq), Direction::Backward)
}

fn empty_page(conversation: Arc<str>, head_seq: u64, first_seq: u64, rev: u64) -> MessagePage {
    MessagePage {
        conversation,
        messages: vec![],
        more: false,
        head_seq,
        first_seq,
        rev,
        next_seq: 0,
    }
}

/// What the user has deleted between two sequences, if the user has deleted anything.
async fn hidden_from(
    store: &Store,
    keys: &ConversationKeys,
    user: &str,
    low: u64,
    high: u64,
) -> Result<BTreeSet<u64>, Reject> {
    let (_, position) = reading::row_of(store, keys, user).await?;
    if position.deleted_version == 0 {
        return Ok(BTreeSet::new());
    }
    hidden_seqs(store, keys, user, low, high).await
}

/// Messages looked at in one go for the newest that the user has not deleted.
const NEWEST_CHUNK: usize = 16;

/// The newest message that the user is to see: no command.
pub(crate) async fn newest(
    store: &Store,
    keys: &ConversationKeys,
    name: &Arc<str>,
    user: &str,
    head: &stored::Head,
    position: &stored::Position,
    access: Access,
) -> Result<Option<Message>, Reject> {
    let mut high = head.seq;
    let mut chunk = 1;
    while high >= access.first_seq {
        let scan = keys.messages(access.first_seq, high, Direction::Backward, chunk);
        let page = store.scan(scan).await.map_err(|e| fault::reject(&e))?;
        let Some((last, _)) = page.rows.last() else {
            return Ok(None);
        };
        let low = tables::last_number(last).ok_or_else(damaged)?;
        let hidden = if position.deleted_version == 0 {
            BTreeSet::new()
        } else {
            hidden_seqs(store, keys, user, low, high).await?
        };
        for (key, value) in &page.rows {
            let message = row::decode_message(name, key, value)?;
            let shown = !message.is_command() && !hidden.contains(&message.seq);
            if shown && message.is_for(user) {
                return Ok(Some(message));
            }
        }
        (high, chunk) = (low - 1, NEWEST_CHUNK);
    }
    Ok(None)
}

/// Never a silent partial list: sequences are dense, so a page with a hole is an error.
fn check_dense(
    conversation: &str,
    messages: &[Message],
    low: u64,
    high: u64,
    direction: Direction,
    more: bool,
) -> Result<(), Reject> {
    let expected = |at: u64| match direction {
        Direction::Forward => low + at,
        Direction::Backward => high - at,
    };
    let in_order = messages
        .iter()
        .zip(0..)
        .all(|(message, at)| message.seq == expected(at));
    if in_order && (more || messages.len() as u64 == high - low + 1) {
        return Ok(());
    }
    tracing::error!(
        conversation,
        low,
        high,
        "messages are missing from the store"
    );
    Err(Reject::new(
        Code::Internal,
        "messages are missing from the store",
    ))
}
