//! Requests about other people: block and allow lists, and presence.

use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;

use super::api::Reply;
use super::commands::unexpected;
use crate::error::Error;
use crate::model::{RelationList, RelationUpdate};

/// What an application asks about other people.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum PeopleRequest {
    /// Changes one of the user's lists.
    UpdateRelations(RelationUpdate),
    /// Reads one of the user's lists.
    ListRelations {
        /// Which.
        list: RelationList,
        /// Continues a page; empty starts.
        cursor: String,
        /// 1–500; 0 takes 100.
        limit: u32,
    },
    /// Sets the user's own words, on all devices together.
    SetStatus {
        /// At most 256 bytes; empty takes them back.
        status: String,
        /// At most 30 days; 0 takes them back.
        seconds: u32,
    },
    /// Has the user told of others' presence.
    Subscribe {
        /// 1–100; 1,000 in all.
        users: Vec<String>,
        /// At most 30 days, counted anew; 0 ends it.
        seconds: u32,
    },
    /// Reads others' presence.
    GetPresence {
        /// At most 100.
        users: Vec<String>,
    },
    /// Reads of whose presence the user is told.
    ListSubscriptions,
}

impl PeopleRequest {
    /// The request on the wire.
    pub(super) fn encode(self) -> Command {
        match self {
            Self::UpdateRelations(update) => Command::UpdateRelations(wire::UpdateRelations {
                list: wire::RelationList::from(update.list).into(),
                add: update.add,
                remove: update.remove,
                allow_only: update.allow_only,
            }),
            Self::ListRelations {
                list,
                cursor,
                limit,
            } => Command::ListRelations(wire::ListRelations {
                list: wire::RelationList::from(list).into(),
                cursor,
                limit,
            }),
            Self::SetStatus { status, seconds } => {
                Command::SetPresenceStatus(wire::SetPresenceStatus { status, seconds })
            }
            Self::Subscribe { users, seconds } => {
                Command::SubscribePresence(wire::SubscribePresence { users, seconds })
            }
            Self::GetPresence { users } => Command::GetPresence(wire::GetPresence { users }),
            Self::ListSubscriptions => {
                Command::ListPresenceSubscriptions(wire::ListPresenceSubscriptions {})
            }
        }
    }

    /// The answer for the application.
    pub(super) fn decode(&self, answer: Answer) -> Result<Reply, Error> {
        match (self, answer) {
            (Self::UpdateRelations(_) | Self::SetStatus { .. }, Answer::Done(_)) => Ok(Reply::Done),
            (Self::ListRelations { .. }, Answer::Relations(page)) => {
                Ok(Reply::Relations(page.into()))
            }
            (Self::Subscribe { .. } | Self::GetPresence { .. }, Answer::Presences(list)) => {
                let presences = list.presences.into_iter().map(Into::into);
                Ok(Reply::Presences(presences.collect()))
            }
            (Self::ListSubscriptions, Answer::PresenceSubscriptions(list)) => {
                let all = list.subscriptions.into_iter().map(Into::into);
                Ok(Reply::PresenceSubscriptions(all.collect()))
            }
            _ => Err(unexpected()),
        }
    }
}
