//! System conversations.

use anser_domain::{Code, ConversationId, GroupId, Reject};
use anser_engine::json;
use anser_engine::system::SystemConversation;
use anser_proto::client as wire;

use super::conversation_id;

/// The id of a system conversation, by its name.
pub(crate) fn system_id(conversation: &str) -> Result<GroupId, Reject> {
    match conversation_id(conversation)? {
        ConversationId::System(id) => Ok(id),
        _ => Err(Reject::new(
            Code::InvalidRequest,
            "this is for system conversations, named s/<id>",
        )),
    }
}

/// A system conversation.
pub(crate) fn system(it: SystemConversation) -> wire::SystemConversation {
    wire::SystemConversation {
        conversation: it.conversation().to_string(),
        name: it.name,
        portrait: it.portrait,
        attributes: json::object_text(&it.attributes),
        everyone: it.everyone,
        created_time: it.created.0,
        updated_time: it.updated.0,
    }
}
