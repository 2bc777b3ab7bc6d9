//! Tests of geography as a whole.

use std::net::IpAddr;

use proptest::prelude::*;

use super::place::text;
use super::table::{Ranges, Table, flatten, overlay};
use super::testing::{Value, Writer, build, city, database, flat, geography, shipped};
use super::{Geography, PlaceId, Source, latency};

/// A place in one line: `NA US CA 37.2,-119.5`.
fn described(geography: &Geography, address: &str) -> String {
    let place = geography.place(geography.locate(address.parse().unwrap()));
    let code = |code: &Option<[u8; 2]>| code.as_ref().map_or("-", text).to_string();
    let at = place.coordinates.map(|at| format!("{},{}", at.latitude(), at.longitude())).unwrap_or("-".into());
    format!("{} {} {} {at}", code(&place.continent), code(&place.country), code(&place.subdivision))
}

fn all_problems(named: &[(&str, &[u8])]) -> Vec<String> {
    build(named).1.iter().map(|problem| problem.to_string()).collect()
}

#[test]
fn empty_fields_follow_from_what_is_known() {
    let places = "network,continent,country,subdivision,latitude,longitude,region\n\
        1.0.0.0/8,,US,CA,,,\n2.0.0.0/8,,de,,,,\n3.0.0.0/8,AS,TR,,10,20.5,\n4.0.0.0/8,EU,,,,,\n5.0.0.0/8,,,,-1,-2,eu-west-1\n\
        10.0.0.0/8,,FR,,,,\n10.1.0.0/16,,DE,,,,\n10.1.2.3,,JP,,,,\n2001:db8::/32,,GB,,,,\n2001:db8:1::/48,,IE,,,,\n";
    let geography = geography(places, "", "");
    for (address, expected) in [
        ("1.2.3.4", "NA US CA 37.2,-119.5"),
        ("2.2.3.4", "EU DE - 51,9"),
        ("3.2.3.4", "AS TR - 10,20.5"),
        ("4.2.3.4", "EU - - -"),
        ("5.2.3.4", "- - - -1,-2"),
        ("6.2.3.4", "- - - -"),
        ("10.0.255.255", "EU FR - 46,2"),
        ("10.1.0.0", "EU DE - 51,9"),
        ("10.1.2.2", "EU DE - 51,9"),
        ("10.1.2.3", "AS JP - 36,138"),
        ("10.1.2.4", "EU DE - 51,9"),
        ("10.2.0.0", "EU FR - 46,2"),
        ("2001:db8::1", "EU GB - 54,-2"),
        ("2001:db8:1::1", "EU IE - 53,-8"),
        ("2001:db8:2::", "EU GB - 54,-2"),
        ("::1", "- - - -"),
    ] {
        assert_eq!(described(&geography, address), expected, "{address}");
    }
    let source = |address: &str| geography.source(address.parse::<IpAddr>().unwrap());
    assert_eq!(source("10.1.2.3"), Source::Row { file: "places.csv".into(), line: 9 });
    assert_eq!(source("10.1.2.4"), Source::Row { file: "places.csv".into(), line: 8 });
    assert_eq!(source("6.0.0.1"), Source::Nobody);
    let region = geography.place(geography.locate("5.0.0.1".parse().unwrap())).region.unwrap();
    assert_eq!(&*geography.region(region).unwrap().name, "eu-west-1");
}

#[test]
fn every_mistake_is_told() {
    let places = "network,continent,country,subdivision,latitude,longitude,region\n\
        nonsense,,DE,,,,\n1.2.3.4/8,,DE,,,,\n2.0.0.0/8,XX,,,,,\n3.0.0.0/8,,DEU,,,,\n4.0.0.0/8,,,CA,,,\n5.0.0.0/8,,US,ZZ,,,\n\
        6.0.0.0/8,,,,91,0,\n7.0.0.0/8,,,,1,,\n8.0.0.0/8,,DE,,,,moon-1\n1.0.0.0/8,,FR,,,,\n";
    let latency = "from,region,milliseconds\nDE,eu-west-1,fast\n???,eu-west-1,1\nDE,moon-1,1\nDE,,1\nAF,eu-west-1,9\nDE,eu-west-1,1\nDE,eu-west-1,2\n";
    let regions = "region,latitude,longitude\nlab-1,1,2\nlab-2,,\n";
    let told = all_problems(&[
        ("places.csv", places.as_bytes()),
        ("latency.csv", latency.as_bytes()),
        ("regions.csv", regions.as_bytes()),
        ("readme.txt", b"none of ours"),
    ]);
    let expected = [
        "regions.csv:3:7: error: lab-2 has no coordinates, the row is left out, give its latitude and longitude",
        "latency.csv:2:14: error: \"fast\" is not a number of milliseconds, the row is left out, write it as 12 or 12.5",
        "latency.csv:5:4: error: the row names no region",
        "latency.csv:6:1: warning: AF is a country and a continent, the row holds for both, write country:AF or continent:AF",
        "latency.csv:3:1: warning: there is no region \"???\", the row is left out",
        "latency.csv:4:1: warning: there is no region \"moon-1\", the row is left out",
        "latency.csv:8:1: warning: this latency of eu-west-1 was given in line 7 before, the later line holds",
        "places.csv:2:1: error: \"nonsense\" is not a network, the row is left out, write it as 192.0.2.0/24 or 2001:db8::/32",
        "places.csv:3:1: warning: 1.2.3.4/8 has host bits set, they are masked, write 1.0.0.0/8",
        "places.csv:4:11: error: there is no continent XX",
        "places.csv:5:12: error: \"DEU\" is not the code of a country",
        "places.csv:6:13: error: the subdivision has no country",
        "places.csv:7:15: error: the USA has no state ZZ",
        "places.csv:8:14: error: \"91\", \"0\" are not coordinates",
        "places.csv:9:16: error: \"1\", \"\" are not coordinates",
        "places.csv:10:1: warning: there is no region \"moon-1\", the client's region counts as unknown",
        "places.csv:11:1: warning: 1.0.0.0/8 was placed in line 3 before, the later line holds",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
}

#[test]
fn a_bare_code_may_be_a_country_and_a_continent() {
    let places = "network,country\n1.0.0.0/8,NG\n2.0.0.0/8,AF\n3.0.0.0/8,JP\n";
    let measured = |latency: &str, address: &str| {
        let geography = geography(places, latency, "");
        let place = geography.locate(address.parse().unwrap());
        let found = geography.latency(place, geography.region_named("eu-west-1").unwrap()).unwrap();
        found.measured.map(|_| found.milliseconds)
    };
    let row = |from: &str| format!("from,region,milliseconds\n{from},eu-west-1,7\n");
    for (from, nigeria, afghanistan, japan) in [
        ("AF", Some(7.0), Some(7.0), None),
        ("country:AF", None, Some(7.0), None),
        ("continent:AF", Some(7.0), None, None),
        ("AS", None, Some(7.0), Some(7.0)),
        ("JP", None, None, Some(7.0)),
    ] {
        let latency = row(from);
        let found = ["1.1.1.1", "2.1.1.1", "3.1.1.1"].map(|address| measured(&latency, address));
        assert_eq!(found, [nigeria, afghanistan, japan], "{from}");
    }
}

#[test]
fn regions_are_known_without_a_file_and_may_be_corrected() {
    let geography =
        geography("network\n", "", "region,latitude,longitude\neu-west-1,10,20\nlab-1,1,2\nlab-1-attic-1,3,4\n");
    let at = |name: &str| {
        let region = geography.region(geography.region_named(name)?)?;
        Some((region.coordinates.latitude(), region.coordinates.longitude()))
    };
    assert_eq!(at("eu-west-1"), Some((10.0, 20.0)));
    assert_eq!((at("lab-1"), at("lab-1-attic-1")), (Some((1.0, 2.0)), Some((3.0, 4.0))));
    assert!(at("us-east-1").is_some() && at("us-east-1-bue-1").is_some() && at("moon-1").is_none());
    assert_eq!(geography.ranks(PlaceId::UNKNOWN).len(), 40); // local zones have no rank
}

#[test]
fn databases_are_read_in_every_layout() {
    for (record_size, ip_version) in [(24, 4), (28, 4), (32, 4), (24, 6), (28, 6), (32, 6)] {
        let mut networks = vec![
            ("1.0.0.0/8", city("US", Some("CA"), Some((37.5, -122.5)))),
            ("1.2.0.0/16", city("DE", Some("BE"), None)),
            ("2.0.0.0/8", city("TR", None, None)),
            ("3.0.0.0/8", flat(&[("country_code", Value::Text("us")), ("state1", Value::Text("New York"))])),
            (
                "4.0.0.0/8",
                flat(&[
                    ("country_code", Value::Text("FR")),
                    ("latitude", Value::Float(48.5)),
                    ("longitude", Value::Float(2.25)),
                ]),
            ),
            (
                "5.0.0.0/8",
                flat(&[
                    ("country_code", Value::Text("DE")),
                    ("latitude", Value::Text("50.5")),
                    ("longitude", Value::Text("-8")),
                ]),
            ),
            ("6.0.0.0/8", flat(&[("continent_code", Value::Text("EU"))])),
            ("7.0.0.0/8", flat(&[("asn", Value::Text("64496"))])),
        ];
        if ip_version == 6 {
            networks.push(("2001:db8::/32", city("JP", None, None)));
        }
        let bytes = Writer { record_size, ip_version, networks }.bytes();
        let (geography, problems) = build(&[("x/some.mmdb", &bytes)]);
        assert!(problems.is_empty(), "{:?}", problems.iter().next());
        for (address, expected) in [
            ("1.1.1.1", "NA US CA 37.5,-122.5"),
            ("1.2.3.4", "EU DE - 51,9"), // Route 53 knows states of the USA only
            ("1.3.0.0", "NA US CA 37.5,-122.5"),
            ("2.1.1.1", "EU TR - 39,35"), // the continent is Route 53's, not the database's
            ("3.1.1.1", "NA US NY 42.9,-75.5"),
            ("4.1.1.1", "EU FR - 48.5,2.25"),
            ("5.1.1.1", "EU DE - 50.5,-8"),
            ("6.1.1.1", "EU - - -"),
            ("7.1.1.1", "- - - -"),
            ("8.1.1.1", "- - - -"),
            ("2001:db8::1", if ip_version == 6 { "AS JP - 36,138" } else { "- - - -" }),
            ("2001:db9::1", "- - - -"),
        ] {
            assert_eq!(described(&geography, address), expected, "{address} {record_size} {ip_version}");
        }
        let source = geography.source("1.2.3.4".parse().unwrap());
        let (first, last) = ("1.2.0.0".parse().unwrap(), "1.2.255.255".parse().unwrap());
        assert_eq!(source, Source::Database { file: "x/some.mmdb".into(), first, last });
    }
}

#[test]
fn the_most_detailed_database_wins_and_places_csv_over_all() {
    let writer = |networks| Writer { record_size: 28, ip_version: 4, networks }.bytes();
    let countries = writer(vec![("1.0.0.0/8", city("FR", None, None)), ("2.0.0.0/8", city("GB", None, None))]);
    let cities =
        writer(vec![("1.0.0.0/9", city("DE", None, Some((52.5, 13.5)))), ("3.0.0.0/8", city("IT", None, None))]);
    for (first, second) in [("a.mmdb", "b.mmdb"), ("b.mmdb", "a.mmdb")] {
        let places = b"network,country\n1.64.0.0/10,JP\n2.0.0.0/16,\n";
        let (geography, problems) = build(&[(first, &countries), (second, &cities), ("places.csv", places)]);
        assert!(problems.is_empty());
        for (address, expected) in [
            ("1.1.1.1", "EU DE - 52.5,13.5"),
            ("1.64.0.0", "AS JP - 36,138"),
            ("1.128.0.0", "EU FR - 46,2"),
            ("2.0.1.1", "- - - -"), // a row that says nothing is still a row
            ("2.1.1.1", "EU GB - 54,-2"),
            ("3.1.1.1", "EU IT - 42.83,12.83"),
        ] {
            assert_eq!(described(&geography, address), expected, "{address}");
        }
    }
}

/// Hostile trees end with a reason. (One that kept us busy would not end at all.)
#[test]
fn hostile_databases_are_refused() {
    let mut data = Vec::new();
    data.extend([2 << 5 | 2, b'D', b'E']);
    let cycle = database(24, 6, &[[0, 0]], &data);
    // Forty nodes, each with both sides at the next: a million million paths.
    let folded: Vec<[usize; 2]> = (1..=40).map(|next| [next, next]).collect();
    let folded_nothing = database(32, 6, &folded, &data);
    let folded_data: Vec<[usize; 2]> = (1..=40).map(|next| if next == 40 { [56, 56] } else { [next, next] }).collect();
    let folded_data = database(32, 6, &folded_data, &data);
    let beyond = database(24, 4, &[[17 + 500, 1]], &data);
    let separator = database(24, 4, &[[1 + 7, 1]], &data);
    let endless_map = database(24, 4, &[[17, 1]], &[7 << 5 | 31, 0xff, 0xff, 0xff]);
    let own_tail = database(24, 4, &[[17, 1]], &[1 << 5, 0]);
    for (name, errors, bytes) in [
        ("empty", 1, &b""[..]),
        ("not one", 1, b"hello, world"),
        ("marker only", 1, b"\xab\xcd\xefMaxMind.com"),
        ("cycle", 1, &cycle),
        ("folded, nothing", 1, &folded_nothing),
        ("folded, data", 1, &folded_data),
        ("beyond the data", 1, &beyond),
        ("into the separator", 1, &separator),
        ("map without end", 1, &endless_map),
        ("pointer to itself, which says nothing", 0, &own_tail),
    ] {
        let (geography, problems) = build(&[("bad.mmdb", bytes)]);
        assert_eq!((problems.errors(), geography.ranges()), (errors, (1, 1)), "{name}");
        assert!(problems.iter().all(|problem| problem.to_string().starts_with("bad.mmdb:1:1: error: ")));
    }
}

/// Cut anywhere, or with any byte changed, a database is read or refused, and nothing worse.
#[test]
fn damaged_databases_are_survived() {
    let networks = vec![
        ("1.0.0.0/8", city("US", Some("CA"), Some((37.5, -122.5)))),
        ("2001:db8::/32", flat(&[("country_code", Value::Text("FR"))])),
    ];
    let bytes = Writer { record_size: 28, ip_version: 6, networks }.bytes();
    for cut in 0..bytes.len() {
        assert!(build(&[("cut.mmdb", &bytes[..cut])]).1.errors() <= 1);
        for value in [0, 0x7f, 0xff] {
            let mut changed = bytes.clone();
            changed[cut] = value;
            assert!(build(&[("changed.mmdb", &changed)]).1.errors() <= 1);
        }
    }
}

/// The constants of the estimate are what the shipped figures between regions say.
#[test]
fn the_estimate_fits_the_shipped_latencies() {
    let geography = shipped("network\n");
    let mut pairs = Vec::new();
    for (from, near) in geography.regions().iter().enumerate() {
        for (to, far) in geography.regions().iter().enumerate().filter(|&(to, _)| to != from) {
            let (from, to) = (super::RegionId(from as u8), super::RegionId(to as u8));
            let found = geography.latency(geography.region_place(from), to).unwrap();
            let by_region = geography.latencies.by_from.get(&latency::From::Region(from));
            if by_region.is_some_and(|rows| rows[to.index()].is_some()) {
                pairs.push((near.coordinates.spot().kilometres(far.coordinates.spot()), found.milliseconds));
            }
        }
    }
    let count = pairs.len() as f64;
    let mean = |part: fn(&(f64, f64)) -> f64| pairs.iter().map(part).sum::<f64>() / count;
    let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let slope = (mean(|pair| pair.0 * pair.1) - x * y) / (mean(|pair| pair.0 * pair.0) - x * x);
    assert!(count > 300.0);
    assert!((slope - latency::MILLISECONDS_PER_KILOMETRE).abs() < 0.001, "{slope}");
    assert!((y - slope * x - latency::MILLISECONDS_AT_HOME).abs() < 2.0, "{}", y - slope * x);
}

/// The shipped folder loads without a problem, and its fake world is where its README says.
#[test]
fn the_shipped_folder_is_sound() {
    let (geography, problems) = build(&[
        ("places.csv", include_bytes!("../../geo/places.csv")),
        ("regions.csv", include_bytes!("../../geo/regions.csv")),
        ("latency.csv", include_bytes!("../../geo/latency.csv")),
        ("countries.ranges", include_bytes!("../../geo/countries.ranges")),
    ]);
    assert!(problems.is_empty(), "{:?}", problems.iter().next().map(|problem| problem.to_string()));
    for (address, expected) in [
        ("192.0.2.1", "NA US CA 37.77,-122.42"),
        ("192.0.2.250", "NA PR - 18.47,-66.11"),
        ("198.51.100.1", "EU DE - 50.11,8.68"),
        ("198.51.100.255", "EU - - -"),
        ("203.0.113.7", "AS JP - 35.68,139.69"),
        ("2001:db8:201::1", "EU GB - 51.51,-0.13"),
        ("2001:db8:ffff::1", "- - - -"),
        ("2001:db8:400::1", "AN - - -"),
        ("193.0.6.139", "EU NL - 52.5,5.75"), // by the database
        ("2001:67c:2e8::1", "EU NL - 52.5,5.75"),
    ] {
        assert_eq!(described(&geography, address), expected, "{address}");
    }
}

/// The folder's files are the built-in ones, and those have no problems either.
#[test]
fn the_built_in_geography_is_the_shipped_folder() {
    let (geography, problems) = Geography::shipped();
    assert!(problems.is_empty(), "{:?}", problems.iter().next().map(|problem| problem.to_string()));
    assert_eq!(described(&geography, "192.0.2.1"), "NA US CA 37.77,-122.42");
    let row = "built-in geo/places.csv".into();
    assert_eq!(geography.source("192.0.2.1".parse().unwrap()), Source::Row { file: row, line: 6 });
    assert_eq!(
        geography.source("8.8.8.8".parse().unwrap()),
        Source::Database {
            file: "built-in geo/countries.ranges".into(),
            first: "6.0.0.0".parse().unwrap(),
            last: "8.10.5.255".parse().unwrap(),
        }
    );
    assert_eq!(
        geography.summary(geography.built().unwrap().1 + 30 * 86_400),
        format!(
            "geography: built in, {} networks, 1 database of 2026-06-01 (30 days old): DB-IP Lite (https://db-ip.com) \
             and NRO statistics (https://nro.net), CC BY 4.0",
            geography.networks()
        )
    );
}

/// Random addresses of the IPv4 Internet have a country, nearly all of them, and so have those that anybody can look up.
#[test]
fn the_shipped_database_knows_nearly_every_address() {
    const SAMPLE: u32 = 20_000;
    let (geography, _) = Geography::shipped();
    let country = |address: std::net::IpAddr| {
        let code = geography.place(geography.locate(address)).country;
        code.map(|code| String::from_utf8(code.to_vec()).unwrap())
    };
    let special = ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"];
    let more = ["192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"];
    let special: Vec<ipnet::Ipv4Net> = special.iter().chain(&more).map(|network| network.parse().unwrap()).collect();
    let mut dice = crate::dice::Seeded::new(15);
    let (mut asked, mut known) = (0, 0);
    while asked < SAMPLE {
        let address = std::net::Ipv4Addr::from_bits(crate::dice::Dice::roll(&mut dice, u32::MAX));
        if !special.iter().any(|network| network.contains(&address)) {
            asked += 1;
            known += u32::from(country(address.into()).is_some());
        }
    }
    assert!(known * 1000 >= SAMPLE * 995, "{known} of {SAMPLE}");
    for (address, expected) in [
        ("2.2.2.2", Some("US")),
        ("2.15.1.1", Some("FR")),
        ("200.1.1.1", Some("VE")),
        ("8.8.8.8", Some("US")),
        ("133.1.1.1", Some("JP")),
        ("193.0.6.139", Some("NL")),
        ("196.216.2.1", Some("ZA")),
        ("200.160.2.3", Some("BR")),
        ("202.12.29.205", Some("AU")),
        ("2001:200::1", Some("JP")),
        ("2001:4860:4860::8888", Some("US")),
        ("2001:660:3003::1", Some("FR")),
        ("240e::1", Some("CN")),
        ("2804:14c::1", Some("BR")),
        ("192.168.1.1", None),
        ("240.0.0.1", None),
        ("2000::1", None),
        ("2002:808:808::1", None),
        ("fe80::1", None),
    ] {
        assert_eq!(country(address.parse().unwrap()).as_deref(), expected, "{address}");
    }
}

/// A file of ranges: IPv4 only, of countries DE and FR.
fn file_of_ranges(count: u32, ranges: &[u8]) -> Vec<u8> {
    let mut bytes = b"fingerpost ranges 1\n".to_vec();
    bytes.extend(86_400_u64.to_le_bytes());
    bytes.extend(b"\x03lab\x02DEFR");
    bytes.extend(count.to_le_bytes());
    bytes.extend(ranges);
    bytes.extend(0_u32.to_le_bytes());
    bytes
}

#[test]
fn files_of_ranges_are_read() {
    // 0.0.1.0 on: DE; 0.1.44.0 on: nothing; 0.1.45.0 on: FR.
    let bytes = file_of_ranges(3, &[1, 1, 0xab, 2, 0, 1, 2]);
    let (geography, problems) = build(&[("lab.ranges", &bytes)]);
    assert!(problems.is_empty(), "{:?}", problems.iter().next().map(|problem| problem.to_string()));
    let (germany, france) = ("EU DE - 51,9", "EU FR - 46,2");
    let middle = |text: &str| text.split(' ').take(3).collect::<Vec<_>>().join(" ");
    for (address, expected) in [
        ("0.0.0.255", "- - -".to_string()),
        ("0.0.1.0", middle(germany)),
        ("0.1.43.255", middle(germany)),
        ("0.1.44.0", "- - -".to_string()),
        ("0.1.45.0", middle(france)),
        ("255.255.255.255", middle(france)),
        ("::1", "- - -".to_string()),
    ] {
        assert_eq!(middle(&described(&geography, address)), expected, "{address}");
    }
    assert_eq!(
        geography.summary(3 * 86_400),
        "geography: built in, 2 networks, 1 database of 1970-01-02 (2 days old): lab"
    );
}

#[test]
fn hostile_files_of_ranges_are_refused() {
    let endless = [&[0xff; 7][..], &[1, 1]].concat();
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("not one", b"fingerpost ranges 2\n".to_vec()),
        ("more ranges than bytes", file_of_ranges(u32::MAX, &[1, 1])),
        ("fewer ranges than there are", file_of_ranges(1, &[1, 1, 1, 2])),
        ("no such country", file_of_ranges(1, &[1, 3])),
        ("two at one network", file_of_ranges(2, &[1, 1, 0, 2])),
        ("past the last network", file_of_ranges(1, &[0xff, 0xff, 0xff, 0x7f, 1])),
        ("a distance without end", file_of_ranges(1, &endless)),
        ("title cut off", b"fingerpost ranges 1\n\0\0\0\0\0\0\0\0\x09lab".to_vec()),
        ("no code", b"fingerpost ranges 1\n\0\0\0\0\0\0\0\0\0\x01D!\0\0\0\0\0\0\0\0".to_vec()),
    ] {
        let (geography, problems) = build(&[("bad.ranges", &bytes)]);
        assert_eq!((problems.errors(), geography.ranges(), geography.networks()), (1, (1, 1), 0), "{name}");
        assert!(problems.iter().all(|problem| problem.to_string().starts_with("bad.ranges:1:1: ")));
    }
    let bytes = file_of_ranges(3, &[1, 1, 0xab, 2, 0, 1, 2]);
    for cut in 0..bytes.len() {
        assert_eq!(build(&[("cut.ranges", &bytes[..cut])]).1.errors(), 1);
        for value in [0, 0x7f, 0xff] {
            let mut changed = bytes.clone();
            changed[cut] = value;
            assert!(build(&[("changed.ranges", &changed)]).1.errors() <= 1);
        }
    }
}

/// Networks of 16-bit toy addresses at the top of 32: they collide and nest often.
fn networks() -> impl Strategy<Value = Vec<(u32, u8, u32)>> {
    let network = (any::<u16>(), 0..=16_u8, 1..5_u32).prop_map(|(bits, length, value)| {
        let first = super::table::Key::network(u32::from(bits & 0x0f0f) << 16, u32::from(length)).0;
        (first, length, value)
    });
    prop::collection::vec(network, 0..20)
}

/// The plain reading: of the networks around an address the longest, of equal ones the last.
fn naive(networks: &[(u32, u8, u32)], address: u32) -> u32 {
    let around = networks.iter().filter(|(first, length, _)| {
        let (low, high) = super::table::Key::network(*first, u32::from(*length));
        low <= address && address <= high
    });
    around.max_by_key(|(_, length, _)| *length).map_or(0, |(_, _, value)| *value)
}

proptest! {
    /// Flat ranges say what a search for the longest network says.
    #[test]
    fn flattening_keeps_the_longest(networks in networks(), addresses in prop::collection::vec(any::<u32>(), 20)) {
        let ranges = flatten(networks.clone(), 0);
        prop_assert!(ranges.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 != two[1].1));
        let table = Table::new(ranges);
        let edges = networks.iter().flat_map(|&(first, length, _)| {
            let (low, high) = super::table::Key::network(first, u32::from(length));
            [low, high, low.wrapping_sub(1), high.wrapping_add(1)]
        });
        for address in edges.chain(addresses) {
            prop_assert_eq!(table.number(table.find(address)), naive(&networks, address), "{:x}", address);
            let (first, last) = table.bounds(table.find(address));
            prop_assert!(first <= address && address <= last);
        }
    }

    /// What holds for IPv4 holds for the same networks at the top of IPv6.
    #[test]
    fn six_is_as_four(networks in networks(), addresses in prop::collection::vec(any::<u32>(), 20)) {
        let four = Table::new(flatten(networks.clone(), 0));
        let six = Table::new(flatten(networks.iter().map(|&(first, length, value)| (u128::from(first) << 96, length, value)).collect(), 0));
        for address in addresses {
            let wide = u128::from(address) << 96 | 7;
            prop_assert_eq!(six.number(six.find(wide)), four.number(four.find(address)));
            prop_assert_eq!(six.scope(wide, |n| n % 2 == 0), four.scope(address, |n| n % 2 == 0));
        }
    }

    /// Laid over each other, two coverings say what each says alone.
    #[test]
    fn overlaying_asks_both(below in networks(), above in networks(), addresses in prop::collection::vec(any::<u32>(), 20)) {
        let both = overlay(&flatten(below.clone(), 0), &flatten(above.clone(), 0), |a, b| a * 10 + b);
        let ranges = |networks: &[(u32, u8, u32)]| {
            let mut ranges = Ranges::new();
            flatten(networks.to_vec(), 0).into_iter().for_each(|(start, number)| ranges.push(start, number));
            ranges
        };
        let ranges = ranges(&below).overlay(&ranges(&above), |a, b| a * 10 + b);
        let table = Table::new(both);
        for address in addresses.into_iter().chain(below.iter().chain(&above).map(|network| network.0)) {
            let both = naive(&below, address) * 10 + naive(&above, address);
            prop_assert_eq!(table.number(table.find(address)), both);
            prop_assert_eq!(ranges.number(ranges.find(0, address)), both);
        }
    }

    /// `places.csv` and `latency.csv` over a database: each address has the longest row of each, or else the database's
    /// country, and its source.
    #[test]
    fn layers_are_laid_over_the_database(
        database in networks(),
        places in networks(),
        latencies in networks(),
        addresses in prop::collection::vec(any::<u32>(), 20),
    ) {
        const CODES: [&str; 5] = ["-", "DE", "FR", "JP", "GB"];
        let latencies: Vec<_> = latencies.into_iter().map(|(first, length, _)| (first, length, 1)).collect();
        let row = |&(first, length, value): &(u32, u8, u32)| {
            format!("{}/{length},{}\n", std::net::Ipv4Addr::from_bits(first), CODES[value as usize])
        };
        let rows = |networks: &[_]| networks.iter().map(row).collect::<String>();
        let mut file = b"fingerpost ranges 1\n\0\0\0\0\0\0\0\0\0\x04DEFRJPGB".to_vec();
        let ranges = flatten(database.clone(), 0);
        file.extend((ranges.len() as u32).to_le_bytes());
        let mut before = 0;
        for &(start, country) in &ranges {
            let distance = (start >> 8) - before;
            file.extend([distance as u8 | 128, (distance >> 7) as u8 | 128, (distance >> 14) as u8 | 128, (distance >> 21) as u8]);
            file.push(country as u8);
            before = start >> 8;
        }
        file.extend(0_u32.to_le_bytes());
        let named = "from,region,milliseconds\n".to_string() + &rows(&latencies).replace("DE", "eu-west-1,7");
        let placed = "network,country\n".to_string() + &rows(&places);
        let (geography, problems) = build(&[
            ("lab.ranges", &file),
            ("latency.csv", named.as_bytes()),
            ("places.csv", placed.as_bytes()),
        ]);
        prop_assert_eq!(problems.errors(), 0);
        let edges = database.iter().chain(&places).chain(&latencies).flat_map(|&(first, length, _)| {
            let (low, high) = super::table::Key::network(first, u32::from(length));
            [low, high, low.wrapping_sub(1), high.wrapping_add(1)]
        });
        for address in edges.chain(addresses) {
            let ip = IpAddr::V4(address.into());
            let (row, country) = (naive(&places, address), naive(&database, address));
            let expected = CODES[if row > 0 { row } else { country } as usize];
            let place = geography.place(geography.locate(ip));
            prop_assert_eq!(place.country.as_ref().map_or("-", text), expected, "{}", ip);
            prop_assert_eq!(place.measured.is_some(), naive(&latencies, address) > 0, "{}", ip);
            let source = match geography.source(ip) {
                Source::Row { .. } => 2,
                Source::Database { .. } => 1,
                _ => 0,
            };
            prop_assert_eq!(source, if row > 0 { 2 } else { u32::from(country > 0) }, "{}", ip);
        }
    }

    /// Every address of a scope fares as the client does; and in the next wider network some address doesn't.
    #[test]
    fn a_scope_is_true_and_as_wide_as_can_be(networks in networks(), bits in any::<u16>(), alike in 1..4_u32) {
        let table = Table::new(flatten(networks.clone(), 0));
        let address = u32::from(bits) << 16;
        let outcome = |number: u32| number / alike;
        let ours = outcome(naive(&networks, address));
        let scope = table.scope(address, |number| outcome(number) == ours);
        let fares_alike = |length: u32| {
            let (first, last) = super::table::Key::network(address, length);
            (first >> 16..=last >> 16).all(|bits| outcome(naive(&networks, bits << 16)) == ours)
        };
        prop_assert!(scope > 16 || fares_alike(u32::from(scope)));
        // Twenty networks make fewer ranges than a scope looks at.
        prop_assert!(scope == 0 || !fares_alike(u32::from(scope) - 1));
    }
}

/// A bounded search gives up early and stays true.
#[test]
fn a_scope_costs_no_more_than_its_bound() {
    let ranges: Vec<(u32, u32)> = (0..1 << 12).map(|n| (n << 20, n % 2)).collect();
    let table = Table::new(ranges);
    let mut looked = 0;
    let scope = table.scope(0x1234_5678, |_| {
        looked += 1;
        true
    });
    assert!(looked <= super::table::SCOPE_RANGES_MAX, "{looked}");
    assert!((4..=12).contains(&scope), "{scope}");
}
