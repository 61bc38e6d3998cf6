//! Users and their sessions.

use anser_engine::session::SessionInfo;
use anser_engine::user::Profile;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::extract::{Body, Path, Query, device_id, user_id};
use super::failure::{ErrorBody, Result};
use super::spec::{Common, WithBody};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct UserPath {
    /// Your name for the user, 1–64 bytes of printable UTF-8.
    #[param(min_length = 1, max_length = 64)]
    pub(super) user_id: String,
}

/// What you tell about a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutUser {
    /// Shown to others; at most 128 bytes.
    #[serde(default)]
    #[schema(max_length = 128, default = "")]
    name: String,
    /// The address of a picture; at most 1,024 bytes.
    #[serde(default)]
    #[schema(max_length = 1024, default = "")]
    portrait: String,
}

/// A user.
#[derive(Serialize, ToSchema)]
pub(super) struct User {
    /// Your name for the user.
    user_id: String,
    /// Shown to others.
    name: String,
    /// The address of a picture.
    portrait: String,
    /// When the first token was made, or you first told of them.
    created_time: u64,
}

impl From<anser_engine::user::User> for User {
    fn from(user: anser_engine::user::User) -> Self {
        Self {
            user_id: user.id.to_string(),
            name: user.profile.name,
            portrait: user.profile.portrait,
            created_time: user.created.0,
        }
    }
}

/// Create a user, or replace what is told about one.
#[utoipa::path(
    put, path = "/v1/users/{user_id}", tag = "users",
    params(UserPath),
    request_body = PutUser,
    responses((status = 200, description = "The user as it now is.", body = User), Common, WithBody),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn put_user(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
    Body(body): Body<PutUser>,
) -> Result<Json<User>> {
    let user = user_id("user_id", &path.user_id)?;
    let profile = Profile {
        name: body.name,
        portrait: body.portrait,
    };
    Ok(Json(api.engine.put_user(app, &user, profile).await?.into()))
}

/// Show a user.
#[utoipa::path(
    get, path = "/v1/users/{user_id}", tag = "users",
    params(UserPath),
    responses(
        (status = 200, description = "The user.", body = User),
        (status = 404, description = "There is no such user.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_user(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
) -> Result<Json<User>> {
    let user = user_id("user_id", &path.user_id)?;
    Ok(Json(api.engine.user(app, &user).await?.into()))
}

/// A connected client of a user.
#[derive(Serialize, ToSchema)]
pub(super) struct Session {
    /// As the client was told in `Welcome`.
    session_id: String,
    /// The installation.
    device_id: String,
    /// Its kind.
    #[schema(example = "web")]
    platform: &'static str,
    /// Name and version of the SDK.
    client: String,
    /// When it signed in.
    since: u64,
    /// The node it is connected to.
    node: String,
}

impl From<SessionInfo> for Session {
    fn from(info: SessionInfo) -> Self {
        Self {
            session_id: info.id.0.to_string(),
            device_id: info.device.to_string(),
            platform: info.platform.name(),
            client: info.client.into(),
            since: info.since.0,
            node: info.node.to_string(),
        }
    }
}

/// A user's sessions.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionList {
    sessions: Vec<Session>,
}

/// List a user's sessions.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/sessions", tag = "users",
    params(UserPath),
    responses(
        (status = 200, description = "Who is connected as this user.", body = SessionList),
        (status = 404, description = "There is no such user.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_sessions(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
) -> Result<Json<SessionList>> {
    let user = user_id("user_id", &path.user_id)?;
    let sessions = api.engine.sessions(app, &user).await?;
    Ok(Json(SessionList {
        sessions: sessions.into_iter().map(Session::from).collect(),
    }))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SignOutQuery {
    /// Only the sessions of this device.
    #[param(min_length = 1, max_length = 64, value_type = String, required = false)]
    device_id: Option<String>,
}

/// How many sessions were ended.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedOut {
    closed: usize,
}

/// End a user's sessions.
///
/// The clients are told `SIGNED_OUT` and do not come back by themselves. Their tokens stay good:
/// to keep them out, revoke these.
#[utoipa::path(
    delete, path = "/v1/users/{user_id}/sessions", tag = "users",
    params(UserPath, SignOutQuery),
    responses(
        (status = 200, description = "They ended.", body = SignedOut),
        (status = 404, description = "There is no such user.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn sign_out(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
    Query(query): Query<SignOutQuery>,
) -> Result<Json<SignedOut>> {
    let user = user_id("user_id", &path.user_id)?;
    let device = query
        .device_id
        .map(|text| device_id("device_id", &text))
        .transpose()?;
    let closed = api.engine.sign_out(app, &user, device.as_ref()).await?;
    Ok(Json(SignedOut { closed }))
}
