//! Who may do what in a room.

use crate::limits::{BAN_SECONDS_MAX, ROOM_MODERATORS_MAX, ROOM_PROTECTED_MAX};
use crate::time::Timestamp;
use crate::{Code, Reject};

/// The lists that a room has of users.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub enum List {
    /// They are not let in until a time.
    Banned,
    /// They do not write until a time.
    Muted,
    /// They write though the room is muted.
    Exempt,
    /// Their messages are protected, and they do not leave by being away.
    Protected,
    /// They do the room's police work: what the backend may do to others in the room.
    Moderators,
}

impl List {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Banned,
        Self::Muted,
        Self::Exempt,
        Self::Protected,
        Self::Moderators,
    ];

    /// Its number in stored rows.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Banned => 1,
            Self::Muted => 2,
            Self::Exempt => 3,
            Self::Protected => 4,
            Self::Moderators => 5,
        }
    }

    /// The one of this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.number() == number)
    }

    /// Its name in REST.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Banned => "bans",
            Self::Muted => "mutes",
            Self::Exempt => "exempt",
            Self::Protected => "protected",
            Self::Moderators => "moderators",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.name() == name)
    }

    /// Do its entries have an end?
    #[must_use]
    pub const fn ends(self) -> bool {
        matches!(self, Self::Banned | Self::Muted)
    }

    /// How many users may stand on it.
    #[must_use]
    pub const fn max(self) -> usize {
        match self {
            Self::Banned | Self::Muted | Self::Exempt => crate::limits::ROOM_LIST_MAX,
            Self::Protected => ROOM_PROTECTED_MAX,
            Self::Moderators => ROOM_MODERATORS_MAX,
        }
    }
}

/// Who wants to do something in a room.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Standing {
    /// On [`List::Moderators`].
    pub moderator: bool,
    /// On [`List::Protected`].
    pub protected: bool,
    /// On [`List::Exempt`].
    pub exempt: bool,
    /// On [`List::Muted`], until then.
    pub muted_until: Timestamp,
    /// On [`List::Banned`], until then.
    pub banned_until: Timestamp,
}

impl Standing {
    /// May the user come in?
    ///
    /// # Errors
    /// `BANNED`, with the time that is left.
    pub fn check_may_enter(self, now: Timestamp) -> Result<(), Reject> {
        match self.banned_until > now {
            true => Err(Reject::from(Code::Banned).retry_after_ms(left(self.banned_until, now))),
            false => Ok(()),
        }
    }

    /// May the user write, in a room that is muted or not?
    ///
    /// # Errors
    /// `MUTED`, of a mute of the user with the time that is left.
    pub fn check_may_speak(self, room_is_muted: bool, now: Timestamp) -> Result<(), Reject> {
        if self.moderator {
            return Ok(());
        }
        if self.muted_until > now {
            return Err(Reject::from(Code::Muted).retry_after_ms(left(self.muted_until, now)));
        }
        match room_is_muted && !self.exempt {
            true => Err(Reject::new(Code::Muted, "all in the room are muted")),
            false => Ok(()),
        }
    }

    /// May the user act on another one in the room? Moderators do not act on each other.
    ///
    /// # Errors
    /// `NOT_ALLOWED`.
    pub fn check_may_moderate(self, other: Option<Self>) -> Result<(), Reject> {
        if !self.moderator {
            return Err(Reject::new(
                Code::NotAllowed,
                "only moderators of the room may",
            ));
        }
        if other.is_some_and(|other| other.moderator) {
            return Err(Reject::new(
                Code::NotAllowed,
                "moderators do not act on each other",
            ));
        }
        Ok(())
    }

    /// Are the user's messages protected?
    #[must_use]
    pub const fn is_protected(self) -> bool {
        self.moderator || self.protected
    }
}

/// Until when a mute or a ban of so many seconds lasts.
///
/// # Errors
/// `INVALID_REQUEST` for zero, or too many.
pub fn until(seconds: u64, now: Timestamp) -> Result<Timestamp, Reject> {
    if !(1..=BAN_SECONDS_MAX).contains(&seconds) {
        let message = format!("seconds are 1–{BAN_SECONDS_MAX}");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    Ok(now.plus_ms(seconds * 1_000))
}

fn left(until: Timestamp, now: Timestamp) -> u32 {
    u32::try_from(until.since_ms(now)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    #[test]
    fn bans_and_mutes_end_by_themselves() {
        let until = |at| Standing {
            banned_until: Timestamp(at),
            muted_until: Timestamp(at),
            ..Standing::default()
        };
        let code = |result: Result<(), Reject>| result.map_err(|it| (it.code, it.retry_after_ms));
        assert_eq!(
            code(until(1_500).check_may_enter(NOW)),
            Err((Code::Banned, 500))
        );
        assert_eq!(
            code(until(1_500).check_may_speak(false, NOW)),
            Err((Code::Muted, 500))
        );
        assert!(until(1_000).check_may_enter(NOW).is_ok());
        assert!(until(1_000).check_may_speak(false, NOW).is_ok());
    }

    #[test]
    fn in_a_muted_room_moderators_and_the_exempt_write() {
        let nobody = Standing::default();
        assert_eq!(
            nobody.check_may_speak(true, NOW).unwrap_err().code,
            Code::Muted
        );
        let exempt = Standing {
            exempt: true,
            ..nobody
        };
        assert!(exempt.check_may_speak(true, NOW).is_ok());
        let moderator = Standing {
            moderator: true,
            muted_until: Timestamp(u64::MAX),
            ..nobody
        };
        assert!(moderator.check_may_speak(true, NOW).is_ok());
        assert!(moderator.is_protected() && !nobody.is_protected());
    }

    #[test]
    fn moderators_act_on_others_and_not_on_each_other() {
        let nobody = Standing::default();
        let moderator = Standing {
            moderator: true,
            ..nobody
        };
        assert!(moderator.check_may_moderate(Some(nobody)).is_ok());
        assert!(moderator.check_may_moderate(None).is_ok());
        assert!(moderator.check_may_moderate(Some(moderator)).is_err());
        assert!(nobody.check_may_moderate(Some(nobody)).is_err());
    }

    #[test]
    fn lists_have_names_and_numbers() {
        for list in List::ALL {
            assert_eq!(List::from_name(list.name()), Some(list));
            assert_eq!(List::from_number(list.number()), Some(list));
        }
    }
}
