//! App-wide mutes: a user muted in all conversations of a kind, or a kind muted for everybody.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::{Code, Reject};
use crate::conversation::ConversationId;
use crate::id::UserId;
use crate::time::Timestamp;

/// Conversations that are muted together.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub enum Kind {
    /// Private chats.
    Private,
    /// Everything with more than two in it that is kept.
    Group,
    /// Chat rooms.
    Room,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Private, Self::Group, Self::Room];

    /// The kind of a conversation.
    #[must_use]
    pub const fn of(conversation: &ConversationId) -> Self {
        if matches!(conversation, ConversationId::Private(..)) {
            Self::Private
        } else {
            Self::Group
        }
    }

    /// Its name in REST and in messages to developers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Group => "group",
            Self::Room => "room",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its number in stored rows.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Private => 1,
            Self::Group => 2,
            Self::Room => 3,
        }
    }

    /// The one of this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// The mutes of one kind.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct KindMutes {
    /// Until when everybody is muted.
    pub all_until: Timestamp,
    /// Who is muted, until when.
    pub users: BTreeMap<UserId, Timestamp>,
    /// Whom the mute of all does not concern.
    pub exempt: BTreeSet<UserId>,
}

/// The app-wide mutes of an app.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct AppMutes {
    /// In private chats.
    pub private: KindMutes,
    /// In groups.
    pub group: KindMutes,
    /// In chat rooms.
    pub room: KindMutes,
}

impl AppMutes {
    /// Those of a kind.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> &KindMutes {
        match kind {
            Kind::Private => &self.private,
            Kind::Group => &self.group,
            Kind::Room => &self.room,
        }
    }

    /// The same, to be changed.
    pub const fn of_mut(&mut self, kind: Kind) -> &mut KindMutes {
        match kind {
            Kind::Private => &mut self.private,
            Kind::Group => &mut self.group,
            Kind::Room => &mut self.room,
        }
    }

    /// May the user write in conversations of this kind?
    ///
    /// # Errors
    /// `MUTED_EVERYWHERE`, with the time that is left.
    pub fn check(&self, kind: Kind, user: &UserId, now: Timestamp) -> Result<(), Reject> {
        let mutes = self.of(kind);
        let own = mutes.users.get(user).copied().unwrap_or_default();
        let all = match mutes.exempt.contains(user) {
            true => Timestamp::default(),
            false => mutes.all_until,
        };
        let until = own.max(all);
        if until <= now {
            return Ok(());
        }
        let who = if own > now { "the user is" } else { "all are" };
        let message = format!("{who} muted in every {} conversation", kind.name());
        Err(Reject::new(Code::MutedEverywhere, message).retry_after_ms(left(until, now)))
    }
}

/// The time that is left, as far as it can be said.
pub(super) fn left(until: Timestamp, now: Timestamp) -> u32 {
    u32::try_from(until.since_ms(now)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn code(mutes: &AppMutes, kind: Kind, name: &str) -> Result<(), (Code, u32)> {
        let checked = mutes.check(kind, &user(name), NOW);
        checked.map_err(|reject| (reject.code, reject.retry_after_ms))
    }

    #[test]
    fn a_user_is_muted_in_one_kind_until_a_time() {
        let mut mutes = AppMutes::default();
        mutes.group.users.insert(user("a"), Timestamp(1_500));
        mutes.group.users.insert(user("b"), NOW);
        let refused = Err((Code::MutedEverywhere, 500));
        assert_eq!(code(&mutes, Kind::Group, "a"), refused);
        assert_eq!(code(&mutes, Kind::Private, "a"), Ok(()));
        assert_eq!(code(&mutes, Kind::Group, "b"), Ok(()), "it is over");
        assert_eq!(code(&mutes, Kind::Group, "c"), Ok(()));
    }

    #[test]
    fn when_a_kind_is_muted_only_the_exempt_write() {
        let mut mutes = AppMutes::default();
        mutes.private.all_until = Timestamp(u64::MAX);
        mutes.private.exempt.extend([user("a"), user("b")]);
        mutes.private.users.insert(user("b"), Timestamp(1_001));
        assert_eq!(code(&mutes, Kind::Private, "a"), Ok(()));
        let own = Err((Code::MutedEverywhere, 1));
        assert_eq!(code(&mutes, Kind::Private, "b"), own, "exempt, yet muted");
        let long = Err((Code::MutedEverywhere, u32::MAX));
        assert_eq!(code(&mutes, Kind::Private, "c"), long);
        assert_eq!(code(&mutes, Kind::Group, "c"), Ok(()));
    }

    #[test]
    fn kinds_have_names_and_numbers() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert_eq!(Kind::from_number(kind.number()), Some(kind));
        }
        assert_eq!(Kind::from_name("channel"), None);
    }
}
