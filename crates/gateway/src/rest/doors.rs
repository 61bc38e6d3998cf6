//! An app's doors: ways in for clients of other protocols.

use anser_domain::{Code, Reject};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::app_settings::app_of;
use super::apps::AppPath;
use super::auth::AppOrAdmin;
use super::extract::{Body, Path};
use super::failure::{ErrorBody, Result};
use super::spec::{Common, WithBody};
use crate::door::Door;

/// Which door of which app.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct DoorPath {
    /// The app's public name.
    #[param(min_length = 1, max_length = 32, pattern = "^[a-z0-9-]{1,32}$")]
    app_key: String,
    /// The door's name.
    #[param(example = "leancloud", pattern = "^[a-z0-9-]{1,32}$")]
    door: String,
}

/// A door as an app has set it up. Secrets are left out.
#[derive(Serialize, ToSchema)]
pub(super) struct DoorJson {
    /// Its name.
    door: String,
    /// What is set; which fields there are, the guide of the door says.
    #[schema(value_type = Object)]
    settings: Value,
}

/// What to set up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutDoor {
    /// The fields that the guide of the door names. They take the place of what was set.
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
}

fn find<'a>(api: &'a Api, name: &str) -> Result<&'a dyn Door> {
    let door = api.doors.iter().find(|door| door.name() == name);
    let door = door.ok_or_else(|| Reject::new(Code::NotFound, "there is no such door"))?;
    Ok(door.as_ref())
}

/// Show how an app has set up a door.
#[utoipa::path(
    get, path = "/v1/apps/{app_key}/doors/{door}", tag = "apps",
    params(DoorPath),
    responses(
        (status = 200, description = "The door.", body = DoorJson),
        (status = 404, description = "There is no such app, it is another's, there is no such door, or the app has not set it up.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_door(
    State(api): State<Api>,
    caller: AppOrAdmin,
    Path(path): Path<DoorPath>,
) -> Result<Json<DoorJson>> {
    let DoorPath { app_key, door } = path;
    let app = app_of(&api, &caller, &AppPath { app_key }).await?;
    let settings = find(&api, &door)?.settings(app).await?;
    let settings =
        settings.ok_or_else(|| Reject::new(Code::NotFound, "the app has not set up this door"))?;
    Ok(Json(DoorJson { door, settings }))
}

/// Set up a door of an app.
///
/// It holds within two seconds, for whoever comes in from then on.
#[utoipa::path(
    put, path = "/v1/apps/{app_key}/doors/{door}", tag = "apps",
    params(DoorPath),
    request_body = PutDoor,
    responses(
        (status = 200, description = "The door as it now is.", body = DoorJson),
        (status = 404, description = "There is no such app, it is another's, or there is no such door.", body = ErrorBody),
        (status = 409, description = "Another app has this name at the door.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn put_door(
    State(api): State<Api>,
    caller: AppOrAdmin,
    Path(path): Path<DoorPath>,
    Body(body): Body<PutDoor>,
) -> Result<Json<DoorJson>> {
    let DoorPath { app_key, door } = path;
    let app = app_of(&api, &caller, &AppPath { app_key }).await?;
    let settings = find(&api, &door)?.set_up(app, body.settings).await?;
    Ok(Json(DoorJson { door, settings }))
}
