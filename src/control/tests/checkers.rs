//! Several checkers of one server.

use super::*;

fn checker(name: &str, last: u8) -> Arc<Checker> {
    Arc::new(Checker { name: name.into(), ipv4: Some([127, 0, 0, last].into()), ipv6: None })
}

fn settings<const N: usize>(rule: Rule, checkers: [Arc<Checker>; N]) -> Settings {
    Settings { rule, checkers: checkers.into(), ..Settings::default() }
}

/// Lets every probe until `end` come back, healthy for those checkers that are `well`. Returns who asked how often.
fn run(control: &mut Control, well: &[&str], end: Moment) -> BTreeMap<Id, usize> {
    let mut asked = BTreeMap::new();
    while control.next() <= end {
        let now = control.next();
        for effect in control.handle(Event::Tick, now).unwrap() {
            let Effect::Probe { check, checker, number, .. } = effect else { continue };
            *asked.entry(checker.name.clone()).or_default() += 1;
            let outcome = outcome(well.contains(&&*checker.name));
            control.handle(Event::Probed { id: check.id.clone(), number, outcome }, now).unwrap();
        }
    }
    asked
}

fn begin(settings: Settings, kept: Kept, now: Moment) -> Control {
    let mut control = Control::new(settings, kept, 1, now);
    control.handle(Event::Reloaded(shared([check("a", endpoint(10))])), now).unwrap();
    control
}

#[test]
fn rule_3_3_13_each_checker_asks_on_its_own_beat_and_the_rule_decides() {
    for (rule, well, healthy) in [
        (Rule::Route53, &["paris"][..], true),
        (Rule::Majority, &["paris"], false),
        (Rule::Majority, &["paris", "tokyo"], true),
        (Rule::All, &["paris", "tokyo"], false),
        (Rule::All, &["paris", "tokyo", "lima"], true),
        (Rule::Route53, &[], false),
    ] {
        let checkers = [checker("paris", 1), checker("tokyo", 2), checker("lima", 3)];
        let mut control = begin(settings(rule, checkers), Kept::default(), Moment(0));
        let asked = run(&mut control, well, Moment(60_000));
        assert_eq!(asked.len(), 3);
        assert!(asked.values().all(|asked| (5..=7).contains(asked)), "{asked:?}");
        assert_eq!(control.verdicts().healthy("a"), healthy, "{rule:?} {well:?}");
        let votes = control.watched()["a"].tracker.votes();
        assert_eq!(votes, (well.len(), 3));
        let why = control.why("a");
        assert!(why.starts_with(&format!("{} of 3 checkers say healthy; ", well.len())), "{why}");
        assert_eq!(why.contains("Success"), healthy, "{why}");
    }
}

#[test]
fn a_checker_that_stays_keeps_what_it_saw_when_others_come_and_go() {
    let mut control =
        begin(settings(Rule::All, [checker("paris", 1), checker("tokyo", 2)]), Kept::default(), Moment(0));
    run(&mut control, &["paris"], Moment(60_000));
    assert!(!control.verdicts().healthy("a"));
    let history = control.watched()["a"].tracker.own()[0].history().count();

    // Tokyo goes, lima comes: what paris saw is what there is.
    let effects = control
        .handle(Event::Settings(settings(Rule::All, [checker("lima", 3), checker("paris", 1)])), Moment(60_000))
        .unwrap();
    let Some(Effect::Publish { turned, .. }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(turned.iter().map(|turn| (&*turn.id, turn.healthy)).collect::<Vec<_>>(), [("a", true)]);
    let own = control.watched()["a"].tracker.own();
    assert_eq!((own[0].history().count(), own[1].history().count()), (0, history));
    let asked = run(&mut control, &["paris"], Moment(120_000));
    assert_eq!(asked.keys().map(|name| &**name).collect::<Vec<_>>(), ["lima", "paris"]);
    assert!(asked.values().all(|asked| (5..=8).contains(asked)), "{asked:?}");
    assert!(!control.verdicts().healthy("a"), "lima has judged");

    // One that asks from elsewhere is another.
    control.handle(Event::Settings(settings(Rule::All, [checker("paris", 9)])), Moment(120_000)).unwrap();
    assert_eq!(control.watched()["a"].tracker.own()[0].history().count(), 0);
    assert_eq!(control.under_way(), 0);
}

#[test]
fn a_probe_of_a_checker_that_is_gone_is_not_missed() {
    let two = settings(Rule::All, [checker("paris", 1), checker("tokyo", 2)]);
    let mut control = begin(two, Kept::default(), Moment(0));
    let mut numbers = Vec::new();
    while numbers.len() < 2 {
        for effect in control.handle(Event::Tick, control.next()).unwrap() {
            if let Effect::Probe { checker, number, .. } = effect {
                numbers.push((checker.name.clone(), number));
            }
        }
    }
    assert_eq!(control.under_way(), 2);
    let now = Moment(11_000);
    control.handle(Event::Settings(settings(Rule::All, [checker("tokyo", 2)])), now).unwrap();
    assert_eq!(control.under_way(), 1);
    for (_, number) in numbers {
        control.handle(Event::Probed { id: "a".into(), number, outcome: outcome(true) }, now).unwrap();
    }
    assert_eq!((control.under_way(), control.counts().probes_healthy), (0, 1));
}

#[test]
fn what_each_checker_came_to_returns_after_a_restart() {
    let two = || settings(Rule::Majority, [checker("paris", 1), checker("tokyo", 2)]);
    let mut control = begin(two(), Kept::default(), Moment(0));
    run(&mut control, &["paris"], Moment(60_000));
    let kept = control.kept(Moment(60_000));
    let control = begin(two(), kept.clone(), Moment(61_000));
    assert!(!control.verdicts().healthy("a"));
    let own: Vec<_> = control.watched()["a"].tracker.own().iter().map(Own::came_to).collect();
    assert_eq!(own, [Some(true), Some(false)]);
}

#[test]
fn an_observation_counts_for_as_long_as_the_setting_says() {
    let mut control =
        begin(Settings { heard_age: Duration::from_secs(5), ..Settings::default() }, Kept::default(), Moment(0));
    run(&mut control, &[], Moment(60_000));
    let said =
        |checker: &str| Event::Observed { id: "a".into(), checker: checker.into(), healthy: true, reason: "".into() };
    control.handle(said("paris"), Moment(60_000)).unwrap();
    assert!(control.verdicts().healthy("a"));
    assert_eq!(control.why("a"), "1 of 2 checkers say healthy");
    run(&mut control, &[], Moment(64_999));
    assert!(control.verdicts().healthy("a"));
    run(&mut control, &[], Moment(65_000));
    assert!(!control.verdicts().healthy("a"));
    let refused = control.handle(said("local"), Moment(65_000)).unwrap_err();
    assert_eq!(refused.to_string(), "\"local\" is a checker of this server; the other needs another name");
}
