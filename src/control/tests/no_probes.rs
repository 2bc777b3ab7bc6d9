//! A server that asks nothing: `probes = false`.

use super::*;
use crate::health::verdicts::Verdict;
use crate::model::health_check::{Comparison, MetricQuery, MissingData};

fn silent() -> Settings {
    Settings { probes: false, ..Settings::default() }
}

fn query(insufficient_data: InsufficientData) -> Kind {
    let query = MetricQuery {
        url: "http://127.0.0.1:9090".into(),
        query: "errors".into(),
        comparison: Comparison::Greater,
        threshold: 5.0,
        period: 60,
        evaluation_periods: 1,
        missing: MissingData::Missing,
    };
    Kind::Metric(Metric { follows: Follows::Query(query), insufficient_data })
}

fn checks() -> Arc<Shared> {
    let (id, inverted) = check("inverted", endpoint(10));
    shared([
        check("a", endpoint(10)),
        check("b", endpoint(10)),
        (id, HealthCheck { inverted: true, ..inverted }),
        check("healthy", query(InsufficientData::Healthy)),
        check("unhealthy", query(InsufficientData::Unhealthy)),
    ])
}

/// How often the server asks until `end`. Probes fail, and queries give an alarm.
fn asked(control: &mut Control, end: Moment) -> usize {
    let mut asked = 0;
    while control.next() <= end {
        let now = control.next();
        for effect in control.handle(Event::Tick, now).unwrap() {
            let event = match effect {
                Effect::Probe { check, number, .. } => {
                    Event::Probed { id: check.id.clone(), number, outcome: outcome(false) }
                }
                Effect::Query { check, number } => {
                    let reading = Reading::Value(9.0);
                    Event::Measured { id: check.id.clone(), number, reading, took: 900 }
                }
                _ => continue,
            };
            asked += 1;
            control.handle(event, now).unwrap();
        }
    }
    asked
}

fn unhealthy(control: &Control) -> Vec<&str> {
    control.verdicts().iter().filter(|(_, verdict)| !verdict.healthy).map(|(id, _)| &**id).collect()
}

fn stale(control: &Control) -> Vec<&str> {
    let stale = |(_, verdict): &(&Id, &_)| matches!(verdict, Verdict { reason: Reason::Stale { .. }, .. });
    control.verdicts().iter().filter(stale).map(|(id, _)| &**id).collect()
}

#[test]
fn without_probes_nothing_is_asked_and_others_are_heard() {
    let mut control = Control::new(silent(), Kept::default(), 1, Moment(0));
    control.handle(Event::Reloaded(checks()), Moment(0)).unwrap();
    assert_eq!(asked(&mut control, Moment(600_000)), 0);
    assert_eq!(unhealthy(&control), ["inverted", "unhealthy"], "all stand as their initial state");
    assert_eq!(control.rests_on(&control.watched()["a"].check, &Reason::Initial), "this server does not probe");
    assert!(control.watched().values().all(|watched| watched.soonest() == Next::Never));
    let force = Event::Force { id: "b".into(), healthy: Some(false), lasting: None, reason: "".into() };
    control.handle(force, Moment(600_000)).unwrap();
    let said = Event::Observed { id: "a".into(), checker: "paris".into(), healthy: false, reason: "".into() };
    control.handle(said, Moment(600_000)).unwrap();
    assert_eq!(unhealthy(&control), ["a", "b", "inverted", "unhealthy"]);
    // A reload of more checks asks none either.
    control
        .handle(Event::Reloaded(shared([check("a", endpoint(10)), check("c", endpoint(1))])), Moment(600_001))
        .unwrap();
    assert_eq!(asked(&mut control, Moment(700_000)), 0);
    assert_eq!((unhealthy(&control), stale(&control)), (vec!["a"], vec!["a"]));
}

#[test]
fn probes_end_and_begin_with_the_setting() {
    let mut control = begin(checks(), Kept::default(), Moment(0));
    assert!(asked(&mut control, Moment(60_000)) > 15);
    assert_eq!(unhealthy(&control), ["a", "b", "healthy", "unhealthy"]);
    control.handle(Event::Settings(silent()), Moment(60_000)).unwrap();
    assert_eq!((asked(&mut control, Moment(600_000)), control.under_way()), (0, 0));
    assert_eq!(unhealthy(&control), ["a", "b", "healthy", "unhealthy"], "the last verdicts stand");
    assert_eq!(stale(&control), ["a", "b", "healthy", "inverted", "unhealthy"]);
    control.handle(Event::Settings(Settings::default()), Moment(600_000)).unwrap();
    assert!(asked(&mut control, Moment(660_000)) > 15);
    assert_eq!(stale(&control), [""; 0]);
}

#[test]
fn a_probe_under_way_when_probes_end_changes_nothing() {
    let mut control = begin(shared([check("a", endpoint(10))]), Kept::default(), Moment(0));
    let effects = control.handle(Event::Tick, Moment(5000)).unwrap();
    let number = effects.iter().find_map(|effect| match effect {
        Effect::Probe { number, .. } => Some(*number),
        _ => None,
    });
    control.handle(Event::Settings(silent()), Moment(5001)).unwrap();
    let late = Event::Probed { id: "a".into(), number: number.unwrap(), outcome: outcome(false) };
    control.handle(late, Moment(5002)).unwrap();
    assert_eq!((control.counts().probes_unhealthy, control.under_way()), (0, 0));
}

#[test]
fn a_start_without_probes_takes_up_only_what_others_said() {
    let mut control = begin(shared([check("a", endpoint(10)), check("b", endpoint(10))]), Kept::default(), Moment(0));
    asked(&mut control, Moment(30_000));
    let said = Event::Observed { id: "b".into(), checker: "paris".into(), healthy: false, reason: "".into() };
    control.handle(said, Moment(30_000)).unwrap();
    assert_eq!(unhealthy(&control), ["a", "b"]);
    let mut again = Control::new(silent(), control.kept(Moment(31_000)), 1, Moment(32_000));
    again
        .handle(Event::Reloaded(shared([check("a", endpoint(10)), check("b", endpoint(10))])), Moment(32_000))
        .unwrap();
    assert_eq!((unhealthy(&again), stale(&again)), (vec!["b"], vec!["b"]), "a stands as its initial state");
}
