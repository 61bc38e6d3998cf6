//! A user's conversation list: what is in it, what is unread, how far the user has read.

use anser_domain::limits::PAGE_ITEMS_MAX;
use anser_engine::conversation::ConversationView;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::extract::{Body, Path, Query, conversation_id, json_integer, page_limit, user_id};
use super::failure::{ErrorBody, Result};
use super::message_json::MessageJson;
use super::own_view::MuteJson;
use super::spec::{Common, WithBody};
use super::users::UserPath;

/// A conversation as it stands in a user's list.
#[derive(Serialize, ToSchema)]
pub(super) struct Conversation {
    /// `p/<user>/<user>`, `g/<group>`, `c/<id>`, `t/<id>` or `s/<id>`.
    #[schema(example = "p/alice/bob")]
    id: String,
    /// Its last sequence; 0 when it is empty.
    head_seq: u64,
    /// The counter of changes of messages.
    rev: u64,
    /// Of the newest message, or of joining when there is none.
    last_time: u64,
    /// The newest message the user may see, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MessageJson)]
    newest: Option<MessageJson>,
    /// What the user has not read.
    unread: u64,
    /// Up to where the user has read.
    read_seq: u64,
    /// The lowest sequence the user may read.
    first_seq: u64,
    /// A group's name; empty otherwise.
    name: String,
    /// Is the user in it?
    member: bool,
    /// How many unread messages mention the user, @all included.
    unread_mentions: u64,
    /// Grows with every message that the user deletes for themself.
    deleted_version: u64,
    /// Pinned conversations come first in the list.
    pinned: bool,
    muted: MuteJson,
    /// Left out of the list until the next message.
    hidden: bool,
    /// The user's labels.
    marks: Vec<String>,
    /// What the user began to write.
    draft: String,
    /// The user is not in it, and may come in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = InvitationJson)]
    invitation: Option<InvitationJson>,
    /// Of a temporary conversation: when it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64)]
    end_time: Option<u64>,
}

/// An invitation to a group. It lives for 7 days.
#[derive(Serialize, ToSchema)]
#[schema(as = GroupInvitation)]
pub(super) struct InvitationJson {
    /// Who invited; empty: the server API.
    operator: String,
    time: u64,
}

impl From<ConversationView> for Conversation {
    fn from(view: ConversationView) -> Self {
        Self {
            hidden: view.is_hidden(),
            end_time: view.end().map(|end| end.0),
            id: view.id.to_string(),
            head_seq: view.head_seq,
            rev: view.rev,
            last_time: view.last_time.0,
            newest: view.newest.map(MessageJson::from),
            unread: view.unread,
            read_seq: view.read_seq,
            first_seq: view.first_seq,
            name: view.name,
            member: view.member,
            unread_mentions: view.unread_mentions,
            deleted_version: view.deleted_version,
            pinned: view.settings.pinned,
            muted: view.settings.muted.into(),
            marks: view.settings.marks,
            draft: view.settings.draft,
            invitation: view.invitation.map(|it| InvitationJson {
                operator: it.operator,
                time: it.time.0,
            }),
        }
    }
}

/// A page of a user's conversations.
#[derive(Serialize, ToSchema)]
pub(super) struct ConversationPage {
    /// Pinned ones first, then by last activity, newest first.
    conversations: Vec<Conversation>,
    /// Where the next page starts; empty on the last one.
    cursor: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ConversationsQuery {
    /// Where the page starts, from the page before.
    #[serde(default)]
    #[param(max_length = 1024, required = false)]
    cursor: String,
    /// Items of the page.
    #[param(minimum = 1, maximum = 100, default = 20, value_type = u64, required = false)]
    limit: Option<u64>,
}

/// List a user's conversations.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/conversations", tag = "conversations",
    params(UserPath, ConversationsQuery),
    responses(
        (status = 200, description = "A page.", body = ConversationPage),
        (status = 404, description = "There is no such user.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_conversations(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
    Query(query): Query<ConversationsQuery>,
) -> Result<Json<ConversationPage>> {
    let user = user_id("user_id", &path.user_id)?;
    let cursor = super::extract::cursor(&query.cursor)?;
    let limit = page_limit(query.limit, PAGE_ITEMS_MAX)?;
    let page = api.engine.conversations(app, &user, cursor, limit).await?;
    Ok(Json(ConversationPage {
        conversations: page
            .conversations
            .into_iter()
            .map(Conversation::from)
            .collect(),
        cursor: page.cursor,
    }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct UserConversationPath {
    /// Your name for the user, 1–64 bytes of printable UTF-8.
    #[param(min_length = 1, max_length = 64)]
    pub(super) user_id: String,
    /// `p/<user>/<user>` (ids in byte order), `g/<group>`, `c/<id>`, `t/<id>` or `s/<id>`, percent-encoded as one segment.
    #[param(
        min_length = 3,
        max_length = 387,
        pattern = "^(p/[^/]+/[^/]+|[gcts]/[^/]+)$",
        example = "p/alice/bob"
    )]
    pub(super) conversation: String,
}

/// Show one conversation of a user.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/conversations/{conversation}", tag = "conversations",
    params(UserConversationPath),
    responses(
        (status = 200, description = "As it stands in the user's list.", body = Conversation),
        (status = 403, description = "The user is not in it.", body = ErrorBody),
        (status = 404, description = "There is none, or no such user.", body = ErrorBody),
        (status = 410, description = "The group was dismissed.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_conversation(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserConversationPath>,
) -> Result<Json<Conversation>> {
    let user = user_id("user_id", &path.user_id)?;
    let conversation = conversation_id(&path.conversation)?;
    let view = api.engine.conversation(app, &user, &conversation).await?;
    Ok(Json(view.into()))
}

/// How far the user has read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MarkRead {
    /// Everything up to here. Never moves back; above the head it is taken as the head.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    seq: u64,
}

/// Where the read position now stands.
#[derive(Serialize, ToSchema)]
pub(super) struct ReadResult {
    /// Everything up to here is read.
    read_seq: u64,
    /// What is unread beyond.
    unread: u64,
    /// How much of that mentions the user.
    unread_mentions: u64,
}

/// Move a user's read position.
#[utoipa::path(
    post, path = "/v1/users/{user_id}/conversations/{conversation}/read", tag = "conversations",
    params(UserConversationPath),
    request_body = MarkRead,
    responses(
        (status = 200, description = "Where it now stands.", body = ReadResult),
        (status = 403, description = "The user is not in it.", body = ErrorBody),
        (status = 404, description = "There is none, or no such user.", body = ErrorBody),
        (status = 410, description = "The group was dismissed.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn mark_read(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserConversationPath>,
    Body(body): Body<MarkRead>,
) -> Result<Json<ReadResult>> {
    let user = user_id("user_id", &path.user_id)?;
    let conversation = conversation_id(&path.conversation)?;
    let seq = json_integer("seq", body.seq)?;
    let result = api.engine.mark_read(app, &user, &conversation, seq).await?;
    Ok(Json(ReadResult {
        read_seq: result.read_seq,
        unread: result.unread,
        unread_mentions: result.unread_mentions,
    }))
}
