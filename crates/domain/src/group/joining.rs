//! How one gets into a group: added, at once, by request, by invitation.

use super::{GroupState, Operator, Right, Standing, distinct};
use crate::code::{Code, Reject};
use crate::id::UserId;
use crate::limits::{INVITATIONS_MAX, JOIN_MESSAGE_BYTES_MAX, JOIN_REQUEST_LIFE_MS};
use crate::time::Timestamp;

/// What becomes of somebody who asks to be let in.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum JoinMode {
    /// It becomes a request that the owner or an admin approves or rejects: a private group.
    #[default]
    Approval,
    /// They are in: a public group.
    Public,
    /// Nothing: members are added or invited.
    Closed,
}

/// Who gets in by an addition, and how.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Addition {
    /// They are members from now on.
    Joined(Vec<UserId>),
    /// They are invited, and members once they accept.
    Invited(Vec<UserId>),
}

/// What adding users comes to, for those asked for who are not in it yet. Every member may add,
/// unless the group's settings say otherwise; nobody adds who is banned. Who is invited already
/// is not invited again; `invitations`: how many live.
pub fn add(
    group: GroupState,
    operator: Operator<'_>,
    users: &[UserId],
    is_member: impl Fn(&UserId) -> bool,
    is_banned: impl Fn(&UserId) -> bool,
    (invitations, is_invited): (usize, impl Fn(&UserId) -> bool),
) -> Result<Addition, Reject> {
    group.check_alive()?;
    operator.check_right(Right::Invite)?;
    let joining: Vec<UserId> = distinct(users)
        .into_iter()
        .filter(|user| !is_member(user))
        .collect();
    if let Some(banned) = joining.iter().find(|user| is_banned(user)) {
        let message = format!("{banned} is banned from the group; nothing was changed");
        return Err(Reject::new(Code::Banned, message));
    }
    check_room(group, joining.len())?;
    if !invites(group, operator) {
        return Ok(Addition::Joined(joining));
    }
    let invited: Vec<UserId> = joining
        .into_iter()
        .filter(|user| !is_invited(user))
        .collect();
    if invitations + invited.len() > INVITATIONS_MAX && !invited.is_empty() {
        let message = format!("at most {INVITATIONS_MAX} invitations wait for an answer");
        return Err(Reject::new(Code::Overloaded, message).retry_after_ms(60_000));
    }
    Ok(Addition::Invited(invited))
}

/// Is who is added by this operator invited first?
#[must_use]
pub fn invites(group: GroupState, operator: Operator<'_>) -> bool {
    group.settings.invitations_need_acceptance && operator != Operator::Server
}

/// Is there room for so many more?
pub fn check_room(group: GroupState, joining: usize) -> Result<(), Reject> {
    if group.is_too_many(group.member_count + joining) {
        return Err(Code::GroupFull.into());
    }
    Ok(())
}

/// What becomes of somebody who asks to be let in.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Joining {
    /// They are in it already.
    Already,
    /// They are in.
    Joined,
    /// They wait for an answer.
    Requested,
}

/// What becomes of a user who asks to be let in. Who holds an invitation is let into every group.
pub fn join(
    group: GroupState,
    member: bool,
    banned: bool,
    invited: bool,
    message: &str,
) -> Result<Joining, Reject> {
    group.check_alive()?;
    if message.len() > JOIN_MESSAGE_BYTES_MAX || message.chars().any(char::is_control) {
        return Err(Reject::new(
            Code::InvalidRequest,
            "the message of a request is at most 256 bytes, printable",
        ));
    }
    if member {
        return Ok(Joining::Already);
    }
    if banned {
        return Err(Code::Banned.into());
    }
    check_room(group, 1)?;
    match group.settings.join {
        _ if invited => Ok(Joining::Joined),
        JoinMode::Public => Ok(Joining::Joined),
        JoinMode::Approval => Ok(Joining::Requested),
        JoinMode::Closed => Err(Reject::new(
            Code::NotAllowed,
            "the members of this conversation add others; nobody asks",
        )),
    }
}

/// Whose requests are decided: those asked for that wait for an answer. Approving needs room, and
/// that they are neither members nor banned by now.
pub fn decide(
    group: GroupState,
    operator: Operator<'_>,
    users: &[UserId],
    approve: bool,
    waits: impl Fn(&UserId) -> bool,
    is_banned: impl Fn(&UserId) -> bool,
) -> Result<Vec<UserId>, Reject> {
    group.check_alive()?;
    operator.check_right(Right::Approve)?;
    let users: Vec<UserId> = distinct(users).into_iter().filter(waits).collect();
    if approve {
        if users.iter().any(is_banned) {
            return Err(Code::Banned.into());
        }
        check_room(group, users.len())?;
    }
    Ok(users)
}

/// May the user answer an invitation? `invited`: they hold one that lives.
pub fn answer(
    group: GroupState,
    standing: Option<Standing>,
    invited: bool,
    banned: bool,
    accept: bool,
) -> Result<(), Reject> {
    group.check_alive()?;
    if standing.is_some() {
        return Err(Reject::new(
            Code::AlreadyExists,
            "the user is in the group already",
        ));
    }
    if !invited {
        return Err(Reject::new(
            Code::NotFound,
            "there is no invitation for this user, or it has expired",
        ));
    }
    if accept {
        if banned {
            return Err(Code::Banned.into());
        }
        check_room(group, 1)?;
    }
    Ok(())
}

/// Does a request or an invitation of this time still live?
#[must_use]
pub fn lives(made: Timestamp, now: Timestamp) -> bool {
    now.since_ms(made) < JOIN_REQUEST_LIFE_MS
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::super::{Role, Settings};
    use super::*;

    fn group(join: JoinMode) -> GroupState {
        GroupState {
            settings: Settings {
                join,
                ..Settings::default()
            },
            ..alive(9)
        }
    }

    #[test]
    fn the_mode_says_what_becomes_of_who_asks() {
        let ask = |mode, invited| {
            join(group(mode), false, false, invited, "hello").map_err(|reject| reject.code)
        };
        assert_eq!(ask(JoinMode::Public, false), Ok(Joining::Joined));
        assert_eq!(ask(JoinMode::Approval, false), Ok(Joining::Requested));
        assert_eq!(ask(JoinMode::Closed, false), Err(Code::NotAllowed));
        assert_eq!(ask(JoinMode::Closed, true), Ok(Joining::Joined));
        assert_eq!(
            join(group(JoinMode::Public), false, true, true, "")
                .unwrap_err()
                .code,
            Code::Banned
        );
        assert_eq!(
            join(group(JoinMode::Closed), true, false, false, ""),
            Ok(Joining::Already)
        );
    }

    #[test]
    fn who_is_added_by_a_member_is_invited_where_that_is_set() {
        let mut group = alive(9);
        group.settings.invitations_need_acceptance = true;
        let (member, new) = (user(3), vec![user(77)]);
        let none = (0, |_: &UserId| false);
        let add = |operator| add(group, operator, &new, |_| false, |_| false, none);
        assert_eq!(
            add(by(&member, Role::Member)),
            Ok(Addition::Invited(new.clone()))
        );
        assert_eq!(add(Operator::Server), Ok(Addition::Joined(new.clone())));
    }

    #[test]
    fn who_is_invited_is_not_invited_again_and_the_list_has_an_end() {
        let mut group = alive(9);
        group.settings.invitations_need_acceptance = true;
        let (member, both) = (user(3), vec![user(77), user(78)]);
        let add = |living: usize| {
            let living = (living, |who: &UserId| *who == user(77));
            let by = by(&member, Role::Member);
            add(group, by, &both, |_| false, |_| false, living).map_err(|reject| reject.code)
        };
        assert_eq!(add(1), Ok(Addition::Invited(vec![user(78)])));
        assert!(add(INVITATIONS_MAX - 1).is_ok());
        assert_eq!(add(INVITATIONS_MAX), Err(Code::Overloaded));
    }

    #[test]
    fn a_banned_user_is_added_by_nobody() {
        let add = add(
            alive(9),
            Operator::Server,
            &[user(7), user(8)],
            |_| false,
            |u| *u == user(8),
            (0, |_| false),
        );
        assert_eq!(add.unwrap_err().code, Code::Banned);
    }

    #[test]
    fn requests_are_decided_by_those_with_the_right_and_only_once() {
        let (admin, asking) = (user(1), vec![user(70), user(71)]);
        let waiting = |u: &UserId| *u == user(70);
        let decide = |operator| decide(alive(9), operator, &asking, true, waiting, |_| false);
        assert_eq!(decide(by(&admin, Role::Admin)), Ok(vec![user(70)]));
        assert_eq!(
            decide(by(&user(3), Role::Member)).unwrap_err().code,
            Code::NotAllowed
        );
    }

    #[test]
    fn an_invitation_is_answered_while_it_lives() {
        assert!(lives(Timestamp(5), Timestamp(JOIN_REQUEST_LIFE_MS)));
        assert!(!lives(Timestamp(5), Timestamp(5 + JOIN_REQUEST_LIFE_MS)));
        assert_eq!(
            answer(alive(1), None, false, false, true).unwrap_err().code,
            Code::NotFound
        );
        assert!(answer(alive(1), None, true, false, true).is_ok());
        assert!(answer(alive(1), None, true, true, false).is_ok());
    }
}
