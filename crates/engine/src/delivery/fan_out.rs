//! Fan-out: events to many users, whose homes may be on many nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_bus::NodeId;
use anser_domain::{AppId, UserId};

use super::home::STRIPES;
use super::routes::Routes;
use super::{Burst, Home};
use crate::cluster::{Cluster, wire};
use crate::event::Event;
use crate::session::SessionId;

/// Users served between two looks at other work: a fan-out to thousands must not hold up a
/// worker, nor the sinks already written to.
const CHUNK: usize = 128;

/// An event on its way.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) event: Arc<Event>,
    /// The session that has it as the answer to its request.
    pub(crate) skip: Option<SessionId>,
}

impl Outgoing {
    /// To every session.
    pub(crate) fn to_all(event: Arc<Event>) -> Self {
        Self { event, skip: None }
    }
}

/// A handle on the way to users' sessions.
#[derive(Clone)]
pub(crate) struct FanOut {
    home: Arc<Home>,
    cluster: Arc<Cluster>,
}

impl FanOut {
    pub(crate) fn new(home: Arc<Home>, cluster: Arc<Cluster>) -> Self {
        Self { home, cluster }
    }

    /// Is it so many that it must be done in pieces, beside other work?
    pub(crate) fn is_large(users: usize) -> bool {
        users > CHUNK
    }

    /// To a few users, at once.
    pub(crate) fn now(&self, app: AppId, users: &[UserId], events: &[Outgoing], burst: &mut Burst) {
        let view = self.cluster.view();
        if view.is_alone() {
            for user in users {
                self.at_home(app, user.as_str(), events, burst);
            }
            return;
        }
        let mut elsewhere: BTreeMap<NodeId, Vec<String>> = BTreeMap::new();
        for user in users {
            let home = view.home(app, user.as_str());
            if home == self.cluster.node() {
                self.at_home(app, user.as_str(), events, burst);
            } else {
                elsewhere
                    .entry(home)
                    .or_default()
                    .push(user.as_str().to_owned());
            }
        }
        for (node, users) in elsewhere {
            self.cluster.send(node, wire::deliver(app, users, events));
        }
    }

    /// To many users, in pieces.
    pub(crate) async fn in_pieces(
        &self,
        app: AppId,
        users: &Arc<[UserId]>,
        events: &[Outgoing],
        routes: &mut Routes,
    ) {
        if self.cluster.view().is_alone() {
            return self.along(app, users, events, routes).await;
        }
        for chunk in users.chunks(CHUNK) {
            let mut burst = Burst::default();
            self.now(app, chunk, events, &mut burst);
            burst.flush();
            yield_once().await;
        }
    }

    /// To many users whose homes are all here, where they were found the last time.
    async fn along(
        &self,
        app: AppId,
        users: &Arc<[UserId]>,
        events: &[Outgoing],
        routes: &mut Routes,
    ) {
        let all: Vec<Arc<Event>> = events.iter().map(|one| one.event.clone()).collect();
        let skips = |session| events.iter().any(|one| one.skip == Some(session));
        routes.follow(&self.home, app, users);
        let mut served = 0;
        for stripe in 0..STRIPES {
            let (found, elsewhere) = routes.of_stripe(&self.home, app, stripe);
            for route in found {
                if skips(route.session) {
                    let some = events.iter().filter(|one| one.skip != Some(route.session));
                    let some: Vec<Arc<Event>> = some.map(|one| one.event.clone()).collect();
                    route.sink.deliver(&some);
                } else {
                    route.sink.deliver(&all);
                }
            }
            served += found.len();
            let mut burst = Burst::default();
            for user in elsewhere {
                self.at_home(app, user.as_str(), events, &mut burst);
            }
            burst.flush();
            if served >= CHUNK {
                served = 0;
                yield_once().await;
            }
        }
    }

    /// To a user whose home is here.
    pub(crate) fn at_home(&self, app: AppId, user: &str, events: &[Outgoing], burst: &mut Burst) {
        let mut remote = Vec::new();
        self.home.push(app, user, events, burst, &mut remote);
        if remote.is_empty() {
            return;
        }
        let mut by_node: BTreeMap<NodeId, Vec<SessionId>> = BTreeMap::new();
        for (node, session) in remote {
            by_node.entry(node).or_default().push(session);
        }
        for (node, sessions) in by_node {
            self.cluster
                .send(node, wire::to_sessions(&sessions, events, None));
        }
    }
}

/// Lets other tasks run.
pub(crate) async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if yielded {
            return std::task::Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
