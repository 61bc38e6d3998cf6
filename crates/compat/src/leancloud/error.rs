//! LeanCloud's error codes: the number and the name that its SDKs tell errors apart by.
//!
//! On the wire an error has a number and a reason, and the reason is the name: the JavaScript SDK
//! makes it the name of the error that an application catches. What exactly was wrong goes into
//! `detail`. A refusal of the engine means different things in different commands, so the caller
//! says what was being done ([`Doing`]).

use std::borrow::Cow;

use anser_domain::{Code, Reject};

macro_rules! kinds {
    ($($number:literal $name:ident $reason:literal)*) => {
        /// An error that LeanCloud's SDKs know.
        #[derive(Copy, Clone, Eq, PartialEq, Debug)]
        pub enum Kind {
            $(
                #[doc = $reason]
                $name = $number,
            )*
        }

        impl Kind {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name on the wire.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self {
                    $(Self::$name => $reason,)*
                }
            }
        }
    };
}

kinds! {
    4100 AppNotAvailable "APP_NOT_AVAILABLE"
    4102 SignatureFailed "SIGNATURE_FAILED"
    4103 InvalidLogin "INVALID_LOGIN"
    4105 SessionRequired "SESSION_REQUIRED"
    4106 Blacklisted "BLACKLISTED"
    4107 ReadTimeout "READ_TIMEOUT"
    4108 LoginTimeout "LOGIN_TIMEOUT"
    4109 FrameTooLong "FRAME_TOO_LONG"
    4110 InvalidOrigin "INVALID_ORIGIN"
    4111 SessionConflict "SESSION_CONFLICT"
    4112 SessionTokenExpired "SESSION_TOKEN_EXPIRED"
    4113 AppQuotaExceeded "APP_QUOTA_EXCEEDED"
    4114 UnparseableRawMessage "UNPARSEABLE_RAW_MESSAGE"
    4115 KickedByApp "KICKED_BY_APP"
    4116 MessageSentQuotaExceeded "MESSAGE_SENT_QUOTA_EXCEEDED"
    4200 InternalError "INTERNAL_ERROR"
    4201 SendMessageTimeout "SEND_MESSAGE_TIMEOUT"
    4301 ConversationApiFailed "CONVERSATION_API_FAILED"
    4302 ConversationSignatureFailed "CONVERSATION_SIGNATURE_FAILED"
    4303 ConversationNotFound "CONVERSATION_NOT_FOUND"
    4304 ConversationFull "CONVERSATION_FULL"
    4305 ConversationRejectedByApp "CONVERSATION_REJECTED_BY_APP"
    4306 ConversationUpdateFailed "CONVERSATION_UPDATE_FAILED"
    4307 ConversationReadOnly "CONVERSATION_READ_ONLY"
    4308 ConversationNotAllowed "CONVERSATION_NOT_ALLOWED"
    4309 ConversationUpdateRejected "CONVERSATION_UPDATE_REJECTED"
    4310 ConversationQueryFailed "CONVERSATION_QUERY_FAILED"
    4311 ConversationLogFailed "CONVERSATION_LOG_FAILED"
    4312 ConversationLogRejected "CONVERSATION_LOG_REJECTED"
    4313 SystemConversationRequired "SYSTEM_CONVERSATION_REQUIRED"
    4314 NormalConversationRequired "NORMAL_CONVERSATION_REQUIRED"
    4315 ConversationBlacklisted "CONVERSATION_BLACKLISTED"
    4316 TransientConversationRequired "TRANSIENT_CONVERSATION_REQUIRED"
    4317 ConversationMembershipRequired "CONVERSATION_MEMBERSHIP_REQUIRED"
    4318 ConversationApiQuotaExceeded "CONVERSATION_API_QUOTA_EXCEEDED"
    4320 ConversationOperationUnauthorized "CONVERSATION_OPERATION_UNAUTHORIZED"
    4321 UnknownConversationRole "UNKNOWN_CONVERSATION_ROLE"
    4322 ConversationMemberInRoleFull "CONVERSATION_MEMBER_IN_ROLE_FULL"
    4323 TemporaryConversationExpired "TEMPORARY_CONVERSATION_EXPIRED"
    4324 ConversationNeedOwner "CONVERSATION_NEED_OWNER"
    4325 ConversationMemberInfoFeatureDisabled "CONVERSATION_MEMBER_INFO_FEATURE_DISABLED"
    4401 InvalidMessagingTarget "INVALID_MESSAGING_TARGET"
    4402 MessageRejectedByApp "MESSAGE_REJECTED_BY_APP"
    4403 MessageOwnershipRequired "MESSAGE_OWNERSHIP_REQUIRED"
    4404 MessageNotFound "MESSAGE_NOT_FOUND"
    4405 MessageUpdateRejectedByApp "MESSAGE_UPDATE_REJECTED_BY_APP"
    4406 MessageEditDisabled "MESSAGE_EDIT_DISABLED"
    4407 MessageRecallDisabled "MESSAGE_RECALL_DISABLED"
    4408 MessageModifiedByCensorship "MESSAGE_MODIFIED_BY_CENSORSHIP"
    4543 BlacklistFull "BLACKLIST_FULL"
    4544 BlacklistFeatureDisabled "BLACKLIST_FEATURE_DISABLED"
    4546 BlacklistSignatureFailed "BLACKLIST_SIGNATURE_FAILED"
    4548 BlockedByConv "BLOCKED_BY_CONV"
    4561 SilencedMemberListFull "SILIENCED_MEMBER_LIST_FULL"
    4563 Silenced "SILIENCED"
}

impl Kind {
    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }
}

/// What a client of LeanCloud's is told when something can't be done.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Refusal {
    /// Which error.
    pub kind: Kind,
    /// What exactly was wrong, for a developer.
    pub detail: Cow<'static, str>,
}

impl Refusal {
    /// A refusal that says what was wrong this time.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }

    /// What a refusal of the engine is called while this was done.
    #[must_use]
    pub fn of(reject: Reject, doing: Doing) -> Self {
        Self::new(kind_of(reject.code, doing), reject.message)
    }
}

impl From<Kind> for Refusal {
    fn from(kind: Kind) -> Self {
        Self::new(kind, "")
    }
}

/// What was being done when the engine refused.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Doing {
    /// Opening or keeping a session.
    Session,
    /// Changing a conversation or its members.
    Conversation,
    /// Searching conversations.
    Query,
    /// Sending a message.
    Message,
    /// Editing or recalling one.
    Patch,
    /// Reading the history.
    History,
}

fn kind_of(code: Code, doing: Doing) -> Kind {
    match code {
        Code::TokenInvalid | Code::TokenExpired | Code::TokenRevoked | Code::TokenWrongApp => {
            Kind::SessionTokenExpired
        }
        Code::NotAuthenticated => Kind::SessionRequired,
        Code::UserBanned => Kind::Blacklisted,
        Code::Replaced => Kind::SessionConflict,
        Code::SignedOut => Kind::KickedByApp,
        Code::FrameTooLarge | Code::ContentTooLarge => Kind::FrameTooLong,
        Code::GroupFull => Kind::ConversationFull,
        Code::Blocked | Code::Banned if doing != Doing::Message => Kind::BlockedByConv,
        Code::Muted | Code::MutedEverywhere => Kind::Silenced,
        Code::Unavailable | Code::Timeout if doing == Doing::Message => Kind::SendMessageTimeout,
        Code::RateLimited => match doing {
            Doing::Message | Doing::Patch => Kind::MessageSentQuotaExceeded,
            _ => Kind::ConversationApiQuotaExceeded,
        },
        Code::NotFound
        | Code::GroupDismissed
        | Code::ConversationOver
        | Code::RoomNotFound
        | Code::NotAMember
        | Code::NotInRoom => missing(code, doing),
        Code::NotAllowed | Code::MessageRecalled | Code::TooLate => forbidden(code, doing),
        Code::Internal => Kind::InternalError,
        _ => match doing {
            Doing::Session => Kind::InvalidLogin,
            Doing::Conversation => Kind::ConversationUpdateFailed,
            Doing::Query => Kind::ConversationQueryFailed,
            Doing::Message => Kind::InvalidMessagingTarget,
            Doing::Patch => Kind::MessageNotFound,
            Doing::History => Kind::ConversationLogFailed,
        },
    }
}

/// It is not there, or not for this client.
fn missing(code: Code, doing: Doing) -> Kind {
    let outside = matches!(code, Code::NotAMember | Code::NotInRoom);
    match doing {
        // A temporary conversation that has ended answers like one that never was.
        Doing::Message if code != Code::ConversationOver => Kind::InvalidMessagingTarget,
        Doing::Patch if !outside => Kind::MessageNotFound,
        Doing::History if outside => Kind::ConversationLogRejected,
        _ if outside => Kind::ConversationMembershipRequired,
        _ => Kind::ConversationNotFound,
    }
}

fn forbidden(code: Code, doing: Doing) -> Kind {
    match doing {
        Doing::Patch if code == Code::MessageRecalled => Kind::MessageNotFound,
        Doing::Patch if code == Code::TooLate => Kind::MessageEditDisabled,
        Doing::Patch => Kind::MessageOwnershipRequired,
        Doing::Message => Kind::InvalidMessagingTarget,
        Doing::History => Kind::ConversationLogRejected,
        _ => Kind::ConversationOperationUnauthorized,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_names_are_written_as_on_the_wire() {
        for pair in Kind::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number());
        }
        for kind in Kind::ALL {
            let reason = kind.reason();
            assert!(reason.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
        }
        // Misspelt on the wire, and SDKs compare it.
        assert_eq!(Kind::Silenced.reason(), "SILIENCED");
        assert_eq!(Kind::Silenced.number(), 4563);
    }

    #[test]
    fn a_refusal_means_what_the_command_makes_of_it() {
        let table = [
            (Code::NotAMember, Doing::Message, 4401),
            (Code::NotFound, Doing::Message, 4401),
            (Code::ConversationOver, Doing::Message, 4303),
            (Code::NotAMember, Doing::History, 4312),
            (Code::NotAMember, Doing::Conversation, 4317),
            (Code::NotFound, Doing::Conversation, 4303),
            (Code::NotFound, Doing::Patch, 4404),
            (Code::NotAllowed, Doing::Patch, 4403),
            (Code::NotAllowed, Doing::Conversation, 4320),
            (Code::Muted, Doing::Message, 4563),
            (Code::Banned, Doing::Conversation, 4548),
            (Code::TokenExpired, Doing::Session, 4112),
            (Code::GroupFull, Doing::Conversation, 4304),
            (Code::ContentTooLarge, Doing::Message, 4109),
            (Code::InvalidRequest, Doing::Query, 4310),
            (Code::RateLimited, Doing::Message, 4116),
        ];
        for (code, doing, number) in table {
            let refusal = Refusal::of(code.into(), doing);
            assert_eq!(refusal.kind.number(), number, "{code:?} {doing:?}");
        }
    }
}
