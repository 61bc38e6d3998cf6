//! Tokens of users.

use anser_domain::limits::TOKEN_LIFE_SECONDS_MAX;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::App;
use super::extract::{OptionalBody, Path, present, user_id};
use super::failure::{ErrorBody, Failure, Result};
use super::spec::{Common, WithBody};
use super::users::UserPath;

/// A day: long enough to survive an outage of the customer's backend, short enough for a token
/// that leaks.
const LIFE_SECONDS_DEFAULT: u64 = 24 * 3_600;

/// What kind of token.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateToken {
    /// Seconds until it expires; a day if you don't say, at most 30 days.
    #[schema(minimum = 1, maximum = 2_592_000, value_type = u64, default = 86_400)]
    #[serde(default, deserialize_with = "present")]
    expires_in: Option<u64>,
}

/// A token.
#[derive(Serialize, ToSchema)]
pub(super) struct Token {
    /// What the client signs in with.
    token: String,
    /// When it expires.
    expires_at: u64,
}

/// Make a token for a user.
///
/// The user exists from then on. Call this only for a user whom your backend has authenticated.
#[utoipa::path(
    post, path = "/v1/users/{user_id}/token", tag = "tokens",
    params(UserPath),
    request_body = Option<CreateToken>,
    responses((status = 200, description = "The token.", body = Token), Common, WithBody),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn create_token(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
    OptionalBody(wish): OptionalBody<CreateToken>,
) -> Result<Json<Token>> {
    let user = user_id("user_id", &path.user_id)?;
    let life = wish.expires_in.unwrap_or(LIFE_SECONDS_DEFAULT);
    if !(1..=TOKEN_LIFE_SECONDS_MAX).contains(&life) {
        return Err(Failure::invalid(format!(
            "expires_in is not in 1–{TOKEN_LIFE_SECONDS_MAX}"
        )));
    }
    let token = api.engine.mint_token(app, &user, life).await?;
    Ok(Json(Token {
        token: token.token,
        expires_at: token.expires.0,
    }))
}

/// Revoke all tokens of a user.
///
/// Every token issued until now dies, those signed by your backend included, and every session of
/// the user ends.
#[utoipa::path(
    delete, path = "/v1/users/{user_id}/tokens", tag = "tokens",
    params(UserPath),
    responses(
        (status = 204, description = "Done."),
        (status = 404, description = "There is no such user.", body = ErrorBody),
        (status = 507, description = "The server's disk is full.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn revoke_tokens(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
) -> Result<StatusCode> {
    let user = user_id("user_id", &path.user_id)?;
    api.engine.revoke_tokens(app, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}
