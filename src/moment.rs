//! Time as a value: whoever needs the time is told it.

use std::fmt;
use std::time::Duration;

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
    let seconds = millis / 1000;
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March, in eras of 400 years, so that the leap day comes last (Hinnant, "chrono-compatible
    // low-level date algorithms").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time / 3600, time / 60 % 60, time % 60)
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
