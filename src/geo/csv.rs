//! CSV as the files of this folder use it: a header line, columns found by name, `#` comments, fields trimmed. A field
//! in double quotes may hold commas.

use std::sync::Arc;

use crate::problem::{At, Problem, Problems};

/// Our limit on one CSV file: every address block there is fits in much less.
pub const CSV_BYTES_MAX: usize = 256 << 20;

/// A field, and where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cell<'a> {
    pub text: &'a str,
    /// In characters, from 1.
    pub column: u32,
}

/// A line's fields, in the order that was asked for. A field that the line doesn't have is empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a, const N: usize> {
    pub line: u32,
    pub text: &'a str,
    pub cells: [Cell<'a>; N],
}

/// A column by name, and whether there has to be one.
pub(super) type Column = (&'static str, bool);

/// Where problems of one file go.
pub(super) struct File<'p> {
    pub name: Arc<str>,
    pub problems: &'p mut Problems,
}

impl File<'_> {
    pub fn at(&self, line: u32, cell: Cell<'_>) -> At {
        let length = u32::try_from(cell.text.chars().count()).unwrap_or(u32::MAX);
        At { file: self.name.clone(), line, column: cell.column.max(1), length }
    }

    /// A field that can't be used: the row is left out.
    pub fn refuse<const N: usize>(&mut self, row: &Row<'_, N>, cell: Cell<'_>, what: String, remedy: &str) {
        let why = "the row is left out";
        self.problems.push(Problem::error(self.at(row.line, cell), what, why, remedy).excerpt(row.text));
    }

    pub fn warn<const N: usize>(&mut self, row: &Row<'_, N>, cell: Cell<'_>, what: String, why: &str, remedy: &str) {
        self.problems.push(Problem::warning(self.at(row.line, cell), what, why, remedy).excerpt(row.text));
    }

    /// The rows below the header line.
    pub fn rows<'a, const N: usize>(&mut self, bytes: &'a [u8], wanted: [Column; N]) -> Vec<Row<'a, N>> {
        let whole = Cell { text: "", column: 1 };
        if bytes.len() > CSV_BYTES_MAX {
            let what = format!("the file is larger than {} MiB", CSV_BYTES_MAX >> 20);
            self.problems.push(Problem::error(self.at(1, whole), what, "nothing of it is used", "split it"));
            return Vec::new();
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut header: Option<[Option<usize>; N]> = None;
        let mut rows = Vec::new();
        for (line, bytes) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
            let Ok(text) = std::str::from_utf8(bytes) else {
                let problem =
                    Problem::error(self.at(line, whole), "not UTF-8", "the row is left out", "save it as UTF-8");
                self.problems.push(problem);
                continue;
            };
            let text = text.trim_end_matches('\r');
            if text.trim_start().starts_with('#') || text.trim().is_empty() {
                continue;
            }
            let fields = fields(text);
            match &header {
                None => match self.header(line, text, &fields, &wanted) {
                    Some(columns) => header = Some(columns),
                    None => return Vec::new(),
                },
                Some(columns) => {
                    let cell = |column: Option<usize>| column.and_then(|column| fields.get(column)).copied();
                    rows.push(Row { line, text, cells: columns.map(|column| cell(column).unwrap_or_default()) });
                }
            }
        }
        rows
    }

    /// Where each wanted column stands. A header without one that there has to be is no header.
    fn header<const N: usize>(
        &mut self,
        line: u32,
        text: &str,
        fields: &[Cell<'_>],
        wanted: &[Column; N],
    ) -> Option<[Option<usize>; N]> {
        let names = wanted.map(|(name, _)| name).join(",");
        for field in fields {
            if !wanted.iter().any(|(name, _)| name.eq_ignore_ascii_case(field.text)) {
                let what = format!("there is no column {:?}", field.text);
                let remedy = format!("the columns are {names}");
                let problem = Problem::warning(self.at(line, *field), what, "it is not read", remedy);
                self.problems.push(problem.excerpt(text));
            }
        }
        let columns = wanted.map(|(name, _)| fields.iter().position(|field| name.eq_ignore_ascii_case(field.text)));
        let missing = wanted.iter().zip(&columns).find(|((_, needed), found)| *needed && found.is_none());
        let Some(((name, _), _)) = missing else { return Some(columns) };
        let at = self.at(line, Cell { text, column: 1 });
        let what = format!("the header line has no column {name:?}");
        let remedy = format!("let the first line be {names}");
        self.problems.push(Problem::error(at, what, "nothing of the file is used", remedy).excerpt(text));
        None
    }
}

/// A line's fields. A comment may follow the last of them.
fn fields(line: &str) -> Vec<Cell<'_>> {
    let mut fields = Vec::new();
    let (mut start, mut quoted) = (0, false);
    let mut end = line.len();
    let mut field = |from: usize, to: usize| {
        let raw = line.get(from..to).unwrap_or("");
        let lead = raw.len() - raw.trim_start().len();
        let column = line.get(..from + lead).unwrap_or("").chars().count() + 1;
        let text = raw.trim();
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        fields.push(Cell { text, column: u32::try_from(column).unwrap_or(u32::MAX) });
    };
    for (position, byte) in line.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                field(start, position);
                start = position + 1;
            }
            b'#' if !quoted => {
                end = position;
                break;
            }
            _ => {}
        }
    }
    field(start, end);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> (Vec<(u32, [String; 2])>, Vec<String>) {
        let mut problems = Problems::default();
        let mut file = File { name: Arc::from("t.csv"), problems: &mut problems };
        let rows = file.rows(text.as_bytes(), [("network", true), ("country", false)]);
        let rows = rows.iter().map(|row| (row.line, row.cells.map(|cell| cell.text.to_string()))).collect();
        (rows, problems.iter().map(|problem| problem.to_string()).collect())
    }

    #[test]
    fn columns_are_found_by_name() {
        let (found, problems) = rows("# hello\n\ncountry, network\r\nDE, 192.0.2.0/24 # lab\n\"F,R\",::/0\nlone\n");
        let expected = [(4, ["192.0.2.0/24", "DE"]), (5, ["::/0", "F,R"]), (6, ["", "lone"])]
            .map(|(n, row)| (n, row.map(String::from)));
        assert_eq!((found, problems), (expected.to_vec(), vec![]));
    }

    #[test]
    fn a_header_says_what_there_is() {
        let (found, problems) = rows("country,city\nDE,Kiel\n");
        assert!(found.is_empty());
        assert_eq!(
            problems,
            [
                "t.csv:1:9: warning: there is no column \"city\", it is not read, the columns are network,country",
                "t.csv:1:1: error: the header line has no column \"network\", nothing of the file is used, let the first line be \
                 network,country",
            ]
        );
    }

    #[test]
    fn broken_text_loses_its_line_only() {
        let mut problems = Problems::default();
        let mut file = File { name: Arc::from("t.csv"), problems: &mut problems };
        let found = file.rows(b"network\n\xff\n::1\n", [("network", true)]);
        assert_eq!((found.len(), found[0].line, problems.errors()), (1, 3, 1));
    }
}
