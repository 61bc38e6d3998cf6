//! The server API: `/v1`, for the customer's backend and for operators.
//!
//! Whoever holds an app's API secret acts for that app, on behalf of any of its users, and of no
//! other app ([`auth`]). Apps themselves are made with the installation's admin token. Handlers
//! translate: JSON in, one call of the engine, JSON out. The rules are the engine's.
//!
//! * **One source.** Handlers carry their OpenAPI description; [`openapi`] collects it, the file
//!   `api/openapi.json` is generated from it, and a test holds router and description together.
//! * **Strict.** Unknown fields and unknown query parameters are refused, so that a typing error
//!   never does half of what was meant; every limit is in the description.
//! * **One shape of failure.** Whatever goes wrong, an unknown path included, the answer is
//!   `{"error": {code, name, message, retry_after_ms}}` with the codes of `docs/errors.md`
//!   ([`failure`]).
//! * **Bounded.** Body size, time ([`envelope`]), files ([`media`]) and messages per app ([`quota`]) are limited.
//!
//! The paths are versioned as a whole. Within `/v1` things are only ever added.

mod app_settings;
mod apps;
mod auth;
mod bans;
mod change_json;
mod changes;
mod conversations;
mod created;
mod dead_letters;
mod doors;
mod envelope;
mod extract;
mod failure;
mod group_admin;
mod groups;
mod media;
mod message_json;
mod messages;
mod metrics;
mod operations;
mod own_view;
mod presence;
mod quota;
mod receipts;
mod reference;
mod relations;
mod room_attributes;
mod room_lists;
mod room_messages;
mod room_types;
mod rooms;
mod search;
mod spec;
mod system;
mod tags;
mod tokens;
mod users;

use std::sync::Arc;

use anser_engine::{Engine, Env};
use anser_media::Media;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, patch, post, put};

use crate::door::Door;

pub use failure::refusal;
pub use media::MediaSettings;
pub use spec::openapi;

/// Limits of the server API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes of a request's body; larger ones get 413.
    pub body_bytes_max: usize,
    /// Milliseconds from the first byte of the request's head to the answer.
    pub timeout_ms: u64,
    /// Messages to users that an app may send in a minute; 0 lifts the limit.
    pub user_messages_per_minute: u32,
    /// Messages to groups that an app may send in a second; 0 lifts the limit.
    pub group_messages_per_second: u32,
    /// Messages to chat rooms that an app may send in a second; 0 lifts the limit.
    pub room_messages_per_second: u32,
    /// Uploads and downloads.
    pub media: MediaSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            timeout_ms: 30_000,
            user_messages_per_minute: 6_000,
            group_messages_per_second: 20,
            room_messages_per_second: 0,
            media: MediaSettings::default(),
        }
    }
}

/// Writes its metrics in Prometheus' text format behind what is there.
pub type MetricsWriter = Box<dyn Fn(&mut String) + Send + Sync>;

/// What the server API is made of.
pub struct Parts {
    /// What it speaks for.
    pub engine: Engine,
    /// Clock, randomness, timers.
    pub env: Env,
    /// Where uploaded files are.
    pub files: Media,
    /// Its limits.
    pub settings: Settings,
    /// Other protocols, for apps to set up.
    pub doors: Vec<Arc<dyn Door>>,
    /// The installation's admin token.
    pub admin_token: String,
    /// What `/metrics` says besides the API's own figures.
    pub metrics: Vec<MetricsWriter>,
}

pub(crate) struct Inner {
    engine: Engine,
    env: Env,
    settings: Settings,
    admin: auth::AdminToken,
    quota: quota::Quota,
    media: media::State,
    doors: Vec<Arc<dyn Door>>,
    http: metrics::HttpMetrics,
    metrics: Vec<MetricsWriter>,
}

/// What every handler gets.
#[derive(Clone)]
pub(crate) struct Api(Arc<Inner>);

impl std::ops::Deref for Api {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// The routes of the server API, of operations (`/healthz`, `/readyz`, `/metrics`) and of the
/// reference page (`/docs`). `others` are merged in, and get the same envelope: request ids,
/// metrics, time limit, and the API's answer to unknown paths.
pub fn router(parts: Parts, others: Router) -> Router {
    let api = Api(Arc::new(Inner {
        quota: quota::Quota::new(&parts.settings),
        media: media::State::new(parts.files, &parts.settings.media),
        admin: auth::AdminToken::new(&parts.admin_token),
        engine: parts.engine,
        env: parts.env,
        doors: parts.doors,
        settings: parts.settings,
        http: metrics::HttpMetrics::default(),
        metrics: parts.metrics,
    }));
    api.env.spawn(media::sweep(Arc::downgrade(&api.0)));
    api.env.spawn(media::walk(Arc::downgrade(&api.0)));
    routes()
        .with_state(api.clone())
        .merge(others)
        .fallback(failure::unknown_path)
        .method_not_allowed_fallback(failure::unknown_method)
        .layer(DefaultBodyLimit::max(api.settings.body_bytes_max))
        .layer(axum::middleware::from_fn_with_state(
            api,
            envelope::envelope,
        ))
}

fn routes() -> Router<Api> {
    app_routes()
        .merge(user_routes())
        .merge(conversation_routes())
        .merge(created_routes())
        .merge(system_routes())
        .merge(group_routes())
        .merge(room_routes())
        .merge(control_routes())
        .merge(media::routes())
        .merge(own_routes())
}

/// Apps and their keys.
fn app_routes() -> Router<Api> {
    Router::new()
        .route("/v1/apps", get(apps::list_apps).post(apps::create_app))
        .route("/v1/apps/{app_key}", get(apps::get_app))
        .route(
            "/v1/apps/{app_key}/settings",
            get(app_settings::get_app_settings).patch(app_settings::update_app_settings),
        )
        .route(
            "/v1/apps/{app_key}/doors/{door}",
            get(doors::get_door).put(doors::put_door),
        )
        .route(
            "/v1/apps/{app_key}/api-secrets",
            post(apps::rotate_api_secret),
        )
        .route(
            "/v1/apps/{app_key}/token-keys",
            post(apps::rotate_token_key),
        )
}

/// Users, and conversations as one of them sees them.
fn user_routes() -> Router<Api> {
    Router::new()
        .route(
            "/v1/users/{user_id}",
            put(users::put_user).get(users::get_user),
        )
        .route(
            "/v1/users/{user_id}/messages/search",
            get(search::search_user_messages),
        )
        .route(
            "/v1/users/{user_id}/tags",
            get(tags::get_tags)
                .put(tags::put_tags)
                .delete(tags::delete_tags),
        )
        .route("/v1/tags", put(tags::put_users_tags))
        .route("/v1/tags/{tag}/users", get(tags::list_tagged))
        .route("/v1/users/{user_id}/token", post(tokens::create_token))
        .route("/v1/users/{user_id}/tokens", delete(tokens::revoke_tokens))
        .route(
            "/v1/users/{user_id}/sessions",
            get(users::list_sessions).delete(users::sign_out),
        )
        .route(
            "/v1/users/{user_id}/conversations",
            get(conversations::list_conversations),
        )
        .route(
            "/v1/users/{user_id}/conversations/{conversation}",
            get(conversations::get_conversation)
                .patch(own_view::update_conversation)
                .delete(own_view::delete_conversation),
        )
        .route(
            "/v1/users/{user_id}/conversations/{conversation}/clear",
            post(own_view::clear_history),
        )
        .route(
            "/v1/users/{user_id}/conversations/{conversation}/messages/delete",
            post(own_view::delete_messages),
        )
        .route(
            "/v1/users/{user_id}/conversations/{conversation}/mentions",
            get(own_view::list_mentions),
        )
        .route(
            "/v1/users/{user_id}/conversations/{conversation}/delivered",
            post(receipts::mark_delivered),
        )
        .route(
            "/v1/users/{user_id}/conversations/{conversation}/read",
            post(conversations::mark_read),
        )
}

/// Messages, whoever reads them.
fn conversation_routes() -> Router<Api> {
    Router::new()
        .route(
            "/v1/conversations/{conversation}/messages/{seq}/readers",
            get(receipts::list_readers),
        )
        .route("/v1/messages", post(messages::send_message))
        .route(
            "/v1/conversations/{conversation}/messages",
            get(messages::list_messages),
        )
        .route(
            "/v1/conversations/{conversation}/messages/search",
            get(search::search_messages),
        )
        .route(
            "/v1/conversations/{conversation}/messages/{seq}",
            get(changes::get_message),
        )
        .route(
            "/v1/conversations/{conversation}/messages/{seq}/recall",
            post(changes::recall_message),
        )
        .route(
            "/v1/conversations/{conversation}/messages/{seq}/content",
            put(changes::edit_message),
        )
        .route(
            "/v1/conversations/{conversation}/messages/{seq}/expansion",
            patch(changes::update_expansion),
        )
        .route(
            "/v1/conversations/{conversation}/messages/{seq}/reactions",
            post(changes::react),
        )
        .route(
            "/v1/conversations/{conversation}/messages/{seq}/edits",
            get(changes::list_edits),
        )
        .route(
            "/v1/conversations/{conversation}/changes",
            get(changes::list_changes),
        )
}

/// System conversations.
fn system_routes() -> Router<Api> {
    Router::new()
        .route(
            "/v1/system-conversations",
            get(system::list_systems).post(system::create_system),
        )
        .route(
            "/v1/system-conversations/{system_id}",
            get(system::get_system)
                .patch(system::update_system)
                .delete(system::dismiss_system),
        )
        .route(
            "/v1/system-conversations/{system_id}/subscribers",
            get(system::list_subscribers).post(system::subscribe),
        )
        .route(
            "/v1/system-conversations/{system_id}/subscribers/remove",
            post(system::unsubscribe),
        )
        .route(
            "/v1/system-conversations/{system_id}/messages",
            post(system::send_system_message),
        )
}

/// Conversations that users create.
fn created_routes() -> Router<Api> {
    Router::new()
        .route("/v1/conversations", post(created::create_conversation))
        .route(
            "/v1/conversations/query",
            post(created::query_conversations),
        )
        .route(
            "/v1/conversations/{conversation}",
            get(created::get_created)
                .patch(created::update_created)
                .delete(created::dismiss_created),
        )
        .route(
            "/v1/conversations/{conversation}/members",
            get(created::list_created_members).post(created::add_created_members),
        )
        .route(
            "/v1/conversations/{conversation}/members/remove",
            post(created::remove_created_members),
        )
        .route(
            "/v1/conversations/{conversation}/owner",
            put(created::transfer_created),
        )
        .route(
            "/v1/conversations/{conversation}/roles",
            post(created::set_created_role),
        )
        .route(
            "/v1/conversations/{conversation}/mutes",
            post(created::mute_created),
        )
        .route(
            "/v1/conversations/{conversation}/blocks",
            get(created::list_created_blocks).post(created::block_created),
        )
}

/// Groups.
fn group_routes() -> Router<Api> {
    Router::new()
        .route("/v1/groups", post(groups::create_group))
        .route(
            "/v1/groups/{group_id}",
            get(groups::get_group)
                .patch(group_admin::update_group)
                .delete(groups::dismiss_group),
        )
        .route(
            "/v1/groups/{group_id}/owner",
            put(group_admin::transfer_group),
        )
        .route("/v1/groups/{group_id}/roles", post(group_admin::set_role))
        .route(
            "/v1/groups/{group_id}/roles/{role_name}",
            put(group_admin::define_role).delete(group_admin::remove_role),
        )
        .route(
            "/v1/groups/{group_id}/members/{user_id}",
            patch(group_admin::update_member),
        )
        .route(
            "/v1/groups/{group_id}/mutes",
            post(group_admin::mute_members),
        )
        .route(
            "/v1/groups/{group_id}/exemptions",
            post(group_admin::exempt_members),
        )
        .route(
            "/v1/groups/{group_id}/bans",
            get(group_admin::list_bans).post(group_admin::ban_users),
        )
        .route(
            "/v1/groups/{group_id}/join-requests",
            get(group_admin::list_join_requests).post(group_admin::decide_join_requests),
        )
        .route(
            "/v1/groups/{group_id}/invitations",
            get(group_admin::list_invitations),
        )
        .route(
            "/v1/groups/{group_id}/members",
            get(groups::list_members).post(groups::add_members),
        )
        .route(
            "/v1/groups/{group_id}/members/remove",
            post(groups::remove_members),
        )
        .route("/v1/groups/{group_id}/quit", post(groups::quit_group))
}

/// Chat rooms.
fn room_routes() -> Router<Api> {
    Router::new()
        .route("/v1/rooms", post(rooms::create_room))
        .route(
            "/v1/rooms/{room_id}",
            get(rooms::get_room)
                .patch(rooms::change_room)
                .delete(rooms::destroy_room),
        )
        .route("/v1/rooms/{room_id}/members", get(rooms::list_room_members))
        .route(
            "/v1/rooms/{room_id}/members/query",
            post(rooms::query_room_members),
        )
        .route(
            "/v1/rooms/{room_id}/members/remove",
            post(room_lists::remove_from_room),
        )
        .route(
            "/v1/rooms/{room_id}/messages",
            get(room_messages::list_room_messages).post(room_messages::send_to_room),
        )
        .route(
            "/v1/rooms/{room_id}/messages/{message_id}/recall",
            post(room_messages::recall_in_room),
        )
        .route(
            "/v1/rooms/{room_id}/attributes",
            get(room_attributes::get_room_attributes)
                .patch(room_attributes::change_room_attributes),
        )
        .route(
            "/v1/rooms/{room_id}/attributes/query",
            post(room_attributes::query_room_attributes),
        )
        .route(
            "/v1/rooms/{room_id}/lists/{list}",
            get(room_lists::get_room_list).post(room_lists::put_on_room_list),
        )
        .route(
            "/v1/rooms/{room_id}/lists/{list}/remove",
            post(room_lists::take_off_room_list),
        )
        .route(
            "/v1/rooms/{room_id}/mute-all",
            put(room_lists::mute_all_in_room),
        )
        .route(
            "/v1/room-types",
            get(room_types::get_room_types).patch(room_types::set_room_types),
        )
}

/// Whom the app keeps out, and who may not write.
fn control_routes() -> Router<Api> {
    Router::new()
        .route(
            "/v1/users/{user_id}/ban",
            put(bans::ban_user).delete(bans::unban_user),
        )
        .route(
            "/v1/users/{user_id}/block-list",
            get(relations::list_blocked).patch(relations::update_block_list),
        )
        .route(
            "/v1/users/{user_id}/allow-list",
            get(relations::list_allowed).patch(relations::update_allow_list),
        )
        .route("/v1/users/{user_id}/presence", get(presence::get_presence))
        .route(
            "/v1/users/{user_id}/presence/status",
            put(presence::set_presence_status),
        )
        .route("/v1/presence/query", post(presence::query_presence))
        .route("/v1/bans", get(bans::list_user_bans))
        .route(
            "/v1/mutes/{kind}",
            get(bans::list_mutes).post(bans::mute_everywhere),
        )
        .route("/v1/mutes/{kind}/all", put(bans::mute_kind))
        .route(
            "/v1/mutes/{kind}/exemptions",
            get(bans::list_exemptions).post(bans::exempt_everywhere),
        )
}

/// The server's own: its reference, its health.
fn own_routes() -> Router<Api> {
    Router::new()
        .route("/v1/openapi.json", get(reference::openapi_json))
        .route("/docs", get(reference::page))
        .route("/docs/reference.css", get(reference::style))
        .route("/docs/reference.js", get(reference::script))
        .route("/v1/dead-letters", get(dead_letters::list_dead_letters))
        .route(
            "/v1/dead-letters/{dead_letter}/replay",
            post(dead_letters::replay_dead_letter),
        )
        .route("/healthz", get(operations::healthz))
        .route("/readyz", get(operations::readyz))
        .route("/metrics", get(operations::metrics))
}
