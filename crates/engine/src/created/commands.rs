//! The engine's handle, for created conversations.

use anser_domain::group::Kind;
use anser_domain::limits::{MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX};
use anser_domain::{AppId, Code, ConversationId, GroupId, Reject};

use super::NewConversation;
use crate::engine::{Engine, page_limit};
use crate::group::{
    By, Creation, Group, GroupChange, GroupMemberPage, GroupUserPage, Members, Outside, read,
};

/// Refuses what is not a created conversation.
fn check_kind(id: &ConversationId) -> Result<(), Reject> {
    match id.members_of() {
        Some((kind, _)) if kind != Kind::Group => Ok(()),
        _ => Err(Reject::new(
            Code::InvalidRequest,
            "this is for created conversations, named c/<id>",
        )),
    }
}

impl Engine {
    /// Creates a conversation under an id made up.
    pub async fn create_conversation(
        &self,
        app: AppId,
        by: By,
        new: NewConversation,
    ) -> Result<Group, Reject> {
        let env = &self.core.tools.env;
        let id = GroupId::new(&env.message_id(env.now()).to_string())
            .expect("26 letters and digits are an id");
        let id = ConversationId::Created(id);
        let change = GroupChange::Create {
            name: new.name,
            owner: new.owner,
            members: new.members,
            creation: Box::new(Creation {
                attributes: new.attributes,
                public: new.public,
            }),
        };
        self.change_members(app, by, &id, change).await
    }

    /// Changes a created conversation; answers it as it then is. What may be changed, and by whom,
    /// is in [`anser_domain::group`].
    pub async fn change_created(
        &self,
        app: AppId,
        by: By,
        id: &ConversationId,
        change: GroupChange,
    ) -> Result<Group, Reject> {
        check_kind(id)?;
        self.change_members(app, by, id, change).await
    }

    /// A created conversation. A user must be in it.
    pub async fn created(&self, app: AppId, by: By, id: &ConversationId) -> Result<Group, Reject> {
        check_kind(id)?;
        read::get(&self.core.tools, app, &by, id).await
    }

    /// A page of its members, by user id. A user must be in it. `limit` 0 takes the default.
    pub async fn created_members(
        &self,
        app: AppId,
        by: By,
        id: &ConversationId,
        which: Members,
        cursor: &str,
        limit: usize,
    ) -> Result<GroupMemberPage, Reject> {
        check_kind(id)?;
        let limit = page_limit(limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
        read::members(&self.core.tools, app, &by, id, which, (cursor, limit)).await
    }

    /// A page of the users it blocks, by user id. A user must be its owner or a manager. `limit` 0
    /// takes the default.
    pub async fn created_blocks(
        &self,
        app: AppId,
        by: By,
        id: &ConversationId,
        cursor: &str,
        limit: usize,
    ) -> Result<GroupUserPage, Reject> {
        check_kind(id)?;
        let limit = page_limit(limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
        let list = Outside::Banned;
        read::outside(&self.core.tools, app, &by, id, list, (cursor, limit)).await
    }
}
