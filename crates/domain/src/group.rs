//! Membership of groups: who may do what, and what a change comes to.
//!
//! The state is what the conversation's head says ([`GroupState`]) and the member rows of the
//! users concerned; a change is a list of users that really change, so that adding a member
//! twice changes nothing.

use crate::code::{Code, Reject};
use crate::id::UserId;
use crate::limits::{GROUP_MEMBERS_MAX, GROUP_NAME_BYTES_MAX};

/// What a member may do.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub enum Role {
    /// Talks.
    Member,
    /// Adds, removes, dismisses; can't quit without dismissing.
    Owner,
}

/// Who asks for a change.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Operator<'a> {
    /// The server API: may do everything that is possible.
    Server,
    /// A user, with the role they have in the group, if they are in it.
    User(&'a UserId, Option<Role>),
}

/// What the rules have to know of the group.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct GroupState {
    /// Was it created?
    pub exists: bool,
    /// Was it dismissed? Its id stays taken.
    pub dismissed: bool,
    /// Members, the owner included.
    pub member_count: usize,
}

fn check_alive(group: GroupState) -> Result<(), Reject> {
    if !group.exists {
        return Err(Reject::new(Code::NotFound, "there is no such group"));
    }
    if group.dismissed {
        return Err(Code::GroupDismissed.into());
    }
    Ok(())
}

/// The members of a new group without repetitions, the owner first.
pub fn create(
    group: GroupState,
    name: &str,
    owner: &UserId,
    members: &[UserId],
) -> Result<Vec<UserId>, Reject> {
    if group.exists {
        return Err(Reject::new(
            Code::AlreadyExists,
            "there is a group of this id already",
        ));
    }
    if name.len() > GROUP_NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(Reject::new(
            Code::InvalidRequest,
            "a group's name is at most 128 bytes, printable",
        ));
    }
    let mut all = vec![owner.clone()];
    all.extend(distinct(members).into_iter().filter(|user| user != owner));
    if all.len() > GROUP_MEMBERS_MAX {
        return Err(Code::GroupFull.into());
    }
    Ok(all)
}

/// Who really joins: those asked for who are not in it yet. Every member may add.
pub fn add(
    group: GroupState,
    operator: Operator<'_>,
    users: &[UserId],
    is_member: impl Fn(&UserId) -> bool,
) -> Result<Vec<UserId>, Reject> {
    check_alive(group)?;
    if let Operator::User(_, None) = operator {
        return Err(Code::NotAMember.into());
    }
    let joining: Vec<UserId> = distinct(users)
        .into_iter()
        .filter(|user| !is_member(user))
        .collect();
    if group.member_count + joining.len() > GROUP_MEMBERS_MAX {
        return Err(Code::GroupFull.into());
    }
    Ok(joining)
}

/// Who really goes: those asked for who are in it. Only the owner removes, and never the owner.
pub fn remove(
    group: GroupState,
    operator: Operator<'_>,
    owner: &UserId,
    users: &[UserId],
    is_member: impl Fn(&UserId) -> bool,
) -> Result<Vec<UserId>, Reject> {
    check_alive(group)?;
    match operator {
        Operator::User(_, None) => return Err(Code::NotAMember.into()),
        Operator::User(_, Some(Role::Member)) => return Err(Code::NotAllowed.into()),
        Operator::Server | Operator::User(_, Some(Role::Owner)) => {}
    }
    if users.contains(owner) {
        return Err(Reject::new(
            Code::NotAllowed,
            "the owner can't be removed; dismiss the group instead",
        ));
    }
    Ok(distinct(users)
        .into_iter()
        .filter(|user| is_member(user))
        .collect())
}

/// May the user quit?
pub fn quit(group: GroupState, role: Option<Role>) -> Result<(), Reject> {
    check_alive(group)?;
    match role {
        None => Err(Code::NotAMember.into()),
        Some(Role::Owner) => Err(Reject::new(
            Code::NotAllowed,
            "the owner can't quit; dismiss the group instead",
        )),
        Some(Role::Member) => Ok(()),
    }
}

/// May the group be dismissed?
pub fn dismiss(group: GroupState, operator: Operator<'_>) -> Result<(), Reject> {
    check_alive(group)?;
    match operator {
        Operator::Server | Operator::User(_, Some(Role::Owner)) => Ok(()),
        Operator::User(_, Some(Role::Member)) => Err(Code::NotAllowed.into()),
        Operator::User(_, None) => Err(Code::NotAMember.into()),
    }
}

/// May somebody with this membership write to the group?
pub fn send(group: GroupState, member: bool) -> Result<(), Reject> {
    check_alive(group)?;
    if member {
        Ok(())
    } else {
        Err(Code::NotAMember.into())
    }
}

fn distinct(users: &[UserId]) -> Vec<UserId> {
    let mut seen = std::collections::BTreeSet::new();
    users
        .iter()
        .filter(|user| seen.insert(*user))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn user(n: u8) -> UserId {
        UserId::new(&format!("u{n}")).unwrap()
    }

    fn alive(member_count: usize) -> GroupState {
        GroupState {
            exists: true,
            dismissed: false,
            member_count,
        }
    }

    #[test]
    fn only_the_owner_removes_and_nobody_removes_the_owner() {
        let (owner, member, other) = (user(0), user(1), user(2));
        let by = |operator, who: &UserId| {
            remove(
                alive(3),
                operator,
                &owner,
                std::slice::from_ref(who),
                |_| true,
            )
            .map_err(|r| r.code)
        };
        assert_eq!(
            by(Operator::User(&member, Some(Role::Member)), &other),
            Err(Code::NotAllowed)
        );
        assert_eq!(
            by(Operator::User(&other, None), &member),
            Err(Code::NotAMember)
        );
        assert_eq!(
            by(Operator::User(&owner, Some(Role::Owner)), &owner),
            Err(Code::NotAllowed)
        );
        assert_eq!(by(Operator::Server, &owner), Err(Code::NotAllowed));
        assert_eq!(
            by(Operator::User(&owner, Some(Role::Owner)), &other),
            Ok(vec![other.clone()])
        );
    }

    #[test]
    fn a_group_holds_so_many_and_not_one_more() {
        let users: Vec<UserId> = (0..GROUP_MEMBERS_MAX)
            .map(|n| UserId::new(&n.to_string()).unwrap())
            .collect();
        let owner = UserId::new("owner").unwrap();
        let new = GroupState {
            exists: false,
            dismissed: false,
            member_count: 0,
        };
        assert_eq!(
            create(new, "", &owner, &users).unwrap_err().code,
            Code::GroupFull
        );
        assert_eq!(
            create(new, "", &owner, &users[1..]).unwrap().len(),
            GROUP_MEMBERS_MAX
        );
        let full = alive(GROUP_MEMBERS_MAX);
        assert_eq!(
            add(full, Operator::Server, &[owner], |_| false)
                .unwrap_err()
                .code,
            Code::GroupFull
        );
        assert_eq!(add(full, Operator::Server, &users, |_| true), Ok(vec![]));
    }

    #[test]
    fn a_dismissed_group_is_over_and_its_id_taken() {
        let group = GroupState {
            exists: true,
            dismissed: true,
            member_count: 2,
        };
        assert_eq!(send(group, true).unwrap_err().code, Code::GroupDismissed);
        assert_eq!(
            create(group, "", &user(1), &[]).unwrap_err().code,
            Code::AlreadyExists
        );
        assert_eq!(
            dismiss(group, Operator::Server).unwrap_err().code,
            Code::GroupDismissed
        );
        assert_eq!(
            quit(group, Some(Role::Member)).unwrap_err().code,
            Code::GroupDismissed
        );
    }

    proptest! {
        /// Against a plain set: adding and removing in any order gives the set's result.
        #[test]
        fn membership_is_what_a_set_says(steps in prop::collection::vec((any::<bool>(), prop::collection::vec(1u8..12, 0..6)), 0..40)) {
            let owner = user(0);
            let mut members = BTreeSet::from([owner.clone()]);
            for (adding, asked) in steps {
                let asked: Vec<UserId> = asked.into_iter().map(user).collect();
                let before = members.clone();
                let group = alive(members.len());
                let changed = if adding {
                    add(group, Operator::Server, &asked, |u| before.contains(u)).unwrap()
                } else {
                    remove(group, Operator::Server, &owner, &asked, |u| before.contains(u)).unwrap()
                };
                for user in &changed {
                    let really = if adding { members.insert(user.clone()) } else { members.remove(user) };
                    prop_assert!(really, "only those who change, each once");
                }
                let model: BTreeSet<UserId> = if adding {
                    before.union(&asked.into_iter().collect()).cloned().collect()
                } else {
                    before.difference(&asked.into_iter().collect()).cloned().collect()
                };
                prop_assert_eq!(&members, &model);
            }
        }
    }
}
