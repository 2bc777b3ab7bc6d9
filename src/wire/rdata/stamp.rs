//! The times of RRSIG records: `YYYYMMDDHHmmSS` or seconds since 1970, modulo 2^32 (RFC 4034, 3.1.5 and 3.2).

use super::fields::digits;

const DAY: u64 = 86_400;

pub fn read(text: &[u8]) -> Option<u32> {
    if text.len() != 14 {
        return digits(text).and_then(|seconds| u32::try_from(seconds).ok());
    }
    let part = |from: usize, to: usize| text.get(from..to).and_then(digits);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let in_range = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    let seconds = days_before(year, month, day) * DAY + hour * 3_600 + minute * 60 + second;
    Some(seconds as u32)
}

pub fn show(seconds: u32) -> String {
    let (mut days, rest) = (u64::from(seconds) / DAY, u64::from(seconds) % DAY);
    let mut year = 1970;
    while days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    format!("{year:04}{month:02}{:02}{:02}{:02}{:02}", days + 1, rest / 3_600, rest / 60 % 60, rest % 60)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to the given one.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let earlier = year - 1;
    // 719,162 days lie between the first day of year 1 and that of 1970.
    let years = earlier * 365 + earlier / 4 - earlier / 100 + earlier / 400 - 719_162;
    years + (1..month).map(|month| days_in(year, month)).sum::<u64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_shown() {
        for (text, seconds) in [
            ("19700101000000", 0),
            ("20000229235959", 951_868_799),
            ("20380119031407", 2_147_483_647),
            ("21060207062815", u32::MAX),
            ("20260101120000", 1_767_268_800),
        ] {
            assert_eq!(read(text.as_bytes()), Some(seconds), "{text}");
            assert_eq!(show(seconds), text);
        }
        assert_eq!(read(b"1767268800"), Some(1_767_268_800));
        assert_eq!(read(b"21060207062816"), Some(0));
        for text in ["20260230000000", "20261301000000", "20260101240000", "19691231235959", "4294967296", "x", ""] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}
