//! One run: a seed in, a verdict out.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anser_domain::{AppId, ConversationId, UserId};
use anser_engine::message::PageRequest;
use anser_gateway::limits::{SendRate, SessionSettings};
use parking_lot::Mutex;

use crate::alter;
use crate::backend::Backend;
use crate::check::{self, Findings};
use crate::cluster::{Cluster, Going};
use crate::device::{Device, Standing, Surroundings};
use crate::disk::DiskWeather;
use crate::executor::{Executor, Group};
use crate::ledger::{Shared, Tally, Who};
use crate::random::Random;
use crate::sabotage::{Sabotage, Saboteur};
use crate::truth::Truth;
use crate::view;
use crate::workload::{self, Ask, Call, Fault, Kind, Plan, Size, Step};
use crate::{own, receipts, rules};

/// The task that runs a run.
const MAIN: Group = Group(0);
/// Between two looks whether everybody has everything, in microseconds.
const LOOK_US: u64 = 2_000_000;
/// Looks, after which it never will be so.
const LOOKS_MAX: u32 = 240;
/// Messages of a user in a conversation of which it is asked who has read them.
const READERS_ASKED: usize = 2;
/// Findings shown of a failed run.
const FINDINGS_SHOWN: usize = 12;

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Decides everything.
    pub seed: u64,
    /// How much happens.
    pub size: Size,
    /// A bug put in on purpose.
    pub sabotage: Option<Sabotage>,
    /// Only these steps of those that were drawn, by their place; `None`: all.
    pub only: Option<BTreeSet<usize>>,
    /// Says everything that happens on standard error.
    pub trace: bool,
}

/// A run without findings.
#[derive(Clone, Debug)]
pub struct Report {
    /// Differs if anything at all went differently.
    pub fingerprint: u64,
    /// Virtual time at the end, in microseconds.
    pub now: u64,
    /// The next number of the scheduler's stream.
    pub next_random: u64,
    /// How often things happened.
    pub tally: Tally,
}

/// A run with findings.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Whose.
    pub seed: u64,
    /// What must not be.
    pub findings: Findings,
    /// How it was run.
    pub options: Options,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {} fails:", self.seed)?;
        for finding in self.findings.iter().take(FINDINGS_SHOWN) {
            writeln!(f, "  {finding}")?;
        }
        let options = &self.options;
        let command = "replay: cargo run -p anser-sim --";
        match options.size.kind {
            Kind::Cluster => write!(f, "{command} --seed {}", self.seed)?,
            Kind::History => write!(f, "{command} --history {}", self.seed)?,
        }
        if options.size.steps != options.size.kind.size().steps {
            write!(f, " --steps {}", options.size.steps)?;
        }
        if let Some(only) = &options.only {
            let only: Vec<String> = only.iter().map(usize::to_string).collect();
            write!(f, " --only {}", only.join(","))?;
        }
        write!(f, " --trace")
    }
}

impl std::error::Error for Failure {}

/// Runs a seed.
pub fn run(options: Options) -> Result<Report, Box<Failure>> {
    let failed = |findings| {
        Box::new(Failure {
            seed: options.seed,
            findings,
            options: options.clone(),
        })
    };
    match catch_unwind(AssertUnwindSafe(|| simulate(&options))) {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(findings)) => Err(failed(findings)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            Err(failed(vec![format!("panic: {}", text.unwrap_or_default())]))
        }
    }
}

fn simulate(options: &Options) -> Result<Report, Findings> {
    let mut random = Random::new(options.seed);
    let mut plan = workload::draw(&mut random.fork(), options.size);
    if let Some(only) = &options.only {
        let steps = std::mem::take(&mut plan.steps).into_iter().enumerate();
        let kept = steps.filter(|(at, _)| only.contains(at));
        plan.steps = kept.map(|(_, step)| step).collect();
    }
    let executor = Executor::new(random.fork());
    let ledger = Shared::default();
    let main = Main::begin(
        executor.clone(),
        random,
        plan,
        options.clone(),
        ledger.clone(),
    );
    let findings = executor.run(MAIN, main);
    let mut all = std::mem::take(&mut ledger.lock().wrong);
    all.extend(findings);
    if !all.is_empty() {
        return Err(all);
    }
    Ok(Report {
        fingerprint: executor.fingerprint(),
        now: executor.now(),
        next_random: executor.draw(),
        tally: ledger.lock().tally.clone(),
    })
}

/// What the application at a device shows. `all`: was the device told of all conversations?
fn shows(truth: &Truth, who: &Who, standing: &Standing, all: bool, findings: &mut Findings) {
    match &standing.storage {
        Some(storage) => view::database(truth, who, storage, &standing.book, all, findings),
        None => view::kept_list(truth, who, &standing.rows, all, findings),
    }
}

struct Main {
    executor: Executor,
    cluster: Cluster,
    ledger: Shared,
    plan: Arc<Plan>,
    devices: Vec<Device>,
    app_ids: Vec<AppId>,
    trace: bool,
    random: Arc<Mutex<Random>>,
}

impl Main {
    async fn begin(
        executor: Executor,
        mut random: Random,
        plan: Plan,
        options: Options,
        ledger: Shared,
    ) -> Findings {
        let saboteur = Saboteur::new(options.sabotage, random.fork());
        let settings = SessionSettings {
            outbox_bytes_max: plan.outbox_bytes_max,
            send_rate: plan.send_rate.map(|per_second| SendRate {
                per_second,
                burst: 20,
            }),
            ..SessionSettings::default()
        };
        let cluster = Cluster::new(
            executor.clone(),
            random.fork(),
            saboteur.clone(),
            settings,
            (plan.nodes, plan.quality, plan.first_window),
        );
        cluster.start(0).await;
        let mut app_ids = Vec::new();
        for app in 0..plan.apps {
            let engine = cluster.engine(0).expect("it was started");
            let app = engine
                .create_app(Some(&format!("app-{app}")), "", false)
                .await;
            app_ids.push(app.expect("nothing fails yet").info.id);
        }
        // A node that starts reads all apps; else it knows of one when somebody names it.
        for node in 1..plan.nodes {
            cluster.start(node).await;
        }
        let haunting = saboteur
            .clone()
            .haunt(executor.clone(), cluster.disk.clone());
        executor.spawn(MAIN, haunting);
        let around = Arc::new(Surroundings {
            executor: executor.clone(),
            cluster: cluster.clone(),
            ledger: ledger.clone(),
            saboteur,
            app_ids: app_ids.clone(),
            calm: plan.calm,
            trace: options.trace,
        });
        let specs = plan.devices.iter().cloned().enumerate();
        let devices = specs
            .map(|(number, spec)| Device::new(around.clone(), number, spec, random.fork()))
            .collect();
        let main = Self {
            executor,
            cluster,
            ledger,
            plan: Arc::new(plan),
            devices,
            app_ids,
            trace: options.trace,
            random: Arc::new(Mutex::new(random)),
        };
        main.play().await;
        main.mend().await;
        match main.settle().await {
            Ok(truth) => main.judge(&truth).await,
            Err(findings) => findings,
        }
    }

    fn trace(&self, what: impl FnOnce() -> String) {
        if self.trace {
            let at = self.executor.now() as f64 / 1e6;
            crate::print(&format!("{at:11.6} {}", what()));
        }
    }

    /// Lets everything happen that was planned.
    async fn play(&self) {
        let start = self.executor.now();
        let plan = self.plan.clone();
        for (at, step) in &plan.steps {
            let at = start + at;
            self.executor
                .sleep(at.saturating_sub(self.executor.now()))
                .await;
            match step {
                Step::Device(device, ask) => self.devices[*device].ask(ask.clone()),
                Step::Backend(app, call) => {
                    self.trace(|| format!("backend {app}: {call:?}"));
                    self.backend(*app, call);
                }
                Step::Fault(fault) => {
                    self.trace(|| format!("{fault:?}"));
                    self.fault(fault);
                }
            }
        }
    }

    fn after(&self, ms: u64, then: impl FnOnce(&Cluster) + Send + 'static) {
        let (cluster, sleep) = (self.cluster.clone(), self.executor.sleep(ms * 1_000));
        self.executor.spawn(MAIN, async move {
            sleep.await;
            then(&cluster);
        });
    }

    fn fault(&self, fault: &Fault) {
        let id = |node: usize| anser_bus::NodeId(node as u64 + 1);
        let nodes = self.plan.nodes;
        let others = move |node: usize| (0..nodes).filter(move |other| *other != node);
        let what = match fault {
            Fault::End(node, going, ms) => {
                let (cluster, executor) = (self.cluster.clone(), self.executor.clone());
                let (node, going, ms) = (*node, *going, *ms);
                self.executor.spawn(MAIN, async move {
                    cluster.end(node, going).await;
                    executor.sleep(ms * 1_000).await;
                    cluster.start(node).await;
                });
                match going {
                    Going::Crash => "crashes",
                    Going::Stop => "stops of nodes",
                }
            }
            Fault::Skew(node, ms) => {
                self.cluster.skew(*node, *ms);
                "clocks set"
            }
            Fault::Network(weather) => {
                self.cluster.network.weather(*weather);
                "changes of the network"
            }
            Fault::CutNodes(from, to, ms) => {
                let (from, to) = (id(*from), id(*to));
                self.cluster.network.cut(from, to, true);
                self.after(*ms, move |cluster| cluster.network.cut(from, to, false));
                "cuts between nodes"
            }
            Fault::Isolate(node, ms) => {
                let node = *node;
                let set = move |cluster: &Cluster, cut| {
                    for other in others(node) {
                        cluster.network.cut(id(node), id(other), cut);
                        cluster.network.cut(id(other), id(node), cut);
                    }
                };
                set(&self.cluster, true);
                self.after(*ms, move |cluster| set(cluster, false));
                "isolated nodes"
            }
            Fault::Disk(weather) => {
                self.cluster.weather(*weather);
                "changes of the store"
            }
            Fault::CutDevice(device, cut) => {
                self.devices[*device].cut(*cut);
                "cuts of devices"
            }
            Fault::Stall(device, ms) => {
                self.devices[*device].stall(ms * 1_000);
                "stalls of devices"
            }
        };
        self.ledger.lock().tally.count(what);
    }

    fn backend(&self, app: usize, call: &Call) {
        let backend = Backend {
            app,
            id: self.app_ids[app],
            executor: self.executor.clone(),
            cluster: self.cluster.clone(),
            ledger: self.ledger.clone(),
        };
        let call = call.clone();
        self.executor
            .spawn(MAIN, async move { backend.call(call).await });
    }

    /// From now on nothing goes wrong any more.
    async fn mend(&self) {
        self.trace(|| "everything is mended".to_owned());
        // Nodes on their way down go down, and come back.
        self.executor.sleep(12_000_000).await;
        self.cluster.network.mend();
        self.cluster.weather(DiskWeather::default());
        self.cluster.settle().await;
        for node in 0..self.plan.nodes {
            self.cluster.start(node).await;
        }
        for device in &self.devices {
            if !device.is_wanted() {
                device.ask(Ask::Connect);
            }
        }
    }

    async fn truth(&self) -> Truth {
        let apps: Vec<u32> = self.app_ids.iter().map(|app| app.0).collect();
        Truth::read(&self.cluster.disk, &self.cluster.shards(), &apps).await
    }

    /// Waits until everybody has everything.
    async fn settle(&self) -> Result<Truth, Findings> {
        let mut findings = Findings::new();
        for _ in 0..LOOKS_MAX {
            self.executor.sleep(LOOK_US).await;
            if !self.ledger.lock().wrong.is_empty() {
                return Err(Findings::new());
            }
            findings = self.unsettled();
            if !findings.is_empty() {
                continue;
            }
            let truth = self.truth().await;
            if truth.outbox > 0 {
                findings.push(format!("{} effects wait in the outbox", truth.outbox));
            }
            for (device, spec) in self.devices.iter().zip(&self.plan.devices) {
                let who = Who {
                    app: spec.app,
                    user: spec.user.clone(),
                };
                let standing = device.standing();
                let all = self.tells_all();
                check::caught_up(&truth, &who, &standing.book, all, &mut findings);
                alter::known(&truth, &who, &standing.book, &mut findings);
                receipts::arrived(&truth, &who, &standing.arrived, &mut findings);
                shows(&truth, &who, &standing, all, &mut findings);
            }
            findings.extend(self.sessions().await);
            if findings.is_empty() {
                return Ok(truth);
            }
        }
        findings.insert(0, "this does not settle:".to_owned());
        Err(findings)
    }

    /// Is a new device told of all conversations at once?
    fn tells_all(&self) -> bool {
        self.plan.first_window >= self.plan.conversations.len()
    }

    fn unsettled(&self) -> Findings {
        let mut findings = Findings::new();
        for (number, device) in self.devices.iter().enumerate() {
            let standing = device.standing();
            if !standing.online || standing.waits > 0 {
                findings.push(format!(
                    "device {number} is {}, {} requests wait",
                    standing.state, standing.waits
                ));
            }
        }
        findings
    }

    /// Every user's home knows the sessions that there are.
    async fn sessions(&self) -> Findings {
        let mut findings = Findings::new();
        let mut devices: BTreeMap<Who, Vec<String>> = BTreeMap::new();
        for spec in &self.plan.devices {
            let who = Who {
                app: spec.app,
                user: spec.user.clone(),
            };
            let device = format!("{}-{}", spec.user, spec.nth);
            devices.entry(who).or_default().push(device);
        }
        for (who, expected) in devices {
            let user = UserId::new(&who.user).expect("a short name");
            for node in self.cluster.up() {
                let Some(engine) = self.cluster.engine(node) else {
                    continue;
                };
                let known = engine.sessions(self.app_ids[who.app], &user).await;
                let mut known: Vec<String> = match known {
                    Ok(known) => known.iter().map(|one| one.device.to_string()).collect(),
                    Err(reject) => vec![reject.to_string()],
                };
                known.sort();
                if known != expected {
                    findings.push(format!(
                        "{who:?} has sessions {known:?} by node {node}, of {expected:?}"
                    ));
                }
            }
        }
        findings
    }

    /// All checks of the end.
    async fn judge(&self, truth: &Truth) -> Findings {
        let mut findings = Findings::new();
        let mut wanted = Vec::new();
        for (device, spec) in self.devices.iter().zip(&self.plan.devices) {
            device.forget();
            let who = Who {
                app: spec.app,
                user: spec.user.clone(),
            };
            let mut conversations = Vec::new();
            for conversation in &self.plan.conversations {
                if truth.is_in(&who, conversation) {
                    let readers = truth.own_messages(&who, conversation, READERS_ASKED);
                    conversations.push((conversation.clone(), readers));
                }
                device.ask(Ask::History {
                    conversation: conversation.clone(),
                    behind: 30,
                    descending: false,
                    limit: 100,
                });
            }
            wanted.push(conversations);
        }
        // A connection that died unnoticed before may still take a request with it.
        for _ in 0..LOOKS_MAX {
            self.executor.sleep(LOOK_US / 2).await;
            let limit = u32::try_from(self.random.lock().between(1, 9)).expect("small");
            let mut waits = false;
            for (device, wanted) in self.devices.iter().zip(&wanted) {
                waits |= device.ask_rest(wanted, limit);
            }
            if !waits {
                break;
            }
        }
        self.page_back(truth).await;
        let ledger = self.ledger.lock().clone();
        check::conversations(truth, &mut findings);
        check::sends(truth, &ledger, self.plan.calm, &mut findings);
        check::reads(truth, &ledger, &mut findings);
        check::inboxes(truth, &mut findings);
        check::groups(truth, &ledger, &mut findings);
        check::shown(truth, &ledger, &mut findings);
        check::seen(truth, &ledger, &mut findings);
        own::settings(truth, &ledger, &mut findings);
        rules::groups(truth, &ledger, &mut findings);
        rules::blocks(truth, &ledger, &mut findings);
        receipts::acknowledged(truth, &ledger, &mut findings);
        alter::changes(truth, &ledger, &mut findings);
        for (device, spec) in self.devices.iter().zip(&self.plan.devices) {
            let who = Who {
                app: spec.app,
                user: spec.user.clone(),
            };
            let standing = device.standing();
            check::losses(truth, &who, &standing.book, &mut findings);
            receipts::told(truth, &who, &standing.told, &mut findings);
            view::whole(truth, &who, &standing, &mut findings);
            // The list was paged to its end since, and a database keeps the pages.
            let all = standing.storage.is_some() || self.tells_all();
            shows(truth, &who, &standing, all, &mut findings);
            match device.list() {
                Some(rows) => view::list(truth, &who, &rows, &mut findings),
                None => findings.push(format!("{who:?} could not read the list")),
            }
        }
        findings.extend(self.histories(truth).await);
        findings
    }

    /// Every device goes back to the beginning of every conversation.
    async fn page_back(&self, truth: &Truth) {
        for _ in 0..LOOKS_MAX {
            let limit = u32::try_from(self.random.lock().between(1, 9)).expect("small");
            let mut lacks = false;
            for (device, spec) in self.devices.iter().zip(&self.plan.devices) {
                let who = Who {
                    app: spec.app,
                    user: spec.user.clone(),
                };
                let mut all = self.plan.conversations.clone();
                all.retain(|conversation| truth.is_in(&who, conversation));
                lacks |= device.page_back(&all, limit);
            }
            if !lacks {
                return;
            }
            self.executor.sleep(LOOK_US / 2).await;
        }
    }

    /// The server API reads the same history on every node.
    async fn histories(&self, truth: &Truth) -> Findings {
        let mut findings = Findings::new();
        for (place, chat) in &truth.chats {
            let id = ConversationId::parse(&place.conversation).expect("a good name");
            for node in 0..self.plan.nodes {
                let engine = self.cluster.engine(node).expect("all are up");
                let mut seqs = Vec::new();
                let mut page = PageRequest {
                    from_seq: 0,
                    descending: false,
                    limit: 7,
                };
                loop {
                    let app = self.app_ids[place.app];
                    match engine.pull(app, None, &id, page).await {
                        Ok(found) => {
                            seqs.extend(found.messages.iter().map(|message| message.seq));
                            if !found.more {
                                break;
                            }
                            page.from_seq = seqs.last().copied().unwrap_or(0);
                        }
                        Err(reject) => {
                            findings.push(format!("{place:?} can't be read: {reject}"));
                            break;
                        }
                    }
                }
                if !seqs.iter().eq(chat.messages.keys()) {
                    findings.push(format!("{place:?} reads as {seqs:?} on node {node}"));
                }
            }
        }
        findings
    }
}
