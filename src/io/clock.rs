//! The clocks: the only place where the time is read.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::moment::Moment;

/// Seconds since 1970, for cookies. Wraps in 2106, as theirs do (RFC 9018 4.3).
pub fn unix_seconds() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
}

/// Milliseconds since 1970.
pub fn unix_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Counts from when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    pub fn now(&self) -> Moment {
        Moment::START.after(self.0.elapsed())
    }
}
