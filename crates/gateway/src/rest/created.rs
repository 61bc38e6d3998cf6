//! Conversations that users create. The server API may do everything that is possible in them.

use anser_domain::UserId;
use anser_domain::attributes::{Json as Value, Object, PathChange};
use anser_domain::group::JoinMode;
use anser_domain::group::info::SettingsChange;
use anser_domain::group::role::NewRole;
use anser_domain::limits::{
    GROUP_CHANGE_USERS_MAX, GROUP_MEMBERS_MAX, MEMBERS_PAGE_MAX, PAGE_ITEMS_MAX,
};
use anser_domain::query::{Filter, Sorting};
use anser_engine::created::{NewConversation, Query as FindQuery};
use anser_engine::group::{By, Group, GroupChange, GroupUpdate, Members};
use anser_engine::json;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::extract::{
    Body, Path, Query, conversation_id, page, page_limit, present, user_id, users,
};
use super::failure::{ErrorBody, Failure, Result};
use super::group_admin::{GroupUserPage, NewOwner, users_until};
use super::groups::{GroupMemberPage, MembersQuery};
use super::messages::ConversationPath;
use super::spec::{Common, OfConversation, WithBody};

/// A conversation that a user created.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedConversation {
    /// `c/<id>`, or `t/<id>` of a temporary one.
    conversation: String,
    /// Possibly empty.
    name: String,
    /// Who created it, or was handed it over; possibly not in it any more.
    owner: String,
    member_count: u32,
    created_time: u64,
    /// When members, name, attributes or settings changed last.
    updated_time: u64,
    /// Of the newest message, notices included.
    last_time: u64,
    /// The application's own.
    #[schema(value_type = Object)]
    attributes: serde_json::Value,
    settings: ConversationSettings,
    /// Who may mute, block, and give roles besides the owner.
    managers: Vec<String>,
    /// It was created as the one of exactly these members.
    unique: bool,
    /// Of a temporary one: when it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64)]
    end_time: Option<u64>,
}

/// What is set for a created conversation.
#[derive(Serialize, ToSchema)]
pub(super) struct ConversationSettings {
    /// Anybody may join who knows its id.
    public: bool,
    /// Every member invites, removes plain members, and changes name and attributes.
    open: bool,
    /// All are muted, but for the owner, managers and those exempt.
    muted: bool,
    /// New members may read what was written before they came.
    history_visible: bool,
}

impl From<Group> for CreatedConversation {
    fn from(it: Group) -> Self {
        Self {
            end_time: it.conversation().end().map(|end| end.0),
            conversation: it.conversation().to_string(),
            name: it.name,
            owner: it.owner,
            member_count: it.member_count,
            created_time: it.created.0,
            updated_time: it.updated.0,
            last_time: it.last_time.0,
            attributes: json::to_value(&Value::Object(it.nested_attributes)),
            settings: ConversationSettings {
                public: it.settings.join == JoinMode::Public,
                open: it.settings.open,
                muted: it.settings.muted,
                history_visible: it.settings.history_visible,
            },
            managers: it.admins,
            unique: it.unique,
        }
    }
}

/// A conversation to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateConversation {
    /// At most 128 bytes.
    #[serde(default)]
    #[schema(max_length = 128, default = "")]
    name: String,
    /// The user who creates and owns it, and is its first member.
    #[schema(min_length = 1, max_length = 64)]
    owner: String,
    /// Besides the owner; at most 500 with them.
    #[serde(default)]
    #[schema(max_items = 500)]
    members: Vec<String>,
    /// The application's own: nested JSON of at most 16 KiB, at most 16 levels deep.
    #[serde(default)]
    #[schema(value_type = Object)]
    attributes: serde_json::Map<String, serde_json::Value>,
    /// Anybody may join who knows its id; else members add others.
    #[serde(default)]
    public: bool,
    /// If there is one already that was created like this and has exactly these members, it is the
    /// answer, as it is; nothing is created then.
    #[serde(default)]
    unique: bool,
    /// It is temporary, `t/<id>`: at most 50 members, never `unique`, never found by queries, and
    /// gone with all its messages when its time is over.
    #[serde(default)]
    temporary: bool,
    /// So long a temporary conversation lives; a day if it is not said.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 1, maximum = 86_400, value_type = u32)]
    seconds: Option<u32>,
}

pub(super) fn object(map: serde_json::Map<String, serde_json::Value>) -> Object {
    let members = map.into_iter();
    members.map(|(key, it)| (key, json::value(it))).collect()
}

fn temporary_seconds(temporary: bool, seconds: Option<u32>) -> Result<Option<u32>> {
    if seconds == Some(0) {
        return Err(Failure::invalid("seconds is from 1 to 86,400"));
    }
    let seconds = crate::native::temporary_seconds(temporary, seconds.unwrap_or(0));
    Ok(seconds?)
}

/// Create a conversation.
///
/// The server chooses its id. Unless it is set otherwise, it belongs to everybody in it.
#[utoipa::path(
    post, path = "/v1/conversations", tag = "created conversations",
    request_body = CreateConversation,
    responses(
        (status = 201, description = "The conversation.", body = CreatedConversation),
        (status = 200, description = "The one of exactly these members, which was there already.", body = CreatedConversation),
        (status = 409, description = "It would be too large.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn create_conversation(
    State(api): State<Api>,
    App(app): App,
    Body(body): Body<CreateConversation>,
) -> Result<(StatusCode, Json<CreatedConversation>)> {
    crate::native::refuse_unique(body.temporary, body.unique)?;
    let new = NewConversation {
        id: None,
        history_visible: false,
        name: body.name,
        owner: user_id("owner", &body.owner)?,
        members: users("members", &body.members, 0..=GROUP_MEMBERS_MAX)?,
        attributes: object(body.attributes),
        public: body.public,
        unique: body.unique,
        temporary_seconds: temporary_seconds(body.temporary, body.seconds)?,
    };
    let created = api.engine.create_conversation(app, By::Server, new).await?;
    let status = match created.reused {
        true => StatusCode::OK,
        false => StatusCode::CREATED,
    };
    Ok((status, Json(created.conversation.into())))
}

/// Show a created conversation.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation}", tag = "created conversations",
    params(ConversationPath),
    responses(
        (status = 200, description = "The conversation.", body = CreatedConversation),
        OfConversation, Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_created(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<ConversationPath>,
) -> Result<Json<CreatedConversation>> {
    let id = conversation_id(&path.conversation)?;
    let created = api.engine.created(app, By::Server, &id).await?;
    Ok(Json(created.into()))
}

async fn change(
    api: &Api,
    App(app): App,
    path: &ConversationPath,
    change: GroupChange,
) -> Result<Json<CreatedConversation>> {
    let id = conversation_id(&path.conversation)?;
    let created = api.engine.change_created(app, By::Server, &id, change);
    Ok(Json(created.await?.into()))
}

/// What changes; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateCreated {
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 128, value_type = String)]
    name: Option<String>,
    /// Attributes to set: values by path, the keys from the outside in with dots between.
    #[serde(default)]
    #[schema(value_type = Object)]
    set_attributes: serde_json::Map<String, serde_json::Value>,
    /// Paths of attributes to remove, before anything is set; with those set, at most 100.
    #[serde(default)]
    #[schema(max_items = 100)]
    unset_attributes: Vec<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    public: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    open: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    muted: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    history_visible: Option<bool>,
}

/// Change name, attributes and settings of a created conversation.
#[utoipa::path(
    patch, path = "/v1/conversations/{conversation}", tag = "created conversations",
    params(ConversationPath),
    request_body = UpdateCreated,
    responses(
        (status = 200, description = "The conversation as it now is.", body = CreatedConversation),
        OfConversation, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn update_created(
    State(api): State<Api>,
    app: App,
    Path(path): Path<ConversationPath>,
    Body(body): Body<UpdateCreated>,
) -> Result<Json<CreatedConversation>> {
    let update = GroupUpdate {
        name: body.name,
        settings: SettingsChange {
            join: body.public.map(crate::native::join_mode),
            open: body.open,
            muted: body.muted,
            history_visible: body.history_visible,
            ..SettingsChange::default()
        },
        nested_attributes: PathChange {
            set: object(body.set_attributes),
            unset: body.unset_attributes,
        },
        ..GroupUpdate::default()
    };
    change(&api, app, &path, GroupChange::Update(Box::new(update))).await
}

/// Dismiss a created conversation.
///
/// Its members are told and no longer in it.
#[utoipa::path(
    delete, path = "/v1/conversations/{conversation}", tag = "created conversations",
    params(ConversationPath),
    responses(
        (status = 204, description = "It is dismissed."),
        (status = 404, description = "There is no such conversation.", body = ErrorBody),
        (status = 410, description = "It was dismissed before.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn dismiss_created(
    State(api): State<Api>,
    app: App,
    Path(path): Path<ConversationPath>,
) -> Result<StatusCode> {
    let id = conversation_id(&path.conversation)?;
    api.engine
        .change_created(app.0, By::Server, &id, GroupChange::Dismiss)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CreatedMembersQuery {
    /// Where the page starts, from the page before.
    #[serde(default)]
    #[param(max_length = 1024, required = false)]
    cursor: String,
    /// Items of the page.
    #[param(minimum = 1, maximum = 500, default = 100, value_type = u64, required = false)]
    limit: Option<u64>,
    /// Only those who are muted; a page may then hold fewer, or none, and yet not be the last.
    #[serde(default)]
    #[param(required = false)]
    muted: bool,
}

/// List the members of a created conversation.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation}/members", tag = "created conversations",
    params(ConversationPath, CreatedMembersQuery),
    responses(
        (status = 200, description = "A page.", body = GroupMemberPage),
        OfConversation, Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_created_members(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<ConversationPath>,
    Query(query): Query<CreatedMembersQuery>,
) -> Result<Json<GroupMemberPage>> {
    let id = conversation_id(&path.conversation)?;
    let (cursor, limit) = page(&query.cursor, query.limit, MEMBERS_PAGE_MAX)?;
    let which = if query.muted {
        Members::Muted
    } else {
        Members::All
    };
    let page = api
        .engine
        .created_members(app, By::Server, &id, which, cursor, limit);
    Ok(Json(page.await?.into()))
}

/// Users of a conversation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConversationUsers {
    /// User ids; those whom it does not change are passed over.
    #[schema(min_items = 1, max_items = 3000)]
    users: Vec<String>,
}

impl ConversationUsers {
    fn read(&self) -> Result<Vec<UserId>> {
        users("users", &self.users, 1..=GROUP_MEMBERS_MAX)
    }
}

/// Add members to a created conversation.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation}/members", tag = "created conversations",
    params(ConversationPath),
    request_body = ConversationUsers,
    responses(
        (status = 200, description = "The conversation as it now is.", body = CreatedConversation),
        (status = 403, description = "A user is blocked; nothing was changed.", body = ErrorBody),
        (status = 409, description = "It would be too large; nothing was changed.", body = ErrorBody),
        OfConversation, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn add_created_members(
    State(api): State<Api>,
    app: App,
    Path(path): Path<ConversationPath>,
    Body(body): Body<ConversationUsers>,
) -> Result<Json<CreatedConversation>> {
    change(&api, app, &path, GroupChange::Add(body.read()?)).await
}

/// Remove members from a created conversation.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation}/members/remove", tag = "created conversations",
    params(ConversationPath),
    request_body = ConversationUsers,
    responses(
        (status = 200, description = "The conversation as it now is.", body = CreatedConversation),
        OfConversation, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn remove_created_members(
    State(api): State<Api>,
    app: App,
    Path(path): Path<ConversationPath>,
    Body(body): Body<ConversationUsers>,
) -> Result<Json<CreatedConversation>> {
    change(&api, app, &path, GroupChange::Remove(body.read()?)).await
}

/// Hand a created conversation over to another member.
#[utoipa::path(
    put, path = "/v1/conversations/{conversation}/owner", tag = "created conversations",
    params(ConversationPath),
    request_body = NewOwner,
    responses(
        (status = 200, description = "The conversation as it now is.", body = CreatedConversation),
        (status = 403, description = "The user is not in it.", body = ErrorBody),
        OfConversation, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn transfer_created(
    State(api): State<Api>,
    app: App,
    Path(path): Path<ConversationPath>,
    Body(body): Body<NewOwner>,
) -> Result<Json<CreatedConversation>> {
    let owner = user_id("owner", &body.owner)?;
    change(&api, app, &path, GroupChange::Transfer(owner)).await
}

/// Members and the role they get.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetConversationRole {
    #[schema(min_items = 1, max_items = 100)]
    users: Vec<String>,
    /// Managers; else plain members.
    manager: bool,
}

/// Make members of a created conversation managers, or plain members again.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation}/roles", tag = "created conversations",
    params(ConversationPath),
    request_body = SetConversationRole,
    responses(
        (status = 200, description = "The conversation as it now is.", body = CreatedConversation),
        (status = 403, description = "A user is not in it, or owns it; nothing was changed.", body = ErrorBody),
        (status = 409, description = "It would have too many managers.", body = ErrorBody),
        OfConversation, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn set_created_role(
    State(api): State<Api>,
    app: App,
    Path(path): Path<ConversationPath>,
    Body(body): Body<SetConversationRole>,
) -> Result<Json<CreatedConversation>> {
    let role = if body.manager {
        NewRole::Admin
    } else {
        NewRole::Member
    };
    let users = users("users", &body.users, 1..=GROUP_CHANGE_USERS_MAX)?;
    change(&api, app, &path, GroupChange::SetRole { users, role }).await
}

/// Users, and for how long.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UsersFor {
    #[schema(min_items = 1, max_items = 100)]
    users: Vec<String>,
    /// At most ten years; 0 lifts it.
    #[schema(maximum = 315_360_000)]
    seconds: u64,
}

/// Mute members of a created conversation, or lift it.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation}/mutes", tag = "created conversations",
    params(ConversationPath),
    request_body = UsersFor,
    responses(
        (status = 200, description = "The conversation.", body = CreatedConversation),
        (status = 403, description = "A user is not in it, or owns it; nothing was changed.", body = ErrorBody),
        OfConversation, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn mute_created(
    State(api): State<Api>,
    app: App,
    Path(path): Path<ConversationPath>,
    Body(body): Body<UsersFor>,
) -> Result<Json<CreatedConversation>> {
    let (users, until) = users_until(&api, "users", &body.users, body.seconds)?;
    change(&api, app, &path, GroupChange::Mute { users, until }).await
}

/// Block users from a created conversation, or lift it.
///
/// Members among them are removed; who is blocked can't be added.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation}/blocks", tag = "created conversations",
    params(ConversationPath),
    request_body = UsersFor,
    responses(
        (status = 200, description = "The conversation as it now is.", body = CreatedConversation),
        (status = 403, description = "The owner is among them; nothing was changed.", body = ErrorBody),
        (status = 409, description = "It would block too many.", body = ErrorBody),
        OfConversation, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn block_created(
    State(api): State<Api>,
    app: App,
    Path(path): Path<ConversationPath>,
    Body(body): Body<UsersFor>,
) -> Result<Json<CreatedConversation>> {
    let (users, until) = users_until(&api, "users", &body.users, body.seconds)?;
    change(&api, app, &path, GroupChange::Ban { users, until }).await
}

/// List whom a created conversation blocks.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation}/blocks", tag = "created conversations",
    params(ConversationPath, MembersQuery),
    responses(
        (status = 200, description = "A page.", body = GroupUserPage),
        OfConversation, Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_created_blocks(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<ConversationPath>,
    Query(query): Query<MembersQuery>,
) -> Result<Json<GroupUserPage>> {
    let id = conversation_id(&path.conversation)?;
    let (cursor, limit) = query.page()?;
    let page = api
        .engine
        .created_blocks(app, By::Server, &id, cursor, limit);
    Ok(Json(page.await?.into()))
}

/// Which conversations are asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryConversations {
    /// Only those that this user is in; absent: all of the app.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 64, value_type = String)]
    user_id: Option<String>,
    /// A condition `{"field": "attributes.game.round", "op": "gt", "value": 2}`, or several in
    /// `{"all": []}`, `{"any": []}` or `{"not": {}}`; empty: everything. At most 64 conditions, 8
    /// levels deep. Fields: `attributes.<path>`, `conversation`, `name`, `owner`, `created_time`,
    /// `updated_time`, `last_time`, `member_count`, `unique`, `members`. Operators: `eq`, `ne`, `lt`,
    /// `lte`, `gt`, `gte`, `in`, `not_in`, `exists`, `prefix`, `contains`, `all`.
    #[serde(default)]
    #[schema(value_type = Object)]
    filter: serde_json::Map<String, serde_json::Value>,
    /// Fields, each with `-` before it for the greatest first; none: newest activity first.
    #[serde(default)]
    #[schema(max_items = 4)]
    sort: Vec<String>,
    /// So many are passed over.
    #[serde(default)]
    #[schema(maximum = 5_000, default = 0)]
    skip: u64,
    /// So many are returned at most.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 1, maximum = 100, default = 20, value_type = u64)]
    limit: Option<u64>,
}

/// What a query found.
#[derive(Serialize, ToSchema)]
pub(super) struct ConversationsFound {
    /// In the order asked for.
    conversations: Vec<CreatedConversation>,
    /// How many there are, those passed over or left out included.
    matched: u64,
    /// If not, the query's budget was used up before every conversation was looked at: narrow it,
    /// best by `user_id` or by who is a member.
    complete: bool,
}

/// Find created conversations.
#[utoipa::path(
    post, path = "/v1/conversations/query", tag = "created conversations",
    request_body = QueryConversations,
    responses(
        (status = 200, description = "What was found.", body = ConversationsFound),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn query_conversations(
    State(api): State<Api>,
    App(app): App,
    Body(body): Body<QueryConversations>,
) -> Result<Json<ConversationsFound>> {
    let query = FindQuery {
        of: body
            .user_id
            .map(|text| user_id("user_id", &text))
            .transpose()?,
        filter: Filter::parse(&Value::Object(object(body.filter)))?,
        sorting: Sorting::parse(&body.sort)?,
        skip: usize::try_from(body.skip).unwrap_or(usize::MAX),
        limit: page_limit(body.limit, PAGE_ITEMS_MAX)?,
    };
    let found = api.engine.query_conversations(app, query).await?;
    Ok(Json(ConversationsFound {
        conversations: found.conversations.into_iter().map(Into::into).collect(),
        matched: found.matched as u64,
        complete: found.complete,
    }))
}
