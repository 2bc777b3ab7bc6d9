//! What is wrong with an operator's files: every problem names the thing, the place and the remedy.

mod causes;
mod codes;
pub mod formats;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use causes::Cause;

/// More problems than this are counted, not kept: nobody reads them, and a hostile file must not fill the memory.
pub const PROBLEMS_MAX: usize = 10_000;

/// Lines longer than this are not shown as an excerpt: a dump may be one line of megabytes.
pub const EXCERPT_MAX: usize = 240;

/// A place in a file. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    pub file: Arc<str>,
    pub line: u32,
    pub column: u32,
    /// How many characters the offending text takes; 0 where there is nothing to underline.
    pub length: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The zone (or file) is not served as it stands.
    Error,
    /// It is served; the operator should know.
    Warning,
}

/// One problem: what is wrong, why that matters (may be empty), what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    pub at: At,
    pub what: String,
    pub why: String,
    pub remedy: String,
    /// The kind of problem, where that was said; [`Problem::kind`] knows it of all.
    pub code: &'static str,
    /// The line of the file it stands in, to be shown with the offending text underlined.
    pub excerpt: Option<String>,
}

impl Problem {
    pub fn error(at: At, what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            at,
            what: what.into(),
            why: why.into(),
            remedy: remedy.into(),
            code: "",
            excerpt: None,
        }
    }

    pub fn warning(at: At, what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(at, what, why, remedy) }
    }

    /// The same with another severity.
    pub fn with_severity(self, severity: Severity) -> Problem {
        Problem { severity, ..self }
    }

    /// The same with a code of its own, in kebab case.
    pub fn code(self, code: &'static str) -> Problem {
        Problem { code, ..self }
    }

    /// The kind of problem: a stable word in kebab case.
    pub fn kind(&self) -> &'static str {
        codes::of(self)
    }

    pub fn excerpt(mut self, line: impl Into<String>) -> Problem {
        self.excerpt = Some(line.into());
        self
    }
}

impl fmt::Display for Problem {
    /// `file:line:column: error: what, why, what to do`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let At { file, line, column, .. } = &self.at;
        write!(f, "{file}:{line}:{column}: {}: {}", self.severity.word(), self.what)?;
        for part in [&self.why, &self.remedy] {
            if !part.is_empty() {
                write!(f, ", {part}")?;
            }
        }
        Ok(())
    }
}

/// A number of things: `1 zone`, `12 zones`.
pub fn counted(count: impl fmt::Display, one: &str) -> String {
    let count = count.to_string();
    let ending = if count == "1" { "" } else { "s" };
    format!("{count} {one}{ending}")
}

/// A wrong word longer than this gets no suggestion: the comparison takes time by the square.
const SUGGESTION_MAX: usize = 64;

/// The known word that a wrong one was probably meant to be, if one is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > SUGGESTION_MAX {
        return None;
    }
    let word = word.to_ascii_lowercase();
    known
        .into_iter()
        .map(|candidate| (edits(word.as_bytes(), candidate.to_ascii_lowercase().as_bytes()), candidate))
        .filter(|(edits, candidate)| *edits <= 1 + candidate.len().min(word.len()) / 4)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// How many bytes must be put in, taken out or changed to make one word the other.
fn edits(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.iter().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        row[0] = left;
        for (column, b) in to.iter().enumerate() {
            let above = row[column + 1];
            left = (diagonal + usize::from(a != b)).min(above + 1).min(left + 1);
            diagonal = above;
            row[column + 1] = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// All the problems of one load.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    kept: Vec<Problem>,
    errors: usize,
    warnings: usize,
}

impl Problems {
    pub fn push(&mut self, problem: Problem) {
        match problem.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.kept.len() < PROBLEMS_MAX {
            self.kept.push(problem);
        }
    }

    pub fn append(&mut self, other: Problems) {
        let Problems { kept, errors, warnings } = other;
        self.errors += errors;
        self.warnings += warnings;
        let room = PROBLEMS_MAX - self.kept.len();
        self.kept.extend(kept.into_iter().take(room));
    }

    /// By file, line and column.
    pub fn sort(&mut self) {
        self.kept.sort_by(|a, b| {
            (&a.at.file, a.at.line, a.at.column, a.severity).cmp(&(&b.at.file, b.at.line, b.at.column, b.severity))
        });
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.kept.iter()
    }

    /// The files with problems whose line is not shown yet.
    pub fn without_excerpt(&self) -> BTreeSet<Arc<str>> {
        self.kept.iter().filter(|problem| problem.excerpt.is_none()).map(|problem| problem.at.file.clone()).collect()
    }

    /// Gives the problems of a file their lines, unless these are too long to be shown.
    pub fn add_excerpts(&mut self, file: &str, text: &[u8]) {
        let mut wanting: Vec<&mut Problem> =
            self.kept.iter_mut().filter(|problem| problem.excerpt.is_none() && *problem.at.file == *file).collect();
        wanting.sort_by_key(|problem| problem.at.line);
        let mut lines = (1u32..).zip(text.split(|&byte| byte == b'\n'));
        let mut current = lines.next();
        for problem in wanting {
            while current.is_some_and(|(number, _)| number < problem.at.line) {
                current = lines.next();
            }
            if let Some((number, line)) = current
                && number == problem.at.line
                && line.len() <= EXCERPT_MAX
            {
                problem.excerpt = Some(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
            }
        }
    }

    pub fn errors(&self) -> usize {
        self.errors
    }

    pub fn warnings(&self) -> usize {
        self.warnings
    }

    pub fn is_empty(&self) -> bool {
        self.errors + self.warnings == 0
    }

    /// How many were counted but not kept.
    pub fn beyond_limit(&self) -> usize {
        self.errors + self.warnings - self.kept.len()
    }
}

#[cfg(test)]
mod tests;
