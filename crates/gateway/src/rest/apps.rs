//! Apps and their keys: for the holder of the admin token.

use anser_engine::app::{AppInfo, NewSecret};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Admin;
use super::extract::{Body, Path, present};
use super::failure::{ErrorBody, Result};
use super::spec::{Common, WithBody};

/// An app, without its secrets.
#[derive(Serialize, ToSchema)]
pub(super) struct App {
    /// Its public name.
    #[schema(example = "default")]
    app_key: String,
    /// For people.
    name: String,
    /// When it was created.
    created_time: u64,
    /// Is it the demo's app, for which the demo page hands out tokens?
    demo: bool,
    /// Ids of the living API secrets, oldest first.
    #[schema(max_items = 2)]
    api_secret_ids: Vec<String>,
    /// Ids (`kid`) of the living token keys, oldest first.
    #[schema(max_items = 2)]
    token_key_ids: Vec<String>,
}

impl From<AppInfo> for App {
    fn from(info: AppInfo) -> Self {
        Self {
            app_key: info.key,
            name: info.name,
            created_time: info.created.0,
            demo: info.demo,
            api_secret_ids: info.api_secret_ids,
            token_key_ids: info.token_key_ids,
        }
    }
}

/// A secret: this is the only answer that has it.
#[derive(Serialize, ToSchema)]
pub(super) struct Secret {
    /// Its id; for a token key, the `kid` of its tokens.
    id: String,
    /// The secret itself.
    secret: String,
}

impl From<NewSecret> for Secret {
    fn from(new: NewSecret) -> Self {
        Self {
            id: new.id,
            secret: new.secret,
        }
    }
}

/// All apps.
#[derive(Serialize, ToSchema)]
pub(super) struct AppList {
    apps: Vec<App>,
}

/// An app to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateApp {
    /// Its public name, 1–32 of `[a-z0-9-]`; without one, the server chooses.
    #[schema(min_length = 1, max_length = 32, pattern = "^[a-z0-9-]{1,32}$", value_type = String)]
    #[serde(default, deserialize_with = "present")]
    app_key: Option<String>,
    /// For people; at most 128 bytes.
    #[serde(default)]
    #[schema(max_length = 128, default = "")]
    name: String,
}

/// A new app with its first secrets: this is the only answer that has them.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedApp {
    app: App,
    api_secret: Secret,
    token_key: Secret,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct AppPath {
    /// The app's public name.
    #[param(min_length = 1, max_length = 32, pattern = "^[a-z0-9-]{1,32}$")]
    pub(super) app_key: String,
}

/// List all apps.
#[utoipa::path(
    get, path = "/v1/apps", tag = "apps",
    responses((status = 200, description = "All apps.", body = AppList), Common),
    security(("admin" = []))
)]
pub(super) async fn list_apps(State(api): State<Api>, _: Admin) -> Result<Json<AppList>> {
    let apps = api.engine.apps().await?;
    Ok(Json(AppList {
        apps: apps.into_iter().map(App::from).collect(),
    }))
}

/// Create an app.
///
/// The answer has its API secret and its token key, for the only time.
#[utoipa::path(
    post, path = "/v1/apps", tag = "apps",
    request_body = CreateApp,
    responses(
        (status = 201, description = "The app.", body = CreatedApp),
        (status = 409, description = "The app key is taken.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("admin" = []))
)]
pub(super) async fn create_app(
    State(api): State<Api>,
    _: Admin,
    Body(new): Body<CreateApp>,
) -> Result<(StatusCode, Json<CreatedApp>)> {
    let made = api
        .engine
        .create_app(new.app_key.as_deref(), &new.name, false)
        .await?;
    let made = CreatedApp {
        app: made.info.into(),
        api_secret: made.api_secret.into(),
        token_key: made.token_key.into(),
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Show an app.
#[utoipa::path(
    get, path = "/v1/apps/{app_key}", tag = "apps",
    params(AppPath),
    responses(
        (status = 200, description = "The app.", body = App),
        (status = 404, description = "There is none of this key.", body = ErrorBody),
        Common,
    ),
    security(("admin" = []))
)]
pub(super) async fn get_app(
    State(api): State<Api>,
    _: Admin,
    Path(path): Path<AppPath>,
) -> Result<Json<App>> {
    Ok(Json(api.engine.app(&path.app_key).await?.into()))
}

/// Make a new API secret.
///
/// The one before stays alive; the one before that dies at once.
#[utoipa::path(
    post, path = "/v1/apps/{app_key}/api-secrets", tag = "apps",
    params(AppPath),
    responses(
        (status = 201, description = "The new secret.", body = Secret),
        (status = 404, description = "There is no app of this key.", body = ErrorBody),
        (status = 507, description = "The server's disk is full.", body = ErrorBody),
        Common,
    ),
    security(("admin" = []))
)]
pub(super) async fn rotate_api_secret(
    State(api): State<Api>,
    _: Admin,
    Path(path): Path<AppPath>,
) -> Result<(StatusCode, Json<Secret>)> {
    let app = api.engine.app(&path.app_key).await?;
    let new = api.engine.rotate_api_secret(app.id).await?;
    Ok((StatusCode::CREATED, Json(new.into())))
}

/// Make a new token key.
///
/// Tokens signed with the one before stay good until they expire; those signed with the one before
/// that die at once. With a token key your backend signs tokens itself, as JWT (HS256): `kid` in
/// the header; `aud` (app key), `sub` (user id), `iat` and `exp` (at most 30 days later) as claims.
#[utoipa::path(
    post, path = "/v1/apps/{app_key}/token-keys", tag = "apps",
    params(AppPath),
    responses(
        (status = 201, description = "The new key.", body = Secret),
        (status = 404, description = "There is no app of this key.", body = ErrorBody),
        (status = 507, description = "The server's disk is full.", body = ErrorBody),
        Common,
    ),
    security(("admin" = []))
)]
pub(super) async fn rotate_token_key(
    State(api): State<Api>,
    _: Admin,
    Path(path): Path<AppPath>,
) -> Result<(StatusCode, Json<Secret>)> {
    let app = api.engine.app(&path.app_key).await?;
    let new = api.engine.rotate_token_key(app.id).await?;
    Ok((StatusCode::CREATED, Json(new.into())))
}
