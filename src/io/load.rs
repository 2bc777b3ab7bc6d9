//! From the folders to a snapshot: everything the first time, what changed since after that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use super::folder::{self, Listing, LoadedZone, Seen, State, Touched};
use super::geo::GeoFolder;
use super::hands::Threads;
use super::sys;
use super::terminal::Progress;
use crate::geo::Geography;
use crate::health::verdicts::Verdicts;
use crate::model::zone::Visibility;
use crate::model::{Limits, Shared};
use crate::problem::Problems;
use crate::snapshot::rate_limit::RateLimit;
use crate::snapshot::{Parts, Settings, Snapshot, Workshop, ZoneImage};
use crate::wire::hash::HashKey;
use crate::wire::name::Name;

/// What is looked for in the current folder where nothing else is said.
const ZONES_FOLDER: &str = "zones";
const GEO_FOLDER: &str = "geo";

/// So many zones are put into a snapshot one by one, each into a copy of the list of all; for more, a new list is made,
/// which takes as long as some tens of copies.
const ONE_BY_ONE_MAX: usize = 16;

/// Where zones and geography are.
#[derive(Clone, Debug, PartialEq)]
pub struct Folders {
    pub zones: PathBuf,
    /// None if no folder is named and there is none in the current folder. Then the built-in geography is used.
    pub geo: Option<PathBuf>,
}

impl Folders {
    /// The folders that were named, or the usual ones. Fails where one is not there.
    pub fn find(zones: Option<PathBuf>, geo: Option<PathBuf>) -> Result<Folders> {
        let zones = zones.unwrap_or_else(|| ZONES_FOLDER.into());
        let geo = geo.or_else(|| Some(PathBuf::from(GEO_FOLDER)).filter(|folder| folder.is_dir()));
        check_folder(&zones, "zones")?;
        if let Some(geo) = &geo {
            check_folder(geo, "geo")?;
        }
        Ok(Folders { zones, geo })
    }
}

fn check_folder(folder: &Path, name: &str) -> Result<()> {
    let shown = folder.display();
    match folder.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => bail!("{shown} is not a folder; name the folder of {name} with --{name}"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("there is no folder {shown}; make it, or name another with --{name}")
        }
        Err(error) => bail!("the folder {shown} cannot be read: {error}"),
    }
}

/// Loads, and remembers what it loaded.
pub struct Loader {
    folders: Folders,
    limits: Limits,
    settings: Arc<Settings>,
    key: HashKey,
    seen: Seen,
    /// By file. A zone that fails keeps its last good version here.
    images: BTreeMap<Arc<str>, Arc<ZoneImage>>,
    geo: GeoFolder,
    /// What the last load brought, for the next to change only what did.
    last: Option<Last>,
    /// What the folder of zones held a moment ago.
    listing: Option<Listing>,
}

#[derive(Clone)]
struct Last {
    snapshot: Arc<Snapshot>,
    records: u64,
}

/// What a load brought.
pub struct Loaded {
    pub snapshot: Arc<Snapshot>,
    pub problems: Problems,
    /// Zones served.
    pub zones: usize,
    pub records: u64,
    /// Zones read this time.
    pub fresh: usize,
    /// Files of zones that failed: served as they were before, or not at all.
    pub kept: Vec<Arc<str>>,
    pub refused: Vec<Arc<str>>,
    /// The zones of both, by name.
    pub failed: Vec<(Name, Visibility)>,
    /// Whether anything is to be served otherwise than before.
    pub changed: bool,
    /// What the folder of zones held, where it was listed.
    pub listing: Option<Listing>,
    pub took: Duration,
}

impl Loader {
    pub fn new(folders: Folders, limits: Limits, settings: Settings) -> Result<Loader> {
        let mut random = [0; 32];
        sys::random(&mut random).map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(random.chunks_exact(8)) {
            *word = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        Ok(Loader {
            geo: GeoFolder::new(folders.geo.clone()),
            folders,
            limits,
            settings: Arc::new(settings),
            key: HashKey::new(words),
            seen: Seen::default(),
            images: BTreeMap::new(),
            last: None,
            listing: None,
        })
    }

    /// The files of a zone: its own, and those that its problems stand in.
    pub fn files_of(&self, origin: &Name, visibility: &Visibility) -> BTreeSet<Arc<str>> {
        self.seen.files_of(origin, visibility)
    }

    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// Tells what the folder of zones holds, so that the next load need not list it.
    pub fn knowing(&mut self, listing: Option<Listing>) {
        self.listing = listing;
    }

    /// From the next load on these settings hold. Zones are rendered by some of them, so all are read again.
    pub fn set(&mut self, limits: Limits, settings: Settings) {
        let rendered = |settings: &Settings| Settings {
            cookie_secrets: None,
            rate_limit: RateLimit::default(),
            udp_max_without_cookie: 0,
            access: None,
            stand_ins: Arc::default(),
            ..settings.clone()
        };
        if self.limits != limits || rendered(&self.settings) != rendered(&settings) {
            self.seen = Seen::default();
            self.last = None;
        }
        self.limits = limits;
        self.settings = Arc::new(settings);
    }

    /// Loads what changed, where these files at most were touched since the last load.
    pub fn load_touched(&mut self, touched: &Touched) -> Result<Loaded> {
        let begin = Instant::now();
        if let Touched::Files(files) = touched
            && let Some(last) = self.last.clone()
            && let Some(loaded) = self.change(last, files, begin)
        {
            return Ok(loaded);
        }
        self.load()
    }

    /// Changes the zones of these files, and the geography if it is among them, and nothing else, where nothing else
    /// depends on them.
    fn change(&mut self, last: Last, files: &BTreeSet<PathBuf>, begin: Instant) -> Option<Loaded> {
        let (zones, limits) = (&self.folders.zones, self.limits);
        let geo = self.folders.geo.as_ref();
        if geo.is_some_and(|geo| is_inside(zones, geo) || is_inside(geo, zones)) {
            return None;
        }
        let (places, files): (BTreeSet<_>, BTreeSet<_>) =
            files.iter().cloned().partition(|file| geo.is_some_and(|geo| is_inside(file, geo)));
        let build = build(&self.key, &self.settings);
        let read = folder::load_touched(zones, limits, &mut self.seen, &files, &build)?;
        // Not before: a load of everything would find nothing new there any more.
        let geo = (!places.is_empty()).then(|| self.geo.load());
        let Last { mut snapshot, mut records } = last;
        let (mut fresh, mut one_by_one) = (0, read.len() <= ONE_BY_ONE_MAX);
        for zone in read {
            let Some(image) = zone.built else { continue };
            fresh += 1;
            records += u64::from(image.counts.records);
            let before = self.images.insert(zone.file, image.clone());
            records -= before.as_ref().map_or(0, |before| u64::from(before.counts.records));
            if !one_by_one {
                continue;
            }
            let next = before.and_then(|before| snapshot.with_zone(&before, image));
            match next {
                Some(next) => snapshot = Arc::new(next),
                None => one_by_one = false,
            }
        }
        if !one_by_one {
            // There are many, or a zone is served for the first time.
            let Snapshot { geography, shared, .. } = &*snapshot;
            let (geography, shared) = (geography.clone(), shared.clone());
            snapshot = Arc::new(self.snapshot(geography, shared));
        }
        let new_geography = geo.as_ref().filter(|geo| geo.changed).map(|geo| geo.geography.clone());
        let changed = fresh > 0 || new_geography.is_some();
        if let Some(geography) = new_geography {
            snapshot = Arc::new(snapshot.with_geography(geography));
        }
        let (mut kept, mut refused, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for (name, origin, visibility) in self.seen.failed() {
            let file: Arc<str> = zones.join(name).to_string_lossy().into();
            let told = if self.images.contains_key(&file) { &mut kept } else { &mut refused };
            told.push(file);
            failed.push((origin, visibility));
        }
        let mut problems = self.seen.problems();
        problems.append(geo.map_or_else(|| self.geo.problems().clone(), |geo| geo.problems));
        snapshot.check_aliases(&mut problems);
        snapshot.check_networks(&mut problems);
        problems.sort();
        self.last = Some(Last { snapshot: snapshot.clone(), records });
        let zones = self.images.len();
        let took = begin.elapsed();
        let listing = None;
        Some(Loaded { snapshot, problems, zones, records, fresh, kept, refused, failed, changed, listing, took })
    }

    fn snapshot(&self, geography: Arc<Geography>, shared: Arc<Shared>) -> Snapshot {
        Snapshot::new(Parts {
            settings: self.settings.clone(),
            key: self.key,
            images: self.images.values().cloned().collect(),
            geography,
            verdicts: Arc::new(Verdicts::new(&shared.health_checks)),
            shared,
        })
    }

    /// Loads what changed. On an error nothing did: what was loaded before stays as it is.
    pub fn load(&mut self) -> Result<Loaded> {
        let begin = Instant::now();
        let progress = Progress::start("reading zones");
        let build = build(&self.key, &self.settings);
        let (folder, geo) = std::thread::scope(|scope| {
            let geo = scope.spawn(|| self.geo.load());
            let folder = folder::load_with(
                &self.folders.zones,
                self.limits,
                self.listing.take(),
                &self.seen,
                &|done, all| progress.at(done, all),
                &build,
            );
            (folder, geo.join())
        });
        let folder = folder.map_err(|problem| anyhow!("{problem}"))?;
        let geo = geo.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let mut problems = folder.problems;
        problems.append(geo.problems);

        let mut images = Vec::with_capacity(folder.zones.len());
        let (mut fresh, mut kept, mut refused, mut failed) = (0, Vec::new(), Vec::new(), Vec::new());
        for (zone, place) in folder.zones.into_iter().zip(0..) {
            let before = self.images.get(&zone.file).cloned();
            let image = match (zone.state, zone.built) {
                (State::Loaded, Some(image)) => {
                    fresh += 1;
                    Some(image)
                }
                (State::Unchanged, _) => before,
                (State::Failed, _) | (State::Loaded, None) => {
                    let told = if before.is_some() { &mut kept } else { &mut refused };
                    told.push(zone.file.clone());
                    failed.push(folder.seen.zone(place));
                    before
                }
            };
            images.extend(image.map(|image| (zone.file, image)));
        }
        // They come by name, so that the map is put together in one go.
        let images: BTreeMap<_, _> = images.into_iter().collect();
        let gone = self.images.keys().any(|file| !images.contains_key(file));
        let changed = self.last.is_none() || geo.changed || fresh > 0 || gone;
        self.seen = folder.seen;
        self.images = images;
        let zones = self.images.len();
        let records = self.images.values().map(|image| u64::from(image.counts.records)).sum();
        let snapshot = Arc::new(self.snapshot(geo.geography, Arc::new(folder.shared)));
        snapshot.check_aliases(&mut problems);
        snapshot.check_networks(&mut problems);
        problems.sort();
        self.last = Some(Last { snapshot: snapshot.clone(), records });
        sys::give_back_memory();
        let (listing, took) = (Some(folder.listing), begin.elapsed());
        Ok(Loaded { snapshot, problems, zones, records, fresh, kept, refused, failed, changed, listing, took })
    }
}

/// Builds what is served of a zone. One with errors is built for the problems that this shows.
fn build(
    key: &HashKey,
    settings: &Settings,
) -> impl Fn(&mut LoadedZone, &Shared, &mut Problems) -> Option<Arc<ZoneImage>> + Sync {
    // As many as there are threads that ask at a time.
    let workshops: Mutex<Vec<Workshop>> = Mutex::default();
    let hands = Threads::of_this_machine();
    move |zone, _, problems| {
        let idle = || workshops.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workshop = idle().pop().unwrap_or_default();
        let image = workshop.build(&mut zone.data, key, settings, &hands, problems);
        idle().push(workshop);
        (!zone.failed).then(|| Arc::new(image))
    }
}

fn is_inside(file: &Path, folder: &Path) -> bool {
    std::path::absolute(folder).is_ok_and(|folder| file.starts_with(folder))
}
