//! One event after another, with the time as an argument.

mod checkers;
mod metrics;
mod no_probes;
mod stale;

use super::*;
use crate::health::finding::{Failure, Finding, Latency};
use crate::health::verdicts::Reason;
use crate::model::health_check::{Endpoint, InsufficientData, Protocol};
use crate::problem::At;

fn endpoint(interval: u32) -> Kind {
    Kind::Endpoint(Endpoint {
        protocol: Protocol::Http,
        ip_address: Some([192, 0, 2, 1].into()),
        fully_qualified_domain_name: None,
        port: 80,
        resource_path: "/".into(),
        search_string: None,
        enable_sni: false,
        validate_certificate: None,
        measure_latency: false,
        request_interval: interval,
        failure_threshold: 2,
        regions: Vec::new(),
    })
}

fn check(id: &str, kind: Kind) -> (Id, HealthCheck) {
    let at = At { file: "h".into(), line: 1, column: 1, length: 0 };
    (id.into(), HealthCheck { id: id.into(), name: None, kind, inverted: false, disabled: false, at })
}

fn shared<const N: usize>(checks: [(Id, HealthCheck); N]) -> Arc<Shared> {
    Arc::new(Shared { health_checks: checks.into(), ..Shared::default() })
}

fn outcome(healthy: bool) -> Outcome {
    let finding = if healthy { Finding::Answered(200) } else { Finding::Failed(Failure::ConnectTimeout) };
    Outcome { finding, resolved: None, latency: Latency { total: 700, ..Latency::default() } }
}

fn begin(checks: Arc<Shared>, kept: Kept, now: Moment) -> Control {
    let mut control = Control::new(Settings::default(), kept, 1, now);
    control.handle(Event::Reloaded(checks), now).unwrap();
    control
}

/// Lets every probe until `end` come back as this, a millisecond after it left. Returns what was published.
fn run(control: &mut Control, healthy: bool, end: Moment) -> Vec<(Moment, Vec<Turn>)> {
    let mut published = Vec::new();
    while control.next() <= end {
        let now = control.next();
        for effect in control.handle(Event::Tick, now).unwrap() {
            match effect {
                Effect::Probe { check, number, .. } => {
                    let event = Event::Probed { id: check.id.clone(), number, outcome: outcome(healthy) };
                    control.handle(event, now.after(Duration::from_millis(1))).unwrap();
                }
                Effect::Publish { turned, .. } => published.push((now, turned)),
                Effect::Save(_) | Effect::Query { .. } | Effect::Report(_) | Effect::Stale(_) => {}
            }
        }
    }
    published
}

#[test]
fn a_check_turns_at_its_threshold_and_says_why() {
    let mut control = begin(shared([check("a", endpoint(10))]), Kept::default(), Moment(0));
    let published = run(&mut control, false, Moment(60_000));
    let turns: Vec<_> = published.iter().flat_map(|(_, turned)| turned).collect();
    assert_eq!(turns.len(), 1);
    assert_eq!((&*turns[0].id, turns[0].healthy), ("a", false));
    assert_eq!(
        turns[0].why,
        "2 in a row: Failure: The health checker could not establish a connection within the timeout limit."
    );
    assert!(published[0].0 < Moment(25_000), "{:?}", published[0].0);
    let streak = control.watched()["a"].tracker.own()[0].streak().unwrap().1;
    assert_eq!(control.counts().probes_unhealthy, u64::from(streak));
    assert_eq!((control.counts().turns, control.counts().latency.buckets[1]), (1, control.counts().probes_unhealthy));
}

#[test]
fn only_what_is_otherwise_than_it_was_told_has_turned() {
    let Kind::Endpoint(mut elsewhere) = endpoint(10) else { panic!() };
    elsewhere.port = 81;
    let moved = check("a", Kind::Endpoint(elsewhere));
    // Gone, and asking something new, of which nothing is known: neither was told to be unhealthy.
    for after in [shared([]), shared([moved])] {
        let mut control = begin(shared([check("a", endpoint(10))]), Kept::default(), Moment(0));
        let said = Event::Observed { id: "a".into(), checker: "paris".into(), healthy: false, reason: "".into() };
        control.handle(said, Moment(1)).unwrap();
        assert!(!control.verdicts().healthy("a"));
        let effects = control.handle(Event::Reloaded(after), Moment(2)).unwrap();
        let turned = effects.iter().find_map(|effect| match effect {
            Effect::Publish { turned, .. } => Some(turned.len()),
            _ => None,
        });
        assert_eq!((turned, control.counts().turns), (Some(0), 0));
    }
}

#[test]
fn ten_thousand_checks_do_not_fire_together() {
    let checks = (0..10_000).map(|number| check(&format!("c{number:05}"), endpoint(10)));
    let checks = Arc::new(Shared { health_checks: checks.collect(), ..Shared::default() });
    let mut control = begin(checks, Kept::default(), Moment(0));
    let mut by_second = [0; 40];
    let mut at_once = 0;
    while control.next() < Moment(40_000) {
        let now = control.next();
        let mut now_asked = 0;
        for effect in control.handle(Event::Tick, now).unwrap() {
            if let Effect::Probe { check, number, .. } = effect {
                now_asked += 1;
                control.handle(Event::Probed { id: check.id.clone(), number, outcome: outcome(true) }, now).unwrap();
            }
        }
        by_second[(now.0 / 1000) as usize] += now_asked;
        at_once = at_once.max(now_asked);
    }
    assert!(by_second[..5].iter().all(|asked| (1800..2200).contains(asked)), "at first: {by_second:?}");
    assert_eq!(by_second[5], 0, "{by_second:?}");
    assert!(by_second[20..].iter().all(|asked| (850..1150).contains(asked)), "on their beat: {by_second:?}");
    assert!(at_once < 30, "{at_once} in one millisecond");
}

#[test]
fn probes_for_which_there_is_no_room_come_next_and_tell_how_late_they_are() {
    let checks = (0..PROBES_MAX + 100).map(|number| check(&format!("c{number:05}"), endpoint(1)));
    let checks = Arc::new(Shared { health_checks: checks.collect(), ..Shared::default() });
    let mut control = Control::new(Settings::default(), Kept::default(), 1, Moment(0));
    let mut effects = control.handle(Event::Reloaded(checks), Moment(0)).unwrap();
    while control.next() < Moment(20_000) {
        let now = control.next();
        effects.extend(control.handle(Event::Tick, now).unwrap());
    }
    let probe = |effect: &Effect| match effect {
        Effect::Probe { check, number, .. } => Some((check.id.clone(), *number)),
        Effect::Save(_) | Effect::Publish { .. } | Effect::Query { .. } | Effect::Report(_) | Effect::Stale(_) => None,
    };
    let asked: Vec<_> = effects.iter().filter_map(probe).collect();
    assert_eq!((asked.len(), control.under_way()), (PROBES_MAX, PROBES_MAX));
    let mut waited = Moment(0);
    for (id, number) in asked.into_iter().take(100) {
        let effects = control.handle(Event::Probed { id, number, outcome: outcome(true) }, Moment(20_000)).unwrap();
        let [Effect::Probe { due, .. }] = effects.as_slice() else { panic!("one leaves, one comes: {effects:?}") };
        assert!(waited <= *due && *due <= Moment(1000), "{due} after {waited}");
        waited = *due;
    }
    assert!(control.next() > Moment(20_000), "nobody waits for what is not there");
}

#[test]
fn a_forced_state_ends_and_survives() {
    let checks = || shared([check("a", endpoint(10)), check("b", endpoint(10))]);
    let mut control = begin(checks(), Kept::default(), Moment(0));
    let lasting = Some(Duration::from_secs(600));
    let event = Event::Force { id: "a".into(), healthy: Some(false), lasting, reason: "maintenance".into() };
    let effects = control.handle(event, Moment(1000)).unwrap();
    let [Effect::Publish { verdicts, turned }, Effect::Save(kept), ..] = effects.as_slice() else {
        panic!("served at once, and saved: {effects:?}")
    };
    assert!(!verdicts.healthy("a"));
    assert_eq!(turned[0].why, "forced: maintenance");

    let mut second = begin(checks(), kept.clone(), Moment(300_000));
    assert_eq!(second.verdicts().get("a").map(|verdict| (verdict.healthy, verdict.since)), Some((false, Moment(1000))));
    run(&mut second, true, Moment(600_999));
    assert!(!second.verdicts().healthy("a"), "probes do not beat it");
    run(&mut second, true, Moment(601_000));
    assert!(second.verdicts().healthy("a"));
    assert_eq!(second.kept(Moment(601_000)).forced, BTreeMap::new());

    // Its end may lie in the time when nobody served.
    let mut late = begin(checks(), kept.clone(), Moment(700_000));
    late.handle(Event::Tick, Moment(700_000)).unwrap();
    assert!(late.verdicts().healthy("a"));
}

#[test]
fn a_check_that_goes_or_comes_unwell_turns_what_names_it() {
    let turned = |control: &mut Control, checks: Arc<Shared>, now| {
        let effects = control.handle(Event::Reloaded(checks), Moment(now)).unwrap();
        let turned = effects.into_iter().filter_map(|effect| match effect {
            Effect::Publish { turned, .. } => Some(turned),
            _ => None,
        });
        turned.flatten().map(|turn| format!("{} {}: {}", turn.id, turn.healthy, turn.why)).collect::<Vec<_>>()
    };
    let both = || shared([check("a", endpoint(10)), check("b", endpoint(10))]);
    let only_b = || shared([check("b", endpoint(10))]);
    let mut control = Control::new(Settings::default(), Kept::default(), 1, Moment(0));
    assert_eq!(turned(&mut control, both(), 0), [""; 0], "nothing was served before");
    run(&mut control, false, Moment(60_000));
    let gone = "a true: there is no such check any more, which counts as healthy";
    assert_eq!(turned(&mut control, only_b(), 60_000), [gone]);
    assert_eq!(turned(&mut control, both(), 61_000), [""; 0], "it is new, and healthy as it was");
    let (id, new) = check("c", endpoint(10));
    let inverted = || shared([check("b", endpoint(10)), (id.clone(), HealthCheck { inverted: true, ..new.clone() })]);
    assert_eq!(turned(&mut control, inverted(), 62_000), ["c false: not checked yet, and the check is inverted"]);
    // What nobody was told has not turned.
    let mut control = begin(both(), Kept::default(), Moment(0));
    let said = Event::Observed { id: "a".into(), checker: "paris".into(), healthy: false, reason: "".into() };
    control.handle(said, Moment(1000)).unwrap();
    assert!(!control.verdicts().healthy("a"));
    assert_eq!(turned(&mut control, only_b(), 1001), [""; 0]);
}

#[test]
fn what_a_checker_comes_to_is_told_at_once_and_can_be_told_again() {
    let mut control = begin(
        shared([check("a", endpoint(10)), check("b", endpoint(10)), check("c", endpoint(10))]),
        Kept::default(),
        Moment(0),
    );
    let mut told = Vec::new();
    while control.next() <= Moment(60_000) {
        let now = control.next();
        for effect in control.handle(Event::Tick, now).unwrap() {
            let Effect::Probe { check, number, .. } = effect else { continue };
            let event = Event::Probed { id: check.id.clone(), number, outcome: outcome(&*check.id != "b") };
            for effect in control.handle(event, now).unwrap() {
                if let Effect::Report(observation) = effect {
                    told.push((observation.id.to_string(), observation.healthy));
                }
            }
        }
    }
    told.sort();
    assert_eq!(told, [("a".to_string(), true), ("b".to_string(), false), ("c".to_string(), true)]);
    let (first, after) = control.observations(None, 2);
    let said: Vec<_> = first.iter().map(|one| (&*one.id, &*one.checker, one.healthy, &*one.reason)).collect();
    let b = "Failure: The health checker could not establish a connection within the timeout limit.";
    assert_eq!(said, [("a", "local", true, "Success: HTTP Status Code: 200. OK"), ("b", "local", false, b)]);
    let (rest, after) = control.observations(after.as_ref(), 2);
    assert_eq!((rest.len(), &*rest[0].id, after), (1, "c", None));
}

#[test]
fn young_verdicts_return_and_old_ones_are_stale() {
    let checks = shared([check("a", endpoint(10))]);
    let mut control = begin(checks.clone(), Kept::default(), Moment(0));
    run(&mut control, false, Moment(60_000));
    let kept = control.kept(Moment(60_000));
    for (later, reason) in [(600_000, Reason::Reported), (601_000, Reason::Stale { since: Moment(60_000) })] {
        let control = begin(checks.clone(), kept.clone(), Moment(60_000 + later));
        let verdict = control.verdicts().get("a").unwrap();
        assert_eq!((verdict.healthy, &verdict.reason), (false, &reason));
    }
    // Since when it holds returns, too, of a check that turned back long ago as of one that is down.
    let mut control = begin(checks.clone(), kept.clone(), Moment(61_000));
    run(&mut control, true, Moment(120_000));
    let verdict = control.verdicts().get("a").cloned().unwrap();
    assert!(verdict.healthy && verdict.since > Moment(61_000));
    let later = begin(checks.clone(), control.kept(Moment(120_000)), Moment(130_000));
    assert_eq!(later.verdicts().get("a").map(|verdict| (verdict.healthy, verdict.since)), Some((true, verdict.since)));
    let other = shared([check("a", endpoint(30))]);
    let control = begin(other, kept.clone(), Moment(61_000));
    assert!(!control.verdicts().healthy("a"), "the endpoint is the same");
    let Kind::Endpoint(mut elsewhere) = endpoint(10) else { panic!() };
    elsewhere.port = 81;
    let control = begin(shared([check("a", Kind::Endpoint(elsewhere))]), kept, Moment(61_000));
    assert!(control.verdicts().healthy("a"), "another endpoint is not");
}

/// route53.md 3.5.
#[test]
fn rule_3_5_insufficient_data() {
    for (insufficient_data, first, after_alarm) in [
        (InsufficientData::Healthy, true, true),
        (InsufficientData::Unhealthy, false, false),
        (InsufficientData::LastKnownStatus, true, false),
    ] {
        let metric =
            Metric { follows: Follows::Alarm { region: "eu-west-1".into(), name: "m".into() }, insufficient_data };
        let mut control = begin(shared([check("m", Kind::Metric(metric))]), Kept::default(), Moment(0));
        let mut set = |state| {
            control.handle(Event::Metric { id: "m".into(), state }, Moment(1)).unwrap();
            control.verdicts().healthy("m")
        };
        assert_eq!(set(MetricState::InsufficientData), first, "{insufficient_data:?}");
        assert!(set(MetricState::Ok));
        assert!(!set(MetricState::Alarm));
        assert_eq!(set(MetricState::InsufficientData), after_alarm, "{insufficient_data:?}");
    }
}

/// route53.md 3.6.
#[test]
fn rule_3_6_a_switch_is_healthy_while_on() {
    let mut control =
        begin(shared([check("s", Kind::Switch { routing_control_arn: "arn".into() })]), Kept::default(), Moment(0));
    for on in [false, true, false] {
        control.handle(Event::Switch { id: "s".into(), on }, Moment(1)).unwrap();
        assert_eq!(control.verdicts().healthy("s"), on);
    }
}

#[test]
fn what_was_said_of_alarms_and_switches_holds_since_then() {
    let metric = Metric {
        follows: Follows::Alarm { region: "eu-west-1".into(), name: "m".into() },
        insufficient_data: InsufficientData::LastKnownStatus,
    };
    let checks = || {
        let switch = Kind::Switch { routing_control_arn: "arn".into() };
        shared([check("m", Kind::Metric(metric.clone())), check("s", switch)])
    };
    let mut control = begin(checks(), Kept::default(), Moment(0));
    control.handle(Event::Metric { id: "m".into(), state: MetricState::Alarm }, Moment(1000)).unwrap();
    control.handle(Event::Switch { id: "s".into(), on: false }, Moment(2000)).unwrap();
    let kept = control.kept(Moment(3000));
    let mut again = Control::new(Settings::default(), kept, 1, Moment(9_000_000));
    let effects = again.handle(Event::Reloaded(checks()), Moment(9_000_000)).unwrap();
    let Some(Effect::Publish { turned, verdicts }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(turned, &[], "a restart turns nothing");
    let since = |id: &str| verdicts.get(id).map(|verdict| (verdict.healthy, verdict.since));
    assert_eq!((since("m"), since("s")), (Some((false, Moment(1000))), Some((false, Moment(2000)))));
}

#[test]
fn what_makes_no_sense_is_refused_in_a_sentence() {
    let mut control = begin(shared([check("a", endpoint(10))]), Kept::default(), Moment(0));
    for (event, told) in [
        (
            Event::Switch { id: "a".into(), on: true },
            "health check \"a\" is of type HTTP, and this is for RECOVERY_CONTROL",
        ),
        (
            Event::Metric { id: "b".into(), state: MetricState::Ok },
            "no health check is called \"b\", did you mean \"a\"?",
        ),
        (
            Event::Force { id: "a".into(), healthy: None, lasting: None, reason: "x".repeat(256).into() },
            "a reason or a checker's name has at most 255 bytes",
        ),
    ] {
        assert_eq!(control.handle(event, Moment(1)).unwrap_err().to_string(), told);
    }
}

#[test]
fn other_checkers_are_heard_for_a_while() {
    let mut control = begin(shared([check("a", endpoint(10))]), Kept::default(), Moment(0));
    run(&mut control, false, Moment(40_000));
    assert!(!control.verdicts().healthy("a"));
    let event = Event::Observed { id: "a".into(), checker: "paris".into(), healthy: true, reason: "".into() };
    control.handle(event, Moment(40_000)).unwrap();
    assert!(control.verdicts().healthy("a"), "half of the checkers are more than 18 %");
    run(&mut control, false, Moment(99_999));
    assert!(control.verdicts().healthy("a"));
    run(&mut control, false, Moment(100_000));
    assert!(!control.verdicts().healthy("a"));
}

#[test]
fn a_reload_keeps_what_is_known_of_unchanged_checks() {
    let first = shared([check("a", endpoint(10)), check("b", endpoint(10)), check("c", endpoint(10))]);
    let mut control = begin(first, Kept::default(), Moment(0));
    run(&mut control, false, Moment(60_000));
    let history = control.watched()["a"].tracker.own()[0].history().count();
    let Kind::Endpoint(mut elsewhere) = endpoint(10) else { panic!() };
    elsewhere.port = 81;
    let mut moved = check("a", endpoint(10));
    moved.1.at.line = 99;
    let second = shared([moved, check("b", Kind::Endpoint(elsewhere)), check("d", endpoint(10))]);
    let effects = control.handle(Event::Reloaded(second), Moment(60_000)).unwrap();
    let Some(Effect::Publish { verdicts, turned }) = effects.first() else { panic!("{effects:?}") };
    let healthy: Vec<_> = verdicts.iter().map(|(id, verdict)| (&**id, verdict.healthy)).collect();
    assert_eq!(healthy, [("a", false), ("b", true), ("d", true)]);
    assert_eq!(
        turned.iter().map(|turn| &*turn.id).collect::<Vec<_>>(),
        ["b", "c"],
        "c was unhealthy, and counts as healthy now that it is gone"
    );
    assert_eq!(control.watched()["a"].tracker.own()[0].history().count(), history, "its history goes on");
}

/// route53.md 3.5.
#[test]
fn rule_3_5_the_last_known_status_outlives_the_server() {
    let metric = || Metric {
        follows: Follows::Alarm { region: "eu-west-1".into(), name: "m".into() },
        insufficient_data: InsufficientData::LastKnownStatus,
    };
    let mut control = begin(shared([check("m", Kind::Metric(metric()))]), Kept::default(), Moment(0));
    for state in [MetricState::Alarm, MetricState::InsufficientData] {
        control.handle(Event::Metric { id: "m".into(), state }, Moment(1)).unwrap();
    }
    let control = begin(shared([check("m", Kind::Metric(metric()))]), control.kept(Moment(2)), Moment(3));
    assert!(!control.verdicts().healthy("m"));
}

/// route53.md 3.3.18: an outage is seen within threshold times interval, and no sooner than one interval less.
#[test]
fn an_outage_is_seen_within_threshold_times_interval() {
    for (interval, threshold) in [(1, 1), (1, 2), (10, 1), (10, 3), (30, 3), (30, 10)] {
        let Kind::Endpoint(plain) = endpoint(interval) else { panic!() };
        let kind = Kind::Endpoint(Endpoint { failure_threshold: threshold, ..plain });
        let mut control = begin(shared([check("a", kind)]), Kept::default(), Moment(0));
        run(&mut control, true, Moment(1_000_000));
        assert!(control.verdicts().healthy("a"));
        run(&mut control, false, Moment(2_000_000));
        let seen = control.verdicts().get("a").unwrap().since.since(Moment(1_000_000));
        let intervals = |count| Duration::from_secs(u64::from(interval)) * count;
        let took = Duration::from_millis(1);
        assert!(intervals(threshold - 1) <= seen && seen <= intervals(threshold) + took, "{threshold}: {seen:?}");
    }
}
