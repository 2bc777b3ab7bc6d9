//! The shipped tables of `geo/`: every region that Route 53 has, where it can be, and latencies that light allows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// `route53.md` 2.3.5: what latency records may name, and the country each is in.
const REGIONS: &[(&str, &str)] = &[
    ("us-east-1", "US"),
    ("us-east-2", "US"),
    ("us-west-1", "US"),
    ("us-west-2", "US"),
    ("us-gov-east-1", "US"),
    ("us-gov-west-1", "US"),
    ("ca-central-1", "CA"),
    ("ca-west-1", "CA"),
    ("mx-central-1", "MX"),
    ("sa-east-1", "BR"),
    ("eu-west-1", "IE"),
    ("eu-west-2", "GB"),
    ("eu-west-3", "FR"),
    ("eu-central-1", "DE"),
    ("eu-central-2", "CH"),
    ("eu-north-1", "SE"),
    ("eu-south-1", "IT"),
    ("eu-south-2", "ES"),
    ("eusc-de-east-1", "DE"),
    ("af-south-1", "ZA"),
    ("il-central-1", "IL"),
    ("me-south-1", "BH"),
    ("me-central-1", "AE"),
    ("ap-south-1", "IN"),
    ("ap-south-2", "IN"),
    ("ap-southeast-1", "SG"),
    ("ap-southeast-2", "AU"),
    ("ap-southeast-3", "ID"),
    ("ap-southeast-4", "AU"),
    ("ap-southeast-5", "MY"),
    ("ap-southeast-6", "NZ"),
    ("ap-southeast-7", "TH"),
    ("ap-east-1", "HK"),
    ("ap-east-2", "TW"),
    ("ap-northeast-1", "JP"),
    ("ap-northeast-2", "KR"),
    ("ap-northeast-3", "JP"),
    ("cn-north-1", "CN"),
    ("cn-northwest-1", "CN"),
];

/// Light goes 200 km in a millisecond of fibre, and the reply comes back the same way.
const KILOMETRES_A_MILLISECOND: f64 = 100.0;
/// Figures are rounded to whole milliseconds, and cities stand for regions that are some way outside.
const SLACK_MILLISECONDS: f64 = 1.0;
/// No pair of regions is farther apart in time: halfway round the globe, by a long detour.
const MILLISECONDS_MAX: f64 = 450.0;

struct Region {
    latitude: f64,
    longitude: f64,
    continent: String,
    country: String,
    subdivision: String,
}

impl Region {
    /// Along the great circle of a globe of 6371 km (the haversine formula).
    fn kilometres(&self, other: &Region) -> f64 {
        let half = |a: f64, b: f64| ((a - b).to_radians() / 2.0).sin().powi(2);
        let (here, there) = (self.latitude.to_radians().cos(), other.latitude.to_radians().cos());
        let square = half(self.latitude, other.latitude) + here * there * half(self.longitude, other.longitude);
        2.0 * 6371.0 * square.sqrt().asin()
    }
}

/// The rows of a table without its heading, each with its line.
fn rows(file: &str) -> Vec<(usize, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("geo").join(file);
    let text = fs::read_to_string(&path).expect("a table");
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let fields = |line: &str| line.split(',').map(|field| field.trim().to_string()).collect();
    lines.skip(1).map(|(number, line)| (number, fields(line))).collect()
}

fn regions() -> BTreeMap<String, Region> {
    let row = |(line, fields): (usize, Vec<String>)| {
        let [name, latitude, longitude, continent, country, subdivision] =
            <[String; 6]>::try_from(fields).unwrap_or_else(|row| panic!("regions.csv:{line}: {row:?}"));
        let number = |text: String| text.parse().unwrap_or_else(|_| panic!("regions.csv:{line}: {text}"));
        let (latitude, longitude) = (number(latitude), number(longitude));
        (name, Region { latitude, longitude, continent, country, subdivision })
    };
    rows("regions.csv").into_iter().map(row).collect()
}

#[test]
fn every_region_has_its_place() {
    let regions = regions();
    for (name, country) in REGIONS {
        let region = regions.get(*name).unwrap_or_else(|| panic!("regions.csv has no {name}"));
        assert_eq!(&region.country, country, "{name}");
    }
    let continents: BTreeMap<&str, &str> = BTreeMap::from([
        ("US", "NA"),
        ("CA", "NA"),
        ("MX", "NA"),
        ("BR", "SA"),
        ("AR", "SA"),
        ("CL", "SA"),
        ("PE", "SA"),
        ("IE", "EU"),
        ("GB", "EU"),
        ("FR", "EU"),
        ("DE", "EU"),
        ("CH", "EU"),
        ("SE", "EU"),
        ("IT", "EU"),
        ("ES", "EU"),
        ("PL", "EU"),
        ("DK", "EU"),
        ("FI", "EU"),
        ("ZA", "AF"),
        ("NG", "AF"),
        ("MA", "AF"),
        ("IL", "AS"),
        ("BH", "AS"),
        ("AE", "AS"),
        ("OM", "AS"),
        ("IN", "AS"),
        ("SG", "AS"),
        ("ID", "AS"),
        ("MY", "AS"),
        ("TH", "AS"),
        ("HK", "AS"),
        ("TW", "AS"),
        ("JP", "AS"),
        ("KR", "AS"),
        ("CN", "AS"),
        ("VN", "AS"),
        ("PH", "AS"),
        ("AU", "OC"),
        ("NZ", "OC"),
    ]);
    /// Boxes that hold all of a continent's regions: south, north, west, east.
    const BOXES: [(&str, [f64; 4]); 6] = [
        ("NA", [15.0, 55.0, -160.0, -60.0]),
        ("SA", [-40.0, 0.0, -80.0, -40.0]),
        ("EU", [40.0, 61.0, -7.0, 26.0]),
        ("AF", [-35.0, 34.0, -8.0, 20.0]),
        ("AS", [-7.0, 41.0, 34.0, 141.0]),
        ("OC", [-39.0, -31.0, 115.0, 176.0]),
    ];
    let named: BTreeSet<&str> = REGIONS.iter().map(|(name, _)| *name).collect();
    for (name, region) in &regions {
        let zone_of = name.rsplitn(3, '-').nth(2).unwrap_or_default();
        assert!(named.contains(name.as_str()) || named.contains(zone_of), "{name} is no region and no zone of one");
        assert_eq!(continents.get(region.country.as_str()), Some(&region.continent.as_str()), "{name}");
        assert_eq!(region.subdivision.len(), if region.country == "US" { 2 } else { 0 }, "{name}");
        let (_, [south, north, west, east]) =
            BOXES.iter().find(|(continent, _)| *continent == region.continent).expect("a continent");
        let inside = (*south..=*north).contains(&region.latitude) && (*west..=*east).contains(&region.longitude);
        assert!(inside, "{name} at {},{} is outside {}", region.latitude, region.longitude, region.continent);
    }
}

#[test]
fn no_latency_is_faster_than_light() {
    let regions = regions();
    let mut between = BTreeMap::new();
    for (line, row) in rows("latency.csv") {
        let [from, to, milliseconds] = row.as_slice() else { panic!("latency.csv:{line}: {row:?}") };
        let milliseconds: f64 = milliseconds.parse().unwrap_or_else(|_| panic!("latency.csv:{line}: {milliseconds}"));
        assert!(regions.contains_key(to), "latency.csv:{line}: {to} is no region");
        assert!((1.0..=MILLISECONDS_MAX).contains(&milliseconds), "latency.csv:{line}: {milliseconds} ms");
        let Some(here) = regions.get(from) else { continue };
        let least = here.kilometres(&regions[to]) / KILOMETRES_A_MILLISECOND - SLACK_MILLISECONDS;
        assert!(
            milliseconds >= least,
            "latency.csv:{line}: {from} to {to} takes light {least:.0} ms, not {milliseconds}"
        );
        between.insert((from.clone(), to.clone()), milliseconds);
    }
    for (here, _) in REGIONS {
        for (there, _) in REGIONS {
            // One figure for both ways: the table says it once, in either order.
            let either = [(*here, *there), (*there, *here)].map(|(a, b)| between.get(&(a.to_string(), b.to_string())));
            if let [Some(one), Some(other)] = either {
                assert_eq!(one, other, "{here} and {there}");
            }
        }
    }
}
