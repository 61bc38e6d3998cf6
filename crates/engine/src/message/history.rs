//! Reading messages back, page by page, in both directions.

use std::sync::Arc;

use anser_domain::limits::{MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX};
use anser_domain::{AppId, Code, ConversationId, Reject, UserId};
use anser_store::Direction;

use super::{MessagePage, PageRequest};
use crate::conversation::row;
use crate::conversation::view::{self, Access};
use crate::fault;
use crate::tables::ConversationKeys;
use crate::tools::Tools;

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
    let name: Arc<str> = Arc::from(id.to_string());
    let keys = ConversationKeys::new(app, &name);
    let access = match reader {
        Some(user) => view::access(&tools.store, &keys, id, user).await?,
        None => Access {
            first_seq: 1,
            joined_ordinal: 0,
        },
    };
    let head = view::head(&tools.store, &keys).await?;
    let Some(head) = head else {
        if reader.is_none() || matches!(id, ConversationId::Group(_)) {
            return Err(Reject::new(Code::NotFound, "there is no such conversation"));
        }
        // A private chat in which nobody has said anything yet.
        return Ok(MessagePage {
            conversation: name,
            messages: vec![],
            more: false,
            head_seq: 0,
            first_seq: 1,
            rev: 0,
        });
    };
    let first_seq = access.first_seq.max(head.first_seq).max(1);
    let mut result = MessagePage {
        conversation: name,
        messages: vec![],
        more: false,
        head_seq: head.seq,
        first_seq,
        rev: head.rev,
    };
    let (low, high, direction) = if page.descending {
        let below = if page.from_seq == 0 {
            head.seq
        } else {
            page.from_seq - 1
        };
        (first_seq, below.min(head.seq), Direction::Backward)
    } else {
        (
            page.from_seq.saturating_add(1).max(first_seq),
            head.seq,
            Direction::Forward,
        )
    };
    if low > high {
        return Ok(result);
    }
    let read = tools
        .store
        .scan(keys.messages(low, high, direction, limit))
        .await
        .map_err(|e| fault::reject(&e))?;
    result.more = read.more;
    for (key, value) in &read.rows {
        result
            .messages
            .push(row::decode_message(&result.conversation, key, value)?);
    }
    check_dense(&result, low, high, direction, read.more)?;
    Ok(result)
}

/// Never a silent partial list: sequences are dense, so a page with a hole is an error.
fn check_dense(
    page: &MessagePage,
    low: u64,
    high: u64,
    direction: Direction,
    more: bool,
) -> Result<(), Reject> {
    let first = match direction {
        Direction::Forward => low,
        Direction::Backward => high,
    };
    let expected = |at: u64| {
        if direction == Direction::Forward {
            first + at
        } else {
            first - at
        }
    };
    let in_order = page
        .messages
        .iter()
        .zip(0..)
        .all(|(message, at)| message.seq == expected(at));
    if in_order && (more || page.messages.len() as u64 == high - low + 1) {
        return Ok(());
    }
    tracing::error!(conversation = %page.conversation, low, high, "messages are missing from the store");
    Err(Reject::new(
        Code::Internal,
        "messages are missing from the store",
    ))
}
