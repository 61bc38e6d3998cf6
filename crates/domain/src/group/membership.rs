//! Creating, removing, quitting, handing over, dismissing.

use super::info::check_name;
use super::{GroupState, Operator, Right, Role, Standing, distinct};
use crate::code::{Code, Reject};
use crate::id::UserId;

/// The members of a new group without repetitions, the owner first.
pub fn create(
    group: GroupState,
    name: &str,
    owner: &UserId,
    members: &[UserId],
) -> Result<Vec<UserId>, Reject> {
    if group.exists {
        let message = format!(
            "there is a {} of this id already",
            group.settings.kind.noun()
        );
        return Err(Reject::new(Code::AlreadyExists, message));
    }
    check_name(name)?;
    let mut all = vec![owner.clone()];
    all.extend(distinct(members).into_iter().filter(|user| user != owner));
    let most = group.policy().first_members_max;
    if group.is_too_many(all.len()) {
        return Err(Code::GroupFull.into());
    }
    if all.len() > most {
        let message = format!(
            "a {} begins with at most {most} members",
            group.settings.kind.noun()
        );
        return Err(Reject::new(Code::GroupFull, message));
    }
    Ok(all)
}

/// Who really goes: those asked for who are in it. One removes who stands lower, in an open
/// conversation every plain member. Nobody removes the owner, but for the server API where the
/// owner may go.
pub fn remove(
    group: GroupState,
    operator: Operator<'_>,
    users: &[UserId],
    standing_of: impl Fn(&UserId) -> Option<Standing>,
) -> Result<Vec<UserId>, Reject> {
    group.check_alive()?;
    operator.check_right(Right::Remove)?;
    let mut leaving = Vec::new();
    for user in distinct(users) {
        let Some(standing) = standing_of(&user) else {
            continue;
        };
        let may_go = group.policy().owner_may_go && operator == Operator::Server;
        if standing.role == Role::Owner && !may_go {
            return Err(Reject::new(
                Code::NotAllowed,
                "the owner can't be removed; hand it over first, or dismiss it",
            ));
        }
        if standing.rank() > 0 || !group.settings.open {
            operator.check_above(&user, Some(standing))?;
        }
        leaving.push(user);
    }
    Ok(leaving)
}

/// May the user quit?
pub fn quit(group: GroupState, standing: Option<Standing>) -> Result<(), Reject> {
    group.check_alive()?;
    match standing.ok_or(Code::NotAMember)?.role {
        Role::Owner if !group.policy().owner_may_go => Err(Reject::new(
            Code::NotAllowed,
            "the owner can't quit; hand the group over first, or dismiss it",
        )),
        Role::Owner | Role::Admin | Role::Member => Ok(()),
    }
}

/// Whether handing the group over to this user changes anything. The owner before is a plain
/// member then.
pub fn transfer(
    group: GroupState,
    operator: Operator<'_>,
    to: &UserId,
    standing: Option<Standing>,
) -> Result<bool, Reject> {
    group.check_alive()?;
    operator.check_role(Role::Owner)?;
    let standing = standing.ok_or_else(|| {
        let message = format!("{to} is not in the group");
        Reject::new(Code::NotAMember, message)
    })?;
    Ok(standing.role != Role::Owner)
}

/// May the group be dismissed?
pub fn dismiss(group: GroupState, operator: Operator<'_>) -> Result<(), Reject> {
    group.check_alive()?;
    operator.check_role(Role::Owner)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::super::joining::{self, Addition};
    use super::super::speech;
    use super::*;
    use crate::group::{Kind, Settings};
    use crate::limits::{CREATED_MEMBERS_AT_FIRST_MAX, GROUP_MEMBERS_MAX};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn one_removes_who_stands_lower_and_nobody_removes_the_owner() {
        let (owner, admin, member, other) = (user(0), user(1), user(3), user(4));
        let stranger = user(77);
        let remove = |operator, who: &UserId| {
            remove(alive(9), operator, std::slice::from_ref(who), geese).map_err(|r| r.code)
        };
        assert_eq!(
            remove(by(&member, Role::Member), &other),
            Err(Code::NotAllowed)
        );
        assert_eq!(
            remove(Operator::User(&stranger, None), &member),
            Err(Code::NotAMember)
        );
        assert_eq!(
            remove(by(&owner, Role::Owner), &owner),
            Err(Code::NotAllowed)
        );
        assert_eq!(remove(Operator::Server, &owner), Err(Code::NotAllowed));
        assert_eq!(
            remove(by(&admin, Role::Admin), &user(2)),
            Err(Code::NotAllowed)
        );
        assert_eq!(
            remove(by(&admin, Role::Admin), &other),
            Ok(vec![other.clone()])
        );
        assert_eq!(
            remove(by(&owner, Role::Owner), &admin),
            Ok(vec![admin.clone()])
        );
        assert_eq!(remove(Operator::Server, &user(77)), Ok(vec![]));
    }

    #[test]
    fn a_group_holds_so_many_and_not_one_more() {
        let users: Vec<UserId> = (0..GROUP_MEMBERS_MAX)
            .map(|n| UserId::new(&n.to_string()).unwrap())
            .collect();
        let owner = UserId::new("owner").unwrap();
        let new = GroupState::default();
        assert_eq!(
            create(new, "", &owner, &users).unwrap_err().code,
            Code::GroupFull
        );
        assert_eq!(
            create(new, "", &owner, &users[1..]).unwrap().len(),
            GROUP_MEMBERS_MAX
        );
        let full = alive(GROUP_MEMBERS_MAX);
        let add = |users: &[UserId], member: bool| {
            joining::add(
                full,
                Operator::Server,
                users,
                |_| member,
                |_| false,
                (0, |_| false),
            )
        };
        assert_eq!(add(&[owner], false).unwrap_err().code, Code::GroupFull);
        assert_eq!(add(&users, true), Ok(Addition::Joined(vec![])));
    }

    fn created(open: bool) -> GroupState {
        GroupState {
            settings: Settings {
                kind: Kind::Created,
                open,
                ..Settings::default()
            },
            ..alive(9)
        }
    }

    #[test]
    fn in_an_open_conversation_plain_members_remove_one_another() {
        let (owner, manager, member, other) = (user(0), user(1), user(3), user(4));
        let remove = |open: bool, operator: Role, by_whom: &UserId, who: &UserId| {
            let state = created(open);
            let standing = Standing::new(operator, None, &state.settings);
            let operator = Operator::User(by_whom, Some(standing));
            remove(state, operator, std::slice::from_ref(who), geese).map_err(|r| r.code)
        };
        let gone = Ok(vec![other.clone()]);
        assert_eq!(remove(true, Role::Member, &member, &other), gone);
        assert_eq!(remove(false, Role::Admin, &manager, &other), gone);
        let refused = Err(Code::NotAllowed);
        assert_eq!(remove(false, Role::Member, &member, &other), refused);
        assert_eq!(remove(true, Role::Member, &member, &manager), refused);
        assert_eq!(remove(true, Role::Admin, &manager, &owner), refused);
    }

    #[test]
    fn the_owner_of_a_created_conversation_goes_like_anybody_else() {
        let owner = user(0);
        assert!(quit(created(true), geese(&owner)).is_ok());
        let users = std::slice::from_ref(&owner);
        let removed = remove(created(true), Operator::Server, users, geese);
        assert_eq!(removed, Ok(vec![owner.clone()]));
    }

    #[test]
    fn a_created_conversation_begins_small() {
        let users: Vec<UserId> = (0..CREATED_MEMBERS_AT_FIRST_MAX)
            .map(|n| UserId::new(&n.to_string()).unwrap())
            .collect();
        let new = GroupState {
            exists: false,
            ..created(true)
        };
        let owner = UserId::new("owner").unwrap();
        assert_eq!(
            create(new, "", &owner, &users).unwrap_err().code,
            Code::GroupFull
        );
        assert!(create(new, "", &users[0], &users).is_ok());
        let add = joining::add(
            created(true),
            Operator::Server,
            &users,
            |_| false,
            |_| false,
            (0, |_| false),
        );
        assert!(add.is_ok(), "it may grow");
    }

    #[test]
    fn an_app_may_hold_its_groups_smaller() {
        let state = |member_count| GroupState {
            members_max: Some(3),
            ..alive(member_count)
        };
        let users: Vec<UserId> = (3..5).map(user).collect();
        let new = GroupState {
            exists: false,
            ..state(0)
        };
        assert!(create(new, "", &user(9), &users).is_ok());
        let four: Vec<UserId> = (3..6).map(user).collect();
        let refused = create(new, "", &user(9), &four).unwrap_err();
        assert_eq!(refused.code, Code::GroupFull);
        assert!(joining::check_room(state(2), 1).is_ok());
        assert_eq!(
            joining::check_room(state(3), 1).unwrap_err().code,
            Code::GroupFull
        );
    }

    #[test]
    fn a_group_is_handed_over_within_it_and_then_the_owner_may_quit() {
        let (owner, admin) = (user(0), user(1));
        let give =
            |operator, to: &UserId| transfer(alive(9), operator, to, geese(to)).map_err(|r| r.code);
        assert_eq!(give(by(&owner, Role::Owner), &admin), Ok(true));
        assert_eq!(give(Operator::Server, &owner), Ok(false));
        assert_eq!(give(by(&admin, Role::Admin), &admin), Err(Code::NotAllowed));
        assert_eq!(
            give(by(&owner, Role::Owner), &user(77)),
            Err(Code::NotAMember)
        );
        assert_eq!(
            quit(alive(9), geese(&owner)).unwrap_err().code,
            Code::NotAllowed
        );
        assert!(quit(alive(9), geese(&admin)).is_ok());
    }

    #[test]
    fn a_dismissed_group_is_over_and_its_id_taken() {
        let group = GroupState {
            dismissed: true,
            ..alive(2)
        };
        let over = |result: Result<(), Reject>| result.unwrap_err().code;
        let now = crate::time::Timestamp(0);
        assert_eq!(over(speech::send(group, None, now)), Code::GroupDismissed);
        assert_eq!(
            over(create(group, "", &user(1), &[]).map(drop)),
            Code::AlreadyExists
        );
        assert_eq!(over(dismiss(group, Operator::Server)), Code::GroupDismissed);
        assert_eq!(over(quit(group, geese(&user(3)))), Code::GroupDismissed);
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
                    let added = joining::add(group, Operator::Server, &asked, |u| before.contains(u), |_| false, (0, |_| false));
                    let Ok(Addition::Joined(changed)) = added else { panic!("the server adds") };
                    changed
                } else {
                    let standing = |u: &UserId| before.contains(u).then(|| standing(Role::Member));
                    remove(group, Operator::Server, &asked, standing).unwrap()
                };
                for user in &changed {
                    prop_assert_eq!(before.contains(user), !adding, "only real changes");
                }
                if adding {
                    members.extend(changed);
                } else {
                    members.retain(|user| !changed.contains(user));
                }
                let asked: BTreeSet<UserId> = asked.into_iter().collect();
                let expected: BTreeSet<UserId> = if adding {
                    before.union(&asked).cloned().collect()
                } else {
                    before.difference(&asked).cloned().collect()
                };
                prop_assert_eq!(&members, &expected);
            }
            prop_assert!(members.contains(&owner));
        }
    }
}
