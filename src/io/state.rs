//! The state folder: what has to survive the server. A file there is old or new, never half of either.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::sys;
use crate::wire::cookie::Secrets;

/// Nothing we keep is longer; a longer file is not ours.
const FILE_MAX: u64 = 16 << 20;

const COOKIE_FILE: &str = "cookie-secrets";

/// The folder. Only this user may look inside.
pub struct State {
    folder: PathBuf,
}

impl State {
    /// Makes the folder where it is missing. Fails where nothing could be kept in it.
    pub fn open(folder: &Path) -> io::Result<State> {
        make_folder(folder)?;
        let state = State { folder: folder.to_path_buf() };
        // One name for all, so that servers killed at this moment leave no litter.
        let probe = state.folder.join(".probe");
        File::create(&probe)?;
        match fs::remove_file(&probe) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(state),
        }
    }

    /// The content of a file, if it is there.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.folder.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(FILE_MAX).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Replaces a file: whoever reads it, after a crash too, finds all of the old or all of the new content.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.folder.join(format!(".{name}.new"));
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, self.folder.join(name))?;
        File::open(&self.folder)?.sync_all()
    }
}

/// Makes a folder that only this user may look inside.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
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
        let kept = match state {
            Some(state) => state.read(COOKIE_FILE)?,
            None => None,
        };
        if let Some(secrets) = kept.as_deref().and_then(CookieSecrets::parse) {
            return Ok(secrets);
        }
        if kept.is_some() {
            tracing::warn!("the cookie secrets in the state folder cannot be understood; making new ones");
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
}
