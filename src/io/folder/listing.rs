//! What a folder of zones holds, listed once for all who want to know: who confines the process looks for links, who loads
//! for zones, who watches for folders. There may be a hundred thousand files.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{io, ops};

use nix::dir::{Dir, Type};
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::files::{self, Stamp};
use super::passed_over;

/// The clock of a file system that counts less than seconds goes with the kernel's ticks, which are half as long at most.
const CLOCK: Duration = Duration::from_millis(20);

/// … and that of one that counts seconds.
const CLOCK_OF_SECONDS: Duration = Duration::from_secs(2);

pub struct Listing {
    folder: PathBuf,
    /// The folder's, from before it was listed; none where a change might leave it the same.
    stamp: Option<Stamp>,
    /// Those of all zone files, one behind the other.
    names: String,
    zone_files: Vec<ZoneFile>,
    /// What isn't named like a zone file, and may be a folder.
    others: Vec<OsString>,
    not_utf8: Vec<OsString>,
    /// Regular files that are not ours, and not expected either.
    passed_over: Vec<OsString>,
}

struct ZoneFile {
    name: ops::Range<usize>,
    kind: Kind,
}

/// What stands under a zone file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Regular,
    /// A link that was seen to lead to a regular file.
    Link,
    /// Has to be looked at before it is opened, which may mean something to a device.
    Unknown,
}

impl Listing {
    pub fn of(folder: &Path) -> io::Result<Listing> {
        let mut listing = Listing {
            folder: std::path::absolute(folder)?,
            stamp: settled_stamp(folder),
            names: String::new(),
            zone_files: Vec::new(),
            others: Vec::new(),
            not_utf8: Vec::new(),
            passed_over: Vec::new(),
        };
        let mut dir = Dir::open(folder, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        for entry in dir.iter() {
            let entry = entry?;
            let bytes = entry.file_name().to_bytes();
            if !matches!(bytes, b"." | b"..") {
                // Some file systems don't tell while they list.
                let regular = match entry.file_type() {
                    Some(kind) => kind == Type::File,
                    None => folder.join(OsStr::from_bytes(bytes)).symlink_metadata().is_ok_and(|is| is.is_file()),
                };
                listing.add(bytes, regular);
            }
        }
        let Listing { names, zone_files, .. } = &mut listing;
        zone_files.sort_by(|a, b| names[a.name.clone()].cmp(&names[b.name.clone()]));
        Ok(listing)
    }

    fn add(&mut self, name: &[u8], regular: bool) {
        match std::str::from_utf8(name) {
            Ok(name) if files::is_zone_file(name) => {
                let start = self.names.len();
                self.names.push_str(name);
                let kind = if regular { Kind::Regular } else { Kind::Unknown };
                self.zone_files.push(ZoneFile { name: start..self.names.len(), kind });
            }
            Err(_) if name.ends_with(b".zone") || name.ends_with(b".json") => {
                self.not_utf8.push(OsStr::from_bytes(name).into());
            }
            Ok(name) if regular && passed_over::is_expected(name) => {}
            _ if regular => self.passed_over.push(OsStr::from_bytes(name).into()),
            _ => self.others.push(OsStr::from_bytes(name).into()),
        }
    }

    /// How many zone files there are.
    pub fn count(&self) -> usize {
        self.zone_files.len()
    }

    /// A zone file's name, by its place among them in order.
    pub fn name(&self, index: usize) -> &str {
        &self.names[self.zone_files[index].name.clone()]
    }

    pub fn kind(&self, index: usize) -> Kind {
        self.zone_files[index].kind
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.zone_files.iter().map(|file| &self.names[file.name.clone()])
    }

    pub fn all_regular(&self) -> bool {
        self.zone_files.iter().all(|file| file.kind == Kind::Regular)
    }

    /// The names of zone files that are not UTF-8.
    pub fn not_utf8(&self) -> &[OsString] {
        &self.not_utf8
    }

    /// Regular files that are not ours.
    pub fn passed_over(&self) -> &[OsString] {
        &self.passed_over
    }

    /// Whether there is a zone file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.zone_files.binary_search_by(|file| self.names[file.name.clone()].cmp(name)).is_ok()
    }

    /// Whether it is surely still what this folder holds.
    pub fn holds_of(&self, folder: &Path) -> bool {
        let now = folder.metadata().ok().map(|metadata| Stamp::of(&metadata));
        self.stamp.is_some()
            && now == self.stamp
            && std::path::absolute(folder).is_ok_and(|folder| folder == self.folder)
    }

    /// What is or may be a link or a folder.
    pub fn unknown(&self) -> impl Iterator<Item = PathBuf> {
        let zone_files = self.zone_files.iter().filter(|file| file.kind == Kind::Unknown);
        let names = zone_files.map(|file| OsStr::new(&self.names[file.name.clone()]));
        names.chain(self.others.iter().map(OsString::as_os_str)).map(|name| self.folder.join(name))
    }

    /// Asks what stands under the name of each zone file that isn't known to be regular, in order.
    pub fn find_out(&mut self, mut what: impl FnMut(&str) -> Kind) {
        let Listing { names, zone_files, .. } = self;
        for file in zone_files.iter_mut().filter(|file| file.kind == Kind::Unknown) {
            file.kind = what(&names[file.name.clone()]);
        }
    }
}

/// The stamp of a folder that will be another one after the next change, however coarse the clock of its file system is.
fn settled_stamp(folder: &Path) -> Option<Stamp> {
    let metadata = folder.metadata().ok()?;
    let age = metadata.modified().ok()?.elapsed().ok()?;
    let clock = if metadata.mtime_nsec() == 0 { CLOCK_OF_SECONDS } else { CLOCK };
    (age > clock).then(|| Stamp::of(&metadata))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    fn of(folder: &Path) -> Listing {
        Listing::of(folder).unwrap()
    }

    #[test]
    fn it_tells_files_from_what_may_be_anything() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for file in ["b.zone", "a.json", "notes.txt", ".b.zone.swp", "vpcs.toml", "cidr-collections.json", ".zone"] {
            fs::write(at(file), "x").unwrap();
        }
        fs::write(folder.path().join(OsStr::from_bytes(b"\xff.zone")), "x").unwrap();
        fs::create_dir(at("parts")).unwrap();
        fs::create_dir(at("d.zone")).unwrap();
        symlink("b.zone", at("c.zone")).unwrap();
        let mut listing = of(folder.path());
        assert!(listing.names().eq([".zone", "a.json", "b.zone", "c.zone", "d.zone"]));
        assert!(listing.not_utf8() == [OsStr::from_bytes(b"\xff.zone")]);
        assert_eq!((listing.count(), listing.name(2), listing.kind(2)), (5, "b.zone", Kind::Regular));
        let unknown = |listing: &Listing| -> Vec<PathBuf> { listing.unknown().collect() };
        assert_eq!(unknown(&listing), ["c.zone", "d.zone", "parts"].map(at));
        assert!(!listing.all_regular());
        listing.find_out(|name| if name == "c.zone" { Kind::Link } else { Kind::Unknown });
        assert_eq!((listing.kind(3), listing.kind(4)), (Kind::Link, Kind::Unknown));
        assert_eq!(unknown(&listing), ["d.zone", "parts"].map(at));
        assert!(Listing::of(&at("missing")).is_err());
    }

    #[test]
    fn it_holds_until_something_comes_or_goes() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.zone"), "x").unwrap();
        let changed = |ago: Duration, nanoseconds: u32| {
            let past = SystemTime::now() - ago;
            let seconds = past.duration_since(UNIX_EPOCH).unwrap().as_secs();
            let time = UNIX_EPOCH + Duration::new(seconds, nanoseconds);
            fs::File::open(folder.path()).unwrap().set_modified(time).unwrap();
        };
        // What comes in the same tick of the clock may leave no trace.
        changed(CLOCK_OF_SECONDS / 4, 0);
        assert!(!of(folder.path()).holds_of(folder.path()));
        changed(CLOCK_OF_SECONDS * 2, 0);
        assert!(of(folder.path()).holds_of(folder.path()));
        changed(CLOCK_OF_SECONDS * 2, 1);
        let listing = of(folder.path());
        assert!(listing.holds_of(folder.path()) && !listing.holds_of(Path::new("/")));
        fs::write(folder.path().join("b.zone"), "x").unwrap();
        assert!(!listing.holds_of(folder.path()));
    }
}
