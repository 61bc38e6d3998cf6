//! Users whom the app keeps out, and those who may not write.

use anser_domain::control::ban::FOR_GOOD;
use anser_domain::control::mute::Kind;
use anser_domain::limits::GROUP_CHANGE_USERS_MAX;
use anser_domain::{Timestamp, UserId};
use anser_engine::control::{MuteList, UserBan};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::extract::{Body, OptionalBody, Path, Query, hold_seconds, present, user_id, users};
use super::failure::{Failure, Result};
use super::groups::MembersQuery;
use super::spec::{Common, WithBody};
use super::users::UserPath;

/// How long a user is kept out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BanUser {
    /// At most ten years; absent: for good.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = u64, minimum = 1, maximum = 315_360_000)]
    seconds: Option<u64>,
}

/// A user who is kept out.
#[derive(Serialize, ToSchema)]
pub(super) struct BannedUser {
    user_id: String,
    /// Until when; `null`: for good.
    #[schema(required)]
    until: Option<u64>,
    /// Since when.
    since: u64,
}

impl From<UserBan> for BannedUser {
    fn from(ban: UserBan) -> Self {
        Self {
            user_id: ban.user.to_string(),
            until: (ban.until != FOR_GOOD).then_some(ban.until.0),
            since: ban.time.0,
        }
    }
}

/// A page of users who are kept out.
#[derive(Serialize, ToSchema)]
pub(super) struct BannedUsers {
    /// By user id. A page may be shorter than asked for, since bans that are over are left out.
    users: Vec<BannedUser>,
    /// Where the next page starts; empty on the last one.
    cursor: String,
}

/// Keep a user out.
///
/// The sessions there are end with `USER_BANNED`, and no other is opened until then. The message of
/// the error says until when.
#[utoipa::path(
    put, path = "/v1/users/{user_id}/ban", tag = "control",
    params(UserPath),
    request_body = Option<BanUser>,
    responses(
        (status = 200, description = "The user is kept out.", body = BannedUser),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn ban_user(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
    OptionalBody(body): OptionalBody<BanUser>,
) -> Result<Json<BannedUser>> {
    let user = user_id("user_id", &path.user_id)?;
    let until = match body.seconds {
        None => FOR_GOOD,
        Some(0) => return Err(Failure::invalid("seconds is not above 0")),
        Some(seconds) => api.engine.until(hold_seconds(seconds)?),
    };
    Ok(Json(api.engine.ban_user(app, &user, until).await?.into()))
}

/// Let a user in again.
#[utoipa::path(
    delete, path = "/v1/users/{user_id}/ban", tag = "control",
    params(UserPath),
    responses((status = 204, description = "The user may sign in."), Common),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn unban_user(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
) -> Result<StatusCode> {
    let user = user_id("user_id", &path.user_id)?;
    api.engine.unban_user(app, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List users who are kept out.
#[utoipa::path(
    get, path = "/v1/bans", tag = "control",
    params(MembersQuery),
    responses((status = 200, description = "A page.", body = BannedUsers), Common),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_user_bans(
    State(api): State<Api>,
    App(app): App,
    Query(query): Query<MembersQuery>,
) -> Result<Json<BannedUsers>> {
    let (after, limit) = query.page()?;
    let page = api.engine.user_bans(app, after, limit).await?;
    Ok(Json(BannedUsers {
        users: page.bans.into_iter().map(BannedUser::from).collect(),
        cursor: page.cursor,
    }))
}

/// Of which conversations a mute is.
#[derive(Copy, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum KindJson {
    Private,
    Group,
    Room,
}

impl From<KindJson> for Kind {
    fn from(kind: KindJson) -> Self {
        match kind {
            KindJson::Private => Self::Private,
            KindJson::Group => Self::Group,
            KindJson::Room => Self::Room,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct KindPath {
    /// `private` chats, `group`s and everything else with more than two in it that is kept, or
    /// chat `room`s.
    #[param(inline)]
    kind: KindJson,
}

/// Users to mute.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MuteEverywhere {
    #[schema(min_items = 1, max_items = 100)]
    users: Vec<String>,
    /// At most ten years; 0 lifts the mute.
    #[schema(maximum = 315_360_000)]
    seconds: u64,
}

/// How long everybody is muted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MuteKind {
    /// At most ten years; 0 lifts the mute.
    #[schema(maximum = 315_360_000)]
    seconds: u64,
}

/// Users to exempt from the mute of all.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExemptEverywhere {
    #[schema(min_items = 1, max_items = 100)]
    users: Vec<String>,
    /// False: they are no longer exempt.
    exempt: bool,
}

/// A muted user.
#[derive(Serialize, ToSchema)]
pub(super) struct MutedUser {
    user_id: String,
    until: u64,
}

/// The mutes of a kind of conversation.
#[derive(Serialize, ToSchema)]
pub(super) struct Mutes {
    /// Until when everybody is muted; 0: not at all.
    all_until: u64,
    /// By user id. A page may be shorter than asked for, since mutes that are over are left out.
    users: Vec<MutedUser>,
    /// Where the next page starts; empty on the last one.
    cursor: String,
}

/// Users whom the mute of all does not concern.
#[derive(Serialize, ToSchema)]
pub(super) struct Exemptions {
    /// By user id.
    users: Vec<String>,
    /// Where the next page starts; empty on the last one.
    cursor: String,
}

/// List the mutes of a kind.
#[utoipa::path(
    get, path = "/v1/mutes/{kind}", tag = "control",
    params(KindPath, MembersQuery),
    responses((status = 200, description = "A page.", body = Mutes), Common),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_mutes(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<KindPath>,
    Query(query): Query<MembersQuery>,
) -> Result<Json<Mutes>> {
    let (after, limit) = query.page()?;
    let kind = path.kind.into();
    let page = api
        .engine
        .mutes(app, kind, MuteList::Muted, after, limit)
        .await?;
    let muted = |(user, until): (UserId, Timestamp)| MutedUser {
        user_id: user.to_string(),
        until: until.0,
    };
    Ok(Json(Mutes {
        all_until: page.all_until.0,
        users: page.users.into_iter().map(muted).collect(),
        cursor: page.cursor,
    }))
}

/// Mute users in all conversations of a kind, or lift it.
///
/// It holds within two seconds on all nodes. What they send is refused with `MUTED_EVERYWHERE`.
#[utoipa::path(
    post, path = "/v1/mutes/{kind}", tag = "control",
    params(KindPath),
    request_body = MuteEverywhere,
    responses((status = 204, description = "It is so."), Common, WithBody),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn mute_everywhere(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<KindPath>,
    Body(body): Body<MuteEverywhere>,
) -> Result<StatusCode> {
    let users = users("users", &body.users, 1..=GROUP_CHANGE_USERS_MAX)?;
    let until = api.engine.until(hold_seconds(body.seconds)?);
    let kind = path.kind.into();
    api.engine.mute_everywhere(app, kind, &users, until).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Mute everybody in all conversations of a kind, or lift it.
#[utoipa::path(
    put, path = "/v1/mutes/{kind}/all", tag = "control",
    params(KindPath),
    request_body = MuteKind,
    responses((status = 204, description = "It is so."), Common, WithBody),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn mute_kind(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<KindPath>,
    Body(body): Body<MuteKind>,
) -> Result<StatusCode> {
    let until = api.engine.until(hold_seconds(body.seconds)?);
    api.engine.mute_kind(app, path.kind.into(), until).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List users whom the mute of all does not concern.
#[utoipa::path(
    get, path = "/v1/mutes/{kind}/exemptions", tag = "control",
    params(KindPath, MembersQuery),
    responses((status = 200, description = "A page.", body = Exemptions), Common),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_exemptions(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<KindPath>,
    Query(query): Query<MembersQuery>,
) -> Result<Json<Exemptions>> {
    let (after, limit) = query.page()?;
    let kind = path.kind.into();
    let page = api
        .engine
        .mutes(app, kind, MuteList::Exempt, after, limit)
        .await?;
    let users = page.users.into_iter().map(|(user, _)| user.to_string());
    Ok(Json(Exemptions {
        users: users.collect(),
        cursor: page.cursor,
    }))
}

/// Exempt users from the mute of all in a kind, or no longer.
#[utoipa::path(
    post, path = "/v1/mutes/{kind}/exemptions", tag = "control",
    params(KindPath),
    request_body = ExemptEverywhere,
    responses(
        (status = 204, description = "It is so."),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn exempt_everywhere(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<KindPath>,
    Body(body): Body<ExemptEverywhere>,
) -> Result<StatusCode> {
    let users = users("users", &body.users, 1..=GROUP_CHANGE_USERS_MAX)?;
    let kind = path.kind.into();
    api.engine
        .exempt_everywhere(app, kind, &users, body.exempt)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
