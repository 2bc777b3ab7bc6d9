//! A zone as the AWS CLI dumps it, `aws route53 list-resource-record-sets`: 10,000 record sets, every policy.
//!
//! `FINGERPOST_DUMP=FOLDER` keeps the folder, for measuring: `fingerpost check --zones FOLDER`.

use std::fs;
use std::path::Path;
use std::time::Instant;

use fingerpost::geo::{GeoFile, Geography};
use fingerpost::io::folder;
use fingerpost::model::Limits;
use fingerpost::tell::{self, Request};
use serde_json::{Map, Value, json};

use crate::server::Server;
use crate::settings;

/// Route 53's quota for one zone.
const RECORD_SETS: usize = 10_000;
const CHECK: &str = "abcdef11-2222-3333-4444-555555fedcba";
const COLLECTION: &str = "c8c02a84-aaaa-bbbb-e0d2-d833a2f80106";

/// A record set with the keys in the CLI's order: `more` before the TTL, values or an alias after it.
fn record_set(name: &str, rtype: &str, more: Value, body: Value, check: bool) -> Value {
    let mut set = Map::new();
    set.insert("Name".into(), format!("{name}example.com.").into());
    set.insert("Type".into(), rtype.into());
    for part in [more, body] {
        let Value::Object(fields) = part else { panic!("fields") };
        set.extend(fields);
    }
    if check {
        set.insert("HealthCheckId".into(), CHECK.into());
    }
    Value::Object(set)
}

fn values(ttl: u32, values: &[&str]) -> Value {
    let values: Vec<Value> = values.iter().map(|value| json!({ "Value": value })).collect();
    json!({ "TTL": ttl, "ResourceRecords": values })
}

fn alias(target: &str, evaluates: bool) -> Value {
    let target = json!({
        "HostedZoneId": "Z1D633PJN98FT9", "DNSName": format!("{target}example.com."), "EvaluateTargetHealth": evaluates,
    });
    json!({ "AliasTarget": target })
}

/// The record sets of one name, each time of another policy.
fn group(number: usize) -> Vec<Value> {
    let name = format!("n{number}.");
    let address = |member: usize| format!("10.{}.{}.{member}", number >> 8, number & 255);
    let members = |more: &[Value], body: &dyn Fn(usize) -> Value| -> Vec<Value> {
        let numbered = more.iter().enumerate().map(|(member, more)| {
            let mut fields = json!({ "SetIdentifier": format!("member {member}") });
            fields.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
            record_set(&name, "A", fields, body(member), member == 0)
        });
        numbered.collect()
    };
    let own = |member: usize| values(60, &[&address(member)]);
    match number % 10 {
        0 => vec![record_set(&name, "A", json!({}), values(300, &[&address(1), &address(2)]), false)],
        1 => members(&[json!({ "Weight": 3 }), json!({ "Weight": 1 }), json!({ "Weight": 0 })], &own),
        2 => members(&[json!({ "Region": "eu-central-1" }), json!({ "Region": "us-east-1" })], &own),
        3 => members(
            &[
                json!({ "GeoLocation": { "ContinentCode": "EU" } }),
                json!({ "GeoLocation": { "CountryCode": "US" } }),
                json!({ "GeoLocation": { "CountryCode": "US", "SubdivisionCode": "CA" } }),
                json!({ "GeoLocation": { "CountryCode": "*" } }),
            ],
            &own,
        ),
        4 => members(&[json!({ "Failover": "PRIMARY" }), json!({ "Failover": "SECONDARY" })], &own),
        5 => members(&[json!({ "MultiValueAnswer": true }), json!({ "MultiValueAnswer": true })], &own),
        6 => members(
            &[
                json!({ "CidrRoutingConfig": { "CollectionId": COLLECTION, "LocationName": "office" } }),
                json!({ "CidrRoutingConfig": { "CollectionId": COLLECTION, "LocationName": "*" } }),
            ],
            &own,
        ),
        7 => members(
            &[
                json!({ "GeoProximityLocation": { "AWSRegion": "eu-central-1", "Bias": -10 } }),
                json!({ "GeoProximityLocation": {
                    "Coordinates": { "Latitude": "37.77", "Longitude": "-122.42" }, "Bias": 0 } }),
                json!({ "GeoProximityLocation": { "LocalZoneGroup": "us-east-1-bue-1", "Bias": 0 } }),
            ],
            &own,
        ),
        // A tree: aliases to the weighted group before, and to the simple one.
        8 => members(&[json!({ "Failover": "PRIMARY" }), json!({ "Failover": "SECONDARY" })], &|member| {
            alias(&format!("n{}.", number - if member == 0 { 7 } else { 8 }), true)
        }),
        _ => vec![
            record_set(&format!("\\052.{name}"), "A", json!({}), alias(&format!("n{}.", number - 9), false), false),
            record_set(&name, "TXT", json!({}), values(60, &["\"v=spf1 -all\" \"\\\"quoted\\\"\""]), false),
            record_set(&name, "MX", json!({}), values(60, &["10 mail.example.com", "20 mail.example.net."]), false),
        ],
    }
}

fn record_sets() -> Vec<Value> {
    let servers = ["ns-2048.awsdns-64.com.", "ns-2049.awsdns-65.net."];
    let soa = "ns-2048.awsdns-64.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400";
    let mut sets = vec![
        record_set("", "NS", json!({}), values(172_800, &servers), false),
        record_set("", "SOA", json!({}), values(900, &[soa]), false),
    ];
    sets.extend((0..).flat_map(group).take(RECORD_SETS - sets.len()));
    sets
}

fn write(folder: &Path) {
    let file = |name: &str, value: Value| {
        let mut text = serde_json::to_string_pretty(&value).expect("plain data");
        text.push('\n');
        fs::write(folder.join(name), text).expect("a file");
    };
    file("example.com.json", json!({ "ResourceRecordSets": record_sets() }));
    let config = json!({
        "IPAddress": "192.0.2.44", "Port": 80, "Type": "HTTP", "ResourcePath": "/", "RequestInterval": 30,
        "FailureThreshold": 3, "MeasureLatency": false, "Inverted": false, "Disabled": false, "EnableSNI": false,
    });
    let check = json!({
        "Id": CHECK, "CallerReference": "2014-07-01T12:00:00", "HealthCheckConfig": config, "HealthCheckVersion": 1,
    });
    file("health-checks.json", json!({ "HealthChecks": [check] }));
    let blocks = [json!({ "CidrBlock": "203.0.113.0/24", "LocationName": "office" })];
    file("cidr-collections.json", json!({ COLLECTION: { "CidrBlocks": blocks } }));
}

#[test]
fn a_dump_of_ten_thousand_record_sets_loads_and_answers() {
    let temporary = tempfile::tempdir().expect("a folder");
    let kept = std::env::var_os("FINGERPOST_DUMP");
    let folder = kept.as_ref().map_or(temporary.path(), Path::new);
    fs::create_dir_all(folder).expect("a folder");
    write(folder);
    let began = Instant::now();
    let loaded = folder::load(folder, Limits::default(), &|_, _| ()).expect("the folder just written");
    let sets: usize =
        loaded.zones.iter().filter_map(|zone| zone.built.as_ref()).map(|zone| zone.data.record_sets.len()).sum();
    let records: usize =
        loaded.zones.iter().filter_map(|zone| zone.built.as_ref()).map(|zone| zone.data.records.len()).sum();
    let zones = loaded.zones.into_iter().filter_map(|zone| zone.built).map(|zone| zone.data).collect();
    let rows = "network,country,subdivision\n198.51.100.0/24,DE,\n192.0.2.0/24,US,CA\n";
    let (geography, problems) =
        Geography::build(vec![GeoFile { name: "places.csv".into(), bytes: rows.as_bytes().to_vec() }]);
    assert_eq!((loaded.problems.errors(), problems.errors()), (0, 0));
    let server = Server::with(zones, loaded.shared, geography, settings::quiet(), loaded.problems);
    println!("{sets} record sets and {records} records loaded in {:?}", began.elapsed());
    assert_eq!(server.problems.errors(), 0, "{:#?}", server.problem_lines());
    assert!(sets > 8000 && sets + records >= RECORD_SETS, "{sets} record sets, {records} records");
    let odds = |name: &str, rtype: &str, from: &str| {
        let request = Request::read(&format!("{name}.example.com"), rtype, Some(from), None).expect("a question");
        let told = tell::odds(&server.snapshot, &request).unwrap_or_else(|refused| panic!("{refused}"));
        let record = |odds: &tell::odds::RecordOdds| format!("{} {}", odds.share, odds.record.data());
        told.records.iter().map(record).collect::<Vec<_>>().join(", ")
    };
    let (germany, california, office) = ("198.51.100.7", "192.0.2.7", "203.0.113.0/24");
    for (name, rtype, from, expected) in [
        ("n10", "A", germany, "1 10.0.10.1, 1 10.0.10.2"),
        ("n11", "A", germany, "3/4 10.0.11.0, 1/4 10.0.11.1"),
        ("n12", "A", germany, "1 10.0.12.0"),
        ("n12", "A", california, "1 10.0.12.1"),
        ("n13", "A", germany, "1 10.0.13.0"),
        ("n13", "A", california, "1 10.0.13.2"),
        ("n13", "A", office, "1 10.0.13.3"),
        ("n14", "A", germany, "1 10.0.14.0"),
        ("n15", "A", germany, "1 10.0.15.0, 1 10.0.15.1"),
        ("n16", "A", germany, "1 10.0.16.1"),
        ("n16", "A", office, "1 10.0.16.0"),
        ("n17", "A", germany, "1 10.0.17.0"),
        ("n17", "A", california, "1 10.0.17.1"),
        ("n18", "A", germany, "3/4 10.0.11.0, 1/4 10.0.11.1"),
        ("any.n19", "A", germany, "1 10.0.10.1, 1 10.0.10.2"),
        ("n19", "TXT", germany, "1 \"v=spf1 -all\" \"\\\"quoted\\\"\""),
        ("n19", "MX", germany, "1 10 mail.example.com., 1 20 mail.example.net."),
        ("n4011", "A", germany, "3/4 10.15.171.0, 1/4 10.15.171.1"),
    ] {
        assert_eq!(odds(name, rtype, from), expected, "{name} {rtype} from {from}");
    }
}
