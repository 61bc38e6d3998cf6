//! Node to node: fast and lossy.
//!
//! A [`Bus`] carries packets to one node or to all, and requests that are answered. It is
//! at-most-once by contract: anything may be lost, and packets may overtake one another. What
//! must not be lost is in the store; whoever sends packets numbers them, so that the receiver
//! notices a hole. A full inbox drops and counts; it never blocks the sender.
//!
//! One node alone uses the same code over [`Hub`], the in-process bus, which is also what the
//! simulation runs a cluster on: a [`Link`] decides what becomes of each packet.

mod hub;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

pub use hub::{Fate, Hub, Link, Perfect};

/// Names a node. Two living nodes never share a name.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct NodeId(pub u64);

/// Why a request has no answer. It may have been carried out all the same, except with
/// [`NoSuchNode`](BusError::NoSuchNode).
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum BusError {
    /// Nobody listens under this name; the request went nowhere.
    NoSuchNode,
    /// Lost, or not answered in time.
    NoAnswer,
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchNode => "no such node",
            Self::NoAnswer => "no answer in time",
        })
    }
}

impl std::error::Error for BusError {}

/// What a node does with what reaches it.
pub trait Handler: Send + Sync + 'static {
    /// A packet. Must not block; what takes time is spawned.
    fn packet(&self, from: NodeId, packet: Bytes);

    /// A request. `None`: this node does not answer, because it is stopping.
    fn request(&self, from: NodeId, request: Bytes) -> BoxFuture<'static, Option<Bytes>>;
}

pub(crate) trait Backend: Send + Sync + 'static {
    fn node(&self) -> NodeId;
    fn serve(&self, handler: Arc<dyn Handler>);
    fn leave(&self);
    fn publish(&self, to: Option<NodeId>, packet: Bytes);
    fn request(&self, to: NodeId, request: Bytes) -> BoxFuture<'static, Result<Bytes, BusError>>;
}

/// A node's place on the bus. Clones share it.
#[derive(Clone)]
pub struct Bus(Arc<dyn Backend>);

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bus").field(&self.0.node()).finish()
    }
}

impl Bus {
    /// The name of this node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.0.node()
    }

    /// From now on, this node answers. Replaces an earlier handler.
    pub fn serve(&self, handler: Arc<dyn Handler>) {
        self.0.serve(handler);
    }

    /// From now on, nothing reaches this node.
    pub fn leave(&self) {
        self.0.leave();
    }

    /// Sends a packet to one node; lost if there is no such node.
    pub fn publish(&self, to: NodeId, packet: Bytes) {
        self.0.publish(Some(to), packet);
    }

    /// Sends a packet to every other node.
    pub fn broadcast(&self, packet: Bytes) {
        self.0.publish(None, packet);
    }

    /// Asks a node. How long to wait is the caller's to decide: drop the future.
    pub async fn request(&self, to: NodeId, request: Bytes) -> Result<Bytes, BusError> {
        self.0.request(to, request).await
    }
}
