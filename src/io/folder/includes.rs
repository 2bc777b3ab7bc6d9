//! What `$INCLUDE` finds: files inside the folder of zones, and no others.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{self, FILE_MAX, Stamp};
use crate::zonefile::Includes;

/// Ours: a zone that includes more files than this is running in circles.
const INCLUDES_MAX: usize = 10_000;

/// Serves one zone, and notes which files it is made of.
pub struct FolderIncludes<'a> {
    dir: &'a Path,
    /// `dir` without symbolic links.
    root: &'a Path,
    noted: RefCell<Noted>,
}

#[derive(Default)]
struct Noted {
    files: Vec<(PathBuf, Option<Stamp>)>,
    reads: usize,
    bytes: u64,
}

impl<'a> FolderIncludes<'a> {
    pub fn new(dir: &'a Path, root: &'a Path) -> FolderIncludes<'a> {
        FolderIncludes { dir, root, noted: RefCell::default() }
    }

    /// The files asked for; without a stamp those that could not be had.
    pub fn into_files(self) -> Vec<(PathBuf, Option<Stamp>)> {
        self.noted.into_inner().files
    }

    fn note(&self, path: &Path, stamp: Option<Stamp>) {
        let files = &mut self.noted.borrow_mut().files;
        if !files.iter().any(|(noted, _)| noted == path) {
            files.push((path.to_path_buf(), stamp));
        }
    }
}

impl Includes for FolderIncludes<'_> {
    /// A relative path counts from the folder of the file that names it, and else from the folder of zones.
    fn read(&self, path: &str, from_file: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        let beside = Path::new(from_file).parent().unwrap_or(self.dir).join(path);
        let wanted = if files::stamp(&beside).is_some() { beside } else { self.dir.join(path) };
        let found =
            wanted.canonicalize().inspect_err(|_| self.note(&wanted, None)).map_err(|error| error.to_string())?;
        let inside = found.strip_prefix(self.root).map_err(|_| {
            self.note(&wanted, files::stamp(&wanted));
            format!("it lies outside {}", self.dir.display())
        })?;
        {
            let mut noted = self.noted.borrow_mut();
            noted.reads += 1;
            if noted.reads > INCLUDES_MAX {
                return Err(format!("the zone includes more than {INCLUDES_MAX} files"));
            }
        }
        let shown = self.dir.join(inside);
        match files::read(&found) {
            Ok((bytes, stamp)) => {
                self.note(&wanted, Some(stamp));
                let mut noted = self.noted.borrow_mut();
                noted.bytes += bytes.len() as u64;
                if noted.bytes > FILE_MAX {
                    return Err(format!("what the zone includes is larger than {} GiB", FILE_MAX >> 30));
                }
                Ok((files::shown(&shown), bytes))
            }
            Err(problem) => {
                self.note(&wanted, files::stamp(&wanted));
                Err(problem.what)
            }
        }
    }
}
