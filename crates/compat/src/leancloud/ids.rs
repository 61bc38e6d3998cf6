//! Ids, there and here.
//!
//! | LeanCloud | here |
//! |---|---|
//! | client id | user id |
//! | conversation, 24 hexadecimal digits | `c/<id>` |
//! | service conversation, the same form | `s/<id>` |
//! | chat room, the same form | room id |
//! | temporary conversation, `_tmp:<id>` | `t/<id>` |
//! | message id, 22 characters of base64url | the 16 bytes of a message id |
//!
//! An id of 24 digits does not say of which kind it is; who needs to know looks it up.

use anser_domain::{ConversationId, MessageId};
use anser_domain::{GroupId, RoomId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What the id of a temporary conversation begins with.
pub const TEMPORARY: &str = "_tmp:";

/// The id of a conversation, as LeanCloud's clients know it; `None`: they can't see such ones.
#[must_use]
pub fn object_id(conversation: &str) -> Option<String> {
    if let Some(id) = conversation.strip_prefix("t/") {
        return Some(format!("{TEMPORARY}{id}"));
    }
    let id = conversation
        .strip_prefix("c/")
        .or_else(|| conversation.strip_prefix("s/"));
    id.map(str::to_owned)
}

/// The conversation of members, for good or for a time, that this is the id of.
#[must_use]
pub fn conversation(object_id: &str) -> Option<ConversationId> {
    if let Some(id) = object_id.strip_prefix(TEMPORARY) {
        return ConversationId::parse(&format!("t/{id}")).ok();
    }
    GroupId::new(object_id).ok().map(ConversationId::Created)
}

/// The service conversation that this is the id of, if it is one of one.
#[must_use]
pub fn service(object_id: &str) -> Option<ConversationId> {
    ConversationId::parse(&format!("s/{object_id}")).ok()
}

/// The chat room that this is the id of, if it is one of one.
#[must_use]
pub fn room(object_id: &str) -> Option<RoomId> {
    RoomId::new(object_id).ok()
}

/// A new id of 24 hexadecimal digits, as LeanCloud's are: seconds, then random ones.
#[must_use]
pub fn new_object_id(now_ms: u64, random: [u8; 8]) -> String {
    let seconds = u32::try_from(now_ms / 1_000).unwrap_or(u32::MAX);
    let random = u64::from_be_bytes(random);
    format!("{seconds:08x}{random:016x}")
}

/// A message id in 22 characters.
#[must_use]
pub fn message_id(id: MessageId) -> String {
    URL_SAFE_NO_PAD.encode(id.0)
}

/// The message id in these 22 characters.
#[must_use]
pub fn parse_message_id(text: &str) -> Option<MessageId> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(MessageId(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use anser_domain::Timestamp;

    use super::*;

    #[test]
    fn conversations_go_there_and_back() {
        let id = new_object_id(1_700_000_000_123, [0xab; 8]);
        assert_eq!(id.len(), 24);
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let ours = conversation(&id).unwrap();
        assert_eq!(ours.to_string(), format!("c/{id}"));
        assert_eq!(object_id(&ours.to_string()), Some(id.clone()));
        assert_eq!(service(&id).unwrap().to_string(), format!("s/{id}"));
        assert_eq!(object_id("p/a,b"), None);
        let made = MessageId::new(Timestamp(5), [1; 10]);
        let ours = conversation(&format!("_tmp:{made}-60")).unwrap();
        assert_eq!(
            object_id(&ours.to_string()),
            Some(format!("_tmp:{made}-60"))
        );
        assert_eq!(conversation("_tmp:nonsense"), None);
    }

    #[test]
    fn message_ids_have_22_characters() {
        let id = MessageId::new(Timestamp(1_700_000_000_123), [255; 10]);
        let text = message_id(id);
        assert_eq!(text.len(), 22);
        assert_eq!(parse_message_id(&text), Some(id));
        assert_eq!(parse_message_id("short"), None);
    }
}
