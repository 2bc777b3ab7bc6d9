//! Health as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::health::Health;
use crate::control::{Control, Next, Watched};
use crate::health::alarm::Read;
use crate::health::checker::Checker;
use crate::health::tracker::{Own, Past};
use crate::health::verdicts::Reason;
use crate::model::health_check::{Follows, Kind, Metric};
use crate::model::record_set::{Role, Routing};
use crate::moment::{Moment, rfc3339};
use crate::policy::{Member, MemberSet};
use crate::snapshot::Snapshot;
use crate::snapshot::group::Group;
use crate::wire::name::Shown;

/// Names listed for each check; more are counted.
const NAMES_MAX: usize = 20;

/// Records listed of each name.
const MEMBERS_MAX: usize = 20;

/// All checks, without their history.
pub fn list(health: &Health) -> Value {
    let snapshot = health.snapshot();
    let answers = answers(&snapshot, |_| true);
    let checks = health.look(|control| {
        let watched = control.watched().iter();
        watched.map(|(id, watched)| check(control, id, watched, answers.get(&**id))).collect::<Vec<_>>()
    });
    json!({ "now": rfc3339(health.now().0), "health_checks": checks })
}

/// One check with all that is known of it.
pub fn one(health: &Health, id: &str) -> Option<Value> {
    let snapshot = health.snapshot();
    let answers = answers(&snapshot, |check| check == id);
    health.look(|control| {
        let watched = control.watched().get(id)?;
        let mut value = check(control, id, watched, answers.get(id));
        value["checkers"] = own(control, watched, true);
        value["history"] = match watched.check.kind {
            Kind::Metric(_) => watched.alarm.history().rev().map(read).collect(),
            _ => watched.tracker.newest().map_or(json!([]), |(own, _)| own.history().rev().map(past).collect()),
        };
        value["last_failure"] = watched
            .tracker
            .own()
            .iter()
            .filter_map(Own::last_failure)
            .max_by_key(|past| past.at)
            .map_or(Value::Null, past);
        Some(value)
    })
}

fn check(control: &Control, id: &str, watched: &Watched, answers: Option<&Answers>) -> Value {
    let verdict = control.verdicts().get(id);
    let mut value = json!({
        "id": id,
        "name": watched.check.name,
        "type": watched.check.kind.word(),
        "asks": watched.check.asks(),
        "healthy": verdict.is_none_or(|verdict| verdict.healthy),
        "since": verdict.map_or(Value::Null, |verdict| time(verdict.since)),
        "rests_on": verdict.map(|verdict| rests_on(watched, &verdict.reason)),
        "inverted": watched.check.inverted,
        "disabled": watched.check.disabled,
        "names": answers.map(|answers| answers.shown.iter().map(|one| &one["name"]).collect::<Vec<_>>()).unwrap_or_default(),
        "names_count": answers.map_or(0, |answers| answers.count),
        "answers": answers.map(|answers| &*answers.shown).unwrap_or_default(),
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
            let newest = watched.tracker.newest();
            value["last"] = newest.map_or(Value::Null, |(_, last)| past(last));
            value["streak"] = newest.and_then(|(own, _)| own.streak()).map_or(0, |(_, streak)| streak).into();
            value["failure_threshold"] = endpoint.failure_threshold.into();
            value["request_interval"] = endpoint.request_interval.into();
            value["next_probe"] = next(watched.soonest());
            let (healthy, of) = watched.tracker.votes();
            value["votes"] = json!({ "healthy": healthy, "of": of });
            value["other_checkers"] = heard(control, watched);
            if control.settings().checkers.len() > 1 {
                value["checkers"] = own(control, watched, false);
            }
        }
        Kind::Metric(Metric { follows, .. }) => {
            value["metric"] = control.metric(id).map(|metered| metered.state.word()).into();
            if let Follows::Query(query) = follows {
                value["last"] = watched.alarm.last().map_or(Value::Null, read);
                value["streak"] = watched.alarm.streak().into();
                value["failure_threshold"] = query.evaluation_periods.into();
                value["request_interval"] = query.period.into();
                value["next_probe"] = next(watched.soonest());
            }
        }
        Kind::Switch { .. } => value["switch"] = control.switch(id).map(|switch| switch.on).into(),
        Kind::Calculated { children, threshold } => {
            value["children"] = children
                .iter()
                .map(|child| json!({ "id": child, "healthy": control.verdicts().healthy(child) }))
                .collect();
            value["health_threshold"] = (*threshold).into();
        }
    }
    value
}

/// What a verdict rests on, where no result says so.
fn rests_on(watched: &Watched, reason: &Reason) -> String {
    let inverted = if watched.check.inverted { ", and the check is inverted" } else { "" };
    match (reason, &watched.check.kind) {
        (Reason::Forced, _) => reason.to_string(),
        (Reason::Initial, Kind::Switch { .. }) => format!("not switched yet{inverted}"),
        (Reason::Initial, Kind::Metric(Metric { follows: Follows::Alarm { .. }, .. })) => {
            format!("nobody has said yet how the alarm stands{inverted}")
        }
        _ => format!("{reason}{inverted}"),
    }
}

/// What others told that still counts.
fn heard(control: &Control, watched: &Watched) -> Value {
    let heard = watched.tracker.heard().iter().map(|(checker, heard)| {
        let until = heard.at.after(control.settings().heard_age);
        json!({ "checker": checker, "healthy": heard.healthy, "at": time(heard.at), "until": time(until),
                "reason": heard.reason })
    });
    heard.collect()
}

/// What each checker of this server has seen.
fn own(control: &Control, watched: &Watched, history: bool) -> Value {
    let checkers = control.settings().checkers.iter().zip(watched.tracker.own()).enumerate();
    checkers.map(|(at, (checker, own))| one_own(checker, own, next(watched.next(at)), history)).collect()
}

fn one_own(checker: &Checker, own: &Own, next: Value, history: bool) -> Value {
    let mut value = json!({
        "checker": checker.name,
        "source": checker.sources().map(|source| source.to_string()).collect::<Vec<_>>(),
        "healthy": own.came_to(),
        "streak": own.streak().map_or(0, |(_, streak)| streak),
        "last": own.last().map_or(Value::Null, past),
        "next_probe": next,
    });
    if history {
        value["history"] = own.history().rev().map(past).collect();
    }
    value
}

fn next(next: Next) -> Value {
    match next {
        Next::Now => "now".into(),
        Next::At(at) => time(at),
        Next::Never => Value::Null,
    }
}

pub(super) fn read(read: &Read) -> Value {
    json!({
        "at": time(read.at),
        "healthy": read.breached.map(|breached| !breached),
        "reason": read.reading.to_string(),
        "total_ms": f64::from(read.took) / 1000.0,
    })
}

pub(super) fn past(past: &Past) -> Value {
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

/// The names that go by a check, and who answers for them now.
#[derive(Default)]
struct Answers {
    shown: Vec<Value>,
    count: usize,
}

/// By the check's id.
fn answers<'s>(snapshot: &'s Snapshot, is_one: impl Fn(&str) -> bool + Copy + 's) -> BTreeMap<&'s str, Answers> {
    let mut answers: BTreeMap<&str, Answers> = BTreeMap::new();
    for (name, group, healthy) in snapshot.checked_groups(is_one) {
        let mut checks: Vec<_> =
            group.members.iter().filter_map(|member| member.health_check.as_deref()).filter(|id| is_one(id)).collect();
        checks.sort_unstable();
        checks.dedup();
        for check in checks {
            let answers = answers.entry(check).or_default();
            answers.count += 1;
            if answers.shown.len() < NAMES_MAX {
                answers.shown.push(answer(&name, group, healthy));
            }
        }
    }
    answers
}

fn answer(name: &Shown<'_>, group: &Group, healthy: MemberSet) -> Value {
    let labels = |wanted: &dyn Fn(Member) -> bool| {
        let members = (0..).map(Member).zip(&group.members).filter(|(member, _)| wanted(*member));
        members.map(|(_, alternative)| alternative.label()).take(MEMBERS_MAX).collect::<Vec<_>>()
    };
    let nobody = healthy.is_empty();
    let candidates = if nobody { MemberSet::first_of(group.members.len()) } else { healthy };
    // A primary leaves nothing to secondaries, a weight nothing to those of 0.
    let first = |member: &Member| match group.members[member.index()].routing {
        Routing::Failover(role) => role == Role::Primary,
        Routing::Weighted { weight } => weight > 0,
        _ => true,
    };
    let chosen = candidates.iter().filter(first).collect::<MemberSet>();
    let chosen = if chosen.is_empty() { candidates } else { chosen };
    json!({
        "name": format!("{name} {}", group.rtype),
        "candidates": labels(&|member| chosen.contains(member)),
        "out": labels(&|member| !healthy.contains(member)),
        "nobody_healthy": nobody,
    })
}
