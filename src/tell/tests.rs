//! Odds and explanations of small worlds, exactly.

use super::*;
use crate::geo::Geography;
use crate::model::{Limits, Shared, ZoneData};
use crate::problem::Problems;
use crate::route53::health_checks;
use crate::snapshot::Settings;
use crate::zonefile::{self, Includes};

struct NoIncludes;

impl Includes for NoIncludes {
    fn read(&self, _: &str, _: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        Err("there is nothing to include".to_string())
    }
}

const APEX: &str = "@ 3600 IN SOA ns. host. 1 2 3 4 300\n@ 3600 IN NS ns.\n";

pub(super) fn zone(origin: &str, lines: &str) -> ZoneData {
    let mut problems = Problems::default();
    let origin = Name::parse_absolute(origin).unwrap();
    let zone = zonefile::parse(&origin, "z".into(), format!("{APEX}{lines}").as_bytes(), &NoIncludes, &mut problems);
    assert_eq!(problems.errors(), 0, "{:?}", problems.iter().map(ToString::to_string).collect::<Vec<_>>());
    zone
}

/// Checks `a` and `b`, and `both`, which counts them.
pub(super) fn snapshot(zones: &[ZoneData]) -> Snapshot {
    let mut problems = Problems::default();
    let endpoint = "type = \"TCP\"\nip_address = \"192.0.2.1\"\nport = 80\n";
    let checks = format!(
        "[health_check.a]\n{endpoint}[health_check.b]\n{endpoint}\
         [health_check.both]\ntype = \"CALCULATED\"\nchild_health_checks = [\"a\", \"b\"]\nhealth_threshold = 2\n"
    );
    let health_checks = health_checks::read_toml("h".into(), checks.as_bytes(), Limits::Route53, &mut problems);
    let shared = Shared { health_checks, ..Shared::default() };
    let snapshot = Snapshot::of(zones, shared, Geography::empty(), Settings::default(), &mut problems);
    assert_eq!(problems.errors(), 0, "{:?}", problems.iter().map(ToString::to_string).collect::<Vec<_>>());
    snapshot
}

pub(super) fn request(question: &str) -> Request {
    let (name, rtype) = question.split_once(' ').unwrap_or((question, "A"));
    Request::read(name, rtype, None, None).unwrap()
}

/// Odds as people see them, on one line, without styles.
fn told(snapshot: &Snapshot, question: &str) -> String {
    let text = odds(snapshot, &request(question)).unwrap().answers_text();
    anstream::adapter::strip_str(&text).to_string().trim_end().replace('\n', "; ")
}

#[test]
fn whole_trees_have_exact_shares() {
    let snapshot = snapshot(&[zone(
        "example.com",
        "w 60 IN A 192.0.2.1 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"one\"\n\
         w 60 IN A 192.0.2.2 ; AWS routing=\"WEIGHTED\" weight=2 identifier=\"two\"\n\
         x 60 IN A 192.0.2.2 ; AWS routing=\"WEIGHTED\" weight=3 identifier=\"one\"\n\
         x 60 IN A 192.0.2.3 ; AWS routing=\"WEIGHTED\" weight=4 identifier=\"two\"\n\
         top AWS ALIAS A w $self true ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"w\"\n\
         top AWS ALIAS A x $self true ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"x\"\n\
         pair 60 IN A 192.0.2.5\npair 60 IN A 192.0.2.4\n\
         chain 60 IN CNAME top\nleave 60 IN CNAME www.example.net.\n\
         out AWS ALIAS A lb.example.net. Z1 false\n",
    )]);
    for (question, expected) in [
        ("w.example.com", "2/3  192.0.2.2; 1/3  192.0.2.1"),
        // Two ways lead to 192.0.2.2: 1/2 of 2/3, and 1/2 of 3/7.
        ("top.example.com", "23/42  192.0.2.2; 2/7    192.0.2.3; 1/6    192.0.2.1"),
        ("pair.example.com", "1  192.0.2.4;    192.0.2.5"),
        ("leave.example.com", "1  CNAME www.example.net."),
        ("out.example.com", "1  whatever a resolver says of lb.example.net."),
        ("none.example.com", "1  NXDOMAIN"),
        ("w.example.com AAAA", "1  NOERROR, no records"),
        ("www.example.net", "1  REFUSED"),
    ] {
        assert_eq!(told(&snapshot, question), expected, "{question}");
    }
    let chain = odds(&snapshot, &request("chain.example.com")).unwrap();
    let shares: Vec<_> = chain.records.iter().map(|odds| (&*odds.share, odds.record.data())).collect();
    let expected = [("1", "top.example.com."), ("23/42", "192.0.2.2"), ("2/7", "192.0.2.3"), ("1/6", "192.0.2.1")];
    assert_eq!(shares, expected);
    assert!(chain.answers.unwrap().iter().all(|answer| answer.records.len() == 2));
}

#[test]
fn odds_are_printed_as_one_object_of_a_stable_form() {
    let snapshot =
        snapshot(&[zone("example.com", "www 60 IN A 192.0.2.1\nout AWS ALIAS A lb.example.net. Z1 false\n")]);
    for (question, expected) in [
        (
            "WWW.example.com",
            "{\"name\":\"www.example.com.\",\"type\":\"A\",\"rcode\":\"NOERROR\",\
             \"records\":[{\"share\":\"1\",\"name\":\"www.example.com.\",\"type\":\"A\",\"ttl\":60,\"data\":\"192.0.2.1\"}],\
             \"answers\":[{\"share\":\"1\",\"rcode\":\"NOERROR\",\"records\":\
             [{\"name\":\"www.example.com.\",\"type\":\"A\",\"ttl\":60,\"data\":\"192.0.2.1\"}]}]}",
        ),
        (
            "example.net. TYPE65280",
            "{\"name\":\"example.net.\",\"type\":\"TYPE65280\",\"rcode\":\"REFUSED\",\"records\":[],\
             \"answers\":[{\"share\":\"1\",\"rcode\":\"REFUSED\",\"records\":[]}]}",
        ),
    ] {
        let told = odds(&snapshot, &request(question)).unwrap();
        let json = serde_json::to_string(&told).unwrap();
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Odds>(&json).unwrap(), told);
    }
    let out = odds(&snapshot, &request("out.example.com")).unwrap();
    let json = serde_json::to_string(&out.records).unwrap();
    let expected =
        "[{\"share\":\"1\",\"name\":\"out.example.com.\",\"type\":\"A\",\"ttl\":60,\"upstream\":\"lb.example.net.\"}]";
    assert_eq!(json, expected);
}

#[test]
fn what_answers_together_in_too_many_ways_is_counted() {
    let lines = |ttls: &[u32]| {
        let line = |(at, ttl): (usize, &u32)| {
            format!("m {ttl} IN A 192.0.2.{at} ; AWS routing=\"MULTIVALUE\" identifier=\"{at}\"\n")
        };
        ttls.iter().enumerate().map(line).collect::<String>()
    };
    let told = |ttls: &[u32]| odds(&snapshot(&[zone("example.com", &lines(ttls))]), &request("m.example.com")).unwrap();

    // 12 over 8 is 495: listed.
    let listed = told(&[60; 12]);
    assert_eq!(listed.answers.unwrap().len(), 495);
    assert!(listed.records.iter().all(|odds| odds.share == "2/3"));

    let counted = told(&[60; 14]);
    assert_eq!((counted.answers, counted.rcode.as_str(), counted.records.len()), (None, "NOERROR", 14));
    assert!(counted.records.iter().all(|odds| odds.share == "4/7"));

    // One with a smaller TTL brings it to the others where it is drawn: 13 over 7 of 14 over 8 ways.
    let mut ttls = [60; 14];
    ttls[0] = 30;
    let mixed = told(&ttls);
    let of = |data: &str| -> Vec<(String, u32)> {
        let found = mixed.records.iter().filter(|odds| odds.record.data() == data);
        found.map(|odds| (odds.share.clone(), odds.record.ttl)).collect()
    };
    assert_eq!(of("192.0.2.0"), [("4/7".to_string(), 30)]);
    // With the first: 12 over 6 of 3003 ways; without it: 12 over 7.
    assert_eq!(of("192.0.2.1"), [("4/13".to_string(), 30), ("24/91".to_string(), 60)]);
}

#[test]
fn shares_of_too_many_digits_are_refused() {
    // Ninety groups of two, each with another denominator: their product has hundreds of digits.
    let mut lines = String::new();
    for group in 1..=90 {
        for (member, weight) in [(1, 1), (2, 2 * group)] {
            lines += &format!(
                "g{group} 60 IN A 192.0.2.{member} ; AWS routing=\"WEIGHTED\" weight={weight} identifier=\"{member}\"\n"
            );
        }
        lines += &format!(
            "top AWS ALIAS A g{group} $self true ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"{group}\"\n"
        );
    }
    let snapshot = snapshot(&[zone("example.com", &lines)]);
    let refused = odds(&snapshot, &request("top.example.com")).unwrap_err();
    assert_eq!(refused, Refused::TooMuch(TooMuch::Digits));
    assert_eq!(told(&snapshot, "g1.example.com"), "2/3  192.0.2.2; 1/3  192.0.2.1");
}

#[test]
fn forced_verdicts_are_final_and_move_their_parents() {
    let pair = "www 60 IN A 192.0.2.1 ; AWS routing=\"FAILOVER\" failover=\"PRIMARY\" identifier=\"p\" healthCheckId=\"both\"\n\
                www 60 IN A 192.0.2.2 ; AWS routing=\"FAILOVER\" failover=\"SECONDARY\" identifier=\"s\"\n";
    let snapshot = snapshot(&[zone("example.com", pair)]);
    let forced = |down: &[&str], up: &[&str]| {
        let owned = |ids: &[&str]| ids.iter().map(ToString::to_string).collect();
        Forced { down: owned(down), up: owned(up) }.onto(&snapshot)
    };
    for (down, up, data) in [
        (&[][..], &[][..], "192.0.2.1"),
        (&["a"], &[], "192.0.2.2"),
        (&["a"], &["both"], "192.0.2.1"),
        (&["both"], &["a", "b"], "192.0.2.2"),
    ] {
        assert_eq!(told(&forced(down, up).unwrap(), "www.example.com"), format!("1  {data}"), "{down:?} {up:?}");
    }
    let refused = |down, up| forced(down, up).err().map(|refused| refused.to_string()).unwrap();
    assert_eq!(refused(&["boht"], &[]), "no health check is called \"boht\", did you mean \"both\"?");
    assert_eq!(refused(&["a"], &["a"]), "the health check \"a\" is to be both up and down");
}

#[test]
fn requests_are_read_from_words() {
    let from = |text: &str| text.parse::<From>();
    assert_eq!(from("198.51.100.7"), Ok(From::Address([198, 51, 100, 7].into())));
    assert_eq!(from("::ffff:198.51.100.7"), Ok(From::Address([198, 51, 100, 7].into())));
    let snapshot = snapshot(&[zone("example.com", "")]);
    let network = |text: &str| {
        let request = Request { from: Some(text.parse().unwrap()), ..request("example.com") };
        let client = request.client(&snapshot).unwrap();
        (client.network.to_string(), client.rule)
    };
    assert_eq!(network("198.51.100.7/24"), ("198.51.100.0/24".to_string(), ClientRule::ClientSubnet));
    assert_eq!(network("198.51.100.7"), ("198.51.100.7/32".to_string(), ClientRule::Source));
    assert_eq!(network("0.0.0.0/0"), ("127.0.0.1/32".to_string(), ClientRule::Source));
    for (name, rtype, from, what) in [
        ("a..b", "A", None, "\"a..b\" is not a name"),
        ("a", "AAA", None, "\"AAA\" is not a record type"),
        (
            "a",
            "dyna",
            None,
            "\"dyna\" is not a record type: DYNA is gdnsd's word for addresses that a plugin chooses; ask",
        ),
        ("a", "LUA", None, "\"LUA\" is not a record type: LUA is PowerDNS's word"),
        ("a", "ANAME", None, "\"ANAME\" is not a record type: ANAME is"),
        ("a", "AXFR", None, "AXFR is not a question that records answer"),
        ("a", "TYPE41", None, "OPT is not a question"),
        ("a", "A", Some("198.51.100/24"), "\"198.51.100/24\" is neither an address"),
    ] {
        let refused = Request::read(name, rtype, from, None).unwrap_err().to_string();
        assert!(refused.starts_with(what), "{refused}");
    }
    let request = Request { vpc: Some("vpc-1".into()), ..request("example.com") };
    assert_eq!(
        odds(&snapshot, &request).unwrap_err().to_string(),
        "no VPC is called \"vpc-1\"; zones and vpcs.toml name VPCs"
    );
}

#[test]
fn an_explanation_shows_every_step_and_comes_back_the_same() {
    let snapshot = snapshot(&[zone(
        "example.com",
        "w 60 IN A 192.0.2.1 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"blue\" healthCheckId=\"a\"\n\
         w 60 IN A 192.0.2.2 ; AWS routing=\"WEIGHTED\" weight=2 identifier=\"green\"\n\
         w 60 IN A 192.0.2.3 ; AWS routing=\"WEIGHTED\" weight=3 identifier=\"red\"\n\
         top AWS ALIAS A w $self true\n",
    )]);
    let forced = Forced { down: vec!["a".to_string()], up: Vec::new() }.onto(&snapshot).unwrap();
    let told = explain(&forced, &request("top.example.com"), 7).unwrap();
    assert_eq!(told, explain(&forced, &request("top.example.com"), 7).unwrap());
    let json = serde_json::to_string(&told).unwrap();
    assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), told);
    let text = anstream::adapter::strip_str(&told.text()).to_string();
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "client  127.0.0.1 by its address",
            "zone    example.com. of z",
            "group   top.example.com. A, simple, 1 member",
            "choose  -      the only record",
            "alias   -      leads to w.example.com. and evaluates its health",
            "group   w.example.com. A, weighted, 3 members",
            "out     blue   a unhealthy since 0s: forced",
            "choose  green  drawn from 2, weight 2 of 5, the dice showed 1 of 5 (seed 7)",
            "ttl     60 s, the alias target's",
            "scope   everybody fares alike",
            "answer  60 A 192.0.2.2",
        ]
    );
}

#[test]
fn an_answer_without_records_is_explained() {
    let snapshot = snapshot(&[zone("example.com", "*.w 60 IN A 192.0.2.1\nsub 60 IN NS ns.example.net.\n")]);
    let words = |question: &str| -> Vec<String> {
        let told = explain(&snapshot, &request(question), 1).unwrap();
        told.steps.into_iter().map(|told| told.step).collect()
    };
    for (question, expected) in [
        ("a.w.example.com", "client zone wildcard ttl scope answer"),
        ("a.w.example.com TXT", "client zone wildcard no-data ttl scope answer"),
        ("none.example.com", "client zone no-name ttl scope answer"),
        ("a.sub.example.com", "client zone cut scope answer"),
        ("example.net", "client no-zone answer"),
    ] {
        assert_eq!(words(question).join(" "), expected, "{question}");
    }
}

#[test]
fn odds_are_shown_by_record_in_per_cent_too() {
    let members: String = (1..=10)
        .map(|one| format!("many 60 IN A 192.0.2.{one} ; AWS routing=\"MULTIVALUE\" identifier=\"m{one}\"\n"))
        .collect();
    let snapshot = snapshot(&[zone(
        "example.com",
        &format!(
            "w 60 IN A 192.0.2.1 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"one\"\n\
             w 60 IN A 192.0.2.2 ; AWS routing=\"WEIGHTED\" weight=2 identifier=\"two\"\n\
             rare 60 IN A 192.0.2.1 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"one\"\n\
             rare 60 IN A 192.0.2.2 ; AWS routing=\"WEIGHTED\" weight=255 identifier=\"two\"\n\
             chain 60 IN CNAME w\n{members}\
             geo 60 IN A 192.0.2.9 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"has\"\n"
        ),
    )]);
    let text = |question: &str| {
        let text = odds(&snapshot, &request(question)).unwrap().text();
        anstream::adapter::strip_str(&text).to_string()
    };
    assert_eq!(text("w.example.com"), "2/3  66.7 %  192.0.2.2\n1/3  33.3 %  192.0.2.1\n");
    assert_eq!(text("rare.example.com"), "255/256  99.6 %  192.0.2.2\n1/256     0.4 %  192.0.2.1\n");
    assert_eq!(
        text("chain.example.com"),
        "1     100 %  CNAME w.example.com.\n2/3  66.7 %  w.example.com. 192.0.2.2\n1/3  33.3 %  w.example.com. 192.0.2.1\n"
    );
    let many = text("many.example.com");
    assert_eq!(many.lines().count(), 10, "{many}");
    assert!(many.starts_with("4/5   80 %  192.0.2.1\n"), "{many}");
    assert_eq!(text("none.example.com"), "1  100 %  NXDOMAIN\n");
    assert_eq!(text("w.example.com AAAA"), "1  100 %  NOERROR, no records\n");
}

/// Seven levels of 60 aliases each, and one check that all of them come to: 60 to the 7th ways lead to it.
#[test]
fn the_checks_below_a_tree_of_aliases_are_found_in_bounded_time() {
    let mut lines = String::new();
    for level in 0..7 {
        for member in 0..60 {
            lines += &format!(
                "l{level} AWS ALIAS A l{} $self true ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"{member}\"\n",
                level + 1
            );
        }
    }
    lines += "l7 60 IN A 192.0.2.1 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"one\" healthCheckId=\"a\"\n";
    let snapshot = snapshot(&[zone("example.com", &lines)]);
    let forced = Forced { down: vec!["a".to_string()], up: Vec::new() }.onto(&snapshot).unwrap();
    let told = explain(&forced, &request("l0.example.com"), 1).unwrap();
    let out = told.steps.iter().find(|told| told.step == "out").unwrap();
    assert_eq!(out.text, "l1.example.com. has nothing healthy: a since 0s");
}
