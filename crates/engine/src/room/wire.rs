//! Rooms in the words that nodes speak.
//!
//! A request to the owner of a room is the same message whether the owner is this node or another;
//! only frames, of which there are many, are not translated on their way within a node.

use std::sync::Arc;

use anser_bus::NodeId;
use anser_domain::room::Class;
use anser_domain::room::attribute::{Attribute, AttributeChange};
use anser_domain::room::info::{LifeRule, RoomSettings, RoomUpdate};
use anser_domain::{AppId, MessageId, Reject, RoomId, Timestamp, UserId};
use anser_proto::cluster as pb;
use pb::packet::Body;
use pb::room_item::Item;

use super::host::{Farewell, Frame, Leaver};
use super::{
    AttributesChanged, Entered, Happening, LeftReason, NoticeKind, RoomAttributes, RoomItem,
    RoomMemberPage, RoomMessage, RoomNotice, RoomSent, RoomView,
};
use crate::cluster::wire::{garbled, user_from};
use crate::session::SessionId;

fn some_user(text: &str) -> Result<Option<UserId>, Reject> {
    match text {
        "" => Ok(None),
        text => user_from(text).map(Some),
    }
}

pub(super) fn user_text(user: Option<&UserId>) -> String {
    user.map(ToString::to_string).unwrap_or_default()
}

fn message_id(bytes: &[u8]) -> Result<MessageId, Reject> {
    bytes.try_into().map(MessageId).map_err(|_| garbled())
}

pub(super) fn room_from(text: &str) -> Result<RoomId, Reject> {
    RoomId::new(text).map_err(|_| garbled())
}

pub(super) fn message_id_from(bytes: &[u8]) -> Result<MessageId, Reject> {
    message_id(bytes)
}

// ───────────── frames ─────────────

/// A frame for the sessions of one node.
pub(super) fn frame(it: &Frame, to: NodeId) -> Body {
    let left = it.left.iter().filter(|leaver| leaver.node == to);
    Body::RoomFrame(pb::RoomFrame {
        app: it.app.0,
        room: it.room.to_string(),
        epoch: it.epoch,
        prev: it.prev,
        items: it.items.iter().map(item).collect(),
        member_count: it.member_count,
        attributes_version: it.attributes_version,
        left: left.map(|one| leaver(one.session, &one.farewell)).collect(),
        destroyed: it.destroyed.as_ref().map(|one| leaver(SessionId(0), one)),
    })
}

/// And back, on that node.
pub(crate) fn frame_from(it: pb::RoomFrame, here: NodeId) -> Result<Frame, Reject> {
    let left = it.left.into_iter().map(|one| {
        Ok(Leaver {
            session: SessionId(one.session),
            node: here,
            farewell: farewell_from(one)?,
        })
    });
    Ok(Frame {
        app: AppId(it.app),
        room: room_from(&it.room)?,
        epoch: it.epoch,
        prev: it.prev,
        items: items_from(it.items)?,
        member_count: it.member_count,
        attributes_version: it.attributes_version,
        left: left.collect::<Result<_, Reject>>()?,
        destroyed: it.destroyed.map(farewell_from).transpose()?,
    })
}

fn leaver(session: SessionId, farewell: &Farewell) -> pb::RoomLeaver {
    pb::RoomLeaver {
        session: session.0,
        reason: farewell.reason as u32,
        until: farewell.until.0,
        extra: farewell.extra.to_string(),
    }
}

fn farewell_from(it: pb::RoomLeaver) -> Result<Farewell, Reject> {
    Ok(Farewell {
        reason: LeftReason::from_number(it.reason).ok_or_else(garbled)?,
        until: Timestamp(it.until),
        extra: it.extra.into(),
    })
}

pub(super) fn items(items: &[RoomItem]) -> Vec<pb::RoomItem> {
    items.iter().map(item).collect()
}

pub(super) fn items_from(items: Vec<pb::RoomItem>) -> Result<Vec<RoomItem>, Reject> {
    items.into_iter().map(item_from).collect()
}

fn item(it: &RoomItem) -> pb::RoomItem {
    let what = match &it.what {
        Happening::Message(it) => Item::Message(pb::RoomMessage {
            message_id: it.message_id.0.to_vec().into(),
            sender: user_text(it.sender.as_ref()),
            client_message_id: it.client_message_id.to_string(),
            time: it.time.0,
            content_type: it.content_type.to_string(),
            content_body: it.body.clone(),
            low: it.low,
            recalled: it.recalled,
        }),
        Happening::Recall {
            message_id,
            operator,
        } => Item::Recall(pb::RoomRecall {
            message_id: message_id.0.to_vec().into(),
            operator: user_text(operator.as_ref()),
        }),
        Happening::Attributes(it) => Item::Attributes(pb::RoomAttributesChanged {
            version: it.version,
            operator: user_text(it.operator.as_ref()),
            set: it
                .set
                .iter()
                .map(|(key, one)| attribute(key, one))
                .collect(),
            deleted: it.deleted.clone(),
        }),
        Happening::Notice(it) => Item::Notice(pb::RoomNotice {
            kind: it.kind as u32,
            operator: user_text(it.operator.as_ref()),
            users: it.users.iter().map(ToString::to_string).collect(),
            until: it.until.0,
            extra: it.extra.to_string(),
        }),
    };
    pb::RoomItem {
        seq: it.seq,
        class: match it.class {
            Class::Low => 0,
            Class::High => 1,
            Class::Protected => 2,
        },
        item: Some(what),
    }
}

fn item_from(it: pb::RoomItem) -> Result<RoomItem, Reject> {
    let what = match it.item.ok_or_else(garbled)? {
        Item::Message(it) => Happening::Message(Arc::new(RoomMessage {
            message_id: message_id(&it.message_id)?,
            sender: some_user(&it.sender)?,
            client_message_id: it.client_message_id.into(),
            time: Timestamp(it.time),
            content_type: it.content_type.into(),
            body: it.content_body,
            low: it.low,
            recalled: it.recalled,
        })),
        Item::Recall(it) => Happening::Recall {
            message_id: message_id(&it.message_id)?,
            operator: some_user(&it.operator)?,
        },
        Item::Attributes(it) => Happening::Attributes(Arc::new(AttributesChanged {
            version: it.version,
            operator: some_user(&it.operator)?,
            set: it
                .set
                .into_iter()
                .map(attribute_from)
                .collect::<Result<_, _>>()?,
            deleted: it.deleted,
        })),
        Item::Notice(it) => Happening::Notice(Arc::new(RoomNotice {
            kind: NoticeKind::from_number(it.kind).ok_or_else(garbled)?,
            operator: some_user(&it.operator)?,
            users: users_from(&it.users)?,
            until: Timestamp(it.until),
            extra: it.extra.into(),
        })),
    };
    Ok(RoomItem {
        seq: it.seq,
        class: match it.class {
            0 => Class::Low,
            1 => Class::High,
            _ => Class::Protected,
        },
        what,
    })
}

pub(super) fn users_from(texts: &[String]) -> Result<Vec<UserId>, Reject> {
    texts.iter().map(|text| user_from(text)).collect()
}

// ───────────── attributes and settings ─────────────

fn attribute(key: &str, one: &Attribute) -> pb::RoomAttribute {
    pb::RoomAttribute {
        key: key.to_owned(),
        value: one.value.clone(),
        owner: user_text(one.owner.as_ref()),
        leaves: one.leaves,
    }
}

fn attribute_from(it: pb::RoomAttribute) -> Result<(String, Attribute), Reject> {
    let one = Attribute {
        value: it.value,
        owner: some_user(&it.owner)?,
        leaves: it.leaves,
    };
    Ok((it.key, one))
}

pub(super) fn attributes(it: &RoomAttributes) -> pb::RoomAttributes {
    let all = it.attributes.iter();
    pb::RoomAttributes {
        attributes: all.map(|(key, one)| attribute(key, one)).collect(),
        version: it.version,
    }
}

pub(super) fn attributes_from(it: pb::RoomAttributes) -> Result<RoomAttributes, Reject> {
    let all = it.attributes.into_iter().map(attribute_from);
    Ok(RoomAttributes {
        attributes: all.collect::<Result<_, _>>()?,
        version: it.version,
    })
}

pub(super) fn changes(changes: &[AttributeChange]) -> Vec<pb::RoomAttributeChange> {
    let change = |it: &AttributeChange| pb::RoomAttributeChange {
        key: it.key.clone(),
        value: it.value.clone(),
        leaves: it.leaves,
    };
    changes.iter().map(change).collect()
}

pub(super) fn changes_from(changes: Vec<pb::RoomAttributeChange>) -> Vec<AttributeChange> {
    let change = |it: pb::RoomAttributeChange| AttributeChange {
        key: it.key,
        value: it.value,
        leaves: it.leaves,
    };
    changes.into_iter().map(change).collect()
}

fn life(it: LifeRule) -> (u32, u32) {
    match it {
        LifeRule::Default => (0, 0),
        LifeRule::Idle(minutes) => (1, minutes),
        LifeRule::Fixed(minutes) => (2, minutes),
    }
}

fn life_from(kind: u32, minutes: u32) -> LifeRule {
    match kind {
        1 => LifeRule::Idle(minutes),
        2 => LifeRule::Fixed(minutes),
        _ => LifeRule::Default,
    }
}

pub(super) fn update(it: &RoomUpdate) -> pb::RoomSettings {
    let life = it.life.map(life);
    pb::RoomSettings {
        name: it.name.clone(),
        life_kind: life.map(|(kind, _)| kind),
        life_minutes: life.map_or(0, |(_, minutes)| minutes),
        kept_alive: it.kept_alive,
        muted: it.muted,
        held: it.held,
        history_days: it.history_days,
    }
}

pub(super) fn update_from(it: pb::RoomSettings) -> RoomUpdate {
    RoomUpdate {
        name: it.name,
        life: it.life_kind.map(|kind| life_from(kind, it.life_minutes)),
        kept_alive: it.kept_alive,
        muted: it.muted,
        held: it.held,
        history_days: it.history_days,
    }
}

// ───────────── answers ─────────────

pub(super) fn view(it: &RoomView) -> pb::RoomInfo {
    let all = RoomUpdate {
        name: Some(it.settings.name.clone()),
        life: Some(it.settings.life),
        kept_alive: Some(it.settings.kept_alive),
        muted: Some(it.settings.muted),
        held: Some(it.settings.held),
        history_days: Some(it.settings.history_days),
    };
    pb::RoomInfo {
        settings: Some(update(&all)),
        created_time: it.created.0,
        member_count: it.member_count,
        attributes_version: it.attributes_version,
        moderators: it.moderators.iter().map(ToString::to_string).collect(),
        muted_until: it.muted_until.0,
    }
}

pub(super) fn view_from(id: &RoomId, it: pb::RoomInfo) -> Result<RoomView, Reject> {
    let all = update_from(it.settings.unwrap_or_default());
    Ok(RoomView {
        id: id.clone(),
        settings: RoomSettings {
            name: all.name.unwrap_or_default(),
            life: all.life.unwrap_or_default(),
            kept_alive: all.kept_alive.unwrap_or_default(),
            muted: all.muted.unwrap_or_default(),
            held: all.held.unwrap_or_default(),
            history_days: all.history_days.unwrap_or_default(),
        },
        created: Timestamp(it.created_time),
        member_count: it.member_count,
        attributes_version: it.attributes_version,
        moderators: users_from(&it.moderators)?,
        muted_until: Timestamp(it.muted_until),
    })
}

pub(super) fn entered_from(id: &RoomId, it: pb::RoomEntered) -> Result<Entered, Reject> {
    Ok(Entered {
        room: view_from(id, it.info.unwrap_or_default())?,
        epoch: it.epoch,
        seq: it.seq,
        items: items_from(it.items)?,
        lost: it.lost,
    })
}

pub(super) fn sent(it: RoomSent) -> pb::RoomSent {
    pb::RoomSent {
        epoch: it.epoch,
        seq: it.seq,
        message_id: it.message_id.0.to_vec().into(),
        time: it.time.0,
        dropped: it.dropped,
    }
}

pub(super) fn sent_from(it: &pb::RoomSent) -> Result<RoomSent, Reject> {
    Ok(RoomSent {
        epoch: it.epoch,
        seq: it.seq,
        message_id: message_id(&it.message_id)?,
        time: Timestamp(it.time),
        dropped: it.dropped,
    })
}

pub(super) fn members(it: &RoomMemberPage) -> pb::RoomMembers {
    let member = |(user, joined): &(UserId, Timestamp)| pb::RoomMember {
        user: user.to_string(),
        joined_time: joined.0,
    };
    pb::RoomMembers {
        members: it.members.iter().map(member).collect(),
        cursor: it.cursor.clone(),
        member_count: it.member_count,
    }
}

pub(super) fn members_from(it: pb::RoomMembers) -> Result<RoomMemberPage, Reject> {
    let member = |it: pb::RoomMember| Ok((user_from(&it.user)?, Timestamp(it.joined_time)));
    Ok(RoomMemberPage {
        members: it
            .members
            .into_iter()
            .map(member)
            .collect::<Result<_, Reject>>()?,
        cursor: it.cursor,
        member_count: it.member_count,
    })
}
