//! Coming and going of sessions.
//!
//! A session is known in two places: on its own node, which has its sink, and at its user's home
//! node, which knows all sessions of the user and applies the login policy. The first is the
//! truth; a home that starts anew is told again. What a home could not be told is told again with
//! every beat of the heart until it answers: it is never left without a session that lives, and
//! never keeps one that does not.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anser_bus::NodeId;
use anser_domain::{AppId, Code, DeviceId, Reject, UserId};
use anser_proto::cluster as pb;
use futures::future::join_all;

use super::{Gone, LocalSession, NewSession, Opened, SessionId, SessionInfo};
use crate::cluster::wire;
use crate::control;
use crate::delivery::HomeSession;
use crate::engine::Engine;
use crate::event::{Event, EventBody, SessionSink};
use crate::user;

/// Sessions registered, or reported gone, at a time, and the pause between: a thousand devices
/// that sync at one moment would be a storm.
const REGISTERED_AT_ONCE: usize = 256;
/// See [`REGISTERED_AT_ONCE`].
const REGISTER_PAUSE_MS: u64 = 20;
/// Sessions that are gone and whose homes have not heard of it. Beyond, a home that can't be
/// reached learns it when the view changes.
const GONE_MAX: usize = 65_536;

impl Engine {
    pub(crate) async fn register_session(
        &self,
        new: NewSession,
        sink: Arc<dyn SessionSink>,
    ) -> Result<Opened, Reject> {
        let tools = &self.core.tools;
        let NewSession {
            app,
            user,
            device,
            platform,
            client,
            attempt,
        } = new;
        let row = user::update(tools, app, &user, |_| {}).await?;
        control::check_banned(&row, tools.env.now())?;
        let info = SessionInfo {
            id: SessionId(tools.env.random_u64() | 1),
            device,
            platform,
            client,
            attempt,
            since: tools.env.now(),
            node: tools.cluster.node().0,
        };
        let id = info.id;
        self.core.locals.insert(
            LocalSession {
                app,
                user: user.clone(),
                sink,
            },
            info.clone(),
        );
        let opened = async {
            self.register_at_home(app, &user, info, false).await?;
            // Read after registering: what changes from here on is pushed, and whoever is banned
            // from here on is signed out.
            let (feed_version, row) = user::feed_version_and_row(tools, app, &user).await?;
            control::check_banned(&row, tools.env.now())?;
            Ok(feed_version)
        };
        match opened.await {
            Ok(feed_version) => {
                self.core.locals.opened(id);
                // The view may have changed meanwhile.
                self.core.strays.store(true, Ordering::Relaxed);
                Ok(Opened {
                    id,
                    epoch: self.core.apps.epoch(),
                    feed_version,
                    server_time: tools.env.now(),
                })
            }
            Err(reject) => {
                self.unregister_session(id);
                Err(reject)
            }
        }
    }

    /// `moving`: the home is new, the session is not, and replaces nobody.
    pub(crate) async fn register_at_home(
        &self,
        app: AppId,
        user: &UserId,
        info: SessionInfo,
        moving: bool,
    ) -> Result<(), Reject> {
        let tools = &self.core.tools;
        let home = tools.cluster.view().home(app, user.as_str());
        let id = info.id;
        self.core.locals.asked(id, home);
        if home == tools.cluster.node() {
            self.register_here(app, user, info, moving);
            if self.core.locals.get(id).is_none() {
                tools.home.unregister(app, user.as_str(), id);
            }
            self.core.locals.registered(id, home);
            return Ok(());
        }
        let session = Some(wire::session(&info));
        let request = pb::Register {
            app: app.0,
            user: user.as_str().to_owned(),
            session,
            moving,
            boot: tools.cluster.boot(),
        };
        let request = pb::request::Request::Register(request);
        let result = tools.cluster.request(home, request).await;
        if self.core.locals.get(id).is_none() {
            // It ended meanwhile, and what was said of that may have overtaken this.
            self.report_gone(home, id, app, user);
        } else if result.is_ok() {
            self.core.locals.registered(id, home);
        }
        result.map(|_| ())
    }

    /// Registers sessions again, some at a time, and has their devices check: what was pushed
    /// meanwhile did not reach them. Those that can't be registered now are tried with the next
    /// beat.
    pub(crate) async fn register_again(&self, sessions: &[(LocalSession, SessionInfo)]) {
        let check = Event::new(EventBody::Check);
        for chunk in sessions.chunks(REGISTERED_AT_ONCE) {
            let register = chunk.iter().map(async |(session, info)| {
                let (app, user) = (session.app, &session.user);
                let result = self.register_at_home(app, user, info.clone(), true).await;
                if result.is_err() {
                    tracing::warn!(%user, "a session could not register with its home yet");
                    self.core.strays.store(true, Ordering::Relaxed);
                }
                session.sink.push(&check);
                session.sink.flush();
            });
            join_all(register).await;
            self.core.tools.env.sleep(REGISTER_PAUSE_MS).await;
        }
    }

    /// Sees to the sessions that their homes do not know, and to those that homes should forget.
    pub(crate) async fn mend_sessions(&self) {
        if self.core.strays.swap(false, Ordering::Relaxed) {
            let view = self.core.tools.cluster.view();
            let strays = self
                .core
                .locals
                .strays(|app, user| view.home(app, user.as_str()));
            self.register_again(&strays).await;
        }
        self.tell_gone().await;
    }

    /// This node is the user's home.
    pub(crate) fn register_here(&self, app: AppId, user: &UserId, info: SessionInfo, moving: bool) {
        let (tools, id) = (&self.core.tools, info.id);
        let sink = self.core.locals.get(info.id).map(|local| local.sink);
        if sink.is_none() && info.node == tools.cluster.node().0 {
            // It went while it was being registered.
            return;
        }
        let policy = (!moving).then_some(tools.settings.login_policy);
        let replaced = tools
            .home
            .register(app, user, HomeSession { info, sink }, policy);
        for session in replaced {
            // One that came too late is not thrown out: if it is the client's last after all,
            // because its clock was set back, it is let in once the other has ended.
            let late = session.info.id == id;
            let reason = if late {
                Code::Unavailable
            } else {
                Code::Replaced
            };
            self.close_all(&[session], &reason.into());
        }
    }

    pub(crate) fn unregister_session(&self, id: SessionId) {
        let tools = &self.core.tools;
        let Some(gone) = self.core.locals.remove(id) else {
            return;
        };
        let Gone {
            session: LocalSession { app, user, .. },
            asked,
            rooms,
        } = gone;
        for room in rooms {
            self.lose(app, &user, &room, id);
        }
        for node in asked {
            if node == tools.cluster.node() {
                tools.home.unregister(app, user.as_str(), id);
                continue;
            }
            self.report_gone(node, id, app, &user);
        }
    }

    /// Tells a node that may know the session that it has ended, now and until it answers.
    fn report_gone(&self, node: NodeId, id: SessionId, app: AppId, user: &UserId) {
        {
            let mut gone = self.core.gone.lock();
            if gone.len() >= GONE_MAX {
                gone.pop_first();
            }
            gone.insert((node, id), (app, user.clone()));
        }
        let (this, user) = (self.clone(), user.clone());
        let tell = async move { this.tell_one_gone((node, id), (app, user)).await };
        self.core.tools.env.spawn(tell);
    }

    /// Tells the homes that are alive what they have not heard yet, some at a time.
    async fn tell_gone(&self) {
        let view = self.core.tools.cluster.view();
        let entries: Vec<_> = {
            let gone = self.core.gone.lock();
            let alive = gone.iter().filter(|((node, _), _)| view.contains(*node));
            let some = alive.take(REGISTERED_AT_ONCE);
            some.map(|(key, user)| (*key, user.clone())).collect()
        };
        join_all(
            entries
                .into_iter()
                .map(|(key, user)| self.tell_one_gone(key, user)),
        )
        .await;
    }

    async fn tell_one_gone(&self, key: (NodeId, SessionId), (app, user): (AppId, UserId)) {
        let (node, id) = key;
        let gone = pb::Unregister {
            app: app.0,
            user: user.as_str().to_owned(),
            session: id.0,
        };
        let request = pb::request::Request::Unregister(gone);
        let told = self.core.tools.cluster.request(node, request).await.is_ok();
        let mut gone = self.core.gone.lock();
        if told {
            gone.remove(&key);
        } else if gone.len() < GONE_MAX {
            // An earlier report may have been confirmed meanwhile, but not this one.
            gone.insert(key, (app, user));
        }
    }

    /// Ends sessions, here or on their nodes.
    pub(crate) fn close_all(&self, sessions: &[HomeSession], reason: &Reject) {
        for session in sessions {
            match &session.sink {
                Some(sink) => sink.close(reason.clone()),
                None => {
                    let close = wire::to_sessions(&[session.info.id], &[], Some(reason));
                    self.core
                        .tools
                        .cluster
                        .send(NodeId(session.info.node), close);
                }
            }
        }
    }

    pub(crate) async fn ask_home_for_sessions(
        &self,
        app: AppId,
        user: &UserId,
    ) -> Result<Vec<SessionInfo>, Reject> {
        let tools = &self.core.tools;
        let home = tools.cluster.view().home(app, user.as_str());
        if home == tools.cluster.node() {
            return Ok(self.sessions_here(app, user));
        }
        let request = pb::ListSessions {
            app: app.0,
            user: user.as_str().to_owned(),
        };
        match tools
            .cluster
            .request(home, pb::request::Request::ListSessions(request))
            .await?
        {
            pb::response::Response::Sessions(list) => {
                list.sessions.into_iter().map(wire::session_from).collect()
            }
            _ => Err(wire::garbled()),
        }
    }

    pub(crate) fn sessions_here(&self, app: AppId, user: &UserId) -> Vec<SessionInfo> {
        self.core
            .tools
            .home
            .sessions(app, user.as_str())
            .into_iter()
            .map(|session| session.info)
            .collect()
    }

    pub(crate) async fn end_sessions(
        &self,
        app: AppId,
        user: &UserId,
        device: Option<&DeviceId>,
        reason: &Reject,
    ) -> Result<usize, Reject> {
        let tools = &self.core.tools;
        let home = tools.cluster.view().home(app, user.as_str());
        if home == tools.cluster.node() {
            return Ok(self.end_sessions_here(app, user, device, reason));
        }
        let request = pb::SignOut {
            app: app.0,
            user: user.as_str().to_owned(),
            device: device.map_or_else(String::new, |device| device.as_str().to_owned()),
            reason: Some(wire::reject(reason)),
        };
        match tools
            .cluster
            .request(home, pb::request::Request::SignOut(request))
            .await?
        {
            pb::response::Response::SignedOut(out) => Ok(out.count as usize),
            _ => Err(wire::garbled()),
        }
    }

    pub(crate) fn end_sessions_here(
        &self,
        app: AppId,
        user: &UserId,
        device: Option<&DeviceId>,
        reason: &Reject,
    ) -> usize {
        let mut sessions = self.core.tools.home.sessions(app, user.as_str());
        sessions.retain(|session| device.is_none_or(|device| session.info.device == *device));
        self.close_all(&sessions, reason);
        sessions.len()
    }
}
