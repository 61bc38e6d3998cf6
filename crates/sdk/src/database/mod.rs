//! The local database: what a device keeps, so that it opens at once and works offline.
//!
//! It holds messages, the conversation list, drafts, sends that wait, and the
//! [position](crate::SavedState) up to which the server's news are in it. News and position are
//! written in one transaction, so after a crash the client goes on exactly where its data ends.
//!
//! A database is written by one [`Storage`] and read by any number of [`Reader`]s, all blocking:
//! the driver runs them on threads of their own. What is written is a [`Write`]; the core says
//! what and in which order, a storage only carries it out. A database belongs to one user: the
//! [write](Write::User) that names another one empties it.
//!
//! Messages of a conversation are in the order of their [`Place`]s. What a device has of a
//! conversation may have holes, where nobody ever looked; a storage knows the ranges without
//! holes, and a [page](LocalPage) never reaches over one, but says what to ask the server.
//!
//! Two storages: [`MemoryStorage`], which forgets, and [`SqliteStorage`] (feature `sqlite`). One
//! conformance suite (`tests/it/storage.rs`) says what a storage is, search included; how words
//! are found is [`words`]' and the same for both.

mod memory;
mod query;
mod ranges;
mod rules;
#[cfg(feature = "sqlite")]
mod sqlite;
pub mod words;

use std::fmt;

pub use memory::MemoryStorage;
pub use query::{
    Draft, LocalPage, MessageQuery, Next, SearchCursor, SearchPage, SearchQuery, UnreadTotal,
};
pub(crate) use rules::keep_read;
pub use rules::{after_change, after_deletion, after_message, after_read, list_order};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStorage;

use crate::core::{Event, Outgoing};
use crate::error::Error;
use crate::model::{Conversation, Message};
use crate::saved::SavedState;

/// Bytes of a draft.
pub const DRAFT_BYTES_MAX: usize = 4 * 1024;
/// Messages of one import.
pub const IMPORT_MAX: usize = 10_000;
/// Messages of a page, and of search results, at most.
pub const LOCAL_PAGE_MAX: u32 = 1_000;

/// Where a message stands in its conversation, on this device.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug, Default)]
pub struct Place {
    /// The server's sequence; for a message that is only on this device, that of the message
    /// after which it stands.
    pub seq: u64,
    /// 0 for the server's messages. Those that are only here count up from 1.
    pub local: u64,
}

impl Place {
    /// The place of a message of the server.
    #[must_use]
    pub fn of(seq: u64) -> Self {
        Self { seq, local: 0 }
    }
}

/// A message and its place. That of a message which is only on this device says nothing of the
/// server: its `seq` is 0.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Stored {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub message: Message,
}

/// A send that waits in the database until the server has it.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Queued {
    /// What to send. It has its client message id and the time of the first try.
    pub outgoing: Outgoing,
    /// The server refused it for good, or it can't be sent: it waits for the user to
    /// try again or to discard it.
    pub failed: Option<Error>,
}

impl Queued {
    /// The id under which it is sent.
    #[must_use]
    pub fn client_message_id(&self) -> &str {
        self.outgoing.client_message_id.as_deref().unwrap_or("")
    }
}

/// A file on its way to the server, which is not there yet.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct PendingUpload {
    /// Names it on this device.
    pub id: String,
    /// Where the file is.
    pub path: String,
    /// What it is called.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// When it was changed last, Unix milliseconds: another file in its place is not it.
    pub modified: u64,
    /// The server's place for it; empty: it was not announced yet.
    pub location: String,
}

/// Something to be written.
#[derive(Clone, PartialEq, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is short-lived, and most are events"
)]
pub enum Write {
    /// The signed-in user. If the database is somebody else's, everything in it goes first.
    User(String),
    /// News that the application is about to be told, and the position after it.
    Event(Event),
    /// A page of history: all that the user may see after `after`, up to and including `to`. What
    /// is here and not in it was deleted, and goes. A state that is older than the one that is
    /// here does not replace it.
    History {
        /// The conversation.
        conversation: String,
        /// What is in it; in any order.
        messages: Vec<Message>,
        /// The range begins after this sequence.
        after: u64,
        /// It ends with this one.
        to: u64,
    },
    /// A send is to wait, or its state changed. A new one goes behind all others.
    Queued(Queued),
    /// A send waits no longer.
    Settled {
        /// Where it was to be sent.
        conversation: String,
        /// Its id.
        client_message_id: String,
    },
    /// The draft of a conversation; empty removes it.
    Draft {
        /// The conversation.
        conversation: String,
        /// At most [`DRAFT_BYTES_MAX`] bytes.
        text: String,
    },
    /// Messages that the application brings. One with a sequence is a message of the server, say
    /// of a backup: it is left alone if it is here already. One without is only on this device:
    /// it stands behind the last message that is here and not later than it. One whose message
    /// id is here already is not inserted again.
    Import(Vec<Message>),
    /// A file is to be uploaded, or has a place on the server now.
    Upload(PendingUpload),
    /// The upload with this id is over, one way or another.
    UploadEnded(String),
}

/// What a client starts from.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Loaded {
    /// Whose database it is; empty before anybody signed in.
    pub user_id: String,
    /// The position.
    pub saved: SavedState,
    /// Sends that wait, in the order in which they came; refused ones are not among them.
    pub queued: Vec<Queued>,
    /// How far conversations of the list go, as it was told: those that moved last, as many as a
    /// user's list has at most.
    pub heads: Vec<(String, u64)>,
}

/// A database that failed: the disk is full or gone, the file is damaged or of a newer release.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct StorageError(pub String);

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StorageError {}

/// The writing side of a database. There is one.
pub trait Storage: Send {
    /// Writes all of this, or nothing of it. What was written survives from now on.
    fn write(&mut self, writes: &[Write]) -> Result<(), StorageError>;

    /// What a client starts from.
    fn load(&mut self) -> Result<Loaded, StorageError>;

    /// A reading side, which sees everything that was written before a question is asked.
    fn reader(&self) -> Result<Box<dyn Reader>, StorageError>;
}

/// A reading side of a database.
pub trait Reader: Send {
    /// A part of a conversation.
    fn messages(&mut self, query: &MessageQuery) -> Result<LocalPage, StorageError>;

    /// The message with this id, of the server or of the application.
    fn message(&mut self, message_id: &str) -> Result<Option<Stored>, StorageError>;

    /// Messages with all the words of a query, newest first.
    fn search(&mut self, query: &SearchQuery) -> Result<SearchPage, StorageError>;

    /// The conversation list in its order, from the `skip`th on; hidden ones are left out.
    fn conversations(
        &mut self,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<Conversation>, StorageError>;

    /// A row of the list.
    fn conversation(&mut self, name: &str) -> Result<Option<Conversation>, StorageError>;

    /// What is unread in all conversations of the list.
    fn unread(&mut self) -> Result<UnreadTotal, StorageError>;

    /// The draft of a conversation; empty if there is none.
    fn draft(&mut self, conversation: &str) -> Result<String, StorageError>;

    /// All drafts.
    fn drafts(&mut self) -> Result<Vec<Draft>, StorageError>;

    /// The sends of a conversation that wait, refused ones too, in their order.
    fn queued(&mut self, conversation: &str) -> Result<Vec<Queued>, StorageError>;

    /// Uploads that are not over, in the order of their beginning.
    fn uploads(&mut self) -> Result<Vec<PendingUpload>, StorageError>;
}

/// The text of a message that a search looks through.
fn searchable(message: &Message) -> Option<&str> {
    message.content.as_text().filter(|_| !message.is_recalled())
}
