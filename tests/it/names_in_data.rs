//! Where the names stand in record data, read from the RFCs once more: the reference, the reader of replies and the random
//! zones use this table, and share none with the server.

use std::ops::Range;

use fingerpost::wire::layout;
use fingerpost::wire::rtype::Type;

/// A name has at most 255 bytes on the wire (RFC 1035, 2.3.4).
pub const NAME_MAX: usize = 255;

/// One field of record data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// This many bytes without a name.
    Fixed(usize),
    /// A length byte, and so many bytes (RFC 1035, 3.3).
    Text,
    /// A name that a message may compress (RFC 3597, 4: the types of RFC 1035).
    OldName,
    /// A name that a message holds in full.
    Name,
}

use Field::{Fixed, Name, OldName, Text};

/// A type's number, the place where its data are defined, and the fields up to the last name.
///
/// Left out are types whose names stand behind a part of variable length that says what follows: IPSECKEY (RFC 4025), HIP
/// (RFC 8005), AMTRELAY (RFC 8777), A6 (RFC 2874), TKEY and TSIG (RFC 8945).
const TYPES: &[(u16, &str, &[Field])] = &[
    (2, "NS: RFC 1035, 3.3.11", &[OldName]),
    (3, "MD: RFC 1035, 3.3.4", &[OldName]),
    (4, "MF: RFC 1035, 3.3.5", &[OldName]),
    (5, "CNAME: RFC 1035, 3.3.1", &[OldName]),
    (6, "SOA: RFC 1035, 3.3.13", &[OldName, OldName]),
    (7, "MB: RFC 1035, 3.3.3", &[OldName]),
    (8, "MG: RFC 1035, 3.3.6", &[OldName]),
    (9, "MR: RFC 1035, 3.3.8", &[OldName]),
    (12, "PTR: RFC 1035, 3.3.12", &[OldName]),
    (14, "MINFO: RFC 1035, 3.3.7", &[OldName, OldName]),
    (15, "MX: RFC 1035, 3.3.9: preference", &[Fixed(2), OldName]),
    (17, "RP: RFC 1183, 2.2", &[Name, Name]),
    (18, "AFSDB: RFC 1183, 1: subtype", &[Fixed(2), Name]),
    (21, "RT: RFC 1183, 3.3: preference", &[Fixed(2), Name]),
    (23, "NSAP-PTR: RFC 1348, 2", &[Name]),
    (24, "SIG: RFC 2535, 4.1: type, algorithm, labels, TTL, two times, key tag", &[Fixed(18), Name]),
    (26, "PX: RFC 2163, 4: preference", &[Fixed(2), Name, Name]),
    (30, "NXT: RFC 2535, 5.2", &[Name]),
    (33, "SRV: RFC 2782: priority, weight, port", &[Fixed(6), Name]),
    (35, "NAPTR: RFC 3403, 4.1: order, preference, flags, services, expression", &[Fixed(4), Text, Text, Text, Name]),
    (36, "KX: RFC 2230, 3.1: preference", &[Fixed(2), Name]),
    (39, "DNAME: RFC 6672, 2.1", &[Name]),
    (46, "RRSIG: RFC 4034, 3.1: as SIG", &[Fixed(18), Name]),
    (47, "NSEC: RFC 4034, 4.1", &[Name]),
    (58, "TALINK: draft-ietf-dnsop-dnssec-trust-history", &[Name, Name]),
    (64, "SVCB: RFC 9460, 2.2: priority", &[Fixed(2), Name]),
    (65, "HTTPS: RFC 9460, 2.2: priority", &[Fixed(2), Name]),
    (66, "DSYNC: RFC 9859, 2.1: type, scheme, port", &[Fixed(5), Name]),
    (107, "LP: RFC 6742, 2.4: preference", &[Fixed(2), Name]),
];

/// The fields of a type's data up to the last name; none where it holds no names.
pub fn fields(rtype: Type) -> &'static [Field] {
    TYPES.iter().find(|(number, ..)| *number == rtype.0).map_or(&[], |(_, _, fields)| fields)
}

/// The length of the name that bytes begin with, uncompressed.
pub fn name_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        match length {
            0 => return (at <= NAME_MAX).then_some(at),
            1..=63 => at += length,
            _ => return None,
        }
    }
}

/// Where the names of record data stand, up to the first field that is cut off.
pub fn names(rtype: Type, rdata: &[u8]) -> Vec<Range<usize>> {
    let (mut at, mut found) = (0, Vec::new());
    for field in fields(rtype) {
        let rest = rdata.get(at..).unwrap_or_default();
        let length = match field {
            Fixed(count) => Some(*count),
            Text => rest.first().map(|&count| 1 + usize::from(count)),
            OldName | Name => name_length(rest),
        };
        let Some(length) = length.filter(|&length| length <= rest.len()) else { break };
        if matches!(field, OldName | Name) {
            found.push(at..at + length);
        }
        at += length;
    }
    found
}

/// The name whose addresses an answer may bring along: RFC 1035, 3.3.9 and 3.3.11, RFC 1183, RFC 2230, RFC 2782, RFC 3403,
/// RFC 9460.
pub fn addressed(rtype: Type, rdata: &[u8]) -> Option<&[u8]> {
    const NUMBERS: [u16; 9] = [2, 15, 18, 21, 33, 35, 36, 64, 65];
    let range = names(rtype, rdata).into_iter().next().filter(|_| NUMBERS.contains(&rtype.0))?;
    rdata.get(range)
}

#[test]
fn the_server_reads_the_rfcs_the_same() {
    for number in 0..=u16::MAX {
        let theirs: Vec<Field> = layout::layout(Type(number))
            .iter()
            .map(|piece| match piece {
                layout::Piece::Bytes(count) => Fixed(*count),
                layout::Piece::Text => Text,
                layout::Piece::CompressibleName => OldName,
                layout::Piece::PlainName => Name,
            })
            .collect();
        assert_eq!(theirs, fields(Type(number)), "type {number}");
    }
}

#[test]
fn names_are_found_and_addressed_as_the_server_does() {
    let name = b"\x01a\x07example\0";
    let data = [&[1; 2][..], name, &[9; 30]].concat();
    for number in (0..=300).chain([32768, 32769, 65280, 65535]) {
        let rtype = Type(number);
        for rdata in [&data[..], &data[2..], name, &data[1..], &[], &[0], &[0, 0], &[64, 0], &data[..8]] {
            let theirs: Vec<_> = layout::names_in(rtype, rdata).map(|(_, range)| range).collect();
            assert_eq!(names(rtype, rdata), theirs, "type {number}: {rdata:?}");
            assert_eq!(addressed(rtype, rdata), layout::target(rtype, rdata), "type {number}: {rdata:?}");
        }
    }
    let mut ranges = names(Type::MX, &data);
    assert_eq!((ranges.pop(), ranges.pop()), (Some(2..2 + name.len()), None));
    assert_eq!(name_length(&[&[63; 64][..], &[63; 64], &[63; 64], &[63; 64], &[0]].concat()), None, "257 bytes");
}
