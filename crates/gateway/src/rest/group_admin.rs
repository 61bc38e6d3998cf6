//! What is told of a group and set for it, roles, mutes, bans, requests and invitations.
//!
//! Nearly every handler here is one change of the group and answers the group as it then is.

use std::collections::BTreeMap;

use anser_domain::group::info::{AttributeChange, SettingsChange};
use anser_domain::group::role::NewRole;
use anser_domain::group::{JoinMode, Rights};
use anser_domain::limits::GROUP_CHANGE_USERS_MAX;
use anser_domain::{Timestamp, UserId};
use anser_engine::group::{By, GroupChange, GroupUpdate, MemberUpdate, Outside};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::App;
use super::extract::{Body, Path, Query, group_id, hold_seconds, present, user_id, users};
use super::failure::{ErrorBody, Failure, Result};
use super::groups::{Group, GroupPath, GroupRole, MembersQuery};
use super::spec::{Common, OfGroup, WithBody};

async fn change(api: &Api, app: App, group: &str, change: GroupChange) -> Result<Json<Group>> {
    let id = group_id("group_id", group)?;
    let group = api.engine.change_group(app.0, By::Server, &id, change);
    Ok(Json(group.await?.into()))
}

/// Users whom a change concerns, at most 100, and until when it holds.
pub(super) fn users_until(
    api: &Api,
    field: &str,
    names: &[String],
    seconds: u64,
) -> Result<(Vec<UserId>, Timestamp)> {
    let users = users(field, names, 1..=GROUP_CHANGE_USERS_MAX)?;
    Ok((users, api.engine.until(hold_seconds(seconds)?)))
}

/// What becomes of a user who asks to be let in: a request, membership at once, or nothing.
#[derive(Copy, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = JoinMode)]
#[serde(rename_all = "snake_case")]
pub(super) enum JoinModeJson {
    Approval,
    Public,
    Closed,
}

impl From<JoinMode> for JoinModeJson {
    fn from(mode: JoinMode) -> Self {
        match mode {
            JoinMode::Approval => Self::Approval,
            JoinMode::Public => Self::Public,
            JoinMode::Closed => Self::Closed,
        }
    }
}

impl From<JoinModeJson> for JoinMode {
    fn from(mode: JoinModeJson) -> Self {
        match mode {
            JoinModeJson::Approval => Self::Approval,
            JoinModeJson::Public => Self::Public,
            JoinModeJson::Closed => Self::Closed,
        }
    }
}

/// What is to be changed; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateGroup {
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 128, value_type = String)]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 4096, value_type = String)]
    announcement: Option<String>,
    /// The address of a picture.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 1024, value_type = String)]
    portrait: Option<String>,
    /// At most 64 keys of 1–64 bytes, 16 KiB together with those that stay.
    #[serde(default)]
    put_attributes: BTreeMap<String, String>,
    #[serde(default)]
    remove_attributes: Vec<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = JoinModeJson)]
    join: Option<JoinModeJson>,
    /// Who is added by a member is invited, and is in once they accept.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    invitations_need_acceptance: Option<bool>,
    /// Only those with the right "invite" add others; else every member may.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    only_admins_invite: Option<bool>,
    /// All are muted, but for the owner, admins, those exempt, and those with the right "speak".
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    muted: Option<bool>,
    /// New members may read what was written before they came.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    history_visible: Option<bool>,
}

/// Change what is told of a group, or set for it.
#[utoipa::path(
    patch, path = "/v1/groups/{group_id}", tag = "groups",
    params(GroupPath),
    request_body = UpdateGroup,
    responses(
        (status = 200, description = "The group as it now is.", body = Group),
        OfGroup, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn update_group(
    State(api): State<Api>,
    app: App,
    Path(path): Path<GroupPath>,
    Body(body): Body<UpdateGroup>,
) -> Result<Json<Group>> {
    let update = GroupUpdate {
        name: body.name,
        announcement: body.announcement,
        portrait: body.portrait,
        attributes: AttributeChange {
            put: body.put_attributes,
            remove: body.remove_attributes,
        },
        settings: SettingsChange {
            join: body.join.map(JoinMode::from),
            invitations_need_acceptance: body.invitations_need_acceptance,
            only_admins_invite: body.only_admins_invite,
            muted: body.muted,
            history_visible: body.history_visible,
            open: None,
        },
        ..GroupUpdate::default()
    };
    let update = GroupChange::Update(Box::new(update));
    change(&api, app, &path.group_id, update).await
}

/// Who is the owner from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOwner {
    /// A member.
    #[schema(min_length = 1, max_length = 64)]
    pub(super) owner: String,
}

/// Hand a group over to another member.
#[utoipa::path(
    put, path = "/v1/groups/{group_id}/owner", tag = "groups",
    params(GroupPath),
    request_body = NewOwner,
    responses(
        (status = 200, description = "The group as it now is.", body = Group),
        (status = 403, description = "The user is not in it.", body = ErrorBody),
        OfGroup, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn transfer_group(
    State(api): State<Api>,
    app: App,
    Path(path): Path<GroupPath>,
    Body(body): Body<NewOwner>,
) -> Result<Json<Group>> {
    let owner = user_id("owner", &body.owner)?;
    change(&api, app, &path.group_id, GroupChange::Transfer(owner)).await
}

/// A role to give.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetGroupRole {
    #[schema(min_items = 1, max_items = 100)]
    members: Vec<String>,
    /// `member` or `admin`.
    role: GroupRole,
    /// With `member`: a role that the group has defined.
    #[serde(default)]
    #[schema(max_length = 64, default = "")]
    role_name: String,
}

/// Give members a role.
#[utoipa::path(
    post, path = "/v1/groups/{group_id}/roles", tag = "groups",
    params(GroupPath),
    request_body = SetGroupRole,
    responses(
        (status = 200, description = "The group as it now is.", body = Group),
        (status = 403, description = "A user is not in it, or owns it.", body = ErrorBody),
        (status = 404, description = "There is no such group, or no such role.", body = ErrorBody),
        (status = 409, description = "There would be too many admins.", body = ErrorBody),
        (status = 410, description = "It was dismissed.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn set_role(
    State(api): State<Api>,
    app: App,
    Path(path): Path<GroupPath>,
    Body(body): Body<SetGroupRole>,
) -> Result<Json<Group>> {
    let users = users("members", &body.members, 1..=GROUP_CHANGE_USERS_MAX)?;
    let role = match (body.role, body.role_name) {
        (GroupRole::Member, name) if name.is_empty() => NewRole::Member,
        (GroupRole::Member, name) => NewRole::Custom(name),
        (GroupRole::Admin, name) if name.is_empty() => NewRole::Admin,
        (GroupRole::Admin, _) => return Err(Failure::invalid("an admin has no role_name")),
        (GroupRole::Owner, _) => {
            return Err(Failure::invalid(
                "PUT /v1/groups/{group_id}/owner makes an owner",
            ));
        }
    };
    let role = GroupChange::SetRole { users, role };
    change(&api, app, &path.group_id, role).await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct RolePath {
    /// The group, 1–64 bytes of printable UTF-8.
    #[param(min_length = 1, max_length = 64)]
    group_id: String,
    /// The role, 1–64 bytes of printable UTF-8.
    #[param(min_length = 1, max_length = 64)]
    role_name: String,
}

/// What a role allows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DefineRole {
    /// Of `invite`, `remove`, `approve`, `mute`, `ban`, `update`, `update_members`, `recall`,
    /// `speak`.
    rights: Vec<String>,
}

/// Define a role of a group's own, or replace its rights.
#[utoipa::path(
    put, path = "/v1/groups/{group_id}/roles/{role_name}", tag = "groups",
    params(RolePath),
    request_body = DefineRole,
    responses(
        (status = 200, description = "The group as it now is.", body = Group),
        OfGroup, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn define_role(
    State(api): State<Api>,
    app: App,
    Path(path): Path<RolePath>,
    Body(body): Body<DefineRole>,
) -> Result<Json<Group>> {
    let rights = Rights::parse(body.rights.iter().map(String::as_str))?;
    let role = GroupChange::DefineRole {
        name: path.role_name,
        rights: Some(rights),
    };
    change(&api, app, &path.group_id, role).await
}

/// Remove a role of a group's own.
///
/// Who has it is a plain member from then on.
#[utoipa::path(
    delete, path = "/v1/groups/{group_id}/roles/{role_name}", tag = "groups",
    params(RolePath),
    responses(
        (status = 200, description = "The group as it now is.", body = Group),
        (status = 507, description = "The server's disk is full.", body = ErrorBody),
        OfGroup, Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn remove_role(
    State(api): State<Api>,
    app: App,
    Path(path): Path<RolePath>,
) -> Result<Json<Group>> {
    let role = GroupChange::DefineRole {
        name: path.role_name,
        rights: None,
    };
    change(&api, app, &path.group_id, role).await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct MemberPath {
    /// The group, 1–64 bytes of printable UTF-8.
    #[param(min_length = 1, max_length = 64)]
    group_id: String,
    /// The member, 1–64 bytes of printable UTF-8.
    #[param(min_length = 1, max_length = 64)]
    user_id: String,
}

/// What is to be changed; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateMember {
    /// What the member is called in this group.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 128, value_type = String)]
    nickname: Option<String>,
    /// At most 16 keys of 1–64 bytes, 1 KiB together with those that stay.
    #[serde(default)]
    put_attributes: BTreeMap<String, String>,
    #[serde(default)]
    remove_attributes: Vec<String>,
}

/// Change what is told of a member.
#[utoipa::path(
    patch, path = "/v1/groups/{group_id}/members/{user_id}", tag = "groups",
    params(MemberPath),
    request_body = UpdateMember,
    responses(
        (status = 200, description = "The group.", body = Group),
        (status = 403, description = "The user is not in it.", body = ErrorBody),
        OfGroup, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn update_member(
    State(api): State<Api>,
    app: App,
    Path(path): Path<MemberPath>,
    Body(body): Body<UpdateMember>,
) -> Result<Json<Group>> {
    let update = GroupChange::UpdateMember {
        user: user_id("user_id", &path.user_id)?,
        update: MemberUpdate {
            nickname: body.nickname,
            attributes: AttributeChange {
                put: body.put_attributes,
                remove: body.remove_attributes,
            },
        },
    };
    change(&api, app, &path.group_id, update).await
}

/// Members to mute.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MuteMembers {
    #[schema(min_items = 1, max_items = 100)]
    members: Vec<String>,
    /// At most ten years; 0 lifts the mute.
    #[schema(maximum = 315_360_000)]
    seconds: u64,
}

/// Mute members of a group, or lift it.
#[utoipa::path(
    post, path = "/v1/groups/{group_id}/mutes", tag = "groups",
    params(GroupPath),
    request_body = MuteMembers,
    responses(
        (status = 200, description = "The group.", body = Group),
        (status = 403, description = "A user is not in it, or owns it; nothing was changed.", body = ErrorBody),
        OfGroup, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn mute_members(
    State(api): State<Api>,
    app: App,
    Path(path): Path<GroupPath>,
    Body(body): Body<MuteMembers>,
) -> Result<Json<Group>> {
    let (users, until) = users_until(&api, "members", &body.members, body.seconds)?;
    let mute = GroupChange::Mute { users, until };
    change(&api, app, &path.group_id, mute).await
}

/// Members to exempt.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExemptMembers {
    #[schema(min_items = 1, max_items = 100)]
    members: Vec<String>,
    exempt: bool,
}

/// Exempt members from the mute of all, or no longer.
#[utoipa::path(
    post, path = "/v1/groups/{group_id}/exemptions", tag = "groups",
    params(GroupPath),
    request_body = ExemptMembers,
    responses(
        (status = 200, description = "The group.", body = Group),
        (status = 403, description = "A user is not in it, or owns it; nothing was changed.", body = ErrorBody),
        OfGroup, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn exempt_members(
    State(api): State<Api>,
    app: App,
    Path(path): Path<GroupPath>,
    Body(body): Body<ExemptMembers>,
) -> Result<Json<Group>> {
    let exempt = GroupChange::Exempt {
        users: users("members", &body.members, 1..=GROUP_CHANGE_USERS_MAX)?,
        exempt: body.exempt,
    };
    change(&api, app, &path.group_id, exempt).await
}

/// Users to ban.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BanUsers {
    /// They need not be members; members are removed.
    #[schema(min_items = 1, max_items = 100)]
    users: Vec<String>,
    /// At most ten years; 0 lifts the ban.
    #[schema(maximum = 315_360_000)]
    seconds: u64,
}

/// Ban users from a group, or lift it.
#[utoipa::path(
    post, path = "/v1/groups/{group_id}/bans", tag = "groups",
    params(GroupPath),
    request_body = BanUsers,
    responses(
        (status = 200, description = "The group as it now is.", body = Group),
        (status = 403, description = "A user owns it; nothing was changed.", body = ErrorBody),
        (status = 409, description = "500 users are banned already.", body = ErrorBody),
        OfGroup, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn ban_users(
    State(api): State<Api>,
    app: App,
    Path(path): Path<GroupPath>,
    Body(body): Body<BanUsers>,
) -> Result<Json<Group>> {
    let (users, until) = users_until(&api, "users", &body.users, body.seconds)?;
    change(&api, app, &path.group_id, GroupChange::Ban { users, until }).await
}

/// Requests to decide.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecideJoinRequests {
    /// Who does not wait for an answer is passed over.
    #[schema(min_items = 1, max_items = 100)]
    users: Vec<String>,
    approve: bool,
}

/// Approve or reject requests to join a group.
#[utoipa::path(
    post, path = "/v1/groups/{group_id}/join-requests", tag = "groups",
    params(GroupPath),
    request_body = DecideJoinRequests,
    responses(
        (status = 200, description = "The group as it now is.", body = Group),
        (status = 403, description = "A user is banned; nothing was changed.", body = ErrorBody),
        (status = 409, description = "The group would be too large; nothing was changed.", body = ErrorBody),
        OfGroup, Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn decide_join_requests(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<GroupPath>,
    Body(body): Body<DecideJoinRequests>,
) -> Result<Json<Group>> {
    let id = group_id("group_id", &path.group_id)?;
    let users = users("users", &body.users, 1..=GROUP_CHANGE_USERS_MAX)?;
    let group = api
        .engine
        .decide_join_requests(app, By::Server, &id, &users, body.approve)
        .await?;
    Ok(Json(group.into()))
}

/// A user outside of a group: banned, asking, or invited.
#[derive(Serialize, ToSchema)]
pub(super) struct GroupUser {
    user_id: String,
    time: u64,
    /// Who banned or invited; empty: the server API.
    operator: String,
    /// Until when it is good.
    until: u64,
    /// Of a request.
    message: String,
}

/// A page of users outside of a group.
#[derive(Serialize, ToSchema)]
pub(super) struct GroupUserPage {
    /// By user id.
    users: Vec<GroupUser>,
    /// Where the next page starts; empty on the last one.
    cursor: String,
}

async fn outside(
    api: &Api,
    App(app): App,
    path: &GroupPath,
    query: &MembersQuery,
    list: Outside,
) -> Result<Json<GroupUserPage>> {
    let id = group_id("group_id", &path.group_id)?;
    let (cursor, limit) = query.page()?;
    let page = api
        .engine
        .group_users(app, By::Server, &id, list, cursor, limit);
    Ok(Json(page.await?.into()))
}

impl From<anser_engine::group::GroupUserPage> for GroupUserPage {
    fn from(page: anser_engine::group::GroupUserPage) -> Self {
        let users = page.users.into_iter().map(|user| GroupUser {
            user_id: user.user.to_string(),
            time: user.time.0,
            operator: user.operator,
            until: user.until.0,
            message: user.message,
        });
        Self {
            users: users.collect(),
            cursor: page.cursor,
        }
    }
}

/// List who is banned from a group.
#[utoipa::path(
    get, path = "/v1/groups/{group_id}/bans", tag = "groups",
    params(GroupPath, MembersQuery),
    responses(
        (status = 200, description = "A page.", body = GroupUserPage),
        OfGroup, Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_bans(
    State(api): State<Api>,
    app: App,
    Path(path): Path<GroupPath>,
    Query(query): Query<MembersQuery>,
) -> Result<Json<GroupUserPage>> {
    outside(&api, app, &path, &query, Outside::Banned).await
}

/// List who asks to be let into a group.
#[utoipa::path(
    get, path = "/v1/groups/{group_id}/join-requests", tag = "groups",
    params(GroupPath, MembersQuery),
    responses(
        (status = 200, description = "A page.", body = GroupUserPage),
        OfGroup, Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_join_requests(
    State(api): State<Api>,
    app: App,
    Path(path): Path<GroupPath>,
    Query(query): Query<MembersQuery>,
) -> Result<Json<GroupUserPage>> {
    outside(&api, app, &path, &query, Outside::Asking).await
}

/// List who is invited to a group and has not answered.
#[utoipa::path(
    get, path = "/v1/groups/{group_id}/invitations", tag = "groups",
    params(GroupPath, MembersQuery),
    responses(
        (status = 200, description = "A page.", body = GroupUserPage),
        OfGroup, Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_invitations(
    State(api): State<Api>,
    app: App,
    Path(path): Path<GroupPath>,
    Query(query): Query<MembersQuery>,
) -> Result<Json<GroupUserPage>> {
    outside(&api, app, &path, &query, Outside::Invited).await
}
