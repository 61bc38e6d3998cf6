//! An app's own settings.

use anser_domain::control::{AppSettings, AppSettingsChange};
use anser_domain::{AppId, Code, Reject};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::apps::AppPath;
use super::auth::AppOrAdmin;
use super::extract::{Body, Path};
use super::failure::{ErrorBody, Result};
use super::spec::{Common, WithBody};

/// For fields that may be absent, and are `null` to go back to what holds without them.
fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// An app's own settings; `null`: as the operator's configuration says.
#[derive(Serialize, ToSchema)]
pub(super) struct AppSettingsJson {
    /// Bytes of a message's content, type and body together.
    #[schema(required)]
    content_bytes_max: Option<u32>,
    /// Messages a second that one connection of a client may send in the long run; 0: as many as
    /// it likes.
    #[schema(required)]
    client_messages_per_second: Option<u32>,
    /// Messages that it may send at once after a pause.
    #[schema(required)]
    client_messages_burst: Option<u32>,
    /// Messages to users that the backend may send in a minute; 0: as many as it likes.
    #[schema(required)]
    user_messages_per_minute: Option<u32>,
    /// Messages to groups that the backend may send in a second; 0: as many as it likes.
    #[schema(required)]
    group_messages_per_second: Option<u32>,
    /// How long a sender may take a message back, in seconds; 0: not at all.
    #[schema(required)]
    recall_seconds: Option<u32>,
    /// How long a sender may edit a message, in seconds; 0: not at all.
    #[schema(required)]
    edit_seconds: Option<u32>,
    /// Members of a group. One that has more already keeps them.
    #[schema(required)]
    group_members_max: Option<u32>,
    /// Days after which messages of private chats are removed.
    #[schema(required)]
    private_retention_days: Option<u32>,
    /// Days after which messages of groups, and of everything like them, are removed.
    #[schema(required)]
    group_retention_days: Option<u32>,
    /// Days after which files are removed; 0: they are kept.
    #[schema(required)]
    media_retention_days: Option<u32>,
    /// A message from a blocked sender is acknowledged like any other and goes nowhere; without
    /// it, it is refused.
    #[schema(required)]
    swallow_blocked: Option<bool>,
    /// Presence is kept, and told to who subscribes; without it, it is off.
    #[schema(required)]
    presence: Option<bool>,
    /// Messages to chat rooms that the backend may send in a second; 0: as many as it likes.
    #[schema(required)]
    room_messages_per_second: Option<u32>,
    /// Messages that a chat room takes in 200 ms.
    #[schema(required)]
    room_window_messages: Option<u32>,
    /// How many of these low ones can't take.
    #[schema(required)]
    room_window_reserved: Option<u32>,
    /// Protected messages that it takes beyond.
    #[schema(required)]
    room_window_protected: Option<u32>,
    /// Messages of a chat room that a member who is away may miss before leaving.
    #[schema(required)]
    room_missed: Option<u32>,
    /// Seconds that a member of a chat room may be away before leaving.
    #[schema(required)]
    room_away_seconds: Option<u32>,
    /// Minutes without messages and joins after which a chat room is destroyed.
    #[schema(required)]
    room_idle_minutes: Option<u32>,
    /// Chat rooms that a connection is in at a time; joining another leaves the first.
    #[schema(required)]
    rooms_of_session: Option<u32>,
    /// Attributes of one chat room that are changed in a second.
    #[schema(required)]
    room_attribute_changes_per_second: Option<u32>,
    /// Whoever joins a chat room that is not there creates it; without it, your backend creates
    /// rooms.
    #[schema(required)]
    room_created_by_joining: Option<bool>,
}

impl From<AppSettings> for AppSettingsJson {
    fn from(own: AppSettings) -> Self {
        Self {
            content_bytes_max: own.content_bytes_max,
            client_messages_per_second: own.client_messages_per_second,
            client_messages_burst: own.client_messages_burst,
            user_messages_per_minute: own.user_messages_per_minute,
            group_messages_per_second: own.group_messages_per_second,
            recall_seconds: own.recall_seconds,
            edit_seconds: own.edit_seconds,
            group_members_max: own.group_members_max,
            private_retention_days: own.private_retention_days,
            group_retention_days: own.group_retention_days,
            media_retention_days: own.media_retention_days,
            swallow_blocked: own.swallow_blocked,
            presence: own.presence,
            room_messages_per_second: own.room_messages_per_second,
            room_window_messages: own.room_window_messages,
            room_window_reserved: own.room_window_reserved,
            room_window_protected: own.room_window_protected,
            room_missed: own.room_missed,
            room_away_seconds: own.room_away_seconds,
            room_idle_minutes: own.room_idle_minutes,
            rooms_of_session: own.rooms_of_session,
            room_attribute_changes_per_second: own.room_attribute_changes_per_second,
            room_created_by_joining: own.room_created_by_joining,
        }
    }
}

/// What is to be changed: what is absent stays, `null` goes back to the operator's configuration.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateAppSettings {
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 131_072)]
    content_bytes_max: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 1_000)]
    client_messages_per_second: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    client_messages_burst: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 10_000_000)]
    user_messages_per_minute: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 100_000)]
    group_messages_per_second: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 315_360_000)]
    recall_seconds: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 315_360_000)]
    edit_seconds: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3_000)]
    group_members_max: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 2, maximum = 1_096)]
    private_retention_days: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 2, maximum = 1_096)]
    group_retention_days: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 1_096)]
    media_retention_days: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<bool>)]
    swallow_blocked: Option<Option<bool>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<bool>)]
    presence: Option<Option<bool>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 100_000)]
    room_messages_per_second: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    room_window_messages: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 10_000)]
    room_window_reserved: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 10_000)]
    room_window_protected: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 1_000)]
    room_missed: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3_600)]
    room_away_seconds: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10_080)]
    room_idle_minutes: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 50)]
    rooms_of_session: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    room_attribute_changes_per_second: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<bool>)]
    room_created_by_joining: Option<Option<bool>>,
}

impl From<UpdateAppSettings> for AppSettingsChange {
    fn from(update: UpdateAppSettings) -> Self {
        Self {
            content_bytes_max: update.content_bytes_max,
            client_messages_per_second: update.client_messages_per_second,
            client_messages_burst: update.client_messages_burst,
            user_messages_per_minute: update.user_messages_per_minute,
            group_messages_per_second: update.group_messages_per_second,
            recall_seconds: update.recall_seconds,
            edit_seconds: update.edit_seconds,
            group_members_max: update.group_members_max,
            private_retention_days: update.private_retention_days,
            group_retention_days: update.group_retention_days,
            media_retention_days: update.media_retention_days,
            swallow_blocked: update.swallow_blocked,
            presence: update.presence,
            room_messages_per_second: update.room_messages_per_second,
            room_window_messages: update.room_window_messages,
            room_window_reserved: update.room_window_reserved,
            room_window_protected: update.room_window_protected,
            room_missed: update.room_missed,
            room_away_seconds: update.room_away_seconds,
            room_idle_minutes: update.room_idle_minutes,
            rooms_of_session: update.rooms_of_session,
            room_attribute_changes_per_second: update.room_attribute_changes_per_second,
            room_created_by_joining: update.room_created_by_joining,
        }
    }
}

/// The app of the path, if the caller may see it.
pub(super) async fn app_of(api: &Api, caller: &AppOrAdmin, path: &AppPath) -> Result<AppId> {
    let app = api.engine.app(&path.app_key).await?;
    match caller {
        AppOrAdmin::App(own) if *own != app.id => {
            Err(Reject::new(Code::NotFound, "there is no such app").into())
        }
        AppOrAdmin::App(_) | AppOrAdmin::Admin => Ok(app.id),
    }
}

/// Show an app's own settings.
#[utoipa::path(
    get, path = "/v1/apps/{app_key}/settings", tag = "apps",
    params(AppPath),
    responses(
        (status = 200, description = "The settings.", body = AppSettingsJson),
        (status = 404, description = "There is no app of this key, or it is another's.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn get_app_settings(
    State(api): State<Api>,
    caller: AppOrAdmin,
    Path(path): Path<AppPath>,
) -> Result<Json<AppSettingsJson>> {
    let app = app_of(&api, &caller, &path).await?;
    Ok(Json(api.engine.stored_app_settings(app).await?.into()))
}

/// Change an app's own settings.
///
/// They hold within two seconds, for connections that are open too.
#[utoipa::path(
    patch, path = "/v1/apps/{app_key}/settings", tag = "apps",
    params(AppPath),
    request_body = UpdateAppSettings,
    responses(
        (status = 200, description = "The settings as they now are.", body = AppSettingsJson),
        (status = 404, description = "There is no app of this key, or it is another's.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn update_app_settings(
    State(api): State<Api>,
    caller: AppOrAdmin,
    Path(path): Path<AppPath>,
    Body(body): Body<UpdateAppSettings>,
) -> Result<Json<AppSettingsJson>> {
    let app = app_of(&api, &caller, &path).await?;
    let change = body.into();
    Ok(Json(
        api.engine.change_app_settings(app, &change).await?.into(),
    ))
}
