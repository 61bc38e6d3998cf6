//! From sessions to what is told of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use anser_domain::presence::observe;
use anser_domain::{AppId, Code, DeviceId, Platform, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Outcome, SHARD_COUNT, Shard, Unit};
use bytes::Bytes;
use futures::future::join_all;
use parking_lot::Mutex;

use super::{Presence, rows};
use crate::delivery::{Burst, Outgoing};
use crate::engine::Core;
use crate::event::{Event, EventBody};
use crate::fault;
use crate::tables::{self, UserKeys};
use crate::tools::Tools;

/// From a change to telling it: a device that is back by then was never away.
const DEBOUNCE_MS: u64 = 1_500;
/// How long sessions may take to register with new homes after a change of view.
const SETTLE_MS: u64 = 5_000;
/// Rhythm of the worker.
const WORK_EVERY_MS: u64 = 250;
/// Users whose row is compared at a time.
const AT_ONCE: usize = 256;
/// Users noted. Beyond, a change is told with the next one of the same user.
const NOTES_MAX: usize = 262_144;
/// Watchers of one user who are told; the others may ask.
const WATCHERS_TOLD_MAX: usize = 10_000;
/// Watchers read at a time.
const WATCHERS_AT_ONCE: usize = 500;

#[derive(Default)]
struct State {
    /// When each user's sessions are to be looked at.
    due: BTreeMap<(AppId, Arc<str>), Timestamp>,
    /// Until then nobody is looked at.
    settled: Timestamp,
    /// When the users told to be online are to be looked through.
    look_at: Option<Timestamp>,
}

/// Whose sessions came or went.
#[derive(Default)]
pub(crate) struct Notes {
    /// Does any app want it?
    wanted: AtomicBool,
    state: Mutex<State>,
}

impl Notes {
    /// The user's sessions changed.
    pub(crate) fn note(&self, app: AppId, user: &str, now: Timestamp) {
        if !self.wanted.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.state.lock();
        if state.due.len() < NOTES_MAX {
            let due = now.plus_ms(DEBOUNCE_MS);
            state.due.entry((app, Arc::from(user))).or_insert(due);
        }
    }

    /// Homes are moving.
    fn unsettle(&self, now: Timestamp) {
        let mut state = self.state.lock();
        state.settled = now.plus_ms(SETTLE_MS);
        state.look_at = Some(state.settled);
    }

    /// Is it time to look through the users told to be online?
    fn look(&self, now: Timestamp) -> bool {
        let mut state = self.state.lock();
        let due = state.look_at.is_some_and(|at| at <= now);
        if due {
            state.look_at = None;
        }
        due
    }

    /// Some users that are due.
    fn take(&self, now: Timestamp) -> Vec<(AppId, Arc<str>)> {
        let mut state = self.state.lock();
        if now < state.settled {
            return Vec::new();
        }
        let is_due = |_: &(AppId, Arc<str>), due: &mut Timestamp| *due <= now;
        let due = state.due.extract_if(.., is_due).take(AT_ONCE);
        due.map(|(user, _)| user).collect()
    }
}

/// The view has changed, or the node has started.
pub(crate) fn unsettle(tools: &Tools) {
    tools.notes.unsettle(tools.env.now());
}

/// Tells what is due until the engine is gone.
pub(crate) async fn work(core: Weak<Core>) {
    let mut apps = BTreeSet::new();
    loop {
        let Some(core) = core.upgrade() else {
            return;
        };
        let tools = &core.tools;
        let now = tools.env.now();
        let wanted: BTreeSet<AppId> = tools.controls.with_presence();
        tools
            .notes
            .wanted
            .store(!wanted.is_empty(), Ordering::Relaxed);
        for app in wanted.difference(&apps) {
            for user in tools.home.users(*app) {
                tools.notes.note(*app, &user, now);
            }
        }
        apps = wanted;
        if !apps.is_empty() && tools.notes.look(now) {
            // What can't be read now is looked at after the next change of view.
            let _ = look_through(tools).await;
        }
        let due = tools.notes.take(now);
        let publishing =
            due.iter()
                .filter(|(app, _)| apps.contains(app))
                .map(async |(app, user)| {
                    if publish(tools, *app, user).await.is_err() {
                        tools.notes.note(*app, user, now);
                    }
                });
        join_all(publishing).await;
        let env = tools.env.clone();
        drop(core);
        env.sleep(WORK_EVERY_MS).await;
    }
}

/// Notes the users told to be online whose home is here.
async fn look_through(tools: &Tools) -> Result<(), Reject> {
    let (view, node, now) = (tools.cluster.view(), tools.cluster.node(), tools.env.now());
    for shard in (0..SHARD_COUNT).map(Shard) {
        if view.owner(shard) != node {
            continue;
        }
        let mut after: Option<Bytes> = None;
        loop {
            let page = tools.store.scan(tables::online(shard, after)).await;
            let page = page.map_err(|e| fault::reject(&e))?;
            for (key, _) in &page.rows {
                if let Some((app, user)) = tables::of_online(key) {
                    tools.notes.note(app, user, now);
                }
            }
            after = page.rows.last().map(|(key, _)| key.clone());
            if !page.more {
                break;
            }
        }
    }
    Ok(())
}

/// Compares what is told of a user with the sessions there are.
async fn publish(tools: &Tools, app: AppId, user: &Arc<str>) -> Result<(), Reject> {
    if tools.cluster.view().home(app, user) != tools.cluster.node() {
        return Ok(());
    }
    let keys = UserKeys::new(app, user);
    let old_bytes = tools.store.get(&keys.presence()).await;
    let old_bytes = old_bytes.map_err(|e| fault::reject(&e))?;
    let old: stored::Presence = tables::decode_some(old_bytes.as_ref())?.unwrap_or_default();
    let sessions = tools.home.sessions(app, user);
    let connected: Vec<(DeviceId, Platform)> = sessions
        .into_iter()
        .map(|session| (session.info.device, session.info.platform))
        .collect();
    let now = tools.env.now();
    let known = rows::devices(&old);
    let devices = observe(&known, &connected, now);
    if devices == known {
        return Ok(());
    }
    let new = stored::Presence {
        devices: rows::device_rows(&devices),
        ..old
    };
    let mut unit = Unit::new()
        .expect_unchanged(keys.presence(), old_bytes)
        .put(keys.presence(), tables::encode(&new));
    unit = match connected.is_empty() {
        true => unit.delete(keys.online()),
        false => unit.put(keys.online(), Bytes::from_static(b"1")),
    };
    match tools.committer.commit(app, unit).await? {
        Outcome::Committed => tell(tools, app, rows::presence(user, &new, now)).await,
        _ => Err(Code::Unavailable.into()),
    }
}

/// Tells those who watch the user.
pub(super) async fn tell(tools: &Tools, app: AppId, presence: Presence) -> Result<(), Reject> {
    let keys = UserKeys::new(app, &presence.user);
    let now = tools.env.now();
    let event = Outgoing::to_all(Event::new(EventBody::Presence(Box::new(presence))));
    let (mut after, mut told) = (None, 0);
    while told < WATCHERS_TOLD_MAX {
        let page = tools
            .store
            .scan(keys.watchers(after, WATCHERS_AT_ONCE))
            .await;
        let page = page.map_err(|e| fault::reject(&e))?;
        let mut watchers: Vec<UserId> = Vec::with_capacity(page.rows.len());
        let mut over = Unit::new();
        for (key, value) in &page.rows {
            let row: stored::Watcher = tables::decode(value)?;
            let Some(watcher) = keys.related(key) else {
                continue;
            };
            if Timestamp(row.until) > now {
                watchers.push(watcher);
            } else {
                let key = keys.watcher(watcher.as_str());
                over = over.expect_equals(key.clone(), value.clone()).delete(key);
            }
        }
        let mut burst = Burst::default();
        let events = std::slice::from_ref(&event);
        tools.fan_out.now(app, &watchers, events, &mut burst);
        burst.flush();
        if !over.writes.is_empty() {
            // If one was renewed meanwhile, all stay until the next time.
            tools.committer.commit(app, over).await?;
        }
        told += page.rows.len();
        after = page.rows.last().map(|(key, _)| key.clone());
        if !page.more {
            break;
        }
    }
    Ok(())
}
