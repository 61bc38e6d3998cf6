//! Broadcasts: an event for everybody who is subscribed to a system conversation and online.
//!
//! Nobody's name is looked up for it. Each node knows which of its own sessions follow the
//! conversation ([`Locals`](crate::session::Locals)), so the event goes to each node once, and
//! there to those sessions, in slices with other work between them. For a conversation to which
//! everyone is subscribed, these are all sessions of the app.
//!
//! Broadcasts of one conversation are delivered one after the other. A queue that grows too long
//! gives way to a check: the devices find out by themselves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use anser_domain::{AppId, UserId};
use parking_lot::Mutex;

use super::fan_out::yield_once;
use crate::cluster::{Cluster, wire};
use crate::env::Env;
use crate::event::{Event, EventBody, SessionSink};
use crate::session::{Locals, Walk};
use crate::tables;

/// Broadcasts of one conversation that wait on a node.
const QUEUE_MAX: usize = 256;
/// Sessions served between two looks at other work.
const CHUNK: usize = 128;

/// An event for all subscribers who are online.
#[derive(Clone, Debug)]
pub(crate) struct Broadcast {
    pub(crate) app: AppId,
    pub(crate) conversation: Arc<str>,
    /// All sessions of the app hear it.
    pub(crate) everyone: bool,
    pub(crate) event: Arc<Event>,
    /// Who has seen a later message than the event says, and which.
    pub(crate) seen: Vec<(UserId, u64)>,
}

type Queues = BTreeMap<(AppId, Arc<str>), VecDeque<Broadcast>>;

pub(crate) struct Broadcasts {
    env: Env,
    cluster: Arc<Cluster>,
    locals: Arc<Locals>,
    /// Of conversations that somebody is at work on.
    queues: Mutex<Queues>,
}

impl Broadcasts {
    pub(crate) fn new(env: Env, cluster: Arc<Cluster>, locals: Arc<Locals>) -> Self {
        Self {
            env,
            cluster,
            locals,
            queues: Mutex::default(),
        }
    }

    /// To all nodes, this one included.
    pub(crate) fn send(self: &Arc<Self>, broadcast: Broadcast) {
        let view = self.cluster.view();
        for node in view.nodes().filter(|node| *node != self.cluster.node()) {
            self.cluster.send(node, wire::broadcast(&broadcast));
        }
        self.here(broadcast);
    }

    /// To the sessions of this node.
    pub(crate) fn here(self: &Arc<Self>, broadcast: Broadcast) {
        let place = (broadcast.app, broadcast.conversation.clone());
        {
            let mut queues = self.queues.lock();
            if let Some(queue) = queues.get_mut(&place) {
                if queue.len() < QUEUE_MAX {
                    queue.push_back(broadcast);
                } else {
                    queue.clear();
                    queue.push_back(Broadcast {
                        event: Event::new(EventBody::Check),
                        seen: Vec::new(),
                        ..broadcast
                    });
                }
                return;
            }
            queues.insert(place.clone(), VecDeque::from([broadcast]));
        }
        let shard = tables::conversation_shard(place.0, &place.1);
        let this = self.clone();
        let work = async move { this.work(place).await };
        self.env.spawn_broadcast(u64::from(shard.0), work);
    }

    async fn work(&self, place: (AppId, Arc<str>)) {
        loop {
            let batch = {
                let mut queues = self.queues.lock();
                match queues.get_mut(&place) {
                    Some(queue) if !queue.is_empty() => std::mem::take(queue),
                    _ => {
                        queues.remove(&place);
                        return;
                    }
                }
            };
            self.deliver(&place, &Batch::new(batch)).await;
        }
    }

    async fn deliver(&self, (app, name): &(AppId, Arc<str>), batch: &Batch) {
        let mut walk = Walk::START;
        loop {
            let slice = if batch.everyone {
                self.locals.of_app(*app, walk)
            } else {
                self.locals.followers(*app, name, walk, CHUNK)
            };
            let Some((followers, next)) = slice else {
                return;
            };
            for chunk in followers.chunks(CHUNK) {
                for (user, sink) in chunk {
                    batch.deliver(user, sink);
                }
                yield_once().await;
            }
            walk = next;
        }
    }
}

/// Broadcasts that wait together leave in one write.
struct Batch {
    everyone: bool,
    events: Vec<Arc<Event>>,
    /// Those who get another event than all, by its place.
    others: BTreeMap<UserId, Vec<(usize, Arc<Event>)>>,
}

impl Batch {
    fn new(broadcasts: VecDeque<Broadcast>) -> Self {
        let mut batch = Self {
            everyone: false,
            events: Vec::with_capacity(broadcasts.len()),
            others: BTreeMap::new(),
        };
        for (at, broadcast) in broadcasts.into_iter().enumerate() {
            batch.everyone = broadcast.everyone;
            let mut by_seq: BTreeMap<u64, Arc<Event>> = BTreeMap::new();
            for (user, seq) in broadcast.seen {
                let event = by_seq.entry(seq);
                let event = event.or_insert_with(|| follows(&broadcast.event, seq));
                let others = batch.others.entry(user).or_default();
                others.push((at, event.clone()));
            }
            batch.events.push(broadcast.event);
        }
        batch
    }

    fn deliver(&self, user: &UserId, sink: &Arc<dyn SessionSink>) {
        let Some(others) = self.others.get(user) else {
            return sink.deliver(&self.events);
        };
        let mut events = self.events.clone();
        for (at, event) in others {
            events[*at] = event.clone();
        }
        sink.deliver(&events);
    }
}

/// The same event for those who saw this sequence last.
fn follows(event: &Arc<Event>, seq: u64) -> Arc<Event> {
    match &event.body {
        EventBody::Message { message, .. } => Event::new(EventBody::Message {
            message: message.clone(),
            prev: seq,
        }),
        _ => event.clone(),
    }
}
