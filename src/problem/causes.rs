//! Problems with one cause, put together: a file of ten thousand lines with one mistake has one thing to mend.

use std::collections::{BTreeMap, BTreeSet};

use super::{Problem, Problems};

/// Problems with the same cause in one file.
pub struct Cause<'p> {
    /// The first of them.
    pub first: &'p Problem,
    /// The number of them that were kept.
    pub count: usize,
    /// The number of lines that they stand in.
    pub lines: usize,
}

impl Cause<'_> {
    /// How many lines it concerns, where that is more than one.
    pub fn extent(&self) -> Option<String> {
        match (self.count, self.lines) {
            (..=1, _) => None,
            (count, ..=1) => Some(format!("{count} times on this line")),
            (_, lines) => Some(format!("on {lines} lines")),
        }
    }
}

impl Problems {
    /// The problems by cause, in the order of the first of each.
    pub fn causes(&self) -> Vec<Cause<'_>> {
        let mut places = BTreeMap::new();
        let mut causes: Vec<(Cause, BTreeSet<u32>)> = Vec::new();
        for problem in self.iter() {
            let Problem { severity, at, what, why, remedy, .. } = problem;
            let key = (&at.file, severity, without_places(what), without_names(why), without_places(remedy));
            let place = *places.entry(key).or_insert_with(|| {
                causes.push((Cause { first: problem, count: 0, lines: 0 }, BTreeSet::new()));
                causes.len() - 1
            });
            let (cause, lines) = &mut causes[place];
            cause.count += 1;
            lines.insert(at.line);
            cause.lines = lines.len();
        }
        causes.into_iter().map(|(cause, _)| cause).collect()
    }
}

/// A file that could not be read for its syntax, and the kind of problem that follows from that elsewhere.
const CONSEQUENCES: [(&str, &str); 4] = [
    ("health-checks.toml", "unknown-health-check"),
    ("health-checks.json", "unknown-health-check"),
    ("cidr-collections.toml", "unknown-collection"),
    ("cidr-collections.json", "unknown-collection"),
];

impl Problems {
    /// The problems without those that follow from an error of syntax: what a file defines that cannot be read is not known
    /// to be missing.
    pub fn without_consequences(self) -> Problems {
        let broken = |file: &str| self.iter().any(|one| one.kind() == "syntax" && one.at.file.ends_with(file));
        let kinds: Vec<&str> = CONSEQUENCES.iter().filter(|(file, _)| broken(file)).map(|(_, kind)| *kind).collect();
        if kinds.is_empty() || self.beyond_limit() > 0 {
            return self;
        }
        let mut causes = Problems::default();
        self.iter().filter(|one| !kinds.contains(&one.kind())).for_each(|one| causes.push(one.clone()));
        causes
    }
}

/// A text in which places of a file are all alike: `line 7`, `a.zone:7` and `a.zone:7:3`.
fn without_places(text: &str) -> String {
    let mut after_line = false;
    let words = text.split(' ').map(|word| {
        let numbered = std::mem::replace(&mut after_line, word == "line");
        let bare = word.trim_end_matches([',', ';', ')']);
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_place = bare.rsplit_once(':').is_some_and(|(file, line)| !file.is_empty() && is_number(line));
        if numbered && is_number(bare) || is_place { "#" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The same for the names of records too: why a cause matters is said of each record with its name.
fn without_names(text: &str) -> String {
    let places = without_places(text);
    let words = places.split(' ').map(|word| if word.len() > 1 && word.ends_with('.') { "#" } else { word });
    words.collect::<Vec<_>>().join(" ")
}
