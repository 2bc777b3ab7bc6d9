//! What a load of the folder goes by besides the files themselves.

use super::files::FILE_MAX;
use crate::model::Limits;
use crate::model::zone::Visibility;
use crate::wire::name::Name;

/// The bounds of what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub limits: Limits,
    /// The bytes of text that one zone may have: its file, the files it includes, and what `$GENERATE` writes.
    pub zone_bytes_max: u64,
}

impl From<Limits> for Rules {
    fn from(limits: Limits) -> Rules {
        Rules { limits, zone_bytes_max: FILE_MAX }
    }
}

impl Default for Rules {
    fn default() -> Rules {
        Limits::default().into()
    }
}

/// What is known of earlier loads, those of an earlier process included.
pub trait Memory: Sync {
    /// The zone that is served from a file, by the name of the file.
    fn served(&self, name: &str) -> Option<(Name, Visibility)>;

    /// The last good version of the shared files.
    fn shared(&self) -> Option<Kept>;
}

/// Nothing is known.
pub struct NoMemory;

impl Memory for NoMemory {
    fn served(&self, _name: &str) -> Option<(Name, Visibility)> {
        None
    }

    fn shared(&self) -> Option<Kept> {
        None
    }
}

/// How firmly a file holds its zone when another file claims it. The smaller one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// The zone is served from it, for the same clients.
    Same,
    /// The zone is served from it, for some of the same clients.
    Partly,
    /// The zone is not served from it.
    No,
}

/// The files that a zone was read from, when it was good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The zone's own file first.
    pub files: Vec<KeptFile>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptFile {
    /// The path that was looked for, from the folder of zones where it lies inside.
    pub wanted: String,
    /// The path of the file found, likewise.
    pub shown: String,
    pub bytes: Vec<u8>,
}

impl Kept {
    /// What was read under a path.
    pub fn file(&self, wanted: &str) -> Option<&[u8]> {
        self.files.iter().find(|file| file.wanted == wanted).map(|file| file.bytes.as_slice())
    }
}
