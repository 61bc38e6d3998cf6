//! An engine in memory behind a real port, and a small client of the protocol.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anser_bus::{Hub, NodeId, Perfect};
use anser_compat::leancloud::routes::{self, Reach};
use anser_compat::leancloud::wire::{
    CommandType, ConvCommand, DirectCommand, GenericCommand, JsonObjectMessage, OpType,
    SessionCommand,
};
use anser_compat::leancloud::{DOOR, LeanCloud};
use anser_domain::login::LoginPolicy;
use anser_domain::{AppId, Timestamp};
use anser_engine::{Engine, Env, Settings, World};
use anser_gateway::limits::{Limits, SessionSettings};
use anser_gateway::listener::{Gateway, Listen, Parts};
use anser_gateway::metrics::Metrics;
use anser_gateway::session::Context;
use anser_store::Store;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::future::BoxFuture;
use futures::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Nothing here takes so long; a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(30);
/// The application's id, as its clients know it.
pub(crate) const APP_ID: &str = "test-app-MdYXbMMI";

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

/// A running door with one app.
pub(crate) struct Server {
    pub(crate) engine: Engine,
    pub(crate) app: AppId,
    pub(crate) gateway: Gateway,
    pub(crate) door: LeanCloud,
}

impl Server {
    /// One that asks for no signatures.
    pub(crate) async fn relaxed() -> Self {
        let server = Self::shut().await;
        server.set_up(r#""enabled":true,"sign_login":false"#).await;
        server
    }

    /// One whose app has not opened the door.
    pub(crate) async fn shut() -> Self {
        let env = Env::new(Real(AtomicU64::new(1)));
        let hub = Hub::new(|task| drop(tokio::spawn(task)), Perfect);
        let engine = Engine::start(anser_engine::Parts {
            env: env.clone(),
            store: Store::memory(),
            bus: hub.join(NodeId(1)),
            settings: Settings {
                content_bytes_max: 30_000,
                recall_seconds: 86_400,
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
        let door = LeanCloud::new(engine.clone(), env.clone());
        let gateway = Gateway::start(Parts {
            context: Context {
                engine: engine.clone(),
                env,
                settings: Arc::new(SessionSettings {
                    send_rate: None,
                    ..SessionSettings::default()
                }),
                metrics: Arc::new(Metrics::default()),
            },
            router: routes::router(door.clone(), Reach { tls: false }),
            doors: vec![Arc::new(door.clone())],
            listen: Listen {
                http: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
                tcp: vec![],
                tls: None,
            },
            limits: Limits::default(),
        });
        Self {
            engine,
            app: app.info.id,
            gateway: gateway.unwrap(),
            door,
        }
    }

    /// Sets the app's door up anew.
    pub(crate) async fn set_up(&self, fields: &str) {
        let settings =
            format!(r#"{{"app_id":"{APP_ID}","app_key":"k","master_key":"m",{fields}}}"#);
        let set = self.engine.set_door(self.app, DOOR, APP_ID, &settings);
        set.await.unwrap();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.http_addresses()[0]
    }

    /// A connection that speaks a sub-protocol.
    pub(crate) async fn connect(&self, protocol: &str) -> Client {
        let mut request = format!("ws://{}/", self.address())
            .into_client_request()
            .unwrap();
        let value = protocol.parse().unwrap();
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", value);
        let (stream, response) = connect_async(request).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], protocol);
        Client::new(stream, protocol.contains("base64"))
    }

    /// A client that is in.
    pub(crate) async fn log_in(&self, name: &str) -> Client {
        let mut client = self.connect("lc.protobuf2.3").await;
        client.open(name, SessionCommand::default()).await;
        client
    }
}

/// A client of the protocol.
pub(crate) struct Client {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    base64: bool,
    next: i32,
    /// Pushes read but not asked for.
    pushes: Vec<GenericCommand>,
}

/// A command of a kind.
pub(crate) fn command(cmd: CommandType, op: Option<OpType>) -> GenericCommand {
    GenericCommand {
        cmd: Some(cmd.into()),
        op: op.map(Into::into),
        ..GenericCommand::default()
    }
}

/// A JSON text in a field.
pub(crate) fn json(text: &str) -> Option<JsonObjectMessage> {
    Some(JsonObjectMessage {
        data: text.to_owned(),
    })
}

impl Client {
    pub(crate) fn new(stream: WebSocketStream<MaybeTlsStream<TcpStream>>, base64: bool) -> Self {
        Self {
            stream,
            base64,
            next: 0,
            pushes: Vec::new(),
        }
    }

    /// Says something without a number.
    pub(crate) async fn say(&mut self, command: GenericCommand) {
        let bytes = command.encode_to_vec();
        let message = match self.base64 {
            true => Message::text(BASE64.encode(bytes)),
            false => Message::binary(bytes),
        };
        self.stream.send(message).await.unwrap();
    }

    /// The next thing that comes.
    pub(crate) async fn next(&mut self) -> GenericCommand {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.stream.next()).await;
            match message.expect("in time").expect("not the end").unwrap() {
                Message::Binary(bytes) if !self.base64 => {
                    return GenericCommand::decode(bytes).unwrap();
                }
                Message::Text(text) if self.base64 => {
                    return GenericCommand::decode(&*BASE64.decode(text.as_str()).unwrap())
                        .unwrap();
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&mut self, command: GenericCommand) -> GenericCommand {
        self.next += 1;
        let i = self.next;
        let asked = GenericCommand {
            i: Some(i),
            ..command
        };
        self.say(asked).await;
        loop {
            let answer = self.next().await;
            if answer.i == Some(i) {
                return answer;
            }
            assert_eq!(answer.i, None, "only this was asked");
            self.pushes.push(answer);
        }
    }

    /// The next push of a kind; those before it stay.
    pub(crate) async fn push(&mut self, cmd: CommandType, op: Option<OpType>) -> GenericCommand {
        let is = |push: &GenericCommand| push.cmd() == cmd && push.op == op.map(Into::into);
        if let Some(at) = self.pushes.iter().position(is) {
            return self.pushes.remove(at);
        }
        loop {
            let push = self.next().await;
            if is(&push) {
                return push;
            }
            self.pushes.push(push);
        }
    }

    /// Nothing of this kind has come by the time an echo does.
    pub(crate) async fn has_no(&mut self, cmd: CommandType, op: Option<OpType>) {
        self.ask(command(CommandType::Echo, None)).await;
        let is = |push: &GenericCommand| push.cmd() == cmd && push.op == op.map(Into::into);
        assert!(!self.pushes.iter().any(is), "{:?}", self.pushes);
    }

    /// Logs in.
    pub(crate) async fn open(&mut self, name: &str, session: SessionCommand) -> GenericCommand {
        let answer = self.try_open(name, session).await;
        assert_eq!(answer.op(), OpType::Opened, "{answer:?}");
        answer
    }

    pub(crate) async fn try_open(&mut self, name: &str, session: SessionCommand) -> GenericCommand {
        self.ask(GenericCommand {
            app_id: Some(APP_ID.to_owned()),
            peer_id: Some(name.to_owned()),
            session_message: Some(session),
            ..command(CommandType::Session, Some(OpType::Open))
        })
        .await
    }

    /// A command about a conversation.
    pub(crate) async fn conv(&mut self, op: OpType, conv: ConvCommand) -> GenericCommand {
        self.ask(GenericCommand {
            conv_message: Some(conv),
            ..command(CommandType::Conv, Some(op))
        })
        .await
    }

    /// Creates a conversation of these members.
    pub(crate) async fn start(&mut self, members: &[&str]) -> String {
        let conv = ConvCommand {
            m: members.iter().map(|it| (*it).to_owned()).collect(),
            ..ConvCommand::default()
        };
        let started = self.conv(OpType::Start, conv).await;
        assert_eq!(started.op(), OpType::Started, "{started:?}");
        started.conv_message.unwrap().cid.unwrap()
    }

    /// Sends something, and waits for the ack.
    pub(crate) async fn send(&mut self, direct: DirectCommand) -> GenericCommand {
        self.ask(GenericCommand {
            direct_message: Some(direct),
            ..command(CommandType::Direct, None)
        })
        .await
    }
}

/// A text for a conversation.
pub(crate) fn text(cid: &str, text: &str) -> DirectCommand {
    DirectCommand {
        cid: Some(cid.to_owned()),
        msg: Some(format!(r#"{{"_lctype":-1,"_lctext":"{text}"}}"#)),
        ..DirectCommand::default()
    }
}
