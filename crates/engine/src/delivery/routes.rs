//! Where a large audience is connected, remembered from one fan-out to the next.
//!
//! Looking up a thousand members costs several cache misses each, nearly as much as the rest of a
//! delivery outside the kernel. So a conversation with many recipients keeps what it found: the
//! sessions of those who are online here, in the order of the home table's stripes. A stripe whose
//! generation has moved since, because somebody in it came or went, is looked up anew; the others
//! are gone through as they are. The cost of a fan-out follows those who are online, not the
//! members.
//!
//! A session that registers while a fan-out runs may be passed over, as it may be without routes:
//! it was registered after the commit, so its sync finds the message.

use std::sync::Arc;

use anser_domain::{AppId, UserId};

use super::home::{Home, STRIPES};
use crate::event::SessionSink;
use crate::session::SessionId;

/// A session to push to.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) session: SessionId,
    pub(crate) sink: Arc<dyn SessionSink>,
}

#[derive(Default)]
struct StripeRoutes {
    /// Who of the audience belongs here, by their place in it.
    users: Vec<u32>,
    /// Of the home table's stripe when the routes were found; none yet is zero.
    generation: u64,
    routes: Vec<Route>,
    /// Users with a session on another node.
    elsewhere: Vec<u32>,
}

/// The routes of one conversation's audience.
#[derive(Default)]
pub(crate) struct Routes {
    audience: Option<Arc<[UserId]>>,
    stripes: Vec<StripeRoutes>,
}

impl Routes {
    /// Sees to it that the routes are those of this audience.
    pub(crate) fn follow(&mut self, home: &Home, app: AppId, audience: &Arc<[UserId]>) {
        if self
            .audience
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, audience))
        {
            return;
        }
        self.stripes = Vec::new();
        self.stripes.resize_with(STRIPES, StripeRoutes::default);
        for (at, user) in (0..).zip(audience.iter()) {
            self.stripes[home.stripe_of(app, user.as_str())]
                .users
                .push(at);
        }
        self.audience = Some(audience.clone());
    }

    /// The routes of a stripe as of now, and the users whom they do not reach.
    pub(crate) fn of_stripe(
        &mut self,
        home: &Home,
        app: AppId,
        stripe: usize,
    ) -> (&[Route], impl Iterator<Item = &UserId>) {
        let audience: &[UserId] = self.audience.as_deref().unwrap_or_default();
        let mine = &mut self.stripes[stripe];
        if !mine.users.is_empty() && mine.generation != home.generation(stripe) {
            mine.routes.clear();
            mine.elsewhere.clear();
            let users = mine.users.iter().map(|at| (*at, &audience[*at as usize]));
            mine.generation = home.find(stripe, app, users, &mut mine.routes, &mut mine.elsewhere);
        }
        let elsewhere = mine.elsewhere.iter().map(|at| &audience[*at as usize]);
        (&mine.routes, elsewhere)
    }
}
