//! Any bytes as a zone that the AWS CLI dumped: nothing panics, every problem has its place, and a zone without errors,
//! printed as a zone file and read again, is the same zone and answers.

use fingerpost::model::{Limits, Shared};
use fingerpost::problem::Problems;
use fingerpost::route53::record_sets;
use fingerpost::snapshot::settings::Settings;
use fingerpost::wire::name::Name;
use fingerpost::wire::rtype::Type;
use fingerpost::zonefile;

use super::{seeds, zonefile as zones};
use crate::message::{Ask, Reply};
use crate::server::{Server, Transport};

pub fn run(bytes: &[u8]) {
    let mut problems = Problems::default();
    let origin = Name::parse_absolute("example.com").expect("a name");
    let dump = record_sets::read(Some(origin), "fuzz".into(), bytes, Limits::Route53, &mut problems);
    seeds::all_inside(&problems, bytes);
    let Some(dump) = dump.filter(|_| problems.errors() == 0) else { return };
    let zone = dump.zone;
    let printed = zonefile::print(&zone);
    zones::same_again(&zone, &printed);

    let questions: Vec<(Name, Type)> =
        zone.record_sets.iter().map(|set| (set.name.clone(), set.rtype)).take(8).collect();
    let mut server =
        Server::with(vec![zone], Shared::default(), Default::default(), Settings::modern(), Problems::default());
    for (name, rtype) in questions {
        if let Some(reply) = server.ask(&Ask::new(&name, rtype).packet(), Transport::Tcp) {
            Reply::read(&reply).unwrap_or_else(|what| panic!("{name} {rtype}: {what}"));
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut dumps = seeds::files("zones", "json");
    let scenarios = seeds::scenario_files().into_iter().map(|(_, text)| text.into_bytes());
    dumps.extend(scenarios.filter(|text| text.windows(18).any(|window| window == b"ResourceRecordSets")));
    dumps.push(SEED.as_bytes().to_vec());
    dumps
}

/// One of everything.
const SEED: &str = r#"{"HostedZone": {"Id": "/hostedzone/Z1", "Name": "example.com.", "Config": {"PrivateZone": true}},
"VPCs": [{"VPCRegion": "eu-west-1", "VPCId": "vpc-1"}], "ResourceRecordSets": [
{"Name": "example.com.", "Type": "SOA", "TTL": 900, "ResourceRecords": [{"Value": "ns-1.example.net. hm.example.com. 1 7200 900 1209600 86400"}]},
{"Name": "\\052.example.com.", "Type": "TXT", "SetIdentifier": "a", "Weight": 1, "TTL": 60, "HealthCheckId": "h", "ResourceRecords": [{"Value": "\"a\\011\" \"b\""}]},
{"Name": "f.example.com.", "Type": "A", "SetIdentifier": "a", "Failover": "PRIMARY", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]},
{"Name": "l.example.com.", "Type": "A", "SetIdentifier": "a", "Region": "eu-west-1", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}, {"Value": "192.0.2.2"}]},
{"Name": "m.example.com.", "Type": "AAAA", "SetIdentifier": "a", "MultiValueAnswer": true, "TTL": 60, "ResourceRecords": [{"Value": "2001:db8::1"}]},
{"Name": "c.example.com.", "Type": "MX", "SetIdentifier": "a", "CidrRoutingConfig": {"CollectionId": "c", "LocationName": "*"}, "TTL": 60, "ResourceRecords": [{"Value": "10 mail"}]},
{"Name": "p.example.com.", "Type": "A", "SetIdentifier": "a", "GeoProximityLocation": {"Coordinates": {"Latitude": "37.77", "Longitude": "-122.42"}, "Bias": -9}, "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]},
{"Name": "g.example.com", "Type": "A", "GeoLocation": {"CountryCode": "US", "SubdivisionCode": "CA"}, "SetIdentifier": "b", "AliasTarget": {"HostedZoneId": "Z", "DNSName": "f.example.com", "EvaluateTargetHealth": true}}]}"#;
