//! Finds and reads `fingerpost.toml`.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Result, bail};

use super::terminal;
use crate::config::Config;
use crate::problem::counted;

/// What is looked for in the current folder where nothing else is said.
pub const FILE: &str = "fingerpost.toml";

/// Settings have no use for more.
const FILE_MAX: u64 = 1 << 20;

/// The settings of the file that was named, or of the usual one if it is there. Problems go to stderr.
pub fn read(named: Option<&Path>) -> Result<Config> {
    let path = named.unwrap_or(Path::new(FILE));
    let shown = path.display();
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => return Ok(Config::modern()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("there is no settings file {shown}"),
        Err(error) => bail!("the settings file {shown} cannot be read: {error}"),
    };
    let (config, problems) = Config::read(&text, &shown.to_string(), path.parent().unwrap_or(Path::new("")));
    match problems.errors() {
        0 => Ok(config),
        errors => {
            // A reader of stderr that has gone away misses nothing.
            let _ = terminal::show_problems(&problems, terminal::To::Stderr);
            bail!("{} in {shown}", counted(errors, "problem"))
        }
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > FILE_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {FILE_MAX} bytes")));
    }
    fs::read_to_string(path)
}
