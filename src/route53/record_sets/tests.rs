//! Dumps, and what is said about wrong ones.

use super::*;

fn dump(text: &str, limits: Limits) -> (Option<Dump>, Vec<String>) {
    let mut problems = Problems::default();
    let origin = Name::parse_absolute("example.com").unwrap();
    let dump = read(Some(origin), "z".into(), text.as_bytes(), limits, &mut problems);
    (dump, problems.iter().map(|problem| problem.to_string()).collect())
}

fn sets(text: &str) -> String {
    format!("{{\"ResourceRecordSets\": [\n{text}\n]}}")
}

#[test]
fn plain_records_come_with_their_lines() {
    let text = sets(
        r#"{"Name": "example.com.", "Type": "SOA", "TTL": 900, "ResourceRecords": [
  {"Value": "ns-1.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"}]},
{"Name": "\\052.Example.com.", "Type": "A", "TTL": 60, "ResourceRecords": [
  {"Value": "192.0.2.1"},
  {"Value": "192.0.2.2"}]},
{"Name": "t.example.com", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": "\"a;b\\011\" \"c\\\"d\""}]},
{"Name": "m.example.com", "Type": "MX", "TTL": 0, "ResourceRecords": [{"Value": "10 mail.example.com"}]}"#,
    );
    let (dump, problems) = dump(&text, Limits::Route53);
    assert_eq!(problems, [""; 0]);
    let zone = dump.unwrap().zone;
    let said: Vec<_> = zone.records.iter().skip(1).map(|record| (record.owner, record.rdata, record.line)).collect();
    let wildcard = b"\x01*\x07example\x03com\0".as_slice();
    assert_eq!(
        said,
        [
            (wildcard, [192, 0, 2, 1].as_slice(), 5),
            (wildcard, &[192, 0, 2, 2], 6),
            (b"\x01t\x07example\x03com\0", b"\x04a;b\x09\x03c\"d", 7),
            (b"\x01m\x07example\x03com\0", b"\0\x0a\x04mail\x07example\x03com\0", 8),
        ]
    );
}

#[test]
fn every_policy_is_read() {
    let us = *b"US";
    for (marker, routing) in [
        (r#""Weight": 70"#, Routing::Weighted { weight: 70 }),
        (r#""Failover": "SECONDARY""#, Routing::Failover(crate::model::record_set::Role::Secondary)),
        (r#""Region": "eu-west-1""#, Routing::Latency { region: "eu-west-1".into() }),
        (r#""GeoLocation": {"CountryCode": "*"}"#, Routing::Geolocation(Location::Default)),
        (
            r#""GeoLocation": {"CountryCode": "US", "SubdivisionCode": "CA"}"#,
            Routing::Geolocation(Location::Subdivision { country: us, subdivision: *b"CA" }),
        ),
        (
            r#""GeoProximityLocation": {"AWSRegion": "eu-west-1", "Bias": -20}"#,
            Routing::Geoproximity { point: Point::Region("eu-west-1".into()), bias: -20 },
        ),
        (
            r#""GeoProximityLocation": {"Coordinates": {"Latitude": "35.68", "Longitude": "-139.69"}}"#,
            Routing::Geoproximity { point: Point::Coordinates { latitude: 35.68, longitude: -139.69 }, bias: 0 },
        ),
        (
            r#""CidrRoutingConfig": {"CollectionId": "isps", "LocationName": "*"}"#,
            Routing::IpBased { collection: "isps".into(), location: crate::model::record_set::CidrLocation::Default },
        ),
        (r#""MultiValueAnswer": true"#, Routing::Multivalue),
    ] {
        let text = sets(&format!(
            r#"{{"Name": "a.example.com.", "Type": "A", "SetIdentifier": "one", {marker}, "HealthCheckId": "hc", "TTL": 60,
            "ResourceRecords": [{{"Value": "192.0.2.1"}}]}}"#
        ));
        let (dump, problems) = dump(&text, Limits::Route53);
        assert_eq!(problems, [""; 0]);
        let set = &dump.unwrap().zone.record_sets[0];
        assert_eq!(
            (&set.routing, set.identifier.as_deref(), set.health_check.as_deref()),
            (&routing, Some("one"), Some("hc"))
        );
        assert_eq!((set.at.line, set.at.column), (2, 1));
    }
}

#[test]
fn aliases_and_private_zones_are_read() {
    let text = r#"{"HostedZone": {"Id": "/hostedzone/Z1", "Name": "corp.example.", "Config": {"PrivateZone": true}},
"VPCs": [{"VPCRegion": "eu-west-1", "VPCId": "vpc-1"}],
"ResourceRecordSets": [{"Name": "corp.example.", "Type": "A",
 "AliasTarget": {"HostedZoneId": "Z1", "DNSName": "\\052.corp.example", "EvaluateTargetHealth": true}}]}"#;
    let (dump, problems) = dump(text, Limits::Route53);
    assert_eq!(problems, [""; 0]);
    let Dump { zone, vpcs } = dump.unwrap();
    assert_eq!(zone.origin.to_string(), "corp.example.");
    assert_eq!(zone.visibility, Visibility::Private(vec!["vpc-1".into()]));
    assert_eq!((&*vpcs[0].id, vpcs[0].region.as_deref()), ("vpc-1", Some("eu-west-1")));
    let Body::Alias(alias) = &zone.record_sets[0].body else { panic!() };
    assert_eq!(
        (alias.name.to_string().as_str(), &*alias.zone_id, alias.evaluate_target_health),
        ("*.corp.example.", "Z1", true)
    );
}

/// Printed as a zone file it would be two.
#[test]
fn a_vpc_id_of_two_words_is_refused() {
    let text = |id| {
        format!(
            r#"{{"HostedZone": {{"Name": "example.com.", "Config": {{"PrivateZone": true}}}},
"VPCs": [{{"VPCRegion": "eu-west-1", "VPCId": "{id}"}}], "ResourceRecordSets": []}}"#
        )
    };
    let problems = |id| dump(&text(id), Limits::Route53).1;
    assert!(problems("vpc-1").is_empty(), "{:?}", problems("vpc-1"));
    for id in ["vpc     -1", "vpc-1,vpc-2", "vpc\\\"", "vpc-é"] {
        assert!(problems(id).iter().any(|problem| problem.contains("is no VPC's id")), "{id}: {:?}", problems(id));
    }
}

#[test]
fn problems_name_their_place() {
    let a = r#""Name": "a.example.com.", "Type": "A""#;
    let body = r#""TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]"#;
    let text = |value| {
        format!(r#"{{"Name": "a.example.com.", "Type": "TXT", "TTL": 1, "ResourceRecords": [{{"Value": "{value}"}}]}}"#)
    };
    for (set, blamed, said) in [
        (format!(r#"{{"Name": "a.example.org.", "Type": "A", {body}}}"#), "{", "outside the zone"),
        (format!(r#"{{"Name": "\\400.example.com.", "Type": "A", {body}}}"#), r#""\\4"#, "octal"),
        (format!(r#"{{"Name": "a.example.com.", "Type": "AX", {body}}}"#), r#""AX""#, "write one of SOA, A"),
        (format!(r#"{{{a}, "TTL": 60}}"#), "{", "neither"),
        (format!(r#"{{{a}, "ResourceRecords": [{{"Value": "192.0.2.1"}}]}}"#), "{", "no TTL"),
        (format!(r#"{{{a}, "TTL": -1, "ResourceRecords": [{{"Value": "192.0.2.1"}}]}}"#), "-1", "2147483647"),
        (format!(r#"{{{a}, "TTL": 1, "ResourceRecords": [{{"Value": "192.0.2"}}]}}"#), r#""192"#, "not the data"),
        (format!(r#"{{{a}, {body}, "Wieght": 1}}"#), r#""Wieght""#, "did you mean \"Weight\"?"),
        (format!(r#"{{{a}, {body}, "Weight": 1}}"#), "{", "no SetIdentifier"),
        (format!(r#"{{{a}, {body}, "Weight": 256, "SetIdentifier": "x"}}"#), "256", "0 to 255"),
        (
            format!(r#"{{{a}, {body}, "Weight": 1, "Region": "r1", "SetIdentifier": "x"}}"#),
            r#""r1""#,
            "Region stands beside Weight",
        ),
        (format!(r#"{{{a}, {body}, "SetIdentifier": "x"}}"#), r#""x""#, "a simple record set has"),
        (
            format!(r#"{{{a}, "AliasTarget": {{"HostedZoneId": "Z", "DNSName": "b"}}}}"#),
            r#"{"Host"#,
            "no EvaluateTargetHealth",
        ),
        (
            format!(
                r#"{{{a}, "AliasTarget": {{"HostedZoneId": " Z", "DNSName": "b", "EvaluateTargetHealth": true}}}}"#
            ),
            r#"" Z""#,
            "is no hosted zone's id",
        ),
        (format!(r#"{{{a}, {body}, "AliasTarget": {{ }}}}"#), "{ }", "beside ResourceRecords"),
        (text("v=spf1; x"), r#""v="#, "outside quotes"),
        (text("x"), r#""x""#, "in quotes"),
        (format!(r#"{{{a}, "TTL": 1, "TrafficPolicyInstanceId": "x"}}"#), r#""x""#, "warning: this name is not served"),
    ] {
        let (_, problems) = dump(&sets(&set), Limits::Route53);
        let wanted = format!("z:2:{}: ", set.find(blamed).unwrap() + 1);
        assert!(
            problems.iter().any(|one| one.starts_with(&wanted) && one.contains(said)),
            "{set}: {wanted} {problems:?}"
        );
    }
    for (text, said) in [("{", "not JSON"), ("[]", "write a table"), ("{}", "no ResourceRecordSets")] {
        let (_, problems) = dump(text, Limits::Route53);
        assert!(problems.iter().any(|one| one.contains(said)), "{text}: {problems:?}");
    }
}

#[test]
fn a_large_dump_in_one_line_reads_in_linear_time() {
    let one = r#"{"Name": "é.example.com.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}"#;
    let text = format!("{{\"ResourceRecordSets\": [{}]}}", vec![one; 8000].join(","));
    let (_, problems) = dump(&text, Limits::Route53);
    assert_eq!(problems.len(), 8000);
    let column = "{\"ResourceRecordSets\": [".len() + 7999 * (one.chars().count() + 1) + 10;
    assert!(problems[7999].starts_with(&format!("z:1:{column}: ")), "{}", problems[7999]);
}
