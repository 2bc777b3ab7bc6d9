//! A database of places: what it says of ranges of addresses, and when it was made.

use super::rows::Whereabouts;
use super::table::Ranges;

/// What a database says of a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    pub whereabouts: Whereabouts,
    /// How much that is: of two databases the one that tells more is believed.
    pub detail: u8,
}

impl Found {
    /// Detail of a country, of coordinates, and so on. Their sum ranks the databases that know an address.
    pub const CONTINENT: u8 = 1;
    pub const COUNTRY: u8 = 2;
    pub const COORDINATES: u8 = 4;
    pub const REGION: u8 = 8;
}

/// A database as ranges over all addresses. Their numbers are indexes of `found` plus 1; 0 is an unknown range.
#[derive(Debug)]
pub(super) struct Database {
    /// Each different answer once.
    pub found: Vec<Found>,
    pub v4: Ranges<u32>,
    pub v6: Ranges<u128>,
    /// When it was made, in seconds since 1970. 0 if the file does not say.
    pub built: u64,
    /// Its authors and its licence, if the file names them.
    pub title: Option<String>,
}
