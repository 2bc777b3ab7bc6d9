//! All that is known of where addresses are, frozen: from a client's address to its place, and from a place to the
//! regions near it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::latency::{Latencies, Latency, Measured, estimate};
use super::place::{Coordinates, Place, PlaceId, Spot};
use super::region::{Region, RegionId, is_local_zone};
use super::table::{Key, Ranges, Table};
use crate::model::Id;

/// Where a client counts as standing when nobody knows: Route 53 tests answers from a resolver in us-east-1 when it
/// isn't told where from, so we take that. It settles latency and geoproximity, which have no default record.
pub const STANDS_IN: Coordinates = Coordinates::known(38.95, -77.45);

/// The origin of a geography whose files are part of the program.
const BUILT_IN: &str = "built in";

#[derive(Debug)]
pub struct Geography {
    pub(super) v4: Table<u32>,
    pub(super) v6: Table<u128>,
    /// The sources of addresses: a number of `sources` and 1, or 0 for none. Their ranges are not those of the tables.
    /// An address without a place may have a database for its source, too.
    pub(super) v4_sources: Ranges<u32>,
    pub(super) v6_sources: Ranges<u128>,
    pub(super) places: Vec<Place>,
    pub(super) spots: Vec<Spot>,
    /// For each place, the rank of each region by latency, the nearest being 0.
    pub(super) ranks: Vec<u8>,
    pub(super) ranked: usize,
    pub(super) regions: Vec<Region>,
    pub(super) region_places: Vec<PlaceId>,
    pub(super) latencies: Latencies,
    pub(super) latency_file: Arc<str>,
    pub(super) sources: Vec<SourceRow>,
    /// In the order of their files' names.
    pub(super) databases: Vec<DatabaseFile>,
    /// The number of ranges that have a place.
    pub(super) networks: usize,
    /// The folder of its files; none for the geography that is built in.
    pub(super) folder: Option<Arc<str>>,
}

/// A database that was loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseFile {
    pub file: Arc<str>,
    /// When it was made, in seconds since 1970. 0 if the file does not say.
    pub built: u64,
    /// Its authors and its licence, if the file names them.
    pub title: Option<String>,
}

/// What a range's place is known from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SourceRow {
    pub file: Arc<str>,
    /// 0 for a database, which has no lines.
    pub line: u32,
}

/// What the place of an address is known from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// No file says anything about it.
    Nobody,
    /// A row of `places.csv`.
    Row { file: Arc<str>, line: u32 },
    /// A database, and the range of addresses around that it places alike.
    Database { file: Arc<str>, first: IpAddr, last: IpAddr },
    /// The region of a VPC.
    Region(Id),
}

impl Geography {
    /// Nothing is known of any address or region.
    pub fn empty() -> Geography {
        Geography {
            v4: Table::new(Vec::new()),
            v6: Table::new(Vec::new()),
            v4_sources: Ranges::new(),
            v6_sources: Ranges::new(),
            places: vec![Place::default()],
            spots: vec![STANDS_IN.spot()],
            ranks: Vec::new(),
            ranked: 0,
            regions: Vec::new(),
            region_places: Vec::new(),
            latencies: Latencies::default(),
            latency_file: Arc::from("latency.csv"),
            sources: Vec::new(),
            databases: Vec::new(),
            networks: 0,
            folder: None,
        }
    }

    /// The same, with the folder that its files were read from.
    pub fn of_folder(self, folder: &str) -> Geography {
        Geography { folder: Some(folder.into()), ..self }
    }

    /// The folder of its files, or `built in`.
    pub fn origin(&self) -> &str {
        self.folder.as_deref().unwrap_or(BUILT_IN)
    }

    /// The number of ranges of addresses, IPv4 and IPv6, that have a place.
    pub fn networks(&self) -> usize {
        self.networks
    }

    /// The databases that were loaded, in the order of their files' names.
    pub fn databases(&self) -> &[DatabaseFile] {
        &self.databases
    }

    /// How many places there are: every `PlaceId` is below.
    pub fn places(&self) -> usize {
        self.places.len()
    }

    /// How many ranges of addresses there are, IPv4 and IPv6.
    pub fn ranges(&self) -> (usize, usize) {
        (self.v4.len(), self.v6.len())
    }

    /// The place an address is in.
    pub fn locate(&self, address: IpAddr) -> PlaceId {
        match address {
            IpAddr::V4(address) => PlaceId(self.v4.number(self.v4.find(address.to_bits()))),
            IpAddr::V6(address) => PlaceId(self.v6.number(self.v6.find(address.to_bits()))),
        }
    }

    /// What that is known from.
    pub fn source(&self, address: IpAddr) -> Source {
        let (source, first, last) = match address {
            IpAddr::V4(address) => {
                let (source, first, last) = known_from(&self.v4, &self.v4_sources, address.to_bits());
                (source, IpAddr::V4(first.into()), IpAddr::V4(last.into()))
            }
            IpAddr::V6(address) => {
                let (source, first, last) = known_from(&self.v6, &self.v6_sources, address.to_bits());
                (source, IpAddr::V6(first.into()), IpAddr::V6(last.into()))
            }
        };
        match source.checked_sub(1).and_then(|row| self.sources.get(row as usize)) {
            None => Source::Nobody,
            Some(SourceRow { line: 0, .. }) if self.place(self.locate(address)).is_unknown() => Source::Nobody,
            Some(SourceRow { file, line: 0 }) => Source::Database { file: file.clone(), first, last },
            Some(SourceRow { file, line }) => Source::Row { file: file.clone(), line: *line },
        }
    }

    /// The length of the widest network around an address whose places are all the same, as `same` sees them. The
    /// work is bounded (`SCOPE_RANGES_MAX`); where the bound is met, the network is narrower than it could be.
    pub fn scope(&self, address: IpAddr, mut same: impl FnMut(PlaceId) -> bool) -> u8 {
        let same = |number| same(PlaceId(number));
        match address {
            IpAddr::V4(address) => self.v4.scope(address.to_bits(), same),
            IpAddr::V6(address) => self.v6.scope(address.to_bits(), same),
        }
    }

    pub fn place(&self, place: PlaceId) -> &Place {
        const NOWHERE: &Place = &Place {
            continent: None,
            country: None,
            subdivision: None,
            coordinates: None,
            region: None,
            measured: None,
        };
        self.places.get(place.index()).unwrap_or(NOWHERE)
    }

    /// Where a place is on the globe. A place without coordinates counts as standing at `STANDS_IN`.
    pub fn spot(&self, place: PlaceId) -> Spot {
        self.spots.get(place.index()).copied().unwrap_or_else(|| STANDS_IN.spot())
    }

    /// A region or local zone, by name.
    pub fn region_named(&self, name: &str) -> Option<RegionId> {
        let found = self.regions.binary_search_by(|region| order(&region.name).cmp(&order(name))).ok()?;
        u8::try_from(found).ok().map(RegionId)
    }

    pub fn region(&self, region: RegionId) -> Option<&Region> {
        self.regions.get(region.index())
    }

    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The place that a region's VPCs are in.
    pub fn region_place(&self, region: RegionId) -> PlaceId {
        self.region_places.get(region.index()).copied().unwrap_or(PlaceId::UNKNOWN)
    }

    /// The rank of each region by its latency from a place, 0 for the lowest. Local zones have none.
    pub fn ranks(&self, place: PlaceId) -> &[u8] {
        let from = place.index() * self.ranked;
        self.ranks.get(from..from + self.ranked).unwrap_or(&[])
    }

    /// The latency of a region from a place.
    pub fn latency(&self, place: PlaceId, region: RegionId) -> Option<Latency> {
        let spot = self.region(region)?.coordinates.spot();
        Some(match self.latencies.of(self.place(place), region) {
            Some((milliseconds, line)) => {
                let measured = Measured { file: self.latency_file.clone(), line };
                Latency { milliseconds: f64::from(milliseconds), measured: Some(measured) }
            }
            None => Latency { milliseconds: estimate(self.spot(place).kilometres(spot)), measured: None },
        })
    }
}

/// The source of an address, and the range around it that has this source and one place.
fn known_from<K: Key>(table: &Table<K>, sources: &Ranges<K>, address: K) -> (u32, K, K) {
    let (first, last) = table.bounds(table.find(address));
    let range = sources.find(0, address);
    let (source_first, source_last) = sources.bounds(range);
    (sources.number(range), first.max(source_first), last.min(source_last))
}

/// Regions first, then local zones, each by name.
pub(super) fn order(region: &str) -> (bool, &str) {
    (is_local_zone(region), region)
}

/// Gives each place a number, and equal places the same.
#[derive(Debug)]
pub(super) struct Gazetteer {
    pub places: Vec<Place>,
    numbers: HashMap<Place, PlaceId>,
}

impl Gazetteer {
    pub fn new() -> Gazetteer {
        let unknown = Place::default();
        Gazetteer { places: vec![unknown], numbers: HashMap::from([(unknown, PlaceId::UNKNOWN)]) }
    }

    pub fn number(&mut self, place: Place) -> PlaceId {
        *self.numbers.entry(place).or_insert_with(|| {
            self.places.push(place);
            PlaceId(self.places.len() as u32 - 1)
        })
    }
}

impl Default for Geography {
    fn default() -> Geography {
        Geography::empty()
    }
}
