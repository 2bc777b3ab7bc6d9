//! What is said of checks: in the log, and to other checkers.

use std::ops::Bound;

use super::{Control, MetricState, TEXT_MAX, Watched};
use crate::health::alarm::Read;
use crate::health::verdicts::Reason;
use crate::model::Id;
use crate::model::health_check::{Follows, HealthCheck, InsufficientData, Kind};

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
        let why = match (&verdict.reason, &watched.check.kind) {
            (Reason::Reported, Kind::Endpoint(_)) => why_an_endpoint(watched),
            (Reason::Reported, Kind::Metric(_)) => match (self.kept.metrics.get(id), watched.alarm.last()) {
                (Some(metered), last) => why_a_metric(metered.state, last, verdict.healthy != watched.check.inverted),
                (None, _) => verdict.reason.to_string(),
            },
            (Reason::Reported, Kind::Switch { .. }) => match self.kept.switches.get(id) {
                Some(switch) => format!("switched {}", if switch.on { "on" } else { "off" }),
                None => verdict.reason.to_string(),
            },
            (reason, _) => return self.rests_on(&watched.check, reason),
        };
        format!("{why}{}", inverted(&watched.check))
    }

    /// What a verdict rests on, where no result says so.
    pub fn rests_on(&self, check: &HealthCheck, reason: &Reason) -> String {
        let words = match (reason, &check.kind) {
            (Reason::Forced | Reason::Stale { .. }, _) => return reason.to_string(),
            (Reason::Initial, Kind::Switch { .. }) => "not switched yet".to_string(),
            (Reason::Initial, Kind::Metric(metric)) => {
                let state = match &metric.follows {
                    Follows::Alarm { .. } => "nobody has said yet how the alarm stands",
                    Follows::Query(_) if !self.settings.probes => "this server does not ask Prometheus",
                    Follows::Query(_) => "not checked yet",
                };
                let healthy = metric.insufficient_data != InsufficientData::Unhealthy;
                format!("{state}, which counts as {}", if healthy { "healthy" } else { "unhealthy" })
            }
            (Reason::Initial, Kind::Endpoint(_)) if !self.settings.probes => "this server does not probe".to_string(),
            (reason, _) => reason.to_string(),
        };
        format!("{words}{}", inverted(check))
    }
}

fn inverted(check: &HealthCheck) -> &'static str {
    if check.inverted { ", and the check is inverted" } else { "" }
}

/// What the checkers of an endpoint say. A result is named only where it says what the checkers come to: the newest one
/// may be on its way to say otherwise.
fn why_an_endpoint(watched: &Watched) -> String {
    let ((healthy, of), said) = (watched.tracker.votes(), watched.reported);
    let own = watched.tracker.own().iter().filter(|own| own.came_to() == said);
    let agreeing = own.filter_map(|own| Some((own.streak()?, own.last()?)));
    let newest = agreeing.filter(|((healthy, _), _)| Some(*healthy) == said).max_by_key(|(_, last)| last.at);
    match newest {
        Some((_, last)) if of > 1 => format!("{healthy} of {of} checkers say healthy; {}", last.outcome),
        _ if of > 1 => format!("{healthy} of {of} checkers say healthy"),
        Some(((_, streak), last)) => format!("{streak} in a row: {}", last.outcome),
        None if watched.tracker.heard().is_empty() => "as probes found before".to_string(),
        None => "as another checker says".to_string(),
    }
}

/// What an alarm says, and the reading, where that agrees.
fn why_a_metric(state: MetricState, last: Option<&Read>, healthy: bool) -> String {
    let agrees = |read: &&Read| match state {
        MetricState::Ok => read.breached == Some(false),
        MetricState::Alarm => read.breached != Some(false),
        MetricState::InsufficientData => true,
    };
    let counts = match (state, healthy) {
        (MetricState::InsufficientData, true) => ", which counts as healthy",
        (MetricState::InsufficientData, false) => ", which counts as unhealthy",
        _ => "",
    };
    match last.filter(agrees) {
        Some(last) => format!("{state}{counts}: {}", last.reading),
        None => format!("the alarm is {state}{counts}"),
    }
}
