//! Which types of content matter less or more, in all chat rooms of an app.

use anser_domain::room::ClassTypes;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::App;
use super::extract::{Body, present};
use super::failure::{ErrorBody, Result};
use super::spec::{Common, WithBody};

/// The types of content that the app places in a class, in all its chat rooms.
#[derive(Serialize, ToSchema)]
pub(super) struct RoomTypes {
    /// They are dropped first, whoever sends them.
    low: Vec<String>,
    /// They are dropped last.
    protected: Vec<String>,
}

impl From<ClassTypes> for RoomTypes {
    fn from(types: ClassTypes) -> Self {
        Self {
            low: types.low,
            protected: types.protected,
        }
    }
}

/// Show which types of content matter less or more in chat rooms.
#[utoipa::path(
    get, path = "/v1/room-types", tag = "chat rooms",
    responses((status = 200, description = "The types.", body = RoomTypes), Common),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_room_types(
    State(api): State<Api>,
    App(app): App,
) -> Result<Json<RoomTypes>> {
    Ok(Json(api.engine.room_types(app).await?.into()))
}

/// What changes; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetRoomTypes {
    /// 1–64 of `[a-z0-9._:-]` each.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_items = 20, value_type = Vec<String>)]
    low: Option<Vec<String>>,
    /// 1–64 of `[a-z0-9._:-]` each.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_items = 20, value_type = Vec<String>)]
    protected: Option<Vec<String>>,
}

/// Say which types of content matter less or more in chat rooms.
///
/// It holds within two seconds on all nodes.
#[utoipa::path(
    patch, path = "/v1/room-types", tag = "chat rooms",
    request_body = SetRoomTypes,
    responses(
        (status = 200, description = "The types as they now are.", body = RoomTypes),
        (status = 403, description = "A type is the server's.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn set_room_types(
    State(api): State<Api>,
    App(app): App,
    Body(body): Body<SetRoomTypes>,
) -> Result<Json<RoomTypes>> {
    let (low, protected) = (body.low.as_deref(), body.protected.as_deref());
    let types = api.engine.set_room_types(app, low, protected).await?;
    Ok(Json(types.into()))
}
