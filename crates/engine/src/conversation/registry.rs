//! The conversations in use on this node.

use std::sync::Arc;

use anser_domain::{AppId, ConversationId};

use super::actor::Conversation;
use crate::by_name::{ByName, Name};
use crate::outbox::Outbox;
use crate::tools::Tools;

/// Idle actors are dropped after so long: loading one again is a read or two.
const IDLE_MS: u64 = 60_000;

pub(crate) struct Registry {
    tools: Arc<Tools>,
    outbox: Outbox,
    actors: ByName<Arc<Conversation>>,
}

impl Registry {
    pub(crate) fn new(tools: Arc<Tools>, outbox: Outbox) -> Self {
        let actors = ByName::new(tools.env.random_u64());
        Self {
            tools,
            outbox,
            actors,
        }
    }

    /// The actor of a conversation, made if there is none.
    pub(crate) fn actor(&self, app: AppId, id: &ConversationId, name: &str) -> Arc<Conversation> {
        let mut stripe = self.actors.stripe(app, name);
        if let Some(actor) = stripe.get(&Name(app, name)) {
            return actor.clone();
        }
        let name: Arc<str> = Arc::from(name);
        let actor = Conversation::new(
            app,
            id.clone(),
            name.clone(),
            self.tools.clone(),
            self.outbox.clone(),
        );
        stripe.insert((app, name), actor.clone());
        actor
    }

    /// Drops what nobody has used for a while. Somebody who still holds a dropped actor may use
    /// it beside a new one; the condition on the head keeps them apart.
    pub(crate) fn drop_idle(&self) {
        let since = self.tools.env.now().minus_ms(IDLE_MS);
        self.actors
            .for_each_stripe(|_, stripe| stripe.retain(|_, actor| !actor.is_idle(since)));
    }
}
