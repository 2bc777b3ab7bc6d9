//! Zones and questions of every kind, always the same ones.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use fingerpost::geo::{GeoFile, Geography};
use fingerpost::model::{CidrCollection, Id, Shared};
use fingerpost::problem::{At, Problems};
use fingerpost::respond::{Arrival, TOGETHER, Transport, Worker, respond};
use fingerpost::snapshot::{Settings, Snapshot};
use fingerpost::wire::cookie::Secrets;
use fingerpost::wire::name::Name;
use fingerpost::zonefile::{self, Includes};

/// Names in a small zone, and in each with routing.
const NAMES_FEW: usize = 1000;
/// Different packets of one workload.
const PACKETS: usize = 1 << 10;
/// And of one whose zones don't fit a cache.
const PACKETS_LARGE: usize = 1 << 18;

/// All workloads that are counted, in order.
pub const NAMES: &[&str] = &[
    "plain",
    "plain-batch",
    "edns",
    "cookie",
    "mixed-case",
    "cname",
    "mx",
    "wildcard",
    "nxdomain",
    "nodata",
    "referral",
    "refused",
    "zones1k",
    "weighted",
    "failover",
    "multivalue",
    "alias",
    "geolocation",
    "geolocation-ecs",
    "latency-ecs",
    "geoproximity-ecs",
    "biased-ecs",
    "cidr",
    "cidr-ecs",
];

pub struct Workload {
    pub name: &'static str,
    /// How many queries are answered at once where instructions are counted.
    pub batch: usize,
    snapshot: Arc<Snapshot>,
    worker: Worker,
    packets: Packets,
    next: usize,
    reply: Vec<u8>,
}

impl Workload {
    /// Answers so many queries, `batch` at a time, as a UDP worker does. Each has a reply.
    pub fn ask(&mut self, count: usize, batch: usize) {
        let mut left = count;
        while left > 0 {
            let together = left.min(batch).min(TOGETHER);
            if together == 1 {
                let (source, packet) = self.packets.get(self.next);
                let arrival =
                    Arrival { packet, source, listener: None, transport: Transport::Udp, unix_time: 1_700_000_000 };
                assert!(respond(&self.snapshot, &arrival, &mut self.worker, &mut self.reply) > 12);
                self.next += 1;
                left -= 1;
                continue;
            }
            let mut packets = [(IpAddr::V4(Ipv4Addr::UNSPECIFIED), &[][..]); TOGETHER];
            for (place, at) in packets.iter_mut().enumerate().take(together) {
                *at = self.packets.get(self.next + place);
                self.worker.take(&self.snapshot, place, at.1);
            }
            self.worker.look_ahead(&self.snapshot, together);
            for (place, (source, packet)) in packets.into_iter().enumerate().take(together) {
                let arrival =
                    Arrival { packet, source, listener: None, transport: Transport::Udp, unix_time: 1_700_000_000 };
                let length = self.worker.reply(&self.snapshot, place, &arrival, &mut self.reply);
                assert!(length > 12);
            }
            self.next += together;
            left -= together;
        }
    }
}

/// Queries one behind the other, so that reading them costs no wait for memory, as where the kernel has just put them.
pub struct Packets {
    bytes: Vec<u8>,
    ends: Vec<(IpAddr, usize)>,
}

impl Packets {
    /// A query and who asks it; after the last comes the first.
    fn get(&self, number: usize) -> (IpAddr, &[u8]) {
        let number = number & (self.ends.len() - 1);
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before].1);
        let (source, end) = self.ends[number];
        (source, &self.bytes[start..end])
    }
}

/// Numbers that look random and are always the same (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ bits >> 31) % bound as u64) as usize
    }
}

struct NoIncludes;

impl Includes for NoIncludes {
    fn read(&self, path: &str, _: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        Err(format!("{path} is not to be read"))
    }
}

/// A snapshot of zones as text, by origin.
fn snapshot(zones: &[(String, String)], geography: Geography) -> Arc<Snapshot> {
    let mut problems = Problems::default();
    let zones: Vec<_> = zones
        .iter()
        .map(|(origin, text)| {
            let origin = Name::parse_absolute(origin).expect("an origin");
            zonefile::parse(&origin, Arc::from("bench"), text.as_bytes(), &NoIncludes, &mut problems)
        })
        .collect();
    let settings =
        Settings { cookie_secrets: Some(Secrets { current: [7; 16], previous: None }), ..Settings::modern() };
    let shared = Shared { collections: [("c".into(), collection())].into(), ..Shared::default() };
    let snapshot = Snapshot::of(&zones, shared, geography, settings, &mut problems);
    assert_eq!(problems.errors(), 0, "{:?}", problems.iter().map(|problem| problem.to_string()).next());
    Arc::new(snapshot)
}

const HEAD: &str = "$TTL 300\n@ IN SOA ns1 hostmaster 1 7200 3600 1209600 300\n@ IN NS ns1\nns1 IN A 192.0.2.1\n";
const COUNTRIES: [&str; 10] = ["US", "GB", "DE", "FR", "JP", "BR", "IN", "AU", "CA", "ZA"];
const REGIONS: [&str; 6] = ["us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "sa-east-1", "ap-southeast-2"];
/// Networks of 12 bits that have a place, and of 24 bits in a CIDR collection.
const PLACES: usize = 2048;
const BLOCKS: usize = 1000;

fn collection() -> CidrCollection {
    let mut random = Random(3);
    let mut locations = std::collections::BTreeMap::<Id, Vec<ipnet::IpNet>>::new();
    for block in 0..BLOCKS {
        let network = Ipv4Addr::new(11 + random.below(80) as u8, random.below(256) as u8, random.below(256) as u8, 0);
        let network = ipnet::IpNet::new(network.into(), 24).expect("a network");
        locations.entry(format!("l{}", block % 10).into()).or_default().push(network);
    }
    let at = At { file: Arc::from("bench"), line: 1, column: 1, length: 0 };
    CidrCollection { name: "c".into(), locations, at }
}

/// Countries dealt out over the networks between 1.0.0.0 and 223.255.255.255.
fn world() -> Geography {
    let mut random = Random(4);
    let mut places = String::from("network,continent,country,subdivision,latitude,longitude,region\n");
    for place in 0..PLACES {
        let (a, b) = (1 + place * 222 / PLACES, random.below(256));
        let _ = writeln!(places, "{a}.{b}.{}.0/20,,{},,,,", random.below(16) * 16, COUNTRIES[random.below(10)]);
    }
    let latency = include_bytes!("../../geo/latency.csv").to_vec();
    let files = [("places.csv", places.into_bytes()), ("latency.csv", latency)];
    let files = files.into_iter().map(|(name, bytes)| GeoFile { name: name.into(), bytes }).collect();
    Geography::build(files).0
}

/// The owner name of each record of a zone of this many.
fn label(number: usize) -> String {
    let mut random = Random(number as u64);
    let letters: String = (0..5 + random.below(10)).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
    format!("{letters}{number}")
}

/// A zone of this many names, one A record each, and some of every other kind.
fn plain(names: usize) -> Vec<(String, String)> {
    let mut text = String::from(HEAD);
    for number in 0..names {
        let label = label(number);
        let _ = writeln!(text, "{label} IN A 10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255);
        if number % 8 == 0 && number / 8 < NAMES_FEW {
            let _ = writeln!(text, "mx-{label} IN MX 10 {label}\nalso-{label} IN CNAME {label}");
            let _ = writeln!(text, "cut-{label} IN NS a.cut-{label}\ncut-{label} IN NS b.cut-{label}");
            let _ = writeln!(text, "a.cut-{label} IN A 192.0.2.3\nb.cut-{label} IN A 192.0.2.4");
        }
    }
    text += "*.wild IN A 192.0.2.9\n";
    vec![("example.com.".into(), text)]
}

/// A zone in which each name has the members that `member` writes for it.
fn routed(members: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let mut text = String::from(HEAD);
    (0..NAMES_FEW).for_each(|number| text += &members(&label(number)));
    vec![("example.com.".into(), text)]
}

fn many_zones(count: usize) -> Vec<(String, String)> {
    (0..count).map(|number| (format!("{}.com.", label(number)), format!("{HEAD}www IN A 192.0.2.7\n"))).collect()
}

/// How a workload asks.
#[derive(Clone, Copy, Default)]
struct Manner {
    rtype: u16,
    edns: bool,
    cookie: bool,
    /// With a network in EDNS Client Subnet: any, or mostly those of the collection.
    subnet: Option<bool>,
}

fn packets(count: usize, seed: u64, manner: Manner, name: impl Fn(&mut Random) -> String) -> Packets {
    let mut random = Random(seed);
    let blocks: Vec<ipnet::IpNet> = collection().locations.into_values().flatten().collect();
    let mut all = Packets { bytes: Vec::new(), ends: Vec::new() };
    for number in 0..count {
        let id = (number as u16).to_be_bytes();
        let mut options: Vec<u8> = Vec::new();
        if manner.cookie {
            options.extend([0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
        }
        let network = if random.below(10) < 8 && manner.subnet == Some(true) {
            blocks[random.below(blocks.len())].network()
        } else {
            let (a, b, c) = (1 + random.below(223) as u8, random.below(256) as u8, random.below(256) as u8);
            Ipv4Addr::new(a, b, c, 0).into()
        };
        if let (Some(_), IpAddr::V4(network)) = (manner.subnet, network) {
            options.extend([0, 8, 0, 7, 0, 1, 24, 0]);
            options.extend(&network.octets()[..3]);
        }
        let edns = manner.edns || !options.is_empty();
        let mut packet = vec![id[0], id[1], 0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)];
        for label in name(&mut random).split('.') {
            packet.push(label.len() as u8);
            packet.extend(label.bytes());
        }
        packet.push(0);
        packet.extend(manner.rtype.max(1).to_be_bytes());
        packet.extend([0, 1]);
        if edns {
            packet.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, options.len() as u8]);
            packet.extend(options);
        }
        all.bytes.extend(packet);
        all.ends.push((network, all.bytes.len()));
    }
    all
}

fn workload(name: &'static str, snapshot: &Arc<Snapshot>, packets: Packets) -> Workload {
    let batch = if name.ends_with("-batch") { 64 } else { 1 };
    Workload { name, batch, snapshot: snapshot.clone(), worker: Worker::new(1), packets, next: 0, reply: vec![0; 4096] }
}

/// The workloads that are counted, those whose names begin so, made one after the other.
pub fn all(prefix: &str) -> impl Iterator<Item = Workload> {
    NAMES.iter().filter(move |name| name.starts_with(prefix)).map(|name| make(name))
}

/// Workloads for timing alone: what is asked for is in no cache.
pub fn large(prefix: &str) -> impl Iterator<Item = Workload> {
    let names = [("names100k", 100_000), ("names1m", 1_000_000)];
    let of_names = names.into_iter().filter(move |(name, _)| name.starts_with(prefix)).map(|(name, count)| {
        let ask = |random: &mut Random| format!("{}.example.com", label(random.below(count)));
        workload(name, &snapshot(&plain(count), Geography::empty()), packets(PACKETS_LARGE, 1, Manner::default(), ask))
    });
    let zones = [("zones10k", 10_000), ("zones100k", 100_000)];
    let of_zones = zones.into_iter().filter(move |(name, _)| name.starts_with(prefix)).map(|(name, count)| {
        let ask = |random: &mut Random| format!("www.{}.com", label(random.below(count)));
        let snapshot = snapshot(&many_zones(count), Geography::empty());
        workload(name, &snapshot, packets(PACKETS_LARGE, 1, Manner::default(), ask))
    });
    of_names.chain(of_zones)
}

fn make(name: &'static str) -> Workload {
    let of_plain = |manner: Manner, ask: &dyn Fn(&mut Random) -> String| {
        workload(name, &snapshot(&plain(NAMES_FEW), Geography::empty()), packets(PACKETS, 1, manner, ask))
    };
    let any = |random: &mut Random| format!("{}.example.com", label(random.below(NAMES_FEW)));
    let eighth = |random: &mut Random| label(random.below(NAMES_FEW / 8) * 8);
    let of_type = |rtype| Manner { rtype, ..Manner::default() };
    let of_routed = |manner: Manner, members: &dyn Fn(&str) -> String| {
        workload(name, &snapshot(&routed(members), world()), packets(PACKETS, 1, manner, any))
    };
    let subnet = |collection| Manner { subnet: Some(collection), ..Manner::default() };
    let line = |label: &str, number: usize, routing: String| {
        format!("{label} IN A 192.0.2.{number} ; AWS routing={routing} identifier=\"m{number}\"\n")
    };
    let geolocation = |label: &str| -> String {
        let countries = COUNTRIES.iter().chain(&["*"]).enumerate();
        countries.map(|(n, country)| line(label, n, format!("\"GEOLOCATION\" countryCode=\"{country}\""))).collect()
    };
    let cidr = |label: &str| -> String {
        let locations = (0..10).map(|n| format!("l{n}")).chain(["*".into()]).enumerate();
        locations.map(|(n, to)| line(label, n, format!("\"CIDR\" collection=\"c\" location=\"{to}\""))).collect()
    };
    let near = |label: &str, bias: &dyn Fn(usize) -> usize| -> String {
        let regions = REGIONS.iter().enumerate();
        let routing = |n, region| format!("\"GEOPROXIMITY\" awsRegion=\"{region}\" bias={}", bias(n));
        regions.map(|(n, region)| line(label, n, routing(n, region))).collect()
    };
    match name {
        "plain" | "plain-batch" => of_plain(Manner::default(), &any),
        "edns" => of_plain(Manner { edns: true, ..Manner::default() }, &any),
        "cookie" => of_plain(Manner { cookie: true, ..Manner::default() }, &any),
        "mixed-case" => of_plain(Manner::default(), &|random| any(random).to_uppercase()),
        "cname" => of_plain(of_type(1), &|random| format!("also-{}.example.com", eighth(random))),
        "mx" => of_plain(of_type(15), &|random| format!("mx-{}.example.com", eighth(random))),
        "wildcard" => of_plain(of_type(1), &|random| format!("{}.wild.example.com", label(random.below(1 << 20)))),
        "nxdomain" => of_plain(of_type(1), &|random| format!("{}-nx.example.com", label(random.below(1 << 20)))),
        "nodata" => of_plain(of_type(16), &any),
        "referral" => of_plain(of_type(1), &|random| format!("www.cut-{}.example.com", eighth(random))),
        "refused" => of_plain(of_type(1), &|random| format!("{}.example.net", label(random.below(1 << 20)))),
        "zones1k" => {
            let ask = |random: &mut Random| format!("www.{}.com", label(random.below(1000)));
            let snapshot = snapshot(&many_zones(1000), Geography::empty());
            workload(name, &snapshot, packets(PACKETS, 1, Manner::default(), ask))
        }
        "weighted" => of_routed(Manner::default(), &|label| {
            (1..=4).map(|n| line(label, n, format!("\"WEIGHTED\" weight={}", n * 10))).collect()
        }),
        "failover" => of_routed(Manner::default(), &|label| {
            let roles = [(1, "PRIMARY"), (2, "SECONDARY")];
            roles.iter().map(|(n, role)| line(label, *n, format!("\"FAILOVER\" failover=\"{role}\""))).collect()
        }),
        "multivalue" => {
            of_routed(Manner::default(), &|label| (1..=8).map(|n| line(label, n, "\"MULTIVALUE\"".into())).collect())
        }
        "alias" => of_routed(Manner::default(), &|label| format!("{label} 60 AWS ALIAS A ns1 $self true\n")),
        "geolocation" => of_routed(Manner::default(), &geolocation),
        "geolocation-ecs" => of_routed(subnet(false), &geolocation),
        "latency-ecs" => of_routed(subnet(false), &|label| {
            let regions = REGIONS.iter().enumerate();
            regions.map(|(n, region)| line(label, n, format!("\"LATENCY\" region=\"{region}\""))).collect()
        }),
        "geoproximity-ecs" => of_routed(subnet(false), &|label| near(label, &|_| 0)),
        "biased-ecs" => of_routed(subnet(false), &|label| near(label, &|n| n * 5)),
        "cidr" => of_routed(Manner::default(), &cidr),
        "cidr-ecs" => of_routed(subnet(true), &cidr),
        _ => unreachable!("no such workload: {name}"),
    }
}
