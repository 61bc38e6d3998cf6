//! The attributes of chat rooms. Your backend sets them in a user's name or in nobody's, and takes
//! what belongs to others.

use anser_domain::limits::{ROOM_ATTRIBUTES_MAX, ROOM_ATTRIBUTES_OF_SERVER_MAX};
use anser_domain::room::attribute::{Attribute, AttributeChange};
use anser_engine::room::RoomAttributes;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::extract::{Body, Object, Path, Query, cursor, present, user_id};
use super::failure::{ErrorBody, Failure, Result};
use super::rooms::RoomPath;
use super::spec::{Common, WithBody};

/// An attribute to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AttributeToSet {
    #[schema(
        min_length = 1,
        max_length = 128,
        pattern = "^[A-Za-z0-9+=_-]{1,128}$",
        example = "seat1"
    )]
    key: String,
    /// At most 4,096 characters.
    #[schema(max_length = 4096)]
    value: String,
    /// It goes when its owner leaves the room.
    #[serde(default)]
    leaves: bool,
}

pub(super) fn to_set(it: AttributeToSet) -> AttributeChange {
    AttributeChange {
        key: it.key,
        value: Some(it.value),
        leaves: it.leaves,
    }
}

/// An attribute of a room.
#[derive(Serialize, ToSchema)]
pub(super) struct RoomAttribute {
    key: String,
    value: String,
    /// The user in whose name it was set last; empty: nobody's.
    owner: String,
    /// It goes when its owner leaves the room.
    leaves: bool,
}

impl From<(String, Attribute)> for RoomAttribute {
    fn from((key, it): (String, Attribute)) -> Self {
        Self {
            key,
            value: it.value,
            owner: it.owner.map_or_else(String::new, |user| user.to_string()),
            leaves: it.leaves,
        }
    }
}

/// Attributes of a room.
#[derive(Serialize, ToSchema)]
pub(super) struct RoomAttributePage {
    /// By key; at most 256 KiB of them.
    attributes: Vec<RoomAttribute>,
    /// Of all attributes of the room; grows with each change.
    version: u64,
    /// Where the next page starts; empty on the last one.
    cursor: String,
}

impl From<(RoomAttributes, String)> for RoomAttributePage {
    fn from((all, cursor): (RoomAttributes, String)) -> Self {
        Self {
            attributes: all.attributes.into_iter().map(Into::into).collect(),
            version: all.version,
            cursor,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RoomAttributesQuery {
    /// Where the page starts, from the page before.
    #[serde(default)]
    #[param(max_length = 1024, required = false)]
    cursor: String,
}

/// Show the attributes of a chat room.
#[utoipa::path(
    get, path = "/v1/rooms/{room_id}/attributes", tag = "chat rooms",
    params(RoomPath, RoomAttributesQuery),
    responses(
        (status = 200, description = "A page.", body = RoomAttributePage),
        (status = 404, description = "There is no such room.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_room_attributes(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomPath>,
    Query(query): Query<RoomAttributesQuery>,
) -> Result<Json<RoomAttributePage>> {
    let (id, cursor) = (path.id()?, cursor(&query.cursor)?);
    let page = api.engine.room_attributes(app, &id, &[], cursor).await?;
    Ok(Json(page.into()))
}

/// Which attributes are asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryRoomAttributes {
    #[schema(min_items = 1, max_items = 100)]
    keys: Vec<String>,
    /// Where the page starts, from the page before.
    #[serde(default)]
    #[schema(max_length = 1024, default = "")]
    cursor: String,
}

/// Show some attributes of a chat room.
///
/// Keys that are not there are passed over.
#[utoipa::path(
    post, path = "/v1/rooms/{room_id}/attributes/query", tag = "chat rooms",
    params(RoomPath),
    request_body = QueryRoomAttributes,
    responses(
        (status = 200, description = "A page.", body = RoomAttributePage),
        (status = 404, description = "There is no such room.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn query_room_attributes(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomPath>,
    Body(body): Body<QueryRoomAttributes>,
) -> Result<Json<RoomAttributePage>> {
    if !(1..=ROOM_ATTRIBUTES_MAX).contains(&body.keys.len()) {
        let message = format!("keys has not 1–{ROOM_ATTRIBUTES_MAX} items");
        return Err(Failure::invalid(message));
    }
    let (id, cursor) = (path.id()?, cursor(&body.cursor)?);
    let page = api.engine.room_attributes(app, &id, &body.keys, cursor);
    Ok(Json(page.await?.into()))
}

/// Attributes to set and to delete: 1–20 in all.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeRoomAttributes {
    #[serde(default)]
    #[schema(max_items = 20, value_type = Vec<AttributeToSet>)]
    set: Vec<Object<AttributeToSet>>,
    /// Keys.
    #[serde(default)]
    #[schema(max_items = 20)]
    delete: Vec<String>,
    /// The user in whose name they are set; absent: in nobody's.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 64, value_type = String)]
    owner: Option<String>,
}

/// Set and delete attributes of a chat room.
///
/// All or none, whoever they belonged to. Members are told.
#[utoipa::path(
    patch, path = "/v1/rooms/{room_id}/attributes", tag = "chat rooms",
    params(RoomPath),
    request_body = ChangeRoomAttributes,
    responses(
        (status = 204, description = "It is so."),
        (status = 404, description = "There is no such room.", body = ErrorBody),
        (status = 409, description = "It would have too many; nothing was changed.", body = ErrorBody),
        (status = 429, description = "Too many are changed in a second; `Retry-After` says how long to wait.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn change_room_attributes(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<RoomPath>,
    Body(body): Body<ChangeRoomAttributes>,
) -> Result<StatusCode> {
    let owner = body.owner.as_deref();
    let owner = owner.map(|text| user_id("owner", text)).transpose()?;
    if body.set.len() + body.delete.len() > ROOM_ATTRIBUTES_OF_SERVER_MAX {
        let message = format!("keys are 1–{ROOM_ATTRIBUTES_OF_SERVER_MAX} at once");
        return Err(Failure::invalid(message));
    }
    let set = body.set.into_iter().map(|it| to_set(it.0));
    let delete = body.delete.into_iter().map(|key| AttributeChange {
        key,
        value: None,
        leaves: false,
    });
    let changes: Vec<AttributeChange> = set.chain(delete).collect();
    api.engine
        .put_room_attributes(app, owner.as_ref(), &path.id()?, &changes)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
