//! Groups.

use anser_domain::group::Role;
use anser_domain::{AppId, Code, ConversationId, GroupId, Reject, Timestamp, UserId};
use anser_proto::stored;

use crate::conversation::{loaded, view};
use crate::fault;
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;

/// A group as its members see it.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name, possibly empty.
    pub name: String,
    /// Who owns it.
    pub owner: String,
    /// The owner included.
    pub member_count: u32,
    /// When it was created.
    pub created: Timestamp,
}

/// A member of a group.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct GroupMember {
    /// Who.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub joined: Timestamp,
}

/// A page of members, by user id.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct GroupMemberPage {
    /// The page.
    pub members: Vec<GroupMember>,
    /// Where the next page starts; empty on the last one.
    pub cursor: String,
}

/// Who asks for a change of a group.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum By {
    /// The server API.
    Server,
    /// An authenticated user.
    User(UserId),
}

/// A change of a group's membership.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(crate) enum GroupChange {
    Create {
        name: String,
        owner: UserId,
        members: Vec<UserId>,
    },
    Add(Vec<UserId>),
    Remove(Vec<UserId>),
    /// The operator goes.
    Quit,
    Dismiss,
}

/// The group's head. A user must be in it.
async fn head(tools: &Tools, app: AppId, by: &By, group: &GroupId) -> Result<stored::Head, Reject> {
    let id = ConversationId::Group(group.clone());
    let keys = ConversationKeys::new(app, &id.to_string());
    let head = view::head(&tools.store, &keys).await?;
    let head = head.ok_or_else(|| Reject::new(Code::NotFound, "there is no such group"))?;
    if head.dismissed {
        return Err(Code::GroupDismissed.into());
    }
    if let By::User(user) = by {
        view::access(tools, app, &keys, &id, user).await?;
    }
    Ok(head)
}

pub(crate) async fn get(
    tools: &Tools,
    app: AppId,
    by: &By,
    group: &GroupId,
) -> Result<Group, Reject> {
    let head = head(tools, app, by, group).await?;
    loaded::group_of(&ConversationId::Group(group.clone()), &head)
}

pub(crate) async fn members(
    tools: &Tools,
    app: AppId,
    by: &By,
    group: &GroupId,
    cursor: &str,
    limit: usize,
) -> Result<GroupMemberPage, Reject> {
    if !cursor.is_empty() && UserId::new(cursor).is_err() {
        return Err(Reject::new(
            Code::InvalidRequest,
            "the cursor is not one that the server gave",
        ));
    }
    head(tools, app, by, group).await?;
    let keys = ConversationKeys::new(app, &ConversationId::Group(group.clone()).to_string());
    let page = tools
        .store
        .scan(keys.members(cursor, limit))
        .await
        .map_err(|e| fault::reject(&e))?;
    let mut members = Vec::with_capacity(page.rows.len());
    for (key, value) in &page.rows {
        let text = keys.member_of_key(key).ok_or_else(loaded::damaged)?;
        let row: stored::Member = tables::decode(value)?;
        members.push(GroupMember {
            user: UserId::new(text).map_err(|_| loaded::damaged())?,
            role: loaded::role_of(&row),
            joined: Timestamp(row.joined_time),
        });
    }
    let cursor = match members.last() {
        Some(last) if page.more => last.user.as_str().to_owned(),
        _ => String::new(),
    };
    Ok(GroupMemberPage { members, cursor })
}
