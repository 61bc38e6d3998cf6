//! Views on their way to the application: a bounded queue of updates. Who is too slow for it gets
//! the list anew, not more memory.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::view::Diff;
use crate::view::diff::diff;

/// Updates that wait for the application.
const UPDATES_MAX: usize = 64;

/// How a view changed.
#[derive(Clone, PartialEq, Debug)]
pub struct Update<T, S> {
    /// To be applied in order. The first of a view tells the whole list.
    pub diffs: Vec<Diff<Arc<T>>>,
    /// How it stands with the view after it.
    pub status: S,
}

/// The view's end of the queue.
pub(super) struct Updates<T, S> {
    sender: mpsc::Sender<Update<T, S>>,
    shown: Vec<Arc<T>>,
    status: Option<S>,
    /// There was no room: the list is told anew when there is.
    missed: bool,
}

impl<T: Eq, S: Clone + PartialEq> Updates<T, S> {
    pub(super) fn new() -> (Self, mpsc::Receiver<Update<T, S>>) {
        let (sender, receiver) = mpsc::channel(UPDATES_MAX);
        let updates = Self {
            sender,
            shown: Vec::new(),
            status: None,
            missed: false,
        };
        (updates, receiver)
    }

    /// This is to be shown.
    pub(super) fn show<K: Ord>(
        &mut self,
        items: Vec<Arc<T>>,
        status: S,
        key: impl Fn(&Arc<T>) -> K,
    ) {
        let is_first = self.status.is_none();
        let diffs = match is_first {
            true => vec![Diff::Reset(items.clone())],
            false => diff(&self.shown, &items, key),
        };
        let same = diffs.is_empty() && self.status.as_ref() == Some(&status);
        self.shown = items;
        self.status = Some(status.clone());
        if same || self.missed {
            return;
        }
        let sent = self.sender.try_send(Update { diffs, status });
        self.missed = matches!(sent, Err(mpsc::error::TrySendError::Full(_)));
    }

    /// Tells the list anew once there is room, if there was none. Otherwise it never comes.
    pub(super) async fn catch_up(&mut self) {
        let Some(status) = self.status.clone().filter(|_| self.missed) else {
            return std::future::pending().await;
        };
        let Ok(room) = self.sender.reserve().await else {
            return std::future::pending().await; // nobody listens any more
        };
        let diffs = vec![Diff::Reset(self.shown.clone())];
        room.send(Update { diffs, status });
        self.missed = false;
    }
}
