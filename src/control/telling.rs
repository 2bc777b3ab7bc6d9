//! What is said of checks: in the log, and to other checkers.

use std::ops::Bound;

use super::{Control, TEXT_MAX};
use crate::model::Id;
use crate::model::health_check::Kind;

/// What one checker has come to of one check, before `inverted` is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    pub id: Id,
    pub checker: Id,
    pub healthy: bool,
    pub reason: Box<str>,
}

impl Control {
    /// What this server's own checkers have come to of so many checks, those behind `after`, by id. Fewer checks than
    /// that: these were the last.
    pub fn observations(&self, after: Option<&Id>, checks: usize) -> (Vec<Observation>, Option<Id>) {
        let behind = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = || self.watched.range::<Id, _>((behind, Bound::Unbounded)).take(checks);
        let checkers = 0..self.settings.checkers.len();
        let all = range().flat_map(|(id, _)| checkers.clone().filter_map(|checker| self.observation(id, checker)));
        let last = if range().count() < checks { None } else { range().last().map(|(id, _)| id.clone()) };
        (all.collect(), last)
    }

    /// None while it has come to nothing, and of checks that are not asked.
    pub(super) fn observation(&self, id: &str, checker: usize) -> Option<Observation> {
        let watched = self.watched.get(id)?;
        let own = watched.tracker.own().get(checker)?;
        let healthy = own.came_to().filter(|_| !watched.check.disabled)?;
        // The newest result may be on its way to say otherwise.
        let last = own.last().filter(|last| last.outcome.is_healthy() == healthy);
        let mut reason = last.map_or(String::new(), |last| last.outcome.to_string());
        reason.truncate(reason.floor_char_boundary(TEXT_MAX));
        let checker = self.settings.checkers.get(checker)?.name.clone();
        Some(Observation { id: watched.check.id.clone(), checker, healthy, reason: reason.into() })
    }

    /// What a verdict rests on, for the log.
    pub(super) fn why(&self, id: &str) -> String {
        let Some(verdict) = self.verdicts.get(id) else {
            return "there is no such check any more, which counts as healthy".to_string();
        };
        if let Some(forced) = self.kept.forced.get(id).filter(|_| verdict.forced) {
            return if forced.reason.is_empty() { "forced".to_string() } else { format!("forced: {}", forced.reason) };
        }
        let Some(watched) = self.watched.get(id) else { return verdict.reason.to_string() };
        match &watched.check.kind {
            Kind::Endpoint(_) => {
                let (healthy, of) = watched.tracker.votes();
                let said = watched.reported;
                // The newest result of somebody who says what the verdict says.
                let own = watched.tracker.own().iter().filter(|own| own.came_to() == said);
                let newest = own.filter_map(|own| Some((own.streak()?.1, own.last()?))).max_by_key(|(_, last)| last.at);
                match newest {
                    Some((_, last)) if of > 1 => {
                        format!("{healthy} of {of} checkers say healthy; {}", last.outcome)
                    }
                    _ if of > 1 => format!("{healthy} of {of} checkers say healthy"),
                    Some((streak, last)) => format!("{streak} in a row: {}", last.outcome),
                    None if of == 1 => "as another checker says".to_string(),
                    None => verdict.reason.to_string(),
                }
            }
            Kind::Metric(_) => match (self.kept.metrics.get(id), watched.alarm.last()) {
                (Some(metered), Some(last)) => format!("{}: {}", metered.state, last.reading),
                (Some(metered), None) => format!("the alarm is {}", metered.state),
                (None, _) => verdict.reason.to_string(),
            },
            Kind::Switch { .. } => match self.kept.switches.get(id) {
                Some(switch) => format!("switched {}", if switch.on { "on" } else { "off" }),
                None => verdict.reason.to_string(),
            },
            Kind::Calculated { .. } => verdict.reason.to_string(),
        }
    }
}
