//! How long messages are kept.

use crate::conversation::ConversationId;
use crate::time::Timestamp;

/// The shortest time that messages are kept: longer than a send can be repeated.
pub const RETENTION_DAYS_MIN: u32 = 2;
/// The longest time: 36 months.
pub const RETENTION_DAYS_MAX: u32 = 1_096;
/// What holds unless the app says otherwise.
pub const RETENTION_DAYS_DEFAULT: u32 = 180;

const DAY_MS: u64 = 86_400_000;

/// For how many days an app keeps messages, by the kind of the conversation.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Retention {
    /// Of private chats.
    pub private_days: u32,
    /// Of groups and everything like them.
    pub group_days: u32,
}

impl Retention {
    /// Messages of this conversation that are older are to be removed.
    #[must_use]
    pub fn cutoff(self, conversation: &ConversationId, now: Timestamp) -> Timestamp {
        let days = match conversation {
            ConversationId::Private(..) => self.private_days,
            _ => self.group_days,
        };
        Timestamp(now.0.saturating_sub(u64::from(days) * DAY_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{GroupId, UserId};

    #[test]
    fn each_kind_has_its_own_time() {
        let days = Retention {
            private_days: 2,
            group_days: 3,
        };
        let user = |name| UserId::new(name).unwrap();
        let private = ConversationId::private(&user("alice"), &user("bob"));
        let group = ConversationId::Group(GroupId::new("geese").unwrap());
        let now = Timestamp(10 * DAY_MS);
        assert_eq!(days.cutoff(&private, now), Timestamp(8 * DAY_MS));
        assert_eq!(days.cutoff(&group, now), Timestamp(7 * DAY_MS));
        assert_eq!(days.cutoff(&group, Timestamp(1)), Timestamp(0));
    }
}
