//! The devices of a scenario: clients of the Rust SDK with a database each, and what they were
//! told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anser_domain::Platform;
use anser_sdk::Client;
use anser_sdk::core::{ConnectionState, Event};
use anser_sdk::database::SqliteStorage;
use anser_sdk::driver::{ListStatus, TimelineStatus};
use anser_sdk::model::{Conversation, Message, Presence, RelationList};
use anser_sdk::view::TimelineItem;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::line::Line;
use super::rooms::RoomHeard;
use super::steps::{Failure, PATIENCE};
use crate::http::{basic, request};

/// A scenario's own names: users and groups of one are not those of another.
pub(super) struct Names {
    prefix: String,
    /// What the server calls the conversations that users created, by what the scenario does.
    created: Mutex<BTreeMap<String, String>>,
    /// The ids of uploaded files, by what the scenario calls them.
    media: Mutex<BTreeMap<String, String>>,
    /// What is kept for later, by its kind and what the scenario calls it.
    kept: Mutex<BTreeMap<(&'static str, String), String>>,
}

impl Names {
    pub(super) fn new(prefix: String) -> Self {
        Self {
            prefix,
            created: Mutex::default(),
            media: Mutex::default(),
            kept: Mutex::default(),
        }
    }

    pub(super) fn keep(&self, kind: &'static str, name: &str, what: &str) {
        let mut kept = self.kept.lock().unwrap();
        kept.insert((kind, name.to_owned()), what.to_owned());
    }

    pub(super) fn kept(&self, kind: &'static str, name: &str) -> Result<String, String> {
        let kept = self.kept.lock().unwrap();
        let found = kept.get(&(kind, name.to_owned())).cloned();
        found.ok_or_else(|| format!("there is no {kind} {name}"))
    }

    /// Remembers the id of an uploaded file.
    pub(super) fn uploaded(&self, name: &str, media: &str) {
        let mut uploaded = self.media.lock().unwrap();
        uploaded.insert(name.to_owned(), media.to_owned());
    }

    /// The server has no file of a name that was not uploaded.
    pub(super) fn media(&self, name: &str) -> String {
        let media = self.media.lock().unwrap().get(name).cloned();
        media.unwrap_or_else(|| name.to_owned())
    }

    /// Remembers what the server calls a conversation.
    pub(super) fn created(&self, name: &str, conversation: &str) {
        let mut created = self.created.lock().unwrap();
        created.insert(format!("c/{name}"), conversation.to_owned());
    }

    pub(super) fn user(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) fn users(&self, names: &[String]) -> Vec<String> {
        names.iter().map(|name| self.user(name)).collect()
    }

    pub(super) fn conversation(&self, name: &str) -> String {
        if name.starts_with("c/") {
            // The server refuses one that was not created.
            let created = self.created.lock().unwrap().get(name).cloned();
            return created.unwrap_or_else(|| name.to_owned());
        }
        name.replace('/', &format!("/{}", self.prefix))
    }

    /// As the scenario says it.
    pub(super) fn plain(&self, name: &str) -> String {
        let created = self.created.lock().unwrap();
        let known = created.iter().find(|(_, created)| *created == name);
        known.map_or_else(
            || name.replace(&self.prefix, ""),
            |(known, _)| known.clone(),
        )
    }

    pub(super) fn plain_all(
        &self,
        names: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Vec<String> {
        let names = names.into_iter();
        names.map(|name| self.plain(name.as_ref())).collect()
    }
}

/// The server API, as an application's backend uses it.
#[derive(Clone, Default)]
pub(super) struct Api {
    pub(super) url: String,
    pub(super) websocket: String,
    /// The key of the app, as which it asks.
    pub(super) key: String,
    pub(super) authorization: String,
    /// The operator's.
    pub(super) admin: String,
}

impl Api {
    /// What is answered; what was wrong, with the name of the error.
    pub(super) async fn ask(
        self: &Arc<Self>,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, String> {
        let (api, method, path) = (Arc::clone(self), method.to_owned(), path.to_owned());
        let answer = tokio::task::spawn_blocking(move || {
            let mut headers = vec![("authorization", api.authorization.as_str())];
            let body = body.map(|body| body.to_string()).unwrap_or_default();
            if !body.is_empty() {
                headers.push(("content-type", "application/json"));
            }
            request(&api.url, &method, &path, &headers, body.as_bytes())
        });
        let answer = answer.await.map_err(|why| why.to_string())?;
        match (answer.status, answer.body.is_empty()) {
            (200..300, true) => Ok(Value::Null),
            (200..300, false) => Ok(answer.json()),
            (status, _) => Err(format!("{status} {}", answer.text())),
        }
    }

    /// The same as somebody else.
    pub(super) fn with(&self, authorization: String) -> Arc<Self> {
        Arc::new(Self {
            authorization,
            ..self.clone()
        })
    }

    /// A secret that the operator makes for an app.
    pub(super) async fn made(&self, app: &str, kind: &str) -> Result<Value, String> {
        let operator = self.with(self.admin.clone());
        let path = format!("/v1/apps/{app}/{kind}");
        operator.ask("POST", &path, None).await
    }

    /// The same for another app, which has these settings.
    pub(super) async fn create_app(self: &Arc<Self>, settings: Value) -> Result<Arc<Self>, String> {
        let operator = self.with(self.admin.clone());
        let made = operator.ask("POST", "/v1/apps", Some(json!({}))).await?;
        let key = made["app"]["app_key"]
            .as_str()
            .ok_or("an app without a key")?;
        let secret = made["api_secret"]["secret"]
            .as_str()
            .ok_or("an app without a secret")?;
        let app = Arc::new(Self {
            key: key.to_owned(),
            ..Self::clone(&self.with(basic(key, secret)))
        });
        let path = format!("/v1/apps/{}/settings", app.key);
        app.ask("PATCH", &path, Some(settings)).await?;
        Ok(app)
    }

    /// A token of a user, who is made if there is none.
    pub(super) async fn token(self: &Arc<Self>, user: &str) -> Result<String, String> {
        let path = format!("/v1/users/{user}/token");
        let answer = self.ask("POST", &path, None).await?;
        let token = answer["token"].as_str();
        Ok(token.ok_or("an answer without a token")?.to_owned())
    }
}

/// What a device was told.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) received: Vec<Message>,
    pub(super) transient: Vec<Message>,
    /// How far users are, by conversation and user: delivered, read.
    pub(super) positions: BTreeMap<(String, String), (u64, u64)>,
    /// Conversation, message, and by whom.
    pub(super) acknowledged: Vec<(String, u64, String)>,
    /// Group, and what was told.
    pub(super) join_requests: Vec<(String, String)>,
    /// Changes of the user's own lists.
    pub(super) relations: Vec<String>,
    /// Of users: the newest that was told, answers of subscribing included.
    pub(super) presences: BTreeMap<String, Presence>,
    /// Of chat rooms.
    pub(super) rooms: BTreeMap<String, RoomHeard>,
    /// Why the connection ended for good; empty: it did not.
    pub(super) closed: String,
}

/// What a connection came to.
#[derive(Clone, Default)]
struct Came {
    /// How often everything that was missed of the list was there.
    synced: u64,
    /// How often it was over for good, and why last.
    stopped: (u64, Option<anser_sdk::Error>),
}

/// What an event says of the connection: everything that was missed of the list is there, or it
/// is over for good.
fn came_of(event: &Event) -> Option<Result<(), anser_sdk::Error>> {
    match event {
        Event::Synced { .. } => Some(Ok(())),
        Event::State(ConnectionState::Stopped(error)) => Some(Err(error.clone())),
        _ => None,
    }
}

/// A view, as far as its diffs have come.
type Shown<T, S> = Arc<Mutex<(Vec<Arc<T>>, S)>>;

pub(super) struct Actor {
    pub(super) client: Client,
    pub(super) heard: Arc<Mutex<Heard>>,
    /// They end with the actor, and its client with them.
    tasks: Mutex<JoinSet<()>>,
    came: watch::Receiver<Came>,
    timelines: tokio::sync::Mutex<BTreeMap<String, Shown<TimelineItem, TimelineStatus>>>,
    pub(super) list: Shown<Conversation, ListStatus>,
    line: Line,
    /// Whose device it is, and where it keeps its database.
    installed: Installed,
}

/// What stays when the application ends.
struct Installed {
    device_id: String,
    platform: Platform,
    token: String,
    files: TempDir,
}

impl Actor {
    /// Whose a device is.
    pub(super) fn user_of(device: &str) -> &str {
        device.split('/').next().unwrap_or(device)
    }

    pub(super) async fn arrive(api: &Arc<Api>, name: &str, names: &Names) -> Result<Self, String> {
        let user = names.user(Self::user_of(name));
        let device = name.split('/').nth(1).unwrap_or("only");
        let installed = Installed {
            device_id: format!("{user}-{device}"),
            platform: match device {
                "phone" => Platform::Android,
                "web" => Platform::Web,
                _ => Platform::Desktop,
            },
            token: api.token(&user).await?,
            files: tempfile::tempdir().map_err(|why| why.to_string())?,
        };
        let actor = Self::start(installed, Line::lay(&api.websocket).await?)?;
        let arrived = actor.comes((0, 0)).await;
        arrived.map_err(|failure| failure.text())?;
        Ok(actor)
    }

    /// The application ends, and starts anew with its database.
    pub(super) async fn restart(self) -> Result<Self, String> {
        // It writes nothing any more then, and ends with those who hold it.
        self.client.disconnect().await;
        let Self {
            client,
            tasks,
            installed,
            line,
            ..
        } = self;
        drop((client, tasks));
        Self::start(installed, line)
    }

    fn start(installed: Installed, line: Line) -> Result<Self, String> {
        let file = installed.files.path().join("it.db");
        let storage = SqliteStorage::open(file).map_err(|why| why.0)?;
        let builder = Client::builder(&line.url, installed.token.clone())
            .device_id(&installed.device_id)
            .platform(installed.platform)
            .database(storage);
        let (client, mut events) = builder.connect().map_err(|why| why.to_string())?;
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (told, came) = watch::channel(Came::default());
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let heard = Arc::clone(&heard);
            async move {
                while let Some(event) = events.next().await {
                    let state = came_of(&event);
                    heard.lock().unwrap().take(event);
                    match state {
                        Some(Ok(())) => told.send_modify(|came| came.synced += 1),
                        Some(Err(error)) => told.send_modify(|came| {
                            came.stopped = (came.stopped.0 + 1, Some(error));
                        }),
                        None => {}
                    }
                }
            }
        });
        let list = Shown::default();
        tasks.spawn({
            let (list, mut stream) = (Arc::clone(&list), client.conversation_list());
            async move {
                while let Some(update) = stream.next().await {
                    let mut list = list.lock().unwrap();
                    for diff in update.diffs {
                        diff.apply(&mut list.0);
                    }
                    list.1 = update.status;
                }
            }
        });
        Ok(Self {
            client,
            heard,
            tasks: Mutex::new(tasks),
            came,
            timelines: tokio::sync::Mutex::default(),
            list,
            line,
            installed,
        })
    }

    /// The network is there, or is not. Of its return the client is told.
    pub(super) async fn plug(&self, up: bool) {
        self.line.set(up);
        if up {
            self.client.connect().await;
        }
    }

    /// Comes when everything that was missed of the list is there.
    pub(super) async fn connect(&self) -> Result<(), Failure> {
        let before = {
            let came = self.came.borrow();
            (came.synced, came.stopped.0)
        };
        self.client.connect().await;
        self.comes(before).await
    }

    async fn comes(&self, (synced, stopped): (u64, u64)) -> Result<(), Failure> {
        let mut came = self.came.clone();
        let news = came.wait_for(|came| came.synced > synced || came.stopped.0 > stopped);
        let Ok(news) = tokio::time::timeout(PATIENCE, news).await else {
            return Err("no connection came about".to_owned().into());
        };
        let news = news.map_err(|_| "the client ended".to_owned())?.clone();
        if news.synced > synced {
            self.heard.lock().unwrap().closed.clear();
            return Ok(());
        }
        Err(news
            .stopped
            .1
            .map_or("it stopped".to_owned().into(), Failure::from))
    }

    /// A conversation on this device's screen, from the first look on.
    pub(super) async fn timeline(&self, name: &str) -> Shown<TimelineItem, TimelineStatus> {
        let mut timelines = self.timelines.lock().await;
        if let Some(shown) = timelines.get(name) {
            return Arc::clone(shown);
        }
        let begin = TimelineStatus {
            loading: true,
            ..TimelineStatus::default()
        };
        let shown = Arc::new(Mutex::new((Vec::new(), begin)));
        timelines.insert(name.to_owned(), Arc::clone(&shown));
        let mut timeline = self.client.timeline(name).await;
        self.tasks.lock().unwrap().spawn({
            let shown = Arc::clone(&shown);
            async move {
                while let Some(update) = timeline.next().await {
                    let mut shown = shown.lock().unwrap();
                    for diff in update.diffs {
                        diff.apply(&mut shown.0);
                    }
                    shown.1 = update.status;
                }
            }
        });
        shown
    }
}

impl Heard {
    fn take(&mut self, event: Event) {
        match event {
            Event::Message(message) => self.received.push(message),
            Event::Transient(message) => self.transient.push(message),
            Event::Receipts {
                conversation,
                receipts,
                acknowledgements,
            } => {
                for receipt in receipts {
                    let key = (conversation.clone(), receipt.user);
                    let (delivered, read) = self.positions.entry(key).or_default();
                    *delivered = receipt.delivered_seq.max(*delivered);
                    *read = receipt.read_seq.max(*read);
                }
                let acknowledged = acknowledgements.into_iter();
                self.acknowledged
                    .extend(acknowledged.map(|one| (conversation.clone(), one.seq, one.user)));
            }
            Event::JoinRequest(request) => {
                let told = match request.rejected_by {
                    Some(_) => format!("{}: rejected", request.user_id),
                    None => request.user_id,
                };
                self.join_requests.push((request.group_id, told));
            }
            Event::Relations(change) => {
                let list = match change.list {
                    Some(RelationList::Blocked) => "blocked",
                    Some(RelationList::Allowed) => "allowed",
                    None => "unknown",
                };
                let added = change.added.iter().map(|user| format!("{list} + {user}"));
                self.relations.extend(added);
                let removed = change.removed.iter().map(|user| format!("{list} - {user}"));
                self.relations.extend(removed);
            }
            Event::Presence(presence) => {
                self.presences.insert(presence.user.clone(), presence);
            }
            Event::Room { room, news } => self.rooms.entry(room).or_default().take(news),
            Event::State(ConnectionState::Stopped(error)) => {
                self.closed = error.name.into_owned();
            }
            _ => {}
        }
    }
}
