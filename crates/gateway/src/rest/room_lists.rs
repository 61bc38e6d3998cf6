//! Who may what in a chat room: its lists of users, putting users out, and the mute of all.

use anser_domain::UserId;
use anser_domain::limits::ROOM_LIST_CHANGE_MAX;
use anser_engine::room::{List, Moderation, Telling};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::extract::{Body, Path, Query, present, users};
use super::failure::{ErrorBody, Failure, Result};
use super::groups::MembersQuery;
use super::rooms::{RoomPath, room_id};
use super::spec::{Common, WithBody};

/// A list that a room has of users.
#[derive(Copy, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ListName {
    Bans,
    Mutes,
    Exempt,
    Protected,
    Moderators,
}

impl From<ListName> for List {
    fn from(name: ListName) -> Self {
        match name {
            ListName::Bans => Self::Banned,
            ListName::Mutes => Self::Muted,
            ListName::Exempt => Self::Exempt,
            ListName::Protected => Self::Protected,
            ListName::Moderators => Self::Moderators,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct RoomListPath {
    /// 1–64 bytes, chosen by your backend.
    #[param(min_length = 1, max_length = 64, example = "hall")]
    room_id: String,
    /// `bans`: not let in; `mutes`: may not write, both until a time. `exempt`: write though the
    /// room is muted; `protected`, at most 5: their messages are protected, and they do not leave
    /// by being away; `moderators`, at most 20.
    #[param(inline)]
    list: ListName,
}

/// A user on a list.
#[derive(Serialize, ToSchema)]
pub(super) struct ListedUser {
    user_id: String,
    /// Until when; only on `bans` and `mutes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64)]
    until: Option<u64>,
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct RoomList {
    /// By user id. A page may be shorter than asked for, since entries that are over are left out.
    users: Vec<ListedUser>,
    /// Where the next page starts; empty on the last one.
    cursor: String,
}

/// Show a list of a chat room.
///
/// Bans and mutes are there also when the room is not.
#[utoipa::path(
    get, path = "/v1/rooms/{room_id}/lists/{list}", tag = "chat rooms",
    params(RoomListPath, MembersQuery),
    responses((status = 200, description = "A page.", body = RoomList), Common),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_room_list(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomListPath>,
    Query(query): Query<MembersQuery>,
) -> Result<Json<RoomList>> {
    let (id, list) = (room_id("room_id", &path.room_id)?, List::from(path.list));
    let (after, limit) = query.page()?;
    let (users, cursor) = api.engine.room_list(app, &id, list, after, limit).await?;
    let users = users.into_iter().map(|(user, until)| ListedUser {
        user_id: user.to_string(),
        until: list.ends().then_some(until.0),
    });
    Ok(Json(RoomList {
        users: users.collect(),
        cursor,
    }))
}

/// Users to put on a list.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListUsers {
    #[schema(min_items = 1, max_items = 20)]
    users: Vec<String>,
    /// For so long, at most ten years. `bans` and `mutes` need it, the other lists have no end.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = u64, minimum = 1, maximum = 315_360_000)]
    seconds: Option<u64>,
    /// Tell all members.
    #[serde(default)]
    notify: bool,
    /// With these words, of at most 1,024 bytes.
    #[serde(default)]
    #[schema(max_length = 1024, default = "")]
    extra: String,
}

/// Users to take off a list.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UnlistUsers {
    #[schema(min_items = 1, max_items = 20)]
    users: Vec<String>,
    /// Tell all members.
    #[serde(default)]
    notify: bool,
    /// With these words, of at most 1,024 bytes.
    #[serde(default)]
    #[schema(max_length = 1024, default = "")]
    extra: String,
}

fn few(texts: &[String]) -> Result<Vec<UserId>> {
    users("users", texts, 1..=ROOM_LIST_CHANGE_MAX)
}

/// Put users on a list of a chat room.
///
/// Who is banned while in the room stays in it until removed: `members/remove` does both.
#[utoipa::path(
    post, path = "/v1/rooms/{room_id}/lists/{list}", tag = "chat rooms",
    params(RoomListPath),
    request_body = ListUsers,
    responses(
        (status = 204, description = "It is so."),
        (status = 404, description = "There is no such room.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn put_on_room_list(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomListPath>,
    Body(body): Body<ListUsers>,
) -> Result<StatusCode> {
    let (id, list) = (room_id("room_id", &path.room_id)?, List::from(path.list));
    let seconds = match (list.ends(), body.seconds) {
        (true, Some(seconds)) if seconds > 0 => seconds,
        (true, _) => return Err(Failure::invalid("seconds says how long, at least one")),
        (false, None) => 1,
        (false, Some(_)) => return Err(Failure::invalid("this list has no seconds")),
    };
    let what = Moderation::List(list, few(&body.users)?, seconds);
    let telling = Telling {
        notify: body.notify,
        extra: body.extra,
    };
    api.engine
        .moderate_room(app, None, &id, &what, &telling)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take users off a list of a chat room.
#[utoipa::path(
    post, path = "/v1/rooms/{room_id}/lists/{list}/remove", tag = "chat rooms",
    params(RoomListPath),
    request_body = UnlistUsers,
    responses(
        (status = 204, description = "It is so."),
        (status = 404, description = "There is no such room.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn take_off_room_list(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomListPath>,
    Body(body): Body<UnlistUsers>,
) -> Result<StatusCode> {
    let id = room_id("room_id", &path.room_id)?;
    let what = Moderation::List(path.list.into(), few(&body.users)?, 0);
    let telling = Telling {
        notify: body.notify,
        extra: body.extra,
    };
    api.engine
        .moderate_room(app, None, &id, &what, &telling)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Users to put out of a room.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveFromRoom {
    #[schema(min_items = 1, max_items = 20)]
    users: Vec<String>,
    /// Also keep them out for so long, at most ten years.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = u64, minimum = 1, maximum = 315_360_000)]
    seconds: Option<u64>,
    /// Tell all members.
    #[serde(default)]
    notify: bool,
    /// With these words, of at most 1,024 bytes. Those who are put out get them anyway.
    #[serde(default)]
    #[schema(max_length = 1024, default = "")]
    extra: String,
}

/// Put users out of a chat room, and keep them out if it says how long.
#[utoipa::path(
    post, path = "/v1/rooms/{room_id}/members/remove", tag = "chat rooms",
    params(RoomPath),
    request_body = RemoveFromRoom,
    responses(
        (status = 204, description = "They are out."),
        (status = 404, description = "There is no such room.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn remove_from_room(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomPath>,
    Body(body): Body<RemoveFromRoom>,
) -> Result<StatusCode> {
    if body.seconds == Some(0) {
        return Err(Failure::invalid("seconds is at least one"));
    }
    let what = Moderation::Remove(few(&body.users)?, body.seconds.unwrap_or(0));
    let telling = Telling {
        notify: body.notify,
        extra: body.extra,
    };
    api.engine
        .moderate_room(app, None, &path.id()?, &what, &telling)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The mute of all.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MuteAll {
    /// All but moderators, your backend and those exempt are silent; false: no longer.
    muted: bool,
    /// Tell all members.
    #[serde(default)]
    notify: bool,
    /// With these words, of at most 1,024 bytes.
    #[serde(default)]
    #[schema(max_length = 1024, default = "")]
    extra: String,
}

/// Mute all in a chat room, or lift it.
#[utoipa::path(
    put, path = "/v1/rooms/{room_id}/mute-all", tag = "chat rooms",
    params(RoomPath),
    request_body = MuteAll,
    responses(
        (status = 204, description = "It is so."),
        (status = 404, description = "There is no such room.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn mute_all_in_room(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomPath>,
    Body(body): Body<MuteAll>,
) -> Result<StatusCode> {
    let what = Moderation::MuteAll(body.muted);
    let telling = Telling {
        notify: body.notify,
        extra: body.extra,
    };
    api.engine
        .moderate_room(app, None, &path.id()?, &what, &telling)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
