//! Tests of the tests: what passes, what fails and how that is told, and what is no test at all.

use super::*;
use crate::geo::Geography;
use crate::model::Shared;
use crate::route53::health_checks;
use crate::snapshot::Settings;
use crate::zonefile::{self, Includes};

const ZONE: &str = "\
@ 3600 IN SOA ns. host. 1 2 3 4 300
@ 3600 IN NS ns.
www 60 IN A 192.0.2.1 ; AWS routing=\"WEIGHTED\" weight=3 identifier=\"blue\" healthCheckId=\"blue\"
www 60 IN A 192.0.2.2 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"green\"
two 60 IN A 192.0.2.3
two 60 IN A 192.0.2.4
to 60 IN CNAME two
out 60 IN CNAME elsewhere.example.
";

struct NoIncludes;

impl Includes for NoIncludes {
    fn read(&self, _: &str, _: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        Err("there is nothing to include".to_string())
    }
}

fn snapshot() -> Snapshot {
    let mut problems = Problems::default();
    let origin = Name::parse_absolute("example.com").unwrap();
    let zone = zonefile::parse(&origin, "z".into(), ZONE.as_bytes(), &NoIncludes, &mut problems);
    let checks = b"[health_check.blue]\ntype = \"TCP\"\nip_address = \"192.0.2.1\"\nport = 80\n";
    let health_checks = health_checks::read_toml("h".into(), checks, crate::model::Limits::Route53, &mut problems);
    let shared = Shared { health_checks, ..Shared::default() };
    let snapshot = Snapshot::of(&[zone], shared, Geography::empty(), Settings::default(), &mut problems);
    assert_eq!(problems.errors(), 0, "{:?}", problems.iter().map(ToString::to_string).collect::<Vec<_>>());
    snapshot
}

/// What is told of a file with one test.
fn told(lines: &str) -> Vec<String> {
    let mut problems = Problems::default();
    let text = format!("[[test]]\n{lines}\n");
    let tests = read("t".into(), text.as_bytes(), &mut problems);
    let outcomes = run(&tests, &snapshot());
    let failed = outcomes.iter().flat_map(|outcome| &outcome.problems).map(ToString::to_string);
    problems.iter().map(ToString::to_string).chain(failed).collect()
}

#[test]
fn what_is_so_passes() {
    for lines in [
        "ask = \"www.example.com\"\nodds = { \"192.0.2.1\" = \"3/4\", \"192.0.2.2\" = \"1/4\", \"192.0.2.9\" = 0 }",
        "ask = \"www.example.com. a\"\ndown = [\"blue\"]\nexpect = [\"192.0.2.2\"]\nttl = 60",
        "ask = \"www.example.com\"\nup = [\"blue\"]\nnever = [\"192.0.2.3\"]\nrcode = \"noerror\"",
        "ask = \"two.example.com\"\nexpect = [\"192.0.2.4\", \"192.0.2.3\"]",
        "ask = \"to.example.com\"\nexpect = [\"192.0.2.4\", \"192.0.2.3\"]",
        "ask = \"to.example.com\"\nexpect = [\"two.example.com.\", \"192.0.2.4\", \"192.0.2.3\"]",
        "ask = \"to.example.com CNAME\"\nexpect = [\"two.example.com\"]",
        "ask = \"out.example.com\"\nexpect = [\"elsewhere.example\"]",
        "ask = \"none.example.com\"\nrcode = \"NXDOMAIN\"\nexpect = []",
        "ask = \"www.example.net\"\nrcode = \"REFUSED\"",
        "ask = \"example.com NS\"\nexpect = [\"ns\"]",
    ] {
        assert_eq!(told(lines), [] as [&str; 0], "{lines}");
    }
}

#[test]
fn what_is_otherwise_is_told_at_its_place() {
    for (lines, start) in [
        (
            "ask = \"www.example.com\"\nexpect = [\"192.0.2.1\"]",
            "t:3:10: error: 1/4 of the answers are 192.0.2.2, ask `fingerpost explain www.example.com. A` why",
        ),
        (
            "ask = \"www.example.com\"\nodds = { \"192.0.2.1\" = 1 }",
            "t:3:8: error: 192.0.2.1 has a share of 3/4 instead of 1, 192.0.2.2 has a share of 1/4 instead of 0, ask",
        ),
        ("ask = \"www.example.com\"\nnever = [\"192.0.2.2\"]", "t:3:9: error: 1/4 of the answers are 192.0.2.2, ask"),
        (
            "ask = \"two.example.com\"\nexpect = [\"192.0.2.3\"]",
            "t:3:10: error: all answers are 192.0.2.3 and 192.0.2.4",
        ),
        ("ask = \"two.example.com\"\nrcode = \"NXDOMAIN\"", "t:3:9: error: all answers are NOERROR, ask"),
        ("ask = \"two.example.com\"\nttl = 61", "t:3:7: error: 192.0.2.3 has a TTL of 60, ask"),
        ("ask = \"none.example.com\"\nttl = 61", "t:3:7: error: no answer has a record of the type, so none has a TTL"),
        ("ask = \"out.example.com\"\nexpect = []", "t:3:10: error: all answers are elsewhere.example., ask"),
        ("ask = \"none.example.com\"\nexpect = [\"192.0.2.1\"]", "t:3:10: error: all answers are NXDOMAIN, ask"),
        (
            "ask = \"www.example.com\"\ndown = [\"bleu\"]\nttl = 60",
            "t:1:1: error: no health check is called \"bleu\", did you mean \"blue\"?",
        ),
        ("ask = \"www.example.com\"\nvpc = \"vpc-1\"\nttl = 60", "t:1:1: error: no VPC is called \"vpc-1\""),
    ] {
        let told = told(lines);
        assert!(told.len() == 1 && told[0].starts_with(start), "{told:#?}\n{start}");
    }
}

#[test]
fn what_is_no_test_is_an_error() {
    for (lines, start) in [
        ("expect = []", "t:1:1: error: the test has no ask, add ask"),
        ("ask = \"www.example.com\"", "t:1:1: error: the test expects nothing, it could never fail, add expect"),
        (
            "ask = \"www.example.com\"\nexpcet = []\nttl = 1",
            "t:3:1: error: \"expcet\" is not a key of a routing test, did you mean \"expect\"?",
        ),
        ("ask = \"www.example.com NONSENSE\"\nttl = 1", "t:2:7: error: \"NONSENSE\" is not a record type"),
        ("ask = \"www.example.com A IN\"\nttl = 1", "t:2:7: error: ask is more than a name and a type"),
        ("ask = \"a..b\"\nttl = 1", "t:2:7: error: \"a..b\" is not a name"),
        ("ask = \"www.example.com\"\nfrom = \"here\"\nttl = 1", "t:3:8: error: \"here\" is neither an address"),
        (
            "ask = \"www.example.com\"\nexpect = [\"192.0.2\"]",
            "t:3:11: error: \"192.0.2\" is neither the data of a record of type A",
        ),
        (
            "ask = \"www.example.com\"\nodds = { \"192.0.2.1\" = \"5/4\" }",
            "t:3:24: error: \"192.0.2.1\" has no exact share",
        ),
        (
            "ask = \"www.example.com\"\nodds = { \"192.0.2.1\" = 0.5 }",
            "t:3:24: error: \"192.0.2.1\" has no exact share",
        ),
        ("ask = \"www.example.com\"\nttl = -1", "t:3:7: error: ttl cannot be used"),
    ] {
        let told = told(lines);
        assert!(told.len() == 1 && told[0].starts_with(start), "{told:#?}\n{start}");
    }
}
