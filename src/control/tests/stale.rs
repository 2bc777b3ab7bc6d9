//! What stands when no checker knows the state any more.

use super::*;

fn says(checker: &str, healthy: bool) -> Event {
    Event::Observed { id: "a".into(), checker: checker.into(), healthy, reason: "".into() }
}

/// Lets probes come back until `end` as `outcomes` say, one after the other, then as the last of them. Returns what the
/// log was told: turns, and what became stale or is not any more.
fn run_as(control: &mut Control, outcomes: &mut dyn Iterator<Item = bool>, end: Moment) -> Vec<String> {
    let mut told = Vec::new();
    let mut events = vec![(Event::Tick, control.next())];
    while let Some((event, now)) = events.pop().filter(|(_, now)| *now <= end) {
        for effect in control.handle(event, now).unwrap() {
            match effect {
                Effect::Probe { check, number, .. } => {
                    let outcome = outcome(outcomes.next().unwrap());
                    events.push((Event::Probed { id: check.id.clone(), number, outcome }, now));
                }
                Effect::Publish { turned, .. } => {
                    told.extend(turned.iter().map(|turn| format!("{now}: {} ({})", turn.healthy, turn.why)));
                }
                Effect::Stale(stale) => told.extend(stale.iter().map(|one| match one.since {
                    Some(since) => format!("{now}: {}, stale since {since}", one.healthy),
                    None => format!("{now}: {}, not stale ({})", one.healthy, one.why),
                })),
                Effect::Save(_) | Effect::Query { .. } | Effect::Report(_) => {}
            }
        }
        if events.is_empty() {
            events.push((Event::Tick, control.next()));
        }
    }
    told
}

fn stands(control: &Control) -> (bool, Option<u64>) {
    let verdict = control.verdicts().get("a").unwrap();
    let since = match verdict.reason {
        Reason::Stale { since } => Some(since.0),
        _ => None,
    };
    (verdict.healthy, since)
}

/// Probes of this server that come to nothing: no two results in a row are equal.
fn undecided() -> impl Iterator<Item = bool> {
    [false, true].into_iter().cycle()
}

#[test]
fn nobody_knowing_any_more_is_not_health() {
    for healthy in [false, true] {
        let mut control = begin(shared([check("a", endpoint(10))]), Kept::default(), Moment(0));
        control.handle(says("paris", healthy), Moment(0)).unwrap();
        run_as(&mut control, &mut undecided(), Moment(59_999));
        assert_eq!(stands(&control), (healthy, None));
        let told = run_as(&mut control, &mut undecided(), Moment(90_000));
        assert_eq!(stands(&control), (healthy, Some(60_000)));
        assert_eq!(told, [format!("61s: {healthy}, stale since 60s")]);
        let stale = "stale since 60s: no checker knows the state any more, so the last verdict stands";
        assert_eq!(control.why("a"), stale);
        // Until a checker knows better.
        control.handle(says("paris", !healthy), Moment(90_000)).unwrap();
        assert_eq!(stands(&control), (!healthy, None));
    }
}

#[test]
fn what_the_own_probes_know_counts_whatever_others_said() {
    let mut control = begin(shared([check("a", endpoint(10))]), Kept::default(), Moment(0));
    control.handle(says("paris", true), Moment(0)).unwrap();
    run_as(&mut control, &mut undecided(), Moment(70_000));
    assert_eq!(stands(&control), (true, Some(60_000)));
    let told = run_as(&mut control, &mut std::iter::repeat(false), Moment(100_000));
    assert_eq!(stands(&control), (false, None));
    assert!(told.len() == 1 && told[0].contains("false (2 in a row: Failure: "), "{told:?}");
    // Known by its own probes, it is not stale when others fall silent.
    control.handle(says("paris", true), Moment(100_000)).unwrap();
    assert_eq!(stands(&control), (true, None));
    let told = run_as(&mut control, &mut std::iter::repeat(false), Moment(200_000));
    assert_eq!(stands(&control), (false, None));
    assert!(
        told.iter().all(|line| line.contains("(1 of 2 checkers") || line.contains("in a row: Failure")),
        "{told:?}"
    );
}

#[test]
fn observations_grow_old_one_after_the_other() {
    let mut control = begin(shared([check("a", endpoint(10))]), Kept::default(), Moment(0));
    control.handle(says("paris", true), Moment(0)).unwrap();
    control.handle(says("tokyo", false), Moment(20_000)).unwrap();
    assert_eq!(stands(&control), (true, None), "one of two is more than 18 %");
    run_as(&mut control, &mut undecided(), Moment(60_000));
    assert_eq!(stands(&control), (false, None), "tokyo alone knows");
    let mut told = run_as(&mut control, &mut undecided(), Moment(82_000));
    assert_eq!(stands(&control), (false, Some(80_000)));
    control.handle(says("paris", false), Moment(85_000)).unwrap();
    told.extend(run_as(&mut control, &mut undecided(), Moment(86_000)));
    let expected = [
        "60.010s: false (as another checker says)",
        "81s: false, stale since 80s",
        "86s: false, not stale (as another checker says)",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_is_stale_outlives_the_server() {
    let checks = || shared([check("a", endpoint(10))]);
    let mut control = begin(checks(), Kept::default(), Moment(0));
    control.handle(says("paris", false), Moment(1000)).unwrap();
    // Still known when it was saved: the next life knows nothing of its own.
    let known = control.kept(Moment(50_000));
    run_as(&mut control, &mut undecided(), Moment(70_000));
    for (kept, since) in [(known, 50_000), (control.kept(Moment(70_000)), 61_000)] {
        for restart in [75_000, 7_500_000] {
            let mut again = Control::new(Settings::default(), kept.clone(), 1, Moment(restart));
            let effects = again.handle(Event::Reloaded(checks()), Moment(restart)).unwrap();
            assert_eq!(stands(&again), (false, Some(since)), "restarted at {restart}");
            let told = effects.iter().find_map(|effect| match effect {
                Effect::Stale(stale) => Some(stale[0].since),
                _ => None,
            });
            assert_eq!(told, Some(Some(Moment(since))), "the log says so after a restart");
            assert_eq!(again.verdicts().get("a").unwrap().since, Moment(1000), "it has been unhealthy since then");
            let kept = again.kept(Moment(restart)).verdicts["a"].clone();
            assert_eq!((kept.healthy, kept.stale), (false, Some(since)));
            run_as(&mut again, &mut std::iter::repeat(true), Moment(restart + 20_000));
            assert_eq!(stands(&again), (true, None));
        }
    }
}

#[test]
fn a_reload_keeps_what_is_stale_and_forgets_what_is_asked_no_more() {
    let mut control = begin(shared([check("a", endpoint(10))]), Kept::default(), Moment(0));
    control.handle(says("paris", false), Moment(0)).unwrap();
    run_as(&mut control, &mut undecided(), Moment(70_000));
    control
        .handle(Event::Reloaded(shared([check("a", endpoint(10)), check("b", endpoint(10))])), Moment(70_000))
        .unwrap();
    assert_eq!(stands(&control), (false, Some(60_000)));
    // Asked at other times, it is the same endpoint.
    control.handle(Event::Reloaded(shared([check("a", endpoint(30))])), Moment(70_000)).unwrap();
    assert_eq!(stands(&control), (false, Some(60_000)));
    let settings = Settings { heard_age: Duration::from_secs(5), ..Settings::default() };
    control.handle(Event::Settings(settings), Moment(70_000)).unwrap();
    assert_eq!(stands(&control), (false, Some(60_000)));
    // A forced state is not stale, and what it covers is when it ends.
    let force = |healthy| Event::Force { id: "a".into(), healthy, lasting: None, reason: "".into() };
    control.handle(force(Some(true)), Moment(71_000)).unwrap();
    assert_eq!(stands(&control), (true, None));
    control.handle(force(None), Moment(72_000)).unwrap();
    assert_eq!(stands(&control), (false, Some(60_000)));
    let Kind::Endpoint(mut elsewhere) = endpoint(10) else { panic!() };
    elsewhere.port = 81;
    control.handle(Event::Reloaded(shared([check("a", Kind::Endpoint(elsewhere))])), Moment(73_000)).unwrap();
    assert_eq!(stands(&control), (true, None), "of the other endpoint nothing was ever known");
}

/// route53.md 3.5: an alarm of which nothing is known is one without sufficient data.
#[test]
fn rule_3_5_an_alarm_that_nobody_told_anything_stands_as_its_status_says() {
    for (insufficient_data, expected) in [
        (InsufficientData::Healthy, true),
        (InsufficientData::Unhealthy, false),
        (InsufficientData::LastKnownStatus, true),
    ] {
        for inverted in [false, true] {
            let follows = Follows::Alarm { region: "eu-west-1".into(), name: "m".into() };
            let (id, alarm) = check("a", Kind::Metric(Metric { follows, insufficient_data }));
            let mut control = begin(shared([(id, HealthCheck { inverted, ..alarm })]), Kept::default(), Moment(0));
            assert_eq!(stands(&control), (expected != inverted, None), "{insufficient_data:?}, inverted {inverted}");
            let word = if expected { "healthy" } else { "unhealthy" };
            let inverted = if inverted { ", and the check is inverted" } else { "" };
            let why = format!("nobody has said yet how the alarm stands, which counts as {word}{inverted}");
            assert_eq!(control.why("a"), why);
            control.handle(Event::Metric { id: "a".into(), state: MetricState::Alarm }, Moment(1)).unwrap();
            assert_eq!(stands(&control).0, !inverted.is_empty());
        }
    }
}

#[test]
fn the_reason_in_the_log_is_one_for_the_verdict() {
    let failing = || {
        let mut control = begin(shared([check("a", endpoint(10))]), Kept::default(), Moment(0));
        run_as(&mut control, &mut std::iter::repeat(false), Moment(60_000));
        control
    };
    // Disabled while its endpoint fails.
    let mut control = failing();
    let (id, a) = check("a", endpoint(10));
    let disabled = shared([(id.clone(), HealthCheck { disabled: true, ..a.clone() })]);
    control.handle(Event::Reloaded(disabled), Moment(60_000)).unwrap();
    assert_eq!((control.verdicts().healthy("a"), &*control.why("a")), (true, "disabled"));
    // Inverted.
    let mut control = failing();
    control.handle(Event::Reloaded(shared([(id, HealthCheck { inverted: true, ..a })])), Moment(60_000)).unwrap();
    assert!(control.verdicts().healthy("a"));
    assert!(control.why("a").ends_with(", and the check is inverted"), "{}", control.why("a"));
    // The newest result is on its way to say otherwise.
    let mut control = failing();
    let mut once = std::iter::once(true).chain(std::iter::repeat(false));
    let last = |control: &Control| control.watched()["a"].tracker.own()[0].streak().unwrap();
    let mut until = Moment(60_000);
    while !last(&control).0 {
        until = until.after(Duration::from_secs(1));
        run_as(&mut control, &mut once, until);
    }
    assert_eq!((control.verdicts().healthy("a"), &*control.why("a")), (false, "as probes found before"));
}
