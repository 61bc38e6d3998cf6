//! The nodes: how they start, stop and die, and how devices and backends reach them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anser_bus::{Hub, NodeId};
use anser_domain::Code;
use anser_domain::Reject;
use anser_domain::limits::{EDIT_SECONDS_DEFAULT, RECALL_SECONDS_DEFAULT};
use anser_domain::login::LoginPolicy;
use anser_domain::retention::RETENTION_DAYS_DEFAULT;
use anser_engine::{Engine, Env, Parts, Settings};
use anser_gateway::limits::SessionSettings;
use anser_gateway::metrics::Metrics;
use anser_gateway::session::Context;
use anser_store::{Faults, Store};
use futures::channel::oneshot;
use futures::future::{Either, select};
use parking_lot::Mutex;

use crate::disk::{DiskWeather, Plan, Shards};
use crate::executor::{Executor, Group};
use crate::network::Network;
use crate::pipe::{Cut, End, Pipe, Quality};
use crate::random::Random;
use crate::sabotage::Saboteur;
use crate::serve::serve;
use crate::world::{NodeWorld, Skew};

/// How many nodes there are at most.
pub const NODES: usize = 3;

/// How long a backend waits for an answer, in microseconds.
const CALL_US: u64 = 10_000_000;
/// Groups of tasks below this are not boots of nodes.
const FIRST_BOOT: u32 = 16;
/// Where packets travel.
const NETWORK: Group = Group(1);

struct Live {
    group: Group,
    engine: Engine,
    context: Arc<Context>,
    plan: Arc<Plan>,
    faults: Faults,
    pipes: Vec<Pipe>,
}

struct State {
    random: Random,
    boots: u32,
    nodes: [Option<Live>; NODES],
    skews: [Skew; NODES],
    weather: DiskWeather,
    quality: Quality,
}

/// The nodes. Clones share them.
#[derive(Clone)]
pub struct Cluster {
    /// How many nodes there are.
    pub(crate) nodes: usize,
    executor: Executor,
    pub(crate) disk: Store,
    pub(crate) network: Network,
    hub: Hub,
    saboteur: Saboteur,
    settings: Arc<SessionSettings>,
    first_window: usize,
    shards: Shards,
    state: Arc<Mutex<State>>,
}

/// How a node goes.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Going {
    /// It closes its sessions and says good-bye.
    Stop,
    /// It is gone from one moment to the next.
    Crash,
}

impl Cluster {
    pub(crate) fn new(
        executor: Executor,
        mut random: Random,
        saboteur: Saboteur,
        settings: SessionSettings,
        (nodes, quality, first_window): (usize, Quality, usize),
    ) -> Self {
        let network = Network::new(executor.clone(), random.fork());
        let spawner = executor.clone();
        let hub = Hub::new(
            move |task| spawner.spawn_boxed(NETWORK, task),
            network.clone(),
        );
        let state = State {
            random,
            boots: 0,
            nodes: [const { None }; NODES],
            skews: Default::default(),
            weather: DiskWeather::default(),
            quality,
        };
        Self {
            nodes,
            executor,
            disk: Store::memory(),
            network,
            hub,
            saboteur,
            settings: Arc::new(settings),
            first_window,
            shards: Shards::default(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The way to the store is as bad as this from now on, for all nodes.
    pub fn weather(&self, weather: DiskWeather) {
        let mut state = self.state.lock();
        state.weather = weather;
        for live in state.nodes.iter().flatten() {
            live.plan.weather(weather);
        }
    }

    /// Sets a node's clock off by so much.
    pub fn skew(&self, node: usize, ms: i64) {
        self.state.lock().skews[node].store(ms, Ordering::Relaxed);
    }

    /// Starts a node that is down, however often that takes.
    pub async fn start(&self, node: usize) {
        if self.state.lock().nodes[node].is_some() {
            return;
        }
        let id = NodeId(node as u64 + 1);
        self.network.down(id, false);
        loop {
            let (group, env, plan) = {
                let mut state = self.state.lock();
                state.boots += 1;
                let group = Group(FIRST_BOOT + state.boots);
                let skew = state.skews[node].clone();
                let random = state.random.fork();
                let world = NodeWorld::new(self.executor.clone(), group, skew, random);
                let random = state.random.fork();
                let (weather, saboteur) = (state.weather, self.saboteur.clone());
                let (executor, shards) = (self.executor.clone(), self.shards.clone());
                let plan = Plan::new(executor, random, weather, saboteur, shards);
                (group, Env::new(world), plan)
            };
            let (store, faults) = Store::faulty(self.disk.clone(), plan.clone());
            let settings = Settings {
                content_bytes_max: self.settings.content_bytes_max,
                login_policy: LoginPolicy::OnePerPlatform,
                installation_key: [7; 32],
                recall_seconds: RECALL_SECONDS_DEFAULT,
                edit_seconds: EDIT_SECONDS_DEFAULT,
                retention_days: RETENTION_DAYS_DEFAULT,
                media_retention_days: 0,
                first_window: self.first_window,
            };
            let bus = self.hub.join(id);
            let parts = Parts {
                env: env.clone(),
                store,
                bus,
                settings,
            };
            match Engine::start(parts).await {
                Ok(engine) => {
                    let context = Arc::new(Context {
                        engine: engine.clone(),
                        env,
                        settings: self.settings.clone(),
                        metrics: Arc::new(Metrics::default()),
                    });
                    let pipes = Vec::new();
                    let live = Live {
                        group,
                        engine,
                        context,
                        plan,
                        faults,
                        pipes,
                    };
                    self.state.lock().nodes[node] = Some(live);
                    return;
                }
                Err(_) => {
                    self.executor.kill(group);
                    self.executor.sleep(100_000).await;
                }
            }
        }
    }

    /// Ends a node, if it is up.
    pub async fn end(&self, node: usize, going: Going) {
        let id = NodeId(node as u64 + 1);
        if going == Going::Stop
            && let Some(engine) = self.engine(node)
        {
            engine.stop().await;
            // What was accepted is committed and answered meanwhile.
            self.executor.sleep(3_000_000).await;
        }
        let live = {
            let mut state = self.state.lock();
            let Some(live) = state.nodes[node].take() else {
                return;
            };
            for pipe in &live.pipes {
                let cut = *state.random.pick(&[Cut::Told, Cut::Told, Cut::Silent]);
                pipe.cut(cut);
            }
            live
        };
        self.network.down(id, true);
        self.executor.kill(live.group);
        let faults = live.faults.clone();
        drop(live);
        match going {
            Going::Stop => faults.settle().await,
            Going::Crash => {
                faults.crash().await;
                self.saboteur.crashed(&self.disk).await;
            }
        }
    }

    /// Lets everything late reach the disk, or not, once and for all.
    pub async fn settle(&self) {
        let faults: Vec<Faults> = {
            let state = self.state.lock();
            state
                .nodes
                .iter()
                .flatten()
                .map(|live| live.faults.clone())
                .collect()
        };
        for faults in faults {
            faults.settle().await;
        }
    }

    /// The shards that hold anything.
    pub(crate) fn shards(&self) -> Vec<u16> {
        self.shards.lock().iter().copied().collect()
    }

    /// The engine of a node that is up.
    #[must_use]
    pub fn engine(&self, node: usize) -> Option<Engine> {
        let state = self.state.lock();
        state.nodes[node].as_ref().map(|live| live.engine.clone())
    }

    /// The nodes that are up.
    #[must_use]
    pub fn up(&self) -> Vec<usize> {
        let state = self.state.lock();
        (0..self.nodes)
            .filter(|node| state.nodes[*node].is_some())
            .collect()
    }

    /// Connects to a node. `None`: nobody listens.
    #[must_use]
    pub fn connect(&self, node: usize) -> Option<(Pipe, End)> {
        let mut state = self.state.lock();
        let (random, quality) = (state.random.fork(), state.quality);
        let live = state.nodes[node].as_mut()?;
        let (pipe, device, server) = Pipe::new(&self.executor, random, quality);
        live.pipes.push(pipe.clone());
        let serving = serve(
            self.executor.clone(),
            live.context.clone(),
            pipe.clone(),
            server,
        );
        self.executor.spawn(live.group, serving);
        Some((pipe, device))
    }

    /// A call of a customer's backend to some node that is up, as the server API makes it. Runs
    /// on the node, and dies with it.
    pub async fn call<T, F>(&self, call: impl FnOnce(Engine) -> F) -> Result<T, Reject>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Reject>> + Send + 'static,
    {
        let (group, engine) = {
            let mut state = self.state.lock();
            let at = state.random.index(self.nodes);
            match &state.nodes[at] {
                Some(live) => (live.group, live.engine.clone()),
                None => return Err(Code::Unavailable.into()),
            }
        };
        let (answer, answered) = oneshot::channel();
        let call = call(engine);
        self.executor.spawn(group, async move {
            // Whoever called may have gone.
            drop(answer.send(call.await));
        });
        match select(answered, self.executor.sleep(CALL_US)).await {
            Either::Left((Ok(result), _)) => result,
            Either::Left((Err(_), _)) | Either::Right(_) => Err(Code::Timeout.into()),
        }
    }
}
