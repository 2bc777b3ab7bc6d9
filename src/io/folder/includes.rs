//! What `$INCLUDE` finds: files inside the folder of zones, and no others.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{self, Stamp};
use crate::zonefile::Includes;

/// Ours: a zone that includes more files than this is running in circles.
const INCLUDES_MAX: usize = 10_000;

/// Serves one zone, and notes which files it is made of.
pub struct FolderIncludes<'a> {
    dir: &'a Path,
    /// `dir` without symbolic links.
    root: &'a Path,
    /// The bytes that the zone may still have.
    left: u64,
    noted: RefCell<Noted>,
}

/// A file that a zone includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    /// The path that was looked for.
    pub wanted: PathBuf,
    /// None where it could not be had.
    pub stamp: Option<Stamp>,
    /// The path that problems show, without symbolic links. Further includes count from its folder.
    pub shown: Arc<str>,
}

#[derive(Default)]
struct Noted {
    files: Vec<Included>,
    reads: usize,
    bytes: u64,
}

impl<'a> FolderIncludes<'a> {
    pub fn new(dir: &'a Path, root: &'a Path, left: u64) -> FolderIncludes<'a> {
        FolderIncludes { dir, root, left, noted: RefCell::default() }
    }

    /// The files asked for; without a stamp those that could not be had.
    pub fn into_files(self) -> Vec<Included> {
        self.noted.into_inner().files
    }

    fn note(&self, wanted: &Path, stamp: Option<Stamp>, shown: Arc<str>) {
        let files = &mut self.noted.borrow_mut().files;
        if !files.iter().any(|noted| noted.wanted == wanted) {
            files.push(Included { wanted: wanted.to_path_buf(), stamp, shown });
        }
    }

    fn note_failed(&self, wanted: &Path, stamp: Option<Stamp>) {
        self.note(wanted, stamp, files::shown(wanted));
    }
}

impl Includes for FolderIncludes<'_> {
    /// A relative path counts from the folder of the file that names it, and else from the folder of zones.
    fn read(&self, path: &str, from_file: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        let beside = Path::new(from_file).parent().unwrap_or(self.dir).join(path);
        let wanted = if files::stamp(&beside).is_some() { beside } else { self.dir.join(path) };
        let found = wanted
            .canonicalize()
            .inspect_err(|_| self.note_failed(&wanted, None))
            .map_err(|error| error.to_string())?;
        let inside = found.strip_prefix(self.root).map_err(|_| {
            self.note_failed(&wanted, files::stamp(&wanted));
            format!("it lies outside {}", self.dir.display())
        })?;
        {
            let mut noted = self.noted.borrow_mut();
            noted.reads += 1;
            if noted.reads > INCLUDES_MAX {
                return Err(format!("the zone includes more than {INCLUDES_MAX} files"));
            }
        }
        let shown = files::shown(&self.dir.join(inside));
        match files::read(&found, self.bytes_left()) {
            Ok((bytes, stamp)) => {
                self.note(&wanted, Some(stamp), shown.clone());
                self.noted.borrow_mut().bytes += bytes.len() as u64;
                Ok((shown, bytes))
            }
            Err(problem) => {
                let stamp = files::stamp(&wanted);
                self.note_failed(&wanted, stamp);
                match stamp.is_some_and(|stamp| stamp.size() > self.bytes_left()) {
                    true => Err("with it the zone has more bytes than zone_bytes_max allows".to_string()),
                    false => Err(problem.what),
                }
            }
        }
    }

    fn bytes_left(&self) -> u64 {
        self.left.saturating_sub(self.noted.borrow().bytes)
    }
}
