//! The sessions that are connected to this node, and which system conversations they follow.
//!
//! Whoever is subscribed to a system conversation stands in the store alone. So that a message
//! need not ask who that is, each session says what its user is subscribed to when it syncs and
//! whenever that changes, and goes out of the index as it ends.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use anser_bus::NodeId;
use anser_domain::{AppId, RoomId, UserId};
use parking_lot::Mutex;

use super::{SessionId, SessionInfo};
use crate::by_name::{ByName, Name};
use crate::event::{EventBody, SessionSink};

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
    /// System conversations, each with the version of the user's feed that said so, and whether
    /// the session follows it.
    follows: Option<Box<Follows>>,
    /// Chat rooms it is in, the first it joined first.
    rooms: Vec<RoomId>,
}

/// What is left of a session.
pub(crate) struct Gone {
    pub(crate) session: LocalSession,
    /// The nodes that may know it.
    pub(crate) asked: Vec<NodeId>,
    /// The chat rooms it was in.
    pub(crate) rooms: Vec<RoomId>,
}

type Follows = BTreeMap<Arc<str>, (u64, bool)>;

/// A session that hears what is for all subscribers.
type Follower = (UserId, Arc<dyn SessionSink>);

/// Conversations that one session follows, or did.
const FOLLOWS_MAX: usize = 5_000;
/// Sessions looked at under one lock.
const LOOK_AT: usize = 1_024;

/// How far a walk through those who hear a message has come.
#[derive(Copy, Clone)]
pub(crate) struct Walk {
    stripe: usize,
    after: SessionId,
}

impl Walk {
    pub(crate) const START: Self = Self {
        stripe: 0,
        after: SessionId(0),
    };
}

/// Cut by the session's id, so that logins rarely meet.
const STRIPES: usize = 16;

pub(crate) struct Locals {
    stripes: [Mutex<BTreeMap<SessionId, Entry>>; STRIPES],
    /// Of each system conversation that is followed here. Locked behind the session's stripe.
    followers: ByName<BTreeMap<SessionId, Follower>>,
}

impl Locals {
    /// `seed` is unpredictable to clients.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            stripes: std::array::from_fn(|_| Mutex::default()),
            followers: ByName::new(seed),
        }
    }

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
            follows: None,
            rooms: Vec::new(),
        };
        self.stripe(id).lock().insert(id, entry);
    }

    pub(crate) fn remove(&self, id: SessionId) -> Option<Gone> {
        let mut stripe = self.stripe(id).lock();
        let entry = stripe.remove(&id)?;
        let app = entry.session.app;
        for (name, (_, follows)) in entry.follows.into_iter().flat_map(|all| *all) {
            if follows {
                self.unfollow(app, &name, id);
            }
        }
        Some(Gone {
            session: entry.session,
            asked: entry.asked,
            rooms: entry.rooms,
        })
    }

    fn unfollow(&self, app: AppId, name: &str, id: SessionId) {
        let mut stripe = self.followers.stripe(app, name);
        if let Some(followers) = stripe.get_mut(&Name(app, name)) {
            followers.remove(&id);
            if followers.is_empty() {
                stripe.remove(&Name(app, name));
            }
        }
    }

    /// The session's user is subscribed to a system conversation, or is not, as of this version of
    /// the user's feed. What is older than what is known changes nothing.
    pub(crate) fn follow(&self, id: SessionId, name: &Arc<str>, version: u64, follows: bool) {
        let mut stripe = self.stripe(id).lock();
        let Some(entry) = stripe.get_mut(&id) else {
            return;
        };
        let all = entry.follows.get_or_insert_default();
        let known = all.get(name).copied();
        let is_old = known.is_some_and(|(known, _)| known > version);
        if is_old || (known.is_none() && all.len() >= FOLLOWS_MAX) {
            return;
        }
        all.insert(name.clone(), (version, follows));
        let app = entry.session.app;
        if !follows {
            return self.unfollow(app, name, id);
        }
        let follower = (entry.session.user.clone(), entry.session.sink.clone());
        let mut followers = self.followers.stripe(app, name);
        let followers = followers.entry((app, name.clone())).or_default();
        followers.insert(id, follower);
    }

    /// The session is in a room. Those it has to leave for it; `None`: there is no such session any
    /// more.
    pub(crate) fn join_room(
        &self,
        id: SessionId,
        room: &RoomId,
        max: usize,
    ) -> Option<Vec<RoomId>> {
        let mut stripe = self.stripe(id).lock();
        let rooms = &mut stripe.get_mut(&id)?.rooms;
        if !rooms.contains(room) {
            rooms.push(room.clone());
        }
        let others = rooms.len().saturating_sub(max.max(1));
        Some(rooms.drain(..others).collect())
    }

    /// The session is not in a room any more. Was it?
    pub(crate) fn left_room(&self, id: SessionId, room: &RoomId) -> bool {
        let mut stripe = self.stripe(id).lock();
        let Some(entry) = stripe.get_mut(&id) else {
            return false;
        };
        let before = entry.rooms.len();
        entry.rooms.retain(|known| known != room);
        entry.rooms.len() < before
    }

    /// The session is told this: it may say what it follows.
    pub(crate) fn heed(&self, id: SessionId, event: &EventBody) {
        if let EventBody::Conversation {
            view, feed_version, ..
        } = event
            && view.id.starts_with("s/")
        {
            self.follow(id, &view.id, *feed_version, view.member);
        }
    }

    /// Some of those who follow a system conversation, and how to go on. `None`: that was all.
    pub(crate) fn followers(
        &self,
        app: AppId,
        name: &str,
        walk: Walk,
        some: usize,
    ) -> Option<(Vec<Follower>, Walk)> {
        let stripe = self.followers.stripe(app, name);
        let all = stripe.get(&Name(app, name))?;
        let rest = all.range((Bound::Excluded(walk.after), Bound::Unbounded));
        let (mut found, mut after) = (Vec::new(), walk.after);
        for (id, follower) in rest.take(some) {
            found.push(follower.clone());
            after = *id;
        }
        (!found.is_empty()).then_some((found, Walk { after, ..walk }))
    }

    /// The same of all sessions of an app; there may be none among those looked at.
    pub(crate) fn of_app(&self, app: AppId, walk: Walk) -> Option<(Vec<Follower>, Walk)> {
        let stripe = self.stripes.get(walk.stripe)?.lock();
        let rest = stripe.range((Bound::Excluded(walk.after), Bound::Unbounded));
        let (mut found, mut next) = (Vec::new(), None);
        for (id, entry) in rest.take(LOOK_AT) {
            if entry.open && entry.session.app == app {
                found.push((entry.session.user.clone(), entry.session.sink.clone()));
            }
            next = Some(Walk { after: *id, ..walk });
        }
        let beyond = Walk {
            stripe: walk.stripe + 1,
            ..Walk::START
        };
        Some((found, next.unwrap_or(beyond)))
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
