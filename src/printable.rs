//! Text that others chose, as one line that commands no terminal: the one place where such text is escaped.

use std::borrow::Cow;

/// Escapes control characters, line ends and bidirectional marks, as Rust writes them: `\n`, `\u{1b}`, `\u{202e}`.
/// Everything else stays as it is, a backslash too.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for one in text.chars() {
        match is_escaped(one) {
            true => line.extend(one.escape_default()),
            false => line.push(one),
        }
    }
    Cow::Owned(line)
}

/// Whether a character does something instead of being seen.
pub fn is_escaped(one: char) -> bool {
    let separates = matches!(one, '\u{2028}' | '\u{2029}');
    // Unicode Standard Annex 9, the explicit directional formatting characters and the implicit marks.
    let turns = matches!(one, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    one.is_control() || separates || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_escaped_and_the_rest_stays() {
        for (text, expected) in [
            ("down\n2026 INFO healthy", "down\\n2026 INFO healthy"),
            ("\x1b[2J\x07\x7f\u{9b}1m", "\\u{1b}[2J\\u{7}\\u{7f}\\u{9b}1m"),
            ("\r\t\0", "\\r\\t\\u{0}"),
            ("a\u{202e}b\u{2066}c\u{200f}\u{61c}", "a\\u{202e}b\\u{2066}c\\u{200f}\\u{61c}"),
            ("one\u{2028}two\u{2029}", "one\\u{2028}two\\u{2029}"),
            ("Zürich \\032 שלום 👩\u{200d}🔧", "Zürich \\032 שלום 👩\u{200d}🔧"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }
}
