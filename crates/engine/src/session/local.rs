//! The sessions that are connected to this node.

use std::collections::BTreeMap;
use std::sync::Arc;

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
        self.stripe(info.id)
            .lock()
            .insert(info.id, Entry { session, info });
    }

    pub(crate) fn remove(&self, id: SessionId) -> Option<LocalSession> {
        self.stripe(id)
            .lock()
            .remove(&id)
            .map(|entry| entry.session)
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<LocalSession> {
        self.stripe(id)
            .lock()
            .get(&id)
            .map(|entry| entry.session.clone())
    }

    /// All of them, at one moment per stripe.
    pub(crate) fn all(&self) -> Vec<(LocalSession, SessionInfo)> {
        let mut all = Vec::new();
        for stripe in &self.stripes {
            all.extend(
                stripe
                    .lock()
                    .values()
                    .map(|entry| (entry.session.clone(), entry.info.clone())),
            );
        }
        all
    }
}
