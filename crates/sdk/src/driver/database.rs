//! The threads behind a client's database, and the application's hand on it.
//!
//! One thread writes, one reads; neither is ever waited for by the client's task, which hands
//! over one batch at a time and gathers the next meanwhile. What was written is told to all who
//! [watch](LocalDatabase::changes), before the events and answers that belong to it.

use std::fmt;
use std::sync::{Arc, mpsc as threads};

use anser_domain::code::Code;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::run::Ask;
use crate::database::{
    DRAFT_BYTES_MAX, Draft, IMPORT_MAX, LocalPage, MessageQuery, PendingUpload, Queued, Reader,
    SearchPage, SearchQuery, Storage, StorageError, Stored, UnreadTotal, Write,
};
use crate::error::Error;
use crate::model::{Conversation, Message};

/// Questions that wait for the reading thread. More wait in their callers.
const QUESTIONS_MAX: usize = 64;
/// Batches that a watcher may be behind before it is told that it missed some.
const CHANGES_MAX: usize = 64;

type Question = Box<dyn FnOnce(&mut dyn Reader) + Send>;
type Written = oneshot::Sender<Result<(), StorageError>>;

/// What was written at a time.
pub type Batch = Arc<Vec<Write>>;

/// The client's side of the writing thread.
pub(super) struct Writer {
    batches: threads::Sender<(Batch, Written)>,
    pub(super) changes: broadcast::Sender<Batch>,
}

impl Writer {
    /// Hands a batch over. The client hands over the next when this one is written.
    pub(super) fn write(&self, batch: Batch) -> oneshot::Receiver<Result<(), StorageError>> {
        let (written, done) = oneshot::channel();
        // A thread that is gone drops the way to answer, which is an answer.
        let _ = self.batches.send((batch, written));
        done
    }
}

/// Starts the threads of a database.
pub(super) fn start(
    mut storage: Box<dyn Storage>,
    asks: mpsc::Sender<Ask>,
) -> Result<(Writer, LocalDatabase), StorageError> {
    let mut reader = storage.reader()?;
    let failed = |why: std::io::Error| StorageError(format!("no thread for the database: {why}"));
    let (batches, queue) = threads::channel::<(Batch, Written)>();
    let (questions, mut asked) = mpsc::channel::<Question>(QUESTIONS_MAX);
    let (changes, _) = broadcast::channel(CHANGES_MAX);
    std::thread::Builder::new()
        .name("anser-db-write".to_owned())
        .spawn(move || {
            for (batch, written) in queue {
                // Whoever asked may have ended.
                let _ = written.send(storage.write(&batch));
            }
        })
        .map_err(failed)?;
    std::thread::Builder::new()
        .name("anser-db-read".to_owned())
        .spawn(move || {
            while let Some(question) = asked.blocking_recv() {
                question(&mut *reader);
            }
        })
        .map_err(failed)?;
    let database = LocalDatabase {
        asks,
        questions,
        changes: changes.clone(),
    };
    Ok((Writer { batches, changes }, database))
}

/// The database of a running client. Clones are the same database. Answers without a connection.
#[derive(Clone)]
pub struct LocalDatabase {
    asks: mpsc::Sender<Ask>,
    questions: mpsc::Sender<Question>,
    changes: broadcast::Sender<Batch>,
}

impl fmt::Debug for LocalDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalDatabase").finish_non_exhaustive()
    }
}

impl LocalDatabase {
    /// What is written from now on, batch by batch. Who is too far behind is told how many
    /// batches it missed, and reads again.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Batch> {
        self.changes.subscribe()
    }

    /// A part of a conversation.
    pub async fn messages(&self, query: MessageQuery) -> Result<LocalPage, Error> {
        self.read(move |reader| reader.messages(&query)).await
    }

    /// The message with this id.
    pub async fn message(&self, id: impl Into<String>) -> Result<Option<Stored>, Error> {
        let id = id.into();
        self.read(move |reader| reader.message(&id)).await
    }

    /// Messages with all the words of a query, newest first.
    pub async fn search(&self, query: SearchQuery) -> Result<SearchPage, Error> {
        self.read(move |reader| reader.search(&query)).await
    }

    /// The conversation list in its order, from the `skip`th on.
    pub async fn conversations(
        &self,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<Conversation>, Error> {
        self.read(move |reader| reader.conversations(skip, limit))
            .await
    }

    /// A row of the list.
    pub async fn conversation(
        &self,
        name: impl Into<String>,
    ) -> Result<Option<Conversation>, Error> {
        let name = name.into();
        self.read(move |reader| reader.conversation(&name)).await
    }

    /// What is unread in all conversations.
    pub async fn unread(&self) -> Result<UnreadTotal, Error> {
        self.read(|reader| reader.unread()).await
    }

    /// The draft of a conversation; empty if there is none.
    pub async fn draft(&self, conversation: impl Into<String>) -> Result<String, Error> {
        let conversation = conversation.into();
        self.read(move |reader| reader.draft(&conversation)).await
    }

    /// All drafts.
    pub async fn drafts(&self) -> Result<Vec<Draft>, Error> {
        self.read(|reader| reader.drafts()).await
    }

    /// The sends of a conversation that wait, refused ones too.
    pub async fn queued(&self, conversation: impl Into<String>) -> Result<Vec<Queued>, Error> {
        let conversation = conversation.into();
        self.read(move |reader| reader.queued(&conversation)).await
    }

    /// Uploads that were not finished: of this client, or of an earlier one.
    pub async fn uploads(&self) -> Result<Vec<PendingUpload>, Error> {
        self.read(|reader| reader.uploads()).await
    }

    #[cfg(feature = "media")]
    pub(super) async fn keep_upload(&self, upload: PendingUpload) -> Result<(), Error> {
        self.write(Write::Upload(upload)).await
    }

    #[cfg(feature = "media")]
    pub(super) async fn end_upload(&self, id: String) -> Result<(), Error> {
        self.write(Write::UploadEnded(id)).await
    }

    /// Keeps what the user began to write; empty removes it. At most
    /// [`DRAFT_BYTES_MAX`] bytes.
    pub async fn set_draft(
        &self,
        conversation: impl Into<String>,
        text: impl Into<String>,
    ) -> Result<(), Error> {
        let (conversation, text) = (conversation.into(), text.into());
        if text.len() > DRAFT_BYTES_MAX {
            let message = format!("a draft has at most {DRAFT_BYTES_MAX} bytes");
            return Err(Error::new(Code::InvalidRequest, message));
        }
        check_conversation(&conversation)?;
        self.write(Write::Draft { conversation, text }).await
    }

    /// Inserts messages of the application's own, or imports a backup: see [`Write::Import`]. At
    /// most [`IMPORT_MAX`] at a time.
    pub async fn import(&self, messages: Vec<Message>) -> Result<(), Error> {
        if messages.len() > IMPORT_MAX {
            let message = format!("at most {IMPORT_MAX} messages at a time");
            return Err(Error::new(Code::InvalidRequest, message));
        }
        for message in &messages {
            check_conversation(&message.conversation)?;
            if i64::try_from(message.seq).is_err() {
                let error = "no server gives a message a sequence above 2^63 - 1";
                return Err(Error::new(Code::InvalidRequest, error));
            }
        }
        self.write(Write::Import(messages)).await
    }

    async fn write(&self, write: Write) -> Result<(), Error> {
        let (reply, replied) = oneshot::channel();
        let ask = Ask::Write(write, reply);
        self.asks.send(ask).await.map_err(|_| ended())?;
        replied.await.map_err(|_| ended())?
    }

    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn Reader) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, replied) = oneshot::channel();
        let question: Question = Box::new(move |reader| {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(question(reader));
        });
        self.questions.send(question).await.map_err(|_| ended())?;
        Ok(replied.await.map_err(|_| ended())??)
    }
}

fn check_conversation(name: &str) -> Result<(), Error> {
    crate::core::check_conversation(name)
}

fn ended() -> Error {
    Error::storage("the client has ended")
}
