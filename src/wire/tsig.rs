//! TSIG (RFC 8945), as a server without keys has it: a query that is signed is told that its key is not known here.
//!
//! | a TSIG record                                   | reply                                                  |
//! |-------------------------------------------------|--------------------------------------------------------|
//! | at the end of a message (5.1), and well formed  | NOTAUTH, and an unsigned TSIG with BADKEY (5.2.1, 5.3.2) |
//! | elsewhere, or one of several                    | FORMERR                                                |
//! | that cannot be interpreted (5.2)                | FORMERR                                                |

use super::name::{NAME_MAX, wire_len};
use super::query::Record;
use super::rtype::{Class, Type};

/// RFC 8945, 3.
const BADKEY: u16 = 17;
/// RFC 8945, 10: what is recommended.
const FUDGE: u16 = 300;

/// What comes before the rdata of a record: type, class, TTL, length.
const HEAD: usize = 10;
/// Time and fudge, before the MAC (RFC 8945, 4.2).
const TIME_AND_FUDGE: usize = 8;
/// The rdata without algorithm, MAC and other data: time, fudge, MAC size, original ID, error, length of other data.
const FIXED: usize = TIME_AND_FUDGE + 8;

/// Where in a packet a TSIG record stands that could be interpreted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tsig {
    owner: usize,
    algorithm: usize,
    algorithm_end: usize,
}

impl Tsig {
    /// Reads the record that begins at `owner`. None: it cannot be interpreted.
    #[cold]
    pub(super) fn read(packet: &[u8], owner: usize, record: &Record<'_>) -> Option<Tsig> {
        if record.class != Class::ANY.0 || record.ttl != [0; 4] {
            return None;
        }
        let algorithm_length = wire_len(record.data)?;
        let mac = record.data.get(algorithm_length + TIME_AND_FUDGE..)?;
        let (&[high, low], rest) = mac.split_first_chunk()?;
        let rest = rest.get(usize::from(u16::from_be_bytes([high, low]))..)?;
        let (&[_, _, _, _, high, low], other) = rest.split_first_chunk()?;
        if other.len() != usize::from(u16::from_be_bytes([high, low])) {
            return None;
        }
        let algorithm = record.end - record.data.len();
        let tsig = Tsig { owner, algorithm, algorithm_end: algorithm + algorithm_length };
        Key::read(packet, owner).map(|_| tsig)
    }

    /// Writes the record of a reply that knows no key, if it fits. Returns its end.
    #[cold]
    pub fn write_bad_key(&self, packet: &[u8], unix_time: u32, out: &mut [u8], at: usize) -> Option<usize> {
        let key = Key::read(packet, self.owner)?;
        let algorithm = packet.get(self.algorithm..self.algorithm_end)?;
        let mut end = at;
        let mut put = |bytes: &[u8]| {
            out.get_mut(end..end + bytes.len())?.copy_from_slice(bytes);
            end += bytes.len();
            Some(())
        };
        put(key.name())?;
        put(&Type::TSIG.0.to_be_bytes())?;
        put(&Class::ANY.0.to_be_bytes())?;
        put(&[0; 4])?;
        put(&((algorithm.len() + FIXED) as u16).to_be_bytes())?;
        put(algorithm)?;
        // Of its 48 bits this clock has 32.
        put(&[0; 2])?;
        put(&unix_time.to_be_bytes())?;
        put(&FUDGE.to_be_bytes())?;
        // No MAC.
        put(&[0; 2])?;
        put(packet.get(..2)?)?;
        put(&BADKEY.to_be_bytes())?;
        put(&[0; 2])?;
        Some(end)
    }

    /// How many bytes that record takes.
    #[cold]
    pub fn bad_key_len(&self, packet: &[u8]) -> usize {
        let key = Key::read(packet, self.owner).map_or(0, |key| key.length);
        key + HEAD + (self.algorithm_end - self.algorithm) + FIXED
    }
}

/// The name of a key, its pointers followed.
struct Key {
    wire: [u8; NAME_MAX],
    length: usize,
}

impl Key {
    /// None where it does not end, or is too long. Pointers lead back only (RFC 1035, 4.1.4), so it comes to an end.
    fn read(packet: &[u8], start: usize) -> Option<Key> {
        let mut key = Key { wire: [0; NAME_MAX], length: 0 };
        let (mut at, mut earliest) = (start, start);
        loop {
            let length = *packet.get(at)?;
            match length {
                0..=63 => {
                    let label = packet.get(at..=at + usize::from(length))?;
                    key.wire.get_mut(key.length..key.length + label.len())?.copy_from_slice(label);
                    key.length += label.len();
                    at += label.len();
                    if length == 0 {
                        return Some(key);
                    }
                }
                0xc0.. => {
                    at = usize::from(length & 0x3f) << 8 | usize::from(*packet.get(at + 1)?);
                    if at >= earliest {
                        return None;
                    }
                    earliest = at;
                }
                _ => return None,
            }
        }
    }

    fn name(&self) -> &[u8] {
        &self.wire[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::query::tests::bytes;

    const DATA: &str = "01 'h 00 | 0000 6553f100 012c | 0002 abcd | 1234 0000 0000";

    /// The TSIG of a record with these parts behind a header.
    fn read(owner: &str, class: &str, ttl: &str, data: &str) -> Option<(Vec<u8>, Tsig)> {
        let data = bytes(data);
        let head = format!("1234 0000 0000 0000 0000 0001 | {owner} 00fa {class} {ttl} {:04x}", data.len());
        let packet = [bytes(&head), data].concat();
        let record = Record::read(&packet, 12)?;
        let tsig = Tsig::read(&packet, 12, &record)?;
        Some((packet, tsig))
    }

    #[test]
    fn what_can_be_interpreted() {
        for (what, owner, class, ttl, data, good) in [
            ("a signature", "01 'k 00", "00ff", "00000000", DATA, true),
            ("other data", "00", "00ff", "00000000", "00 | 0000 00000000 0000 | 0000 | 1234 0012 0003 | aabbcc", true),
            ("class IN", "01 'k 00", "0001", "00000000", DATA, false),
            ("a TTL", "01 'k 00", "00ff", "00000001", DATA, false),
            ("nothing", "01 'k 00", "00ff", "00000000", "", false),
            (
                "an algorithm by pointer",
                "00",
                "00ff",
                "00000000",
                "c00c | 0000 00000000 0000 | 0000 | 1234 0012 0000",
                false,
            ),
            ("a MAC cut short", "00", "00ff", "00000000", "00 | 0000 00000000 0000 | 0009 | 1234 0012 0000", false),
            ("a byte left over", "00", "00ff", "00000000", "00 | 0000 00000000 0000 | 0000 | 1234 0012 0000 00", false),
            ("a key that points to itself", "c00c", "00ff", "00000000", DATA, false),
            ("a key that points ahead", "c010", "00ff", "00000000", DATA, false),
        ] {
            assert_eq!(read(owner, class, ttl, data).is_some(), good, "{what}");
        }
    }

    #[test]
    fn the_reply_has_no_signature() {
        let (packet, tsig) = read("01 'k 00", "00ff", "00000000", DATA).unwrap();
        let mut out = [0xee; 64];
        let end = tsig.write_bad_key(&packet, 0x6553_f100, &mut out, 2).unwrap();
        let expected =
            bytes("01 'k 00 00fa 00ff 00000000 0013 | 01 'h 00 | 0000 6553f100 012c | 0000 | 1234 0011 0000");
        assert_eq!(out[2..end], expected);
        assert_eq!(tsig.bad_key_len(&packet), expected.len());
        assert_eq!(tsig.write_bad_key(&packet, 0, &mut out[..end - 1], 2), None);
    }

    #[test]
    fn a_key_may_end_in_a_pointer() {
        let packet = bytes("01 'a 00 | 01 'b c000");
        assert_eq!(Key::read(&packet, 3).unwrap().name(), b"\x01b\x01a\0");
        let long = [[63; 64].repeat(4), vec![0]].concat();
        assert!(Key::read(&long, 0).is_none());
    }
}
