//! The way out of a connection, which its clients share.

use std::sync::Arc;
use std::task::{Context, Poll};

use anser_gateway::door::Line;
use bytes::Bytes;
use futures::task::AtomicWaker;
use parking_lot::Mutex;

use super::form::Form;
use crate::leancloud::wire::GenericCommand;

/// Events that wait for a reply at most; with more, they go first.
const HELD_MAX: usize = 1_024;

/// The outbox of a connection, with events that wait for a reply.
pub(super) struct Way {
    line: Arc<dyn Line>,
    pub(super) form: Form,
    held: Mutex<Option<Vec<(Bytes, bool)>>>,
    /// Who drives the connection.
    driver: AtomicWaker,
}

impl Way {
    pub(super) fn new(line: Arc<dyn Line>, form: Form) -> Arc<Self> {
        Arc::new(Self {
            line,
            form,
            held: Mutex::new(None),
            driver: AtomicWaker::new(),
        })
    }

    pub(super) fn line(&self) -> &Arc<dyn Line> {
        &self.line
    }

    /// Queues an event of a client, in two parts.
    pub(super) fn event(&self, first: &[u8], second: &[u8], transient: bool) {
        let frame = self.form.frame(first, second);
        let mut held = self.held.lock();
        match &mut *held {
            Some(waiting) if waiting.len() < HELD_MAX => waiting.push((frame, transient)),
            Some(waiting) => {
                for (frame, transient) in waiting.drain(..) {
                    self.line.event(frame, transient);
                }
                *held = None;
                self.line.event(frame, transient);
            }
            None => self.line.event(frame, transient),
        }
    }

    /// Queues a reply.
    pub(super) fn reply(&self, command: &GenericCommand) {
        self.line.reply(self.form.encode(command));
    }

    /// From now on events wait.
    pub(super) fn hold(&self) {
        self.held.lock().get_or_insert_default();
    }

    /// Events wait no longer.
    pub(super) fn release(&self) {
        // Under the lock, or a new one could overtake those that waited.
        let mut held = self.held.lock();
        for (frame, transient) in held.take().into_iter().flatten() {
            self.line.event(frame, transient);
        }
    }

    /// Whoever drives the connection is to be woken by [`Way::wake`].
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.driver.register(cx.waker());
    }

    /// There is something for the connection's driver to do.
    pub(super) fn wake(&self) {
        self.driver.wake();
    }

    /// Is there room for more replies, if need be after writing out those that wait?
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        if self.line.poll_ready(cx).is_ready() {
            return Poll::Ready(());
        }
        self.line.flush();
        self.line.poll_ready(cx)
    }
}
