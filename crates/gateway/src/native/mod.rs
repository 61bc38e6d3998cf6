//! The native protocol in the engine's words and back.
//!
//! One file a capability: wire types in, checked engine types out, or a [`Reject`] that names the
//! field; engine types in, wire types out. Nothing here decides anything; the rules are the
//! engine's. The protocol itself is told in `docs/protocol.md`, its fields in `client.proto`.

mod change;
mod conversation;
mod created;
mod dialect;
mod group;
mod hello;
mod message;
mod own_view;
mod presence;
mod receipt;
mod relation;
mod room;
mod room_news;
mod search;
mod sync;
mod system;

pub use dialect::{Framing, NativeDialect};

pub(crate) use change::{
    change_page, edit, expand, message_changed, message_list, pull_changes, react,
};
pub(crate) use conversation::{conversation, conversation_page, list_conversations};
pub(crate) use created::{
    conversation_role, created, created_update, creation, found, join_mode, new_conversation,
    query, refuse_unique, temporary_seconds,
};
pub(crate) use group::{
    ban_seconds, defined_role, group, group_id, group_update, group_user, group_user_page,
    member_page, member_page_limit, member_update, new_group, new_role,
};
pub(crate) use hello::hello;
pub(crate) use message::{conversation_id, message, message_page, pull, send, will};
pub(crate) use own_view::{deleted_limit, deleted_page, settings_change};
pub(crate) use presence::{presence_list, presence_subscriptions};
pub(crate) use receipt::{reader_page, receipt_page, receipts_limit};
pub(crate) use relation::{list_relations, relation_change, relation_page};
pub(crate) use room::{
    join_room, message_id, moderation, room_attribute_changes, room_id, room_members_limit,
    send_to_room,
};
pub(crate) use room_news::{
    room, room_attribute_list, room_joined, room_member_page, room_message_page, room_message_sent,
};
pub(crate) use search::{search, search_page};
pub(crate) use sync::{sync, sync_result};
pub(crate) use system::{system, system_id};

use std::collections::BTreeSet;

use anser_domain::{Code, InvalidId, Reject, UserId};
use anser_proto::client as wire;

/// A refusal on the wire.
pub(crate) fn error(reject: &Reject) -> wire::Error {
    wire::Error {
        code: reject.code.number(),
        name: reject.code.name().to_owned(),
        message: reject.message.clone().into_owned(),
        retry_after_ms: reject.retry_after_ms,
    }
}

/// A frame with one item.
pub(crate) fn single(item: wire::server_item::Item) -> wire::ServerFrame {
    wire::ServerFrame {
        items: vec![wire::ServerItem { item: Some(item) }],
    }
}

/// A frame with one response.
pub(crate) fn response(id: u32, result: wire::response::Result) -> wire::ServerFrame {
    single(wire::server_item::Item::Response(wire::Response {
        id,
        result: Some(result),
    }))
}

fn bad_id(field: &str, why: InvalidId) -> Reject {
    Reject::new(Code::InvalidRequest, format!("{field} {why}"))
}

/// User ids, checked, each once: at most `max` are named, doubles included. `field` names them in
/// the refusal.
pub(crate) fn user_list(field: &str, texts: &[String], max: usize) -> Result<Vec<UserId>, Reject> {
    if texts.len() > max {
        let message = format!("{field} has more than {max} users");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    let mut seen = BTreeSet::new();
    let once = texts.iter().filter(|text| seen.insert(text.as_str()));
    once.map(|text| UserId::new(text).map_err(|why| bad_id(field, why)))
        .collect()
}

/// The size of a page: the default when the client does not say.
fn page_limit(asked: u32, default: usize, max: usize) -> Result<usize, Reject> {
    match usize::try_from(asked) {
        Ok(0) => Ok(default),
        Ok(limit) if limit <= max => Ok(limit),
        _ => {
            let message = format!("limit is {asked}, at most {max} are possible");
            Err(Reject::new(Code::InvalidRequest, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_checked_and_named_once() {
        let names = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            user_list("targets", &texts, 3)
        };
        let ids = names(&["b", "a", "b"]).unwrap();
        let ids: Vec<&str> = ids.iter().map(UserId::as_str).collect();
        assert_eq!(ids, ["b", "a"]);
        assert_eq!(names(&["a", ""]).unwrap_err().message, "targets is empty");
        let refused = names(&["a", "a", "a", ""]).unwrap_err();
        assert_eq!(refused.message, "targets has more than 3 users");
    }
}
