//! Requests about conversations of the app's backend.

use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;

use super::api::Reply;
use super::commands::unexpected;
use crate::error::Error;

/// What an application asks of a system conversation. Each may be asked for twice.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum SystemRequest {
    /// Subscribes the user: what is sent there from now on is for the user too.
    Subscribe {
        /// `s/<id>`.
        conversation: String,
    },
    /// Takes it back.
    Unsubscribe {
        /// `s/<id>`.
        conversation: String,
    },
    /// Reads what it is, subscribed or not.
    Get {
        /// `s/<id>`.
        conversation: String,
    },
}

impl SystemRequest {
    pub(super) fn conversation(&self) -> &str {
        let (Self::Subscribe { conversation }
        | Self::Unsubscribe { conversation }
        | Self::Get { conversation }) = self;
        conversation
    }

    /// The request on the wire.
    pub(super) fn encode(self) -> Command {
        match self {
            Self::Subscribe { conversation } => {
                Command::Subscribe(wire::Subscribe { conversation })
            }
            Self::Unsubscribe { conversation } => {
                Command::Unsubscribe(wire::Unsubscribe { conversation })
            }
            Self::Get { conversation } => {
                Command::GetSystemConversation(wire::GetSystemConversation { conversation })
            }
        }
    }

    /// The answer for the application.
    pub(super) fn decode(&self, answer: Answer) -> Result<Reply, Error> {
        match (self, answer) {
            (Self::Unsubscribe { .. }, Answer::Done(_)) => Ok(Reply::Done),
            (Self::Subscribe { .. } | Self::Get { .. }, Answer::SystemConversation(system)) => {
                Ok(Reply::System(system.into()))
            }
            _ => Err(unexpected()),
        }
    }
}
