//! Searching messages.

use anser_domain::limits::{MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX};
use anser_domain::search::{Query, words};
use anser_domain::{Reject, Timestamp, UserId};
use anser_engine::search::{SearchPage, SearchRequest};
use anser_proto::client as wire;

use super::message::{conversation_id, message};
use super::{bad_id, page_limit};

/// What is looked for, and where.
pub(crate) fn search(search: wire::SearchMessages) -> Result<SearchRequest, Reject> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let conversation = given(&search.conversation).map(|name| conversation_id(&name));
    let sender = given(&search.sender)
        .map(|sender| UserId::new(&sender).map_err(|why| bad_id("sender", why)));
    Ok(SearchRequest {
        conversation: conversation.transpose()?,
        query: Query {
            words: words(&search.query)?,
            sender: sender.transpose()?,
            content_type: given(&search.r#type),
            from: Timestamp(search.from_time),
            until: Timestamp(search.until_time),
        },
        limit: page_limit(search.limit, MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX)?,
        cursor: search.cursor,
    })
}

/// What was found.
pub(crate) fn search_page(page: &SearchPage) -> wire::SearchPage {
    wire::SearchPage {
        messages: page.messages.iter().map(message).collect(),
        cursor: page.cursor.clone(),
    }
}
