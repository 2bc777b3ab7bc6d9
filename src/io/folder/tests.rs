//! Folders made for the occasion, loaded and loaded again.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Mutex;

use super::*;
use crate::model::Limits;

struct Zones {
    dir: tempfile::TempDir,
}

impl Zones {
    fn new(files: &[(&str, &str)]) -> Zones {
        let zones = Zones { dir: tempfile::tempdir().unwrap() };
        files.iter().for_each(|(name, text)| zones.write(name, text));
        zones
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("zones")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn load(&self) -> Folder<LoadedZone> {
        load(&self.path(), Limits::Route53, &|_, _| {}).unwrap()
    }

    /// Loads what changed, and tells which zones were built.
    fn reload(&self, seen: &Seen) -> (Folder<Name>, Vec<String>) {
        let built = Mutex::new(BTreeSet::new());
        let build = |zone: &mut LoadedZone, _: &Shared, _: &mut Problems| {
            built.lock().unwrap().insert(zone.data.origin.to_string());
            Some(zone.data.origin.clone())
        };
        let folder =
            load_with(&self.path(), Limits::Route53.into(), None, seen, &NoMemory, &|_, _| {}, &build).unwrap();
        (folder, built.into_inner().unwrap().into_iter().collect())
    }

    /// The errors, file names from the folder on.
    fn errors<T>(&self, folder: &Folder<T>) -> Vec<String> {
        let prefix = format!("{}/", self.path().display());
        let errors = folder.problems.iter().filter(|problem| problem.severity == crate::problem::Severity::Error);
        errors.map(|problem| problem.to_string().replace(&prefix, "")).collect()
    }
}

const ZONE: &str = "@ 60 IN SOA ns. host. 1 2 3 4 5\n@ 60 IN NS ns.\nwww 60 IN A 192.0.2.1\n";

fn origins<T>(folder: &Folder<T>) -> Vec<String> {
    (0..folder.zones.len()).map(|place| folder.seen.zone(place).0.to_string()).collect()
}

fn states<T>(folder: &Folder<T>) -> Vec<State> {
    folder.zones.iter().map(|zone| zone.state).collect()
}

#[test]
fn file_names_say_which_zones_there_are() {
    let json = r#"{"ResourceRecordSets": []}"#;
    let zones = Zones::new(&[
        ("Example.COM.zone", ZONE),
        ("@.zone", ZONE),
        (r"0\04725.2.0.192.in-addr.arpa.zone", ZONE),
        ("aws.example.json", json),
        ("README.md", "x"),
        ("a.test.toml", "x"),
        (".hidden.zone", "x"),
        ("example.org.zone~", "x"),
        ("included.inc", "x"),
        ("folder.zone/x", "x"),
    ]);
    let folder = zones.load();
    assert_eq!(zones.errors(&folder), [""; 0]);
    assert_eq!(origins(&folder), ["0/25.2.0.192.in-addr.arpa.", ".", "example.com.", "aws.example."]);
    assert_eq!(states(&folder), [State::Loaded; 4]);
    let www = &folder.zones[2].built.as_ref().unwrap().data;
    assert_eq!(www.records.len(), 3);

    let root = Zones::new(&[(".zone", ZONE)]);
    assert_eq!(origins(&root.load()), ["."]);
    let missing = load(Path::new("/nowhere/zones"), Limits::Route53, &|_, _| {}).err().unwrap();
    assert!(missing.to_string().starts_with("/nowhere/zones:1:1: error: the folder cannot be read: "));
}

#[test]
fn shared_files_are_read_from_both_languages() {
    let zones = Zones::new(&[
        ("health-checks.toml", "[health_check.a]\ntype = 'TCP'\nip_address = '127.0.0.1'\nport = 1\n"),
        (
            "health-checks.json",
            r#"{"HealthChecks": [{"Id": "b", "HealthCheckConfig": {"Type": "HTTP", "IPAddress": "127.0.0.1"}}]}"#,
        ),
        ("cidr-collections.toml", "[cidr_collection.isps]\nkt = ['10.0.0.0/8']\n"),
        ("cidr-collections.json", r#"{"more": {"CidrBlocks": []}}"#),
        ("vpcs.toml", "[vpc.vpc-1]\nnetworks = ['10.0.0.0/8']\n"),
        (
            "corp.json",
            r#"{"HostedZone": {"Name": "corp.", "Config": {"PrivateZone": true}},
                "VPCs": [{"VPCId": "vpc-1", "VPCRegion": "eu-west-1"}], "ResourceRecordSets": []}"#,
        ),
    ]);
    let folder = zones.load();
    let Shared { health_checks, collections, vpcs } = &folder.shared;
    assert_eq!(zones.errors(&folder), [""; 0]);
    assert_eq!(health_checks.keys().map(|id| &**id).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(collections.keys().map(|id| &**id).collect::<Vec<_>>(), ["isps", "more"]);
    let vpc = &vpcs["vpc-1"];
    assert_eq!((vpc.region.as_deref(), vpc.networks.len()), (Some("eu-west-1"), 1));

    zones.write("vpcs.toml", "[vpc.vpc-1]\nregion = 'us-east-1'\n");
    let (folder, _) = zones.reload(&folder.seen);
    assert!(zones.errors(&folder)[0].starts_with("corp.json:2:"), "{:?}", zones.errors(&folder));
    assert_eq!(states(&folder), [State::Failed]);
}

#[test]
fn only_what_changed_is_read_again() {
    let zones =
        Zones::new(&[("a.zone", ZONE), ("b.zone", &format!("{ZONE}$INCLUDE inc/b\n")), ("inc/b", "x A 192.0.2.2\n")]);
    let (first, built) = zones.reload(&Seen::default());
    assert_eq!((built, zones.errors(&first)), (vec!["a.".to_string(), "b.".to_string()], vec![]));

    let (second, built) = zones.reload(&first.seen);
    assert_eq!((built, states(&second)), (vec![], vec![State::Unchanged; 2]));

    zones.write("inc/b", "xx A 192.0.2.2\n");
    let (third, built) = zones.reload(&second.seen);
    assert_eq!((built, states(&third)), (vec!["b.".to_string()], vec![State::Unchanged, State::Loaded]));

    zones.write("a.zone", "@ 60 IN SOA nonsense\n");
    let (broken, _) = zones.reload(&third.seen);
    assert_eq!(states(&broken), [State::Failed, State::Unchanged]);
    let (still, built) = zones.reload(&broken.seen);
    assert_eq!((built, states(&still)), (vec![], vec![State::Failed, State::Unchanged]));
    assert_eq!(zones.errors(&still), zones.errors(&broken));

    fs::remove_file(zones.path().join("inc/b")).unwrap();
    zones.write("a.zone", ZONE);
    let (gone, _) = zones.reload(&still.seen);
    assert_eq!(states(&gone), [State::Loaded, State::Failed]);
    zones.write("inc/b", "x A 192.0.2.2\n");
    let (back, _) = zones.reload(&gone.seen);
    assert_eq!(states(&back), [State::Unchanged, State::Loaded]);

    zones.write("health-checks.toml", "[health_check.a]\ntype = 'TCP'\nip_address = '127.0.0.1'\nport = 1\n");
    let (shared, built) = zones.reload(&back.seen);
    assert_eq!((built.len(), shared.shared.health_checks.len()), (2, 1));

    zones.write("health-checks.toml", "[health_check.a");
    let (kept, _) = zones.reload(&shared.seen);
    assert!(kept.shared_failed && kept.problems.errors() == 1);
    assert_eq!(kept.shared.health_checks.len(), 1, "the last good ones stay");
}

#[test]
fn problems_show_their_line() {
    let zones = Zones::new(&[("a.zone", &format!("{ZONE}x A 192.0.2.1 ; AWS healthCheckId=\"gone\"\n"))]);
    let folder = zones.load();
    let lines: Vec<_> = folder.problems.iter().map(|problem| problem.excerpt.as_deref()).collect();
    assert_eq!(lines, [Some("x A 192.0.2.1 ; AWS healthCheckId=\"gone\"")]);
}

#[test]
fn a_dump_as_large_as_route_53_allows_loads() {
    let set = |number: usize| {
        format!(
            r#"{{"Name": "n{}.example.com.", "Type": "A", "SetIdentifier": "s{number}", "Weight": 1, "TTL": 60,
              "ResourceRecords": [{{"Value": "192.0.2.{}"}}], "HealthCheckId": "gone"}}"#,
            number / 50,
            number % 256
        )
    };
    let sets = (0..10_000).map(set).collect::<Vec<_>>().join(",");
    let zones = Zones::new(&[("example.com.json", &format!("{{\"ResourceRecordSets\": [{sets}]}}"))]);
    let folder = zones.load();
    assert_eq!(zones.errors(&folder), [""; 0]);
    assert_eq!(folder.zones[0].built.as_ref().unwrap().data.record_sets.len(), 10_000);
}

#[test]
fn files_that_name_one_zone_in_two_ways_are_told() {
    let zones = Zones::new(&[("Example.com.zone", ZONE), ("example.com.zone", ZONE), ("other.zone", ZONE)]);
    let folder = zones.load();
    assert_eq!(states(&folder), [State::Loaded, State::Failed, State::Loaded]);
    assert!(zones.errors(&folder)[0].contains("is claimed by"), "{:?}", zones.errors(&folder));
}

#[test]
fn one_zone_belongs_to_one_file() {
    let private = |vpc: &str| format!("; AWS hostedzone name=\"example.com\" private=true vpcs=\"{vpc}\"\n{ZONE}");
    let zones = Zones::new(&[
        ("example.com.json", r#"{"ResourceRecordSets": []}"#),
        ("example.com.zone", ZONE),
        ("inside.zone", &private("vpc-1 vpc-2")),
        ("other.zone", &private("vpc-3")),
        ("third.zone", &private("vpc-2")),
    ]);
    let (folder, _) = zones.reload(&Seen::default());
    use State::{Failed, Loaded, Unchanged};
    assert_eq!(states(&folder), [Loaded, Failed, Loaded, Loaded, Failed]);
    let errors = zones.errors(&folder);
    assert!(errors[0].starts_with("example.com.zone:1:1: error: the zone example.com. is claimed by "), "{errors:?}");
    assert!(errors[1].contains("claimed by") && errors[1].contains("inside.zone"), "{errors:?}");

    fs::remove_file(zones.path().join("example.com.json")).unwrap();
    let (folder, _) = zones.reload(&folder.seen);
    assert_eq!(states(&folder), [Loaded, Unchanged, Unchanged, Failed], "what could not be served then can now");
}

#[test]
fn includes_stay_inside() {
    let zones = Zones::new(&[
        ("a.zone", &format!("{ZONE}$INCLUDE ../outside\n")),
        ("b.zone", &format!("{ZONE}$INCLUDE sly\n")),
        ("c.zone", &format!("{ZONE}$INCLUDE /etc/hostname\n")),
        ("d.zone", &format!("{ZONE}$INCLUDE inc/d\n")),
        ("e.zone", &format!("{ZONE}$INCLUDE nowhere\n")),
        ("inc/d", "$INCLUDE e\n"),
        ("inc/e", "e A 192.0.2.1\n"),
        ("../outside", "out A 192.0.2.1\n"),
    ]);
    symlink("../outside", zones.path().join("sly")).unwrap();
    let folder = zones.load();
    let errors = zones.errors(&folder);
    assert_eq!(errors.len(), 4, "{errors:#?}");
    for (error, (file, said)) in errors.iter().zip([
        ("a.zone:4:", "outside"),
        ("b.zone:4:", "outside"),
        ("c.zone:4:", "outside"),
        ("e.zone:4:", "No such file"),
    ]) {
        assert!(error.starts_with(file) && error.contains(said), "{error}");
    }
    assert_eq!(folder.zones[3].built.as_ref().unwrap().data.records.len(), 4);
}

#[test]
fn links_are_followed_and_what_is_no_file_is_not_read() {
    let zones = Zones::new(&[("a.zone", ZONE), ("../elsewhere", ZONE), ("empty.zone", ""), ("..b.zone", ZONE)]);
    symlink("../elsewhere", zones.path().join("linked.zone")).unwrap();
    symlink("gone", zones.path().join("dangling.zone")).unwrap();
    symlink("/dev/zero", zones.path().join("device.zone")).unwrap();
    for file in ["health-checks.toml", "all.test.toml", "fifo.zone", "other"] {
        nix::unistd::mkfifo(&zones.path().join(file), nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    zones.write("not..a.name.zone", ZONE);
    let folder = zones.load();
    let irregular = folder.problems.iter().filter_map(|problem| problem.what.strip_suffix(" is not a regular file"));
    let irregular: BTreeSet<_> = irregular.collect();
    assert_eq!(irregular, BTreeSet::from(["all.test.toml", "device.zone", "fifo.zone", "health-checks.toml"]));
    assert_eq!(origins(&folder), ["a.", "dangling.", "empty.", "linked.", "."]);
    let errors = zones.errors(&folder);
    assert!(errors[0].contains("dangling.zone:1:1: error: the file cannot be read: No such file"), "{errors:?}");
    assert!(
        errors[1].contains("empty.zone:1:1: error: the file is empty") || errors[1].starts_with("empty.zone"),
        "{errors:?}"
    );
    assert!(errors[2].contains("not a zone's"), "{errors:?}");
    assert_eq!(errors.len(), 3, "{errors:?}");
}

#[test]
fn many_zones_come_in_order_and_progress_is_told() {
    let zones = Zones::new(&[]);
    for number in 0..500 {
        zones.write(&format!("z{number:03}.zone"), ZONE);
    }
    let last = Mutex::new((0, 0));
    let folder = load(&zones.path(), Limits::Route53, &|done, of| {
        let mut last = last.lock().unwrap();
        *last = (last.0.max(done), of);
    })
    .unwrap();
    assert_eq!(last.into_inner().unwrap(), (500, 500));
    let wanted: Vec<String> = (0..500).map(|number| format!("z{number:03}.")).collect();
    assert_eq!(origins(&folder), wanted);
}

#[test]
fn the_zone_files_of_the_design_and_of_cli53_load() {
    let design = r#"$TTL 60
@ IN SOA ns1 host 1 2 3 4 5
@ IN NS ns1
ns1 A 192.0.2.53
www   60 IN A 192.0.2.1 ; AWS routing="WEIGHTED" weight=70 identifier="blue" healthCheckId="blue-http"
www   60 IN A 192.0.2.9 ; AWS routing="WEIGHTED" weight=70 identifier="blue" healthCheckId="blue-http"
www   60 IN A 192.0.2.7 ; AWS routing="WEIGHTED" weight=30 identifier="green"
pair  60 IN A 192.0.2.2 ; AWS routing="FAILOVER" failover="PRIMARY" healthCheckId="blue-http" identifier="main"
fast  60 IN A 192.0.2.3 ; AWS routing="LATENCY" region="eu-west-1" identifier="dublin"
geo   60 IN A 192.0.2.4 ; AWS routing="GEOLOCATION" countryCode="US" subdivisionCode="CA" identifier="california"
near  60 IN A 192.0.2.5 ; AWS routing="GEOPROXIMITY" awsRegion="eu-west-1" bias=20 identifier="dublin"
near  60 IN A 192.0.2.6 ; AWS routing="GEOPROXIMITY" coordinates="35.68,139.69" identifier="tokyo"
isp   60 IN A 192.0.2.7 ; AWS routing="CIDR" collection="isps" location="kt" identifier="kt"
many  60 IN A 192.0.2.8 ; AWS routing="MULTIVALUE" identifier="one" healthCheckId="blue-http"
@     60 AWS ALIAS A www $self true
"#;
    let cli53 = r#"$ORIGIN example.com.
failover   300 IN A 127.0.0.1 ; AWS routing="FAILOVER" failover="PRIMARY" healthCheckId="blue-http" identifier="failover-Primary"
failover   300 IN A 127.0.0.2 ; AWS routing="FAILOVER" failover="SECONDARY" identifier="failover-Secondary"
geo        300 IN A 127.0.0.2 ; AWS routing="GEOLOCATION" continentCode="AF" identifier="Africa"
geo        300 IN A 127.0.0.1 ; AWS routing="GEOLOCATION" countryCode="GB" identifier="UK"
latency    300 IN A 127.0.0.1 ; AWS routing="LATENCY" region="us-west-1" identifier="USWest1"
weighted   300 IN A 127.0.0.1 ; AWS routing="WEIGHTED" weight=1 identifier="One"
multivalue 300 IN A 127.0.0.1 ; AWS routing="MULTIVALUE" identifier="One"
www        86400 IN  A 127.0.0.1
alias      86400 AWS ALIAS A www $self false
*          86400 IN  A 10.0.0.1
"#;
    let zones = Zones::new(&[
        ("design.example.zone", design),
        ("example.com.zone", cli53),
        (
            "health-checks.toml",
            "[health_check.blue-http]\ntype = 'HTTP'\nip_address = '192.0.2.1'\nrequest_interval = 10\n",
        ),
        ("cidr-collections.toml", "[cidr_collection.isps]\nkt = ['203.0.113.0/24', '2001:db8:100::/48']\n"),
    ]);
    let folder = zones.load();
    assert_eq!(zones.errors(&folder), [""; 0]);
    let sets = |zone: usize| folder.zones[zone].built.as_ref().map(|zone| zone.data.record_sets.len());
    assert_eq!((sets(0), sets(1)), (Some(10), Some(8)));
}
