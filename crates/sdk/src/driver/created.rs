//! Conversations that users create.

use super::client::{Client, unexpected};
use crate::core::{CreatedChange, CreatedRequest, Reply, Request};
use crate::error::Error;
use crate::model::{
    ConversationQuery, ConversationsFound, CreatedConversation, CreatedUpdate, GroupMemberPage,
    GroupRole, GroupUserPage, NewConversation,
};

impl Client {
    /// Creates a conversation that the user owns; or, if it is to be
    /// [unique](NewConversation::unique), gives the one that there is.
    pub async fn create_conversation(
        &self,
        new: NewConversation,
    ) -> Result<CreatedConversation, Error> {
        self.created(CreatedRequest::Create(new)).await
    }

    /// Reads what a created conversation is.
    pub async fn get_created_conversation(
        &self,
        conversation: impl Into<String>,
    ) -> Result<CreatedConversation, Error> {
        let conversation = conversation.into();
        self.created(CreatedRequest::Get { conversation }).await
    }

    /// Finds created conversations that the user is in.
    pub async fn query_conversations(
        &self,
        query: ConversationQuery,
    ) -> Result<ConversationsFound, Error> {
        let request = Request::Created(CreatedRequest::Query(query));
        match self.ask(request).await? {
            Reply::CreatedFound(found) => Ok(found),
            other => unexpected(&other),
        }
    }

    /// Adds those who are not in it.
    pub async fn invite_to_conversation(
        &self,
        conversation: impl Into<String>,
        users: Vec<String>,
    ) -> Result<CreatedConversation, Error> {
        self.change_created(conversation.into(), CreatedChange::Invite(users))
            .await
    }

    /// Removes members.
    pub async fn remove_from_conversation(
        &self,
        conversation: impl Into<String>,
        users: Vec<String>,
    ) -> Result<CreatedConversation, Error> {
        self.change_created(conversation.into(), CreatedChange::Remove(users))
            .await
    }

    /// Joins a conversation that is public.
    pub async fn join_conversation(
        &self,
        conversation: impl Into<String>,
    ) -> Result<CreatedConversation, Error> {
        self.change_created(conversation.into(), CreatedChange::Join)
            .await
    }

    /// Leaves a conversation.
    pub async fn leave_conversation(&self, conversation: impl Into<String>) -> Result<(), Error> {
        self.end_created(conversation.into(), CreatedChange::Leave)
            .await
    }

    /// Ends a conversation.
    pub async fn dismiss_conversation(&self, conversation: impl Into<String>) -> Result<(), Error> {
        self.end_created(conversation.into(), CreatedChange::Dismiss)
            .await
    }

    /// Changes what is told of a created conversation, and its settings.
    pub async fn update_created_conversation(
        &self,
        conversation: impl Into<String>,
        update: CreatedUpdate,
    ) -> Result<CreatedConversation, Error> {
        self.change_created(conversation.into(), CreatedChange::Update(update))
            .await
    }

    /// Makes another member the owner.
    pub async fn transfer_conversation(
        &self,
        conversation: impl Into<String>,
        owner: impl Into<String>,
    ) -> Result<CreatedConversation, Error> {
        self.change_created(conversation.into(), CreatedChange::Transfer(owner.into()))
            .await
    }

    /// Makes members managers (admins), or plain members again; at most 100.
    pub async fn set_conversation_role(
        &self,
        conversation: impl Into<String>,
        users: Vec<String>,
        role: GroupRole,
    ) -> Result<CreatedConversation, Error> {
        self.change_created(conversation.into(), CreatedChange::SetRole { users, role })
            .await
    }

    /// Mutes members for so many seconds, at most ten years; 0 lifts it.
    pub async fn mute_in_conversation(
        &self,
        conversation: impl Into<String>,
        users: Vec<String>,
        seconds: u64,
    ) -> Result<CreatedConversation, Error> {
        self.change_created(conversation.into(), CreatedChange::Mute { users, seconds })
            .await
    }

    /// Removes users and keeps them out for so many seconds, at most ten years; 0 lifts it.
    pub async fn block_from_conversation(
        &self,
        conversation: impl Into<String>,
        users: Vec<String>,
        seconds: u64,
    ) -> Result<CreatedConversation, Error> {
        self.change_created(conversation.into(), CreatedChange::Block { users, seconds })
            .await
    }

    /// Reads who is in a created conversation; with `muted` only those who are muted, and then a
    /// page may be empty and yet not be the last. An empty cursor starts. `limit` 1–500; 0 takes
    /// 100.
    pub async fn conversation_members(
        &self,
        conversation: impl Into<String>,
        muted: bool,
        cursor: impl Into<String>,
        limit: u32,
    ) -> Result<GroupMemberPage, Error> {
        let request = CreatedRequest::ListMembers {
            conversation: conversation.into(),
            muted,
            cursor: cursor.into(),
            limit,
        };
        match self.ask(Request::Created(request)).await? {
            Reply::GroupMembers(page) => Ok(page),
            other => unexpected(&other),
        }
    }

    /// Reads who is kept out of a created conversation; an empty cursor starts. `limit` 1–500; 0
    /// takes 100.
    pub async fn conversation_blocks(
        &self,
        conversation: impl Into<String>,
        cursor: impl Into<String>,
        limit: u32,
    ) -> Result<GroupUserPage, Error> {
        let request = CreatedRequest::ListBlocks {
            conversation: conversation.into(),
            cursor: cursor.into(),
            limit,
        };
        match self.ask(Request::Created(request)).await? {
            Reply::GroupUsers(page) => Ok(page),
            other => unexpected(&other),
        }
    }

    async fn change_created(
        &self,
        conversation: String,
        change: CreatedChange,
    ) -> Result<CreatedConversation, Error> {
        self.created(CreatedRequest::Change {
            conversation,
            change,
        })
        .await
    }

    async fn end_created(&self, conversation: String, change: CreatedChange) -> Result<(), Error> {
        let request = CreatedRequest::Change {
            conversation,
            change,
        };
        self.ask(Request::Created(request)).await.map(drop)
    }

    async fn created(&self, request: CreatedRequest) -> Result<CreatedConversation, Error> {
        match self.ask(Request::Created(request)).await? {
            Reply::Created(created) => Ok(created),
            other => unexpected(&other),
        }
    }
}
