//! Groups, by the engine's handle: what is asked for goes to the owner of the conversation.

use anser_domain::group::joining::Joining;
use anser_domain::limits::{GROUP_CHANGE_USERS_MAX, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX};
use anser_domain::{AppId, Code, ConversationId, GroupId, Reject, Timestamp, UserId};
use anser_proto::cluster as pb;
use futures::channel::oneshot;

use super::read::Members;
use super::{By, Group, GroupChange, GroupMemberPage, GroupUserPage, Outside, read, request};
use crate::cluster::{group_wire, wire};
use crate::conversation::Command;
use crate::engine::{Engine, page_limit};
use crate::tables;

impl Engine {
    /// Makes a group of `owner` and `members`, under this id or one made up.
    pub async fn create_group(
        &self,
        app: AppId,
        by: By,
        id: Option<GroupId>,
        name: &str,
        owner: &UserId,
        members: &[UserId],
    ) -> Result<Group, Reject> {
        let id = id.unwrap_or_else(|| {
            let env = &self.core.tools.env;
            GroupId::new(&env.message_id(env.now()).to_string())
                .expect("26 letters and digits are an id")
        });
        let change = GroupChange::Create {
            name: name.to_owned(),
            owner: owner.clone(),
            members: members.to_vec(),
            creation: Box::default(),
        };
        self.change_group(app, by, &id, change).await
    }

    /// Adds those of the users who are not in it. Every member may, unless it is set otherwise.
    pub async fn add_members(
        &self,
        app: AppId,
        by: By,
        group: &GroupId,
        users: &[UserId],
    ) -> Result<Group, Reject> {
        self.change_group(app, by, group, GroupChange::Add(users.to_vec()))
            .await
    }

    /// Removes those of the users who are in it and stand lower; nobody removes the owner.
    pub async fn remove_members(
        &self,
        app: AppId,
        by: By,
        group: &GroupId,
        users: &[UserId],
    ) -> Result<Group, Reject> {
        self.change_group(app, by, group, GroupChange::Remove(users.to_vec()))
            .await
    }

    /// The user leaves. The owner can't.
    pub async fn quit_group(
        &self,
        app: AppId,
        user: &UserId,
        group: &GroupId,
    ) -> Result<(), Reject> {
        self.change_group(app, By::User(user.clone()), group, GroupChange::Quit)
            .await
            .map(drop)
    }

    /// Ends the group for all. Its id stays taken.
    pub async fn dismiss_group(&self, app: AppId, by: By, group: &GroupId) -> Result<(), Reject> {
        self.change_group(app, by, group, GroupChange::Dismiss)
            .await
            .map(drop)
    }

    /// The group. A user must be in it.
    pub async fn group(&self, app: AppId, by: By, group: &GroupId) -> Result<Group, Reject> {
        let id = ConversationId::Group(group.clone());
        read::get(&self.core.tools, app, &by, &id).await
    }

    /// A page of the group's members, by user id. A user must be in it. `limit` 0 takes the default.
    pub async fn members(
        &self,
        app: AppId,
        by: By,
        group: &GroupId,
        cursor: &str,
        limit: usize,
    ) -> Result<GroupMemberPage, Reject> {
        let limit = page_limit(limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
        let (id, which) = (ConversationId::Group(group.clone()), Members::All);
        read::members(&self.core.tools, app, &by, &id, which, (cursor, limit)).await
    }

    /// A page of users outside of the group who are known to it, by user id. A user needs the
    /// right that goes with the list. `limit` 0 takes the default.
    pub async fn group_users(
        &self,
        app: AppId,
        by: By,
        group: &GroupId,
        list: Outside,
        cursor: &str,
        limit: usize,
    ) -> Result<GroupUserPage, Reject> {
        let limit = page_limit(limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
        let id = ConversationId::Group(group.clone());
        read::outside(&self.core.tools, app, &by, &id, list, (cursor, limit)).await
    }

    /// When a mute or a ban that starts now is over; zero seconds lift it.
    #[must_use]
    pub fn until(&self, seconds: u64) -> Timestamp {
        match seconds {
            0 => Timestamp(0),
            seconds => {
                let ms = seconds.saturating_mul(1_000);
                Timestamp(self.core.tools.env.now().0.saturating_add(ms))
            }
        }
    }

    /// Asks to be let in, or comes in at once. `None`: the request waits for an answer.
    pub async fn join_group(
        &self,
        app: AppId,
        user: &UserId,
        group: &GroupId,
        message: &str,
    ) -> Result<Option<Group>, Reject> {
        self.check_running()?;
        match request::ask(&self.core.tools, app, user, group, message).await? {
            Joining::Requested => Ok(None),
            Joining::Already | Joining::Joined => self
                .change_group(app, By::User(user.clone()), group, GroupChange::Join)
                .await
                .map(Some),
        }
    }

    /// Approves or rejects requests to join; who does not wait for an answer is passed over.
    pub async fn decide_join_requests(
        &self,
        app: AppId,
        by: By,
        group: &GroupId,
        users: &[UserId],
        approve: bool,
    ) -> Result<Group, Reject> {
        self.check_running()?;
        if users.len() > GROUP_CHANGE_USERS_MAX {
            let message = format!("at most {GROUP_CHANGE_USERS_MAX} users at once");
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        if approve {
            let change = GroupChange::Approve(users.to_vec());
            return self.change_group(app, by, group, change).await;
        }
        request::reject(&self.core.tools, app, &by, group, users).await?;
        self.group(app, by, group).await
    }

    /// Changes a group. What may be changed, and by whom, is in
    /// [`anser_domain::group`].
    pub async fn change_group(
        &self,
        app: AppId,
        by: By,
        id: &GroupId,
        change: GroupChange,
    ) -> Result<Group, Reject> {
        let conversation = ConversationId::Group(id.clone());
        self.change_members(app, by, &conversation, change).await
    }

    /// The same, of any kind of conversation with members.
    pub(crate) async fn change_members(
        &self,
        app: AppId,
        by: By,
        conversation: &ConversationId,
        change: GroupChange,
    ) -> Result<Group, Reject> {
        self.check_running()?;
        let tools = &self.core.tools;
        conversation.check_living(tools.env.now())?;
        let (kind, id) = conversation.members_of().ok_or_else(|| {
            Reject::new(
                Code::InvalidRequest,
                "a private conversation has no members to change",
            )
        })?;
        let name = conversation.to_string();
        let owner = tools
            .cluster
            .view()
            .owner(tables::conversation_shard(app, &name));
        if owner == tools.cluster.node() {
            let (reply, result) = oneshot::channel();
            let actor = self.core.conversations.actor(app, conversation, &name);
            actor.submit(Command::group(by, change, reply));
            return result
                .await
                .unwrap_or_else(|_| Err(Code::ShuttingDown.into()));
        }
        let request = group_wire::change_group(app, (kind, id), &by, &change);
        let request = pb::request::Request::ChangeGroup(request);
        match tools.cluster.request(owner, request).await? {
            pb::response::Response::Group(group) => group_wire::group_from(group),
            _ => Err(wire::garbled()),
        }
    }
}
