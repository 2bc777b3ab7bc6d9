//! Where the names stand inside record data, by type: what compression, additional records and canonical form need.

use super::rtype::Type;

/// One piece of record data, from the front. Data behind the last piece is opaque.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece {
    /// This many bytes without a name in them.
    Bytes(usize),
    /// A name that may be compressed in a message (RFC 3597, 4: only in the types of RFC 1035).
    CompressibleName,
    /// A name that is always written out.
    PlainName,
    /// One character string: a length byte and as many bytes.
    Text,
}

use Piece::{Bytes, CompressibleName, PlainName, Text};

/// The pieces up to and including the last name; empty for types without names.
pub fn layout(rtype: Type) -> &'static [Piece] {
    match rtype {
        Type::NS | Type::MD | Type::MF | Type::CNAME | Type::MB | Type::MG | Type::MR | Type::PTR => {
            &[CompressibleName]
        }
        Type::SOA | Type::MINFO => &[CompressibleName, CompressibleName],
        Type::MX => &[Bytes(2), CompressibleName],
        Type::RP | Type::TALINK => &[PlainName, PlainName],
        Type::AFSDB | Type::RT | Type::KX | Type::LP => &[Bytes(2), PlainName],
        Type::PX => &[Bytes(2), PlainName, PlainName],
        Type::SRV => &[Bytes(6), PlainName],
        Type::NAPTR => &[Bytes(4), Text, Text, Text, PlainName],
        Type::DNAME | Type::NSAP_PTR | Type::NSEC | Type::NXT => &[PlainName],
        Type::SIG | Type::RRSIG => &[Bytes(18), PlainName],
        Type::SVCB | Type::HTTPS => &[Bytes(2), PlainName],
        Type::DSYNC => &[Bytes(5), PlainName],
        _ => &[],
    }
}

/// The positions (start and end) of the names in record data, none where the data is not as the layout says.
pub fn names_in(rtype: Type, rdata: &[u8]) -> impl Iterator<Item = (Piece, std::ops::Range<usize>)> + '_ {
    let mut at = 0;
    layout(rtype).iter().filter_map(move |&piece| {
        let length = match piece {
            Bytes(count) => Some(count),
            CompressibleName | PlainName => rdata.get(at..).and_then(super::name::wire_len),
            Text => rdata.get(at).map(|&count| 1 + usize::from(count)),
        };
        let start = at;
        at = length
            .and_then(|length| at.checked_add(length))
            .filter(|&end| end <= rdata.len())
            .unwrap_or(usize::MAX / 2);
        (matches!(piece, CompressibleName | PlainName) && at <= rdata.len()).then_some((piece, start..at))
    })
}

/// The name whose addresses a client will want next (RFC 1035 3.3, 2782, 3403, 9460), if the type has one.
pub fn target(rtype: Type, rdata: &[u8]) -> Option<&[u8]> {
    match rtype {
        Type::NS
        | Type::MX
        | Type::SRV
        | Type::NAPTR
        | Type::SVCB
        | Type::HTTPS
        | Type::KX
        | Type::AFSDB
        | Type::RT => names_in(rtype, rdata).next().map(|(_, range)| &rdata[range]),
        _ => None,
    }
}
