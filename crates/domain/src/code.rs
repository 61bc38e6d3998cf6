//! Error codes.
//!
//! The range of a code decides what a client does, so that an old client handles a code that it
//! has never heard of ([`Action::of`]). A code keeps its number, name and meaning for ever.
//! `docs/errors.md` is generated from this table.

use std::borrow::Cow;
use std::fmt;

/// What a client does about a code.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Action {
    /// Try the same again later, with the same ids.
    Retry,
    /// The token is no good: get a new one, connect again.
    LogIn,
    /// The request as it stands cannot succeed.
    GiveUp,
    /// This session is over and must not come back by itself.
    SignedOut,
}

impl Action {
    /// The rule of the ranges. A number outside of them is treated as final.
    #[must_use]
    pub const fn of(number: u32) -> Self {
        match number {
            1000..=1999 => Self::Retry,
            2000..=2999 => Self::LogIn,
            4000..=4999 => Self::SignedOut,
            _ => Self::GiveUp,
        }
    }
}

macro_rules! codes {
    ($($number:literal $variant:ident $name:literal $what:literal $todo:literal)*) => {
        /// What went wrong, as a number that never changes its meaning.
        #[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
        #[repr(u32)]
        pub enum Code {
            $(#[doc = $what] $variant = $number,)*
        }

        impl Code {
            /// All codes, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What went wrong, in one sentence.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)* }
            }

            /// What to do about it, in one sentence.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $todo,)* }
            }
        }
    };
}

codes! {
    1000 Internal "INTERNAL" "The server failed in a way it should not have." "Retry; if it stays, look for the request in the server's log."
    1001 Unavailable "UNAVAILABLE" "The store or a node is out of reach for the moment." "Retry with backoff."
    1002 Overloaded "OVERLOADED" "A queue of the server is full; nothing was done." "Retry after the time given."
    1003 RateLimited "RATE_LIMITED" "More requests than allowed; nothing was done." "Retry after the time given."
    1004 StorageFull "STORAGE_FULL" "The server's disk is full: reads work, writes are refused." "Operator: free space; clients retry."
    1005 Timeout "TIMEOUT" "The outcome is not known in time: it may or may not have taken effect." "Retry with the same ids; a send is never stored twice."
    1006 ShuttingDown "SHUTTING_DOWN" "The node is going down." "Connect again; another node, or this one, answers soon."
    1007 HeartbeatMissed "HEARTBEAT_MISSED" "The client was silent for one and a half heartbeat intervals." "Connect again."
    1008 TooManyConnections "TOO_MANY_CONNECTIONS" "The server or this address has as many connections as allowed." "Retry with backoff."
    2000 TokenInvalid "TOKEN_INVALID" "The token is malformed, or its signature does not fit." "Get a token from your backend, signed with a living token key."
    2001 TokenExpired "TOKEN_EXPIRED" "The token has expired." "Get a new token from your backend."
    2002 TokenRevoked "TOKEN_REVOKED" "The token was revoked." "Get a new token from your backend."
    2003 TokenWrongApp "TOKEN_WRONG_APP" "The token is for an app that does not exist here." "Check which server and app key the client uses."
    2004 ApiKeyInvalid "API_KEY_INVALID" "App key and API secret do not fit." "Send `Authorization: Basic base64(app_key:api_secret)` with a living secret."
    3000 InvalidRequest "INVALID_REQUEST" "The request breaks the protocol or a limit." "Mend what the message names."
    3001 VersionNotSupported "VERSION_NOT_SUPPORTED" "Client and server have no protocol version in common." "Update the older one."
    3002 NotAuthenticated "NOT_AUTHENTICATED" "The first request of a connection is Hello, alone in its frame and within the time allowed." "Send Hello first."
    3003 ContentTooLarge "CONTENT_TOO_LARGE" "The message is larger than the server allows; nothing was stored." "Send less, or upload it and send the address."
    3004 FrameTooLarge "FRAME_TOO_LARGE" "The frame is larger than the server allows." "Split it."
    3005 StaleSend "STALE_SEND" "The retry is older than the time for which a send is recognised; it was not stored now, but may have been then." "Look in the history, then send it as a new message."
    3010 NotFound "NOT_FOUND" "There is no such thing." "Check the id."
    3011 NotAMember "NOT_A_MEMBER" "The user is not in this conversation." "Join first."
    3012 NotAllowed "NOT_ALLOWED" "The user may not do this here." "Ask the owner."
    3013 GroupFull "GROUP_FULL" "The group would have more members than allowed; nothing was changed." "Remove members, or use another group."
    3014 AlreadyExists "ALREADY_EXISTS" "The id is taken." "Choose another id, or none."
    3015 GroupDismissed "GROUP_DISMISSED" "The group was dismissed." "Stop using it."
    3017 UserNotFound "USER_NOT_FOUND" "There is no such user in this app." "A user exists from the first token on."
    3018 TooLate "TOO_LATE" "The time in which this was possible is over." "Tell the user."
    3019 MessageRecalled "MESSAGE_RECALLED" "The message was taken back, or burned." "Drop its content."
    3030 Muted "MUTED" "The user may not write here for now." "Wait until the mute is over, or ask an admin."
    3031 Banned "BANNED" "The user is banned from this conversation." "Lift the ban first."
    3040 Blocked "BLOCKED" "The receiver has blocked the user; nothing was stored." "Tell the user, or don't."
    3041 NotOnAllowList "NOT_ON_ALLOW_LIST" "The receiver hears only those on the allow list; nothing was stored." "Tell the user."
    3042 MutedEverywhere "MUTED_EVERYWHERE" "The app has muted the user, or everybody, in all conversations of this kind." "Wait until the mute is over, or ask the app's operator."
    3050 NotInSystem "NOT_IN_SYSTEM_CONVERSATIONS" "System conversations have neither receipts nor mentions, and users change only what they wrote themselves." "Leave it out."
    3051 EveryoneSubscribed "EVERYONE_SUBSCRIBED" "All users of the app are subscribed to this conversation; nobody comes or goes." "Mute or hide it for the user instead."
    3052 TooManyForEveryone "TOO_MANY_FOR_EVERYONE" "The app has as many conversations for everyone as allowed; nothing was changed." "Dismiss one of them, or create one that users subscribe to."
    3053 TagDecides "TAG_DECIDES" "Who is subscribed to this conversation follows from a tag of the users; nobody comes or goes otherwise." "Set the users' tags instead; mute or hide it for a user."
    3054 TooManyForTag "TOO_MANY_FOR_TAG" "There are as many conversations for this tag as allowed; nothing was changed." "Dismiss one of them, or take another tag."
    3055 ConversationOver "CONVERSATION_OVER" "The temporary conversation has ended; nothing of it is kept." "Drop it; create another one."
    3060 MediaTooLarge "MEDIA_TOO_LARGE" "The file is larger than allowed; nothing was kept." "Send a smaller one; above what one request may carry, upload it in pieces."
    3061 MediaQuota "MEDIA_QUOTA" "The user has uploaded as much as allowed for now." "Wait as long as the answer says."
    3062 UploadConflict "UPLOAD_CONFLICT" "The upload is not where the request takes it to be, or somebody else writes to it." "Ask for its offset and go on from there."
    3063 ChecksumMismatch "CHECKSUM_MISMATCH" "The bytes are not those of the checksum; they were not kept." "Send the piece again."
    3070 NotInRoom "NOT_IN_ROOM" "The user is not in this chat room." "Join it first; who was away too long has left."
    3071 RoomNotFound "ROOM_NOT_FOUND" "There is no such chat room, or no longer." "Drop what you have of it; the app's backend creates rooms."
    3072 RoomAttributeTaken "ROOM_ATTRIBUTE_TAKEN" "The key belongs to somebody else; nothing was changed." "Take it by force, or choose another key."
    3073 TooManyRoomAttributes "TOO_MANY_ROOM_ATTRIBUTES" "The chat room has as many attributes as allowed; nothing was changed." "Delete some first."
    4000 Replaced "REPLACED" "Another device of the same platform signed in as this user." "Tell the user; connect again only when asked to."
    4001 SignedOut "SIGNED_OUT" "The server ended this user's session." "Tell the user; sign in anew."
    4002 LoggedOut "LOGGED_OUT" "The client logged out." "Nothing."
    4003 UserBanned "USER_BANNED" "The app keeps this user out." "Tell the user until when; sign in again after that."
}

impl Code {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The code of this number, if this release knows it.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.number() == number)
    }

    /// What a client does about it.
    #[must_use]
    pub const fn action(self) -> Action {
        Action::of(self.number())
    }
}

/// A command that was refused; nothing was changed, unless the code is `TIMEOUT`.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Reject {
    /// What went wrong.
    pub code: Code,
    /// For a developer: which field, which id, what instead.
    pub message: Cow<'static, str>,
    /// Wait at least so long before a retry; 0 leaves it to the client.
    pub retry_after_ms: u32,
}

impl Reject {
    /// A refusal that says what was wrong this time.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after_ms: 0,
        }
    }

    /// With the least time to wait.
    #[must_use]
    pub fn retry_after_ms(mut self, ms: u32) -> Self {
        self.retry_after_ms = ms;
        self
    }
}

impl From<Code> for Reject {
    fn from(code: Code) -> Self {
        Self::new(code, code.what())
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}): {}",
            self.code.name(),
            self.code.number(),
            self.message
        )
    }
}

impl std::error::Error for Reject {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_ascending_and_named_once() {
        for pair in Code::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number());
            assert_ne!(pair[0].name(), pair[1].name());
        }
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(*code));
        }
    }

    #[test]
    fn an_unknown_code_is_handled_by_its_range() {
        assert_eq!(Action::of(1999), Action::Retry);
        assert_eq!(Action::of(2999), Action::LogIn);
        assert_eq!(Action::of(3999), Action::GiveUp);
        assert_eq!(Action::of(4999), Action::SignedOut);
        assert_eq!(Action::of(77), Action::GiveUp);
    }
}
