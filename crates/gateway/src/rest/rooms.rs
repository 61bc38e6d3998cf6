//! Chat rooms: what is decided about one, and who is in it.
//!
//! What is said in them is in [`room_messages`](super::room_messages), what stands there in
//! [`room_attributes`](super::room_attributes), who may what in [`room_lists`](super::room_lists).

use anser_domain::limits::{
    ROOM_ATTRIBUTES_OF_SERVER_MAX, ROOM_MEMBERS_PAGE_MAX, ROOM_MODERATORS_MAX,
};
use anser_domain::{RoomId, UserId};
use anser_engine::room::{LifeRule, NewRoom, RoomUpdate, RoomView};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::extract::{Body, Object, Path, Query, cursor, page_limit, present, user_id, users};
use super::failure::{ErrorBody, Failure, Result};
use super::room_attributes::{AttributeToSet, to_set};
use super::spec::{Common, WithBody};

/// Users whose membership one request asks for.
const QUERY_USERS_MAX: usize = 1_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct RoomPath {
    /// 1–64 bytes, chosen by your backend.
    #[param(min_length = 1, max_length = 64, example = "hall")]
    room_id: String,
}

impl RoomPath {
    pub(super) fn id(&self) -> Result<RoomId> {
        room_id("room_id", &self.room_id)
    }
}

pub(super) fn room_id(field: &str, text: &str) -> Result<RoomId> {
    RoomId::new(text).map_err(|why| Failure::invalid(format!("{field} {why}")))
}

/// Which rule says when a room is destroyed by itself.
#[derive(Copy, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LifeKind {
    Default,
    Idle,
    Fixed,
}

/// When a room is destroyed by itself: `idle`, after so many minutes without messages and joins;
/// `fixed`, so many minutes after its creation; `default`, by the app's setting
/// `room_idle_minutes`.
#[derive(Copy, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RoomLife {
    kind: LifeKind,
    /// Of `idle` and `fixed`, and only there.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[schema(value_type = u32, minimum = 1, maximum = 10_080)]
    minutes: Option<u32>,
}

impl RoomLife {
    fn rule(self) -> Result<LifeRule> {
        match (self.kind, self.minutes) {
            (LifeKind::Default, None) => Ok(LifeRule::Default),
            (LifeKind::Idle, Some(minutes)) => Ok(LifeRule::Idle(minutes)),
            (LifeKind::Fixed, Some(minutes)) => Ok(LifeRule::Fixed(minutes)),
            _ => Err(Failure::invalid(
                "life.minutes goes with idle and fixed, and only with them",
            )),
        }
    }
}

impl From<LifeRule> for RoomLife {
    fn from(rule: LifeRule) -> Self {
        let (kind, minutes) = match rule {
            LifeRule::Default => (LifeKind::Default, None),
            LifeRule::Idle(minutes) => (LifeKind::Idle, Some(minutes)),
            LifeRule::Fixed(minutes) => (LifeKind::Fixed, Some(minutes)),
        };
        Self { kind, minutes }
    }
}

fn life_rule(life: Option<Object<RoomLife>>) -> Result<Option<LifeRule>> {
    life.map(|Object(life)| life.rule()).transpose()
}

/// A chat room.
#[derive(Serialize, ToSchema)]
pub(super) struct Room {
    #[schema(example = "hall")]
    id: String,
    /// Possibly empty.
    name: String,
    created_time: u64,
    /// Users who are in it, those who are away for a moment included.
    member_count: u32,
    life: RoomLife,
    /// It is not destroyed by itself.
    kept_alive: bool,
    /// Only moderators, your backend and those exempt write.
    muted: bool,
    /// What clients send, moderators apart, is taken and goes to nobody.
    held: bool,
    /// Days for which messages are kept; 0: they are not.
    history_days: u32,
    /// Grows with each change of the attributes.
    attributes_version: u64,
    /// By user id.
    moderators: Vec<String>,
}

impl From<RoomView> for Room {
    fn from(view: RoomView) -> Self {
        Self {
            id: view.id.to_string(),
            name: view.settings.name,
            created_time: view.created.0,
            member_count: view.member_count,
            life: view.settings.life.into(),
            kept_alive: view.settings.kept_alive,
            muted: view.settings.muted,
            held: view.settings.held,
            history_days: view.settings.history_days,
            attributes_version: view.attributes_version,
            moderators: view.moderators.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A room to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateRoom {
    #[schema(min_length = 1, max_length = 64, example = "hall")]
    id: String,
    /// At most 128 bytes.
    #[serde(default)]
    #[schema(max_length = 128, default = "")]
    name: String,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = RoomLife)]
    life: Option<Object<RoomLife>>,
    #[serde(default)]
    kept_alive: bool,
    #[serde(default)]
    muted: bool,
    #[serde(default)]
    held: bool,
    /// 0 or 1–1,096.
    #[serde(default)]
    #[schema(maximum = 1_096, default = 0)]
    history_days: u32,
    #[serde(default)]
    #[schema(max_items = 20)]
    moderators: Vec<String>,
    #[serde(default)]
    #[schema(max_items = 20, value_type = Vec<AttributeToSet>)]
    attributes: Vec<Object<AttributeToSet>>,
    /// The user in whose name the attributes are set; absent: in nobody's.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 64, value_type = String)]
    attributes_owner: Option<String>,
}

/// Create a chat room.
#[utoipa::path(
    post, path = "/v1/rooms", tag = "chat rooms",
    request_body = CreateRoom,
    responses(
        (status = 201, description = "The room.", body = Room),
        (status = 409, description = "There is one of this id.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn create_room(
    State(api): State<Api>,
    App(app): App,
    Body(body): Body<CreateRoom>,
) -> Result<(StatusCode, Json<Room>)> {
    let id = room_id("id", &body.id)?;
    let owner = body.attributes_owner.as_deref();
    if body.attributes.len() > ROOM_ATTRIBUTES_OF_SERVER_MAX {
        let message = format!("attributes has more than {ROOM_ATTRIBUTES_OF_SERVER_MAX} items");
        return Err(Failure::invalid(message));
    }
    let new = NewRoom {
        settings: RoomUpdate {
            name: Some(body.name),
            life: life_rule(body.life)?,
            kept_alive: Some(body.kept_alive),
            muted: Some(body.muted),
            held: Some(body.held),
            history_days: Some(body.history_days),
        },
        moderators: users("moderators", &body.moderators, 0..=ROOM_MODERATORS_MAX)?,
        attributes: body.attributes.into_iter().map(|it| to_set(it.0)).collect(),
        attributes_owner: owner
            .map(|text| user_id("attributes_owner", text))
            .transpose()?,
    };
    let room = api.engine.create_room(app, &id, new).await?;
    Ok((StatusCode::CREATED, Json(room.into())))
}

/// Show a chat room.
#[utoipa::path(
    get, path = "/v1/rooms/{room_id}", tag = "chat rooms",
    params(RoomPath),
    responses(
        (status = 200, description = "The room.", body = Room),
        (status = 404, description = "There is no such room.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_room(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomPath>,
) -> Result<Json<Room>> {
    Ok(Json(api.engine.room(app, None, &path.id()?).await?.into()))
}

/// What changes; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeRoom {
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 128, value_type = String)]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = RoomLife)]
    life: Option<Object<RoomLife>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    kept_alive: Option<bool>,
    /// Members are not told; see `mute-all` for that.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    muted: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    held: Option<bool>,
    /// 0 or 1–1,096. What is kept already stays as long as it was to.
    #[serde(default, deserialize_with = "present")]
    #[schema(maximum = 1_096, value_type = u32)]
    history_days: Option<u32>,
}

/// Change a chat room.
#[utoipa::path(
    patch, path = "/v1/rooms/{room_id}", tag = "chat rooms",
    params(RoomPath),
    request_body = ChangeRoom,
    responses(
        (status = 200, description = "The room as it now is.", body = Room),
        (status = 404, description = "There is no such room.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn change_room(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomPath>,
    Body(body): Body<ChangeRoom>,
) -> Result<Json<Room>> {
    let update = RoomUpdate {
        name: body.name,
        life: life_rule(body.life)?,
        kept_alive: body.kept_alive,
        muted: body.muted,
        held: body.held,
        history_days: body.history_days,
    };
    let room = api.engine.change_room(app, &path.id()?, &update).await?;
    Ok(Json(room.into()))
}

/// Destroy a chat room.
///
/// Everybody in it is out, and told. Its attributes and lists are gone, but for who is banned or
/// muted: they stay so if there is a room of this id again.
#[utoipa::path(
    delete, path = "/v1/rooms/{room_id}", tag = "chat rooms",
    params(RoomPath),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "There is no such room.", body = ErrorBody),
        (status = 507, description = "The server's disk is full.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn destroy_room(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomPath>,
) -> Result<StatusCode> {
    api.engine.destroy_room(app, &path.id()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RoomMembersQuery {
    /// Where the page starts, from the page before.
    #[serde(default)]
    #[param(max_length = 1024, required = false)]
    cursor: String,
    /// Items of the page.
    #[param(minimum = 1, maximum = 500, default = 100, value_type = u64, required = false)]
    limit: Option<u64>,
    /// The last to join come first.
    #[serde(default)]
    #[param(required = false)]
    newest_first: bool,
}

/// A member of a room.
#[derive(Serialize, ToSchema)]
pub(super) struct RoomMember {
    user_id: String,
    joined_time: u64,
}

/// A page of members.
#[derive(Serialize, ToSchema)]
pub(super) struct RoomMemberPage {
    /// By the time of joining.
    members: Vec<RoomMember>,
    /// Where the next page starts; empty on the last one.
    cursor: String,
    /// How many there are in all.
    member_count: u32,
}

/// List the members of a chat room.
#[utoipa::path(
    get, path = "/v1/rooms/{room_id}/members", tag = "chat rooms",
    params(RoomPath, RoomMembersQuery),
    responses(
        (status = 200, description = "A page.", body = RoomMemberPage),
        (status = 404, description = "There is no such room.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_room_members(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomPath>,
    Query(query): Query<RoomMembersQuery>,
) -> Result<Json<RoomMemberPage>> {
    let limit = page_limit(query.limit, ROOM_MEMBERS_PAGE_MAX)?;
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let cursor = cursor(&query.cursor)?;
    let (id, newest_first) = (path.id()?, query.newest_first);
    let page = api
        .engine
        .room_members(app, &id, newest_first, cursor, limit)
        .await?;
    let members = page.members.into_iter().map(|(user, joined)| RoomMember {
        user_id: user.to_string(),
        joined_time: joined.0,
    });
    Ok(Json(RoomMemberPage {
        members: members.collect(),
        cursor: page.cursor,
        member_count: page.member_count,
    }))
}

/// Users to ask about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryRoomMembers {
    #[schema(min_items = 1, max_items = 1000)]
    users: Vec<String>,
}

/// Which of the users asked for are in the room.
#[derive(Serialize, ToSchema)]
pub(super) struct RoomMembersFound {
    /// In the order asked for.
    members: Vec<String>,
}

/// Ask which of some users are in a chat room.
#[utoipa::path(
    post, path = "/v1/rooms/{room_id}/members/query", tag = "chat rooms",
    params(RoomPath),
    request_body = QueryRoomMembers,
    responses(
        (status = 200, description = "Those who are.", body = RoomMembersFound),
        (status = 404, description = "There is no such room.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn query_room_members(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomPath>,
    Body(body): Body<QueryRoomMembers>,
) -> Result<Json<RoomMembersFound>> {
    let users: Vec<UserId> = users("users", &body.users, 1..=QUERY_USERS_MAX)?;
    let are = api.engine.are_in_room(app, &path.id()?, &users).await?;
    let members = users.iter().zip(are).filter(|(_, is)| *is);
    Ok(Json(RoomMembersFound {
        members: members.map(|(user, _)| user.to_string()).collect(),
    }))
}
