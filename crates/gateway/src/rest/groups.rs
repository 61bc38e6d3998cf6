//! Groups. The server API may do everything that is possible, whoever owns the group.

use std::collections::BTreeMap;

use anser_domain::group::Role;
use anser_domain::limits::{GROUP_MEMBERS_MAX, MEMBERS_PAGE_MAX};
use anser_engine::group::By;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::extract::{Body, Path, Query, group_id, page, present, user_id, users};
use super::failure::{ErrorBody, Result};
use super::group_admin::JoinModeJson;
use super::spec::{Common, OfGroup, WithBody};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct GroupPath {
    /// The group, 1–64 bytes of printable UTF-8.
    #[param(min_length = 1, max_length = 64)]
    pub(super) group_id: String,
}

/// A group.
#[derive(Serialize, ToSchema)]
pub(super) struct Group {
    group_id: String,
    /// Possibly empty.
    name: String,
    /// The user who owns it.
    owner: String,
    /// The owner included.
    member_count: u32,
    created_time: u64,
    announcement: String,
    /// The address of a picture.
    portrait: String,
    attributes: BTreeMap<String, String>,
    settings: GroupSettings,
    /// What the group has defined besides owner, admin and member.
    roles: Vec<DefinedRole>,
    /// The users who have the role of an admin.
    admins: Vec<String>,
}

/// What is set for a group.
#[derive(Serialize, ToSchema)]
pub(super) struct GroupSettings {
    join: JoinModeJson,
    /// Who is added by a member is invited, and is in once they accept.
    invitations_need_acceptance: bool,
    /// Only those with the right "invite" add others; else every member may.
    only_admins_invite: bool,
    /// All are muted, but for the owner, admins, those exempt, and those with the right "speak".
    muted: bool,
    /// New members may read what was written before they came.
    history_visible: bool,
}

/// A role of a group's own.
#[derive(Serialize, ToSchema)]
pub(super) struct DefinedRole {
    name: String,
    rights: Vec<&'static str>,
}

impl From<anser_engine::group::Group> for Group {
    fn from(group: anser_engine::group::Group) -> Self {
        Self {
            group_id: group.id.to_string(),
            name: group.name,
            owner: group.owner,
            member_count: group.member_count,
            created_time: group.created.0,
            announcement: group.announcement,
            portrait: group.portrait,
            attributes: group.attributes,
            settings: GroupSettings {
                join: group.settings.join.into(),
                invitations_need_acceptance: group.settings.invitations_need_acceptance,
                only_admins_invite: group.settings.only_admins_invite,
                muted: group.settings.muted,
                history_visible: group.settings.history_visible,
            },
            roles: group
                .roles
                .into_iter()
                .map(|(name, rights)| DefinedRole {
                    name,
                    rights: rights.names().collect(),
                })
                .collect(),
            admins: group.admins,
        }
    }
}

/// A group to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateGroup {
    /// 1–64 bytes; without one, the server chooses.
    #[schema(min_length = 1, max_length = 64, value_type = String)]
    #[serde(default, deserialize_with = "present")]
    group_id: Option<String>,
    /// At most 128 bytes.
    #[serde(default)]
    #[schema(max_length = 128, default = "")]
    name: String,
    /// The user who owns it, and is its first member.
    #[schema(min_length = 1, max_length = 64)]
    owner: String,
    /// Besides the owner.
    #[serde(default)]
    #[schema(max_items = 3000)]
    members: Vec<String>,
}

/// Create a group.
#[utoipa::path(
    post, path = "/v1/groups", tag = "groups",
    request_body = CreateGroup,
    responses(
        (status = 201, description = "The group.", body = Group),
        (status = 404, description = "A user does not exist.", body = ErrorBody),
        (status = 409, description = "The id is taken, or the group would be too large.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn create_group(
    State(api): State<Api>,
    App(app): App,
    Body(body): Body<CreateGroup>,
) -> Result<(StatusCode, Json<Group>)> {
    let id = body
        .group_id
        .map(|text| group_id("group_id", &text))
        .transpose()?;
    let owner = user_id("owner", &body.owner)?;
    let members = users("members", &body.members, 0..=GROUP_MEMBERS_MAX)?;
    let group = api
        .engine
        .create_group(app, By::Server, id, &body.name, &owner, &members)
        .await?;
    Ok((StatusCode::CREATED, Json(group.into())))
}

/// Show a group.
#[utoipa::path(
    get, path = "/v1/groups/{group_id}", tag = "groups",
    params(GroupPath),
    responses(
        (status = 200, description = "The group.", body = Group),
        OfGroup, Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_group(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<GroupPath>,
) -> Result<Json<Group>> {
    let id = group_id("group_id", &path.group_id)?;
    Ok(Json(api.engine.group(app, By::Server, &id).await?.into()))
}

/// Dismiss a group.
///
/// Its members are told and no longer in it; its id is never used again.
#[utoipa::path(
    delete, path = "/v1/groups/{group_id}", tag = "groups",
    params(GroupPath),
    responses(
        (status = 204, description = "It is dismissed."),
        (status = 404, description = "There is no such group.", body = ErrorBody),
        (status = 410, description = "It was dismissed before.", body = ErrorBody),
        (status = 507, description = "The server's disk is full.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn dismiss_group(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<GroupPath>,
) -> Result<StatusCode> {
    let id = group_id("group_id", &path.group_id)?;
    api.engine.dismiss_group(app, By::Server, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A member of a group.
#[derive(Serialize, ToSchema)]
pub(super) struct GroupMember {
    user_id: String,
    role: GroupRole,
    joined_time: u64,
    /// A role that the group has defined; empty: none.
    role_name: String,
    /// What they are called in this group; empty: as everywhere.
    nickname: String,
    attributes: BTreeMap<String, String>,
    /// 0: not muted.
    muted_until: u64,
    /// The mute of all is not for them.
    exempt: bool,
}

/// What a member may do.
#[derive(Copy, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum GroupRole {
    /// Talks, and adds others unless that is set otherwise.
    Member,
    /// Has every right, over all but the owner and other admins.
    Admin,
    /// Names admins, defines roles, hands over and dismisses besides.
    Owner,
}

/// A page of members.
#[derive(Serialize, ToSchema)]
pub(super) struct GroupMemberPage {
    /// By user id.
    members: Vec<GroupMember>,
    /// Where the next page starts; empty on the last one.
    cursor: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MembersQuery {
    /// Where the page starts, from the page before.
    #[serde(default)]
    #[param(max_length = 1024, required = false)]
    cursor: String,
    /// Items of the page.
    #[param(minimum = 1, maximum = 500, default = 100, value_type = u64, required = false)]
    limit: Option<u64>,
}

impl MembersQuery {
    /// Where the page starts, and its size.
    pub(super) fn page(&self) -> Result<(&str, usize)> {
        page(&self.cursor, self.limit, MEMBERS_PAGE_MAX)
    }
}

/// List the members of a group.
#[utoipa::path(
    get, path = "/v1/groups/{group_id}/members", tag = "groups",
    params(GroupPath, MembersQuery),
    responses(
        (status = 200, description = "A page.", body = GroupMemberPage),
        OfGroup, Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_members(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<GroupPath>,
    Query(query): Query<MembersQuery>,
) -> Result<Json<GroupMemberPage>> {
    let id = group_id("group_id", &path.group_id)?;
    let (cursor, limit) = query.page()?;
    let page = api.engine.members(app, By::Server, &id, cursor, limit);
    Ok(Json(page.await?.into()))
}

impl From<anser_engine::group::GroupMemberPage> for GroupMemberPage {
    fn from(page: anser_engine::group::GroupMemberPage) -> Self {
        let members = page.members.into_iter().map(|member| GroupMember {
            user_id: member.user.to_string(),
            role: match member.role {
                Role::Member => GroupRole::Member,
                Role::Admin => GroupRole::Admin,
                Role::Owner => GroupRole::Owner,
            },
            joined_time: member.joined.0,
            role_name: member.role_name,
            nickname: member.nickname,
            attributes: member.attributes,
            muted_until: member.muted_until.0,
            exempt: member.exempt,
        });
        Self {
            members: members.collect(),
            cursor: page.cursor,
        }
    }
}

/// Users to add or remove.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeMembers {
    /// User ids; who is in it already, or not in it, is passed over.
    #[schema(min_items = 1, max_items = 3000)]
    members: Vec<String>,
}

impl ChangeMembers {
    fn users(&self) -> Result<Vec<anser_domain::UserId>> {
        users("members", &self.members, 1..=GROUP_MEMBERS_MAX)
    }
}

/// Add members to a group.
#[utoipa::path(
    post, path = "/v1/groups/{group_id}/members", tag = "groups",
    params(GroupPath),
    request_body = ChangeMembers,
    responses(
        (status = 200, description = "The group as it now is.", body = Group),
        (status = 404, description = "There is no such group, or no such user.", body = ErrorBody),
        (status = 409, description = "The group would be too large; nothing was changed.", body = ErrorBody),
        (status = 410, description = "It was dismissed.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn add_members(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<GroupPath>,
    Body(body): Body<ChangeMembers>,
) -> Result<Json<Group>> {
    let id = group_id("group_id", &path.group_id)?;
    let users = body.users()?;
    let group = api.engine.add_members(app, By::Server, &id, &users).await?;
    Ok(Json(group.into()))
}

/// Remove members from a group.
///
/// The owner can't be removed; hand the group over first, or dismiss it.
#[utoipa::path(
    post, path = "/v1/groups/{group_id}/members/remove", tag = "groups",
    params(GroupPath),
    request_body = ChangeMembers,
    responses(
        (status = 200, description = "The group as it now is.", body = Group),
        (status = 403, description = "The owner is among them.", body = ErrorBody),
        OfGroup, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn remove_members(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<GroupPath>,
    Body(body): Body<ChangeMembers>,
) -> Result<Json<Group>> {
    let id = group_id("group_id", &path.group_id)?;
    let users = body.users()?;
    let group = api
        .engine
        .remove_members(app, By::Server, &id, &users)
        .await?;
    Ok(Json(group.into()))
}

/// Who quits.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QuitGroup {
    #[schema(min_length = 1, max_length = 64)]
    user_id: String,
}

/// Let a user quit a group.
///
/// As if the user had done it: the notice in the conversation says so.
#[utoipa::path(
    post, path = "/v1/groups/{group_id}/quit", tag = "groups",
    params(GroupPath),
    request_body = QuitGroup,
    responses(
        (status = 204, description = "The user is out."),
        (status = 403, description = "The user is not in it, or owns it.", body = ErrorBody),
        OfGroup, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn quit_group(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<GroupPath>,
    Body(body): Body<QuitGroup>,
) -> Result<StatusCode> {
    let id = group_id("group_id", &path.group_id)?;
    let user = user_id("user_id", &body.user_id)?;
    api.engine.quit_group(app, &user, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
