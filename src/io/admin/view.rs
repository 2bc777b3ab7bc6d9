//! Health as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::health::Health;
use crate::control::{Control, Watched};
use crate::health::tracker::Past;
use crate::model::health_check::Kind;
use crate::moment::{Moment, rfc3339};
use crate::snapshot::Snapshot;

/// Names listed for each check; more are counted.
const NAMES_MAX: usize = 20;

/// All checks, without their history.
pub fn list(health: &Health) -> Value {
    let names = names(&health.snapshot());
    let checks = health.look(|control| {
        let watched = control.watched().iter();
        watched.map(|(id, watched)| check(control, id, watched, names.get(id))).collect::<Vec<_>>()
    });
    json!({ "now": rfc3339(health.now().0), "health_checks": checks })
}

/// One check with all that is known of it.
pub fn one(health: &Health, id: &str) -> Option<Value> {
    let snapshot = health.snapshot();
    let names: Vec<String> =
        snapshot.names_checked_by(id).map(|(name, group)| format!("{name} {}", group.rtype)).collect();
    health.look(|control| {
        let watched = control.watched().get(id)?;
        let mut value = check(control, id, watched, Some(&names));
        value["history"] = watched.tracker.history().rev().map(past).collect();
        value["last_failure"] = watched.tracker.last_failure().map_or(Value::Null, past);
        let heard = watched.tracker.heard().iter().map(|(checker, heard)| {
            json!({ "checker": checker, "healthy": heard.healthy, "at": time(heard.at), "reason": heard.reason })
        });
        value["other_checkers"] = heard.collect();
        Some(value)
    })
}

fn check(control: &Control, id: &str, watched: &Watched, names: Option<&Vec<String>>) -> Value {
    let verdict = control.verdicts().get(id);
    let mut value = json!({
        "id": id,
        "type": watched.check.kind.word(),
        "asks": watched.check.asks(),
        "healthy": verdict.is_none_or(|verdict| verdict.healthy),
        "since": verdict.map_or(Value::Null, |verdict| time(verdict.since)),
        "rests_on": verdict.map(|verdict| verdict.reason.to_string()),
        "inverted": watched.check.inverted,
        "disabled": watched.check.disabled,
        "names": names.map(|names| names.iter().take(NAMES_MAX).collect::<Vec<_>>()).unwrap_or_default(),
        "names_count": names.map_or(0, Vec::len),
    });
    if let Some(forced) = control.forced(id) {
        value["forced"] = json!({
            "state": if forced.healthy { "up" } else { "down" },
            "since": rfc3339(forced.since),
            "until": forced.until.map(rfc3339),
            "reason": forced.reason,
        });
    }
    match &watched.check.kind {
        Kind::Endpoint(endpoint) => {
            value["last"] = watched.tracker.last().map_or(Value::Null, past);
            value["streak"] = watched.tracker.streak().map_or(0, |(_, streak)| streak).into();
            value["failure_threshold"] = endpoint.failure_threshold.into();
            value["request_interval"] = endpoint.request_interval.into();
            value["next_probe"] = match (watched.is_being_asked(), watched.next) {
                (true, _) => "now".into(),
                (false, next) => next.filter(|_| !watched.check.disabled).map_or(Value::Null, time),
            };
        }
        Kind::Metric(_) => value["metric"] = control.metric(id).map(|metered| metered.state.word()).into(),
        Kind::Switch { .. } => value["switch"] = control.switch(id).map(|switch| switch.on).into(),
        Kind::Calculated { .. } => {}
    }
    value
}

fn past(past: &Past) -> Value {
    let latency = &past.outcome.latency;
    let millis = |micros: u32| f64::from(micros) / 1000.0;
    json!({
        "at": time(past.at),
        "healthy": past.outcome.is_healthy(),
        "reason": past.outcome.to_string(),
        "connect_ms": millis(latency.connect),
        "tls_ms": millis(latency.tls),
        "first_byte_ms": millis(latency.first_byte),
        "total_ms": millis(latency.total),
        "late_ms": millis(latency.late),
    })
}

/// The beginning of time is when nothing had turned yet.
fn time(at: Moment) -> Value {
    if at == Moment::START { Value::Null } else { rfc3339(at.0).into() }
}

/// The names that go by each check.
fn names(snapshot: &Snapshot) -> BTreeMap<Box<str>, Vec<String>> {
    let mut names: BTreeMap<Box<str>, Vec<String>> = BTreeMap::new();
    for (name, group) in snapshot.groups() {
        let mut checks: Vec<_> = group.members.iter().filter_map(|member| member.health_check.as_deref()).collect();
        checks.sort_unstable();
        checks.dedup();
        for check in checks {
            names.entry(check.into()).or_default().push(format!("{name} {}", group.rtype));
        }
    }
    names
}
