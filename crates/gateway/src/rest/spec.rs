//! The description of the API, collected from the handlers.

use std::collections::BTreeMap;

use utoipa::openapi::response::Response;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, InfoBuilder, LicenseBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::{
    app_settings, apps, bans, changes, conversations, created, dead_letters, doors, failure,
    group_admin, groups, media, messages, operations, own_view, presence, receipts, relations,
    room_attributes, room_lists, room_messages, room_types, rooms, search, system, tags, tokens,
    users,
};

#[derive(OpenApi)]
#[openapi(
    paths(
        apps::list_apps,
        apps::create_app,
        apps::get_app,
        apps::rotate_api_secret,
        apps::rotate_token_key,
        dead_letters::list_dead_letters,
        dead_letters::replay_dead_letter,
        app_settings::get_app_settings,
        app_settings::update_app_settings,
        doors::get_door,
        doors::put_door,
        users::put_user,
        users::get_user,
        tokens::create_token,
        tokens::revoke_tokens,
        users::list_sessions,
        users::sign_out,
        tags::get_tags,
        tags::put_tags,
        tags::delete_tags,
        tags::put_users_tags,
        tags::list_tagged,
        conversations::list_conversations,
        conversations::get_conversation,
        conversations::mark_read,
        own_view::update_conversation,
        own_view::delete_conversation,
        own_view::clear_history,
        own_view::delete_messages,
        own_view::list_mentions,
        receipts::mark_delivered,
        receipts::list_readers,
        messages::send_message,
        messages::list_messages,
        search::search_user_messages,
        search::search_messages,
        changes::get_message,
        changes::recall_message,
        changes::edit_message,
        changes::update_expansion,
        changes::react,
        changes::list_edits,
        changes::list_changes,
        created::create_conversation,
        created::query_conversations,
        created::get_created,
        created::update_created,
        created::dismiss_created,
        created::list_created_members,
        created::add_created_members,
        created::remove_created_members,
        created::transfer_created,
        created::set_created_role,
        created::mute_created,
        created::block_created,
        created::list_created_blocks,
        system::create_system,
        system::list_systems,
        system::get_system,
        system::update_system,
        system::dismiss_system,
        system::list_subscribers,
        system::subscribe,
        system::unsubscribe,
        system::send_system_message,
        groups::create_group,
        groups::get_group,
        groups::dismiss_group,
        groups::list_members,
        groups::add_members,
        groups::remove_members,
        groups::quit_group,
        group_admin::update_group,
        group_admin::transfer_group,
        group_admin::set_role,
        group_admin::define_role,
        group_admin::remove_role,
        group_admin::update_member,
        group_admin::mute_members,
        group_admin::exempt_members,
        group_admin::ban_users,
        group_admin::list_bans,
        group_admin::decide_join_requests,
        group_admin::list_join_requests,
        group_admin::list_invitations,
        rooms::create_room,
        rooms::get_room,
        rooms::change_room,
        rooms::destroy_room,
        rooms::list_room_members,
        rooms::query_room_members,
        room_lists::remove_from_room,
        room_messages::send_to_room,
        room_messages::recall_in_room,
        room_messages::list_room_messages,
        room_attributes::get_room_attributes,
        room_attributes::query_room_attributes,
        room_attributes::change_room_attributes,
        room_lists::get_room_list,
        room_lists::put_on_room_list,
        room_lists::take_off_room_list,
        room_lists::mute_all_in_room,
        room_types::get_room_types,
        room_types::set_room_types,
        relations::list_blocked,
        relations::update_block_list,
        relations::list_allowed,
        relations::update_allow_list,
        presence::get_presence,
        presence::query_presence,
        presence::set_presence_status,
        bans::ban_user,
        bans::unban_user,
        bans::list_user_bans,
        bans::list_mutes,
        bans::mute_everywhere,
        bans::mute_kind,
        bans::list_exemptions,
        bans::exempt_everywhere,
        media::files::upload_media,
        media::files::get_media,
        media::files::delete_media,
        media::download::get_content,
        media::download::get_thumbnail,
        media::tus::create_upload,
        media::tus::get_upload_offset,
        media::tus::upload_piece,
        media::tus::delete_upload,
        operations::healthz,
        operations::readyz,
        operations::metrics,
    ),
    components(schemas(failure::ErrorBody)),
    tags(
        (name = "tokens", description = "What a client signs in with. Your backend gets one for a user whom it has authenticated, and hands it to the client."),
        (name = "users", description = "Users exist from their first token, or from when you tell of them."),
        (name = "messages", description = "Sending on behalf of users, and reading what was sent."),
        (name = "conversations", description = "A user's conversation list with unread counts and read positions."),
        (name = "created conversations", description = "Conversations that users create, with nested attributes. Their messages are read and sent as everywhere."),
        (name = "system conversations", description = "Your backend speaks to all users, to those who subscribe, or to some of them; they answer. A message is stored once, whoever it is for."),
        (name = "media", description = "Files: uploads in one request or in pieces, thumbnails, downloads. A user calls these with the token that the client signs in with."),
        (name = "groups", description = "Groups of up to 3,000 members."),
        (name = "chat rooms", description = "Many people, all of them online, and nothing that has to be kept. Under load messages are dropped, by rules that protect what matters."),
        (name = "control", description = "Whom the app keeps out, who may not write, whom a user hears, and who is online."),
        (name = "apps", description = "Apps and their keys: for the operator, with the admin token. Two API secrets and two token keys of an app are alive at a time, so that they can be exchanged without an interruption."),
        (name = "operations", description = "For load balancers and monitoring."),
    ),
    modifiers(&Frame),
)]
struct Description;

/// The OpenAPI 3.1 description of the server API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// What is about the API as a whole.
struct Frame;

impl Modify for Frame {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        api.info = InfoBuilder::new()
            .title("Anser server API")
            .version("1")
            .description(Some(ABOUT))
            .license(Some(
                LicenseBuilder::new()
                    .name("Apache-2.0")
                    .identifier(Some("Apache-2.0"))
                    .build(),
            ))
            .build();
        api.servers = None;
        let components = api.components.get_or_insert_default();
        let mut basic = Http::new(HttpAuthScheme::Basic);
        basic.description = Some("App key and API secret.".to_owned());
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some(
            "The installation's admin token. Where a request is about what is inside an app, \
             the header `Anser-App` names it."
                .to_owned(),
        );
        let mut user = Http::new(HttpAuthScheme::Bearer);
        user.bearer_format = Some("JWT".to_owned());
        user.description = Some("A user's token, where a path says so.".to_owned());
        components.add_security_scheme("user", SecurityScheme::Http(user));
        components.add_security_scheme("app", SecurityScheme::Http(basic));
        components.add_security_scheme("admin", SecurityScheme::Http(bearer));
    }
}

const ABOUT: &str = "\
For your backend and for operators. Clients speak the protocol of docs/protocol.md instead.

A backend authenticates with HTTP Basic, `app_key:api_secret`, and acts for that app only. Times \
are Unix milliseconds, sizes are bytes. Unknown fields and query parameters are refused. A list \
comes in pages: give the `cursor` of a page to get the next; it is empty on the last.

Whatever fails answers `{\"error\": {\"code\", \"name\", \"message\", \"retry_after_ms\"}}`. \
Codes 1000–1999 may be retried, and a send that is retried with the same `client_message_id` is \
never stored twice. Every answer has an `X-Request-Id`, yours if you sent one.";

fn refusals<const N: usize>(all: [(&str, &str); N]) -> BTreeMap<String, RefOr<Response>> {
    let entry = |(status, description): (&str, &str)| {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("ErrorBody")))
            .build();
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/json", content)
            .build();
        (status.to_owned(), RefOr::T(response))
    };
    all.into_iter().map(entry).collect()
}

/// The refusals that any request with a key may meet.
pub(super) struct Common;

impl IntoResponses for Common {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("400", "Malformed, or beyond a limit; `message` says what."),
            ("401", "The key is missing or wrong."),
            (
                "500",
                "The server failed; look for the request id in its log.",
            ),
            (
                "503",
                "Not now: a store out of reach, a full queue, a shutdown.",
            ),
            (
                "504",
                "Not within the time allowed: it may have taken effect.",
            ),
        ])
    }
}

/// The refusals of what is about one conversation.
pub(super) struct OfConversation;

impl IntoResponses for OfConversation {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("404", "There is no such conversation."),
            ("410", "It was dismissed."),
        ])
    }
}

/// The refusals of what is about one group.
pub(super) struct OfGroup;

impl IntoResponses for OfGroup {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("404", "There is no such group."),
            ("410", "It was dismissed."),
        ])
    }
}

/// The refusals that any request with a body may meet.
pub(super) struct WithBody;

impl IntoResponses for WithBody {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("413", "The body, or the content in it, is too large."),
            ("415", "The body is not declared as JSON."),
            ("507", "The server's disk is full."),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checked-in file is what reviewers and generators of clients read.
    #[test]
    fn every_operation_has_an_id_a_tag_and_a_summary() {
        let api = serde_json::to_value(openapi()).unwrap();
        let mut ids = std::collections::BTreeSet::new();
        for (path, item) in api["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id} twice");
                assert!(operation["summary"].is_string(), "{method} {path}");
                assert_eq!(operation["tags"].as_array().unwrap().len(), 1);
            }
        }
        assert_eq!(api["openapi"], "3.1.0");
    }
}
