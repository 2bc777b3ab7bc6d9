//! Any bytes as what zones share, in JSON or TOML: health checks, CIDR collections and VPCs. Nothing panics, every
//! problem has its place, Route 53's quotas hold where there is no error, and the control plane takes the checks.

use std::time::Duration;

use fingerpost::control::{Control, Effect, Event, Kept, Settings};
use fingerpost::model::health_check::{Endpoint, HealthCheck, Kind};
use fingerpost::model::{Limits, Shared, validate};
use fingerpost::moment::Moment;
use fingerpost::problem::Problems;
use fingerpost::route53::{cidr_collections, health_checks, vpcs};

use super::seeds;

fn read(bytes: &[u8], limits: Limits) -> (Shared, Problems) {
    let mut problems = Problems::default();
    let file = || "fuzz".into();
    let shared = if bytes.trim_ascii_start().starts_with(b"{") {
        Shared {
            health_checks: health_checks::read_json(file(), bytes, limits, &mut problems),
            collections: cidr_collections::read_json(file(), bytes, limits, &mut problems),
            ..Shared::default()
        }
    } else {
        Shared {
            health_checks: health_checks::read_toml(file(), bytes, limits, &mut problems),
            collections: cidr_collections::read_toml(file(), bytes, limits, &mut problems),
            vpcs: vpcs::read_toml(file(), bytes, &mut problems),
        }
    };
    validate::health_checks(&shared.health_checks, limits, &mut problems);
    (shared, problems)
}

/// Route 53's quotas, which need not be looked for where an error was said.
fn within_quotas(check: &HealthCheck) {
    match &check.kind {
        Kind::Endpoint(Endpoint {
            request_interval, failure_threshold, port, resource_path, search_string, ..
        }) => {
            assert!([10, 30].contains(request_interval), "{check:?}");
            assert!((1..=10).contains(failure_threshold) && *port > 0, "{check:?}");
            assert!(resource_path.starts_with('/') && resource_path.len() <= 256, "{check:?}");
            assert!(search_string.as_ref().is_none_or(|text| (1..=255).contains(&text.len())), "{check:?}");
        }
        Kind::Calculated { children, threshold } => {
            assert!(children.len() <= 256 && *threshold <= 256, "{check:?}");
        }
        Kind::Metric(_) | Kind::Switch { .. } => {}
    }
}

/// The checks live for a while, and whoever is asked refuses.
fn live(shared: Shared) {
    let mut now = Moment(1_000_000_000);
    let mut control = Control::new(Settings::default(), Kept::default(), 1, now);
    let mut event = Event::Reloaded(shared.into());
    for _ in 0..20 {
        for effect in control.handle(event, now).unwrap_or_default() {
            if let Effect::Publish { turned, .. } = effect {
                assert!(turned.iter().all(|turn| control.verdicts().get(&turn.id).is_some()));
            }
        }
        assert!(control.next() > now);
        now = control.next().max(now.after(Duration::from_secs(1)));
        event = Event::Tick;
    }
}

pub fn run(bytes: &[u8]) {
    for limits in [Limits::None, Limits::Route53] {
        let (shared, problems) = read(bytes, limits);
        seeds::all_inside(&problems, bytes);
        if problems.errors() > 0 {
            continue;
        }
        if limits == Limits::Route53 {
            shared.health_checks.values().for_each(within_quotas);
        }
        live(shared);
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut files = seeds::files("zones", "toml");
    files.extend(SEEDS.iter().map(|text| text.as_bytes().to_vec()));
    let wanted =
        |(name, _): &(String, String)| !name.ends_with(".zone") && (name.contains("json") || name.contains("toml"));
    files.extend(seeds::scenario_files().into_iter().filter(wanted).map(|(_, text)| text.into_bytes()));
    files
}

const SEEDS: &[&str] = &[
    r#"{"HealthChecks": [{"Id": "h", "CallerReference": "c", "HealthCheckVersion": 1, "HealthCheckConfig": {"Type": "HTTP_STR_MATCH",
"IPAddress": "192.0.2.1", "Port": 80, "FullyQualifiedDomainName": "a.example", "ResourcePath": "/x", "SearchString": "x",
"Regions": ["us-east-1", "eu-west-1", "sa-east-1"], "RequestInterval": 10, "FailureThreshold": 3, "MeasureLatency": true,
"Inverted": false, "Disabled": false, "EnableSNI": true}}, {"Id": "k", "HealthCheckConfig": {"Type": "CALCULATED",
"ChildHealthChecks": ["h"], "HealthThreshold": 1}}, {"Id": "m", "HealthCheckConfig": {"Type": "CLOUDWATCH_METRIC",
"AlarmIdentifier": {"Region": "us-east-1", "Name": "a"}, "InsufficientDataHealthStatus": "LastKnownStatus"}}]}"#,
    r#"{"isps": {"CidrBlocks": [{"CidrBlock": "203.0.113.0/24", "LocationName": "kt"}, {"CidrBlock": "2001:db8::/48", "LocationName": "kt"}]}}"#,
    "[health_check.a]\ntype = 'CALCULATED'\nchild_health_checks = ['b', 'c']\nhealth_threshold = 1\n[health_check.b]\ntype = 'TCP'\nport = 0x50\nip_address = '::1'\n[health_check.c]\ntype = 'RECOVERY_CONTROL'\nrouting_control_arn = 'arn'\n",
    "[health_check.q]\ntype = 'CLOUDWATCH_METRIC'\nprometheus_url = 'http://127.0.0.1:9090'\nquery = 'up'\nthreshold = 5\ncomparison_operator = 'GreaterThanThreshold'\nperiod = 10\nevaluation_periods = 3\ntreat_missing_data = 'breaching'\n",
    "[vpc.v]\nregion = 'eu-west-1'\nnetworks = ['10.0.0.0/8', 'fd00::/8']\n[cidr_collection.isps]\nkt = ['10.0.0.0/24']\n",
];
