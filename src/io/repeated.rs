//! What may go wrong over and over: it is told at once, then counted, and told again once a minute at most.

use std::time::Duration;

use crate::moment::Moment;

/// So long nothing is told again.
const QUIET: Duration = Duration::from_secs(60);

#[derive(Default, Debug)]
pub struct Repeated {
    told: Option<Moment>,
    untold: u64,
}

impl Repeated {
    /// It went wrong once more. Where it is to be told now: how often it did since it was told last.
    pub fn again(&mut self, now: Moment) -> Option<u64> {
        self.untold += 1;
        if self.told.is_some_and(|told| now.since(told) < QUIET) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_at_once_and_then_once_a_minute() {
        let mut repeated = Repeated::default();
        let told: Vec<_> =
            (0..180_000).step_by(10).filter_map(|now| Some((now, repeated.again(Moment(now))?))).collect();
        assert_eq!(told, [(0, 1), (60_000, 6000), (120_000, 6000)]);
        assert_eq!(repeated.again(Moment(900_000)), Some(6000));
        assert_eq!(repeated.again(Moment(5)), None, "a clock that goes back tells nothing twice");
    }
}
