//! How long a reply may be kept by a cache that doesn't read it.

use super::query::{Record, owner_end};
use super::rtype::{Rcode, Type};

const HEADER: usize = 12;

/// Seconds, as RFC 8484, 5.1 has it: those of the answer that lives shortest; where something is denied, no more than
/// its SOA says (RFC 2308, 5). Errors are not kept.
pub fn freshness(reply: &[u8]) -> u32 {
    seconds(reply).unwrap_or(0)
}

fn seconds(reply: &[u8]) -> Option<u32> {
    let header: &[u8; HEADER] = reply.first_chunk()?;
    let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    if !matches!(Rcode(u16::from(header[3] & 15)), Rcode::NOERROR | Rcode::NXDOMAIN) {
        return None;
    }
    let mut at = HEADER;
    for _ in 0..count(4) {
        at = owner_end(reply, at)? + 4;
    }
    let (answers, authorities) = (count(6), count(8));
    let mut least: Option<u32> = None;
    for number in 0..u32::from(answers) + u32::from(authorities) {
        let record = Record::read(reply, at)?;
        at = record.end;
        let ttl = u32::from_be_bytes(record.ttl);
        let seconds = if record.rtype == Type::SOA && number >= u32::from(answers) {
            ttl.min(u32::from_be_bytes(*record.data.last_chunk()?))
        } else if number < u32::from(answers) || answers == 0 {
            ttl
        } else {
            continue;
        };
        least = Some(least.map_or(seconds, |least| least.min(seconds)));
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::query::tests::bytes;

    #[test]
    fn the_shortest_life_counts() {
        let question = "01 'a 00 0001 0001";
        let a = |ttl: u32| format!("c00c 0001 0001 {ttl:08x} 0004 c0000201");
        let ns = |ttl: u32| format!("c00c 0002 0001 {ttl:08x} 0002 c00c");
        let soa = |ttl: u32, minimum: u32| {
            format!("c00c 0006 0001 {ttl:08x} 0018 c00c c00c {} {minimum:08x}", "00".repeat(16))
        };
        for (what, counts, rcode, records, expected) in [
            ("one", "0001 0001 0000", 0, a(300), 300),
            ("two", "0001 0002 0000", 0, a(300) + &a(60), 60),
            ("name servers beside an answer don't count", "0001 0001 0001", 0, a(300) + &ns(60), 300),
            ("a referral", "0001 0000 0001", 0, ns(60), 60),
            ("no data: the SOA's minimum", "0001 0000 0001", 0, soa(900, 30), 30),
            ("no name: the SOA's own TTL", "0001 0000 0001", 3, soa(20, 30), 20),
            ("a chain that ends in nothing", "0001 0001 0001", 3, a(60) + &soa(900, 30), 30),
            ("nothing at all", "0001 0000 0000", 0, String::new(), 0),
            ("an error", "0001 0001 0000", 5, a(300), 0),
            ("cut short", "0001 0002 0000", 0, a(300), 0),
        ] {
            let reply = bytes(&format!("0000 80{rcode:02x} {counts} 0000 {question} {records}"));
            assert_eq!(freshness(&reply), expected, "{what}");
        }
        assert_eq!(freshness(&[]), 0);
    }
}
