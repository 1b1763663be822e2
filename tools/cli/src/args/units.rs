//! Times, durations and sizes as users write them.

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

const DURATIONS: [(&str, u64); 5] = [("ms", 1), ("s", SECOND), ("m", MINUTE), ("h", HOUR), ("d", DAY)];

const SIZES: [(&str, u64); 10] = [
    ("", 1),
    ("B", 1),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Milliseconds since 1970: such a number, or a time as RFC 3339 has it.
///
/// # Errors
/// What is wrong with `text`.
pub fn parse_time(text: &str) -> Result<i64, String> {
    let time = text.parse().ok().or_else(|| rfc3339(text));
    time.ok_or_else(|| {
        format!("'{text}' is neither milliseconds since 1970 nor a time like 2026-11-24T15:00:00Z")
    })
}

/// Milliseconds of a duration: a whole number with `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
/// What is wrong with `text`.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    with_unit(text, &DURATIONS)
        .ok_or_else(|| format!("'{text}' is no duration like 7d, 12h, 30m, 45s or 500ms"))
}

/// Bytes of a size: a whole number, alone or with `kB`, `MB`, `GB`, `TB`, `KiB`, `MiB`, `GiB` or `TiB`.
///
/// # Errors
/// What is wrong with `text`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    with_unit(text, &SIZES).ok_or_else(|| format!("'{text}' is no size like 5GiB, 500MB or 1048576"))
}

/// A duration of `ms` milliseconds in the largest unit that holds it without a rest.
#[must_use]
pub fn duration_text(ms: u64) -> String {
    let (unit, size) = largest_unit(ms, &DURATIONS).unwrap_or(("ms", 1));
    format!("{}{unit}", ms / size)
}

/// `bytes` in the largest power of 1024 that holds it without a rest.
#[must_use]
pub fn size_text(bytes: u64) -> String {
    let (unit, size) = largest_unit(bytes, &SIZES[6..]).unwrap_or(("B", 1));
    format!("{}{unit}", bytes / size)
}

fn largest_unit(value: u64, units: &[(&'static str, u64)]) -> Option<(&'static str, u64)> {
    units.iter().rev().find(|(_, size)| value >= *size && value.is_multiple_of(*size)).copied()
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, size) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.parse::<u64>().ok()?.checked_mul(*size)
}

fn rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let separators = bytes.get(..19)?;
    let fits: [(usize, &[u8]); 5] = [(4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":")];
    if !text.is_ascii() || fits.iter().any(|(at, allowed)| !allowed.contains(&separators[*at])) {
        return None;
    }
    let year = number(text, 0, 4, 0..=9999)?;
    let month = number(text, 5, 2, 1..=12)?;
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => 31,
    };
    let day = number(text, 8, 2, 1..=days)?;
    let (hour, minute) = (number(text, 11, 2, 0..=23)?, number(text, 14, 2, 0..=59)?);
    // A leap second is the first moment of the next minute.
    let second = number(text, 17, 2, 0..=60)?;
    let (fraction, zone) = split_fraction(&text[19..])?;
    let seconds = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some((seconds - zone_seconds(zone)?) * 1000 + fraction)
}

/// The number of `size` digits at `at`.
fn number(text: &str, at: usize, size: usize, allowed: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let digits =
        text.get(at..at + size).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
    digits.parse().ok().filter(|number| allowed.contains(number))
}

/// Milliseconds of a fraction of a second, and what is behind it.
fn split_fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, zone) = rest.split_at(digits);
    let ms = format!("{fraction:0<3}");
    (digits > 0).then_some((ms[..3].parse().ok()?, zone))
}

/// Seconds that a zone is ahead of UTC.
fn zone_seconds(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let fits = zone.len() == 6 && zone.as_bytes()[3] == b':';
    fits.then_some(sign * (number(zone, 1, 2, 0..=23)? * 60 + number(zone, 4, 2, 0..=59)?) * 60)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that a leap day ends one.
    let year = year - i64::from(month <= 2);
    let month = (month + 9) % 12;
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_every_form_of_rfc_3339() {
        for (text, ms) in [
            ("1700000000000", 1_700_000_000_000),
            ("-1", -1),
            ("1970-01-01T00:00:00Z", 0),
            ("2023-11-14T22:13:20Z", 1_700_000_000_000),
            ("2023-11-14t22:13:20.5z", 1_700_000_000_500),
            ("2023-11-14 23:43:20.123456+01:30", 1_700_000_000_123),
            ("2023-11-14T12:13:20-10:00", 1_700_000_000_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("1969-12-31T23:59:59.999Z", -1),
        ] {
            assert_eq!(parse_time(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-13-14T22:13:20Z",
            "2023-02-29T22:13:20Z",
            "1900-02-29T22:13:20Z",
            "2023-11-14T24:13:20Z",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20+0100",
            "2023-11-14T22:13:2\u{663}",
            "+023-11-14T22:13:20Z",
        ] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_and_sizes_are_read_and_written_with_their_units() {
        assert_eq!(parse_duration("7d"), Ok(604_800_000));
        assert_eq!(parse_duration("90m"), Ok(5_400_000));
        assert_eq!(parse_duration("250ms"), Ok(250));
        assert_eq!(parse_size("5GiB"), Ok(5 << 30));
        assert_eq!(parse_size("5gb"), Ok(5_000_000_000));
        assert_eq!(parse_size("17"), Ok(17));
        for text in ["", "d", "7", "7w", "1.5h", "-7d", "99999999999999999999d", "999999999999999d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        for text in ["", "GiB", "5 GiB", "5G", "-5", "99999999999TiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        for text in ["7d", "90m", "25h", "61s", "250ms", "0ms"] {
            assert_eq!(duration_text(parse_duration(text).unwrap()), text);
        }
        for text in ["5GiB", "1025KiB", "17B", "0B"] {
            assert_eq!(size_text(parse_size(text).unwrap()), text);
        }
    }
}
