//! The rooms that this node owns.
//!
//! A room is taken up from the store when somebody asks for it, and is in memory until it is
//! destroyed, or another node owns it. None has a task of its own while nothing happens in it: what
//! has to be told wakes one up, and everything that time brings about — members who are away too
//! long, rooms that are over — is found by one task that looks around ([`work`]).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use anser_bus::NodeId;
use anser_domain::limits::{
    ROOM_AWAY_SECONDS, ROOM_IDLE_MINUTES, ROOM_MISSED, ROOM_WINDOW_MESSAGES, ROOM_WINDOW_PROTECTED,
    ROOM_WINDOW_RESERVED,
};
use anser_domain::room::quota::Shares;
use anser_domain::room::stay::Patience;
use anser_domain::{AppId, Code, Reject, RoomId};
use anser_store::{SHARD_COUNT, Shard};
use futures::lock::Mutex as Turn;
use parking_lot::Mutex;

use super::history::Behind;
use super::host::{Due, Host, Rules};
use super::{attributes, decided, history, record, wire};
use crate::by_name::{ByName, Name, STRIPES};
use crate::engine::{Core, Engine};
use crate::fault;
use crate::metrics::count;
use crate::tables::{self, RoomKeys};
use crate::tools::Tools;

/// How often it looks around.
const LOOK_EVERY_MS: u64 = 1_000;
/// Looks between two walks through the stored rooms of this node.
const WALK_LOOKS: u64 = 3_600;
/// The store is told that a room is in use only so often.
pub(super) const ACTIVE_EVERY_MS: u64 = 600_000;
/// Rooms of a shard that a walk reads at a time.
const WALK_PAGE: usize = 256;

/// A room that this node owns.
pub(super) struct Room {
    pub(super) app: AppId,
    pub(super) id: RoomId,
    pub(super) host: Mutex<Host>,
    /// Whose turn it is to change what is decided about the room.
    pub(super) turn: Turn<()>,
    pub(super) behind: Mutex<Behind>,
}

/// See the [module](self).
pub(crate) struct Rooms {
    tools: Arc<Tools>,
    by_name: ByName<Arc<Room>>,
    /// Rooms in which somebody may be away.
    away: Mutex<BTreeSet<(AppId, RoomId)>>,
    /// The stripe that is looked through next for rooms that are over.
    stripe: AtomicUsize,
}

impl Rooms {
    pub(crate) fn new(tools: Arc<Tools>) -> Self {
        let by_name = ByName::new(tools.env.random_u64());
        Self {
            tools,
            by_name,
            away: Mutex::default(),
            stripe: AtomicUsize::new(0),
        }
    }

    pub(super) fn tools(&self) -> &Arc<Tools> {
        &self.tools
    }

    /// A room that is in memory.
    pub(super) fn get(&self, app: AppId, id: &RoomId) -> Option<Arc<Room>> {
        let stripe = self.by_name.stripe(app, id.as_str());
        stripe.get(&Name(app, id.as_str())).cloned()
    }

    /// A room, taken up if it is not in memory. With `make` also one that is not there: it is for
    /// the caller to say that it exists, or to [`drop`](Self::let_go) it.
    ///
    /// # Errors
    /// `ROOM_NOT_FOUND`.
    pub(super) async fn room(
        &self,
        app: AppId,
        id: &RoomId,
        make: bool,
    ) -> Result<Arc<Room>, Reject> {
        if let Some(room) = self.get(app, id) {
            return match make || room.host.lock().exists {
                true => Ok(room),
                false => Err(Code::RoomNotFound.into()),
            };
        }
        let record = record::read(&self.tools, app, id).await?;
        if !make && !record.exists() {
            return Err(Code::RoomNotFound.into());
        }
        let now = self.tools.env.now();
        // Not zero, and a number that every client can hold.
        let epoch = self.tools.env.random_u64() >> 11 | 1;
        let host = record.into_host(epoch, now);
        let is_awaited = host.members.has_away();
        let room = Arc::new(Room {
            app,
            id: id.clone(),
            host: Mutex::new(host),
            turn: Turn::new(()),
            behind: Mutex::default(),
        });
        if is_awaited {
            self.watch(&room);
        }
        let mut stripe = self.by_name.stripe(app, id.as_str());
        // Somebody else may have taken it up meanwhile.
        let known = stripe.entry((app, Arc::from(id.as_str())));
        Ok(known.or_insert(room).clone())
    }

    /// Forgets a room that does not exist.
    pub(super) fn let_go(&self, room: &Room) {
        let mut stripe = self.by_name.stripe(room.app, room.id.as_str());
        let name = Name(room.app, room.id.as_str());
        let is_void = stripe.get(&name).is_some_and(|known| {
            let mut host = known.host.lock();
            host.is_gone |= std::ptr::eq(&raw const **known, room) && !host.exists;
            host.is_gone
        });
        if is_void {
            stripe.remove(&name);
        }
    }

    /// How many rooms there are in memory.
    pub(crate) fn count(&self) -> usize {
        let mut count = 0;
        self.by_name
            .for_each_stripe(|_, stripe| count += stripe.len());
        count
    }

    /// What the app's settings say about messages in its rooms.
    pub(super) fn rules(&self, app: AppId) -> Rules {
        let own = self.tools.controls.settings(app);
        Rules {
            shares: Shares {
                ordinary: own.room_window_messages.unwrap_or(ROOM_WINDOW_MESSAGES),
                reserved: own.room_window_reserved.unwrap_or(ROOM_WINDOW_RESERVED),
                protected: own.room_window_protected.unwrap_or(ROOM_WINDOW_PROTECTED),
            },
            types: self.tools.controls.room_types(app),
        }
    }

    fn patience(&self, app: AppId) -> Patience {
        let own = self.tools.controls.settings(app);
        Patience {
            missed_max: u64::from(own.room_missed.unwrap_or(ROOM_MISSED)),
            away_ms_max: u64::from(own.room_away_seconds.unwrap_or(ROOM_AWAY_SECONDS)) * 1_000,
        }
    }

    /// Something happened in a room: those who have missed too much leave, and it is told when it
    /// is time. For whoever holds the room's lock.
    pub(super) fn advance(self: &Arc<Self>, room: &Arc<Room>, host: &mut Host) {
        let now = self.tools.env.now();
        self.see_off(room, host);
        match host.due(now) {
            Due::Now => self.tell(room, host),
            Due::In(ms) => self.come_back(room, ms, false),
            Due::Later => {}
        }
        if let Some(ms) = host.count_due(now) {
            self.come_back(room, ms, true);
        }
    }

    fn come_back(self: &Arc<Self>, room: &Arc<Room>, ms: u64, to_count: bool) {
        let (this, room, env) = (self.clone(), room.clone(), self.tools.env.clone());
        self.tools.env.spawn(async move {
            env.sleep(ms).await;
            let mut host = room.host.lock();
            if to_count {
                if host.is_back_to_count() {
                    this.tell(&room, &mut host);
                }
            } else {
                host.is_back();
                this.advance(&room, &mut host);
            }
        });
    }

    /// Tells what has happened, to all nodes with members. Under the room's lock, so that frames
    /// leave in order; it waits for nothing.
    fn tell(&self, room: &Room, host: &mut Host) {
        let now = self.tools.env.now();
        let (frame, nodes) = host.take_frame(room.app, &room.id, now);
        if frame.destroyed.is_some() {
            host.members = Default::default();
        }
        let cluster = &self.tools.cluster;
        for node in nodes.iter().filter(|node| **node != cluster.node()) {
            cluster.send(*node, wire::frame(&frame, *node));
        }
        if nodes.contains(&cluster.node()) {
            let mut frame = frame;
            frame.left.retain(|leaver| leaver.node == cluster.node());
            self.tools.audiences.tell(frame);
        }
    }

    /// Whoever is away too long leaves.
    fn see_off(self: &Arc<Self>, room: &Arc<Room>, host: &mut Host) {
        if !host.members.has_away() {
            return;
        }
        let (patience, seq, now) = (self.patience(room.app), host.seq, self.tools.env.now());
        let mut gone = Vec::new();
        let Host {
            members, people, ..
        } = host;
        let spared = |user: &_| people.get(user).is_some_and(|one| one.is_protected());
        while let Some(user) = members.next_gone(patience, seq, now, spared) {
            gone.push(user);
        }
        self.gone(room, host, gone);
    }

    /// These users are not in the room any more: what they leave behind goes.
    pub(super) fn gone(
        self: &Arc<Self>,
        room: &Arc<Room>,
        host: &Host,
        users: Vec<anser_domain::UserId>,
    ) {
        let leaves = |user: &anser_domain::UserId| {
            let mut all = host.attributes.values();
            all.any(|one| one.leaves && one.owner.as_ref() == Some(user))
        };
        let users: Vec<_> = users.into_iter().filter(leaves).collect();
        if users.is_empty() {
            return;
        }
        let (this, room) = (self.clone(), room.clone());
        let clear = async move { attributes::clear_up(&this, &room, &users).await };
        self.tools.env.spawn(clear);
    }

    /// Somebody in it may be away: it is looked at every second.
    pub(super) fn watch(&self, room: &Room) {
        self.away.lock().insert((room.app, room.id.clone()));
    }

    /// Other nodes are alive than before.
    pub(crate) fn view_changed(self: &Arc<Self>) {
        let view = self.tools.cluster.view();
        let mut mine = Vec::new();
        self.by_name.for_each_stripe(|_, stripe| {
            stripe.retain(|_, room| {
                let shard = RoomKeys::new(room.app, &room.id).shard();
                view.owner(shard) == self.tools.cluster.node()
            });
            mine.extend(stripe.values().cloned());
        });
        for room in mine {
            self.lost(&room, |node| !view.contains(node));
        }
    }

    /// A node has started again: its sessions are gone.
    pub(crate) fn node_lost(self: &Arc<Self>, node: NodeId) {
        let mut all = Vec::new();
        self.by_name
            .for_each_stripe(|_, stripe| all.extend(stripe.values().cloned()));
        for room in all {
            self.lost(&room, |one| one == node);
        }
    }

    fn lost(self: &Arc<Self>, room: &Arc<Room>, gone: impl Fn(NodeId) -> bool) {
        let mut host = room.host.lock();
        let (seq, now) = (host.seq, self.tools.env.now());
        if host.members.unseat_nodes(gone, seq, now) {
            self.watch(room);
        }
    }

    /// Rooms in which somebody may have been away too long.
    fn look_for_gone(self: &Arc<Self>) {
        let rooms: Vec<_> = self.away.lock().iter().cloned().collect();
        for (app, id) in rooms {
            let still = self.get(app, &id).is_some_and(|room| {
                let mut host = room.host.lock();
                self.advance(&room, &mut host);
                host.members.has_away()
            });
            if !still {
                self.away.lock().remove(&(app, id));
            }
        }
    }

    /// Rooms of one stripe that are over, and those of which the store does not know that they
    /// are in use.
    async fn look_for_over(self: &Arc<Self>) {
        let stripe = self.stripe.fetch_add(1, Ordering::Relaxed) % STRIPES;
        let rooms: Vec<Arc<Room>> = self.by_name.lock(stripe).values().cloned().collect();
        for room in rooms {
            let is_over = self.is_over(&room);
            let is_behind = room.host.lock().needs_touch(ACTIVE_EVERY_MS);
            // What goes wrong is tried again with the next look.
            let result = match (is_over, is_behind) {
                (true, _) => decided::destroy(self, &room).await,
                (false, true) => decided::touch(self, &room).await,
                (false, false) => continue,
            };
            if let Err(reject) = result {
                tracing::warn!(%reject, room = %room.id, "a room could not be put in order");
            }
        }
    }

    fn is_over(&self, room: &Room) -> bool {
        let host = room.host.lock();
        let life = host
            .settings
            .life(host.created, self.idle_minutes(room.app));
        let now = self.tools.env.now();
        life.is_over(host.active, host.settings.kept_alive, now)
    }

    fn idle_minutes(&self, app: AppId) -> u32 {
        let own = self.tools.controls.settings(app).room_idle_minutes;
        own.unwrap_or(ROOM_IDLE_MINUTES)
    }

    /// Takes up those stored rooms of this node that may be over, so that they are looked at, and
    /// removes messages that were kept long enough.
    async fn walk(self: &Arc<Self>) -> Result<(), Reject> {
        for shard in (0..SHARD_COUNT).map(Shard) {
            if self.tools.cluster.view().owner(shard) != self.tools.cluster.node() {
                continue;
            }
            let mut after = None;
            loop {
                let scan = tables::rooms(shard, after, WALK_PAGE);
                let page = self.tools.store.scan(scan).await;
                let page = page.map_err(|e| fault::reject(&e))?;
                for (key, _) in &page.rows {
                    if let Some((app, id)) = tables::of_room(key) {
                        self.look_at_stored(app, &id).await?;
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

    async fn look_at_stored(self: &Arc<Self>, app: AppId, id: &RoomId) -> Result<(), Reject> {
        let (tools, now) = (&self.tools, self.tools.env.now());
        let record = record::read(tools, app, id).await?;
        let (settings, created) = record.life();
        history::remove_old(tools, app, id, settings.history_days).await?;
        let life = settings.life(created, self.idle_minutes(app));
        if !record.exists() || !life.is_over(record.active(), settings.kept_alive, now) {
            return Ok(());
        }
        // It may have been in use longer than was written.
        let room = self.room(app, id, false).await?;
        if self.is_over(&room) {
            decided::destroy(self, &room).await?;
        }
        Ok(())
    }
}

/// Looks around until the engine is gone.
pub(crate) async fn work(core: Weak<Core>) {
    let mut looks = 0_u64;
    loop {
        let Some(engine) = core.upgrade().map(|core| Engine { core }) else {
            return;
        };
        if engine.core.stopping.load(Ordering::Relaxed) {
            return;
        }
        let rooms = &engine.core.rooms;
        rooms.look_for_gone();
        rooms.look_for_over().await;
        engine.return_to_rooms().await;
        if looks.is_multiple_of(WALK_LOOKS)
            && let Err(reject) = rooms.walk().await
        {
            count(&rooms.tools.metrics.room_walks_failed);
            tracing::warn!(%reject, "stored rooms could not be looked through");
        }
        looks += 1;
        let env = rooms.tools.env.clone();
        drop(engine);
        env.sleep(LOOK_EVERY_MS).await;
    }
}
