//! What goes into the core and what comes out.

use std::collections::BTreeMap;

use anser_domain::{Platform, Timestamp};
use bytes::Bytes;

use super::created::CreatedRequest;
use super::people::PeopleRequest;
use super::room_requests::RoomRequest;
use super::system::SystemRequest;
use crate::database::Write;
use crate::error::Error;
use crate::model::{
    Acknowledgement, Content, Conversation, ConversationPage, ConversationSettings,
    ConversationsFound, CreatedConversation, DefinedRole, FoundPage, Group, GroupMemberPage,
    GroupMemberUpdate, GroupRole, GroupUpdate, GroupUserPage, JoinRequest, Mention, Message,
    MessagePage, MessageSearch, MessageState, Presence, PresenceSubscription, ReadPosition,
    ReaderPage, Receipt, ReceiptPage, RelationChange, RelationPage, Room, RoomJoined,
    RoomMemberPage, RoomMessage, RoomNews, RoomSent, Sent, SystemConversation,
};

/// Where random numbers come from: each call gives 64 fresh random bits.
pub type Random<'a> = &'a mut dyn FnMut() -> u64;

/// Who the client is and where its server lives.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Config {
    /// The addresses of one server, tried in turn: 1 to
    /// [`ADDRESSES_MAX`](crate::limits::ADDRESSES_MAX). Opaque to the core, which hands them
    /// back in [`Output::Open`].
    pub addresses: Vec<String>,
    /// Stable per installation, 1–64 bytes.
    pub device_id: String,
    /// What kind of device this is.
    pub platform: Platform,
    /// Name and version of the application, for the operator's logs; at most 64 bytes.
    pub client: String,
    /// Tell the server by itself what arrived on this device, shortly after it did.
    pub marks_delivered: bool,
}

/// Names one attempt to connect and the connection that comes of it. Never used twice.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// Names a request of the application; chosen by the caller, not in use by another request.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct Ticket(pub u64);

/// Something happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The application wants to be connected, from now on until `Disconnect`. While waiting
    /// before the next attempt: try at once, as when the network has come back.
    Connect,
    /// The application wants to be disconnected. What waits for an answer fails.
    Disconnect,
    /// Answers [`Output::GetToken`].
    Token(String),
    /// Answers [`Output::GetToken`]: there is none. `retry`: ask again later; otherwise the
    /// client gives up.
    NoToken {
        /// Is it worth asking again?
        retry: bool,
        /// What went wrong, for a developer to read.
        message: String,
    },
    /// The connection is open.
    Connected(ConnectionId),
    /// The connection could not be opened, or ended. After an [`Output::Close`] it need not be
    /// reported.
    Disconnected(ConnectionId),
    /// A frame arrived: the payload, without the length that stands before it on TCP.
    Frame(ConnectionId, Bytes),
    /// Time has passed.
    Tick,
    /// A request of the application. Exactly one [`Output::Done`] answers it.
    Request(Ticket, Request),
    /// The application shows this conversation: follow it, and don't drop it for another.
    OpenConversation {
        /// Its name.
        conversation: String,
        /// The last sequence the application already has, without holes before it; `None`
        /// begins with what comes next. Of no effect when the conversation is followed already.
        have: Option<u64>,
    },
    /// The application no longer shows it. It is followed further while there is room.
    CloseConversation {
        /// Its name.
        conversation: String,
    },
    /// Answers [`Output::Confirm`].
    Confirmed(u64),
    /// A write to the database failed: the client stops, since what it did not store it must not
    /// tell. Nothing of what was to follow the write is carried out.
    StorageFailed(String),
    /// The application can't take more events for now. Until `Release`, what the server pushes
    /// is left to be fetched afterwards, as with any slow reader; requests are answered.
    Hold,
    /// The application takes events again: the core fetches what was left out.
    Release,
}

/// What an application asks of the server.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Request {
    /// Sends a message. Sends go out in the order in which they were requested.
    Send(Outgoing),
    /// Puts a message into the database, from where it is sent as soon as it can be, after a
    /// restart too. Answered once it is in the database; [`Event::Queue`] says how it ended. To
    /// try a failed one again, queue it again under its client message id.
    Queue(Outgoing),
    /// Takes a queued message back that is not on its way just now.
    Discard {
        /// Where it was to be sent.
        conversation: String,
        /// Its id.
        client_message_id: String,
    },
    /// Reads history.
    History {
        /// The conversation.
        conversation: String,
        /// Messages after it (ascending) or before it (descending); 0 with descending: from the
        /// newest.
        from_seq: u64,
        /// Towards older ones.
        descending: bool,
        /// 1–100; 0 takes 50.
        limit: u32,
    },
    /// Moves the read position up.
    MarkRead {
        /// The conversation.
        conversation: String,
        /// Everything up to here is read.
        seq: u64,
    },
    /// Reads the conversation list.
    ListConversations {
        /// Continues a page; empty starts.
        cursor: String,
        /// 1–100; 0 takes 20.
        limit: u32,
    },
    /// Creates a group that the user owns.
    CreateGroup {
        /// 1–64 bytes; empty lets the server choose.
        group_id: String,
        /// At most 128 bytes.
        name: String,
        /// Besides the creator.
        members: Vec<String>,
    },
    /// Adds members.
    AddGroupMembers {
        /// The group.
        group_id: String,
        /// Who.
        members: Vec<String>,
    },
    /// Removes members.
    RemoveGroupMembers {
        /// The group.
        group_id: String,
        /// Who.
        members: Vec<String>,
    },
    /// Leaves a group.
    QuitGroup {
        /// The group.
        group_id: String,
    },
    /// Ends a group.
    DismissGroup {
        /// The group.
        group_id: String,
    },
    /// Reads what a group is.
    GetGroup {
        /// The group.
        group_id: String,
    },
    /// Reads who is in a group.
    ListGroupMembers {
        /// The group.
        group_id: String,
        /// Continues a page; empty starts.
        cursor: String,
        /// 1–500; 0 takes 100.
        limit: u32,
    },
    /// Takes a message back for everybody.
    Recall {
        /// The conversation.
        conversation: String,
        /// The message.
        seq: u64,
    },
    /// Gives one's own message another content of the same type.
    Edit {
        /// The conversation.
        conversation: String,
        /// The message.
        seq: u64,
        /// What it says from now on.
        content: Content,
        /// Whom it mentions from now on.
        mention: Option<Mention>,
    },
    /// Sets and removes keys of a message's expansion, at most 20.
    UpdateExpansion {
        /// The conversation.
        conversation: String,
        /// The message.
        seq: u64,
        /// To be set.
        put: BTreeMap<String, String>,
        /// To be removed.
        remove: Vec<String>,
    },
    /// Adds the user's reaction to a message, or takes it back.
    React {
        /// The conversation.
        conversation: String,
        /// The message.
        seq: u64,
        /// An emoji or a name; 1–64 bytes.
        reaction: String,
        /// Take it back?
        remove: bool,
    },
    /// Reads messages by their sequence, at most 100.
    GetMessages {
        /// The conversation.
        conversation: String,
        /// Which.
        seqs: Vec<u64>,
    },
    /// Deletes messages for the user only, on all devices; at most 100.
    DeleteMessages {
        /// The conversation.
        conversation: String,
        /// Which.
        seqs: Vec<u64>,
    },
    /// Deletes everything up to a sequence for the user only.
    ClearHistory {
        /// The conversation.
        conversation: String,
        /// 0: everything.
        up_to_seq: u64,
    },
    /// Takes a conversation out of the user's list, with its settings, until the next message.
    DeleteConversation {
        /// The conversation.
        conversation: String,
        /// What it has so far, too?
        with_history: bool,
    },
    /// Changes the user's own settings of a conversation, on all devices.
    UpdateConversation {
        /// The conversation.
        conversation: String,
        /// What is to be changed.
        settings: ConversationSettings,
    },
    /// Says that everything up to here arrived on this device.
    MarkDelivered {
        /// The conversation.
        conversation: String,
        /// Up to here.
        seq: u64,
    },
    /// Tells the senders of these messages, if they asked for it, that they were taken note of.
    Acknowledge {
        /// The conversation.
        conversation: String,
        /// At most 100.
        seqs: Vec<u64>,
    },
    /// Reads where the members stand.
    GetReceipts {
        /// The conversation.
        conversation: String,
        /// Of the page before; 0 starts.
        from_version: u64,
        /// 1–500; 0 takes 100.
        limit: u32,
    },
    /// Reads who has read one's own message, or acknowledged it.
    ListReaders {
        /// The conversation.
        conversation: String,
        /// The message.
        seq: u64,
        /// Who acknowledged it?
        acknowledged: bool,
        /// Continues a page; empty starts.
        cursor: String,
        /// 1–500; 0 takes 100.
        limit: u32,
    },
    /// Reads the unread messages that mention the user, at most 100.
    ListMentions {
        /// The conversation.
        conversation: String,
    },
    /// Leaves a message that the server sends when this connection ends without a logout. It is
    /// this connection's: the next one begins without.
    SetWill(Outgoing),
    /// About a group, beyond its members.
    Group(GroupRequest),
    /// About conversations that users create.
    Created(CreatedRequest),
    /// About conversations of the app's backend.
    System(SystemRequest),
    /// About other people.
    People(PeopleRequest),
    /// About a chat room.
    Room(RoomRequest),
    /// Finds messages on the server.
    Search(MessageSearch),
    /// Ends the session on the server; the client stops.
    Logout,
}

/// What an application asks of a group beyond who is in it.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum GroupRequest {
    /// Changes what is told of the group, and its settings.
    Update {
        /// The group.
        group_id: String,
        /// What is to be changed.
        update: GroupUpdate,
    },
    /// The owner makes another member the owner.
    Transfer {
        /// The group.
        group_id: String,
        /// Who.
        owner: String,
    },
    /// Gives members a role.
    SetRole {
        /// The group.
        group_id: String,
        /// At most 100.
        members: Vec<String>,
        /// Member or admin.
        role: GroupRole,
        /// With the role of a member: one that the group has defined; empty: none.
        role_name: String,
    },
    /// Defines a role, replaces its rights, or removes it.
    DefineRole {
        /// The group.
        group_id: String,
        /// The role.
        role: DefinedRole,
        /// Those who have it are plain members then.
        remove: bool,
    },
    /// Changes what is told of a member.
    UpdateMember {
        /// The group.
        group_id: String,
        /// Of whom, and what.
        update: GroupMemberUpdate,
    },
    /// Mutes members, or lifts it.
    Mute {
        /// The group.
        group_id: String,
        /// At most 100.
        members: Vec<String>,
        /// At most ten years; 0 lifts it.
        seconds: u64,
    },
    /// Exempts members from the mute of all, or no longer.
    Exempt {
        /// The group.
        group_id: String,
        /// At most 100.
        members: Vec<String>,
        /// Or no longer?
        exempt: bool,
    },
    /// Removes users and keeps them out, or lets them in again.
    Ban {
        /// The group.
        group_id: String,
        /// At most 100; they need not be members.
        users: Vec<String>,
        /// At most ten years; 0 lifts it.
        seconds: u64,
    },
    /// Reads who is banned.
    ListBans {
        /// The group.
        group_id: String,
        /// Continues a page; empty starts.
        cursor: String,
        /// 1–500; 0 takes 100.
        limit: u32,
    },
    /// Asks to be let in.
    Join {
        /// The group.
        group_id: String,
        /// For those who decide; at most 256 bytes.
        message: String,
    },
    /// Approves or rejects those who ask to be let in.
    Decide {
        /// The group.
        group_id: String,
        /// At most 100.
        users: Vec<String>,
        /// Or reject?
        approve: bool,
    },
    /// Reads who asks to be let in.
    ListJoinRequests {
        /// The group.
        group_id: String,
        /// Continues a page; empty starts.
        cursor: String,
        /// 1–500; 0 takes 100.
        limit: u32,
    },
    /// Accepts or declines an invitation.
    AnswerInvitation {
        /// The group.
        group_id: String,
        /// Or decline?
        accept: bool,
    },
    /// Reads who is invited and has not answered.
    ListInvitations {
        /// The group.
        group_id: String,
        /// Continues a page; empty starts.
        cursor: String,
        /// 1–500; 0 takes 100.
        limit: u32,
    },
}

/// A message to be sent.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Outgoing {
    /// Where to.
    pub conversation: String,
    /// What.
    pub content: Content,
    /// 1–64 bytes, unique per sender and conversation; `None` draws one. Whoever retries after
    /// an error gives the one of the first try.
    pub client_message_id: Option<String>,
    /// When it was first tried, by the server's clock; 0: now. See `STALE_SEND`.
    pub first_try: Timestamp,
    /// The user has read up to here; 0 leaves the read position alone.
    pub read_up_to: u64,
    /// Online only: pushed to those who are connected, and never stored. It can't be queued.
    pub transient: bool,
    /// Stored, but never unread for anybody.
    pub uncounted: bool,
    /// Whom it mentions.
    pub mention: Option<Mention>,
    /// Not empty: only these members of the conversation, at most 100, and the sender see it.
    pub targets: Vec<String>,
    /// Private chats only: deleted for both sides so many seconds after it was read.
    pub burn_after_seconds: u32,
    /// The sender wants to know who acknowledges it.
    pub receipt_wanted: bool,
}

impl Outgoing {
    /// A new message.
    #[must_use]
    pub fn new(conversation: impl Into<String>, content: Content) -> Self {
        Self {
            conversation: conversation.into(),
            content,
            ..Self::default()
        }
    }
}

/// The good answer to a request.
#[derive(Clone, Eq, PartialEq, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "few of them wait at a time, and it is what applications read"
)]
pub enum Reply {
    /// To `Send`.
    Sent(Sent),
    /// To `Queue`: it is in the database, under this client message id.
    Queued(String),
    /// To `History`.
    Messages(MessagePage),
    /// To `MarkRead`.
    Read(ReadPosition),
    /// To `ListConversations`.
    Conversations(ConversationPage),
    /// To requests that change a message: what is its state now.
    Changed(MessageState),
    /// To `GetMessages` and `ListMentions`.
    MessageList(Vec<Message>),
    /// To `DeleteMessages`.
    Deleted {
        /// The version of the conversation's deletions after it.
        version: u64,
    },
    /// To `UpdateConversation` and `ClearHistory`.
    Conversation(Conversation),
    /// To `GetReceipts`.
    Receipts(ReceiptPage),
    /// To `ListReaders`.
    Readers(ReaderPage),
    /// To requests that read or change a group.
    Group(Group),
    /// To `ListGroupMembers`.
    GroupMembers(GroupMemberPage),
    /// To requests for users outside of a group.
    GroupUsers(GroupUserPage),
    /// To `Join`: the group, if the user is in it; else the request waits for an answer.
    Joined(Option<Group>),
    /// To requests that read or change a created conversation.
    Created(CreatedConversation),
    /// To `Query`.
    CreatedFound(ConversationsFound),
    /// To requests that read or subscribe to a system conversation.
    System(SystemConversation),
    /// To `ListRelations`.
    Relations(RelationPage),
    /// To `Subscribe` and `GetPresence`: how they are now.
    Presences(Vec<Presence>),
    /// To `ListSubscriptions`.
    PresenceSubscriptions(Vec<PresenceSubscription>),
    /// To `Search`.
    Found(FoundPage),
    /// To `Join` of a chat room.
    RoomJoined(RoomJoined),
    /// To `Send` into a chat room.
    RoomSent(RoomSent),
    /// To `Get` of a chat room.
    Room(Room),
    /// To `ListMembers` of a chat room.
    RoomMembers(RoomMemberPage),
    /// To `History` of a chat room.
    RoomMessages {
        /// In the order asked for.
        messages: Vec<RoomMessage>,
        /// There are more.
        more: bool,
    },
    /// To everything else.
    Done,
}

/// Something is to be done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Ask the application for a token, and answer with [`Input::Token`] or
    /// [`Input::NoToken`].
    GetToken,
    /// Open a connection to this address, and answer with [`Input::Connected`] or
    /// [`Input::Disconnected`].
    Open(ConnectionId, String),
    /// Close the connection, or stop opening it. Nothing of it is wanted any more.
    Close(ConnectionId),
    /// Send a frame: the payload, without the length that stands before it on TCP.
    Send(ConnectionId, Bytes),
    /// Write to the database, in the order of these outputs. The application is told of events
    /// and answers behind it only when it is written. Of a client without a database it never
    /// comes.
    Store(Write),
    /// Answer with [`Input::Confirmed`] when everything before is written.
    Confirm(u64),
    /// Tell the application.
    Event(Event),
    /// Answer a request.
    Done(Ticket, Result<Reply, Error>),
}

/// How it stands with the connection.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum ConnectionState {
    /// Not wanted: never asked for, or ended by the application.
    Idle,
    /// Getting a token, opening a connection, greeting.
    Connecting,
    /// Connected and signed in.
    Online {
        /// Who the token says the user is.
        user_id: String,
        /// Names the connection in the server's logs.
        session_id: String,
    },
    /// Waiting before the next attempt.
    Waiting {
        /// When it is made.
        until: Timestamp,
        /// Why the last one failed, if the server said so.
        error: Option<Error>,
    },
    /// Over, and not to come back by itself: the code's range says "give up" or "signed out", or
    /// no token could be had.
    Stopped(Error),
}

/// News for the application. The events of one conversation come in its order; what stands in
/// [`SavedState`](crate::SavedState) is what the events so far add up to.
#[derive(Clone, Eq, PartialEq, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "few of them wait at a time, and it is what applications read"
)]
pub enum Event {
    /// The connection changed.
    State(ConnectionState),
    /// From here on this conversation is followed: every message after `seq` comes as
    /// [`Event::Message`], in order, once.
    Followed {
        /// Its name.
        conversation: String,
        /// What comes after this is delivered.
        seq: u64,
        /// Changes of what came before go on from where they were told earlier, as when it only
        /// gave way to another. Otherwise what is held of it may have changed meanwhile, and a
        /// database asks for it anew.
        continued: bool,
    },
    /// It is no longer followed: the user left it, the server refuses it, or another took its
    /// place ([`FOLLOWED_MAX`](crate::limits::FOLLOWED_MAX)).
    Unfollowed {
        /// Its name.
        conversation: String,
        /// Why, unless it gave way to another or the user left.
        error: Option<Error>,
    },
    /// The next message of a followed conversation, one's own included.
    Message(Message),
    /// Messages of a followed conversation that can't be had (any more): retention removed them,
    /// or they fell into a time when the user was not a member.
    Lost {
        /// Its name.
        conversation: String,
        /// The first of them.
        from_seq: u64,
        /// The last of them.
        to_seq: u64,
    },
    /// A message changed: this is its whole present state. Of a followed conversation every
    /// change since a message was delivered comes, in the order of `rev`, several changes of one
    /// message perhaps as one; it may be of a message that the application does not hold.
    Changed(Message),
    /// All changes of a followed conversation up to this count of them have been told.
    Changes {
        /// Its name.
        conversation: String,
        /// How many it has seen.
        rev: u64,
    },
    /// More changed in a followed conversation than is told one by one: what is held of it, but
    /// for what comes from now on, may be out of date and is to be read again. A database drops
    /// it.
    Outdated {
        /// Its name.
        conversation: String,
    },
    /// A message that is not stored: it has no sequence, and comes to who is connected or never.
    Transient(Message),
    /// The user deleted messages for themself, on whichever device. They need not be messages that
    /// the application holds; without any it only moves the position.
    Deleted {
        /// In which conversation.
        conversation: String,
        /// Which.
        seqs: Vec<u64>,
        /// The version of the conversation's deletions after it.
        version: u64,
    },
    /// Others received, read or acknowledged messages, told to who is connected. What was missed
    /// is asked for.
    Receipts {
        /// In which conversation.
        conversation: String,
        /// Where they stand now.
        receipts: Vec<Receipt>,
        /// What they acknowledged one by one.
        acknowledgements: Vec<Acknowledgement>,
    },
    /// Somebody asks to be let into a group, told to its owner and admins; or was rejected, told to
    /// them too.
    JoinRequest(JoinRequest),
    /// One of the user's lists of others changed, on whichever device.
    Relations(RelationChange),
    /// The presence of a user that this one subscribed to.
    Presence(Presence),
    /// Something happened in a chat room that the client is in.
    Room {
        /// Its id.
        room: String,
        /// What.
        news: RoomNews,
    },
    /// A queued send came to its end.
    Queue(QueueUpdate),
    /// A row of the conversation list is new or changed.
    Conversation {
        /// The row.
        row: Conversation,
        /// The feed version that this change led to, when it came by itself.
        feed_version: Option<u64>,
    },
    /// The user's read position moved, on whichever device.
    Read {
        /// In which conversation.
        conversation: String,
        /// Where to.
        position: ReadPosition,
    },
    /// Forget the cached conversation list and unread counts; rows follow. `positions`: the
    /// server's data is not what it was (a restore), so nothing is followed any more, and what
    /// is shown should be read again.
    Reset {
        /// Were the positions of conversations dropped too?
        positions: bool,
    },
    /// A sync is complete: the list is up to date, the followed conversations that moved are too
    /// or are being fetched. It comes once more, with a later time, when they are.
    Synced {
        /// Whose positions these are.
        user_id: String,
        /// Identity of the stored data.
        epoch: u64,
        /// The user's feed version.
        feed_version: u64,
        /// Up to when everything was told *and* fetched, by the server's clock.
        synced_time: u64,
    },
}

/// What became of a queued send.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum QueueUpdate {
    /// The server has it on disk.
    Sent(Sent),
    /// The server refused it. It stays in the database until it is queued again, under the same
    /// client message id, or discarded.
    Failed {
        /// Where it was to be sent.
        conversation: String,
        /// Its id.
        client_message_id: String,
        /// Why.
        error: Error,
    },
}
