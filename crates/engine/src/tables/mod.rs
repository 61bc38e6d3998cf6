//! The catalog: every table, its key, its value, who writes it.
//!
//! Keys stand behind a virtual shard ([`shard`]). Texts in keys end with a zero byte, which no id
//! may contain, and numbers are big-endian, so that bytes sort as the things they name. Values
//! are the messages of `proto/anser/stored/v1/stored.proto`.
//!
//! | Table | Key after the shard | Value | Written by |
//! |---|---|---|---|
//! | [`HEAD`] | conversation | `Head` | the conversation's actor; every append is conditional on it |
//! | [`MESSAGE`] | conversation, seq | `Message` | the unit that moves the head |
//! | [`SENT`] | conversation, sender, client message id | `Sent` | the unit of the message |
//! | [`UNCOUNTED`] | conversation, user, ordinal | how many countable messages the user has sent up to this one (8 bytes) | the unit of the message |
//! | [`MEMBER`] | conversation, user | `Member` | the unit that moves the head's member version |
//! | [`POSITION`] | conversation, user | `Position` | reading; conditional on itself, only moves up |
//! | [`INBOX_HEAD`] | user | `InboxHead` | whoever changes the user's inbox; conditional on itself |
//! | [`INBOX`] | user, conversation | `InboxRow` | the unit that moves the inbox head |
//! | [`INBOX_FEED`] | user, feed version | conversation | the same: exactly one row a conversation |
//! | [`USER`] | user | `User` | the server API, the first login |
//! | [`OUTBOX`] | due time, random | `OutboxRow` | the unit of the cause; the outbox worker deletes |
//! | [`JOIN_REQUEST`] | conversation, user | `JoinRequest` | who asks to be let in; the unit that lets them in deletes |
//! | [`INVITATION`] | conversation, user | `GroupInvitation` | the unit of the notice about it, and of the answer |
//! | [`BAN`] | conversation, user | `GroupBan` | the unit of the notice about it |
//! | [`GROUP_INFO`] | conversation | `GroupInfo` | the unit that moves the head's member version |
//! | [`BURN`] | conversation, seq | `BurnRow`: burns once it is read | the unit of the message; deleted by the unit that plans the burning |
//! | [`DEAD_LETTER`] | shard, due time, random, in shard 0 | `DeadLetter` | the outbox, when an effect failed too often |
//! | [`APP`] | app key, in shard 0 | `App` | management; conditional on itself |
//! | [`BLOCK`] | user, another | `Relation`: whom the user does not hear | the unit that moves the user's `relation_version` |
//! | [`ALLOW`] | user, another | `Relation`: whom the user hears when only some may write | the same |
//! | [`RELATION_STAMP`] | conversation | random (8 bytes): what the first append to a private chat depends on | who changes a list, while the chat has no head |
//! | [`PRESENCE`] | user | `Presence`: what is told of the user | the user's home, the user; conditional on itself |
//! | [`ONLINE`] | user | nothing to read: the user is told to be online | the unit of the presence |
//! | [`SUBSCRIPTIONS`] | user | `Subscriptions`: whom the user watches | the user; conditional on itself |
//! | [`WATCHER`] | user, another | `Watcher`: who watches the user | the other, before its own row |
//! | [`CONTROL`] | app, in shard 0 | `AppControl`: what the app decides for its users | the server API; conditional on itself |
//! | [`APP_MUTE`] | app, kind, list, user, in shard 0 | `AppMute`: muted in all conversations of a kind, or exempt | the unit that moves the app's `AppControl` |
//! | [`USER_BAN`] | app, user, in the app's shard | `UserBan`: listed as banned; until when stands in `User` | the server API |
//! | [`INSTALLATION`] | nothing, in shard 0 | `Installation` | first start, new apps; conditional on itself |
//! | [`CHANGE`] | conversation, rev | seq (8 bytes) | the unit that changes a message: one row a changed message, moved at each change |
//! | [`EDIT`] | conversation, seq, rev | `EditRow`: what the message said before the edit of this `rev` | the unit of the edit |
//! | [`RECALLED`] | conversation, seq | `RecalledRow` | the unit of the recall |
//! | [`TARGETED`] | conversation, user, seq | how many countable messages up to this one are targeted at the user (8 bytes); in a system conversation every message that some may see has a row of each of them, its sender included | the unit of the message |
//! | [`MENTION`] | conversation, user (empty: all), seq | `MentionRow` | the unit of the message, edits and recalls of it |
//! | [`HIDDEN`] | conversation, user, seq | `HiddenRow`: deleted by the user for themself | the unit that moves the user's position row |
//! | [`HIDDEN_FEED`] | conversation, user, version | seq (8 bytes) | the same |
//! | [`RECEIPT_FEED`] | conversation, version, user | nothing | the same: exactly one row a member who ever moved |
//! | [`ACKNOWLEDGED`] | conversation, seq, user | time (8 bytes) | the user's acknowledgement; written once |
//! | [`UNIQUE`] | app, kind, SHA-256 of the sorted members; in the shard of that hash | `UniqueConversation` | who creates a unique conversation, before it is there; conditional on itself |
//! | [`CREATED`] | app, conversation | nothing: there is this created conversation | the unit that creates it; the unit that dismisses it deletes |
//! | [`SUBSCRIBER`] | conversation, user | `Subscriber`: who is or was subscribed to a system conversation | subscribing; conditional on itself |
//! | [`SYSTEM`] | app, conversation, in the app's shard | nothing: there may be this system conversation | who creates it, before it is there; who dismisses it deletes |
//! | [`FOR_ALL`] | conversation, seq | nothing: a message of a system conversation that is for all subscribers | the unit of the message |
//! | [`AUDIENCE`] | app, tag, conversation, in the app's shard | nothing: there may be this system conversation for this tag | who creates it, before it is there; who dismisses it deletes |
//! | [`LEFT`] | conversation, user | nothing: the user, who has a row in their inbox, is not in this temporary conversation any more | the unit of the notice about it |
//! | [`ENDED`] | user | `EndedConversations`: temporary conversations that a device which was away has to drop | the unit that takes one out of the user's inbox |
//! | [`TAGGED`] | app, tag, user, in the user's shard | nothing: the user has this tag, as `User` says | the unit that changes the user's tags |
//! | [`MEDIA`] | app, id | `Media` | the announcement of an upload, its end |
//! | [`MEDIA_USE`] | user | `MediaUse` | the user's announcements of uploads; conditional on itself |
//! | [`ROOM`] | room | `Room`: what is decided about a chat room | its owner; every other row of the room but its messages is conditional on it |
//! | [`ROOM_ATTRIBUTE`] | room, key | `RoomAttribute` | the unit that moves the room's row |
//! | [`ROOM_USER`] | room, list, user | `RoomUser`: banned, muted, exempt, protected, moderator | the same |
//! | [`ROOM_MESSAGE`] | room, message id | `RoomMessage`, of rooms that keep them | the room's owner, behind the delivery |
//! | [`DOOR`] | app, the door's name, in shard 0 | `Door`: a way in for clients of another protocol | the server API; conditional on itself |
//! | [`DOOR_APP`] | the door's name, the app's name there, in shard 0 | `DoorApp`: which app that is | the unit that changes the door |
//! | [`NOTICE`] | user, time, random | what the user was told, in the words of who told it | who tells it |
//!
//! There is no table from message id to sequence: an id begins with the message's time, and time
//! never falls as the sequence grows, so a message is found by bisection.

mod control_key;
mod created_key;
mod door_key;
mod key;
mod notice_key;
mod presence_key;
mod relation_key;
mod room_key;
mod system_key;
mod tag_key;
mod view_key;

use anser_store::{Space, SpaceClass};
use bytes::Bytes;
use prost::Message;

use anser_domain::{Code, Reject};

pub(crate) use control_key::{
    all_app_mutes, app_mute_key, app_mutes, app_of_control, control_key, controls_after,
    of_app_mute, user_ban_key, user_bans, user_of_ban,
};
pub(crate) use created_key::{created_key, created_of_key, created_range, unique_key};
pub(crate) use door_key::{door_app_key, door_key};
pub(crate) use key::{
    ConversationKeys, UserKeys, app_key, apps_after, conversation_of_head, dead_letter_key,
    dead_letters_after, heads, installation_key, outbox_due, outbox_later, outbox_of_dead_letter,
    outbox_range,
};
pub(crate) use key::{conversation_shard, media_from, media_key, media_of_key, user_shard};
pub(crate) use presence_key::{of_online, online};
pub(crate) use room_key::{RoomKeys, of_room, rooms, rooms_of};
pub(crate) use system_key::{system_key, system_of_key, systems_after};
pub(crate) use tag_key::{
    audience, audience_key, conversation_of_audience, tagged_key, tagged_range, user_of_tagged,
};
pub(crate) use view_key::{last_number, with_number};

/// See the catalog.
pub const HEAD: Space = Space(1);
/// See the catalog.
pub const MESSAGE: Space = Space(2);
/// See the catalog.
pub const SENT: Space = Space(3);
/// See the catalog.
pub const UNCOUNTED: Space = Space(4);
/// See the catalog.
pub const MEMBER: Space = Space(5);
/// See the catalog.
pub const POSITION: Space = Space(6);
/// See the catalog.
pub const INBOX_HEAD: Space = Space(7);
/// See the catalog.
pub const INBOX: Space = Space(8);
/// See the catalog.
pub const INBOX_FEED: Space = Space(9);
/// See the catalog.
pub const USER: Space = Space(10);
/// See the catalog.
pub const OUTBOX: Space = Space(11);
/// See the catalog.
pub const APP: Space = Space(12);
/// See the catalog.
pub const INSTALLATION: Space = Space(13);
/// See the catalog.
pub const CHANGE: Space = Space(14);
/// See the catalog.
pub const EDIT: Space = Space(15);
/// See the catalog.
pub const RECALLED: Space = Space(16);
/// See the catalog.
pub const TARGETED: Space = Space(17);
/// See the catalog.
pub const MENTION: Space = Space(18);
/// See the catalog.
pub const HIDDEN: Space = Space(19);
/// See the catalog.
pub const HIDDEN_FEED: Space = Space(20);
/// See the catalog.
pub const RECEIPT_FEED: Space = Space(21);
/// See the catalog.
pub const ACKNOWLEDGED: Space = Space(22);

/// See the catalog.
pub const JOIN_REQUEST: Space = Space(23);
/// See the catalog.
pub const INVITATION: Space = Space(24);
/// See the catalog.
pub const BAN: Space = Space(25);
/// See the catalog.
pub const GROUP_INFO: Space = Space(26);
/// See the catalog.
pub const BLOCK: Space = Space(30);
/// See the catalog.
pub const ALLOW: Space = Space(31);
/// See the catalog.
pub const CONTROL: Space = Space(32);
/// See the catalog.
pub const APP_MUTE: Space = Space(33);
/// See the catalog.
pub const USER_BAN: Space = Space(34);
/// See the catalog.
pub const RELATION_STAMP: Space = Space(35);
/// See the catalog.
pub const PRESENCE: Space = Space(36);
/// See the catalog.
pub const ONLINE: Space = Space(37);
/// See the catalog.
pub const SUBSCRIPTIONS: Space = Space(38);
/// See the catalog.
pub const WATCHER: Space = Space(39);

/// See the catalog.
pub const BURN: Space = Space(27);
/// See the catalog.
pub const DEAD_LETTER: Space = Space(28);
/// See the catalog.
pub const MEDIA: Space = Space(50);
/// See the catalog.
pub const MEDIA_USE: Space = Space(51);

/// See the catalog.
pub const UNIQUE: Space = Space(40);

/// See the catalog.
pub const CREATED: Space = Space(41);

/// See the catalog.
pub const SUBSCRIBER: Space = Space(42);
/// See the catalog.
pub const SYSTEM: Space = Space(43);
/// See the catalog.
pub const FOR_ALL: Space = Space(44);

/// See the catalog.
pub const AUDIENCE: Space = Space(45);

/// See the catalog.
pub const LEFT: Space = Space(47);
/// See the catalog.
pub const ENDED: Space = Space(48);
/// See the catalog.
pub const TAGGED: Space = Space(49);

/// See the catalog.
pub const ROOM: Space = Space(52);
/// See the catalog.
pub const ROOM_ATTRIBUTE: Space = Space(53);
/// See the catalog.
pub const ROOM_USER: Space = Space(54);
/// See the catalog.
pub const ROOM_MESSAGE: Space = Space(55);

/// See the catalog.
pub const DOOR: Space = Space(56);
/// See the catalog.
pub const DOOR_APP: Space = Space(57);
/// See the catalog.
pub const NOTICE: Space = Space(60);

/// How each table is used, for the store to place it.
pub const CATALOG: &[(Space, SpaceClass)] = &[
    (HEAD, SpaceClass::Small),
    (MESSAGE, SpaceClass::Log),
    (SENT, SpaceClass::Small),
    (UNCOUNTED, SpaceClass::Small),
    (MEMBER, SpaceClass::Small),
    (POSITION, SpaceClass::Small),
    (INBOX_HEAD, SpaceClass::Small),
    (INBOX, SpaceClass::Small),
    (INBOX_FEED, SpaceClass::Small),
    (USER, SpaceClass::Small),
    (OUTBOX, SpaceClass::Small),
    (APP, SpaceClass::Small),
    (INSTALLATION, SpaceClass::Small),
    (CHANGE, SpaceClass::Small),
    (EDIT, SpaceClass::Small),
    (RECALLED, SpaceClass::Small),
    (TARGETED, SpaceClass::Small),
    (MENTION, SpaceClass::Small),
    (HIDDEN, SpaceClass::Small),
    (HIDDEN_FEED, SpaceClass::Small),
    (RECEIPT_FEED, SpaceClass::Small),
    (JOIN_REQUEST, SpaceClass::Small),
    (INVITATION, SpaceClass::Small),
    (BAN, SpaceClass::Small),
    (GROUP_INFO, SpaceClass::Small),
    (BURN, SpaceClass::Small),
    (DEAD_LETTER, SpaceClass::Small),
    (BLOCK, SpaceClass::Small),
    (ALLOW, SpaceClass::Small),
    (RELATION_STAMP, SpaceClass::Small),
    (PRESENCE, SpaceClass::Small),
    (ONLINE, SpaceClass::Small),
    (SUBSCRIPTIONS, SpaceClass::Small),
    (WATCHER, SpaceClass::Small),
    (CONTROL, SpaceClass::Small),
    (APP_MUTE, SpaceClass::Small),
    (USER_BAN, SpaceClass::Small),
    (ACKNOWLEDGED, SpaceClass::Small),
    (UNIQUE, SpaceClass::Small),
    (CREATED, SpaceClass::Small),
    (SUBSCRIBER, SpaceClass::Small),
    (SYSTEM, SpaceClass::Small),
    (FOR_ALL, SpaceClass::Small),
    (AUDIENCE, SpaceClass::Small),
    (LEFT, SpaceClass::Small),
    (ENDED, SpaceClass::Small),
    (TAGGED, SpaceClass::Small),
    (MEDIA, SpaceClass::Small),
    (MEDIA_USE, SpaceClass::Small),
    (ROOM, SpaceClass::Small),
    (ROOM_ATTRIBUTE, SpaceClass::Small),
    (ROOM_USER, SpaceClass::Small),
    (ROOM_MESSAGE, SpaceClass::Log),
    (DOOR, SpaceClass::Small),
    (DOOR_APP, SpaceClass::Small),
    (NOTICE, SpaceClass::Small),
];

/// A page of users continues behind a user: may this be one?
pub(crate) fn check_user_cursor(cursor: &str) -> Result<(), Reject> {
    if cursor.is_empty() || anser_domain::UserId::new(cursor).is_ok() {
        return Ok(());
    }
    Err(Reject::new(
        Code::InvalidRequest,
        "cursor is not one that a page came with",
    ))
}

/// Reads a value back. Bytes that do not decode mean a damaged store.
pub(crate) fn decode<T: Message + Default>(bytes: &Bytes) -> Result<T, Reject> {
    T::decode(bytes.clone()).map_err(|error| {
        tracing::error!(%error, "a stored value does not decode; run a check of the store");
        Reject::new(Code::Internal, "a stored value does not decode")
    })
}

/// Reads a value that may be absent.
pub(crate) fn decode_some<T: Message + Default>(
    bytes: Option<&Bytes>,
) -> Result<Option<T>, Reject> {
    bytes.map(decode).transpose()
}

/// Writes a value.
pub(crate) fn encode(value: &impl Message) -> Bytes {
    value.encode_to_vec().into()
}
