//! One entry of a master file (a record, a directive, an empty line), cut into tokens that borrow from the text.
//!
//! An entry ends with its line, or with the line in which its parentheses close (RFC 1035, 5.1).

use super::fields::Fault;

/// More tokens than any record can need: 65,535 bytes of data, each hexadecimal digit a token of its own.
pub const TOKENS_MAX: usize = 150_000;

/// A piece of text between blanks, quotes and parentheses. Quotes stand outside its range, escapes are kept as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub start: usize,
    pub end: usize,
    pub quoted: bool,
    /// Nothing stands between this token and the one before, as in `alpn="h2"`.
    pub glued: bool,
}

/// The tokens of one entry. Reused from entry to entry, so that reading a token allocates nothing.
#[derive(Debug, Default)]
pub struct Entry {
    pub tokens: Vec<Token>,
    /// The comments that begin with `AWS`: what follows the semicolon.
    pub annotations: Vec<(usize, usize)>,
    /// How many line ends the entry takes.
    pub lines: u32,
    /// The entry starts with a blank: its owner is that of the entry before.
    pub blank_start: bool,
    /// The first thing wrong with the entry as a whole. Its tokens are then not to be used.
    pub fault: Option<Box<Fault>>,
    /// A parenthesis is still open at the end of the text.
    pub unclosed: bool,
}

/// Whether a byte goes on with an unquoted token.
static IN_WORD: [bool; 256] = {
    let mut table = [true; 256];
    let ends = b" \t\r\n;()\"\\";
    let mut at = 0;
    while at < ends.len() {
        table[ends[at] as usize] = false;
        at += 1;
    }
    table
};

impl Entry {
    /// Cuts the entry that starts at `start` and returns where the next one starts.
    pub fn scan(&mut self, text: &[u8], start: usize) -> usize {
        self.tokens.clear();
        self.annotations.clear();
        self.fault = None;
        self.lines = 0;
        self.unclosed = false;
        self.blank_start = matches!(text.get(start), Some(b' ' | b'\t'));
        let mut depth = 0u32;
        let mut opened = (start, 0);
        let mut at = start;
        let mut last_end = usize::MAX;
        loop {
            let Some(&byte) = text.get(at) else {
                if depth > 0 {
                    return self.never_closed(text, opened);
                }
                return at;
            };
            match byte {
                b' ' | b'\t' | b'\r' => at += 1,
                b'\n' => {
                    at += 1;
                    self.lines += 1;
                    if depth == 0 {
                        return at;
                    }
                }
                b';' => at = self.comment(text, at),
                b'(' => {
                    if depth == 0 {
                        opened = (at, self.lines);
                    }
                    depth += 1;
                    at += 1;
                }
                b')' => {
                    if depth == 0 {
                        self.fail(
                            at,
                            at + 1,
                            "this parenthesis closes nothing",
                            "",
                            "remove it, or open one before it",
                        );
                    }
                    depth = depth.saturating_sub(1);
                    at += 1;
                }
                b'"' => {
                    let end = quoted_end(text, at + 1);
                    if text.get(end) != Some(&b'"') {
                        self.fail(
                            at,
                            end,
                            "a quoted string does not end on its line",
                            "",
                            "close it with a quotation mark; write a line end inside it as \\010",
                        );
                    }
                    self.push(Token { start: at + 1, end, quoted: true, glued: at == last_end });
                    self.lines += text[at..end].iter().filter(|&&byte| byte == b'\n').count() as u32;
                    at = if text.get(end) == Some(&b'"') { end + 1 } else { end };
                    last_end = at;
                }
                _ => {
                    let end = word_end(text, at);
                    self.push(Token { start: at, end, quoted: false, glued: at == last_end });
                    at = end;
                    last_end = at;
                }
            }
        }
    }

    fn push(&mut self, token: Token) {
        if self.tokens.len() < TOKENS_MAX {
            self.tokens.push(token);
        } else {
            self.fail(
                token.start,
                token.end,
                "the record has more parts than any record can have",
                "",
                "look for a parenthesis that was never closed",
            );
        }
    }

    fn fail(&mut self, start: usize, end: usize, what: &str, why: &str, remedy: &str) {
        self.fault.get_or_insert_with(|| Fault::new(start, end, what).why(why).remedy(remedy));
    }

    /// Passes over a comment, and keeps it when it is one of ours.
    fn comment(&mut self, text: &[u8], at: usize) -> usize {
        let end = line_end(text, at);
        let body = text.get(at + 1..end).unwrap_or_default();
        if body.trim_ascii_start().starts_with(b"AWS") {
            self.annotations.push((at + 1, end));
        }
        end
    }

    /// Goes on at the next line that starts with an owner: what is indented belonged to the broken entry.
    fn never_closed(&mut self, text: &[u8], (opened, lines): (usize, u32)) -> usize {
        self.fault = Some(
            Fault::new(opened, opened + 1, "this parenthesis is never closed")
                .why("so everything behind it would belong to one record")
                .remedy("close it at the end of the record"),
        );
        self.unclosed = true;
        self.lines = lines;
        let mut at = opened;
        loop {
            at = line_end(text, at);
            if at >= text.len() {
                return at;
            }
            at += 1;
            self.lines += 1;
            if !matches!(text.get(at), Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b')')) {
                return at;
            }
        }
    }
}

/// Where the line ends: at its line feed, or at the end of the text.
pub fn line_end(text: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |length| at + length)
}

fn word_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(rest) = text.get(at..) {
        match rest.iter().position(|&byte| !IN_WORD[usize::from(byte)]) {
            None => return text.len(),
            Some(length) if rest[length] == b'\\' => at = behind_escape(text, at + length),
            Some(length) => return at + length,
        }
    }
    text.len()
}

fn quoted_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' | b'\n' => break,
            // BIND and NSD take an escaped line end as part of the string.
            b'\\' => at = text.len().min(at + 2),
            _ => at += 1,
        }
    }
    at
}

/// A backslash takes the next byte with it, but never the line end.
fn behind_escape(text: &[u8], at: usize) -> usize {
    match text.get(at + 1) {
        None | Some(b'\n') => at + 1,
        Some(b'\r') if text.get(at + 2) == Some(&b'\n') => at + 1,
        Some(_) => at + 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> (Vec<String>, usize, Entry) {
        let mut entry = Entry::default();
        let next = entry.scan(text.as_bytes(), 0);
        let shown = entry
            .tokens
            .iter()
            .map(|token| {
                let piece = &text[token.start..token.end];
                let glue = if token.glued { "+" } else { "" };
                if token.quoted { format!("{glue}\"{piece}\"") } else { format!("{glue}{piece}") }
            })
            .collect();
        (shown, next, entry)
    }

    #[test]
    fn entries_are_cut_into_tokens() {
        for (text, tokens, next) in [
            ("a b\nc", "a|b", 4),
            ("a\tb ; c \"\n", "a|b", 10),
            ("a ( b ; (\n c )\r\nd", "a|b|c", 16),
            ("a(b)c\n", "a|b|c", 6),
            ("((a)\n b)\n", "a|b", 9),
            (r#"t "x ; \" y" z\ z\;"#, r#"t|"x ; \" y"|z\ z\;"#, 19),
            ("alpn=\"h2\" \"a\"b", "alpn=|+\"h2\"|\"a\"|+b", 14),
            ("", "", 0),
            ("\r\n", "", 2),
            ("a\\\nb", "a\\", 3),
            ("\"a\\\nb\"\nc", "\"a\\\nb\"", 7),
        ] {
            let (shown, end, entry) = scan(text);
            assert_eq!(shown.join("|"), tokens, "{text:?}");
            assert_eq!(end, next, "{text:?}");
            assert!(entry.fault.is_none(), "{text:?}");
        }
    }

    #[test]
    fn broken_entries_say_where_and_how_to_go_on() {
        for (text, start, end, next) in [
            ("a \"b\nc", 2, 4, 5),
            ("a ( \"b\nc )\nd", 4, 6, 11),
            ("a ) b\nc", 2, 3, 6),
            ("a ( b\n c\n;\nd ( e )\n", 2, 3, 11),
            ("a (", 2, 3, 3),
        ] {
            let (_, at, entry) = scan(text);
            let fault = entry.fault.unwrap();
            assert_eq!((fault.start, fault.end, at), (start, end, next), "{text:?}");
        }
    }

    #[test]
    fn our_comments_are_kept_and_no_others() {
        let text = "a (b ; AWS x\n c ; xAWS\n) ;AWS y \n";
        let (_, _, entry) = scan(text);
        let kept: Vec<&str> = entry.annotations.iter().map(|&(start, end)| &text[start..end]).collect();
        assert_eq!(kept, [" AWS x", "AWS y "]);
        assert_eq!(entry.lines, 3);
    }
}
