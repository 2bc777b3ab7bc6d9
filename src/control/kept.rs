//! What outlives the server: forced states, switches, alarms, and the last verdicts while they are young.
//! Times are milliseconds since 1970.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::VERDICT_AGE_MAX;
use crate::health::alarm::MetricState;
use crate::model::Id;
use crate::moment::Moment;

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
    /// What was asked then; the verdict says nothing about anything else.
    pub asks: String,
}

impl Kept {
    /// Without what is too old to be believed. A clock that was set back makes nothing older.
    pub(super) fn still_young(mut self, now: Moment) -> Kept {
        if now.since(Moment(self.saved)) > VERDICT_AGE_MAX {
            self.verdicts.clear();
        }
        self
    }
}
