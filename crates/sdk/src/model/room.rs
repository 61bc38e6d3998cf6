//! Chat rooms.

use anser_domain::Timestamp;
use anser_proto::client as wire;
use wire::room_item::Item;

use super::Content;
use crate::error::Error;

/// A chat room.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Room {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// When it was created.
    pub created_time: Timestamp,
    /// Users who are in it.
    pub member_count: u32,
    /// Only moderators and those exempt write.
    pub muted: bool,
    /// Grows with each change of the attributes.
    pub attributes_version: u64,
    /// Who moderates.
    pub moderators: Vec<String>,
    /// Are messages kept?
    pub history: bool,
    /// Until when this user may not write; 0: may.
    pub muted_until: Timestamp,
}

/// Which messages go first when not all can be delivered.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum RoomPriority {
    /// Messages, unless something else is said.
    #[default]
    High,
    /// Likes and the like.
    Low,
}

/// A message of a room.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RoomMessage {
    /// 26 characters, unique; sorts by time.
    pub message_id: String,
    /// Empty: the app's backend.
    pub sender: String,
    /// Given by the sender.
    pub client_message_id: String,
    /// When the room took it.
    pub time: Timestamp,
    /// What it says; of no type once it is taken back.
    pub content: Content,
    /// See there.
    pub priority: RoomPriority,
    /// It was taken back.
    pub recalled: bool,
}

/// A message to be said in a room.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RoomOutgoing {
    /// What it says.
    pub content: Content,
    /// See there.
    pub priority: RoomPriority,
    /// Say if it was dropped.
    pub tell_dropped: bool,
    /// 1–64 bytes; `None` lets the client choose.
    pub client_message_id: Option<String>,
}

/// What became of it.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RoomSent {
    /// 0: it went to nobody.
    pub seq: u64,
    /// Its id.
    pub message_id: String,
    /// As it was sent.
    pub client_message_id: String,
    /// When the room took it.
    pub time: Timestamp,
    /// The room had taken as many as it takes at a time. Only said if asked for.
    pub dropped: bool,
}

/// The client is in a room.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RoomJoined {
    /// The room.
    pub room: Room,
    /// The newest messages, the oldest of them first.
    pub messages: Vec<RoomMessage>,
}

/// A member of a room.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RoomMember {
    /// Who.
    pub user: String,
    /// Since when.
    pub joined_time: Timestamp,
}

/// A part of the members of a room.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RoomMemberPage {
    /// In the order asked for.
    pub members: Vec<RoomMember>,
    /// Continues the list; empty on the last page.
    pub cursor: String,
    /// How many there are in all.
    pub member_count: u32,
}

/// An attribute of a room.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RoomAttribute {
    /// 1–128 of `[A-Za-z0-9+=_-]`.
    pub key: String,
    /// At most 4,096 characters.
    pub value: String,
    /// Who set it; empty: the app's backend.
    pub owner: String,
    /// It goes when its owner leaves the room.
    pub leaves: bool,
}

/// What becomes of a key.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RoomAttributeChange {
    /// See [`RoomAttribute::key`].
    pub key: String,
    /// The new value; `None` deletes it.
    pub value: Option<String>,
    /// See [`RoomAttribute::leaves`].
    pub leaves: bool,
}

/// What a moderator does.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum RoomModeration {
    /// Puts users out, and keeps them out for so many seconds if any.
    Remove(Vec<String>, u64),
    /// Silences users for so many seconds.
    Mute(Vec<String>, u64),
    /// They may write again.
    Unmute(Vec<String>),
    /// They may come in again.
    LiftBan(Vec<String>),
    /// Silences all but moderators and those exempt, or no longer.
    MuteAll(bool),
}

/// Something that somebody did to others, as members are told of it.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct RoomNotice {
    /// What it was; `None`: something of a newer server.
    pub kind: Option<RoomNoticeKind>,
    /// Who did it; empty: the app's backend.
    pub operator: String,
    /// To whom.
    pub users: Vec<String>,
    /// Until when it holds; 0: it has no end.
    pub until: Timestamp,
    /// Their words.
    pub extra: String,
}

/// See [`RoomNotice`].
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum RoomNoticeKind {
    /// Users may not write.
    Muted,
    /// They may again.
    Unmuted,
    /// Users are kept out.
    Banned,
    /// They may come in again.
    BanLifted,
    /// Only moderators and those exempt write.
    AllMuted,
    /// Everybody does again.
    AllUnmuted,
    /// Users were put out.
    Removed,
    /// The name, or who moderates.
    Changed,
}

/// News of a room that the client is in.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum RoomNews {
    /// Somebody said something, perhaps the user.
    Message(RoomMessage),
    /// A message was taken back.
    Recalled {
        /// Which.
        message_id: String,
        /// By whom; empty: the app's backend.
        operator: String,
    },
    /// Attributes have changed.
    Attributes {
        /// Who did it; empty: the app's backend.
        operator: String,
        /// New values.
        set: Vec<RoomAttribute>,
        /// Keys that are gone.
        deleted: Vec<String>,
    },
    /// All attributes, by key: some change of them may have been missed, or the client has just
    /// come in.
    AllAttributes(Vec<RoomAttribute>),
    /// See there.
    Notice(RoomNotice),
    /// There are so many members now.
    MemberCount(u32),
    /// So many things were missed here, under load or while away; 0: it is not known how many.
    Missed(u64),
    /// The client is not in the room any more.
    Left(RoomLeft),
}

/// Why the client is not in a room any more.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum RoomLeft {
    /// Put out by a moderator or the backend.
    Removed {
        /// Until when the user is kept out; 0: not.
        until: Timestamp,
        /// Their words.
        extra: String,
    },
    /// The room is gone.
    Destroyed,
    /// It joined another one.
    JoinedAnother,
    /// It could not come back into it.
    Refused(Error),
}

impl From<wire::Room> for Room {
    fn from(room: wire::Room) -> Self {
        Self {
            id: room.id,
            name: room.name,
            created_time: Timestamp(room.created_time),
            member_count: room.member_count,
            muted: room.muted,
            attributes_version: room.attributes_version,
            moderators: room.moderators,
            history: room.history,
            muted_until: Timestamp(room.muted_until),
        }
    }
}

impl From<RoomPriority> for wire::RoomPriority {
    fn from(priority: RoomPriority) -> Self {
        match priority {
            RoomPriority::High => Self::High,
            RoomPriority::Low => Self::Low,
        }
    }
}

impl From<wire::RoomMessage> for RoomMessage {
    fn from(message: wire::RoomMessage) -> Self {
        Self {
            priority: match message.priority() {
                wire::RoomPriority::Low => RoomPriority::Low,
                _ => RoomPriority::High,
            },
            message_id: message.message_id,
            sender: message.sender,
            client_message_id: message.client_message_id,
            time: Timestamp(message.time),
            content: message.content.unwrap_or_default().into(),
            recalled: message.recalled,
        }
    }
}

impl From<wire::RoomMemberPage> for RoomMemberPage {
    fn from(page: wire::RoomMemberPage) -> Self {
        let members = page.members.into_iter().map(|member| RoomMember {
            user: member.user,
            joined_time: Timestamp(member.joined_time),
        });
        Self {
            members: members.collect(),
            cursor: page.cursor,
            member_count: page.member_count,
        }
    }
}

impl From<wire::RoomAttribute> for RoomAttribute {
    fn from(attribute: wire::RoomAttribute) -> Self {
        Self {
            key: attribute.key,
            value: attribute.value,
            owner: attribute.owner,
            leaves: attribute.leaves,
        }
    }
}

impl From<RoomAttributeChange> for wire::RoomAttributeChange {
    fn from(change: RoomAttributeChange) -> Self {
        Self {
            key: change.key,
            value: change.value,
            leaves: change.leaves,
        }
    }
}

impl From<wire::RoomNotice> for RoomNotice {
    fn from(notice: wire::RoomNotice) -> Self {
        use wire::room_notice::Kind;
        let kind = match notice.kind() {
            Kind::Unspecified => None,
            Kind::Muted => Some(RoomNoticeKind::Muted),
            Kind::Unmuted => Some(RoomNoticeKind::Unmuted),
            Kind::Banned => Some(RoomNoticeKind::Banned),
            Kind::BanLifted => Some(RoomNoticeKind::BanLifted),
            Kind::AllMuted => Some(RoomNoticeKind::AllMuted),
            Kind::AllUnmuted => Some(RoomNoticeKind::AllUnmuted),
            Kind::Removed => Some(RoomNoticeKind::Removed),
            Kind::Changed => Some(RoomNoticeKind::Changed),
        };
        Self {
            kind,
            operator: notice.operator,
            users: notice.users,
            until: Timestamp(notice.until),
            extra: notice.extra,
        }
    }
}

/// Something of a newer server is nothing.
pub(crate) fn news(item: Item) -> RoomNews {
    match item {
        Item::Message(message) => RoomNews::Message(message.into()),
        Item::Recall(recall) => RoomNews::Recalled {
            message_id: recall.message_id,
            operator: recall.operator,
        },
        Item::Attributes(changed) => RoomNews::Attributes {
            operator: changed.operator,
            set: changed.set.into_iter().map(Into::into).collect(),
            deleted: changed.deleted,
        },
        Item::Notice(notice) => RoomNews::Notice(notice.into()),
    }
}

impl From<wire::RoomLeftPush> for RoomLeft {
    fn from(push: wire::RoomLeftPush) -> Self {
        use wire::room_left_push::Reason;
        match push.reason() {
            Reason::Destroyed => Self::Destroyed,
            Reason::JoinedAnother => Self::JoinedAnother,
            Reason::Removed | Reason::Unspecified => Self::Removed {
                until: Timestamp(push.until),
                extra: push.extra,
            },
        }
    }
}
