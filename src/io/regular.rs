//! Files that have to be regular ones: what lies there instead ends in an error, and never holds anything up. A FIFO
//! without a writer is not waited for, and no device is opened.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Whether the last part of a path may be a link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// It may, to a regular file: Kubernetes mounts settings and certificates like that.
    Followed,
    /// It may not: nobody but the server puts files there.
    Refused,
}

/// Opens a regular file for reading.
pub fn open(path: &Path, links: Links) -> io::Result<File> {
    let (found, no_link) = match links {
        Links::Followed => (fs::metadata(path)?, 0),
        Links::Refused => (fs::symlink_metadata(path)?, libc::O_NOFOLLOW),
    };
    // Opening alone makes some devices do something.
    check(&found)?;
    // It may have been replaced since: O_NONBLOCK waits for no writer of a FIFO.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | no_link;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// All of a regular file. One with more bytes than `most` is an error.
pub fn read(path: &Path, links: Links, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path, links)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(too_large(most)),
        false => Ok(bytes),
    }
}

/// The same, as text.
pub fn read_text(path: &Path, links: Links, most: u64) -> io::Result<String> {
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8");
    String::from_utf8(read(path, links, most)?).map_err(not_text)
}

pub fn too_large(most: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes"))
}

fn check(metadata: &Metadata) -> io::Result<()> {
    match metadata.is_file() {
        true => Ok(()),
        false => {
            let what = format!("it is {}, not a regular file", kind(metadata.file_type()));
            Err(io::Error::new(io::ErrorKind::InvalidInput, what))
        }
    }
}

fn kind(kind: FileType) -> &'static str {
    match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_symlink() => "a symbolic link",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// What reading says; a hang is a failure, not a test without end.
    fn said(path: PathBuf, links: Links) -> String {
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || tell.send(read_text(&path, links, 5).unwrap_or_else(|error| error.to_string())));
        told.recv_timeout(Duration::from_secs(30)).expect("an end")
    }

    #[test]
    fn what_is_no_regular_file_is_told_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (file, text) in [("five", "12345"), ("six", "123456")] {
            fs::write(at(file), text).unwrap();
        }
        fs::write(at("bytes"), b"\xff").unwrap();
        nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (target, link) in [("five", "link"), ("fifo", "to-fifo"), ("/dev/zero", "to-device")] {
            symlink(target, at(link)).unwrap();
        }
        for (path, links, expected) in [
            (at("five"), Links::Refused, "12345"),
            (at("link"), Links::Followed, "12345"),
            (at("link"), Links::Refused, "it is a symbolic link, not a regular file"),
            (at("six"), Links::Followed, "it has more than 5 bytes"),
            (at("bytes"), Links::Followed, "it is not text in UTF-8"),
            (at("fifo"), Links::Followed, "it is a FIFO, not a regular file"),
            (at("to-fifo"), Links::Followed, "it is a FIFO, not a regular file"),
            (at("to-device"), Links::Followed, "it is a device, not a regular file"),
            ("/dev/zero".into(), Links::Refused, "it is a device, not a regular file"),
            (folder.path().into(), Links::Followed, "it is a directory, not a regular file"),
        ] {
            assert_eq!(said(path.clone(), links), expected, "{}", path.display());
        }
    }
}
