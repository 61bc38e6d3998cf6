//! The sessions of this node that are in rooms.
//!
//! Frames of a room are told one after the other, by one task that exists as long as there are
//! some: it makes one event of what has gathered, encoded once, and hands it to every session, some
//! at a time with other work in between. So a room that is told faster than its members can be
//! reached is told less often, and not with more work.
//!
//! A session takes its seat before the owner is asked to let it in, and so misses nothing of what
//! follows the answer; it may hear something twice and knows by the sequence. A frame that does not
//! follow the one before has the owner asked for what lies between.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anser_bus::NodeId;
use anser_domain::room::Class;
use anser_domain::{AppId, RoomId, Timestamp, UserId};
use anser_proto::cluster as pb;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::host::{Farewell, Frame};
use super::{RoomItem, RoomLeft, RoomPush, wire};
use crate::by_name::{ByName, Name};
use crate::cluster::Cluster;
use crate::delivery::yield_once;
use crate::env::Env;
use crate::event::{Event, EventBody, SessionSink};
use crate::metrics::Metrics;
use crate::session::{Locals, SessionId};
use crate::tables::RoomKeys;

/// Sessions served between two looks at other work.
const CHUNK: usize = 128;
/// Items of one room that wait on a node. Beyond, those of class low go, then the oldest.
const WAITING_MAX: usize = 1_024;
/// Seats from which on there is an index.
const INDEX_FROM: usize = 24;

#[derive(Clone)]
struct Seat {
    session: SessionId,
    user: UserId,
    joined: Timestamp,
    /// Which joining it is.
    entry: u64,
    sink: Arc<dyn SessionSink>,
}

/// The seats of a room, in the order in which they were taken; those that are empty are closed up
/// when they are half of all.
#[derive(Default)]
struct Seats {
    slots: Vec<Option<Seat>>,
    taken: usize,
    index: Option<Box<HashMap<SessionId, usize, RandomState>>>,
    /// Grows whenever slots have moved: whoever walks through them begins again behind those it
    /// has served.
    moved: u64,
}

impl Seats {
    fn place(&self, session: SessionId) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&session).copied(),
            None => {
                let is =
                    |slot: &Option<Seat>| slot.as_ref().is_some_and(|it| it.session == session);
                self.slots.iter().position(is)
            }
        }
    }

    fn take(&mut self, seat: Seat) {
        if let Some(place) = self.place(seat.session) {
            self.slots[place] = Some(seat);
            return;
        }
        let (session, place) = (seat.session, self.slots.len());
        self.slots.push(Some(seat));
        self.taken += 1;
        match &mut self.index {
            Some(index) => drop(index.insert(session, place)),
            None if self.taken >= INDEX_FROM => self.close_up(),
            None => {}
        }
    }

    fn leave(&mut self, session: SessionId) -> Option<Seat> {
        let place = self.place(session)?;
        let seat = self.slots[place].take();
        self.taken -= 1;
        if let Some(index) = &mut self.index {
            index.remove(&session);
        }
        if self.slots.len() > 2 * self.taken + INDEX_FROM {
            self.close_up();
        }
        seat
    }

    fn close_up(&mut self) {
        let before = self.slots.len();
        self.slots.retain(Option::is_some);
        self.moved += u64::from(self.slots.len() != before);
        self.slots.shrink_to(2 * self.taken);
        self.index = (self.taken >= INDEX_FROM).then(|| {
            let seats = self.slots.iter().flatten().enumerate();
            Box::new(seats.map(|(place, seat)| (seat.session, place)).collect())
        });
    }
}

#[derive(Default)]
struct Audience {
    seats: Seats,
    /// What was told last: epoch and sequence.
    last: Option<(u64, u64)>,
    waiting: VecDeque<Frame>,
    items: usize,
    /// Somebody is telling what waits.
    is_told: bool,
    /// Counts beginnings and ends of serving some sessions: odd while they are served.
    served: u64,
    /// The owner that knows of these seats.
    owner: Option<NodeId>,
}

/// See the [module](self).
pub(crate) struct Audiences {
    env: Env,
    cluster: Arc<Cluster>,
    locals: Arc<Locals>,
    metrics: Arc<Metrics>,
    by_name: ByName<Audience>,
    /// Owners may have changed: somebody has to look whose rooms have another one now.
    unsettled: AtomicBool,
    /// Joinings so far.
    entries: AtomicU64,
}

impl Audiences {
    pub(crate) fn new(
        env: Env,
        cluster: Arc<Cluster>,
        locals: Arc<Locals>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let by_name = ByName::new(env.random_u64());
        Self {
            env,
            cluster,
            locals,
            metrics,
            by_name,
            unsettled: AtomicBool::new(false),
            entries: AtomicU64::new(0),
        }
    }

    /// Rooms may have other owners than those that know of the seats here.
    pub(crate) fn unsettle(&self) {
        self.unsettled.store(true, Ordering::Relaxed);
    }

    /// Is there to be looked for [`strays`](Self::strays)? Asked once, it is taken to be done.
    pub(super) fn is_unsettled(&self) -> bool {
        self.unsettled.swap(false, Ordering::Relaxed)
    }

    /// A session hears a room from now on. Says which joining this is, for the owner.
    pub(super) fn seat(
        &self,
        app: AppId,
        room: &RoomId,
        (session, user): (SessionId, &UserId),
        sink: Arc<dyn SessionSink>,
    ) -> u64 {
        let entry = self.entries.fetch_add(1, Ordering::Relaxed) + 1;
        let mut stripe = self.by_name.stripe(app, room.as_str());
        let key = (app, Arc::from(room.as_str()));
        let audience = stripe.entry(key).or_default();
        audience.seats.take(Seat {
            session,
            user: user.clone(),
            joined: self.env.now(),
            entry,
            sink,
        });
        entry
    }

    /// The owner has let sessions of this node in.
    pub(super) fn known_to(&self, app: AppId, room: &RoomId, owner: NodeId) {
        let mut stripe = self.by_name.stripe(app, room.as_str());
        if let Some(audience) = stripe.get_mut(&Name(app, room.as_str())) {
            audience.owner.get_or_insert(owner);
        }
    }

    /// A session hears it no more. Says which joining is the last that this undoes.
    pub(crate) fn unseat(&self, app: AppId, room: &RoomId, session: SessionId) -> u64 {
        let mut stripe = self.by_name.stripe(app, room.as_str());
        if let Some(audience) = stripe.get_mut(&Name(app, room.as_str())) {
            audience.seats.leave(session);
            if audience.seats.taken == 0 && !audience.is_told {
                stripe.remove(&Name(app, room.as_str()));
            }
        }
        self.entries.load(Ordering::Relaxed)
    }

    /// Done when sessions that were being served when this was asked have been: one whose seat was
    /// taken away before then hears nothing any more.
    pub(super) async fn serve_out(&self, app: AppId, room: &RoomId) {
        let served = || {
            let stripe = self.by_name.stripe(app, room.as_str());
            let audience = stripe.get(&Name(app, room.as_str()));
            audience.map_or(0, |audience| audience.served)
        };
        let begun = served();
        while begun % 2 == 1 && served() == begun {
            self.env.sleep(1).await;
        }
    }

    /// Has what happened in a room told to its sessions here, behind what is being told.
    pub(crate) fn tell(self: &Arc<Self>, frame: Frame) {
        let (app, room) = (frame.app, frame.room.clone());
        {
            let mut stripe = self.by_name.stripe(app, room.as_str());
            let Some(audience) = stripe.get_mut(&Name(app, room.as_str())) else {
                return;
            };
            audience.items += frame.items.len();
            audience.waiting.push_back(frame);
            if audience.items > WAITING_MAX {
                self.thin(audience);
            }
            if std::mem::replace(&mut audience.is_told, true) {
                return;
            }
        }
        let shard = RoomKeys::new(app, &room).shard();
        let this = self.clone();
        let telling = async move { this.work(app, &room).await };
        self.env.spawn_broadcast(u64::from(shard.0), telling);
    }

    /// Too much waits: what is of class low goes, and if that is not enough, the oldest.
    fn thin(&self, audience: &mut Audience) {
        let before = audience.items;
        for frame in &mut audience.waiting {
            frame.items.retain(|item| item.class > Class::Low);
        }
        audience.items = audience.waiting.iter().map(|it| it.items.len()).sum();
        for frame in &mut audience.waiting {
            if audience.items <= WAITING_MAX {
                break;
            }
            audience.items -= frame.items.len();
            frame.items.clear();
        }
        let dropped = (before - audience.items) as u64;
        let counter = &self.metrics.room_items_late;
        counter.fetch_add(dropped, Ordering::Relaxed);
    }

    async fn work(self: &Arc<Self>, app: AppId, room: &RoomId) {
        loop {
            let (frames, last) = {
                let mut stripe = self.by_name.stripe(app, room.as_str());
                let Some(audience) = stripe.get_mut(&Name(app, room.as_str())) else {
                    return;
                };
                if audience.waiting.is_empty() {
                    audience.waiting = VecDeque::new();
                    audience.is_told = false;
                    if audience.seats.taken == 0 {
                        stripe.remove(&Name(app, room.as_str()));
                    }
                    return;
                }
                audience.items = 0;
                (std::mem::take(&mut audience.waiting), audience.last)
            };
            let mut telling = Telling::new(last);
            for mut frame in frames {
                if telling.misses_something(&frame) {
                    self.fill(&mut frame, telling.seq).await;
                }
                if !telling.takes(&frame) {
                    self.hand_out(app, room, telling.push(room)).await;
                }
                let (left, destroyed) = telling.take(frame);
                if !left.is_empty() || destroyed.is_some() {
                    self.hand_out(app, room, telling.push(room)).await;
                }
                for leaver in left {
                    self.dismiss(app, room, leaver.session, &leaver.farewell);
                }
                if let Some(farewell) = destroyed {
                    self.dismiss_all(app, room, &farewell).await;
                }
            }
            self.hand_out(app, room, telling.push(room)).await;
            let mut stripe = self.by_name.stripe(app, room.as_str());
            if let Some(audience) = stripe.get_mut(&Name(app, room.as_str())) {
                audience.last = telling.epoch.map(|epoch| (epoch, telling.seq));
            }
        }
    }

    /// Asks the owner for what lies before a frame.
    async fn fill(&self, frame: &mut Frame, after: u64) {
        let owner = self
            .cluster
            .view()
            .owner(RoomKeys::new(frame.app, &frame.room).shard());
        if owner == self.cluster.node() {
            return;
        }
        let request = pb::room_request::Request::Fetch(pb::RoomFetch {
            epoch: frame.epoch,
            after,
        });
        let request = pb::request::Request::Room(pb::RoomRequest {
            app: frame.app.0,
            room: frame.room.to_string(),
            user: String::new(),
            request: Some(request),
        });
        let Ok(pb::response::Response::Room(answer)) = self.cluster.request(owner, request).await
        else {
            return;
        };
        let Some(pb::room_answer::Answer::Fetched(fetched)) = answer.answer else {
            return;
        };
        let Ok(items) = wire::items_from(fetched.items) else {
            return;
        };
        if fetched.epoch == frame.epoch {
            let between = items.into_iter().filter(|item| item.seq <= frame.prev);
            let mut whole: Vec<RoomItem> = between.collect();
            frame.prev = whole.first().map_or(frame.prev, |item| item.seq - 1);
            whole.append(&mut frame.items);
            frame.items = whole;
        }
    }

    /// To every seat.
    async fn hand_out(&self, app: AppId, room: &RoomId, push: Option<Arc<Event>>) {
        let Some(event) = push else {
            return;
        };
        let events = [event];
        let (mut at, mut moved, mut served) = (0, None, Vec::new());
        loop {
            let some: Vec<(SessionId, Arc<dyn SessionSink>)> = {
                let mut stripe = self.by_name.stripe(app, room.as_str());
                let Some(audience) = stripe.get_mut(&Name(app, room.as_str())) else {
                    return;
                };
                let seats = &audience.seats;
                if *moved.get_or_insert(seats.moved) != seats.moved {
                    // Those before the last that was served and is still there were served.
                    moved = Some(seats.moved);
                    let last = served.iter().rev().find_map(|id| seats.place(*id));
                    at = last.map_or(0, |place| place + 1);
                }
                let rest = seats.slots[at.min(seats.slots.len())..].iter();
                let end = (at + CHUNK).min(seats.slots.len());
                let some = rest.take(CHUNK).flatten();
                let some = some.map(|seat| (seat.session, seat.sink.clone())).collect();
                if at >= end {
                    return;
                }
                at = end;
                audience.served += 1;
                some
            };
            for (_, sink) in &some {
                sink.deliver(&events);
            }
            self.have_served(app, room);
            let count = some.len() as u64;
            self.metrics
                .room_deliveries
                .fetch_add(count, Ordering::Relaxed);
            served.splice(.., some.into_iter().map(|(session, _)| session));
            yield_once().await;
        }
    }

    fn have_served(&self, app: AppId, room: &RoomId) {
        let mut stripe = self.by_name.stripe(app, room.as_str());
        if let Some(audience) = stripe.get_mut(&Name(app, room.as_str())) {
            audience.served += 1;
        }
    }

    fn dismiss(&self, app: AppId, room: &RoomId, session: SessionId, farewell: &Farewell) {
        let seat = {
            let mut stripe = self.by_name.stripe(app, room.as_str());
            let audience = stripe.get_mut(&Name(app, room.as_str()));
            audience.and_then(|audience| audience.seats.leave(session))
        };
        if let Some(seat) = seat {
            self.locals.left_room(session, room);
            seat.sink.push(&left(room, farewell));
            seat.sink.flush();
        }
    }

    async fn dismiss_all(&self, app: AppId, room: &RoomId, farewell: &Farewell) {
        let seats = {
            let mut stripe = self.by_name.stripe(app, room.as_str());
            let audience = stripe.get_mut(&Name(app, room.as_str()));
            audience.map(|audience| std::mem::take(&mut audience.seats))
        };
        let event = left(room, farewell);
        let slots = seats.map(|seats| seats.slots).unwrap_or_default();
        for chunk in slots.chunks(CHUNK) {
            for seat in chunk.iter().flatten() {
                self.locals.left_room(seat.session, room);
                seat.sink.push(&event);
                seat.sink.flush();
            }
            yield_once().await;
        }
    }

    /// Rooms whose present owner does not know of the seats here, with these.
    pub(super) fn strays(&self) -> Vec<(AppId, RoomId, NodeId, Vec<pb::RoomReturner>)> {
        let (view, mut strays) = (self.cluster.view(), Vec::new());
        self.by_name.for_each_stripe(|_, stripe| {
            for ((app, name), audience) in stripe.iter() {
                let Ok(room) = RoomId::new(name) else {
                    continue;
                };
                let owner = view.owner(RoomKeys::new(*app, &room).shard());
                // Those of which no owner knows are being let in.
                if audience.owner.is_none_or(|known| known == owner) {
                    continue;
                }
                let seats = audience.seats.slots.iter().flatten();
                let returners = seats.map(|seat| pb::RoomReturner {
                    user: seat.user.to_string(),
                    session: seat.session.0,
                    joined_time: seat.joined.0,
                    entry: seat.entry,
                });
                strays.push((*app, room, owner, returners.collect()));
            }
        });
        strays
    }

    /// The room is gone with its owner.
    pub(super) fn tell_destroyed(self: &Arc<Self>, app: AppId, room: &RoomId) {
        self.tell(Frame {
            app,
            room: room.clone(),
            epoch: 0,
            prev: 0,
            items: Vec::new(),
            member_count: None,
            attributes_version: 0,
            left: Vec::new(),
            destroyed: Some(Farewell::new(super::LeftReason::Destroyed)),
        });
    }

    /// The owner knows them now.
    pub(super) fn returned(&self, app: AppId, room: &RoomId, owner: NodeId) {
        let mut stripe = self.by_name.stripe(app, room.as_str());
        if let Some(audience) = stripe.get_mut(&Name(app, room.as_str())) {
            audience.owner = Some(owner);
        }
    }
}

fn left(room: &RoomId, farewell: &Farewell) -> Arc<Event> {
    Event::new(EventBody::RoomLeft(Box::new(RoomLeft {
        room: room.clone(),
        reason: farewell.reason,
        until: farewell.until,
        extra: farewell.extra.clone(),
    })))
}

/// Frames that become one event.
struct Telling {
    epoch: Option<u64>,
    /// The last sequence that was told, or will be.
    seq: u64,
    prev: u64,
    items: Vec<RoomItem>,
    member_count: Option<u32>,
    attributes_version: u64,
}

impl Telling {
    fn new(last: Option<(u64, u64)>) -> Self {
        let (epoch, seq) = match last {
            Some((epoch, seq)) => (Some(epoch), seq),
            None => (None, 0),
        };
        Self {
            epoch,
            seq,
            prev: seq,
            items: Vec::new(),
            member_count: None,
            attributes_version: 0,
        }
    }

    fn misses_something(&self, frame: &Frame) -> bool {
        self.epoch == Some(frame.epoch) && frame.prev > self.seq
    }

    /// May it go out with those before?
    fn takes(&self, frame: &Frame) -> bool {
        self.epoch == Some(frame.epoch) || self.items.is_empty()
    }

    fn take(&mut self, frame: Frame) -> (Vec<super::host::Leaver>, Option<Farewell>) {
        if self.epoch != Some(frame.epoch) {
            self.epoch = Some(frame.epoch);
            (self.seq, self.prev) = (frame.prev, frame.prev);
        } else if self.items.is_empty() {
            self.prev = self.seq;
        }
        let seq = self.seq;
        let new = frame.items.into_iter().filter(|item| item.seq > seq);
        self.items.extend(new);
        self.seq = self
            .items
            .last()
            .map_or(seq.max(frame.prev), |item| item.seq);
        self.member_count = frame.member_count.or(self.member_count);
        self.attributes_version = frame.attributes_version;
        (frame.left, frame.destroyed)
    }

    fn push(&mut self, room: &RoomId) -> Option<Arc<Event>> {
        let member_count = self.member_count.take();
        if self.items.is_empty() && member_count.is_none() {
            return None;
        }
        let push = RoomPush::new(
            room.clone(),
            (self.epoch?, self.prev),
            std::mem::take(&mut self.items),
            member_count,
            self.attributes_version,
        );
        self.prev = self.seq;
        Some(Event::new(EventBody::Room(Box::new(push))))
    }
}
