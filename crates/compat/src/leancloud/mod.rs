//! LeanCloud's instant messaging: its SDKs talk to Anser as they are.
//!
//! * [`settings`]: what an app sets up before the door is open to it.
//! * [`wire`]: the schema; `socket`: what is spoken on a WebSocket.
//! * [`routes`]: the router, and the REST that clients and back ends call.
//!
//! What is covered, and what is not, is in the README beside this file. A client id of LeanCloud
//! is a user id here; how other ids translate is in [`ids`].

pub mod content;
mod door;
pub mod error;
pub mod ids;
pub mod iso;
pub mod query;
pub mod rest;
pub mod routes;
pub mod rows;
pub mod session_token;
pub mod settings;
pub mod signature;
mod socket;
mod sorts;
pub mod wire;

use std::sync::Arc;

use anser_domain::{AppId, Code, Reject};
use anser_engine::{Engine, Env};

pub use settings::Settings;

/// The name of this door, in the engine's tables and in the API.
pub const DOOR: &str = "leancloud";

/// The door, as one node runs it. Clones share it.
#[derive(Clone)]
pub struct LeanCloud {
    pub(crate) engine: Engine,
    pub(crate) env: Env,
    pub(crate) sorts: Arc<sorts::Sorts>,
    pub(crate) files: Option<Arc<rest::Files>>,
}

/// An app behind the door.
#[derive(Clone, Debug)]
pub struct App {
    /// Ours.
    pub id: AppId,
    /// What it has set up.
    pub settings: Arc<Settings>,
}

impl LeanCloud {
    /// A door to this engine.
    #[must_use]
    pub fn new(engine: Engine, env: Env) -> Self {
        Self {
            engine,
            env,
            sorts: Arc::default(),
            files: None,
        }
    }

    /// With files: without, there is nowhere to upload.
    #[must_use]
    pub fn with_files(mut self, files: rest::Files) -> Self {
        self.files = Some(Arc::new(files));
        self
    }

    /// The app that LeanCloud's id stands for.
    ///
    /// # Errors
    /// `NOT_FOUND`: there is none, or its door is shut.
    pub async fn app(&self, app_id: &str) -> Result<App, Reject> {
        let found = self.engine.app_behind_door(DOOR, app_id).await?;
        let settings = Settings::from_json(&found.settings)?;
        if !settings.enabled {
            return Err(Reject::new(Code::NotFound, "this door is shut"));
        }
        Ok(App {
            id: found.app,
            settings: Arc::new(settings),
        })
    }
}
