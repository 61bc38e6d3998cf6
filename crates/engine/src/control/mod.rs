//! What an app decides for all of its users, on every node.
//!
//! All of it stands in one row an app, and in memory: whoever checks a message never reads the
//! store for it. The node that writes the row learns it at once, every other node within
//! [`LOOK_EVERY_MS`]: it looks at the rows of all apps that have one, which are few and small.
//! A row has a version that grows with each change, so what was read late never takes the place of
//! what is known already. When the store is out of reach, what is known stays in force.

mod ban;
mod commands;
mod mutes;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use anser_domain::control::AppSettings;
use anser_domain::control::mute::{AppMutes, Kind};
use anser_domain::room::ClassTypes;
use anser_domain::{AppId, Code, ConversationId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Outcome, SCAN_LIMIT_MAX, Unit};
use parking_lot::RwLock;

use crate::engine::Core;
use crate::fault;
use crate::tables;
use crate::tools::Tools;

pub(crate) use ban::check_row as check_banned;
pub use ban::{UserBan, UserBanPage};
pub use mutes::{MuteList, MutePage};

/// How often a node looks for what others have changed.
const LOOK_EVERY_MS: u64 = 1_000;
/// Times a change is tried again after somebody else changed the row.
const TRIES_MAX: u32 = 16;

/// What one app decides.
#[derive(Clone, Default)]
struct Control {
    version: u64,
    settings: AppSettings,
    mutes: Arc<AppMutes>,
    is_muting: bool,
    /// System conversations to which everyone is subscribed.
    everyone: Arc<[Arc<str>]>,
    room_types: Arc<ClassTypes>,
}

/// What the apps decide, as far as they do.
#[derive(Default)]
pub(crate) struct Controls(RwLock<BTreeMap<AppId, Arc<Control>>>);

impl Controls {
    /// The app's own settings.
    pub(crate) fn settings(&self, app: AppId) -> AppSettings {
        let apps = self.0.read();
        apps.get(&app)
            .map(|control| control.settings)
            .unwrap_or_default()
    }

    /// May the user write there, as far as the app decides?
    pub(crate) fn check_may_speak(
        &self,
        app: AppId,
        conversation: &ConversationId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), Reject> {
        self.check_may_speak_in(app, Kind::of(conversation), user, now)
    }

    /// The same of all conversations of a kind.
    pub(crate) fn check_may_speak_in(
        &self,
        app: AppId,
        kind: Kind,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), Reject> {
        let mutes = match self.0.read().get(&app) {
            Some(control) if control.is_muting => control.mutes.clone(),
            _ => return Ok(()),
        };
        mutes.check(kind, user, now)
    }

    /// The types of content that the app places in a class, in chat rooms.
    pub(crate) fn room_types(&self, app: AppId) -> Arc<ClassTypes> {
        let apps = self.0.read();
        apps.get(&app)
            .map(|control| control.room_types.clone())
            .unwrap_or_default()
    }

    /// Names that are reserved for conversations to which everyone is subscribed.
    pub(crate) fn everyone(&self, app: AppId) -> Arc<[Arc<str>]> {
        let apps = self.0.read();
        apps.get(&app)
            .map(|control| control.everyone.clone())
            .unwrap_or_default()
    }

    /// Apps that have switched presence on.
    pub(crate) fn with_presence(&self) -> BTreeSet<AppId> {
        let apps = self.0.read();
        let wanted = apps
            .iter()
            .filter(|(_, control)| control.settings.presence == Some(true));
        wanted.map(|(app, _)| *app).collect()
    }

    fn known(&self, app: AppId) -> Option<Arc<Control>> {
        self.0.read().get(&app).cloned()
    }
}

/// Takes note of a row, unless a later one is known.
async fn learn(tools: &Tools, app: AppId, row: &stored::AppControl) -> Result<(), Reject> {
    let known = tools.controls.known(app).unwrap_or_default();
    if known.version >= row.version {
        return Ok(());
    }
    let control = Arc::new(Control {
        version: row.version,
        settings: rows::settings(row.settings.as_ref()),
        mutes: Arc::new(mutes::load(tools, app, row).await?),
        is_muting: row.mutes > 0 || !row.kinds.is_empty(),
        everyone: row
            .everyone
            .iter()
            .map(|name| Arc::from(name.as_str()))
            .collect(),
        room_types: Arc::new(ClassTypes {
            low: row.room_low_types.clone(),
            protected: row.room_protected_types.clone(),
        }),
    });
    let mut apps = tools.controls.0.write();
    let known = apps.entry(app).or_default();
    if known.version < control.version {
        *known = control;
    }
    Ok(())
}

/// Reads what has changed.
pub(crate) async fn refresh(tools: &Tools) -> Result<(), Reject> {
    let mut after = None;
    loop {
        let scan = tables::controls_after(after, SCAN_LIMIT_MAX);
        let page = tools.store.scan(scan).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        for (key, value) in page.rows {
            let app = tables::app_of_control(&key).ok_or(Code::Internal)?;
            let row: stored::AppControl = tables::decode(&value)?;
            learn(tools, app, &row).await?;
            after = Some(app);
        }
        if !page.more {
            return Ok(());
        }
    }
}

/// Looks for changes until the engine is gone.
pub(crate) async fn watch(core: Weak<Core>) {
    loop {
        let Some(core) = core.upgrade() else {
            return;
        };
        // What goes wrong is reported by whoever finds it; what is known stays.
        let _ = refresh(&core.tools).await;
        let env = core.tools.env.clone();
        drop(core);
        env.sleep(LOOK_EVERY_MS).await;
    }
}

/// The app's row.
pub(crate) async fn row(tools: &Tools, app: AppId) -> Result<stored::AppControl, Reject> {
    let row = tools.store.get(&tables::control_key(app)).await;
    let row = row.map_err(|e| fault::reject(&e))?;
    Ok(tables::decode_some(row.as_ref())?.unwrap_or_default())
}

/// Changes the names that are reserved for conversations to which everyone is subscribed.
pub(crate) async fn change_everyone(
    tools: &Tools,
    app: AppId,
    change: impl Fn(&mut Vec<String>) -> Result<(), Reject>,
) -> Result<(), Reject> {
    update(tools, app, |row| change(&mut row.everyone))
        .await
        .map(drop)
}

/// Changes the app's row, on this node at once.
pub(crate) async fn update(
    tools: &Tools,
    app: AppId,
    change: impl Fn(&mut stored::AppControl) -> Result<(), Reject>,
) -> Result<stored::AppControl, Reject> {
    let key = tables::control_key(app);
    for _ in 0..TRIES_MAX {
        let old_bytes = tools.store.get(&key).await.map_err(|e| fault::reject(&e))?;
        let old: stored::AppControl = tables::decode_some(old_bytes.as_ref())?.unwrap_or_default();
        let mut new = old.clone();
        change(&mut new)?;
        if new == old {
            return Ok(new);
        }
        new.version += 1;
        let unit = Unit::new()
            .expect_unchanged(key.clone(), old_bytes)
            .put(key.clone(), tables::encode(&new));
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => {
                learn(tools, app, &new).await?;
                return Ok(new);
            }
            Outcome::Conflict => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
            Outcome::Unknown(_) => return Err(Code::Timeout.into()),
        }
    }
    Err(Code::Unavailable.into())
}
