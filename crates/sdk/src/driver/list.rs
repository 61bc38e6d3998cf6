//! The conversation list on a screen.
//!
//! With a database it is what the database has, read again after what changes it; without one a
//! [`ListModel`] keeps it. Either way the server is asked for what lies further down when somebody
//! scrolls there.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};

use super::client::Client;
use super::views::{Update, Updates};
use crate::core::{ConnectionState, Event};
use crate::error::Error;
use crate::model::{Conversation, ConversationPage};
use crate::view::ListModel;

/// Rows that are shown at first, and that come at a time.
const PAGE: u32 = 100;
/// Orders, and pages, that wait for the task of a list.
const QUEUE_MAX: usize = 16;
/// Events that are taken in before the list is shown again.
const EVENTS_AT_A_TIME: usize = 256;

/// How it stands with the list.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct ListStatus {
    /// Is there more below?
    pub has_more: bool,
    /// Unread messages of the rows that are shown.
    pub unread: u64,
    /// Why the last page did not come.
    pub error: Option<Error>,
}

/// How the list changed.
pub type ListUpdate = Update<Conversation, ListStatus>;

/// The conversation list on a screen.
#[derive(Debug)]
pub struct ConversationListStream {
    orders: mpsc::Sender<()>,
    updates: mpsc::Receiver<ListUpdate>,
}

impl Client {
    /// The conversation list: pinned ones first, then by last activity, hidden ones left out.
    #[must_use]
    pub fn conversation_list(&self) -> ConversationListStream {
        let events = self.watch();
        let (orders, ordered) = mpsc::channel(QUEUE_MAX);
        let (back, pages) = mpsc::channel(QUEUE_MAX);
        let (updates, receiver) = Updates::new();
        let me = match &*self.state().borrow() {
            ConnectionState::Online { user_id, .. } => user_id.clone(),
            _ => String::new(),
        };
        let running = Running {
            client: self.clone(),
            model: ListModel::new(me),
            updates,
            back,
            limit: PAGE as usize,
            cursor: Some(String::new()),
            loading: false,
            anew: false,
            error: None,
        };
        tokio::spawn(running.run(ordered, events, pages));
        ConversationListStream {
            orders,
            updates: receiver,
        }
    }
}

impl ConversationListStream {
    /// How it changed; the first update tells the whole. `None` when the client has ended.
    pub async fn next(&mut self) -> Option<ListUpdate> {
        self.updates.recv().await
    }

    /// Shows more of the list.
    pub async fn more(&self) {
        // The task ends before its list only if the client has.
        let _ = self.orders.send(()).await;
    }
}

struct Running {
    client: Client,
    model: ListModel,
    updates: Updates<Conversation, ListStatus>,
    back: mpsc::Sender<Result<ConversationPage, Error>>,
    limit: usize,
    /// Of the server's list; `None`: all of it was read.
    cursor: Option<String>,
    loading: bool,
    /// The page on its way was asked for before something was missed.
    anew: bool,
    error: Option<Error>,
}

impl Running {
    async fn run(
        mut self,
        mut ordered: mpsc::Receiver<()>,
        mut events: broadcast::Receiver<Arc<Event>>,
        mut pages: mpsc::Receiver<Result<ConversationPage, Error>>,
    ) {
        if self.client.database().is_none() {
            self.load();
        }
        self.show().await;
        loop {
            let changed = tokio::select! {
                order = ordered.recv() => match order {
                    Some(()) => {
                        self.limit += PAGE as usize;
                        true
                    }
                    None => return,
                },
                event = events.recv() => match event {
                    Ok(event) => self.take(&event) | self.take_more(&mut events),
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        self.begin_anew();
                        true
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                Some(page) = pages.recv() => {
                    self.page(page);
                    true
                }
                () = self.updates.catch_up() => false,
            };
            if changed {
                self.show().await;
            }
        }
    }

    /// What else has happened, so that a burst is shown once.
    fn take_more(&mut self, events: &mut broadcast::Receiver<Arc<Event>>) -> bool {
        let mut changed = false;
        for _ in 0..EVENTS_AT_A_TIME {
            let Ok(event) = events.try_recv() else { break };
            changed |= self.take(&event);
        }
        changed
    }

    /// True: the list may be another.
    fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::State(ConnectionState::Online { user_id, .. }) => {
                self.model.signed_in(user_id);
                return false;
            }
            // What is further down is asked for anew.
            Event::Reset { .. } => self.cursor = Some(String::new()),
            Event::Synced { .. } => return self.error.take().is_some(),
            Event::Conversation { .. }
            | Event::Message(_)
            | Event::Changed(_)
            | Event::Deleted { .. }
            | Event::Read { .. } => {}
            _ => return false,
        }
        if self.client.database().is_none() {
            self.model.event(event);
        }
        true
    }

    /// Too many events came at once: some are missed. A database has them, a model has not.
    fn begin_anew(&mut self) {
        self.cursor = Some(String::new());
        self.anew = self.loading;
        if self.client.database().is_none() {
            self.load();
        }
    }

    fn page(&mut self, page: Result<ConversationPage, Error>) {
        self.loading = false;
        if std::mem::take(&mut self.anew) {
            return self.begin_anew();
        }
        match page {
            Ok(page) => {
                self.cursor = Some(page.cursor).filter(|cursor| !cursor.is_empty());
                if self.client.database().is_none() {
                    for row in page.conversations {
                        self.model.put(row);
                    }
                }
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// Asks the server for what lies further down.
    fn load(&mut self) {
        let Some(cursor) = self.cursor.clone().filter(|_| !self.loading) else {
            return;
        };
        self.loading = true;
        let (client, back) = (self.client.clone(), self.back.clone());
        tokio::spawn(async move {
            let page = client.conversations(cursor, PAGE).await;
            // The list may have ended.
            let _ = back.send(page).await;
        });
    }

    async fn show(&mut self) {
        let mut rows = match self.client.database() {
            Some(database) => match database.conversations(0, self.limit + 1).await {
                Ok(rows) => rows.into_iter().map(Arc::new).collect(),
                Err(error) => {
                    self.error = Some(error);
                    return;
                }
            },
            None => self.model.items(),
        };
        let is_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        // Somebody scrolled beyond what is known here.
        if !is_more && self.error.is_none() && self.limit > PAGE as usize {
            self.load();
        }
        let status = ListStatus {
            has_more: is_more || self.cursor.is_some(),
            unread: rows.iter().map(|row| row.unread).sum(),
            error: self.error.clone(),
        };
        self.updates.show(rows, status, |row| row.id.clone());
    }
}
