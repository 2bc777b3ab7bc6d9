//! The pieces, each by itself: finding a name, placing a client, each policy's choice, reading zones and databases,
//! building, and what a flip of health changes.
//!
//! `cargo bench --bench pieces`, or with a word behind `--` only what has it in its name. Times on a shared machine
//! differ from run to run; the fastest column is the one to compare.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use fingerpost::dice::{Dice, Seeded};
use fingerpost::geo::{CidrMap, GeoFile, Geography};
use fingerpost::hands::Alone;
use fingerpost::model::record_set::{CidrLocation, Location, Point, Role, Routing};
use fingerpost::model::{CidrCollection, Limits, Shared};
use fingerpost::moment::Moment;
use fingerpost::policy::{self, MemberSet, Policy, Seen};
use fingerpost::problem::{At, Problems};
use fingerpost::route53::health_checks;
use fingerpost::snapshot::{Settings, Snapshot, Workshop};
use fingerpost::wire::hash::HashKey;
use fingerpost::wire::name::Name;
use fingerpost::wire::query::QueryName;
use fingerpost::zonefile::{self, Includes};

fn main() {
    divan::main();
}

/// So many different questions or clients are asked for in turn, so that caches hold no single answer.
const TURNS: usize = 1 << 14;

struct NoIncludes;

impl Includes for NoIncludes {
    fn read(&self, _path: &str, _from_file: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        Err("one file is enough here".into())
    }
}

/// A zone of this many names in the mixture of a company's: half A, the rest AAAA, MX, TXT and CNAME.
fn zone_text(names: u32) -> String {
    let mut text =
        "$TTL 3600\n@ IN SOA ns1 hostmaster 1 7200 3600 1209600 300\n@ IN NS ns1\nns1 IN A 192.0.2.1\n".to_string();
    for name in 0..names {
        let (high, low) = (name >> 8 & 255, name & 255);
        let data = match name % 20 {
            0..10 => format!("A 10.{}.{high}.{low}", name >> 16),
            10..13 => format!("AAAA 2001:db8::{:x}:{:x}", name >> 16, name & 0xffff),
            13..15 => format!("MX 10 host{}", name / 20 * 20),
            15..17 => format!("TXT \"v=spf1 ip4:10.{}.{high}.{low} -all\"", name >> 16),
            _ => format!("CNAME host{}", name / 20 * 20),
        };
        text.push_str(&format!("host{name} IN {data}\n"));
    }
    text
}

fn origin() -> Name {
    Name::parse_absolute("example.com.").expect("a name")
}

fn parse(text: &str) -> fingerpost::model::ZoneData {
    zonefile::parse(&origin(), "zone".into(), text.as_bytes(), &NoIncludes, &mut Problems::default())
}

#[divan::bench(args = [1_000, 100_000, 1_000_000])]
fn find_a_name(bencher: Bencher, names: u32) {
    let zones = [parse(&zone_text(names))];
    let settings = Settings::modern();
    let snapshot = Snapshot::of(&zones, Shared::default(), Geography::empty(), settings, &mut Problems::default());
    let mut dice = Seeded::new(1);
    let asked: Vec<QueryName> = (0..TURNS)
        .map(|_| {
            let name = Name::parse_absolute(&format!("host{}.example.com.", dice.roll(names))).expect("a name");
            let mut asked = QueryName::new();
            asked.set(name.wire());
            asked
        })
        .collect();
    bencher.counter(ItemsCount::new(TURNS)).bench_local(|| {
        for name in &asked {
            let mut hashes = [0; fingerpost::wire::name::LABELS_MAX + 2];
            name.hashes(&snapshot.key, &mut hashes);
            let zone = snapshot.zones.find(name, &hashes, 0, None).expect("a zone");
            black_box(snapshot.image(zone).find(name.wire(), hashes[0]).expect("a name").at);
        }
    });
}

/// Reading text to records; compare with simdzone's and Knot's scanners in bytes a second.
#[divan::bench(args = [100_000])]
fn scan_a_zone(bencher: Bencher, names: u32) {
    let text = zone_text(names);
    bencher.counter(BytesCount::new(text.len())).bench_local(|| black_box(parse(&text).records.len()));
}

/// From records to what is served.
#[divan::bench(args = [100_000])]
fn build_a_zone(bencher: Bencher, names: u32) {
    let zone = parse(&zone_text(names));
    let (key, settings) = (HashKey::new([1; 4]), Settings::modern());
    let mut workshop = Workshop::default();
    let build = |mut zone| workshop.build(&mut zone, &key, &settings, &Alone, &mut Problems::default()).counts;
    bencher.counter(ItemsCount::new(names)).with_inputs(|| zone.clone()).bench_local_values(build);
}

/// So many groups of two members. All first members go by one check, or each by one of its own.
fn checked(groups: u32, checks: u32) -> Snapshot {
    let apex = "@ 60 IN SOA ns1 hostmaster 1 7200 3600 1209600 300\n@ 60 IN NS ns1\nns1 60 IN A 192.0.2.1\n";
    let groups = (0..groups).map(|group| {
        let check = group % checks;
        format!(
            "n{group} 60 A 192.0.2.1 ; AWS routing=\"FAILOVER\" failover=\"PRIMARY\" identifier=\"one\" \
             healthCheckId=\"c{check}\"\nn{group} 60 A 192.0.2.2 ; AWS routing=\"FAILOVER\" \
             failover=\"SECONDARY\" identifier=\"two\"\n"
        )
    });
    let zone = parse(&(apex.to_string() + &groups.collect::<String>()));
    let checks: String = (0..checks)
        .map(|check| {
            format!("[health_check.c{check}]\ntype = 'RECOVERY_CONTROL'\nrouting_control_arn = 'arn:{check}'\n")
        })
        .collect();
    let problems = &mut Problems::default();
    let health_checks = health_checks::read_toml("checks".into(), checks.as_bytes(), Limits::None, problems);
    let shared = Shared { health_checks, ..Shared::default() };
    Snapshot::of(&[zone], shared, Geography::empty(), Settings::modern(), problems)
}

/// One check turns: the snapshot that follows, of ten thousand groups.
#[divan::bench(args = [1, 10_000])]
fn flip_a_check(bencher: Bencher, checks: u32) {
    let snapshot = checked(10_000, checks);
    let mut verdicts = (*snapshot.verdicts).clone();
    verdicts.force("c0", Some(false), Moment(1)).expect("a check");
    let verdicts = Arc::new(verdicts);
    let flipped = snapshot.with_verdicts(verdicts.clone());
    assert_eq!(flipped.steered_otherwise(&snapshot).count() as u32, 10_000 / checks);
    bencher.bench_local(|| black_box(snapshot.with_verdicts(verdicts.clone())));
}

fn shipped(file: &str) -> GeoFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("geo").join(file);
    GeoFile { name: file.into(), bytes: std::fs::read(path).expect("the shipped geography") }
}

fn geography() -> Geography {
    let files = ["countries.ranges", "places.csv", "regions.csv", "latency.csv"];
    Geography::build(files.map(shipped).into()).0
}

fn clients() -> Vec<IpAddr> {
    let mut dice = Seeded::new(2);
    (0..TURNS).map(|_| Ipv4Addr::from_bits(dice.roll(0xe000_0000)).into()).collect()
}

/// Reading the shipped database of countries and laying out its ranges.
#[divan::bench(sample_count = 10)]
fn read_a_database(bencher: Bencher) {
    let size = shipped("countries.ranges").bytes.len();
    let build = |file| black_box(Geography::build(vec![file]).0.places());
    bencher.counter(BytesCount::new(size)).with_inputs(|| shipped("countries.ranges")).bench_local_values(build);
}

#[divan::bench]
fn place_a_client(bencher: Bencher) {
    let (geography, clients) = (geography(), clients());
    bencher.counter(ItemsCount::new(TURNS)).bench_local(|| {
        for &client in &clients {
            black_box(geography.locate(client));
        }
    });
}

const POLICIES: [&str; 8] =
    ["simple", "weighted", "failover", "latency", "geolocation", "geoproximity", "ip-based", "multivalue"];

/// Four members of a policy's kind; multivalue has eight.
fn members(policy: &str) -> Vec<Routing> {
    let regions = ["eu-west-1", "us-east-1", "ap-northeast-1", "sa-east-1"];
    let countries = [*b"DE", *b"US", *b"JP"].map(Location::Country);
    match policy {
        "simple" => vec![Routing::Simple],
        "weighted" => [10, 20, 30, 40].map(|weight| Routing::Weighted { weight }).into(),
        "failover" => [Role::Primary, Role::Secondary].map(Routing::Failover).into(),
        "latency" => regions.map(|region| Routing::Latency { region: region.into() }).into(),
        "geolocation" => countries.into_iter().chain([Location::Default]).map(Routing::Geolocation).collect(),
        "geoproximity" => {
            regions.map(|region| Routing::Geoproximity { point: Point::Region(region.into()), bias: 0 }).into()
        }
        "ip-based" => {
            let locations = ["one", "two", "three"].map(|name| CidrLocation::Named(name.into()));
            let of = |location| Routing::IpBased { collection: "isps".into(), location };
            locations.into_iter().chain([CidrLocation::Default]).map(of).collect()
        }
        _ => vec![Routing::Multivalue; 8],
    }
}

/// A thousand blocks in three places.
fn collection() -> CidrCollection {
    let mut dice = Seeded::new(3);
    let mut block = || format!("{}/24", Ipv4Addr::from_bits(dice.roll(0xe000_0000) & !255)).parse().expect("a block");
    let locations = ["one", "two", "three"].map(|name| (name.into(), (0..333).map(|_| block()).collect()));
    let at = At { file: "collection".into(), line: 1, column: 1, length: 0 };
    CidrCollection { name: "isps".into(), locations: locations.into(), at }
}

/// The choice alone: the client is placed already.
#[divan::bench(args = POLICIES)]
fn choose(bencher: Bencher, policy: &str) {
    let geography = geography();
    let collections = [("isps".into(), Arc::new(CidrMap::new(&collection())))].into();
    let with = policy::With { geography: &geography, collections: &collections, settings: policy::Settings::default() };
    let members = members(policy);
    let healthy = MemberSet::first_of(members.len());
    let policy = Policy::new(&members.iter().collect::<Vec<_>>(), &with).expect("a policy");
    let clients = clients();
    let seen: Vec<Seen> = clients.iter().map(|&client| Seen::client(&geography, client.into())).collect();
    let mut dice = Seeded::new(4);
    bencher.counter(ItemsCount::new(TURNS)).bench_local(|| {
        for seen in &seen {
            black_box(policy.choose(healthy, seen, &mut dice));
        }
    });
}
