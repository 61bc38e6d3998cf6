//! The sessions that are connected to this node.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_bus::NodeId;
use anser_domain::{AppId, UserId};
use parking_lot::Mutex;

use super::{SessionId, SessionInfo};
use crate::event::SessionSink;

/// A session on this node, whose user's home may be another.
#[derive(Clone)]
pub(crate) struct LocalSession {
    pub(crate) app: AppId,
    pub(crate) user: UserId,
    pub(crate) sink: Arc<dyn SessionSink>,
}

struct Entry {
    session: LocalSession,
    info: SessionInfo,
    /// Its client has been told that it is in.
    open: bool,
    /// The home that knows it.
    registered: Option<NodeId>,
    /// Every node that was asked to register it, and may know it whatever it answered.
    asked: Vec<NodeId>,
}

/// Cut by the session's id, so that logins rarely meet.
const STRIPES: usize = 16;

#[derive(Default)]
pub(crate) struct Locals {
    stripes: [Mutex<BTreeMap<SessionId, Entry>>; STRIPES],
}

impl Locals {
    fn stripe(&self, id: SessionId) -> &Mutex<BTreeMap<SessionId, Entry>> {
        &self.stripes[usize::try_from(id.0 % STRIPES as u64).expect("below the number of stripes")]
    }

    pub(crate) fn insert(&self, session: LocalSession, info: SessionInfo) {
        let id = info.id;
        let entry = Entry {
            session,
            info,
            open: false,
            registered: None,
            asked: Vec::new(),
        };
        self.stripe(id).lock().insert(id, entry);
    }

    /// The session, and the nodes that may know it.
    pub(crate) fn remove(&self, id: SessionId) -> Option<(LocalSession, Vec<NodeId>)> {
        let entry = self.stripe(id).lock().remove(&id)?;
        Some((entry.session, entry.asked))
    }

    /// From now on it is registered again whenever its home does not know it.
    pub(crate) fn opened(&self, id: SessionId) {
        if let Some(entry) = self.stripe(id).lock().get_mut(&id) {
            entry.open = true;
        }
    }

    /// This node is about to be asked to register it.
    pub(crate) fn asked(&self, id: SessionId, home: NodeId) {
        if let Some(entry) = self.stripe(id).lock().get_mut(&id) {
            entry.registered = None;
            if !entry.asked.contains(&home) {
                entry.asked.push(home);
            }
        }
    }

    /// This node knows it.
    pub(crate) fn registered(&self, id: SessionId, home: NodeId) {
        if let Some(entry) = self.stripe(id).lock().get_mut(&id) {
            entry.registered = Some(home);
        }
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<LocalSession> {
        self.stripe(id)
            .lock()
            .get(&id)
            .map(|entry| entry.session.clone())
    }

    /// All of them, at one moment per stripe.
    pub(crate) fn all(&self) -> Vec<(LocalSession, SessionInfo)> {
        self.collect(|_| true)
    }

    /// Those that their clients know of.
    pub(crate) fn open(&self) -> Vec<(LocalSession, SessionInfo)> {
        self.collect(|entry| entry.open)
    }

    /// Those that their home, picked by `home`, does not know.
    pub(crate) fn strays(
        &self,
        home: impl Fn(AppId, &UserId) -> NodeId,
    ) -> Vec<(LocalSession, SessionInfo)> {
        self.collect(|entry| {
            let session = &entry.session;
            entry.open && entry.registered != Some(home(session.app, &session.user))
        })
    }

    fn collect(&self, which: impl Fn(&Entry) -> bool) -> Vec<(LocalSession, SessionInfo)> {
        let mut all = Vec::new();
        for stripe in &self.stripes {
            let stripe = stripe.lock();
            let entries = stripe.values().filter(|entry| which(entry));
            all.extend(entries.map(|entry| (entry.session.clone(), entry.info.clone())));
        }
        all
    }
}
