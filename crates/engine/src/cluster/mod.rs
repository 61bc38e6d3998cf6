//! The nodes that are alive, and who of them owns what.
//!
//! Every node says "alive" at an interval; who was heard lately is in the [`View`]. The owner of
//! a conversation, and the home of a user, is picked by rendezvous hashing over the view, so a
//! node that comes or goes moves only what it owns. Views differ for a moment on every change.
//! That is safe: ownership only saves work, since each commit is conditional on what it was
//! computed from, and whoever is wrong about being the owner gets a conflict.
//!
//! Packets to each node are numbered. A receiver that finds a hole knows that deliveries were
//! lost, and has its sessions check; "alive" repeats the number, so a lost last packet is found
//! within an interval. One node alone runs the same code with nobody to talk to.

mod control_wire;
pub(crate) mod group_wire;
mod view;
pub(crate) mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use anser_bus::{Bus, BusError, NodeId};
use anser_domain::{Code, Reject, Timestamp};
use anser_proto::cluster as pb;
use futures::future::{Either, select};
use parking_lot::{Mutex, RwLock};
use prost::Message as _;

use crate::env::Env;
pub(crate) use view::View;

/// How often a node says that it lives.
pub(crate) const ALIVE_EVERY_MS: u64 = 500;
/// Silence after which a node is taken for dead: a few lost packets are not a death.
const DEAD_AFTER_MS: u64 = 3_000;
/// How long to wait for another node's answer. Within the 10 s that a client waits.
const REQUEST_TIMEOUT_MS: u64 = 5_000;

/// What a received packet says about those before it.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Continuity {
    /// Nothing is missing.
    Whole,
    /// Packets were lost on the way.
    Hole,
    /// The sender started anew: what it was before is gone, sessions included.
    Anew,
    /// It is from before the sender started anew, and came late: nothing of it holds any more.
    Late,
}

/// Starts of one node that are remembered to be over.
const FORMER_MAX: usize = 8;

/// What a packet says about its sender's starts.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
enum Start {
    /// It never started again since it was first heard of.
    Same,
    /// It has started again.
    New,
    /// The packet is from before it started again.
    Over,
}

/// The starts of one node. They outlive its silence and its leaving: whoever comes back as another
/// must not be taken for the one who went.
#[derive(Default)]
struct Starts {
    last: Option<u64>,
    /// The oldest first.
    former: VecDeque<u64>,
}

impl Starts {
    fn heard(&mut self, boot: u64) -> Start {
        if self.last == Some(boot) {
            return Start::Same;
        }
        if self.former.contains(&boot) {
            return Start::Over;
        }
        let Some(before) = self.last.replace(boot) else {
            return Start::Same;
        };
        self.former.push_back(before);
        if self.former.len() > FORMER_MAX {
            self.former.pop_front();
        }
        Start::New
    }
}

#[derive(Copy, Clone)]
struct Peer {
    counter: u64,
    heard: Timestamp,
}

pub(crate) struct Cluster {
    env: Env,
    bus: Bus,
    boot: u64,
    view: RwLock<Arc<View>>,
    peers: Mutex<BTreeMap<NodeId, Peer>>,
    /// Of every node ever heard of, the living and the dead.
    starts: Mutex<BTreeMap<NodeId, Starts>>,
    sent: Mutex<BTreeMap<NodeId, u64>>,
}

impl Cluster {
    pub(crate) fn new(env: Env, bus: Bus) -> Self {
        let view = View::new([bus.node()]);
        let boot = env.random_u64() | 1;
        let (view, peers, sent) = (
            RwLock::new(Arc::new(view)),
            Mutex::default(),
            Mutex::default(),
        );
        Self {
            env,
            bus,
            boot,
            view,
            peers,
            starts: Mutex::default(),
            sent,
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.bus.node()
    }

    pub(crate) fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The nodes as this one sees them now.
    pub(crate) fn view(&self) -> Arc<View> {
        self.view.read().clone()
    }

    /// A packet that matters, numbered.
    pub(crate) fn send(&self, to: NodeId, body: pb::packet::Body) {
        let counter = {
            let mut sent = self.sent.lock();
            let counter = sent.entry(to).or_insert(0);
            *counter += 1;
            *counter
        };
        self.publish(to, counter, body);
    }

    fn publish(&self, to: NodeId, counter: u64, body: pb::packet::Body) {
        let packet = pb::Packet {
            boot: self.boot,
            counter,
            body: Some(body),
        };
        self.bus.publish(to, packet.encode_to_vec().into());
    }

    /// Tells all that this node lives, or that it is going. Nodes never heard of learn it by a
    /// broadcast, the others with the number of packets that they should have.
    pub(crate) fn say_alive(&self, leaving: bool) {
        let body = || pb::packet::Body::Alive(pb::Alive { leaving });
        let known: Vec<NodeId> = self.peers.lock().keys().copied().collect();
        for node in known {
            let counter = self.sent.lock().get(&node).copied().unwrap_or(0);
            self.publish(node, counter, body());
        }
        let hello = pb::Packet {
            boot: self.boot,
            counter: 0,
            body: Some(body()),
        };
        self.bus.broadcast(hello.encode_to_vec().into());
    }

    /// Takes note of a packet: its sender lives, and these packets should have come before.
    pub(crate) fn heard(&self, from: NodeId, packet: &pb::Packet) -> Continuity {
        let start = self
            .starts
            .lock()
            .entry(from)
            .or_default()
            .heard(packet.boot);
        if start == Start::Over {
            return Continuity::Late;
        }
        let mut peers = self.peers.lock();
        let heard = self.env.now();
        let numbered = !matches!(packet.body, Some(pb::packet::Body::Alive(_)));
        let fresh_start = start == Start::New;
        let peer = peers.entry(from).or_insert(Peer { counter: 0, heard });
        peer.heard = heard;
        if fresh_start {
            peer.counter = 0;
        }
        let whole = packet.counter <= peer.counter + u64::from(numbered);
        peer.counter = peer.counter.max(packet.counter);
        match (fresh_start, whole) {
            (true, _) => Continuity::Anew,
            (false, true) => Continuity::Whole,
            (false, false) => Continuity::Hole,
        }
    }

    /// Is this the start of the node that is known here? The first one heard of is. A request is
    /// not numbered as packets are, and may come from before the node started again, or before
    /// this node has heard that it did.
    pub(crate) fn is_present(&self, node: NodeId, boot: u64) -> bool {
        let mut starts = self.starts.lock();
        *starts.entry(node).or_default().last.get_or_insert(boot) == boot
    }

    /// Which start of this node this is.
    pub(crate) fn boot(&self) -> u64 {
        self.boot
    }

    /// This node's deliveries may have gone astray, because it knew of too few nodes or sessions:
    /// every other node finds a hole, and its sessions check.
    pub(crate) fn confess(&self) {
        let known: Vec<NodeId> = self.peers.lock().keys().copied().collect();
        let mut sent = self.sent.lock();
        for node in known {
            *sent.entry(node).or_insert(0) += 1;
        }
    }

    /// The node said that it goes.
    pub(crate) fn forget(&self, node: NodeId) {
        self.peers.lock().remove(&node);
    }

    /// Who was heard lately makes the view. The new one, if it differs.
    pub(crate) fn renew_view(&self) -> Option<Arc<View>> {
        let now = self.env.now();
        let alive: Vec<NodeId> = {
            let mut peers = self.peers.lock();
            peers.retain(|_, peer| now.since_ms(peer.heard) < DEAD_AFTER_MS);
            peers.keys().copied().collect()
        };
        let view = View::new(alive.into_iter().chain([self.node()]));
        let mut current = self.view.write();
        if **current == view {
            return None;
        }
        *current = Arc::new(view);
        Some(current.clone())
    }

    /// Asks another node. When it says nothing, the request may have been carried out.
    pub(crate) async fn request(
        &self,
        to: NodeId,
        request: pb::request::Request,
    ) -> Result<pb::response::Response, Reject> {
        let request = pb::Request {
            request: Some(request),
        }
        .encode_to_vec();
        let answer = std::pin::pin!(self.bus.request(to, request.into()));
        let patience = std::pin::pin!(self.env.sleep(REQUEST_TIMEOUT_MS));
        let answer = match select(answer, patience).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(BusError::NoAnswer),
        };
        let bytes = answer.map_err(|error| match error {
            BusError::NoSuchNode => Reject::new(
                Code::Unavailable,
                "the node that owns it is gone; another one takes over",
            ),
            BusError::NoAnswer => {
                Reject::new(Code::Timeout, "the node that owns it did not answer")
            }
        })?;
        match pb::Response::decode(bytes)
            .ok()
            .and_then(|response| response.response)
        {
            Some(pb::response::Response::Reject(reject)) => Err(wire::reject_from(reject)),
            Some(response) => Ok(response),
            None => Err(Reject::new(
                Code::Internal,
                "another node's answer does not decode",
            )),
        }
    }
}
