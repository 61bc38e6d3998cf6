//! Whose messages a user takes: the block list and the allow list.
//!
//! They are about private chats. Who is on the block list writes to the user no more. A user may
//! also take messages from those on the allow list only; who is on both lists is blocked.

use crate::code::Code;

/// One of a user's two lists.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum List {
    /// Those whom the user does not hear.
    Blocked,
    /// Those whom the user hears even when only they may write.
    Allowed,
}

/// How a user stands to another who writes to them.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Stance {
    /// The other is on the user's block list.
    pub blocked: bool,
    /// The user hears only who is on the allow list.
    pub allow_only: bool,
    /// The other is on it.
    pub allowed: bool,
}

impl Stance {
    /// Why the other may not write; `None`: they may.
    #[must_use]
    pub const fn refusal(self) -> Option<Code> {
        if self.blocked {
            return Some(Code::Blocked);
        }
        if self.allow_only && !self.allowed {
            return Some(Code::NotOnAllowList);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_blocked_is_never_heard_and_others_unless_only_some_are() {
        let stance = |blocked, allow_only, allowed| Stance {
            blocked,
            allow_only,
            allowed,
        };
        for allowed in [false, true] {
            assert_eq!(stance(false, false, allowed).refusal(), None);
            for allow_only in [false, true] {
                let blocked = stance(true, allow_only, allowed);
                assert_eq!(blocked.refusal(), Some(Code::Blocked));
            }
        }
        assert_eq!(stance(false, true, true).refusal(), None);
        let stranger = stance(false, true, false);
        assert_eq!(stranger.refusal(), Some(Code::NotOnAllowList));
    }
}
