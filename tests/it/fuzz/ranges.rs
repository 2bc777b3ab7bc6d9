//! Any bytes as a database of ranges: nothing panics, memory is bounded by the file's length, and where it is read the
//! country of an address is the one that a reading range by range gives.

use std::net::IpAddr;

use fingerpost::geo::{GeoFile, Geography};

use super::seeds;

/// Addresses at the ends of everything, and in between.
const ADDRESSES: [&str; 10] = [
    "0.0.0.0",
    "0.0.1.0",
    "1.2.3.4",
    "127.255.255.255",
    "192.0.2.1",
    "255.255.255.255",
    "::",
    "2001:db8::1",
    "8000::",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];

fn number(bytes: &mut std::slice::Iter<'_, u8>, length: usize) -> u64 {
    bytes.by_ref().take(length).enumerate().map(|(at, &byte)| u64::from(byte) << (8 * at)).sum()
}

/// The country of an address in a file that is sound. Networks are counted, and no table is made.
fn country(bytes: &[u8], address: IpAddr) -> Option<[u8; 2]> {
    let mut rest = bytes.get(20 + 8..)?.iter();
    let title = number(&mut rest, 1) as usize;
    rest.by_ref().take(title).for_each(drop);
    let codes = number(&mut rest, 1) as usize;
    let codes: Vec<u8> = rest.by_ref().take(2 * codes).copied().collect();
    let (family, network) = match address {
        IpAddr::V4(address) => (0, u64::from(address.to_bits() >> 8)),
        IpAddr::V6(address) => (1, (address.to_bits() >> 80) as u64),
    };
    let mut country = 0;
    for read in 0..=family {
        let mut start = 0;
        for _ in 0..number(&mut rest, 4) {
            let mut shift = 0;
            loop {
                let byte = *rest.next()?;
                start += u64::from(byte & 127) << shift;
                shift += 7;
                if byte < 128 {
                    break;
                }
            }
            let of = *rest.next()?;
            if read == family && start <= network {
                country = usize::from(of);
            }
        }
    }
    let code = codes.get(2 * country.checked_sub(1)?..)?;
    Some([code.first()?.to_ascii_uppercase(), code.get(1)?.to_ascii_uppercase()])
}

pub fn run(bytes: &[u8]) {
    let (geography, problems) = Geography::build(vec![GeoFile { name: "fuzz.ranges".into(), bytes: bytes.to_vec() }]);
    seeds::all_inside(&problems, bytes);
    let (v4, v6) = geography.ranges();
    // Each range takes two bytes.
    assert!(v4 + v6 <= bytes.len() / 2 + 2 && geography.networks() <= v4 + v6, "{v4} and {v6} ranges");
    for address in ADDRESSES.iter().filter_map(|address| address.parse::<IpAddr>().ok()) {
        let place = geography.locate(address);
        assert!(place.index() < geography.places());
        if problems.errors() == 0 {
            assert_eq!(geography.place(place).country, country(bytes, address), "{address}");
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let head = b"fingerpost ranges 1\n\0\x71\x1d\x6a\0\0\0\0";
    let small = b"\x03lab\x02DEFR\x03\0\0\0\x01\x01\xab\x02\0\x01\x02\x02\0\0\0\x81\x9b\x83\xc0\x80\x04\x02\x01\0";
    vec![
        [&head[..], small].concat(),
        [&head[..], b"\0\0\0\0\0\0\0\0\0\0"].concat(),
        [&head[..], b"\0\x01us\x01\0\0\0\0\x01\x01\0\0\0\0\x01"].concat(),
        [&head[..], b"\0\x01US\xff\xff\xff\xff\0\x01"].concat(),
    ]
}
