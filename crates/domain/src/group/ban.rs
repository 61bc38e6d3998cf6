//! Who is kept out of a group.

use super::{GroupState, Operator, Right, Role, Standing, distinct};
use crate::code::{Code, Reject};
use crate::id::UserId;
use crate::limits::GROUP_BANS_MAX;

/// Who is banned from now on: all of those asked for, or none. Members among them are removed by
/// it. `banned`: how many there are already, `is_banned` whether somebody is one of them.
pub fn ban(
    group: GroupState,
    operator: Operator<'_>,
    users: &[UserId],
    banned: usize,
    is_banned: impl Fn(&UserId) -> bool,
    standing_of: impl Fn(&UserId) -> Option<Standing>,
) -> Result<Vec<UserId>, Reject> {
    group.check_alive()?;
    operator.check_right(Right::Ban)?;
    let users = distinct(users);
    for user in &users {
        let standing = standing_of(user);
        if standing.is_some_and(|standing| standing.role == Role::Owner) {
            return Err(Reject::new(Code::NotAllowed, "an owner can't be banned"));
        }
        operator.check_above(user, standing)?;
    }
    let new = users.iter().filter(|user| !is_banned(user)).count();
    if banned + new > GROUP_BANS_MAX {
        let message = format!("a group bans at most {GROUP_BANS_MAX} users");
        return Err(Reject::new(Code::GroupFull, message));
    }
    Ok(users)
}

/// Who is let in again: those asked for who are banned.
pub fn unban(
    group: GroupState,
    operator: Operator<'_>,
    users: &[UserId],
    is_banned: impl Fn(&UserId) -> bool,
) -> Result<Vec<UserId>, Reject> {
    group.check_alive()?;
    operator.check_right(Right::Ban)?;
    Ok(distinct(users).into_iter().filter(is_banned).collect())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;

    #[test]
    fn who_stands_lower_or_outside_can_be_banned() {
        let admin = user(1);
        let ban = |operator, who: u8| {
            ban(alive(9), operator, &[user(who)], 0, |_| false, geese).map_err(|r| r.code)
        };
        assert!(ban(by(&admin, Role::Admin), 3).is_ok());
        assert!(ban(by(&admin, Role::Admin), 77).is_ok());
        assert_eq!(ban(by(&admin, Role::Admin), 2), Err(Code::NotAllowed));
        assert_eq!(ban(Operator::Server, 0), Err(Code::NotAllowed));
        assert_eq!(ban(by(&user(3), Role::Member), 4), Err(Code::NotAllowed));
    }

    #[test]
    fn the_list_has_an_end_and_who_is_on_it_needs_no_room() {
        let full = |is_banned: bool| {
            ban(
                alive(9),
                Operator::Server,
                &[user(3)],
                GROUP_BANS_MAX,
                |_| is_banned,
                geese,
            )
        };
        assert_eq!(full(false).unwrap_err().code, Code::GroupFull);
        assert!(full(true).is_ok());
    }
}
