//! Block list and allow list.

use anser_domain::limits::{MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX, RELATION_CHANGE_USERS_MAX};
use anser_domain::relation::List;
use anser_domain::{Code, Reject};
use anser_engine::relation::{RelationChange, RelationNews, RelationPage};
use anser_proto::client as wire;

use super::{page_limit, user_list};

/// Which list.
fn list(number: i32) -> Result<List, Reject> {
    match wire::RelationList::try_from(number) {
        Ok(wire::RelationList::Blocked) => Ok(List::Blocked),
        Ok(wire::RelationList::Allowed) => Ok(List::Allowed),
        Ok(wire::RelationList::Unspecified) | Err(_) => Err(Reject::new(
            Code::InvalidRequest,
            "list is none of those that exist",
        )),
    }
}

/// What the user wants changed.
pub(crate) fn relation_change(update: &wire::UpdateRelations) -> Result<RelationChange, Reject> {
    Ok(RelationChange {
        list: list(update.list)?,
        add: user_list("add", &update.add, RELATION_CHANGE_USERS_MAX)?,
        remove: user_list("remove", &update.remove, RELATION_CHANGE_USERS_MAX)?,
        allow_only: update.allow_only,
    })
}

/// Which page of which list is asked for.
pub(crate) fn list_relations(asked: &wire::ListRelations) -> Result<(List, usize), Reject> {
    let limit = page_limit(asked.limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
    Ok((list(asked.list)?, limit))
}

/// A page of a list.
pub(crate) fn relation_page(page: RelationPage) -> wire::RelationPage {
    wire::RelationPage {
        users: page.users.iter().map(ToString::to_string).collect(),
        cursor: page.cursor,
        allow_only: page.allow_only,
        version: page.version,
    }
}

/// What was changed, as a push.
pub(crate) fn relation_push(news: &RelationNews) -> wire::RelationPush {
    let list = match news.list {
        List::Blocked => wire::RelationList::Blocked,
        List::Allowed => wire::RelationList::Allowed,
    };
    wire::RelationPush {
        list: list.into(),
        added: news.added.iter().map(ToString::to_string).collect(),
        removed: news.removed.iter().map(ToString::to_string).collect(),
        allow_only: news.allow_only,
        version: news.version,
        previous: news.previous,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_a_list_and_users() {
        let update = wire::UpdateRelations {
            list: 2,
            add: vec!["a".into()],
            remove: vec![],
            allow_only: Some(true),
        };
        let change = relation_change(&update).unwrap();
        assert_eq!(
            (change.list, change.allow_only),
            (List::Allowed, Some(true))
        );
        for bad in [0, 3, -1] {
            let refused = relation_change(&wire::UpdateRelations {
                list: bad,
                ..update.clone()
            });
            assert_eq!(refused.unwrap_err().code, Code::InvalidRequest);
        }
        let refused = relation_change(&wire::UpdateRelations {
            remove: vec![String::new()],
            ..update
        });
        assert_eq!(refused.unwrap_err().message, "remove is empty");
    }
}
