//! Doors: ways in for clients of other protocols, as apps have set them up.
//!
//! What a door's settings mean is known to whoever speaks the protocol; here they are one text,
//! sealed like the app's secrets, under the app and the door's name. Clients of another protocol
//! name their app in their own way, so the name that they use is an index, written in the same
//! unit: a name stands for one app of the installation.
//!
//! What is in memory is read again when it is used and older than a second.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::{AppId, Code, Reject, Timestamp};
use anser_proto::stored;
use anser_store::{Outcome, Unit};
use parking_lot::RwLock;

use crate::engine::Engine;
use crate::fault;
use crate::tables;

/// Age at which what is in memory is read again, in milliseconds.
const FRESH_MS: u64 = 1_000;
/// Bytes of the settings of a door.
const SETTINGS_BYTES_MAX: usize = 16 * 1024;
/// Bytes of the name that clients use for an app.
const EXTERNAL_ID_BYTES_MAX: usize = 128;
/// Doors in memory; beyond, all are forgotten.
const KNOWN_MAX: usize = 4_096;
const TRIES_MAX: u32 = 16;

/// A door of an app.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Door {
    /// The app behind it.
    pub app: AppId,
    /// How clients name the app.
    pub external_id: Arc<str>,
    /// What the door's own code reads.
    pub settings: Arc<str>,
    /// Grows with every change.
    pub version: u64,
}

/// What is in memory: by door and external id.
#[derive(Default)]
pub(crate) struct Doors(RwLock<BTreeMap<(String, String), (Door, Timestamp)>>);

impl Doors {
    fn get(&self, door: &str, external_id: &str, now: Timestamp) -> Option<Door> {
        let known = self.0.read();
        let (found, read) = known.get(&(door.to_owned(), external_id.to_owned()))?;
        (now.since_ms(*read) < FRESH_MS).then(|| found.clone())
    }

    fn put(&self, door: &str, found: Door, now: Timestamp) {
        let mut known = self.0.write();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        let key = (door.to_owned(), (*found.external_id).to_owned());
        known.insert(key, (found, now));
    }

    fn forget(&self, door: &str, external_id: &str) {
        let key = (door.to_owned(), external_id.to_owned());
        self.0.write().remove(&key);
    }
}

fn no_door() -> Reject {
    Reject::new(Code::NotFound, "no app has this door")
}

/// What a sealed text is bound to besides its app.
fn sealed_id(door: &str) -> String {
    format!("door {door}")
}

impl Engine {
    /// A door of an app. `None`: the app has not set it up.
    pub async fn door(&self, app: AppId, door: &str) -> Result<Option<Door>, Reject> {
        let key = tables::door_key(app, door);
        let row = self.core.tools.store.get(&key).await;
        let row = row.map_err(|e| fault::reject(&e))?;
        let row: Option<stored::Door> = tables::decode_some(row.as_ref())?;
        row.map(|row| self.open_door(app, row)).transpose()
    }

    fn open_door(&self, app: AppId, row: stored::Door) -> Result<Door, Reject> {
        let sealed = row.settings.unwrap_or_default();
        Ok(Door {
            app,
            external_id: row.external_id.into(),
            settings: self.core.apps.unseal(app, &sealed)?.into(),
            version: row.version,
        })
    }

    /// The app that clients of a door mean by this name, as of a second ago or later.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn app_behind_door(&self, door: &str, external_id: &str) -> Result<Door, Reject> {
        let tools = &self.core.tools;
        let now = tools.env.now();
        if let Some(found) = self.core.doors.get(door, external_id, now) {
            return Ok(found);
        }
        if external_id.is_empty() || external_id.len() > EXTERNAL_ID_BYTES_MAX {
            return Err(no_door());
        }
        let key = tables::door_app_key(door, external_id);
        let row = tools.store.get(&key).await;
        let row = row.map_err(|e| fault::reject(&e))?;
        let row: stored::DoorApp = tables::decode_some(row.as_ref())?.ok_or_else(no_door)?;
        let app = self.core.apps.info(&row.app_key).await?.id;
        let found = self.door(app, door).await?.ok_or_else(no_door)?;
        if *found.external_id != *external_id {
            return Err(no_door());
        }
        self.core.doors.put(door, found.clone(), now);
        Ok(found)
    }

    /// Sets up a door of an app: at once on this node, within a second on the others.
    ///
    /// # Errors
    /// `ALREADY_EXISTS`: another app has this name at the door. `INVALID_REQUEST` beyond a limit.
    pub async fn set_door(
        &self,
        app: AppId,
        door: &str,
        external_id: &str,
        settings: &str,
    ) -> Result<Door, Reject> {
        self.check_running()?;
        let fits = (1..=EXTERNAL_ID_BYTES_MAX).contains(&external_id.len());
        if !fits || external_id.chars().any(char::is_control) || settings.len() > SETTINGS_BYTES_MAX
        {
            let why = "an app's name at a door has 1 to 128 bytes, its settings at most 16 KiB";
            return Err(Reject::new(Code::InvalidRequest, why));
        }
        let tools = &self.core.tools;
        let app_key = self.core.apps.app_key(app)?;
        let (key, name) = (
            tables::door_key(app, door),
            tables::door_app_key(door, external_id),
        );
        for _ in 0..TRIES_MAX {
            let read = tools.store.get_many(&[key.clone(), name.clone()]).await;
            let read = read.map_err(|e| fault::reject(&e))?;
            let old: stored::Door = tables::decode_some(read[0].as_ref())?.unwrap_or_default();
            let taken: Option<stored::DoorApp> = tables::decode_some(read[1].as_ref())?;
            if taken.is_some_and(|taken| taken.app_key != app_key) {
                let why = "another app has this name at this door";
                return Err(Reject::new(Code::AlreadyExists, why));
            }
            let row = stored::Door {
                version: old.version + 1,
                external_id: external_id.to_owned(),
                settings: Some(self.core.apps.seal(app, &sealed_id(door), settings)?),
            };
            let by_name = stored::DoorApp {
                app_key: app_key.clone(),
            };
            let mut unit = Unit::new()
                .expect_unchanged(key.clone(), read[0].clone())
                .expect_unchanged(name.clone(), read[1].clone())
                .put(key.clone(), tables::encode(&row))
                .put(name.clone(), tables::encode(&by_name));
            if !old.external_id.is_empty() && old.external_id != external_id {
                unit = unit.delete(tables::door_app_key(door, &old.external_id));
            }
            match tools.committer.commit(app, unit).await? {
                Outcome::Committed => {
                    self.core.doors.forget(door, &old.external_id);
                    let new = self.open_door(app, row)?;
                    self.core.doors.put(door, new.clone(), tools.env.now());
                    return Ok(new);
                }
                Outcome::Conflict => {}
                Outcome::Refused(error) => return Err(fault::reject(&error)),
                Outcome::Unknown(_) => return Err(Code::Timeout.into()),
            }
        }
        Err(Code::Unavailable.into())
    }
}
