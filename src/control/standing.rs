//! What a check has come to, and what the verdicts are told of it.
//!
//! | a checker knows the state | there was a verdict | the verdict                                |
//! |---------------------------|---------------------|--------------------------------------------|
//! | yes                       | any                 | what the checkers come to                  |
//! | no                        | yes                 | the last one, stale until a checker knows  |
//! | no                        | no                  | the initial state                          |
//!
//! A checker knows: one of this server after enough equal results, another one while its observation is young. Without
//! probes (`probes = false`) only the other checkers know.

use super::kept::KeptVerdict;
use super::{Control, GATHER, GATHER_REASONS, MetricState, SAVE_AFTER, Stale, Watched};
use crate::health::verdicts::{Reason, Verdicts};
use crate::model::Id;
use crate::model::health_check::{Follows, InsufficientData, Kind, Metric};
use crate::moment::Moment;

impl Control {
    /// What a check has come to, and since when where that was before this server began; none: nobody knows.
    pub(super) fn said(&self, id: &str, watched: &Watched) -> Option<(bool, Option<Moment>)> {
        match &watched.check.kind {
            Kind::Endpoint(_) => watched.tracker.judge(self.settings.rule).map(|healthy| (healthy, None)),
            Kind::Calculated { .. } => None,
            Kind::Switch { .. } => self.switch(id).map(|switch| (switch.on, Some(Moment(switch.since)))),
            Kind::Metric(metric) => {
                let metered = self.metric(id).filter(|_| self.meters(&watched.check.kind))?;
                let healthy = match (metered.state, metric.insufficient_data) {
                    (MetricState::Ok, _) | (MetricState::InsufficientData, InsufficientData::Healthy) => true,
                    (MetricState::Alarm, _) | (MetricState::InsufficientData, InsufficientData::Unhealthy) => false,
                    // 3.5: healthy if nothing is known yet, as any check is of which nobody knows.
                    (MetricState::InsufficientData, InsufficientData::LastKnownStatus) => metered.last_known?,
                };
                Some((healthy, Some(Moment(metered.since))))
            }
        }
    }

    /// Tells the verdicts what a check has come to, if that is news. If no checker knows any more, the last verdict
    /// stands: an endpoint is not well because nobody looks at it.
    pub(super) fn tell(&mut self, id: &str, now: Moment) {
        let said = self.watched.get(id).and_then(|watched| self.said(id, watched)).map(|(healthy, _)| healthy);
        let Some(watched) = self.watched.get_mut(id) else { return };
        if said.is_some() {
            watched.told = !watched.tracker.heard().is_empty();
        }
        let turned = match said {
            Some(_) if said == watched.reported && watched.stale.is_none() => return,
            None if watched.reported.is_none() || watched.stale.is_some() => return,
            Some(healthy) => {
                (watched.reported, watched.stale) = (said, None);
                self.verdicts.report(id, healthy, now)
            }
            None => {
                watched.stale = Some(now);
                self.verdicts.stale(id, now).map(|()| Vec::new())
            }
        };
        if let Ok(turned) = turned {
            let at = now.after(if turned.is_empty() { GATHER_REASONS } else { GATHER });
            self.note(turned);
            self.publish_at = Some(self.publish_at.map_or(at, |other| other.min(at)));
            self.save_at = self.save_at.min(now.after(SAVE_AFTER));
        }
    }

    pub(super) fn note(&mut self, turned: Vec<Id>) {
        for id in turned {
            let healthy = self.verdicts.healthy(&id);
            // What turns back before anybody was told has not turned.
            if self.turned.remove(&id).is_none() {
                self.turned.insert(id, healthy);
            }
        }
    }

    /// Whether a verdict of the life before this one holds. Without probes only observations count, and verdicts that
    /// were stale already.
    pub(super) fn takes_up(&self, kept: &KeptVerdict) -> bool {
        self.settings.probes || kept.told || kept.stale.is_some()
    }

    /// Goes on with the verdict of the life before this one.
    pub(super) fn take_up(&mut self, watched: &mut Watched, kept: &KeptVerdict, now: Moment) {
        let id = &watched.check.id;
        let mut since = Moment(kept.since);
        let known = watched.tracker.judge(self.settings.rule);
        let healthy = known.unwrap_or(kept.healthy);
        // Whoever spoke otherwise spoke before the restart: the check turns by it, and the disk has to know.
        if healthy != kept.healthy {
            since = now;
            self.save_at = self.save_at.min(now.after(SAVE_AFTER));
        }
        watched.reported = Some(healthy);
        watched.told = kept.told && known.is_none();
        _ = self.verdicts.report(id, healthy, since);
        self.verdicts.since(id, since);
        if known.is_none() {
            // The server knew until it was last saved, for all that the disk says.
            let stale = Moment(kept.stale.unwrap_or(self.kept.saved)).min(now);
            watched.stale = Some(stale);
            _ = self.verdicts.stale(id, stale);
            self.save_at = self.save_at.min(now.after(SAVE_AFTER));
        }
    }

    /// The checks whose verdict has become stale since `before`, or is not any more, and has not turned.
    pub(super) fn stale_since(&self, before: &Verdicts) -> Vec<Stale> {
        let stale = self.verdicts.stale_since(before).into_iter().filter_map(|id| {
            let verdict = self.verdicts.get(id)?;
            let since = match verdict.reason {
                Reason::Stale { since } => Some(since),
                _ => None,
            };
            // A turn says the same.
            let turned = before.get(id).is_some_and(|before| before.healthy != verdict.healthy);
            (!turned).then(|| Stale { id: id.clone(), healthy: verdict.healthy, since, why: self.why(id) })
        });
        stale.collect()
    }

    /// Whether the state of a metric that is kept counts: one that this server asked for does while it asks.
    pub fn meters(&self, kind: &Kind) -> bool {
        self.settings.probes || !matches!(kind, Kind::Metric(Metric { follows: Follows::Query(_), .. }))
    }
}
