//! A text file and the places in it.

use std::sync::Arc;

use crate::problem::{At, EXCERPT_MAX, Problem};

/// Characters are counted once for every stretch of this many bytes, so that a place costs a short count only.
const STRETCH: usize = 4096;

pub struct Document<'a> {
    pub file: Arc<str>,
    pub text: &'a str,
    /// Where each line starts.
    lines: Vec<usize>,
    /// How many characters begin before each stretch.
    characters: Vec<usize>,
}

impl<'a> Document<'a> {
    /// Takes the bytes of a file, which must be UTF-8; a byte order mark in front is passed over.
    pub fn new(file: Arc<str>, bytes: &'a [u8]) -> Result<Document<'a>, Box<Problem>> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Document::of(file, text.strip_prefix('\u{feff}').unwrap_or(text))),
            Err(error) => {
                let before = bytes.get(..error.valid_up_to()).and_then(|good| std::str::from_utf8(good).ok());
                let document = Document::of(file, before.unwrap_or_default());
                let at = document.at(document.text.len(), document.text.len());
                Err(Box::new(Problem::error(at, "the file is not UTF-8 text", "", "save it as UTF-8")))
            }
        }
    }

    fn of(file: Arc<str>, text: &'a str) -> Document<'a> {
        let lines =
            std::iter::once(0).chain(text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1));
        let mut count = 0;
        let characters = text.as_bytes().chunks(STRETCH).map(|stretch| {
            let before = count;
            count += begin(stretch);
            before
        });
        Document { file, text, lines: lines.collect(), characters: characters.collect() }
    }

    /// The place of these bytes. What is underlined ends with the line.
    pub fn at(&self, start: usize, end: usize) -> At {
        let start = start.min(self.text.len());
        let line = self.lines.partition_point(|&line| line <= start).saturating_sub(1);
        let line_start = self.lines.get(line).copied().unwrap_or_default();
        let line_end = self.lines.get(line + 1).map_or(self.text.len(), |&next| next - 1);
        let column = self.characters_before(start) - self.characters_before(line_start);
        let length = self.characters_before(end.clamp(start, line_end.max(start))) - self.characters_before(start);
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        At { file: self.file.clone(), line: number(line + 1), column: number(column + 1), length: number(length) }
    }

    /// A problem's line, unless it is too long to be shown.
    pub fn excerpt(&self, at: &At) -> Option<String> {
        let line = (at.line as usize).checked_sub(1)?;
        let end = self.lines.get(line + 1).map_or(self.text.len(), |&next| next - 1);
        let text = self.text.get(*self.lines.get(line)?..end)?.trim_end_matches('\r');
        (text.len() <= EXCERPT_MAX).then(|| text.to_string())
    }

    fn characters_before(&self, at: usize) -> usize {
        let stretch = at / STRETCH;
        match self.characters.get(stretch) {
            Some(&before) => before + begin(&self.text.as_bytes()[stretch * STRETCH..at]),
            // Right behind the last byte, where a stretch would begin.
            None => match stretch.checked_sub(1).and_then(|last| Some((last, *self.characters.get(last)?))) {
                Some((last, before)) => before + begin(&self.text.as_bytes()[last * STRETCH..at]),
                None => 0,
            },
        }
    }
}

/// How many characters begin in these bytes of UTF-8.
fn begin(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters() {
        let document = Document::new("f".into(), "ab\né\u{1f600}x\n".as_bytes()).unwrap();
        for (start, end, line, column, length) in
            [(0, 2, 1, 1, 2), (1, 9, 1, 2, 1), (3, 5, 2, 1, 1), (9, 10, 2, 3, 1), (11, 11, 3, 1, 0), (99, 99, 3, 1, 0)]
        {
            let at = document.at(start, end);
            assert_eq!((at.line, at.column, at.length), (line, column, length), "{start}..{end}");
        }
        assert_eq!(document.excerpt(&document.at(9, 9)).as_deref(), Some("é\u{1f600}x"));
    }

    #[test]
    fn a_line_of_megabytes_is_counted_in_stretches() {
        let text = "é".repeat(STRETCH * 3);
        let document = Document::new("f".into(), text.as_bytes()).unwrap();
        for character in [0, 1, STRETCH / 2, STRETCH, STRETCH * 3 - 1, STRETCH * 3] {
            assert_eq!(document.at(character * 2, character * 2).column as usize, character + 1);
        }
        assert_eq!(document.excerpt(&document.at(0, 0)), None);
    }

    #[test]
    fn what_is_not_utf_8_is_refused_at_its_place() {
        let problem = Document::new("f".into(), b"a\nb\xff").err().unwrap();
        assert_eq!((problem.at.line, problem.at.column), (2, 2));
    }
}
