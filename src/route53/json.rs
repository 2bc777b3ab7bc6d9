//! JSON text to a tree that knows its places (RFC 8259).

use std::borrow::Cow;

use super::tree::{Broken, Key, Node, Value};

/// Lists and objects inside each other deeper than this are refused; what AWS dumps is five deep.
const DEPTH_MAX: usize = 32;

pub fn read(text: &str) -> Result<Node<'_>, Broken> {
    let mut reader = Reader { text, at: 0 };
    let node = reader.value(0)?;
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.broken("something follows the JSON value")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += blank;
        rest.get(blank).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn broken(&self, what: &str) -> Broken {
        Broken { start: self.at, end: self.at + 1, what: what.to_string() }
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>, Broken> {
        if depth > DEPTH_MAX {
            return Err(self.broken("lists and objects lie too deep inside each other"));
        }
        let next = self.peek();
        let start = self.at;
        let value = match next {
            Some(b'{') => Value::Table(self.object(depth)?),
            Some(b'[') => Value::List(self.list(depth)?),
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(b't') if self.word("true") => Value::Bool(true),
            Some(b'f') if self.word("false") => Value::Bool(false),
            Some(b'n') if self.word("null") => Value::Null,
            Some(_) => return Err(self.broken("this is not a JSON value")),
            None => return Err(self.broken("the file ends where a value should stand")),
        };
        Ok(Node { start, end: self.at, value })
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn object(&mut self, depth: usize) -> Result<Vec<(Key<'a>, Node<'a>)>, Broken> {
        self.at += 1;
        let mut entries: Vec<(Key<'a>, Node<'a>)> = Vec::new();
        if self.take(b'}') {
            return Ok(entries);
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.broken("a key in quotes should stand here"));
            }
            let start = self.at;
            let key = Key { start, text: self.string()?, end: self.at };
            if !self.take(b':') {
                return Err(self.broken("a colon should stand between the key and its value"));
            }
            entries.push((key, self.value(depth + 1)?));
            if self.take(b'}') {
                return Ok(entries);
            }
            if !self.take(b',') {
                return Err(self.broken("a comma or a closing brace should stand here"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node<'a>>, Broken> {
        self.at += 1;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take(b']') {
                return Ok(items);
            }
            if !self.take(b',') {
                return Err(self.broken("a comma or a closing bracket should stand here"));
            }
        }
    }

    fn number(&mut self) -> Result<Cow<'a, str>, Broken> {
        let rest = &self.text[self.at..];
        let length =
            rest.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        let number = &rest[..length];
        let digits = number.strip_prefix('-').unwrap_or(number);
        let leading_zero = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        let shaped = digits.starts_with(|c: char| c.is_ascii_digit()) && !number.ends_with('.');
        if !shaped || leading_zero || number.parse::<f64>().is_err() {
            return Err(self.broken("this is not a JSON number"));
        }
        self.at += length;
        Ok(Cow::Borrowed(number))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Broken> {
        self.at += 1;
        let start = self.at;
        let plain = self.plain();
        if self.text.as_bytes().get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut value = plain.to_string();
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(value));
                }
                Some(b'\\') => value.push(self.escape()?),
                Some(_) => return Err(self.broken("a control character stands bare in a string")),
                None => {
                    self.at = start - 1;
                    return Err(self.broken("this quote is not closed"));
                }
            }
            value.push_str(self.plain());
        }
    }

    /// What stands up to the next quote, backslash or control character.
    fn plain(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let length = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\').unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn escape(&mut self) -> Result<char, Broken> {
        let plain = match self.text.as_bytes().get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.broken("this backslash stands for nothing in JSON")),
        };
        self.at += 2;
        Ok(plain)
    }

    fn unicode(&mut self) -> Result<char, Broken> {
        let unit = |at: usize| {
            let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
            if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                u16::from_str_radix(digits, 16).ok()
            } else {
                None
            }
        };
        let first = unit(self.at).ok_or_else(|| self.broken("four hexadecimal digits should follow \\u"))?;
        let units = [first, unit(self.at + 6).unwrap_or_default()];
        // A character beyond the first 65536 is written as two escapes.
        let used = if (0xd800..0xdc00).contains(&first) { 2 } else { 1 };
        match char::decode_utf16(units.into_iter().take(used)).next() {
            Some(Ok(character)) => {
                self.at += 6 * used;
                Ok(character)
            }
            _ => Err(self.broken("this escape is half a character")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_reads_is_read_the_same() {
        for text in [
            "null",
            " [ ] ",
            "{}",
            r#"{"a": [1, -2.5e+3, true, false, null, "x"], "b": {"c": ""}}"#,
            r#""\u0041\n\t\"\\\/\b\f\r\ud83d\ude00é""#,
            "0",
            "-0.0",
            "[[[[1]]]]",
        ] {
            assert_eq!(plain(&read(text).unwrap()), serde_json::from_str::<serde_json::Value>(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn what_serde_refuses_is_refused() {
        for text in [
            "",
            "{",
            "[1",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{a:1}",
            "01",
            "1.",
            "-",
            "+1",
            ".5",
            "1e",
            "tru",
            "\"\n\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ude00\"",
            "\"\\u00g0\"",
            "\"a",
            "1 2",
            "nan",
            "\"\\u+123\"",
        ] {
            assert!(read(text).is_err(), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(DEPTH_MAX)).is_ok());
        assert!(read(&nested(1_000_000)).is_err());
    }

    #[test]
    fn places_are_those_of_the_text() {
        let text = r#"{"key": [10, "x"]}"#;
        let Value::Table(entries) = read(text).unwrap().value else { panic!() };
        let (key, list) = &entries[0];
        assert_eq!((&text[key.start..key.end], &text[list.start..list.end]), ("\"key\"", "[10, \"x\"]"));
        assert_eq!(read("[1 2]").unwrap_err().start, 3);
    }

    fn plain(node: &Node) -> serde_json::Value {
        match &node.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(text) => serde_json::from_str(text).unwrap(),
            Value::Text(text) => text.as_ref().into(),
            Value::List(items) => items.iter().map(plain).collect(),
            Value::Table(entries) => entries
                .iter()
                .map(|(key, node)| (key.text.to_string(), plain(node)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}
