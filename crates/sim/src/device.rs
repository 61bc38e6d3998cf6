//! A client device: the SDK's core, driven over a [`Pipe`](crate::pipe::Pipe), and the person and
//! the application behind it.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use anser_domain::{AppId, Platform, Reject, Timestamp, UserId};
use anser_proto::frame;
use anser_sdk::core::{
    ClientCore, Config, ConnectionId, ConnectionState, Event, Input, Outgoing, Output, Reply,
    Request, Ticket,
};
use anser_sdk::model::{Content, ConversationPage};
use anser_sdk::{Error, SavedState};
use bytes::BytesMut;
use parking_lot::Mutex;

use crate::alter::{AlterRecord, How};
use crate::book::{Book, shown};
use crate::cluster::{Cluster, NODES};
use crate::executor::{Executor, Group, Sleep};
use crate::ledger::{Ack, GroupRecord, ReadRecord, SendRecord, Shared, Where, Who};
use crate::pipe::{Cut, End, Pipe};
use crate::random::Random;
use crate::sabotage::Saboteur;
use crate::workload::{Ask, DeviceSpec};
use crate::world::START_MS;

/// The tasks of all devices.
pub(crate) const CLIENTS: Group = Group(2);

/// Most bytes of a frame from the server.
const FRAME_BYTES_MAX: usize = 16 << 20;
/// A failed send is tried again by the person in so many of a thousand cases.
const SEND_AGAIN: u32 = 700;

/// What all devices share.
pub(crate) struct Surroundings {
    pub(crate) executor: Executor,
    pub(crate) cluster: Cluster,
    pub(crate) ledger: Shared,
    pub(crate) saboteur: Saboteur,
    pub(crate) app_ids: Vec<AppId>,
    pub(crate) trace: bool,
}

enum Order {
    Ask(Ask),
    Opened(ConnectionId, Option<(Pipe, End)>),
    Token(Result<String, Reject>),
    /// Try the send with this record again.
    Again(usize),
    Release,
}

/// What a ticket stands for: where in the ledger the answer goes.
enum Asked {
    Send(usize),
    Read(usize),
    Group(usize),
    Alter(usize),
    History {
        conversation: String,
        descending: bool,
    },
    List {
        limit: u32,
        rows: Vec<anser_sdk::model::Conversation>,
    },
    Logout,
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
    list: Option<Vec<anser_sdk::model::Conversation>>,
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
}

impl Device {
    pub(crate) fn new(
        around: Arc<Surroundings>,
        number: usize,
        spec: DeviceSpec,
        mut random: Random,
    ) -> Self {
        let saved = SavedState::default();
        let core = ClientCore::new(config(&spec, &mut random), saved.clone());
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
        Standing {
            online: matches!(inner.core.state(), ConnectionState::Online { .. }),
            waits: inner.tickets.len() + inner.orders.len() + inner.again,
            book: inner.book.clone(),
            state: format!("{:?}", inner.core.state()),
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.0.lock().wanted
    }

    /// The conversation list has to be read again.
    pub(crate) fn forget_list(&self) {
        self.0.lock().list = None;
    }

    /// The conversation list as it was read last.
    pub(crate) fn list(&self) -> Option<Vec<anser_sdk::model::Conversation>> {
        self.0.lock().list.clone()
    }

    fn after(&self, executor: &Executor, us: u64, order: Order) {
        let (this, sleep) = (self.clone(), executor.sleep(us));
        executor.spawn(CLIENTS, async move {
            sleep.await;
            this.order(order);
        });
    }
}

fn config(spec: &DeviceSpec, random: &mut Random) -> Config {
    let first = random.index(NODES);
    Config {
        addresses: (0..NODES)
            .map(|n| ((first + n) % NODES).to_string())
            .collect(),
        device_id: format!("{}-{}", spec.user, spec.nth),
        platform: [Platform::Web, Platform::Ios, Platform::Desktop][spec.nth],
        client: "sim".to_owned(),
        marks_delivered: false,
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
            self.output(this, output);
        }
        if &self.saved != self.core.saved() {
            self.wrong("the saved state is not the sum of the events");
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
            Output::Store(_) | Output::Confirm(_) => self.wrong("there is no database"),
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
        }
    }

    fn asked(&mut self, this: &Device, ask: Ask) {
        self.trace(|| format!("{ask:?}"));
        match ask {
            Ask::Send {
                conversation,
                count,
                read,
            } => {
                for _ in 0..count {
                    let read_up_to = if read {
                        self.book.head(&conversation)
                    } else {
                        0
                    };
                    let record = self.new_send(&conversation, read_up_to);
                    self.send(this, record, read_up_to);
                }
            }
            Ask::Read {
                conversation,
                behind,
            } => {
                let seq = self.book.head(&conversation).saturating_add_signed(-behind);
                let at = self.note_read(&conversation, seq);
                self.request(
                    this,
                    Asked::Read(at),
                    Request::MarkRead { conversation, seq },
                );
            }
            Ask::Alter {
                conversation,
                behind,
                how,
            } => self.alter(this, conversation, behind, how),
            Ask::History {
                conversation,
                behind,
                descending,
                limit,
            } => {
                let from_seq = self.book.head(&conversation).saturating_sub(behind);
                let asked = Asked::History {
                    conversation: conversation.clone(),
                    descending,
                };
                let request = Request::History {
                    conversation,
                    from_seq,
                    descending,
                    limit,
                };
                self.request(this, asked, request);
            }
            Ask::List { limit } => self.list_page(this, limit, Vec::new(), String::new()),
            Ask::Open(conversation) => {
                let have = None;
                self.handle(this, Input::OpenConversation { conversation, have });
            }
            Ask::Close(conversation) => {
                self.handle(this, Input::CloseConversation { conversation });
            }
            Ask::Group { group, change } => self.change_group(this, group, &change),
            Ask::Hold(ms) => {
                self.handle(this, Input::Hold);
                this.after(&self.around.executor, ms * 1_000, Order::Release);
            }
            Ask::Connect => {
                self.wanted = true;
                self.handle(this, Input::Connect);
            }
            Ask::Disconnect => {
                self.wanted = false;
                self.handle(this, Input::Disconnect);
            }
            Ask::Restart => self.restart(this),
            Ask::Logout => self.request(this, Asked::Logout, Request::Logout),
        }
    }

    fn request(&mut self, this: &Device, asked: Asked, request: Request) {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        self.tickets.insert(ticket, asked);
        self.handle(this, Input::Request(Ticket(ticket), request));
    }

    fn new_send(&mut self, conversation: &str, read_up_to: u64) -> usize {
        self.next_body += 1;
        let body = format!(
            "app {} {} device {} message {}",
            self.spec.app, self.spec.user, self.number, self.next_body
        );
        let read = (read_up_to > 0).then(|| self.note_read(conversation, read_up_to));
        let asked = self.around.executor.now();
        let mut ledger = self.around.ledger.lock();
        ledger.tally.count("sends");
        ledger.sends.push(SendRecord {
            who: self.who(),
            conversation: conversation.to_owned(),
            client_message_id: format!("{}.{}", self.number, self.next_body),
            body,
            asked,
            acks: Vec::new(),
            refusals: Vec::new(),
            forgotten: 0,
            device: Some(self.number),
            read,
        });
        ledger.sends.len() - 1
    }

    fn send(&mut self, this: &Device, record: usize, read_up_to: u64) {
        let outgoing = {
            let ledger = self.around.ledger.lock();
            let send = &ledger.sends[record];
            let content = Content::text(send.body.clone());
            Outgoing {
                client_message_id: Some(send.client_message_id.clone()),
                read_up_to,
                ..Outgoing::new(send.conversation.clone(), content)
            }
        };
        self.request(this, Asked::Send(record), Request::Send(outgoing));
    }

    fn alter(&mut self, this: &Device, conversation: String, behind: u64, how: How) {
        // Where the device knows of nothing there is nothing to change: somewhere else.
        let mut known = self.book.chats.iter().filter(|(_, chat)| chat.head > 0);
        let conversation = match self.book.head(&conversation) {
            0 => known.next_back().map(|(name, _)| name.clone()),
            _ => Some(conversation),
        };
        let Some(conversation) = conversation else {
            return;
        };
        let seq = self.book.head(&conversation).saturating_sub(behind).max(1);
        self.next_body += 1;
        let record = AlterRecord {
            who: self.who(),
            conversation,
            seq,
            how,
            words: format!("device {} change {}", self.number, self.next_body),
            outcome: None,
        };
        let request = record.request();
        let at = {
            let mut ledger = self.around.ledger.lock();
            ledger.tally.count("changes of messages");
            ledger.alters.push(record);
            ledger.alters.len() - 1
        };
        self.request(this, Asked::Alter(at), request);
    }

    fn note_read(&self, conversation: &str, seq: u64) -> usize {
        let asked = self.around.executor.now();
        let mut ledger = self.around.ledger.lock();
        ledger.reads.push(ReadRecord {
            who: self.who(),
            conversation: conversation.to_owned(),
            seq,
            asked,
            acked: None,
            acked_at_least: None,
        });
        ledger.reads.len() - 1
    }

    fn change_group(&mut self, this: &Device, group: String, change: &crate::workload::Change) {
        use crate::workload::Change;
        let record = GroupRecord {
            place: self.place(&format!("g/{group}")),
            by: Some(self.spec.user.clone()),
            kind: change.kind(),
            users: change.users().to_vec(),
            outcome: None,
        };
        let at = {
            let mut ledger = self.around.ledger.lock();
            ledger.groups.push(record);
            ledger.groups.len() - 1
        };
        let (group_id, members) = (group, change.users().to_vec());
        let request = match change {
            Change::Create(_) => Request::CreateGroup {
                name: format!("{group_id} of app {}", self.spec.app),
                group_id,
                members,
            },
            Change::Add(_) => Request::AddGroupMembers { group_id, members },
            Change::Remove(_) => Request::RemoveGroupMembers { group_id, members },
            Change::Quit => Request::QuitGroup { group_id },
            Change::Dismiss => Request::DismissGroup { group_id },
        };
        self.request(this, Asked::Group(at), request);
    }

    fn list_page(
        &mut self,
        this: &Device,
        limit: u32,
        rows: Vec<anser_sdk::model::Conversation>,
        cursor: String,
    ) {
        let request = Request::ListConversations { cursor, limit };
        self.request(this, Asked::List { limit, rows }, request);
    }

    /// The process of the application ends, and another begins with what was saved.
    fn restart(&mut self, this: &Device) {
        self.count("restarts of devices");
        self.line = None;
        self.timer = None;
        let saved = self.saved.clone();
        self.core = ClientCore::new(config(&self.spec, &mut self.random), saved);
        self.book.restart(&self.saved.followed);
        for asked in std::mem::take(&mut self.tickets).into_values() {
            if let Asked::Send(record) = asked {
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
        if let Err(wrong) = self.book.take(&event) {
            self.wrong(&wrong);
        }
        match event {
            Event::Message(message) => {
                self.count("messages delivered");
                let place = self.place(&message.conversation);
                let shown = shown(&message);
                self.around
                    .ledger
                    .lock()
                    .shown
                    .entry(place)
                    .or_default()
                    .push(shown);
            }
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

    fn done(&mut self, this: &Device, ticket: Ticket, result: Result<Reply, Error>) {
        self.trace(|| format!("{ticket:?} {result:?}"));
        let Some(asked) = self.tickets.remove(&ticket.0) else {
            return self.wrong(&format!("{ticket:?} is answered twice, or was never asked"));
        };
        let now = self.around.executor.now();
        match (asked, result) {
            (Asked::Send(at), Ok(Reply::Sent(sent))) => {
                let mut ledger = self.around.ledger.lock();
                ledger.tally.count("sends acknowledged");
                let ack = Ack {
                    seq: sent.seq,
                    message_id: sent.message_id,
                    time: sent.time.0,
                };
                ledger.sends[at].acks.push((now, ack));
                if let Some(read) = ledger.sends[at].read {
                    let read = &mut ledger.reads[read];
                    // It stands there or beyond: which of both, the ack does not say.
                    read.acked_at_least = Some(read.seq);
                }
            }
            (Asked::Send(at), Err(error)) => self.send_failed(this, at, &error),
            (Asked::Read(at), Ok(Reply::Read(position))) => {
                let mut ledger = self.around.ledger.lock();
                ledger.tally.count("reads acknowledged");
                ledger.reads[at].acked = Some((position.read_seq, now));
            }
            (Asked::Group(at), result) => {
                let mut ledger = self.around.ledger.lock();
                ledger.tally.count("group changes answered");
                ledger.groups[at].outcome = Some(result.map(|_| ()).map_err(|error| error.code));
            }
            (Asked::Alter(at), result) => {
                let mut ledger = self.around.ledger.lock();
                if result.is_ok() {
                    ledger.tally.count("changes of messages acknowledged");
                }
                // Only a refusal is sure not to have happened, and only if it was the first try.
                ledger.alters[at].outcome = match result {
                    Ok(_) => Some(Ok(())),
                    Err(error) if error.code >= 2_000 => Some(Err(error.code)),
                    Err(_) => None,
                };
            }
            (
                Asked::History {
                    conversation,
                    descending,
                },
                Ok(Reply::Messages(page)),
            ) => self.page(&conversation, descending, &page),
            (Asked::List { limit, rows }, Ok(Reply::Conversations(page))) => {
                self.listed(this, limit, rows, page);
            }
            (Asked::Logout, Ok(_)) => {
                if self.wanted {
                    this.after(&self.around.executor, 1_000_000, Order::Ask(Ask::Connect));
                }
            }
            (_, Err(_)) => self.count("requests failed"),
            (_, Ok(reply)) => self.wrong(&format!("an answer of the wrong kind: {reply:?}")),
        }
    }

    fn send_failed(&mut self, this: &Device, record: usize, error: &Error) {
        let action = error.action();
        self.count(match error.code {
            300 => "sends not reachable",
            510 | 520 => "sends not taken",
            1005 => "sends timed out",
            1000..=1999 => "sends refused for now",
            _ => "sends refused",
        });
        self.around.ledger.lock().sends[record]
            .refusals
            .push(error.code);
        let may_be_in = error.code == 300 || action == anser_domain::code::Action::Retry;
        if may_be_in && self.random.chance(SEND_AGAIN) {
            let us = self.random.between(100_000, 5_000_000);
            self.again += 1;
            this.after(&self.around.executor, us, Order::Again(record));
        }
    }

    fn page(&self, conversation: &str, descending: bool, page: &anser_sdk::model::MessagePage) {
        self.count("pages of history");
        let in_order = page.messages.windows(2).all(|pair| match descending {
            true => pair[0].seq > pair[1].seq,
            false => pair[0].seq < pair[1].seq,
        });
        let within = page
            .messages
            .iter()
            .all(|message| (page.first_seq..=page.head_seq).contains(&message.seq));
        if !in_order || !within {
            let seqs: Vec<u64> = page.messages.iter().map(|message| message.seq).collect();
            self.wrong(&format!("a page of {conversation} has {seqs:?}"));
        }
        let place = self.place(conversation);
        let seqs = page.messages.iter().map(|message| message.seq);
        let seqs: std::collections::BTreeSet<u64> = seqs.collect();
        if let (Some(first), Some(last)) = (seqs.first(), seqs.last()) {
            let left_out = (*first..*last).filter(|seq| !seqs.contains(seq));
            let left_out = left_out.map(|seq| (self.who(), place.clone(), seq));
            self.around.ledger.lock().left_out.extend(left_out);
        }
        let messages = page.messages.iter().map(shown);
        self.around
            .ledger
            .lock()
            .shown
            .entry(place)
            .or_default()
            .extend(messages);
    }

    fn listed(
        &mut self,
        this: &Device,
        limit: u32,
        mut rows: Vec<anser_sdk::model::Conversation>,
        page: ConversationPage,
    ) {
        if page.conversations.len() > limit as usize {
            self.wrong("a page of the list is longer than asked for");
        }
        rows.extend(page.conversations);
        if page.cursor.is_empty() {
            self.count("lists read");
            self.list = Some(rows);
        } else {
            self.list_page(this, limit, rows, page.cursor);
        }
    }
}
