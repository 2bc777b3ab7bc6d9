//! Time as a value: whoever needs the time is told it.

use std::fmt;
use std::time::Duration;

/// Milliseconds since the server (or a simulation) began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Moment(pub u64);

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
        let seconds = self.0 / 1000;
        match self.0 % 1000 {
            0 => write!(f, "{seconds}s"),
            millis => write!(f, "{seconds}.{millis:03}s"),
        }
    }
}
