//! Who may write to a group.

use super::{GroupState, Operator, Right, Role, Standing, distinct};
use crate::code::{Code, Reject};
use crate::id::UserId;
use crate::time::Timestamp;

/// What is known of somebody who wants to write.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Speaker {
    /// How they stand in the group.
    pub standing: Standing,
    /// They are muted until then.
    pub muted_until: Timestamp,
    /// The mute of all is not for them.
    pub exempt: bool,
}

/// May they write now? `None`: somebody who is not in the group.
pub fn send(group: GroupState, speaker: Option<Speaker>, now: Timestamp) -> Result<(), Reject> {
    group.check_alive()?;
    let speaker = speaker.ok_or(Code::NotAMember)?;
    if speaker.muted_until > now {
        let left = speaker.muted_until.since_ms(now).div_ceil(1_000);
        let message = format!("the user is muted in this group for {left} more seconds");
        return Err(Reject::new(Code::Muted, message));
    }
    let free = speaker.exempt
        || speaker.standing.role >= Role::Admin
        || speaker.standing.rights.has(Right::Speak);
    if group.settings.muted && !free {
        return Err(Reject::new(Code::Muted, "all of this group are muted"));
    }
    Ok(())
}

/// The members whose mute, or whose exemption from the mute of all, may be changed: all of those
/// asked for, or none.
pub fn mute(
    group: GroupState,
    operator: Operator<'_>,
    users: &[UserId],
    standing_of: impl Fn(&UserId) -> Option<Standing>,
) -> Result<Vec<UserId>, Reject> {
    group.check_alive()?;
    operator.check_right(Right::Mute)?;
    let users = distinct(users);
    for user in &users {
        let standing = standing_of(user).ok_or_else(|| {
            let message = format!("{user} is not in the group");
            Reject::new(Code::NotAMember, message)
        })?;
        if standing.role == Role::Owner {
            return Err(Reject::new(Code::NotAllowed, "an owner can't be muted"));
        }
        operator.check_above(user, Some(standing))?;
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::super::fixture::*;
    use super::*;

    fn speaker(role: Role) -> Speaker {
        Speaker {
            standing: standing(role),
            muted_until: Timestamp(0),
            exempt: false,
        }
    }

    #[test]
    fn a_mute_is_over_when_its_time_is() {
        let muted = Speaker {
            muted_until: Timestamp(100),
            ..speaker(Role::Member)
        };
        let at = |now| send(alive(2), Some(muted), Timestamp(now)).map_err(|r| r.code);
        assert_eq!(at(99), Err(Code::Muted));
        assert_eq!(at(100), Ok(()));
        assert_eq!(
            send(alive(2), None, Timestamp(0)).unwrap_err().code,
            Code::NotAMember
        );
    }

    #[test]
    fn when_all_are_muted_the_owner_admins_and_the_exempt_talk() {
        let group = super::GroupState {
            settings: Settings {
                muted: true,
                ..Settings::default()
            },
            ..alive(4)
        };
        let may = |speaker| send(group, Some(speaker), Timestamp(5)).is_ok();
        assert!(may(speaker(Role::Owner)) && may(speaker(Role::Admin)));
        assert!(!may(speaker(Role::Member)));
        assert!(may(Speaker {
            exempt: true,
            ..speaker(Role::Member)
        }));
        assert!(
            !may(Speaker {
                exempt: true,
                muted_until: Timestamp(9),
                ..speaker(Role::Member)
            }),
            "an exemption from the mute of all does not lift one's own"
        );
    }

    #[test]
    fn one_mutes_who_stands_lower() {
        let (owner, admin, member) = (user(0), user(1), user(3));
        let mute = |operator, who: &UserId| {
            mute(alive(9), operator, std::slice::from_ref(who), geese).map_err(|r| r.code)
        };
        assert!(mute(by(&admin, Role::Admin), &member).is_ok());
        assert!(mute(by(&owner, Role::Owner), &admin).is_ok());
        assert_eq!(
            mute(by(&admin, Role::Admin), &user(2)),
            Err(Code::NotAllowed)
        );
        assert_eq!(
            mute(by(&member, Role::Member), &user(4)),
            Err(Code::NotAllowed)
        );
        assert_eq!(mute(Operator::Server, &owner), Err(Code::NotAllowed));
        assert_eq!(mute(Operator::Server, &user(77)), Err(Code::NotAMember));
    }
}
