//! Receipts: marking deliveries for a user, and who has read a message.

use anser_domain::limits::RECEIPTS_PAGE_MAX;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::changes::MessagePath;
use super::conversations::UserConversationPath;
use super::extract::{Body, Path, Query, conversation_id, json_integer, page_limit, user_id};
use super::failure::{ErrorBody, Result};
use super::spec::{Common, WithBody};

/// How far messages have arrived.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MarkDelivered {
    /// Everything up to here. Never moves back; above the head it is taken as the head.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    seq: u64,
}

/// Mark messages as delivered to a user.
///
/// Reading implies it.
#[utoipa::path(
    post, path = "/v1/users/{user_id}/conversations/{conversation}/delivered",
    tag = "conversations",
    params(UserConversationPath),
    request_body = MarkDelivered,
    responses(
        (status = 204, description = "They are."),
        (status = 403, description = "The user is not in it.", body = ErrorBody),
        (status = 404, description = "There is none, or no such user.", body = ErrorBody),
        (status = 410, description = "The group was dismissed.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn mark_delivered(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserConversationPath>,
    Body(body): Body<MarkDelivered>,
) -> Result<StatusCode> {
    let user = user_id("user_id", &path.user_id)?;
    let conversation = conversation_id(&path.conversation)?;
    let seq = json_integer("seq", body.seq)?;
    api.engine
        .mark_delivered(app, &user, &conversation, seq)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReadersQuery {
    /// Who acknowledged it, if its sender asked for that, instead of who has read it.
    #[serde(default)]
    #[param(required = false, default = false)]
    acknowledged: bool,
    /// Where the page starts, from the page before.
    #[serde(default)]
    #[param(max_length = 1024, required = false)]
    cursor: String,
    /// Items of the page.
    #[param(minimum = 1, maximum = 500, default = 100, value_type = u64, required = false)]
    limit: Option<u64>,
}

/// A page of those who have read a message.
#[derive(Serialize, ToSchema)]
pub(super) struct ReaderPage {
    /// By user id.
    users: Vec<String>,
    /// Where the next page starts; empty on the last one.
    cursor: String,
    /// How many have read it, on all pages.
    count: usize,
    /// How many could: who is in the conversation and was when it was sent, but its sender.
    of: usize,
}

/// List who has read a message.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation}/messages/{seq}/readers", tag = "messages",
    params(MessagePath, ReadersQuery),
    responses(
        (status = 200, description = "A page.", body = ReaderPage),
        (status = 403, description = "System conversations have no receipts.", body = ErrorBody),
        (status = 404, description = "There is no such message.", body = ErrorBody),
        (status = 410, description = "The temporary conversation has ended.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_readers(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<MessagePath>,
    Query(query): Query<ReadersQuery>,
) -> Result<Json<ReaderPage>> {
    let (conversation, seq) = path.read()?;
    let cursor = super::extract::cursor(&query.cursor)?;
    let limit = page_limit(query.limit, RECEIPTS_PAGE_MAX)?;
    let engine = &api.engine;
    let page = if query.acknowledged {
        engine
            .acknowledgers(app, None, &conversation, seq, cursor, limit)
            .await?
    } else {
        engine
            .readers(app, None, &conversation, seq, cursor, limit)
            .await?
    };
    Ok(Json(ReaderPage {
        users: page.users.iter().map(ToString::to_string).collect(),
        cursor: page.cursor,
        count: page.count,
        of: page.of,
    }))
}
