//! The last good version of each zone, kept in the state folder for a start that finds a file broken.
//!
//! All versions are in one file, so that a hundred thousand zones take one `fsync`. A change is a record at its end:
//!
//! ```text
//! record | "FPlg" | length of the head 4 | length of the body 8 | head | checksum of the head 8 | body | digest of the body 8 |
//! ```
//!
//! The head names the zone and its files; the body is their bytes, one file after the other. A record that a crash cut
//! off is not read, and the next one is written in its place. When more than half of the file is old versions, it is
//! written anew and renamed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::folder::{self, Good, Kept, KeptFile, Seen, Stamp};
use super::regular::{self, Links};
use super::state::set_aside;
use crate::model::zone::Visibility;
use crate::wire::name::Name;

/// The file, within the state folder.
pub(super) const FILE: &str = "last-good";

const MAGIC: [u8; 4] = *b"FPlg";

/// Flags of a head: the zone is gone; it is private.
const REMOVED: u8 = 1;
const PRIVATE: u8 = 2;

const PREFIX: usize = 16;
const DIGEST: usize = 8;

/// Ours: the last good versions of all zones have so many bytes at most. A zone beyond that has none.
const BYTES_MAX: u64 = 4 << 30;

/// Ours: a head names the files of one zone, of which there are at most some thousands.
const HEAD_MAX: usize = 16 << 20;

/// Old versions of so many bytes are not worth writing the file anew.
const WASTE_MIN: u64 = 1 << 20;

/// Files are copied in pieces of this size.
const PIECE: usize = 1 << 16;

/// The name of the record of the shared files. No zone file has it.
const SHARED: &str = "/shared";

/// The name of the record that says whether the versions have passed the routing tests.
const PASSED: &str = "/passed";

/// The store.
pub struct LastGood {
    folder: PathBuf,
    file: File,
    writable: bool,
    index: HashMap<u64, Place>,
    /// Where the next record goes.
    end: u64,
    /// The bytes of the records that count.
    live: u64,
    /// What was wrong the last time; the same is not logged again.
    told: String,
    told_full: bool,
}

/// Where a record is, by the digest of its name.
#[derive(Clone, Copy)]
struct Place {
    at: u64,
    head: u32,
    body: u64,
    /// Of the stamps of its files.
    fingerprint: u64,
}

impl Place {
    fn length(&self) -> u64 {
        PREFIX as u64 + u64::from(self.head) + DIGEST as u64 + self.body + DIGEST as u64
    }

    fn body_at(&self) -> u64 {
        self.at + PREFIX as u64 + u64::from(self.head) + DIGEST as u64
    }
}

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    name: String,
    /// Only that the zone is gone.
    removed: bool,
    fingerprint: u64,
    origin: Vec<u8>,
    /// None: public.
    vpcs: Option<Vec<String>>,
    files: Vec<HeadFile>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct HeadFile {
    wanted: String,
    shown: String,
    length: u64,
}

/// A file to be copied into the store.
struct ToKeep {
    path: PathBuf,
    stamp: Stamp,
    wanted: String,
    shown: String,
}

impl LastGood {
    /// Opens the store. Where that fails, the reason is logged.
    pub fn open_if_possible(folder: &Path) -> Option<LastGood> {
        let warn = |error: &io::Error| {
            tracing::warn!(%error, "the last good versions of zones cannot be read, and none are written");
        };
        LastGood::open(folder).inspect_err(warn).ok()
    }

    /// Opens the store in the state folder. What a crash has cut off is left out.
    pub fn open(folder: &Path) -> io::Result<LastGood> {
        let path = folder.join(FILE);
        if let Err(error) = regular::open(&path, Links::Refused)
            && error.kind() == io::ErrorKind::InvalidInput
        {
            set_aside(folder, FILE, &error);
        }
        let mut options = OpenOptions::new();
        // A pipe or a device in its place is not waited for, and a link is not followed.
        options.read(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let (file, writable) = match options.clone().write(true).create(true).truncate(false).open(&path) {
            Ok(file) => (file, true),
            Err(error) => (options.open(&path).map_err(|_| error)?, false),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other(format!("{} is not a regular file", path.display())));
        }
        let (index, told, told_full) = Default::default();
        let mut store =
            LastGood { folder: folder.to_path_buf(), file, writable, index, end: 0, live: 0, told, told_full };
        store.read_index(metadata.len())?;
        Ok(store)
    }

    fn read_index(&mut self, length: u64) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(PIECE, &self.file);
        let mut at = 0;
        let mut bytes = Vec::new();
        while let Some((key, removed, place)) = read_head(&mut reader, at, length, &mut bytes)? {
            let skip = i64::try_from(place.body).unwrap_or(i64::MAX).saturating_add(DIGEST as i64);
            reader.seek_relative(skip)?;
            at += place.length();
            let before = match removed {
                true => self.index.remove(&key),
                false => self.index.insert(key, place),
            };
            self.live += if removed { 0 } else { place.length() };
            self.live -= before.map_or(0, |before| before.length());
        }
        self.end = at;
        if !self.writable || at == length {
            return Ok(());
        }
        if !self.is_damaged(at, length)? {
            return self.file.set_len(at);
        }
        set_aside(&self.folder, FILE, &format_args!("the record at byte {at} is damaged; those before it are used"));
        self.write_anew()
    }

    /// Whether what stands here is something else than a record that a crash has cut off.
    fn is_damaged(&self, at: u64, length: u64) -> io::Result<bool> {
        let mut prefix = [0; PREFIX];
        let there = PREFIX.min(usize::try_from(length - at).unwrap_or(PREFIX));
        self.file.read_exact_at(&mut prefix[..there], at)?;
        // A file can be longer than what had been written to it: the rest is zeros.
        if prefix == [0; PREFIX] {
            return Ok(false);
        }
        Ok(match there {
            PREFIX => place_of(at, &prefix).is_none_or(|(_, end)| end <= length),
            _ => prefix.iter().zip(MAGIC).take(there).any(|(byte, expected)| *byte != expected),
        })
    }

    /// The zone that a file was served from last, by the name of the file.
    pub fn served(&self, name: &str) -> Option<(Name, Visibility)> {
        let (head, _) = self.head(name)?;
        let visibility = match head.vpcs {
            None => Visibility::Public,
            Some(vpcs) => Visibility::Private(vpcs.into_iter().map(Into::into).collect()),
        };
        Some((Name::from_wire(&head.origin).ok()?, visibility))
    }

    /// The last good version of a file's zone.
    pub fn zone(&self, name: &str) -> Option<Kept> {
        let (head, place) = self.head(name)?;
        let length = usize::try_from(place.body).ok()?;
        let mut body = vec![0; length + DIGEST];
        self.file.read_exact_at(&mut body, place.body_at()).ok()?;
        let digest = body.split_off(length);
        if digest_of(&body).to_le_bytes() != *digest {
            tracing::error!("the last good version of {name} in the state folder is damaged; it is not used");
            return None;
        }
        let mut rest = body.as_slice();
        let mut files = Vec::with_capacity(head.files.len());
        for HeadFile { wanted, shown, length } in head.files {
            let (bytes, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            rest = behind;
            files.push(KeptFile { wanted, shown, bytes: bytes.to_vec() });
        }
        Some(Kept { files })
    }

    pub fn shared(&self) -> Option<Kept> {
        self.zone(SHARED)
    }

    /// Whether what is kept has passed the routing tests.
    pub fn has_passed(&self) -> bool {
        self.index.contains_key(&key_of(PASSED))
    }

    /// The names of all zone files that have a last good version, in order.
    pub fn names(&self) -> Vec<String> {
        let heads = self.index.values().filter_map(|place| self.head_at(*place));
        let mut names: Vec<String> = heads.map(|head| head.name).filter(|name| !name.starts_with('/')).collect();
        names.sort();
        names
    }

    fn head(&self, name: &str) -> Option<(Head, Place)> {
        let place = *self.index.get(&key_of(name))?;
        self.head_at(place).filter(|head| head.name == name).map(|head| (head, place))
    }

    fn head_at(&self, place: Place) -> Option<Head> {
        let mut bytes = vec![0; place.head as usize];
        self.file.read_exact_at(&mut bytes, place.at + PREFIX as u64).ok()?;
        Head::read(&bytes)
    }

    /// Whether all that is good is kept already.
    pub fn is_missing(&self, good: &Good<'_>) -> bool {
        self.index.get(&key_of(good.name())).is_none_or(|place| place.fingerprint != fingerprint_of(good))
    }

    /// Keeps what is good of a load, and forgets zones whose file is gone. `changed` names the files that may differ from
    /// what is kept; none: any file. `passed` says that it has passed the routing tests.
    pub fn keep(&mut self, dir: &Path, seen: &Seen, changed: Option<&BTreeSet<String>>, passed: bool) {
        if !self.writable {
            return;
        }
        let before = self.end;
        let appended = self.append_all(dir, seen, changed, passed);
        if appended.is_err() {
            // Half a record is worth nothing, and the next one begins in its place.
            let _ = self.file.set_len(self.end);
        }
        let kept = appended.and_then(|()| match self.end == before {
            true => Ok(()),
            false => self.file.sync_data(),
        });
        let kept = kept.and_then(|()| if self.is_wasteful() { self.write_anew() } else { Ok(()) });
        match kept {
            Ok(()) => self.told.clear(),
            Err(error) => {
                let why = error.to_string();
                if self.told != why {
                    tracing::warn!(
                        "last good versions of zones cannot be kept: {why}; the zones are served all the same"
                    );
                    self.told = why;
                }
            }
        }
    }

    fn append_all(
        &mut self,
        dir: &Path,
        seen: &Seen,
        changed: Option<&BTreeSet<String>>,
        passed: bool,
    ) -> io::Result<()> {
        match changed {
            Some(names) => {
                for good in names.iter().filter_map(|name| seen.good_one(name)) {
                    self.keep_zone(dir, &good)?;
                }
            }
            None => {
                for good in seen.good() {
                    self.keep_zone(dir, &good)?;
                }
                self.keep_shared(dir, seen)?;
                for gone in self.gone(seen) {
                    self.remove(&gone)?;
                }
            }
        }
        match (passed, self.has_passed()) {
            (true, false) => self.append(Head::about(PASSED, 0), &[]),
            (false, true) => self.remove(PASSED),
            _ => Ok(()),
        }
    }

    /// The names of zone files that are kept and not in the folder any more.
    fn gone(&self, seen: &Seen) -> Vec<String> {
        let mut there: HashSet<u64> = seen.names().map(key_of).collect();
        there.extend([SHARED, PASSED].map(key_of));
        let gone = self.index.iter().filter(|(key, _)| !there.contains(key));
        gone.filter_map(|(_, place)| self.head_at(*place)).map(|head| head.name).collect()
    }

    fn keep_zone(&mut self, dir: &Path, good: &Good<'_>) -> io::Result<()> {
        if !self.is_missing(good) {
            return Ok(());
        }
        let own = ToKeep {
            path: dir.join(good.name()),
            stamp: good.stamp,
            wanted: good.name().into(),
            shown: good.name().into(),
        };
        let mut files = vec![own];
        for included in good.others() {
            let Some(stamp) = included.stamp else { continue };
            let inside = |path: &Path| path.strip_prefix(dir).unwrap_or(path).to_string_lossy().into_owned();
            let (wanted, shown) = (inside(&included.wanted), inside(Path::new(&*included.shown)));
            files.push(ToKeep { path: included.wanted.clone(), stamp, wanted, shown });
        }
        let (origin, visibility) = good.is();
        let vpcs = match &visibility {
            Visibility::Public => None,
            Visibility::Private(vpcs) => Some(vpcs.iter().map(|vpc| vpc.to_string()).collect()),
        };
        let head = Head { origin: origin.wire().to_vec(), vpcs, ..Head::about(good.name(), fingerprint_of(good)) };
        self.append(head, &files)
    }

    fn keep_shared(&mut self, dir: &Path, seen: &Seen) -> io::Result<()> {
        let Some(shared) = seen.good_shared() else { return Ok(()) };
        let of = |(name, stamp): (&str, Stamp)| ToKeep {
            path: dir.join(name),
            stamp,
            wanted: name.into(),
            shown: name.into(),
        };
        let files: Vec<ToKeep> = shared.map(of).collect();
        let mut hasher = DefaultHasher::new();
        files.iter().for_each(|file| (&file.wanted, file.stamp).hash(&mut hasher));
        let fingerprint = hasher.finish();
        let known = self.index.get(&key_of(SHARED));
        if known.is_some_and(|place| place.fingerprint == fingerprint) || (known.is_none() && files.is_empty()) {
            return Ok(());
        }
        self.append(Head::about(SHARED, fingerprint), &files)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.append(Head { removed: true, ..Head::about(name, 0) }, &[])
    }

    /// Appends a record. Where a file is no longer what was loaded, nothing is kept: the next load will see it.
    fn append(&mut self, mut head: Head, files: &[ToKeep]) -> io::Result<()> {
        head.files = files
            .iter()
            .map(|file| HeadFile { wanted: file.wanted.clone(), shown: file.shown.clone(), length: file.stamp.size() })
            .collect();
        let body: u64 = files.iter().map(|file| file.stamp.size()).sum();
        let bytes = head.bytes();
        if bytes.len() > HEAD_MAX || self.live.saturating_add(body) > BYTES_MAX {
            if !std::mem::replace(&mut self.told_full, true) {
                let name = head.name;
                tracing::warn!(
                    "no last good version of {name} is kept: all together would have more than {BYTES_MAX} bytes"
                );
            }
            return Ok(());
        }
        let place = Place { at: self.end, head: bytes.len() as u32, body, fingerprint: head.fingerprint };
        let mut writer = Writer { file: &self.file, at: self.end, buffer: Vec::with_capacity(PIECE) };
        writer.put(&MAGIC)?;
        writer.put(&place.head.to_le_bytes())?;
        writer.put(&place.body.to_le_bytes())?;
        writer.put(&bytes)?;
        writer.put(&checksum(&bytes).to_le_bytes())?;
        let mut digest = Context::new(&SHA256);
        for file in files {
            if !copy(file, &mut writer, &mut digest)? {
                return self.file.set_len(self.end);
            }
        }
        writer.put(&short(digest).to_le_bytes())?;
        writer.flush()?;
        self.end += place.length();
        let key = key_of(&head.name);
        let before = match head.removed {
            true => self.index.remove(&key),
            false => self.index.insert(key, place),
        };
        self.live += if head.removed { 0 } else { place.length() };
        self.live -= before.map_or(0, |before| before.length());
        Ok(())
    }

    fn is_wasteful(&self) -> bool {
        let waste = self.end - self.live;
        waste > WASTE_MIN && waste > self.live
    }

    /// Writes the file anew, without old versions.
    fn write_anew(&mut self) -> io::Result<()> {
        let next = self.folder.join(format!(".{FILE}.new"));
        match std::fs::remove_file(&next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&next)?;
        let mut places: Vec<(u64, Place)> = self.index.iter().map(|(key, place)| (*key, *place)).collect();
        places.sort_by_key(|(_, place)| place.at);
        let mut piece = vec![0; PIECE];
        let mut writer = Writer { file: &file, at: 0, buffer: Vec::with_capacity(PIECE) };
        let mut end = 0;
        for (_, place) in &mut places {
            let (mut from, to) = (place.at, place.at + place.length());
            while from < to {
                let length = usize::try_from(to - from).unwrap_or(PIECE).min(PIECE);
                self.file.read_exact_at(&mut piece[..length], from)?;
                writer.put(&piece[..length])?;
                from += length as u64;
            }
            place.at = end;
            end += place.length();
        }
        writer.flush()?;
        file.sync_all()?;
        std::fs::rename(&next, self.folder.join(FILE))?;
        File::open(&self.folder)?.sync_all()?;
        (self.file, self.index, self.end, self.live) = (file, places.into_iter().collect(), end, end);
        Ok(())
    }
}

/// Copies a file, if it is what was loaded.
fn copy(file: &ToKeep, writer: &mut Writer<'_>, digest: &mut Context) -> io::Result<bool> {
    let Ok(from) = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&file.path) else {
        return Ok(false);
    };
    let is_same = || from.metadata().is_ok_and(|metadata| metadata.is_file() && Stamp::of(&metadata) == file.stamp);
    if !is_same() {
        return Ok(false);
    }
    let (mut piece, mut left) = (vec![0; PIECE.min(file.stamp.size() as usize)], file.stamp.size());
    while left > 0 {
        let length = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let Some(piece) = piece.get_mut(..length) else { return Ok(false) };
        if (&from).read_exact(piece).is_err() {
            return Ok(false);
        }
        digest.update(piece);
        writer.put(piece)?;
        left -= length as u64;
    }
    Ok(is_same())
}

/// Writes at the end of the store.
struct Writer<'a> {
    file: &'a File,
    at: u64,
    buffer: Vec<u8>,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.buffer, self.at)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// The record that begins here: the key of its name, whether it only says that the zone is gone, and its place. None where
/// there is no whole record any more. `bytes` is room for the head.
fn read_head(
    reader: &mut impl Read,
    at: u64,
    length: u64,
    bytes: &mut Vec<u8>,
) -> io::Result<Option<(u64, bool, Place)>> {
    let mut prefix = [0; PREFIX];
    if at.saturating_add(PREFIX as u64) > length {
        return Ok(None);
    }
    reader.read_exact(&mut prefix)?;
    let Some((place, _)) = place_of(at, &prefix).filter(|(_, end)| *end <= length) else { return Ok(None) };
    let mut sum = [0; DIGEST];
    bytes.resize(place.head as usize, 0);
    reader.read_exact(bytes)?;
    reader.read_exact(&mut sum)?;
    if checksum(bytes).to_le_bytes() != sum {
        return Ok(None);
    }
    let mut rest = Rest(bytes);
    let name = rest.bytes().and_then(|name| std::str::from_utf8(name).ok());
    let (Some(name), Some([flags]), Some(fingerprint)) = (name, rest.array::<1>(), rest.array::<8>()) else {
        return Ok(None);
    };
    let place = Place { fingerprint: u64::from_le_bytes(fingerprint), ..place };
    Ok(Some((key_of(name), flags & REMOVED != 0, place)))
}

/// The place of a record that begins like this, and where it ends. None where no record begins so.
fn place_of(at: u64, prefix: &[u8; PREFIX]) -> Option<(Place, u64)> {
    let mut rest = Rest(prefix);
    let (magic, head, body) = (rest.array::<4>()?, rest.array::<4>()?, rest.array::<8>()?);
    let (head, body) = (u32::from_le_bytes(head), u64::from_le_bytes(body));
    let end = at.checked_add(PREFIX as u64 + u64::from(head) + 2 * DIGEST as u64)?.checked_add(body)?;
    let is_record = magic == MAGIC && head as usize <= HEAD_MAX;
    is_record.then_some((Place { at, head, body, fingerprint: 0 }, end))
}

impl Head {
    fn about(name: &str, fingerprint: u64) -> Head {
        let (removed, origin, vpcs, files) = Default::default();
        Head { name: name.to_string(), removed, fingerprint, origin, vpcs, files }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let text = |out: &mut Vec<u8>, bytes: &[u8]| {
            out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            out.extend_from_slice(bytes);
        };
        text(&mut out, self.name.as_bytes());
        out.push(if self.removed { REMOVED } else { 0 } | if self.vpcs.is_some() { PRIVATE } else { 0 });
        out.extend_from_slice(&self.fingerprint.to_le_bytes());
        text(&mut out, &self.origin);
        let vpcs = self.vpcs.as_deref().unwrap_or_default();
        out.extend_from_slice(&(vpcs.len() as u32).to_le_bytes());
        vpcs.iter().for_each(|vpc| text(&mut out, vpc.as_bytes()));
        out.extend_from_slice(&(self.files.len() as u32).to_le_bytes());
        for HeadFile { wanted, shown, length } in &self.files {
            text(&mut out, wanted.as_bytes());
            text(&mut out, shown.as_bytes());
            out.extend_from_slice(&length.to_le_bytes());
        }
        out
    }

    fn read(bytes: &[u8]) -> Option<Head> {
        let mut rest = Rest(bytes);
        let name = rest.text()?;
        let [flags] = rest.array::<1>()?;
        let fingerprint = u64::from_le_bytes(rest.array()?);
        let origin = rest.bytes()?.to_vec();
        let vpcs = (0..rest.count()?).map(|_| rest.text()).collect::<Option<Vec<String>>>()?;
        let file = |rest: &mut Rest<'_>| {
            Some(HeadFile { wanted: rest.text()?, shown: rest.text()?, length: u64::from_le_bytes(rest.array()?) })
        };
        let files = (0..rest.count()?).map(|_| file(&mut rest)).collect::<Option<Vec<HeadFile>>>()?;
        let vpcs = (flags & PRIVATE != 0).then_some(vpcs);
        rest.0.is_empty().then_some(Head { name, removed: flags & REMOVED != 0, fingerprint, origin, vpcs, files })
    }
}

/// The rest of a head.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn count(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.count()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }
}

fn fingerprint_of(good: &Good<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    good.stamp.hash(&mut hasher);
    for folder::Included { wanted, stamp, .. } in good.others() {
        (wanted, stamp).hash(&mut hasher);
    }
    hasher.finish()
}

/// What the index knows a record by; in this process only.
fn key_of(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// Shows that a head is whole (FNV-1a). There may be a hundred thousand to check at the start.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn digest_of(bytes: &[u8]) -> u64 {
    let mut context = Context::new(&SHA256);
    context.update(bytes);
    short(context)
}

/// The first eight bytes of a digest.
fn short(context: Context) -> u64 {
    let digest = context.finish();
    digest.as_ref().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
