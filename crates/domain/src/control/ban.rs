//! Users whom an app keeps out.

use super::mute::left;
use crate::code::{Code, Reject};
use crate::time::Timestamp;

/// Until when somebody is banned who is banned for good.
pub const FOR_GOOD: Timestamp = Timestamp(u64::MAX);

/// May a user sign in who is banned until then?
///
/// # Errors
/// `USER_BANNED`, with the time that is left.
pub fn check(until: Timestamp, now: Timestamp) -> Result<(), Reject> {
    if until <= now {
        return Ok(());
    }
    let message = if until == FOR_GOOD {
        "the user is banned from this app for good".to_owned()
    } else {
        format!("the user is banned from this app until {}", until.0)
    };
    Err(Reject::new(Code::UserBanned, message).retry_after_ms(left(until, now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_holds_until_its_time_and_says_how_long() {
        let now = Timestamp(1_000);
        assert_eq!(check(Timestamp(0), now), Ok(()));
        assert_eq!(check(now, now), Ok(()));
        let refused = check(Timestamp(1_001), now).unwrap_err();
        assert_eq!(
            (refused.code, refused.retry_after_ms),
            (Code::UserBanned, 1)
        );
        assert!(refused.message.ends_with("until 1001"));
        let refused = check(FOR_GOOD, now).unwrap_err();
        assert_eq!(refused.retry_after_ms, u32::MAX);
        assert!(refused.message.ends_with("for good"));
    }
}
