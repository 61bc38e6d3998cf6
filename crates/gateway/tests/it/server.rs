//! A whole gateway over an engine in memory, and clients for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anser_bus::{Hub, NodeId, Perfect};
use anser_domain::login::LoginPolicy;
use anser_domain::{AppId, Timestamp, UserId};
use anser_engine::{Engine, Env, Settings, World};
use anser_gateway::limits::{Limits, SessionSettings};
use anser_gateway::listener::{Gateway, Listen, Parts};
use anser_gateway::metrics::Metrics;
use anser_gateway::session::Context;
use anser_proto::client as wire;
use anser_store::Store;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

/// Nothing here takes so long; a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(30);

struct Real(AtomicU64);

impl World for Real {
    fn now(&self) -> Timestamp {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        Timestamp(u64::try_from(now.as_millis()).unwrap())
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

/// What sessions need, over a new engine with one app.
pub(crate) async fn context(settings: SessionSettings) -> (Context, AppId) {
    let env = Env::new(Real(AtomicU64::new(1)));
    let hub = Hub::new(|task| drop(tokio::spawn(task)), Perfect);
    let engine = Engine::start(anser_engine::Parts {
        env: env.clone(),
        store: Store::memory(),
        bus: hub.join(NodeId(1)),
        settings: Settings {
            content_bytes_max: 3_072,
            recall_seconds: 120,
            edit_seconds: 86_400,
            retention_days: 180,
            media_retention_days: 0,
            first_window: 50,
            login_policy: LoginPolicy::OnePerPlatform,
            installation_key: [7; 32],
        },
    });
    let engine = engine.await.unwrap();
    let app = engine.create_app(Some("app"), "", false).await.unwrap();
    let context = Context {
        engine,
        env,
        settings: Arc::new(settings),
        metrics: Arc::new(Metrics::default()),
    };
    (context, app.info.id)
}

pub(crate) async fn token(context: &Context, app: AppId, user: &str) -> String {
    let user = UserId::new(user).unwrap();
    let token = context.engine.mint_token(app, &user, 3_600).await;
    token.unwrap().token
}

/// A running gateway.
pub(crate) struct Server {
    pub(crate) context: Context,
    pub(crate) gateway: Gateway,
    pub(crate) app: AppId,
}

impl Server {
    pub(crate) async fn start(limits: Limits, settings: SessionSettings) -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let listen = Listen {
            http: vec![loopback],
            tcp: vec![loopback],
            tls: None,
        };
        Self::start_on(listen, limits, settings).await
    }

    pub(crate) async fn start_on(
        listen: Listen,
        limits: Limits,
        settings: SessionSettings,
    ) -> Self {
        let (context, app) = context(settings).await;
        let router = Router::new()
            .route(
                "/who",
                get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
            )
            .route("/echo", post(|body: Bytes| async move { body }));
        let gateway = Gateway::start(Parts {
            context: context.clone(),
            router,
            doors: Vec::new(),
            listen,
            limits,
        });
        Self {
            context,
            gateway: gateway.unwrap(),
            app,
        }
    }

    pub(crate) async fn plain() -> Self {
        Self::start(Limits::default(), SessionSettings::default()).await
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.gateway.http_addresses()[0]
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        self.gateway.tcp_addresses()[0]
    }

    pub(crate) async fn token(&self, user: &str) -> String {
        token(&self.context, self.app, user).await
    }

    /// A user signed in over WebSocket.
    pub(crate) async fn web(&self, user: &str) -> Client {
        let mut client = Client::web(self.http()).await;
        client.sign_in(self.token(user).await).await;
        client
    }

    /// A user signed in over TCP.
    pub(crate) async fn native(&self, user: &str) -> Client {
        let mut client = Client::native(self.tcp()).await;
        client.sign_in(self.token(user).await).await;
        client
    }

    /// One figure of the metrics.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let mut text = String::new();
        self.context.metrics.render(&mut text);
        let line = text
            .lines()
            .find(|line| line.split(' ').next() == Some(name));
        line.unwrap().split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// A client, over either transport.
pub(crate) struct Client {
    transport: Transport,
    /// Read, but not asked for yet.
    items: Vec<Item>,
    next: u32,
}

enum Transport {
    Web(Box<WebSocketStream<Io>>),
    Native(Io, BytesMut),
}

/// Any stream: plain or TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

type Io = Box<dyn Stream>;

pub(crate) fn hello(token: String) -> Command {
    Command::Hello(wire::Hello {
        version_min: 1,
        version_max: 1,
        token,
        device_id: "device".into(),
        platform: wire::Platform::Web.into(),
        client: "test/1".into(),
        heartbeat_seconds: 0,
        attempt: 0,
    })
}

pub(crate) fn text(conversation: &str, id: &str, body: &str) -> Command {
    Command::SendMessage(wire::SendMessage {
        conversation: conversation.into(),
        client_message_id: id.into(),
        content: Some(wire::Content {
            r#type: "text".into(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }),
        ..Default::default()
    })
}

pub(crate) fn requests(commands: Vec<(u32, Command)>) -> Vec<u8> {
    let requests = commands.into_iter().map(|(id, command)| wire::Request {
        id,
        command: Some(command),
    });
    wire::ClientFrame {
        requests: requests.collect(),
    }
    .encode_to_vec()
}

impl Client {
    pub(crate) async fn web(address: SocketAddr) -> Self {
        Self::web_over(TcpStream::connect(address).await.unwrap()).await
    }

    pub(crate) async fn web_over(stream: impl Stream + 'static) -> Self {
        let mut request = "ws://localhost/v1/connect".into_client_request().unwrap();
        let protocol = "anser.v1".parse().unwrap();
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", protocol);
        let io: Io = Box::new(stream);
        let (stream, response) = tokio_tungstenite::client_async(request, io).await.unwrap();
        assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "anser.v1");
        Self::new(Transport::Web(Box::new(stream)))
    }

    pub(crate) async fn native(address: SocketAddr) -> Self {
        Self::native_over(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) fn native_over(stream: impl Stream + 'static) -> Self {
        Self::new(Transport::Native(Box::new(stream), BytesMut::new()))
    }

    fn new(transport: Transport) -> Self {
        Self {
            transport,
            items: Vec::new(),
            next: 1,
        }
    }

    pub(crate) async fn sign_in(&mut self, token: String) -> wire::Welcome {
        match self.call(hello(token)).await {
            Answer::Welcome(welcome) => welcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn send_frame(&mut self, frame: Vec<u8>) {
        match &mut self.transport {
            Transport::Web(stream) => stream.send(Message::Binary(frame.into())).await.unwrap(),
            Transport::Native(stream, _) => {
                let mut bytes = BytesMut::new();
                anser_proto::frame::encode(&frame, &mut bytes);
                stream.write_all(&bytes).await.unwrap();
            }
        }
    }

    /// Sends requests in one frame; their ids.
    pub(crate) async fn send(&mut self, commands: Vec<Command>) -> Vec<u32> {
        let first = self.next;
        let numbered: Vec<(u32, Command)> = (first..).zip(commands).collect();
        let ids = numbered.iter().map(|(id, _)| *id).collect();
        self.next += u32::try_from(numbered.len()).unwrap();
        self.send_frame(requests(numbered)).await;
        ids
    }

    pub(crate) async fn call(&mut self, command: Command) -> Answer {
        let ids = self.send(vec![command]).await;
        self.answer(ids[0]).await
    }

    /// The answer to a request; whatever else comes is kept.
    pub(crate) async fn answer(&mut self, id: u32) -> Answer {
        let is_answer = |item: &Item| matches!(item, Item::Response(r) if r.id == id);
        match self.find(is_answer).await {
            Item::Response(response) => response.result.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The first item of a kind; whatever else comes is kept.
    pub(crate) async fn find(&mut self, wanted: impl Fn(&Item) -> bool) -> Item {
        let mut at = 0;
        loop {
            while at < self.items.len() {
                if wanted(&self.items[at]) {
                    return self.items.remove(at);
                }
                at += 1;
            }
            let frame = self.frame().await;
            let frame = frame.unwrap_or_else(|| panic!("closed; got {:?}", self.items));
            self.items.extend(frame);
        }
    }

    /// The next message pushed.
    pub(crate) async fn message(&mut self) -> wire::MessagePush {
        match self.find(|item| matches!(item, Item::Message(_))).await {
            Item::Message(push) => push,
            other => panic!("{other:?}"),
        }
    }

    /// The code of the ClosePush, and the WebSocket close code, once the server has ended it.
    pub(crate) async fn end(&mut self) -> (Option<u32>, Option<u16>) {
        let mut code = None;
        loop {
            match self.next_frame().await {
                Frame::Items(items) => self.items.extend(items),
                Frame::Closed(close) => {
                    for item in &self.items {
                        if let Item::Close(push) = item {
                            code = Some(push.error.as_ref().unwrap().code);
                        }
                    }
                    return (code, close);
                }
            }
        }
    }

    /// The items of the next frame; none at the end.
    async fn frame(&mut self) -> Option<Vec<Item>> {
        match self.next_frame().await {
            Frame::Items(items) => Some(items),
            Frame::Closed(_) => None,
        }
    }

    async fn next_frame(&mut self) -> Frame {
        let read = tokio::time::timeout(PATIENCE, self.read());
        read.await.expect("the server says something")
    }

    async fn read(&mut self) -> Frame {
        let payload = match &mut self.transport {
            Transport::Web(stream) => loop {
                match stream.next().await {
                    Some(Ok(Message::Binary(payload))) => break payload,
                    Some(Ok(Message::Close(close))) => {
                        return Frame::Closed(close.map(|close| close.code.into()));
                    }
                    Some(Ok(_)) => {}
                    None | Some(Err(_)) => return Frame::Closed(None),
                }
            },
            Transport::Native(stream, buffer) => loop {
                if let Some(payload) = anser_proto::frame::decode(buffer, 1 << 24).unwrap() {
                    break payload;
                }
                match stream.read_buf(buffer).await {
                    Ok(0) | Err(_) => return Frame::Closed(None),
                    Ok(_) => {}
                }
            },
        };
        Frame::Items(items(&payload))
    }
}

enum Frame {
    Items(Vec<Item>),
    Closed(Option<u16>),
}

pub(crate) fn items(payload: &[u8]) -> Vec<Item> {
    let frame = wire::ServerFrame::decode(payload).unwrap();
    let items = frame.items.into_iter().map(|item| item.item.unwrap());
    items.collect()
}
