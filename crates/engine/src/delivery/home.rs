//! The home table: the sessions of the users whose home this node is.
//!
//! It is built from what the nodes of the sessions say and can be rebuilt from it at any time:
//! the session nodes are the truth.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anser_bus::NodeId;
use anser_domain::limits::SESSIONS_PER_USER_MAX;
use anser_domain::login::{LoginFacts, LoginPolicy, replaces, supersedes};
use anser_domain::{AppId, UserId};

use parking_lot::Mutex;

use super::routes::Route;
use super::{Burst, Outgoing};
pub(super) use crate::by_name::STRIPES;
use crate::by_name::{ByName, Name};
use crate::env::Env;
use crate::event::SessionSink;
use crate::presence::Notes;
use crate::session::{SessionId, SessionInfo};

/// A session as its user's home knows it.
#[derive(Clone)]
pub(crate) struct HomeSession {
    pub(crate) info: SessionInfo,
    /// Present if the session is on this node.
    pub(crate) sink: Option<Arc<dyn SessionSink>>,
}

/// Users almost always have one or two sessions.
type Sessions = Vec<HomeSession>;

/// Sessions remembered that were reported gone before they were known.
const GONE_MAX: usize = 4_096;

pub(crate) struct Home {
    users: ByName<Sessions>,
    /// Of each stripe of users: moves whenever a session in it comes or goes.
    generations: [AtomicU64; STRIPES],
    /// What tells of an end may overtake what tells of the beginning.
    gone: Mutex<Gone>,
    /// Whose sessions came or went, for what is told of them.
    notes: Arc<Notes>,
    env: Env,
}

/// Sessions reported gone, the oldest first, and the same to look one up at every login.
#[derive(Default)]
struct Gone {
    order: VecDeque<SessionId>,
    ids: BTreeSet<SessionId>,
}

impl Gone {
    fn remember(&mut self, id: SessionId) {
        if !self.ids.insert(id) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > GONE_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

fn facts(session: &SessionInfo) -> LoginFacts<'_> {
    LoginFacts {
        device: session.device.as_str(),
        platform: session.platform,
        attempt: session.attempt,
    }
}

impl Home {
    pub(crate) fn new(env: Env, notes: Arc<Notes>) -> Self {
        Self {
            users: ByName::new(env.random_u64()),
            notes,
            env,
            generations: [const { AtomicU64::new(1) }; STRIPES],
            gone: Mutex::default(),
        }
    }

    /// Registers a session and returns those that must go because of it: by the policy, or
    /// because the user has too many, the oldest first. A session known already is only renewed,
    /// one that is known to have ended is not registered, and one that is older than another of
    /// the same installation must go itself.
    pub(crate) fn register(
        &self,
        app: AppId,
        user: &UserId,
        new: HomeSession,
        policy: Option<LoginPolicy>,
    ) -> Vec<HomeSession> {
        let at = self.users.stripe_of(app, user.as_str());
        let mut stripe = self.users.lock(at);
        self.moved(at);
        let sessions = stripe
            .entry((app, Arc::from(user.as_str())))
            .or_insert_with(|| Vec::with_capacity(1));
        if let Some(known) = sessions
            .iter_mut()
            .find(|known| known.info.id == new.info.id)
        {
            *known = new;
            return Vec::new();
        }
        if self.gone.lock().ids.contains(&new.info.id) {
            return Vec::new();
        }
        if sessions
            .iter()
            .any(|old| supersedes(facts(&old.info), facts(&new.info)))
        {
            return vec![new];
        }
        let mut replaced: Vec<HomeSession> = sessions
            .extract_if(.., |old| supersedes(facts(&new.info), facts(&old.info)))
            .collect();
        if let Some(policy) = policy {
            replaced.extend(sessions.extract_if(.., |old| {
                replaces(policy, facts(&new.info), facts(&old.info))
            }));
        }
        while sessions.len() >= SESSIONS_PER_USER_MAX {
            replaced.push(sessions.remove(0));
        }
        sessions.push(new);
        self.notes.note(app, user.as_str(), self.env.now());
        replaced
    }

    /// The session is gone. One that is not known yet never will be.
    pub(crate) fn unregister(&self, app: AppId, user: &str, id: SessionId) {
        let at = self.users.stripe_of(app, user);
        let mut stripe = self.users.lock(at);
        self.moved(at);
        let mut known = false;
        if let Some(sessions) = stripe.get_mut(&Name(app, user)) {
            let before = sessions.len();
            sessions.retain(|session| session.info.id != id);
            known = sessions.len() < before;
            if sessions.is_empty() {
                stripe.remove(&Name(app, user));
            }
        }
        if known {
            self.notes.note(app, user, self.env.now());
        } else {
            self.gone.lock().remember(id);
        }
    }

    /// Under the stripe's lock, so that whoever finds routes there knows of which generation.
    fn moved(&self, stripe: usize) {
        self.generations[stripe].fetch_add(1, Ordering::Release);
    }

    /// The stripe of a user.
    pub(crate) fn stripe_of(&self, app: AppId, user: &str) -> usize {
        self.users.stripe_of(app, user)
    }

    /// Differs from an earlier answer if a session of the stripe came or went since.
    pub(crate) fn generation(&self, stripe: usize) -> u64 {
        self.generations[stripe].load(Ordering::Acquire)
    }

    /// Where these users of a stripe are connected: the sessions on this node, and the users that
    /// have one on another. Returns the generation of what was found.
    pub(crate) fn find<'a>(
        &self,
        stripe: usize,
        app: AppId,
        users: impl Iterator<Item = (u32, &'a UserId)>,
        routes: &mut Vec<Route>,
        elsewhere: &mut Vec<u32>,
    ) -> u64 {
        let table = self.users.lock(stripe);
        for (at, user) in users {
            let Some(sessions) = table.get(&Name(app, user.as_str())) else {
                continue;
            };
            if sessions.iter().any(|session| session.sink.is_none()) {
                elsewhere.push(at);
                continue;
            }
            routes.extend(sessions.iter().filter_map(|session| {
                Some(Route {
                    session: session.info.id,
                    sink: session.sink.clone()?,
                })
            }));
        }
        self.generation(stripe)
    }

    /// The user's sessions, the oldest first.
    pub(crate) fn sessions(&self, app: AppId, user: &str) -> Vec<HomeSession> {
        self.users
            .stripe(app, user)
            .get(&Name(app, user))
            .cloned()
            .unwrap_or_default()
    }

    /// The users of an app that have a session.
    pub(crate) fn users(&self, app: AppId) -> Vec<Arc<str>> {
        let mut users = Vec::new();
        self.users.for_each_stripe(|_, stripe| {
            let own = stripe.keys().filter(|(of, _)| *of == app);
            users.extend(own.map(|(_, user)| user.clone()));
        });
        users
    }

    /// Is any session of the user known here?
    pub(crate) fn is_online(&self, app: AppId, user: &str) -> bool {
        self.users.stripe(app, user).contains_key(&Name(app, user))
    }

    /// Pushes to the user's sessions on this node; those elsewhere are noted in `remote`.
    pub(crate) fn push(
        &self,
        app: AppId,
        user: &str,
        events: &[Outgoing],
        burst: &mut Burst,
        remote: &mut Vec<(NodeId, SessionId)>,
    ) {
        let stripe = self.users.stripe(app, user);
        let Some(sessions) = stripe.get(&Name(app, user)) else {
            return;
        };
        for session in sessions {
            let Some(sink) = &session.sink else {
                remote.push((NodeId(session.info.node), session.info.id));
                continue;
            };
            let mut touched = false;
            for outgoing in events
                .iter()
                .filter(|outgoing| outgoing.skip != Some(session.info.id))
            {
                sink.push(&outgoing.event);
                touched = true;
            }
            if touched {
                burst.touch(sink);
            }
        }
    }

    /// Forgets sessions that this rule does not keep, such as those of a dead node.
    pub(crate) fn retain(&self, mut keep: impl FnMut(AppId, &str, &HomeSession) -> bool) {
        self.users.for_each_stripe(|at, stripe| {
            self.moved(at);
            stripe.retain(|(app, user), sessions| {
                let before = sessions.len();
                sessions.retain(|session| keep(*app, user, session));
                if sessions.len() < before {
                    self.notes.note(*app, user, self.env.now());
                }
                !sessions.is_empty()
            });
        });
    }
}
