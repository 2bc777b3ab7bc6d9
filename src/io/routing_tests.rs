//! The routing tests of a folder, from the disk.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use super::folder;
use crate::problem::{At, Problem, Problems};
use crate::routing_test::{self, RoutingTest};
use crate::snapshot::Snapshot;

const ENDING: &str = ".test.toml";

/// So many failed tests are named in one line.
const NAMED_MAX: usize = 5;

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

/// What routing tests found wrong with a snapshot. A test that makes no sense counts.
#[derive(Default)]
pub struct Failed {
    pub problems: Problems,
    /// The names of the tests that failed.
    pub tests: Vec<String>,
}

impl Failed {
    pub fn is_empty(&self) -> bool {
        self.problems.errors() == 0
    }

    /// Logs the first problems, so many at most.
    pub fn log(&self, most: usize) {
        self.problems.iter().take(most).for_each(|problem| tracing::error!("{problem}"));
    }

    /// The tests by their names; where a file of tests cannot be read, its problem.
    pub fn names(&self) -> String {
        match (self.tests.len(), self.problems.iter().next()) {
            (0, Some(problem)) => problem.to_string(),
            (0..=NAMED_MAX, _) => self.tests.join(", "),
            (many, _) => format!("{} and {} more", self.tests[..NAMED_MAX].join(", "), many - NAMED_MAX),
        }
    }
}

/// Why a server cannot begin: these routing tests failed, and no earlier version of the zones is known.
#[derive(Debug)]
pub struct GateFailed(pub String);

impl fmt::Display for GateFailed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GateFailed(tests) = self;
        write!(
            out,
            "routing tests failed: {tests}; the state folder has no zones that passed before (gate_reload); correct the \
             zones or the tests"
        )
    }
}

impl Error for GateFailed {}

/// Everything in which a snapshot is not what the tests in a folder of zones expect.
pub fn gate(dir: &Path, snapshot: &Snapshot) -> Failed {
    let (mut problems, mut failed) = (Problems::default(), Vec::new());
    match files(dir) {
        Ok(files) => {
            let tests = read(&files, &mut problems);
            let outcomes = routing_test::run(&tests, snapshot);
            for outcome in outcomes.into_iter().filter(|outcome| !outcome.problems.is_empty()) {
                failed.push(outcome.name);
                outcome.problems.into_iter().for_each(|problem| problems.push(problem));
            }
        }
        Err(error) => {
            let at = At { file: dir.to_string_lossy().into(), line: 1, column: 1, length: 0 };
            problems.push(Problem::error(at, format!("the folder cannot be read: {error}"), "", ""));
        }
    }
    Failed { problems, tests: failed }
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
        let told: Vec<String> = gate(dir.path(), &nothing).problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2);
        assert!(told[0].contains("a.test.toml:3:9: error: all answers are REFUSED"), "{told:?}");
        assert_eq!(gate(&dir.path().join("gone"), &nothing).problems.errors(), 1);
    }
}
