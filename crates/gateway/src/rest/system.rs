//! System conversations: the app's backend speaks to those who subscribe.

use anser_domain::attributes::{Json as Value, PathChange};
use anser_domain::limits::{MEMBERS_PAGE_MAX, PAGE_ITEMS_MAX, SUBSCRIBERS_CHANGE_MAX, TARGETS_MAX};
use anser_domain::{ConversationId, GroupId, Timestamp};
use anser_engine::json;
use anser_engine::message::{SendMessage, SendOptions};
use anser_engine::system::{NewSystem, SystemConversation as System, SystemUpdate};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::created::object;
use super::extract::{Body, Object, Path, Query, group_id, page, present, user_id, users};
use super::failure::{ErrorBody, Result};
use super::message_json::{Content, SentJson};
use super::messages::{client_message_id, send};
use super::quota::Kind;
use super::spec::{Common, OfConversation, WithBody};
use super::tags::tag;

/// A system conversation.
#[derive(Serialize, ToSchema)]
pub(super) struct SystemConversation {
    id: String,
    /// `s/<id>`.
    conversation: String,
    /// Possibly empty.
    name: String,
    /// The address of a picture.
    portrait: String,
    /// The application's own.
    #[schema(value_type = Object)]
    attributes: serde_json::Value,
    /// All users of the app are subscribed, those who come later too.
    everyone: bool,
    /// Those users are subscribed who have this tag. Absent: it is not for a tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    created_time: u64,
    /// When name, portrait or attributes changed last.
    updated_time: u64,
    /// Of the newest message; 0: there is none.
    last_time: u64,
}

impl From<System> for SystemConversation {
    fn from(it: System) -> Self {
        Self {
            id: it.id.as_str().to_owned(),
            conversation: it.conversation().to_string(),
            name: it.name,
            portrait: it.portrait,
            attributes: json::to_value(&Value::Object(it.attributes)),
            everyone: it.everyone,
            tag: it.tag.map(|tag| tag.to_string()),
            created_time: it.created.0,
            updated_time: it.updated.0,
            last_time: it.last_time.0,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct SystemPath {
    /// The id of the system conversation, percent-encoded.
    #[param(min_length = 1, max_length = 64, example = "news")]
    system_id: String,
}

impl SystemPath {
    fn id(&self) -> Result<GroupId> {
        group_id("system_id", &self.system_id)
    }
}

/// A system conversation to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateSystem {
    /// 1–64 bytes of printable UTF-8; without one, the server makes one.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 64, value_type = String)]
    id: Option<String>,
    /// At most 128 bytes.
    #[serde(default)]
    #[schema(max_length = 128, default = "")]
    name: String,
    /// The address of a picture, at most 1,024 bytes.
    #[serde(default)]
    #[schema(max_length = 1024, default = "")]
    portrait: String,
    /// The application's own: nested JSON of at most 16 KiB, at most 16 levels deep.
    #[serde(default)]
    #[schema(value_type = Object)]
    attributes: serde_json::Map<String, serde_json::Value>,
    /// All users of the app are subscribed, those who come later too. At most 8 of an app.
    #[serde(default)]
    everyone: bool,
    /// Those users are subscribed who have this tag, and as long as they have it. At most 8 for one
    /// tag, and not for everyone as well.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 64, value_type = String)]
    tag: Option<String>,
}

/// Create a system conversation.
#[utoipa::path(
    post, path = "/v1/system-conversations", tag = "system conversations",
    request_body = CreateSystem,
    responses(
        (status = 201, description = "The conversation.", body = SystemConversation),
        (status = 409, description = "The id is taken, or there are as many for everyone, or for the tag, as allowed.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn create_system(
    State(api): State<Api>,
    App(app): App,
    Body(body): Body<CreateSystem>,
) -> Result<(StatusCode, Json<SystemConversation>)> {
    let id = body
        .id
        .as_deref()
        .map(|id| group_id("id", id))
        .transpose()?;
    let tag = body.tag.as_deref().map(|it| tag("tag", it)).transpose()?;
    let new = NewSystem {
        id,
        name: body.name,
        portrait: body.portrait,
        attributes: object(body.attributes),
        everyone: body.everyone,
        tag,
    };
    let system = api.engine.create_system(app, new).await?;
    Ok((StatusCode::CREATED, Json(system.into())))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SystemsQuery {
    /// Where the page starts, from the page before.
    #[serde(default)]
    #[param(max_length = 1024, required = false)]
    cursor: String,
    /// Items of the page; it may hold fewer, or none, and yet not be the last.
    #[param(minimum = 1, maximum = 100, default = 20, value_type = u64, required = false)]
    limit: Option<u64>,
}

/// A page of system conversations.
#[derive(Serialize, ToSchema)]
pub(super) struct SystemPage {
    /// By id.
    conversations: Vec<SystemConversation>,
    /// Where the next page starts; empty on the last one.
    cursor: String,
}

/// List the app's system conversations.
#[utoipa::path(
    get, path = "/v1/system-conversations", tag = "system conversations",
    params(SystemsQuery),
    responses((status = 200, description = "A page.", body = SystemPage), Common),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_systems(
    State(api): State<Api>,
    App(app): App,
    Query(query): Query<SystemsQuery>,
) -> Result<Json<SystemPage>> {
    let (cursor, limit) = page(&query.cursor, query.limit, PAGE_ITEMS_MAX)?;
    let page = api.engine.systems(app, cursor, limit).await?;
    let conversations = page.conversations.into_iter();
    Ok(Json(SystemPage {
        conversations: conversations.map(SystemConversation::from).collect(),
        cursor: page.cursor,
    }))
}

/// Show a system conversation.
#[utoipa::path(
    get, path = "/v1/system-conversations/{system_id}", tag = "system conversations",
    params(SystemPath),
    responses(
        (status = 200, description = "The conversation.", body = SystemConversation),
        OfConversation, Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_system(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<SystemPath>,
) -> Result<Json<SystemConversation>> {
    Ok(Json(api.engine.system(app, &path.id()?).await?.into()))
}

/// What changes; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateSystem {
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 128, value_type = String)]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 1024, value_type = String)]
    portrait: Option<String>,
    /// Attributes to set: values by path, the keys from the outside in with dots between.
    #[serde(default)]
    #[schema(value_type = Object)]
    set_attributes: serde_json::Map<String, serde_json::Value>,
    /// Paths of attributes to remove, before anything is set; with those set, at most 100.
    #[serde(default)]
    #[schema(max_items = 100)]
    unset_attributes: Vec<String>,
}

/// Change name, portrait and attributes of a system conversation.
///
/// Devices learn of it with their next sync.
#[utoipa::path(
    patch, path = "/v1/system-conversations/{system_id}", tag = "system conversations",
    params(SystemPath),
    request_body = UpdateSystem,
    responses(
        (status = 200, description = "The conversation as it now is.", body = SystemConversation),
        OfConversation, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn update_system(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<SystemPath>,
    Body(body): Body<UpdateSystem>,
) -> Result<Json<SystemConversation>> {
    let update = SystemUpdate {
        name: body.name,
        portrait: body.portrait,
        attributes: PathChange {
            set: object(body.set_attributes),
            unset: body.unset_attributes,
        },
    };
    let system = api.engine.update_system(app, &path.id()?, update).await?;
    Ok(Json(system.into()))
}

/// Dismiss a system conversation.
///
/// Its id stays taken. Devices drop it with their next sync.
#[utoipa::path(
    delete, path = "/v1/system-conversations/{system_id}", tag = "system conversations",
    params(SystemPath),
    responses(
        (status = 204, description = "It is dismissed."),
        (status = 404, description = "There is no such conversation.", body = ErrorBody),
        (status = 410, description = "It was dismissed before.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn dismiss_system(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<SystemPath>,
) -> Result<StatusCode> {
    api.engine.dismiss_system(app, &path.id()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Users who come or go.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SystemUsers {
    /// User ids; those whom it does not change are passed over.
    #[schema(min_items = 1, max_items = 100)]
    users: Vec<String>,
}

async fn change_subscribers(
    api: &Api,
    App(app): App,
    path: &SystemPath,
    body: &SystemUsers,
    subscribe: bool,
) -> Result<StatusCode> {
    let users = users("users", &body.users, 1..=SUBSCRIBERS_CHANGE_MAX)?;
    let id = path.id()?;
    api.engine.subscribe(app, &id, &users, subscribe).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Subscribe users to a system conversation.
///
/// They see what is sent from now on.
#[utoipa::path(
    post, path = "/v1/system-conversations/{system_id}/subscribers", tag = "system conversations",
    params(SystemPath),
    request_body = SystemUsers,
    responses(
        (status = 204, description = "They are subscribed."),
        (status = 409, description = "Everyone is, or a tag decides.", body = ErrorBody),
        OfConversation, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn subscribe(
    State(api): State<Api>,
    app: App,
    Path(path): Path<SystemPath>,
    Body(body): Body<SystemUsers>,
) -> Result<StatusCode> {
    change_subscribers(&api, app, &path, &body, true).await
}

/// Unsubscribe users from a system conversation.
#[utoipa::path(
    post, path = "/v1/system-conversations/{system_id}/subscribers/remove", tag = "system conversations",
    params(SystemPath),
    request_body = SystemUsers,
    responses(
        (status = 204, description = "They are not subscribed."),
        (status = 409, description = "Everyone is subscribed, or a tag decides.", body = ErrorBody),
        OfConversation, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn unsubscribe(
    State(api): State<Api>,
    app: App,
    Path(path): Path<SystemPath>,
    Body(body): Body<SystemUsers>,
) -> Result<StatusCode> {
    change_subscribers(&api, app, &path, &body, false).await
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SubscribersQuery {
    /// Where the page starts, from the page before.
    #[serde(default)]
    #[param(max_length = 1024, required = false)]
    cursor: String,
    /// Items of the page; it may hold fewer, or none, and yet not be the last.
    #[param(minimum = 1, maximum = 500, default = 100, value_type = u64, required = false)]
    limit: Option<u64>,
}

/// A subscriber.
#[derive(Serialize, ToSchema)]
pub(super) struct Subscriber {
    user_id: String,
    /// Since when.
    subscribed_time: u64,
}

/// A page of subscribers.
#[derive(Serialize, ToSchema)]
pub(super) struct SubscriberPage {
    /// By user id.
    subscribers: Vec<Subscriber>,
    /// Where the next page starts; empty on the last one.
    cursor: String,
}

/// List the subscribers of a system conversation.
#[utoipa::path(
    get, path = "/v1/system-conversations/{system_id}/subscribers", tag = "system conversations",
    params(SystemPath, SubscribersQuery),
    responses(
        (status = 200, description = "A page.", body = SubscriberPage),
        (status = 409, description = "Everyone is subscribed.", body = ErrorBody),
        OfConversation, Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_subscribers(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<SystemPath>,
    Query(query): Query<SubscribersQuery>,
) -> Result<Json<SubscriberPage>> {
    let (cursor, limit) = page(&query.cursor, query.limit, MEMBERS_PAGE_MAX)?;
    let id = path.id()?;
    let page = api.engine.subscribers(app, &id, cursor, limit).await?;
    let subscribers = page.subscribers.into_iter().map(|(user, time)| Subscriber {
        user_id: user.as_str().to_owned(),
        subscribed_time: time.0,
    });
    Ok(Json(SubscriberPage {
        subscribers: subscribers.collect(),
        cursor: page.cursor,
    }))
}

/// A message of the app's backend.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendSystemMessage {
    /// The name that the backend speaks under, such as the service's; it need not be a user.
    #[schema(min_length = 1, max_length = 64, example = "news")]
    sender: String,
    /// 1–64 bytes, unique for this sender in this conversation: a retry with the same one gets the
    /// first result and is never stored twice. Without one, a retry is a second message.
    #[schema(min_length = 1, max_length = 64, value_type = String)]
    #[serde(default, deserialize_with = "present")]
    client_message_id: Option<String>,
    #[schema(value_type = Content)]
    content: Object<Content>,
    /// Only these subscribers see it. Empty: all do.
    #[serde(default)]
    #[schema(max_items = 100)]
    targets: Vec<String>,
    /// For those who are online now: pushed, never stored or counted. The answer has no sequence
    /// then.
    #[serde(default)]
    transient: bool,
    /// Unread for nobody.
    #[serde(default)]
    uncounted: bool,
}

/// Send a message to the subscribers of a system conversation.
///
/// To all of them, or to those named as targets. It is stored once; the answer comes when it is on
/// disk. Reading, recall and edit are as in other conversations, under the name `s/<id>`.
#[utoipa::path(
    post, path = "/v1/system-conversations/{system_id}/messages", tag = "system conversations",
    params(SystemPath),
    request_body = SendSystemMessage,
    responses(
        (status = 200, description = "It is on disk.", body = SentJson),
        (status = 429, description = "The app sends more than allowed; `Retry-After` says how long to wait.", body = ErrorBody),
        OfConversation, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn send_system_message(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<SystemPath>,
    Body(body): Body<SendSystemMessage>,
) -> Result<Json<SentJson>> {
    let conversation = ConversationId::System(path.id()?);
    let (content_type, body_bytes) = body.content.0.read()?;
    let options = SendOptions {
        transient: body.transient,
        uncounted: body.uncounted,
        targets: users("targets", &body.targets, 0..=TARGETS_MAX)?,
        by_server: true,
        ..SendOptions::default()
    };
    let sender = user_id("sender", &body.sender)?;
    let message = SendMessage {
        app,
        sender,
        conversation,
        client_message_id: client_message_id(&api, body.client_message_id),
        content_type,
        body: body_bytes,
        first_try: Timestamp(0),
        read_up_to: 0,
        session: None,
        options,
    };
    send(&api, Kind::Group, message).await
}
