//! All open connections, so that they can be told when the server goes down.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::Reject;
use anser_engine::SessionSink;
use parking_lot::Mutex;

use crate::session::{Outbox, Wire};

/// What can be ended.
pub(super) trait Ending: Send + Sync {
    /// Politely, with a reason.
    fn close(&self, reason: Reject);
    /// At once.
    fn cut(&self);
}

impl<W: Wire> Ending for Outbox<W> {
    fn close(&self, reason: Reject) {
        SessionSink::close(self, reason);
    }

    fn cut(&self) {
        self.end();
    }
}

/// The open connections in the order of their opening.
#[derive(Default)]
pub(super) struct Registry {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: BTreeMap<u64, Arc<dyn Ending>>,
}

/// An entry; dropping it removes it.
pub(super) struct Entry {
    registry: Arc<Registry>,
    key: u64,
}

impl Registry {
    /// Notes a connection.
    pub(super) fn enter(self: &Arc<Self>, connection: Arc<dyn Ending>) -> Entry {
        let mut open = self.open.lock();
        let key = open.next;
        open.next += 1;
        open.connections.insert(key, connection);
        Entry {
            registry: self.clone(),
            key,
        }
    }

    /// At most `limit` connections from `from` on, and where to go on. Empty at the end.
    pub(super) fn some(&self, from: u64, limit: usize) -> (Vec<Arc<dyn Ending>>, u64) {
        let open = self.open.lock();
        let mut next = from;
        let some = open.connections.range(from..).take(limit);
        let some = some.map(|(key, connection)| {
            next = key + 1;
            connection.clone()
        });
        (some.collect(), next)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // The connection itself goes after the lock.
        let _connection = self.registry.open.lock().connections.remove(&self.key);
    }
}
