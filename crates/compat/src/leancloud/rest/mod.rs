//! LeanCloud's REST API, for clients and for back ends.
//!
//! Below `/1.1` is what client SDKs call beside their WebSocket ([`clients`]), and the older API
//! for back ends ([`classes`], [`legacy`]); below `/1.2/rtm` the newer one, by kind of conversation
//! ([`conversations`], [`members`], [`messages`], [`history`], [`services`], [`online`]). Handlers
//! translate: arguments in, calls of the engine, JSON out. Who calls is in [`call`].

mod call;
mod classes;
mod clients;
mod conversations;
mod failure;
mod files;
mod history;
mod legacy;
mod members;
mod messages;
mod missed;
mod online;
mod services;

use axum::Router;
use axum::routing::{MethodRouter, delete, get, post, put};

use super::LeanCloud;
pub use files::Files;

type Method = MethodRouter<LeanCloud>;

/// The routes below `/1.1` and `/1.2`.
pub(crate) fn router(door: LeanCloud) -> Router {
    let newer = Router::new()
        .merge(of_conversations())
        .merge(of_rooms())
        .merge(of_services())
        .merge(of_clients());
    Router::new()
        .merge(older())
        .merge(files::router())
        .nest("/1.2/rtm", newer)
        .with_state(door)
}

/// A kind of conversations as objects.
fn objects(all: Method, one: Method, path: &str) -> Router<LeanCloud> {
    Router::new()
        .route(&format!("/{path}"), all)
        .route(&format!("/{path}/{{id}}"), one)
}

fn of_conversations() -> Router<LeanCloud> {
    use conversations as c;
    use members as m;
    let all = post(c::create_plain).get(c::list_plain);
    let one = put(c::update_plain).delete(c::delete_plain);
    let edit = put(messages::edit_plain).delete(messages::delete_plain);
    let here = |rest: &str| format!("/conversations/{{id}}/{rest}");
    Router::new()
        .merge(objects(all, one, "conversations"))
        .route("/all-conversations", get(c::list_all))
        .route(
            &here("members"),
            post(m::add).delete(m::remove).get(m::list),
        )
        .route(
            &here("mutes"),
            post(m::mute_on).delete(m::mute_off).get(m::muted),
        )
        .route(
            &here("messages"),
            post(messages::send_plain).get(history::list_plain),
        )
        .route(&here("messages/{mid}"), edit)
        .route(&here("messages/{mid}/recall"), put(messages::recall_plain))
        .route(&here("member-infos"), post(m::add_info).get(m::list_infos))
        .route(
            &here("member-infos/{info}"),
            put(m::change_info).delete(m::remove_info),
        )
        .route(
            &here("temporary-silenceds"),
            post(m::silence_for).delete(m::silence_for_no_more),
        )
        .route(
            &here("permanent-silenceds"),
            post(m::silence).delete(m::silence_no_more).get(m::silenced),
        )
        .route(
            &here("blacklists"),
            post(m::block).delete(m::unblock).get(m::blocked),
        )
}

fn of_rooms() -> Router<LeanCloud> {
    use conversations as c;
    use members as m;
    let all = post(c::create_room).get(c::list_rooms);
    let one = put(c::update_room).delete(c::delete_room);
    let here = |rest: &str| format!("/chatrooms/{{id}}/{rest}");
    Router::new()
        .merge(objects(all, one, "chatrooms"))
        .route(&here("members"), get(m::in_room))
        .route(&here("members/online-count"), get(m::count_in_room))
        .route(
            &here("messages"),
            post(messages::send_in_room).get(history::list_room),
        )
        .route(&here("messages/{mid}"), delete(messages::recall_in_room))
        .route(
            &here("messages/{mid}/recall"),
            put(messages::recall_in_room),
        )
        .route(
            &here("temporary-silenceds"),
            post(m::silence_in_room_for).delete(m::silence_in_room_for_no_more),
        )
        .route(
            &here("permanent-silenceds"),
            post(m::silence_in_room)
                .delete(m::silence_in_room_no_more)
                .get(m::silenced_in_room),
        )
        .route(
            &here("blacklists"),
            post(m::block_in_room)
                .delete(m::unblock_in_room)
                .get(m::blocked_in_room),
        )
}

fn of_services() -> Router<LeanCloud> {
    use conversations as c;
    let all = post(c::create_system).get(c::list_systems);
    let one = put(c::update_system).delete(c::delete_system);
    let here = |rest: &str| format!("/service-conversations/{{id}}/{rest}");
    Router::new()
        .merge(objects(all, one, "service-conversations"))
        .route(
            &here("subscribers"),
            post(services::subscribe).get(services::list),
        )
        .route(&here("subscribers/count"), get(services::count))
        .route(&here("subscribers/{client}"), delete(services::unsubscribe))
        .route(
            &here("subscribers/{client}/messages"),
            get(history::of_subscriber),
        )
        .route(&here("broadcasts"), post(messages::broadcast))
        .route(
            &here("messages"),
            post(messages::send_to_subscribers).get(history::list_system),
        )
        .route(&here("messages/{mid}"), put(messages::edit_system))
        .route(&here("messages/{mid}/recall"), put(messages::recall_system))
}

fn of_clients() -> Router<LeanCloud> {
    Router::new()
        .route("/messages", get(history::of_app))
        .route("/clients/check-online", post(online::check_online))
        .route("/clients/{client}/kick", post(online::kick))
        .route("/clients/{client}/unread-count", get(online::unread))
        .route(
            "/clients/{client}/service-conversations",
            get(online::services),
        )
        .route("/clients/{client}/messages", get(history::of_client))
}

/// What is below `/1.1`.
fn older() -> Router<LeanCloud> {
    let subscription = post(legacy::subscribe).delete(legacy::unsubscribe);
    let logs = get(legacy::history)
        .put(legacy::edit)
        .delete(legacy::delete);
    Router::new()
        .route("/1.1/date", get(classes::date))
        .route("/1.1/rtm/notifications", get(clients::notifications))
        .route(
            "/1.1/classes/_ConversationMemberInfo",
            get(clients::member_infos),
        )
        .route(
            "/1.1/classes/_Conversation",
            post(classes::create_one).get(classes::find),
        )
        .route(
            "/1.1/classes/_Conversation/{id}",
            get(classes::get_one)
                .put(classes::update_one)
                .delete(classes::delete_one),
        )
        .route("/1.1/rtm/messages", post(legacy::send_message))
        .route("/1.1/rtm/messages/history", get(legacy::history))
        .route("/1.1/rtm/messages/logs", logs)
        .route("/1.1/rtm/patch/message", put(legacy::edit))
        .route("/1.1/rtm/messages/unread/{client}", get(online::unread))
        .route(
            "/1.1/rtm/messages/unread/{client}/{id}",
            get(legacy::unread_of),
        )
        .route(
            "/1.1/rtm/broadcast/subscriber",
            post(legacy::to_subscribers),
        )
        .route("/1.1/rtm/conversation/subscription", subscription)
        .route("/1.1/rtm/transient_group/onlines", get(legacy::in_room))
        .route("/1.1/rtm/online", post(legacy::online))
        .route("/1.1/rtm/client/kick", post(legacy::kick))
}
