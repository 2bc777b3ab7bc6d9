//! Zone files in, models and problems out.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::record_set::{AliasTarget, Body, Routing};
use crate::model::zone::Visibility;
use crate::wire::name::Shown;
use crate::wire::rdata;

/// Files to include, by path.
struct Files(BTreeMap<&'static str, &'static str>);

impl Includes for Files {
    fn read(&self, path: &str, _from_file: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        let text = self.0.get(path).ok_or("there is no such file")?;
        Ok((path.into(), text.as_bytes().to_vec()))
    }
}

fn read_with(text: &[u8], files: &[(&'static str, &'static str)]) -> (ZoneData, Problems) {
    let mut problems = Problems::default();
    let files = Files(files.iter().copied().collect());
    let origin = Name::parse("example.com.", None).unwrap();
    let zone = parse(&origin, "example.com.zone".into(), text, &files, &mut problems);
    (zone, problems)
}

fn lines(zone: &ZoneData) -> Vec<String> {
    zone.records
        .iter()
        .map(|record| {
            format!(
                "{} {} {} {}",
                Shown(record.owner),
                record.ttl,
                record.rtype,
                rdata::show(record.rtype, record.rdata)
            )
        })
        .collect()
}

/// The records of a zone without problems.
fn records(text: &str) -> Vec<String> {
    let (zone, problems) = read_with(text.as_bytes(), &[]);
    assert!(problems.is_empty(), "{text}\n{}", listed(&problems).join("\n"));
    lines(&zone)
}

fn listed(problems: &Problems) -> Vec<String> {
    problems.iter().map(|problem| problem.to_string()).collect()
}

#[test]
fn records_take_their_fields_in_any_lawful_form() {
    let text = "\u{feff}$ORIGIN example.com.\r\n$TTL 1h30m ; default\r\n\
        @ IN SOA ns1 host\\.master ( 1 ; serial\r\n 2h 15m\r\n\t2w 300 )\r\n\
        \tNS ns1\n\
        www 60 IN A 192.0.2.1\n\
        www IN 61 A 192.0.2.2\n\
        www 62 A 192.0.2.3\n\
        \n   ; nothing\n\
        \x20 in aaaa 2001:DB8::1\n\
        t TXT plain \"quoted ; ( \\\" x\" \\065\\;\\\"b \"\" (\n \"next\"\n)\n\
        \\097.b*c MX 10 @\n\
        $ORIGIN sub\n\
        a CNAME b ; end\n\
        r TYPE1 \\# 4 c0000201\n\
        r TYPE731 \\# 3 ab cd EF\n\
        last.example.com. A 192.0.2.9";
    assert_eq!(
        records(text),
        [
            "example.com. 5400 SOA ns1.example.com. host\\.master.example.com. 1 7200 900 1209600 300",
            "example.com. 5400 NS ns1.example.com.",
            "www.example.com. 60 A 192.0.2.1",
            "www.example.com. 61 A 192.0.2.2",
            "www.example.com. 62 A 192.0.2.3",
            "www.example.com. 5400 AAAA 2001:db8::1",
            "t.example.com. 5400 TXT \"plain\" \"quoted ; ( \\\" x\" \"A;\\\"b\" \"\" \"next\"",
            "a.b*c.example.com. 5400 MX 10 example.com.",
            "a.sub.example.com. 5400 CNAME b.sub.example.com.",
            "r.sub.example.com. 5400 A 192.0.2.1",
            "r.sub.example.com. 5400 TYPE731 \\# 3 ABCDEF",
            "last.example.com. 5400 A 192.0.2.9",
        ]
    );
}

#[test]
fn every_type_is_read_as_bind_reads_it_and_written_back() {
    let text = include_bytes!("../../tests/zones/every-type.zone");
    let (zone, problems) = read_with(text, &[]);
    assert!(problems.is_empty(), "{}", listed(&problems).join("\n"));
    assert_eq!(zone.records.len(), 105);
    let (again, problems) = read_with(print(&zone).as_bytes(), &[]);
    assert!(problems.is_empty(), "{}", listed(&problems).join("\n"));
    assert_eq!(lines(&again), lines(&zone));
}

#[test]
fn ttls_follow_the_rfcs_and_then_bind() {
    for (text, ttls, warnings) in [
        ("$TTL 5\na A 192.0.2.1\nb 7 A 192.0.2.1\nc A 192.0.2.1\n", &[5, 7, 5][..], 0),
        ("a 7 A 192.0.2.1\nb A 192.0.2.1\n$TTL 9\nc A 192.0.2.1\n", &[7, 7, 9], 0),
        ("@ SOA a b 1 2 3 4 5\na A 192.0.2.1\nb 7 A 192.0.2.1\nc A 192.0.2.1\n", &[5, 5, 7, 5], 1),
        ("@ 8 SOA a b 1 2 3 4 5\na A 192.0.2.1\n", &[8, 8], 0),
        ("a A 192.0.2.1\nb A 192.0.2.1\n", &[3600, 3600], 1),
        ("a 2147483647 A 192.0.2.1\nb 2147483648 A 192.0.2.1\n", &[i32::MAX as u32, 0], 1),
    ] {
        let (zone, problems) = read_with(text.as_bytes(), &[]);
        let found: Vec<u32> = zone.records.iter().map(|record| record.ttl).collect();
        assert_eq!((found.as_slice(), problems.warnings(), problems.errors()), (ttls, warnings, 0), "{text}");
    }
}

#[test]
fn every_problem_is_told_at_its_place() {
    let text = "$TTL 60\n\
        a A 192.0.2.300\n\
        b\tMXX 10 c\n\
        c A 192.0.2.1 ; fine\n\
        é CH A 192.0.2.1\n\
        d MX ( 10\n  a..b )\n\
        e TXT \"open\n\
        f A ) 192.0.2.1\n\
        $TLL 5\n\
        $ORIGIN\n\
        g AXFR x\n\
        h 4294967296 A 192.0.2.1\n\
        i A\n\
        \x20 AAAA ::1\n\
        j SOA ( a b 1\n\
        \x20 2 3\n\
        k A 192.0.2.2\r\n\
        $INCLUDE nowhere\n\
        l ALIAS A b\n";
    let (zone, problems) = read_with(text.as_bytes(), &[]);
    let found: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}:{}+{} {}", problem.at.line, problem.at.column, problem.at.length, problem.what))
        .collect();
    assert_eq!(
        found,
        [
            "2:5+11 \"192.0.2.300\" is not an IPv4 address",
            "3:3+3 \"MXX\" is not a record type",
            "5:3+2 class CH is not served",
            "7:5+1 the name has an empty label (two dots in a row, or one in front)",
            "8:7+5 a quoted string does not end on its line",
            "9:5+1 this parenthesis closes nothing",
            "10:1+4 \"$TLL\" is not a directive",
            "11:8+0 the record ends too soon",
            "12:3+4 AXFR stands for a question or a transaction",
            "13:3+10 \"4294967296\" is not a TTL",
            "14:4+0 the record ends too soon",
            "16:7+1 this parenthesis is never closed",
            "19:10+7 \"nowhere\" cannot be included",
            "20:3+5 \"ALIAS\" is not a record type",
        ]
    );
    assert!(problems.iter().all(|problem| !problem.remedy.is_empty()));
    assert_eq!(problems.iter().nth(1).unwrap().excerpt.as_deref(), Some("b\tMXX 10 c"));
    assert_eq!(
        problems.iter().nth(1).unwrap().to_string(),
        "example.com.zone:3:3: error: \"MXX\" is not a record type, did you mean MX?"
    );
    assert_eq!(
        lines(&zone),
        [
            "c.example.com. 60 A 192.0.2.1",
            // The broken record's owner, not the one before.
            "i.example.com. 60 AAAA ::1",
            "k.example.com. 60 A 192.0.2.2"
        ]
    );
    assert_eq!(zone.records.iter().nth(2).unwrap().line, 18);
}

#[test]
fn included_files_have_an_origin_of_their_own() {
    let files = [
        ("sub.inc", "www A 192.0.2.1\n$ORIGIN deep\n$TTL 9\n@ A 192.0.2.2\n"),
        ("plain.inc", " A 192.0.2.3\nx A 192.0.2.x\n"),
        ("loop.inc", "$INCLUDE \"again.inc\"\n"),
        ("again.inc", "$INCLUDE loop.inc\n"),
    ];
    let text = "$TTL 60\na A 192.0.2.9\n$INCLUDE sub.inc sub\n A 192.0.2.4\n$INCLUDE plain.inc\n$include loop.inc\n";
    let (zone, problems) = read_with(text.as_bytes(), &files);
    assert_eq!(
        lines(&zone),
        [
            "a.example.com. 60 A 192.0.2.9",
            "www.sub.example.com. 60 A 192.0.2.1",
            "deep.sub.example.com. 9 A 192.0.2.2",
            "a.example.com. 9 A 192.0.2.4",
            "a.example.com. 9 A 192.0.2.3",
        ]
    );
    assert_eq!(
        listed(&problems),
        [
            "plain.inc:2:5: error: \"192.0.2.x\" is not an IPv4 address, write it like: A 192.0.2.1",
            "again.inc:1:10: error: the file includes itself, example.com.zone includes loop.inc includes again.inc includes \
             loop.inc, remove one of these lines",
        ]
    );
    let files: Vec<&str> = zone.files.iter().map(|file| &**file).collect();
    assert_eq!(files, ["example.com.zone", "sub.inc", "plain.inc", "loop.inc", "again.inc"]);
    assert_eq!(zone.records.iter().map(|record| record.file).collect::<Vec<_>>(), [0, 1, 1, 0, 2]);
}

#[test]
fn generate_counts_as_bind_does() {
    for (line, made) in [
        ("$GENERATE 1-2 a$ A 192.0.2.$", "a1 A 192.0.2.1|a2 A 192.0.2.2"),
        (
            "$GENERATE 1-9/4 a${10} 7 IN MX \"$ ns\"",
            "a11 MX 1 ns.example.com.|a15 MX 5 ns.example.com.|a19 MX 9 ns.example.com.",
        ),
        ("$GENERATE 10-10 a${-5,3}.${0,4,x}.${0,0,X}.${0,3,o} A 192.0.2.1", "a005.000a.A.012 A 192.0.2.1"),
        (
            "$GENERATE 16-17 ${0,7,n} CNAME ${1,3,N}.y",
            "0.1.0.0 CNAME 1.1.y.example.com.|1.1.0.0 CNAME 2.1.y.example.com.",
        ),
        ("$GENERATE 1-1 a$$b\\$ TXT \"\\\"x $\\\"\"", "a\\$b\\$ TXT \"x 1\""),
        ("$GENERATE 1-1 @ TXT a$ b", "@ TXT \"a1\" \"b\""),
    ] {
        let found: Vec<String> = records(&format!("$TTL 60\n{line}\n"))
            .iter()
            .map(|text| {
                let text = text.replacen(".example.com. 60 ", " ", 1).replacen(".example.com. 7 ", " ", 1);
                text.replacen("example.com. 60 ", "@ ", 1)
            })
            .collect();
        assert_eq!(found.join("|"), made, "{line}");
    }
    for (line, problem) in [
        ("$GENERATE 3-1 a A 192.0.2.$", "11+3 \"3-1\" is not a range"),
        ("$GENERATE 1-3 a${x} A 192.0.2.$", "16+4 this counter has no form"),
        ("$GENERATE 1-3 a${1 A 192.0.2.$", "16+3 this counter has no form"),
        ("$GENERATE 254-257 a$ A 192.0.2.$", "24+9 \"192.0.2.256\" is not an IPv4 address"),
        ("$GENERATE 0-3 a${-1} A 192.0.2.1", "15+6 the counter with its offset goes out of range"),
        ("$GENERATE 0-2147483647 a$ A 192.0.2.1", "11+12 the zone's $GENERATE lines make more than 4194304 records"),
        ("$GENERATE 1-3", "14+0 the record ends too soon"),
        ("$GENERATE 1-3 a$ A", "19+0 the record ends too soon"),
        ("$GENERATE 1-3 a$ AWS ALIAS A b $self true", "11+3 $GENERATE makes no aliases"),
    ] {
        let (_, problems) = read_with(format!("$TTL 60\n{line}\n").as_bytes(), &[]);
        let found: Vec<String> = problems
            .iter()
            .map(|problem| format!("{}+{} {}", problem.at.column, problem.at.length, problem.what))
            .collect();
        assert_eq!(found, [problem], "{line}");
    }
}

#[test]
fn routing_comments_make_record_sets() {
    let text = "; AWS hostedzone name=\"corp.example\" private=true vpcs=\"vpc-1 vpc-2\"\n\
        $TTL 60\n\
        plain A 192.0.2.1 ; not AWS\n\
        www A 192.0.2.1 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"blue\"\n\
        www A 192.0.2.2 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"blue\"\n\
        www TXT ( \"a\" ; AWS routing=\"WEIGHTED\" weight=2 identifier=\"blue\"\n \"b\" )\n\
        checked A 192.0.2.3 ; AWS healthCheckId=\"hc\"\n\
        @ 60 AWS ALIAS A www $self true\n\
        geo AWS ALIAS AAAA x.other. Z123 false\n";
    let (zone, problems) = read_with(text.as_bytes(), &[]);
    assert!(problems.is_empty(), "{}", listed(&problems).join("\n"));
    assert_eq!(zone.origin.to_string(), "corp.example.");
    assert_eq!(zone.visibility, Visibility::Private(vec!["vpc-1".into(), "vpc-2".into()]));
    assert_eq!(lines(&zone), ["plain.corp.example. 60 A 192.0.2.1"]);
    let shown: Vec<String> = zone
        .record_sets
        .iter()
        .map(|set| {
            let body = match &set.body {
                Body::Values { ttl, rdata } => {
                    let values: Vec<String> = rdata.iter().map(|data| rdata::show(set.rtype, data)).collect();
                    format!("{ttl} {}", values.join(", "))
                }
                Body::Alias(AliasTarget { name, zone_id, evaluate_target_health }) => {
                    format!("alias {name} {zone_id} {evaluate_target_health}")
                }
            };
            format!("{} {} {} {:?} {}: {body}", set.at.line, set.name, set.rtype, set.identifier, set.routing.word())
        })
        .collect();
    assert_eq!(
        shown,
        [
            "4 www.corp.example. A Some(\"blue\") weighted: 60 192.0.2.1, 192.0.2.2",
            "6 www.corp.example. TXT Some(\"blue\") weighted: 60 \"a\" \"b\"",
            "8 checked.corp.example. A None simple: 60 192.0.2.3",
            "9 corp.example. A None simple: alias www.corp.example. $self true",
            "10 geo.corp.example. AAAA None simple: alias x.other. Z123 false",
        ]
    );
    assert_eq!(zone.record_sets[2].health_check.as_deref(), Some("hc"));
    assert_eq!(zone.record_sets[2].routing, Routing::Simple);
    let (again, problems) = read_with(print(&zone).as_bytes(), &[]);
    assert!(problems.is_empty(), "{}", listed(&problems).join("\n"));
    assert!(same_sets(&zone, &again), "{}", print(&zone));
    assert_eq!((&again.origin, &again.visibility), (&zone.origin, &zone.visibility));
}

#[test]
fn routing_that_cannot_be_meant_is_an_error() {
    let weighted = "; AWS routing=\"WEIGHTED\" weight=1 identifier=\"a\"";
    for (text, problem) in [
        (format!("{weighted}\n"), "1:2+47 this AWS comment stands behind no record"),
        ("a A 192.0.2.1\n; AWS hostedzone name=\"x\"\n".into(), "2:2+24 AWS hostedzone comes too late"),
        ("a A 192.0.2.1 ; AWS hostedzone name=\"x\"\n".into(), "1:16+24 AWS hostedzone stands behind a record"),
        ("; AWS hostedzone name=\"a..b\"\n".into(), "1:2+27 \"a..b\" is not a zone's name"),
        (
            format!("a A 192.0.2.1 {weighted}\na A 192.0.2.2 {}\n", weighted.replace("=1", "=2")),
            "2:16+47 the lines of record set a.example.com. A \"a\" disagree about its routing",
        ),
        (
            format!("a 5 A 192.0.2.1 {weighted}\na A 192.0.2.2 {weighted}\na 4 A 192.0.2.3 {weighted}\n"),
            "3:18+47 record set a.example.com. A \"a\" has the TTLs 5 and 4, so it has 4",
        ),
        (
            "a AWS ALIAS A b $self true\na AWS ALIAS A c $self true\n".into(),
            "2:1+26 record set a.example.com. A has more than its one alias target",
        ),
        ("a AWS ALIAS A b $self yes\n".into(), "1:23+3 \"yes\" is not true or false"),
        ("a AWS ALIAS A b\n".into(), "1:16+0 the record ends too soon"),
        ("a AWS A 192.0.2.1\n".into(), "1:7+1 \"A\" is not the word ALIAS"),
        (format!("a A ( {weighted}\n192.0.2.1 ) {weighted}\n"), "2:14+47 the record has two AWS comments"),
        (format!("$TTL 5 {weighted}\n"), "1:9+47 a directive has no routing"),
    ] {
        let (_, problems) = read_with(format!("{text}$TTL 60\n").as_bytes(), &[]);
        let found: Vec<String> = problems
            .iter()
            .map(|problem| format!("{}:{}+{} {}", problem.at.line, problem.at.column, problem.at.length, problem.what))
            .filter(|text| !text.contains("no TTL is given"))
            .collect();
        assert_eq!(found, [problem], "{text}");
    }
}

#[test]
fn parentheses_left_open_take_linear_time() {
    let text = "a A (\n".repeat(200_000);
    let (_, problems) = read_with(text.as_bytes(), &[]);
    assert_eq!(problems.errors(), 50);
}

fn same_sets(a: &ZoneData, b: &ZoneData) -> bool {
    let key = |zone: &ZoneData| -> Vec<_> {
        let sets = zone.record_sets.iter();
        sets.map(|set| {
            (
                set.name.clone(),
                set.rtype,
                set.identifier.clone(),
                set.routing.clone(),
                set.health_check.clone(),
                set.body.clone(),
            )
        })
        .collect()
    };
    key(a) == key(b)
}

/// Lines that are nearly right, so that they reach far into the readers.
fn zone_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "a",
            "@",
            "b.c.",
            "*",
            "60",
            "1h",
            "IN",
            "A",
            "AAAA",
            "TXT",
            "MX",
            "NSEC",
            "SVCB",
            "LOC",
            "AWS",
            "ALIAS",
            "$self",
            "true",
            "192.0.2.1",
            "::1",
            "10",
            "\"x y\"",
            "\\065",
            "(",
            ")",
            "\n",
            "\n",
            "\n ",
            ";",
            "$TTL",
            "$ORIGIN",
            "$INCLUDE",
            "$GENERATE",
            "1-3",
            "a$",
            "${0,3,n}",
            "\"",
            "\\",
            "\\#",
            "4",
            "c0000201",
            "TYPE99",
            "inc",
            "\r\n",
            "; AWS routing=\"MULTIVALUE\" identifier=\"i\"\n",
            "; AWS healthCheckId=\"h\"\n",
            "; AWS hostedzone name=\"x.\" private=true vpcs=\"v\"\n",
        ])
        .prop_map(String::from),
        "\\PC{0,3}",
    ];
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_with(&bytes, &[]);
    }

    #[test]
    fn what_is_read_prints_and_reads_back(text in zone_text()) {
        let (zone, problems) = read_with(text.as_bytes(), &[("inc", "a A 192.0.2.1\n$INCLUDE inc\n")]);
        for problem in problems.iter() {
            prop_assert!(problem.at.column >= 1 && problem.at.line >= 1);
            prop_assert!(problem.at.line as usize <= text.lines().count() + 1, "{}", problem);
        }
        let printed = print(&zone);
        let (again, problems) = read_with(printed.as_bytes(), &[]);
        prop_assert!(problems.is_empty(), "{}\n{}", printed, listed(&problems).join("\n"));
        prop_assert_eq!(lines(&again), lines(&zone));
        prop_assert!(same_sets(&zone, &again), "{}", printed);
    }
}
