//! A folder of geography, from the disk: read again when one of its files changed. Without a folder, the geography that
//! is built in.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::regular::{self, Links};
use crate::geo::{GeoFile, Geography};
use crate::problem::{At, Problem, Problems};

/// The files that are read; a README may lie beside them.
const ENDINGS: [&str; 3] = ["csv", "mmdb", "ranges"];

/// The geography that is built in: read once, at its first use.
static SHIPPED: OnceLock<Arc<Geography>> = OnceLock::new();

/// The largest databases on the market have a few hundred megabytes.
const FILE_MAX: u64 = 4 << 30;

/// The folder, and what it held when it was last read.
pub struct GeoFolder {
    folder: Option<PathBuf>,
    stamps: Option<Vec<Stamp>>,
    geography: Arc<Geography>,
    problems: Problems,
}

/// What a load brought.
pub struct LoadedGeo {
    pub geography: Arc<Geography>,
    pub problems: Problems,
    pub changed: bool,
}

/// A file as it was: its path, device, inode, length and time of change.
type Stamp = (PathBuf, u64, u64, u64, i64, i64);

impl GeoFolder {
    pub fn new(folder: Option<PathBuf>) -> GeoFolder {
        let shown = folder.as_ref().map(|folder| folder.to_string_lossy());
        let none = shown.map_or_else(Geography::empty, |folder| Geography::empty().of_folder(&folder));
        GeoFolder { folder, stamps: None, geography: Arc::new(none), problems: Problems::default() }
    }

    /// What was wrong with what was read last.
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// Reads the folder if it changed. With errors in it, a geography read before stays; the first is used as it is.
    pub fn load(&mut self) -> LoadedGeo {
        let Some(folder) = self.folder.clone() else {
            // A test holds that it has no problems.
            let shipped = SHIPPED.get_or_init(|| Arc::new(Geography::shipped().0)).clone();
            let first = !Arc::ptr_eq(&self.geography, &shipped);
            self.geography = shipped;
            return self.told(first, Problems::default());
        };
        let stamps = match stamps(&folder) {
            Ok(stamps) => stamps,
            Err(error) => return self.told(false, unreadable(&folder, &error)),
        };
        if self.stamps.as_ref() == Some(&stamps) {
            return self.told(false, self.problems.clone());
        }
        let mut unread = Problems::default();
        let mut files = Vec::with_capacity(stamps.len());
        for (path, ..) in &stamps {
            match regular::read(path, Links::Followed, FILE_MAX) {
                Ok(bytes) => files.push(GeoFile { name: path.to_string_lossy().into(), bytes }),
                Err(error) => unread.append(unreadable(path, &error)),
            }
        }
        let (geography, mut problems) = Geography::build(files);
        problems.append(unread);
        let usable = problems.errors() == 0 || self.stamps.is_none();
        if usable {
            self.geography = Arc::new(geography.of_folder(&folder.to_string_lossy()));
        }
        self.stamps = Some(stamps);
        self.problems = problems.clone();
        self.told(usable, problems)
    }

    fn told(&self, changed: bool, problems: Problems) -> LoadedGeo {
        LoadedGeo { geography: self.geography.clone(), problems, changed }
    }
}

fn stamps(folder: &Path) -> io::Result<Vec<Stamp>> {
    let mut stamps = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("");
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || !ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)) {
            continue;
        }
        let found = path.metadata()?;
        // What is no regular file is an error when it is read.
        if !found.is_dir() {
            stamps.push((path, found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec()));
        }
    }
    stamps.sort();
    Ok(stamps)
}

fn unreadable(path: &Path, error: &io::Error) -> Problems {
    let mut problems = Problems::default();
    let at = At { file: path.to_string_lossy().into(), line: 1, column: 1, length: 0 };
    let remedy = "see that it is there and that this user may read it";
    problems.push(Problem::error(at, format!("cannot be read: {error}"), "", remedy));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_again_when_it_changed_and_not_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let places = folder.path().join("places.csv");
        fs::write(&places, "network,country\n192.0.2.0/24,DE\n").unwrap();
        fs::write(folder.path().join("README.md"), "no geography").unwrap();
        let mut geo = GeoFolder::new(Some(folder.path().to_path_buf()));
        let germany = |loaded: &LoadedGeo| loaded.geography.locate("192.0.2.1".parse().unwrap());
        let first = geo.load();
        assert!(first.changed && first.problems.is_empty());
        assert!(!geo.load().changed);
        // What is wrong does not take the place of what was right.
        fs::write(&places, "network,country\nnonsense,FR\n192.0.2.0/24,FR\n").unwrap();
        let broken = geo.load();
        assert!(!broken.changed && broken.problems.errors() > 0);
        assert_eq!(germany(&broken), germany(&first));
        assert!(geo.load().problems.errors() > 0, "it is still wrong");
        fs::remove_file(&places).unwrap();
        assert!(geo.load().changed);
        folder.close().unwrap();
        let gone = geo.load();
        assert!(!gone.changed && gone.problems.errors() > 0);
    }

    #[test]
    fn what_is_no_regular_file_is_an_error_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("places.csv"), "network,country\n192.0.2.0/24,DE\n").unwrap();
        fs::create_dir(folder.path().join("old.csv")).unwrap();
        nix::unistd::mkfifo(&folder.path().join("pipe.mmdb"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let path = folder.path().to_path_buf();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || tell.send(GeoFolder::new(Some(path)).load()));
        let loaded = told.recv_timeout(std::time::Duration::from_secs(30)).expect("an end");
        let what: Vec<_> = loaded.problems.iter().map(|problem| problem.what.as_str()).collect();
        assert_eq!(what, ["cannot be read: it is a FIFO, not a regular file"]);
        assert_eq!(loaded.geography.networks(), 1);
    }

    #[test]
    fn without_a_folder_the_shipped_geography_is_loaded_once() {
        let mut geo = GeoFolder::new(None);
        let first = geo.load();
        assert!(first.changed && first.problems.is_empty());
        assert_eq!(first.geography.origin(), "built in");
        assert!(!geo.load().changed);
        // It is what the folder of the sources gives.
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("geo");
        let folder = GeoFolder::new(Some(sources.clone())).load();
        assert!(folder.changed && folder.problems.is_empty());
        assert_eq!(folder.geography.origin(), sources.to_string_lossy());
        assert_eq!(folder.geography.networks(), first.geography.networks());
        assert_eq!(folder.geography.ranges(), first.geography.ranges());
    }

    #[test]
    fn a_folder_replaces_the_shipped_geography_whole() {
        let folder = tempfile::tempdir().unwrap();
        let loaded = GeoFolder::new(Some(folder.path().to_path_buf())).load();
        assert_eq!((loaded.geography.networks(), loaded.geography.databases()), (0, &[][..]));
        assert_eq!(loaded.geography.origin(), folder.path().to_string_lossy());
    }
}
