//! Coming and going of sessions.
//!
//! A session is known in two places: on its own node, which has its sink, and at its user's home
//! node, which knows all sessions of the user and applies the login policy. The first is the
//! truth; a home that starts anew is told again.

use std::sync::Arc;

use anser_bus::NodeId;
use anser_domain::{AppId, DeviceId, Reject, UserId};
use anser_proto::cluster as pb;

use super::{LocalSession, NewSession, Opened, SessionId, SessionInfo};
use crate::cluster::wire;
use crate::delivery::HomeSession;
use crate::engine::Engine;
use crate::event::SessionSink;
use crate::user;

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
        } = new;
        user::update(tools, app, &user, |_| {}).await?;
        let info = SessionInfo {
            id: SessionId(tools.env.random_u64() | 1),
            device,
            platform,
            client,
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
            // Read after registering: what changes from here on is pushed.
            user::feed_version(tools, app, user.as_str()).await
        };
        match opened.await {
            Ok(feed_version) => Ok(Opened {
                id,
                epoch: self.core.apps.epoch(),
                feed_version,
                server_time: tools.env.now(),
            }),
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
        if home == tools.cluster.node() {
            self.register_here(app, user, info, moving);
            return Ok(());
        }
        let session = Some(wire::session(&info));
        let request = pb::Register {
            app: app.0,
            user: user.as_str().to_owned(),
            session,
            moving,
        };
        tools
            .cluster
            .request(home, pb::request::Request::Register(request))
            .await
            .map(|_| ())
    }

    /// This node is the user's home.
    pub(crate) fn register_here(&self, app: AppId, user: &UserId, info: SessionInfo, moving: bool) {
        let tools = &self.core.tools;
        let sink = self.core.locals.get(info.id).map(|local| local.sink);
        if sink.is_none() && info.node == tools.cluster.node().0 {
            // It went while it was being registered.
            return;
        }
        let policy = (!moving).then_some(tools.settings.login_policy);
        let replaced = tools
            .home
            .register(app, user, HomeSession { info, sink }, policy);
        self.close_all(&replaced, &anser_domain::Code::Replaced.into());
    }

    pub(crate) fn unregister_session(&self, id: SessionId) {
        let tools = &self.core.tools;
        let Some(LocalSession { app, user, .. }) = self.core.locals.remove(id) else {
            return;
        };
        let home = tools.cluster.view().home(app, user.as_str());
        if home == tools.cluster.node() {
            tools.home.unregister(app, user.as_str(), id);
        } else {
            let gone = pb::Unregister {
                app: app.0,
                user: user.as_str().to_owned(),
                session: id.0,
            };
            tools.cluster.send(home, pb::packet::Body::Unregister(gone));
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
