//! Front door: what the AWS CLI dumps, and the TOML files that say the same, to the model.
//!
//! JSON and TOML are read into one tree that knows its places in the file; everything else works on the tree.

pub mod cidr_collections;
pub mod document;
pub mod health_check_tags;
pub mod health_checks;
pub mod json;
pub mod octal;
pub mod record_sets;
pub mod toml;
pub mod tree;
pub mod vpcs;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Limits, Shared, validate};
    use crate::problem::Problems;
    use crate::wire::name::Name;

    const SEEDS: [&str; 5] = [
        r#"{"HostedZone": {"Name": "example.com.", "Config": {"PrivateZone": true}}, "VPCs": [{"VPCRegion": "r", "VPCId": "v"}],
        "ResourceRecordSets": [{"Name": "\\052.example.com.", "Type": "TXT", "TTL": 60, "SetIdentifier": "a", "Weight": 1,
        "HealthCheckId": "h", "ResourceRecords": [{"Value": "\"a\\011\" \"b\""}]}, {"Name": "example.com", "Type": "A",
        "GeoLocation": {"CountryCode": "US", "SubdivisionCode": "CA"}, "SetIdentifier": "b", "AliasTarget":
        {"HostedZoneId": "Z", "DNSName": "example.com", "EvaluateTargetHealth": true}}]}"#,
        r#"{"HealthChecks": [{"Id": "h", "HealthCheckConfig": {"Type": "HTTP_STR_MATCH", "IPAddress": "::1", "Port": 80,
        "SearchString": "x", "Regions": ["us-east-1"], "RequestInterval": 10}}]}"#,
        r#"{"isps": {"CidrBlocks": [{"CidrBlock": "203.0.113.0/24", "LocationName": "kt"}]}}"#,
        "[health_check.a]\nat_least = 2\nof = ['a', 'b']\n[health_check.b]\ntype = 'TCP'\nport = 0x50\nip_address = '::1'\n",
        "[vpc.v]\nregion = 'r'\nnetworks = ['10.0.0.0/8', 'é']\n[cidr_collection.isps]\nkt = ['10.0.0.1/8']\n",
    ];

    fn read_as_everything(bytes: &[u8]) -> Problems {
        let mut problems = Problems::default();
        let file = || std::sync::Arc::from("f");
        for limits in [Limits::Route53, Limits::None] {
            let origin = Name::parse_absolute("example.com").ok();
            let dump = record_sets::read(origin, file(), bytes, limits, &mut problems);
            let mut checks = health_checks::read_json(file(), bytes, limits, &mut problems);
            checks.extend(health_checks::read_toml(file(), bytes, limits, &mut problems));
            validate::health_checks(&checks, limits, &mut problems);
            let mut collections = cidr_collections::read_json(file(), bytes, limits, &mut problems);
            collections.extend(cidr_collections::read_toml(file(), bytes, limits, &mut problems));
            let vpcs = vpcs::read_toml(file(), bytes, &mut problems);
            let shared = Shared { health_checks: checks, collections, vpcs };
            if let Some(mut dump) = dump {
                validate::record_sets(&mut dump.zone, &shared, limits, &mut problems);
            }
        }
        problems
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Whatever bytes a file holds, it is read to its end, and every problem has a place in it.
        #[test]
        fn damaged_files_end_in_problems(
            seed in 0..SEEDS.len(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, prop::sample::select(vec![
                &b""[..], b"\"", b"\\", b"{", b"]", b"\n", b",", b"\xff", b"\xc3\xa9", b"\\ud800", b"0", b"-1", b"null", b"\\400", b"..", b"''",
            ])), 0..4),
        ) {
            let mut bytes = SEEDS[seed].as_bytes().to_vec();
            for (at, cut, put) in damage {
                let start = at.index(bytes.len() + 1);
                let end = (start + cut).min(bytes.len());
                bytes.splice(start..end, put.iter().copied());
            }
            let lines = bytes.split(|&byte| byte == b'\n').count();
            for problem in read_as_everything(&bytes).iter() {
                prop_assert!((1..=lines).contains(&(problem.at.line as usize)), "{problem}");
                prop_assert!(problem.at.column >= 1 && problem.at.column as usize <= bytes.len() + 1, "{problem}");
            }
        }
    }
}
