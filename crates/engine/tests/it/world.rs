//! An engine to test, and a client that remembers what it was told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anser_bus::{Hub, NodeId, Perfect};
use anser_domain::login::LoginPolicy;
use anser_domain::{AppId, Code, ConversationId, DeviceId, Platform, Reject, Timestamp, UserId};
use anser_engine::message::{PageRequest, SendMessage, SendOptions, SendResult};
use anser_engine::session::{NewSession, SessionId};
use anser_engine::{Engine, Env, Event, EventBody, Parts, Reply, SessionSink, Settings, World};
use anser_store::Store;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use parking_lot::Mutex;

/// The second is how far the clock was moved on, in milliseconds.
struct Real(AtomicU64, Arc<AtomicU64>);

impl World for Real {
    fn now(&self) -> Timestamp {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        let ahead = self.1.load(Ordering::Relaxed);
        Timestamp(u64::try_from(now.as_millis()).unwrap() + ahead)
    }

    fn random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let next = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            *byte = next.wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be_bytes()[0];
        }
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        content_bytes_max: 3_072,
        login_policy: LoginPolicy::OnePerPlatform,
        installation_key: [7; 32],
        recall_seconds: 120,
        edit_seconds: 86_400,
        retention_days: 180,
        media_retention_days: 0,
        first_window: 50,
    }
}

pub(crate) fn hub() -> Hub {
    Hub::new(|task| drop(tokio::spawn(task)), Perfect)
}

pub(crate) async fn node(hub: &Hub, id: u64, store: &Store) -> Engine {
    node_at(hub, id, store, &Arc::default()).await
}

/// The same, with a clock that can be moved on.
pub(crate) async fn node_at(hub: &Hub, id: u64, store: &Store, ahead: &Arc<AtomicU64>) -> Engine {
    let env = Env::new(Real(AtomicU64::new(id), ahead.clone()));
    let (store, bus) = (store.clone(), hub.join(NodeId(id)));
    Engine::start(Parts {
        env,
        store,
        bus,
        settings: settings(),
    })
    .await
    .unwrap()
}

pub(crate) async fn engine() -> (Engine, AppId) {
    let engine = node(&hub(), 1, &Store::memory()).await;
    let app = engine
        .create_app(Some("app"), "", false)
        .await
        .unwrap()
        .info
        .id;
    (engine, app)
}

pub(crate) fn user(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

/// What a session was told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) events: Mutex<Vec<Arc<Event>>>,
    pub(crate) replies: Mutex<Vec<(u32, Result<SendResult, Reject>)>>,
    pub(crate) closed: Mutex<Option<Reject>>,
}

impl SessionSink for Told {
    fn push(&self, event: &Arc<Event>) {
        self.events.lock().push(event.clone());
    }

    fn reply_send(&self, request: u32, result: Result<SendResult, Reject>) {
        self.replies.lock().push((request, result));
    }

    fn flush(&self) {}

    fn close(&self, reason: Reject) {
        *self.closed.lock() = Some(reason);
    }
}

/// A device of a user.
pub(crate) struct Device {
    pub(crate) engine: Engine,
    pub(crate) app: AppId,
    pub(crate) user: UserId,
    pub(crate) id: SessionId,
    pub(crate) told: Arc<Told>,
    sent: AtomicU32,
}

pub(crate) async fn sign_in(engine: &Engine, app: AppId, name: &str, platform: Platform) -> Device {
    let told = Arc::new(Told::default());
    let new = NewSession {
        app,
        user: user(name),
        device: DeviceId::new(&format!("{name}-{}", platform.name())).unwrap(),
        platform,
        client: "test".into(),
        attempt: 0,
    };
    let opened = engine.open_session(new, told.clone()).await.unwrap();
    Device {
        engine: engine.clone(),
        app,
        user: user(name),
        id: opened.id,
        told,
        sent: AtomicU32::new(0),
    }
}

/// Sends as a user of the server API would, and waits.
pub(crate) async fn send(
    engine: &Engine,
    app: AppId,
    from: &str,
    to: &ConversationId,
    id: &str,
) -> Result<SendResult, Reject> {
    send_message(engine, message(app, from, to, id)).await
}

/// The same, with everything that can be said of a message.
pub(crate) async fn send_message(
    engine: &Engine,
    message: SendMessage,
) -> Result<SendResult, Reject> {
    let (reply, result) = oneshot::channel();
    engine.send(message, Reply::Call(reply));
    result.await.unwrap()
}

pub(crate) fn message(app: AppId, from: &str, to: &ConversationId, id: &str) -> SendMessage {
    SendMessage {
        app,
        sender: user(from),
        conversation: to.clone(),
        client_message_id: id.into(),
        content_type: "text".into(),
        body: id.to_owned().into_bytes().into(),
        first_try: Timestamp(0),
        read_up_to: 0,
        session: None,
        options: SendOptions::default(),
    }
}

/// Waits until it is so. The condition, not the time, is what is tested.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..2_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("waited in vain: {what}");
}

impl Device {
    pub(crate) fn submit(&self, to: &ConversationId, id: &str) -> u32 {
        let request = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        let mut message = message(self.app, self.user.as_str(), to, id);
        message.session = Some(self.id);
        self.engine
            .send(message, Reply::Session(self.told.clone(), request));
        request
    }

    /// The texts of the messages pushed, with their sequences.
    pub(crate) fn messages(&self) -> Vec<(u64, String)> {
        let text = |event: &Arc<Event>| match &event.body {
            EventBody::Message { message, prev } => {
                assert_eq!(*prev, message.seq - 1);
                Some((
                    message.seq,
                    String::from_utf8_lossy(&message.body).into_owned(),
                ))
            }
            _ => None,
        };
        self.told.events.lock().iter().filter_map(text).collect()
    }

    pub(crate) async fn history(&self, of: &ConversationId) -> Result<Vec<u64>, Code> {
        let page = PageRequest {
            from_seq: 0,
            descending: false,
            limit: 100,
        };
        let page = self
            .engine
            .pull(self.app, Some(&self.user), of, page)
            .await
            .map_err(|r| r.code)?;
        Ok(page.messages.iter().map(|message| message.seq).collect())
    }

    pub(crate) async fn unread(&self, of: &ConversationId) -> u64 {
        self.engine
            .conversation(self.app, &self.user, of)
            .await
            .unwrap()
            .unread
    }
}
