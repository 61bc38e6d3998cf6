//! Temporary conversations: their end stands in their id.
//!
//! The id is made by the server: a message id, which tells when, a hyphen, and for how many seconds
//! the conversation lives. So whoever knows the id knows the end, without looking anything up: all
//! nodes refuse from the same moment on, also when every row of it is long gone, and an id that is
//! over can never be used again.

use crate::code::{Code, Reject};
use crate::id::{GroupId, MessageId};
use crate::time::Timestamp;

/// The longest life of a temporary conversation, and what it has unless it is said otherwise: a
/// day.
pub const TEMPORARY_SECONDS_MAX: u32 = 86_400;

/// Is that a life that a conversation may have?
pub fn check_seconds(seconds: u32) -> Result<(), Reject> {
    if (1..=TEMPORARY_SECONDS_MAX).contains(&seconds) {
        return Ok(());
    }
    Err(Reject::new(
        Code::InvalidRequest,
        "a temporary conversation lives from 1 to 86,400 seconds",
    ))
}

/// The id of a conversation that lives for so many seconds from when `made` was made.
#[must_use]
pub fn id(made: MessageId, seconds: u32) -> GroupId {
    GroupId::new(&format!("{made}-{seconds}")).expect("letters, digits and a hyphen are an id")
}

/// When the conversation of this id ends; `None`: this is no id of a temporary one.
#[must_use]
pub fn end(id: &GroupId) -> Option<Timestamp> {
    let (made, seconds) = id.as_str().split_once('-')?;
    let made = MessageId::parse(made).ok()?;
    // There is one way to write a number.
    let canonical = !seconds.starts_with('0') && seconds.bytes().all(|b| b.is_ascii_digit());
    let seconds: u32 = canonical.then(|| seconds.parse().ok()).flatten()?;
    check_seconds(seconds).ok()?;
    Some(made.time().plus_ms(u64::from(seconds) * 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::ConversationId;

    fn parse(text: &str) -> Option<Timestamp> {
        end(&GroupId::new(text).ok()?)
    }

    #[test]
    fn the_id_tells_the_end() {
        let made = MessageId::new(Timestamp(1_000_000), [7; 10]);
        assert_eq!(end(&id(made, 60)), Some(Timestamp(1_060_000)));
        for seconds in ["0", "-1", "+1", "01", "86401", "", "1 ", "99999999999"] {
            assert_eq!(parse(&format!("{made}-{seconds}")), None, "{seconds}");
        }
        assert_eq!(parse(&made.to_string()), None);
        assert_eq!(parse("abc-60"), None);
    }

    #[test]
    fn nobody_gets_in_from_the_end_on() {
        let made = MessageId::new(Timestamp(1_000_000), [7; 10]);
        let conversation = ConversationId::Temporary(id(made, 1));
        let text = conversation.to_string();
        assert_eq!(ConversationId::parse(&text), Ok(conversation.clone()));
        let code = |now| {
            conversation
                .check_living(Timestamp(now))
                .map_err(|it| it.code)
        };
        assert_eq!(code(1_000_999), Ok(()));
        assert_eq!(code(1_001_000), Err(Code::ConversationOver));
        assert_eq!(code(u64::MAX), Err(Code::ConversationOver));
        assert!(ConversationId::parse("t/abc").is_err());
        let other = ConversationId::parse("c/abc").unwrap();
        assert_eq!(other.check_living(Timestamp(u64::MAX)), Ok(()));
    }

    #[test]
    fn a_life_is_a_second_to_a_day() {
        assert!(check_seconds(0).is_err() && check_seconds(86_401).is_err());
        assert!(check_seconds(1).is_ok() && check_seconds(TEMPORARY_SECONDS_MAX).is_ok());
    }
}
