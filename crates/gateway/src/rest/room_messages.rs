//! What is said in chat rooms.

use anser_domain::MessageId;
use anser_domain::limits::PAGE_ITEMS_MAX;
use anser_engine::room::{RoomMessage, RoomSent, SendRoomMessage};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::extract::{Body, Object, Path, Query, page_limit, present, user_id};
use super::failure::{ErrorBody, Failure, Result};
use super::message_json::Content;
use super::messages::client_message_id;
use super::quota::Kind;
use super::rooms::RoomPath;
use super::spec::{Common, WithBody};

fn message_id(field: &str, text: &str) -> Result<MessageId> {
    MessageId::parse(text).map_err(|why| Failure::invalid(format!("{field} {why}")))
}

/// Which messages go first when not all can be delivered. The app may place a type of content, and
/// the room a user, above or below what is said here.
#[derive(Copy, Clone, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoomPriority {
    #[default]
    High,
    Low,
}

/// A message for a room.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendToRoom {
    /// The user it is from, who must be in the room and may speak there; absent: your backend.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 64, value_type = String)]
    sender: Option<String>,
    /// 1–64 bytes: a message that is sent twice is delivered once, as long as the room remembers
    /// the first.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 64, value_type = String)]
    client_message_id: Option<String>,
    #[schema(value_type = Content)]
    content: Object<Content>,
    #[serde(default)]
    #[schema(value_type = RoomPriority, default = "high", required = false)]
    priority: RoomPriority,
}

/// The room has taken the message.
#[derive(Serialize, ToSchema)]
pub(super) struct RoomSentJson {
    /// Its id.
    #[schema(min_length = 26, max_length = 26)]
    message_id: String,
    /// Its time.
    time: u64,
    /// It goes to the members. Otherwise it was dropped, or the room is held.
    delivered: bool,
    /// The room had taken as many as it takes at a time.
    dropped: bool,
}

impl From<RoomSent> for RoomSentJson {
    fn from(sent: RoomSent) -> Self {
        Self {
            message_id: sent.message_id.to_string(),
            time: sent.time.0,
            delivered: sent.seq > 0,
            dropped: sent.dropped,
        }
    }
}

/// Send a message to a chat room.
///
/// It counts towards what the room takes in 200 ms, and may be dropped like any other: the answer
/// says so.
#[utoipa::path(
    post, path = "/v1/rooms/{room_id}/messages", tag = "chat rooms",
    params(RoomPath),
    request_body = SendToRoom,
    responses(
        (status = 200, description = "The room has taken it.", body = RoomSentJson),
        (status = 403, description = "The sender is not in the room, or muted; or the content type is the server's.", body = ErrorBody),
        (status = 404, description = "There is no such room.", body = ErrorBody),
        (status = 429, description = "The app sends more than allowed; `Retry-After` says how long to wait.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn send_to_room(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomPath>,
    Body(body): Body<SendToRoom>,
) -> Result<Json<RoomSentJson>> {
    let id = path.id()?;
    let sender = body.sender.as_deref();
    let sender = sender.map(|text| user_id("sender", text)).transpose()?;
    if body.client_message_id.as_deref() == Some("") {
        return Err(Failure::invalid("client_message_id is empty"));
    }
    let client_message_id = match (&sender, body.client_message_id) {
        (None, None) => "".into(),
        (_, given) => client_message_id(&api, given),
    };
    let (content_type, content) = body.content.0.read()?;
    let own = api.engine.app_settings(app);
    api.quota.take(app, &own, Kind::Room, api.env.now())?;
    let message = SendRoomMessage {
        client_message_id: client_message_id.into(),
        content_type: content_type.into(),
        body: content,
        low: body.priority == RoomPriority::Low,
    };
    let sent = api
        .engine
        .send_to_room(app, sender.as_ref(), &id, message)
        .await?;
    Ok(Json(sent.into()))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct RoomMessagePath {
    /// 1–64 bytes, chosen by your backend.
    #[param(min_length = 1, max_length = 64, example = "hall")]
    room_id: String,
    /// The message.
    #[param(min_length = 26, max_length = 26, pattern = "^[0-9A-HJKMNP-TV-Z]{26}$")]
    message_id: String,
}

/// Take back a message of a chat room.
///
/// Members are told at once. The room must remember it, or keep its messages.
#[utoipa::path(
    post, path = "/v1/rooms/{room_id}/messages/{message_id}/recall", tag = "chat rooms",
    params(RoomMessagePath),
    responses(
        (status = 204, description = "It is taken back."),
        (status = 404, description = "There is no such room, or it does not remember the message.", body = ErrorBody),
        (status = 507, description = "The server's disk is full.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn recall_in_room(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomMessagePath>,
) -> Result<StatusCode> {
    let room = super::rooms::room_id("room_id", &path.room_id)?;
    let id = message_id("message_id", &path.message_id)?;
    api.engine.recall_in_room(app, None, &room, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RoomHistoryQuery {
    /// Messages before this one, or behind it with `forward`; absent: from the newest, or the
    /// oldest.
    #[param(min_length = 26, max_length = 26, pattern = "^[0-9A-HJKMNP-TV-Z]{26}$", value_type = String, required = false)]
    from_message_id: Option<String>,
    /// The oldest first, from there on; otherwise the newest first, backwards.
    #[serde(default)]
    #[param(required = false)]
    forward: bool,
    /// Items of the page.
    #[param(minimum = 1, maximum = 100, default = 20, value_type = u64, required = false)]
    limit: Option<u64>,
}

/// A message of a room.
#[derive(Serialize, ToSchema)]
pub(super) struct RoomMessageJson {
    /// 26 characters, unique; sorts by time.
    #[schema(min_length = 26, max_length = 26)]
    message_id: String,
    /// Empty: your backend.
    sender: String,
    /// Given by the sender; possibly empty when your backend sent it.
    client_message_id: String,
    time: u64,
    /// Empty, type and text, of one that was taken back.
    content: Content,
    priority: RoomPriority,
    /// It was taken back.
    recalled: bool,
}

impl From<RoomMessage> for RoomMessageJson {
    fn from(it: RoomMessage) -> Self {
        Self {
            message_id: it.message_id.to_string(),
            sender: it.sender.map_or_else(String::new, |user| user.to_string()),
            client_message_id: it.client_message_id.into(),
            time: it.time.0,
            content: Content::write(&it.content_type, &it.body),
            priority: match it.low {
                true => RoomPriority::Low,
                false => RoomPriority::High,
            },
            recalled: it.recalled,
        }
    }
}

/// A page of the messages that a room keeps.
#[derive(Serialize, ToSchema)]
pub(super) struct RoomMessagePageJson {
    /// In the order asked for.
    messages: Vec<RoomMessageJson>,
    /// There are more in this direction, behind the last of these.
    more: bool,
}

/// Read the messages that a chat room keeps.
///
/// They are there a moment after their delivery, as long as they were to be kept, also when the
/// room is gone. Of a room that keeps none there are none.
#[utoipa::path(
    get, path = "/v1/rooms/{room_id}/messages", tag = "chat rooms",
    params(RoomPath, RoomHistoryQuery),
    responses((status = 200, description = "A page.", body = RoomMessagePageJson), Common),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_room_messages(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomPath>,
    Query(query): Query<RoomHistoryQuery>,
) -> Result<Json<RoomMessagePageJson>> {
    let limit = page_limit(query.limit, PAGE_ITEMS_MAX)?;
    let from = query.from_message_id.as_deref();
    let from = from.map(|text| message_id("from_message_id", text));
    let from = from.transpose()?;
    let page = api
        .engine
        .room_messages(app, None, &path.id()?, from, query.forward, limit)
        .await?;
    Ok(Json(RoomMessagePageJson {
        messages: page.messages.into_iter().map(Into::into).collect(),
        more: page.more,
    }))
}
