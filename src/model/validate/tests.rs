//! Zones of a few words a line, each with the one problem it must have.

use super::*;
use crate::model::health_check::{Endpoint, HealthCheck, Kind, Protocol};
use crate::model::record_set::AliasTarget;
use crate::model::zone::Record;
use crate::model::{CidrCollection, Id};

fn at(line: u32) -> At {
    At { file: "z".into(), line, column: 1, length: 0 }
}

fn name(text: &str) -> Name {
    Name::parse(text, Some(&Name::parse("example.", None).unwrap())).unwrap()
}

fn routing(text: &str) -> Routing {
    let (word, argument) = text.split_once('=').unwrap_or((text, ""));
    match word {
        "w" => Routing::Weighted { weight: argument.parse().unwrap() },
        "f" => Routing::Failover(super::super::fields::role(argument).unwrap()),
        "l" => Routing::Latency { region: argument.into() },
        "g" => Routing::Geolocation(match argument.split_once('-') {
            Some((country, state)) => super::super::fields::location(None, Some(country), Some(state)).unwrap(),
            None => super::super::fields::location(None, Some(argument), None).unwrap(),
        }),
        "p" => Routing::Geoproximity { point: Point::Region(argument.into()), bias: 0 },
        "c" => {
            let (collection, location) = argument.split_once('/').unwrap();
            Routing::IpBased { collection: collection.into(), location: super::super::fields::cidr_location(location) }
        }
        "m" => Routing::Multivalue,
        _ => Routing::Simple,
    }
}

/// `www A w=1 id=a check=hc ttl=60 to=target eth`, a line each; `plain` makes a plain record.
fn zone(text: &str) -> ZoneData {
    let mut zone = ZoneData::new(name("@"), "z".into());
    for (line, text) in (1..).zip(text.lines()) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [owner, rtype, policy, more @ ..] = words.as_slice() else { panic!("{text}") };
        let (owner, rtype) = (name(owner), Type::parse(rtype).unwrap());
        let said = |key: &str| more.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let ttl = said("ttl").map_or(60, |ttl| ttl.parse().unwrap());
        if *policy == "plain" {
            let record = Record { owner: owner.wire(), rtype, ttl, rdata: &[192, 0, 2, 1], file: 0, line };
            zone.records.push(record).unwrap();
            continue;
        }
        let body = match said("to") {
            Some(target) => Body::Alias(AliasTarget {
                name: name(target),
                zone_id: "$self".into(),
                evaluate_target_health: more.contains(&"eth"),
            }),
            None => Body::Values { ttl, rdata: vec![Box::new([192, 0, 2, 1])] },
        };
        let routing = routing(policy);
        let identifier = match routing {
            Routing::Simple => None,
            _ => Some(said("id").map_or_else(|| format!("line {line}").into(), Id::from))
                .filter(|id: &Id| &**id != "none"),
        };
        let health_check = said("check").map(Id::from);
        zone.record_sets.push(RecordSet { name: owner, rtype, identifier, routing, health_check, body, at: at(line) });
    }
    zone
}

fn endpoint(interval: u32) -> Kind {
    Kind::Endpoint(Endpoint {
        protocol: Protocol::Http,
        ip_address: None,
        fully_qualified_domain_name: Some("www".into()),
        port: 80,
        resource_path: "/".into(),
        search_string: None,
        enable_sni: false,
        validate_certificate: None,
        measure_latency: false,
        request_interval: interval,
        failure_threshold: 3,
        regions: Vec::new(),
    })
}

fn check(id: &str, kind: Kind) -> (Id, HealthCheck) {
    (id.into(), HealthCheck { id: id.into(), name: None, kind, inverted: false, disabled: false, at: at(1) })
}

fn calculated(children: &[&str]) -> Kind {
    Kind::Calculated { children: children.iter().map(|&child| child.into()).collect(), threshold: 1 }
}

fn shared() -> Shared {
    let mut shared = Shared::default();
    shared.health_checks.extend([
        check("hc", endpoint(30)),
        check("quick", endpoint(10)),
        check("any", calculated(&["quick", "hc"])),
    ]);
    let locations = BTreeMap::from([("kt".into(), vec!["10.0.0.0/8".parse().unwrap()])]);
    shared.collections.insert("isps".into(), CidrCollection { name: "isps".into(), locations, at: at(1) });
    shared
}

fn problems(zone: &mut ZoneData, limits: Limits) -> Vec<String> {
    let mut problems = Problems::default();
    record_sets(zone, &shared(), limits, &mut problems);
    problems.sort();
    problems.iter().map(|problem| problem.to_string()).collect()
}

/// Each text has exactly one problem, in this line, which says this; or none.
fn expect(table: &[(&str, u32, &str)]) {
    for (text, line, said) in table {
        let found = problems(&mut zone(text), Limits::Route53);
        match line {
            0 => assert_eq!(found, [""; 0], "{text}"),
            _ => {
                assert_eq!(found.len(), 1, "{text}: {found:#?}");
                assert!(
                    found[0].starts_with(&format!("z:{line}:1: ")) && found[0].contains(said),
                    "{text}: {found:#?}"
                );
            }
        }
    }
}

#[test]
fn groups_that_are_right_have_no_problem() {
    expect(&[
        ("www A w=1 id=a\nwww A w=2 id=b\nwww AAAA w=1 id=a\nb A w=1 id=a", 0, ""),
        ("www A w=1 id=a ttl=1\nwww A w=2 id=b to=b eth\nb A plain ttl=9", 0, ""),
        ("www A f=PRIMARY check=hc\nwww A f=SECONDARY", 0, ""),
        ("www A f=PRIMARY to=b eth\nwww A f=SECONDARY to=c\nb A s check=hc\nc A plain", 0, ""),
        ("www A l=eu-west-1\nwww A l=us-east-1", 0, ""),
        ("www A g=*\nwww A g=US\nwww A g=US-CA", 0, ""),
        ("www A p=eu-west-1\nwww A p=us-east-1", 0, ""),
        ("www A c=isps/kt\nwww A c=isps/*", 0, ""),
        ("www A m\nwww A m", 0, ""),
        ("www A s check=hc\n@ A s to=www\nx A s to=elsewhere.test.", 0, ""),
        ("x A s to=a.sub\nsub NS plain", 0, ""),
    ]);
}

#[test]
fn rule_1_1_what_a_record_set_may_be() {
    expect(&[
        ("sub NS w=1", 1, "always simple"),
        ("www CNAME m", 1, "one CNAME"),
        ("www A m to=b\nb A plain", 1, "an alias cannot"),
        ("www NS s to=elsewhere.test.", 1, "no aliases of type NS"),
        ("@ CNAME s to=www\nwww CNAME plain", 1, "top of the zone"),
        ("www A w=1 id=none", 1, "no identifier"),
        (&format!("www A w=1 id={}", "x".repeat(129)), 1, "128"),
        ("www A g=*\nwww A g=XX", 2, "no country XX"),
        ("www A g=*\nwww A g=DE-BY", 2, "no subdivisions of DE"),
        ("www A g=*\nwww A g=US-PR", 2, "no state PR"),
        ("www A l=eu-west-9", 1, "did you mean \"eu-west-1\"?"),
        ("www A s check=hd", 1, "did you mean \"hc\"?"),
        ("www A c=isp/*", 1, "did you mean \"isps\"?"),
        ("www A c=isps/*\nwww A c=isps/skt", 2, "did you mean \"kt\"?"),
    ]);
}

#[test]
fn rule_1_2_what_a_group_may_hold() {
    expect(&[
        ("www A w=1\nwww A l=eu-west-1", 2, "has latency routing here and weighted in z:1"),
        ("www A w=1\nwww A plain", 1, "plainly in z:2"),
        ("www A s check=hc\nWWW A plain", 1, "a health check here and plainly in z:2"),
        ("www A s to=b\nwww A s to=b\nb A plain", 2, "said twice"),
        ("www A w=1 id=a\nwww A w=2 id=a", 2, "identifier \"a\" twice"),
        ("www A w=1 ttl=5\nwww A w=2 ttl=6", 2, "TTL 6 here and 5"),
        ("www A f=PRIMARY check=hc\nwww A f=SECONDARY\nwww A f=PRIMARY check=hc", 3, "a primary twice"),
        ("www A l=eu-west-1\nwww A l=eu-west-1", 2, "region \"eu-west-1\" twice"),
        ("www A g=*\nwww A g=US-CA\nwww A g=us-ca", 3, "subdivision US-CA twice"),
        ("www A p=eu-west-1\nwww A p=eu-west-1", 2, "region \"eu-west-1\" twice"),
        ("www A c=isps/*\nwww A c=isps/kt\nwww A c=isps/kt", 3, "location \"kt\" twice"),
    ]);
    let many = |policy: &str, count: usize| (0..count).map(|_| format!("www A {policy}\n")).collect::<String>();
    for (policy, most) in [("w=1", 100), ("m", 100)] {
        assert_eq!(problems(&mut zone(&many(policy, most)), Limits::Route53), [""; 0]);
        assert_eq!(problems(&mut zone(&many(policy, most + 1)), Limits::Route53).len(), 1);
        assert_eq!(problems(&mut zone(&many(policy, most + 1)), Limits::None), [""; 0]);
    }
    let mut private = zone("www A c=isps/*");
    private.visibility = Visibility::Private(vec!["vpc-1".into()]);
    assert!(problems(&mut private, Limits::Route53)[0].contains("private zone"));
}

#[test]
fn rule_4_where_aliases_lead() {
    expect(&[
        ("www A s to=b", 1, "add b.example. A"),
        ("www A s to=b\nb AAAA plain\nb TXT plain", 1, "has TXT, AAAA only"),
        ("www A s to=b\nb CNAME plain", 1, "has CNAME only"),
        ("www A s to=www", 1, "circle: www.example. A -> www.example. A"),
        ("a A s to=b\nb A w=1 to=c\nc A s to=B", 3, "circle: b.example. A -> c.example. A -> b.example. A"),
    ]);
    let chain = |aliases: usize| {
        let lines = (0..aliases).map(|at| format!("n{at} A s to=n{}\n", at + 1)).collect::<String>();
        lines + &format!("n{aliases} A plain")
    };
    expect(&[(&chain(8), 0, ""), (&chain(9), 1, "n0.example. A -> n1.example. A"), (&chain(12), 4, "too deep")]);
    let found = problems(&mut zone(&chain(50_000)), Limits::Route53);
    assert_eq!(found.len(), 1);
}

#[test]
fn what_is_regretted() {
    expect(&[
        ("www A g=US", 1, "no default location"),
        ("www A c=isps/kt", 1, "no default location"),
        ("www A w=0\nwww A w=0", 1, "all weights"),
        ("www A f=PRIMARY\nwww A f=SECONDARY", 1, "the secondary never answers"),
        ("www A f=PRIMARY to=b\nwww A f=SECONDARY\nb A s check=hc", 1, "ignores its target's health"),
        ("www A f=PRIMARY check=hc", 1, "no secondary"),
        ("www A f=SECONDARY", 1, "no primary"),
        ("www A w=1 check=hc ttl=90\nwww A w=1 ttl=90", 0, ""),
        ("www A w=1 check=hc ttl=91\nwww A w=1 ttl=91", 1, "within 90 s"),
        ("www A w=1 check=quick ttl=31\nwww A w=1 ttl=31", 1, "within 30 s"),
        ("www A w=1 check=any ttl=91\nwww A w=1 ttl=91", 1, "within 90 s"),
        ("www A w=1 to=b\nwww A w=1\nb A s check=hc", 1, "ignores the health of b.example."),
        ("www A w=1 to=b\nwww A w=1\nb A plain", 0, ""),
    ]);
}

#[test]
fn rule_3_4_checks_that_count_checks() {
    for (checks, limits, said) in [
        (vec![check("a", endpoint(30)), check("x", calculated(&["a"]))], Limits::Route53, vec![]),
        (vec![check("x", calculated(&["a"]))], Limits::Route53, vec!["warning: \"x\" counts health check \"a\""]),
        (vec![check("x", calculated(&["y"])), check("y", calculated(&[]))], Limits::Route53, vec!["calculated too"]),
        (vec![check("x", calculated(&["y"])), check("y", calculated(&[]))], Limits::None, vec![]),
        (vec![check("x", calculated(&["x"]))], Limits::Route53, vec!["circle: x -> x"]),
        (
            vec![check("x", calculated(&["y"])), check("y", calculated(&["z"])), check("z", calculated(&["y"]))],
            Limits::None,
            vec!["circle: y -> z -> y"],
        ),
    ] {
        let mut problems = Problems::default();
        health_checks(&checks.into_iter().collect(), limits, &mut problems);
        let found: Vec<String> = problems.iter().map(|problem| problem.to_string()).collect();
        assert_eq!(found.len(), said.len(), "{found:?}");
        assert!(found.iter().zip(&said).all(|(found, said)| found.contains(said)), "{found:?}");
    }
}
