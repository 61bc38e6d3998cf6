//! Effects that were given up, and how they are tried again: for the holder of the admin token.

use anser_engine::dead_letter::{DeadLetter, PAGE_MAX};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Admin;
use super::extract::{Path, Query};
use super::failure::{ErrorBody, Result};
use super::spec::Common;

/// Something that was to happen after a change, elsewhere, and failed too often.
#[derive(Serialize, ToSchema)]
pub(super) struct DeadLetterJson {
    /// For the replay.
    id: String,
    /// `inbox`: a user's list follows a membership; `touch`: a user's devices learn of something;
    /// `burn`: a message that was read is deleted; `relation`: chats follow a block or allow list;
    /// `end`: a temporary conversation that is over is removed; `tags`: subscriptions follow a
    /// user's tags; `audience`: who has the tag of a new conversation is subscribed.
    effect: &'static str,
    /// The conversation that caused it.
    conversation: String,
    /// When its cause happened.
    created_time: u64,
    /// When it was given up.
    given_up_time: u64,
    /// How often it was tried.
    attempts: u32,
    /// Why it failed the last time.
    reason: String,
}

impl From<DeadLetter> for DeadLetterJson {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.id,
            effect: letter.effect,
            conversation: letter.conversation,
            created_time: letter.created.0,
            given_up_time: letter.given_up.0,
            attempts: letter.attempts,
            reason: letter.reason,
        }
    }
}

/// A page of dead letters.
#[derive(Serialize, ToSchema)]
pub(super) struct DeadLetterList {
    dead_letters: Vec<DeadLetterJson>,
    /// There are more behind the last.
    more: bool,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    /// The id of the last one seen; without it, from the first.
    #[serde(default)]
    #[param(max_length = 36, pattern = "^([0-9a-f]{2})*$")]
    after: String,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct LetterPath {
    /// The dead letter.
    #[param(min_length = 36, max_length = 36, pattern = "^[0-9a-f]{36}$")]
    dead_letter: String,
}

/// List dead letters.
///
/// What a change brings about elsewhere is tried again for about two hours; then it waits here.
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "operations", params(After),
    responses((status = 200, description = "Dead letters.", body = DeadLetterList), Common),
    security(("admin" = []))
)]
pub(super) async fn list_dead_letters(
    State(api): State<Api>,
    _: Admin,
    Query(page): Query<After>,
) -> Result<Json<DeadLetterList>> {
    let (letters, more) = api.engine.dead_letters(&page.after, PAGE_MAX).await?;
    Ok(Json(DeadLetterList {
        dead_letters: letters.into_iter().map(DeadLetterJson::from).collect(),
        more,
    }))
}

/// Replay a dead letter.
///
/// It is tried again at once, with as many attempts as a new one.
#[utoipa::path(
    post, path = "/v1/dead-letters/{dead_letter}/replay", tag = "operations", params(LetterPath),
    responses(
        (status = 204, description = "It is tried again."),
        (status = 404, description = "There is no such dead letter.", body = ErrorBody),
        Common,
    ),
    security(("admin" = []))
)]
pub(super) async fn replay_dead_letter(
    State(api): State<Api>,
    _: Admin,
    Path(path): Path<LetterPath>,
) -> Result<StatusCode> {
    api.engine.replay_dead_letter(&path.dead_letter).await?;
    Ok(StatusCode::NO_CONTENT)
}
