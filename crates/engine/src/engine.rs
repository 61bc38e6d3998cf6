//! The handle that everything goes through.
//!
//! [`Engine`] checks what a command says of itself, finds out who owns what it concerns, and
//! hands it there: to an actor on this node, or to another node. What only reads, reads the store
//! right here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anser_bus::{Bus, NodeId};
use anser_domain::limits::{
    CONVERSATIONS_PAGE_DEFAULT, PAGE_ITEMS_MAX, RECEIPTS_PAGE_DEFAULT, RECEIPTS_PAGE_MAX,
    TOKEN_LIFE_SECONDS_MAX,
};
use anser_domain::login::LoginPolicy;
use anser_domain::settings::SettingsChange;
use anser_domain::system::{self, Speaker};
use anser_domain::{AppId, Code, ConversationId, DeviceId, Reject, UserId, message as rules};
use anser_store::Store;
use parking_lot::Mutex;

use crate::app::{AppInfo, Apps, Doors, Identity, NewApp, NewSecret, SecretKind, Token};
use crate::cluster::Cluster;
use crate::committer::Committer;
use crate::control::{self, Controls};
use crate::conversation::{
    Command, ConversationPage, ConversationView, ReadResult, Registry, reading, view,
};
use crate::delivery::{Broadcasts, FanOut, Home};
use crate::env::Env;
use crate::event::{Reply, SessionSink};
use crate::forward::Forwards;
use crate::message::{
    Deleted, Message, MessagePage, PageRequest, SendMessage, content, delete, history,
};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::presence::Notes;
use crate::receipt::{self, ReaderPage, ReadersOf, ReceiptPage};
use crate::room::{Audiences, Rooms};
use crate::session::{Locals, NewSession, Opened, SessionId, SessionInfo};
use crate::sync::{SyncRequest, SyncResult, device};
use crate::system::{everyone, refuse_receipts};
use crate::tools::Tools;
use crate::user::{self, Profile, User, settings};
use crate::{node, tables};

/// What an operator decides. Apps may have their own limits, see
/// [`AppSettings`](anser_domain::control::AppSettings).
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes of a message's content; at most
    /// [`CONTENT_BYTES_MAX`](anser_domain::limits::CONTENT_BYTES_MAX).
    pub content_bytes_max: usize,
    /// Which sessions of a user may live side by side.
    pub login_policy: LoginPolicy,
    /// Seals secrets at rest. The same on all nodes, and kept outside of the store.
    pub installation_key: [u8; 32],
    /// How long the sender may take a message back, in seconds.
    pub recall_seconds: u64,
    /// How long the sender may edit a message, in seconds; 0: never.
    pub edit_seconds: u64,
    /// Days after which messages are removed.
    pub retention_days: u32,
    /// Days after which files are removed; 0: they are kept.
    pub media_retention_days: u32,
    /// Conversations in the window that a new device starts with; hidden ones do not count. At
    /// most [`PAGE_ITEMS_MAX`](anser_domain::limits::PAGE_ITEMS_MAX).
    pub first_window: usize,
}

/// What an engine is made of.
pub struct Parts {
    /// Clock, randomness, tasks.
    pub env: Env,
    /// Where everything is kept.
    pub store: Store,
    /// The way to the other nodes, under this node's name.
    pub bus: Bus,
    /// What the operator decides.
    pub settings: Settings,
}

pub(crate) struct Core {
    pub(crate) tools: Arc<Tools>,
    pub(crate) apps: Apps,
    pub(crate) doors: Doors,
    pub(crate) conversations: Registry,
    pub(crate) outbox: Outbox,
    pub(crate) locals: Arc<Locals>,
    /// Some session's home may not know it.
    pub(crate) strays: AtomicBool,
    /// Sessions that ended, by the nodes that have not confirmed that they forgot them.
    pub(crate) gone: Mutex<BTreeMap<(NodeId, SessionId), (AppId, UserId)>>,
    /// Rounds of checking all sessions that are wanted; one is under way unless zero.
    pub(crate) checks: AtomicU64,
    pub(crate) forwards: Forwards,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) stopping: AtomicBool,
}

/// The product, as one node runs it. Clones share it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) core: Arc<Core>,
}

impl Engine {
    /// Opens the tables, joins the other nodes and starts the work in the background.
    ///
    /// # Errors
    /// The store can't be read, or its secrets do not open with the installation's key.
    pub async fn start(parts: Parts) -> Result<Self, Reject> {
        let Parts {
            env,
            store,
            bus,
            settings,
        } = parts;
        let cluster = Arc::new(Cluster::new(env.clone(), bus));
        let notes = Arc::new(Notes::default());
        let home = Arc::new(Home::new(env.clone(), notes.clone()));
        let locals = Arc::new(Locals::new(env.random_u64()));
        let broadcasts = Broadcasts::new(env.clone(), cluster.clone(), locals.clone());
        let metrics = Arc::new(Metrics::default());
        let audiences = Audiences::new(
            env.clone(),
            cluster.clone(),
            locals.clone(),
            metrics.clone(),
        );
        let tools = Arc::new(Tools {
            committer: Committer::new(env.clone(), store.clone()),
            fan_out: FanOut::new(home.clone(), cluster.clone()),
            locals: locals.clone(),
            broadcasts: Arc::new(broadcasts),
            env,
            store,
            cluster,
            home,
            settings,
            controls: Controls::default(),
            notes,
            audiences: Arc::new(audiences),
            metrics,
        });
        let apps = Apps::open(tools.clone()).await?;
        control::refresh(&tools).await?;
        let outbox = Outbox::new(tools.clone());
        let conversations = Registry::new(tools.clone(), outbox.clone());
        let forwards = Forwards::new(tools.clone());
        let rooms = Arc::new(Rooms::new(tools.clone()));
        let engine = Self {
            core: Arc::new(Core {
                tools,
                apps,
                doors: Doors::default(),
                conversations,
                outbox,
                locals,
                strays: AtomicBool::new(false),
                gone: Mutex::default(),
                checks: AtomicU64::new(0),
                forwards,
                rooms,
                stopping: AtomicBool::new(false),
            }),
        };
        node::enter(&engine);
        Ok(engine)
    }

    /// Refuses new commands, closes all sessions, hands over to the other nodes. What was
    /// accepted is still committed and answered; close the store after this.
    pub async fn stop(&self) {
        self.core.stopping.store(true, Ordering::SeqCst);
        node::leave(self).await;
    }

    /// Is the node able to serve?
    pub async fn ready(&self) -> Result<(), Reject> {
        self.check_running()?;
        let read = self.core.tools.store.get(&tables::installation_key()).await;
        read.map(|_| ())
            .map_err(|error| crate::fault::reject(&error))
    }

    /// What the engine has counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.core.tools.metrics
    }

    pub(crate) fn check_running(&self) -> Result<(), Reject> {
        if self.core.stopping.load(Ordering::Relaxed) {
            Err(Code::ShuttingDown.into())
        } else {
            Ok(())
        }
    }

    // ───────────── apps ─────────────

    /// Makes an app with its first secrets, under this key or one made up.
    ///
    /// # Errors
    /// `ALREADY_EXISTS`; `INVALID_REQUEST` for a key that is not 1–32 of `[a-z0-9-]`.
    pub async fn create_app(
        &self,
        key: Option<&str>,
        name: &str,
        demo: bool,
    ) -> Result<NewApp, Reject> {
        self.check_running()?;
        self.core.apps.create(key, name, demo).await
    }

    /// The app of this key. `NOT_FOUND` if there is none.
    pub async fn app(&self, key: &str) -> Result<AppInfo, Reject> {
        self.core.apps.info(key).await
    }

    /// All apps, by key.
    pub async fn apps(&self) -> Result<Vec<AppInfo>, Reject> {
        self.core.apps.refresh().await?;
        Ok(self.core.apps.all())
    }

    /// A new API secret. Two live at a time; the oldest of three dies.
    pub async fn rotate_api_secret(&self, app: AppId) -> Result<NewSecret, Reject> {
        self.check_running()?;
        self.core.apps.rotate(app, SecretKind::Api).await
    }

    /// A new key for signing tokens. Two live at a time; tokens signed with the third die.
    pub async fn rotate_token_key(&self, app: AppId) -> Result<NewSecret, Reject> {
        self.check_running()?;
        self.core.apps.rotate(app, SecretKind::Token).await
    }

    /// Which app may be used with this key and secret. `API_KEY_INVALID` if none.
    pub async fn authenticate_api(&self, key: &str, secret: &str) -> Result<AppId, Reject> {
        self.core.apps.authenticate(key, secret).await
    }

    // ───────────── users and tokens ─────────────

    /// A token for the user, who is made if new.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a life that is not 1 s to 30 days.
    pub async fn mint_token(
        &self,
        app: AppId,
        user: &UserId,
        life_seconds: u64,
    ) -> Result<Token, Reject> {
        self.check_running()?;
        if life_seconds == 0 || life_seconds > TOKEN_LIFE_SECONDS_MAX {
            return Err(Reject::new(
                Code::InvalidRequest,
                "a token lives from 1 to 2,592,000 seconds",
            ));
        }
        let row = user::update(&self.core.tools, app, user, |_| {}).await?;
        self.core
            .apps
            .mint(app, user, row.tokens_not_before, life_seconds)
            .await
    }

    /// Who shows this token. The codes from 2000 on say what is wrong with it.
    pub async fn verify_token(&self, token: &str) -> Result<Identity, Reject> {
        self.core.apps.verify(token).await
    }

    /// Every token of the user issued until now dies, and every session ends.
    pub async fn revoke_tokens(&self, app: AppId, user: &UserId) -> Result<(), Reject> {
        self.check_running()?;
        // Tokens tell time in seconds: the next one is the first that is safely later.
        let not_before = (self.core.tools.env.now().0 / 1_000 + 1) * 1_000;
        let tools = &self.core.tools;
        user::update(tools, app, user, |row| {
            row.tokens_not_before = row.tokens_not_before.max(not_before)
        })
        .await?;
        self.end_sessions(app, user, None, &Code::TokenRevoked.into())
            .await?;
        Ok(())
    }

    /// Makes the user, or changes the profile.
    pub async fn put_user(
        &self,
        app: AppId,
        user: &UserId,
        profile: Profile,
    ) -> Result<User, Reject> {
        self.check_running()?;
        user::check_profile(&profile)?;
        let row = user::update(&self.core.tools, app, user, |row| {
            row.name.clone_from(&profile.name);
            row.portrait.clone_from(&profile.portrait);
        });
        Ok(user::user_of(user, row.await?))
    }

    /// The user. `USER_NOT_FOUND` if no token was ever made and the app never told of them.
    pub async fn user(&self, app: AppId, user: &UserId) -> Result<User, Reject> {
        let row = user::row(&self.core.tools, app, user).await?;
        row.map(|row| user::user_of(user, row))
            .ok_or_else(|| Code::UserNotFound.into())
    }

    /// The user's sessions on all nodes, the oldest first.
    pub async fn sessions(&self, app: AppId, user: &UserId) -> Result<Vec<SessionInfo>, Reject> {
        self.ask_home_for_sessions(app, user).await
    }

    /// Ends the user's sessions, or those of one device; how many there were.
    pub async fn sign_out(
        &self,
        app: AppId,
        user: &UserId,
        device: Option<&DeviceId>,
    ) -> Result<usize, Reject> {
        self.check_running()?;
        self.end_sessions(app, user, device, &Code::SignedOut.into())
            .await
    }

    /// Ends the sessions of one of the user's devices because another takes its place; how many
    /// there were.
    pub async fn replace_device(
        &self,
        app: AppId,
        user: &UserId,
        device: &DeviceId,
    ) -> Result<usize, Reject> {
        self.check_running()?;
        self.end_sessions(app, user, Some(device), &Code::Replaced.into())
            .await
    }

    // ───────────── sessions ─────────────

    /// Registers a session: from here on it is pushed to. Others of the user may be closed by the
    /// login policy.
    pub async fn open_session(
        &self,
        new: NewSession,
        sink: Arc<dyn SessionSink>,
    ) -> Result<Opened, Reject> {
        self.check_running()?;
        self.register_session(new, sink).await
    }

    /// The connection is gone. Unknown sessions are ignored.
    pub fn close_session(&self, id: SessionId) {
        self.unregister_session(id);
    }

    /// The user's present feed version.
    pub async fn feed_version(&self, app: AppId, user: &UserId) -> Result<u64, Reject> {
        user::feed_version(&self.core.tools, app, user.as_str()).await
    }

    // ───────────── messages ─────────────

    /// Takes a message. Sends of one caller to one conversation are taken in the order of the
    /// calls; `reply` hears of each once it is durable, or refused. Never blocks.
    pub fn send(&self, mut message: SendMessage, reply: Reply) {
        let tools = &self.core.tools;
        let checked = self
            .check_running()
            .and_then(|()| self.check_send(&message))
            .and_then(|()| address(&mut message));
        if let Err(reject) = checked {
            return refuse(reply, reject);
        }
        let name = message.conversation.to_string();
        let owner = tools
            .cluster
            .view()
            .owner(tables::conversation_shard(message.app, &name));
        if owner == tools.cluster.node() {
            let actor = self
                .core
                .conversations
                .actor(message.app, &message.conversation, &name);
            return actor.submit(Command::send(message, reply));
        }
        self.core.forwards.send(message, name, reply);
    }

    /// Is a message acceptable by itself?
    pub fn check_send(&self, message: &SendMessage) -> Result<(), Reject> {
        let (tools, options) = (&self.core.tools, &message.options);
        message.conversation.check_living(tools.env.now())?;
        rules::check_client_message_id(&message.client_message_id)?;
        let bytes_max = tools.content_bytes_max(message.app);
        content::check(&message.content_type, &message.body, bytes_max)?;
        rules::check_mention(options.mention.as_ref())?;
        rules::check_targets(&options.targets)?;
        rules::check_burn(options.burn_after_seconds, &message.conversation)?;
        if message.conversation.is_system() {
            system::check_options(options.mention.as_ref(), options.receipt_wanted)?;
        } else if options.by_server && message.conversation.members_of().is_none() {
            let why = "the backend speaks in conversations that have members, and in its own";
            return Err(Reject::new(Code::InvalidRequest, why));
        }
        if options.transient && options.burn_after_seconds > 0 {
            let why = "a transient message is not stored: there is nothing to burn";
            return Err(Reject::new(Code::InvalidRequest, why));
        }
        rules::check_fresh(message.first_try, tools.env.now())
    }

    /// A page of messages. Without a `reader` it is the server API that asks, and sees all.
    pub async fn pull(
        &self,
        app: AppId,
        reader: Option<&UserId>,
        conversation: &ConversationId,
        page: PageRequest,
    ) -> Result<MessagePage, Reject> {
        history::pull(&self.core.tools, app, reader, conversation, page).await
    }

    /// Moves the user's read position up to `seq`, and tells the user's sessions if it moved.
    pub async fn mark_read(
        &self,
        app: AppId,
        user: &UserId,
        conversation: &ConversationId,
        seq: u64,
    ) -> Result<ReadResult, Reject> {
        self.check_running()?;
        let (outbox, name) = (&self.core.outbox, conversation.to_string());
        let (result, moved) =
            reading::mark_read(outbox, app, user, conversation, &name, seq).await?;
        if moved {
            reading::tell_read(&self.core.tools, app, user, name.into(), result);
        }
        Ok(result)
    }

    /// Everything up to `seq` has arrived on one of the user's devices. Reading implies it.
    pub async fn mark_delivered(
        &self,
        app: AppId,
        user: &UserId,
        conversation: &ConversationId,
        seq: u64,
    ) -> Result<(), Reject> {
        self.check_running()?;
        refuse_receipts(conversation)?;
        receipt::mark_delivered(&self.core.tools, app, user, conversation, seq).await
    }

    /// Where the members of a conversation stand: those who moved since the version that an
    /// earlier page gave, zero for all. `limit` 0 takes the default.
    pub async fn receipts(
        &self,
        app: AppId,
        user: &UserId,
        conversation: &ConversationId,
        from_version: u64,
        limit: usize,
    ) -> Result<ReceiptPage, Reject> {
        refuse_receipts(conversation)?;
        let limit = page_limit(limit, RECEIPTS_PAGE_DEFAULT, RECEIPTS_PAGE_MAX)?;
        let tools = &self.core.tools;
        receipt::list(tools, app, user, conversation, from_version, limit).await
    }

    /// Acknowledges messages, at most 100, to their senders. Those that did not ask for it, and
    /// the user's own, are skipped.
    pub async fn acknowledge(
        &self,
        app: AppId,
        user: &UserId,
        conversation: &ConversationId,
        seqs: &[u64],
    ) -> Result<(), Reject> {
        self.check_running()?;
        refuse_receipts(conversation)?;
        receipt::acknowledge(&self.core.tools, app, user, conversation, seqs).await
    }

    /// Who has acknowledged a message whose sender asked for it; otherwise as
    /// [`readers`](Self::readers).
    pub async fn acknowledgers(
        &self,
        app: AppId,
        by: Option<&UserId>,
        conversation: &ConversationId,
        seq: u64,
        cursor: &str,
        limit: usize,
    ) -> Result<ReaderPage, Reject> {
        refuse_receipts(conversation)?;
        let limit = page_limit(limit, RECEIPTS_PAGE_DEFAULT, RECEIPTS_PAGE_MAX)?;
        let of = ReadersOf {
            seq,
            acknowledged: true,
        };
        receipt::readers(&self.core.tools, app, by, conversation, of, cursor, limit).await
    }

    /// Who has read a message, by user id. `by` must have sent it; the server API, `None`, sees
    /// all. `limit` 0 takes the default.
    pub async fn readers(
        &self,
        app: AppId,
        by: Option<&UserId>,
        conversation: &ConversationId,
        seq: u64,
        cursor: &str,
        limit: usize,
    ) -> Result<ReaderPage, Reject> {
        refuse_receipts(conversation)?;
        let limit = page_limit(limit, RECEIPTS_PAGE_DEFAULT, RECEIPTS_PAGE_MAX)?;
        let of = ReadersOf {
            seq,
            acknowledged: false,
        };
        receipt::readers(&self.core.tools, app, by, conversation, of, cursor, limit).await
    }

    /// Deletes messages, at most 100, for this user only, on all devices. What is not there for the
    /// user is skipped.
    pub async fn delete_messages(
        &self,
        app: AppId,
        user: &UserId,
        conversation: &ConversationId,
        seqs: &[u64],
    ) -> Result<Deleted, Reject> {
        self.check_running()?;
        delete::delete(&self.core.outbox, app, user, conversation, seqs).await
    }

    /// What the user deleted in a conversation after a version, the oldest first. `limit` 0 takes
    /// the default.
    pub async fn deleted(
        &self,
        app: AppId,
        user: &UserId,
        conversation: &ConversationId,
        from_version: u64,
        limit: usize,
    ) -> Result<Deleted, Reject> {
        let limit = page_limit(limit, PAGE_ITEMS_MAX, PAGE_ITEMS_MAX)?;
        delete::pull(
            &self.core.tools,
            app,
            user,
            conversation,
            from_version,
            limit,
        )
        .await
    }

    /// Unread messages that mention the user, the oldest first, at most 100.
    pub async fn mentions(
        &self,
        app: AppId,
        user: &UserId,
        conversation: &ConversationId,
    ) -> Result<Vec<Message>, Reject> {
        view::mentions(&self.core.tools, app, user, conversation).await
    }

    /// Changes the user's own settings of a conversation, on all devices. `NOT_FOUND` if it is not
    /// in the user's list.
    pub async fn update_conversation(
        &self,
        app: AppId,
        user: &UserId,
        conversation: &ConversationId,
        change: &SettingsChange,
    ) -> Result<ConversationView, Reject> {
        self.check_running()?;
        self.ensure_listed(app, user, conversation).await?;
        settings::update(&self.core.tools, app, user, conversation, change).await
    }

    /// Takes a conversation out of the user's list until the next message; with its history, what
    /// it has so far is deleted for the user.
    pub async fn delete_conversation(
        &self,
        app: AppId,
        user: &UserId,
        conversation: &ConversationId,
        with_history: bool,
    ) -> Result<(), Reject> {
        self.check_running()?;
        self.ensure_listed(app, user, conversation).await?;
        settings::delete(&self.core.tools, app, user, conversation, with_history).await
    }

    /// Deletes everything up to a sequence for the user; zero, or above the head, is the head.
    pub async fn clear_history(
        &self,
        app: AppId,
        user: &UserId,
        conversation: &ConversationId,
        up_to: u64,
    ) -> Result<ConversationView, Reject> {
        self.check_running()?;
        self.ensure_listed(app, user, conversation).await?;
        settings::clear(&self.core.tools, app, user, conversation, up_to).await
    }

    // ───────────── conversations and sync ─────────────

    /// A page of the user's conversations, pinned ones first, then newest activity. `limit` 0 takes the default.
    pub async fn conversations(
        &self,
        app: AppId,
        user: &UserId,
        cursor: &str,
        limit: usize,
    ) -> Result<ConversationPage, Reject> {
        let limit = page_limit(limit, CONVERSATIONS_PAGE_DEFAULT, PAGE_ITEMS_MAX)?;
        device::conversations(&self.core.tools, app, user, cursor, limit).await
    }

    /// One conversation of the user. `NOT_FOUND` if it is not in the user's list.
    pub async fn conversation(
        &self,
        app: AppId,
        user: &UserId,
        conversation: &ConversationId,
    ) -> Result<ConversationView, Reject> {
        conversation.check_living(self.core.tools.env.now())?;
        self.ensure_listed(app, user, conversation).await?;
        view::lookup(
            &self.core.tools,
            app,
            user.as_str(),
            &conversation.to_string().into(),
        )
        .await
    }

    /// What a device of the user missed.
    pub async fn sync(
        &self,
        app: AppId,
        user: &UserId,
        request: SyncRequest,
    ) -> Result<SyncResult, Reject> {
        device::sync(
            &self.core.tools,
            self.core.apps.epoch(),
            app,
            user,
            &request,
        )
        .await
    }
}

impl Engine {
    /// A conversation for everyone is in the user's list from the first time it is asked for.
    async fn ensure_listed(
        &self,
        app: AppId,
        user: &UserId,
        conversation: &ConversationId,
    ) -> Result<(), Reject> {
        match conversation {
            ConversationId::System(_) => {
                let name = conversation.to_string();
                everyone::ensure_one(&self.core.tools, app, user, &name).await
            }
            _ => Ok(()),
        }
    }
}

/// Names those whom a message of a system conversation is for.
fn address(message: &mut SendMessage) -> Result<(), Reject> {
    if !message.conversation.is_system() {
        return Ok(());
    }
    let speaker = match message.options.by_server {
        true => Speaker::Backend,
        false => Speaker::User(&message.sender),
    };
    message.options.targets = system::audience(speaker, &message.options.targets)?;
    Ok(())
}

pub(crate) fn page_limit(asked: usize, default: usize, max: usize) -> Result<usize, Reject> {
    match asked {
        0 => Ok(default),
        limit if limit <= max => Ok(limit),
        _ => Err(Reject::new(
            Code::InvalidRequest,
            format!("a page has at most {max} items"),
        )),
    }
}

fn refuse(reply: Reply, reject: Reject) {
    reply.answer(Err(reject));
}
