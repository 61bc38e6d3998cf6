//! UTC dates and milliseconds, both ways: the archive names its files by day and LeanCloud writes
//! times as `2026-01-02T03:04:05.678Z`.
//!
//! Day arithmetic on the proleptic Gregorian calendar by eras of 400 years, as in ISO 8601.

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Day number since 1970-01-01 of a time in milliseconds.
pub(crate) fn day_of(ms: i64) -> i64 {
    ms.div_euclid(DAY_MS)
}

/// First millisecond of a day number.
pub(crate) fn day_start(day: i64) -> i64 {
    day * DAY_MS
}

fn date(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_month)
}

fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

/// `2026-01-02` of a day number.
pub(crate) fn day_name(day: i64) -> String {
    let (y, m, d) = date(day);
    format!("{y:04}-{m:02}-{d:02}")
}

/// `2026-01-02T03:04:05.678Z` of a time in milliseconds.
pub(crate) fn iso(ms: i64) -> String {
    let rest = ms.rem_euclid(DAY_MS);
    let (hours, minutes) = (rest / 3_600_000, rest / 60_000 % 60);
    let (seconds, millis) = (rest / 1000 % 60, rest % 1000);
    format!(
        "{}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z",
        day_name(day_of(ms))
    )
}

/// Milliseconds of an ISO 8601 UTC time (`2026-01-02`, `2026-01-02T03:04:05Z`, with or without
/// milliseconds), `None` if it is none.
pub(crate) fn parse_iso(text: &str) -> Option<i64> {
    let (date_part, time_part) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let mut fields = date_part
        .splitn(3, '-')
        .map(|field| field.parse::<i64>().ok());
    let (year, month, day) = (fields.next()??, fields.next()??, fields.next()??);
    let (clock, fraction) = time_part.split_once('.').unwrap_or((time_part, "0"));
    let mut fields = clock.splitn(3, ':').map(|field| field.parse::<i64>().ok());
    let (hours, minutes, seconds) = (fields.next()??, fields.next()??, fields.next()??);
    let fraction_ok = fraction.len() <= 9 && fraction.bytes().all(|b| b.is_ascii_digit());
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..=9999).contains(&year)
        && (0..24).contains(&hours)
        && (0..60).contains(&minutes)
        && (0..=60).contains(&seconds);
    if !fraction_ok || !in_range {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let of_day = ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis;
    Some(day_start(day_number(year, month, day)) + of_day)
}

/// A time on the command line: milliseconds since 1970 or ISO 8601 UTC.
pub(crate) fn parse_time(text: &str) -> Result<i64, String> {
    let millis = text.parse::<i64>().ok().filter(|&ms| ms >= 0);
    millis.or_else(|| parse_iso(text)).ok_or_else(|| {
        format!("`{text}` is neither milliseconds nor a UTC time like 2026-11-01T00:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_799_712_000_000, "2027-01-12T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(iso(ms), text);
            assert_eq!(parse_iso(text), Some(ms));
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in -10_000..140_000 {
            assert_eq!(
                parse_iso(&day_name(day)),
                Some(day_start(day)),
                "{}",
                day_name(day)
            );
        }
    }

    #[test]
    fn other_forms_and_nonsense() {
        assert_eq!(
            parse_iso("2026-01-02T03:04:05Z"),
            parse_iso("2026-01-02T03:04:05.000Z")
        );
        assert_eq!(parse_iso("1970-01-01T00:00:00.5Z"), Some(500));
        assert_eq!(parse_time("1700000000000"), Ok(1_700_000_000_000));
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-01-02T03:04:05",
            "2026-01-02T25:00:00Z",
            "-5",
        ] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
