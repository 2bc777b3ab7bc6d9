//! The fields of a record as the readers of record data pull them: one token after the other, each knowing its place.

use std::fmt::Display;

use super::entry::{Entry, Token};
use crate::wire::name::{self, LABEL_MAX, NAME_MAX, NameError};

/// What is wrong with a piece of text, and where it stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub start: usize,
    pub end: usize,
    pub what: String,
    pub why: String,
    pub remedy: String,
}

pub type Outcome<T> = Result<T, Box<Fault>>;

impl Fault {
    pub fn new(start: usize, end: usize, what: impl Into<String>) -> Box<Fault> {
        Box::new(Fault { start, end, what: what.into(), why: String::new(), remedy: String::new() })
    }

    pub fn why(mut self: Box<Self>, why: impl Into<String>) -> Box<Fault> {
        self.why = why.into();
        self
    }

    pub fn remedy(mut self: Box<Self>, remedy: impl Into<String>) -> Box<Fault> {
        self.remedy = remedy.into();
        self
    }
}

/// One token with its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    pub bytes: &'a [u8],
    pub start: usize,
    pub quoted: bool,
    pub glued: bool,
}

impl<'a> Field<'a> {
    pub fn fault(&self, what: impl Into<String>) -> Box<Fault> {
        // The quotation marks are underlined too: an empty string could not be seen otherwise.
        let quote = usize::from(self.quoted);
        Fault::new(self.start - quote, self.start + self.bytes.len() + quote, what)
    }

    /// "… is not …", with the field itself in front.
    pub fn is_not(&self, wanted: impl Display) -> Box<Fault> {
        self.fault(format!("{} is not {wanted}", self.shown()))
    }

    pub fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes).ok()
    }

    /// The field in quotation marks, for a message. Long ones are cut.
    pub fn shown(&self) -> String {
        const SHOWN_MAX: usize = 60;
        let text = String::from_utf8_lossy(self.bytes);
        match text.char_indices().nth(SHOWN_MAX) {
            Some((cut, _)) => format!("\"{}…\"", &text[..cut]),
            None => format!("\"{text}\""),
        }
    }

    pub fn is(&self, word: &str) -> bool {
        !self.quoted && self.bytes.eq_ignore_ascii_case(word.as_bytes())
    }

    pub fn number<N: TryFrom<u64> + Display + PartialOrd>(&self, most: N) -> Outcome<N> {
        digits(self.bytes)
            .and_then(|value| N::try_from(value).ok())
            .filter(|value| *value <= most)
            .ok_or_else(|| self.is_not(format!("a number from 0 to {most}")))
    }

    /// Appends the bytes that the field stands for, escapes resolved.
    pub fn unescape_into(&self, out: &mut Vec<u8>) -> Outcome<()> {
        if !self.bytes.contains(&b'\\') {
            out.extend_from_slice(self.bytes);
            return Ok(());
        }
        let mut at = 0;
        while let Some(&byte) = self.bytes.get(at) {
            if byte == b'\\' {
                let rest = self.bytes.get(at + 1..).unwrap_or_default();
                let (byte, taken) = name::unescape(rest).ok_or_else(|| self.bad_escape(at))?;
                out.push(byte);
                at += 1 + taken;
            } else {
                out.push(byte);
                at += 1;
            }
        }
        Ok(())
    }

    fn bad_escape(&self, at: usize) -> Box<Fault> {
        let rest = self.bytes.get(at + 1..).unwrap_or_default();
        let digits = rest.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        Fault::new(self.start + at, self.start + at + 1 + digits, NameError::BadEscape(at).to_string())
            .remedy("write a backslash itself as \\\\")
    }

    /// Appends the name that the field stands for, completed with `origin`.
    pub fn name_into(&self, origin: &[u8], out: &mut Vec<u8>) -> Outcome<()> {
        if plain_name_into(self.bytes, origin, out) {
            return Ok(());
        }
        name::parse_into(self.bytes, Some(origin), out).map_err(|error| match error {
            NameError::BadEscape(at) => self.bad_escape(at),
            NameError::EmptyLabel(at) if !self.bytes.is_empty() => {
                Fault::new(self.start + at, self.start + at + 1, error.to_string()).remedy("remove the extra dot")
            }
            _ => {
                let why = match error {
                    NameError::NameTooLong(_) if !self.bytes.ends_with(b".") => "the origin counted",
                    _ => "",
                };
                self.fault(error.to_string()).why(why).remedy("write a shorter name")
            }
        })
    }
}

/// The common case of a name: no escapes, nothing too long. On false nothing is appended.
fn plain_name_into(text: &[u8], origin: &[u8], out: &mut Vec<u8>) -> bool {
    if text.is_empty() || text.len() >= NAME_MAX || matches!(text, b"@" | b".") {
        return false;
    }
    let start = out.len();
    out.push(0);
    out.extend_from_slice(text);
    let (mut label, mut count) = (start, 0);
    for (at, &byte) in text.iter().enumerate() {
        if byte == b'.' {
            if count == 0 || count > LABEL_MAX {
                out.truncate(start);
                return false;
            }
            out[label] = count as u8;
            label = start + 1 + at;
            count = 0;
        } else if byte == b'\\' {
            out.truncate(start);
            return false;
        } else {
            count += 1;
        }
    }
    if count > LABEL_MAX {
        out.truncate(start);
        return false;
    }
    // The last dot's place holds a zero: the root of an absolute name, or the length still to be filled in.
    out[label] = count as u8;
    if count > 0 {
        out.extend_from_slice(origin);
    }
    if out.len() - start > NAME_MAX {
        out.truncate(start);
        return false;
    }
    true
}

/// A decimal number without sign.
pub fn digits(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(u64::from(digit)) }
    })
}

/// Seconds, plain or with units, as `1h30m`.
pub fn period(bytes: &[u8]) -> Option<u64> {
    if !bytes.first()?.is_ascii_digit() {
        return None;
    }
    let (mut total, mut value, mut pending) = (0u64, 0u64, false);
    for &byte in bytes {
        let unit = match byte {
            b'0'..=b'9' => {
                value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
                pending = true;
                continue;
            }
            b's' | b'S' => 1,
            b'm' | b'M' => 60,
            b'h' | b'H' => 3_600,
            b'd' | b'D' => 86_400,
            b'w' | b'W' => 604_800,
            _ => return None,
        };
        if !pending {
            return None;
        }
        total = total.checked_add(value.checked_mul(unit)?)?;
        value = 0;
        pending = false;
    }
    total.checked_add(value)
}

/// The fields of one record that are still to be read.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    text: &'a [u8],
    tokens: &'a [Token],
    next: usize,
    /// The origin that completes names, in wire form.
    pub origin: &'a [u8],
}

impl<'a> Fields<'a> {
    pub fn new(text: &'a [u8], entry: &'a Entry, origin: &'a [u8]) -> Fields<'a> {
        Fields { text, tokens: &entry.tokens, next: 0, origin }
    }

    #[inline]
    pub fn peek(&self) -> Option<Field<'a>> {
        let token = self.tokens.get(self.next)?;
        let bytes = self.text.get(token.start..token.end)?;
        Some(Field { bytes, start: token.start, quoted: token.quoted, glued: token.glued })
    }

    #[inline]
    pub fn optional(&mut self) -> Option<Field<'a>> {
        let field = self.peek()?;
        self.next += 1;
        Some(field)
    }

    #[inline]
    pub fn required(&mut self, wanted: &str) -> Outcome<Field<'a>> {
        match self.optional() {
            Some(field) => Ok(field),
            None => Err(self.ends_too_soon(wanted)),
        }
    }

    #[cold]
    fn ends_too_soon(&self, wanted: &str) -> Box<Fault> {
        let end = self.tokens.last().map_or(0, |token| token.end + usize::from(token.quoted));
        Fault::new(end, end, "the record ends too soon").why(format!("{wanted} is missing"))
    }

    /// A fault if fields are left.
    pub fn finish(&self) -> Outcome<()> {
        match self.peek() {
            None => Ok(()),
            Some(field) => Err(field.fault(format!("{} is more than the record can take", field.shown()))),
        }
    }

    /// Where the fields start that are still to be read, and where the last one ends.
    pub fn rest(&self) -> Option<(usize, usize)> {
        let first = self.tokens.get(self.next)?;
        let last = self.tokens.last()?;
        Some((first.start - usize::from(first.quoted), last.end + usize::from(last.quoted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_take_units() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("3600", Some(3600)),
            ("1h30m", Some(5400)),
            ("1W2d3H4M5s", Some(788_645)),
            ("1h30", Some(3630)),
            ("h", None),
            ("1hm", None),
            ("-1", None),
            ("1y", None),
            ("", None),
            ("99999999999999999999", None),
            ("99999999999999999999w", None),
        ] {
            assert_eq!(period(text.as_bytes()), seconds, "{text}");
        }
    }

    #[test]
    fn the_quick_way_to_read_a_name_agrees_with_the_slow_one() {
        let origin = b"\x07example\0";
        let label = "x".repeat(63);
        let long = format!("{label}.{label}.{label}.{label}");
        let fits = format!("{label}.{label}.{label}.{}", "y".repeat(53));
        let over = format!("{label}.{label}.{label}.{}", "y".repeat(54));
        let wide = "x".repeat(64);
        for text in ["a", "a.", "a.b", "a.b.", "@", ".", "", "a..b", ".a", r"a\.b", "..", &long, &fits, &over, &wide] {
            let field = Field { bytes: text.as_bytes(), start: 0, quoted: false, glued: false };
            let (mut quick, mut slow) = (vec![7], vec![7]);
            let outcome = field.name_into(origin, &mut quick);
            let expected = name::parse_into(text.as_bytes(), Some(origin), &mut slow);
            assert_eq!(outcome.is_ok(), expected.is_ok(), "{text}");
            assert_eq!(quick, slow, "{text}");
        }
    }

    #[test]
    fn a_broken_escape_is_underlined() {
        for (text, range) in [(r"ab\256c", (12, 16)), (r"ab\", (12, 13)), (r"\12", (10, 13))] {
            let field = Field { bytes: text.as_bytes(), start: 10, quoted: false, glued: false };
            let fault = field.unescape_into(&mut Vec::new()).unwrap_err();
            assert_eq!((fault.start, fault.end), range, "{text}");
        }
    }
}
