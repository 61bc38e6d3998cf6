//! A user's own view of a conversation: settings, deleting it from the list, clearing its history.

use anser_domain::settings::{Mute, SettingsChange};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::conversations::{Conversation, UserConversationPath};
use super::extract::{
    Body, OptionalBody, Path, Query, conversation_id, json_integer, present, user_id,
};
use super::failure::{ErrorBody, Result};
use super::message_json::MessageJson;
use super::spec::{Common, WithBody};

/// Of what the user does not want to be notified: of nothing muted, of all but mentions, of all.
#[derive(Copy, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MuteJson {
    None,
    ExceptMentions,
    All,
}

impl From<Mute> for MuteJson {
    fn from(mute: Mute) -> Self {
        match mute {
            Mute::None => Self::None,
            Mute::ExceptMentions => Self::ExceptMentions,
            Mute::All => Self::All,
        }
    }
}

impl From<MuteJson> for Mute {
    fn from(mute: MuteJson) -> Self {
        match mute {
            MuteJson::None => Self::None,
            MuteJson::ExceptMentions => Self::ExceptMentions,
            MuteJson::All => Self::All,
        }
    }
}

/// What is to be changed; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateConversation {
    /// Pinned conversations come first in the list.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    pinned: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = MuteJson)]
    muted: Option<MuteJson>,
    /// True leaves it out of the list until the next message.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    hidden: Option<bool>,
    /// Replaces all: labels of 1–32 bytes.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, max_items = 8)]
    marks: Option<Vec<String>>,
    /// What the user began to write.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, max_length = 4096)]
    draft: Option<String>,
}

/// Change a user's settings of a conversation.
#[utoipa::path(
    patch, path = "/v1/users/{user_id}/conversations/{conversation}", tag = "conversations",
    params(UserConversationPath),
    request_body = UpdateConversation,
    responses(
        (status = 200, description = "As it now stands in the user's list.", body = Conversation),
        (status = 403, description = "The user is not in it.", body = ErrorBody),
        (status = 404, description = "There is none, or no such user.", body = ErrorBody),
        (status = 410, description = "The group was dismissed.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn update_conversation(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserConversationPath>,
    Body(body): Body<UpdateConversation>,
) -> Result<Json<Conversation>> {
    let user = user_id("user_id", &path.user_id)?;
    let conversation = conversation_id(&path.conversation)?;
    let change = SettingsChange {
        pinned: body.pinned,
        muted: body.muted.map(Mute::from),
        hidden: body.hidden,
        marks: body.marks,
        draft: body.draft,
    };
    let view = api
        .engine
        .update_conversation(app, &user, &conversation, &change)
        .await?;
    Ok(Json(view.into()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteQuery {
    /// Deletes what it has so far as well, for this user only.
    #[serde(default)]
    #[param(required = false, default = false)]
    with_history: bool,
}

/// Take a conversation out of a user's list.
///
/// Its settings go with it. The next message brings it back.
#[utoipa::path(
    delete, path = "/v1/users/{user_id}/conversations/{conversation}", tag = "conversations",
    params(UserConversationPath, DeleteQuery),
    responses(
        (status = 204, description = "It is out of the list."),
        (status = 403, description = "The user is not in it.", body = ErrorBody),
        (status = 404, description = "There is none, or no such user.", body = ErrorBody),
        (status = 410, description = "The group was dismissed.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn delete_conversation(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserConversationPath>,
    Query(query): Query<DeleteQuery>,
) -> Result<StatusCode> {
    let user = user_id("user_id", &path.user_id)?;
    let conversation = conversation_id(&path.conversation)?;
    api.engine
        .delete_conversation(app, &user, &conversation, query.with_history)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How much is cleared.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClearHistory {
    /// Everything up to here; 0, or above the head, is all there is.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_u64, default = 0)]
    up_to_seq: u64,
}

/// Clear a conversation's history for a user.
#[utoipa::path(
    post, path = "/v1/users/{user_id}/conversations/{conversation}/clear", tag = "conversations",
    params(UserConversationPath),
    request_body = Option<ClearHistory>,
    responses(
        (status = 200, description = "As it now stands in the user's list.", body = Conversation),
        (status = 403, description = "The user is not in it.", body = ErrorBody),
        (status = 404, description = "There is none, or no such user.", body = ErrorBody),
        (status = 410, description = "The group was dismissed.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn clear_history(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserConversationPath>,
    OptionalBody(body): OptionalBody<ClearHistory>,
) -> Result<Json<Conversation>> {
    let user = user_id("user_id", &path.user_id)?;
    let conversation = conversation_id(&path.conversation)?;
    let up_to = json_integer("up_to_seq", body.up_to_seq)?;
    let view = api
        .engine
        .clear_history(app, &user, &conversation, up_to)
        .await?;
    Ok(Json(view.into()))
}

/// Messages by their sequence.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteMessages {
    #[schema(min_items = 1, max_items = 100)]
    seqs: Vec<u64>,
}

/// What was deleted.
#[derive(Serialize, ToSchema)]
pub(super) struct Deleted {
    /// Those that were there for the user.
    seqs: Vec<u64>,
    /// Grows with every message that the user deletes for themself.
    deleted_version: u64,
}

/// Delete messages for a user.
///
/// For this user only, on all devices. What is not there for the user is skipped.
#[utoipa::path(
    post, path = "/v1/users/{user_id}/conversations/{conversation}/messages/delete",
    tag = "conversations",
    params(UserConversationPath),
    request_body = DeleteMessages,
    responses(
        (status = 200, description = "What was deleted.", body = Deleted),
        (status = 403, description = "The user is not in it.", body = ErrorBody),
        (status = 404, description = "There is none, or no such user.", body = ErrorBody),
        (status = 410, description = "The group was dismissed.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn delete_messages(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserConversationPath>,
    Body(body): Body<DeleteMessages>,
) -> Result<Json<Deleted>> {
    let user = user_id("user_id", &path.user_id)?;
    let conversation = conversation_id(&path.conversation)?;
    let deleted = api
        .engine
        .delete_messages(app, &user, &conversation, &body.seqs)
        .await?;
    Ok(Json(Deleted {
        seqs: deleted.seqs,
        deleted_version: deleted.version,
    }))
}

/// Unread messages that mention a user.
#[derive(Serialize, ToSchema)]
pub(super) struct Mentions {
    /// The oldest first, at most 100.
    messages: Vec<MessageJson>,
}

/// List unread messages that mention a user.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/conversations/{conversation}/mentions", tag = "conversations",
    params(UserConversationPath),
    responses(
        (status = 200, description = "The messages.", body = Mentions),
        (status = 403, description = "The user is not in it.", body = ErrorBody),
        (status = 404, description = "There is none, or no such user.", body = ErrorBody),
        (status = 410, description = "The group was dismissed.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_mentions(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserConversationPath>,
) -> Result<Json<Mentions>> {
    let user = user_id("user_id", &path.user_id)?;
    let conversation = conversation_id(&path.conversation)?;
    let messages = api.engine.mentions(app, &user, &conversation).await?;
    Ok(Json(Mentions {
        messages: messages.into_iter().map(MessageJson::from).collect(),
    }))
}
