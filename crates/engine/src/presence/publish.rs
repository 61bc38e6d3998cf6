//! From sessions to what is told of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use anser_domain::presence::observe;
use anser_domain::{AppId, Code, DeviceId, Platform, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Outcome, SHARD_COUNT, Shard, Unit};
use bytes::Bytes;
use futures::future::join_all;

use super::notes::Look;
use super::{Presence, rows};
use crate::delivery::{Burst, Outgoing};
use crate::engine::Core;
use crate::event::{Event, EventBody};
use crate::fault;
use crate::tables::{self, UserKeys};
use crate::tools::Tools;

/// Rhythm of the worker.
const WORK_EVERY_MS: u64 = 250;
/// Users whose row is compared at a time.
const AT_ONCE: usize = 256;
/// Watchers of one user who are told; the others may ask.
const WATCHERS_TOLD_MAX: usize = 10_000;
/// Watchers read at a time.
const WATCHERS_AT_ONCE: usize = 500;

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
        tools.notes.want(!wanted.is_empty());
        for app in wanted.difference(&apps) {
            for user in tools.home.users(*app) {
                tools.notes.note(*app, &user, now);
            }
            // Rows of an earlier time when it was on.
            tools.notes.look_anew(now);
        }
        apps = wanted;
        if !apps.is_empty()
            && let Some(look) = tools.notes.look(now)
        {
            look_through(tools, look).await;
        }
        let due = tools.notes.take(now, AT_ONCE);
        let is_all = due.len() < AT_ONCE;
        let publishing = due
            .into_iter()
            .filter(|((app, _), _)| apps.contains(app))
            .map(async |((app, user), mut owed)| {
                let published = publish(tools, app, &user, &mut owed).await;
                if published.is_err() {
                    note_again(tools, app, &user, owed);
                }
                published.is_ok()
            });
        let published = join_all(publishing).await;
        let env = tools.env.clone();
        drop(core);
        if is_all || published.contains(&false) {
            env.sleep(WORK_EVERY_MS).await;
        }
    }
}

fn note_again(tools: &Tools, app: AppId, user: &str, owed: bool) {
    let now = tools.env.now();
    let noted = match owed {
        true => tools.notes.owe(app, user, now),
        false => tools.notes.note(app, user, now),
    };
    if !noted {
        tracing::warn!(
            app = app.0,
            "a change of presence is told with the user's next one"
        );
    }
}

/// Notes the users told to be online whose home is here. When there is no room for more, or the
/// store is out of reach, it goes on later.
async fn look_through(tools: &Tools, mut look: Look) {
    if !look_as_far_as_it_goes(tools, &mut look).await {
        tools.notes.look_on(look, tools.env.now());
    }
}

/// `false`: there is more.
async fn look_as_far_as_it_goes(tools: &Tools, look: &mut Look) -> bool {
    let (view, node, now) = (tools.cluster.view(), tools.cluster.node(), tools.env.now());
    while look.shard < SHARD_COUNT {
        let shard = Shard(look.shard);
        let mut more = view.owner(shard) == node;
        while more {
            let scan = tables::online(shard, look.after.clone());
            let Ok(page) = tools.store.scan(scan).await else {
                return false;
            };
            for (key, _) in page.rows {
                if let Some((app, user)) = tables::of_online(&key)
                    && !tools.notes.note(app, user, now)
                {
                    return false;
                }
                look.after = Some(key);
            }
            more = page.more;
        }
        look.shard += 1;
        look.after = None;
    }
    true
}

/// Compares what is told of a user with the sessions there are. `owed`: it was stored, or may have
/// been, and nobody was told.
async fn publish(
    tools: &Tools,
    app: AppId,
    user: &Arc<str>,
    owed: &mut bool,
) -> Result<(), Reject> {
    let is_home = tools.cluster.view().home(app, user) == tools.cluster.node();
    if !is_home && !*owed {
        return Ok(());
    }
    let keys = UserKeys::new(app, user);
    let old_bytes = tools.store.get(&keys.presence()).await;
    let old_bytes = old_bytes.map_err(|e| fault::reject(&e))?;
    let mut row: stored::Presence = tables::decode_some(old_bytes.as_ref())?.unwrap_or_default();
    let now = tools.env.now();
    if is_home {
        let sessions = tools.home.sessions(app, user);
        let connected: Vec<(DeviceId, Platform)> = sessions
            .into_iter()
            .map(|session| (session.info.device, session.info.platform))
            .collect();
        let known = rows::devices(&row);
        let devices = observe(&known, &connected, now);
        if devices != known {
            row.devices = rows::device_rows(&devices);
            let mut unit = Unit::new()
                .expect_unchanged(keys.presence(), old_bytes)
                .put(keys.presence(), tables::encode(&row));
            unit = match connected.is_empty() {
                true => unit.delete(keys.online()),
                false => unit.put(keys.online(), Bytes::from_static(b"1")),
            };
            match tools.committer.commit(app, unit).await? {
                Outcome::Committed => *owed = true,
                Outcome::Unknown(_) => {
                    *owed = true;
                    return Err(Code::Unavailable.into());
                }
                _ => return Err(Code::Unavailable.into()),
            }
        }
    }
    if *owed {
        tell(tools, app, rows::presence(user, &row, now)).await?;
    }
    Ok(())
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
