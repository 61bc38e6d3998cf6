//! A client device: the SDK's core, driven over a [`Pipe`](crate::pipe::Pipe), and the person and
//! the application behind it.
//!
//! Some devices have a database, others keep a list of conversations in memory by the same rules;
//! both are what an application would show, and are judged. What a device is told waits for its
//! database, as in the driver; whoever is started anew goes on from what was written.

mod answers;
mod asking;
mod local;
mod paging;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use anser_domain::{AppId, Platform, Reject, Timestamp, UserId};
use anser_proto::frame;
use anser_sdk::SavedState;
use anser_sdk::core::{
    ClientCore, Config, ConnectionId, ConnectionState, Event, Input, Output, QueueUpdate,
};
use anser_sdk::database::MemoryStorage;
use anser_sdk::model::{Conversation, ReaderPage, Receipt};
use anser_sdk::view::ListModel;
use bytes::BytesMut;
use parking_lot::Mutex;

pub(crate) use self::answers::is_refusal;
use self::local::Local;
pub(crate) use self::paging::PagedBack;
use crate::book::{Book, shown};
use crate::cluster::Cluster;
use crate::executor::{Executor, Group, Sleep};
use crate::ledger::{Shared, Where, Who};
use crate::pipe::{Cut, End, Pipe};
use crate::random::Random;
use crate::sabotage::Saboteur;
use crate::workload::{Ask, DeviceSpec};
use crate::world::START_MS;

/// The tasks of all devices.
pub(crate) const CLIENTS: Group = Group(2);

/// Most bytes of a frame from the server.
const FRAME_BYTES_MAX: usize = 16 << 20;
/// A write to a device's database takes up to so long, and a slow one so long.
const WRITE_US: u64 = 3_000;
/// See above.
const SLOW_WRITE_US: u64 = 80_000;
/// A failed send is tried again by the person in so many of a thousand cases.
const SEND_AGAIN: u32 = 700;

/// What all devices share.
pub(crate) struct Surroundings {
    pub(crate) executor: Executor,
    pub(crate) cluster: Cluster,
    pub(crate) ledger: Shared,
    pub(crate) saboteur: Saboteur,
    pub(crate) app_ids: Vec<AppId>,
    /// Nothing goes wrong in this run.
    pub(crate) calm: bool,
    pub(crate) trace: bool,
}

enum Order {
    Ask(Ask),
    Opened(ConnectionId, Option<(Pipe, End)>),
    Token(Result<String, Reject>),
    /// Try the send with this record again.
    Again(usize),
    Release,
    /// The batch of this number is in the database.
    Written(u64),
}

/// What a ticket stands for: where in the ledger the answer goes.
enum Asked {
    Send(usize),
    Read(usize),
    Group(usize),
    Alter(usize),
    /// And over which connection it went out, if at once.
    Own(usize, Option<ConnectionId>),
    Rule(usize),
    Acknowledge(usize),
    Queue(usize),
    Discard,
    Receipts(String),
    Mentions(String),
    Readers(ReadersOf),
    History {
        conversation: String,
        descending: bool,
    },
    Before(String),
    List {
        limit: u32,
        rows: Vec<anser_sdk::model::Conversation>,
    },
    Logout,
}

/// A message and whether those are asked for who acknowledged it, not those who read it.
pub(crate) type ReadersOf = (String, u64, bool);

/// Where the others stand in a conversation, as this device was told: the version to ask with
/// next, and everybody's receipt.
pub(crate) type Receipts = (u64, BTreeMap<String, Receipt>);

/// What the application is told when it asks, beside its database.
#[derive(Clone, Default)]
pub(crate) struct Told {
    pub(crate) receipts: BTreeMap<String, Receipts>,
    /// Sequences of unread mentions, by conversation.
    pub(crate) mentions: BTreeMap<String, Vec<u64>>,
    pub(crate) readers: BTreeMap<ReadersOf, ReaderPage>,
    /// The last page of receipts was read.
    pub(crate) all_receipts: BTreeSet<String>,
    /// History as far as it was paged back.
    pub(crate) history: BTreeMap<String, PagedBack>,
}

struct Line {
    id: ConnectionId,
    pipe: Pipe,
    end: End,
    received: BytesMut,
}

struct Inner {
    around: Arc<Surroundings>,
    number: usize,
    spec: DeviceSpec,
    random: Random,
    /// What the device's clock shows when the run begins.
    clock_ms: u64,
    core: ClientCore,
    saved: SavedState,
    book: Book,
    line: Option<Line>,
    orders: VecDeque<Order>,
    waker: Option<Waker>,
    timer: Option<Sleep>,
    tickets: BTreeMap<u64, Asked>,
    next_ticket: u64,
    next_body: u64,
    list: Option<Vec<Conversation>>,
    /// The list of a device without a database.
    rows: ListModel,
    local: Option<Local>,
    told: Told,
    /// The record of every send that went through the database.
    queued: BTreeMap<String, usize>,
    /// What arrived from others since the application was started, if it tells so by itself.
    arrived: BTreeMap<String, u64>,
    /// The person wants to be connected.
    wanted: bool,
    /// Failed sends that the person is about to try again.
    again: usize,
}

/// A device. Clones share it.
#[derive(Clone)]
pub(crate) struct Device(Arc<Mutex<Inner>>);

/// How a device stands, for the checkers.
pub(crate) struct Standing {
    pub(crate) online: bool,
    pub(crate) waits: usize,
    pub(crate) book: Book,
    pub(crate) state: String,
    /// Its database.
    pub(crate) storage: Option<MemoryStorage>,
    /// Without one, its list.
    pub(crate) rows: Vec<Arc<Conversation>>,
    pub(crate) told: Told,
    pub(crate) arrived: BTreeMap<String, u64>,
}

impl Device {
    pub(crate) fn new(
        around: Arc<Surroundings>,
        number: usize,
        spec: DeviceSpec,
        mut random: Random,
    ) -> Self {
        let saved = SavedState::default();
        let config = config(&spec, around.cluster.nodes, &mut random);
        let local = spec.stores.then(|| Local::new(MemoryStorage::new()));
        let core = match &local {
            Some(local) => ClientCore::with_database(config, local.load()),
            None => ClientCore::new(config, saved.clone()),
        };
        let rows = ListModel::new(spec.user.clone());
        // Clocks of devices are set by people.
        let clock_ms = START_MS + random.below(200_000_000) - 100_000_000;
        let executor = around.executor.clone();
        let inner = Inner {
            around,
            number,
            spec,
            random,
            clock_ms,
            core,
            saved,
            book: Book::default(),
            line: None,
            orders: VecDeque::new(),
            waker: None,
            timer: None,
            tickets: BTreeMap::new(),
            next_ticket: 0,
            next_body: 0,
            list: None,
            rows,
            local,
            told: Told::default(),
            queued: BTreeMap::new(),
            arrived: BTreeMap::new(),
            wanted: false,
            again: 0,
        };
        let device = Self(Arc::new(Mutex::new(inner)));
        let this = device.clone();
        executor.spawn(
            CLIENTS,
            std::future::poll_fn(move |context| -> Poll<()> {
                let mut inner = this.0.lock();
                let own = this.clone();
                inner.poll(&own, context);
                Poll::Pending
            }),
        );
        device
    }

    fn order(&self, order: Order) {
        let mut inner = self.0.lock();
        inner.orders.push_back(order);
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    /// The person does something.
    pub(crate) fn ask(&self, ask: Ask) {
        self.order(Order::Ask(ask));
    }

    /// The connection is cut.
    pub(crate) fn cut(&self, cut: Cut) {
        if let Some(line) = &self.0.lock().line {
            line.pipe.cut(cut);
        }
    }

    /// Nothing is read from the connection for so long.
    pub(crate) fn stall(&self, us: u64) {
        if let Some(line) = &self.0.lock().line {
            line.pipe.stall(us);
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        let inner = self.0.lock();
        let local = inner.local.as_ref();
        Standing {
            online: matches!(inner.core.state(), ConnectionState::Online { .. }),
            waits: inner.tickets.len()
                + inner.orders.len()
                + inner.again
                + local.map_or(0, Local::waits),
            book: inner.book.clone(),
            state: format!("{:?}", inner.core.state()),
            storage: local.map(|local| local.storage.clone()),
            rows: inner.rows.items(),
            told: inner.told.clone(),
            arrived: inner.arrived.clone(),
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.0.lock().wanted
    }

    /// Everything that is judged at the end has to be asked again.
    pub(crate) fn forget(&self) {
        let mut inner = self.0.lock();
        inner.list = None;
        inner.told.mentions.clear();
        inner.told.readers.clear();
        inner.told.all_receipts.clear();
        inner.told.history.clear();
    }

    /// The conversation list as it was read last.
    pub(crate) fn list(&self) -> Option<Vec<Conversation>> {
        self.0.lock().list.clone()
    }

    /// Asks what is judged at the end and was not answered yet: of these conversations, and of
    /// these messages. False: everything was.
    pub(crate) fn ask_rest(&self, conversations: &[(String, Vec<u64>)], limit: u32) -> bool {
        let standing = self.standing();
        if standing.waits > 0 {
            return true;
        }
        let told = standing.told;
        let mut asks = Vec::new();
        for (name, seqs) in conversations {
            let lacks = |seq: &&u64| {
                let has = |which| told.readers.contains_key(&(name.clone(), **seq, which));
                !has(true) || !has(false)
            };
            asks.extend(
                seqs.iter()
                    .filter(lacks)
                    .map(|seq| Ask::Readers(name.clone(), *seq)),
            );
            if !told.all_receipts.contains(name) {
                asks.push(Ask::Receipts(name.clone()));
            }
            if !told.mentions.contains_key(name) {
                asks.push(Ask::Mentions(name.clone()));
            }
        }
        if self.list().is_none() {
            asks.push(Ask::List { limit });
        }
        let lacks = !asks.is_empty();
        asks.into_iter().for_each(|ask| self.ask(ask));
        lacks
    }

    fn after(&self, executor: &Executor, us: u64, order: Order) {
        let (this, sleep) = (self.clone(), executor.sleep(us));
        executor.spawn(CLIENTS, async move {
            sleep.await;
            this.order(order);
        });
    }
}

fn config(spec: &DeviceSpec, nodes: usize, random: &mut Random) -> Config {
    let first = random.index(nodes);
    Config {
        addresses: (0..nodes)
            .map(|n| ((first + n) % nodes).to_string())
            .collect(),
        device_id: format!("{}-{}", spec.user, spec.nth),
        platform: [Platform::Web, Platform::Ios, Platform::Desktop][spec.nth],
        client: "sim".to_owned(),
        marks_delivered: spec.marks_delivered,
    }
}

impl Inner {
    fn now(&self) -> Timestamp {
        Timestamp(self.clock_ms + self.around.executor.now() / 1_000)
    }

    fn who(&self) -> Who {
        Who {
            app: self.spec.app,
            user: self.spec.user.clone(),
        }
    }

    fn place(&self, conversation: &str) -> Where {
        Where {
            app: self.spec.app,
            conversation: conversation.to_owned(),
        }
    }

    fn line_id(&self) -> Option<ConnectionId> {
        self.line.as_ref().map(|line| line.id)
    }

    fn wrong(&self, what: &str) {
        let spec = &self.spec;
        let what = format!(
            "device {} ({} of app {}): {what}",
            self.number, spec.user, spec.app
        );
        self.around
            .ledger
            .lock()
            .wrong(self.around.executor.now(), what);
    }

    fn count(&self, what: &'static str) {
        self.around.ledger.lock().tally.count(what);
    }

    fn trace(&self, what: impl FnOnce() -> String) {
        if self.around.trace {
            let at = self.around.executor.now() as f64 / 1e6;
            crate::print(&format!("{at:11.6} device {}: {}", self.number, what()));
        }
    }

    fn poll(&mut self, this: &Device, context: &mut Context<'_>) {
        self.waker = Some(context.waker().clone());
        loop {
            if let Some(order) = self.orders.pop_front() {
                self.take(this, order);
                continue;
            }
            if let Some(line) = &mut self.line
                && let Poll::Ready(received) = line.end.poll_receive(context)
            {
                self.received(this, received);
                continue;
            }
            let Some(deadline) = self.core.deadline() else {
                self.timer = None;
                return;
            };
            let executor = &self.around.executor;
            let at = deadline.0.saturating_sub(self.clock_ms) * 1_000;
            if self
                .timer
                .as_ref()
                .is_none_or(|timer| timer.until() != at.max(executor.now()))
            {
                self.timer = Some(executor.sleep(at.saturating_sub(executor.now())));
            }
            let timer = self.timer.as_mut().expect("just set");
            if Pin::new(timer).poll(context).is_pending() {
                return;
            }
            self.timer = None;
            self.handle(this, Input::Tick);
        }
    }

    fn received(&mut self, this: &Device, bytes: Option<bytes::Bytes>) {
        let line = self.line.as_mut().expect("it was received from");
        let id = line.id;
        let Some(bytes) = bytes else {
            self.line = None;
            self.trace(|| "the connection ended".to_owned());
            return self.handle(this, Input::Disconnected(id));
        };
        line.received.extend_from_slice(&bytes);
        while let Some(line) = self.line.as_mut().filter(|line| line.id == id) {
            match frame::decode(&mut line.received, FRAME_BYTES_MAX) {
                Ok(Some(payload)) => {
                    let payload = self.around.saboteur.response(payload);
                    self.handle(this, Input::Frame(id, payload));
                }
                Ok(None) => return,
                Err(error) => return self.wrong(&format!("the server sent {error:?}")),
            }
        }
    }

    fn handle(&mut self, this: &Device, input: Input) {
        let now = self.now();
        let random = &mut self.random;
        self.core.handle(input, now, &mut || random.next());
        while let Some(output) = self.core.poll_output() {
            match &mut self.local {
                Some(local) => {
                    if let Some(output) = local.take(output) {
                        self.output(this, output);
                    }
                }
                None => self.output(this, output),
            }
        }
        self.write(this);
        if self.local.is_none() && &self.saved != self.core.saved() {
            self.wrong("the saved state is not the sum of the events");
        }
    }

    /// Hands what is to be written to the database, if that is not busy.
    fn write(&mut self, this: &Device) {
        let Some(local) = &mut self.local else {
            return;
        };
        let Some(number) = local.begin() else {
            return;
        };
        let us = match self.random.chance(200) {
            true => self.random.below(SLOW_WRITE_US),
            false => self.random.below(WRITE_US),
        };
        this.after(&self.around.executor, us, Order::Written(number));
    }

    /// A batch is in the database: what waited for it is carried out.
    fn written(&mut self, this: &Device, number: u64) {
        let saboteur = self.around.saboteur.clone();
        let Some(local) = &mut self.local else {
            return;
        };
        for output in local.written(number, &saboteur) {
            self.output(this, output);
        }
        self.write(this);
        if let Some(local) = &self.local
            && local.is_idle()
            && &local.load().saved != self.core.saved()
            && !saboteur.forgets()
        {
            self.wrong("the saved state is not the sum of what was written");
        }
    }

    fn output(&mut self, this: &Device, output: Output) {
        match output {
            Output::GetToken => self.get_token(this),
            Output::Open(id, address) => self.open(this, id, &address),
            Output::Close(id) => {
                if self.line.as_ref().is_some_and(|line| line.id == id) {
                    self.line = None;
                }
            }
            Output::Send(id, payload) => {
                if let Some(line) = self.line.as_ref().filter(|line| line.id == id) {
                    let payload = self.around.saboteur.request(payload);
                    let mut bytes = BytesMut::new();
                    frame::encode(&payload, &mut bytes);
                    line.end.send(bytes.freeze());
                }
            }
            Output::Store(_) => self.wrong("there is no database"),
            Output::Confirm(_) if self.local.is_none() => self.wrong("there is no database"),
            Output::Confirm(key) => self.handle(this, Input::Confirmed(key)),
            Output::Event(event) => self.event(this, event),
            Output::Done(ticket, result) => self.done(this, ticket, result),
        }
    }

    fn get_token(&mut self, this: &Device) {
        self.count("tokens");
        let (this, around) = (this.clone(), self.around.clone());
        let app = around.app_ids[self.spec.app];
        let user = UserId::new(&self.spec.user).expect("a short name");
        let life = *self.random.pick(&[5, 60, 3_600]);
        self.around.executor.spawn(CLIENTS, async move {
            let call = around.cluster.call(move |engine| async move {
                let token = engine.mint_token(app, &user, life).await?;
                Ok(token.token)
            });
            this.order(Order::Token(call.await));
        });
    }

    fn open(&mut self, this: &Device, id: ConnectionId, address: &str) {
        self.count("connections");
        self.trace(|| format!("connects to node {address}"));
        let node: usize = address.parse().expect("addresses are numbers");
        let us = self.random.between(100, 50_000);
        let never = self.random.chance(20);
        let (this, around) = (this.clone(), self.around.clone());
        let executor = around.executor.clone();
        executor.clone().spawn(CLIENTS, async move {
            executor.sleep(us).await;
            let line = around.cluster.connect(node);
            if !never {
                this.order(Order::Opened(id, line));
            }
        });
    }

    fn take(&mut self, this: &Device, order: Order) {
        match order {
            Order::Ask(ask) => self.asked(this, ask),
            Order::Opened(id, Some((pipe, end))) => {
                let received = BytesMut::new();
                let line = Line {
                    id,
                    pipe,
                    end,
                    received,
                };
                self.line = Some(line);
                self.handle(this, Input::Connected(id));
            }
            Order::Opened(id, None) => self.handle(this, Input::Disconnected(id)),
            Order::Token(Ok(token)) => self.handle(this, Input::Token(token)),
            Order::Token(Err(reject)) => {
                let message = reject.to_string();
                let retry = true;
                self.handle(this, Input::NoToken { retry, message });
            }
            Order::Again(record) => {
                self.again -= 1;
                let read_up_to = {
                    let ledger = self.around.ledger.lock();
                    let read = ledger.sends[record].read;
                    read.map_or(0, |at| ledger.reads[at].seq)
                };
                self.send(this, record, read_up_to);
            }
            Order::Release => self.handle(this, Input::Release),
            Order::Written(number) => self.written(this, number),
        }
    }

    /// The process of the application ends, and another begins with what was saved.
    fn restart(&mut self, this: &Device) {
        self.count("restarts of devices");
        self.line = None;
        self.timer = None;
        let config = config(&self.spec, self.around.cluster.nodes, &mut self.random);
        let half_written = self.random.chance(500);
        match &mut self.local {
            Some(local) => {
                local.end(half_written);
                let loaded = local.load();
                self.book.restart(&loaded.saved.followed);
                self.book.forget_states();
                self.core = ClientCore::with_database(config, loaded);
            }
            None => {
                self.core = ClientCore::new(config, self.saved.clone());
                self.book.restart(&self.saved.followed);
            }
        }
        self.told = Told::default();
        self.arrived.clear();
        for asked in std::mem::take(&mut self.tickets).into_values() {
            let waits = match asked {
                Asked::Send(record) => Some(record),
                // What came into the database before the end goes on by itself.
                Asked::Queue(record) => {
                    let local = self.local.as_ref();
                    let send = self.around.ledger.lock().sends[record].clone();
                    let there = local.is_some_and(|local| local.holds(&send.client_message_id));
                    (!there).then_some(record)
                }
                _ => None,
            };
            if let Some(record) = waits {
                self.around.ledger.lock().sends[record].forgotten += 1;
                if self.random.chance(SEND_AGAIN) {
                    self.again += 1;
                    self.orders.push_back(Order::Again(record));
                }
            }
        }
        if self.wanted {
            self.handle(this, Input::Connect);
        }
    }

    fn event(&mut self, this: &Device, event: Event) {
        self.trace(|| format!("{event:?}"));
        self.saved.apply(&event);
        self.rows.event(&event);
        if let Err(wrong) = self.book.take(&event) {
            self.wrong(&wrong);
        }
        match event {
            Event::Message(message) => {
                self.count("messages delivered");
                if self.spec.marks_delivered && message.sender != self.spec.user {
                    let arrived = self.arrived.entry(message.conversation.clone());
                    let arrived = arrived.or_default();
                    *arrived = message.seq.max(*arrived);
                }
                let place = self.place(&message.conversation);
                let shown = shown(&message);
                let mut ledger = self.around.ledger.lock();
                let seen = (self.spec.user.clone(), shown.seq);
                ledger.seen.entry(place.clone()).or_default().insert(seen);
                ledger.shown.entry(place).or_default().push(shown);
            }
            Event::Receipts {
                conversation,
                receipts,
                ..
            } => {
                self.count("receipts pushed");
                self.receipts(&conversation, receipts);
            }
            Event::Queue(update) => self.queue(this, update),
            Event::Lost { .. } => self.count("losses told"),
            Event::State(ConnectionState::Stopped(error)) if self.wanted => {
                // The person sees it and connects again.
                self.count("stops of devices");
                if error.code == 4000 {
                    self.count("replaced");
                }
                let again = Order::Ask(Ask::Connect);
                let us = self.random.between(500_000, 3_000_000);
                this.after(&self.around.executor, us, again);
            }
            _ => {}
        }
    }

    /// A queued send came to its end.
    fn queue(&mut self, this: &Device, update: QueueUpdate) {
        self.count("queued sends ended");
        let (id, result) = match update {
            QueueUpdate::Sent(sent) => (sent.client_message_id.clone(), Ok(sent)),
            QueueUpdate::Failed {
                client_message_id,
                error,
                ..
            } => (client_message_id, Err(error)),
        };
        match (self.queued.get(&id).copied(), result) {
            (None, _) => self.wrong(&format!("nobody queued {id}")),
            (Some(record), Ok(sent)) => self.sent(record, sent),
            (Some(record), Err(error)) => self.send_failed(this, record, &error),
        }
    }
}
