//! The door in the gateway's wall: claiming connections, and setting up apps.

use anser_domain::{AppId, Code, Reject};
use anser_gateway::door::{Door, Opening};
use anser_gateway::session::{Dialect, Handler};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::socket::{self, Connection};
use super::{DOOR, LeanCloud, Settings};

/// What a secret is shown as.
const HIDDEN: &str = "***";

impl Door for LeanCloud {
    fn name(&self) -> &'static str {
        DOOR
    }

    fn protocols(&self) -> &'static [&'static str] {
        socket::PROTOCOLS
    }

    fn dialect(&self, protocol: &'static str) -> &'static dyn Dialect {
        socket::dialect(protocol)
    }

    fn open(&self, opening: Opening) -> Box<dyn Handler> {
        Box::new(Connection::new(self.clone(), opening))
    }

    fn settings(&self, app: AppId) -> BoxFuture<'_, Result<Option<Value>, Reject>> {
        async move {
            let door = self.engine.door(app, DOOR).await?;
            let settings = door.map(|door| Settings::from_json(&door.settings));
            Ok(settings.transpose()?.map(|settings| shown(&settings)))
        }
        .boxed()
    }

    fn set_up(
        &self,
        app: AppId,
        settings: Map<String, Value>,
    ) -> BoxFuture<'_, Result<Value, Reject>> {
        async move {
            let mut settings = settings;
            // A secret that is sent back as it was shown stays what it was.
            if let Some(old) = self.engine.door(app, DOOR).await? {
                let old: Value = serde_json::from_str(&old.settings)
                    .map_err(|_| Reject::new(Code::Internal, "stored settings are no JSON"))?;
                if settings.get("master_key") == Some(&json!(HIDDEN)) {
                    settings.insert("master_key".to_owned(), old["master_key"].clone());
                }
            }
            let settings = Settings::from_json(&Value::Object(settings).to_string())?;
            let (id, text) = (&settings.app_id, settings.to_json());
            self.engine.set_door(app, DOOR, id, &text).await?;
            Ok(shown(&settings))
        }
        .boxed()
    }
}

/// Settings without their secrets.
fn shown(settings: &Settings) -> Value {
    let shown = Settings {
        master_key: HIDDEN.to_owned(),
        ..settings.clone()
    };
    serde_json::to_value(shown).unwrap_or_default()
}
