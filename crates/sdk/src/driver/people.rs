//! Other people: block and allow lists, and presence.

use super::client::{Client, unexpected};
use crate::core::{PeopleRequest, Reply, Request};
use crate::error::Error;
use crate::model::{Presence, PresenceSubscription, RelationList, RelationPage, RelationUpdate};

impl Client {
    /// Changes the user's block list or allow list, on all devices. When it is answered it holds
    /// for every message from then on; `allow_only` takes effect within seconds.
    /// [`Event::Relations`](crate::core::Event::Relations) brings it to all devices.
    pub async fn update_relations(&self, update: RelationUpdate) -> Result<(), Error> {
        let request = PeopleRequest::UpdateRelations(update);
        self.ask(Request::People(request)).await.map(drop)
    }

    /// Those on the block list write to the user no more.
    pub async fn block_users(&self, users: Vec<String>) -> Result<(), Error> {
        self.change_list(RelationList::Blocked, users, Vec::new())
            .await
    }

    /// Takes users off the block list.
    pub async fn unblock_users(&self, users: Vec<String>) -> Result<(), Error> {
        self.change_list(RelationList::Blocked, Vec::new(), users)
            .await
    }

    async fn change_list(
        &self,
        list: RelationList,
        add: Vec<String>,
        remove: Vec<String>,
    ) -> Result<(), Error> {
        self.update_relations(RelationUpdate {
            list,
            add,
            remove,
            allow_only: None,
        })
        .await
    }

    /// Reads one of the user's lists; an empty cursor starts. `limit` 1–500; 0 takes 100.
    pub async fn relations(
        &self,
        list: RelationList,
        cursor: impl Into<String>,
        limit: u32,
    ) -> Result<RelationPage, Error> {
        let request = PeopleRequest::ListRelations {
            list,
            cursor: cursor.into(),
            limit,
        };
        match self.ask(Request::People(request)).await? {
            Reply::Relations(page) => Ok(page),
            other => unexpected(&other),
        }
    }

    /// Sets the user's own words for so many seconds, at most 30 days; an empty text or 0 takes
    /// them back. At most 256 bytes.
    pub async fn set_presence_status(
        &self,
        status: impl Into<String>,
        seconds: u32,
    ) -> Result<(), Error> {
        let request = PeopleRequest::SetStatus {
            status: status.into(),
            seconds,
        };
        self.ask(Request::People(request)).await.map(drop)
    }

    /// Has the user told of others' presence for so many seconds, at most 30 days, on all devices;
    /// 0 ends it. At most 100 at a time and 1,000 in all. Gives how they are now;
    /// [`Event::Presence`](crate::core::Event::Presence) tells what changes while this device is
    /// connected.
    pub async fn subscribe_presence(
        &self,
        users: Vec<String>,
        seconds: u32,
    ) -> Result<Vec<Presence>, Error> {
        self.presences(PeopleRequest::Subscribe { users, seconds })
            .await
    }

    /// Reads how others are now, at most 100: a device that was away asks.
    pub async fn presence(&self, users: Vec<String>) -> Result<Vec<Presence>, Error> {
        self.presences(PeopleRequest::GetPresence { users }).await
    }

    async fn presences(&self, request: PeopleRequest) -> Result<Vec<Presence>, Error> {
        match self.ask(Request::People(request)).await? {
            Reply::Presences(presences) => Ok(presences),
            other => unexpected(&other),
        }
    }

    /// Reads of whose presence the user is told, and until when.
    pub async fn presence_subscriptions(&self) -> Result<Vec<PresenceSubscription>, Error> {
        let request = Request::People(PeopleRequest::ListSubscriptions);
        match self.ask(request).await? {
            Reply::PresenceSubscriptions(all) => Ok(all),
            other => unexpected(&other),
        }
    }
}
