//! Files that people send one another: how many, how large, and what they are called.
//!
//! Bytes are counted when an upload is announced and not when it is done, so that announcing costs
//! what uploading would. A file's id is random, and whoever knows it and belongs to the app may
//! have the file: it is told in a message to those whom it is for.

use crate::code::{Code, Reject};
use crate::limits::FILE_NAME_BYTES_MAX;
use crate::time::Timestamp;

const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// What an operator decides about uploads.
#[derive(Clone, Debug)]
pub struct MediaLimits {
    /// Bytes of a file.
    pub bytes_max: u64,
    /// Bytes that a user may upload in a day (UTC).
    pub user_bytes_per_day: u64,
    /// Uploads that a user may begin in a day.
    pub user_uploads_per_day: u32,
    /// How long an upload may take, in milliseconds; then it is removed.
    pub unfinished_ms: u64,
}

impl Default for MediaLimits {
    fn default() -> Self {
        Self {
            bytes_max: 100 << 20,
            user_bytes_per_day: 1 << 30,
            user_uploads_per_day: 1_000,
            unfinished_ms: DAY_MS,
        }
    }
}

/// What a user has uploaded on a day.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Use {
    /// Which, counted from 1970.
    pub day: u64,
    /// How many bytes.
    pub bytes: u64,
    /// How many uploads.
    pub uploads: u32,
}

/// May there be a file of this size?
pub fn check_size(bytes: u64, bytes_max: u64) -> Result<(), Reject> {
    if bytes == 0 {
        return Err(Reject::new(Code::InvalidRequest, "a file has bytes"));
    }
    if bytes > bytes_max {
        let message = format!("the file has {bytes} bytes, the limit is {bytes_max}");
        return Err(Reject::new(Code::MediaTooLarge, message));
    }
    Ok(())
}

/// May the user upload so much more today? What the user has used then.
pub fn take(so_far: Use, bytes: u64, limits: &MediaLimits, now: Timestamp) -> Result<Use, Reject> {
    let day = now.0 / DAY_MS;
    // A clock that fell back must not give a second day.
    let so_far = match so_far.day >= day {
        true => so_far,
        false => Use {
            day,
            ..Use::default()
        },
    };
    let next = Use {
        day: so_far.day,
        bytes: so_far.bytes.saturating_add(bytes),
        uploads: so_far.uploads.saturating_add(1),
    };
    if next.bytes > limits.user_bytes_per_day || next.uploads > limits.user_uploads_per_day {
        let left = ((next.day + 1) * DAY_MS).saturating_sub(now.0);
        let reject = Reject::new(
            Code::MediaQuota,
            format!(
                "a user may upload {} files of together {} bytes a day",
                limits.user_uploads_per_day, limits.user_bytes_per_day
            ),
        );
        return Err(reject.retry_after_ms(u32::try_from(left).unwrap_or(u32::MAX)));
    }
    Ok(next)
}

/// What a file may be called when it is handed out again, whatever it was called: no folders, no
/// control characters, nothing that turns the reading direction around, no leading dots.
#[must_use]
pub fn file_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let harmless = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let clean: String = last.chars().filter(harmless).collect();
    let dots = |c: char| c == '.' || c.is_whitespace();
    let mut name = clean.trim_start_matches(dots).trim_end().to_owned();
    let mut end = name.len().min(FILE_NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    match name.is_empty() {
        true => "file".to_owned(),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_day_has_so_many_bytes_and_uploads() {
        let limits = MediaLimits {
            user_bytes_per_day: 100,
            user_uploads_per_day: 3,
            ..MediaLimits::default()
        };
        let monday = Timestamp(DAY_MS * 4 + 1_000);
        let once = take(Use::default(), 60, &limits, monday).unwrap();
        assert_eq!((once.day, once.bytes, once.uploads), (4, 60, 1));
        let refused = take(once, 41, &limits, monday).unwrap_err();
        assert_eq!(refused.code, Code::MediaQuota);
        assert_eq!(u64::from(refused.retry_after_ms), DAY_MS - 1_000);
        let twice = take(once, 40, &limits, monday).unwrap();
        let tuesday = Timestamp(DAY_MS * 5);
        assert_eq!(take(twice, 41, &limits, tuesday).unwrap().bytes, 41);
        let third = take(take(once, 1, &limits, monday).unwrap(), 1, &limits, monday).unwrap();
        assert!(take(third, 1, &limits, monday).is_err(), "too many");
        let back = take(twice, 41, &limits, Timestamp(0));
        assert!(back.is_err(), "the clock fell back: it is the same day");
    }

    #[test]
    fn sizes() {
        assert_eq!(check_size(0, 9).unwrap_err().code, Code::InvalidRequest);
        assert!(check_size(9, 9).is_ok());
        assert_eq!(check_size(10, 9).unwrap_err().code, Code::MediaTooLarge);
    }

    #[test]
    fn names_lead_nowhere() {
        for (given, kept) in [
            ("报告.pdf", "报告.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\a.exe", "a.exe"),
            ("..", "file"),
            ("", "file"),
            (".bashrc", "bashrc"),
            (". .bashrc", "bashrc"),
            ("photo\u{61c}gpj.exe", "photogpj.exe"),
            ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
        ] {
            assert_eq!(file_name(given), kept);
        }
    }

    proptest! {
        #[test]
        fn a_name_is_always_short_and_harmless(given in any::<String>()) {
            let name = file_name(&given.repeat(9));
            prop_assert!(!name.is_empty() && name.len() <= FILE_NAME_BYTES_MAX);
            prop_assert!(!name.contains(['/', '\\', '\0', '\n']) && !name.starts_with('.'));
        }
    }
}
