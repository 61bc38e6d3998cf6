//! What the application holds and asks.

use std::sync::Arc;

use anser_domain::code::Code;
use anser_domain::{DeviceId, Platform};
use rustls_pki_types::CertificateDer;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::address::Address;
use super::database::LocalDatabase;
use super::events::{EVENTS_MAX, Events};
#[cfg(feature = "media")]
use super::media::{Base, Http};
use super::run::{Ask, Runner};
use super::tls;
use super::token::TokenProvider;
use crate::core::{ClientCore, Config, ConnectionState, Event, Outgoing, Reply, Request};
use crate::database::Storage;
use crate::error::Error;
use crate::limits::ADDRESSES_MAX;
use crate::model::{Content, ConversationPage, MessagePage, ReadPosition, Sent};
use crate::saved::SavedState;

/// Questions on their way to the client's task. More wait in their callers.
const ASKS_MAX: usize = 64;

/// Makes a client.
pub struct Builder {
    config: Config,
    tokens: Arc<dyn TokenProvider>,
    saved: SavedState,
    roots: Vec<CertificateDer<'static>>,
    storage: Option<Box<dyn Storage>>,
    #[cfg(feature = "media")]
    media_url: Option<String>,
}

impl Builder {
    /// Another address of the same server, tried when the ones before it do not answer.
    #[must_use]
    pub fn address(mut self, url: impl Into<String>) -> Self {
        self.config.addresses.push(url.into());
        self
    }

    /// Names this installation, 1–64 bytes; the same at every start. Without it, each start is a
    /// new device.
    #[must_use]
    pub fn device_id(mut self, id: impl Into<String>) -> Self {
        self.config.device_id = id.into();
        self
    }

    /// What kind of device this is; `Desktop` unless said.
    #[must_use]
    pub fn platform(mut self, platform: Platform) -> Self {
        self.config.platform = platform;
        self
    }

    /// Name and version of the application, for the operator's logs.
    #[must_use]
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.config.client = name.into();
        self
    }

    /// Tells the server by itself what arrived on this device, for the senders to see. Without it
    /// that is the application's to do.
    #[must_use]
    pub fn mark_delivered(mut self) -> Self {
        self.config.marks_delivered = true;
        self
    }

    /// Goes on from what [`Events::saved_state`] gave earlier.
    #[must_use]
    pub fn saved_state(mut self, saved: SavedState) -> Self {
        self.saved = saved;
        self
    }

    /// Keeps messages, the conversation list, drafts and queued sends in this database, and goes
    /// on from what is in it; a [`saved_state`](Self::saved_state) is not needed then. One
    /// database a user: who signs in as another user finds it emptied.
    #[must_use]
    pub fn database(mut self, storage: impl Storage + 'static) -> Self {
        self.storage = Some(Box::new(storage));
        self
    }

    /// Where the server takes files: `http://host[:port]` or `https://…`. Without it, the host and
    /// port of the first WebSocket address.
    #[cfg(feature = "media")]
    #[must_use]
    pub fn media_url(mut self, url: impl Into<String>) -> Self {
        self.media_url = Some(url.into());
        self
    }

    #[cfg(feature = "media")]
    fn media_base(&self, addresses: &[Address]) -> Result<Option<Base>, Error> {
        match &self.media_url {
            Some(url) => Base::parse(url).map(Some),
            None => Ok(addresses.iter().find_map(Base::of)),
        }
    }

    /// Trusts servers with a certificate that goes back to this one, besides those that the
    /// system trusts.
    #[must_use]
    pub fn root_certificate(mut self, certificate: CertificateDer<'static>) -> Self {
        self.roots.push(certificate);
        self
    }

    /// Starts the client, which connects from now on. Fails on an address, a device id or a
    /// certificate that can't be right, and on a database that can't be read; whether the server can be reached, the events say.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn connect(mut self) -> Result<(Client, Events), Error> {
        let wrong = |message: String| Error::new(Code::InvalidRequest, message);
        if self.config.addresses.len() > ADDRESSES_MAX {
            return Err(wrong(format!("more than {ADDRESSES_MAX} addresses")));
        }
        let addresses = self.config.addresses.iter();
        let addresses: Vec<Address> = addresses
            .map(|text| Address::parse(text))
            .collect::<Result<_, _>>()?;
        if self.config.device_id.is_empty() {
            self.config.device_id = format!("{:016x}", super::run::random());
        }
        DeviceId::new(&self.config.device_id)
            .map_err(|why| wrong(format!("the device id {why}")))?;
        let any_tls = addresses.iter().any(|address| address.tls);
        #[cfg(feature = "media")]
        let base = self.media_base(&addresses)?;
        #[cfg(feature = "media")]
        let any_tls = any_tls || base.as_ref().is_some_and(|base| base.tls);
        let tls = match any_tls {
            true => Some(tls::connector(&self.roots)?),
            false => None,
        };
        #[cfg(feature = "media")]
        let http = base.map(|base| {
            Arc::new(Http {
                base,
                tls: tls.clone(),
                tokens: Arc::clone(&self.tokens),
                token: std::sync::Mutex::default(),
            })
        });
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let (state, state_seen) = watch::channel(ConnectionState::Idle);
        let (watched, _) = broadcast::channel(EVENTS_MAX);
        let (core, writer, database) = match self.storage {
            Some(mut storage) => {
                let loaded = storage.load()?;
                let (writer, database) = super::database::start(storage, asks.clone())?;
                let core = ClientCore::with_database(self.config, loaded);
                (core, Some(writer), Some(database))
            }
            None => (ClientCore::new(self.config, self.saved), None, None),
        };
        let events_seen = Events::new(receiver, core.saved().clone());
        let told = (events, watched.clone());
        let runner = Runner::new(core, writer, self.tokens, tls, told, state);
        tokio::spawn(runner.run(asked));
        let client = Client {
            asks,
            state: state_seen,
            watched: watched.downgrade(),
            database,
            #[cfg(feature = "media")]
            http,
        };
        Ok((client, events_seen))
    }
}

/// A client. Clones are the same client.
#[derive(Clone, Debug)]
pub struct Client {
    asks: mpsc::Sender<Ask>,
    state: watch::Receiver<ConnectionState>,
    /// The client's own; it ends with the client.
    watched: broadcast::WeakSender<Arc<Event>>,
    database: Option<LocalDatabase>,
    #[cfg(feature = "media")]
    http: Option<Arc<Http>>,
}

impl Client {
    /// A client of the server at this address (`ws://`, `wss://`, `tcp://host:port`,
    /// `tcps://host:port`), signed in by these tokens.
    #[must_use]
    pub fn builder(url: impl Into<String>, tokens: impl TokenProvider) -> Builder {
        Builder {
            config: Config {
                addresses: vec![url.into()],
                device_id: String::new(),
                platform: Platform::Desktop,
                client: String::new(),
                marks_delivered: false,
            },
            tokens: Arc::new(tokens),
            saved: SavedState::default(),
            roots: Vec::new(),
            storage: None,
            #[cfg(feature = "media")]
            media_url: None,
        }
    }

    /// A fresh client message id. Whoever wants to send a message again after an error gives it
    /// one of these from the start.
    #[must_use]
    pub fn new_message_id() -> String {
        format!("{:016x}{:016x}", super::run::random(), super::run::random())
    }

    /// How it stands with the connection, now and whenever it changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.state.clone()
    }

    /// Sends a message and waits until it is on the server's disk.
    ///
    /// Fails with `SERVER_NOT_REACHABLE` (300) after two tries or a minute of waiting for a
    /// connection — then it may have arrived all the same, and whoever sends it again does so
    /// with the same `client_message_id` —, with `MESSAGE_WEBSOCKET_DISCONNECTED` (510) when no
    /// connection is wanted, and with the server's code when it refuses.
    pub async fn send(&self, message: Outgoing) -> Result<Sent, Error> {
        match self.ask(Request::Send(message)).await? {
            Reply::Sent(sent) => Ok(sent),
            other => unexpected(&other),
        }
    }

    /// The database of this client, if it has one.
    #[must_use]
    pub fn database(&self) -> Option<&LocalDatabase> {
        self.database.as_ref()
    }

    /// Puts a message into the database, from where it is sent as soon as it can be, in the order
    /// of its conversation, and after a restart too. Gives its client message id once it is in
    /// the database. [`Event::Queue`](crate::core::Event::Queue) says how it ended; to try a
    /// failed one again, queue it again under its client message id.
    pub async fn queue(&self, message: Outgoing) -> Result<String, Error> {
        match self.ask(Request::Queue(message)).await? {
            Reply::Queued(id) => Ok(id),
            other => unexpected(&other),
        }
    }

    /// Takes a queued message back that is not on its way just now.
    pub async fn discard(
        &self,
        conversation: impl Into<String>,
        client_message_id: impl Into<String>,
    ) -> Result<(), Error> {
        let request = Request::Discard {
            conversation: conversation.into(),
            client_message_id: client_message_id.into(),
        };
        self.ask(request).await.map(drop)
    }

    /// Sends a text.
    pub async fn send_text(
        &self,
        conversation: impl Into<String>,
        text: impl Into<String>,
    ) -> Result<Sent, Error> {
        let message = Outgoing::new(conversation, Content::text(text));
        self.send(message).await
    }

    /// Reads history: messages before `from_seq`, newest first; 0 starts with the newest.
    /// `limit` 1–100; 0 takes 50.
    pub async fn history_before(
        &self,
        conversation: impl Into<String>,
        from_seq: u64,
        limit: u32,
    ) -> Result<MessagePage, Error> {
        self.history(conversation.into(), from_seq, true, limit)
            .await
    }

    /// Reads history: messages after `from_seq`, oldest first. `limit` 1–100; 0 takes 50.
    pub async fn history_after(
        &self,
        conversation: impl Into<String>,
        from_seq: u64,
        limit: u32,
    ) -> Result<MessagePage, Error> {
        self.history(conversation.into(), from_seq, false, limit)
            .await
    }

    async fn history(
        &self,
        conversation: String,
        from_seq: u64,
        descending: bool,
        limit: u32,
    ) -> Result<MessagePage, Error> {
        let request = Request::History {
            conversation,
            from_seq,
            descending,
            limit,
        };
        match self.ask(request).await? {
            Reply::Messages(page) => Ok(page),
            other => unexpected(&other),
        }
    }

    /// Moves the read position up to `seq`.
    pub async fn mark_read(
        &self,
        conversation: impl Into<String>,
        seq: u64,
    ) -> Result<ReadPosition, Error> {
        let conversation = conversation.into();
        match self.ask(Request::MarkRead { conversation, seq }).await? {
            Reply::Read(position) => Ok(position),
            other => unexpected(&other),
        }
    }

    /// Reads the conversation list, pinned ones first, then those most recently active; an empty
    /// cursor starts it.
    /// `limit` 1–100; 0 takes 20.
    pub async fn conversations(
        &self,
        cursor: impl Into<String>,
        limit: u32,
    ) -> Result<ConversationPage, Error> {
        let cursor = cursor.into();
        let request = Request::ListConversations { cursor, limit };
        match self.ask(request).await? {
            Reply::Conversations(page) => Ok(page),
            other => unexpected(&other),
        }
    }

    /// Follows a conversation that is shown, and keeps following it while others come and go.
    /// `have`: the last sequence the application already has, without holes before it; `None`
    /// begins with what comes next. See [`core`](crate::core) on what is followed besides.
    pub async fn open_conversation(&self, conversation: impl Into<String>, have: Option<u64>) {
        let conversation = conversation.into();
        self.tell(Ask::Open(conversation, have)).await;
    }

    /// The conversation is no longer shown.
    pub async fn close_conversation(&self, conversation: impl Into<String>) {
        self.tell(Ask::Close(conversation.into())).await;
    }

    /// Connects again after [`disconnect`](Self::disconnect) or after the client stopped; while
    /// it waits before the next attempt, makes it at once.
    pub async fn connect(&self) {
        self.tell(Ask::Connect).await;
    }

    /// Closes the connection and makes no other. What waits for an answer fails.
    pub async fn disconnect(&self) {
        self.tell(Ask::Disconnect).await;
    }

    /// Ends the session on the server, and disconnects.
    pub async fn logout(&self) -> Result<(), Error> {
        self.ask(Request::Logout).await.map(drop)
    }

    /// The server's HTTP side.
    #[cfg(feature = "media")]
    pub(super) fn http(&self) -> Result<Arc<Http>, Error> {
        let message = "a TCP address says nothing of HTTP: give the builder a media_url";
        let missing = || Error::new(Code::InvalidRequest, message);
        self.http.clone().ok_or_else(missing)
    }

    pub(super) async fn ask(&self, request: Request) -> Result<Reply, Error> {
        let answer = self.submit(request).await;
        answer.await.unwrap_or_else(|_| Err(Error::disconnected()))
    }

    /// Hands a request over, without waiting for its answer: those handed over one after the
    /// other are taken in that order.
    pub(super) async fn submit(&self, request: Request) -> oneshot::Receiver<Result<Reply, Error>> {
        let (reply, replied) = oneshot::channel();
        self.tell(Ask::Request(request, reply)).await;
        replied
    }

    /// The events from now on, beside those of the application. A client that has ended has none.
    pub(super) fn watch(&self) -> broadcast::Receiver<Arc<Event>> {
        match self.watched.upgrade() {
            Some(watched) => watched.subscribe(),
            None => broadcast::channel(1).1,
        }
    }

    async fn tell(&self, ask: Ask) {
        // A client that has ended drops the question, and with it the way to answer.
        let _ = self.asks.send(ask).await;
    }
}

pub(super) fn unexpected<T>(reply: &Reply) -> Result<T, Error> {
    let message = format!("an answer of another kind: {reply:?}");
    Err(Error::new(Code::Internal, message))
}
