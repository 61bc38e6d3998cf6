//! A conversation on a screen: [`TimelineModel`] with a client behind it.
//!
//! What this device has is shown at once, the server is asked for what it has not. The task of a
//! timeline never waits for either: pages, sends and receipts come back to it as steps. It ends
//! when the [`Timeline`] is dropped.

use std::sync::Arc;

use anser_domain::code::Code;
use tokio::sync::{broadcast, mpsc};

use super::client::Client;
use super::views::{Update, Updates};
use crate::core::{ConnectionState, Event, Outgoing, Reply, Request};
use crate::database::{MessageQuery, Next, Place, Queued, Stored};
use crate::error::Error;
use crate::model::{Message, MessagePage, Receipt};
use crate::view::{TimelineItem, TimelineModel, TimelinePage};

/// Messages of a page.
const PAGE: u32 = 50;
/// What this device has at the end of a conversation is shown as it is if it is so much.
const ENOUGH: usize = 20;
/// Pages of receipts: those of the largest group.
const RECEIPT_PAGES_MAX: usize = 6;
const RECEIPTS_PAGE: u32 = 500;
/// Orders, and what comes back, that wait for the task of a timeline.
const QUEUE_MAX: usize = 64;

/// How it stands with a timeline.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct TimelineStatus {
    /// Is there more above?
    pub has_older: bool,
    /// Is there more below? Then what arrives is not shown until pages have brought it.
    pub has_newer: bool,
    /// Is a page on its way?
    pub loading: bool,
    /// Why the last page did not come. It is asked for again by itself after the next sync.
    pub error: Option<Error>,
}

/// How a timeline changed.
pub type TimelineUpdate = Update<TimelineItem, TimelineStatus>;

/// A conversation on a screen. Dropping it closes the conversation.
#[derive(Debug)]
pub struct Timeline {
    orders: mpsc::Sender<Order>,
    updates: mpsc::Receiver<TimelineUpdate>,
}

#[derive(Debug)]
enum Order {
    Older,
    Newer,
    Send(Outgoing),
    Retry(String),
    Discard(String),
}

/// What comes back to the task.
enum Step {
    Page(u64, Load, Result<TimelinePage, Error>),
    Refused(String, Error),
    /// The server has it, and no place for it.
    Taken(String),
    Receipts(Vec<Receipt>, u64),
}

#[derive(Copy, Clone, Eq, PartialEq, Debug)]
enum Load {
    Newest,
    At(u64),
    Older,
    Newer,
}

impl Client {
    /// Opens a conversation at its newest messages.
    pub async fn timeline(&self, conversation: impl Into<String>) -> Timeline {
        self.open_timeline(conversation.into(), Load::Newest).await
    }

    /// Opens a conversation in the middle of its history, at this sequence.
    pub async fn timeline_at(&self, conversation: impl Into<String>, seq: u64) -> Timeline {
        self.open_timeline(conversation.into(), Load::At(seq)).await
    }

    async fn open_timeline(&self, conversation: String, load: Load) -> Timeline {
        let events = self.watch();
        self.open_conversation(conversation.clone(), None).await;
        let (orders, ordered) = mpsc::channel(QUEUE_MAX);
        let (back, steps) = mpsc::channel(QUEUE_MAX);
        let (updates, receiver) = Updates::new();
        let me = match &*self.state().borrow() {
            ConnectionState::Online { user_id, .. } => user_id.clone(),
            _ => String::new(),
        };
        let running = Running {
            client: self.clone(),
            model: TimelineModel::new(conversation.clone(), me),
            conversation,
            updates,
            back,
            round: 0,
            loading: None,
            failed: None,
            receipts_version: 0,
        };
        tokio::spawn(running.run(load, ordered, events, steps));
        Timeline {
            orders,
            updates: receiver,
        }
    }
}

impl Timeline {
    /// How it changed; the first update tells the whole. `None` when the client has ended.
    pub async fn next(&mut self) -> Option<TimelineUpdate> {
        self.updates.recv().await
    }

    /// Loads the page above, unless a page is on its way.
    pub async fn load_older(&self) {
        self.order(Order::Older).await;
    }

    /// Loads the page below, unless a page is on its way.
    pub async fn load_newer(&self) {
        self.order(Order::Newer).await;
    }

    /// Sends; the message is shown as being sent until the server has it. With a database it
    /// waits there as long as it takes. Gives its client message id.
    pub async fn send(&self, mut message: Outgoing) -> String {
        let id = message.client_message_id.take();
        let id = id.unwrap_or_else(Client::new_message_id);
        message.client_message_id = Some(id.clone());
        self.order(Order::Send(message)).await;
        id
    }

    /// Sends a failed message again, under the same id.
    pub async fn retry(&self, client_message_id: impl Into<String>) {
        self.order(Order::Retry(client_message_id.into())).await;
    }

    /// Forgets a failed message.
    pub async fn discard(&self, client_message_id: impl Into<String>) {
        self.order(Order::Discard(client_message_id.into())).await;
    }

    async fn order(&self, order: Order) {
        // The task ends before its timeline only if the client has.
        let _ = self.orders.send(order).await;
    }
}

struct Running {
    client: Client,
    conversation: String,
    model: TimelineModel,
    updates: Updates<TimelineItem, TimelineStatus>,
    back: mpsc::Sender<Step>,
    /// Counts beginnings: a page of an earlier one is of no use.
    round: u64,
    loading: Option<Load>,
    /// The page that did not come, and why.
    failed: Option<(Load, Error)>,
    receipts_version: u64,
}

impl Running {
    async fn run(
        mut self,
        load: Load,
        mut ordered: mpsc::Receiver<Order>,
        mut events: broadcast::Receiver<Arc<Event>>,
        mut steps: mpsc::Receiver<Step>,
    ) {
        for queued in self.waiting().await {
            self.model.waits(queued);
        }
        self.load(load, false);
        self.ask_receipts();
        self.show();
        loop {
            tokio::select! {
                order = ordered.recv() => match order {
                    Some(order) => self.order(order).await,
                    None => break,
                },
                event = events.recv() => match event {
                    Ok(event) => self.event(&event),
                    // Too many at once.
                    Err(broadcast::error::RecvError::Lagged(_)) => self.begin_anew(),
                    Err(broadcast::error::RecvError::Closed) => break,
                },
                Some(step) = steps.recv() => self.step(step),
                () = self.updates.catch_up() => {}
            }
            self.show();
        }
        self.client.close_conversation(self.conversation).await;
    }

    /// Sends of an earlier time that wait in the database.
    async fn waiting(&self) -> Vec<Queued> {
        match self.client.database() {
            // A database that fails says so where it is written.
            Some(database) => {
                (database.queued(self.conversation.clone()).await).unwrap_or_default()
            }
            None => Vec::new(),
        }
    }

    fn show(&mut self) {
        let status = TimelineStatus {
            has_older: self.model.older().is_some(),
            has_newer: self.model.newer().is_some(),
            loading: self.loading.is_some(),
            error: self.failed.as_ref().map(|(_, error)| error.clone()),
        };
        let items = self.model.items();
        self.updates.show(items, status, |item| item.id.clone());
    }

    fn begin_anew(&mut self) {
        self.round += 1;
        self.load(Load::Newest, true);
    }

    /// So much happened while a page was on its way that it can't be brought up to date.
    fn load_again(&mut self, load: Load) {
        match load {
            Load::At(_) => {
                self.round += 1;
                self.load(load, true);
            }
            Load::Newest | Load::Older | Load::Newer => self.begin_anew(),
        }
    }

    /// Puts a page on its way. `from_server`: what this device has is not to be trusted.
    fn load(&mut self, load: Load, from_server: bool) {
        let from = match load {
            Load::Newest => None,
            Load::At(seq) => Some(Place::of(seq.saturating_add(1))),
            Load::Older => self.model.older(),
            Load::Newer => self.model.newer(),
        };
        if matches!(load, Load::Older | Load::Newer) && from.is_none() {
            return;
        }
        self.loading = Some(load);
        self.failed = None;
        self.model.page_asked();
        let (client, conversation) = (self.client.clone(), self.conversation.clone());
        let (back, round) = (self.back.clone(), self.round);
        tokio::spawn(async move {
            let ascending = load == Load::Newer;
            let page = page(&client, conversation, from, ascending, from_server).await;
            // The timeline may have ended.
            let _ = back.send(Step::Page(round, load, page)).await;
        });
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Page(round, ..) if round != self.round => {}
            Step::Page(_, load, Ok(page)) => {
                self.loading = None;
                match load {
                    Load::Newest => self.model.show(page),
                    Load::At(seq) => self.model.show_at(page, seq),
                    Load::Older => self.model.put_older(page),
                    Load::Newer => self.model.put_newer(page),
                }
                if self.model.page_came() {
                    self.load_again(load);
                }
            }
            Step::Page(_, load, Err(error)) => {
                self.loading = None;
                // What is shown has it already.
                self.model.page_came();
                self.failed = Some((load, error));
            }
            Step::Refused(id, error) => self.model.failed(&id, error),
            Step::Taken(id) => self.model.taken(&id),
            Step::Receipts(receipts, version) => {
                self.receipts_version = version;
                self.model.receipts(&receipts);
            }
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::State(ConnectionState::Online { user_id, .. }) => {
                self.model.signed_in(user_id);
            }
            Event::Synced { .. } => {
                if let Some((load, _)) = self.failed {
                    self.load(load, false);
                }
                self.ask_receipts();
            }
            _ => {}
        }
        let outdated = match event {
            // What this device has was read when nobody told of its changes.
            Event::Followed {
                conversation,
                continued: false,
                ..
            } => {
                *conversation == self.conversation
                    && self.client.database().is_some()
                    && self.model.newer().is_none()
            }
            _ => false,
        };
        if self.model.event(event) || outdated {
            self.begin_anew();
        }
    }

    /// Asks where the others stand, of those who moved since last time.
    fn ask_receipts(&self) {
        let online = matches!(
            &*self.client.state().borrow(),
            ConnectionState::Online { .. }
        );
        if !online {
            return;
        }
        let (client, conversation) = (self.client.clone(), self.conversation.clone());
        let (back, mut version) = (self.back.clone(), self.receipts_version);
        tokio::spawn(async move {
            for _ in 0..RECEIPT_PAGES_MAX {
                let page = client.receipts(&conversation, version, RECEIPTS_PAGE).await;
                // They are asked for again after the next sync.
                let Ok(page) = page else { return };
                version = page.version;
                if back
                    .send(Step::Receipts(page.receipts, version))
                    .await
                    .is_err()
                    || !page.more
                {
                    return;
                }
            }
        });
    }

    async fn order(&mut self, order: Order) {
        match order {
            Order::Older if self.loading.is_none() => self.load(Load::Older, false),
            Order::Newer if self.loading.is_none() => self.load(Load::Newer, false),
            Order::Older | Order::Newer => {}
            Order::Send(mut outgoing) => {
                outgoing.conversation.clone_from(&self.conversation);
                self.send(outgoing).await;
            }
            Order::Retry(id) => {
                if let Some(outgoing) = self.model.failed_message(&id) {
                    self.send(outgoing).await;
                }
            }
            Order::Discard(id) => {
                if self.model.failed_message(&id).is_some() {
                    self.model.discarded(&id);
                    if self.client.database().is_some() {
                        let (client, conversation) =
                            (self.client.clone(), self.conversation.clone());
                        tokio::spawn(async move { client.discard(conversation, id).await });
                    }
                }
            }
        }
    }

    /// Hands a message over, in the order of the orders; what becomes of it comes back.
    async fn send(&mut self, outgoing: Outgoing) {
        let id = outgoing.client_message_id.clone().unwrap_or_default();
        let request = match self.client.database() {
            Some(_) if !outgoing.transient => Request::Queue(outgoing.clone()),
            _ => Request::Send(outgoing.clone()),
        };
        if !outgoing.transient {
            self.model.sending(outgoing);
        }
        let answer = self.client.submit(request).await;
        let back = self.back.clone();
        tokio::spawn(async move {
            let answer: Result<Reply, Error> =
                answer.await.unwrap_or_else(|_| Err(Error::disconnected()));
            let step = match answer {
                Err(error) => Step::Refused(id, error),
                Ok(Reply::Sent(sent)) if sent.seq == 0 => Step::Taken(id),
                Ok(_) => return,
            };
            // The timeline may have ended.
            let _ = back.send(step).await;
        });
    }
}

/// A page of a conversation: what this device has, or else what the server has.
async fn page(
    client: &Client,
    conversation: String,
    from: Option<Place>,
    ascending: bool,
    from_server: bool,
) -> Result<TimelinePage, Error> {
    let local = match client.database().filter(|_| !from_server) {
        Some(database) => {
            let query = MessageQuery {
                conversation: conversation.clone(),
                from,
                ascending,
                limit: PAGE,
                ..MessageQuery::default()
            };
            Some(database.messages(query).await?)
        }
        None => None,
    };
    let mut ask = from;
    let mut kept = TimelinePage::default();
    if let Some(local) = local {
        let last = local.messages.last().map(|stored| stored.place);
        let is_here = !local.messages.is_empty();
        let enough = from.is_some() || local.messages.len() >= ENOUGH;
        // A conversation of which nothing is here may have anything.
        let is_all = local.next == Next::End && (is_here || from.is_some());
        kept.next = match local.next {
            Next::Here => last,
            Next::Server(seq) => Some(Place::of(seq)),
            Next::End => None,
        };
        kept.messages = local.messages;
        if is_here && enough || is_all {
            return Ok(kept);
        }
        if from.is_some() {
            ask = kept.next;
        }
    }
    match server_page(client, conversation, ask, ascending).await {
        // Without a connection, what is here is better than nothing.
        Err(_) if !kept.messages.is_empty() => Ok(kept),
        page => page,
    }
}

async fn server_page(
    client: &Client,
    conversation: String,
    from: Option<Place>,
    ascending: bool,
) -> Result<TimelinePage, Error> {
    let is_private = conversation.starts_with("p/");
    let page = match (ascending, from) {
        (true, from) => {
            let after = from.map_or(0, |place| place.seq);
            client.history_after(conversation, after, PAGE).await
        }
        (false, None) => client.history_before(conversation, 0, PAGE).await,
        // What stands behind a message comes after it.
        (false, Some(place)) => match place.seq + u64::from(place.local > 0) {
            0 | 1 => return Ok(TimelinePage::default()),
            before => client.history_before(conversation, before, PAGE).await,
        },
    };
    match page {
        Ok(page) => Ok(of_server(page)),
        // A private chat comes into being with its first message.
        Err(error)
            if is_private
                && [Code::NotFound, Code::NotAMember]
                    .map(Code::number)
                    .contains(&error.code) =>
        {
            Ok(TimelinePage::default())
        }
        Err(error) => Err(error),
    }
}

fn of_server(page: MessagePage) -> TimelinePage {
    let last = page.messages.last().map_or(0, |message| message.seq);
    let next = if page.next_seq > 0 {
        page.next_seq
    } else {
        last
    };
    let stored = |message: Message| Stored {
        place: Place::of(message.seq),
        message,
    };
    TimelinePage {
        next: (page.more && next > 0).then_some(Place::of(next)),
        messages: page.messages.into_iter().map(stored).collect(),
    }
}
