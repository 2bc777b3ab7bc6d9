//! The folders that the simulated server loads: some checks of each type, and a zone whose groups go by them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fingerpost::dice::Dice;
use fingerpost::geo::Geography;
use fingerpost::model::health_check::{Endpoint, Follows, HealthCheck, InsufficientData, Kind, Metric, Protocol};
use fingerpost::model::{Id, Shared, ZoneData};
use fingerpost::problem::{At, Problems};
use fingerpost::snapshot::{Settings, Snapshot};

use crate::server::load;

const ENDPOINTS: u32 = 8;
const CALCULATED: u32 = 3;

/// What the checks of a world are like.
#[derive(Clone, Copy)]
pub struct Pace {
    pub intervals: &'static [u32],
    /// One in so many times an endpoint turns when it is asked.
    pub flaps: u32,
}

pub fn pace(dice: &mut dyn Dice) -> Pace {
    let intervals: [&[u32]; 3] = [&[1, 10, 30], &[10, 30], &[10, 30]];
    Pace { intervals: pick(&intervals, dice), flaps: pick(&[2, 6, 30, 300], dice) }
}

pub fn pick<T: Copy>(from: &[T], dice: &mut dyn Dice) -> T {
    from[dice.roll(from.len() as u32) as usize]
}

fn check(id: String, kind: Kind, dice: &mut dyn Dice) -> (Id, HealthCheck) {
    let at = At { file: "health-checks.toml".into(), line: 1, column: 1, length: 0 };
    let (inverted, disabled) = (dice.roll(6) == 0, dice.roll(10) == 0);
    (id.as_str().into(), HealthCheck { id: id.into(), name: None, kind, inverted, disabled, at })
}

fn endpoint(pace: Pace, dice: &mut dyn Dice) -> Kind {
    Kind::Endpoint(Endpoint {
        protocol: Protocol::Tcp,
        ip_address: Some([127, 0, 0, 1].into()),
        fully_qualified_domain_name: None,
        port: 1 + dice.roll(2) as u16,
        resource_path: "/".into(),
        search_string: None,
        enable_sni: false,
        validate_certificate: None,
        measure_latency: false,
        request_interval: pick(pace.intervals, dice),
        failure_threshold: if dice.roll(8) == 0 { 10 } else { 1 + dice.roll(4) },
        regions: Vec::new(),
    })
}

/// Checks that count others: endpoints, and those that count with a smaller number.
fn calculated(number: u32, dice: &mut dyn Dice) -> Kind {
    let child = |dice: &mut dyn Dice| match dice.roll(ENDPOINTS + number) {
        endpoint if endpoint < ENDPOINTS => format!("endpoint-{endpoint}"),
        other => format!("calculated-{}", other - ENDPOINTS),
    };
    let children: BTreeSet<Id> = (0..3).map(|_| child(dice).into()).collect();
    Kind::Calculated { children: children.into_iter().collect(), threshold: dice.roll(4) }
}

pub fn checks(pace: Pace, dice: &mut dyn Dice) -> Arc<Shared> {
    let mut checks = BTreeMap::new();
    for number in 0..ENDPOINTS {
        if dice.roll(8) > 0 {
            let kind = endpoint(pace, dice);
            checks.extend([check(format!("endpoint-{number}"), kind, dice)]);
        }
    }
    for number in 0..CALCULATED {
        let kind = calculated(number, dice);
        checks.extend([check(format!("calculated-{number}"), kind, dice)]);
    }
    checks.extend([check("switch".into(), Kind::Switch { routing_control_arn: "arn".into() }, dice)]);
    let insufficient_data =
        pick(&[InsufficientData::Healthy, InsufficientData::Unhealthy, InsufficientData::LastKnownStatus], dice);
    let follows = Follows::Alarm { region: "eu-west-1".into(), name: "orders".into() };
    let metric = Metric { follows, insufficient_data };
    checks.extend([check("metric".into(), Kind::Metric(metric), dice)]);
    Arc::new(Shared { health_checks: checks, ..Shared::default() })
}

/// A few checks edited, removed or back again, the others as they were.
pub fn edited(before: &Shared, pace: Pace, dice: &mut dyn Dice) -> Arc<Shared> {
    let other = checks(pace, dice);
    let mut checks = before.health_checks.clone();
    for (id, check) in &other.health_checks {
        match dice.roll(8) {
            0 => _ = checks.insert(id.clone(), check.clone()),
            1 if id.starts_with("endpoint") => _ = checks.remove(id),
            _ => {}
        }
    }
    Arc::new(Shared { health_checks: checks, ..Shared::default() })
}

/// A zone that goes by them: pairs, a weighted group, and aliases that look at their targets, one above the other.
pub fn zone(dice: &mut dyn Dice) -> ZoneData {
    let mut text = String::from("$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n");
    let any = |dice: &mut dyn Dice| match dice.roll(ENDPOINTS + CALCULATED + 3) {
        number if number < ENDPOINTS => format!("endpoint-{number}"),
        number if number < ENDPOINTS + CALCULATED => format!("calculated-{}", number - ENDPOINTS),
        number => ["switch", "metric", "nobodys"][(number - ENDPOINTS - CALCULATED) as usize].to_string(),
    };
    for number in 0..3 {
        for (role, address) in [("PRIMARY", 1), ("SECONDARY", 2)] {
            let check = any(dice);
            text += &format!(
                "pair{number} A 192.0.2.{address} ; AWS routing=\"FAILOVER\" failover=\"{role}\" identifier=\"{role}\" healthCheckId=\"{check}\"\n"
            );
        }
    }
    for weight in 0..4 {
        let check = any(dice);
        text += &format!(
            "many A 192.0.2.{weight} ; AWS routing=\"WEIGHTED\" weight={weight} identifier=\"m{weight}\" healthCheckId=\"{check}\"\n"
        );
    }
    for (level, targets) in [["pair0", "many"], ["pair1", "above0"], ["above1", "pair2"]].iter().enumerate() {
        for (weight, target) in targets.iter().enumerate() {
            let evaluate = dice.roll(4) > 0;
            text += &format!(
                "above{level} AWS ALIAS A {target} $self {evaluate} ; AWS routing=\"WEIGHTED\" weight={weight} identifier=\"{target}\"\n"
            );
        }
    }
    load("example.com.", &text).0
}

pub fn snapshot(zone: &ZoneData, shared: &Shared) -> Snapshot {
    let mut problems = Problems::default();
    let zones = std::slice::from_ref(zone);
    let snapshot = Snapshot::of(zones, shared.clone(), Geography::empty(), Settings::default(), &mut problems);
    assert_eq!(problems.errors(), 0, "{problems:?}");
    snapshot
}
