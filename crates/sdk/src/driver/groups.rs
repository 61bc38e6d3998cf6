//! Groups.

use super::client::{Client, unexpected};
use crate::core::{GroupRequest, Reply, Request};
use crate::error::Error;
use crate::model::{
    DefinedRole, Group, GroupMemberPage, GroupMemberUpdate, GroupRole, GroupUpdate, GroupUserPage,
};

impl Client {
    /// Creates a group that the user owns. An empty `group_id` lets the server choose one.
    pub async fn create_group(
        &self,
        group_id: impl Into<String>,
        name: impl Into<String>,
        members: Vec<String>,
    ) -> Result<Group, Error> {
        let request = Request::CreateGroup {
            group_id: group_id.into(),
            name: name.into(),
            members,
        };
        match self.ask(request).await? {
            Reply::Group(group) => Ok(group),
            other => unexpected(&other),
        }
    }

    /// Adds members to a group.
    pub async fn add_group_members(
        &self,
        group_id: impl Into<String>,
        members: Vec<String>,
    ) -> Result<(), Error> {
        let group_id = group_id.into();
        self.ask(Request::AddGroupMembers { group_id, members })
            .await
            .map(drop)
    }

    /// Removes members from a group.
    pub async fn remove_group_members(
        &self,
        group_id: impl Into<String>,
        members: Vec<String>,
    ) -> Result<(), Error> {
        let group_id = group_id.into();
        self.ask(Request::RemoveGroupMembers { group_id, members })
            .await
            .map(drop)
    }

    /// Leaves a group.
    pub async fn quit_group(&self, group_id: impl Into<String>) -> Result<(), Error> {
        let group_id = group_id.into();
        self.ask(Request::QuitGroup { group_id }).await.map(drop)
    }

    /// Ends a group.
    pub async fn dismiss_group(&self, group_id: impl Into<String>) -> Result<(), Error> {
        let group_id = group_id.into();
        self.ask(Request::DismissGroup { group_id }).await.map(drop)
    }

    /// Reads what a group is.
    pub async fn group(&self, group_id: impl Into<String>) -> Result<Group, Error> {
        let group_id = group_id.into();
        match self.ask(Request::GetGroup { group_id }).await? {
            Reply::Group(group) => Ok(group),
            other => unexpected(&other),
        }
    }

    /// Reads who is in a group; an empty cursor starts. `limit` 1–500; 0 takes 100.
    pub async fn group_members(
        &self,
        group_id: impl Into<String>,
        cursor: impl Into<String>,
        limit: u32,
    ) -> Result<GroupMemberPage, Error> {
        let request = Request::ListGroupMembers {
            group_id: group_id.into(),
            cursor: cursor.into(),
            limit,
        };
        match self.ask(request).await? {
            Reply::GroupMembers(page) => Ok(page),
            other => unexpected(&other),
        }
    }

    /// Changes what is told of a group, and its settings.
    pub async fn update_group(
        &self,
        group_id: impl Into<String>,
        update: GroupUpdate,
    ) -> Result<Group, Error> {
        let group_id = group_id.into();
        self.group_after(GroupRequest::Update { group_id, update })
            .await
    }

    /// Makes another member the owner.
    pub async fn transfer_group(
        &self,
        group_id: impl Into<String>,
        owner: impl Into<String>,
    ) -> Result<Group, Error> {
        self.group_after(GroupRequest::Transfer {
            group_id: group_id.into(),
            owner: owner.into(),
        })
        .await
    }

    /// Makes members admins or members. `role_name` gives members a role that the group has
    /// defined; empty: none.
    pub async fn set_group_role(
        &self,
        group_id: impl Into<String>,
        members: Vec<String>,
        role: GroupRole,
        role_name: impl Into<String>,
    ) -> Result<Group, Error> {
        self.group_after(GroupRequest::SetRole {
            group_id: group_id.into(),
            members,
            role,
            role_name: role_name.into(),
        })
        .await
    }

    /// Defines a role, or replaces its rights.
    pub async fn define_group_role(
        &self,
        group_id: impl Into<String>,
        role: DefinedRole,
    ) -> Result<Group, Error> {
        self.group_after(GroupRequest::DefineRole {
            group_id: group_id.into(),
            role,
            remove: false,
        })
        .await
    }

    /// Removes a role; those who have it are plain members then.
    pub async fn remove_group_role(
        &self,
        group_id: impl Into<String>,
        name: impl Into<String>,
    ) -> Result<Group, Error> {
        self.group_after(GroupRequest::DefineRole {
            group_id: group_id.into(),
            role: DefinedRole {
                name: name.into(),
                rights: Vec::new(),
            },
            remove: true,
        })
        .await
    }

    /// Changes what is told of a member: of oneself, or of one that stands lower.
    pub async fn update_group_member(
        &self,
        group_id: impl Into<String>,
        update: GroupMemberUpdate,
    ) -> Result<(), Error> {
        let group_id = group_id.into();
        let request = GroupRequest::UpdateMember { group_id, update };
        self.ask(Request::Group(request)).await.map(drop)
    }

    /// Mutes members for so many seconds, at most ten years; 0 lifts it.
    pub async fn mute_group_members(
        &self,
        group_id: impl Into<String>,
        members: Vec<String>,
        seconds: u64,
    ) -> Result<(), Error> {
        let request = GroupRequest::Mute {
            group_id: group_id.into(),
            members,
            seconds,
        };
        self.ask(Request::Group(request)).await.map(drop)
    }

    /// Exempts members from the mute of all, or no longer.
    pub async fn exempt_group_members(
        &self,
        group_id: impl Into<String>,
        members: Vec<String>,
        exempt: bool,
    ) -> Result<(), Error> {
        let request = GroupRequest::Exempt {
            group_id: group_id.into(),
            members,
            exempt,
        };
        self.ask(Request::Group(request)).await.map(drop)
    }

    /// Removes users and keeps them out for so many seconds, at most ten years; 0 lifts it.
    pub async fn ban_group_users(
        &self,
        group_id: impl Into<String>,
        users: Vec<String>,
        seconds: u64,
    ) -> Result<(), Error> {
        let request = GroupRequest::Ban {
            group_id: group_id.into(),
            users,
            seconds,
        };
        self.ask(Request::Group(request)).await.map(drop)
    }

    /// Reads who is banned; an empty cursor starts. `limit` 1–500; 0 takes 100.
    pub async fn group_bans(
        &self,
        group_id: impl Into<String>,
        cursor: impl Into<String>,
        limit: u32,
    ) -> Result<GroupUserPage, Error> {
        self.group_users(GroupRequest::ListBans {
            group_id: group_id.into(),
            cursor: cursor.into(),
            limit,
        })
        .await
    }

    /// Asks to be let in. Gives the group if the user is in it now; else the request waits for an
    /// answer, for 7 days.
    pub async fn join_group(
        &self,
        group_id: impl Into<String>,
        message: impl Into<String>,
    ) -> Result<Option<Group>, Error> {
        let request = GroupRequest::Join {
            group_id: group_id.into(),
            message: message.into(),
        };
        match self.ask(Request::Group(request)).await? {
            Reply::Joined(group) => Ok(group),
            other => unexpected(&other),
        }
    }

    /// Approves or rejects those who ask to be let in.
    pub async fn decide_join_requests(
        &self,
        group_id: impl Into<String>,
        users: Vec<String>,
        approve: bool,
    ) -> Result<Group, Error> {
        self.group_after(GroupRequest::Decide {
            group_id: group_id.into(),
            users,
            approve,
        })
        .await
    }

    /// Reads who asks to be let in; an empty cursor starts. `limit` 1–500; 0 takes 100.
    pub async fn join_requests(
        &self,
        group_id: impl Into<String>,
        cursor: impl Into<String>,
        limit: u32,
    ) -> Result<GroupUserPage, Error> {
        self.group_users(GroupRequest::ListJoinRequests {
            group_id: group_id.into(),
            cursor: cursor.into(),
            limit,
        })
        .await
    }

    /// Accepts an invitation. Gives the group.
    pub async fn accept_group_invitation(
        &self,
        group_id: impl Into<String>,
    ) -> Result<Group, Error> {
        self.group_after(GroupRequest::AnswerInvitation {
            group_id: group_id.into(),
            accept: true,
        })
        .await
    }

    /// Declines an invitation.
    pub async fn decline_group_invitation(&self, group_id: impl Into<String>) -> Result<(), Error> {
        let request = GroupRequest::AnswerInvitation {
            group_id: group_id.into(),
            accept: false,
        };
        self.ask(Request::Group(request)).await.map(drop)
    }

    /// Reads who is invited and has not answered; an empty cursor starts. `limit` 1–500; 0 takes
    /// 100.
    pub async fn group_invitations(
        &self,
        group_id: impl Into<String>,
        cursor: impl Into<String>,
        limit: u32,
    ) -> Result<GroupUserPage, Error> {
        self.group_users(GroupRequest::ListInvitations {
            group_id: group_id.into(),
            cursor: cursor.into(),
            limit,
        })
        .await
    }

    async fn group_after(&self, request: GroupRequest) -> Result<Group, Error> {
        match self.ask(Request::Group(request)).await? {
            Reply::Group(group) => Ok(group),
            other => unexpected(&other),
        }
    }

    async fn group_users(&self, request: GroupRequest) -> Result<GroupUserPage, Error> {
        match self.ask(Request::Group(request)).await? {
            Reply::GroupUsers(page) => Ok(page),
            other => unexpected(&other),
        }
    }
}
