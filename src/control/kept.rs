//! What outlives the server: forced states, switches, alarms, and the last verdicts while they are young.
//! Times are milliseconds since 1970.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Refused, VERDICT_AGE_MAX};
use crate::health::alarm::MetricState;
use crate::model::Id;
use crate::moment::Moment;

/// What operators and alarms said, in bytes: it is written whole, and has to be read back. Ours: an eighth of the longest
/// file that is read (`io::state`), because JSON takes up to six bytes for one of a reason.
pub const SAID_MAX: usize = 32 << 20;

/// What an entry takes beside its texts, at most a sixth of that in JSON; ours.
const ENTRY: usize = 96;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    pub saved: u64,
    pub forced: BTreeMap<Id, Forced>,
    pub switches: BTreeMap<Id, Switched>,
    pub metrics: BTreeMap<Id, Metered>,
    pub verdicts: BTreeMap<Id, KeptVerdict>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forced {
    pub healthy: bool,
    pub since: u64,
    /// When the check goes by itself again; none: when it is told to.
    pub until: Option<u64>,
    pub reason: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switched {
    pub on: bool,
    pub since: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metered {
    pub state: MetricState,
    pub since: u64,
    /// What it said while there was enough data, for `LastKnownStatus`.
    #[serde(default)]
    pub last_known: Option<bool>,
}

impl Metered {
    /// What it is after an alarm came to this.
    pub(super) fn after(before: Option<Metered>, state: MetricState, now: Moment) -> Metered {
        let last_known = match state {
            MetricState::Ok => Some(true),
            MetricState::Alarm => Some(false),
            MetricState::InsufficientData => before.and_then(|before| before.last_known),
        };
        let since = before.filter(|before| before.state == state).map_or(now.0, |before| before.since);
        Metered { state, since, last_known }
    }
}

/// What probes had come to, before `inverted` is applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptVerdict {
    pub healthy: bool,
    pub since: u64,
    /// What each checker of this server had come to.
    pub own: BTreeMap<Id, bool>,
    /// Other checkers had a part in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
    /// Since when no checker knew any more; none: one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<u64>,
    /// What was asked then; the verdict says nothing about anything else.
    pub asks: String,
}

impl Kept {
    /// Whether an entry with these texts may be kept, in place of an older one for the same check.
    pub(super) fn room_for(&self, of: &str, reason: &str) -> Result<(), Refused> {
        let forced = self.forced.iter().map(|(id, forced)| (id, forced.reason.len()));
        let others = self.switches.keys().chain(self.metrics.keys()).map(|id| (id, 0));
        let others = forced.chain(others).filter(|(id, _)| &***id != of);
        let said: usize = others.map(|(id, reason)| id.len() + reason + ENTRY).sum();
        if said + of.len() + reason.len() + ENTRY > SAID_MAX { Err(Refused::Full) } else { Ok(()) }
    }

    /// Without what checkers knew too long ago: the verdicts stand, and are stale. A clock that was set back makes
    /// nothing older.
    pub(super) fn still_young(mut self, now: Moment) -> Kept {
        if now.since(Moment(self.saved)) > VERDICT_AGE_MAX {
            self.verdicts.values_mut().for_each(|kept| kept.own.clear());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::TEXT_MAX;

    fn forced(reason: &str) -> Forced {
        Forced { healthy: false, since: u64::MAX, until: Some(u64::MAX), reason: reason.into() }
    }

    #[test]
    fn an_entry_takes_at_most_six_times_its_size_in_the_file() {
        for reason in ["", "\u{1}", "\u{1f}\"\\é", &"\u{1}".repeat(TEXT_MAX)] {
            let kept = Kept { forced: [("\u{1}".into(), forced(reason))].into(), ..Kept::default() };
            let none = serde_json::to_vec(&Kept::default()).unwrap().len();
            let size = serde_json::to_vec(&kept).unwrap().len() - none;
            assert!(size <= 6 * (1 + reason.len() + ENTRY), "{size} for {reason:?}");
        }
    }

    #[test]
    fn more_than_can_be_read_back_is_refused_and_what_is_there_may_change() {
        let reason = "r".repeat(TEXT_MAX);
        let most = SAID_MAX / (8 + TEXT_MAX + ENTRY);
        let entries = (0..most).map(|number| (format!("{number:08}").into(), forced(&reason)));
        let kept = Kept { forced: entries.collect(), ..Kept::default() };
        assert_eq!(kept.room_for("another!", &reason), Err(Refused::Full));
        assert_eq!(kept.room_for("00000001", &reason), Ok(()));
        assert_eq!(Kept::default().room_for("another!", &reason), Ok(()));
    }
}
