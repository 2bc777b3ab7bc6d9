//! The state folder: what has to survive the server. A file there is old or new, never half of either.
//!
//! One server at a time uses a folder: it holds a lock on the folder itself for as long as it lives, so that there is no
//! file to be left behind, and a folder that can only be read is locked like any other.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::regular::{self, Links};
use super::sys;
use crate::wire::cookie::Secrets;

/// Nothing longer is written, and nothing longer is read. Ours: the states that `control` accepts fit, however their
/// reasons are escaped.
pub const FILE_MAX: u64 = 256 << 20;

/// Files that could not be understood and are kept under another name, for each name; ours.
const UNREADABLE_MAX: usize = 9;

const COOKIE_FILE: &str = "cookie-secrets";

pub const HEALTH_FILE: &str = "health.json";

/// Shows whether something can be written.
const PROBE_FILE: &str = ".probe";

/// The folder. Only this user may look inside. A clone is the same folder under the same lock.
#[derive(Clone)]
pub struct State(Arc<Inside>);

struct Inside {
    folder: PathBuf,
    /// Why nothing can be written, where that is so.
    read_only: Option<String>,
    /// It is locked for as long as this is open.
    _lock: File,
}

/// Why a folder cannot be used.
#[derive(Debug)]
pub enum Unusable {
    /// Another server uses it.
    Taken,
    Failed(io::Error),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Unusable {
        Unusable::Failed(error)
    }
}

impl State {
    /// Makes the folder where it is missing, and locks it. A folder that can only be read is read.
    pub fn open(folder: &Path) -> Result<State, Unusable> {
        make_folder(folder)?;
        let lock = open_folder(folder, 0)?;
        match sys::lock(lock.as_fd()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(Unusable::Taken),
            Err(error) => {
                let folder = folder.display();
                tracing::warn!(%error, "the state folder {folder} cannot be locked; another server must not use it");
            }
            Ok(()) => {}
        }
        let read_only = try_to_write(&folder.join(PROBE_FILE)).err().map(|error| error.to_string());
        Ok(State(Arc::new(Inside { folder: folder.to_path_buf(), read_only, _lock: lock })))
    }

    /// Why nothing can be written, where that is so.
    pub fn read_only(&self) -> Option<&str> {
        self.0.read_only.as_deref()
    }

    /// The content of a file, if it is there.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match regular::read(&self.0.folder.join(name), Links::Refused, FILE_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces a file: whoever reads it, after a crash too, finds all of the old or all of the new content.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() as u64 > FILE_MAX {
            return Err(regular::too_large(FILE_MAX));
        }
        let folder = &self.0.folder;
        let temporary = folder.join(temporary(name));
        let mut file = create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, folder.join(name))?;
        open_folder(folder, 0)?.sync_all()
    }

    /// Keeps a file that cannot be understood under another name, so that it is not overwritten, and logs that.
    pub fn set_aside(&self, name: &str, why: &dyn std::fmt::Display) {
        if self.read_only().is_some() {
            tracing::warn!("{name} in the state folder cannot be understood, and is not used: {why}");
            return;
        }
        set_aside(&self.0.folder, name, why);
    }
}

/// Renames a file of a state folder that cannot be understood, and logs that. Of more than a few the last one is
/// replaced.
pub(super) fn set_aside(folder: &Path, name: &str, why: &dyn std::fmt::Display) {
    let is_free = |other: &String| folder.join(other).symlink_metadata().is_err();
    let other = (1..UNREADABLE_MAX).map(|number| unreadable(name, number)).find(is_free);
    let other = other.unwrap_or_else(|| unreadable(name, UNREADABLE_MAX));
    match fs::rename(folder.join(name), folder.join(&other)) {
        Ok(()) => tracing::warn!("{name} in the state folder cannot be understood, and is kept as {other}: {why}"),
        Err(error) => tracing::warn!(
            %error,
            "{name} in the state folder cannot be understood, and cannot be kept as {other}: {why}"
        ),
    }
}

/// Where new content lies until it is whole.
fn temporary(name: &str) -> String {
    format!(".{name}.new")
}

fn unreadable(name: &str, number: usize) -> String {
    format!("{name}.unreadable-{number}")
}

/// Whether the server makes files of this name in a state folder.
fn is_ours(name: &str) -> bool {
    name == PROBE_FILE
        || [COOKIE_FILE, HEALTH_FILE, super::last_good::FILE].into_iter().any(|ours| {
            name == ours
                || name == temporary(ours)
                || (1..=UNREADABLE_MAX).any(|number| name == unreadable(ours, number))
        })
}

/// Makes a file that was not there. What lies there is taken away; a link is not followed.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// One name for all, so that servers killed at this moment leave no litter.
fn try_to_write(probe: &Path) -> io::Result<()> {
    create(probe)?;
    fs::remove_file(probe)
}

/// Makes a folder that only this user may look inside.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn open_folder(folder: &Path, flags: libc::c_int) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_DIRECTORY | flags).open(folder)
}

/// Gives the folder, and the files in it that are ours, to a user. No link is followed, and a file that has a second
/// name elsewhere stays with its owner. A folder that another server uses stays as it is.
pub fn give_to(folder: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let own = open_folder(folder, libc::O_NOFOLLOW)?;
    if sys::lock(own.as_fd()).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
        return Ok(());
    }
    fchown(&own, Some(uid), Some(gid))?;
    for entry in fs::read_dir(folder)?.flatten() {
        if !entry.file_name().to_str().is_some_and(is_ours) {
            continue;
        }
        if let Ok(file) = regular::open(&entry.path(), Links::Refused)
            && file.metadata()?.nlink() == 1
        {
            fchown(&file, Some(uid), Some(gid))?;
        }
    }
    Ok(())
}

/// The cookie secrets, and when the current one was made in seconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub struct CookieSecrets {
    pub secrets: Secrets,
    pub made: u32,
}

impl CookieSecrets {
    /// The secrets of the state folder; new ones where it has none, or none that can be read.
    pub fn load(state: Option<&State>, now: u32) -> io::Result<CookieSecrets> {
        if let Some(state) = state {
            match state.read(COOKIE_FILE) {
                Ok(None) => {}
                Ok(Some(bytes)) => match CookieSecrets::parse(&bytes) {
                    Some(secrets) => return Ok(secrets),
                    None => state.set_aside(COOKIE_FILE, &"making new secrets"),
                },
                Err(error) => state.set_aside(COOKIE_FILE, &error),
            }
        }
        let made = CookieSecrets { secrets: Secrets { current: sys::random_key()?, previous: None }, made: now };
        made.save(state)?;
        Ok(made)
    }

    /// How long the current secret is still to be used. A clock that was set back does not prolong it.
    pub fn left(&self, rotation: Duration, now: u32) -> Duration {
        let age = Duration::from_secs(u64::from(now.saturating_sub(self.made)));
        rotation.saturating_sub(age)
    }

    /// Takes a new secret into use. Cookies made with the one before are still good.
    pub fn rotate(&mut self, state: Option<&State>, now: u32) -> io::Result<()> {
        self.secrets = Secrets { current: sys::random_key()?, previous: Some(self.secrets.current) };
        self.made = now;
        self.save(state)
    }

    fn save(&self, state: Option<&State>) -> io::Result<()> {
        // A folder that can only be read was told of when it was opened.
        let state = state.filter(|state| state.read_only().is_none());
        state.map_or(Ok(()), |state| state.write(COOKIE_FILE, self.text().as_bytes()))
    }

    /// As the file holds it.
    pub fn text(&self) -> String {
        let previous = self.secrets.previous.map_or("none".to_string(), |secret| hex(&secret));
        format!("made {}\ncurrent {}\nprevious {previous}\n", self.made, hex(&self.secrets.current))
    }

    /// Reads what the file holds.
    pub fn parse(bytes: &[u8]) -> Option<CookieSecrets> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        let mut value = |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix(' ');
        let made = value("made")?.parse().ok()?;
        let current = unhex(value("current")?)?;
        let previous = match value("previous")? {
            "none" => None,
            secret => Some(unhex(secret)?),
        };
        Some(CookieSecrets { secrets: Secrets { current, previous }, made })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some(u128::from_str_radix(text, 16).ok()?.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn cookie_secrets_survive_and_rotate() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("a/b")).unwrap();
        let first = CookieSecrets::load(Some(&state), 1000).unwrap();
        assert_eq!(CookieSecrets::load(Some(&state), 2000).unwrap(), first);
        assert_eq!(first.left(DAY, 1000 + 86_000), Duration::from_secs(400));
        assert_eq!(first.left(DAY, 90_000), Duration::ZERO);
        assert_eq!(first.left(DAY, 10), DAY);
        let mut second = first.clone();
        second.rotate(Some(&state), 90_000).unwrap();
        assert_eq!(second.secrets.previous, Some(first.secrets.current));
        assert_ne!(second.secrets.current, first.secrets.current);
        assert_eq!(CookieSecrets::load(Some(&state), 90_001).unwrap(), second);
        let mode = fs::metadata(folder.path().join("a/b").join(COOKIE_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn secrets_that_are_none_are_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        for bytes in [&b""[..], b"made 1\ncurrent 00\nprevious none\n", b"\xFF", &[b'0'; 200]] {
            state.write(COOKIE_FILE, bytes).unwrap();
            let made = CookieSecrets::load(Some(&state), 7).unwrap();
            assert_eq!((made.made, made.secrets.previous), (7, None));
            assert_eq!(CookieSecrets::load(Some(&state), 8).unwrap(), made);
        }
        assert_ne!(CookieSecrets::load(None, 7).unwrap(), CookieSecrets::load(None, 7).unwrap());
    }

    #[test]
    fn a_file_left_by_a_crash_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        fs::write(folder.path().join(".x.new"), "half").unwrap();
        state.write("x", b"whole").unwrap();
        assert_eq!(state.read("x").unwrap().as_deref(), Some(&b"whole"[..]));
        assert_eq!(state.read("y").unwrap(), None);
    }

    #[test]
    fn a_folder_that_cannot_be_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(State::open(&folder.path().join("file")).is_err());
    }

    #[test]
    fn a_second_server_does_not_get_the_folder_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let first = State::open(folder.path()).unwrap();
        let same = first.clone();
        drop(first);
        assert!(matches!(State::open(folder.path()), Err(Unusable::Taken)));
        drop(same);
        assert!(State::open(folder.path()).is_ok());
    }

    #[test]
    fn what_cannot_be_understood_is_kept_under_other_names_but_not_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        for number in 1..=UNREADABLE_MAX + 2 {
            state.write("x", number.to_string().as_bytes()).unwrap();
            state.set_aside("x", &"a test");
            assert_eq!(state.read("x").unwrap(), None);
        }
        let kept = |number: usize| fs::read_to_string(folder.path().join(format!("x.unreadable-{number}"))).ok();
        assert_eq!([1, 8, 9, 10].map(kept), [Some("1".into()), Some("8".into()), Some("11".into()), None]);
    }

    #[test]
    fn what_stands_in_place_of_a_file_is_told_and_replaced_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join("state").join(name);
        fs::create_dir(folder.path().join("state")).unwrap();
        fs::write(folder.path().join("elsewhere"), "mine").unwrap();
        std::os::unix::fs::symlink("../elsewhere", at(".probe")).unwrap();
        let state = State::open(&folder.path().join("state")).unwrap();
        assert_eq!(state.read_only(), None);
        nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("../elsewhere", at("link")).unwrap();
        std::os::unix::fs::symlink("../elsewhere", at(".link.new")).unwrap();
        for (name, what) in [("fifo", "a FIFO"), ("link", "a symbolic link")] {
            let error = state.read(name).unwrap_err().to_string();
            assert_eq!(error, format!("it is {what}, not a regular file"));
            state.write(name, b"new").unwrap();
            assert_eq!(state.read(name).unwrap().as_deref(), Some(&b"new"[..]));
        }
        assert_eq!(fs::read_to_string(folder.path().join("elsewhere")).unwrap(), "mine");
    }

    #[test]
    fn what_would_not_be_read_back_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        state.write("x", b"before").unwrap();
        assert!(state.write("x", &vec![b'1'; FILE_MAX as usize + 1]).is_err());
        assert_eq!(state.read("x").unwrap().as_deref(), Some(&b"before"[..]));
    }

    #[test]
    fn a_folder_that_can_only_be_read_is_read() {
        let folder = tempfile::tempdir().unwrap();
        // Where a directory has this name nothing can be tried, as in a folder that can only be read.
        fs::create_dir_all(folder.path().join(".probe/inside")).unwrap();
        let first = CookieSecrets::load(None, 5).unwrap();
        fs::write(folder.path().join(COOKIE_FILE), first.text()).unwrap();
        let state = State::open(folder.path()).unwrap();
        assert!(state.read_only().is_some());
        let mut read = CookieSecrets::load(Some(&state), 6).unwrap();
        assert_eq!(read, first);
        assert!(read.rotate(Some(&state), 7).is_ok());
        assert_eq!(fs::read_to_string(folder.path().join(COOKIE_FILE)).unwrap(), first.text());
    }

    #[test]
    fn only_files_of_ours_change_their_owner() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: only root can show this");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("state"), folder.path().join("outside"));
        fs::create_dir(&inside).unwrap();
        fs::write(&outside, "").unwrap();
        for file in [HEALTH_FILE, ".health.json.new", "health.json.unreadable-1", "notes.txt"] {
            fs::write(inside.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink(&outside, inside.join(COOKIE_FILE)).unwrap();
        fs::hard_link(&outside, inside.join(".cookie-secrets.new")).unwrap();
        give_to(&inside, 65_534, 65_534).unwrap();
        let owner = |path: &Path| fs::symlink_metadata(path).unwrap().uid();
        for (file, expected) in [
            (HEALTH_FILE, 65_534),
            (".health.json.new", 65_534),
            ("health.json.unreadable-1", 65_534),
            ("notes.txt", 0),
            (COOKIE_FILE, 0),
            (".cookie-secrets.new", 0),
        ] {
            assert_eq!(owner(&inside.join(file)), expected, "{file}");
        }
        assert_eq!((owner(&inside), owner(&outside)), (65_534, 0));
    }
}
