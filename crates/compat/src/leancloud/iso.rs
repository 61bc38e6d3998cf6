//! Times as LeanCloud writes them: `2026-01-02T03:04:05.678Z`, always UTC, always milliseconds.

use anser_domain::Timestamp;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

/// Days since 1970 of a date of the Gregorian calendar.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is their last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of so many days since 1970.
const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let moon = (5 * of_year + 2) / 153;
    let day = of_year - (153 * moon + 2) / 5 + 1;
    let month = if moon < 10 { moon + 3 } else { moon - 9 };
    let year = year + era * 400 + (month <= 2) as i64;
    (year, month, day)
}

/// A time as text.
#[must_use]
pub fn text(time: Timestamp) -> String {
    let ms = i64::try_from(time.0).unwrap_or(i64::MAX);
    let (year, month, day) = date(ms.div_euclid(DAY_MS));
    let of_day = ms.rem_euclid(DAY_MS);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, ms) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// A time as a value of a column.
#[must_use]
pub fn value(time: Timestamp) -> Value {
    json!({"__type": "Date", "iso": text(time)})
}

/// Milliseconds since 1970 of such a text; `None` for any other. Milliseconds may be missing.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| {
        let part = text.get(from..to)?;
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        if digits {
            part.parse::<i64>().ok()
        } else {
            None
        }
    };
    let at = |index: usize, byte: u8| text.as_bytes().get(index) == Some(&byte);
    let marks = at(4, b'-') && at(7, b'-') && at(10, b'T') && at(13, b':') && at(16, b':');
    let ms = match text.len() {
        20 if at(19, b'Z') => 0,
        24 if at(19, b'.') && at(23, b'Z') => number(20, 23)?,
        _ => return None,
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let days = days(year, month, day);
    // A day that its month does not have comes back as another one.
    if !marks || date(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days * DAY_MS + (hour * 3_600 + minute * 60 + second) * 1_000 + ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_582_934_400_000, "2020-02-29T00:00:00.000Z"),
            (1_767_323_045_678, "2026-01-02T03:04:05.678Z"),
        ];
        for (ms, iso) in table {
            assert_eq!(text(Timestamp(ms)), iso);
            assert_eq!(parse(iso), i64::try_from(ms).ok());
        }
        assert_eq!(parse("2026-01-02T03:04:05Z"), Some(1_767_323_045_000));
        for bad in [
            "",
            "2026-01-02",
            "2026-02-30T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-01-02T24:00:00.000Z",
            "2026-01-02 03:04:05.678Z",
            "2026-01-02T03:04:05.678+",
            "+026-01-02T03:04:05.678Z",
            "2026-01-02T03:04:05.67éZ",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(ms in 0_u64..253_402_300_800_000) {
            prop_assert_eq!(parse(&text(Timestamp(ms))), i64::try_from(ms).ok());
        }
    }
}
