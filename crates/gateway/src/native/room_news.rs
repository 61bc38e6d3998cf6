//! Chat rooms: what is told of them.

use anser_domain::UserId;
use anser_domain::room::attribute::Attribute;
use anser_engine::room::{
    AttributesChanged, Entered, Happening, LeftReason, NoticeKind, RoomAttributes, RoomItem,
    RoomLeft, RoomMemberPage, RoomMessage, RoomMessagePage, RoomNotice, RoomPush, RoomSent,
    RoomView,
};
use anser_proto::client as wire;
use wire::room_item::Item;

/// Empty: the app's backend.
fn name(user: Option<&UserId>) -> String {
    user.map_or_else(String::new, ToString::to_string)
}

/// A room, as somebody sees it.
pub(crate) fn room(view: RoomView) -> wire::Room {
    wire::Room {
        id: view.id.to_string(),
        name: view.settings.name,
        created_time: view.created.0,
        member_count: view.member_count,
        muted: view.settings.muted,
        attributes_version: view.attributes_version,
        moderators: view.moderators.iter().map(ToString::to_string).collect(),
        history: view.settings.history_days > 0,
        muted_until: view.muted_until.0,
    }
}

/// The session is in.
pub(crate) fn room_joined(it: Entered) -> wire::RoomJoined {
    wire::RoomJoined {
        room: Some(room(it.room)),
        epoch: it.epoch,
        seq: it.seq,
        items: it.items.iter().map(item).collect(),
        lost: it.lost,
    }
}

/// What became of a message. That it was dropped is said to those who ask.
pub(crate) fn room_message_sent(sent: &RoomSent, tell_dropped: bool) -> wire::RoomMessageSent {
    wire::RoomMessageSent {
        epoch: sent.epoch,
        seq: sent.seq,
        message_id: sent.message_id.to_string(),
        time: sent.time.0,
        dropped: sent.dropped && tell_dropped,
    }
}

/// A page of members.
pub(crate) fn room_member_page(page: RoomMemberPage) -> wire::RoomMemberPage {
    let members = page.members.into_iter();
    wire::RoomMemberPage {
        members: members
            .map(|(user, joined)| wire::RoomMember {
                user: user.to_string(),
                joined_time: joined.0,
            })
            .collect(),
        cursor: page.cursor,
        member_count: page.member_count,
    }
}

fn attribute((key, it): &(String, Attribute)) -> wire::RoomAttribute {
    wire::RoomAttribute {
        key: key.clone(),
        value: it.value.clone(),
        owner: name(it.owner.as_ref()),
        leaves: it.leaves,
    }
}

/// Attributes as they are.
pub(crate) fn room_attribute_list(all: &RoomAttributes, after: String) -> wire::RoomAttributeList {
    wire::RoomAttributeList {
        attributes: all.attributes.iter().map(attribute).collect(),
        version: all.version,
        after,
    }
}

/// A page of stored messages.
pub(crate) fn room_message_page(page: &RoomMessagePage) -> wire::RoomMessagePage {
    wire::RoomMessagePage {
        messages: page.messages.iter().map(message).collect(),
        more: page.more,
    }
}

fn message(it: &RoomMessage) -> wire::RoomMessage {
    let priority = match it.low {
        true => wire::RoomPriority::Low,
        false => wire::RoomPriority::High,
    };
    wire::RoomMessage {
        message_id: it.message_id.to_string(),
        sender: name(it.sender.as_ref()),
        client_message_id: it.client_message_id.to_string(),
        time: it.time.0,
        content: (!it.recalled).then(|| wire::Content {
            r#type: it.content_type.to_string(),
            body: it.body.clone(),
        }),
        priority: priority.into(),
        recalled: it.recalled,
    }
}

fn changed(it: &AttributesChanged) -> wire::RoomAttributesChanged {
    wire::RoomAttributesChanged {
        version: it.version,
        operator: name(it.operator.as_ref()),
        set: it.set.iter().map(attribute).collect(),
        deleted: it.deleted.clone(),
    }
}

fn notice(it: &RoomNotice) -> wire::RoomNotice {
    use wire::room_notice::Kind;
    let kind = match it.kind {
        NoticeKind::Muted => Kind::Muted,
        NoticeKind::Unmuted => Kind::Unmuted,
        NoticeKind::Banned => Kind::Banned,
        NoticeKind::BanLifted => Kind::BanLifted,
        NoticeKind::AllMuted => Kind::AllMuted,
        NoticeKind::AllUnmuted => Kind::AllUnmuted,
        NoticeKind::Removed => Kind::Removed,
        NoticeKind::Changed => Kind::Changed,
    };
    wire::RoomNotice {
        kind: kind.into(),
        operator: name(it.operator.as_ref()),
        users: it.users.iter().map(ToString::to_string).collect(),
        until: it.until.0,
        extra: it.extra.to_string(),
    }
}

fn item(it: &RoomItem) -> wire::RoomItem {
    let what = match &it.what {
        Happening::Message(it) => Item::Message(message(it)),
        Happening::Recall {
            message_id,
            operator,
        } => Item::Recall(wire::RoomRecall {
            message_id: message_id.to_string(),
            operator: name(operator.as_ref()),
        }),
        Happening::Attributes(it) => Item::Attributes(changed(it)),
        Happening::Notice(it) => Item::Notice(notice(it)),
    };
    wire::RoomItem {
        seq: it.seq,
        item: Some(what),
    }
}

/// Things happened in a room.
pub(super) fn room_push(push: &RoomPush) -> wire::RoomPush {
    wire::RoomPush {
        room: push.room.to_string(),
        epoch: push.epoch,
        prev: push.prev,
        items: push.items.iter().map(item).collect(),
        member_count: push.member_count,
        attributes_version: push.attributes_version,
    }
}

/// The session is not in a room any more.
pub(super) fn room_left_push(left: &RoomLeft) -> wire::RoomLeftPush {
    use wire::room_left_push::Reason;
    let reason = match left.reason {
        LeftReason::Removed => Reason::Removed,
        LeftReason::Destroyed => Reason::Destroyed,
        LeftReason::JoinedAnother => Reason::JoinedAnother,
    };
    wire::RoomLeftPush {
        room: left.room.to_string(),
        reason: reason.into(),
        until: left.until.0,
        extra: left.extra.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use anser_domain::{MessageId, Timestamp};

    use super::*;

    #[test]
    fn that_a_message_was_dropped_is_said_to_those_who_ask() {
        let sent = RoomSent {
            epoch: 7,
            seq: 0,
            message_id: MessageId([1; 16]),
            time: Timestamp(9),
            dropped: true,
        };
        assert!(room_message_sent(&sent, true).dropped);
        let quiet = room_message_sent(&sent, false);
        assert_eq!((quiet.dropped, quiet.seq, quiet.epoch), (false, 0, 7));
    }

    #[test]
    fn a_recalled_message_has_no_content() {
        let mut it = RoomMessage {
            message_id: MessageId([1; 16]),
            sender: None,
            client_message_id: "".into(),
            time: Timestamp(9),
            content_type: "text".into(),
            body: "hello".into(),
            low: true,
            recalled: false,
        };
        let told = message(&it);
        assert_eq!(told.content.unwrap().body, "hello");
        assert_eq!((&*told.sender, told.priority), ("", 2));
        it.recalled = true;
        assert_eq!(message(&it).content, None);
    }
}
