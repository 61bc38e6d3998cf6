//! Every limit in one place, each with its unit and its reason.

/// Bytes of an id of a user, group or device.
pub const ID_BYTES_MAX: usize = 64;
/// Bytes of a client message id.
pub const CLIENT_MESSAGE_ID_BYTES_MAX: usize = 64;
/// Bytes of a content type.
pub const CONTENT_TYPE_BYTES_MAX: usize = 64;
/// Bytes of a message's content, type and body together, unless an operator raises it.
pub const CONTENT_BYTES_DEFAULT: usize = 3 * 1024;
/// What an operator may raise it to.
pub const CONTENT_BYTES_MAX: usize = 128 * 1024;
/// Characters of the id of an upload: 128 random bits in hexadecimal.
pub const MEDIA_ID_CHARACTERS: usize = 32;
/// Bytes of an address in a content.
pub const URL_BYTES_MAX: usize = 2_048;
/// Bytes of the name of a file.
pub const FILE_NAME_BYTES_MAX: usize = 255;
/// Pixels of a side of a picture.
pub const PIXELS_SIDE_MAX: u64 = 100_000;
/// Milliseconds that something takes to be listened to or looked at: a day.
pub const DURATION_MS_MAX: u64 = 24 * 3_600 * 1_000;
/// Bytes of the name of a place, and of its address.
pub const PLACE_BYTES_MAX: usize = 512;
/// Bytes of what a command wants done.
pub const COMMAND_ACTION_BYTES_MAX: usize = 64;
/// Bytes of one frame from a client: the largest content, or the largest member list, and room.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a frame before its sender has authenticated: a token and little else.
pub const FIRST_FRAME_BYTES_MAX: usize = 8 * 1024;
/// Requests in one frame.
pub const FRAME_REQUESTS_MAX: usize = 64;
/// Users that a message mentions by name, or is for. (Each gets a row of their own.)
pub const MENTIONS_MAX: usize = 100;
/// See [`MENTIONS_MAX`].
pub const TARGETS_MAX: usize = 100;
/// The longest that a message waits to burn after it was read: 7 days.
pub const BURN_SECONDS_MAX: u32 = 604_800;
/// How often a message is edited: each former content is kept.
pub const EDITS_MAX: u32 = 1_000;
/// Keys that one command puts into a message's expansion or removes.
pub const EXPANSION_UPDATE_KEYS_MAX: usize = 20;
/// Bytes of a key of an expansion.
pub const EXPANSION_KEY_BYTES_MAX: usize = 64;
/// Bytes of a value of an expansion.
pub const EXPANSION_VALUE_BYTES_MAX: usize = 4 * 1024;
/// Keys of a message's expansion.
pub const EXPANSION_KEYS_MAX: usize = 300;
/// Bytes of all keys and values of a message's expansion: every change carries all of it.
pub const EXPANSION_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a reaction.
pub const REACTION_BYTES_MAX: usize = 64;
/// Different reactions to a message.
pub const REACTIONS_MAX: usize = 20;
/// Reactions to a message, all users together: every change carries all of them, to everybody.
pub const REACTION_USERS_MAX: usize = 500;
/// Conversations in the window that a new device starts with, unless the operator decides
/// otherwise: a screen or two.
pub const FIRST_WINDOW_DEFAULT: usize = 50;
/// How long the sender may take a message back, in seconds, unless the operator decides otherwise.
pub const RECALL_SECONDS_DEFAULT: u64 = 120;
/// How long the sender may edit a message, in seconds, unless the operator decides otherwise.
pub const EDIT_SECONDS_DEFAULT: u64 = 86_400;
/// Members of a group.
pub const GROUP_MEMBERS_MAX: usize = 3_000;
/// Bytes of a group's name.
pub const GROUP_NAME_BYTES_MAX: usize = 128;
/// Admins of a group, the owner not counted.
pub const GROUP_ADMINS_MAX: usize = 50;
/// Roles that a group defines.
pub const GROUP_ROLES_MAX: usize = 16;
/// Bytes of the name of a role.
pub const GROUP_ROLE_NAME_BYTES_MAX: usize = 64;
/// Bytes of a group's announcement.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 4 * 1024;
/// Bytes of the address of a picture.
pub const PORTRAIT_BYTES_MAX: usize = 1024;
/// Bytes of the key of an attribute.
pub const ATTRIBUTE_KEY_BYTES_MAX: usize = 64;
/// Attributes of a group.
pub const GROUP_ATTRIBUTES_MAX: usize = 64;
/// Bytes of a group's attributes, keys and values together.
pub const GROUP_ATTRIBUTES_BYTES_MAX: usize = 16 * 1024;
/// Attributes of a member. Members are in memory while their group is in use.
pub const MEMBER_ATTRIBUTES_MAX: usize = 16;
/// Bytes of a member's attributes, keys and values together.
pub const MEMBER_ATTRIBUTES_BYTES_MAX: usize = 1024;
/// Bytes of a created conversation's attributes: their keys and strings, and 8 for every value.
/// They are in memory while the conversation is in use, and every notice of a change carries its part.
pub const NESTED_ATTRIBUTES_BYTES_MAX: usize = 16 * 1024;
/// Levels of a created conversation's attributes, the outermost object included.
pub const NESTED_ATTRIBUTES_DEPTH_MAX: usize = 16;
/// Bytes of a path of attributes.
pub const ATTRIBUTE_PATH_BYTES_MAX: usize = 256;
/// Paths that one change sets and removes.
pub const ATTRIBUTE_PATHS_MAX: usize = 100;
/// Members that a created conversation begins with, its creator included.
pub const CREATED_MEMBERS_AT_FIRST_MAX: usize = 500;
/// Tags of a user.
pub const TAGS_MAX: usize = 20;
/// Users whose tags one request sets.
pub const TAGGED_USERS_MAX: usize = 100;
/// Users of a tag on a page.
pub const TAGGED_PAGE_MAX: usize = 500;
/// Members of a temporary conversation, its creator included.
pub const TEMPORARY_MEMBERS_MAX: usize = 50;
/// Conditions of a query, and besides so many groups of them.
pub const QUERY_CONDITIONS_MAX: usize = 64;
/// Levels of a query's filter.
pub const QUERY_DEPTH_MAX: usize = 8;
/// Values that a condition of a query compares with.
pub const QUERY_VALUES_MAX: usize = 100;
/// Fields that the answer to a query is sorted by.
pub const QUERY_SORTS_MAX: usize = 4;
/// Characters of a string that count for its place in an answer.
pub const SORT_TEXT_CHARS_MAX: usize = 128;
/// Conversations that one query looks at; an answer that could not look at all says so.
pub const QUERY_CONVERSATIONS_MAX: usize = 5_000;
/// Milliseconds that one query takes before it answers with what it has, and says so.
pub const QUERY_TIME_MS_MAX: u64 = 2_000;
/// Conversations of an answer that are passed over at most.
pub const QUERY_SKIP_MAX: usize = 5_000;
/// Users banned from a group.
pub const GROUP_BANS_MAX: usize = 500;
/// Users whose role, mute or ban one command changes.
pub const GROUP_CHANGE_USERS_MAX: usize = 100;
/// Seconds of a mute or a ban: ten years.
pub const BAN_SECONDS_MAX: u64 = 10 * 365 * 24 * 3_600;
/// App-wide mutes and exemptions of an app: all nodes keep them in memory.
pub const APP_MUTES_MAX: usize = 10_000;
/// Users on a block list, or an allow list.
pub const RELATIONS_MAX: usize = 1_000;
/// Users whom one command puts onto a list or takes off it: the chat with each of them is written.
pub const RELATION_CHANGE_USERS_MAX: usize = 100;
/// Devices told of a user's presence.
pub const PRESENCE_DEVICES_MAX: usize = 16;
/// Users whose presence one command asks for, or subscribes to.
pub const PRESENCE_USERS_MAX: usize = 100;
/// Users whose presence a user is told of.
pub const PRESENCE_SUBSCRIPTIONS_MAX: usize = 1_000;
/// Seconds of a status, or of a subscription: 30 days.
pub const PRESENCE_SECONDS_MAX: u64 = 30 * 24 * 3_600;
/// Bytes of a status.
pub const PRESENCE_STATUS_BYTES_MAX: usize = 256;
/// Requests to join a group that wait for an answer.
pub const JOIN_REQUESTS_MAX: usize = 500;
/// Invitations to a group that wait for an answer.
pub const INVITATIONS_MAX: usize = 500;
/// Bytes of the message that goes with a request to join.
pub const JOIN_MESSAGE_BYTES_MAX: usize = 256;
/// How long a request to join, or an invitation, can be answered.
pub const JOIN_REQUEST_LIFE_MS: u64 = 7 * 24 * 3_600 * 1_000;
/// Users named in a notice about a group; the rest is a number.
pub const NOTICE_USERS_MAX: usize = 100;
/// Conversations of one user that a list or a sync looks at: those whose membership or settings
/// changed last. A first window sorts them all by activity, so there must be a bound.
pub const INBOX_CONVERSATIONS_MAX: usize = 5_000;
/// System conversations of an app to which everyone is subscribed: each costs every user a row.
pub const SYSTEM_EVERYONE_MAX: usize = 8;
/// System conversations for one tag: each costs every user of the tag a row.
pub const SYSTEM_PER_TAG_MAX: usize = 8;
/// Users whom one command subscribes to a system conversation, or unsubscribes.
pub const SUBSCRIBERS_CHANGE_MAX: usize = 100;
/// Items of a page of messages or conversations.
pub const PAGE_ITEMS_MAX: usize = 100;
/// Messages in a page when the client does not say.
pub const MESSAGES_PAGE_DEFAULT: usize = 50;
/// Conversations in a page when the client does not say.
pub const CONVERSATIONS_PAGE_DEFAULT: usize = 20;
/// Members in a page.
pub const MEMBERS_PAGE_MAX: usize = 500;
/// Members in a page when the client does not say.
pub const MEMBERS_PAGE_DEFAULT: usize = 100;
/// Conversations a client may have open in one sync.
pub const SYNC_OPEN_MAX: usize = 20;
/// Messages of a group, the newest of those just read, whose senders are told of it at once.
pub const RECEIPT_SENDERS_MAX: usize = 100;
/// Receipts, and readers, in a page.
pub const RECEIPTS_PAGE_MAX: usize = 500;
/// Receipts, and readers, in a page when the client does not say.
pub const RECEIPTS_PAGE_DEFAULT: usize = 100;
/// Marks of one user on one conversation.
pub const MARKS_MAX: usize = 8;
/// Bytes of a mark.
pub const MARK_BYTES_MAX: usize = 32;
/// Bytes of a draft: it is read with every page of the conversation list.
pub const DRAFT_BYTES_MAX: usize = 4_096;
/// Sessions of one user at a time, all devices and tabs.
pub const SESSIONS_PER_USER_MAX: usize = 32;
/// How long a retry of a send is recognised. Later it is refused with `STALE_SEND`.
pub const IDEMPOTENCY_LIFE_MS: u64 = 7 * 24 * 3_600 * 1_000;
/// A first-try time this near the end of the key's life is already refused: the key must outlive
/// the attempt, with clocks that differ.
pub const IDEMPOTENCY_MARGIN_MS: u64 = 10 * 60 * 1_000;
/// How far clocks of nodes may differ, and how long a commit may take before its fate is decided.
/// A sync looks back by so much, so that an append stamped before it is never passed over.
pub const SYNC_LOOK_BACK_MS: u64 = 60 * 1_000;
/// Bounds of the heartbeat interval a client may choose, in seconds.
pub const HEARTBEAT_SECONDS_MIN: u32 = 10;
/// See [`HEARTBEAT_SECONDS_MIN`].
pub const HEARTBEAT_SECONDS_MAX: u32 = 600;
/// The interval of a client that does not choose.
pub const HEARTBEAT_SECONDS_DEFAULT: u32 = 60;
/// Life of a token.
pub const TOKEN_LIFE_SECONDS_MAX: u64 = 30 * 24 * 3_600;
/// How far ahead of the server's clock a token may say it was issued.
pub const TOKEN_CLOCK_SKEW_SECONDS: u64 = 60;
/// Bytes of a token.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;

const _: () = assert!(CONTENT_BYTES_DEFAULT <= CONTENT_BYTES_MAX);
const _: () = assert!(CONTENT_BYTES_MAX < FRAME_BYTES_MAX);
const _: () = assert!(GROUP_MEMBERS_MAX * (ID_BYTES_MAX + 4) < FRAME_BYTES_MAX);
const _: () = assert!(TOKEN_BYTES_MAX < FIRST_FRAME_BYTES_MAX);

// ───────────── chat rooms ─────────────

/// Messages that a client is given of a room when it joins; also the least that a room remembers.
pub const ROOM_NEWEST_MAX: usize = 50;
/// Members of a room on a page.
pub const ROOM_MEMBERS_PAGE_MAX: usize = 500;
/// Members on a page unless it is said how many.
pub const ROOM_MEMBERS_PAGE_DEFAULT: usize = 100;
/// Attributes of a room.
pub const ROOM_ATTRIBUTES_MAX: usize = 100;
/// Characters of the key of an attribute.
pub const ROOM_KEY_CHARS_MAX: usize = 128;
/// Characters of the value of an attribute.
pub const ROOM_VALUE_CHARS_MAX: usize = 4_096;
/// Attributes that a client changes at once.
pub const ROOM_ATTRIBUTES_OF_CLIENT_MAX: usize = 10;
/// Attributes that the backend changes at once.
pub const ROOM_ATTRIBUTES_OF_SERVER_MAX: usize = 20;
/// Attributes of one room that are changed in a second.
pub const ROOM_ATTRIBUTE_CHANGES_PER_SECOND: u32 = 100;
/// Types of content that an app places in a class.
pub const ROOM_TYPES_MAX: usize = 20;
/// Milliseconds for which a room takes so many messages.
pub const ROOM_WINDOW_MS: u64 = 200;
/// Ordinary messages that a room takes in that time, unless the app has set another number.
pub const ROOM_WINDOW_MESSAGES: u32 = 40;
/// Those of them that are not for class low.
pub const ROOM_WINDOW_RESERVED: u32 = 20;
/// Protected messages beyond.
pub const ROOM_WINDOW_PROTECTED: u32 = 20;
/// Messages that a member who is away may miss.
pub const ROOM_MISSED: u32 = 30;
/// Seconds that a member may be away.
pub const ROOM_AWAY_SECONDS: u32 = 30;
/// Minutes without messages and joins after which a room is destroyed.
pub const ROOM_IDLE_MINUTES: u32 = 60;
/// Minutes that a room lives at most, where it is said.
pub const ROOM_LIFE_MINUTES_MAX: u32 = 10_080;
/// Rooms that a connection is in at a time, unless the app has set another number.
pub const ROOMS_OF_SESSION: u32 = 1;
/// And at most.
pub const ROOMS_OF_SESSION_MAX: u64 = 50;
/// Users on one list of a room.
pub const ROOM_LIST_MAX: usize = 5_000;
/// Users of a room whose messages are protected.
pub const ROOM_PROTECTED_MAX: usize = 5;
/// Moderators of a room.
pub const ROOM_MODERATORS_MAX: usize = 20;
/// Users whom one request puts on a list of a room.
pub const ROOM_LIST_CHANGE_MAX: usize = 20;
/// Bytes that a moderator, or the backend, adds to what members are told.
pub const ROOM_EXTRA_BYTES_MAX: usize = 1_024;
/// Days for which messages of a room are kept, at the least.
pub const ROOM_HISTORY_DAYS_MIN: u32 = 1;
/// And at most: three years.
pub const ROOM_HISTORY_DAYS_MAX: u32 = 1_096;
