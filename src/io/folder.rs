//! A folder of zones, from the disk to the model: all of it, or what changed since the last time.
//!
//! | file                                        | what it is                                           |
//! |---------------------------------------------|------------------------------------------------------|
//! | `NAME.zone`; `@.zone` or `.zone`            | a zone file; the root's                              |
//! | `NAME.json`                                 | a zone as the AWS CLI dumps it                       |
//! | `NAME.hosted-zone.json`                     | … and its hosted zone, which names the VPCs          |
//! | `health-checks.toml`, `health-checks.json`  | health checks                                        |
//! | `health-check-tags.json`                    | names of health checks, as the AWS CLI dumps tags    |
//! | `cidr-collections.toml`, `….json`           | CIDR collections                                     |
//! | `vpcs.toml`                                 | VPCs                                                 |
//! | anything else, and what begins with a dot   | passed over; a zone file may `$INCLUDE` it           |
//!
//! Zones are read by all cores at once, each built into what the caller wants of it before the next is read, so that
//! the text and the records of one zone only lie in memory for each core.

mod duplicates;
mod files;
mod includes;
mod listing;
mod passed_over;
mod rebuild;
mod rules;
mod seen;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use duplicates::meet;
pub use files::{Stamp, shown};
pub use includes::Included;
pub use listing::{Kind, Listing};
use passed_over::PassedOver;
pub use rebuild::rebuild;
pub use rules::{Held, Kept, KeptFile, Memory, NoMemory, Rules};
pub use seen::{Good, Seen};
use seen::{More, SeenZone};

use super::hands::{Threads, helpers};
use crate::model::zone::Visibility;
use crate::model::{Shared, ZoneData, validate};
use crate::problem::{Problem, Problems};
use crate::route53::{cidr_collections, health_check_tags, health_checks, record_sets, vpcs};
use crate::wire::name::Name;
use crate::zonefile;

/// The files that zones share, in the order they are read in.
const SHARED_FILES: [&str; 6] = [
    "health-checks.toml",
    "health-checks.json",
    "health-check-tags.json",
    "cidr-collections.toml",
    "cidr-collections.json",
    "vpcs.toml",
];

/// The text of a zone file takes room that is kept for the next, up to so many bytes.
const TEXT_KEPT: usize = 1 << 16;

/// What a load brought.
pub struct Folder<T> {
    /// By file name. Who they are, `seen` says.
    pub zones: Vec<Zone<T>>,
    pub shared: Shared,
    /// Some of the shared files cannot be used as they stand; `shared` is what the load before brought, if any.
    pub shared_failed: bool,
    pub problems: Problems,
    /// To be given to the next load.
    pub seen: Seen,
    /// What the folder held when the load began.
    pub listing: Listing,
}

/// One zone of a load.
pub struct Zone<T> {
    /// Its file, as problems name it. Two loads' zones with one file are the same zone.
    pub file: Arc<str>,
    pub state: State,
    /// What the caller made of it; none where it failed or did not change.
    pub built: Option<T>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Loaded,
    /// Nothing of it changed since the load before, and nothing it depends on; it did not fail then. Or it says nothing of
    /// a zone.
    Unchanged,
    /// It has errors: the last good version of it, if any, stays.
    Failed,
}

/// One zone as read, for the caller to build what it serves.
#[derive(Default)]
pub struct LoadedZone {
    pub data: ZoneData,
    /// It has errors already.
    pub failed: bool,
    pub stamp: Stamp,
}

/// Which files changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// These at most.
    Files(BTreeSet<PathBuf>),
    /// Nobody knows.
    Any,
}

impl Touched {
    pub fn nothing() -> Touched {
        Touched::Files(BTreeSet::new())
    }

    pub fn and(self, other: Touched) -> Touched {
        match (self, other) {
            (Touched::Files(mut all), Touched::Files(more)) => {
                all.extend(more);
                Touched::Files(all)
            }
            _ => Touched::Any,
        }
    }
}

/// What one worker found out about one zone.
struct Outcome<T> {
    zone: Zone<T>,
    seen: SeenZone,
}

/// All of a regular file beside the zones.
pub fn read(path: &Path) -> Result<Vec<u8>, Box<Problem>> {
    files::read(path, files::FILE_MAX).map(|(bytes, _)| bytes)
}

/// Loads the whole folder. Progress is told as zones done and zones in all. An error: the folder cannot be read.
pub fn load(
    dir: &Path,
    rules: impl Into<Rules>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Folder<LoadedZone>, Box<Problem>> {
    let build = |zone: &mut LoadedZone, _: &Shared, _: &mut Problems| Some(std::mem::take(zone));
    load_with(dir, rules.into(), None, &Seen::default(), &NoMemory, progress, &build)
}

/// Loads what changed since `seen`. Each zone read is given to `build` on the thread that read it, to take what it wants
/// of it, with all that the zones share; problems that `build` adds are the zone's. If any of what the zones share changed, all are read.
/// Where the folder was listed before, and is as it was, it is not listed again.
pub fn load_with<T: Send>(
    dir: &Path,
    rules: Rules,
    listing: Option<Listing>,
    seen: &Seen,
    memory: &dyn Memory,
    progress: &(dyn Fn(usize, usize) + Sync),
    build: &(dyn Fn(&mut LoadedZone, &Shared, &mut Problems) -> Option<T> + Sync),
) -> Result<Folder<T>, Box<Problem>> {
    let root = dir.canonicalize().map_err(|error| files::no_folder(dir, &error))?;
    let mut problems = Problems::default();
    let listing = listing.filter(|listing| listing.holds_of(dir)).map_or_else(|| Listing::of(dir), Ok);
    let mut listing = listing.map_err(|error| files::no_folder(dir, &error))?;
    for name in listing.not_utf8() {
        let at = files::whole(&files::shown(&dir.join(name)));
        problems.push(Problem::warning(at, "the file's name is not UTF-8", "it is not read", "rename it"));
    }
    let names_at_odds = !problems.is_empty();
    let (mut next, same) = load_shared(dir, rules, seen, memory);
    problems.append(next.shared_problems.clone());

    let load = Load { dir, root: &root, rules, hands: Threads::of_this_machine(), shared: &next.shared, build };
    let earlier = |name: &str| {
        let at = seen.zones.binary_search_by(|zone| zone.name().cmp(name)).ok()?;
        seen.zones.get(at).filter(|_| same)
    };
    let mut zones = Vec::with_capacity(listing.count());
    next.zones.reserve(listing.count());
    let work = |index, room: &mut Room| {
        let name = listing.name(index);
        if files::records_of(name).is_some_and(|records| listing.has(&records)) {
            // It is read together with its records.
            return None;
        }
        let hosted_zone = files::hosted_zone_of(name).filter(|hosted_zone| listing.has(hosted_zone));
        load.zone(name, listing.kind(index), hosted_zone.as_deref(), earlier(name), room)
    };
    for outcome in in_parallel(listing.count(), progress, &work) {
        let Outcome { zone, seen } = outcome;
        if let Some(more) = &seen.more {
            problems.append(more.problems.clone());
        }
        zones.push(zone);
        next.zones.push(seen);
    }
    let mut shared = next.shared.clone();
    let by_themselves = problems.errors() + problems.warnings();
    duplicates::vpc_regions(&mut zones, &next.zones, &mut shared, &mut problems);
    let named_by_files = next.zones.iter().all(|zone| zone.more.is_none());
    if !named_by_files || !listing.names().all(duplicates::is_only_name) {
        duplicates::same_zone(&mut zones, &next.zones, memory, &mut problems);
    }
    duplicates::unknown_vpcs(&next.zones, &shared, &mut problems);
    for (zone, seen) in zones.iter().zip(&mut next.zones) {
        // Failed for what another file says: it is to be read again even if its own file stays as it is.
        if zone.state == State::Failed && !seen.has_errors() {
            seen.stamp = None;
        }
    }
    let all_regular = listing.all_regular();
    let mut read = next.zones.iter().map(SeenZone::name).peekable();
    listing.find_out(|name| {
        while read.next_if(|read| *read < name).is_some() {}
        if read.peek() == Some(&name) { Kind::Link } else { Kind::Unknown }
    });
    next.at_odds = names_at_odds || problems.errors() + problems.warnings() > by_themselves;
    next.entangled = !all_regular || next.zones.iter().any(SeenZone::includes);
    let included = next.zones.iter().filter_map(|zone| zone.more.as_ref()).flat_map(|more| &more.included);
    next.passed_over = PassedOver::find(dir, &listing, included.map(|file| file.wanted.as_path()));
    problems.append(next.passed_over.problems.clone());
    problems.sort();
    Ok(Folder { zones, shared, shared_failed: next.shared_failed, problems, seen: next, listing })
}

/// Reads the shared files, unless they are as `seen` has them. Returns whether they are.
fn load_shared(dir: &Path, rules: Rules, seen: &Seen, memory: &dyn Memory) -> (Seen, bool) {
    let paths = SHARED_FILES.map(|name| dir.join(name));
    let stamps: Vec<Option<Stamp>> = paths.iter().map(|path| files::stamp(path)).collect();
    if stamps == seen.shared_stamps && rules == seen.rules {
        let Seen { shared_stamps, shared, shared_failed, shared_problems, rules, .. } = seen;
        let next = Seen {
            shared_stamps: shared_stamps.clone(),
            shared: shared.clone(),
            shared_failed: *shared_failed,
            shared_problems: shared_problems.clone(),
            rules: *rules,
            ..Seen::default()
        };
        return (next, true);
    }
    let mut problems = Problems::default();
    let mut texts = Vec::new();
    for ((name, path), _) in SHARED_FILES.iter().zip(&paths).zip(&stamps).filter(|(_, stamp)| stamp.is_some()) {
        match files::read(path, rules.zone_bytes_max) {
            Ok((bytes, _)) => texts.push((*name, bytes)),
            Err(problem) => problems.push(*problem),
        }
    }
    let texts = texts.iter().map(|(name, bytes)| (*name, bytes.as_slice()));
    let mut shared = read_shared(dir, rules, texts, &mut problems);
    let failed = problems.errors() > 0;
    if failed && !seen.shared_stamps.is_empty() {
        shared = seen.shared.clone();
    } else if failed && let Some(kept) = memory.shared() {
        shared = shared_of(dir, rules, &kept);
    }
    // Without an earlier version, what can be used is better than nothing.
    let next = Seen {
        shared_stamps: stamps,
        shared,
        shared_failed: failed,
        shared_problems: problems,
        rules,
        ..Seen::default()
    };
    (next, false)
}

/// What the last good version of the shared files says.
pub fn shared_of(dir: &Path, rules: Rules, kept: &Kept) -> Shared {
    let texts = SHARED_FILES.iter().filter_map(|name| Some((*name, kept.file(name)?)));
    read_shared(dir, rules, texts, &mut Problems::default())
}

/// The meaning of the shared files, from their texts in the order of `SHARED_FILES`.
fn read_shared<'t>(
    dir: &Path,
    Rules { limits, .. }: Rules,
    texts: impl Iterator<Item = (&'static str, &'t [u8])>,
    problems: &mut Problems,
) -> Shared {
    let mut shared = Shared::default();
    for (name, bytes) in texts {
        let file = files::shown(&dir.join(name));
        match name {
            "health-checks.toml" => shared.health_checks = health_checks::read_toml(file, bytes, limits, problems),
            "health-checks.json" => {
                for check in health_checks::read_json(file, bytes, limits, problems).into_values() {
                    if let Some(first) = shared.health_checks.get(&check.id) {
                        problems.push(duplicates::said_before("health check", &check.id, &check.at, &first.at));
                    } else {
                        shared.health_checks.insert(check.id.clone(), check);
                    }
                }
            }
            "health-check-tags.json" => health_check_tags::read(file, bytes, &mut shared.health_checks, problems),
            "cidr-collections.toml" => shared.collections = cidr_collections::read_toml(file, bytes, limits, problems),
            "cidr-collections.json" => {
                for collection in cidr_collections::read_json(file, bytes, limits, problems).into_values() {
                    if let Some(first) = shared.collections.get(&collection.name) {
                        let problem =
                            duplicates::said_before("collection", &collection.name, &collection.at, &first.at);
                        problems.push(problem);
                    } else {
                        shared.collections.insert(collection.name.clone(), collection);
                    }
                }
            }
            _ => shared.vpcs = vpcs::read_toml(file, bytes, problems),
        }
    }
    validate::health_checks(&shared.health_checks, limits, problems);
    shared
}

/// Reads the touched ones among the zones that `seen` knows, and nothing else; returns those that are not as they were.
/// None where that is not enough to know what the folder says now: a file came or went, zones or what they share depend
/// on more than their own files.
pub fn load_touched<T: Send>(
    dir: &Path,
    rules: Rules,
    seen: &mut Seen,
    touched: &BTreeSet<PathBuf>,
    build: &(dyn Fn(&mut LoadedZone, &Shared, &mut Problems) -> Option<T> + Sync),
) -> Option<Vec<Zone<T>>> {
    if seen.entangled || seen.at_odds || seen.rules != rules {
        return None;
    }
    let root = std::path::absolute(dir).ok()?;
    let load = Load { dir, root: &root, rules, hands: Threads::of_this_machine(), shared: &seen.shared, build };
    let (mut read, mut room) = (Vec::new(), Room::default());
    for path in touched {
        let inside = path.strip_prefix(&root).ok()?.to_str()?;
        if SHARED_FILES.contains(&inside) {
            return None;
        }
        if inside.contains('/') {
            continue;
        }
        if !files::is_zone_file(inside) {
            if seen.passed_over.differs(inside, path.symlink_metadata().is_ok()) {
                return None;
            }
            continue;
        }
        let at = seen.zones.binary_search_by(|zone| zone.name().cmp(inside)).ok()?;
        let earlier = &seen.zones[at];
        let regular = path.symlink_metadata().ok()?.is_file();
        let stamp = files::stamp(path).filter(|_| regular)?;
        let before = earlier.stamp?;
        if before == stamp {
            continue;
        }
        if earlier.hosted_zone().is_some() || files::is_hosted_zone(inside) {
            return None;
        }
        let outcome = load.changed(inside, None, &mut room);
        let Outcome { seen, .. } = &outcome;
        let who = earlier.is();
        if seen.is() != who || who.1 != Visibility::Public || !seen.vpcs().is_empty() || seen.includes() {
            return None;
        }
        read.push((at, outcome));
    }
    let zones = read.into_iter().map(|(at, outcome)| {
        seen.zones[at] = outcome.seen;
        outcome.zone
    });
    Some(zones.collect())
}

/// What the loading of every zone has in common.
struct Load<'a, T> {
    dir: &'a Path,
    root: &'a Path,
    rules: Rules,
    hands: Threads,
    shared: &'a Shared,
    build: &'a (dyn Fn(&mut LoadedZone, &Shared, &mut Problems) -> Option<T> + Sync),
}

impl<T> Load<'_, T> {
    /// None where the file is no regular file, or is gone. A link to a file that is gone still claims its zone.
    fn zone(
        &self,
        name: &str,
        kind: Kind,
        hosted_zone: Option<&str>,
        earlier: Option<&SeenZone>,
        room: &mut Room,
    ) -> Option<Outcome<T>> {
        if earlier.is_some() || kind == Kind::Unknown {
            let Some(stamp) = files::stamp(room.path(self.dir, name)) else {
                return files::is_broken_link(&room.path).then(|| self.changed(name, hosted_zone, room));
            };
            let beside = hosted_zone.and_then(|hosted_zone| files::stamp(&self.dir.join(hosted_zone)));
            let is_current = |earlier: &&SeenZone| earlier.is_current(stamp) && earlier.hosted_zone() == beside;
            if let Some(earlier) = earlier.filter(is_current) {
                return Some(self.unchanged(earlier));
            }
        }
        Some(self.changed(name, hosted_zone, room))
    }

    fn unchanged(&self, earlier: &SeenZone) -> Outcome<T> {
        let state = if earlier.has_errors() { State::Failed } else { State::Unchanged };
        let zone = Zone { file: earlier.file.clone(), state, built: None };
        Outcome { zone, seen: earlier.clone() }
    }

    fn changed(&self, name: &str, hosted_zone: Option<&str>, room: &mut Room) -> Outcome<T> {
        let file = files::shown(room.path(self.dir, name));
        let named = name_of(name);
        let mut problems = Problems::default();
        let mut vpcs = Vec::new();
        let mut included = Vec::new();
        let (mut stamp, mut hosted_zone_read) = (None, None);
        // Who it is, if it is not what its file's name says.
        let mut is = None;
        let mut built = None;
        // It says nothing of a zone.
        let mut nothing = false;
        match files::read_into(&room.path, self.rules.zone_bytes_max, &mut room.text) {
            Err(problem) => problems.push(*problem),
            Ok(its) => {
                stamp = Some(its);
                let data = if name.ends_with(".json") {
                    let named = named.as_ref().ok().cloned();
                    match self.hosted_zone(hosted_zone) {
                        // Without its hosted zone a private zone would be public.
                        Err(problem) => {
                            problems.push(*problem);
                            None
                        }
                        Ok(hosted) => {
                            let beside = hosted.as_ref().map(|(file, bytes)| (file.shown.clone(), &**bytes));
                            let (text, limits) = (&room.text, self.rules.limits);
                            let dump = record_sets::read_with(named, file.clone(), text, beside, limits, &mut problems);
                            hosted_zone_read = hosted.map(|(file, _)| file);
                            dump.map(|dump| {
                                vpcs = dump.vpcs;
                                dump.zone
                            })
                        }
                    }
                } else {
                    let left = self.rules.zone_bytes_max.saturating_sub(room.text.len() as u64);
                    let includes = includes::FolderIncludes::new(self.dir, self.root, left);
                    let data = self.zone_file(&named, &file, &includes, room, &mut problems);
                    included = includes.into_files();
                    data
                };
                room.shrink();
                nothing = data.is_none();
                if let Some(mut data) = data {
                    validate::record_sets(&mut data, self.shared, self.rules.limits, &mut problems);
                    if data.visibility != Visibility::Public || named.as_ref().ok() != Some(&data.origin) {
                        is = Some((data.origin.clone(), data.visibility.clone()));
                    }
                    let failed = problems.errors() > 0;
                    let mut zone = LoadedZone { data, failed, stamp: its };
                    built = (self.build)(&mut zone, self.shared, &mut problems);
                    room.reading.take_back(zone.data);
                }
            }
        }
        for file in problems.without_excerpt() {
            // Read again, so that a good zone's text is gone from memory before the zone is built.
            if let Ok((bytes, _)) = files::read(Path::new(&*file), self.rules.zone_bytes_max) {
                problems.add_excerpts(&file, &bytes);
            }
        }
        let failed = problems.errors() > 0;
        let state = match (failed, nothing) {
            (true, _) => State::Failed,
            (false, false) => State::Loaded,
            (false, true) => State::Unchanged,
        };
        let plain =
            is.is_none() && problems.is_empty() && included.is_empty() && vpcs.is_empty() && hosted_zone_read.is_none();
        let more = (!plain).then(|| {
            let by_name = || (named.unwrap_or_else(|_| Name::root()), Visibility::Public);
            let (origin, visibility) = is.unwrap_or_else(by_name);
            Box::new(More { origin, visibility, vpcs, included, hosted_zone: hosted_zone_read, problems })
        });
        let seen = SeenZone { file: file.clone(), stamp, more };
        let zone = Zone { file, state, built: built.filter(|_| !failed) };
        Outcome { zone, seen }
    }

    /// Reads the dump of the hosted zone that lies beside a dump of records, if there is one.
    fn hosted_zone(&self, name: Option<&str>) -> Result<Option<(Included, Vec<u8>)>, Box<Problem>> {
        let Some(wanted) = name.map(|name| self.dir.join(name)) else { return Ok(None) };
        let (bytes, stamp) = files::read(&wanted, self.rules.zone_bytes_max)?;
        let shown = files::shown(&wanted);
        Ok(Some((Included { wanted, stamp: Some(stamp), shown }, bytes)))
    }

    fn zone_file(
        &self,
        named: &Result<Name, String>,
        file: &Arc<str>,
        includes: &dyn zonefile::Includes,
        room: &mut Room,
        problems: &mut Problems,
    ) -> Option<ZoneData> {
        // A comment inside may name the zone, whatever the file is called; the root stands in until it is read.
        let root;
        let origin = match named {
            Ok(name) => name,
            Err(_) => {
                root = Name::root();
                &root
            }
        };
        let Room { text, reading, .. } = room;
        let data = zonefile::parse_with(origin, file.clone(), text, includes, &self.hands, reading, problems);
        match named {
            Err(why) if data.origin.is_root() => {
                let remedy = "name the file after its zone, as example.com.zone";
                let what = format!("the file's name is not a zone's: {why}");
                problems.push(Problem::error(files::whole(file), what, "", remedy).code("file-name"));
                None
            }
            _ => {
                if data.origin.is_wildcard() {
                    let what = format!("the zone {} is named like a wildcard", data.origin);
                    let why = "Route 53 refuses such a zone, and resolvers ask it only for names below a literal *";
                    let remedy = "put the wildcard's records into the zone above, under the owner *";
                    problems.push(Problem::warning(files::whole(file), what, why, remedy));
                }
                Some(data)
            }
        }
    }
}

/// What loading a zone takes room for, kept for the next one.
#[derive(Default)]
struct Room {
    path: PathBuf,
    text: Vec<u8>,
    reading: zonefile::Room,
}

impl Room {
    fn path(&mut self, dir: &Path, name: &str) -> &Path {
        self.path.clear();
        self.path.push(dir);
        self.path.push(name);
        &self.path
    }

    /// Lets go of a large zone's text.
    fn shrink(&mut self) {
        if self.text.capacity() > TEXT_KEPT {
            self.text = Vec::new();
        }
    }
}

/// The zone that a file is named after. Escapes are master files': `\047` is a slash.
fn name_of(file_name: &str) -> Result<Name, String> {
    let stem = file_name.strip_suffix(".zone").or(file_name.strip_suffix(".json")).unwrap_or(file_name);
    match stem {
        "" | "@" | "." => Ok(Name::root()),
        stem => Name::parse_absolute(stem).map(Name::into_lowercase).map_err(|error| error.to_string()),
    }
}

/// Whether a file of this name can be a zone's. Any other file claims no zone.
pub fn names_a_zone(file_name: &str) -> bool {
    name_of(file_name).is_ok()
}

fn origin_of(file_name: &str) -> Name {
    name_of(file_name).unwrap_or_else(|_| Name::root())
}

/// Does the work for so many items on every core, and returns what came of it in the order of the items.
fn in_parallel<T: Send>(
    items: usize,
    progress: &(dyn Fn(usize, usize) + Sync),
    work: &(dyn Fn(usize, &mut Room) -> Option<T> + Sync),
) -> Vec<T> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(items);
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let worker = || {
        let (mut made, mut room) = (Vec::new(), Room::default());
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= items {
                return made;
            }
            made.extend(work(index, &mut room).map(|outcome| (index, outcome)));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, items);
        }
    };
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let others = helpers(scope, workers.saturating_sub(1), worker);
        let mut all = worker();
        for other in others {
            match other.join() {
                Ok(made) => all.extend(made),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, outcome)| outcome).collect()
}

#[cfg(test)]
mod tests;
