//! What sessions are told, and the seam to whoever tells them.
//!
//! An [`Event`] is made once, however many sessions it goes to, and each protocol encodes it once
//! ([`Event::encoded`]): the same bytes go onto the queue of every session that speaks it. A
//! session is a [`SessionSink`]; the engine pushes to the sinks of a burst first and flushes each
//! of them once afterwards, so that what belongs together leaves in one write.

use std::sync::{Arc, OnceLock};

use anser_domain::Reject;
use bytes::Bytes;

use crate::conversation::ConversationView;
use crate::group::JoinRequest;
use crate::message::{Deleted, Message, SendResult};
use crate::presence::Presence;
use crate::receipt::ReceiptNews;
use crate::relation::RelationNews;
use crate::room::{RoomLeft, RoomPush};

/// Something a session is told without having asked.
#[derive(Clone, Debug)]
pub enum EventBody {
    /// A new message of a conversation the user is in.
    Message {
        /// The message.
        message: Arc<Message>,
        /// The last sequence before it that the receiver may see.
        prev: u64,
    },
    /// A message was changed.
    Change {
        /// As it is now.
        message: Arc<Message>,
        /// The conversation's `rev` before this change.
        previous_rev: u64,
    },
    /// The user's read position moved, on whichever device.
    Read {
        /// The conversation's name.
        conversation: Arc<str>,
        /// Where it stands now.
        read_seq: u64,
        /// What is unread beyond.
        unread: u64,
        /// How much of that mentions the user.
        unread_mentions: u64,
    },
    /// The user's row of a conversation changed.
    Conversation {
        /// As it is now.
        view: Box<ConversationView>,
        /// The user's feed version after this change.
        feed_version: u64,
        /// And before it.
        feed_previous: u64,
    },
    /// The user deleted messages for themself, on whichever device.
    Deleted(Deleted),
    /// Others in the conversation moved.
    Receipts(ReceiptNews),
    /// Somebody asks to be let into a group, or was rejected.
    JoinRequest(Box<JoinRequest>),
    /// The user's block list or allow list changed, on whichever device.
    Relations(Box<RelationNews>),
    /// What is told of a user whom this one watches.
    Presence(Box<Presence>),
    /// Things happened in a chat room.
    Room(Box<RoomPush>),
    /// The session is not in a chat room any more.
    RoomLeft(Box<RoomLeft>),
    /// Pushes may have been lost: the device must sync.
    Check,
}

impl EventBody {
    /// May it be dropped without anybody missing it?
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Message { message, .. } => message.seq == 0,
            Self::Room(push) => !push.is_vital(),
            _ => false,
        }
    }
}

/// How many protocols can cache their encoding in an event.
pub const DIALECTS: usize = 4;

/// An [`EventBody`] with the bytes it was encoded to.
#[derive(Debug)]
pub struct Event {
    /// What it says.
    pub body: EventBody,
    encoded: [OnceLock<Bytes>; DIALECTS],
}

impl Event {
    /// An event not yet encoded.
    #[must_use]
    pub fn new(body: EventBody) -> Arc<Self> {
        Arc::new(Self {
            body,
            encoded: [const { OnceLock::new() }; DIALECTS],
        })
    }

    /// The bytes in this dialect, made by `encode` for the first that asks.
    ///
    /// # Panics
    /// If `dialect` is not below [`DIALECTS`].
    pub fn encoded(&self, dialect: usize, encode: impl FnOnce(&EventBody) -> Bytes) -> &Bytes {
        self.encoded[dialect].get_or_init(|| encode(&self.body))
    }
}

/// Where the engine reaches a session. None of these calls may block or call back into the engine.
pub trait SessionSink: Send + Sync + 'static {
    /// Queues an event behind what is queued. A full queue is the sink's to handle: it drops what
    /// is queued and tells the client to pull.
    fn push(&self, event: &Arc<Event>);

    /// Queues these events behind what is queued and writes everything out: what `push` for each
    /// and one `flush` do, in one call.
    fn deliver(&self, events: &[Arc<Event>]) {
        for event in events {
            self.push(event);
        }
        self.flush();
    }

    /// Queues the answer to a send that this session asked for.
    fn reply_send(&self, request: u32, result: Result<SendResult, Reject>);

    /// Writes out what is queued. Called once after a burst of the above.
    fn flush(&self);

    /// Tells the client why, then ends the connection. Nothing is queued behind it.
    fn close(&self, reason: Reject);
}

/// Whom to tell the outcome of a send.
pub enum Reply {
    /// A session, by the request's id on it.
    Session(Arc<dyn SessionSink>, u32),
    /// A caller inside this process.
    Call(futures::channel::oneshot::Sender<Result<SendResult, Reject>>),
}

impl Reply {
    /// Tells whoever waits, at once.
    pub(crate) fn answer(self, result: Result<SendResult, Reject>) {
        match self {
            Self::Session(sink, request) => {
                sink.reply_send(request, result);
                sink.flush();
            }
            // Whoever asked may have gone.
            Self::Call(waiter) => drop(waiter.send(result)),
        }
    }
}
