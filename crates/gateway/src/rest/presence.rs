//! Presence of users.

use anser_domain::limits::PRESENCE_USERS_MAX;
use anser_domain::presence::DevicePresence;
use anser_engine::presence::Presence;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::App;
use super::extract::{Body, Path, user_id, users};
use super::failure::{ErrorBody, Failure, Result};
use super::spec::{Common, WithBody};
use super::users::UserPath;

/// A device of a user.
#[derive(Serialize, ToSchema)]
pub(super) struct DeviceJson {
    /// The installation.
    device_id: String,
    /// Its kind.
    #[schema(example = "web")]
    platform: &'static str,
    /// Is it connected?
    online: bool,
    /// Since when it is as it is.
    time: u64,
}

impl From<DevicePresence> for DeviceJson {
    fn from(it: DevicePresence) -> Self {
        Self {
            device_id: it.device.to_string(),
            platform: it.platform.name(),
            online: it.online,
            time: it.time.0,
        }
    }
}

/// What is told of a user.
#[derive(Serialize, ToSchema)]
pub(super) struct PresenceJson {
    user_id: String,
    /// Is any device connected?
    online: bool,
    /// When a device came or went last; 0: never, as far as is known.
    last_seen: u64,
    /// At most 16, those connected first.
    devices: Vec<DeviceJson>,
    /// The user's own words; empty if there are none, or no longer.
    status: String,
    /// Until when; 0 without one.
    status_until: u64,
}

impl From<Presence> for PresenceJson {
    fn from(told: Presence) -> Self {
        Self {
            user_id: told.user.to_string(),
            online: told.is_online(),
            last_seen: told.last_seen().0,
            devices: told.devices.into_iter().map(DeviceJson::from).collect(),
            status: told.status,
            status_until: told.status_until.0,
        }
    }
}

/// Show a user's presence.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/presence", tag = "control",
    params(UserPath),
    responses(
        (status = 200, description = "What is told of the user.", body = PresenceJson),
        (status = 403, description = "Presence is off in the app's settings.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_presence(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
) -> Result<Json<PresenceJson>> {
    let user = user_id("user_id", &path.user_id)?;
    let told = api.engine.presences(app, &[user]).await?;
    let told = told.into_iter().next();
    let told = told.ok_or_else(|| Failure::invalid("there is nothing to tell"))?;
    Ok(Json(told.into()))
}

/// Users to ask about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryPresence {
    #[schema(min_items = 1, max_items = 100)]
    users: Vec<String>,
}

/// What is told of several users.
#[derive(Serialize, ToSchema)]
pub(super) struct PresenceListJson {
    /// In the order asked for.
    presences: Vec<PresenceJson>,
}

/// Show the presence of several users.
#[utoipa::path(
    post, path = "/v1/presence/query", tag = "control",
    request_body = QueryPresence,
    responses(
        (status = 200, description = "What is told of them.", body = PresenceListJson),
        (status = 403, description = "Presence is off in the app's settings.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn query_presence(
    State(api): State<Api>,
    App(app): App,
    Body(body): Body<QueryPresence>,
) -> Result<Json<PresenceListJson>> {
    let users = users("users", &body.users, 1..=PRESENCE_USERS_MAX)?;
    let told = api.engine.presences(app, &users).await?;
    Ok(Json(PresenceListJson {
        presences: told.into_iter().map(PresenceJson::from).collect(),
    }))
}

/// A user's own words.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetStatus {
    /// At most 256 bytes; empty takes it back.
    #[schema(max_length = 256)]
    status: String,
    /// For how long, at most 30 days; 0 takes it back.
    #[schema(maximum = 2_592_000)]
    seconds: u64,
}

/// Set a user's own words.
#[utoipa::path(
    put, path = "/v1/users/{user_id}/presence/status", tag = "control",
    params(UserPath),
    request_body = SetStatus,
    responses(
        (status = 204, description = "It is so, and who watches the user is told."),
        (status = 403, description = "Presence is off in the app's settings.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn set_presence_status(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
    Body(body): Body<SetStatus>,
) -> Result<StatusCode> {
    let user = user_id("user_id", &path.user_id)?;
    api.engine
        .set_presence_status(app, &user, &body.status, body.seconds)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
