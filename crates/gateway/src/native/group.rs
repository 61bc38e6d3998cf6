//! Groups and their members.

use anser_domain::group::Role;
use anser_domain::limits::{MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX};
use anser_domain::{GroupId, Reject, UserId};
use anser_engine::group::{Group, GroupMemberPage};
use anser_proto::client as wire;

use super::{bad_id, page_limit};

/// The id of a group, checked.
pub(crate) fn group_id(text: &str) -> Result<GroupId, Reject> {
    GroupId::new(text).map_err(|why| bad_id("group_id", why))
}

/// User ids, checked. How many there may be is the rule's to say.
pub(crate) fn user_list(users: &[String]) -> Result<Vec<UserId>, Reject> {
    users
        .iter()
        .map(|user| UserId::new(user).map_err(|why| bad_id("members: a user id", why)))
        .collect()
}

/// The id (none: the server's choice) and the first members of a new group.
pub(crate) fn new_group(
    create: &wire::CreateGroup,
) -> Result<(Option<GroupId>, Vec<UserId>), Reject> {
    let id = match create.group_id.as_str() {
        "" => None,
        id => Some(group_id(id)?),
    };
    Ok((id, user_list(&create.members)?))
}

/// How many members are asked for.
pub(crate) fn member_page_limit(list: &wire::ListGroupMembers) -> Result<usize, Reject> {
    page_limit(list.limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)
}

/// A group.
pub(crate) fn group(group: Group) -> wire::Group {
    wire::Group {
        group_id: group.id.as_str().to_owned(),
        name: group.name,
        owner: group.owner,
        member_count: group.member_count,
        created_time: group.created.0,
    }
}

/// A page of members.
pub(crate) fn member_page(page: GroupMemberPage) -> wire::GroupMemberPage {
    let members = page.members.into_iter().map(|member| wire::GroupMember {
        user_id: member.user.as_str().to_owned(),
        role: match member.role {
            Role::Member => wire::GroupRole::Member,
            Role::Owner => wire::GroupRole::Owner,
        }
        .into(),
        joined_time: member.joined.0,
    });
    wire::GroupMemberPage {
        members: members.collect(),
        cursor: page.cursor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_group_id_is_the_servers_choice_and_a_bad_one_is_named() {
        let create = |id: &str| wire::CreateGroup {
            group_id: id.into(),
            ..Default::default()
        };
        assert_eq!(new_group(&create("")).unwrap().0, None);
        assert!(new_group(&create("g1")).unwrap().0.is_some());
        assert_eq!(
            new_group(&create("a\nb")).unwrap_err().message,
            "group_id has a control character, or white space at an end"
        );
    }
}
