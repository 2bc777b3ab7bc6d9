//! Databases in MaxMind's format, read once into ranges: GeoIP2 City and Country layouts (`country.iso_code`), and flat
//! ones (`country_code`, `state1`), as DB-IP and ip-location-db ship them.
//!
//! `maxminddb` opens the file and decodes records. The search tree is walked here, so that a tree folded into itself
//! can't keep us busy forever.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use maxminddb::{LookupResult, PathElement, Reader};
use serde::de::IgnoredAny;

use super::countries;
use super::database::{Database, Found};
use super::place::{Code, Coordinates, code};
use super::rows::Whereabouts;
use super::table::Ranges;
use crate::problem::{At, Problem};

/// Our limit on one database: GeoIP2 City is a twentieth of it.
pub const DATABASE_BYTES_MAX: usize = 2 << 30;

/// A sound tree visits each node once; aliases of IPv4 inside IPv6 add a few. Our limit is this many times the nodes.
const VISITS_PER_NODE_MAX: usize = 4;

/// Reads a database, or says what is wrong with it.
pub(super) fn read(file: &Arc<str>, bytes: &[u8]) -> Result<Database, Box<Problem>> {
    let refuse = |what: String| {
        let at = At { file: file.clone(), line: 1, column: 1, length: 0 };
        let remedy = "fetch it again from where it came from";
        Box::new(Problem::error(at, what, "nothing of the database is used", remedy))
    };
    if bytes.len() > DATABASE_BYTES_MAX {
        return Err(refuse(format!("the file is larger than {} MiB", DATABASE_BYTES_MAX >> 20)));
    }
    let reader = Reader::from_source(bytes).map_err(|error| refuse(format!("not a MaxMind database: {error}")))?;
    Walk::over(&reader, bytes).map_err(refuse)
}

struct Walk<'r> {
    reader: &'r Reader<&'r [u8]>,
    bytes: &'r [u8],
    nodes: usize,
    /// Bytes of a node.
    width: usize,
    visits_left: usize,
    found: Vec<Found>,
    /// Records of the tree that were decoded before.
    decoded: HashMap<usize, u32>,
}

/// A part of the tree still to be visited: the record, the bits that led to it, how many those are.
type Part = (usize, u128, u32);

impl<'r> Walk<'r> {
    fn over(reader: &'r Reader<&'r [u8]>, bytes: &'r [u8]) -> Result<Database, String> {
        let metadata = reader.metadata();
        let nodes = metadata.node_count as usize;
        let mut walk = Walk {
            reader,
            bytes,
            nodes,
            width: usize::from(metadata.record_size) / 4,
            visits_left: nodes.saturating_mul(VISITS_PER_NODE_MAX).saturating_add(256),
            found: Vec::new(),
            decoded: HashMap::new(),
        };
        let (mut v4, mut v6) = (Ranges::new(), Ranges::new());
        if metadata.ip_version == 4 {
            walk.tree((0, 0, 0), 32, None, |first, found| v4.push(first as u32, found))?;
        } else {
            // IPv4 addresses stand below ::/96.
            let mut below = (0, 0, 0);
            while below.0 < nodes && below.2 < 96 {
                below = (walk.child(below.0, 0)?, 0, below.2 + 1);
            }
            let root = below.0;
            let aliased = (root < nodes).then_some(root);
            walk.tree((root, 0, 0), 32, None, |first, found| v4.push(first as u32, found))?;
            walk.tree((0, 0, 0), 128, aliased, |first, found| v6.push(first, found))?;
        }
        Ok(Database { found: walk.found, v4, v6, built: metadata.build_epoch, title: None })
    }

    /// Visits the tree below a part, addresses in order. What leads to `aliased` again is left out.
    fn tree(
        &mut self,
        root: Part,
        bits: u32,
        aliased: Option<usize>,
        mut range: impl FnMut(u128, u32),
    ) -> Result<(), String> {
        let mut open = vec![root];
        while let Some((record, prefix, length)) = open.pop() {
            self.visits_left =
                self.visits_left.checked_sub(1).ok_or("its search tree is folded into itself many times over")?;
            if Some(record) == aliased || record == self.nodes {
                range(prefix, 0);
            } else if record > self.nodes {
                let found = self.decode(record, prefix, bits)?;
                range(prefix, found);
            } else if length == bits {
                return Err("its search tree is deeper than addresses are long".into());
            } else {
                let half = 1_u128 << (bits - 1 - length);
                open.push((self.child(record, 1)?, prefix | half, length + 1));
                open.push((self.child(record, 0)?, prefix, length + 1));
            }
        }
        Ok(())
    }

    /// One side of a node: another node, nothing, or a place in the data.
    fn child(&self, node: usize, side: usize) -> Result<usize, String> {
        let at = node * self.width;
        let bytes = self.bytes.get(at..at + self.width).ok_or("its search tree is cut off")?;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, &byte| number << 8 | usize::from(byte));
        Ok(match (bytes, side) {
            (&[a, b, c, shared, ..], 0) if bytes.len() == 7 => number(&[shared >> 4, a, b, c]),
            (&[_, _, _, shared, a, b, c], _) => number(&[shared & 15, a, b, c]),
            (bytes, 0) => number(&bytes[..bytes.len() / 2]),
            (bytes, _) => number(&bytes[bytes.len() / 2..]),
        })
    }

    /// The number of what the data say, 0 where that is nothing. Each record of them is decoded once.
    fn decode(&mut self, record: usize, prefix: u128, bits: u32) -> Result<u32, String> {
        if let Some(&known) = self.decoded.get(&record) {
            return Ok(known);
        }
        let address = match bits {
            32 => IpAddr::V4((prefix as u32).into()),
            _ => IpAddr::V6(prefix.into()),
        };
        let result = self.reader.lookup(address).map_err(|error| error.to_string())?;
        result.decode::<IgnoredAny>().map_err(|error| error.to_string())?;
        let found = whereabouts(&result);
        let number = match found {
            Some(found) => {
                self.found.push(found);
                self.found.len() as u32
            }
            None => 0,
        };
        self.decoded.insert(record, number);
        Ok(number)
    }
}

type Looked<'r> = LookupResult<'r, &'r [u8]>;

/// What a record tells of the place, in whichever layout.
fn whereabouts(result: &Looked<'_>) -> Option<Found> {
    use PathElement::{Index, Key};
    let is_one = |path: &[PathElement<'_>]| code(text(result, path)?);
    let any = |paths: &[&[PathElement<'_>]]| paths.iter().find_map(|path| is_one(path));
    let country = any(&[
        &[Key("country"), Key("iso_code")],
        &[Key("country_code")],
        &[Key("country")],
        &[Key("registered_country"), Key("iso_code")],
    ]);
    let continent = any(&[&[Key("continent"), Key("code")], &[Key("continent_code")], &[Key("continent")]]);
    let subdivision = country.filter(|country| country == b"US").and_then(|_| state(result));
    let degrees = |paths: [&[PathElement<'_>]; 3]| paths.iter().find_map(|path| number(result, path));
    let latitude = degrees([&[Key("location"), Key("latitude")], &[Key("latitude")], &[Key("lat")]]);
    let longitude = degrees([&[Key("location"), Key("longitude")], &[Key("longitude")], &[Key("lng")]]);
    let coordinates = latitude.zip(longitude).and_then(|(north, east)| Coordinates::new(north, east));
    let has_region = subdivision.is_some()
        || text(result, &[Key("subdivisions"), Index(0), Key("iso_code")]).is_some()
        || text(result, &[Key("state1")]).is_some();
    let told = [
        (has_region, Found::REGION),
        (coordinates.is_some(), Found::COORDINATES),
        (country.is_some(), Found::COUNTRY),
        (continent.is_some(), Found::CONTINENT),
    ];
    let detail = told.iter().filter(|(told, _)| *told).map(|(_, weight)| weight).sum();
    // A country's continent is Route 53's affair; the database's counts where it knows no country.
    let continent = continent.filter(|&code| country.is_none() && countries::is_continent(code));
    let whereabouts = Whereabouts { continent, country, subdivision, coordinates };
    (detail > 0).then(|| Found { whereabouts: whereabouts.completed(), detail })
}

/// A state of the USA, by its code or its name.
fn state(result: &Looked<'_>) -> Option<Code> {
    use PathElement::{Index, Key};
    let paths: [&[PathElement<'_>]; 5] = [
        &[Key("subdivisions"), Index(0), Key("iso_code")],
        &[Key("subdivisions"), Index(0), Key("names"), Key("en")],
        &[Key("state1")],
        &[Key("region_code")],
        &[Key("region")],
    ];
    paths.iter().find_map(|path| {
        let text = text(result, path)?;
        let known = code(text).and_then(countries::state).or_else(|| countries::state_named(text));
        known.map(|state| state.code)
    })
}

/// Text at a path; what isn't there, or isn't text, is none.
fn text<'r>(result: &Looked<'r>, path: &[PathElement<'_>]) -> Option<&'r str> {
    result.decode_path::<&str>(path).ok().flatten().filter(|text| !text.is_empty())
}

/// A number at a path, in any of the forms that databases write them in.
fn number(result: &Looked<'_>, path: &[PathElement<'_>]) -> Option<f64> {
    let double = || result.decode_path::<f64>(path).ok().flatten();
    let single = || result.decode_path::<f32>(path).ok().flatten().map(f64::from);
    double().or_else(single).or_else(|| text(result, path)?.parse().ok())
}
