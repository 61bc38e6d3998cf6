//! Chat rooms.
//!
//! A room lives in memory, at one node, its *owner*, which the hash picks as it does for
//! conversations. The owner knows who is in the room, decides what is said in it and numbers it
//! ([`host`]). Every node with members of a room has an [`audience`]: the sessions on this node
//! that hear it. What happens is gathered for a moment and goes to each of these nodes once, as one
//! frame, and there to every session as one event, encoded once.
//!
//! * **Order.** Items have an epoch, new whenever a room is taken up by an owner, and dense
//!   sequences in it. A node that finds a hole asks the owner, who remembers the last
//!   ([`ring`]); what can't be had shows to clients as a hole.
//! * **Pace.** A quiet room is heard at once. One in which much happens is heard every
//!   [`TICK_MS`]: then a member costs one write a tick, however much is said.
//! * **Loss.** What is over a room's quota is dropped before it gets a number; of what has one,
//!   a session that reads too slowly misses the low first.
//! * **Members** are users with at least one session in the room; one who is away is a member for a
//!   while ([`members`]). Nothing of them is stored: when an owner is gone, the nodes tell the next
//!   one who is there.
//! * **What is decided** about a room stands in the store: settings, attributes, lists of users
//!   ([`record`]). These changes are acknowledged when they are on disk, and conditional on the
//!   room's row, so that two owners, for the moment that there are two, can't undo each other.
//!   Messages are stored only for rooms that keep them, behind their delivery ([`history`]).

mod attributes;
mod audience;
mod commands;
mod decided;
mod history;
mod host;
mod keeper;
mod list;
mod members;
mod moderation;
mod owner;
mod record;
mod ring;
mod wire;

pub use commands::RoomUserPage;
pub use list::StoredRoom;

pub(crate) use audience::Audiences;
pub(crate) use keeper::{Rooms, work};
pub(crate) use wire::frame_from;

use std::sync::{Arc, OnceLock};

use anser_domain::room::Class;
use anser_domain::room::attribute::Attribute;
use anser_domain::{MessageId, RoomId, Timestamp, UserId};
use bytes::Bytes;

pub use anser_domain::room::info::{LifeRule, RoomSettings, RoomUpdate};
pub use anser_domain::room::people::List;

use crate::event::{Event, EventBody};

/// How often a room is heard in which much happens.
pub(crate) const TICK_MS: u64 = 100;

/// A message of a room.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct RoomMessage {
    /// Unique; sorts by time.
    pub message_id: MessageId,
    /// `None`: the app's backend.
    pub sender: Option<UserId>,
    /// Given by the sender; may be empty when the backend sends.
    pub client_message_id: Box<str>,
    /// When the room took it.
    pub time: Timestamp,
    /// Type of the content; empty once it is recalled.
    pub content_type: Box<str>,
    /// The content.
    pub body: Bytes,
    /// The sender said that it may be dropped first.
    pub low: bool,
    /// It was taken back.
    pub recalled: bool,
}

/// A change of attributes.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct AttributesChanged {
    /// Of all attributes of the room, after it.
    pub version: u64,
    /// Who did it; `None`: the app's backend.
    pub operator: Option<UserId>,
    /// New values.
    pub set: Vec<(String, Attribute)>,
    /// Keys that are gone.
    pub deleted: Vec<String>,
}

/// What members are told about what somebody did.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct RoomNotice {
    /// What it was.
    pub kind: NoticeKind,
    /// Who did it; `None`: the app's backend.
    pub operator: Option<UserId>,
    /// To whom.
    pub users: Vec<UserId>,
    /// Until when it holds; zero: it has no end.
    pub until: Timestamp,
    /// The words of whoever did it.
    pub extra: Box<str>,
}

/// See [`RoomNotice`]. The numbers are those on the wire.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum NoticeKind {
    /// Users may not write.
    Muted = 1,
    /// They may again.
    Unmuted = 2,
    /// Users are kept out.
    Banned = 3,
    /// They may come in again.
    BanLifted = 4,
    /// Only moderators and those exempt write.
    AllMuted = 5,
    /// Everybody does again.
    AllUnmuted = 6,
    /// Users were put out.
    Removed = 7,
    /// The name, or who moderates.
    Changed = 8,
}

impl NoticeKind {
    const ALL: [Self; 8] = [
        Self::Muted,
        Self::Unmuted,
        Self::Banned,
        Self::BanLifted,
        Self::AllMuted,
        Self::AllUnmuted,
        Self::Removed,
        Self::Changed,
    ];

    fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u32 == number)
    }
}

/// Something that happened in a room.
#[derive(Clone, Debug)]
pub struct RoomItem {
    /// 1, 2, 3 … in an epoch.
    pub seq: u64,
    /// What of it may be dropped first.
    pub class: Class,
    /// What it was.
    pub what: Happening,
}

/// See [`RoomItem`].
#[derive(Clone, Debug)]
pub enum Happening {
    /// Somebody said something.
    Message(Arc<RoomMessage>),
    /// A message was taken back.
    Recall {
        /// Which.
        message_id: MessageId,
        /// By whom; `None`: the app's backend.
        operator: Option<UserId>,
    },
    /// Attributes have changed.
    Attributes(Arc<AttributesChanged>),
    /// See [`RoomNotice`].
    Notice(Arc<RoomNotice>),
}

impl RoomItem {
    /// What it takes in memory, roughly.
    fn bytes(&self) -> usize {
        const FIXED: usize = 160;
        FIXED
            + match &self.what {
                Happening::Message(message) => message.body.len() + message.content_type.len(),
                Happening::Attributes(changed) => {
                    let set = changed.set.iter();
                    set.map(|(key, one)| key.len() + one.value.len()).sum()
                }
                Happening::Recall { .. } | Happening::Notice(_) => 0,
            }
    }
}

/// What a session hears of a room at a time.
#[derive(Clone, Debug)]
pub struct RoomPush {
    /// Which.
    pub room: RoomId,
    /// See [`RoomItem::seq`].
    pub epoch: u64,
    /// The last sequence before these.
    pub prev: u64,
    /// In order.
    pub items: Vec<RoomItem>,
    /// How many members there are, if that is told.
    pub member_count: Option<u32>,
    /// See [`AttributesChanged::version`].
    pub attributes_version: u64,
    essential: OnceLock<Option<Arc<Event>>>,
    vital: OnceLock<Option<Arc<Event>>>,
}

impl RoomPush {
    /// What happened, in order, behind a place: epoch and sequence.
    #[must_use]
    pub fn new(
        room: RoomId,
        (epoch, prev): (u64, u64),
        items: Vec<RoomItem>,
        member_count: Option<u32>,
        attributes_version: u64,
    ) -> Self {
        Self {
            room,
            epoch,
            prev,
            items,
            member_count,
            attributes_version,
            essential: OnceLock::new(),
            vital: OnceLock::new(),
        }
    }

    /// The same for a session that reads too slowly for all of it: without what is of class low.
    /// `None`: nothing is left.
    pub fn essential(&self) -> Option<&Arc<Event>> {
        self.essential
            .get_or_init(|| self.from(Class::High))
            .as_ref()
    }

    /// The same for one that is slower still: only what is protected. `None`: nothing is.
    pub fn vital(&self) -> Option<&Arc<Event>> {
        self.vital
            .get_or_init(|| self.from(Class::Protected))
            .as_ref()
    }

    /// Is anything in it protected?
    #[must_use]
    pub fn is_vital(&self) -> bool {
        self.items.iter().any(|item| item.class == Class::Protected)
    }

    /// The same with nothing below this class.
    fn from(&self, class: Class) -> Option<Arc<Event>> {
        let kept = self.items.iter().filter(|item| item.class >= class);
        let items: Vec<RoomItem> = kept.cloned().collect();
        if items.is_empty() {
            return None;
        }
        let (room, place) = (self.room.clone(), (self.epoch, self.prev));
        let push = Self::new(room, place, items, None, self.attributes_version);
        Some(Event::new(EventBody::Room(Box::new(push))))
    }
}

/// Why a session is not in a room any more. The numbers are those on the wire.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum LeftReason {
    /// A moderator or the backend put the user out.
    Removed = 1,
    /// The room is gone.
    Destroyed = 2,
    /// The connection joined another one.
    JoinedAnother = 3,
}

impl LeftReason {
    fn from_number(number: u32) -> Option<Self> {
        [Self::Removed, Self::Destroyed, Self::JoinedAnother]
            .into_iter()
            .find(|reason| *reason as u32 == number)
    }
}

/// A session is not in a room any more.
#[derive(Clone, Debug)]
pub struct RoomLeft {
    /// Which.
    pub room: RoomId,
    /// Why.
    pub reason: LeftReason,
    /// Until when the user is kept out; zero: not.
    pub until: Timestamp,
    /// The words of whoever did it.
    pub extra: Box<str>,
}

/// A room as it is shown.
#[derive(Clone, Debug)]
pub struct RoomView {
    /// Which.
    pub id: RoomId,
    /// What is decided about it.
    pub settings: RoomSettings,
    /// When it was created.
    pub created: Timestamp,
    /// Users who are in it.
    pub member_count: u32,
    /// See [`AttributesChanged::version`].
    pub attributes_version: u64,
    /// By user id.
    pub moderators: Vec<UserId>,
    /// Until when the user who asks may not write; zero: may.
    pub muted_until: Timestamp,
}

/// A session is in.
#[derive(Clone, Debug)]
pub struct Entered {
    /// The room.
    pub room: RoomView,
    /// See [`RoomItem::seq`].
    pub epoch: u64,
    /// The last sequence of what is given here.
    pub seq: u64,
    /// What is given: see [`JoinRoom`].
    pub items: Vec<RoomItem>,
    /// Something behind the known position is not among them.
    pub lost: bool,
}

/// How a session goes into a room.
#[derive(Clone, Debug, Default)]
pub struct JoinRoom {
    /// So many of the newest messages are wanted, at most 50.
    pub newest: u32,
    /// Epoch and sequence known last: what came behind is given instead.
    pub known: Option<(u64, u64)>,
}

/// What is to be said in a room.
#[derive(Clone, Debug)]
pub struct SendRoomMessage {
    /// See [`RoomMessage::client_message_id`].
    pub client_message_id: String,
    /// Type of the content.
    pub content_type: String,
    /// The content.
    pub body: Bytes,
    /// May be dropped first.
    pub low: bool,
}

/// What became of it.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct RoomSent {
    /// See [`RoomItem::seq`].
    pub epoch: u64,
    /// Zero: it went to nobody.
    pub seq: u64,
    /// Its id.
    pub message_id: MessageId,
    /// When the room took it.
    pub time: Timestamp,
    /// The room had taken as many as it takes at a time.
    pub dropped: bool,
}

/// A page of members.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RoomMemberPage {
    /// Users with the time they joined.
    pub members: Vec<(UserId, Timestamp)>,
    /// Where the next page starts; empty on the last one.
    pub cursor: String,
    /// How many there are in all.
    pub member_count: u32,
}

/// Attributes as they are.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RoomAttributes {
    /// By key.
    pub attributes: Vec<(String, Attribute)>,
    /// See [`AttributesChanged::version`].
    pub version: u64,
}

/// What somebody does about others in a room.
#[derive(Clone, Debug)]
pub enum Moderation {
    /// Puts users out, and keeps them out for so many seconds if any.
    Remove(Vec<UserId>, u64),
    /// Puts users on a list, for so many seconds if its entries have an end; zero takes them off.
    /// On the other lists any number puts them there.
    List(List, Vec<UserId>, u64),
    /// All but moderators and those exempt are silent, or no longer.
    MuteAll(bool),
}

/// And how members hear of it.
#[derive(Clone, Debug, Default)]
pub struct Telling {
    /// Members are told.
    pub notify: bool,
    /// With these words.
    pub extra: String,
}

/// A room that is to be.
#[derive(Clone, Debug, Default)]
pub struct NewRoom {
    /// What is decided about it.
    pub settings: RoomUpdate,
    /// Its moderators.
    pub moderators: Vec<UserId>,
    /// Its attributes, and in whose name they are set.
    pub attributes: Vec<anser_domain::room::attribute::AttributeChange>,
    /// See there.
    pub attributes_owner: Option<UserId>,
}

/// A page of stored messages.
#[derive(Clone, Debug, Default)]
pub struct RoomMessagePage {
    /// In the order asked for.
    pub messages: Vec<RoomMessage>,
    /// There are more.
    pub more: bool,
}
