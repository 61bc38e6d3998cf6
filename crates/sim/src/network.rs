//! The network between the nodes: delay, overtaking, loss, cuts in one direction or both.

use std::collections::BTreeSet;
use std::sync::Arc;

use anser_bus::{Fate, Link, NodeId};
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::executor::Executor;
use crate::random::Random;

/// How bad the network between nodes is. Rates are per thousand packets.
#[derive(Copy, Clone, Debug, Default)]
pub struct NetworkWeather {
    /// Packets lost.
    pub drop: u32,
    /// Packets that take up to `slow_ms` instead of a millisecond or so.
    pub slow: u32,
    /// See `slow`.
    pub slow_ms: u64,
}

struct State {
    random: Random,
    weather: NetworkWeather,
    /// Nothing gets from the first to the second.
    cut: BTreeSet<(NodeId, NodeId)>,
    down: BTreeSet<NodeId>,
}

/// The network between the nodes. Clones share it.
#[derive(Clone)]
pub struct Network {
    executor: Executor,
    state: Arc<Mutex<State>>,
}

/// The ordinary way of a packet takes up to so long; two of them overtake each other easily.
const ORDINARY_US: u64 = 1_500;
/// How long a request without an answer is waited for.
const PATIENCE_US: u64 = 8_000_000;

impl Network {
    pub(crate) fn new(executor: Executor, random: Random) -> Self {
        let state = State {
            random,
            weather: NetworkWeather::default(),
            cut: BTreeSet::new(),
            down: BTreeSet::new(),
        };
        Self {
            executor,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// From now on it is as bad as this.
    pub fn weather(&self, weather: NetworkWeather) {
        self.state.lock().weather = weather;
    }

    /// Cuts, or mends, one direction.
    pub fn cut(&self, from: NodeId, to: NodeId, cut: bool) {
        let mut state = self.state.lock();
        if cut {
            state.cut.insert((from, to));
        } else {
            state.cut.remove(&(from, to));
        }
    }

    /// Mends everything.
    pub fn mend(&self) {
        let mut state = self.state.lock();
        state.cut.clear();
        state.weather = NetworkWeather::default();
    }

    /// A node that is down neither sends nor hears.
    pub fn down(&self, node: NodeId, down: bool) {
        let mut state = self.state.lock();
        if down {
            state.down.insert(node);
        } else {
            state.down.remove(&node);
        }
    }
}

impl Link for Network {
    fn fate(&self, from: NodeId, to: NodeId) -> Fate {
        let mut state = self.state.lock();
        let weather = state.weather;
        let gone = state.down.contains(&from)
            || state.down.contains(&to)
            || state.cut.contains(&(from, to));
        if gone || (from != to && state.random.chance(weather.drop)) {
            return Fate::Drop;
        }
        let us = match state.random.chance(weather.slow) {
            true => state.random.below(weather.slow_ms * 1_000 + 1),
            false => state.random.below(ORDINARY_US),
        };
        Fate::After(Box::pin(self.executor.sleep(us)))
    }

    fn patience(&self) -> BoxFuture<'static, ()> {
        Box::pin(self.executor.sleep(PATIENCE_US))
    }
}
