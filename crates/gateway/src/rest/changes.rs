//! Changing messages that were sent, and reading what was changed.

use std::collections::BTreeMap;

use anser_domain::limits::PAGE_ITEMS_MAX;
use anser_domain::{Code, ConversationId, Reject};
use anser_engine::group::By;
use anser_engine::message::Change;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::change_json::{ChangePageJson, ChangedJson, FormerContentsJson, MentionJson};
use super::extract::{
    Body, Object, Path, Query, conversation_id, json_integer, page_limit, present, user_id,
};
use super::failure::{ErrorBody, Result};
use super::message_json::{Content, MessageJson};
use super::messages::ConversationPath;
use super::spec::{Common, WithBody};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct MessagePath {
    /// `p/<user>/<user>` (ids in byte order), `g/<group>`, `c/<id>`, `t/<id>` or `s/<id>`, percent-encoded as one segment.
    #[param(
        min_length = 3,
        max_length = 387,
        pattern = "^(p/[^/]+/[^/]+|[gcts]/[^/]+)$",
        example = "p/alice/bob"
    )]
    conversation: String,
    /// Its place in the conversation.
    #[param(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    seq: u64,
}

impl MessagePath {
    /// Checked.
    pub(super) fn read(&self) -> Result<(ConversationId, u64)> {
        Ok((
            conversation_id(&self.conversation)?,
            json_integer("seq", self.seq)?,
        ))
    }
}

/// Read one message.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation}/messages/{seq}", tag = "messages",
    params(MessagePath),
    responses(
        (status = 200, description = "As it is now.", body = MessageJson),
        (status = 404, description = "There is no such message.", body = ErrorBody),
        (status = 410, description = "The temporary conversation has ended.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_message(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<MessagePath>,
) -> Result<Json<MessageJson>> {
    let (conversation, seq) = path.read()?;
    let messages = api
        .engine
        .messages(app, None, &conversation, &[seq])
        .await?;
    let message = messages.into_iter().next().ok_or_else(no_such_message)?;
    Ok(Json(message.into()))
}

/// Take a message back.
///
/// Content and mention go, for everybody and at any time; it counts as unread for nobody. A second
/// recall changes nothing.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation}/messages/{seq}/recall", tag = "messages",
    params(MessagePath),
    responses(
        (status = 200, description = "It is taken back.", body = ChangedJson),
        (status = 403, description = "A notice of the server stays.", body = ErrorBody),
        (status = 404, description = "There is no such message.", body = ErrorBody),
        (status = 410, description = "The temporary conversation has ended.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn recall_message(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<MessagePath>,
) -> Result<Json<ChangedJson>> {
    let (conversation, seq) = path.read()?;
    let changed = api
        .engine
        .change_message(app, By::Server, &conversation, seq, Change::Recall)
        .await?;
    Ok(Json(changed.into()))
}

/// What a message says from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EditMessage {
    /// Of the same type as before.
    #[schema(value_type = Content)]
    content: Object<Content>,
    /// Replaces the mention; those who are mentioned only now count it as such.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = MentionJson)]
    mention: Option<MentionJson>,
}

/// Edit a message.
///
/// What it said before goes into the history of its edits.
#[utoipa::path(
    put, path = "/v1/conversations/{conversation}/messages/{seq}/content", tag = "messages",
    params(MessagePath),
    request_body = EditMessage,
    responses(
        (status = 200, description = "It says so.", body = ChangedJson),
        (status = 403, description = "A notice of the server stays, or the content type is the server's.", body = ErrorBody),
        (status = 404, description = "There is no such message.", body = ErrorBody),
        (status = 410, description = "The message was taken back.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn edit_message(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<MessagePath>,
    Body(body): Body<EditMessage>,
) -> Result<Json<ChangedJson>> {
    let (conversation, seq) = path.read()?;
    let (content_type, bytes) = body.content.0.read()?;
    let change = Change::Edit {
        content_type,
        body: bytes,
        mention: body.mention.map(MentionJson::read).transpose()?.flatten(),
    };
    let changed = api
        .engine
        .change_message(app, By::Server, &conversation, seq, change)
        .await?;
    Ok(Json(changed.into()))
}

/// Keys to set and to remove.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateExpansion {
    /// In this user's name, who must be in the conversation; without, in the server's.
    #[schema(min_length = 1, max_length = 64, value_type = String)]
    #[serde(default, deserialize_with = "present")]
    user: Option<String>,
    /// Keys of 1–64 bytes, values of at most 4,096. At most 20 keys together with `remove`.
    #[serde(default)]
    put: BTreeMap<String, String>,
    /// Keys that go.
    #[serde(default)]
    #[schema(max_items = 20)]
    remove: Vec<String>,
}

/// Update what is attached to a message.
///
/// A message has at most 300 keys, and 32 KiB of keys and values together.
#[utoipa::path(
    patch, path = "/v1/conversations/{conversation}/messages/{seq}/expansion", tag = "messages",
    params(MessagePath),
    request_body = UpdateExpansion,
    responses(
        (status = 200, description = "It is attached.", body = ChangedJson),
        (status = 403, description = "A notice of the server stays, or the user is not in the conversation.", body = ErrorBody),
        (status = 404, description = "There is no such message.", body = ErrorBody),
        (status = 410, description = "The message was taken back, or the group dismissed.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn update_expansion(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<MessagePath>,
    Body(body): Body<UpdateExpansion>,
) -> Result<Json<ChangedJson>> {
    let (conversation, seq) = path.read()?;
    let by = match &body.user {
        Some(user) => By::User(user_id("user", user)?),
        None => By::Server,
    };
    let change = Change::Expand {
        put: body.put,
        remove: body.remove,
    };
    let changed = api
        .engine
        .change_message(app, by, &conversation, seq, change)
        .await?;
    Ok(Json(changed.into()))
}

/// A user's reaction.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct React {
    /// Who reacts.
    #[schema(min_length = 1, max_length = 64)]
    user: String,
    /// An emoji, or a name: 1–64 bytes.
    #[schema(min_length = 1, max_length = 64)]
    reaction: String,
    /// Take it back.
    #[serde(default)]
    remove: bool,
}

/// React to a message for a user.
///
/// A message has at most 20 different reactions, and 500 by all users together.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation}/messages/{seq}/reactions", tag = "messages",
    params(MessagePath),
    request_body = React,
    responses(
        (status = 200, description = "The user reacts so.", body = ChangedJson),
        (status = 403, description = "The user is not in the conversation.", body = ErrorBody),
        (status = 404, description = "There is no such message.", body = ErrorBody),
        (status = 410, description = "The message was taken back, or the group dismissed.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn react(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<MessagePath>,
    Body(body): Body<React>,
) -> Result<Json<ChangedJson>> {
    let (conversation, seq) = path.read()?;
    let user = user_id("user", &body.user)?;
    let change = Change::React {
        reaction: body.reaction,
        remove: body.remove,
    };
    let changed = api
        .engine
        .change_message(app, By::User(user), &conversation, seq, change)
        .await?;
    Ok(Json(changed.into()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RevQuery {
    /// Changes after this `rev`.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64, default = 0, value_type = u64, required = false)]
    after: Option<u64>,
    /// Items of the page.
    #[param(minimum = 1, maximum = 100, default = 50, value_type = u64, required = false)]
    limit: Option<u64>,
}

impl RevQuery {
    fn read(&self) -> Result<(u64, usize)> {
        Ok((
            json_integer("after", self.after.unwrap_or(0))?,
            page_limit(self.limit, PAGE_ITEMS_MAX)?,
        ))
    }
}

/// Read what a message said before its edits.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation}/messages/{seq}/edits", tag = "messages",
    params(MessagePath, RevQuery),
    responses(
        (status = 200, description = "A page, the oldest first; empty if it was never edited.", body = FormerContentsJson),
        (status = 404, description = "There is no such message.", body = ErrorBody),
        (status = 410, description = "The temporary conversation has ended.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_edits(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<MessagePath>,
    Query(query): Query<RevQuery>,
) -> Result<Json<FormerContentsJson>> {
    let (conversation, seq) = path.read()?;
    let (after, limit) = query.read()?;
    let page = api
        .engine
        .former_contents(app, &conversation, seq, after, limit)
        .await?;
    Ok(Json(page.into()))
}

/// Read which messages of a conversation changed.
///
/// Each as it is now, in the order of their last change: recalls, edits, expansions, reactions.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation}/changes", tag = "messages",
    params(ConversationPath, RevQuery),
    responses(
        (status = 200, description = "A page.", body = ChangePageJson),
        (status = 404, description = "There is no such conversation.", body = ErrorBody),
        (status = 410, description = "The temporary conversation has ended.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_changes(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<ConversationPath>,
    Query(query): Query<RevQuery>,
) -> Result<Json<ChangePageJson>> {
    let conversation = conversation_id(&path.conversation)?;
    let (after, limit) = query.read()?;
    let page = api
        .engine
        .pull_changes(app, None, &conversation, after, limit)
        .await?;
    Ok(Json(page.into()))
}

fn no_such_message() -> Reject {
    Reject::new(Code::NotFound, "there is no such message")
}
