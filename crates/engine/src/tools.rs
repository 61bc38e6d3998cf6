//! What every part of the engine works with.

use std::sync::Arc;

use anser_store::Store;

use crate::cluster::Cluster;
use crate::committer::Committer;
use crate::control::Controls;
use crate::delivery::{Broadcasts, FanOut, Home};
use crate::engine::Settings;
use crate::env::Env;
use crate::metrics::Metrics;
use crate::presence::Notes;
use crate::room::Audiences;
use crate::session::Locals;

/// Shared by the actors, the outbox and the handle itself; knows none of them.
pub(crate) struct Tools {
    pub(crate) env: Env,
    pub(crate) store: Store,
    pub(crate) committer: Committer,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) home: Arc<Home>,
    pub(crate) fan_out: FanOut,
    pub(crate) locals: Arc<Locals>,
    pub(crate) broadcasts: Arc<Broadcasts>,
    pub(crate) settings: Settings,
    pub(crate) controls: Controls,
    pub(crate) notes: Arc<Notes>,
    pub(crate) audiences: Arc<Audiences>,
    pub(crate) metrics: Arc<Metrics>,
}
