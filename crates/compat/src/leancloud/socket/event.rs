//! Events as clients get them, but for the name of the client.

use anser_domain::Timestamp;
use anser_engine::EventBody;
use anser_engine::message::Message;
use anser_engine::room::{Happening, RoomMessage, RoomPush};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;

use super::form::SERVICE;
use crate::leancloud::content::{self, Content};
use crate::leancloud::ids;
use crate::leancloud::wire::{
    CommandType, DirectCommand, GenericCommand, OpType, PatchCommand, PatchItem,
};

/// What the id of a will's message begins with: it is not stored, and yet its receivers are to take
/// it for one that is.
pub(super) const WILL: &str = "will ";

/// Kinds of conversations as clients know them.
const NORMAL: i32 = 1;
const ROOM: i32 = 2;
const SERVICE_CONVERSATION: i32 = 3;
const TEMPORARY: i32 = 4;

/// The kind of a conversation.
pub(in crate::leancloud) fn conversation_type(name: &str) -> i32 {
    match name.as_bytes().first() {
        Some(b's') => SERVICE_CONVERSATION,
        Some(b't') => TEMPORARY,
        _ => NORMAL,
    }
}

/// Milliseconds on the wire.
pub(in crate::leancloud) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

/// A push of a kind.
pub(super) fn push(cmd: CommandType) -> GenericCommand {
    GenericCommand {
        cmd: Some(cmd.into()),
        service: Some(SERVICE),
        ..GenericCommand::default()
    }
}

/// Is the message one of a user's, for users?
pub(in crate::leancloud) fn is_said(message: &Message) -> bool {
    !message.sender.is_empty() && !message.is_command()
}

/// Text or bytes, each where the wire has it.
pub(super) fn split(content: Content) -> (Option<String>, Option<Bytes>) {
    if !content.bin {
        return (Some(content.data), None);
    }
    let bytes = BASE64.decode(content.data).unwrap_or_default();
    (None, Some(bytes.into()))
}

/// A new message. `None`: these clients see nothing of it.
pub(super) fn direct(message: &Message) -> Option<GenericCommand> {
    if !is_said(message) {
        return None;
    }
    let content = content::from_engine(message)?;
    let mention_all = content.mention_all.then_some(true);
    let mention_pids = content.mentions.clone();
    let patch_timestamp = content.patched.map(millis);
    let (msg, binary_msg) = split(content);
    let transient = message.seq == 0 && !message.client_message_id.starts_with(WILL);
    Some(GenericCommand {
        direct_message: Some(DirectCommand {
            msg,
            binary_msg,
            from_peer_id: Some((*message.sender).to_owned()),
            timestamp: Some(millis(message.time)),
            cid: Some(ids::object_id(&message.conversation)?),
            id: Some(ids::message_id(message.id)),
            transient: transient.then_some(true),
            patch_timestamp,
            mention_pids,
            mention_all,
            conv_type: Some(conversation_type(&message.conversation)),
            ..DirectCommand::default()
        }),
        ..push(CommandType::Direct)
    })
}

/// A message that was edited or taken back, as it now is. `None`: it was neither.
pub(in crate::leancloud) fn patch_item(message: &Message) -> Option<PatchItem> {
    let content = content::from_engine(message)?;
    let patched = millis(content.patched?);
    let mention_all = content.mention_all.then_some(true);
    let mention_pids = content.mentions.clone();
    let (data, binary_msg) = split(content);
    Some(PatchItem {
        cid: Some(ids::object_id(&message.conversation)?),
        mid: Some(ids::message_id(message.id)),
        timestamp: Some(millis(message.time)),
        recall: Some(message.is_recalled()),
        data,
        patch_timestamp: Some(patched),
        from: Some((*message.sender).to_owned()),
        binary_msg,
        mention_all,
        mention_pids,
        patch_code: None,
        patch_reason: None,
    })
}

/// A push of patches.
pub(super) fn patch(patches: Vec<PatchItem>) -> GenericCommand {
    let last = patches.iter().filter_map(|patch| patch.patch_timestamp);
    GenericCommand {
        op: Some(OpType::Modify.into()),
        patch_message: Some(PatchCommand {
            last_patch_time: last.max(),
            patches,
        }),
        ..push(CommandType::Patch)
    }
}

/// A message of a chat room.
fn room_direct(room: &str, message: &RoomMessage) -> GenericCommand {
    let content = content::of(&message.content_type, &message.body, message.recalled);
    let (msg, binary_msg) = split(content.unwrap_or_default());
    let sender = message.sender.as_ref().map(ToString::to_string);
    GenericCommand {
        direct_message: Some(DirectCommand {
            msg,
            binary_msg,
            from_peer_id: Some(sender.unwrap_or_default()),
            timestamp: Some(millis(message.time)),
            cid: Some(room.to_owned()),
            id: Some(ids::message_id(message.message_id)),
            conv_type: Some(ROOM),
            ..DirectCommand::default()
        }),
        ..push(CommandType::Direct)
    }
}

/// The messages in what happened in a room.
pub(super) fn said(push: &RoomPush) -> impl Iterator<Item = &RoomMessage> {
    push.items.iter().filter_map(|item| match &item.what {
        Happening::Message(message) => Some(&**message),
        _ => None,
    })
}

/// What all clients get of an event alike; empty: nothing. Of a room, the messages one behind the
/// other, each behind its length in four bytes.
pub(super) fn encode(event: &EventBody) -> Bytes {
    match event {
        EventBody::Message { message, .. } => {
            direct(message).map_or_else(Bytes::new, |command| command.encode_to_vec().into())
        }
        EventBody::Change { message, .. } => {
            let item = patch_item(message);
            item.map_or_else(Bytes::new, |item| patch(vec![item]).encode_to_vec().into())
        }
        EventBody::Room(push) => {
            let mut all = BytesMut::new();
            for message in said(push) {
                let one = room_direct(push.room.as_str(), message);
                all.put_u32(u32::try_from(one.encoded_len()).expect("messages are bounded"));
                one.encode(&mut all).expect("the buffer grows as needed");
            }
            all.freeze()
        }
        _ => Bytes::new(),
    }
}
