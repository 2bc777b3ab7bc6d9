//! Time as a value: whoever needs the time is told it.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// Milliseconds since 1970, or since a simulation began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Moment(pub u64);

/// Moments from here on are dates: no simulation runs for thirty years.
const DATES_FROM: Moment = Moment(30 * 365 * 86_400 * 1000);

impl Moment {
    pub const START: Moment = Moment(0);

    pub fn after(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Zero where `earlier` is the later one.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self >= DATES_FROM {
            return f.write_str(&rfc3339(self.0));
        }
        let seconds = self.0 / 1000;
        match self.0 % 1000 {
            0 => write!(f, "{seconds}s"),
            millis => write!(f, "{seconds}.{millis:03}s"),
        }
    }
}

/// Milliseconds since 1970 as RFC 3339 writes them, in UTC and to the second.
pub fn rfc3339(millis: u64) -> String {
    let seconds = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_string()
}

/// The milliseconds since 1970 of a time as RFC 3339 writes it, with Z or another offset.
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    u64::try_from(text.parse::<Timestamp>().ok()?.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_rfc_3339_does() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds * 1000 + 999), text);
            assert_eq!(parse_rfc3339(text), Some(seconds * 1000));
        }
    }

    #[test]
    fn dates_are_read_with_their_offsets() {
        for (text, millis) in [
            ("1970-01-01T01:00:00.5+01:00", Some(500)),
            ("1970-01-01 00:00:01Z", Some(1000)),
            ("1969-12-31T23:59:59Z", None),
            ("1970-01-01", None),
            ("12:00", None),
            ("", None),
        ] {
            assert_eq!(parse_rfc3339(text), millis, "{text}");
        }
    }

    #[test]
    fn moments_of_simulations_are_told_in_seconds_and_those_of_servers_as_dates() {
        for (millis, text) in [
            (0, "0s"),
            (90_000, "90s"),
            (1_500, "1.500s"),
            (946_080_000_000 - 1, "946079999.999s"),
            (946_080_000_000, "1999-12-25T00:00:00Z"),
            (1_795_239_313_384, "2026-11-21T05:35:13Z"),
        ] {
            assert_eq!(Moment(millis).to_string(), text);
        }
    }
}
