//! Conversations of the app's backend.

use super::client::{Client, unexpected};
use crate::core::{Reply, Request, SystemRequest};
use crate::error::Error;
use crate::model::SystemConversation;

impl Client {
    /// Subscribes the user to a system conversation, `s/<id>`: it comes into the list, and what is
    /// sent from then on is for the user. Changes nothing for who is subscribed.
    ///
    /// # Errors
    /// `EVERYONE_SUBSCRIBED`, `TAG_DECIDES` where nobody comes or goes.
    pub async fn subscribe(
        &self,
        conversation: impl Into<String>,
    ) -> Result<SystemConversation, Error> {
        let conversation = conversation.into();
        self.system(SystemRequest::Subscribe { conversation }).await
    }

    /// Takes the subscription back: the conversation is not among the user's any more.
    ///
    /// # Errors
    /// As of [`Client::subscribe`].
    pub async fn unsubscribe(&self, conversation: impl Into<String>) -> Result<(), Error> {
        let conversation = conversation.into();
        let request = Request::System(SystemRequest::Unsubscribe { conversation });
        self.ask(request).await.map(drop)
    }

    /// Reads what a system conversation is; every user of the app may, subscribed or not.
    pub async fn get_system_conversation(
        &self,
        conversation: impl Into<String>,
    ) -> Result<SystemConversation, Error> {
        let conversation = conversation.into();
        self.system(SystemRequest::Get { conversation }).await
    }

    async fn system(&self, request: SystemRequest) -> Result<SystemConversation, Error> {
        match self.ask(Request::System(request)).await? {
            Reply::System(system) => Ok(system),
            other => unexpected(&other),
        }
    }
}
