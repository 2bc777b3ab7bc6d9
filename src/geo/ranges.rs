//! The format of the shipped database of countries, `*.ranges`: as small as the countries of networks can be, and read in
//! one pass.
//!
//! Integers are little-endian. A file is, in this order:
//!
//! | bytes | content |
//! |---|---|
//! | 20 | `fingerpost ranges 1` and a newline |
//! | 8 | when the database was made, in seconds since 1970 |
//! | 1, n | the length of the title, and the title: authors and licence, in UTF-8 |
//! | 1, 2n | the number of countries, and their codes |
//! | 4 | the number of IPv4 ranges, which follow |
//! | 4 | the number of IPv6 ranges, which follow |
//!
//! A range is the distance of its first network from that of the range before (LEB128), and the number of its country (one
//! byte; 0 is an unknown range). Distances count networks of 24 bits in IPv4 and of 48 bits in IPv6: longer networks are
//! not announced on the Internet. `geo/countries.py` writes this format.

use std::sync::Arc;

use super::database::{Database, Found};
use super::place::code;
use super::rows::Whereabouts;
use super::table::{Key, Ranges};
use crate::problem::{At, Problem};

const MAGIC: &[u8] = b"fingerpost ranges 1\n";

/// The length of a network that ranges are counted in.
const V4_UNIT: u32 = 24;
const V6_UNIT: u32 = 48;

/// A range takes two bytes at least.
const RANGE_BYTES_MIN: usize = 2;

/// Reads a database, or says what is wrong with it.
pub(super) fn read(file: &Arc<str>, bytes: &[u8]) -> Result<Database, Box<Problem>> {
    database(bytes).map_err(|what| {
        let at = At { file: file.clone(), line: 1, column: 1, length: 0 };
        let remedy = "replace the file with an undamaged copy";
        Box::new(Problem::error(at, what, "nothing of the database is used", remedy))
    })
}

fn database(bytes: &[u8]) -> Result<Database, &'static str> {
    let mut rest = Rest(bytes.strip_prefix(MAGIC).ok_or("not a database of ranges")?);
    let built = u64::from_le_bytes(rest.array()?);
    let length = rest.byte()?;
    let title = std::str::from_utf8(rest.take(usize::from(length))?).map_err(|_| "its title is not UTF-8")?;
    let count = rest.byte()?;
    let mut found = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let country = std::str::from_utf8(&rest.array::<2>()?).ok().and_then(code);
        let country = Some(country.ok_or("a country has no code of two letters")?);
        let whereabouts = Whereabouts { country, ..Whereabouts::default() }.completed();
        found.push(Found { whereabouts, detail: Found::COUNTRY });
    }
    let v4 = rest.ranges(V4_UNIT, count, |network| (network as u32) << (u32::BITS - V4_UNIT))?;
    let v6 = rest.ranges(V6_UNIT, count, |network| u128::from(network) << (u128::BITS - V6_UNIT))?;
    if !rest.0.is_empty() {
        return Err("more bytes follow its last range");
    }
    Ok(Database { found, v4, v6, built, title: Some(title.to_string()).filter(|title| !title.is_empty()) })
}

/// The bytes that are still to be read.
struct Rest<'b>(&'b [u8]);

const CUT_OFF: &str = "the file is cut off";

impl<'b> Rest<'b> {
    fn take(&mut self, length: usize) -> Result<&'b [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CUT_OFF)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CUT_OFF)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        self.array().map(|[byte]| byte)
    }

    /// The ranges of one address family, whose networks have `unit` bits.
    fn ranges<K: Key>(
        &mut self,
        unit: u32,
        countries: u8,
        address: impl Fn(u64) -> K,
    ) -> Result<Ranges<K>, &'static str> {
        let count = u32::from_le_bytes(self.array()?) as usize;
        if count > self.0.len() / RANGE_BYTES_MIN {
            return Err(CUT_OFF);
        }
        let mut ranges = Ranges::with_room(count);
        let mut network = 0;
        for range in 0..count {
            let distance = self.distance()?;
            if distance == 0 && range > 0 {
                return Err("two of its ranges begin at the same network");
            }
            network += distance;
            if network >> unit != 0 {
                return Err("its ranges go past the last network");
            }
            let country = self.byte()?;
            if country > countries {
                return Err("a range has a country that is not in its list");
            }
            ranges.push(address(network), u32::from(country));
        }
        Ok(ranges)
    }

    /// LEB128. No distance is longer than `V6_UNIT` bits.
    #[inline]
    fn distance(&mut self) -> Result<u64, &'static str> {
        match *self.0 {
            // Most distances are this short.
            [byte, ref rest @ ..] if byte < 128 => {
                self.0 = rest;
                Ok(u64::from(byte))
            }
            _ => self.long_distance(),
        }
    }

    fn long_distance(&mut self) -> Result<u64, &'static str> {
        let mut distance = 0;
        for shift in (0..V6_UNIT + 1).step_by(7) {
            let byte = self.byte()?;
            distance |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(distance);
            }
        }
        Err("a distance of its ranges is too long")
    }
}
