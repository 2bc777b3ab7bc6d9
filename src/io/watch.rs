//! Tells when files in some folders have changed and come to rest.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::folder::{Listing, Touched};
use super::hands::are_granted;

/// So long nothing may have changed before we load: an editor or a copy makes many changes at once.
const QUIET: Duration = Duration::from_millis(200);

/// … but a change that stands alone is loaded after this: we wait as long again as changes have been coming.
const QUIET_ALONE: Duration = Duration::from_millis(10);

/// While a file is being written we wait, but no longer than this in all: some writers never close it.
const WRITING_MAX: Duration = Duration::from_secs(5);

/// A folder that never rests is loaded all the same.
const RESTLESS_MAX: Duration = Duration::from_secs(2);

/// We look without being told this often: network file systems tell nothing.
const POLL: Duration = Duration::from_secs(300);

/// … and this often where the system lets us watch nothing.
const POLL_BLIND: Duration = Duration::from_secs(5);

/// Files being written at a time that are kept in mind; with more the folder counts as restless.
const WRITING_FILES_MAX: usize = 1024;

/// Files that are told one by one; with more everything is looked at.
const TOUCHED_MAX: usize = 4096;

/// Folders within ours that are watched. Zones lie side by side; what they include may lie deeper.
const FOLDERS_MAX: usize = 4096;

/// Eyes on some folders.
pub struct Watch {
    folders: Vec<PathBuf>,
    depth: RecursiveMode,
    watcher: Option<RecommendedWatcher>,
    watched: HashSet<PathBuf>,
    /// How many folders could not be.
    unwatched: usize,
    seen: Arc<Seen>,
    /// When to look without being told.
    poll: Instant,
}

/// What the watcher's thread tells us.
#[derive(Default)]
struct Seen {
    changes: Mutex<Changes>,
    wake: Notify,
}

/// Changes since the last time they were told.
#[derive(Default)]
struct Changes {
    first_and_last: Option<(Instant, Instant)>,
    /// Files that were written to and not closed yet.
    writing: HashSet<PathBuf>,
    /// Which files it was.
    touched: BTreeSet<PathBuf>,
    /// It was more than files: a folder of ours, one within, or we were not told.
    more: bool,
}

impl Watch {
    /// Watches from now on. A folder need not be there; it may come, and go, and be another one than before. One that was
    /// listed a moment ago is not listed again.
    pub fn new(folders: Vec<PathBuf>, listed: Option<&Listing>) -> Watch {
        Watch::at(folders, RecursiveMode::Recursive, listed)
    }

    /// Watches the folders that these files lie in, and nothing below: a file may be put in another's place, or a link
    /// beside it that leads to it.
    pub fn beside<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Watch {
        let absolute = files.into_iter().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone()));
        let mut folders: Vec<_> = absolute.filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
        folders.sort();
        folders.dedup();
        Watch::at(folders, RecursiveMode::NonRecursive, None)
    }

    fn at(folders: Vec<PathBuf>, depth: RecursiveMode, listed: Option<&Listing>) -> Watch {
        let folders: Vec<_> = folders.into_iter().map(|one| std::path::absolute(&one).unwrap_or(one)).collect();
        let seen = Arc::new(Seen::default());
        let names = places(&folders).into_iter().filter_map(|(_, name)| name).collect();
        let filter = Filter { seen: seen.clone(), folders: folders.clone(), names };
        // The watcher has a thread, and panics later where it got none.
        let granted = are_granted(1).map_err(notify::Error::io);
        let watcher = granted.and_then(|()| notify::recommended_watcher(filter));
        let watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "cannot watch folders; looking every {} seconds", POLL_BLIND.as_secs());
                None
            }
        };
        let mut watch =
            Watch { folders, depth, watcher, watched: HashSet::new(), unwatched: 0, seen, poll: Instant::now() };
        watch.look(listed);
        watch
    }

    /// Waits until there may be something new, and tells where. Who stops waiting misses nothing: the next wait goes on
    /// with it.
    pub async fn changed(&mut self) -> Touched {
        while !self.rest().await {
            tokio::select! {
                () = self.seen.wake.notified() => {}
                () = sleep_until(self.poll) => {
                    self.seen.changes().more = true;
                    break;
                }
            }
        }
        let changes = std::mem::take(&mut *self.seen.changes());
        let is_folder = |path: &PathBuf| self.watched.contains(path) || path.is_dir();
        if !changes.more && !changes.touched.iter().any(is_folder) {
            return Touched::Files(changes.touched);
        }
        // A folder may be another one now. Looking comes before loading, so that no change falls between.
        self.look(None);
        Touched::Any
    }

    /// Waits until nothing has changed for a while. False where nothing had: it was told already.
    async fn rest(&self) -> bool {
        loop {
            let due = self.seen.changes().due();
            match due {
                Some(due) if due > Instant::now() => tokio::select! {
                    // A file that is closed is waited for no longer.
                    () = self.seen.wake.notified() => {}
                    () = sleep_until(due) => {}
                },
                due => return due.is_some(),
            }
        }
    }

    fn look(&mut self, listed: Option<&Listing>) {
        self.watch_anew(listed);
        let blind = self.watcher.is_none() || self.watched.is_empty();
        self.poll = Instant::now() + if blind { POLL_BLIND } else { POLL };
    }

    fn watch_anew(&mut self, listed: Option<&Listing>) {
        let Some(watcher) = &mut self.watcher else { return };
        for path in self.watched.drain() {
            // It may be gone, and its watch with it.
            let _ = watcher.unwatch(&path);
        }
        // Each folder by itself: a recursive watch would ask about every one of a hundred thousand files.
        let folders = match self.depth {
            RecursiveMode::Recursive => within(&self.folders, listed),
            RecursiveMode::NonRecursive => self.folders.clone(),
        };
        let mut unwatched = Vec::new();
        for path in places(&self.folders).into_iter().map(|(parent, _)| parent).chain(folders) {
            if self.watched.contains(&path) {
                continue;
            }
            match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => _ = self.watched.insert(path),
                // It may come; the folder above it is watched.
                Err(_) if !path.exists() => {}
                Err(error) => unwatched.push((path, error)),
            }
        }
        // They are looked at anew with each change; what is so for long was said.
        let before = std::mem::replace(&mut self.unwatched, unwatched.len());
        if let Some((path, error)) = unwatched.first()
            && before != unwatched.len()
        {
            let (path, folders) = (path.display(), unwatched.len());
            tracing::warn!(%error, %path, folders, "cannot watch; changes there are found later");
        }
    }
}

/// The folders to watch for one of ours, or a link on the way to it, being put in another's place; with its name there.
fn places(folders: &[PathBuf]) -> Vec<(PathBuf, Option<OsString>)> {
    let mut places = Vec::new();
    for folder in folders {
        let linked = |path: &&Path| path.is_symlink();
        for path in std::iter::once(folder.as_path()).chain(folder.ancestors().skip(1).filter(linked)) {
            if let Some(parent) = path.parent() {
                places.push((parent.to_path_buf(), path.file_name().map(OsString::from)));
            }
        }
    }
    places
}

/// These folders and all within them, behind links too, each once.
fn within(folders: &[PathBuf], listed: Option<&Listing>) -> Vec<PathBuf> {
    let mut known = HashSet::new();
    let mut found = Vec::new();
    let mut left: Vec<PathBuf> = folders.iter().rev().cloned().collect();
    while let Some(folder) = left.pop() {
        let fresh = folder.metadata().is_ok_and(|is| known.insert((is.dev(), is.ino())));
        // One that is not there may come: the one above it is watched.
        if !fresh && !folders.contains(&folder) {
            continue;
        }
        match listed.filter(|listed| listed.holds_of(&folder)) {
            Some(listed) => left.extend(listed.unknown().filter(|path| path.is_dir())),
            None => left.extend(folders_in(&folder)),
        }
        found.push(folder);
        if found.len() == FOLDERS_MAX {
            tracing::warn!(
                "there are more than {FOLDERS_MAX} folders; changes in the others are found every {} seconds",
                POLL.as_secs()
            );
            break;
        }
    }
    found
}

fn folders_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    folder.read_dir().into_iter().flatten().flatten().filter_map(|entry| {
        let is_folder = match entry.file_type() {
            Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
            kind => kind.is_ok_and(|kind| kind.is_dir()),
        };
        is_folder.then(|| entry.path())
    })
}

impl Seen {
    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    /// When what changed may be taken to have come to rest; none where nothing changed.
    fn due(&self) -> Option<Instant> {
        let (first, last) = self.first_and_last?;
        if self.writing.is_empty() {
            let quiet = (QUIET_ALONE + (last - first)).min(QUIET);
            Some((last + quiet).min(first + RESTLESS_MAX))
        } else {
            Some((last + WRITING_MAX).min(first + WRITING_MAX))
        }
    }

    /// What is told of a folder itself, or of what bears its name, is more than files.
    fn note(&mut self, event: &Event, filter: &Filter, now: Instant) {
        let of_folders =
            matches!(event.kind, EventKind::Create(CreateKind::Folder) | EventKind::Remove(RemoveKind::Folder));
        self.more |= of_folders || event.need_rescan() || event.paths.is_empty();
        // The other end of a move may lie where it is none of our business.
        for path in event.paths.iter().filter(|path| filter.is_ours(path)) {
            let inside = filter.folders.iter().any(|folder| path.starts_with(folder) && path != folder);
            self.more |= !inside || self.touched.len() >= TOUCHED_MAX;
            if !self.more {
                self.touched.insert(path.clone());
            }
        }
        let first = self.first_and_last.map_or(now, |(first, _)| first);
        self.first_and_last = Some((first, now));
        for path in &event.paths {
            if !matches!(event.kind, EventKind::Modify(ModifyKind::Data(_))) {
                self.writing.remove(path);
            } else if self.writing.len() < WRITING_FILES_MAX {
                self.writing.insert(path.clone());
            }
        }
    }
}

/// Runs in the watcher's thread.
struct Filter {
    seen: Arc<Seen>,
    folders: Vec<PathBuf>,
    names: Vec<OsString>,
}

impl Filter {
    fn is_ours(&self, path: &Path) -> bool {
        self.folders.iter().any(|folder| path.starts_with(folder))
            || path.file_name().is_some_and(|name| self.names.iter().any(|known| known == name))
    }

    /// Whether it concerns us: what is inside a folder of ours, or bears the name of one.
    fn concerns(&self, event: &Event) -> bool {
        let changes = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
            // We read these files ourselves.
            EventKind::Access(_) => false,
            _ => true,
        };
        changes && (event.need_rescan() || event.paths.iter().any(|path| self.is_ours(path)))
    }
}

impl notify::EventHandler for Filter {
    fn handle_event(&mut self, event: notify::Result<Event>) {
        let event = event.unwrap_or_else(|_| Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan));
        if self.concerns(&event) {
            self.seen.changes().note(&event, self, Instant::now());
            self.seen.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use tokio::time::timeout;

    use super::*;

    /// What is done to a folder `zones`, in this order; each is to be told before the next is done.
    type Deed = (&'static str, fn(&Path));

    const DEEDS: &[Deed] = &[
        ("a new file", |at| fs::write(at.join("zones/a.zone"), "a").unwrap()),
        ("a file written over", |at| fs::write(at.join("zones/a.zone"), "b").unwrap()),
        ("a file renamed into place", |at| {
            fs::write(at.join("new"), "c").unwrap();
            fs::rename(at.join("new"), at.join("zones/a.zone")).unwrap();
        }),
        ("a file gone", |at| fs::remove_file(at.join("zones/a.zone")).unwrap()),
        ("a folder within", |at| fs::create_dir(at.join("zones/parts")).unwrap()),
        ("a file in it", |at| fs::write(at.join("zones/parts/x"), "x").unwrap()),
        ("the folder gone", |at| fs::rename(at.join("zones"), at.join("old")).unwrap()),
        ("the folder back", |at| fs::rename(at.join("old"), at.join("zones")).unwrap()),
        ("a link in its place", |at| {
            fs::create_dir(at.join("one")).unwrap();
            fs::rename(at.join("zones"), at.join("old")).unwrap();
            symlink("one", at.join("zones")).unwrap();
        }),
        ("a file behind the link", |at| fs::write(at.join("zones/b.zone"), "b").unwrap()),
        ("the link switched", |at| {
            fs::create_dir(at.join("two")).unwrap();
            symlink("two", at.join("next")).unwrap();
            fs::rename(at.join("next"), at.join("zones")).unwrap();
        }),
        ("a file behind the new link", |at| fs::write(at.join("two/b.zone"), "b").unwrap()),
    ];

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn whatever_happens_to_a_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("zones")).unwrap();
        block_on(async {
            let mut watch = Watch::new(vec![folder.path().join("zones")], None);
            for (what, deed) in DEEDS {
                deed(folder.path());
                timeout(Duration::from_secs(20), watch.changed()).await.unwrap_or_else(|_| panic!("{what}"));
            }
        });
    }

    #[test]
    fn a_file_is_watched_through_a_link_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, name) in [("1", "one"), ("2", "two")] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("cert.pem"), version).unwrap();
        }
        symlink("one", at("..data")).unwrap();
        symlink("..data/cert.pem", at("cert.pem")).unwrap();
        block_on(async {
            let mut watch = Watch::beside(&[at("cert.pem"), at("key.pem")]);
            symlink("two", at("next")).unwrap();
            fs::rename(at("next"), at("..data")).unwrap();
            timeout(Duration::from_secs(20), watch.changed()).await.unwrap();
            assert_eq!(fs::read(at("cert.pem")).unwrap(), b"2");
        });
    }

    #[test]
    fn who_stops_waiting_misses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        block_on(async {
            let mut watch = Watch::new(vec![folder.path().to_path_buf()], None);
            fs::write(folder.path().join("a.zone"), "a").unwrap();
            let mut waits = 0;
            let touched = loop {
                match timeout(QUIET_ALONE / 5, watch.changed()).await {
                    Ok(touched) => break touched,
                    Err(_) => waits += 1,
                }
                assert!(waits < 10_000);
            };
            assert_eq!(touched, Touched::Files([folder.path().join("a.zone")].into()));
        });
    }

    #[test]
    fn a_file_half_written_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        block_on(async {
            let mut watch = Watch::new(vec![folder.path().to_path_buf()], None);
            let mut file = fs::File::create(folder.path().join("a.zone")).unwrap();
            file.write_all(b"half").unwrap();
            assert!(timeout(QUIET * 4, watch.changed()).await.is_err());
            file.write_all(b"whole").unwrap();
            drop(file);
            timeout(Duration::from_secs(20), watch.changed()).await.unwrap();
        });
    }

    #[test]
    fn reading_and_neighbours_are_no_news() {
        let folder = tempfile::tempdir().unwrap();
        let zones = folder.path().join("zones");
        fs::create_dir(&zones).unwrap();
        fs::write(zones.join("a.zone"), "a").unwrap();
        block_on(async {
            let mut watch = Watch::new(vec![zones.clone()], None);
            fs::read(zones.join("a.zone")).unwrap();
            fs::write(folder.path().join("neighbour"), "x").unwrap();
            assert!(timeout(QUIET * 3, watch.changed()).await.is_err());
        });
    }

    #[test]
    fn rest_is_waited_for_but_not_for_ever() {
        let begin = Instant::now();
        let second = |seconds| begin + Duration::from_secs(seconds);
        let filter = Filter { seen: Arc::default(), folders: vec!["/zones".into()], names: vec!["zones".into()] };
        let written = Event::new(EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any)));
        let written = written.add_path(PathBuf::from("/zones/x"));
        let closed =
            Event::new(EventKind::Access(AccessKind::Close(AccessMode::Write))).add_path(PathBuf::from("/zones/x"));
        let mut changes = Changes::default();
        assert_eq!(changes.due(), None);
        changes.note(&written, &filter, second(0));
        changes.note(&written, &filter, second(1));
        assert_eq!(changes.due(), Some(begin + WRITING_MAX));
        changes.note(&closed, &filter, second(1));
        assert_eq!(changes.due(), Some(second(1) + QUIET));
        changes.note(&closed, &filter, second(9));
        assert_eq!(changes.due(), Some(begin + RESTLESS_MAX));
        let mut alone = Changes::default();
        alone.note(&closed, &filter, second(5));
        assert_eq!(alone.due(), Some(second(5) + QUIET_ALONE));
        assert!(alone.touched.len() == 1 && !alone.more);
        for (path, more) in [("/zones", true), ("/elsewhere/zones", true), ("/zones/x", false), ("/other", false)] {
            let mut changes = Changes::default();
            changes.note(&Event::new(EventKind::Any).add_path(path.into()), &filter, second(5));
            assert_eq!(changes.more, more, "{path}");
        }
    }
}
