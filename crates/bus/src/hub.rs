//! The in-process bus.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::{Backend, Bus, BusError, Handler, NodeId};

/// What becomes of a packet on its way.
pub enum Fate {
    /// It arrives.
    Deliver,
    /// It arrives when this is done; others may overtake it.
    After(BoxFuture<'static, ()>),
    /// It is lost.
    Drop,
}

/// The wire between two nodes of a [`Hub`].
pub trait Link: Send + Sync + 'static {
    /// Decides about one packet, request or answer.
    fn fate(&self, from: NodeId, to: NodeId) -> Fate;

    /// How long a request whose answer was lost is waited for.
    fn patience(&self) -> BoxFuture<'static, ()>;
}

/// A wire that loses nothing.
#[derive(Debug)]
pub struct Perfect;

impl Link for Perfect {
    fn fate(&self, _: NodeId, _: NodeId) -> Fate {
        Fate::Deliver
    }

    fn patience(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

type Spawn = Arc<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>;

struct Shared {
    spawn: Spawn,
    link: Arc<dyn Link>,
    nodes: Mutex<BTreeMap<NodeId, Weak<dyn Handler>>>,
}

/// Several nodes in one process.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

impl Hub {
    /// A hub whose packets travel over `link` in tasks that `spawn` runs.
    pub fn new(
        spawn: impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static,
        link: impl Link,
    ) -> Self {
        let (spawn, link) = (Arc::new(spawn), Arc::new(link));
        Self(Arc::new(Shared {
            spawn,
            link,
            nodes: Mutex::default(),
        }))
    }

    /// A place for a node. It hears nothing before it serves. The hub holds its handler weakly.
    #[must_use]
    pub fn join(&self, node: NodeId) -> Bus {
        Bus(Arc::new(Place {
            node,
            hub: self.0.clone(),
        }))
    }
}

struct Place {
    node: NodeId,
    hub: Arc<Shared>,
}

impl Shared {
    fn handler(&self, node: NodeId) -> Option<Arc<dyn Handler>> {
        self.nodes.lock().get(&node).and_then(Weak::upgrade)
    }

    fn deliver(self: &Arc<Self>, from: NodeId, to: NodeId, packet: Bytes) {
        let wait = match self.link.fate(from, to) {
            Fate::Drop => return,
            Fate::Deliver => None,
            Fate::After(wait) => Some(wait),
        };
        let hub = self.clone();
        (self.spawn)(Box::pin(async move {
            if let Some(wait) = wait {
                wait.await;
            }
            if let Some(handler) = hub.handler(to) {
                handler.packet(from, packet);
            }
        }));
    }
}

/// Waits out the fate of one leg; false if it is lost.
async fn travel(fate: Fate) -> bool {
    match fate {
        Fate::Deliver => true,
        Fate::After(wait) => {
            wait.await;
            true
        }
        Fate::Drop => false,
    }
}

impl Backend for Place {
    fn node(&self) -> NodeId {
        self.node
    }

    fn serve(&self, handler: Arc<dyn Handler>) {
        self.hub
            .nodes
            .lock()
            .insert(self.node, Arc::downgrade(&handler));
    }

    fn leave(&self) {
        self.hub.nodes.lock().remove(&self.node);
    }

    fn publish(&self, to: Option<NodeId>, packet: Bytes) {
        let receivers: Vec<NodeId> = match to {
            Some(node) => vec![node],
            None => self
                .hub
                .nodes
                .lock()
                .keys()
                .copied()
                .filter(|n| *n != self.node)
                .collect(),
        };
        for node in receivers {
            self.hub.deliver(self.node, node, packet.clone());
        }
    }

    fn request(&self, to: NodeId, request: Bytes) -> BoxFuture<'static, Result<Bytes, BusError>> {
        let (hub, from) = (self.hub.clone(), self.node);
        Box::pin(async move {
            if hub.handler(to).is_none() {
                return Err(BusError::NoSuchNode);
            }
            if travel(hub.link.fate(from, to)).await
                && let Some(handler) = hub.handler(to)
                && let Some(answer) = handler.request(from, request).await
                && travel(hub.link.fate(to, from)).await
            {
                return Ok(answer);
            }
            hub.link.patience().await;
            Err(BusError::NoAnswer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::LocalPool;
    use futures::task::{LocalSpawnExt, SpawnExt};

    struct Echo(Mutex<Vec<(NodeId, Bytes)>>);

    impl Handler for Echo {
        fn packet(&self, from: NodeId, packet: Bytes) {
            self.0.lock().push((from, packet));
        }

        fn request(&self, _: NodeId, request: Bytes) -> BoxFuture<'static, Option<Bytes>> {
            Box::pin(std::future::ready(Some(request)))
        }
    }

    struct Cut;

    impl Link for Cut {
        fn fate(&self, from: NodeId, to: NodeId) -> Fate {
            if from == to {
                Fate::Deliver
            } else {
                Fate::Drop
            }
        }

        fn patience(&self) -> BoxFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    fn two_nodes(link: impl Link, test: impl AsyncFnOnce(Bus, Arc<Echo>) + 'static) {
        let mut pool = LocalPool::new();
        let spawner = futures::executor::ThreadPool::builder()
            .pool_size(1)
            .create()
            .unwrap();
        let hub = Hub::new(move |task| spawner.spawn(task).unwrap(), link);
        let echo = Arc::new(Echo(Mutex::default()));
        let (one, two) = (hub.join(NodeId(1)), hub.join(NodeId(2)));
        two.serve(echo.clone());
        let local = pool.spawner();
        local
            .spawn_local(async move { test(one, echo).await })
            .unwrap();
        pool.run();
    }

    #[test]
    fn requests_are_answered_and_missing_nodes_noticed() {
        two_nodes(Perfect, async |bus, _| {
            assert_eq!(
                bus.request(NodeId(2), Bytes::from("hi")).await,
                Ok(Bytes::from("hi"))
            );
            assert_eq!(
                bus.request(NodeId(9), Bytes::new()).await,
                Err(BusError::NoSuchNode)
            );
        });
    }

    #[test]
    fn what_a_cut_link_loses_is_an_error_not_a_hang() {
        two_nodes(Cut, async |bus, echo| {
            bus.publish(NodeId(2), Bytes::from("lost"));
            assert_eq!(
                bus.request(NodeId(2), Bytes::new()).await,
                Err(BusError::NoAnswer)
            );
            assert!(echo.0.lock().is_empty());
        });
    }
}
