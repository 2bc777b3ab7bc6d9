//! Any bytes as a database of places: nothing panics, the work and the memory are bounded by the file's length, and where
//! it is read the country of an address is the one that `maxminddb` looks up.

use std::net::IpAddr;

use fingerpost::geo::{GeoFile, Geography};
use maxminddb::{PathElement, Reader};

use super::seeds;

/// Addresses at the ends of everything, and in between.
const ADDRESSES: [&str; 12] = [
    "0.0.0.0",
    "1.2.3.4",
    "127.255.255.255",
    "128.0.0.0",
    "192.0.2.1",
    "255.255.255.255",
    "::",
    "::1:0:0",
    "2001:db8::1",
    "7fff:ffff::",
    "8000::",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];

/// The country that GeoIP2's own layout gives an address; none where it says it in another, or not at all.
fn looked_up(reader: &Reader<&[u8]>, address: IpAddr) -> Option<[u8; 2]> {
    let result = reader.lookup(address).ok()?;
    let path = [PathElement::Key("country"), PathElement::Key("iso_code")];
    let code: [u8; 2] = result.decode_path::<&str>(&path).ok()??.as_bytes().try_into().ok()?;
    code.iter().all(u8::is_ascii_uppercase).then_some(code)
}

pub fn run(bytes: &[u8]) {
    let (geography, problems) = Geography::build(vec![GeoFile { name: "fuzz.mmdb".into(), bytes: bytes.to_vec() }]);
    let (v4, v6) = geography.ranges();
    // Every range comes from a place of the search tree, and that takes bytes.
    assert!(v4 + v6 <= 8 * bytes.len() + 64 && geography.places() <= bytes.len() + 1000, "{v4} and {v6} ranges");
    let reader = Reader::from_source(bytes).ok().filter(|_| problems.errors() == 0);
    for address in ADDRESSES.iter().filter_map(|address| address.parse::<IpAddr>().ok()) {
        let place = geography.locate(address);
        assert!(place.index() < geography.places());
        // Addresses of IPv4 in IPv6 are IPv4's own, and are looked up as those.
        let own = reader.as_ref().filter(|reader| match address {
            IpAddr::V4(_) => true,
            IpAddr::V6(address) => reader.metadata().ip_version == 6 && address.segments()[..6] != [0; 6],
        });
        if let Some(country) = own.and_then(|reader| looked_up(reader, address)) {
            assert_eq!(geography.place(place).country, Some(country), "{address}");
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for record_size in [24, 28, 32] {
        for ip_version in [4, 6] {
            found.push(small(record_size, ip_version));
        }
    }
    found.push(seeds::bombs(20));
    found
}

/// A database with a country at the one half of all addresses, and coordinates at a quarter.
fn small(record_size: u8, ip_version: u8) -> Vec<u8> {
    let country = b"\xe1\x47country\xe1\x48iso_code\x42DE";
    let city = b"\xe2\x47country\xe1\x48iso_code\x42US\x48location\xe2\x48latitude\x68\x40\x42\xe2\x8f\x5c\x28\xf5\xc3\x49longitude\x68\xc0\x5e\x9a\xe1\x47\xae\x14\x7b";
    let flat = b"\xe3\x4ccountry_code\x42FR\x46state1\x44Iowa\x48latitude\x0448.5";
    let data = [&country[..], city, flat].concat();
    let at = |offset: usize| 3 + 16 + offset;
    let nodes = [[1, at(0)], [2, at(country.len())], [3, at(country.len() + city.len())]];
    seeds::database(record_size, ip_version, &nodes, &data)
}
