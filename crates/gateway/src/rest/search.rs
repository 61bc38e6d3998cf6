//! Searching messages.

use anser_domain::limits::PAGE_ITEMS_MAX;
use anser_domain::search::{Query as SearchQuery, words};
use anser_domain::{ConversationId, Timestamp};
use anser_engine::search::{SearchPage, SearchRequest};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::extract::{
    Path, Query, conversation_id, cursor, json_integer, page_limit, present, user_id,
};
use super::failure::{ErrorBody, Result};
use super::message_json::MessageJson;
use super::messages::ConversationPath;
use super::spec::Common;
use super::users::UserPath;

/// What is looked for: words, a sender or a type, or several of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchParams {
    /// Words that all are in the text: Chinese and Japanese anywhere, others by their beginning.
    #[serde(default)]
    #[param(max_length = 256, required = false, example = "鸿雁")]
    query: String,
    /// Only messages of this user.
    #[serde(default, deserialize_with = "present")]
    #[param(min_length = 1, max_length = 64, required = false, value_type = String)]
    sender: Option<String>,
    /// Only contents of this type.
    #[serde(default, deserialize_with = "present", rename = "type")]
    #[param(min_length = 1, max_length = 64, required = false, value_type = String)]
    content_type: Option<String>,
    /// Not sent before this time.
    #[serde(default)]
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64, required = false)]
    from_time: u64,
    /// Sent before this time; 0: no bound.
    #[serde(default)]
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64, required = false)]
    until_time: u64,
    /// Where the page starts, from the page before.
    #[serde(default)]
    #[param(max_length = 1024, required = false)]
    cursor: String,
    /// Items of the page.
    #[param(minimum = 1, maximum = 100, default = 50, value_type = u64, required = false)]
    limit: Option<u64>,
    /// Of a user's search: only this conversation.
    #[serde(default, deserialize_with = "present")]
    #[param(
        min_length = 3,
        max_length = 387,
        pattern = "^(p/[^/]+/[^/]+|[gcts]/[^/]+)$",
        required = false,
        value_type = String
    )]
    conversation: Option<String>,
}

impl SearchParams {
    fn read(self, conversation: Option<ConversationId>) -> Result<SearchRequest> {
        let sender = self.sender.map(|sender| user_id("sender", &sender));
        Ok(SearchRequest {
            conversation,
            query: SearchQuery {
                words: words(&self.query)?,
                sender: sender.transpose()?,
                content_type: self.content_type,
                from: Timestamp(json_integer("from_time", self.from_time)?),
                until: Timestamp(json_integer("until_time", self.until_time)?),
            },
            cursor: cursor(&self.cursor)?.to_owned(),
            limit: page_limit(self.limit, PAGE_ITEMS_MAX)?,
        })
    }
}

/// A page of what was found. It may be empty, with a cursor: then nothing was found so far.
#[derive(Serialize, ToSchema)]
pub(super) struct FoundMessages {
    /// Conversation by conversation, the newest first.
    messages: Vec<MessageJson>,
    /// Where the search goes on; empty: all was looked at.
    cursor: String,
}

impl From<SearchPage> for FoundMessages {
    fn from(page: SearchPage) -> Self {
        Self {
            messages: page.messages.into_iter().map(MessageJson::from).collect(),
            cursor: page.cursor,
        }
    }
}

/// Search messages as a user may see them.
///
/// Over all of the user's conversations, by their names, or over one. A page looks at so many
/// messages and no more, so it may be empty and still have a `cursor`: the search is over when
/// that is empty.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/messages/search", tag = "messages",
    params(UserPath, SearchParams),
    responses(
        (status = 200, description = "A page.", body = FoundMessages),
        (status = 403, description = "The user is not in the conversation.", body = ErrorBody),
        (status = 404, description = "There is no such conversation.", body = ErrorBody),
        (status = 410, description = "The group was dismissed.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn search_user_messages(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
    Query(params): Query<SearchParams>,
) -> Result<Json<FoundMessages>> {
    let user = user_id("user_id", &path.user_id)?;
    let conversation = params.conversation.as_deref().map(conversation_id);
    let request = params.read(conversation.transpose()?)?;
    let page = api.engine.search(app, Some(&user), &request).await?;
    Ok(Json(page.into()))
}

/// Search the messages of a conversation.
///
/// All that is kept, whoever may see it, the newest first. A page looks at so many messages and no
/// more, so it may be empty and still have a `cursor`.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation}/messages/search", tag = "messages",
    params(ConversationPath, SearchParams),
    responses(
        (status = 200, description = "A page.", body = FoundMessages),
        (status = 404, description = "There is no such conversation.", body = ErrorBody),
        (status = 410, description = "The group was dismissed.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn search_messages(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<ConversationPath>,
    Query(params): Query<SearchParams>,
) -> Result<Json<FoundMessages>> {
    if params.conversation.is_some() {
        return Err(super::failure::Failure::invalid(
            "the path says which conversation is searched",
        ));
    }
    let request = params.read(Some(conversation_id(&path.conversation)?))?;
    let page = api.engine.search(app, None, &request).await?;
    Ok(Json(page.into()))
}
