//! A folder of geography, read into one: databases laid over each other, `places.csv` over those, the networks of
//! `latency.csv` marked in, and every place there is given its number.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ipnet::IpNet;

use super::csv::{Cell, File};
use super::database::{Database, Found};
use super::geography::{DatabaseFile, Gazetteer, Geography, STANDS_IN, SourceRow, order};
use super::latency::{From, Latencies, NetworkRows, Rows, estimate};
use super::mmdb;
use super::place::{Place, PlaceId, Spot};
use super::ranges;
use super::region::{REGIONS_MAX, Region, RegionId, is_local_zone};
use super::rows::{self, FromText, LatencyRow, PlaceRow, Whereabouts};
use super::table::{Key, Ranges, Rewrite, Table, flatten, overlay};
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

/// A file that is read.
struct Bytes<'b> {
    name: Arc<str>,
    bytes: &'b [u8],
}

/// What the layers say of a range: a place of the gazetteer, how much that tells, and what it is known from.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Known {
    place: PlaceId,
    detail: u8,
    source: u32,
}

const NOTHING: Known = Known { place: PlaceId::UNKNOWN, detail: 0, source: 0 };

/// The layers of one address family. Numbers are those of `Build::known`.
struct Layers<K> {
    databases: Ranges<K>,
    places: Vec<(K, u8, Option<u32>)>,
    latencies: Vec<(K, u8, Option<u32>)>,
}

/// All layers of one address family as one.
struct Settled<K> {
    table: Table<K>,
    sources: Ranges<K>,
    /// The number of ranges that have a place.
    networks: usize,
}

impl<K: Key> Layers<K> {
    fn new() -> Layers<K> {
        Layers { databases: Ranges::new(), places: Vec::new(), latencies: Vec::new() }
    }

    /// Lays a database over those before: it is believed where it tells more. The first of its answers has the number
    /// `first` and 1.
    fn add_database(&mut self, ranges: Ranges<K>, first: u32, known: &[Known]) {
        if first == 0 {
            self.databases = ranges;
            return;
        }
        let detail = |number: u32| known.get(number as usize).map_or(0, |known| known.detail);
        self.databases = self.databases.overlay(&ranges, |below, above| match above {
            0 => below,
            above if detail(first + above) > detail(below) => first + above,
            _ => below,
        });
    }

    /// All layers as one: a place's number, and a source's, for each range. Most ranges are those of a database alone;
    /// `places.csv` and `latency.csv` have few.
    fn settle(self, known: &[Known], gazetteer: &mut Gazetteer) -> Settled<K> {
        let files =
            overlay(&flatten(self.places, None), &flatten(self.latencies, None), |&row, &measured| (row, measured));
        let mut places = Rewrite::new(self.databases, files.len());
        let mut sources = Ranges::new();
        for (number, &(start, (row, measured))) in files.iter().enumerate() {
            let mut settle = |places: &mut Rewrite<K>, start: K, number: u32| {
                let Known { place, source, .. } = known.get(number as usize).copied().unwrap_or(NOTHING);
                let place = match measured {
                    Some(_) => gazetteer.number(Place { measured, ..gazetteer.places[place.index()] }),
                    None => place,
                };
                places.write(start, place.0);
                sources.push(start, source);
            };
            let below = places.seek(start);
            settle(&mut places, start, row.unwrap_or(below));
            let end = files.get(number + 1).map(|&(next, _)| next);
            if row.is_none() {
                while let Some((start, number)) = places.read(end) {
                    settle(&mut places, start, number);
                }
            }
        }
        let places = places.finish();
        let networks = places.from(0).filter(|&(_, place)| place != PlaceId::UNKNOWN.0).count();
        Settled { table: Table::of(places), sources, networks }
    }
}

/// The files of the shipped geography, which are part of the program. It comes from `geo/` of the sources.
const SHIPPED: [(&str, &[u8]); 4] = [
    ("built-in geo/countries.ranges", include_bytes!("../../geo/countries.ranges")),
    ("built-in geo/latency.csv", include_bytes!("../../geo/latency.csv")),
    ("built-in geo/places.csv", include_bytes!("../../geo/places.csv")),
    ("built-in geo/regions.csv", include_bytes!("../../geo/regions.csv")),
];

impl Geography {
    /// Reads a folder's files: `places.csv`, `regions.csv`, `latency.csv` and every `*.mmdb` and `*.ranges`; others are
    /// none of ours. What is wrong is said, and the rest is used.
    pub fn build(files: Vec<GeoFile>) -> (Geography, Problems) {
        let mut files: Vec<Bytes<'_>> =
            files.iter().map(|file| Bytes { name: file.name.clone(), bytes: &file.bytes }).collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Geography::of(&files)
    }

    /// The geography that is part of the program.
    pub fn shipped() -> (Geography, Problems) {
        Geography::of(&SHIPPED.map(|(name, bytes)| Bytes { name: name.into(), bytes }))
    }

    fn of(files: &[Bytes<'_>]) -> (Geography, Problems) {
        let mut build = Build::new();
        let named = |name: &'static str| move |file: &&Bytes<'_>| base(&file.name).eq_ignore_ascii_case(name);
        build.regions(files.iter().find(named("regions.csv")));
        if let Some(file) = files.iter().find(named("latency.csv")) {
            build.latencies(file);
        }
        for file in files {
            let name = base(&file.name).to_ascii_lowercase();
            if name.ends_with(".mmdb") {
                build.database(file, mmdb::read);
            } else if name.ends_with(".ranges") {
                build.database(file, ranges::read);
            }
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
    databases: Vec<DatabaseFile>,
    /// What ranges have the numbers of. The first is nothing.
    known: Vec<Known>,
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
            databases: Vec::new(),
            known: vec![NOTHING],
            v4: Layers::new(),
            v6: Layers::new(),
            latencies: Latencies::default(),
            latency_file: Arc::from("latency.csv"),
        }
    }

    /// A file's regions beside the shipped ones, and before them where both name one.
    fn regions(&mut self, file: Option<&Bytes<'_>>) {
        let mut all: BTreeMap<Id, Region> = BTreeMap::new();
        let shipped = Arc::from("regions.csv");
        let files = [Some((&shipped, SHIPPED_REGIONS.as_bytes())), file.map(|file| (&file.name, file.bytes))];
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

    fn latencies(&mut self, file: &Bytes<'_>) {
        self.latency_file = file.name.clone();
        let mut csv = File { name: file.name.clone(), problems: &mut self.problems };
        let rows = rows::latencies(&mut csv, file.bytes);
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

    fn database(&mut self, file: &Bytes<'_>, read: impl FnOnce(&Arc<str>, &[u8]) -> Result<Database, Box<Problem>>) {
        let Database { found, v4, v6, built, title } = match read(&file.name, file.bytes) {
            Ok(database) => database,
            Err(problem) => return self.problems.push(*problem),
        };
        self.databases.push(DatabaseFile { file: file.name.clone(), built, title });
        let source = self.source(&file.name, 0);
        // Ranges without a place count as known from the first database, so that the ranges of sources are few.
        // `Geography::source` reports no source for an address without a place.
        if let [nothing, ..] = &mut self.known[..]
            && nothing.source == NOTHING.source
        {
            nothing.source = source;
        }
        let first = self.known.len() as u32 - 1;
        for Found { whereabouts, detail } in found {
            let place = self.number(whereabouts, None);
            self.known.push(Known { place, detail, source });
        }
        self.v4.add_database(v4, first, &self.known);
        self.v6.add_database(v6, first, &self.known);
    }

    fn places(&mut self, file: &Bytes<'_>) {
        let mut csv = File { name: file.name.clone(), problems: &mut self.problems };
        let rows = rows::places(&mut csv, file.bytes);
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
            let source = self.source(&file.name, line);
            let known = Some(self.known.len() as u32);
            self.known.push(Known { place, detail: u8::MAX, source });
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
        let v4 = self.v4.settle(&self.known, &mut self.gazetteer);
        let v6 = self.v6.settle(&self.known, &mut self.gazetteer);
        let places = self.gazetteer.places;
        let spot = |place: &Place| place.coordinates.unwrap_or(STANDS_IN).spot();
        let spots: Vec<Spot> = places.iter().map(spot).collect();
        let ranked = self.regions.iter().take_while(|region| !is_local_zone(&region.name)).count();
        let ranks = ranks(&places, &spots, &self.regions[..ranked], &self.latencies);
        let Build { problems, regions, region_places, sources, databases, latencies, latency_file, .. } = self;
        let geography = Geography {
            v4: v4.table,
            v6: v6.table,
            v4_sources: v4.sources,
            v6_sources: v6.sources,
            places,
            spots,
            ranks,
            ranked,
            regions,
            region_places,
            latencies,
            latency_file,
            sources,
            databases,
            networks: v4.networks + v6.networks,
            folder: None,
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
        let rows: Vec<&Rows> = latencies.rows(place).collect();
        order.extend((0..).zip(&region_spots).map(|(region, &region_spot)| {
            let measured = rows.iter().find_map(|rows| rows.get(usize::from(region)).copied().flatten());
            let measured = measured.map(|(milliseconds, _)| f64::from(milliseconds));
            (measured.unwrap_or_else(|| estimate(spot.kilometres(region_spot))), region)
        }));
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (rank, (_, region)) in (0..).zip(&order) {
            ranks[usize::from(*region)] = rank;
        }
    }
    ranks
}
