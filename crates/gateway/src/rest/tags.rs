//! Tags of users: words by which an app sorts them.

use std::collections::BTreeSet;

use anser_domain::limits::{TAGGED_PAGE_MAX, TAGGED_USERS_MAX, TAGS_MAX};
use anser_domain::{AppId, Tag, UserId};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::extract::{Body, Path, Query, cursor, page_limit, user_id, users};
use super::failure::{ErrorBody, Failure, Result};
use super::spec::{Common, WithBody};
use super::users::UserPath;

/// A user's tags.
#[derive(Serialize, ToSchema)]
pub(super) struct UserTags {
    tags: Vec<UserTag>,
}

/// A tag of a user.
#[derive(Serialize, ToSchema)]
pub(super) struct UserTag {
    tag: String,
    /// Since when the user has it.
    since: u64,
}

/// The tags that a user has from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutTags {
    /// At most 20, of 1–64 bytes of printable UTF-8 each. Those that are not named go.
    #[schema(max_items = 20)]
    tags: Vec<String>,
}

/// The tags that users have from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutUsersTags {
    #[schema(min_items = 1, max_items = 100)]
    users: Vec<String>,
    /// At most 20, of 1–64 bytes of printable UTF-8 each. Those that are not named go.
    #[schema(max_items = 20)]
    tags: Vec<String>,
}

pub(super) fn tag(field: &str, text: &str) -> Result<Tag> {
    Tag::new(text).map_err(|why| Failure::invalid(format!("{field} {why}")))
}

fn tags(texts: &[String]) -> Result<BTreeSet<Tag>> {
    if texts.len() > TAGS_MAX {
        return Err(Failure::invalid(format!(
            "tags has more than {TAGS_MAX} items"
        )));
    }
    let all = texts.iter().enumerate();
    all.map(|(at, text)| tag(&format!("tags[{at}]"), text))
        .collect()
}

async fn shown(api: &Api, app: AppId, user: &UserId) -> Result<Json<UserTags>> {
    let tags = api.engine.tags(app, user).await?.into_iter();
    let tags = tags.map(|it| UserTag {
        tag: it.tag.to_string(),
        since: it.since.0,
    });
    Ok(Json(UserTags {
        tags: tags.collect(),
    }))
}

/// Show a user's tags.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/tags", tag = "users",
    params(UserPath),
    responses(
        (status = 200, description = "The tags.", body = UserTags),
        (status = 404, description = "There is no such user.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_tags(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
) -> Result<Json<UserTags>> {
    let user = user_id("user_id", &path.user_id)?;
    shown(&api, app, &user).await
}

/// Set a user's tags.
///
/// A tag that the user has already keeps the time since when.
#[utoipa::path(
    put, path = "/v1/users/{user_id}/tags", tag = "users",
    params(UserPath),
    request_body = PutTags,
    responses(
        (status = 200, description = "The tags as they now are.", body = UserTags),
        (status = 404, description = "There is no such user.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn put_tags(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
    Body(body): Body<PutTags>,
) -> Result<Json<UserTags>> {
    let user = user_id("user_id", &path.user_id)?;
    let tags = tags(&body.tags)?;
    let users = std::slice::from_ref(&user);
    api.engine.set_tags(app, users, &tags).await?;
    shown(&api, app, &user).await
}

/// Remove a user's tags.
#[utoipa::path(
    delete, path = "/v1/users/{user_id}/tags", tag = "users",
    params(UserPath),
    responses(
        (status = 204, description = "The user has none."),
        (status = 404, description = "There is no such user.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn delete_tags(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<UserPath>,
) -> Result<StatusCode> {
    let user = user_id("user_id", &path.user_id)?;
    let users = std::slice::from_ref(&user);
    api.engine.set_tags(app, users, &BTreeSet::new()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Set the tags of several users.
///
/// All of them have exactly these tags then.
#[utoipa::path(
    put, path = "/v1/tags", tag = "users",
    request_body = PutUsersTags,
    responses(
        (status = 204, description = "They have them."),
        (status = 404, description = "One of the users is not there; nothing was changed.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn put_users_tags(
    State(api): State<Api>,
    App(app): App,
    Body(body): Body<PutUsersTags>,
) -> Result<StatusCode> {
    let users = users("users", &body.users, 1..=TAGGED_USERS_MAX)?;
    let tags = tags(&body.tags)?;
    api.engine.set_tags(app, &users, &tags).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct TagPath {
    /// The tag.
    #[param(min_length = 1, max_length = 64)]
    tag: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TaggedQuery {
    /// Where the page starts, from the page before.
    #[serde(default)]
    #[param(max_length = 1024, required = false)]
    cursor: String,
    /// Items of the page.
    #[param(minimum = 1, maximum = 500, default = 100, value_type = u64, required = false)]
    limit: Option<u64>,
}

/// A page of the users of a tag, in no order that means anything.
#[derive(Serialize, ToSchema)]
pub(super) struct TaggedPage {
    users: Vec<String>,
    /// Where the next page starts; empty on the last one.
    cursor: String,
}

/// List the users of a tag.
#[utoipa::path(
    get, path = "/v1/tags/{tag}/users", tag = "users",
    params(TagPath, TaggedQuery),
    responses(
        (status = 200, description = "A page; empty if nobody has the tag.", body = TaggedPage),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_tagged(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<TagPath>,
    Query(query): Query<TaggedQuery>,
) -> Result<Json<TaggedPage>> {
    let tag = tag("tag", &path.tag)?;
    let limit = page_limit(query.limit, TAGGED_PAGE_MAX)?;
    let cursor = cursor(&query.cursor)?;
    let page = api.engine.tagged(app, &tag, cursor, limit).await?;
    Ok(Json(TaggedPage {
        users: page.users.iter().map(ToString::to_string).collect(),
        cursor: page.cursor,
    }))
}
