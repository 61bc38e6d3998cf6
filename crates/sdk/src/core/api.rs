//! What goes into the core and what comes out.

use anser_domain::{Platform, Timestamp};
use bytes::Bytes;

use crate::database::Write;
use crate::error::Error;
use crate::model::{
    Acknowledgement, Content, Conversation, ConversationPage, Group, GroupMemberPage, Mention,
    Message, MessagePage, ReadPosition, Receipt, Sent,
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
    /// Ends the session on the server; the client stops.
    Logout,
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
    /// To `CreateGroup` and `GetGroup`.
    Group(Group),
    /// To `ListGroupMembers`.
    GroupMembers(GroupMemberPage),
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
    /// A message changed: this is its whole present state. A database takes it in; the core does
    /// not follow changes yet and never tells it.
    Changed(Message),
    /// All changes of a followed conversation up to this count of them have been told. As with
    /// [`Event::Changed`], databases know it and the core does not tell it yet.
    Changes {
        /// Its name.
        conversation: String,
        /// How many it has seen.
        rev: u64,
    },
    /// A message that is not stored: it has no sequence, and comes to who is connected or never.
    Transient(Message),
    /// The user deleted messages for themself, on whichever device. As with [`Event::Changed`],
    /// databases know it and the core does not tell it yet.
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
