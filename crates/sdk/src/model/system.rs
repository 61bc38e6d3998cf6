//! Conversations of the app's backend.

use anser_domain::Timestamp;
use anser_proto::client as wire;

/// A conversation in which the app's backend speaks.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct SystemConversation {
    /// Its name for everything else, `s/<id>`.
    pub conversation: String,
    /// What it is called.
    pub name: String,
    /// The address of a picture; empty: none.
    pub portrait: String,
    /// The application's own: a JSON object; empty: none.
    pub attributes: String,
    /// All users of the app are subscribed; nobody comes or goes.
    pub everyone: bool,
    /// When it was created.
    pub created: Timestamp,
    /// When name, portrait or attributes changed last.
    pub updated: Timestamp,
}

impl From<wire::SystemConversation> for SystemConversation {
    fn from(system: wire::SystemConversation) -> Self {
        Self {
            conversation: system.conversation,
            name: system.name,
            portrait: system.portrait,
            attributes: system.attributes,
            everyone: system.everyone,
            created: Timestamp(system.created_time),
            updated: Timestamp(system.updated_time),
        }
    }
}
