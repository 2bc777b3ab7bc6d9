//! Single files of a folder: which are ours, what they hold, whether they changed.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use crate::problem::{At, Problem};
use crate::route53::record_sets::HOSTED_ZONE;

/// Ours: a file larger than this is no zone; the root zone has 2 MiB.
pub const FILE_MAX: u64 = 2 << 30;

/// What an operator can do about a zone that is too large.
pub const TOO_LARGE_REMEDY: &str = "delegate a part of the zone, or raise zone_bytes_max if the memory is there";

/// What tells one state of a file from the next: an edit changes its times or size, a replacement its inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: i64,
    changed: i64,
}

impl Stamp {
    /// The length of the file, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn of(metadata: &Metadata) -> Stamp {
        // Nanoseconds fit until the year 2262; a time beyond that still differs from the next.
        let nanoseconds = |seconds: i64, rest: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(rest);
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// None for what is not there, or is no regular file. Symbolic links are followed.
pub fn stamp(path: &Path) -> Option<Stamp> {
    std::fs::metadata(path).ok().filter(Metadata::is_file).map(|metadata| Stamp::of(&metadata))
}

/// Whether it is a symbolic link that leads to no file.
pub fn is_broken_link(path: &Path) -> bool {
    path.is_symlink() && path.metadata().is_err()
}

/// Editors and deployments leave files that begin with a dot; only the root zone's is meant.
pub fn is_zone_file(name: &str) -> bool {
    let ours = name.ends_with(".zone") || (name.ends_with(".json") && !super::SHARED_FILES.contains(&name));
    ours && (!name.starts_with('.') || name == ".zone")
}

/// The file with the hosted zone's dump that may lie beside this dump of records.
pub fn hosted_zone_of(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".json").filter(|_| !is_hosted_zone(name))?;
    Some(format!("{stem}{HOSTED_ZONE}"))
}

/// The file with the records whose hosted zone this file dumps.
pub fn records_of(name: &str) -> Option<String> {
    name.strip_suffix(HOSTED_ZONE).map(|stem| format!("{stem}.json"))
}

pub fn is_hosted_zone(name: &str) -> bool {
    name.ends_with(HOSTED_ZONE)
}

/// The first bytes of a regular file.
pub fn head(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let mut bytes = Vec::new();
    if file.metadata()?.is_file() {
        file.take(most as u64).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// All of a regular file of so many bytes at most, and its stamp from before it was read.
pub fn read(path: &Path, most: u64) -> Result<(Vec<u8>, Stamp), Box<Problem>> {
    let mut bytes = Vec::new();
    let stamp = read_into(path, most, &mut bytes)?;
    Ok((bytes, stamp))
}

/// The same, into this room.
pub fn read_into(path: &Path, most: u64, bytes: &mut Vec<u8>) -> Result<Stamp, Box<Problem>> {
    let problem = |what: String, remedy: &str| Box::new(Problem::error(whole(&shown(path)), what, "", remedy));
    let unreadable = |error: io::Error| {
        problem(format!("the file cannot be read: {error}"), "see who may read it, and that it is there")
    };
    // Without O_NONBLOCK, what was swapped for a pipe in this moment would be waited for.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(problem("this is not a regular file".into(), "put a file in its place"));
    }
    let too_large = |length: u64| {
        let mut problem = problem(format!("the file has {length} bytes"), TOO_LARGE_REMEDY);
        problem.why = format!("one zone may have {most} bytes of text (zone_bytes_max)");
        problem
    };
    if metadata.len() > most {
        return Err(too_large(metadata.len()));
    }
    read_all(file, usize::try_from(metadata.len()).unwrap_or_default(), most, bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most {
        return Err(too_large(bytes.len() as u64));
    }
    if bytes.is_empty() {
        // An editor that is about to write leaves this for a moment; a zone must not lose its records by it.
        return Err(problem("the file is empty".into(), "write it, or take it away"));
    }
    Ok(Stamp::of(&metadata))
}

/// All of a file that had this length a moment ago. One that still has it takes a single call: there may be a hundred
/// thousand to read.
fn read_all(mut file: File, length: usize, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    // A byte more than there is says that there is no more.
    match length < bytes.capacity() {
        true => bytes.resize(length + 1, 0),
        // Nobody has to write these zeros.
        false => *bytes = vec![0; length + 1],
    }
    let filled = loop {
        match file.read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    bytes.truncate(filled);
    if filled != length {
        file.take((most + 1).saturating_sub(filled as u64)).read_to_end(bytes)?;
    }
    Ok(())
}

/// A path as problems show it: as the user gave the folder, so relative if that was.
pub fn shown(path: &Path) -> Arc<str> {
    path.to_string_lossy().into()
}

/// A file as a whole.
pub fn whole(file: &Arc<str>) -> At {
    At { file: file.clone(), line: 1, column: 1, length: 0 }
}

pub fn no_folder(dir: &Path, error: &io::Error) -> Box<Problem> {
    let remedy = "name a folder of zones with --zones, or in fingerpost.toml";
    Box::new(Problem::error(whole(&shown(dir)), format!("the folder cannot be read: {error}"), "", remedy))
}
