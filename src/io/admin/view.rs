//! Health as JSON.

use std::ops::Bound;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use serde_json::{Value, json};

use super::super::health::Health;
use crate::control::{Control, Next, Watched};
use crate::health::alarm::Read;
use crate::health::checker::Checker;
use crate::health::tracker::{Own, Past};
use crate::health::verdicts::Reason;
use crate::model::Id;
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

/// Probes, and whoever else wants the health, wait so long at most while a list is written; ours.
const SLICE: Duration = Duration::from_micros(500);

/// All checks, without their history, as the JSON of a reply. They are written in slices, so that ten thousand of them
/// hold up neither probes nor other requests; the checks of two slices may be of two moments.
pub async fn list(health: &Health) -> Bytes {
    health.list.get(written(health)).await
}

async fn written(health: &Health) -> Vec<u8> {
    let mut body = Vec::from("{\"health_checks\":[");
    let mut after = None;
    while let Some(last) = slice(health, after.as_ref(), &mut body) {
        after = Some(last);
        tokio::task::yield_now().await;
    }
    if after.is_some() {
        // The comma behind the last check.
        body.pop();
    }
    let probes = health.look(|control| control.settings().probes);
    body.extend_from_slice(format!("],\"now\":\"{}\",\"probes\":{probes}}}\n", rfc3339(health.now().0)).as_bytes());
    body
}

/// Writes checks for the time of a slice, at least one, beginning behind `after`. Returns the last one; none: all are
/// written.
fn slice(health: &Health, after: Option<&Id>, body: &mut Vec<u8>) -> Option<Id> {
    let snapshot = health.snapshot();
    let begin = Instant::now();
    health.look(|control| {
        let behind = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut last = None;
        for (id, watched) in control.watched().range::<Id, _>((behind, Bound::Unbounded)) {
            let value = check(control, id, watched, &Answers::of(&snapshot, id));
            body.extend_from_slice(value.to_string().as_bytes());
            body.push(b',');
            last = Some(id);
            if begin.elapsed() >= SLICE {
                break;
            }
        }
        last.cloned()
    })
}

/// One check with all that is known of it.
pub fn one(health: &Health, id: &str) -> Option<Value> {
    let snapshot = health.snapshot();
    health.look(|control| {
        let watched = control.watched().get(id)?;
        let mut value = check(control, id, watched, &Answers::of(&snapshot, id));
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

fn check(control: &Control, id: &str, watched: &Watched, answers: &Answers) -> Value {
    let verdict = control.verdicts().get(id);
    let stale = verdict.and_then(|verdict| match verdict.reason {
        Reason::Stale { since } => Some(since),
        _ => None,
    });
    let mut value = json!({
        "id": id,
        "name": watched.check.name,
        "type": watched.check.kind.word(),
        "asks": watched.check.asks(),
        "healthy": verdict.is_none_or(|verdict| verdict.healthy),
        "since": verdict.map_or(Value::Null, |verdict| time(verdict.since)),
        "stale": stale.is_some(),
        "stale_since": stale.map_or(Value::Null, time),
        "rests_on": verdict.map(|verdict| control.rests_on(&watched.check, &verdict.reason)),
        "inverted": watched.check.inverted,
        "disabled": watched.check.disabled,
        "names": answers.shown.iter().map(|one| &one["name"]).collect::<Vec<_>>(),
        "names_count": answers.count,
        "answers": answers.shown,
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
            let metered = control.metric(id).filter(|_| control.meters(&watched.check.kind));
            value["metric"] = metered.map(|metered| metered.state.word()).into();
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
struct Answers {
    shown: Vec<Value>,
    count: usize,
}

impl Answers {
    fn of(snapshot: &Snapshot, check: &str) -> Answers {
        let (count, groups) = snapshot.groups_going_by(check, NAMES_MAX);
        Answers { shown: groups.map(|(name, group, healthy)| answer(&name, group, healthy)).collect(), count }
    }
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
