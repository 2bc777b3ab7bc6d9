//! Metrics that follow a Prometheus query.

use super::*;
use crate::health::alarm::NoReading;
use crate::model::health_check::{Comparison, MetricQuery, MissingData};

fn metric(insufficient_data: InsufficientData, missing: MissingData, evaluation_periods: u32) -> Kind {
    let query = MetricQuery {
        url: "http://127.0.0.1:9090".into(),
        query: "errors".into(),
        comparison: Comparison::Greater,
        threshold: 5.0,
        period: 60,
        evaluation_periods,
        missing,
    };
    Kind::Metric(Metric { follows: Follows::Query(query), insufficient_data })
}

/// Lets the next question be answered so, and returns when it was asked and whether the check is healthy then.
fn answer(control: &mut Control, value: Option<f64>) -> (Moment, bool) {
    loop {
        let now = control.next();
        for effect in control.handle(Event::Tick, now).unwrap() {
            let Effect::Query { check, number } = effect else { continue };
            let reading = value.map_or(Reading::Missing(NoReading::NoSeries), Reading::Value);
            control.handle(Event::Measured { id: check.id.clone(), number, reading, took: 900 }, now).unwrap();
            return (now, control.verdicts().healthy("m"));
        }
    }
}

#[test]
fn rule_3_5_a_query_is_asked_each_period_and_its_alarm_followed() {
    let kind = metric(InsufficientData::LastKnownStatus, MissingData::Missing, 2);
    let mut control = begin(shared([check("m", kind)]), Kept::default(), Moment(0));
    let mut asked = Vec::new();
    // Values as they come, and what the check is after each.
    for (value, healthy) in [
        (Some(9.0), true),
        (Some(9.0), false),
        (None, false),
        (None, false),
        (Some(5.0), true),
        (None, true),
        (None, true),
        (Some(6.0), false),
    ] {
        let (at, is) = answer(&mut control, value);
        assert_eq!(is, healthy, "{value:?} at {at}");
        asked.push(at);
    }
    assert!(asked[0] < Moment(5000), "early: {asked:?}");
    assert!(asked[2..].windows(2).all(|pair| pair[1].since(pair[0]) == Duration::from_secs(60)), "{asked:?}");
    assert_eq!(control.why("m"), "ALARM: the value is 6");
    assert_eq!((control.counts().readings, control.counts().readings_missing), (4, 4));
}

#[test]
fn rule_3_5_insufficient_data_counts_as_the_check_says() {
    for (insufficient_data, first, after_alarm) in [
        (InsufficientData::Healthy, true, true),
        (InsufficientData::Unhealthy, false, false),
        (InsufficientData::LastKnownStatus, true, false),
    ] {
        let kind = metric(insufficient_data, MissingData::Missing, 1);
        let mut control = begin(shared([check("m", kind.clone())]), Kept::default(), Moment(0));
        assert_eq!(answer(&mut control, None).1, first, "{insufficient_data:?}");
        assert!(!answer(&mut control, Some(6.0)).1);
        let (now, healthy) = answer(&mut control, None);
        assert_eq!(healthy, after_alarm, "{insufficient_data:?}");
        // What was known last outlives the server.
        let again = begin(shared([check("m", kind)]), control.kept(now), now);
        assert_eq!(again.verdicts().healthy("m"), after_alarm, "{insufficient_data:?} after a restart");
    }
}

#[test]
fn another_query_starts_anew_and_nobody_else_says_how_the_alarm_stands() {
    let kind = |periods| metric(InsufficientData::LastKnownStatus, MissingData::Missing, periods);
    let mut control = begin(shared([check("m", kind(1))]), Kept::default(), Moment(0));
    assert!(!answer(&mut control, Some(6.0)).1);
    control.handle(Event::Reloaded(shared([check("m", kind(1))])), Moment(9_000)).unwrap();
    assert!(!control.verdicts().healthy("m"), "the same query");
    control.handle(Event::Reloaded(shared([check("m", kind(2))])), Moment(9_000)).unwrap();
    assert!(control.verdicts().healthy("m"), "another");
    let refused =
        control.handle(Event::Metric { id: "m".into(), state: MetricState::Alarm }, Moment(9_000)).unwrap_err();
    assert_eq!(refused.to_string(), "health check \"m\" follows a Prometheus query; force it, or take the query away");
    let mut disabled = check("m", kind(2));
    disabled.1.disabled = true;
    control.handle(Event::Reloaded(shared([disabled])), Moment(9_000)).unwrap();
    assert_eq!(control.watched()["m"].soonest(), Next::Never);
}
