//! Groups as they are asked for: straight from the store.

use anser_domain::group::{Operator, Right, Standing};
use anser_domain::limits::JOIN_REQUEST_LIFE_MS;
use anser_domain::{AppId, Code, ConversationId, Reject, Timestamp, UserId};
use anser_proto::stored;

use super::{By, Group, GroupMember, GroupMemberPage, GroupUser, GroupUserPage, rows};
use crate::conversation::loaded;
use crate::fault;
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;

/// A group, as far as rules have to know it.
pub(super) struct Looked {
    pub(super) id: ConversationId,
    pub(super) keys: ConversationKeys,
    pub(super) head: stored::Head,
    pub(super) info: stored::GroupInfo,
    /// Of the operator, if it is a user who is in the group.
    pub(super) standing: Option<Standing>,
}

impl Looked {
    pub(super) fn operator<'a>(&self, by: &'a By) -> Operator<'a> {
        match by {
            By::Server => Operator::Server,
            By::User(user) => Operator::User(user, self.standing),
        }
    }
}

/// The group with the operator's standing in it. `NOT_FOUND`, `GROUP_DISMISSED`.
pub(super) async fn look(
    tools: &Tools,
    app: AppId,
    by: &By,
    id: &ConversationId,
) -> Result<Looked, Reject> {
    id.check_living(tools.env.now())?;
    let keys = ConversationKeys::new(app, &id.to_string());
    let mut wanted = vec![keys.head(), keys.group_info()];
    if let By::User(user) = by {
        wanted.push(keys.member(user.as_str()));
    }
    let read = tools.store.get_many(&wanted).await;
    let read = read.map_err(|e| fault::reject(&e))?;
    let head: stored::Head = tables::decode_some(read[0].as_ref())?.ok_or_else(|| {
        let noun = id.members_of().map_or("group", |(kind, _)| kind.noun());
        Reject::new(Code::NotFound, format!("there is no such {noun}"))
    })?;
    if head.dismissed {
        return Err(Code::GroupDismissed.into());
    }
    let info: stored::GroupInfo = tables::decode_some(read[1].as_ref())?.unwrap_or_default();
    let member: Option<stored::Member> = tables::decode_some(read.get(2).and_then(Option::as_ref))?;
    let standing = member.map(|row| rows::standing(&row, &info, &rows::settings(&head)));
    Ok(Looked {
        id: id.clone(),
        keys,
        head,
        info,
        standing,
    })
}

pub(crate) async fn get(
    tools: &Tools,
    app: AppId,
    by: &By,
    id: &ConversationId,
) -> Result<Group, Reject> {
    let looked = look(tools, app, by, id).await?;
    looked.operator(by).check_inside()?;
    rows::group(&looked.id, &looked.head, &looked.info)
}

/// Which members are listed.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Members {
    /// Everybody.
    All,
    /// Those who are muted now; a page may hold fewer than asked for, or none, and yet not be the
    /// last.
    Muted,
}

pub(crate) async fn members(
    tools: &Tools,
    app: AppId,
    by: &By,
    id: &ConversationId,
    which: Members,
    (cursor, limit): (&str, usize),
) -> Result<GroupMemberPage, Reject> {
    tables::check_user_cursor(cursor)?;
    let looked = look(tools, app, by, id).await?;
    looked.operator(by).check_inside()?;
    let page = tools
        .store
        .scan(looked.keys.members(cursor, limit))
        .await
        .map_err(|e| fault::reject(&e))?;
    let now = tools.env.now();
    let mut members: Vec<GroupMember> = Vec::with_capacity(page.rows.len());
    let mut last = String::new();
    for (key, value) in &page.rows {
        let text = looked.keys.member_of_key(key).ok_or_else(loaded::damaged)?;
        text.clone_into(&mut last);
        let user = UserId::new(text).map_err(|_| loaded::damaged())?;
        let member = rows::member(user, tables::decode(value)?, now);
        if which == Members::All || member.muted_until > now {
            members.push(member);
        }
    }
    let cursor = if page.more { last } else { String::new() };
    Ok(GroupMemberPage { members, cursor })
}

/// A list of users outside of a group.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Outside {
    /// Kept out.
    Banned,
    /// Asking to be let in.
    Asking,
    /// Invited, and have not answered.
    Invited,
}

/// A page of users outside of the group, by user id; what is over is left out.
pub(crate) async fn outside(
    tools: &Tools,
    app: AppId,
    by: &By,
    id: &ConversationId,
    list: Outside,
    (cursor, limit): (&str, usize),
) -> Result<GroupUserPage, Reject> {
    tables::check_user_cursor(cursor)?;
    let looked = look(tools, app, by, id).await?;
    let (right, space) = match list {
        Outside::Banned => (Right::Ban, tables::BAN),
        Outside::Asking => (Right::Approve, tables::JOIN_REQUEST),
        Outside::Invited => (Right::Invite, tables::INVITATION),
    };
    looked.operator(by).check_right(right)?;
    let scan = looked.keys.users(space, cursor, limit);
    let page = tools.store.scan(scan).await;
    let page = page.map_err(|e| fault::reject(&e))?;
    let now = tools.env.now();
    let (mut users, mut last) = (Vec::with_capacity(page.rows.len()), String::new());
    for (key, value) in &page.rows {
        let text = looked.keys.member_of_key(key).ok_or_else(loaded::damaged)?;
        text.clone_into(&mut last);
        let user = UserId::new(text).map_err(|_| loaded::damaged())?;
        let entry = match list {
            Outside::Banned => {
                let row: stored::GroupBan = tables::decode(value)?;
                outsider(user, row.time, row.operator, row.until, String::new())
            }
            Outside::Asking => {
                let row: stored::JoinRequest = tables::decode(value)?;
                let until = row.time + JOIN_REQUEST_LIFE_MS;
                outsider(user, row.time, String::new(), until, row.message)
            }
            Outside::Invited => {
                let row: stored::GroupInvitation = tables::decode(value)?;
                let until = row.time + JOIN_REQUEST_LIFE_MS;
                outsider(user, row.time, row.operator, until, String::new())
            }
        };
        if entry.until > now {
            users.push(entry);
        }
    }
    let cursor = if page.more { last } else { String::new() };
    Ok(GroupUserPage { users, cursor })
}

fn outsider(user: UserId, time: u64, operator: String, until: u64, message: String) -> GroupUser {
    GroupUser {
        user,
        time: Timestamp(time),
        operator,
        until: Timestamp(until),
        message,
    }
}
