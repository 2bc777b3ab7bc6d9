//! How far away a region is in milliseconds: as measured for the client's network, state, country, continent or
//! region, or else as estimated from the distance.

use std::collections::HashMap;
use std::sync::Arc;

use ipnet::IpNet;

use super::place::{Code, Place};
use super::region::RegionId;

/// The round trip over no distance. With `MILLISECONDS_PER_KILOMETRE` it is the line that fits the figures between
/// regions in the shipped `latency.csv` best (least squares); a test compares.
pub const MILLISECONDS_AT_HOME: f64 = 12.0;
/// Light in fibre needs 0.01 ms there and back; the rest is that cables don't run straight.
pub const MILLISECONDS_PER_KILOMETRE: f64 = 0.0156;

/// A round trip, and how it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    pub milliseconds: f64,
    /// The line of `latency.csv`; without one, it is estimated from the distance.
    pub measured: Option<Measured>,
}

/// A row of `latency.csv`.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub file: Arc<str>,
    pub line: u32,
}

/// The round trip over a distance, where nothing is measured.
pub fn estimate(kilometres: f64) -> f64 {
    MILLISECONDS_AT_HOME + MILLISECONDS_PER_KILOMETRE * kilometres
}

/// What a row is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum From {
    Network(IpNet),
    Subdivision(Code, Code),
    Country(Code),
    Continent(Code),
    Region(RegionId),
}

/// Milliseconds and line for each region, where there is a row.
pub(super) type Rows = Box<[Option<(f32, u32)>]>;

/// All rows of `latency.csv`, by what they are about.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    /// All but the networks.
    pub by_from: HashMap<From, Rows>,
    /// Wider ones before those inside them.
    pub networks: Vec<NetworkRows>,
}

#[derive(Debug)]
pub(super) struct NetworkRows {
    pub rows: Rows,
    /// The next wider network that has rows.
    pub around: Option<u32>,
}

/// The first row about a place and a region: networks first, the longest before the wider ones, then the state, the
/// country, the continent, the region the place is in.
impl Latencies {
    pub fn of(&self, place: &Place, region: RegionId) -> Option<(f32, u32)> {
        self.rows(place).find_map(|rows| rows.get(region.index()).copied().flatten())
    }

    /// All rows about a place, in this order.
    pub fn rows(&self, place: &Place) -> impl Iterator<Item = &Rows> {
        let numbered = |number: u32| self.networks.get(number as usize);
        let narrowest = place.measured.and_then(numbered);
        let networks = std::iter::successors(narrowest, move |network| network.around.and_then(numbered));
        networks.map(|network| &network.rows).chain(froms(place).filter_map(|from| self.by_from.get(&from)))
    }
}

/// What rows may be about a place, the most telling first.
fn froms(place: &Place) -> impl Iterator<Item = From> + use<> {
    let subdivision = place.country.zip(place.subdivision).map(|(country, code)| From::Subdivision(country, code));
    let country = place.country.map(From::Country);
    let continent = place.continent.map(From::Continent);
    let region = place.region.map(From::Region);
    [subdivision, country, continent, region].into_iter().flatten()
}
