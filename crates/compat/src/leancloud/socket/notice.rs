//! Changes of a conversation, as its members are told of them.
//!
//! The engine tells everybody the same: one notice, as a message of the conversation. Here it is
//! for each what it means to them: whoever was added joined, for the others somebody did.

use anser_domain::UserId;
use anser_domain::group::notice::NoticeKind;
use anser_engine::conversation::ConversationView;
use anser_engine::message::Message;
use anser_proto::stored::GroupNotice;
use prost::Message as _;
use serde_json::{Map, Value, json};

use super::event::{millis, push};
use crate::leancloud::wire::{
    CommandType, ConvCommand, ConvMemberInfo, GenericCommand, JsonObjectMessage, OpType,
};
use crate::leancloud::{ids, iso};

/// The type of notices about conversations with members.
const NOTICE: &str = "anser.group";
/// Roles, as notices have them.
const OWNER: u32 = 2;
const MANAGER: u32 = 3;

/// A push about a conversation, but for what happened in it.
fn about(op: OpType, conv: ConvCommand, time: i64) -> GenericCommand {
    GenericCommand {
        op: Some(op.into()),
        server_ts: Some(time),
        notification_type: Some(1),
        conv_message: Some(conv),
        ..push(CommandType::Conv)
    }
}

/// What a member is told of a notice; nothing, if it is none, or none for them.
pub(in crate::leancloud) fn pushes(message: &Message, receiver: &UserId) -> Vec<GenericCommand> {
    if &*message.content_type != NOTICE {
        return Vec::new();
    }
    let (Ok(notice), Some(cid)) = (
        GroupNotice::decode(message.body.clone()),
        ids::object_id(&message.conversation),
    ) else {
        return Vec::new();
    };
    let time = millis(message.time);
    let temporary = message.conversation.starts_with("t/");
    let conv = ConvCommand {
        cid: Some(cid),
        init_by: Some(notice.operator.clone()),
        udate: Some(iso::text(message.time)),
        temp_conv: temporary.then_some(true),
        ..ConvCommand::default()
    };
    let with_members = ConvCommand {
        m: notice.users.clone(),
        ..conv.clone()
    };
    let told = |op| about(op, with_members.clone(), time);
    let is = |kind: NoticeKind| notice.kind == kind.number();
    let affected = notice.users.iter().any(|user| user == receiver.as_str());
    let acting = notice.operator == receiver.as_str();
    // The one affected first hears of it for themself.
    let both = |own, others| {
        let own = affected.then(|| told(own));
        own.into_iter().chain([told(others)]).collect()
    };
    if is(NoticeKind::Created) || is(NoticeKind::Added) || is(NoticeKind::Joined) {
        return both(OpType::Joined, OpType::MembersJoined);
    }
    if is(NoticeKind::Removed) || is(NoticeKind::Quit) {
        return vec![told(OpType::MembersLeft)];
    }
    if is(NoticeKind::Muted) {
        return match notice.until {
            0 => both(OpType::Unshutuped, OpType::MembersUnshutuped),
            _ => both(OpType::Shutuped, OpType::MembersShutuped),
        };
    }
    if is(NoticeKind::Banned) {
        return match notice.until {
            0 => both(OpType::Unblocked, OpType::MembersUnblocked),
            _ => vec![told(OpType::MembersBlocked), told(OpType::MembersLeft)],
        };
    }
    if is(NoticeKind::Updated) && !acting {
        return vec![about(OpType::Updated, updated(conv, &notice), time)];
    }
    if is(NoticeKind::RoleSet) && !acting {
        let role = match notice.role {
            OWNER => "Owner",
            MANAGER => "Manager",
            _ => "Member",
        };
        let changed = notice.users.iter().map(|user| ConvCommand {
            info: Some(ConvMemberInfo {
                pid: Some(user.clone()),
                role: Some(role.to_owned()),
                info_id: None,
            }),
            ..conv.clone()
        });
        return changed
            .map(|conv| about(OpType::MemberInfoChanged, conv, time))
            .collect();
    }
    Vec::new()
}

/// What was set, and what it is now.
fn updated(conv: ConvCommand, notice: &GroupNotice) -> ConvCommand {
    let (mut set, mut modified) = (Map::new(), Map::new());
    if notice.changed.iter().any(|field| field == "name") {
        set.insert("name".to_owned(), json!(notice.name));
        modified.insert("name".to_owned(), json!(notice.name));
    }
    let paths: Value = serde_json::from_str(&notice.nested_attributes).unwrap_or_default();
    for (path, value) in paths.as_object().into_iter().flatten() {
        let what = match value {
            Value::Null => json!({"__op": "Delete"}),
            value => value.clone(),
        };
        set.insert(path.clone(), what);
        put(&mut modified, path, value.clone());
    }
    let text = |fields: Map<String, Value>| JsonObjectMessage {
        data: Value::Object(fields).to_string(),
    };
    ConvCommand {
        attr: Some(text(set)),
        attr_modified: Some(text(modified)),
        ..conv
    }
}

/// Puts a value at a path of names with dots between them.
fn put(into: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(into.insert(path.to_owned(), value)),
        Some((first, rest)) => {
            let inner = into.entry(first).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// The client is not in a conversation any more.
pub(super) fn left(view: &ConversationView, time: i64) -> Vec<GenericCommand> {
    let Some(cid) = ids::object_id(&view.id) else {
        return Vec::new();
    };
    let conv = ConvCommand {
        cid: Some(cid),
        init_by: Some(view.departure.operator.clone()),
        udate: Some(iso::text(view.last_time)),
        temp_conv: view.id.starts_with("t/").then_some(true),
        ..ConvCommand::default()
    };
    let left = about(OpType::Left, conv.clone(), time);
    if view.departure.banned {
        return vec![about(OpType::Blocked, conv, time), left];
    }
    vec![left]
}

#[cfg(test)]
mod tests {
    use anser_domain::{MessageId, Timestamp};

    use super::*;

    fn ops(notice: &GroupNotice, receiver: &str) -> Vec<OpType> {
        let message = Message {
            conversation: "c/5e8400e29b41d4a716446655".into(),
            seq: 3,
            id: MessageId::new(Timestamp(9), [0; 10]),
            sender: "".into(),
            client_message_id: "".into(),
            time: Timestamp(1_700_000_000_000),
            ordinal: 0,
            counted: false,
            content_type: NOTICE.into(),
            body: notice.encode_to_vec().into(),
            mention: None,
            targets: Vec::new(),
            burn_after_seconds: 0,
            receipt_wanted: false,
            state: None,
        };
        let pushes = pushes(&message, &UserId::new(receiver).unwrap());
        for push in &pushes {
            let conv = push.conv_message.as_ref().unwrap();
            assert_eq!(conv.cid.as_deref(), Some("5e8400e29b41d4a716446655"));
            assert_eq!(conv.udate.as_deref(), Some("2023-11-14T22:13:20.000Z"));
            assert_eq!((push.service, push.notification_type), (Some(2), Some(1)));
            assert_eq!(push.server_ts, Some(1_700_000_000_000));
        }
        pushes.iter().map(GenericCommand::op).collect()
    }

    fn notice(kind: NoticeKind, users: &[&str]) -> GroupNotice {
        GroupNotice {
            kind: kind.number(),
            operator: "alice".into(),
            users: users.iter().map(|user| (*user).to_owned()).collect(),
            ..GroupNotice::default()
        }
    }

    #[test]
    fn whoever_is_added_joined_and_the_others_hear_of_it() {
        let added = notice(NoticeKind::Added, &["bob"]);
        assert_eq!(ops(&added, "bob"), [OpType::Joined, OpType::MembersJoined]);
        assert_eq!(ops(&added, "alice"), [OpType::MembersJoined]);
        let created = notice(NoticeKind::Created, &["alice", "bob"]);
        let both = [OpType::Joined, OpType::MembersJoined];
        assert_eq!(ops(&created, "alice"), both);
        let removed = notice(NoticeKind::Removed, &["bob"]);
        assert_eq!(ops(&removed, "alice"), [OpType::MembersLeft]);
    }

    #[test]
    fn mutes_and_blocks_are_told_to_whom_they_concern_twice() {
        let mut muted = notice(NoticeKind::Muted, &["bob"]);
        muted.until = 5;
        let both = [OpType::Shutuped, OpType::MembersShutuped];
        assert_eq!(ops(&muted, "bob"), both);
        muted.until = 0;
        assert_eq!(ops(&muted, "alice"), [OpType::MembersUnshutuped]);
        let mut banned = notice(NoticeKind::Banned, &["bob"]);
        banned.until = 5;
        let all = [OpType::MembersBlocked, OpType::MembersLeft];
        assert_eq!(ops(&banned, "alice"), all);
    }

    #[test]
    fn whoever_changes_attributes_or_roles_has_the_reply_alone() {
        let mut changed = notice(NoticeKind::Updated, &[]);
        changed.nested_attributes = r#"{"attr.a.b":1,"attr.c":null}"#.into();
        assert_eq!(ops(&changed, "alice"), []);
        assert_eq!(ops(&changed, "bob"), [OpType::Updated]);
        let conv = updated(ConvCommand::default(), &changed);
        let read = |text: Option<JsonObjectMessage>| -> Value {
            serde_json::from_str(&text.unwrap().data).unwrap()
        };
        let set = json!({"attr.a.b": 1, "attr.c": {"__op": "Delete"}});
        assert_eq!(read(conv.attr), set);
        let modified = json!({"attr": {"a": {"b": 1}, "c": null}});
        assert_eq!(read(conv.attr_modified), modified);
        let role = notice(NoticeKind::RoleSet, &["bob", "carol"]);
        assert_eq!(ops(&role, "carol"), [OpType::MemberInfoChanged; 2]);
    }
}
