//! Domain names in wire form: labels, each behind its length, ended by the root's zero.
//!
//! [`Name`] owns one, in the case it was written in; names compare without regard to case (RFC 4343) and
//! sort in canonical order (RFC 4034, 6.1). The functions on plain slices serve the query path, which owns nothing.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};

/// RFC 1035, 2.3.4: a name takes at most 255 bytes on the wire.
pub const NAME_MAX: usize = 255;
/// RFC 1035, 2.3.4: a label takes at most 63 bytes.
pub const LABEL_MAX: usize = 63;
/// A name of 255 bytes has at most 127 labels, the root's not counted.
pub const LABELS_MAX: usize = 127;

/// A domain name in wire form, always whole (it ends in the root).
#[derive(Clone)]
pub struct Name(Box<[u8]>);

/// Why a text or some bytes are not a name. The number is a byte position in the text, where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    LabelTooLong(usize),
    NameTooLong(usize),
    EmptyLabel(usize),
    BadEscape(usize),
    Relative,
    NotAName,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameError::LabelTooLong(_) => "a label is longer than 63 bytes",
            NameError::NameTooLong(_) => "the name is longer than 255 bytes",
            NameError::EmptyLabel(_) => "the name has an empty label (two dots in a row, or one in front)",
            NameError::BadEscape(_) => "a backslash must be followed by a character or by three digits up to 255",
            NameError::Relative => "the name does not end in a dot and there is no origin to complete it",
            NameError::NotAName => "these bytes are not a domain name",
        })
    }
}

impl Name {
    pub fn root() -> Name {
        Name(Box::new([0]))
    }

    /// Takes bytes that are exactly one uncompressed name.
    pub fn from_wire(bytes: &[u8]) -> Result<Name, NameError> {
        match wire_len(bytes) {
            Some(len) if len == bytes.len() => Ok(Name(bytes.into())),
            _ => Err(NameError::NotAName),
        }
    }

    /// Reads presentation form. A name without a final dot is completed with `origin`; `@` is the origin itself.
    pub fn parse(text: &str, origin: Option<&Name>) -> Result<Name, NameError> {
        Name::read(text, origin.map(Name::wire))
    }

    fn read(text: &str, origin: Option<&[u8]>) -> Result<Name, NameError> {
        let mut wire = Vec::with_capacity(text.len() + 2);
        parse_into(text.as_bytes(), origin, &mut wire)?;
        Ok(Name(wire.into_boxed_slice()))
    }

    /// Reads presentation form in which the final dot may be missing (`dig`'s and Route 53's habit).
    pub fn parse_absolute(text: &str) -> Result<Name, NameError> {
        if text == "@" { Err(NameError::Relative) } else { Name::read(text, Some(&[0])) }
    }

    pub fn wire(&self) -> &[u8] {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// How many labels the name has, the root's not counted.
    pub fn label_count(&self) -> usize {
        labels(&self.0).count()
    }

    /// The labels from the left, without their lengths.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        labels(&self.0)
    }

    /// The name without its first label; none for the root.
    pub fn parent(&self) -> Option<Name> {
        parent(&self.0).map(|wire| Name(wire.into()))
    }

    pub fn is_wildcard(&self) -> bool {
        is_wildcard(&self.0)
    }

    /// Whether this is `other` or lies below it.
    pub fn is_under(&self, other: &Name) -> bool {
        is_under(&self.0, &other.0)
    }

    pub fn to_lowercase(&self) -> Name {
        Name(self.0.to_ascii_lowercase().into_boxed_slice())
    }

    pub fn into_lowercase(mut self) -> Name {
        self.0.make_ascii_lowercase();
        self
    }

    /// The text without the final dot, as file names and Route 53 logs show it.
    pub fn without_dot(&self) -> String {
        let text = self.to_string();
        if text == "." { text } else { text[..text.len() - 1].to_string() }
    }
}

/// The root.
impl Default for Name {
    fn default() -> Name {
        Name::root()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // All at once: a hasher takes whole words.
        let mut room = [0; NAME_MAX];
        if let Some(lower) = room.get_mut(..self.0.len()) {
            lower.copy_from_slice(&self.0);
            lower.make_ascii_lowercase();
            state.write(lower);
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Name) -> Ordering {
        canonical_cmp(&self.0, &other.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Shown(&self.0), f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Shown(&self.0), f)
    }
}

/// Shows a wire-form name as master files write it, final dot included.
pub struct Shown<'a>(pub &'a [u8]);

/// Stands in a name as it is, where others need a backslash.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$')
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() <= 1 {
            return f.write_str(".");
        }
        for label in labels(self.0) {
            for run in label.chunk_by(|&byte, &next| is_plain(byte) && is_plain(next)) {
                match *run {
                    [byte] if is_plain(byte) => f.write_char(byte as char)?,
                    [byte] if byte.is_ascii_graphic() => write!(f, "\\{}", byte as char)?,
                    [byte] => write!(f, "\\{byte:03}")?,
                    _ => f.write_str(str::from_utf8(run).unwrap_or_default())?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

/// Appends the wire form of a name in presentation form. On an error `wire` is as it was.
pub fn parse_into(text: &[u8], origin: Option<&[u8]>, wire: &mut Vec<u8>) -> Result<(), NameError> {
    let start = wire.len();
    let outcome = parse_labels(text, origin, wire);
    if outcome.is_err() {
        wire.truncate(start);
    }
    outcome
}

fn parse_labels(text: &[u8], origin: Option<&[u8]>, wire: &mut Vec<u8>) -> Result<(), NameError> {
    let start = wire.len();
    match text {
        b"" => return Err(NameError::EmptyLabel(0)),
        b"." => {
            wire.push(0);
            return Ok(());
        }
        b"@" => {
            wire.extend_from_slice(origin.ok_or(NameError::Relative)?);
            return Ok(());
        }
        _ => {}
    }
    let mut length_at = wire.len();
    wire.push(0);
    let mut at = 0;
    while at < text.len() {
        let byte = match text[at] {
            b'.' => {
                let length = wire.len() - length_at - 1;
                if length == 0 {
                    return Err(NameError::EmptyLabel(at));
                }
                wire[length_at] = length as u8;
                length_at = wire.len();
                wire.push(0);
                at += 1;
                continue;
            }
            b'\\' => {
                let (byte, taken) = unescape(&text[at + 1..]).ok_or(NameError::BadEscape(at))?;
                at += taken;
                byte
            }
            byte => byte,
        };
        wire.push(byte);
        at += 1;
        if wire.len() - length_at - 1 > LABEL_MAX {
            return Err(NameError::LabelTooLong(at - 1));
        }
        if wire.len() - start > NAME_MAX {
            return Err(NameError::NameTooLong(at - 1));
        }
    }
    let length = wire.len() - length_at - 1;
    if length > 0 {
        wire[length_at] = length as u8;
        wire.extend_from_slice(origin.ok_or(NameError::Relative)?);
    }
    if wire.len() - start > NAME_MAX {
        return Err(NameError::NameTooLong(text.len()));
    }
    Ok(())
}

/// What follows a backslash: the byte it stands for, and how many characters it took.
pub fn unescape(rest: &[u8]) -> Option<(u8, usize)> {
    match *rest {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] => {
            let value = u32::from(a - b'0') * 100 + u32::from(b - b'0') * 10 + u32::from(c - b'0');
            u8::try_from(value).ok().map(|byte| (byte, 3))
        }
        [b'0'..=b'9', ..] | [] => None,
        [byte, ..] => Some((byte, 1)),
    }
}

/// The length of the uncompressed name at the start of these bytes, if there is a whole one.
pub fn wire_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let length = usize::from(*bytes.get(at)?);
        if length > LABEL_MAX {
            return None;
        }
        at += 1 + length;
        if at > NAME_MAX || at > bytes.len() {
            return None;
        }
        if length == 0 {
            return Some(at);
        }
    }
}

/// The labels of a wire-form name, from the left, the root's left out.
pub fn labels(wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = wire;
    std::iter::from_fn(move || {
        let (&length, after) = rest.split_first()?;
        if length == 0 || usize::from(length) > after.len() {
            return None;
        }
        let (label, next) = after.split_at(usize::from(length));
        rest = next;
        Some(label)
    })
}

/// The name without its first label; none for the root.
pub fn parent(wire: &[u8]) -> Option<&[u8]> {
    match wire.first() {
        None | Some(0) => None,
        Some(&length) => wire.get(1 + usize::from(length)..),
    }
}

pub fn is_wildcard(wire: &[u8]) -> bool {
    wire.starts_with(b"\x01*")
}

/// Whether `wire` is `ancestor` or lies below it.
pub fn is_under(wire: &[u8], ancestor: &[u8]) -> bool {
    let mut rest = wire;
    while rest.len() > ancestor.len() {
        match parent(rest) {
            Some(next) => rest = next,
            None => return false,
        }
    }
    rest.eq_ignore_ascii_case(ancestor)
}

/// Canonical order of names: by labels from the right, each as lower-case bytes (RFC 4034, 6.1).
pub fn canonical_cmp(a: &[u8], b: &[u8]) -> Ordering {
    let mut starts_a = [0u8; LABELS_MAX + 1];
    let mut starts_b = [0u8; LABELS_MAX + 1];
    let count_a = label_starts(a, &mut starts_a);
    let count_b = label_starts(b, &mut starts_b);
    for step in 1..=count_a.min(count_b) {
        let label_a = label_at(a, starts_a[count_a - step]);
        let label_b = label_at(b, starts_b[count_b - step]);
        let order = label_a.iter().map(u8::to_ascii_lowercase).cmp(label_b.iter().map(u8::to_ascii_lowercase));
        if order != Ordering::Equal {
            return order;
        }
    }
    count_a.cmp(&count_b)
}

/// Where each label starts, from the left, the root's left out. Returns how many there are.
pub fn label_starts(wire: &[u8], starts: &mut [u8; LABELS_MAX + 1]) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some(&length) = wire.get(at) {
        if length == 0 || count > LABELS_MAX {
            break;
        }
        starts[count] = at as u8;
        count += 1;
        at += 1 + usize::from(length);
    }
    count
}

fn label_at(wire: &[u8], start: u8) -> &[u8] {
    let start = usize::from(start);
    &wire[start + 1..start + 1 + usize::from(wire[start])]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text, Some(&Name::parse("example.", None).unwrap())).unwrap()
    }

    #[test]
    fn presentation_form_is_read_and_shown() {
        for (text, shown) in [
            (".", "."),
            ("www", "www.example."),
            ("WwW.Example.", "WwW.Example."),
            ("@", "example."),
            (r"a\.b.c.", r"a\.b.c."),
            (r"\065\000.", r"A\000."),
            (r"*.x", "*.x.example."),
            (r"\@.", r"\@."),
        ] {
            assert_eq!(name(text).to_string(), shown, "{text}");
            assert_eq!(name(shown).wire(), name(text).wire());
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("{}.", "x".repeat(64));
        let huge = format!("{}.", vec!["x".repeat(63); 4].join("."));
        for (text, error) in [
            ("a..b.", NameError::EmptyLabel(2)),
            (".a.", NameError::EmptyLabel(0)),
            ("", NameError::EmptyLabel(0)),
            (r"\256.", NameError::BadEscape(0)),
            (r"a\", NameError::BadEscape(1)),
            (long.as_str(), NameError::LabelTooLong(63)),
            (huge.as_str(), NameError::NameTooLong(254)),
            ("a", NameError::Relative),
        ] {
            assert_eq!(Name::parse(text, None).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn the_longest_name_has_255_bytes() {
        let label = "x".repeat(63);
        let text = format!("{label}.{label}.{label}.{}.", "x".repeat(61));
        assert_eq!(Name::parse(&text, None).unwrap().wire().len(), NAME_MAX);
        assert!(Name::parse(&format!("x{text}"), None).is_err());
    }

    #[test]
    fn canonical_order_is_rfc_4034s_example() {
        let mut names: Vec<Name> =
            ["z.a", r"\001.z.a", "yljkjljk.a", "a", r"\200.z.a", "zABC.a.EXAMPLE.", "example.", "*.z.a", "Z.a"]
                .iter()
                .map(|text| name(text))
                .collect();
        names.sort();
        names.dedup();
        let shown: Vec<String> = names.iter().map(Name::to_string).collect();
        assert_eq!(
            shown.join(" ").to_ascii_lowercase(),
            r"example. a.example. yljkjljk.a.example. z.a.example. \001.z.a.example. *.z.a.example. \200.z.a.example. zabc.a.example."
        );
    }

    #[test]
    fn ancestry_ignores_case_and_minds_label_borders() {
        assert!(name("a.b.Example.").is_under(&name("B.eXample.")));
        assert!(name("x.").is_under(&Name::root()));
        assert!(!name("ab.").is_under(&name("b.")));
        assert!(!name("example.").is_under(&name("a.example.")));
    }
}
