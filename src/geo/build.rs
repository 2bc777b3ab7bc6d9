//! A folder of geography, read into one: databases laid over each other, `places.csv` over those, the networks of
//! `latency.csv` marked in, and every place there is given its number.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ipnet::IpNet;

use super::csv::{Cell, File};
use super::geography::{Gazetteer, Geography, STANDS_IN, SourceRow, order};
use super::latency::{From, Latencies, NetworkRows, Rows, estimate};
use super::mmdb;
use super::place::{Place, PlaceId, Spot};
use super::region::{REGIONS_MAX, Region, RegionId, is_local_zone};
use super::rows::{self, FromText, LatencyRow, PlaceRow, Whereabouts};
use super::table::{Key, Table, flatten, overlay};
use crate::model::Id;
use crate::problem::{At, Problem, Problems};

/// The regions that are known without any file: those of the shipped one.
const SHIPPED_REGIONS: &str = include_str!("../../geo/regions.csv");

/// A file of a geography folder.
#[derive(Clone, Debug)]
pub struct GeoFile {
    /// Its path, as problems are to show it.
    pub name: Arc<str>,
    pub bytes: Vec<u8>,
}

/// What the layers say of a range: a place of the gazetteer, how much that tells, and what it is known from.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Known {
    place: PlaceId,
    detail: u8,
    source: u32,
}

const NOTHING: Known = Known { place: PlaceId::UNKNOWN, detail: 0, source: 0 };

/// The layers of one address family.
struct Layers<K> {
    databases: Vec<(K, Known)>,
    places: Vec<(K, u8, Option<Known>)>,
    latencies: Vec<(K, u8, Option<u32>)>,
}

impl<K: Key> Layers<K> {
    fn new() -> Layers<K> {
        Layers { databases: vec![(K::FIRST, NOTHING)], places: Vec::new(), latencies: Vec::new() }
    }

    /// Lays a database over those before: it is believed where it tells more.
    fn add_database(&mut self, ranges: &[(K, Option<u32>)], known: &[Known]) {
        self.databases =
            overlay(&self.databases, ranges, |&below, above| match above.and_then(|index| known.get(index as usize)) {
                Some(&above) if above.detail > below.detail => above,
                _ => below,
            });
    }

    /// All layers as one: a place's number, and a source's, for each range.
    fn settle(self, gazetteer: &mut Gazetteer) -> (Table<K>, Box<[u32]>) {
        let places = flatten(self.places, None);
        let known = overlay(&self.databases, &places, |&below, above| above.unwrap_or(below));
        let latencies = flatten(self.latencies, None);
        let settled = overlay(&known, &latencies, |known, &measured| {
            let place = match measured {
                Some(_) => gazetteer.number(Place { measured, ..gazetteer.places[known.place.index()] }),
                None => known.place,
            };
            (place.0, known.source)
        });
        let sources = settled.iter().map(|(_, (_, source))| *source).collect();
        (Table::new(settled.into_iter().map(|(start, (place, _))| (start, place)).collect()), sources)
    }
}

impl Geography {
    /// Reads a folder's files: `places.csv`, `regions.csv`, `latency.csv` and every `*.mmdb`; others are none of ours.
    /// What is wrong is said, and the rest is used.
    pub fn build(mut files: Vec<GeoFile>) -> (Geography, Problems) {
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let mut build = Build::new();
        let named = |name: &'static str| move |file: &&GeoFile| base(&file.name).eq_ignore_ascii_case(name);
        build.regions(files.iter().find(named("regions.csv")));
        if let Some(file) = files.iter().find(named("latency.csv")) {
            build.latencies(file);
        }
        for file in files.iter().filter(|file| base(&file.name).to_ascii_lowercase().ends_with(".mmdb")) {
            build.database(file);
        }
        if let Some(file) = files.iter().find(named("places.csv")) {
            build.places(file);
        }
        build.finish()
    }
}

fn base(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

struct Build {
    problems: Problems,
    regions: Vec<Region>,
    region_places: Vec<PlaceId>,
    gazetteer: Gazetteer,
    sources: Vec<SourceRow>,
    v4: Layers<u32>,
    v6: Layers<u128>,
    latencies: Latencies,
    latency_file: Arc<str>,
}

impl Build {
    fn new() -> Build {
        Build {
            problems: Problems::default(),
            regions: Vec::new(),
            region_places: Vec::new(),
            gazetteer: Gazetteer::new(),
            sources: Vec::new(),
            v4: Layers::new(),
            v6: Layers::new(),
            latencies: Latencies::default(),
            latency_file: Arc::from("latency.csv"),
        }
    }

    /// A file's regions beside the shipped ones, and before them where both name one.
    fn regions(&mut self, file: Option<&GeoFile>) {
        let mut all: BTreeMap<Id, Region> = BTreeMap::new();
        let shipped = Arc::from("regions.csv");
        let files = [Some((&shipped, SHIPPED_REGIONS.as_bytes())), file.map(|file| (&file.name, &file.bytes[..]))];
        for (name, bytes) in files.into_iter().flatten() {
            let mut file = File { name: name.clone(), problems: &mut self.problems };
            let mut lines: HashMap<Id, u32> = HashMap::new();
            for (line, region) in rows::regions(&mut file, bytes) {
                if let Some(before) = lines.insert(region.name.clone(), line) {
                    let what = format!("{} is given again", region.name);
                    let why = format!("it was given in line {before} before, and the later line holds");
                    file.problems.push(Problem::warning(
                        file.at(line, Cell::default()),
                        what,
                        why,
                        "remove one of them",
                    ));
                }
                all.insert(region.name.clone(), region);
            }
            if all.len() > REGIONS_MAX {
                let what = format!("there are more than {REGIONS_MAX} regions");
                let at = file.at(1, Cell::default());
                file.problems.push(Problem::error(at, what, "the last by name are left out", "remove some"));
                while all.len() > REGIONS_MAX {
                    all.pop_last();
                }
            }
        }
        self.regions = all.into_values().collect();
        self.regions.sort_by(|a, b| order(&a.name).cmp(&order(&b.name)));
        for (number, region) in (0..).zip(&self.regions) {
            let Region { coordinates, continent, country, subdivision, .. } = *region;
            let (coordinates, region) = (Some(coordinates), Some(RegionId(number)));
            let place = Place { continent, country, subdivision, coordinates, region, measured: None };
            self.region_places.push(self.gazetteer.number(place));
        }
    }

    fn region_named(&self, name: &str) -> Option<RegionId> {
        let found = self.regions.binary_search_by(|region| order(&region.name).cmp(&order(name))).ok()?;
        u8::try_from(found).ok().map(RegionId)
    }

    fn latencies(&mut self, file: &GeoFile) {
        self.latency_file = file.name.clone();
        let mut csv = File { name: file.name.clone(), problems: &mut self.problems };
        let rows = rows::latencies(&mut csv, &file.bytes);
        for LatencyRow { line, from, region: name, milliseconds } in rows {
            let Some(region) = self.region_named(&name) else {
                self.unknown_region(&file.name, line, &name, "the row is left out");
                continue;
            };
            let about = match from {
                FromText::Network(network) => vec![From::Network(network)],
                FromText::Subdivision(country, code) => vec![From::Subdivision(country, code)],
                FromText::Code { code, country, continent } => {
                    let about = [country.then_some(From::Country(code)), continent.then_some(From::Continent(code))];
                    about.into_iter().flatten().collect()
                }
                FromText::Region(own) => match self.region_named(&own) {
                    Some(own) => vec![From::Region(own)],
                    None => {
                        self.unknown_region(&file.name, line, &own, "the row is left out");
                        continue;
                    }
                },
            };
            let mut before = None;
            for from in about {
                let rows = self.latencies.by_from.entry(from).or_insert_with(|| vec![None; self.regions.len()].into());
                if let Some(slot) = rows.get_mut(region.index()) {
                    before = before.or(slot.replace((milliseconds, line)));
                }
            }
            if let Some((_, before)) = before {
                let at = At { file: file.name.clone(), line, column: 1, length: 0 };
                let what = format!("this latency of {name} was given in line {before} before");
                self.problems.push(Problem::warning(at, what, "the later line holds", "remove one of them"));
            }
        }
        self.mark_networks();
    }

    /// Numbers the networks of `latency.csv`, wider ones before those inside them.
    fn mark_networks(&mut self) {
        let by_from = std::mem::take(&mut self.latencies.by_from);
        let mut networks: Vec<(IpNet, Rows)> = Vec::new();
        for (from, rows) in by_from {
            match from {
                From::Network(network) => networks.push((network, rows)),
                from => {
                    self.latencies.by_from.insert(from, rows);
                }
            }
        }
        networks.sort_by_key(|(network, _)| (network.network(), network.prefix_len()));
        let mut open: Vec<(IpNet, u32)> = Vec::new();
        for (number, (network, rows)) in (0..).zip(networks) {
            while open.last().is_some_and(|(around, _)| !around.contains(&network)) {
                open.pop();
            }
            self.latencies.networks.push(NetworkRows { rows, around: open.last().map(|&(_, around)| around) });
            open.push((network, number));
            match network {
                IpNet::V4(net) => self.v4.latencies.push((net.network().to_bits(), net.prefix_len(), Some(number))),
                IpNet::V6(net) => self.v6.latencies.push((net.network().to_bits(), net.prefix_len(), Some(number))),
            }
        }
    }

    fn database(&mut self, file: &GeoFile) {
        let database = match mmdb::read(&file.name, &file.bytes) {
            Ok(database) => database,
            Err(problem) => return self.problems.push(*problem),
        };
        let source = self.source(&file.name, 0);
        let known: Vec<Known> = database
            .found
            .iter()
            .map(|found| Known { place: self.number(found.whereabouts, None), detail: found.detail, source })
            .collect();
        self.v4.add_database(&database.v4, &known);
        self.v6.add_database(&database.v6, &known);
    }

    fn places(&mut self, file: &GeoFile) {
        let mut csv = File { name: file.name.clone(), problems: &mut self.problems };
        let rows = rows::places(&mut csv, &file.bytes);
        let mut lines: HashMap<IpNet, u32> = HashMap::new();
        for PlaceRow { line, network, whereabouts, region } in rows {
            if let Some(before) = lines.insert(network, line) {
                let at = At { file: file.name.clone(), line, column: 1, length: 0 };
                let what = format!("{network} was placed in line {before} before");
                self.problems.push(Problem::warning(at, what, "the later line holds", "remove one of them"));
            }
            let region = region.and_then(|name| {
                let found = self.region_named(&name);
                if found.is_none() {
                    self.unknown_region(&file.name, line, &name, "the client's region counts as unknown");
                }
                found
            });
            let place = self.number(whereabouts, region);
            let known = Some(Known { place, detail: u8::MAX, source: self.source(&file.name, line) });
            match network {
                IpNet::V4(net) => self.v4.places.push((net.network().to_bits(), net.prefix_len(), known)),
                IpNet::V6(net) => self.v6.places.push((net.network().to_bits(), net.prefix_len(), known)),
            }
        }
    }

    fn unknown_region(&mut self, file: &Arc<str>, line: u32, name: &str, why: &str) {
        let at = At { file: file.clone(), line, column: 1, length: 0 };
        let remedy = "correct its name, or give its coordinates in regions.csv";
        self.problems.push(Problem::warning(at, format!("there is no region {name:?}"), why, remedy));
    }

    fn number(&mut self, whereabouts: Whereabouts, region: Option<RegionId>) -> PlaceId {
        let Whereabouts { continent, country, subdivision, coordinates } = whereabouts;
        self.gazetteer.number(Place { continent, country, subdivision, coordinates, region, measured: None })
    }

    fn source(&mut self, file: &Arc<str>, line: u32) -> u32 {
        self.sources.push(SourceRow { file: file.clone(), line });
        u32::try_from(self.sources.len()).unwrap_or(0)
    }

    fn finish(mut self) -> (Geography, Problems) {
        let (v4, v4_sources) = self.v4.settle(&mut self.gazetteer);
        let (v6, v6_sources) = self.v6.settle(&mut self.gazetteer);
        let places = self.gazetteer.places;
        let spot = |place: &Place| place.coordinates.unwrap_or(STANDS_IN).spot();
        let spots: Vec<Spot> = places.iter().map(spot).collect();
        let ranked = self.regions.iter().take_while(|region| !is_local_zone(&region.name)).count();
        let ranks = ranks(&places, &spots, &self.regions[..ranked], &self.latencies);
        let Build { problems, regions, region_places, sources, latencies, latency_file, .. } = self;
        let geography = Geography {
            v4,
            v6,
            v4_sources,
            v6_sources,
            places,
            spots,
            ranks,
            ranked,
            regions,
            region_places,
            latencies,
            latency_file,
            sources,
        };
        (geography, problems)
    }
}

/// For each place, the rank of each region by latency. Equal ones rank by name.
fn ranks(places: &[Place], spots: &[Spot], regions: &[Region], latencies: &Latencies) -> Vec<u8> {
    let region_spots: Vec<Spot> = regions.iter().map(|region| region.coordinates.spot()).collect();
    let mut ranks = vec![0; places.len() * regions.len()];
    let mut order: Vec<(f64, u8)> = Vec::with_capacity(regions.len());
    for ((place, spot), ranks) in places.iter().zip(spots).zip(ranks.chunks_mut(regions.len().max(1))) {
        order.clear();
        order.extend((0..).zip(&region_spots).map(|(region, &region_spot)| {
            let measured = latencies.of(place, RegionId(region)).map(|(milliseconds, _)| f64::from(milliseconds));
            (measured.unwrap_or_else(|| estimate(spot.kilometres(region_spot))), region)
        }));
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (rank, (_, region)) in (0..).zip(&order) {
            ranks[usize::from(*region)] = rank;
        }
    }
    ranks
}
