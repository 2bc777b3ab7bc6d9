//! From the folders to a snapshot: everything the first time, what changed since after that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use super::clock;
use super::folder::{self, Kept, Listing, LoadedZone, Memory, Rules, Seen, State, Touched, meet};
use super::geo::GeoFolder;
use super::hands::{Threads, granted};
use super::last_good::LastGood;
use super::memory;
use super::sys;
use super::terminal::Progress;
use crate::geo::Geography;
use crate::hands::collect;
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

/// So many zones, of so many bytes together, are kept before a start goes on. More are kept by the thread that loads,
/// while the zones are served.
const KEPT_AT_ONCE: usize = 256;
const BYTES_KEPT_AT_ONCE: u64 = 4 << 20;

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
    rules: Rules,
    settings: Arc<Settings>,
    key: HashKey,
    seen: Seen,
    /// By file. A zone that fails keeps its last good version here.
    images: BTreeMap<Arc<str>, Arc<ZoneImage>>,
    geo: GeoFolder,
    /// The files of those that have signatures, which end some day.
    signed: BTreeSet<Arc<str>>,
    /// What the last load brought, for the next to change only what did.
    last: Option<Last>,
    /// What the folder of zones held a moment ago.
    listing: Option<Listing>,
    /// The last good versions of zones, where they are kept.
    last_good: Option<LastGood>,
    /// The files whose zones were not served at all after the last load of everything.
    refused: Vec<Arc<str>>,
    /// What is to be kept of the loads since the last time.
    to_keep: ToKeep,
}

/// Which zones may differ from their last good versions.
#[derive(Clone, Debug)]
enum ToKeep {
    /// Those of these files, by name.
    Files(BTreeSet<String>),
    Any,
}

#[derive(Clone)]
struct Last {
    snapshot: Arc<Snapshot>,
    records: u64,
}

/// A zone that a file claims.
type Claim = (Arc<str>, (Name, Visibility));

/// The zones as they were last good, all together.
pub struct LastGoodSet {
    pub snapshot: Arc<Snapshot>,
    pub zones: usize,
    pub records: u64,
    /// They passed the routing tests when they were kept.
    pub has_passed: bool,
}

/// What is known of earlier loads: the zones served now, or where nothing was loaded yet, those served last.
struct Remembered<'a> {
    images: &'a BTreeMap<Arc<str>, Arc<ZoneImage>>,
    dir: &'a Path,
    last_good: Option<&'a LastGood>,
}

impl Memory for Remembered<'_> {
    fn served(&self, name: &str) -> Option<(Name, Visibility)> {
        if self.images.is_empty() {
            return self.last_good?.served(name);
        }
        let image = self.images.get(&folder::shown(&self.dir.join(name)))?;
        Some((image.origin.clone(), image.visibility.clone()))
    }

    fn shared(&self) -> Option<Kept> {
        self.last_good?.shared()
    }
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
            rules: Rules { limits, zone_bytes_max: memory::zone_bytes_max() },
            settings: Arc::new(settings),
            key: HashKey::new(words),
            seen: Seen::default(),
            images: BTreeMap::new(),
            signed: BTreeSet::new(),
            last: None,
            listing: None,
            last_good: None,
            refused: Vec::new(),
            to_keep: ToKeep::Any,
        })
    }

    /// The files of a zone: its own, and those that its problems stand in.
    pub fn files_of(&self, origin: &Name, visibility: &Visibility) -> BTreeSet<Arc<str>> {
        self.seen.files_of(origin, visibility)
    }

    /// Bounds the text of one zone by so many bytes, where a bound is set.
    pub fn bounded(mut self, zone_bytes_max: Option<u64>) -> Loader {
        self.rules.zone_bytes_max = zone_bytes_max.unwrap_or_else(memory::zone_bytes_max);
        self
    }

    /// From now on zones that are broken are served from their last good versions, which are kept here.
    pub fn keeping_in(&mut self, last_good: Option<LastGood>) {
        self.last_good = last_good;
    }

    /// Keeps what the last load found good, for a start that finds it broken. `passed` says that it has passed the
    /// routing tests.
    pub fn keep(&mut self, passed: bool) {
        let Some(last_good) = &mut self.last_good else { return };
        let changed = std::mem::replace(&mut self.to_keep, ToKeep::Files(BTreeSet::new()));
        let changed = match &changed {
            ToKeep::Files(files) => Some(files),
            ToKeep::Any => None,
        };
        last_good.keep(&self.folders.zones, &self.seen, changed, passed);
    }

    /// Whether keeping what was loaded takes no time worth mentioning.
    pub fn keeps_at_once(&self) -> bool {
        let Some(last_good) = &self.last_good else { return false };
        let missing = self.seen.good().filter(|good| last_good.is_missing(good)).take(KEPT_AT_ONCE + 1);
        let (count, bytes) = missing.fold((0, 0), |(count, bytes), good| (count + 1, bytes + good.stamp.size()));
        count <= KEPT_AT_ONCE && bytes <= BYTES_KEPT_AT_ONCE
    }

    /// The zones as they were last good, all together; none where nothing is kept. What files claim now and had no good
    /// version then is claimed in it.
    pub fn last_good_set(&self) -> Option<LastGoodSet> {
        let last_good = self.last_good.as_ref()?;
        let last = self.last.as_ref()?;
        let names = last_good.names();
        let kept = last_good.shared();
        let dir = &self.folders.zones;
        let shared = kept
            .map_or_else(|| last.snapshot.shared.clone(), |kept| Arc::new(folder::shared_of(dir, self.rules, &kept)));
        let build = build(&self.key, &self.settings);
        let one = |number: usize| {
            let name = names.get(number)?;
            folder::rebuild(dir, name, last_good.zone(name)?, self.rules, &shared, &build)
        };
        let images = collect(&Threads::of_this_machine(), names.len(), &one);
        let mut images: Vec<Arc<ZoneImage>> = images.into_iter().flatten().collect();
        if images.is_empty() {
            return None;
        }
        let (zones, records) = (images.len(), images.iter().map(|image| u64::from(image.counts.records)).sum());
        let claims = self.seen.names().map(|name| (dir.join(name).to_string_lossy().into(), self.seen.named(name)));
        let claims = self.claims(&images, claims.collect());
        images.extend(claims);
        let snapshot = Arc::new(self.assemble(images, last.snapshot.geography.clone(), shared));
        Some(LastGoodSet { snapshot, zones, records, has_passed: last_good.has_passed() })
    }

    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// Tells what the folder of zones holds, so that the next load need not list it.
    pub fn knowing(&mut self, listing: Option<Listing>) {
        self.listing = listing;
    }

    /// From the next load on these settings hold. Zones are rendered by some of them, so all are read again.
    pub fn set(&mut self, limits: Limits, zone_bytes_max: Option<u64>, settings: Settings) {
        let zone_bytes_max = zone_bytes_max.unwrap_or_else(memory::zone_bytes_max);
        let rules = Rules { limits, zone_bytes_max };
        let rendered = |settings: &Settings| Settings {
            cookie_secrets: None,
            rate_limit: RateLimit::default(),
            udp_max_without_cookie: 0,
            access: None,
            stand_ins: Arc::default(),
            ..settings.clone()
        };
        if self.rules != rules || rendered(&self.settings) != rendered(&settings) {
            self.seen = Seen::default();
            self.last = None;
        }
        self.rules = rules;
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
        let (zones, rules) = (&self.folders.zones, self.rules);
        let geo = self.folders.geo.as_ref();
        if geo.is_some_and(|geo| is_inside(zones, geo) || is_inside(geo, zones)) {
            return None;
        }
        let (places, files): (BTreeSet<_>, BTreeSet<_>) =
            files.iter().cloned().partition(|file| geo.is_some_and(|geo| is_inside(file, geo)));
        let build = build(&self.key, &self.settings);
        let read = folder::load_touched(zones, rules, &mut self.seen, &files, &build)?;
        // Not before: a load of everything would find nothing new there any more.
        let geo = (!places.is_empty()).then(|| self.geo.load());
        let Last { mut snapshot, mut records } = last;
        let (mut fresh, mut one_by_one) = (0, read.len() <= ONE_BY_ONE_MAX);
        for zone in read {
            let Some(image) = zone.built else { continue };
            fresh += 1;
            records += u64::from(image.counts.records);
            if let (ToKeep::Files(files), Some(name)) = (&mut self.to_keep, zone.file.rsplit('/').next()) {
                files.insert(name.to_string());
            }
            match image.has_signatures() {
                true => self.signed.insert(zone.file.clone()),
                false => self.signed.remove(&zone.file),
            };
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
        let (mut kept, mut refused, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        let mut claims = Vec::new();
        for (name, origin, visibility) in self.seen.failed() {
            let file: Arc<str> = zones.join(name).to_string_lossy().into();
            if self.images.contains_key(&file) {
                kept.push(file);
            } else {
                refused.push(file.clone());
                claims.push((file, (origin.clone(), visibility.clone())));
            }
            failed.push((origin, visibility));
        }
        if !one_by_one {
            // There are many, or a zone is served for the first time.
            let Snapshot { geography, shared, .. } = &*snapshot;
            let (geography, shared) = (geography.clone(), shared.clone());
            snapshot = Arc::new(self.snapshot(geography, shared, claims));
        }
        let new_geography = geo.as_ref().filter(|geo| geo.changed).map(|geo| geo.geography.clone());
        let changed = fresh > 0 || new_geography.is_some();
        if let Some(geography) = new_geography {
            snapshot = Arc::new(snapshot.with_geography(geography));
        }
        let mut problems = self.seen.problems();
        problems.append(geo.map_or_else(|| self.geo.problems().clone(), |geo| geo.problems));
        snapshot.check_aliases(&mut problems);
        snapshot.check_networks(&mut problems);
        self.check_signatures(&mut problems);
        problems.sort();
        self.last = Some(Last { snapshot: snapshot.clone(), records });
        let zones = self.images.len();
        let took = begin.elapsed();
        let listing = None;
        Some(Loaded { snapshot, problems, zones, records, fresh, kept, refused, failed, changed, listing, took })
    }

    /// Adds what is wrong with signatures by now.
    fn check_signatures(&self, problems: &mut Problems) {
        let now = clock::unix_seconds();
        let signed = self.signed.iter().filter_map(|file| self.images.get(file));
        signed.for_each(|image| image.check_signatures(now, problems));
    }

    fn snapshot(&self, geography: Arc<Geography>, shared: Arc<Shared>, claims: Vec<Claim>) -> Snapshot {
        let mut images: Vec<Arc<ZoneImage>> = self.images.values().cloned().collect();
        let claims = self.claims(&images, claims);
        images.extend(claims);
        self.assemble(images, geography, shared)
    }

    /// The images of those claimed zones that no other file serves to the same clients.
    fn claims(&self, served: &[Arc<ZoneImage>], claims: Vec<Claim>) -> Vec<Arc<ZoneImage>> {
        let is_zone = |file: &str| folder::names_a_zone(file.rsplit('/').next().unwrap_or_default());
        let mut claims: Vec<Claim> = claims.into_iter().filter(|(file, _)| is_zone(file)).collect();
        if claims.is_empty() {
            return Vec::new();
        }
        let mut by_name: BTreeMap<&Name, Vec<&Visibility>> = BTreeMap::new();
        served.iter().for_each(|image| by_name.entry(&image.origin).or_default().push(&image.visibility));
        claims.retain(|(_, (origin, visibility))| {
            let served = by_name.get(origin).map_or(&[][..], Vec::as_slice);
            !served.iter().any(|served| meet(served, visibility))
        });
        let image = |(file, (origin, visibility)): Claim| ZoneImage::claim(&origin, visibility, file, &self.key);
        claims.into_iter().map(image).map(Arc::new).collect()
    }

    fn assemble(&self, images: Vec<Arc<ZoneImage>>, geography: Arc<Geography>, shared: Arc<Shared>) -> Snapshot {
        Snapshot::new(Parts {
            settings: self.settings.clone(),
            key: self.key,
            images,
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
        let (zones, rules, seen) = (&self.folders.zones, self.rules, &self.seen);
        let memory = Remembered { images: &self.images, dir: zones, last_good: self.last_good.as_ref() };
        let (listing, geo) = (self.listing.take(), Mutex::new(&mut self.geo));
        let load_geo = || geo.lock().unwrap_or_else(PoisonError::into_inner).load();
        let (folder, geo) = std::thread::scope(|scope| {
            let beside = granted(std::thread::Builder::new().spawn_scoped(scope, load_geo));
            let progress = |done, all| progress.at(done, all);
            let folder = folder::load_with(zones, rules, listing, seen, &memory, &progress, &build);
            (folder, beside.map_or_else(|| Ok(load_geo()), |beside| beside.join()))
        });
        let folder = folder.map_err(|problem| anyhow!("{problem}"))?;
        let geo = geo.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let restore = |file: &str| {
            let name = file.rsplit('/').next().unwrap_or_default();
            let kept = self.last_good.as_ref()?.zone(name)?;
            folder::rebuild(zones, name, kept, rules, &folder.shared, &build)
        };
        let mut problems = folder.problems;
        problems.append(geo.problems);

        let mut images = Vec::with_capacity(folder.zones.len());
        let (mut fresh, mut kept, mut refused, mut failed) = (0, Vec::new(), Vec::new(), Vec::new());
        let (mut claims, mut restored) = (Vec::new(), false);
        for (zone, place) in folder.zones.into_iter().zip(0..) {
            let mut before = self.images.get(&zone.file).cloned();
            if zone.state == State::Failed && before.is_none() {
                before = restore(&zone.file);
                restored |= before.is_some();
            }
            let image = match (zone.state, zone.built) {
                (State::Loaded, Some(image)) => {
                    fresh += 1;
                    Some(image)
                }
                (State::Unchanged, _) => before,
                (State::Failed, _) | (State::Loaded, None) => {
                    if before.is_some() {
                        kept.push(zone.file.clone());
                    } else {
                        refused.push(zone.file.clone());
                        claims.push((zone.file.clone(), folder.seen.zone(place)));
                    }
                    failed.push(folder.seen.zone(place));
                    before
                }
            };
            images.extend(image.map(|image| (zone.file, image)));
        }
        // They come by name, so that the map is put together in one go.
        let images: BTreeMap<_, _> = images.into_iter().collect();
        let gone = self.images.keys().any(|file| !images.contains_key(file));
        let claimed = refused != self.refused;
        let changed = self.last.is_none() || geo.changed || fresh > 0 || gone || restored || claimed;
        self.refused.clone_from(&refused);
        self.to_keep = ToKeep::Any;
        self.seen = folder.seen;
        self.images = images;
        let signed = self.images.iter().filter(|(_, image)| image.has_signatures());
        self.signed = signed.map(|(file, _)| file.clone()).collect();
        let zones = self.images.len();
        let records = self.images.values().map(|image| u64::from(image.counts.records)).sum();
        let snapshot = Arc::new(self.snapshot(geo.geography, Arc::new(folder.shared), claims));
        snapshot.check_aliases(&mut problems);
        snapshot.check_networks(&mut problems);
        self.check_signatures(&mut problems);
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
