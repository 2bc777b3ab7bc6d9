//! The routing tests of a folder, from the disk.

use std::fs;
use std::path::{Path, PathBuf};

use super::folder;
use crate::problem::{At, Problem, Problems};
use crate::routing_test::{self, RoutingTest};
use crate::snapshot::Snapshot;

const ENDING: &str = ".test.toml";

/// The files of tests in a folder, by name.
pub fn files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(ENDING) && !name.starts_with('.') && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads files of tests; what is wrong with them is added to the problems.
pub fn read(files: &[PathBuf], problems: &mut Problems) -> Vec<RoutingTest> {
    let mut tests = Vec::new();
    for path in files {
        match folder::read(path) {
            Ok(bytes) => tests.extend(routing_test::read(path.to_string_lossy().into(), &bytes, problems)),
            Err(problem) => problems.push(*problem),
        }
    }
    tests
}

/// Everything in which a snapshot is not what the tests in a folder of zones expect; tests that make no sense count.
pub fn gate(dir: &Path, snapshot: &Snapshot) -> Problems {
    let mut problems = Problems::default();
    match files(dir) {
        Ok(files) => {
            let tests = read(&files, &mut problems);
            let outcomes = routing_test::run(&tests, snapshot);
            outcomes.into_iter().flat_map(|outcome| outcome.problems).for_each(|problem| problems.push(problem));
        }
        Err(error) => {
            let at = At { file: dir.to_string_lossy().into(), line: 1, column: 1, length: 0 };
            problems.push(Problem::error(at, format!("the folder cannot be read: {error}"), "", ""));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_by_their_ending() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.test.toml", "a.test.toml", ".c.test.toml", "vpcs.toml", "test.toml"] {
            fs::write(dir.path().join(name), "[[test]]\nask = \"www.example\"\nrcode = \"NXDOMAIN\"\n").unwrap();
        }
        let found = files(dir.path()).unwrap();
        assert_eq!(found, ["a.test.toml", "b.test.toml"].map(|name| dir.path().join(name)));
        let nothing = Snapshot::of(
            &[],
            crate::model::Shared::default(),
            crate::geo::Geography::empty(),
            crate::snapshot::Settings::default(),
            &mut Problems::default(),
        );
        let told: Vec<String> = gate(dir.path(), &nothing).iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2);
        assert!(told[0].contains("a.test.toml:3:9: error: 1 of the answers (all) are REFUSED"), "{told:?}");
        assert_eq!(gate(&dir.path().join("gone"), &nothing).errors(), 1);
    }
}
