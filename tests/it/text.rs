//! Texts that tests read and write: bytes, zones, and files whose expected part `UPDATE=1` rewrites.

use std::fs;
use std::path::{Path, PathBuf};

use fingerpost::model::ZoneData;

/// Hexadecimal, and quoted labels: `03777777` is `"www"`. What follows `;` is for people.
pub fn bytes(line: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for word in line.split(';').next().unwrap_or_default().split_whitespace() {
        if let Some(label) = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
            bytes.push(label.len() as u8);
            bytes.extend_from_slice(label.as_bytes());
            continue;
        }
        if word.len() % 2 != 0 || !word.is_ascii() {
            return Err(format!("{word} is not bytes"));
        }
        for at in (0..word.len()).step_by(2) {
            bytes.push(u8::from_str_radix(&word[at..at + 2], 16).map_err(|_| format!("{word} is not hexadecimal"))?);
        }
    }
    Ok(bytes)
}

/// A zone of a test, which has no faults.
pub fn read_zone(origin: &str, text: &str) -> Result<ZoneData, String> {
    let (zone, problems) = crate::server::load(origin, text);
    match problems.iter().next() {
        Some(problem) => Err(problem.to_string()),
        None => Ok(zone),
    }
}

/// EDNS options by name (the IANA registry).
pub fn option_name(code: u16) -> &'static str {
    match code {
        3 => "NSID",
        8 => "client subnet",
        9 => "expire",
        10 => "cookie",
        11 => "TCP keepalive",
        12 => "padding",
        15 => "extended error",
        _ => "an option",
    }
}

/// The files of a folder with this extension, by name.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// Compares what a file says with what came back now; with `UPDATE=1` rewrites the file instead.
pub fn expect(path: &Path, written: &str, now: &str) {
    if written == now {
        return;
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, now).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let mut lines = written.lines().zip(now.lines()).enumerate();
    let (at, (was, is)) = lines.find(|(_, (was, is))| was != is).unwrap_or((written.lines().count(), ("", "")));
    let around: Vec<&str> = now.lines().skip(at.saturating_sub(12)).take(24).collect();
    panic!(
        "{}:{}: something else came back (UPDATE=1 rewrites it)\n- {was}\n+ {is}\n--- what came back around there\n{}",
        path.display(),
        at + 1,
        around.join("\n")
    );
}
