//! Appending: what a message gets when a conversation takes it, and what makes one acceptable.

use crate::code::{Code, Reject};
use crate::conversation::ConversationId;
use crate::id::UserId;
use crate::limits::{
    BURN_SECONDS_MAX, CLIENT_MESSAGE_ID_BYTES_MAX, CONTENT_TYPE_BYTES_MAX, IDEMPOTENCY_LIFE_MS,
    IDEMPOTENCY_MARGIN_MS, MENTIONS_MAX, TARGETS_MAX,
};
use crate::time::Timestamp;

/// Whom a message mentions.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Mention {
    /// Everybody who sees it.
    pub all: bool,
    /// These, if they see it.
    pub users: Vec<UserId>,
    /// The app may notify even those who do not want to be disturbed by this conversation.
    pub overrides_mute: bool,
}

/// Is the mention acceptable by itself?
pub fn check_mention(mention: Option<&Mention>) -> Result<(), Reject> {
    match mention {
        Some(mention) if mention.users.len() > MENTIONS_MAX => Err(Reject::new(
            Code::InvalidRequest,
            format!("a message mentions at most {MENTIONS_MAX} users"),
        )),
        _ => Ok(()),
    }
}

/// Are these targets acceptable by themselves?
pub fn check_targets(targets: &[UserId]) -> Result<(), Reject> {
    if targets.len() > TARGETS_MAX {
        return Err(Reject::new(
            Code::InvalidRequest,
            format!("a message has at most {TARGETS_MAX} targets"),
        ));
    }
    Ok(())
}

/// May a message of this conversation burn so many seconds after reading? Zero: it does not burn.
pub fn check_burn(seconds: u32, conversation: &ConversationId) -> Result<(), Reject> {
    match (seconds, conversation) {
        (0, _) => Ok(()),
        (BURN_SECONDS_MAX.., _) if seconds > BURN_SECONDS_MAX => Err(Reject::new(
            Code::InvalidRequest,
            format!("a message burns at most {BURN_SECONDS_MAX} seconds after reading"),
        )),
        (_, ConversationId::Private(..)) => Ok(()),
        _ => Err(Reject::new(
            Code::InvalidRequest,
            "only messages of private chats burn after reading",
        )),
    }
}

/// May this user see a message with these targets? Without targets, everybody may.
#[must_use]
pub fn sees(user: &str, sender: &str, targets: &[UserId]) -> bool {
    targets.is_empty() || user == sender || targets.iter().any(|target| target.as_str() == user)
}

/// The counters of a conversation, as far as appending moves them.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Counters {
    /// The last sequence. Messages are 1, 2, 3 … without holes.
    pub seq: u64,
    /// How many countable messages there have been; the ordinal of the last of them.
    pub ordinal: u64,
    /// The time of the last message.
    pub last_time: Timestamp,
}

/// The next message's place. Time never falls as the sequence grows, whatever the clock does.
#[must_use]
pub fn append(counters: Counters, counted: bool, now: Timestamp) -> Counters {
    Counters {
        seq: counters.seq + 1,
        ordinal: counters.ordinal + u64::from(counted),
        last_time: now.max(counters.last_time),
    }
}

/// Is the content acceptable from a client or the server API?
pub fn check_content(content_type: &str, body_len: usize, bytes_max: usize) -> Result<(), Reject> {
    let form = content_type
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._:-".contains(&b));
    if content_type.is_empty() || content_type.len() > CONTENT_TYPE_BYTES_MAX || !form {
        return Err(Reject::new(
            Code::InvalidRequest,
            "a content type is 1–64 of [a-z0-9._:-]",
        ));
    }
    if content_type.starts_with("anser.") {
        return Err(Reject::new(
            Code::NotAllowed,
            "content types that start with \"anser.\" are the server's",
        ));
    }
    let len = content_type.len() + body_len;
    if len > bytes_max {
        let message = format!("the content has {len} bytes, the limit is {bytes_max}");
        return Err(Reject::new(Code::ContentTooLarge, message));
    }
    Ok(())
}

/// Is it a client message id?
pub fn check_client_message_id(id: &str) -> Result<(), Reject> {
    if id.is_empty() || id.len() > CLIENT_MESSAGE_ID_BYTES_MAX || id.chars().any(char::is_control) {
        return Err(Reject::new(
            Code::InvalidRequest,
            "a client message id is 1–64 bytes, printable",
        ));
    }
    Ok(())
}

/// May a send first tried at `first_try` still be taken? Later its idempotency key may be gone,
/// and a retry could be stored twice.
pub fn check_fresh(first_try: Timestamp, now: Timestamp) -> Result<(), Reject> {
    if first_try.0 != 0 && now.since_ms(first_try) > IDEMPOTENCY_LIFE_MS - IDEMPOTENCY_MARGIN_MS {
        return Err(Code::StaleSend.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sequences_are_dense_and_time_never_falls(
            steps in prop::collection::vec((any::<bool>(), 0u64..1_000), 1..100)
        ) {
            let mut counters = Counters::default();
            for (n, (counted, now)) in steps.iter().enumerate() {
                let next = append(counters, *counted, Timestamp(*now));
                prop_assert_eq!(next.seq, n as u64 + 1);
                prop_assert!(next.last_time >= counters.last_time);
                prop_assert!(next.last_time.0 >= *now);
                counters = next;
            }
            prop_assert_eq!(counters.ordinal, steps.iter().filter(|s| s.0).count() as u64);
        }
    }

    #[test]
    fn content_has_a_form_and_a_size() {
        assert!(check_content("text", 3068, 3072).is_ok());
        assert_eq!(
            check_content("text", 3069, 3072).unwrap_err().code,
            Code::ContentTooLarge
        );
        assert_eq!(
            check_content("Text", 1, 3072).unwrap_err().code,
            Code::InvalidRequest
        );
        assert_eq!(
            check_content("", 1, 3072).unwrap_err().code,
            Code::InvalidRequest
        );
        assert_eq!(
            check_content("anser.group", 1, 3072).unwrap_err().code,
            Code::NotAllowed
        );
    }

    #[test]
    fn a_retry_older_than_its_key_is_refused() {
        let week = IDEMPOTENCY_LIFE_MS;
        assert!(check_fresh(Timestamp(0), Timestamp(week * 9)).is_ok());
        assert!(check_fresh(Timestamp(1), Timestamp(week / 2)).is_ok());
        assert_eq!(
            check_fresh(Timestamp(1), Timestamp(week + 1))
                .unwrap_err()
                .code,
            Code::StaleSend
        );
        assert!(
            check_fresh(Timestamp(week), Timestamp(1)).is_ok(),
            "a clock ahead is not stale"
        );
    }
}
