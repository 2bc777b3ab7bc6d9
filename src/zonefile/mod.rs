//! Front door: zone files to the model.
//!
//! A zone file is a master file (RFC 1035, 5; RFC 2308, 4; RFC 3597) with BIND's `$GENERATE` and TTL units, and with
//! routing in comments that any other server passes over.

pub mod annotation;
mod directive;
mod foreign;
mod generate;
mod pieces;
mod print;
mod reader;
mod routing;
mod source;

use std::sync::Arc;

pub use foreign::{Foreign, foreign};
pub use print::print;
pub use reader::Room;

use crate::hands::{Alone, Hands};
use crate::model::ZoneData;
use crate::problem::Problems;
use crate::wire::name::Name;

/// Where `$INCLUDE` finds its files.
pub trait Includes {
    /// The file that `from_file` calls `path`: the path to show, and its bytes. The error says why it can't be had.
    fn read(&self, path: &str, from_file: &str) -> Result<(Arc<str>, Vec<u8>), String>;

    /// The bytes of text that the zone may still have, in included files and in what `$GENERATE` writes.
    fn bytes_left(&self) -> u64 {
        u64::MAX
    }
}

/// Reads a zone. What could be read comes back whatever is wrong; all that is wrong is added to `problems`.
pub fn parse(origin: &Name, file: Arc<str>, text: &[u8], includes: &dyn Includes, problems: &mut Problems) -> ZoneData {
    parse_with(origin, file, text, includes, &Alone, &mut Room::default(), problems)
}

/// The same, where a large file is read by all hands, and the next one in the same room.
pub fn parse_with(
    origin: &Name,
    file: Arc<str>,
    text: &[u8],
    includes: &dyn Includes,
    hands: &dyn Hands,
    room: &mut Room,
    problems: &mut Problems,
) -> ZoneData {
    reader::read(origin, file, text, includes, hands, room, problems)
}

#[cfg(test)]
mod tests;
