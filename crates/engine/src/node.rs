//! A node among others: what it hears, what it does by itself, how it comes and goes.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use anser_bus::{Handler, NodeId};
use anser_domain::{AppId, Code, DeviceId, Reject};
use anser_proto::cluster as pb;
use bytes::Bytes;
use futures::channel::oneshot;
use futures::future::{BoxFuture, join};
use pb::packet::Body;
use pb::request::Request;
use pb::response::Response;
use prost::Message as _;

use crate::cluster::{ALIVE_EVERY_MS, Continuity, View, group_wire, wire};
use crate::control;
use crate::conversation::Command;
use crate::delivery::{Burst, Outgoing};
use crate::engine::{Core, Engine};
use crate::event::{Event, EventBody, Reply};
use crate::metrics::count;
use crate::presence;
use crate::retention;
use crate::room;
use crate::session::SessionId;
use crate::user;

/// How long a stopping node waits for its last commits.
const DRAIN_MS: u64 = 10_000;
/// Beats of the heart between two looks for idle actors.
const IDLE_BEATS: u64 = 20;
/// Beats between two looks through the whole outbox: rows that nobody knows of, because the
/// commit that wrote them was given up as unknown, are few.
const OUTBOX_BEATS: u64 = 120;

/// Hears the bus. Weak, since the bus holds it and must not keep a stopped engine alive.
struct Ear(Weak<Core>);

/// Starts hearing and the work in the background.
pub(crate) fn enter(engine: &Engine) {
    let core = &engine.core;
    let ear: Arc<dyn Handler> = Arc::new(Ear(Arc::downgrade(core)));
    core.tools.cluster.bus().serve(ear.clone());
    core.outbox.serve(Arc::downgrade(core));
    core.outbox.look_everywhere();
    core.tools.cluster.say_alive(false);
    core.tools.env.spawn(heart(Arc::downgrade(core), ear));
    core.tools.env.spawn(mender(Arc::downgrade(core)));
    core.tools
        .env
        .spawn(retention::walker(Arc::downgrade(core)));
    core.tools.env.spawn(control::watch(Arc::downgrade(core)));
    presence::unsettle(&core.tools);
    core.tools.env.spawn(presence::work(Arc::downgrade(core)));
    core.tools.env.spawn(room::work(Arc::downgrade(core)));
}

/// Sees what was accepted through, closes all sessions and says good-bye.
pub(crate) async fn leave(engine: &Engine) {
    let core = &engine.core;
    core.tools.committer.drained(DRAIN_MS).await;
    for (session, _) in core.locals.all() {
        session.sink.close(Code::ShuttingDown.into());
    }
    core.tools.cluster.say_alive(true);
    core.tools.cluster.bus().leave();
}

/// Beats until the engine is gone: says "alive", renews the view. Waits for nothing else, since
/// the others take a silent node for dead. Holds the ear, which the bus knows only weakly.
async fn heart(core: Weak<Core>, ear: Arc<dyn Handler>) {
    let mut beats = 0_u64;
    loop {
        let Some(engine) = core.upgrade().map(|core| Engine { core }) else {
            break;
        };
        if engine.core.stopping.load(Ordering::Relaxed) {
            break;
        }
        let tools = &engine.core.tools;
        tools.cluster.say_alive(false);
        if let Some(view) = tools.cluster.renew_view() {
            engine.view_changed(&view);
        }
        beats += 1;
        if beats.is_multiple_of(IDLE_BEATS) {
            engine.core.conversations.drop_idle();
        }
        if beats.is_multiple_of(OUTBOX_BEATS) {
            engine.core.outbox.look_everywhere();
        }
        let env = tools.env.clone();
        drop(engine);
        env.sleep(ALIVE_EVERY_MS).await;
    }
    drop(ear);
}

/// Sweeps what is left over, in the rhythm of the heart: effects, and sessions that homes have to
/// hear of. The store and other nodes may take their time.
async fn mender(core: Weak<Core>) {
    loop {
        let Some(engine) = core.upgrade().map(|core| Engine { core }) else {
            break;
        };
        if engine.core.stopping.load(Ordering::Relaxed) {
            break;
        }
        join(engine.core.outbox.sweep(), engine.mend_sessions()).await;
        let env = engine.core.tools.env.clone();
        drop(engine);
        env.sleep(ALIVE_EVERY_MS).await;
    }
}

impl Handler for Ear {
    fn packet(&self, from: NodeId, packet: Bytes) {
        let Some(engine) = self.0.upgrade().map(|core| Engine { core }) else {
            return;
        };
        match pb::Packet::decode(packet) {
            Ok(packet) => engine.hear(from, packet),
            Err(error) => tracing::error!(%error, ?from, "a packet does not decode"),
        }
    }

    fn request(&self, from: NodeId, request: Bytes) -> BoxFuture<'static, Option<Bytes>> {
        let engine = self.0.upgrade().map(|core| Engine { core });
        Box::pin(async move {
            let engine = engine?;
            let response = match pb::Request::decode(request)
                .ok()
                .and_then(|request| request.request)
            {
                Some(request) => engine.answer(request).await,
                None => Err(wire::garbled()),
            };
            tracing::trace!(?from, "answered");
            let response =
                response.unwrap_or_else(|reject| Response::Reject(wire::reject(&reject)));
            Some(
                pb::Response {
                    response: Some(response),
                }
                .encode_to_vec()
                .into(),
            )
        })
    }
}

impl Engine {
    fn hear(&self, from: NodeId, packet: pb::Packet) {
        let tools = &self.core.tools;
        match tools.cluster.heard(from, &packet) {
            Continuity::Whole => {}
            Continuity::Late => return,
            Continuity::Hole => {
                count(&tools.metrics.packet_holes);
                self.check_all();
            }
            Continuity::Anew => {
                tools
                    .home
                    .retain(|_, _, session| session.info.node != from.0);
                self.core.rooms.node_lost(from);
                // Those it has by now may have registered before this was noticed.
                tools.cluster.confess();
                self.check_all();
            }
        }
        match packet.body {
            Some(Body::Alive(alive)) => {
                if alive.leaving {
                    tools.cluster.forget(from);
                }
                if let Some(view) = tools.cluster.renew_view() {
                    self.view_changed(&view);
                }
            }
            Some(Body::Deliver(deliver)) => {
                let events = wire::events_from(deliver.events);
                let mut burst = Burst::default();
                for user in &deliver.users {
                    tools
                        .fan_out
                        .at_home(AppId(deliver.app), user, &events, &mut burst);
                }
                burst.flush();
            }
            Some(Body::ToSessions(to)) => {
                let events = wire::events_from(to.events);
                let close = to.close.map(wire::reject_from);
                for id in to.sessions {
                    self.to_session(SessionId(id), &events, close.as_ref());
                }
            }
            Some(Body::InboxChanged(it)) => {
                let tools = tools.clone();
                let task = async move {
                    let mut burst = Burst::default();
                    let (app, conversation) = (AppId(it.app), Arc::from(it.conversation));
                    let (version, previous) = (it.feed_version, it.feed_previous);
                    user::inbox_changed(
                        &tools,
                        app,
                        &it.user,
                        &conversation,
                        version,
                        previous,
                        &mut burst,
                    )
                    .await;
                    burst.flush();
                };
                self.core.tools.env.spawn(task);
            }
            Some(Body::Broadcast(it)) => tools.broadcasts.here(wire::broadcast_from(it)),
            Some(Body::RoomFrame(it)) => match room::frame_from(it, tools.cluster.node()) {
                Ok(frame) => tools.audiences.tell(frame),
                Err(error) => tracing::error!(%error, ?from, "a frame of a room does not decode"),
            },
            // Of a newer release.
            None => {}
        }
    }

    fn to_session(&self, id: SessionId, events: &[Outgoing], close: Option<&Reject>) {
        let Some(session) = self.core.locals.get(id) else {
            return;
        };
        for outgoing in events.iter().filter(|outgoing| outgoing.skip != Some(id)) {
            self.core.locals.heed(id, &outgoing.event.body);
            session.sink.push(&outgoing.event);
        }
        match close {
            Some(reason) => session.sink.close(reason.clone()),
            None => session.sink.flush(),
        }
    }

    async fn answer(&self, request: Request) -> Result<Response, Reject> {
        match request {
            Request::Send(send) => {
                let message = wire::send_from(send)?;
                let (reply, result) = oneshot::channel();
                let name = message.conversation.to_string();
                // Whoever asks believes that this node owns it; the head's condition decides.
                let actor =
                    self.core
                        .conversations
                        .actor(message.app, &message.conversation, &name);
                actor.submit(Command::send(message, Reply::Call(reply)));
                let sent = result
                    .await
                    .map_err(|_| Reject::from(Code::ShuttingDown))??;
                Ok(Response::Sent(wire::sent(&sent)))
            }
            Request::ChangeGroup(change) => {
                let (app, id, by, change) = group_wire::change_group_from(change)?;
                let (reply, result) = oneshot::channel();
                let actor = self.core.conversations.actor(app, &id, &id.to_string());
                actor.submit(Command::group(by, change, reply));
                let group = result
                    .await
                    .map_err(|_| Reject::from(Code::ShuttingDown))??;
                Ok(Response::Group(group_wire::group(&group)))
            }
            Request::ChangeMessage(change) => {
                let (id, wanted) = wire::change_message_from(change)?;
                let changed = self.change_here(&id, wanted).await?;
                Ok(Response::MessageChanged(wire::message_changed(&changed)))
            }
            Request::Register(it) => {
                let info = wire::session_from(it.session.ok_or_else(wire::garbled)?)?;
                // If it was asked before its node started anew, it ended with that.
                if !self
                    .core
                    .tools
                    .cluster
                    .is_present(NodeId(info.node), it.boot)
                {
                    return Err(Code::Unavailable.into());
                }
                self.register_here(AppId(it.app), &wire::user_from(&it.user)?, info, it.moving);
                Ok(Response::Registered(pb::Registered {}))
            }
            Request::ListSessions(it) => {
                let sessions = self.sessions_here(AppId(it.app), &wire::user_from(&it.user)?);
                Ok(Response::Sessions(pb::Sessions {
                    sessions: sessions.iter().map(wire::session).collect(),
                }))
            }
            Request::Unregister(it) => {
                let home = &self.core.tools.home;
                home.unregister(AppId(it.app), &it.user, SessionId(it.session));
                Ok(Response::Registered(pb::Registered {}))
            }
            Request::Room(it) => self.answer_room(it).await.map(Response::Room),
            Request::SignOut(it) => {
                let device = match it.device.as_str() {
                    "" => None,
                    text => Some(DeviceId::new(text).map_err(|_| wire::garbled())?),
                };
                let reason = it
                    .reason
                    .map_or_else(|| Code::SignedOut.into(), wire::reject_from);
                let user = wire::user_from(&it.user)?;
                let ended = self.end_sessions_here(AppId(it.app), &user, device.as_ref(), &reason);
                Ok(Response::SignedOut(pb::SignedOut {
                    count: u32::try_from(ended).expect("sessions are bounded"),
                }))
            }
        }
    }

    /// Other nodes are alive than before: what this node is home and owner of has changed.
    fn view_changed(&self, view: &Arc<View>) {
        let tools = &self.core.tools;
        tracing::info!(?view, "the nodes alive have changed");
        let node = tools.cluster.node();
        tools.home.retain(|app, user, session| {
            view.contains(NodeId(session.info.node)) && view.home(app, user) == node
        });
        self.core.outbox.look_everywhere();
        self.core.rooms.view_changed();
        tools.audiences.unsettle();
        presence::unsettle(tools);
        // Until now this node looked for users' homes among other nodes than it should have.
        tools.cluster.confess();
        self.check_all();
    }

    /// Deliveries may be lost: every session of this node registers with its home again and
    /// checks, and so does every session elsewhere whose home is here. Paced; what is asked for
    /// while a round is under way is one more round.
    fn check_all(&self) {
        if self.core.checks.fetch_add(1, Ordering::AcqRel) > 0 {
            return;
        }
        let this = self.clone();
        self.core.tools.env.spawn(async move {
            loop {
                let wanted = this.core.checks.load(Ordering::Acquire);
                this.register_again(&this.core.locals.open()).await;
                this.check_elsewhere(&[Outgoing::to_all(Event::new(EventBody::Check))]);
                let left = this.core.checks.fetch_sub(wanted, Ordering::AcqRel);
                if left == wanted {
                    break;
                }
            }
        });
    }

    fn check_elsewhere(&self, check: &[Outgoing]) {
        let tools = &self.core.tools;
        let mut elsewhere = std::collections::BTreeMap::<NodeId, Vec<SessionId>>::new();
        tools.home.retain(|_, _, session| {
            if session.sink.is_none() {
                elsewhere
                    .entry(NodeId(session.info.node))
                    .or_default()
                    .push(session.info.id);
            }
            true
        });
        for (node, sessions) in elsewhere {
            tools
                .cluster
                .send(node, wire::to_sessions(&sessions, check, None));
        }
    }
}
