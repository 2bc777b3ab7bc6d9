//! Where inputs come from: golden packets, zones, scenarios, and the folder of inputs that are worth keeping.

use std::fs;
use std::path::{Path, PathBuf};

use super::Target;
use crate::packets::{self, Case};
use crate::text;

/// Seeds of a target under their names: those made here, and those kept in `fuzz/seeds/`.
pub fn all(target: &Target) -> Vec<(String, Vec<u8>)> {
    let made = (target.seeds)().into_iter().enumerate().map(|(number, bytes)| (format!("seed {number}"), bytes));
    let mut kept: Vec<PathBuf> = match fs::read_dir(root().join("fuzz/seeds").join(target.name)) {
        Ok(entries) => entries.map(|entry| entry.expect("an entry").path()).collect(),
        Err(_) => Vec::new(),
    };
    kept.sort();
    let kept = kept.into_iter().map(|path| (path.display().to_string(), fs::read(&path).expect("a seed")));
    made.chain(kept).collect()
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if here.ends_with("fuzz") { here.join("..") } else { here.to_path_buf() }
}

/// All golden packets.
pub fn golden() -> Vec<Case> {
    let files = text::files(&root().join("tests/packets"), "txt");
    files.iter().flat_map(|path| packets::read(&read(path)).expect("golden packets")).collect()
}

/// The text of all files in a folder of the project that end so.
pub fn files(folder: &str, extension: &str) -> Vec<Vec<u8>> {
    text::files(&root().join(folder), extension).iter().map(|path| read(path).into_bytes()).collect()
}

/// The files that scenarios write: their names and their texts.
pub fn scenario_files() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for path in text::files(&root().join("tests/scenarios"), "scn") {
        let mut within = false;
        for line in read(&path).lines() {
            if let Some(name) = line.strip_prefix("file ").or_else(|| line.strip_prefix("zone ")) {
                found.push((name.to_string(), String::new()));
                within = true;
            } else if line.is_empty() || line == "----" {
                within = false;
            } else if let (true, Some((_, text))) = (within, found.last_mut()) {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
