//! One file as it is read: its text, how far reading has come, and what the lines so far have set.

use std::sync::Arc;

use crate::problem::{At, Problem, Severity};
use crate::wire::rdata::entry::line_end;
use crate::wire::rdata::fields::Fault;

/// An excerpt longer than this is cut: some files have megabytes on a line.
const EXCERPT_MAX: usize = 240;

pub struct Source<'t> {
    pub text: &'t [u8],
    pub file: Arc<str>,
    /// The file's place in `ZoneData::files`.
    pub number: u16,
    /// Where the entry being read starts, and on which line that is.
    pub start: usize,
    pub line: u32,
    /// What completes names, in wire form.
    pub origin: Vec<u8>,
    /// The owner of the record before, in wire form; empty if there is none.
    pub owner: Vec<u8>,
}

impl<'t> Source<'t> {
    pub fn new(text: &'t [u8], file: Arc<str>, number: u16, origin: Vec<u8>, owner: Vec<u8>) -> Source<'t> {
        // A byte order mark is no part of the first name.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        Source { text, file, number, start: 0, line: 1, origin, owner }
    }

    /// The problem that a fault in the entry being read is to an operator.
    pub fn problem(&self, severity: Severity, fault: Fault) -> Problem {
        let Fault { start, end, what, why, remedy } = fault;
        let start = start.min(self.text.len());
        let before = self.text.get(self.start..start).unwrap_or_default();
        let lines = before.iter().filter(|&&byte| byte == b'\n').count();
        let line_start = self.text[..start].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let line_end = line_end(self.text, start);
        let line = self.text.get(line_start..line_end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let at = At {
            file: self.file.clone(),
            line: self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX)),
            column: 1 + characters(self.text.get(line_start..start).unwrap_or_default()),
            length: characters(self.text.get(start..end.min(line_end)).unwrap_or_default()),
        };
        let shown = String::from_utf8_lossy(&line[..line.len().min(EXCERPT_MAX)]);
        Problem::error(at, what, why, remedy).with_severity(severity).excerpt(shown)
    }

    /// Where the entry being read stands.
    pub fn at(&self) -> At {
        At { file: self.file.clone(), line: self.line, column: 1, length: 0 }
    }
}

fn characters(bytes: &[u8]) -> u32 {
    let count = match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().count(),
        Err(_) => String::from_utf8_lossy(bytes).chars().count(),
    };
    u32::try_from(count).unwrap_or(u32::MAX)
}
