//! What the application hears.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;
use tokio::sync::mpsc;

use crate::core::Event;
use crate::saved::SavedState;

/// Events that wait for the application. Beyond, the client takes nothing new in.
pub(super) const EVENTS_MAX: usize = 1_024;

/// The events of a client, in order. A [`Stream`], too.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<Event>,
    saved: SavedState,
}

impl Events {
    pub(super) fn new(receiver: mpsc::Receiver<Event>, saved: SavedState) -> Self {
        Self { receiver, saved }
    }

    /// The next one; `None` when the client has ended.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.receiver.recv().await?;
        self.saved.apply(&event);
        Some(event)
    }

    /// The position after the last event that was taken from here: what to store beside what was
    /// made of the events, and to give to [`Builder::saved_state`](super::Builder::saved_state)
    /// on the next start.
    #[must_use]
    pub fn saved_state(&self) -> &SavedState {
        &self.saved
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let event = ready!(self.receiver.poll_recv(cx));
        if let Some(event) = &event {
            self.saved.apply(event);
        }
        Poll::Ready(event)
    }
}
