//! Users' block lists and allow lists.

use anser_domain::limits::RELATION_CHANGE_USERS_MAX;
use anser_domain::relation::List;
use anser_domain::{AppId, UserId};
use anser_engine::relation::RelationChange;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::App;
use super::extract::{Body, Path, Query, present, user_id, users};
use super::failure::Result;
use super::groups::MembersQuery;
use super::spec::{Common, WithBody};
use super::users::UserPath;

/// A page of users.
#[derive(Serialize, ToSchema)]
pub(super) struct RelatedUsers {
    /// By user id.
    users: Vec<String>,
    /// Where the next page starts; empty on the last one.
    cursor: String,
    /// Do only those on the allow list write to the user?
    allow_only: bool,
}

/// What is to be changed: at most 100 users.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateBlockList {
    #[serde(default)]
    #[schema(max_items = 100)]
    add: Vec<String>,
    #[serde(default)]
    #[schema(max_items = 100)]
    remove: Vec<String>,
}

/// What is to be changed: at most 100 users; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateAllowList {
    #[serde(default)]
    #[schema(max_items = 100)]
    add: Vec<String>,
    #[serde(default)]
    #[schema(max_items = 100)]
    remove: Vec<String>,
    /// Do only those on the allow list write to the user? A change takes effect within seconds.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    allow_only: Option<bool>,
}

fn named(field: &str, texts: &[String]) -> Result<Vec<UserId>> {
    users(field, texts, 0..=RELATION_CHANGE_USERS_MAX)
}

async fn list(
    api: &Api,
    app: AppId,
    path: &UserPath,
    list: List,
    query: &MembersQuery,
) -> Result<Json<RelatedUsers>> {
    let user = user_id("user_id", &path.user_id)?;
    let (after, limit) = query.page()?;
    let page = api.engine.relations(app, &user, list, after, limit).await?;
    Ok(Json(RelatedUsers {
        users: page.users.iter().map(ToString::to_string).collect(),
        cursor: page.cursor,
        allow_only: page.allow_only,
    }))
}

async fn change(
    api: &Api,
    app: AppId,
    path: &UserPath,
    change: RelationChange,
) -> Result<StatusCode> {
    let user = user_id("user_id", &path.user_id)?;
    api.engine.change_relations(app, &user, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List whom a user has blocked.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/block-list", tag = "control",
    params(UserPath, MembersQuery),
    responses((status = 200, description = "A page.", body = RelatedUsers), Common),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_blocked(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
    Query(query): Query<MembersQuery>,
) -> Result<Json<RelatedUsers>> {
    list(&api, app, &path, List::Blocked, &query).await
}

/// Change a user's block list.
///
/// It holds for every message from the answer on: those of a blocked sender are refused with
/// `BLOCKED`, or go nowhere if the app's settings say so.
#[utoipa::path(
    patch, path = "/v1/users/{user_id}/block-list", tag = "control",
    params(UserPath),
    request_body = UpdateBlockList,
    responses((status = 204, description = "It is so."), Common, WithBody),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn update_block_list(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
    Body(body): Body<UpdateBlockList>,
) -> Result<StatusCode> {
    let wanted = RelationChange {
        list: List::Blocked,
        add: named("add", &body.add)?,
        remove: named("remove", &body.remove)?,
        allow_only: None,
    };
    change(&api, app, &path, wanted).await
}

/// List whom a user hears when only some may write.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/allow-list", tag = "control",
    params(UserPath, MembersQuery),
    responses((status = 200, description = "A page.", body = RelatedUsers), Common),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_allowed(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
    Query(query): Query<MembersQuery>,
) -> Result<Json<RelatedUsers>> {
    list(&api, app, &path, List::Allowed, &query).await
}

/// Change a user's allow list.
#[utoipa::path(
    patch, path = "/v1/users/{user_id}/allow-list", tag = "control",
    params(UserPath),
    request_body = UpdateAllowList,
    responses((status = 204, description = "It is so."), Common, WithBody),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn update_allow_list(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
    Body(body): Body<UpdateAllowList>,
) -> Result<StatusCode> {
    let wanted = RelationChange {
        list: List::Allowed,
        add: named("add", &body.add)?,
        remove: named("remove", &body.remove)?,
        allow_only: body.allow_only,
    };
    change(&api, app, &path, wanted).await
}
